import { describe, expect, it, vi } from 'vitest';
import type { Dom0, TerminalSink } from '../../workers/protocol.ts';
import { createMatcher, createScriptMachine } from './script-machine.ts';

describe('createMatcher', () => {
  it.each<[string, string | RegExp, string[], string | undefined]>([
    ['text in one piece', 'login:', ['Debian\nguest login: '], 'login:'],
    ['text over three pieces', 'login:', ['guest lo', 'gi', 'n: '], 'login:'],
    ['text that is not there', 'login:', ['log in:'], undefined],
    ['an expression over pieces', /up \d+ s/, ['system up 1', '2 s'], 'up 12 s'],
    ['a global expression, each time from the start', /a/g, ['xa'], 'a'],
    ['an expression over lines', /a\r\nb/, ['a\r', '\nb'], 'a\r\nb'],
  ])('%s', (_name, pattern, pieces, expected) => {
    const matcher = createMatcher(pattern);
    expect(pieces.map((piece) => matcher.add(piece)).find((found) => found !== undefined)).toBe(expected);
  });
});

/** A dom0 whose consoles the test writes. */
function fakeDom0(): {
  dom0: Dom0;
  sinks: TerminalSink[];
  closed: number[];
  inputs: [string | number, string][];
  files: [string, Uint8Array][];
} {
  const sinks: TerminalSink[] = [];
  const closed: number[] = [];
  const inputs: [string | number, string][] = [];
  const files: [string, Uint8Array][] = [];
  const dom0: Partial<Dom0> = {
    openConsole: async (domain, sink) => {
      if (domain === 'nobody') throw new Error("Domain 'nobody' does not exist.");
      sinks.push(sink);
      return sinks.length;
    },
    closeTerminal: async (handle) => void closed.push(handle),
    consoleInput: async (domain, bytes) => void inputs.push([domain, new TextDecoder().decode(bytes)]),
    writeFile: async (path, content) => void files.push([path, content]),
    exec: async (command) => ({ stdout: `${command}\n`, stderr: '', exitCode: 0 }),
  };
  return { dom0: dom0 as Dom0, sinks, closed, inputs, files };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const opened = async (sinks: TerminalSink[]): Promise<TerminalSink> =>
  vi.waitFor(() => sinks[0] ?? Promise.reject(new Error('not yet')), { interval: 2 });

describe('createScriptMachine', () => {
  it('holds commands back until the machine is ready', async () => {
    let start = (): void => undefined;
    const machine = createScriptMachine(
      new Promise((resolve) => {
        start = () => {
          resolve(fakeDom0().dom0);
        };
      }),
    );
    let answered = false;
    const answer = machine.exec('xm list').then((result) => {
      answered = true;
      return result;
    });
    await Promise.resolve();
    expect(answered).toBe(false);
    start();
    expect((await answer).stdout).toBe('xm list\n');
  });

  it('waits for text that comes in pieces, characters split between bytes, and closes the console', async () => {
    const { dom0, sinks, closed } = fakeDom0();
    const found = createScriptMachine(Promise.resolve(dom0)).console('demo').waitFor('größe');
    const sink = await opened(sinks);
    const text = bytes('größe\n');
    void sink.write(text.subarray(0, 3));
    void sink.write(text.subarray(3));
    expect(await found).toBe('größe');
    await vi.waitFor(() => {
      expect(closed).toEqual([1]);
    });
  });

  it.each([
    ['time goes by', (): void => undefined, '200 ms went by'],
    [
      'the domain goes away',
      (sink: TerminalSink): void => {
        sink.ended('demo was destroyed');
      },
      'demo was destroyed',
    ],
  ])('rejects with the last lines when %s', async (_name, act, reason) => {
    const { dom0, sinks, closed } = fakeDom0();
    const waiting = createScriptMachine(Promise.resolve(dom0))
      .console('demo')
      .waitFor(/login:/, 200);
    const outcome = expect(waiting).rejects.toThrow(new RegExp(`${reason}.*/login:/.*\\nfirst\\nsecond`, 's'));
    const sink = await opened(sinks);
    void sink.write(bytes('first\nsecond'));
    act(sink);
    await outcome;
    expect(closed).toEqual([1]);
  });

  it('rejects when there is no such domain', async () => {
    const waiting = createScriptMachine(Promise.resolve(fakeDom0().dom0)).console('nobody').waitFor('x');
    await expect(waiting).rejects.toThrow("Domain 'nobody' does not exist.");
  });

  it('sends and stores text as UTF-8', async () => {
    const { dom0, inputs, files } = fakeDom0();
    const machine = createScriptMachine(Promise.resolve(dom0));
    await machine.console(3).send('é\r');
    expect(inputs).toEqual([[3, 'é\r']]);
    await machine.writeFile('/root/a', 'é');
    expect(files).toEqual([['/root/a', Uint8Array.of(0xc3, 0xa9)]]);
  });
});
