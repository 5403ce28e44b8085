import { describe, expect, it } from 'vitest';
import { DecodeError } from './decode-error.ts';
import { decodeLz4Legacy } from './lz4-legacy.ts';

const MAGIC = [0x02, 0x21, 0x4c, 0x18];
const le32 = (value: number) => [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24];
const ascii = (text: string) => [...text].map((character) => character.charCodeAt(0));
const stream = (...blocks: readonly (readonly number[])[]) =>
  new Uint8Array([...MAGIC, ...blocks.flatMap((block) => [...le32(block.length), ...block])]);
const text = (bytes: Uint8Array) => String.fromCharCode(...bytes);

describe('decodeLz4Legacy', () => {
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
  ])('expands %s', (_, input, expected) => {
    expect(text(decodeLz4Legacy(input, expected.length))).toBe(expected);
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
  ])('refuses %s', (_, input, size, message) => {
    expect(() => decodeLz4Legacy(input, size)).toThrow(DecodeError);
    expect(() => decodeLz4Legacy(input, size)).toThrow(message);
  });

  it('survives every single-byte change of a stream', () => {
    const good = stream(
      [0xff, 15, ...ascii('0123456789abcdefghijklmnopqrst'), 30, 0, 11, 0x10, 0x21],
      [0x12, 0x61, 1, 0, 0x10, 0x62],
    );
    const size = decodeLz4Legacy(good, 69).length;
    for (let at = 0; at < good.length; at += 1)
      for (const value of [0, 1, 0x7f, 0xff]) {
        const bad = good.slice();
        bad[at] = value;
        try {
          expect(decodeLz4Legacy(bad, size)).toHaveLength(size);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }
  });
});
