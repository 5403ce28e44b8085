import { describe, expect, it } from 'vitest';
import type { ScriptOutcome, ScriptRequest } from '../../engine/toolstack/configuration/script.ts';
import { DisposableEvaluator } from './disposable-evaluator.ts';
import type { FromScriptWorker, ScriptWorker } from './messages.ts';
import { spawnNodeScriptWorker } from './testing/node-script-worker.ts';

const clock = {
  nowMs: () => Date.now(),
  after: (delayMs: number, callback: () => void) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

const run = (source: string, request: Partial<ScriptRequest> = {}, limitMs = 20_000): Promise<ScriptOutcome> =>
  new DisposableEvaluator({ spawn: spawnNodeScriptWorker, wasmUrl: undefined, clock, limitMs }).evaluate({
    path: '/etc/xen/test',
    source,
    assignments: {},
    files: {},
    directory: '/etc/xen',
    help: false,
    ...request,
  });

/** The values a script leaves; fails the test when it does not run to its end. */
const values = async (source: string, request: Partial<ScriptRequest> = {}): Promise<Record<string, unknown>> => {
  const outcome = await run(source, request);
  if (outcome.kind !== 'values') throw new Error(JSON.stringify(outcome));
  return { ...outcome.values };
};

const VMID = `
def vmid_check(var, val):
    val = int(val)
    if val <= 0:
        raise ValueError
    return val

xm_vars.var('vmid', use="Virtual machine id. Integer greater than 0.", check=vmid_check)
xm_vars.check()
name = "VM%d" % vmid
disk = [ 'phy:sda%d,sda1,w' % (7+vmid),
         'phy:sda6,sda6,r' ]
extra = "4 VMID=%d usr=/dev/sda6" % vmid
`;

describe('configuration scripts', { timeout: 60_000 }, () => {
  it('yield their globals of plain types', async () => {
    const source = [
      'import os, re, sys',
      'memory = 64; weight = 1.5; flag = True; nothing = None',
      "disk = [ 'phy:%s,sda1,w' % x for x in ('a', 'b') ]",
      'pair = (1, "zwei")',
      'function = lambda: 1',
      'huge = 2 ** 70',
      '_hidden = 1',
      'if re.search("64", os.uname()[4]): machine = os.path.join("/lib", "x")',
      'print "made", memory',
      'for i in xrange(3): last = i',
    ].join('\n');
    const outcome = await run(source);
    expect(outcome).toEqual({
      kind: 'values',
      output: 'made 64\n',
      declared: [],
      values: {
        memory: 64,
        weight: 1.5,
        flag: true,
        nothing: null,
        disk: ['phy:a,sda1,w', 'phy:b,sda1,w'],
        pair: [1, 'zwei'],
        machine: '/lib/x',
        i: 2,
        last: 2,
      },
    });
  });

  it('find name=value words as texts, their file, and files beside them', async () => {
    const files = { '/etc/xen/common': new TextEncoder().encode('shared = "x" * 3\nprint shared\n') };
    const source =
      'execfile("common")\nkernel = shared + xm_file\nmemory = int(mem) * 2\nlength = len(open("/etc/xen/common").read())\n';
    const found = await values(source, { assignments: { mem: '32' }, files });
    expect(found).toMatchObject({ kernel: 'xxx/etc/xen/test', memory: 64, length: 30 });
  });

  it('declare variables and check them', async () => {
    expect(await values(VMID, { assignments: { vmid: '3' } })).toMatchObject({
      vmid: 3,
      name: 'VM3',
      disk: ['phy:sda10,sda1,w', 'phy:sda6,sda6,r'],
      extra: '4 VMID=3 usr=/dev/sda6',
    });
    expect(await run(VMID, { assignments: { vmid: '0' } })).toMatchObject({ kind: 'refused', variable: 'vmid', message: '' });
    expect(await run(VMID)).toMatchObject({ kind: 'refused', variable: 'vmid', message: expect.stringContaining('int') as string });
    expect(await run(VMID, { assignments: { vmid: '1' } })).toMatchObject({
      declared: [{ name: 'vmid', use: 'Virtual machine id. Integer greater than 0.' }],
    });
  });

  const faults: [what: string, source: string, line: number | undefined, message: RegExp][] = [
    ['a syntax error', 'memory = 64\n\nkernel = = 3\n', 3, /^SyntaxError/],
    ['a wrong indentation', 'memory = 64\n   kernel = 3\n', 2, /^IndentationError/],
    ['an unknown name', '# comment\nmemory = size\n', 2, /^NameError: name 'size'/],
    ['a fault inside a function', 'def f():\n  return 1 / 0\n\nmemory = f()\n', 2, /^ZeroDivisionError/],
    ['an exception of its own', 'raise ValueError, "no such host"\n', 1, /^ValueError: no such host$/],
    ['leaving', 'import sys\nsys.exit(3)\n', 2, /^SystemExit: 3$/],
    ['a missing file', 'open("/etc/xen/none")\n', 1, /^OSError: cannot open '.etc.xen.none'/],
    ['starting programs', 'import os\nos.system("ls")\n', 2, /^OSError: no processes/],
  ];
  it.each(faults)('report %s with its line', async (_what, source, line, message) => {
    const outcome = await run(source);
    expect(outcome).toMatchObject({ kind: 'error', line });
    expect(outcome.kind === 'error' && outcome.message).toMatch(message);
  });

  it('are ended when they do not end', async () => {
    const begin = Date.now();
    expect(await run('while True: pass\n', {}, 700)).toEqual({ kind: 'timeout', limitMs: 700, output: '' });
    expect(Date.now() - begin).toBeLessThan(20_000);
  });

  it('survive recursion and greed as errors of the script', async () => {
    expect(await run('def f(): return f()\nf()\n')).toMatchObject({
      kind: 'error',
      message: expect.stringMatching(/RuntimeError/) as string,
    });
    expect(await run('hoard = []\nwhile True: hoard.append("x" * 1000000)\n')).toMatchObject({
      kind: 'error',
      message: expect.stringMatching(/MemoryError/) as string,
    });
  });

  const escapes: [what: string, source: string][] = [
    ['the global object', 'import js\nfetch = js.fetch\n'],
    ['evaluation', 'import js\njs.eval("1")\n'],
    ['a constructor of functions', 'import jsffi\njsffi.to_js([1]).constructor.constructor("return 1")()\n'],
    ['a function handed in', 'xm_vars.var.__globals__["_modernise"].constructor("return 1")()\n'],
  ];
  it.each(escapes)('cannot reach JavaScript through %s', async (_what, source) => {
    const outcome = await run(source);
    expect(outcome.kind).toBe('error');
  });
});

/** Threads that do at once what they are told, unless they cannot be loaded. */
class FakeThreads {
  readonly made: { readonly posted: string[]; ended: boolean }[] = [];
  failing = false;

  readonly spawn = (): ScriptWorker => {
    const state = { posted: [] as string[], ended: false };
    this.made.push(state);
    const listeners: ((message: FromScriptWorker) => void)[] = [];
    const tell = (message: FromScriptWorker): void => {
      queueMicrotask(() => listeners.forEach((listener) => listener(message)));
    };
    const { failing } = this;
    return {
      post: ({ kind }) => {
        state.posted.push(kind);
        if (kind === 'run') tell({ kind: 'done', outcome: { kind: 'values', values: {}, output: '' } as unknown as ScriptOutcome });
        else tell(failing ? { kind: 'failed', message: 'no network' } : { kind: 'ready' });
      },
      onMessage: (listener) => listeners.push(listener),
      onError: () => undefined,
      terminate: () => {
        state.ended = true;
      },
    };
  };
}

describe('a spare thread', () => {
  const request: ScriptRequest = { path: '/x', source: '', assignments: {}, files: {}, directory: '/', help: false };
  const start = (failing = false) => {
    const threads = new FakeThreads();
    threads.failing = failing;
    const timers: (() => void)[] = [];
    const fakeClock = {
      nowMs: () => 0,
      after: (delayMs: number, task: () => void) => {
        if (delayMs === 1000) timers.push(task);
        return () => undefined;
      },
    };
    const evaluator = new DisposableEvaluator({ spawn: threads.spawn, wasmUrl: undefined, clock: fakeClock, spareAfterMs: 1000 });
    const passTime = async (): Promise<void> => {
      timers.splice(0).forEach((task) => task());
      await new Promise((resolve) => setImmediate(resolve));
    };
    return { threads, evaluator, passTime };
  };

  it('is loaded before it is wanted, serves one script, and is followed by another', async () => {
    const { threads, evaluator, passTime } = start();
    expect(threads.made).toEqual([{ posted: ['load'], ended: false }]);
    await evaluator.evaluate(request);
    expect(threads.made).toEqual([{ posted: ['load', 'run'], ended: true }]);
    await passTime();
    expect(threads.made).toHaveLength(2);
    await passTime();
    expect(threads.made).toHaveLength(2);
  });

  it('that could not be loaded is nobody\u2019s: the next script hears of it, or has a thread of its own', async () => {
    const { threads, evaluator, passTime } = start(true);
    await passTime();
    expect(threads.made).toEqual([{ posted: ['load'], ended: true }]);
    await expect(evaluator.evaluate(request)).rejects.toThrow('could not be started: no network');
    threads.failing = false;
    await evaluator.evaluate(request);
    expect(threads.made.at(-1)).toEqual({ posted: ['load', 'run'], ended: true });
  });
});
