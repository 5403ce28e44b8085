/**
 * CRC-32 (IEEE 802.3, reflected) of chunks and map pages. Four table look-ups a word: table k holds the CRC of a byte followed
 * by k zero bytes. Long inputs are taken in blocks of four lanes that do not wait for each other; the CRC is linear, so a lane's
 * is what came before it, carried over as many zeros, and the lane's own.
 */

const POLYNOMIAL = 0xedb88320;
const LANE_WORDS = 4096;

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

/** Table k: what a CRC that is a byte at place k, and else zero, becomes over a lane of zeros. */
const LANE_TABLES = ((): Int32Array => {
  const tables = new Int32Array(4 * 256);
  for (let place = 0; place < 4; place += 1) {
    for (let bit = 1; bit < 256; bit *= 2) {
      let value = bit << (8 * place);
      for (let word = 0; word < LANE_WORDS; word += 1) value = step(value);
      for (let lower = 0; lower < bit; lower += 1) tables[place * 256 + bit + lower] = value ^ (tables[place * 256 + lower] ?? 0);
    }
  }
  return tables;
})();

/** The CRC over four bytes, which are in `mixed` already. */
function step(mixed: number): number {
  return (
    (TABLES[768 + (mixed & 0xff)] ?? 0) ^
    (TABLES[512 + ((mixed >>> 8) & 0xff)] ?? 0) ^
    (TABLES[256 + ((mixed >>> 16) & 0xff)] ?? 0) ^
    (TABLES[mixed >>> 24] ?? 0)
  );
}

function overLane(value: number): number {
  return (
    (LANE_TABLES[value & 0xff] ?? 0) ^
    (LANE_TABLES[256 + ((value >>> 8) & 0xff)] ?? 0) ^
    (LANE_TABLES[512 + ((value >>> 16) & 0xff)] ?? 0) ^
    (LANE_TABLES[768 + (value >>> 24)] ?? 0)
  );
}

/** As `crc32` below does it, or faster. */
export type Crc32 = (bytes: Uint8Array) => number;

/** The CRC as an unsigned 32-bit number; "123456789" gives 0xcbf43926. */
export function crc32(bytes: Uint8Array): number {
  let value = -1;
  let at = 0;
  if (bytes.byteOffset % 4 === 0) {
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
    let next = 0;
    for (; next + 4 * LANE_WORDS <= words.length; next += 4 * LANE_WORDS) value = fourLanes(words, next, value);
    for (; next < words.length; next += 1) value = step(value ^ (words[next] ?? 0));
    at = words.length * 4;
  }
  for (; at < bytes.length; at += 1) value = (value >>> 8) ^ (TABLES[(value ^ (bytes[at] ?? 0)) & 0xff] ?? 0);
  return (value ^ -1) >>> 0;
}

function fourLanes(words: Int32Array, from: number, before: number): number {
  let [first, second, third, fourth] = [before, 0, 0, 0];
  for (let n = from; n < from + LANE_WORDS; n += 1) {
    first = step(first ^ (words[n] ?? 0));
    second = step(second ^ (words[n + LANE_WORDS] ?? 0));
    third = step(third ^ (words[n + 2 * LANE_WORDS] ?? 0));
    fourth = step(fourth ^ (words[n + 3 * LANE_WORDS] ?? 0));
  }
  return overLane(overLane(overLane(first) ^ second) ^ third) ^ fourth;
}
