/**
 * Deflate, as it comes. The only state of the reader is the number of the next bit: 57 bits or more are loaded at it for each
 * symbol, which at most takes 48 with the distance and the extra bits of both. So the input may end anywhere: a symbol or a header
 * that reaches over the end is not taken, and is decoded again when there is more. The output is the window of 32 KiB as well.
 * @see RFC 1951
 */
import { copyVectors, makeLanes, repeatVectors, VECTOR_BYTES } from './copy';
import { INFLATE_BAD_DATA, INFLATE_ENDED, INFLATE_NEEDS_INPUT, INFLATE_NEEDS_ROOM } from './status';

const BITS_MAX: u32 = 15;
const MATCH_MAX: usize = 258;
const LITERALS_MAX: u32 = 286;
const DISTANCES_MAX: u32 = 30;
const END_OF_BLOCK: u32 = 256;
const FIRST_LENGTH: u32 = 257;
const LENGTH_KINDS: u32 = 29;

/** By the next bits of the input: symbol * 16 + length of its code; 0 where no code begins so. */
const LITERAL_TABLE = memory.data(2 << 15, 16);
const DISTANCE_TABLE = memory.data(2 << 15, 16);
/** Of the code in which a block's code lengths are written; used between blocks only. */
const LENGTHS_TABLE = DISTANCE_TABLE;
/** Code lengths of a block by symbol, literals first. */
const LENGTHS = memory.data(320, 16);
const COUNTS = memory.data(64, 16);
const NEXT_CODES = memory.data(64, 16);

// By kind of length or distance: the least of that kind, and how many bits are added to it.
const LENGTH_BASE = memory.data<u16>([
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
]);
const LENGTH_EXTRA = memory.data<u8>([0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0]);
const DISTANCE_BASE = memory.data<u16>([
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289,
  16385, 24577,
]);
const DISTANCE_EXTRA = memory.data<u8>([
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
]);
/** Order in which the lengths of the code for code lengths are written. */
const LENGTH_ORDER = memory.data<u8>([16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]);

// What comes next.
const HEADER = 0;
const STORED = 1;
const SYMBOLS = 2;
const NOTHING = 3;

/** Inside this module: on to what comes next. */
const GO_ON = -1;
const BAD_TABLE: u32 = 0xff;

let next = HEADER;
let isLast = false;
let storedLeft: usize = 0;
let literalBits: u32 = 0;
let distanceBits: u32 = 0;
/** The tables are those of fixed codes. */
let isFixed = false;

/** First bit of the input that is not taken, counted from the input's start. */
export let inflateBit: usize = 0;
/** Where the bytes made end. */
export let inflateOutputEnd: usize = 0;

export function startInflate(): void {
  makeLanes();
  next = HEADER;
}

@inline
function peek(input: usize, bit: usize): u64 {
  return load<u64>(input + (bit >> 3)) >> (<u64>(bit & 7));
}

@inline
function low(bits: u64, count: u32): u32 {
  return (<u32>bits) & ((1 << count) - 1);
}

@inline
function look(table: usize, bits: u64, count: u32): u32 {
  return load<u16>(table + ((<usize>low(bits, count)) << 1));
}

/**
 * A table for codes of these lengths, as many bits wide as the longest.
 * @return that width, BAD_TABLE when the lengths make no code. A code may be incomplete only with nothing or one symbol of one bit in it
 */
function makeTable(table: usize, lengths: usize, symbols: u32, mayBeIncomplete: bool): u32 {
  memory.fill(COUNTS, 0, 64);
  for (let symbol: u32 = 0; symbol < symbols; symbol += 1) {
    const counter = COUNTS + ((<usize>load<u8>(lengths + symbol)) << 2);
    store<u32>(counter, load<u32>(counter) + 1);
  }
  let width: u32 = 0;
  let left: i32 = 1;
  let code: u32 = 0;
  for (let length: u32 = 1; length <= BITS_MAX; length += 1) {
    const count = load<u32>(COUNTS + (length << 2));
    if (count > 0) width = length;
    left = (left << 1) - <i32>count;
    if (left < 0) return BAD_TABLE;
    store<u32>(NEXT_CODES + (length << 2), code);
    code = (code + count) << 1;
  }
  if (left > 0 && !(mayBeIncomplete && width < 2)) return BAD_TABLE;
  width = max(width, 1);
  if (left > 0) memory.fill(table, 0, 2 << width);
  const end = table + (2 << width);
  for (let symbol: u32 = 0; symbol < symbols; symbol += 1) {
    const length = <u32>load<u8>(lengths + symbol);
    if (length == 0) continue;
    const place = NEXT_CODES + (length << 2);
    const own = load<u32>(place);
    store<u32>(place, own + 1);
    // The first bit of a code is its highest, and comes first.
    let reversed: u32 = 0;
    for (let bit: u32 = 0; bit < length; bit += 1) reversed |= ((own >> bit) & 1) << (length - 1 - bit);
    const step = 2 << length;
    for (let entry = table + (reversed << 1); entry < end; entry += step) store<u16>(entry, <u16>((symbol << 4) | length));
  }
  return width;
}

