/** Bits of a bitmap block, the lowest of each byte first. */

export function getBit(bytes: Uint8Array, bit: number): boolean {
  return ((bytes[bit >>> 3] ?? 0) & (1 << (bit & 7))) !== 0;
}
export function setBit(bytes: Uint8Array, bit: number): void {
  bytes[bit >>> 3] = (bytes[bit >>> 3] ?? 0) | (1 << (bit & 7));
}
export function clearBit(bytes: Uint8Array, bit: number): void {
  bytes[bit >>> 3] = (bytes[bit >>> 3] ?? 0) & ~(1 << (bit & 7));
}

/** The first clear bit in [from, end), or `end`. */
export function nextClear(bytes: Uint8Array, from: number, end: number): number {
  let bit = from;
  while (bit < end) {
    if ((bit & 7) === 0 && bytes[bit >>> 3] === 0xff) bit += 8;
    else if (getBit(bytes, bit)) bit += 1;
    else return bit;
  }
  return end;
}

/** The first set bit in [from, end), or `end`. */
export function nextSet(bytes: Uint8Array, from: number, end: number): number {
  let bit = from;
  while (bit < end) {
    if ((bit & 7) === 0 && bytes[bit >>> 3] === 0) bit += 8;
    else if (!getBit(bytes, bit)) bit += 1;
    else return bit;
  }
  return end;
}

/** Set bits in [0, end). */
export function countSet(bytes: Uint8Array, end: number): number {
  let count = 0;
  for (let bit = nextSet(bytes, 0, end); bit < end;) {
    const after = nextClear(bytes, bit, end);
    count += after - bit;
    bit = nextSet(bytes, after, end);
  }
  return count;
}
