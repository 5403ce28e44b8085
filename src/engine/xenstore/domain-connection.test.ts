/** Connections over rings: introduction, release, quotas, slow readers, reconnection and hostile pages. */
import { describe, expect, it } from 'vitest';
import {
  XENSTORE_CONNECTED,
  XENSTORE_CONNECTION,
  XENSTORE_ERROR,
  XENSTORE_ERROR_PROTO,
  XENSTORE_ERROR_RINGIDX,
  XENSTORE_RECONNECT,
  XENSTORE_REQ_CONS,
  XENSTORE_REQ_PROD,
  XENSTORE_RSP_CONS,
  XENSTORE_RSP_PROD,
  XENSTORE_SERVER_FEATURES,
  XS_GET_PERMS,
  XS_MKDIR,
  XS_READ,
  XS_RM,
  XS_TRANSACTION_END,
  XS_TRANSACTION_START,
  XS_TYPE_COUNT,
  XS_WATCH,
  XS_WRITE,
} from '../abi/xs-wire.ts';
import type { XenstoreOptions } from './server.ts';
import { XenstoreServer } from './server.ts';
import { GuestStore, ManualScheduler, describe as describeMessage } from './testing/guest-store.ts';
import { SeededRandom } from './testing/random.ts';
import { bytesFromByteString } from './text.ts';
import { serializeMessage } from './wire.ts';

function bench(options: Partial<XenstoreOptions> = {}) {
  const scheduler = new ManualScheduler();
  const log: string[] = [];
  const server = new XenstoreServer({ schedule: scheduler.schedule, log: (line) => log.push(line), ...options });
  const dom0 = server.connect();
  const connect = (domid: number): GuestStore => {
    const guest = new GuestStore();
    dom0.mkdir(`/local/domain/${domid}`);
    dom0.setPermissions(`/local/domain/${domid}`, [{ domid, access: 'n' }]);
    server.introduce(domid, guest.ring);
    scheduler.run();
    return guest;
  };
  const account = (domid: number): Record<string, number> =>
    Object.fromEntries(
      [...server.control(['quota', String(domid)]).matchAll(/^(\w+) *: *(\d+)$/gm)].map((row) => [row[1]!, Number(row[2])]),
    );
  return { scheduler, log, server, dom0, connect, account };
}