function useFixedCodes(): void {
  next = SYMBOLS;
  if (isFixed) return;
  isFixed = true;
  for (let symbol: usize = 0; symbol < 288; symbol += 1)
    store<u8>(LENGTHS + symbol, symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8);
  literalBits = makeTable(LITERAL_TABLE, LENGTHS, 288, false);
  memory.fill(LENGTHS, 5, 32);
  distanceBits = makeTable(DISTANCE_TABLE, LENGTHS, 32, false);
}

/** @param bit behind the block's kind */
function readDynamicCodes(input: usize, bits: usize, bit: usize): i32 {
  isFixed = false;
  let held = peek(input, bit);
  const literals = low(held, 5) + 257;
  const distances = low(held >> 5, 5) + 1;
  const codes = low(held >> 10, 4) + 4;
  bit += 14;
  if (bit > bits) return INFLATE_NEEDS_INPUT;
  if (literals > LITERALS_MAX || distances > DISTANCES_MAX) return INFLATE_BAD_DATA;
  memory.fill(LENGTHS, 0, 19);
  for (let code: usize = 0; code < <usize>codes; code += 1) {
    store<u8>(LENGTHS + load<u8>(LENGTH_ORDER + code), <u8>(peek(input, bit) & 7));
    bit += 3;
  }
  if (bit > bits) return INFLATE_NEEDS_INPUT;
  const width = makeTable(LENGTHS_TABLE, LENGTHS, 19, false);
  if (width == BAD_TABLE) return INFLATE_BAD_DATA;
  const all = literals + distances;
  for (let at: u32 = 0; at < all;) {
    held = peek(input, bit);
    const entry = look(LENGTHS_TABLE, held, width);
    bit += entry & 15;
    held >>= <u64>(entry & 15);
    const symbol = entry >> 4;
    let value = symbol;
    let count: u32 = 1;
    if (symbol >= 16) {
      const extra: u32 = symbol == 16 ? 2 : symbol == 17 ? 3 : 7;
      count = (symbol == 18 ? 11 : 3) + low(held, extra);
      bit += extra;
    }
    if (bit > bits) return INFLATE_NEEDS_INPUT;
    if (symbol == 16 && at == 0) return INFLATE_BAD_DATA;
    if (symbol >= 16) value = symbol == 16 ? load<u8>(LENGTHS + at - 1) : 0;
    if (at + count > all) return INFLATE_BAD_DATA;
    memory.fill(LENGTHS + at, <u8>value, count);
    at += count;
  }
  if (load<u8>(LENGTHS + END_OF_BLOCK) == 0) return INFLATE_BAD_DATA;
  literalBits = makeTable(LITERAL_TABLE, LENGTHS, literals, true);
  distanceBits = makeTable(DISTANCE_TABLE, LENGTHS + literals, distances, true);
  if (literalBits == BAD_TABLE || distanceBits == BAD_TABLE) return INFLATE_BAD_DATA;
  inflateBit = bit;
  next = SYMBOLS;
  return GO_ON;
}

function readHeader(input: usize, bits: usize): i32 {
  let bit = inflateBit;
  const held = low(peek(input, bit), 3);
  bit += 3;
  if (bit > bits) return INFLATE_NEEDS_INPUT;
  const kind = held >> 1;
  if (kind == 0) {
    bit = (bit + 7) & ~7;
    const word = <u32>peek(input, bit);
    bit += 32;
    if (bit > bits) return INFLATE_NEEDS_INPUT;
    if ((word & 0xffff) != ~word >> 16) return INFLATE_BAD_DATA;
    storedLeft = word & 0xffff;
    next = STORED;
    inflateBit = bit;
  } else if (kind == 1) {
    useFixedCodes();
    inflateBit = bit;
  } else {
    if (kind == 3) return INFLATE_BAD_DATA;
    const status = readDynamicCodes(input, bits, bit);
    if (status != GO_ON) return status;
  }
  isLast = (held & 1) != 0;
  return GO_ON;
}

