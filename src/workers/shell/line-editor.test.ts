import { beforeEach, describe, expect, it } from 'vitest';
import { History } from './history.ts';
import { nextKey } from './keys.ts';
import type { Completion, LineResult } from './line-editor.ts';
import { LineEditor, commonBeginning } from './line-editor.ts';
import { Terminal } from './terminal.ts';
import { Screen } from './testing/screen.ts';

let screen: Screen;
let terminal: Terminal;
let history: History;
let completion: Completion;

beforeEach(() => {
  screen = new Screen(20, 6);
  terminal = new Terminal(screen, 20, 6);
  history = new History(['first', 'xm list', 'xm info'], () => undefined);
  completion = { begin: 0, candidates: [] };
});

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

/** Types one piece after another into a fresh line; the result of the line, or undefined when it is not finished. */
const type = async (...pieces: string[]): Promise<LineResult | undefined> => {
  const editor = new LineEditor(terminal, history, () => Promise.resolve(completion));
  let result: LineResult | undefined;
  void editor.readLine('$ ').then((line) => {
    result = line;
  });
  for (const piece of pieces) {
    terminal.input(new TextEncoder().encode(piece));
    await settle();
  }
  return result;
};

const UP = '\x1b[A';
const DOWN = '\x1b[B';
const LEFT = '\x1b[D';
const RIGHT = '\x1b[C';
const ENTER = '\r';

describe('keys', () => {
  const rows: [what: string, keys: string[], line: string][] = [
    ['plain text', ['ls -l'], 'ls -l'],
    ['several bytes a character', ['grüß €😀'], 'grüß €😀'],
    ['backspace', ['abc', '\x7f', '\b'], 'a'],
    ['backspace over a wide character', ['a😀', '\x7f'], 'a'],
    ['inserting in the middle', ['ac', LEFT, 'b'], 'abc'],
    ['home and end', ['bc', '\x1b[H', 'a', '\x1b[F', 'd'], 'abcd'],
    ['^A and ^E', ['bc', '\x01', 'a', '\x05', 'd'], 'abcd'],
    ['^B, ^F and ^D', ['abcd', '\x02\x02\x02\x06', '\x04'], 'abd'],
    ['delete', ['abc', LEFT + LEFT, '\x1b[3~'], 'ac'],
    ['kill to the end and yank', ['one two', LEFT.repeat(3), '\x0b', '\x01', '\x19'], 'twoone '],
    ['kill to the beginning', ['one two', LEFT.repeat(3), '\x15'], 'two'],
    ['kill words, gathered', ['a b-c d', '\x17', '\x17', '\x19'], 'a b-c d'],
    ['kill a word', ['a b-c d', '\x17', '\x17'], 'a '],
    ['Alt-backspace', ['a b-c', '\x1b\x7f'], 'a b-'],
    ['Alt-B, Alt-F, Alt-D', ['one two three', '\x1bb\x1bb', '\x1bd', '\x1bf', '!'], 'one  three!'],
    ['Ctrl-arrows', ['one two', '\x1b[1;5D', '\x1b[1;5D', 'x', '\x1b[1;5C', 'y'], 'xoney two'],
    ['transposing', ['ab', '\x14'], 'ba'],
    ['history', [UP], 'xm info'],
    ['history and back', ['draft', UP, UP, DOWN, DOWN], 'draft'],
    ['history has an end', [UP, UP, UP, UP, UP], 'first'],
    ['searching back', ['\x12', 'list'], 'xm list'],
    ['searching further back', ['\x12', 'xm', '\x12'], 'xm list'],
    ['leaving a search', ['abc', '\x12', 'xm', '\x07'], 'abc'],
    ['editing what a search found', ['\x12', 'info', '\x01', '# '], '# xm info'],
    ['unknown sequences', ['a\x1b[99~\x1b[?1;2cb\x1b[200zc'], 'abc'],
  ];
  it.each(rows)('%s', async (_what, keys, line) => {
    expect(await type(...keys, ENTER)).toEqual({ kind: 'line', text: line });
  });

  it('tell ^C, ^D and a closed terminal apart', async () => {
    expect(await type('abc', '\x03')).toEqual({ kind: 'interrupt' });
    expect(screen.text).toBe('$ abc^C');
    expect(await type('\x04')).toEqual({ kind: 'end', closed: false });
    expect(await type('abc', '\x04')).toBeUndefined();
    terminal.close();
    expect(await type()).toBeUndefined();
    await settle();
  });

  it('leaves what comes after Enter for the next line', async () => {
    expect(await type('one\rtwo')).toEqual({ kind: 'line', text: 'one' });
    expect(await type('\r')).toEqual({ kind: 'line', text: 'two' });
  });
});

