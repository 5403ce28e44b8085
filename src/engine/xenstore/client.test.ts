/** The store as dom0's programs use it. */
import { describe, expect, it } from 'vitest';
import { StoreError } from './error.ts';
import { XenstoreServer } from './server.ts';
import { ManualScheduler } from './testing/guest-store.ts';

function bench() {
  const scheduler = new ManualScheduler();
  const log: string[] = [];
  const server = new XenstoreServer({ schedule: scheduler.schedule, log: (line) => log.push(line) });
  return { scheduler, log, server, store: server.connect() };
}

describe('nodes', () => {
  it('are written, read, listed and removed', () => {
    const { store } = bench();
    store.write('/vm/uuid/name', 'größe');
    store.write('memory/target', Uint8Array.of(0x31, 0));
    store.mkdir('/vm/other');
    expect(store.read('/vm/uuid/name')).toBe('größe');
    expect(store.readBytes('/local/domain/0/memory/target')).toEqual(Uint8Array.of(0x31, 0));
    expect(store.list('/vm')).toEqual(['uuid', 'other']);
    expect(store.list('/vm/other')).toEqual([]);
    expect(store.exists('/vm/uuid')).toBe(true);
    expect(store.remove('/vm/uuid')).toBe(true);
    expect(store.remove('/vm/uuid')).toBe(false);
    expect([store.read('/vm/uuid'), store.list('/vm/uuid'), store.getPermissions('/vm/uuid')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(() => store.read('/a//b')).toThrow(StoreError);
  });

  it('do not share bytes with their writers and readers', () => {
    const { store } = bench();
    const bytes = Uint8Array.of(1, 2, 3);
    store.write('/a', bytes);
    bytes[0] = 9;
    store.readBytes('/a')![1] = 9;
    expect(store.readBytes('/a')).toEqual(Uint8Array.of(1, 2, 3));
  });

  it('carry their parent’s permissions', () => {
    const { store } = bench();
    store.mkdir('/dom');
    store.setPermissions('/dom', [
      { domid: 5, access: 'n' },
      { domid: 6, access: 'r' },
    ]);
    store.write('/dom/a/b', '');
    expect(store.getPermissions('/dom/a/b')).toEqual([
      { domid: 5, access: 'n' },
      { domid: 6, access: 'r' },
    ]);
  });
});

describe('watches', () => {
  it('call back later, in order, first with their own path', () => {
    const { store, scheduler } = bench();
    const heard: string[] = [];
    store.watch('/a', 'one', (path, token) => heard.push(`${token}:${path}`));
    store.watch('backend', 'two', (path, token) => heard.push(`${token}:${path}`));
    store.write('/a/x', '1');
    store.write('/a/x', '2');
    store.write('backend/vbd/1', '');
    expect(heard).toEqual([]);
    scheduler.run();
    expect(heard.splice(0)).toEqual(['one:/a', 'two:backend', 'one:/a/x', 'two:backend/vbd/1']);
    store.remove('/a');
    scheduler.run();
    expect(heard.splice(0)).toEqual(['one:/a']);
    store.unwatch('/a', 'one');
    store.write('/a', '');
    scheduler.run();
    expect(heard).toEqual([]);
  });

  it('may be changed from within callbacks', () => {
    const { store, scheduler } = bench();
    const heard: string[] = [];
    store.watch('/a', 'first', (path) => {
      heard.push(`first ${path}`);
      if (path === '/a/go') {
        store.unwatch('/a', 'second');
        store.write('/a/more', '');
      }
    });
    store.watch('/a', 'second', (path) => heard.push(`second ${path}`));
    scheduler.run();
    heard.length = 0;
    store.write('/a/go', '');
    scheduler.run();
    expect(heard).toEqual(['first /a/go', 'first /a/more']);
  });

  it('of several paths may share a token, one path may be watched under several', () => {
    const { store, scheduler } = bench();
    const heard: string[] = [];
    store.watch('/a', 't', () => heard.push('a'));
    store.watch('/b', 't', () => heard.push('b'));
    store.watch('/b', 'u', () => heard.push('u'));
    expect(() => {
      store.watch('/b', 'u', () => undefined);
    }).toThrow('EEXIST');
    scheduler.run();
    heard.length = 0;
    store.unwatch('/a', 't');
    store.write('/a', '');
    store.write('/b', '');
    scheduler.run();
    expect(heard).toEqual(['b', 'u']);
    expect(() => {
      store.unwatch('/a', 't');
    }).toThrow('ENOENT');
  });

  it('survive a callback that throws', () => {
    const { store, scheduler, log } = bench();
    const heard: string[] = [];
    store.watch('/a', 'bad', () => {
      throw new Error('no disk');
    });
    store.watch('/a', 'good', (path) => heard.push(path));
    scheduler.run();
    expect(heard).toEqual(['/a']);
    expect(log).toEqual(['xenstored: watch callback for /a failed: Error: no disk']);
  });
});

describe('transactions', () => {
  it('are all or nothing, and heard of after the commit', () => {
    const { store, scheduler } = bench();
    const heard: string[] = [];
    store.watch('/a', 't', (path) => heard.push(path));
    scheduler.run();
    heard.length = 0;
    const result = store.transaction((access) => {
      access.write('/a/1', 'x');
      access.write('/a/2', 'y');
      expect(access.read('/a/1')).toBe('x');
      expect(store.read('/a/1')).toBeUndefined();
      return access.list('/a');
    });
    expect(result).toEqual(['1', '2']);
    scheduler.run();
    expect(heard.splice(0)).toEqual(['/a/1', '/a/2']);
    expect(() =>
      store.transaction((access) => {
        access.remove('/a');
        throw new Error('changed my mind');
      }),
    ).toThrow('changed my mind');
    scheduler.run();
    expect(heard).toEqual([]);
    expect(store.list('/a')).toEqual(['1', '2']);
  });

  it('run again when the function changes the store behind their back, but not for ever', () => {
    const { store } = bench();
    let runs = 0;
    store.transaction((access) => {
      access.read('/a');
      if (++runs < 3) store.write('/a', String(runs));
      access.write('/b', String(runs));
    });
    expect([runs, store.read('/a'), store.read('/b')]).toEqual([3, '2', '3']);
    runs = 0;
    expect(() => {
      store.transaction((access) => {
        access.read('/a');
        store.write('/a', String(++runs));
      });
    }).toThrow('EAGAIN');
    expect(runs).toBe(5);
  });
});

describe('closing', () => {
  it('ends watches and every later call', () => {
    const { store, scheduler, server } = bench();
    const heard: string[] = [];
    store.watch('/a', 't', (path) => heard.push(path));
    store.close();
    store.close();
    server.connect().write('/a', 'x');
    scheduler.run();
    expect(heard).toEqual([]);
    expect(() => store.read('/a')).toThrow('EIO');
    expect(() => {
      store.watch('/a', 't', () => undefined);
    }).toThrow('EIO');
  });
});

describe('control commands', () => {
  it('tell about themselves, the quotas and the memory', () => {
    const { server, store, log } = bench();
    expect(
      server
        .control(['help'])
        .split('\n')
        .map((line) => line.split(' ')[0]),
    ).toEqual(['check', 'help', 'log', 'memreport', 'print', 'quota']);
    expect(server.control(['quota'])).toContain('nodes            :     1000\n');
    expect(server.control(['quota'])).toContain('memory           :  2621440\n');
    store.write('/a', 'x');
    expect(server.control(['quota', '0'])).toContain('nodes            :        6\n');
    server.control(['memreport']);
    expect(log[0]).toMatch(/^xenstored: 6 nodes, \d+ bytes$/);
    expect(() => server.control([])).toThrow('EINVAL');
  });
});