function copyStored(input: usize, bits: usize, outputEnd: usize): i32 {
  const bytes = min(storedLeft, min((bits - inflateBit) >> 3, outputEnd - inflateOutputEnd));
  memory.copy(inflateOutputEnd, input + (inflateBit >> 3), bytes);
  inflateOutputEnd += bytes;
  inflateBit += bytes << 3;
  storedLeft -= bytes;
  if (storedLeft > 0) return inflateOutputEnd == outputEnd ? INFLATE_NEEDS_ROOM : INFLATE_NEEDS_INPUT;
  next = isLast ? NOTHING : HEADER;
  return GO_ON;
}

/** Up to the block's end. */
function expandSymbols(input: usize, bits: usize, windowAt: usize, outputEnd: usize): i32 {
  const literalWidth = literalBits;
  const distanceWidth = distanceBits;
  let bit = inflateBit;
  let to = inflateOutputEnd;
  let status = INFLATE_NEEDS_INPUT;
  for (;;) {
    if (to + MATCH_MAX > outputEnd) {
      status = INFLATE_NEEDS_ROOM;
      break;
    }
    let held = peek(input, bit);
    const entry = look(LITERAL_TABLE, held, literalWidth);
    const symbol = entry >> 4;
    let behind = bit + (entry & 15);
    if (symbol < END_OF_BLOCK && entry != 0) {
      if (behind > bits) break;
      store<u8>(to, <u8>symbol);
      to += 1;
      bit = behind;
      continue;
    }
    if (symbol == END_OF_BLOCK) {
      if (behind > bits) break;
      bit = behind;
      next = isLast ? NOTHING : HEADER;
      status = GO_ON;
      break;
    }
    const kind = symbol - FIRST_LENGTH;
    if (entry == 0 || kind >= LENGTH_KINDS) {
      // Bits behind the end may look like a code that there is not.
      if (bit + literalWidth <= bits) status = INFLATE_BAD_DATA;
      break;
    }
    held >>= <u64>(entry & 15);
    const lengthExtra = <u32>load<u8>(LENGTH_EXTRA + kind);
    const length = <usize>load<u16>(LENGTH_BASE + (kind << 1)) + low(held, lengthExtra);
    held >>= <u64>lengthExtra;
    behind += lengthExtra;
    const distanceEntry = look(DISTANCE_TABLE, held, distanceWidth);
    const distanceKind = distanceEntry >> 4;
    if (distanceEntry == 0 || distanceKind >= DISTANCES_MAX) {
      if (behind + distanceWidth <= bits) status = INFLATE_BAD_DATA;
      break;
    }
    held >>= <u64>(distanceEntry & 15);
    const distanceExtra = <u32>load<u8>(DISTANCE_EXTRA + distanceKind);
    const distance = <usize>load<u16>(DISTANCE_BASE + (distanceKind << 1)) + low(held, distanceExtra);
    behind += (distanceEntry & 15) + distanceExtra;
    if (behind > bits) break;
    if (distance > to - windowAt) {
      status = INFLATE_BAD_DATA;
      break;
    }
    if (distance >= VECTOR_BYTES) copyVectors(to, to - distance, length);
    else repeatVectors(to, distance, length);
    to += length;
    bit = behind;
  }
  inflateBit = bit;
  inflateOutputEnd = to;
  return status;
}

/**
 * Goes on with a stream. Sets inflateBit and inflateOutputEnd, also when it needs more.
 * @param input has SLACK_BYTES behind it
 * @param bit the first that is not taken yet, of the input's first byte
 * @param windowAt first byte of what was made before and is still there: 32 KiB, or all
 * @param outputEnd has SLACK_BYTES behind it; 258 bytes of room or more lie before it
 * @return INFLATE_...
 */
export function inflateMore(input: usize, inputEnd: usize, bit: usize, windowAt: usize, to: usize, outputEnd: usize): i32 {
  const bits = (inputEnd - input) << 3;
  inflateBit = bit;
  inflateOutputEnd = to;
  let status = GO_ON;
  while (status == GO_ON) {
    if (next == HEADER) status = readHeader(input, bits);
    else if (next == STORED) status = copyStored(input, bits, outputEnd);
    else if (next == SYMBOLS) status = expandSymbols(input, bits, windowAt, outputEnd);
    else status = INFLATE_ENDED;
  }
  return status;
}
