import { beforeEach, describe, expect, it } from 'vitest';
import type { FileSystem } from '../../../engine/storage/file-system.ts';
import { memoryFiles } from '../../../engine/storage/testing/memory-files.ts';
import type { CommandTerminal } from '../../../engine/toolstack/command.ts';
import { CancellationSource } from '../../../engine/toolstack/services.ts';
import { EditBuffer } from './edit-buffer.ts';
import { formatDate, inColumns, listFiles, modeLetters } from './list-files.ts';
import { wrap } from './pager.ts';
import { screenColumn } from './screen-editor.ts';

const NOW = Date.UTC(2026, 10, 23, 12, 0, 0);
let time = NOW;
let files: FileSystem;

beforeEach(async () => {
  time = NOW;
  ({ files } = await memoryFiles({ now: () => time }));
  await files.makeDirectory('/root/dir/sub', { recursive: true });
  await files.writeFile('/root/dir/inner', new Uint8Array(5000));
  await files.writeFile('/root/b', new Uint8Array(12));
  time = Date.UTC(2025, 0, 2, 3, 4, 5);
  await files.writeFile('/root/old', new Uint8Array(3_000_000), 0o755);
  await files.writeFile('/root/.hidden', new Uint8Array());
  await files.symlink('dir', '/root/link');
  await files.symlink('nowhere', '/root/dangling');
});

const ls = async (line: string, columns?: number): Promise<string> => {
  let out = '';
  const words = line.split(' ').filter((word) => word !== '');
  await listFiles(files, { nowMs: () => NOW, after: () => () => undefined }).run(words, {
    out: (text) => (out += text),
    error: (text) => (out += text),
    stdin: undefined,
    directory: '/root',
    cancellation: new CancellationSource(),
    terminal: columns === undefined ? undefined : ({ columns, rows: 24 } as CommandTerminal),
    progress: () => undefined,
  });
  return out;
};

describe('ls', () => {
  const rows: [line: string, out: string][] = [
    ['', 'b\ndangling\ndir\nlink\nold\n'],
    ['-A', '.hidden\nb\ndangling\ndir\nlink\nold\n'],
    ['-a dir', '.\n..\ninner\nsub\n'],
    ['-d dir', 'dir\n'],
    ['-F', 'b\ndangling@\ndir/\nlink@\nold*\n'],
    ['-r dir', 'sub\ninner\n'],
    ['-S', 'old\ndir\nb\ndangling\nlink\n'],
    ['link', 'inner\nsub\n'],
    ['b dir nofile', "ls: cannot access 'nofile': No such file or directory\nb\n\ndir:\ninner\nsub\n"],
    ['-R dir', 'dir:\ninner\nsub\n\ndir/sub:\n'],
    ['-lh old b', '-rw-r--r-- 1 root root   12 Nov 23 12:00 b\n-rwxr-xr-x 1 root root 2.9M Jan  2  2025 old\n'],
    ['-l dir', 'total 12\n-rw-r--r-- 1 root root 5000 Nov 23 12:00 inner\ndrwxr-xr-x 2 root root 4096 Nov 23 12:00 sub\n'],
    ['-l link', 'lrwxrwxrwx 1 root root 3 Jan  2  2025 link -> dir\n'],
    ['-z', 'ls: option -z not recognized\n'],
  ];
  it.each(rows)('%s', async (line, out) => {
    expect(await ls(line)).toBe(out);
  });

  it('fills the columns of a terminal', async () => {
    expect(await ls('', 80)).toBe('b  dangling  dir  link  old\n');
    expect(await ls('', 20)).toBe('b         dir   old\ndangling  link\n');
    expect(inColumns(['日本', 'a', 'b'], 12)).toBe('日本  a  b\n');
    expect(inColumns(['x'.repeat(30), 'y'], 10)).toBe(`${'x'.repeat(30)}\ny\n`);
  });

  it('writes modes and dates', () => {
    expect([modeLetters(0o644), modeLetters(0o755), modeLetters(0)]).toEqual(['rw-r--r--', 'rwxr-xr-x', '---------']);
    expect(formatDate(NOW + 1000, NOW)).toBe('Nov 23  2026');
  });
});

describe('the text of the editor', () => {
  it('keeps the column while moving over short lines', () => {
    const buffer = new EditBuffer('long line\nx\nanother\n');
    buffer.end();
    buffer.vertical(1);
    expect(buffer.column).toBe(1);
    buffer.vertical(1);
    expect(buffer.column).toBe(7);
    buffer.vertical(-2);
    expect(buffer.column).toBe(9);
  });

  it('joins and splits lines, indents, and never stands inside a character', () => {
    const buffer = new EditBuffer('  a😀\nb');
    buffer.end();
    buffer.backspace();
    expect(buffer.text).toBe('  a\nb\n');
    buffer.newLine();
    expect([buffer.text, buffer.column]).toEqual(['  a\n  \nb\n', 2]);
    buffer.deleteCharacter();
    expect(buffer.text).toBe('  a\n  b\n');
    buffer.insert('1\n2\r\n3');
    expect(buffer.lines).toEqual(['  a', '  1', '2', '3b']);
    expect(new EditBuffer('').text).toBe('');
    expect(new EditBuffer('\n\n').lines).toEqual(['', '']);
  });

  it('moves by words and over line ends', () => {
    const buffer = new EditBuffer('one, two\nthree');
    buffer.wordRight();
    buffer.wordRight();
    expect(buffer.column).toBe(8);
    buffer.wordRight();
    expect([buffer.row, buffer.column]).toEqual([1, 0]);
    buffer.wordLeft();
    expect([buffer.row, buffer.column]).toEqual([0, 8]);
    buffer.wordLeft();
    expect(buffer.column).toBe(5);
    expect(buffer.find('ONE')).toBe(true);
    expect(buffer.find('none')).toBe(false);
  });

  it('is shown with tabs and control characters', () => {
    expect([screenColumn('\tx', 1), screenColumn('a\tx', 2), screenColumn('\x01x', 1), screenColumn('日x', 1)]).toEqual([
      8, 8, 2, 2,
    ]);
    expect(wrap('abcdef\n\tx\r\n\x1b', 4)).toEqual(['abcd', 'ef', '', '        ', 'x', '^[']);
  });
});
