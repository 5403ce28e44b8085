/**
 * Integer arithmetic twice as wide as Wasm's: products, quotients and roots of 128 bits out of 64-bit words.
 * A function returns one word and leaves the other in a variable of this module; every vCPU has its own instance of the
 * module, so these variables are never shared.
 */

/** High and low word of the last 128-bit result. */
export let wideHigh: u64 = 0;
export let wideLow: u64 = 0;

export function setWide(high: u64, low: u64): void {
  wideHigh = high;
  wideLow = low;
}

/** wideHigh:wideLow = a * b */
export function multiplyWide(a: u64, b: u64): void {
  const aLow = a & 0xffffffff;
  const aHigh = a >> 32;
  const bLow = b & 0xffffffff;
  const bHigh = b >> 32;
  const low = aLow * bLow;
  const first = aHigh * bLow + (low >> 32);
  const second = aLow * bHigh + (first & 0xffffffff);
  wideHigh = aHigh * bHigh + (first >> 32) + (second >> 32);
  wideLow = (second << 32) | (low & 0xffffffff);
}

/** One 32-bit digit of a quotient: (remainder * 2^32 + digit) / divisor, where remainder < divisor and divisor >= 2^63. */
function quotientDigit(remainder: u64, digit: u64, divisor: u64): u64 {
  const top = divisor >> 32;
  const bottom = divisor & 0xffffffff;
  let quotient = remainder / top;
  let rest = remainder - quotient * top;
  while (quotient > 0xffffffff || quotient * bottom > ((rest << 32) | digit)) {
    quotient--;
    rest += top;
    if (rest > 0xffffffff) break;
  }
  return quotient;
}

/** Returns (high:low) / divisor and leaves the remainder in wideLow. Needs high < divisor and divisor >= 2^63. */
export function divideWide(high: u64, low: u64, divisor: u64): u64 {
  const first = quotientDigit(high, low >> 32, divisor);
  const rest = ((high << 32) | (low >> 32)) - first * divisor;
  const second = quotientDigit(rest, low & 0xffffffff, divisor);
  wideLow = ((rest << 32) | (low & 0xffffffff)) - second * divisor;
  return (first << 32) | second;
}

/**
 * Returns floor(sqrt(high:low)) and leaves the remainder, up to 65 bits, in wideHigh:wideLow. Needs high >= 2^62.
 * A 53-bit estimate and one Newton step are at most one or two off; the exact square settles it.
 */
export function squareRootWide(high: u64, low: u64): u64 {
  const estimate = sqrt<f64>(<f64>high) * 4294967296.0;
  let root: u64 = estimate >= 18446744073709549568.0 ? u64.MAX_VALUE : <u64>estimate;
  const quotient = high < root ? divideWide(high, low, root) : u64.MAX_VALUE;
  // The mean of two 64-bit numbers without the carry.
  root = (root & quotient) + ((root ^ quotient) >> 1);
  for (;;) {
    multiplyWide(root, root);
    if (wideHigh > high || (wideHigh == high && wideLow > low)) {
      root--;
      continue;
    }
    const restLow = low - wideLow;
    const restHigh = high - wideHigh - u64(low < wideLow);
    // The next square is further by 2 * root + 1: the remainder may be 2 * root at most.
    const limitHigh = root >> 63;
    const limitLow = root << 1;
    if (restHigh > limitHigh || (restHigh == limitHigh && restLow > limitLow)) {
      root++;
      continue;
    }
    wideHigh = restHigh;
    wideLow = restLow;
    return root;
  }
}
