/**
 * CRC-32 (IEEE 802.3) and CRC-64 (ECMA-182), both reflected, eight bytes a step: table k holds the CRC of a byte followed
 * by k zero bytes.
 */

const CRC32_POLYNOMIAL: u32 = 0xedb88320;
const CRC64_POLYNOMIAL: u64 = 0xc96c5795d7870f42;
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
  const end = from + bytes;
  let crc: u32 = ~before;
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
  return ~crc;
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
