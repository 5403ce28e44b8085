/**
 * Compressed streams as found in kernel images: which format by its magic, and one call that expands any of them.
 * Every decoder is told the size its output must have, so a small hostile file cannot fill the memory.
 */
import { DecodeError } from './decode-error.ts';

export type Compression = 'gzip' | 'bzip2' | 'xz' | 'lzma' | 'lzop' | 'lz4' | 'zstd';

const MAGICS: readonly (readonly [Compression, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['lzma', [0x5d, 0x00, 0x00]],
  ['lzop', [0x89, 0x4c, 0x5a, 0x4f]],
  ['lz4', [0x02, 0x21, 0x4c, 0x18]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
];

/** The format a stream begins as; undefined when it is none of them. */
export function compressionOf(bytes: Uint8Array): Compression | undefined {
  return MAGICS.find(([, magic]) => magic.every((byte, index) => bytes[index] === byte))?.[0];
}

/** What the platform brings: the engine itself has no streams and compiles no modules. All reject with DecodeError. */
export interface PlatformDecoders {
  /** Expands a gzip file; refuses to make more than `limitBytes`. */
  gunzip(input: Uint8Array, limitBytes: number): Promise<Uint8Array>;
  /** Expands a legacy LZ4 stream that makes exactly `sizeBytes`. */
  unlz4(input: Uint8Array, sizeBytes: number): Promise<Uint8Array>;
  /** Expands an .xz file that makes exactly `sizeBytes`. */
  unxz(input: Uint8Array, sizeBytes: number): Promise<Uint8Array>;
  /** Expands a Zstandard frame that makes exactly `sizeBytes`. */
  unzstd(input: Uint8Array, sizeBytes: number): Promise<Uint8Array>;
}

/**
 * Expands a stream that makes exactly `sizeBytes`.
 * @throws DecodeError when it is damaged, makes another size, or its format is not supported
 */
export async function decompress(
  format: Compression,
  input: Uint8Array,
  sizeBytes: number,
  platform: PlatformDecoders,
): Promise<Uint8Array> {
  switch (format) {
    case 'lz4':
      return platform.unlz4(input, sizeBytes);
    case 'xz':
      return platform.unxz(input, sizeBytes);
    case 'gzip': {
      const output = await platform.gunzip(input, sizeBytes);
      if (output.length !== sizeBytes)
        throw new DecodeError(format, `the gzip stream makes ${output.length} bytes where ${sizeBytes} are declared`);
      return output;
    }
    case 'zstd':
      return platform.unzstd(input, sizeBytes);
    case 'bzip2':
    case 'lzma':
    case 'lzop':
      throw new DecodeError(format, `${format} compression is not supported: repack with gzip, xz, zstd or lz4`);
  }
}