describe('introduction and release', () => {
  it('resets the page and says what the server can do', () => {
    const { server } = bench();
    const guest = new GuestStore();
    for (const word of [XENSTORE_REQ_CONS, XENSTORE_REQ_PROD, XENSTORE_RSP_CONS, XENSTORE_RSP_PROD]) guest.setWord(word, 77);
    guest.setWord(XENSTORE_CONNECTION, XENSTORE_RECONNECT);
    server.introduce(4, guest.ring);
    expect([XENSTORE_REQ_CONS, XENSTORE_REQ_PROD, XENSTORE_RSP_CONS, XENSTORE_RSP_PROD].map((at) => guest.word(at))).toEqual([
      0, 0, 0, 0,
    ]);
    expect(guest.word(XENSTORE_SERVER_FEATURES)).toBe(3);
    expect(guest.word(XENSTORE_CONNECTION)).toBe(XENSTORE_CONNECTED);
  });

  it('fires the special watches for those who may hear them', () => {
    const { server, dom0, connect, scheduler } = bench();
    const heard: string[] = [];
    const guest = connect(1);
    for (const name of ['@introduceDomain', '@releaseDomain']) {
      dom0.watch(name, 'x', (path) => heard.push(path));
      expect(guest.ask(XS_WATCH, `${name}\0x\0`)).toEqual(['WATCH (OK )', `WATCH_EVENT (${name} x )`]);
    }
    scheduler.run();
    expect(heard.splice(0)).toEqual(['@introduceDomain', '@releaseDomain']);
    server.introduce(2, new GuestStore().ring);
    server.introduce(2, new GuestStore().ring);
    scheduler.run();
    expect(heard.splice(0)).toEqual(['@introduceDomain']);
    expect(guest.receive()).toEqual([]);
    server.domainShutdown(2);
    server.domainShutdown(2);
    scheduler.run();
    expect(heard.splice(0)).toEqual(['@releaseDomain']);
    server.resume(2);
    server.domainShutdown(2);
    server.release(2);
    scheduler.run();
    expect(heard.splice(0)).toEqual(['@releaseDomain', '@releaseDomain']);
    server.domainShutdown(2);
    server.release(2);
    scheduler.run();
    expect(heard).toEqual([]);
    // A domain hears of them once dom0 lets it.
    dom0.setPermissions('@releaseDomain', [
      { domid: 0, access: 'n' },
      { domid: 1, access: 'r' },
    ]);
    guest.receive();
    server.introduce(3, new GuestStore().ring);
    server.release(3);
    scheduler.run();
    expect(guest.receive().map(describeMessage)).toEqual(['WATCH_EVENT (@releaseDomain x )']);
  });

  it('leaves nothing of a released domain', () => {
    const { server, dom0, connect, scheduler } = bench();
    const guest = connect(1);
    const other = connect(2);
    dom0.write('/common/for1', 'v');
    dom0.setPermissions('/common/for1', [
      { domid: 0, access: 'n' },
      { domid: 1, access: 'b' },
    ]);
    expect(guest.ask(XS_WRITE, '/common/for1/mine\0x')).toEqual(['WRITE (OK )']);
    guest.ask(XS_WATCH, '/common\0w\0');
    guest.ask(XS_TRANSACTION_START, '\0');
    const events: string[] = [];
    dom0.watch('/common', 't', (path) => events.push(path));
    other.ask(XS_WATCH, '/local/domain/1\0w\0');
    scheduler.run();
    events.length = 0;
    server.release(1);
    scheduler.run();
    expect(dom0.exists('/common/for1')).toBe(true);
    expect(dom0.exists('/common/for1/mine')).toBe(false);
    expect(dom0.exists('/local/domain/1')).toBe(false);
    expect(dom0.getPermissions('/common/for1')).toEqual([{ domid: 0, access: 'n' }]);
    expect(events).toEqual(['/common/for1/mine']);
    expect(() => server.control(['quota', '1'])).toThrow('ENOENT');
    // The old ring is dead.
    const before = guest.notifications;
    guest.setWord(XENSTORE_REQ_PROD, guest.word(XENSTORE_REQ_PROD) + 16);
    guest.kick();
    dom0.write('/common/for1', 'again');
    scheduler.run();
    expect(guest.notifications).toBe(before);
    expect(server.isIntroduced(1)).toBe(false);
    // A later domain of that number starts from nothing.
    const next = connect(1);
    expect(next.ask(XS_READ, '/common/for1\0')).toEqual(['ERROR (EACCES )']);
    expect(next.ask(XS_TRANSACTION_START, '\0')).toEqual(['TRANSACTION_START (1 )']);
  });

  it('takes a new ring for a known domain and forgets the old one', () => {
    const { server, connect, scheduler, dom0 } = bench();
    const old = connect(1);
    old.ask(XS_WATCH, 'a\0t\0');
    const fresh = new GuestStore();
    server.introduce(1, fresh.ring);
    dom0.write('/local/domain/1/a', 'x');
    scheduler.run();
    expect(old.receive()).toEqual([]);
    expect(fresh.receive()).toEqual([]);
    old.setWord(XENSTORE_REQ_PROD, old.word(XENSTORE_REQ_PROD) + 5000);
    old.kick();
    expect(fresh.ask(XS_READ, 'a\0')).toEqual(['READ (x)']);
  });

  it('refuses domain 0', () => {
    const { server } = bench();
    expect(() => {
      server.introduce(0, new GuestStore().ring);
    }).toThrow('EINVAL');
    expect(() => {
      server.release(0);
    }).toThrow('EINVAL');
  });

  it('maps a ring by frame number where the machine can', () => {
    const guest = new GuestStore();
    const asked: number[][] = [];
    const { server, dom0 } = bench({
      mapRing: (domid, mfn, port) => {
        asked.push([domid, mfn, port]);
        return guest.ring;
      },
    });
    const introduce = (text: string): string =>
      describeMessage(server.request(dom0, { type: 8, requestId: 1, transactionId: 0, payload: bytesFromByteString(text) }));
    expect(introduce('6\x001248769\x001\0')).toBe('INTRODUCE (OK )');
    expect(introduce('6\x001248769\x000\0')).toBe('ERROR (EINVAL )');
    expect(introduce('70000\x001248769\x001\0')).toBe('ERROR (EINVAL )');
    expect(asked).toEqual([[6, 1248769, 1]]);
    expect(guest.ask(XS_READ, 'x\0')).toEqual(['ERROR (EACCES )']);
  });
});

