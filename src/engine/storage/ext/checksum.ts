/**
 * The two checksums of the format, both without the usual inversions, so that a checksum goes on where another ended:
 * CRC-32C (Castagnoli, reflected) of metadata_csum, and CRC-16 (0x8005, reflected) of the group descriptors of uninit_bg.
 */

function table(polynomial: number): Uint32Array {
  const entries = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte += 1) {
    let value = byte;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ polynomial : value >>> 1;
    entries[byte] = value;
  }
  return entries;
}

/** Table k holds the CRC of a byte followed by k zero bytes: four bytes a step. */
const CRC32C = ((): Int32Array => {
  const tables = new Int32Array(4 * 256);
  tables.set(table(0x82f63b78));
  for (let entry = 256; entry < tables.length; entry += 1) {
    const shorter = tables[entry - 256] ?? 0;
    tables[entry] = (shorter >>> 8) ^ (tables[shorter & 0xff] ?? 0);
  }
  return tables;
})();
const CRC16 = table(0xa001);

/** Starts with ~0; the result is unsigned. */
export function crc32c(seed: number, bytes: Uint8Array, start = 0, end = bytes.length): number {
  const tables = CRC32C;
  let value = seed | 0;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    const word = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
    const mixed = value ^ word;
    value =
      (tables[768 + (mixed & 0xff)] ?? 0) ^
      (tables[512 + ((mixed >>> 8) & 0xff)] ?? 0) ^
      (tables[256 + ((mixed >>> 16) & 0xff)] ?? 0) ^
      (tables[mixed >>> 24] ?? 0);
  }
  for (; at < end; at += 1) value = (value >>> 8) ^ (tables[(value ^ (bytes[at] ?? 0)) & 0xff] ?? 0);
  return value >>> 0;
}

/** Goes on with a number of 32 bits, little-endian. */
export function crc32cOfWord(seed: number, word: number): number {
  const tables = CRC32C;
  let value = seed | 0;
  for (let shift = 0; shift < 32; shift += 8) value = (value >>> 8) ^ (tables[(value ^ (word >>> shift)) & 0xff] ?? 0);
  return value >>> 0;
}

/** Starts with 0xffff. */
export function crc16(seed: number, bytes: Uint8Array, start = 0, end = bytes.length): number {
  let value = seed & 0xffff;
  for (let at = start; at < end; at += 1) value = (value >>> 8) ^ (CRC16[(value ^ (bytes[at] ?? 0)) & 0xff] ?? 0);
  return value;
}
