/** The decoders of compressed kernels that the platform brings to the engine: in workers, pages and Node alike. */
import { createGunzip } from '../engine/codec/gunzip.ts';
import type { PlatformDecoders } from '../engine/codec/compression.ts';
import { createUnxz } from '../engine/codec/xz.ts';
import { createUnzstd } from '../engine/codec/zstd.ts';

/** @param loadCodec gives codec.wasm, compiled; asked for once, when the first .xz file comes */
export function platformDecoders(loadCodec: () => Promise<WebAssembly.Module>): PlatformDecoders {
  let codec: Promise<WebAssembly.Module> | undefined;
  return {
    gunzip: createGunzip(() => new DecompressionStream('gzip')),
    unzstd: createUnzstd(async () => new (await import('zstddec')).ZSTDDecoder()),
    unxz: async (input, sizeBytes) => {
      codec ??= loadCodec();
      return createUnxz(await codec)(input, sizeBytes);
    },
  };
}
