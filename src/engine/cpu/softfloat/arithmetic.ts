/**
 * Arithmetic of non-zero finite numbers, shared by binary32, binary64 and the x87's extended format.
 *
 * A number is (sign, exponent, significand): significand has its top bit set and stands for significand / 2^63, so the value
 * is +-significand * 2^(exponent - 63). An operation leaves its result, exact or with the last bit of exactLow standing for
 * everything below it ("sticky"), in exactSign, exactExponent, exactHigh:exactLow; `finish` then rounds that into a format.
 */
import {
  INEXACT,
  INVALID,
  MODE_FLUSH_TO_ZERO,
  MODE_OVERFLOW_UNMASKED,
  MODE_ROUNDING,
  MODE_UNDERFLOW_UNMASKED,
  OVERFLOW,
  ROUND_DOWN,
  ROUND_NEAREST,
  ROUND_TO_ZERO,
  ROUND_UP,
  UNDERFLOW,
  raiseFlags,
} from './environment';
import { divideWide, multiplyWide, squareRootWide, wideHigh, wideLow } from './wide';

/** The result before rounding; exactHigh has its top bit set, or the result is zero and exactHigh is 0. */
export let exactSign: u32 = 0;
export let exactExponent: i32 = 0;
export let exactHigh: u64 = 0;
export let exactLow: u64 = 0;

/** The rounded result: its biased exponent field (0 = denormal or zero, all ones = infinity) and left-aligned significand. */
export let roundedField: u32 = 0;
export let roundedHigh: u64 = 0;
/** The last rounding was inexact and increased the magnitude: C1 of the x87. */
export let roundedUp: bool = false;
let inexact: bool = false;

/** Largest exponents of the formats; the smallest normal one is 1 - MAX, the bias is MAX. */
export const MAX_EXPONENT_32: i32 = 127;
export const MAX_EXPONENT_64: i32 = 1023;
export const MAX_EXPONENT_80: i32 = 16383;
/** By how much the exponent of an unmasked overflow or underflow is wrapped in a register (@sdm Vol.1 8.5.4, 8.5.5). */
const WRAP_80: i32 = 24576;

export function setExact(sign: u32, exponent: i32, high: u64, low: u64): void {
  exactSign = sign;
  exactExponent = exponent;
  exactHigh = high;
  exactLow = low;
}

function normalise(): void {
  if (exactHigh == 0) {
    if (exactLow == 0) return;
    exactHigh = exactLow;
    exactLow = 0;
    exactExponent -= 64;
  }
  const shift = clz(exactHigh);
  if (shift == 0) return;
  exactHigh = (exactHigh << shift) | (exactLow >> (64 - shift));
  exactLow <<= shift;
  exactExponent -= <i32>shift;
}

/** Low word of (value:0) >> shift, its last bit set when bits were lost. */
function shiftedLow(value: u64, shift: u32): u64 {
  if (shift == 0) return 0;
  if (shift < 64) return value << (64 - shift);
  if (shift == 64) return value;
  if (shift < 128) return (value >> (shift - 64)) | u64(value << (128 - shift) != 0);
  return u64(value != 0);
}

/** Sum of two numbers; an exact zero leaves exactHigh == 0, its sign is the caller's matter. */
export function addNumbers(aSign: u32, aExponent: i32, a: u64, bSign: u32, bExponent: i32, b: u64): void {
  if (aExponent < bExponent || (aExponent == bExponent && a < b)) {
    const sign = aSign;
    const exponent = aExponent;
    const significand = a;
    aSign = bSign;
    aExponent = bExponent;
    a = b;
    bSign = sign;
    bExponent = exponent;
    b = significand;
  }
  const shift = <u32>(aExponent - bExponent);
  const low = shiftedLow(b, shift);
  const high = shift < 64 ? b >> shift : 0;
  exactSign = aSign;
  exactExponent = aExponent;
  if (aSign == bSign) {
    exactHigh = a + high;
    exactLow = low;
    if (exactHigh < a) {
      exactLow = (exactHigh << 63) | (low >> 1) | (low & 1);
      exactHigh = (exactHigh >> 1) | 0x8000000000000000;
      exactExponent++;
    }
  } else {
    exactLow = 0 - low;
    exactHigh = a - high - u64(low != 0);
    normalise();
  }
}

