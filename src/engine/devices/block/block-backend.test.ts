import { describe, expect, it } from 'vitest';
import { BLKIF_X86_32 } from '../../abi/blkif.ts';
import { CHUNK_BYTES, StorageError } from '../../storage/chunk-store.ts';
import type { StoreClient } from '../../xenstore/client.ts';
import { SeededRandom } from '../../xenstore/testing/random.ts';
import { RING_REQ_PROD } from '../../abi/io-ring.ts';
import { askToDetach, removeBlockNodes } from '../../toolstack/devices/block-nodes.ts';
import { BlockBackend } from './block-backend.ts';
import { DEFAULT_OFFER } from './block-device.ts';
import { BARRIER, bench, connected, FLUSH, READ, SECTORS, settle, WRITE } from './testing/block-bench.ts';
import {
  BACKEND,
  DOMID,
  FRONTEND,
  ID,
  putSegment,
  turn,
  type BlockFront,
  type FakeGuest,
  type FrontOptions,
} from './testing/block-guest.ts';

describe('the handshake', () => {
  it('offers the device, connects, and writes what front ends read', async () => {
    const { front, store, guest } = await connected();
    const nodes = Object.fromEntries((store.list(BACKEND) ?? []).map((name) => [name, store.read(`${BACKEND}/${name}`)]));
    expect(nodes).toMatchObject({
      'feature-flush-cache': '1',
      'feature-barrier': '1',
      'feature-discard': '1',
      'discard-granularity': String(CHUNK_BYTES),
      'feature-persistent': '0',
      'feature-max-indirect-segments': '256',
      'max-ring-page-order': '2',
      'multi-queue-max-queues': '4',
      'hotplug-status': 'connected',
      'physical-device': 'fe:0',
      sectors: String(SECTORS),
      'sector-size': '512',
      info: '0',
      state: '4',
    });
    expect(store.getPermissions(`${BACKEND}/sectors`)).toEqual([
      { domid: 0, access: 'n' },
      { domid: DOMID, access: 'r' },
    ]);
    expect(guest.mapped).toBe(1);
    expect(front.backState).toBe('4');
  });

  it('waits in state 2 for the front end, and finds devices that were there before', async () => {
    const { front, server } = await bench();
    expect(front.backState).toBe('2');
    const other = new BlockBackend({
      store: server.connect(),
      guest: () => undefined,
      open: () => Promise.reject(new Error('x')),
      schedule: (task) => setImmediate(task),
      later: (task) => setImmediate(task),
      log: () => undefined,
    });
    await settle();
    expect(other.device(BACKEND)).toBeDefined();
  });

  it('leaves the reason in the store when the image cannot be opened', async () => {
    const { store, log } = await bench({ failOpen: 'Device /dev/vg/root is not there' });
    expect(store.read(`${BACKEND}/hotplug-status`)).toBe('error');
    expect(store.read(`${BACKEND}/hotplug-error`)).toBe('Device /dev/vg/root is not there');
    expect(store.read(`${BACKEND}/state`)).toBe('1');
    expect(log).toHaveLength(1);
  });

  it('lets go on the way down and takes the front end up again', async () => {
    const { front, guest } = await connected();
    front.state(5);
    await settle();
    expect([front.backState, guest.mapped]).toEqual(['5', 0]);
    front.state(6);
    await settle();
    expect(front.backState).toBe('6');
    front.state(1);
    await settle();
    expect(front.backState).toBe('2');
    front.offer();
    await settle();
    expect(front.backState).toBe('4');
  });

  it('closes the image when xend has removed the device', async () => {
    const made = await connected();
    made.store.transaction((access) => {
      askToDetach(access, BACKEND);
    });
    made.front.state(5);
    made.front.state(6);
    await settle();
    expect(made.front.backState).toBe('6');
    made.store.transaction((access) => {
      removeBlockNodes(access, DOMID, { deviceClass: 'vbd', id: ID });
    });
    await settle();
    expect([made.closed, made.guest.mapped]).toEqual([1, 0]);
    expect(made.backend.device(BACKEND)).toBeUndefined();
  });

  it('touches nothing of a domain after disconnectDomain', async () => {
    const made = await connected();
    await made.backend.disconnectDomain(DOMID);
    expect([made.closed, made.guest.mapped]).toEqual([1, 0]);
    expect(made.guest.notifyBack(20)).toBe(false);
  });

  it('tells a connected front end that the volume has grown', async () => {
    const { front, store, volume } = await connected();
    const states: (string | undefined)[] = [];
    store.watch(`${BACKEND}/state`, 't', () => states.push(front.backState));
    await settle();
    await volume.resize(2 * SECTORS * 512);
    await settle();
    expect(store.read(`${BACKEND}/sectors`)).toBe(String(2 * SECTORS));
    expect(states).toEqual(['4', '4']);
  });
});

