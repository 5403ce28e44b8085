/**
 * LZMA2: chunks, either stored or LZMA. The output buffer is the dictionary: what a match refers to is in it already.
 *
 * A range decoder's state is kept in module variables between symbols and in locals inside the loops that read several bits.
 * Probabilities are u16, 11 bits, for a 0 bit.
 * @see The .xz File Format, 5.3.1 "LZMA2"; LZMA specification
 */
import { XZ_BAD_DATA, XZ_CUT_OFF, XZ_OK, XZ_TOO_LONG } from './status';

const PROBABILITY_ONE: u32 = 2048;
const PROBABILITY_HALF: u16 = 1024;
const MOVE_BITS: u32 = 5;
const TOP: u32 = 1 << 24;

const STATES: usize = 12;
/** States below this come after a literal. */
const LITERAL_STATES: u32 = 7;
const POSITIONS: usize = 16;
const LITERAL_PROBABILITIES: usize = 0x300;
/** LZMA2 allows lc + lp <= 4. */
const LITERAL_CODERS: usize = 16;
const LENGTH_PROBABILITIES: usize = 2 + POSITIONS * 8 * 2 + 256;

// Tables of probabilities, by index of the first.
const IS_MATCH: usize = 0;
const IS_REP: usize = IS_MATCH + STATES * POSITIONS;
const IS_REP_G0: usize = IS_REP + STATES;
const IS_REP_G1: usize = IS_REP_G0 + STATES;
const IS_REP_G2: usize = IS_REP_G1 + STATES;
const IS_REP0_LONG: usize = IS_REP_G2 + STATES;
const DISTANCE_SLOT: usize = IS_REP0_LONG + STATES * POSITIONS;
const DISTANCE_SPECIAL: usize = DISTANCE_SLOT + 4 * 64;
const DISTANCE_ALIGN: usize = DISTANCE_SPECIAL + 1 + 128 - 14;
const MATCH_LENGTH: usize = DISTANCE_ALIGN + 16;
const REP_LENGTH: usize = MATCH_LENGTH + LENGTH_PROBABILITIES;
const LITERAL: usize = REP_LENGTH + LENGTH_PROBABILITIES;
const PROBABILITIES: usize = LITERAL + LITERAL_CODERS * LITERAL_PROBABILITIES;
const TABLE = memory.data(<i32>PROBABILITIES * 2, 16);

// In a table of lengths.
const LENGTH_CHOICE: usize = 0;
const LENGTH_CHOICE2: usize = 2;
const LENGTH_LOW: usize = 4;
const LENGTH_MID: usize = LENGTH_LOW + POSITIONS * 8 * 2;
const LENGTH_HIGH: usize = LENGTH_MID + POSITIONS * 8 * 2;

// Range decoder.
let range: u32 = 0;
let code: u32 = 0;
let source: usize = 0;

// LZMA state, kept from chunk to chunk.
let state: u32 = 0;
let rep0: u32 = 0;
let rep1: u32 = 0;
let rep2: u32 = 0;
let rep3: u32 = 0;
let literalContextBits: u32 = 0;
let literalPositionMask: u32 = 0;
let positionMask: u32 = 0;

/** Where decodeLzma2 has stopped reading, and writing. */
export let lzma2InputEnd: usize = 0;
export let lzma2OutputEnd: usize = 0;

@inline
function bit(probability: usize): u32 {
  if (range < TOP) {
    range <<= 8;
    code = (code << 8) | load<u8>(source);
    source += 1;
  }
  const chance = <u32>load<u16>(probability);
  const bound = (range >> 11) * chance;
  if (code < bound) {
    range = bound;
    store<u16>(probability, <u16>(chance + ((PROBABILITY_ONE - chance) >> MOVE_BITS)));
    return 0;
  }
  range -= bound;
  code -= bound;
  store<u16>(probability, <u16>(chance - (chance >> MOVE_BITS)));
  return 1;
}

