import { spawnSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { DecodeError } from './decode-error.ts';
import { GzipError, gunzipStream } from './gunzip.ts';
import { codecModule } from './testing/codec-module.ts';
import { GZIP_FILES } from './testing/gzip-files.ts';
import { noise, repetitions } from './testing/patterns.ts';
import { gunzip } from './testing/platform.ts';

/** In pieces of that size. */
async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.slice(at, at + size));
}

describe('gunzipStream', () => {
  let module: WebAssembly.Module;
  beforeAll(async () => {
    module = await codecModule();
  }, 300_000);

  /** In the manner of gzip: what came out, the status, and what was said. */
  async function run(input: AsyncIterable<Uint8Array>): Promise<{ output: Buffer; status: number; said: string }> {
    const output: Uint8Array[] = [];
    let [status, said] = [0, ''];
    try {
      const made = gunzipStream(module, input, (padding) => {
        if (padding === 'garbage') [status, said] = [2, 'decompression OK, trailing garbage ignored'];
      });
      for await (const piece of made) output.push(piece);
    } catch (error) {
      if (!(error instanceof GzipError)) throw error;
      [status, said] = [1, error.reason];
    }
    return { output: Buffer.concat(output), status, said };
  }

  it.each(GZIP_FILES)('does with %s as the gzip of the host does', async (_, file) => {
    const host = spawnSync('gzip', ['-dc'], { input: file });
    for (const size of [1, 7, 100_000]) {
      const own = await run(pieces(file, size));
      expect([own.output, own.status]).toEqual([host.stdout, host.status]);
      // "is encrypted" stands behind the name without a colon.
      expect(own.said).toBe(
        host.stderr
          .toString()
          .trim()
          .replace(/^gzip: stdin:? /, ''),
      );
    }
  });

  it.each([
    ['bytes that repeat', repetitions(3_000_000, 9)],
    ['noise', noise(1_000_000, 3)],
    ['zeros', new Uint8Array(20_000_000)],
  ])('expands %s in members of every level', async (_, bytes) => {
    const file = Buffer.concat([1, 6, 9].map((level) => gzipSync(bytes, { level })));
    const { output, said } = await run(pieces(file, 50_000));
    expect(said).toBe('');
    expect(output.equals(Buffer.concat([bytes, bytes, bytes]))).toBe(true);
  });

  it('passes on the failure of its source, and lets go of a source that nobody reads any more', async () => {
    async function* failing(): AsyncGenerator<Uint8Array, void, undefined> {
      yield* pieces(gzipSync(noise(100_000, 4)).subarray(0, 5000), 1000);
      throw new Error('the source has failed');
    }
    await expect(run(failing())).rejects.toThrow('the source has failed');
    let isOpen = true;
    async function* watched(): AsyncGenerator<Uint8Array, void, undefined> {
      try {
        yield* pieces(gzipSync(noise(3_000_000, 4)), 10_000);
      } finally {
        isOpen = false;
      }
    }
    for await (const piece of gunzipStream(module, watched())) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
    expect(isOpen).toBe(false);
  });
});

describe('gunzip', () => {
  it('expands files of several members, up to a limit for all of them', async () => {
    const bytes = repetitions(1_000_000, 5);
    const file = Buffer.concat([gzipSync(bytes), gzipSync(bytes)]);
    expect(Buffer.from(await gunzip(file, 2 * bytes.length)).equals(Buffer.concat([bytes, bytes]))).toBe(true);
    await expect(gunzip(file, 2 * bytes.length - 1)).rejects.toThrow('more than the 1999999 bytes');
    expect(await gunzip(gzipSync(''), 0)).toHaveLength(0);
    await expect(gunzip(file.subarray(0, -1), 2 * bytes.length)).rejects.toThrow(DecodeError);
  });
});
