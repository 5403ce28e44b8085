/**
 * The .xz container: streams of blocks, each filtered and checked, with an index that lists them. Supported are LZMA2 alone or
 * behind the x86 branch filter, the checks CRC32, CRC64 and none; a SHA-256 check is passed over unverified.
 * @see The .xz File Format, version 1.1.0
 */
import { undoX86Filter } from './bcj';
import { crc32, crc64 } from './crc';
import { decodeLzma2, lzma2InputEnd, lzma2OutputEnd } from './lzma2';
import {
  XZ_BAD_CHECK,
  XZ_BAD_HEADER,
  XZ_BAD_INDEX,
  XZ_CUT_OFF,
  XZ_NOT_XZ,
  XZ_OK,
  XZ_TOO_LONG,
  XZ_TOO_SHORT,
  XZ_UNSUPPORTED_CHECK,
  XZ_UNSUPPORTED_FILTER,
} from './status';

const STREAM_HEADER_BYTES: usize = 12;
const FOOTER_BYTES: usize = 12;
/** "\xfd7zXZ\0", little-endian. */
const HEADER_MAGIC: u64 = 0x00005a587a37fd;
const MAGIC_MASK: u64 = 0x0000ffffffffffff;
/** "YZ" */
const FOOTER_MAGIC: u16 = 0x5a59;

const CHECK_NONE: u32 = 0;
const CHECK_CRC32: u32 = 1;
const CHECK_CRC64: u32 = 4;
const CHECK_SHA256: u32 = 10;

const FILTER_X86: u64 = 4;
const FILTER_LZMA2: u64 = 0x21;

const BLOCK_HAS_PACKED_SIZE: u32 = 0x40;
const BLOCK_HAS_UNPACKED_SIZE: u32 = 0x80;
const BLOCK_RESERVED: u32 = 0x3c;

/** Blocks are remembered as one running CRC over their sizes, and compared with the same over the index. */
let blocks: u64 = 0;
let blockSizes: u32 = 0;
const SIZE_PAIR = memory.data(24);

/** Reader's place; the readers of numbers advance it. */
let at: usize = 0;
let status: i32 = XZ_OK;

/** A number of up to nine bytes, seven bits each, lowest first; `end` bounds it. Sets `status` when it is none. */
function multibyte(end: usize): u64 {
  let value: u64 = 0;
  for (let shift: u64 = 0; shift < 63; shift += 7) {
    if (at >= end) break;
    const byte = <u64>load<u8>(at);
    at += 1;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      // A last byte of zero would make the number longer than it needs to be.
      if (byte == 0 && shift != 0) break;
      return value;
    }
  }
  status = XZ_BAD_HEADER;
  return 0;
}

function zeros(from: usize, end: usize): bool {
  for (; from < end; from += 1) if (load<u8>(from) != 0) return false;
  return true;
}

/** Folds the sizes of a block into the running CRC. */
function foldSizes(running: u32, unpadded: u64, unpacked: u64): u32 {
  store<u64>(SIZE_PAIR, unpadded);
  store<u64>(SIZE_PAIR, unpacked, 8);
  store<u32>(SIZE_PAIR, running, 16);
  return crc32(SIZE_PAIR, 20);
}

function checkBytes(check: u32): usize {
  return check == CHECK_NONE ? 0 : check == CHECK_CRC32 ? 4 : check == CHECK_CRC64 ? 8 : 32;
}

/** One block from `at` on, into `output`; the return is where its bytes end, 0 with `status` set when it fails. */
function decodeBlock(inputEnd: usize, output: usize, outputEnd: usize, check: u32): usize {
  const start = at;
  const headerBytes = (<usize>load<u8>(at) + 1) << 2;
  if (headerBytes > inputEnd - at) {
    status = XZ_CUT_OFF;
    return 0;
  }
  const headerEnd = at + headerBytes - 4;
  status = XZ_BAD_HEADER;
  if (load<u32>(headerEnd) != crc32(at, headerBytes - 4)) return 0;
  const flags = <u32>load<u8>(at, 1);
  if (flags & BLOCK_RESERVED) return 0;
  status = XZ_OK;
  at += 2;
  const packedStated = flags & BLOCK_HAS_PACKED_SIZE ? multibyte(headerEnd) : ~(<u64>0);
  const unpackedStated = flags & BLOCK_HAS_UNPACKED_SIZE ? multibyte(headerEnd) : ~(<u64>0);
  const filters = (flags & 3) + 1;
  let branches = false;
  let startOffset: u32 = 0;
  for (let filter: u32 = 1; filter <= filters; filter += 1) {
    const kind = multibyte(headerEnd);
    const propertyBytes = multibyte(headerEnd);
    if (status != XZ_OK) return 0;
    if (propertyBytes > <u64>(headerEnd - at)) {
      status = XZ_BAD_HEADER;
      return 0;
    }
    const isLast = filter == filters;
    if (isLast && kind == FILTER_LZMA2 && propertyBytes == 1) {
      // The property is the dictionary's size, which the output buffer always has; above 40 it stands for nothing.
      if (load<u8>(at) > 40) {
        status = XZ_UNSUPPORTED_FILTER;
        return 0;
      }
    } else if (filters == 2 && !isLast && kind == FILTER_X86 && (propertyBytes == 0 || propertyBytes == 4)) {
      branches = true;
      if (propertyBytes == 4) startOffset = load<u32>(at);
    } else {
      status = XZ_UNSUPPORTED_FILTER;
      return 0;
    }
    at += <usize>propertyBytes;
  }
  if (status != XZ_OK) return 0;
  status = XZ_BAD_HEADER;
  if (!zeros(at, headerEnd)) return 0;

  const dataStart = start + headerBytes;
  status = decodeLzma2(dataStart, inputEnd, output, outputEnd);
  if (status != XZ_OK) return 0;
  const packed = lzma2InputEnd - dataStart;
  const unpacked = lzma2OutputEnd - output;
  if (branches) undoX86Filter(output, unpacked, startOffset);
  const checkStart = dataStart + ((packed + 3) & ~3);
  const checkSize = checkBytes(check);
  status = XZ_CUT_OFF;
  if (checkStart > inputEnd || checkSize > inputEnd - checkStart) return 0;
  status = XZ_BAD_HEADER;
  if (packedStated != ~(<u64>0) && packedStated != <u64>packed) return 0;
  if (unpackedStated != ~(<u64>0) && unpackedStated != <u64>unpacked) return 0;
  if (!zeros(lzma2InputEnd, checkStart)) return 0;
  status = XZ_BAD_CHECK;
  if (check == CHECK_CRC32 && load<u32>(checkStart) != crc32(output, unpacked)) return 0;
  if (check == CHECK_CRC64 && load<u64>(checkStart) != crc64(output, unpacked)) return 0;
  status = XZ_OK;
  at = checkStart + checkSize;
  blocks += 1;
  blockSizes = foldSizes(blockSizes, <u64>(headerBytes + packed + checkSize), <u64>unpacked);
  return lzma2OutputEnd;
}