/** Reads a number, highest bit first, until `symbol` (from 1 on) has reached `limit`. */
function tree(table: usize, limit: u32): u32 {
  let width = range;
  let value = code;
  let from = source;
  let symbol: u32 = 1;
  do {
    if (width < TOP) {
      width <<= 8;
      value = (value << 8) | load<u8>(from);
      from += 1;
    }
    const probability = table + ((<usize>symbol) << 1);
    const chance = <u32>load<u16>(probability);
    const bound = (width >> 11) * chance;
    symbol <<= 1;
    if (value < bound) {
      width = bound;
      store<u16>(probability, <u16>(chance + ((PROBABILITY_ONE - chance) >> MOVE_BITS)));
    } else {
      width -= bound;
      value -= bound;
      store<u16>(probability, <u16>(chance - (chance >> MOVE_BITS)));
      symbol |= 1;
    }
  } while (symbol < limit);
  range = width;
  code = value;
  source = from;
  return symbol - limit;
}

/** Reads a number of so many bits, lowest bit first. */
function reverseTree(table: usize, bits: u32): u32 {
  let symbol: usize = 1;
  let value: u32 = 0;
  for (let index: u32 = 0; index < bits; index += 1) {
    const read = bit(table + (symbol << 1));
    symbol = (symbol << 1) | (<usize>read);
    value |= read << index;
  }
  return value;
}

/** Bits without a probability, highest first. */
function directBits(bits: u32): u32 {
  let width = range;
  let value = code;
  let result: u32 = 0;
  for (; bits != 0; bits -= 1) {
    if (width < TOP) {
      width <<= 8;
      value = (value << 8) | load<u8>(source);
      source += 1;
    }
    width >>= 1;
    value -= width;
    // All ones when the subtraction went below zero: the bit is 0.
    const below: u32 = 0 - (value >> 31);
    value += width & below;
    result = (result << 1) + (below + 1);
  }
  range = width;
  code = value;
  return result;
}

/** A literal after a match: the byte at rep0 steers the choice of probabilities as long as it agrees. */
function matchedLiteral(table: usize, expected: u32): u32 {
  let width = range;
  let value = code;
  let from = source;
  let symbol: u32 = 1;
  let agreed: u32 = 0x100;
  expected <<= 1;
  do {
    if (width < TOP) {
      width <<= 8;
      value = (value << 8) | load<u8>(from);
      from += 1;
    }
    const steering = expected & agreed;
    const probability = table + ((<usize>(agreed + steering + symbol)) << 1);
    const chance = <u32>load<u16>(probability);
    const bound = (width >> 11) * chance;
    symbol <<= 1;
    if (value < bound) {
      width = bound;
      store<u16>(probability, <u16>(chance + ((PROBABILITY_ONE - chance) >> MOVE_BITS)));
      agreed &= ~steering;
    } else {
      width -= bound;
      value -= bound;
      store<u16>(probability, <u16>(chance - (chance >> MOVE_BITS)));
      symbol |= 1;
      agreed &= steering;
    }
    expected <<= 1;
  } while (symbol < 0x100);
  range = width;
  code = value;
  source = from;
  return symbol;
}

/** Lengths from 2 to 273. */
function matchLength(table: usize, position: u32): u32 {
  if (bit(table + LENGTH_CHOICE) == 0) return 2 + tree(table + LENGTH_LOW + ((<usize>position) << 4), 8);
  if (bit(table + LENGTH_CHOICE2) == 0) return 10 + tree(table + LENGTH_MID + ((<usize>position) << 4), 8);
  return 18 + tree(table + LENGTH_HIGH, 256);
}

/** Distance less one of a match of this length. */
function matchDistance(length: u32): u32 {
  const kind: usize = length < 6 ? <usize>(length - 2) : 3;
  const slot = tree(TABLE + (DISTANCE_SLOT << 1) + (kind << 7), 64);
  if (slot < 4) return slot;
  const bits = (slot >> 1) - 1;
  const base = (2 | (slot & 1)) << bits;
  if (slot < 14) return base + reverseTree(TABLE + ((DISTANCE_SPECIAL + <usize>(base - slot)) << 1), bits);
  return base + (directBits(bits - 4) << 4) + reverseTree(TABLE + (DISTANCE_ALIGN << 1), 4);
}