export function multiplyNumbers(aSign: u32, aExponent: i32, a: u64, bSign: u32, bExponent: i32, b: u64): void {
  multiplyWide(a, b);
  exactSign = aSign ^ bSign;
  exactExponent = aExponent + bExponent + 1;
  exactHigh = wideHigh;
  exactLow = wideLow;
  if (!(exactHigh >> 63)) {
    exactHigh = (exactHigh << 1) | (exactLow >> 63);
    exactLow <<= 1;
    exactExponent--;
  }
}

export function divideNumbers(aSign: u32, aExponent: i32, a: u64, bSign: u32, bExponent: i32, b: u64): void {
  exactSign = aSign ^ bSign;
  exactExponent = aExponent - bExponent;
  if (a >= b) {
    exactHigh = divideWide(a >> 1, a << 63, b);
  } else {
    exactExponent--;
    exactHigh = divideWide(a, 0, b);
  }
  // Less than, equal to or more than half a unit is all that rounding asks about what follows.
  const remainder = wideLow;
  if (remainder == 0) exactLow = 0;
  else if (remainder > b - remainder) exactLow = 0xc000000000000000;
  else exactLow = remainder == b - remainder ? 0x8000000000000000 : 0x4000000000000000;
}

/** Square root of a positive number. */
export function squareRootOfNumber(exponent: i32, significand: u64): void {
  exactSign = 0;
  exactExponent = exponent >> 1;
  exactHigh = exponent & 1 ? squareRootWide(significand, 0) : squareRootWide(significand >> 1, significand << 63);
  // A root is never exactly half way: (q + 1/2)^2 is no integer.
  if (wideHigh == 0 && wideLow == 0) exactLow = 0;
  else exactLow = wideHigh != 0 || wideLow > exactHigh ? 0xc000000000000000 : 0x4000000000000000;
}

/** Whether rounding increases the magnitude; `rest` is the fraction cut off, left-aligned, its low bits sticky. */
function increments(rounding: u32, sign: u32, odd: bool, rest: u64): bool {
  if (rest == 0) return false;
  if (rounding == ROUND_NEAREST) return rest > 0x8000000000000000 || (rest == 0x8000000000000000 && odd);
  if (rounding == ROUND_TO_ZERO) return false;
  return sign ? rounding == ROUND_DOWN : rounding == ROUND_UP;
}

/** Rounds high:low to the first `precision` bits of high. Returns 0 when the increment carried out of the top bit. */
function roundWord(precision: u32, rounding: u32, sign: u32, high: u64, low: u64): u64 {
  let rest = low;
  let unit: u64 = 1;
  if (precision < 64) {
    rest = (high << precision) | u64(low != 0);
    unit <<= 64 - precision;
    high &= 0 - unit;
  }
  roundedUp = increments(rounding, sign, (high & unit) != 0, rest);
  inexact = rest != 0;
  return roundedUp ? high + unit : high;
}
/**
 * Rounds the exact result to `precision` bits in a format with the exponents 1 - maxExponent .. maxExponent, handles overflow
 * and underflow, raises the flags and leaves roundedField, roundedHigh. The sign of the result is exactSign.
 */
export function finish(cpu: usize, precision: u32, maxExponent: i32, mode: u32): void {
  roundedUp = false;
  if (exactHigh == 0) {
    roundedField = 0;
    roundedHigh = 0;
    return;
  }
  const rounding = mode & MODE_ROUNDING;
  let exponent = exactExponent;
  let high = roundWord(precision, rounding, exactSign, exactHigh, exactLow);
  if (high == 0) {
    high = 0x8000000000000000;
    exponent++;
  }
  // Tiny is decided after rounding with an unbounded exponent (@sdm Vol.1 4.9.1.5).
  if (exponent < 1 - maxExponent) {
    finishTiny(cpu, precision, maxExponent, mode, exponent, high);
    return;
  }
  if (exponent > maxExponent) {
    finishHuge(cpu, precision, maxExponent, mode, exponent, high);
    return;
  }
  roundedField = <u32>(exponent + maxExponent);
  roundedHigh = high;
  if (inexact) raiseFlags(cpu, INEXACT);
}

