/** The decoders that take a stream as it comes, against the encoders of the host and against files cut off and damaged. */
import { constants, deflateRawSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { createInflate, type Inflate } from './inflate.ts';
import { codecModule } from './testing/codec-module.ts';
import { branches, noise, randomNumbers, repetitions } from './testing/patterns.ts';
import { zstdExports } from './testing/platform.ts';
import {
  blocks,
  delta,
  empty,
  longRun,
  noCheck,
  plainCrc64,
  sha256,
  stored,
  x86Crc32,
  type XzFixture,
} from './testing/xz-fixtures.ts';
import { unxzStream } from './xz-stream.ts';
import { unzstdFrame, unzstdStream, type ZstdExports } from './zstd-stream.ts';

const fileOf = ({ file }: XzFixture): Uint8Array => new Uint8Array(Buffer.from(file, 'base64'));

/** In pieces of that size. */
async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}

async function joined(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of stream) all.push(piece);
  return Buffer.concat(all);
}

describe('unxzStream', () => {
  let module: WebAssembly.Module;
  beforeAll(async () => {
    module = await codecModule();
  }, 300_000);
  const unxz = (file: Uint8Array, size = 1000): Promise<Buffer> => joined(unxzStream(module, pieces(file, size)));

  it.each<[string, XzFixture, Uint8Array]>([
    ['CRC64 and distances over 64 KiB', plainCrc64, repetitions(400_000, 3)],
    ['no check', noCheck, repetitions(20_000, 4)],
    ['a check that is passed over', sha256, repetitions(1000, 5)],
    ['a stored chunk', stored, noise(900, 6)],
    ['no block', empty, new Uint8Array(0)],
  ])('expands %s', async (_, fixture, expected) => {
    const file = fileOf(fixture);
    for (const size of [1, 7, 100_000]) expect((await unxz(file, size)).equals(expected)).toBe(true);
    expect((await unxz(Buffer.concat([file, new Uint8Array(8), file]))).equals(Buffer.concat([expected, expected]))).toBe(true);
  });

  it('moves its window down under a long file of several blocks', async () => {
    const expected = Uint8Array.from({ length: 9_000_000 }, (_, n) => ((n % 3001) * 7 + (n >> 16)) & 0xff);
    expect((await unxz(fileOf(longRun))).equals(expected)).toBe(true);
  });

  it.each([
    ['the x86 filter', x86Crc32],
    ['blocks with the x86 filter', blocks],
    ['the delta filter', delta],
  ])('refuses %s', async (_, fixture) => {
    await expect(unxz(fileOf(fixture))).rejects.toThrow('filters besides LZMA2');
  });

  it('refuses a file cut off anywhere, and changed anywhere but in what has no check', async () => {
    const file = fileOf(noCheck);
    for (let length = 0; length < file.length; length += 5) await expect(unxz(file.slice(0, length))).rejects.toThrow(/xz file/);
    const checked = fileOf(stored);
    for (let at = 0; at < checked.length; at += at < 40 ? 1 : 11) {
      const changed = checked.map((byte, n) => (n === at ? byte ^ 0x04 : byte));
      await expect(unxz(changed), `byte ${at}`).rejects.toThrow(/xz file|filters/);
    }
  });
});

describe('unzstdStream', () => {
  let library: ZstdExports;
  beforeAll(async () => {
    library = await zstdExports();
  });
  const sentence = 'The quick brown fox jumps over the lazy dog. '.repeat(200);
  const file = new Uint8Array(
    Buffer.from('KLUv/QRYtQEA1AJUaGUgcXVpY2sgYnJvd24gZm94IGp1bXBzIG92ZXIgdGhlIGxhenkgZG9nLiABAMUXkFdl6gM72w==', 'base64'),
  );
  const unzstd = (bytes: Uint8Array, size = 10): Promise<Buffer> => joined(unzstdStream(library, pieces(bytes, size)));

  it('expands frames one after the other, and takes no notice of what is behind a single one', async () => {
    expect((await unzstd(file, 1)).toString()).toBe(sentence);
    expect((await unzstd(Buffer.concat([file, file]))).toString()).toBe(sentence + sentence);
    expect(Buffer.from(unzstdFrame(library, Buffer.concat([file, noise(300, 1)]), sentence.length)).toString()).toBe(sentence);
  });

  it('refuses a frame cut off, damaged or of another size', async () => {
    for (let length = 0; length < file.length; length += 1) {
      const cut = file.slice(0, length);
      await expect(unzstd(cut), `${length}`).rejects.toThrow('zstd stream');
      expect(() => unzstdFrame(library, cut, sentence.length)).toThrow('zstd stream');
    }
    await expect(unzstd(file.map((byte, n) => (n === file.length - 1 ? byte ^ 1 : byte)))).rejects.toThrow('damaged');
    expect(() => unzstdFrame(library, file, sentence.length - 1)).toThrow('longer');
    expect(() => unzstdFrame(library, file, sentence.length + 1)).toThrow('shorter');
  });
});

describe('inflate', () => {
  let inflate: Inflate;
  beforeAll(async () => {
    inflate = await createInflate(await codecModule());
  }, 300_000);
  const inputs = [new Uint8Array(1), new Uint8Array(70_000), noise(65_536, 1), branches(65_536, 2), repetitions(400_000, 3)];

  it('expands what zlib makes at every level, whatever stands behind it', () => {
    for (const bytes of inputs) {
      for (const level of [0, 1, 6, 9]) {
        for (const strategy of [constants.Z_DEFAULT_STRATEGY, constants.Z_FIXED, constants.Z_HUFFMAN_ONLY]) {
          const packed = Buffer.concat([deflateRawSync(bytes, { level, strategy }), noise(500, 4)]);
          expect(Buffer.from(inflate(packed, bytes.length)).equals(bytes)).toBe(true);
        }
      }
    }
  });

  it('ends with an error or with as many bytes as asked for, whatever it gets', () => {
    const random = randomNumbers(11);
    const packed = deflateRawSync(repetitions(5000, 5));
    expect(() => inflate(packed, 4999)).toThrow('longer');
    expect(() => inflate(packed, 5001)).toThrow('shorter');
    expect(() => inflate(packed.subarray(0, 20), 5000)).toThrow('cut off');
    let refused = 0;
    for (let run = 0; run < 3000; run += 1) {
      const changed = packed.map((byte) => (random() % 200 === 0 ? random() & 0xff : byte));
      try {
        expect(inflate(changed, 5000)).toHaveLength(5000);
      } catch (error) {
        expect(error).toMatchObject({ name: 'DecodeError' });
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(500);
  });
});