describe('quotas', () => {
  it('end a domain’s nodes at 1000 and give back what is removed', () => {
    const { connect, account, dom0 } = bench();
    const guest = connect(1);
    // The domain's own directory is one of them.
    for (let i = 0; i < 999; i++) expect(guest.ask(XS_WRITE, `d${i % 20}/n${i}\0v`).length).toBe(1);
    const { nodes } = account(1);
    expect(nodes).toBe(1000);
    expect(guest.ask(XS_WRITE, 'more\0v')).toEqual(['ERROR (ENOSPC )']);
    expect(guest.ask(XS_MKDIR, 'more\0')).toEqual(['ERROR (ENOSPC )']);
    expect(guest.ask(XS_WRITE, 'd0/n0\0still mine')).toEqual(['WRITE (OK )']);
    guest.ask(XS_TRANSACTION_START, '\0');
    expect(guest.ask(XS_RM, 'd1\0', 1)).toEqual(['RM (OK )']);
    expect(guest.ask(XS_WRITE, 'more\0v', 1)).toEqual(['WRITE (OK )']);
    expect(guest.ask(XS_WRITE, 'evenmore\0v')).toEqual(['ERROR (ENOSPC )']);
    expect(guest.ask(XS_TRANSACTION_END, 'T\0', 1)).toEqual(['TRANSACTION_END (OK )']);
    expect(guest.ask(XS_WRITE, 'evenmore\0v')).toEqual(['WRITE (OK )']);
    dom0.remove('/local/domain/1');
    expect(account(1)).toMatchObject({ nodes: 0, memory: 0 });
  });

  it('check the nodes of two transactions together', () => {
    const { connect } = bench({ quotas: { nodes: 5 } });
    const guest = connect(1);
    guest.ask(XS_WRITE, 'a/b\0');
    guest.ask(XS_WRITE, 'c\0');
    for (const id of [1, 2]) {
      guest.ask(XS_TRANSACTION_START, '\0');
      expect(guest.ask(XS_WRITE, `${id === 1 ? 'a' : 'c'}/in${id}\0v`, id)).toEqual(['WRITE (OK )']);
    }
    expect(guest.ask(XS_TRANSACTION_END, 'T\0', 1)).toEqual(['TRANSACTION_END (OK )']);
    expect(guest.ask(XS_TRANSACTION_END, 'T\0', 2)).toEqual(['ERROR (ENOSPC )']);
    expect(guest.ask(XS_READ, 'c/in2\0')).toEqual(['ERROR (ENOENT )']);
  });

  it('end the size of a node at 2048 bytes, its children’s names included', () => {
    const { connect } = bench();
    const guest = connect(1);
    const room = 2048 - 24 - 8;
    expect(guest.ask(XS_WRITE, `v\0${'x'.repeat(room)}`)).toEqual(['WRITE (OK )']);
    expect(guest.ask(XS_WRITE, `v\0${'x'.repeat(room + 1)}`)).toEqual(['ERROR (ENOSPC )']);
    expect(guest.ask(XS_WRITE, `w\0${'x'.repeat(room + 1)}`)).toEqual(['ERROR (ENOSPC )']);
    expect(guest.ask(XS_READ, 'w\0')).toEqual(['ERROR (ENOENT )']);
    expect(guest.ask(XS_WRITE, `v/${'y'.repeat(10)}\0`)).toEqual(['ERROR (ENOSPC )']);
  });

  it('end watches at 128 and transactions at 10', () => {
    const { connect, account } = bench();
    const guest = connect(1);
    for (let i = 0; i < 128; i++) expect(guest.ask(XS_WATCH, `w\0${i}\0`)[0]).toBe('WATCH (OK )');
    expect(guest.ask(XS_WATCH, 'w\0too many\0')).toEqual(['ERROR (E2BIG )']);
    for (let i = 1; i <= 10; i++) expect(guest.ask(XS_TRANSACTION_START, '\0')).toEqual([`TRANSACTION_START (${i} )`]);
    expect(guest.ask(XS_TRANSACTION_START, '\0')).toEqual(['ERROR (ENOSPC )']);
    guest.ask(XS_TRANSACTION_END, 'F\0', 4);
    expect(guest.ask(XS_TRANSACTION_START, '\0')).toEqual(['TRANSACTION_START (11 )']);
    expect(account(1)).toMatchObject({ watches: 128, transactions: 10, outstanding: 0 });
  });

  it('end the nodes of a transaction at 1024 and then the transaction', () => {
    const { connect } = bench();
    const guest = connect(1);
    guest.ask(XS_TRANSACTION_START, '\0');
    // The first look also touches the parent.
    for (let i = 0; i < 1023; i++) expect(guest.ask(XS_READ, `n${i}\0`, 1)).toEqual(['ERROR (ENOENT )']);
    expect(guest.ask(XS_READ, 'n1023\0', 1)).toEqual(['ERROR (ENOSPC )']);
    expect(guest.ask(XS_TRANSACTION_END, 'T\0', 1)).toEqual(['ERROR (ENOMEM )']);
  });

  it('end memory, whatever holds it, and give it back', () => {
    const { connect, account } = bench({ quotas: { memoryBytes: 40_000 } });
    const guest = connect(1);
    let written = 0;
    while (guest.ask(XS_WRITE, `n${written}\0${'x'.repeat(1000)}`)[0] === 'WRITE (OK )') written++;
    expect(written).toBeGreaterThan(30);
    expect(written).toBeLessThan(40);
    expect(guest.ask(XS_WRITE, `one\0${'x'.repeat(1900)}`)).toEqual(['ERROR (ENOMEM )']);
    expect(guest.ask(XS_WATCH, `n0\0${'t'.repeat(1900)}\0`)).toEqual(['ERROR (ENOMEM )']);
    expect(guest.ask(XS_RM, 'n0\0')).toEqual(['RM (OK )']);
    expect(guest.ask(XS_WRITE, 'n0\0x')).toEqual(['WRITE (OK )']);
    for (let i = 0; i < written; i++) guest.ask(XS_RM, `n${i}\0`);
    expect(account(1).memory).toBeLessThan(100);
    guest.ask(XS_TRANSACTION_START, '\0');
    let inside = 0;
    while (guest.ask(XS_WRITE, `t${inside}\0${'x'.repeat(1000)}`, 1)[0] === 'WRITE (OK )') inside++;
    expect(inside).toBeLessThan(40);
    guest.ask(XS_TRANSACTION_END, 'F\0', 1);
    expect(account(1).memory).toBeLessThan(100);
  });

  it('do not bind domain 0', () => {
    const { dom0 } = bench({ quotas: { nodes: 1, watches: 0, nodeBytes: 10, memoryBytes: 10, permissions: 1 } });
    dom0.write('/a/b/c', 'x'.repeat(5000));
    dom0.watch('/a', 't', () => undefined);
    dom0.setPermissions('/a', [
      { domid: 0, access: 'n' },
      { domid: 1, access: 'r' },
    ]);
    expect(dom0.read('/a/b/c')).toHaveLength(5000);
  });
});