/** Copies a match; writes up to 15 bytes beyond it, which later bytes or the slack after the output take. */
@inline
function copyMatch(to: usize, distance: usize, length: usize): void {
  const end = to + length;
  let from = to - distance;
  if (distance >= 16) {
    do {
      v128.store(to, v128.load(from));
      to += 16;
      from += 16;
    } while (to < end);
  } else if (distance == 1) {
    memory.fill(to, load<u8>(from), length);
  } else {
    do {
      store<u8>(to, load<u8>(from));
      to += 1;
      from += 1;
    } while (to < end);
  }
}

/**
 * One LZMA chunk into [to, end); reads up to `inputEnd`. `dictionary` is the first byte a match may reach; positions count
 * from it.
 */
function decodeChunk(inputEnd: usize, to: usize, end: usize, dictionary: usize): i32 {
  while (to < end) {
    // The reads of one symbol may run over the end by a few bytes (there is slack), not more.
    if (source > inputEnd) return XZ_BAD_DATA;
    const position = (<u32>(to - dictionary)) & positionMask;
    const matchTable = TABLE + ((IS_MATCH + ((<usize>state) << 4) + <usize>position) << 1);
    if (bit(matchTable) == 0) {
      const previous: u32 = to > dictionary ? <u32>load<u8>(to - 1) : 0;
      const context =
        (((<u32>(to - dictionary)) & literalPositionMask) << literalContextBits) + (previous >> (8 - literalContextBits));
      const table = TABLE + ((LITERAL + <usize>context * LITERAL_PROBABILITIES) << 1);
      if (state < LITERAL_STATES) {
        store<u8>(to, <u8>tree(table, 0x100));
      } else {
        // A match came before, so rep0 has been checked against the dictionary.
        store<u8>(to, <u8>matchedLiteral(table, load<u8>(to - <usize>rep0 - 1)));
      }
      to += 1;
      state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
      continue;
    }
    let length: u32;
    if (bit(TABLE + ((IS_REP + <usize>state) << 1)) == 0) {
      rep3 = rep2;
      rep2 = rep1;
      rep1 = rep0;
      length = matchLength(TABLE + (MATCH_LENGTH << 1), position);
      rep0 = matchDistance(length);
      state = state < LITERAL_STATES ? 7 : 10;
    } else {
      if (bit(TABLE + ((IS_REP_G0 + <usize>state) << 1)) == 0) {
        if (bit(TABLE + ((IS_REP0_LONG + ((<usize>state) << 4) + <usize>position) << 1)) == 0) {
          if (<usize>rep0 >= to - dictionary) return XZ_BAD_DATA;
          store<u8>(to, load<u8>(to - <usize>rep0 - 1));
          to += 1;
          state = state < LITERAL_STATES ? 9 : 11;
          continue;
        }
      } else {
        let distance: u32;
        if (bit(TABLE + ((IS_REP_G1 + <usize>state) << 1)) == 0) {
          distance = rep1;
        } else {
          if (bit(TABLE + ((IS_REP_G2 + <usize>state) << 1)) == 0) {
            distance = rep2;
          } else {
            distance = rep3;
            rep3 = rep2;
          }
          rep2 = rep1;
        }
        rep1 = rep0;
        rep0 = distance;
      }
      length = matchLength(TABLE + (REP_LENGTH << 1), position);
      state = state < LITERAL_STATES ? 8 : 11;
    }
    // This refuses the end marker too (a distance of all ones), which LZMA2 does not have.
    if (<usize>rep0 >= to - dictionary || <usize>length > end - to) return XZ_BAD_DATA;
    copyMatch(to, <usize>rep0 + 1, <usize>length);
    to += <usize>length;
  }
  if (range < TOP) {
    range <<= 8;
    code = (code << 8) | load<u8>(source);
    source += 1;
  }
  return source == inputEnd && code == 0 ? XZ_OK : XZ_BAD_DATA;
}

function resetState(): void {
  state = 0;
  rep0 = 0;
  rep1 = 0;
  rep2 = 0;
  rep3 = 0;
  for (let index: usize = 0; index < PROBABILITIES; index += 1) store<u16>(TABLE + (index << 1), PROBABILITY_HALF);
}

