/** The decoders of images with what Node has, for tests. */
import { gunzipStream } from '../../codec/gunzip.ts';
import { createInflate, type Inflate } from '../../codec/inflate.ts';
import { codecModule } from '../../codec/testing/codec-module.ts';
import { zstdExports } from '../../codec/testing/platform.ts';
import { unxzStream } from '../../codec/xz-stream.ts';
import { unzstdFrame, unzstdStream } from '../../codec/zstd-stream.ts';
import type { ByteSource } from '../byte-source.ts';
import type { ImageDecoders } from '../import-disk.ts';

let inflate: Inflate | undefined;

export const decoders: ImageDecoders = {
  inflate: async (input, sizeBytes) => (inflate ??= await createInflate(await codecModule()))(input, sizeBytes),
  unzstd: async (input, sizeBytes) => unzstdFrame(await zstdExports(), input, sizeBytes),
  expand: async function* (compression, input) {
    if (compression === 'gzip') yield* gunzipStream(await codecModule(), input);
    else if (compression === 'xz') yield* unxzStream(await codecModule(), input);
    else yield* unzstdStream(await zstdExports(), input);
  },
};

/** Bytes in memory; a read that leaves them is a mistake of the reader's. */
export function memorySource(bytes: Uint8Array): ByteSource & { reads: number } {
  return {
    sizeBytes: bytes.length,
    reads: 0,
    async read(offset, into) {
      this.reads += 1;
      if (!Number.isSafeInteger(offset) || offset < 0 || offset + into.length > bytes.length)
        throw new RangeError(`${into.length} bytes at ${offset} are outside the ${bytes.length} of the file`);
      into.set(bytes.subarray(offset, offset + into.length));
    },
  };
}

export async function joined(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece.slice());
  return Buffer.concat(pieces);
}
