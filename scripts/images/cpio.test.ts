import { describe, expect, it } from 'vitest';
import { type CpioEntry, readCpio as parseCpio, writeCpio } from './cpio.ts';

interface ReadEntry {
  path: string;
  mode: number;
  links: number;
  device: [number, number];
  content: string;
}

/** A reader that follows the format's description on its own, so that writer and reader cannot share a mistake. */
function readCpio(archive: Uint8Array): ReadEntry[] {
  const text = Buffer.from(archive).toString('latin1');
  const entries: ReadEntry[] = [];
  let offset = 0;
  for (;;) {
    expect(offset % 4).toBe(0);
    expect(text.slice(offset, offset + 6)).toBe('070701');
    const fields = Array.from({ length: 13 }, (_, index) =>
      Number.parseInt(text.slice(offset + 6 + index * 8, offset + 14 + index * 8), 16),
    );
    const [, mode = 0, user, group, links = 0, time, bytes = 0, , , major = 0, minor = 0, nameBytes = 0, check] = fields;
    expect([user, group, time, check]).toEqual([0, 0, 0, 0]);
    const path = text.slice(offset + 110, offset + 110 + nameBytes - 1);
    expect(text.charCodeAt(offset + 110 + nameBytes - 1)).toBe(0);
    const start = (offset + 110 + nameBytes + 3) & ~3;
    if (path === 'TRAILER!!!') {
      expect(start).toBe(archive.length);
      return entries;
    }
    entries.push({ path, mode, links, device: [major, minor], content: text.slice(start, start + bytes) });
    offset = (start + bytes + 3) & ~3;
  }
}

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');

describe('writeCpio', () => {
  it('writes the header byte for byte', () => {
    const archive = Buffer.from(writeCpio([{ kind: 'file', path: 'ab', mode: 0o644, content: bytes('xyz') }])).toString('latin1');
    expect(archive.slice(0, 120)).toBe(
      '070701' +
        '00000001' + // inode
        '000081a4' + // regular file, 0644
        '00000000' +
        '00000000' +
        '00000001' + // links
        '00000000' +
        '00000003' + // bytes of content
        '00000000' +
        '00000000' +
        '00000000' +
        '00000000' +
        '00000003' + // bytes of the name with its NUL
        '00000000' +
        'ab\0\0\0\0' +
        'xyz\0',
    );
  });

  it.each<[string, CpioEntry, Partial<ReadEntry>]>([
    ['directory', { kind: 'directory', path: 'd', mode: 0o1777 }, { mode: 0o041777, links: 2, content: '' }],
    ['executable', { kind: 'file', path: 'f', mode: 0o755, content: bytes('#!') }, { mode: 0o100755, content: '#!' }],
    ['empty file', { kind: 'file', path: 'e', mode: 0o600, content: bytes('') }, { mode: 0o100600, content: '' }],
    ['symlink', { kind: 'symlink', path: 'l', target: '../x' }, { mode: 0o120777, content: '../x' }],
    ['device', { kind: 'character-device', path: 'c', mode: 0o600, major: 5, minor: 1 }, { mode: 0o020600, device: [5, 1] }],
  ])('%s', (_name, entry, expected) => {
    expect(readCpio(writeCpio([entry]))).toEqual([expect.objectContaining({ path: entry.path, ...expected })]);
  });

  it('keeps order and pads names and contents of every length', () => {
    const entries: CpioEntry[] = [{ kind: 'directory', path: 'd', mode: 0o755 }];
    for (let length = 0; length < 9; length++) {
      entries.push({ kind: 'file', path: `d/${'n'.repeat(length + 1)}`, mode: 0o644, content: bytes('c'.repeat(length)) });
    }
    expect(readCpio(writeCpio(entries)).map(({ path, content }) => [path, content])).toEqual(
      entries.map((entry) => [entry.path, entry.kind === 'file' ? Buffer.from(entry.content).toString() : '']),
    );
  });

  it.each([
    ['a path that leaves the tree', [{ kind: 'directory', path: '../x', mode: 0o755 }], 'not a plain relative path'],
    ['an absolute path', [{ kind: 'directory', path: '/x', mode: 0o755 }], 'not a plain relative path'],
    ['a missing parent', [{ kind: 'symlink', path: 'a/b', target: 'c' }], 'directory a must come before'],
    [
      'the same path twice',
      [
        { kind: 'symlink', path: 'a', target: 'b' },
        { kind: 'directory', path: 'a', mode: 0o755 },
      ],
      'given twice',
    ],
  ] as [string, CpioEntry[], string][])('refuses %s', (_name, entries, message) => {
    expect(() => writeCpio(entries)).toThrow(message);
  });
});

describe('readCpio', () => {
  const entries: CpioEntry[] = [
    { kind: 'directory', path: 'dev', mode: 0o755 },
    { kind: 'character-device', path: 'dev/null', mode: 0o666, major: 1, minor: 3 },
    { kind: 'file', path: 'odd', mode: 0o4755, content: Buffer.from('five!') },
    { kind: 'file', path: 'empty', mode: 0o600, content: Buffer.alloc(0) },
    { kind: 'symlink', path: 'link', target: 'dev/null' },
  ];

  it('gives back what was written', () => {
    expect(parseCpio(writeCpio(entries))).toEqual(entries);
  });

  it('refuses an archive that is cut off, and what is none', () => {
    const archive = writeCpio(entries);
    expect(() => parseCpio(archive.subarray(0, archive.length - 40))).toThrow('cpio: ');
    expect(() => parseCpio(archive.subarray(0, 400))).toThrow('cpio: ');
    expect(() => parseCpio(new Uint8Array(200))).toThrow('cpio: no header at byte 0');
  });
});