/** @return false when the byte stands for no combination LZMA2 allows */
function setProperties(byte: u32): bool {
  if (byte >= 9 * 5 * 5) return false;
  const contextBits = byte % 9;
  const positionBits = (byte / 9) % 5;
  if (contextBits + positionBits > 4) return false;
  literalContextBits = contextBits;
  literalPositionMask = (1 << positionBits) - 1;
  positionMask = (1 << (byte / 45)) - 1;
  return true;
}

@inline
function bigEndian16(at: usize): u32 {
  return ((<u32>load<u8>(at)) << 8) | (<u32>load<u8>(at, 1));
}

// What the chunks of one block have in common.
let dictionary: usize = 0;
let needDictionaryReset = true;
let needProperties = true;

/** A block begins: its first chunk must say everything. */
export function startLzma2(): void {
  needDictionaryReset = true;
  needProperties = true;
}

/**
 * The output has been moved down by `bytes`, a multiple of 16, so that the oldest byte kept lies at `start`. What a position counts
 * from keeps its lowest four bits, which is all that literals and matches look at.
 */
export function slideLzma2(bytes: usize, start: usize): void {
  dictionary = dictionary < start + bytes ? start + ((dictionary - start) & 15) : dictionary - bytes;
}

/**
 * Decodes the chunk at `from`, which is not the end mark, to `to`. Sets lzma2InputEnd and lzma2OutputEnd behind it. Both buffers
 * have SLACK_BYTES behind them.
 */
export function decodeLzma2Chunk(from: usize, inputEnd: usize, to: usize, outputEnd: usize): i32 {
  const control = <u32>load<u8>(from);
  from += 1;
  if (control >= 0xe0 || control == 1) {
    needDictionaryReset = false;
    needProperties = true;
    dictionary = to;
  } else if (needDictionaryReset) {
    return XZ_BAD_DATA;
  }
  if (control < 0x80) {
    if (control > 2) return XZ_BAD_DATA;
    if (inputEnd - from < 2) return XZ_CUT_OFF;
    const bytes = <usize>bigEndian16(from) + 1;
    from += 2;
    if (bytes > inputEnd - from) return XZ_CUT_OFF;
    if (bytes > outputEnd - to) return XZ_TOO_LONG;
    memory.copy(to, from, bytes);
    lzma2InputEnd = from + bytes;
    lzma2OutputEnd = to + bytes;
    return XZ_OK;
  }
  if (inputEnd - from < 5) return XZ_CUT_OFF;
  const unpacked = <usize>(((control & 0x1f) << 16) + bigEndian16(from)) + 1;
  const packed = <usize>bigEndian16(from + 2) + 1;
  from += 4;
  if (control >= 0xc0) {
    if (!setProperties(load<u8>(from))) return XZ_BAD_DATA;
    from += 1;
    needProperties = false;
  } else if (needProperties) {
    return XZ_BAD_DATA;
  }
  if (control >= 0xa0) resetState();
  if (packed > inputEnd - from) return XZ_CUT_OFF;
  if (unpacked > outputEnd - to) return XZ_TOO_LONG;
  // The first of five bytes of the range decoder's start is always zero.
  if (packed < 5 || load<u8>(from) != 0) return XZ_BAD_DATA;
  range = ~0;
  code = bswap<u32>(load<u32>(from, 1));
  source = from + 5;
  lzma2InputEnd = from + packed;
  lzma2OutputEnd = to + unpacked;
  return decodeChunk(lzma2InputEnd, to, lzma2OutputEnd, dictionary);
}

/**
 * Decodes chunks up to the end mark. Sets lzma2InputEnd behind the mark and lzma2OutputEnd behind the last byte made.
 * Both buffers have SLACK_BYTES behind them.
 */
export function decodeLzma2(from: usize, inputEnd: usize, output: usize, outputEnd: usize): i32 {
  startLzma2();
  lzma2OutputEnd = output;
  while (from < inputEnd) {
    if (load<u8>(from) == 0) {
      lzma2InputEnd = from + 1;
      return XZ_OK;
    }
    const status = decodeLzma2Chunk(from, inputEnd, lzma2OutputEnd, outputEnd);
    if (status != XZ_OK) return status;
    from = lzma2InputEnd;
  }
  return XZ_CUT_OFF;
}
