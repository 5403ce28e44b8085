import { beforeEach, describe, expect, it } from 'vitest';
import { XenstoreServer } from '../xenstore/server.ts';
import type { StoreClient } from '../xenstore/client.ts';
import type { CommandTerminal } from './command.ts';
import { CancellationSource, Interrupted } from './services.ts';
import { ManualClock, settle } from './testing/manual-clock.ts';
import { xenstoreTools } from './xenstore-tools.ts';

let store: StoreClient;
let clock: ManualClock;
let cancellation: CancellationSource;
let out: string;

beforeEach(() => {
  const server = new XenstoreServer({ schedule: (task) => queueMicrotask(task), log: () => undefined });
  store = server.connect();
  clock = new ManualClock(0);
  cancellation = new CancellationSource();
  store.write('/local/domain/0/name', 'Domain-0');
  store.write('/a/b', 'one');
  store.write('/a/c/d', 'two\n');
});

/** Output, errors and status of a line such as "read /a/b". */
const run = async (line: string, terminal?: CommandTerminal): Promise<[out: string, error: string, status: number]> => {
  const [name, ...words] = line.split(' ');
  const tool = xenstoreTools(store, clock).find((candidate) => candidate.name === `xenstore-${name ?? ''}`);
  out = '';
  let error = '';
  const io = {
    out: (text: string) => (out += text),
    error: (text: string) => (error += text),
    stdin: undefined,
    directory: '/',
    cancellation,
    terminal,
    progress: () => undefined,
  };
  const status = (await tool?.run(words, io)) ?? -1;
  return [out, error, status];
};

describe('xenstore programs', () => {
  const rows: [line: string, result: [out: string, error: string, status: number]][] = [
    ['read /a/b', ['one\n', '', 0]],
    ['read -p /a/b /a/c/d', ['/a/b: one\n/a/c/d: two\n\n', '', 0]],
    ['read name', ['Domain-0\n', '', 0]],
    ['read /x', ['', "xenstore-read: couldn't read path /x\n", 1]],
    ['read', ['', 'xenstore-read: a path is missing\nUsage: xenstore-read [-p] PATH...\n', 1]],
    ['list /a', ['b\nc\n', '', 0]],
    ['list -p /a', ['/a/b\n/a/c\n', '', 0]],
    ['list /x', ['', "xenstore-list: couldn't list path /x\n", 1]],
    ['ls /a', ['b = "one"\nc = ""\n d = "two\\n"\n', '', 0]],
    ['ls -f -p /a', ['/a/b = "one"   (n0)\n/a/c = ""   (n0)\n/a/c/d = "two\\n"   (n0)\n', '', 0]],
    ['ls /x', ['', "xenstore-ls: couldn't access path /x\n", 1]],
    ['exists /a/b /a', ['', '', 0]],
    ['exists /a/b /x', ['', '', 1]],
    ['write /n 1 /m', ['', 'xenstore-write: each PATH needs a VALUE\nUsage: xenstore-write PATH VALUE [PATH VALUE...]\n', 1]],
    ['rm /x', ['', 'xenstore-rm: could not remove path /x\n', 1]],
    ['chmod /a q1', ['', 'xenstore-chmod: EINVAL: "q1" is not a permission: n, r, w or b and a domain id\n', 1]],
    ['getperms /a', ['n0\n', '', 0]],
    ['watch -n x /a', ['', 'xenstore-watch: invalid number: x\nUsage: xenstore-watch [-n COUNT] [-T SECONDS] PATH...\n', 1]],
  ];
  it.each(rows)('%s', async (line, result) => {
    expect(await run(line)).toEqual(result);
  });

  it('write and remove, several at once or not at all', async () => {
    expect(await run('write /n/x 1 /n/y 2')).toEqual(['', '', 0]);
    expect([store.read('/n/x'), store.read('/n/y')]).toEqual(['1', '2']);
    expect((await run('rm /n/x /nothing'))[2]).toBe(1);
    expect(store.read('/n/x')).toBe('1');
    await run('rm -t /a/c/d');
    expect(store.list('/a')).toEqual(['b']);
    await run('rm -t /a/b');
    expect(store.exists('/a')).toBe(false);
  });

  it('set permissions down and up the tree', async () => {
    await run('chmod -r /a n0 r5');
    expect((await run('getperms /a /a/c/d'))[0]).toBe('n0,r5\nn0,r5\n');
    await run('chmod -u /a/c/d n7');
    expect((await run('getperms /a/b /a/c /a'))[0]).toBe('n0,r5\nn7\nn7\n');
  });

  it('cut long lines on a terminal only', async () => {
    store.write('/a/long', 'x'.repeat(100));
    const terminal = { columns: 40, rows: 10 } as CommandTerminal;
    expect(Math.max(...(await run('ls /a', terminal))[0].split('\n').map((row) => row.length))).toBeLessThan(40);
    expect((await run('ls /a'))[0]).toContain('x'.repeat(100));
  });

  it('follow changes for a number of events', async () => {
    const watching = run('watch -n 3 /a');
    await settle();
    store.write('/a/b', 'new');
    await settle();
    store.write('/a/e', 'more');
    await settle();
    store.write('/a/f', 'unseen');
    expect(await watching).toEqual(['/a\n/a/b\n/a/e\n', '', 0]);
    store.watch('/a', 'xenstore-watch-free', () => undefined);
  });

  it('follow changes for a time, or until called off', async () => {
    const timed = run('watch -T 5 /a');
    await clock.advance(5000);
    expect(await timed).toEqual(['/a\n', 'xenstore-watch: Timeout\n', 1]);
    const endless = run('watch /a');
    await settle();
    cancellation.cancel();
    await expect(endless).rejects.toThrow(Interrupted);
  });
});
