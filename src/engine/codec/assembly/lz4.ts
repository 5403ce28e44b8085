/**
 * LZ4 "legacy" frames, the form in which a Linux kernel is compressed: magic 0x184c2102, then blocks, each a u32 of its
 * compressed length and a raw LZ4 block that makes at most 8 MiB; matches do not reach back over a block's start.
 * @see lz4_Frame_format.md "Legacy frame", lz4_Block_format.md
 */
import { copyVectors, makeLanes, repeatVectors, VECTOR_BYTES } from './copy';
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
} from './status';

const MAGIC: u32 = 0x184c2102;
const BLOCK_BYTES: usize = 8 * 1024 * 1024;
/** A length that is all ones in the token goes on behind it. */
const LONG_LENGTH: usize = 15;
const SHORTEST_MATCH: usize = 4;

/** Where the bytes made end. */
export let lz4OutputEnd: usize = 0;
/** What longLength has read. */
let length: usize = 0;

/**
 * The rest of a length, in bytes of 255 and one below. The sum is kept small enough not to overflow: more than a block is too
 * much in any case.
 * @return the place behind it, 0 when the block ends before
 */
function longLength(from: usize, end: usize): usize {
  length = LONG_LENGTH;
  let more: usize;
  do {
    if (from >= end) return 0;
    more = <usize>load<u8>(from);
    from += 1;
    if (length <= BLOCK_BYTES) length += more;
  } while (more == 255);
  return from;
}

/** Expands one block, behind the bytes made so far, and sets lz4OutputEnd behind what it makes. */
function expandBlock(from: usize, end: usize, outputEnd: usize): i32 {
  const start = lz4OutputEnd;
  const limit = start + min(outputEnd - start, BLOCK_BYTES);
  let to = start;
  while (from < end) {
    const token = <usize>load<u8>(from);
    from += 1;
    let literals = token >> 4;
    if (literals == LONG_LENGTH) {
      from = longLength(from, end);
      if (from == 0) return LZ4_CUT_LITERAL_LENGTH;
      literals = length;
    }
    if (literals > end - from) return LZ4_CUT_LITERALS;
    if (literals > limit - to) return LZ4_TOO_LONG;
    copyVectors(to, from, literals);
    from += literals;
    to += literals;
    // The last sequence of a block has literals only.
    if (from == end) {
      lz4OutputEnd = to;
      return LZ4_OK;
    }

    if (end - from < 2) return LZ4_CUT_MATCH;
    const distance = <usize>load<u16>(from);
    from += 2;
    if (distance == 0 || distance > to - start) return LZ4_BAD_DISTANCE;
    let matched = token & LONG_LENGTH;
    if (matched == LONG_LENGTH) {
      from = longLength(from, end);
      if (from == 0) return LZ4_CUT_MATCH_LENGTH;
      matched = length;
    }
    matched += SHORTEST_MATCH;
    if (matched > limit - to) return LZ4_TOO_LONG;
    if (distance >= VECTOR_BYTES) copyVectors(to, to - distance, matched);
    else repeatVectors(to, distance, matched);
    to += matched;
  }
  return LZ4_CUT_SEQUENCE;
}

/**
 * Expands a whole file: one stream or more. Sets lz4OutputEnd.
 * @param input and output have SLACK_BYTES behind them; the output must come out at exactly `outputBytes`
 * @return LZ4_OK or what was wrong
 */
export function decodeLz4(input: usize, inputBytes: usize, output: usize, outputBytes: usize): i32 {
  const inputEnd = input + inputBytes;
  const outputEnd = output + outputBytes;
  makeLanes();
  lz4OutputEnd = output;
  if (inputBytes < 4 || load<u32>(input) != MAGIC) return LZ4_NOT_LZ4;
  let at = input + 4;
  while (at < inputEnd) {
    if (inputEnd - at < 4) return LZ4_CUT_BLOCK_LENGTH;
    const bytes = <usize>load<u32>(at);
    at += 4;
    // Streams may be put one after the other: the magic stands where a length would.
    if (bytes == <usize>MAGIC) continue;
    if (bytes > inputEnd - at) return LZ4_CUT_BLOCK;
    const status = expandBlock(at, at + bytes, outputEnd);
    if (status != LZ4_OK) return status;
    at += bytes;
  }
  return lz4OutputEnd == outputEnd ? LZ4_OK : LZ4_TOO_SHORT;
}
