import { beforeAll, describe, expect, it } from 'vitest';
import { compressionOf, decompress } from './compression.ts';
import { DecodeError } from './decode-error.ts';
import { codecModule } from './testing/codec-module.ts';
import { branches, noise, randomNumbers, repetitions } from './testing/patterns.ts';
import { gunzip, unlz4, unzstd } from './testing/platform.ts';
import {
  blocks,
  delta,
  empty,
  noCheck,
  plainCrc64,
  sha256,
  stored,
  x86Crc32,
  x86Start,
  type XzFixture,
} from './testing/xz-fixtures.ts';
import { createUnxz, type Unxz } from './xz.ts';

const bytesOf = ({ file }: XzFixture) => new Uint8Array(Buffer.from(file, 'base64'));
const same = (left: Uint8Array, right: Uint8Array) => Buffer.compare(left, right) === 0;

describe('createUnxz', () => {
  let unxz: Unxz;
  beforeAll(async () => {
    unxz = createUnxz(await codecModule());
  }, 300_000);

  it.each([
    ['the x86 filter and CRC32', x86Crc32, branches(3000, 1)],
    ['a start offset, lc=0 lp=4 pb=0 and CRC64', x86Start, branches(700, 2)],
    ['LZMA2 alone, lp=1, CRC64, distances over 64 KiB', plainCrc64, repetitions(400_000, 3)],
    ['no check, lc=4 pb=4', noCheck, repetitions(20_000, 4)],
    ['a check that is passed over', sha256, repetitions(1000, 5)],
    ['a stored chunk', stored, noise(900, 6)],
    ['five blocks, each filtered from its own start, sizes in their headers', blocks, repetitions(30_000, 7)],
    ['no block', empty, new Uint8Array(0)],
  ])('expands %s', async (_, fixture, expected) => {
    expect(same(await unxz(bytesOf(fixture), expected.length), expected)).toBe(true);
  });

  it('expands streams one after the other, with padding', async () => {
    const file = Buffer.concat([bytesOf(stored), new Uint8Array(8), bytesOf(x86Crc32), bytesOf(empty), new Uint8Array(4)]);
    const expected = Buffer.concat([noise(900, 6), branches(3000, 1)]);
    expect(same(await unxz(file, expected.length), expected)).toBe(true);
  });

  it('is reached by the magic of a file', async () => {
    const file = bytesOf(stored);
    const format = compressionOf(file);
    expect(format).toBe('xz');
    if (format === undefined) return;
    expect(same(await decompress(format, file, 900, { gunzip, unlz4, unxz, unzstd }), noise(900, 6))).toBe(true);
  });

  const change = (fixture: XzFixture, at: number, by = 0x01) => {
    const file = bytesOf(fixture);
    const place = at < 0 ? file.length + at : at;
    file[place] = (file[place] ?? 0) ^ by;
    return file;
  };
  it.each([
    ['another magic', change(stored, 0), 900, /not an xz file/],
    ['a changed stream header', change(stored, 7), 900, /header contradicts/],
    ['a changed block header', change(stored, 14), 900, /header contradicts/],
    ['a changed stored byte', change(stored, 100), 900, /another checksum/],
    ['a changed compressed byte', change(plainCrc64, 1000), 400_000, /damaged/],
    ['a changed CRC64', change(x86Start, -30), 700, /damaged/],
    ['a changed index', change(stored, -18), 900, /damaged/],
    ['a changed footer', change(stored, -1), 900, /header contradicts/],
    ['bytes after the end', Buffer.concat([bytesOf(stored), noise(40, 9)]), 900, /not an xz file/],
    ['a file cut in its header', bytesOf(stored).subarray(0, 8), 900, /cut off/],
    ['a file cut in its data', bytesOf(plainCrc64).subarray(0, 2000), 400_000, /cut off/],
    ['a file cut before its index', bytesOf(stored).subarray(0, 924), 900, /cut off/],
    ['nothing', new Uint8Array(0), 0, /cut off/],
    ['a smaller size than it makes', bytesOf(plainCrc64), 399_999, /more bytes/],
    ['a larger size than it makes', bytesOf(plainCrc64), 400_001, /fewer bytes/],
    ['another filter', bytesOf(delta), 40, /filter other than/],
  ])('refuses %s', async (_, file, size, message) => {
    await expect(unxz(file, size)).rejects.toThrow(DecodeError);
    await expect(unxz(file, size)).rejects.toThrow(message);
  });

  it('finds every change of a byte in a file with a checksum', async () => {
    const random = randomNumbers(10);
    for (const [fixture, size] of [
      [x86Crc32, 3000],
      [x86Start, 700],
      [blocks, 30_000],
    ] as const) {
      const length = bytesOf(fixture).length;
      for (let round = 0; round < 120; round += 1) {
        const damaged = change(fixture, random() % length, 1 + (random() % 255));
        await expect(unxz(damaged, size)).rejects.toThrow(DecodeError);
      }
    }
  });
});
