/**
 * FSIN, FCOS, FSINCOS and FPTAN for |x| < 2^63. The argument is reduced exactly by a pi of 66 bits, as the x87 does
 * (@sdm Vol.1 8.3.8), then Taylor series give 128 bits. The second result is left in cosineSe, cosine; otherwise as in extended.ts.
 */
import { exactExponent, exactHigh, exactLow, exactSign, setExact } from './arithmetic';
import { COSINE, COSINE_TERMS, SINE, SINE_TERMS } from './constants';
import {
  CLASS_INFINITE,
  CLASS_NORMAL,
  FIELD_80,
  TOP_BIT,
  classOf,
  exponentOf,
  finishExtended,
  invalidResult,
  propagateNan,
  raiseDenormal,
  resultSe,
  resultSignificand,
  setResult,
  signOf,
  significandOf,
} from './extended';
import {
  divideQuad,
  fractionHigh,
  fractionLow,
  fractionOfExact,
  multiplyByOneMinus,
  multiplyFractions,
  series,
  setQuad,
  setSticky,
} from './quad';

/** pi/2 in units of 2^-65: a number of 66 bits. */
const HALF_PI_HIGH: u64 = 0x3;
const HALF_PI_LOW: u64 = 0x243f6a8885a308d3;
/** 2 pi in the same units. */
const TWO_PI_HIGH: u64 = 0xc;
const TWO_PI_LOW: u64 = 0x90fdaa22168c234c;

/** The argument less a multiple of pi/2, |r| <= pi/4. */
let reducedSign: u32 = 0;
let reducedExponent: i32 = 0;
let reducedHigh: u64 = 0;
let reducedLow: u64 = 0;

/** The x87 does these functions only for |x| < 2^63; beyond, it sets C2 and leaves everything else. */
export function isOutOfRange(se: u32, significand: u64): bool {
  return (se & FIELD_80) >= 0x3fff + 63 && classOf(se, significand) == CLASS_NORMAL;
}

function keepReduced(): void {
  reducedSign = exactSign;
  reducedExponent = exactExponent;
  reducedHigh = exactHigh;
  reducedLow = exactLow;
}

/** Reduces a number by multiples of pi/2 and returns their number modulo 4. */
function reduce(sign: u32, exponent: i32, significand: u64): u32 {
  // 0xc90fdaa22168c235 / 2^64 is the first 64-bit number above pi/4.
  if (exponent < -1 || (exponent == -1 && significand < 0xc90fdaa22168c235)) {
    setExact(sign, exponent, significand, 0);
    keepReduced();
    return 0;
  }
  // In units of 2^-65 the number is significand * 2^(exponent + 2): double it that often modulo 2 pi.
  let high: u64 = 0;
  let low = significand;
  for (let i = exponent + 2; i > 0; i--) {
    high = (high << 1) | (low >> 63);
    low <<= 1;
    if (high > TWO_PI_HIGH || (high == TWO_PI_HIGH && low >= TWO_PI_LOW)) {
      high = high - TWO_PI_HIGH - u64(low < TWO_PI_LOW);
      low -= TWO_PI_LOW;
    }
  }
  let quadrant: u32 = 0;
  while (high > HALF_PI_HIGH || (high == HALF_PI_HIGH && low >= HALF_PI_LOW)) {
    high = high - HALF_PI_HIGH - u64(low < HALF_PI_LOW);
    low -= HALF_PI_LOW;
    quadrant++;
  }
  // pi/2 is odd in these units: what is left is never half of it.
  const restHigh = HALF_PI_HIGH - high - u64(HALF_PI_LOW < low);
  const restLow = HALF_PI_LOW - low;
  if (high > restHigh || (high == restHigh && low > restLow)) {
    high = restHigh;
    low = restLow;
    quadrant++;
    setReducedUnits(sign ^ 1, high, low);
  } else {
    setReducedUnits(sign, high, low);
  }
  return sign ? (0 - quadrant) & 3 : quadrant & 3;
}

function setReducedUnits(sign: u32, high: u64, low: u64): void {
  if (high) setQuad(sign, 127 - 65, high, low);
  else setQuad(sign, 63 - 65, low, 0);
  keepReduced();
}

function squareOfReduced(): void {
  setExact(0, reducedExponent, reducedHigh, reducedLow);
  fractionOfExact();
  multiplyFractions(fractionHigh, fractionLow, fractionHigh, fractionLow);
}

/** accumulator = sin r */
function sineOfReduced(): void {
  squareOfReduced();
  series(SINE, SINE_TERMS, fractionHigh, fractionLow, true);
  setExact(reducedSign, reducedExponent, reducedHigh, reducedLow);
  multiplyByOneMinus();
}

/** accumulator = cos r */
function cosineOfReduced(): void {
  squareOfReduced();
  series(COSINE, COSINE_TERMS, fractionHigh, fractionLow, true);
  setExact(0, 0, TOP_BIT, 0);
  multiplyByOneMinus();
}

function negateIf(negate: bool): void {
  if (negate) setExact(exactSign ^ 1, exactExponent, exactHigh, exactLow);
}

/** The result is sin(r + quadrant * pi/2). */
function finishSine(cpu: usize, quadrant: u32, mode: u32): void {
  if (quadrant & 1) cosineOfReduced();
  else sineOfReduced();
  negateIf((quadrant & 2) != 0);
  setSticky();
  finishExtended(cpu, 64, mode);
}

/** NaN, infinity: the result is set. Zero and finite numbers: false. */
function special(cpu: usize, se: u32, significand: u64): bool {
  if (propagateNan(cpu, se, significand, se, significand)) return true;
  if (classOf(se, significand) == CLASS_INFINITE) {
    invalidResult(cpu);
    return true;
  }
  raiseDenormal(cpu, se, significand);
  return false;
}

export function extendedSine(cpu: usize, se: u32, significand: u64, mode: u32): void {
  if (special(cpu, se, significand)) return;
  if (significand == 0) setResult(se, 0);
  else finishSine(cpu, reduce(signOf(se), exponentOf(se, significand), significandOf(significand)), mode);
}

export function extendedCosine(cpu: usize, se: u32, significand: u64, mode: u32): void {
  if (special(cpu, se, significand)) return;
  if (significand == 0) setResult(0x3fff, TOP_BIT);
  else finishSine(cpu, (reduce(signOf(se), exponentOf(se, significand), significandOf(significand)) + 1) & 3, mode);
}

/** The cosine that extendedSineCosine computes besides the sine. */
export let cosineSe: u32 = 0;
export let cosine: u64 = 0;

export function extendedSineCosine(cpu: usize, se: u32, significand: u64, mode: u32): void {
  extendedCosine(cpu, se, significand, mode);
  cosineSe = resultSe;
  cosine = resultSignificand;
  extendedSine(cpu, se, significand, mode);
}

export function extendedTangent(cpu: usize, se: u32, significand: u64, mode: u32): void {
  if (special(cpu, se, significand)) return;
  if (significand == 0) {
    setResult(se, 0);
    return;
  }
  const quadrant = reduce(signOf(se), exponentOf(se, significand), significandOf(significand));
  // tan(r + pi/2) = -cos r / sin r
  if (quadrant & 1) sineOfReduced();
  else cosineOfReduced();
  const divisorSign = exactSign ^ (quadrant & 1);
  const divisorExponent = exactExponent;
  const divisorHigh = exactHigh;
  const divisorLow = exactLow;
  if (quadrant & 1) cosineOfReduced();
  else sineOfReduced();
  divideQuad(divisorSign, divisorExponent, divisorHigh, divisorLow);
  setSticky();
  finishExtended(cpu, 64, mode);
}
