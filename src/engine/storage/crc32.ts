/**
 * CRC-32 (IEEE 802.3, reflected) of chunks and map pages. Four table look-ups a word: table k holds the CRC of a byte followed
 * by k zero bytes.
 */

const POLYNOMIAL = 0xedb88320;

const TABLES = ((): Int32Array => {
  const tables = new Int32Array(4 * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    let value = byte;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
    tables[byte] = value;
  }
  for (let entry = 256; entry < tables.length; entry += 1) {
    const shorter = tables[entry - 256] ?? 0;
    tables[entry] = (shorter >>> 8) ^ (tables[shorter & 0xff] ?? 0);
  }
  return tables;
})();

/** The CRC as an unsigned 32-bit number; "123456789" gives 0xcbf43926. */
export function crc32(bytes: Uint8Array): number {
  const tables = TABLES;
  let value = -1;
  let at = 0;
  if (bytes.byteOffset % 4 === 0) {
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
    for (let n = 0; n < words.length; n += 1) {
      const mixed = value ^ (words[n] ?? 0);
      value =
        (tables[768 + (mixed & 0xff)] ?? 0) ^
        (tables[512 + ((mixed >>> 8) & 0xff)] ?? 0) ^
        (tables[256 + ((mixed >>> 16) & 0xff)] ?? 0) ^
        (tables[mixed >>> 24] ?? 0);
    }
    at = words.length * 4;
  }
  for (; at < bytes.length; at += 1) value = (value >>> 8) ^ (tables[(value ^ (bytes[at] ?? 0)) & 0xff] ?? 0);
  return (value ^ -1) >>> 0;
}
