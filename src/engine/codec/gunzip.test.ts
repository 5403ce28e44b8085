import { describe, expect, it } from 'vitest';
import { DecodeError } from './decode-error.ts';
import { gunzip, gzip } from './testing/platform.ts';

const pattern = Uint8Array.from({ length: 3_000_000 }, (_, index) => (index * 7 + (index >> 9)) & 0xff);

describe('gunzip', () => {
  it('expands what gzip made', async () => {
    expect(Buffer.compare(await gunzip(await gzip(pattern), pattern.length), pattern)).toBe(0);
    expect(await gunzip(await gzip(new Uint8Array(0)), 0)).toHaveLength(0);
  });

  it('stops at the limit', async () => {
    const zeros = await gzip(new Uint8Array(50_000_000));
    await expect(gunzip(zeros, 1_000_000)).rejects.toThrow('more than the 1000000 bytes');
  });

  it.each([
    ['cut off', (bytes: Uint8Array) => bytes.subarray(0, bytes.length >> 1)],
    ['with a wrong CRC', (bytes: Uint8Array) => bytes.map((byte, index) => (index === bytes.length - 6 ? byte ^ 1 : byte))],
    ['with a wrong magic', (bytes: Uint8Array) => bytes.map((byte, index) => (index === 0 ? 0 : byte))],
    ['empty', () => new Uint8Array(0)],
  ])('refuses a stream %s', async (_, damage) => {
    await expect(gunzip(damage(await gzip(pattern)), pattern.length)).rejects.toThrow(DecodeError);
  });
});