describe('the screen', () => {
  it('follows a line over the margin and back', async () => {
    await type('0123456789abcdefghijklmno');
    expect(screen.lines).toEqual(['$ 0123456789abcdefgh', 'ijklmno']);
    expect(screen.cursor).toEqual([1, 7]);
    await type(LEFT.repeat(10));
    terminal.input(new TextEncoder().encode('\x01'));
    await settle();
  });

  it('puts the cursor right when a line ends at the margin', async () => {
    await type('0123456789abcdefgh');
    expect(screen.cursor).toEqual([1, 0]);
    terminal.input(new TextEncoder().encode(LEFT));
    await settle();
    expect(screen.cursor).toEqual([0, 19]);
    terminal.input(new TextEncoder().encode('\x01\x0b'));
    await settle();
    expect([screen.lines, screen.cursor]).toEqual([['$'], [0, 2]]);
  });

  it('counts wide characters as two columns', async () => {
    await type('日本', LEFT);
    expect(screen.cursor).toEqual([0, 4]);
  });

  it('is cleared by ^L, the line kept', async () => {
    await type('echo\r');
    await type('abc', '\x0c');
    expect([screen.lines, screen.cursor]).toEqual([['$ abc'], [0, 5]]);
  });

  it('shows a search', async () => {
    await type('\x12', 'li');
    expect(screen.lines).toEqual(['(reverse-i-search)`l', "i': xm list"]);
  });

  it('scrolls when the line grows at the foot', async () => {
    for (let line = 0; line < 5; line++) await type(`${line}\r`);
    await type('0123456789abcdefghijklmno');
    expect(screen.lines.slice(-2)).toEqual(['$ 0123456789abcdefgh', 'ijklmno']);
    terminal.input(new TextEncoder().encode('\x01X'));
    await settle();
    expect(screen.lines.slice(-2)).toEqual(['$ X0123456789abcdefg', 'hijklmno']);
    expect(screen.cursor).toEqual([4, 3]);
  });
});

describe('completion', () => {
  const candidate = (name: string) => ({ insert: `${name} `, show: name });

  it('inserts the only candidate', async () => {
    completion = { begin: 0, candidates: [candidate('xenstore-ls')] };
    expect(await type('xen\t-f', ENTER)).toEqual({ kind: 'line', text: 'xenstore-ls -f' });
  });

  it('inserts what candidates have in common, then lists them', async () => {
    completion = { begin: 3, candidates: ['pause', 'payload'].map(candidate) };
    await type('xm p', '\t');
    expect(screen.text).toBe('$ xm pa');
    terminal.input(new TextEncoder().encode('\t'));
    await settle();
    expect(screen.lines).toEqual(['$ xm pa', 'pause    payload', '$ xm pa']);
    expect(screen.cursor).toEqual([2, 7]);
  });

  it('rings the bell when there is nothing', async () => {
    await type('q', '\t');
    expect(screen.bells).toBe(1);
  });

  it('finds common beginnings', () => {
    expect(commonBeginning(['abc', 'abd', 'ab'])).toBe('ab');
    expect(commonBeginning(['x', 'y'])).toBe('');
    expect(commonBeginning([])).toBe('');
  });
});

describe('history', () => {
  it('keeps what is worth it', () => {
    const saved: string[][] = [];
    const kept = new History(['a'], (lines) => saved.push([...lines]));
    for (const line of ['a', '', ' secret', 'b', 'b', 'a']) kept.add(line);
    expect(saved).toEqual([
      ['a', 'b'],
      ['a', 'b', 'a'],
    ]);
  });

  const events: [string, string | undefined][] = [
    ['!!', 'xm info'],
    ['!! -x', 'xm info -x'],
    ['!2', 'xm list'],
    ['!-3', 'first'],
    ['!xm', 'xm info'],
    ['!fi', 'first'],
    ['!nothing', undefined],
    ['echo !', 'echo !'],
    ['! true', '! true'],
  ];
  it.each(events)('expands %s', (line, expanded) => {
    expect(history.expand(line)).toBe(expanded);
  });
});

describe('nextKey', () => {
  it('takes a lone escape as a key', () => {
    expect(nextKey('\x1b')).toEqual({ key: { kind: 'special', name: 'escape' }, length: 1 });
    expect(nextKey(RIGHT + 'x')).toEqual({ key: { kind: 'special', name: 'right' }, length: 3 });
  });
});
