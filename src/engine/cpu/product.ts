/** High halves of 128-bit products. */

export function unsignedHigh(a: u64, b: u64): u64 {
  const al = a & 0xffffffff;
  const ah = a >> 32;
  const bl = b & 0xffffffff;
  const bh = b >> 32;
  const middle = ah * bl + ((al * bl) >> 32);
  const middle2 = al * bh + (middle & 0xffffffff);
  return ah * bh + (middle >> 32) + (middle2 >> 32);
}

export function signedHigh(a: i64, b: i64): i64 {
  return <i64>unsignedHigh(a, b) - (a < 0 ? b : 0) - (b < 0 ? a : 0);
}