describe('requests', () => {
  it.each<[string, FrontOptions]>([
    ['a 64-bit guest', {}],
    ['a 32-bit guest', { layout: BLKIF_X86_32 }],
    ['a ring of four pages', { pages: 4 }],
    ['a ring of four pages of a 32-bit guest', { pages: 4, layout: BLKIF_X86_32 }],
    ['persistent grants', { persistent: true }],
  ])('%s writes and reads back', async (_name, options) => {
    const offer = { ...DEFAULT_OFFER, persistentGrants: options.persistent === true ? 4 : 0 };
    const { front, guest, volume } = await connected({ ...options, offer });
    const out = guest.grant();
    guest.page(out).bytes.fill(7);
    const back = guest.grant();
    const write = front.request(WRITE, 100, [
      { gref: out, first: 2, last: 5 },
      { gref: out, first: 0, last: 0 },
    ]);
    expect(await front.push()).toEqual(new Map([[write, { operation: WRITE, status: 0 }]]));
    const seen = new Uint8Array(7 * 512);
    await volume.read(99, seen);
    expect([...seen].map((byte) => byte)).toEqual([
      ...new Uint8Array(512),
      ...new Uint8Array(5 * 512).fill(7),
      ...new Uint8Array(512),
    ]);
    const read = front.request(READ, 99, [{ gref: back, first: 1, last: 6 }]);
    expect(await front.push()).toEqual(new Map([[read, { operation: READ, status: 0 }]]));
    expect(
      Buffer.from(guest.page(back).bytes).equals(
        Buffer.concat([new Uint8Array(512), seen.subarray(0, 6 * 512), new Uint8Array(512)]),
      ),
    ).toBe(true);
    expect(guest.page(back).stores).toEqual([[512, 6 * 512]]);
    if (options.persistent === true) expect(guest.page(back).maps + guest.page(out).maps).toBe(2);
    else expect(guest.page(back).maps + guest.page(out).maps).toBe(0);
    front.state(5);
    await settle();
    expect(guest.mapped).toBe(0);
  });

  it('by indirect pages move a megabyte at a time', async () => {
    const { front, guest, volume } = await connected();
    const count = 256;
    const grefs = Array.from({ length: count }, (_, n) => {
      const gref = guest.grant();
      guest.page(gref).bytes.fill(n);
      return gref;
    });
    const list = guest.grant(undefined, true);
    const { bytes } = guest.page(list);
    const view = new DataView(bytes.buffer);
    grefs.forEach((gref, n) => {
      putSegment(view, n * 8, { gref, first: 0, last: 7 });
    });
    const write = front.indirect(WRITE, 8, [list], count);
    expect(await front.push()).toEqual(new Map([[write, { operation: WRITE, status: 0 }]]));
    const seen = new Uint8Array(4096);
    await volume.read(8 + 200 * 8, seen);
    expect(seen.every((byte) => byte === 200)).toBe(true);
    guest.page(grefs[3]!).bytes.fill(0);
    const read = front.indirect(READ, 8, [list], 4);
    expect((await front.push()).get(read)).toEqual({ operation: READ, status: 0 });
    expect(guest.page(grefs[3]!).bytes.every((byte) => byte === 3)).toBe(true);
    expect(guest.mapped).toBe(1);
  });

  it('answer a flush only after the data is durable', async () => {
    const { front, guest, chunks } = await connected();
    const gref = guest.grant();
    let release: () => void = () => undefined;
    const commit = chunks.commit.bind(chunks);
    chunks.commit = async (batch) => {
      await new Promise<void>((resolve) => (release = resolve));
      await commit(batch);
    };
    guest.page(gref).bytes.fill(1);
    const write = front.request(WRITE, 0, [{ gref, first: 0, last: 7 }]);
    expect([...(await front.push()).keys()]).toEqual([write]);
    const flush = front.request(FLUSH, 0, []);
    expect((await front.push()).size).toBe(0);
    await settle();
    release();
    await settle();
    expect([...front.answers()]).toEqual([[flush, { operation: FLUSH, status: 0 }]]);
    expect(await chunks.inner.chunkNumbers()).toHaveLength(1);
  });

  it('that continue each other reach the image as one, and each is answered', async () => {
    const { front, guest, volume } = await connected();
    const seen: [number, number][] = [];
    const original = volume.writeNow.bind(volume);
    volume.writeNow = (sector, pieces) => {
      seen.push([sector, pieces.length]);
      return original(sector, pieces);
    };
    const grefs = [1, 2, 3].map((value) => {
      const gref = guest.grant();
      guest.page(gref).bytes.fill(value);
      return gref;
    });
    grefs.forEach((gref, n) => front.request(WRITE, 8 + n * 8, [{ gref, first: 0, last: 7 }]));
    front.request(WRITE, 100, [{ gref: grefs[0]!, first: 0, last: 0 }]);
    expect((await front.push()).size).toBe(4);
    expect(seen).toEqual([
      [8, 3],
      [100, 1],
    ]);
    const bytes = new Uint8Array(3 * 4096);
    await volume.read(8, bytes);
    expect([bytes[0], bytes[4096], bytes[3 * 4096 - 1]]).toEqual([1, 2, 3]);
    expect(guest.mapped).toBe(1);
  });

  it('around a barrier keep their order', async () => {
    const { front, guest, chunks, volume } = await connected();
    const order: string[] = [];
    const original = volume.write.bind(volume);
    volume.write = async (sector, from) => {
      if (sector < 100) await turn();
      await original(sector, from);
      order.push(String(sector));
    };
    volume.writeNow = () => false;
    const commit = chunks.commit.bind(chunks);
    chunks.commit = async (batch) => {
      await commit(batch);
      order.push('durable');
    };
    const gref = guest.grant();
    guest.page(gref).bytes.fill(1);
    const segments = [{ gref, first: 0, last: 0 }];
    for (const [operation, sector] of [
      [WRITE, 1],
      [WRITE, 3],
      [BARRIER, 300],
      [WRITE, 400],
    ] as const)
      front.request(operation, sector, segments);
    const answers = await front.push();
    await settle();
    expect(order).toEqual(['1', '3', '300', 'durable', '400']);
    expect(answers.size + front.answers().size).toBe(4);
    front.request(BARRIER, 0, []);
    expect([...(await front.push()).values()]).toEqual([{ operation: BARRIER, status: 0 }]);
  });

  it('of discard give chunks back', async () => {
    const { front, guest, chunks, pool } = await connected();
    const gref = guest.grant();
    guest.page(gref).bytes.fill(1);
    front.request(WRITE, 512, [{ gref, first: 0, last: 7 }]);
    await front.push();
    await pool.flush();
    expect(await chunks.inner.chunkNumbers()).toHaveLength(1);
    front.discard(512, 512);
    expect([...(await front.push()).values()]).toEqual([{ operation: 5, status: 0 }]);
    await pool.flush();
    expect(await chunks.inner.chunkNumbers()).toEqual([]);
  });

  it('on several queues are served by each', async () => {
    const { front, guest, backend } = await connected({ queues: 3 });
    const gref = guest.grant();
    for (let queue = 0; queue < 3; queue += 1) {
      const id = front.request(READ, queue, [{ gref, first: 0, last: 0 }], queue);
      expect([...(await front.push(queue)).keys()]).toEqual([id]);
    }
    expect(backend.device(BACKEND)!.counters).toMatchObject({ readRequests: 3, readSectors: 3 });
  });

  it.each<[string, (front: BlockFront, gref: number) => bigint, number, string?]>([
    ['a read behind the end', (front, gref) => front.request(READ, SECTORS - 7, [{ gref, first: 0, last: 7 }]), -1],
    ['a write behind the end', (front, gref) => front.request(WRITE, SECTORS, [{ gref, first: 0, last: 0 }]), -1],
    ['a sector that wraps', (front, gref) => front.request(READ, 2n ** 64n - 1n, [{ gref, first: 0, last: 7 }]), -1],
    ['a discard behind the end', (front) => front.discard(SECTORS - 1, 2), -1],
    ['a discard that wraps', (front) => front.discard(1, 2n ** 64n - 1n), -1],
    ['an operation nobody knows', (front) => front.request(4, 0, []), -2],
    ['a write to a read-only disk', (front, gref) => front.request(WRITE, 0, [{ gref, first: 0, last: 0 }]), -1, 'r'],
    ['a discard of a read-only disk', (front) => front.discard(0, 512), -1, 'r'],
  ])('%s is answered with an error', async (_name, make, status, mode = 'w') => {
    const { front, guest, chunks, backend } = await connected({ mode });
    const gref = guest.grant();
    guest.page(gref).bytes.fill(9);
    const id = make(front, gref);
    expect((await front.push()).get(id)?.status).toBe(status);
    expect(front.backState).toBe('4');
    expect(backend.device(BACKEND)!.counters.failedRequests).toBe(1);
    expect(guest.page(gref).bytes.every((byte) => byte === 9)).toBe(true);
    expect(await chunks.inner.chunkNumbers()).toEqual([]);
    if (mode === 'r') expect(front.store.read(`${BACKEND}/info`)).toBe('4');
  });

  it('fail alone when the storage fails', async () => {
    const { front, guest, chunks, log } = await connected();
    const gref = guest.grant();
    guest.page(gref).bytes.fill(1);
    front.request(WRITE, 0, [{ gref, first: 0, last: 0 }]);
    await front.push();
    chunks.refusal = new StorageError('ENOSPC', 'there is no room left');
    front.request(FLUSH, 0, []);
    await front.push();
    await settle();
    expect(log.join()).toContain('there is no room left');
    chunks.refusal = undefined;
    front.request(FLUSH, 0, []);
    await front.push();
    await settle();
    expect([...front.answers().values()]).toEqual([]);
    expect(await chunks.inner.chunkNumbers()).toHaveLength(1);
    expect(front.backState).toBe('4');
  });
});