function finishTiny(cpu: usize, precision: u32, maxExponent: i32, mode: u32, exponent: i32, high: u64): void {
  if (mode & MODE_UNDERFLOW_UNMASKED) {
    // Only a register takes this result; FSCALE can leave even the wrapped range: zero then.
    const wraps = maxExponent != MAX_EXPONENT_80 || exponent + WRAP_80 > -MAX_EXPONENT_80;
    roundedField = wraps ? <u32>(exponent + WRAP_80 + maxExponent) : 0;
    roundedHigh = wraps ? high : 0;
    roundedUp = roundedUp && wraps;
    raiseFlags(cpu, inexact || !wraps ? UNDERFLOW | INEXACT : UNDERFLOW);
    return;
  }
  roundedField = 0;
  if (mode & MODE_FLUSH_TO_ZERO) {
    roundedUp = false;
    roundedHigh = 0;
    raiseFlags(cpu, UNDERFLOW | INEXACT);
    return;
  }
  const shift = <u32>min<i32>(1 - maxExponent - exactExponent, 128);
  const low = shiftedLow(exactHigh, shift) | u64(exactLow != 0);
  // Rounding up to the smallest normal number sets the top bit: the field is then 1.
  roundedHigh = roundWord(precision, mode & MODE_ROUNDING, exactSign, shift < 64 ? exactHigh >> shift : 0, low);
  roundedField = <u32>(roundedHigh >> 63);
  if (inexact) raiseFlags(cpu, UNDERFLOW | INEXACT);
}

function finishHuge(cpu: usize, precision: u32, maxExponent: i32, mode: u32, exponent: i32, high: u64): void {
  if (mode & MODE_OVERFLOW_UNMASKED) {
    // As above; infinity beyond the wrapped range.
    const wraps = maxExponent != MAX_EXPONENT_80 || exponent - WRAP_80 <= maxExponent;
    roundedField = <u32>(wraps ? exponent - WRAP_80 + maxExponent : 2 * maxExponent + 1);
    roundedHigh = wraps ? high : 0x8000000000000000;
    roundedUp = roundedUp || !wraps;
    raiseFlags(cpu, inexact || !wraps ? OVERFLOW | INEXACT : OVERFLOW);
    return;
  }
  raiseFlags(cpu, OVERFLOW | INEXACT);
  const rounding = mode & MODE_ROUNDING;
  if (rounding == ROUND_NEAREST || rounding == (exactSign ? ROUND_DOWN : ROUND_UP)) {
    roundedUp = true;
    roundedField = <u32>(2 * maxExponent + 1);
    roundedHigh = 0x8000000000000000;
  } else {
    roundedUp = false;
    roundedField = <u32>(2 * maxExponent);
    roundedHigh = u64.MAX_VALUE << (64 - precision);
  }
}

/**
 * A number as a signed integer of `bits` (16, 32 or 64) bits. Out of range: INVALID and the integer indefinite, the most
 * negative value; otherwise INEXACT when a fraction was lost.
 */
export function toInteger(cpu: usize, sign: u32, exponent: i32, significand: u64, bits: u32, mode: u32): i64 {
  const limit: u64 = ((<u64>1) << (bits - 1)) - 1 + sign;
  roundedUp = false;
  if (exponent < 64) {
    const shift = <u32>min<i32>(63 - exponent, 128);
    const rest = shiftedLow(significand, shift);
    let magnitude = shift < 64 ? significand >> shift : 0;
    const up = increments(mode & MODE_ROUNDING, sign, (magnitude & 1) != 0, rest);
    // magnitude + 1 wraps only where it is beyond every limit: test before adding.
    if (magnitude <= limit && (!up || magnitude < limit)) {
      if (up) magnitude++;
      roundedUp = up;
      if (rest != 0) raiseFlags(cpu, INEXACT);
      return sign ? <i64>(0 - magnitude) : <i64>magnitude;
    }
  }
  raiseFlags(cpu, INVALID);
  return <i64>(0 - ((<u64>1) << (bits - 1)));
}

/**
 * Rounds a number of magnitude below 2^63 to an integral value, left in exactSign, exactExponent, exactHigh (0 for zero).
 * Returns whether it was inexact; raises nothing.
 */
export function toIntegral(sign: u32, exponent: i32, significand: u64, mode: u32): bool {
  const shift = <u32>min<i32>(63 - exponent, 128);
  const rest = shiftedLow(significand, shift);
  const magnitude = shift < 64 ? significand >> shift : 0;
  roundedUp = increments(mode & MODE_ROUNDING, sign, (magnitude & 1) != 0, rest);
  setExact(sign, 63, magnitude + u64(roundedUp), 0);
  normalise();
  return rest != 0;
}

/** A signed integer as the exact result. */
export function fromInteger(value: i64): void {
  setExact(value < 0 ? 1 : 0, 63, value < 0 ? 0 - <u64>value : <u64>value, 0);
  normalise();
}
