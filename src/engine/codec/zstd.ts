/**
 * Zstandard frames by a decoder library, which enters as an interface. The library says nothing of what went wrong: it makes
 * another number of bytes than were asked for.
 * @see RFC 8878
 */
import { DecodeError } from './decode-error.ts';

const FORMAT = 'zstd';

/** The part of zstddec's ZSTDDecoder that is used. */
export interface ZstdLibrary {
  init(): Promise<void>;
  decode(input: Uint8Array, sizeBytes: number): Uint8Array;
}

/** Expands a Zstandard frame that makes exactly `sizeBytes`. */
export type Unzstd = (input: Uint8Array, sizeBytes: number) => Promise<Uint8Array>;

/** @param library gives the decoder when it is needed first */
export function createUnzstd(library: () => Promise<ZstdLibrary>): Unzstd {
  return async (input, sizeBytes) => {
    const decoder = await library();
    await decoder.init();
    let output: Uint8Array;
    try {
      output = decoder.decode(input, sizeBytes);
    } catch (error) {
      throw new DecodeError(FORMAT, `the zstd decoder has stopped (${error instanceof Error ? error.message : String(error)})`);
    }
    if (output.length !== sizeBytes)
      throw new DecodeError(FORMAT, `the zstd stream is damaged, cut off or does not make the ${sizeBytes} bytes it should`);
    return output;
  };
}