describe('a hostile front end', () => {
  it.each<[string, (store: StoreClient) => void, RegExp]>([
    ['no ring', (store) => store.remove(`${FRONTEND}/ring-ref`), /ring-ref0 is missing/],
    [
      'a grant that is none',
      (store) => {
        store.write(`${FRONTEND}/ring-ref`, '77');
      },
      /grant 77 of the ring/,
    ],
    [
      'a number that is none',
      (store) => {
        store.write(`${FRONTEND}/ring-ref`, '1e3');
      },
      /a number up to/,
    ],
    ['no channel', (store) => store.remove(`${FRONTEND}/event-channel`), /event-channel is missing/],
    [
      'a foreign channel',
      (store) => {
        store.write(`${FRONTEND}/event-channel`, '4');
      },
      /event channel 4/,
    ],
    [
      'an unknown protocol',
      (store) => {
        store.write(`${FRONTEND}/protocol`, 'arm-abi');
      },
      /protocol arm-abi/,
    ],
    [
      'too many pages',
      (store) => {
        store.write(`${FRONTEND}/ring-page-order`, '9');
      },
      /up to 2/,
    ],
    [
      'too many queues',
      (store) => {
        store.write(`${FRONTEND}/multi-queue-num-queues`, '4000000000');
      },
      /up to 4/,
    ],
    [
      'no queues',
      (store) => {
        store.write(`${FRONTEND}/multi-queue-num-queues`, '0');
      },
      /is 0/,
    ],
  ])('with %s is not connected', async (_name, spoil, reason) => {
    const { front, guest, log, store } = await bench({ spoil });
    front.offer();
    await settle();
    expect(front.backState).toBe('5');
    expect(log.join()).toMatch(reason);
    expect(store.read(`/local/domain/0/error/backend/vbd/${DOMID}/${ID}/error`)).toMatch(reason);
    expect(guest.mapped).toBe(0);
  });

  it.each<[string, (front: BlockFront, guest: FakeGuest) => void, RegExp]>([
    [
      'too many requests',
      (front) => {
        front.rings[0]!.setWord(RING_REQ_PROD, 1000);
      },
      /request producer/,
    ],
    [
      'a producer that goes back',
      (front) => {
        front.rings[0]!.setWord(RING_REQ_PROD, -1);
      },
      /request producer/,
    ],
    [
      'an unknown grant',
      (front) => front.request(READ, 0, [{ gref: 400, first: 0, last: 7 }]),
      /grant 400 does not permit writing/,
    ],
    [
      'a read into a page it may only read',
      (front, guest) => front.request(READ, 0, [{ gref: guest.grant(undefined, true), first: 0, last: 7 }]),
      /does not permit writing/,
    ],
    [
      'a segment out of its page',
      (front, guest) => front.request(WRITE, 0, [{ gref: guest.grant(), first: 0, last: 8 }]),
      /from sector 0 to 8/,
    ],
    [
      'a segment backwards',
      (front, guest) => front.request(WRITE, 0, [{ gref: guest.grant(), first: 3, last: 2 }]),
      /from sector 3 to 2/,
    ],
    ['no segments', (front) => front.request(READ, 0, []), /without segments/],
    [
      'twelve segments',
      (front) => {
        const bytes = new Uint8Array(112);
        bytes[1] = 12;
        front.raw(bytes);
      },
      /12 segments/,
    ],
    ['an indirect request in an indirect request', (front) => front.indirect(6, 0, [8], 3), /operation 6/],
    ['too many indirect segments', (front) => front.indirect(READ, 0, [8], 257), /257 segments/],
    ['an indirect page that is none', (front) => front.indirect(READ, 0, [900], 3), /grant 900/],
    [
      'indirect segments that are none',
      (front, guest) => {
        const gref = guest.grant();
        guest.page(gref).bytes.fill(0xff);
        front.indirect(READ, 0, [gref], 3);
      },
      /from sector 255/,
    ],
  ])('with %s is cut off', async (_name, act, reason) => {
    const made = await connected();
    const { front, guest, log } = made;
    act(front, guest);
    if (!reason.source.includes('producer')) front.rings[0]!.push();
    guest.notifyBack(20);
    await settle();
    expect(log.join()).toMatch(reason);
    expect(log).toHaveLength(1);
    expect([front.backState, guest.mapped]).toEqual(['5', 0]);
    expect(guest.notifyBack(20)).toBe(false);
    front.state(6);
    await settle();
    expect(front.backState).toBe('6');
    expect(made.closed).toBe(0);
  });

  it('with random requests reaches nothing but its own disk and pages', async () => {
    const random = new SeededRandom(99);
    const made = await connected();
    const { chunks, front, guest, pool, volume } = made;
    const neighbour = await pool.create('neighbour', 1024 * 1024);
    await neighbour.write(0, new Uint8Array(1024 * 1024).fill(0x5a));
    await pool.flush();
    const secret = guest.grant(undefined, true);
    guest.page(secret).bytes.fill(3);
    const [low, high] = [guest.grant(), guest.grant()];
    const pages = [secret, low, high, 8, 5000];
    let cuts = 0;
    for (let round = 0; round < 1200; round += 1) {
      if (front.backState !== '4') {
        cuts += 1;
        front.state(6);
        await settle();
        front.state(1);
        await settle();
        front.offer();
        await settle();
        expect(front.backState).toBe('4');
      }
      const burst = 1 + random.below(8);
      for (let n = 0; n < burst; n += 1) {
        const wild = random.below(40) === 0;
        const bytes = random.bytes(112);
        const view = new DataView(bytes.buffer);
        bytes[0] = wild ? random.pick([0, 1, 2, 3, 4, 5, 6, 200]) : random.pick([0, 0, 1, 1, 2, 3, 5]);
        bytes[1] = wild ? bytes[1]! : 1 + random.below(11);
        if (!wild) {
          view.setBigUint64(16, BigInt(random.below(SECTORS + 64)), true);
          for (let segment = 0; segment < 11; segment += 1) {
            const first = random.below(8);
            putSegment(view, 24 + segment * 8, {
              gref: bytes[0] === 0 ? random.pick([low, high]) : random.pick(pages.slice(0, 3)),
              first,
              last: first + random.below(8 - first),
            });
          }
          if (bytes[0] === 5) view.setBigUint64(24, BigInt(random.below(SECTORS)), true);
        }
        front.raw(bytes);
      }
      await front.push();
      for (let n = 0; n < 20 && front.backState === '4' && front.rings[0]!.free < front.rings[0]!.entries; n += 1) {
        await turn();
        front.answers();
      }
    }
    await settle();
    expect(cuts).toBeGreaterThan(10);
    expect(guest.page(secret).bytes.every((byte) => byte === 3)).toBe(true);
    const after = new Uint8Array(1024 * 1024);
    await neighbour.read(0, after);
    expect(after.every((byte) => byte === 0x5a)).toBe(true);
    expect(volume.sectors).toBe(SECTORS);
    await pool.flush();
    expect((await chunks.inner.chunkNumbers()).length).toBeLessThanOrEqual((SECTORS * 512) / CHUNK_BYTES + 4);
    front.state(6);
    await settle();
    expect(guest.mapped).toBe(0);
  });
});
