/**
 * CRC-32 (IEEE 802.3) and CRC-64 (ECMA-182), both reflected, eight bytes a step: table k holds the CRC of a byte followed
 * by k zero bytes.
 *
 * Long inputs of CRC-32 are shortened first, without tables. Modulo the CRC's polynomial x^300 = x^155 + x^117 + x^89 + 1, and
 * since squaring keeps such an equation true, y^300 = y^155 + y^117 + y^89 + 1 for y = x^128 too. So 16 bytes that have at least
 * 300 times as many behind them may be dropped when they are added to those 145, 183, 211 and 300 places further on, and the
 * last 4800 bytes, so changed, have the CRC of all of them. (The exponents are the first of their kind that a search finds.)
 */

const CRC32_POLYNOMIAL: u32 = 0xedb88320;
const CRC64_POLYNOMIAL: u64 = 0xc96c5795d7870f42;
/** 300 places of 16 bytes, and how many bytes are taken before they are moved back. */
const FOLDED_BYTES = 300 * 16;
const BLOCK_BYTES = 16384;
const FOLDED = memory.data(FOLDED_BYTES + BLOCK_BYTES, 16);

const TABLES = 8;
const CRC32_TABLES = memory.data(TABLES * 256 * 4);
const CRC64_TABLES = memory.data(TABLES * 256 * 8);
let tablesMade = false;

function makeTables(): void {
  tablesMade = true;
  for (let byte: usize = 0; byte < 256; byte += 1) {
    let short = <u32>byte;
    let long = <u64>byte;
    for (let bit = 0; bit < 8; bit += 1) {
      short = (short >> 1) ^ (short & 1 ? CRC32_POLYNOMIAL : 0);
      long = (long >> 1) ^ (long & 1 ? CRC64_POLYNOMIAL : 0);
    }
    store<u32>(CRC32_TABLES + byte * 4, short);
    store<u64>(CRC64_TABLES + byte * 8, long);
  }
  for (let entry: usize = 256; entry < <usize>(TABLES * 256); entry += 1) {
    const short = load<u32>(CRC32_TABLES + (entry - 256) * 4);
    const long = load<u64>(CRC64_TABLES + (entry - 256) * 8);
    store<u32>(CRC32_TABLES + entry * 4, (short >> 8) ^ load<u32>(CRC32_TABLES + <usize>(short & 0xff) * 4));
    store<u64>(CRC64_TABLES + entry * 8, (long >> 8) ^ load<u64>(CRC64_TABLES + <usize>(long & 0xff) * 8));
  }
}

@inline
function step32(byte: u64, table: usize): u32 {
  return load<u32>(CRC32_TABLES + table * 1024 + <usize>(byte & 0xff) * 4);
}

@inline
function step64(byte: u64, table: usize): u64 {
  return load<u64>(CRC64_TABLES + table * 2048 + <usize>(byte & 0xff) * 8);
}

export function crc32(from: usize, bytes: usize): u32 {
  return moreCrc32(0, from, bytes);
}

/** The CRC of bytes whose first part has the CRC given. */
export function moreCrc32(before: u32, from: usize, bytes: usize): u32 {
  if (!tablesMade) makeTables();
  if (bytes < 2 * FOLDED_BYTES) return ~stepsOfCrc32(~before, from, bytes);
  const short = bytes % 16;
  fold(~before, from, bytes - short);
  return ~stepsOfCrc32(stepsOfCrc32(0, FOLDED, FOLDED_BYTES), from + bytes - short, short);
}

/** Leaves at FOLDED what has, after nothing, the CRC that these bytes have after `before`. They are a multiple of 16, and more. */
function fold(before: u32, from: usize, bytes: usize): void {
  // Sums of the 300 places before the one in turn; what the first of them holds is added to the first 16 bytes only.
  memory.fill(FOLDED, 0, FOLDED_BYTES);
  store<u32>(FOLDED, before);
  const end = from + bytes - FOLDED_BYTES;
  while (from < end) {
    const length = min<usize>(BLOCK_BYTES, end - from);
    for (let at = FOLDED; at < FOLDED + length; at += 16) {
      v128.store(at, foldedInto(at, v128.load(from)), FOLDED_BYTES);
      from += 16;
    }
    memory.copy(FOLDED, FOLDED + length, FOLDED_BYTES);
  }
  // The last ones are not dropped, so that nothing of them is added to those behind.
  memory.fill(FOLDED + FOLDED_BYTES, 0, FOLDED_BYTES);
  for (let at = FOLDED; at < FOLDED + FOLDED_BYTES; at += 16) {
    v128.store(at, foldedInto(at, v128.load(from)));
    from += 16;
  }
}

/** 16 bytes and what was dropped 145, 183, 211 and 300 places before. */
@inline
function foldedInto(at: usize, bytes: v128): v128 {
  const near = v128.xor(v128.load(at, 155 * 16), v128.load(at, 117 * 16));
  const far = v128.xor(v128.load(at, 89 * 16), v128.load(at));
  return v128.xor(bytes, v128.xor(near, far));
}

/** The register of the CRC, which is its complement, after these bytes. */
function stepsOfCrc32(crc: u32, from: usize, bytes: usize): u32 {
  const end = from + bytes;
  while (end - from >= 8) {
    const word = load<u64>(from) ^ (<u64>crc);
    crc =
      step32(word, 7) ^
      step32(word >> 8, 6) ^
      step32(word >> 16, 5) ^
      step32(word >> 24, 4) ^
      step32(word >> 32, 3) ^
      step32(word >> 40, 2) ^
      step32(word >> 48, 1) ^
      step32(word >> 56, 0);
    from += 8;
  }
  for (; from < end; from += 1) crc = (crc >> 8) ^ step32(<u64>(crc ^ load<u8>(from)), 0);
  return crc;
}

export function crc64(from: usize, bytes: usize): u64 {
  return moreCrc64(0, from, bytes);
}

/** The CRC of bytes whose first part has the CRC given. */
export function moreCrc64(before: u64, from: usize, bytes: usize): u64 {
  if (!tablesMade) makeTables();
  const end = from + bytes;
  let crc: u64 = ~before;
  while (end - from >= 8) {
    const word = load<u64>(from) ^ crc;
    crc =
      step64(word, 7) ^
      step64(word >> 8, 6) ^
      step64(word >> 16, 5) ^
      step64(word >> 24, 4) ^
      step64(word >> 32, 3) ^
      step64(word >> 40, 2) ^
      step64(word >> 48, 1) ^
      step64(word >> 56, 0);
    from += 8;
  }
  for (; from < end; from += 1) crc = (crc >> 8) ^ step64(crc ^ (<u64>load<u8>(from)), 0);
  return ~crc;
}
