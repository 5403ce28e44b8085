/**
 * LZ4 "legacy" frames, the form in which a Linux kernel is compressed: magic 0x184c2102, then blocks, each a u32 of its
 * compressed length and a raw LZ4 block that makes at most 8 MiB; matches do not reach back over a block's start.
 * @see lz4_Frame_format.md "Legacy frame", lz4_Block_format.md
 */
import { DecodeError } from './decode-error.ts';

const MAGIC = 0x184c2102;
const BLOCK_BYTES = 8 * 1024 * 1024;
const FORMAT = 'lz4';
/** No block makes more bytes than this for each byte it takes. */
const BEST_RATIO = 255;

function u32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24)) >>> 0;
}

/** Below this a loop over bytes beats a call that copies. */
const SHORT_COPY = 24;

/** Expands one block from input[from..end) to output[start..limit); the return is where the output ended. */
function expandBlock(input: Uint8Array, from: number, end: number, output: Uint8Array, start: number, limit: number): number {
  let at = from;
  let to = start;
  for (;;) {
    if (at >= end) throw new DecodeError(FORMAT, 'the LZ4 stream is damaged: a block ends in the middle of a sequence');
    const token = input[at++] ?? 0;
    let literals = token >>> 4;
    if (literals === 15) {
      let more;
      do {
        if (at >= end) throw new DecodeError(FORMAT, 'the LZ4 stream is damaged: a literal length runs over the end of its block');
        more = input[at++] ?? 0;
        literals += more;
      } while (more === 255);
    }
    if (literals > end - at) throw new DecodeError(FORMAT, 'the LZ4 stream is damaged: literals run over the end of their block');
    if (literals > limit - to) throw new DecodeError(FORMAT, 'the LZ4 stream is damaged: it makes more bytes than it declares');
    if (literals < SHORT_COPY) {
      for (const stop = to + literals; to < stop;) output[to++] = input[at++] ?? 0;
    } else {
      output.set(input.subarray(at, at + literals), to);
      at += literals;
      to += literals;
    }
    // The last sequence of a block has literals only.
    if (at === end) return to;

    if (end - at < 2) throw new DecodeError(FORMAT, 'the LZ4 stream is damaged: a block ends inside a match');
    const distance = (input[at] ?? 0) | ((input[at + 1] ?? 0) << 8);
    at += 2;
    if (distance === 0 || distance > to - start)
      throw new DecodeError(FORMAT, 'the LZ4 stream is damaged: a match points before its block');
    let length = token & 15;
    if (length === 15) {
      let more;
      do {
        if (at >= end) throw new DecodeError(FORMAT, 'the LZ4 stream is damaged: a match length runs over the end of its block');
        more = input[at++] ?? 0;
        length += more;
      } while (more === 255);
    }
    length += 4;
    if (length > limit - to) throw new DecodeError(FORMAT, 'the LZ4 stream is damaged: it makes more bytes than it declares');
    if (length < SHORT_COPY || distance < length) {
      // Source and target may overlap: the copy repeats the bytes it has just made.
      let source = to - distance;
      for (const stop = to + length; to < stop;) output[to++] = output[source++] ?? 0;
    } else {
      output.copyWithin(to, to - distance, to - distance + length);
      to += length;
    }
  }
}

/**
 * Expands a legacy LZ4 stream.
 * @param sizeBytes what it must make, exactly; the caller bounds it
 * @throws DecodeError when the stream is damaged, too short or too long
 */
export function decodeLz4Legacy(input: Uint8Array, sizeBytes: number): Uint8Array<ArrayBuffer> {
  if (input.length < 4 || u32(input, 0) !== MAGIC)
    throw new DecodeError(FORMAT, 'the LZ4 stream does not begin with the magic of a legacy frame');
  if (sizeBytes > input.length * BEST_RATIO)
    throw new DecodeError(
      FORMAT,
      `the LZ4 stream is damaged: ${input.length} bytes cannot make the ${sizeBytes} bytes it declares`,
    );
  const output = new Uint8Array(sizeBytes);
  let at = 4;
  let to = 0;
  while (at < input.length) {
    if (input.length - at < 4) throw new DecodeError(FORMAT, 'the LZ4 stream ends inside the length of a block');
    const length = u32(input, at);
    at += 4;
    // Streams may be put one after the other: the magic stands where a length would.
    if (length === MAGIC) continue;
    if (length > input.length - at) throw new DecodeError(FORMAT, 'the LZ4 stream ends inside a block');
    to = expandBlock(input, at, at + length, output, to, Math.min(sizeBytes, to + BLOCK_BYTES));
    at += length;
  }
  if (to !== sizeBytes) throw new DecodeError(FORMAT, `the LZ4 stream ends early: ${to} of ${sizeBytes} bytes`);
  return output;
}