describe('a domain that does not take its replies', () => {
  const flood = (guest: GuestStore, count: number): void => {
    const request = serializeMessage({ type: XS_READ, requestId: 1, transactionId: 0, payload: bytesFromByteString('big\0') });
    for (let i = 0; i < count; i++) guest.sendBytes(request);
  };

  it('gets no further requests executed until it does', () => {
    let executed = 0;
    const { connect, account } = bench({
      trace: (direction) => {
        if (direction === 'IN') executed++;
      },
    });
    const guest = connect(1);
    guest.ask(XS_WRITE, `big\0${'x'.repeat(1900)}`);
    executed = 0;
    flood(guest, 50);
    expect(executed).toBe(20);
    expect(account(1).outstanding).toBe(20);
    expect(guest.receive()).toHaveLength(50);
    expect(executed).toBe(50);
    expect(account(1).outstanding).toBe(0);
  });

  it('loses events rather than filling dom0’s memory, and hears of later ones again', () => {
    const { connect, dom0, scheduler, account } = bench({ quotas: { memoryBytes: 20_000 } });
    const guest = connect(1);
    guest.ask(XS_WATCH, 'w\0token\0');
    for (let i = 0; i < 2000; i++) dom0.write(`/local/domain/1/w/some-name-${i}`, '');
    dom0.remove('/local/domain/1/w');
    scheduler.run();
    expect(account(1).memory).toBeLessThanOrEqual(20_000);
    const events = guest.receive();
    expect(events.length).toBeGreaterThan(20);
    expect(events.length).toBeLessThan(2000);
    dom0.write('/local/domain/1/w', '');
    scheduler.run();
    expect(guest.receive().map(describeMessage)).toEqual(['WATCH_EVENT (w token )']);
  });

  it('is told of the same change once while it waits', () => {
    const { connect, dom0, scheduler } = bench();
    const guest = connect(1);
    guest.ask(XS_WATCH, 'w\0token\0');
    for (let i = 0; i < 100; i++) dom0.write('/local/domain/1/w', String(i));
    scheduler.run();
    expect(guest.receive().map(describeMessage)).toEqual(['WATCH_EVENT (w token )']);
  });
});