/** The index at `at`, then the footer. */
function readIndexAndFooter(inputEnd: usize, check: u32): i32 {
  const start = at;
  at += 1;
  status = XZ_OK;
  const records = multibyte(inputEnd);
  if (status != XZ_OK) return at >= inputEnd ? XZ_CUT_OFF : status;
  if (records != blocks) return XZ_BAD_INDEX;
  let sizes: u32 = 0;
  for (let record: u64 = 0; record < records; record += 1) {
    const unpadded = multibyte(inputEnd);
    const unpacked = multibyte(inputEnd);
    if (status != XZ_OK) return at >= inputEnd ? XZ_CUT_OFF : status;
    sizes = foldSizes(sizes, unpadded, unpacked);
  }
  if (sizes != blockSizes) return XZ_BAD_INDEX;
  const end = start + ((at - start + 3) & ~3);
  if (end > inputEnd || inputEnd - end < 4 + FOOTER_BYTES) return XZ_CUT_OFF;
  if (!zeros(at, end) || load<u32>(end) != crc32(start, end - start)) return XZ_BAD_INDEX;
  const footer = end + 4;
  at = footer + FOOTER_BYTES;
  const backward = (<usize>load<u32>(footer, 4) + 1) << 2;
  if (
    load<u16>(footer, 10) != FOOTER_MAGIC ||
    load<u32>(footer) != crc32(footer + 4, 6) ||
    backward != footer - start ||
    load<u8>(footer, 8) != 0 ||
    <u32>load<u8>(footer, 9) != check
  )
    return XZ_BAD_HEADER;
  return XZ_OK;
}

/**
 * Decodes a whole file: one stream or more, with padding between and after them.
 * @param input and output have SLACK_BYTES behind them; the output must come out at exactly `outputBytes`
 * @return XZ_OK or what was wrong
 */
export function decodeXz(input: usize, inputBytes: usize, output: usize, outputBytes: usize): i32 {
  const inputEnd = input + inputBytes;
  const outputEnd = output + outputBytes;
  let to = output;
  at = input;
  do {
    if (inputEnd - at < STREAM_HEADER_BYTES) return XZ_CUT_OFF;
    if ((load<u64>(at) & MAGIC_MASK) != HEADER_MAGIC) return XZ_NOT_XZ;
    if (load<u32>(at, 8) != crc32(at + 6, 2)) return XZ_BAD_HEADER;
    const check = <u32>load<u8>(at, 7);
    if (load<u8>(at, 6) != 0) return XZ_BAD_HEADER;
    if (check != CHECK_NONE && check != CHECK_CRC32 && check != CHECK_CRC64 && check != CHECK_SHA256) return XZ_UNSUPPORTED_CHECK;
    at += STREAM_HEADER_BYTES;
    blocks = 0;
    blockSizes = 0;
    for (;;) {
      if (at >= inputEnd) return XZ_CUT_OFF;
      if (load<u8>(at) == 0) break;
      to = decodeBlock(inputEnd, to, outputEnd, check);
      if (to == 0) return status;
    }
    const ended = readIndexAndFooter(inputEnd, check);
    if (ended != XZ_OK) return ended;
    // Padding comes in fours.
    while (inputEnd - at >= 4 && load<u32>(at) == 0) at += 4;
  } while (at < inputEnd);
  return to == outputEnd ? XZ_OK : to > outputEnd ? XZ_TOO_LONG : XZ_TOO_SHORT;
}
