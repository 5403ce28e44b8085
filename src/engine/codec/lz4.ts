/** LZ4 "legacy" frames, the form in which a Linux kernel is compressed, by the decoder in assembly/. */
import { decodeFile } from './codec-instance.ts';
import { DecodeError } from './decode-error.ts';
import {
  LZ4_BAD_DISTANCE,
  LZ4_CUT_BLOCK,
  LZ4_CUT_BLOCK_LENGTH,
  LZ4_CUT_LITERALS,
  LZ4_CUT_LITERAL_LENGTH,
  LZ4_CUT_MATCH,
  LZ4_CUT_MATCH_LENGTH,
  LZ4_CUT_SEQUENCE,
  LZ4_NOT_LZ4,
  LZ4_OK,
  LZ4_TOO_LONG,
  LZ4_TOO_SHORT,
} from './assembly/status.ts';

const FORMAT = 'lz4';
/** No block makes more bytes than this for each byte it takes. */
const BEST_RATIO = 255;

const REASONS: Readonly<Record<number, string>> = {
  [LZ4_NOT_LZ4]: 'the LZ4 stream does not begin with the magic of a legacy frame',
  [LZ4_CUT_BLOCK_LENGTH]: 'the LZ4 stream ends inside the length of a block',
  [LZ4_CUT_BLOCK]: 'the LZ4 stream ends inside a block',
  [LZ4_CUT_SEQUENCE]: 'the LZ4 stream is damaged: a block ends in the middle of a sequence',
  [LZ4_CUT_LITERAL_LENGTH]: 'the LZ4 stream is damaged: a literal length runs over the end of its block',
  [LZ4_CUT_LITERALS]: 'the LZ4 stream is damaged: literals run over the end of their block',
  [LZ4_CUT_MATCH]: 'the LZ4 stream is damaged: a block ends inside a match',
  [LZ4_CUT_MATCH_LENGTH]: 'the LZ4 stream is damaged: a match length runs over the end of its block',
  [LZ4_BAD_DISTANCE]: 'the LZ4 stream is damaged: a match points before its block',
  [LZ4_TOO_LONG]: 'the LZ4 stream is damaged: it makes more bytes than it declares',
};

/** Expands a legacy LZ4 stream that makes exactly `sizeBytes`. */
export type Unlz4 = (input: Uint8Array, sizeBytes: number) => Promise<Uint8Array>;

/**
 * @param module codec.wasm, compiled
 * @returns a decoder; what it makes lies in a memory that lives as long as the result
 */
export function createUnlz4(module: WebAssembly.Module): Unlz4 {
  return async (input, sizeBytes) => {
    if (sizeBytes > input.length * BEST_RATIO)
      throw new DecodeError(
        FORMAT,
        `the LZ4 stream is damaged: ${input.length} bytes cannot make the ${sizeBytes} bytes it declares`,
      );
    return decodeFile(module, FORMAT, input, sizeBytes, (codec, ...places) => {
      const status = codec.decodeLz4(...places);
      if (status === LZ4_OK) return;
      const [, , outputAt] = places;
      const made = (codec.lz4OutputEnd.value >>> 0) - outputAt;
      throw new DecodeError(
        FORMAT,
        status === LZ4_TOO_SHORT
          ? `the LZ4 stream ends early: ${made} of ${sizeBytes} bytes`
          : (REASONS[status] ?? `the LZ4 decoder has failed with status ${status}`),
      );
    });
  };
}
