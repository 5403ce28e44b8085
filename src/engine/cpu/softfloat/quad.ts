/**
 * Arithmetic with 128 significant bits for the transcendental functions, 64 more than their results keep.
 *
 * A quad is (sign, exponent, high, low): +-(high:low / 2^127) * 2^exponent with the top bit of high set. The accumulator is the
 * exact result of arithmetic.ts, so that `finish` rounds it. A fraction is high:low / 2^128. Both are truncated: an operation is
 * off by a few units of 2^-128. wide.ts tells how results of two words are returned.
 */
import { exactExponent, exactHigh, exactLow, exactSign, setExact } from './arithmetic';
import { divideWide, multiplyWide, setWide, wideHigh, wideLow } from './wide';

/** The last fraction computed. */
export let fractionHigh: u64 = 0;
export let fractionLow: u64 = 0;

/** fraction = a * b */
export function multiplyFractions(aHigh: u64, aLow: u64, bHigh: u64, bLow: u64): void {
  multiplyWide(aLow, bLow);
  let middle = wideHigh;
  let carry: u64 = 0;
  multiplyWide(aHigh, bLow);
  middle += wideLow;
  carry = u64(middle < wideLow) + wideHigh;
  multiplyWide(aLow, bHigh);
  middle += wideLow;
  carry += u64(middle < wideLow);
  const low = carry + wideHigh;
  let high = u64(low < carry);
  multiplyWide(aHigh, bHigh);
  fractionLow = low + wideLow;
  high += u64(fractionLow < low);
  fractionHigh = high + wideHigh;
}

/** One 64-bit digit of (remainder * 2^64) / (divisorHigh:divisorLow); remainder is in wideHigh:wideLow before and after. */
function quotientDigit(divisorHigh: u64, divisorLow: u64): u64 {
  const remainderHigh = wideHigh;
  const remainderLow = wideLow;
  let digit: u64;
  let rest: u64;
  let fits = true;
  if (remainderHigh < divisorHigh) {
    digit = divideWide(remainderHigh, remainderLow, divisorHigh);
    rest = wideLow;
  } else {
    digit = u64.MAX_VALUE;
    rest = remainderLow + divisorHigh;
    fits = rest >= divisorHigh;
  }
  multiplyWide(digit, divisorLow);
  while (fits && (wideHigh > rest || (wideHigh == rest && wideLow > 0))) {
    digit--;
    rest += divisorHigh;
    fits = rest >= divisorHigh;
    multiplyWide(digit, divisorLow);
  }
  setWide(rest - wideHigh - u64(wideLow != 0), 0 - wideLow);
  return digit;
}

/** fraction = a / b, where a < b and b has its top bit set. */
export function divideFractions(aHigh: u64, aLow: u64, bHigh: u64, bLow: u64): void {
  setWide(aHigh, aLow);
  const high = quotientDigit(bHigh, bLow);
  fractionLow = quotientDigit(bHigh, bLow);
  fractionHigh = high;
}

/** fraction = (high:low) >> shift */
export function shiftFraction(high: u64, low: u64, shift: i32): void {
  if (shift >= 128) {
    fractionHigh = 0;
    fractionLow = 0;
  } else if (shift >= 64) {
    fractionHigh = 0;
    fractionLow = high >> (shift - 64);
  } else if (shift > 0) {
    fractionHigh = high >> shift;
    fractionLow = (low >> shift) | (high << (64 - shift));
  } else {
    fractionHigh = high;
    fractionLow = low;
  }
}

/** The accumulator's magnitude, which must be below 1, as a fraction. */
export function fractionOfExact(): void {
  shiftFraction(exactHigh, exactLow, -1 - exactExponent);
}

/** Sets the accumulator to +-(high:low / 2^127) * 2^exponent, whatever its leading zeros; high must not be 0. */
export function setQuad(sign: u32, exponent: i32, high: u64, low: u64): void {
  const shift = clz(high);
  if (shift) {
    high = (high << shift) | (low >> (64 - shift));
    low <<= shift;
  }
  setExact(sign, exponent - <i32>shift, high, low);
}

/** accumulator *= quad */
export function multiplyQuad(sign: u32, exponent: i32, high: u64, low: u64): void {
  multiplyFractions(exactHigh, exactLow, high, low);
  setQuad(exactSign ^ sign, exactExponent + exponent + 1, fractionHigh, fractionLow);
}

