import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync, linkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeUtf8, decodeUtf8 } from '../utf8.ts';
import type { TarEntry } from './tar-header.ts';
import { TarReader, tarSource } from './tar-reader.ts';
import { endBlocks, headerBlocks, paddingOf } from './tar-writer.ts';

const entry = (path: string, change: Partial<TarEntry> = {}): TarEntry => ({
  path,
  kind: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  sizeBytes: 0,
  mtime: 1_700_000_000,
  target: '',
  device: { major: 0, minor: 0 },
  ...change,
});

function archive(entries: readonly (readonly [TarEntry, string?])[]): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (const [header, content = ''] of entries) {
    const bytes = encodeUtf8(content);
    blocks.push(...headerBlocks({ ...header, sizeBytes: bytes.length }), bytes, paddingOf(bytes.length));
  }
  const length = blocks.reduce((sum, block) => sum + block.length, 0);
  return Buffer.concat([...blocks, endBlocks(length)]);
}

async function listed(bytes: Uint8Array): Promise<(readonly [TarEntry, string])[]> {
  const reader = new TarReader(tarSource(bytes));
  const found: (readonly [TarEntry, string])[] = [];
  for (;;) {
    const next = await reader.next();
    if (next === undefined) return found;
    const content = new Uint8Array(next.sizeBytes);
    for (let at = 0; at < content.length;) at += await reader.read(content.subarray(at, at + 100));
    found.push([next, decodeUtf8(content)]);
  }
}

const LONG = `${'deep/'.repeat(60)}file`;
const ENTRIES: readonly (readonly [TarEntry, string?])[] = [
  [entry('d', { kind: 'directory', mode: 0o1777, uid: 5, gid: 6 })],
  [entry('d/plain', { mode: 0o4755 }), 'x'.repeat(1300)],
  [entry(`${'a'.repeat(90)}/${'b'.repeat(60)}`), 'in the prefix'],
  [entry(LONG), 'long'],
  [entry('d/link', { kind: 'symlink', mode: 0o777, target: `../${'t'.repeat(140)}` })],
  [entry('d/other', { kind: 'hard-link', target: 'd/plain' })],
  [entry('d/console', { kind: 'character-device', mode: 0o600, device: { major: 5, minor: 1 } })],
  [entry('d/sda', { kind: 'block-device', mode: 0o660, device: { major: 8, minor: 300 } })],
  [entry('d/pipe', { kind: 'fifo' })],
  [entry('größe'), 'last'],
];

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'webxen-tar-'))));
afterEach(() => rmSync(directory, { recursive: true }));

describe('what was written', () => {
  it('is read again', async () => {
    expect(await listed(archive(ENTRIES))).toEqual(
      ENTRIES.map(([header, content = '']) => [{ ...header, sizeBytes: encodeUtf8(content).length }, content]),
    );
  });

  it('is what the tar of the host lists and unpacks', () => {
    const path = join(directory, 'archive.tar');
    writeFileSync(path, archive(ENTRIES));
    const lines = execFileSync('tar', ['--utc', '--numeric-owner', '-tvf', path], { encoding: 'utf8' }).trim().split('\n');
    expect(lines[0]).toMatch(/^drwxrwxrwt 5\/6 +0 2023-11-14 22:13 d\/$/);
    expect(lines[1]).toMatch(/^-rwsr-xr-x 0\/0 +1300 .* d\/plain$/);
    expect(lines[3]).toContain(` ${LONG}`);
    expect(lines[4]).toContain(`d/link -> ../${'t'.repeat(140)}`);
    expect(lines[5]).toMatch(/^h.* d\/other link to d\/plain$/);
    expect(lines[7]).toMatch(/^b.* 8,300 .* d\/sda$/);
    expect(spawnSync('tar', ['-xf', path, '-C', directory, LONG, 'd/plain']).status).toBe(0);
    expect(readFileSync(join(directory, LONG), 'utf8')).toBe('long');
  });

  it('has sizes and owners beyond octal digits', async () => {
    const large = headerBlocks(entry('large', { uid: 3_000_000, sizeBytes: 2 ** 40 }));
    expect(await new TarReader(tarSource(large[0]!)).next()).toMatchObject({ uid: 3_000_000, sizeBytes: 2 ** 40 });
  });
});

describe('what the host wrote', () => {
  it.each(['gnu', 'ustar', 'pax', 'v7'])('is read in the form %s', async (form) => {
    const name = form === 'gnu' || form === 'pax' ? 'n'.repeat(180) : 'n'.repeat(60);
    mkdirSync(join(directory, 'tree'));
    writeFileSync(join(directory, 'tree', name), 'content');
    linkSync(join(directory, 'tree', name), join(directory, 'tree/zz'));
    symlinkSync(`to/${name}`, join(directory, 'tree/symlink'));
    utimesSync(join(directory, 'tree', name), 1_600_000_000.5, 1_600_000_000.5);
    execFileSync('tar', [`--format=${form}`, '--sort=name', '-cf', 'out.tar', 'tree'], { cwd: directory });
    const found = await listed(readFileSync(join(directory, 'out.tar')));
    expect(found.map(([{ path, kind, target }, content]) => [path, kind, target, content])).toEqual([
      ['tree', 'directory', '', ''],
      [`tree/${name}`, 'file', '', 'content'],
      ['tree/symlink', 'symlink', `to/${name}`, ''],
      ['tree/zz', 'hard-link', `tree/${name}`, ''],
    ]);
    expect(found[1]?.[0]).toMatchObject({ mtime: 1_600_000_000, sizeBytes: 7 });
  });
});

describe('a bad archive', () => {
  const good = archive(ENTRIES);
  it.each([
    ['is cut off in a content', good.subarray(0, 1500), 'Unexpected EOF in archive'],
    ['is cut off in a header', good.subarray(0, 700), 'Unexpected EOF in archive'],
    ['is something else', encodeUtf8('x'.repeat(2048)), 'This does not look like a tar archive'],
    ['has a changed byte in a header', Uint8Array.from(good, (byte, at) => (at === 3 ? 7 : byte)), 'does not look like'],
  ])('%s', async (_what, bytes, message) => {
    await expect(listed(bytes)).rejects.toThrow(message);
  });
});
