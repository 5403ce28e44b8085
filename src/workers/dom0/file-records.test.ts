import { describe, expect, it } from 'vitest';
import type { StoredInode } from '../../engine/storage/native/earlier-inode.ts';
import { inodesOf, recordsOf } from './file-records.ts';

const file = (number: number, length: number): StoredInode => ({
  number,
  kind: 'file',
  mode: 0o644,
  mtimeMs: 5,
  bytes: Uint8Array.from({ length }, (_, index) => (index * 7 + number) & 0xff),
});

const INODES: StoredInode[] = [
  { number: 1, kind: 'directory', mode: 0o755, mtimeMs: 1, entries: [['a', 2]] },
  file(2, 0),
  file(3, 10),
  file(4, 11),
  file(5, 35),
  { number: 6, kind: 'symlink', mode: 0o777, mtimeMs: 1, target: 'a' },
];

describe('records of inodes', () => {
  const records = INODES.flatMap((inode) => recordsOf(inode, 10));

  it('part large files only, and no piece is larger than allowed', () => {
    expect(records.map(([key]) => key)).toEqual([1, 2, 3, 4, [4, 0], [4, 1], 5, [5, 0], [5, 1], [5, 2], [5, 3], 6]);
    for (const [key, value] of records) if (Array.isArray(key)) expect((value as Uint8Array).length).toBeLessThanOrEqual(10);
  });

  it('come back as they were', () => {
    const shuffled = [...records].reverse();
    const back = inodesOf(
      shuffled.map(([key]) => key),
      shuffled.map(([, value]) => value),
    );
    expect(back.sort((a, b) => a.number - b.number)).toEqual(INODES);
  });

  it('never take more than the bytes themselves along', () => {
    const view = new Uint8Array(100).subarray(20, 25);
    const [record] = recordsOf({ number: 7, kind: 'file', mode: 0, mtimeMs: 0, bytes: view });
    expect((record?.[1] as { bytes: Uint8Array }).bytes.buffer.byteLength).toBe(5);
  });

  it('leave out a file that has lost a piece', () => {
    const kept = records.filter(([key]) => !(Array.isArray(key) && key[0] === 5 && key[1] === 1));
    const back = inodesOf(
      kept.map(([key]) => key),
      kept.map(([, value]) => value),
    );
    expect(back.map((inode) => inode.number).sort()).toEqual([1, 2, 3, 4, 6]);
  });
});