describe('notification', () => {
  it('comes once a turn, and not for nothing', () => {
    const { connect } = bench();
    const guest = connect(1);
    guest.notifications = 0;
    guest.kick();
    expect(guest.notifications).toBe(0);
    guest.send(XS_GET_PERMS, 'x\0');
    expect(guest.notifications).toBe(1);
    guest.receive();
    expect(guest.notifications).toBe(1);
  });

  it('serves many requests in turns that leave room for others', () => {
    let executed = 0;
    const { connect, scheduler } = bench({
      quotas: { outstanding: 1000 },
      trace: (direction) => {
        if (direction === 'IN') executed++;
      },
    });
    const guest = connect(1);
    // 64 requests of 16 bytes fill the ring exactly.
    const request = serializeMessage({ type: XS_TYPE_COUNT, requestId: 1, transactionId: 0, payload: new Uint8Array(0) });
    const kick = guest.kick.bind(guest);
    guest.kick = () => undefined;
    for (let i = 0; i < 64; i++) guest.sendBytes(request);
    guest.kick = kick;
    guest.kick();
    expect(executed).toBe(32);
    expect(scheduler.pending).toBe(1);
    scheduler.run();
    expect(executed).toBe(64);
    expect(guest.receive()).toHaveLength(64);
  });
});

describe('reconnection', () => {
  it('drops everything and starts on a message boundary', () => {
    const { connect, dom0, scheduler, account } = bench();
    const guest = connect(1);
    guest.ask(XS_WATCH, 'a\0t\0');
    guest.ask(XS_TRANSACTION_START, '\0');
    dom0.write('/local/domain/1/a', 'x');
    guest.sendBytes(Uint8Array.of(1, 2, 3));
    guest.setWord(XENSTORE_CONNECTION, XENSTORE_RECONNECT);
    guest.kick();
    expect(guest.word(XENSTORE_CONNECTION)).toBe(XENSTORE_CONNECTED);
    expect(account(1)).toMatchObject({ watches: 0, transactions: 0, outstanding: 0 });
    scheduler.run();
    expect(guest.ask(XS_READ, 'a\0')).toEqual(['READ (x)']);
  });
});

