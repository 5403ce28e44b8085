/** The decoders Node brings, for tests. */
import { createGunzip } from '../gunzip.ts';
import type { PlatformDecoders } from '../compression.ts';
import { DecodeError } from '../decode-error.ts';
import { createUnlz4, type Unlz4 } from '../lz4.ts';
import { createUnzstd } from '../zstd.ts';
import { zstdExportsOf, type ZstdExports, type ZstdStreamLibrary } from '../zstd-stream.ts';
import { codecModule } from './codec-module.ts';

export const gunzip = createGunzip(codecModule);

export const unzstd = createUnzstd(async () => new (await import('zstddec')).ZSTDDecoder());

export const unlz4: Unlz4 = async (input, sizeBytes) => createUnlz4(await codecModule())(input, sizeBytes);

export const platformWithoutXz: PlatformDecoders = {
  gunzip,
  unlz4,
  unxz: () => Promise.reject(new DecodeError('xz', 'no xz decoder in this test')),
  unzstd,
};

/** gzip by the platform, to make inputs with. */
export async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(new CompressionStream('gzip'))).arrayBuffer());
}

let zstd: Promise<ZstdExports> | undefined;

/** What the zstd library's module exports. */
export function zstdExports(): Promise<ZstdExports> {
  zstd ??= import('zstddec/stream').then(({ ZSTDDecoder }) => zstdExportsOf(new ZSTDDecoder() as unknown as ZstdStreamLibrary));
  return zstd;
}
