/** The decoders that the platform brings to the engine: in workers, pages and Node alike. */
import { createGunzip, gunzipStream, type Gunzip, type GzipPadding } from '../engine/codec/gunzip.ts';
import type { PlatformDecoders } from '../engine/codec/compression.ts';
import { createCrc32 } from '../engine/codec/crc32.ts';
import { createInflate, type Inflate } from '../engine/codec/inflate.ts';
import { createUnlz4 } from '../engine/codec/lz4.ts';
import { createUnxz } from '../engine/codec/xz.ts';
import { unxzStream } from '../engine/codec/xz-stream.ts';
import { createUnzstd } from '../engine/codec/zstd.ts';
import { unzstdFrame, unzstdStream, zstdExportsOf, type ZstdExports, type ZstdStreamLibrary } from '../engine/codec/zstd-stream.ts';
import type { ImageDecoders } from '../engine/images/import-disk.ts';
import type { ByteStream } from '../engine/images/transfer.ts';
import type { Crc32 } from '../engine/storage/crc32.ts';

/**
 * Decoders of compressed kernels.
 * @param loadCodec gives codec.wasm, compiled; asked for whenever a file in gzip, LZ4 or xz comes
 */
export function platformDecoders(loadCodec: () => Promise<WebAssembly.Module>): PlatformDecoders {
  return {
    gunzip: createGunzip(loadCodec),
    unzstd: createUnzstd(async () => new (await import('zstddec')).ZSTDDecoder()),
    unlz4: async (input, sizeBytes) => createUnlz4(await loadCodec())(input, sizeBytes),
    unxz: async (input, sizeBytes) => createUnxz(await loadCodec())(input, sizeBytes),
  };
}

/** Decoders of disk images, and the encoder of what is exported. */
export interface ImageCodecs extends ImageDecoders {
  gzip(input: ByteStream): ByteStream;
  /** The sum of long inputs. */
  crc32(): Promise<Crc32>;
  readonly gunzip: Gunzip;
  /** What a gzip file makes, as it comes; rejects with GzipError. */
  gunzipStream(input: ByteStream, onPadding: (padding: GzipPadding) => void): ByteStream;
}

/** The library makes one instance of its module. */
let zstd: Promise<ZstdExports> | undefined;

function zstdExports(): Promise<ZstdExports> {
  zstd ??= import('zstddec/stream').then(({ ZSTDDecoder }) => zstdExportsOf(new ZSTDDecoder() as unknown as ZstdStreamLibrary));
  return zstd;
}

/** @param loadCodec as above */
export function imageCodecs(loadCodec: () => Promise<WebAssembly.Module>): ImageCodecs {
  let inflate: Inflate | undefined;
  return {
    inflate: async (input, sizeBytes) => (inflate ??= await createInflate(await loadCodec()))(input, sizeBytes),
    unzstd: async (input, sizeBytes) => unzstdFrame(await zstdExports(), input, sizeBytes),
    expand: async function* (compression, input) {
      switch (compression) {
        case 'gzip':
          yield* gunzipStream(await loadCodec(), input);
          return;
        case 'xz':
          yield* unxzStream(await loadCodec(), input);
          return;
        case 'zstd':
          yield* unzstdStream(await zstdExports(), input);
      }
    },
    gzip,
    crc32: async () => createCrc32(await loadCodec()),
    gunzip: createGunzip(loadCodec),
    gunzipStream: async function* (input, onPadding) {
      yield* gunzipStream(await loadCodec(), input, onPadding);
    },
  };
}

async function* gzip(input: ByteStream): AsyncGenerator<Uint8Array, void, undefined> {
  const stream = new CompressionStream('gzip');
  const writer = stream.writable.getWriter();
  const reader = stream.readable.getReader();
  const pieces = input[Symbol.asyncIterator]();
  let failure: { readonly error: unknown } | undefined;
  const feed = async (): Promise<void> => {
    try {
      for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) await writer.write(next.value.slice());
      await writer.close();
    } catch (error) {
      failure ??= { error };
      await writer.abort(error).catch(() => undefined);
    }
  };
  const fed = feed();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        throw failure?.error ?? error;
      });
      if (done) break;
      yield value;
    }
  } finally {
    await Promise.allSettled([reader.cancel(), writer.abort()]);
    await fed;
    await pieces.return?.();
  }
}
