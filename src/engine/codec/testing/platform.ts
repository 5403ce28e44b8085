/** The decoders Node brings, for tests. */
import { createGunzip } from '../gunzip.ts';
import type { PlatformDecoders } from '../compression.ts';
import { DecodeError } from '../decode-error.ts';

export const gunzip = createGunzip(() => new DecompressionStream('gzip'));

export const platformWithoutXz: PlatformDecoders = {
  gunzip,
  unxz: () => Promise.reject(new DecodeError('xz', 'no xz decoder in this test')),
};

/** gzip by the platform, to make inputs with. */
export async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(new CompressionStream('gzip'))).arrayBuffer());
}
