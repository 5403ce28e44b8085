import { describe, expect, it } from 'vitest';
import { DecodeError } from './decode-error.ts';
import { unzstd } from './testing/platform.ts';
import { createUnzstd } from './zstd.ts';

/** Made by zstd 1.5.4 with --check: the sentence below two hundred times. */
const file = new Uint8Array(
  Buffer.from('KLUv/QRYtQEA1AJUaGUgcXVpY2sgYnJvd24gZm94IGp1bXBzIG92ZXIgdGhlIGxhenkgZG9nLiABAMUXkFdl6gM72w==', 'base64'),
);
const expected = 'The quick brown fox jumps over the lazy dog. '.repeat(200);
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');

describe('createUnzstd', () => {
  it('expands a frame', async () => {
    expect(text(await unzstd(file, expected.length))).toBe(expected);
  });

  it('expands frames one after the other', async () => {
    expect(text(await unzstd(Buffer.concat([file, file]), 2 * expected.length))).toBe(expected + expected);
  });

  it.each([
    ['a file cut off', file.subarray(0, file.length - 8), expected.length],
    ['a changed byte', file.map((byte, index) => (index === 30 ? byte ^ 0x10 : byte)), expected.length],
    ['a changed checksum', file.map((byte, index) => (index === file.length - 1 ? byte ^ 1 : byte)), expected.length],
    ['another magic', file.map((byte, index) => (index === 0 ? 0 : byte)), expected.length],
    ['a smaller size', file, expected.length - 1],
    ['a larger size', file, expected.length + 1],
    ['nothing', new Uint8Array(0), 10],
  ])('refuses %s', async (_, input, size) => {
    await expect(unzstd(input, size)).rejects.toThrow(DecodeError);
    await expect(unzstd(input, size)).rejects.toThrow(/zstd/);
  });

  it('reports a decoder that stops', async () => {
    const broken = createUnzstd(() =>
      Promise.resolve({
        init: () => Promise.resolve(),
        decode: () => {
          throw new WebAssembly.RuntimeError('unreachable');
        },
      }),
    );
    await expect(broken(file, 1)).rejects.toThrow(/has stopped \(unreachable\)/);
  });
});
