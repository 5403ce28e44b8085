import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../xenstore/testing/random.ts';
import { crc32 } from './crc32.ts';

/** Bit by bit, from the definition. */
function slowly(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return ~value >>> 0;
}

describe('crc32', () => {
  it('is the one everybody has', () => {
    expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
    expect(crc32(new Uint8Array(0))).toBe(0);
  });

  it.each([1, 3, 4, 7, 4096, 65535, 65536, 65537, 65540, 131072 + 9, 262144])('of %i bytes is as defined', (length) => {
    const random = new SeededRandom(length);
    const all = new Uint8Array(length + 3);
    for (let n = 0; n < all.length; n += 1) all[n] = random.below(256);
    for (const offset of [0, 1, 3]) {
      const bytes = all.subarray(offset, offset + length);
      expect(crc32(bytes)).toBe(slowly(bytes));
    }
  });
});
