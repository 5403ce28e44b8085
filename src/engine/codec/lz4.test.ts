import { beforeAll, describe, expect, it } from 'vitest';
import { DecodeError } from './decode-error.ts';
import { createUnlz4, type Unlz4 } from './lz4.ts';
import { codecModule } from './testing/codec-module.ts';
import { noise } from './testing/patterns.ts';

const MAGIC = [0x02, 0x21, 0x4c, 0x18];
const le32 = (value: number) => [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24];
const ascii = (text: string) => [...text].map((character) => character.charCodeAt(0));
const stream = (...blocks: readonly (readonly number[])[]) =>
  new Uint8Array([...MAGIC, ...blocks.flatMap((block) => [...le32(block.length), ...block])]);
const lengthBytes = (length: number): number[] =>
  length < 15 ? [] : [...Array<number>(Math.floor((length - 15) / 255)).fill(255), (length - 15) % 255];
const sequence = (literals: readonly number[], distance: number, matched: number): number[] => [
  (Math.min(literals.length, 15) << 4) | Math.min(matched - 4, 15),
  ...lengthBytes(literals.length),
  ...literals,
  distance & 0xff,
  distance >> 8,
  ...lengthBytes(matched - 4),
];
/** A block may end behind a match if an empty run of literals follows. */
const END = [0];
const text = (bytes: Uint8Array) => String.fromCharCode(...bytes);

describe('createUnlz4', () => {
  let unlz4: Unlz4;
  beforeAll(async () => {
    unlz4 = createUnlz4(await codecModule());
  }, 300_000);

  // Each block by hand: token (literals << 4 | match length - 4), literals, distance, longer lengths in steps of 255.
  it.each([
    ['literals only', stream([0x50, ...ascii('hello')]), 'hello'],
    ['a match that overlaps itself', stream([0x12, 0x61, 1, 0, 0x10, 0x62]), 'aaaaaaab'],
    ['a match of two bytes repeated', stream([0x24, ...ascii('xy'), 2, 0, 0x10, 0x7a]), 'xyxyxyxyxyz'],
    ['a long literal run', stream([0xf0, 5, ...ascii('0123456789abcdefghij')]), '0123456789abcdefghij'],
    [
      'a long match far away',
      stream([0xff, 15, ...ascii('0123456789abcdefghijklmnopqrst'), 30, 0, 11, 0x10, 0x21]),
      '0123456789abcdefghijklmnopqrst'.repeat(2) + '!',
    ],
    ['a literal length of 15 + 255 + 0', stream([0xf0, 255, 0, ...ascii('q'.repeat(270))]), 'q'.repeat(270)],
    ['two blocks', stream([0x30, ...ascii('one')], [0x30, ...ascii('two')]), 'onetwo'],
    ['streams one after the other', new Uint8Array([...stream([0x10, 0x61]), ...stream([0x10, 0x62])]), 'ab'],
    ['nothing', new Uint8Array(MAGIC), ''],
  ])('expands %s', async (_, input, expected) => {
    expect(text(await unlz4(input, expected.length))).toBe(expected);
  });

  it.each([
    ['another magic', new Uint8Array([4, 0x22, 0x4d, 0x18]), 0, /magic/],
    ['a block longer than the stream', new Uint8Array([...MAGIC, 9, 0, 0, 0, 0x10]), 1, /ends inside a block/],
    ['a cut block length', new Uint8Array([...MAGIC, 1, 0]), 1, /length of a block/],
    ['an empty block', stream([]), 0, /middle of a sequence/],
    ['literals beyond the block', stream([0x50, 0x61]), 5, /literals run over/],
    ['a literal length without end', stream([0xf0, 255, 255]), 600, /literal length/],
    ['a match length without end', stream([0x1f, 0x61, 1, 0, 255]), 600, /match length/],
    ['half a distance', stream([0x10, 0x61, 1]), 8, /inside a match/],
    ['distance zero', stream([0x10, 0x61, 0, 0, 0x10, 0x61]), 8, /before its block/],
    ['a match into the block before', stream([0x10, 0x61], [0x10, 0x62, 2, 0, 0x10, 0x61]), 8, /before its block/],
    ['more literals than declared', stream([0x50, ...ascii('hello')]), 4, /more bytes/],
    ['a longer match than declared', stream([0x12, 0x61, 1, 0, 0x10, 0x62]), 5, /more bytes/],
    ['less than declared', stream([0x50, ...ascii('hello')]), 6, /5 of 6/],
    ['a size no such stream can make', stream([0x50, ...ascii('hello')]), 1 << 30, /cannot make/],
  ])('refuses %s', async (_, input, size, message) => {
    await expect(unlz4(input, size)).rejects.toThrow(DecodeError);
    await expect(unlz4(input, size)).rejects.toThrow(message);
  });

  it('repeats what matches of every distance and length refer to, to the last byte', async () => {
    const lengths = [...Array.from({ length: 50 }, (_, more) => 4 + more), 255 + 19, 600];
    for (let distance = 1; distance <= 40; distance += 1) {
      const block: number[] = [];
      const expected: number[] = [];
      for (const matched of lengths) {
        const literals = [...noise(distance + (matched % 37), distance * 1000 + matched)];
        block.push(...sequence(literals, distance, matched));
        expected.push(...literals);
        for (let left = matched; left > 0; left -= 1) expected.push(expected[expected.length - distance]!);
      }
      const made = await unlz4(stream([...block, ...END]), expected.length);
      expect(Buffer.compare(made, new Uint8Array(expected))).toBe(0);
    }
  });

  const BLOCK_BYTES = 8 * 1024 * 1024;
  it('makes blocks of 8 MiB, not larger ones', async () => {
    const made = await unlz4(stream([...sequence([0x61], 1, BLOCK_BYTES - 1), ...END]), BLOCK_BYTES);
    expect(made.every((byte) => byte === 0x61)).toBe(true);
    const more = stream([...sequence([0x61], 1, BLOCK_BYTES), ...END]);
    await expect(unlz4(more, BLOCK_BYTES + 1)).rejects.toThrow(/more bytes/);
  });

  it('refuses a length that 32 bits do not hold', async () => {
    // 15 + 255 * STEPS + 246 is 2^32 + 5.
    const STEPS = 16_843_008;
    const length = new Uint8Array(STEPS + 1).fill(255);
    length[STEPS] = 246;
    for (const [token, rest] of [
      [[0xf0], ascii('hello')],
      [[0x1f, 0x61, 1, 0], []],
    ] as const) {
      const bytes = token.length + length.length + rest.length;
      const input = Buffer.concat([new Uint8Array([...MAGIC, ...le32(bytes), ...token]), length, new Uint8Array(rest)]);
      await expect(unlz4(input, 5)).rejects.toThrow(/more bytes|literals run over/);
    }
  });

  it('survives every single-byte change of a stream', async () => {
    const good = stream(
      [0xff, 15, ...ascii('0123456789abcdefghijklmnopqrst'), 30, 0, 11, 0x10, 0x21],
      [0x12, 0x61, 1, 0, 0x10, 0x62],
    );
    const size = (await unlz4(good, 69)).length;
    for (let at = 0; at < good.length; at += 1)
      for (const value of [0, 1, 0x7f, 0xff]) {
        const bad = good.slice();
        bad[at] = value;
        try {
          expect(await unlz4(bad, size)).toHaveLength(size);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }
  });
});