/** accumulator /= quad */
export function divideQuad(sign: u32, exponent: i32, high: u64, low: u64): void {
  const below = exactHigh < high || (exactHigh == high && exactLow < low);
  if (below) divideFractions(exactHigh, exactLow, high, low);
  else divideFractions(exactHigh >> 1, (exactLow >> 1) | (exactHigh << 63), high, low);
  setQuad(exactSign ^ sign, exactExponent - exponent - i32(below), fractionHigh, fractionLow);
}

/** accumulator += quad; the sum must not be zero. */
export function addQuad(sign: u32, exponent: i32, high: u64, low: u64): void {
  let bigSign = exactSign;
  let bigExponent = exactExponent;
  let bigHigh = exactHigh;
  let bigLow = exactLow;
  if (exponent > bigExponent || (exponent == bigExponent && (high > bigHigh || (high == bigHigh && low > bigLow)))) {
    bigSign = sign;
    bigExponent = exponent;
    bigHigh = high;
    bigLow = low;
    sign = exactSign;
    exponent = exactExponent;
    high = exactHigh;
    low = exactLow;
  }
  shiftFraction(high, low, bigExponent - exponent);
  if (sign == bigSign) {
    let sumLow = bigLow + fractionLow;
    const carry = u64(sumLow < bigLow);
    let sumHigh = bigHigh + fractionHigh + carry;
    if (sumHigh < bigHigh || (carry && sumHigh == bigHigh)) {
      sumLow = (sumLow >> 1) | (sumHigh << 63);
      sumHigh = (sumHigh >> 1) | 0x8000000000000000;
      bigExponent++;
    }
    setExact(bigSign, bigExponent, sumHigh, sumLow);
    return;
  }
  // What the shift cut off of the smaller number makes the difference smaller: round it up.
  const cut = bigExponent != exponent;
  const lost = cut ? fractionLow + 1 : fractionLow;
  const lostHigh = cut && lost == 0 ? fractionHigh + 1 : fractionHigh;
  const restLow = bigLow - lost;
  const restHigh = bigHigh - lostHigh - u64(bigLow < lost);
  if (restHigh) setQuad(bigSign, bigExponent, restHigh, restLow);
  else setQuad(bigSign, bigExponent - 64, restLow, 0);
}

/**
 * fraction = z * (c0 +- z * (c1 +- z * (c2 +- ...))) for `count` coefficients at `table`, each a fraction of two words, high
 * word first; at least one unit, so that a sum with it lies on the right side of what it is added to.
 */
export function series(table: usize, count: u32, high: u64, low: u64, alternate: bool): void {
  let coefficient = table + ((<usize>count - 1) << 4);
  let sumHigh = load<u64>(coefficient);
  let sumLow = load<u64>(coefficient, 8);
  while (coefficient > table) {
    coefficient -= 16;
    multiplyFractions(high, low, sumHigh, sumLow);
    const nextHigh = load<u64>(coefficient);
    const nextLow = load<u64>(coefficient, 8);
    if (alternate) {
      sumLow = nextLow - fractionLow;
      sumHigh = nextHigh - fractionHigh - u64(nextLow < fractionLow);
    } else {
      sumLow = nextLow + fractionLow;
      sumHigh = nextHigh + fractionHigh + u64(sumLow < nextLow);
    }
  }
  multiplyFractions(high, low, sumHigh, sumLow);
  if ((fractionHigh | fractionLow) == 0) fractionLow = 1;
}

/** accumulator *= 1 - fraction, or 1 + fraction */
export function multiplyByOneMinus(): void {
  const low = 0 - fractionLow;
  const high = 0 - fractionHigh - u64(fractionLow != 0);
  // 1 - fraction is itself a fraction: its top bit weighs 1/2.
  const shift = clz(high);
  multiplyQuad(0, -1 - <i32>shift, shift ? (high << shift) | (low >> (64 - shift)) : high, low << shift);
}

export function multiplyByOnePlus(): void {
  const low = (fractionLow >> 1) | (fractionHigh << 63) | 1;
  multiplyQuad(0, 0, (fractionHigh >> 1) | 0x8000000000000000, low);
}

/** Marks the accumulator as inexact: what follows its bits is not zero. */
export function setSticky(): void {
  setExact(exactSign, exactExponent, exactHigh, exactLow | 1);
}