describe('a hostile page', () => {
  it('loses its connection for indices too far apart, and only that', () => {
    const { connect, log, dom0, scheduler, account } = bench();
    const guest = connect(1);
    const other = connect(2);
    guest.ask(XS_WATCH, 'a\0t\0');
    guest.setWord(XENSTORE_REQ_PROD, guest.word(XENSTORE_REQ_CONS) + 1025);
    guest.kick();
    expect(log).toEqual([
      'xenstored: connection of domain 1 closed: request ring indices are inconsistent: producer 1045, consumer 20',
    ]);
    expect(guest.word(XENSTORE_ERROR)).toBe(XENSTORE_ERROR_RINGIDX);
    expect(account(1)).toMatchObject({ watches: 0, outstanding: 0 });
    dom0.write('/local/domain/1/a', 'x');
    guest.kick();
    scheduler.run();
    expect(log).toHaveLength(1);
    expect(other.ask(XS_WRITE, 'fine\0x')).toEqual(['WRITE (OK )']);
    guest.setWord(XENSTORE_CONNECTION, XENSTORE_RECONNECT);
    guest.kick();
    expect(guest.word(XENSTORE_ERROR)).toBe(0);
    expect(guest.ask(XS_READ, 'a\0')[0]).toBe('READ (x)');
  });

  it('loses it for a consumer ahead of the producer', () => {
    const { connect, log, dom0, scheduler } = bench();
    const guest = connect(1);
    guest.ask(XS_WATCH, 'a\0t\0');
    guest.setWord(XENSTORE_RSP_CONS, guest.word(XENSTORE_RSP_PROD) + 1);
    dom0.write('/local/domain/1/a', 'x');
    scheduler.run();
    expect(log).toHaveLength(1);
    expect(log[0]).toContain('response ring indices');
  });

  it('loses it for a message over 4096 bytes', () => {
    const { connect, log } = bench();
    const guest = connect(1);
    const header = new Uint8Array(16);
    new DataView(header.buffer).setUint32(0, XS_READ, true);
    new DataView(header.buffer).setUint32(12, 0x80000000, true);
    guest.sendBytes(header);
    expect(guest.word(XENSTORE_ERROR)).toBe(XENSTORE_ERROR_PROTO);
    expect(log).toEqual(['xenstored: connection of domain 1 closed: a message of 2147483648 bytes was announced']);
  });

  it('gains nothing by moving the server’s own indices', () => {
    const { connect, log } = bench();
    const guest = connect(1);
    guest.setWord(XENSTORE_REQ_CONS, 0xdeadbeef);
    const producer = guest.word(XENSTORE_RSP_PROD);
    guest.setWord(XENSTORE_RSP_PROD, 0x12345678);
    guest.setWord(XENSTORE_REQ_CONS, 0);
    guest.setWord(XENSTORE_RSP_PROD, producer);
    expect(guest.ask(XS_WRITE, 'a\0x')).toEqual(['WRITE (OK )']);
    expect(log).toEqual([]);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('full of noise (seed %i) harms nobody else and leaves the store sound', (seed) => {
    const random = new SeededRandom(seed * 7919);
    const { server, dom0, connect, scheduler, log, account } = bench();
    const guest = connect(1);
    const victim = connect(2);
    victim.ask(XS_WRITE, 'kept\0safe');
    const words = [
      'a',
      'b/c',
      'd',
      '/local/domain/2/kept',
      '/local/domain/2',
      '/',
      '@releaseDomain',
      '/local/domain/1',
      'a//b',
      '',
    ];
    for (let step = 0; step < 400; step++) {
      const choice = random.below(10);
      if (choice < 6) {
        // A well-formed message of nonsense.
        const parts = Array.from({ length: random.below(4) }, () => random.pick([...words, 'n1', 'b2', 'T', 'F', '7']));
        const payload = bytesFromByteString(parts.map((part) => `${part}\0`).join('') + random.pick(['', 'tail']));
        const message = { type: random.below(24), requestId: random.word(), transactionId: random.pick([0, 0, 1, 2, 99]), payload };
        try {
          guest.sendBytes(serializeMessage(message));
        } catch {
          guest.setWord(XENSTORE_CONNECTION, XENSTORE_RECONNECT);
        }
      } else if (choice === 6) {
        guest.bytes.set(random.bytes(64), random.below(4096 - 64));
        guest.kick();
      } else if (choice === 7) {
        guest.setWord(random.pick([XENSTORE_REQ_PROD, XENSTORE_RSP_CONS, XENSTORE_REQ_CONS, XENSTORE_RSP_PROD]), random.word());
        guest.kick();
      } else if (choice === 8) {
        guest.setWord(XENSTORE_REQ_PROD, guest.word(XENSTORE_REQ_CONS) + random.below(1024));
        guest.kick();
      } else {
        // Take what is there, or pretend to.
        guest.setWord(XENSTORE_RSP_CONS, guest.word(XENSTORE_RSP_PROD));
        if (random.below(3) === 0) guest.setWord(XENSTORE_CONNECTION, XENSTORE_RECONNECT);
        guest.kick();
      }
      if (step % 16 === 0) dom0.write(`/local/domain/1/a/${step}`, 'x');
      scheduler.run();
    }
    log.length = 0;
    server.control(['check']);
    expect(log).toEqual([]);
    expect(victim.ask(XS_READ, 'kept\0')).toEqual(['READ (safe)']);
    expect(dom0.read('/local/domain/2/kept')).toBe('safe');
    for (const value of Object.values(account(1))) expect(value).toBeGreaterThanOrEqual(0);
    server.release(1);
    expect(() => account(1)).toThrow('ENOENT');
    server.control(['check']);
    expect(log).toEqual([]);
    expect(victim.ask(XS_WRITE, 'kept\0still')).toEqual(['WRITE (OK )']);
  });
});
