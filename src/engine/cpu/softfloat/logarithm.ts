/**
 * FYL2X and FYL2XP1: y * log2 x. x = 2^k * m with m in [sqrt(1/2), sqrt 2); log m = 2 atanh((m - 1) / (m + 1)).
 * As in extended.ts, the 80-bit result is left in resultSe, resultSignificand; it is rounded from 128 bits. @sdm Vol.2A FYL2X, FYL2XP1
 */
import { exactExponent, exactHigh, exactLow, multiplyNumbers, setExact, fromInteger, exactSign } from './arithmetic';
import { LOG2_E_EXPONENT, LOG2_E_HIGH, LOG2_E_LOW, LOGARITHM_TERMS, ODD_RECIPROCALS } from './constants';
import { INEXACT, ZERO_DIVIDE, raiseFlags } from './environment';
import {
  CLASS_INFINITE,
  SIGN_80,
  classOf,
  exponentOf,
  finishExtended,
  invalidResult,
  propagateNan,
  raiseDenormal,
  setInfinity,
  setResult,
  setZero,
  signOf,
  significandOf,
} from './extended';
import {
  addQuad,
  divideQuad,
  fractionHigh,
  fractionLow,
  fractionOfExact,
  multiplyByOnePlus,
  multiplyFractions,
  multiplyQuad,
  series,
  setQuad,
  setSticky,
} from './quad';

/** sqrt(2) as a significand, truncated: the bound between m and 2m. */
const ROOT_2: u64 = 0xb504f333f9de6484;

/** accumulator = log2 of (1 + s) / (1 - s), where s is the accumulator, not zero, |s| <= 0.1716 */
function logarithmOfRatio(): void {
  const sign = exactSign;
  const exponent = exactExponent;
  const high = exactHigh;
  const low = exactLow;
  fractionOfExact();
  multiplyFractions(fractionHigh, fractionLow, fractionHigh, fractionLow);
  series(ODD_RECIPROCALS, LOGARITHM_TERMS, fractionHigh, fractionLow, false);
  setExact(sign, exponent + 1, high, low);
  multiplyByOnePlus();
  multiplyQuad(0, LOG2_E_EXPONENT, LOG2_E_HIGH, LOG2_E_LOW);
}

/** accumulator = log2 of (high:low / 2^127) * 2^exponent, which must not be a power of two */
function logarithm(exponent: i32, high: u64, low: u64): void {
  // m - 1 over m + 1; both are exact but for the last bit of m + 1.
  if (high >= ROOT_2) {
    exponent++;
    // m = high:low / 2^128, below 1
    const restLow = 0 - low;
    const restHigh = 0 - high - u64(low != 0);
    if (restHigh) setQuad(1, -1, restHigh, restLow);
    else setQuad(1, -65, restLow, 0);
    const half = (low >> 1) | (high << 63);
    divideQuad(0, 0, (high >> 1) | 0x8000000000000000, half);
  } else {
    const restHigh = high & 0x7fffffffffffffff;
    if (restHigh) setQuad(0, 0, restHigh, low);
    else setQuad(0, -64, low, 0);
    divideQuad(0, 1, 0x8000000000000000 | (restHigh >> 1), (low >> 1) | (restHigh << 63));
  }
  logarithmOfRatio();
  if (exponent == 0) return;
  const sign = u32(exponent < 0);
  const magnitude = <u64>abs<i32>(exponent);
  const shift = <i32>clz(magnitude);
  addQuad(sign, 63 - shift, magnitude << shift, 0);
}

/** y * log2 x when x or y is no positive finite number; false when both are finite, x > 0 and y != 0. */
function special(cpu: usize, xSe: u32, x: u64, ySe: u32, y: u64): bool {
  if (propagateNan(cpu, xSe, x, ySe, y)) return true;
  const ySign = signOf(ySe);
  const yInfinite = classOf(ySe, y) == CLASS_INFINITE;
  if (x == 0) {
    if (y == 0) invalidResult(cpu);
    else {
      if (!yInfinite) raiseFlags(cpu, ZERO_DIVIDE);
      setInfinity(ySign ^ 1);
    }
    return true;
  }
  if (xSe & SIGN_80) {
    invalidResult(cpu);
    return true;
  }
  const xInfinite = classOf(xSe, x) == CLASS_INFINITE;
  const one = xSe == 0x3fff && x == 0x8000000000000000;
  if ((xInfinite && y == 0) || (one && yInfinite)) {
    invalidResult(cpu);
    return true;
  }
  raiseDenormal(cpu, xSe, x);
  raiseDenormal(cpu, ySe, y);
  const belowOne = xSe < 0x3fff;
  if (xInfinite || yInfinite) setInfinity(ySign ^ u32(belowOne));
  else if (one || y == 0) setZero(ySign ^ u32(belowOne));
  else return false;
  return true;
}

function multiplyByY(cpu: usize, ySe: u32, y: u64, mode: u32): void {
  multiplyQuad(signOf(ySe), exponentOf(ySe, y), significandOf(y), 0);
  setSticky();
  finishExtended(cpu, 64, mode);
}

/** FYL2X: y * log2 x. */
export function extendedYLog2X(cpu: usize, xSe: u32, x: u64, ySe: u32, y: u64, mode: u32): void {
  if (special(cpu, xSe, x, ySe, y)) return;
  const exponent = exponentOf(xSe, x);
  const significand = significandOf(x);
  if (significand == 0x8000000000000000) {
    // The logarithm is an integer and the product exact before rounding.
    fromInteger(exponent);
    multiplyNumbers(exactSign, exactExponent, exactHigh, signOf(ySe), exponentOf(ySe, y), significandOf(y));
    finishExtended(cpu, 64, mode);
    return;
  }
  logarithm(exponent, significand, 0);
  multiplyByY(cpu, ySe, y, mode);
}

/** y * log2(x + 1) when that needs no logarithm; false when both are finite and not zero. */
function specialPlusOne(cpu: usize, xSe: u32, x: u64, ySe: u32, y: u64): bool {
  if (propagateNan(cpu, xSe, x, ySe, y)) return true;
  const sign = signOf(xSe ^ ySe);
  const xInfinite = classOf(xSe, x) == CLASS_INFINITE;
  const yInfinite = classOf(ySe, y) == CLASS_INFINITE;
  if ((x == 0 && yInfinite) || (xInfinite && (y == 0 || xSe & SIGN_80))) {
    invalidResult(cpu);
    return true;
  }
  raiseDenormal(cpu, xSe, x);
  raiseDenormal(cpu, ySe, y);
  if (xInfinite || yInfinite) setInfinity(sign);
  else if (x == 0 || y == 0) setZero(sign);
  else return false;
  return true;
}

/**
 * FYL2XP1: y * log2(x + 1). The manual defines it for |x| < 1 - sqrt(1/2); beyond, the same formula is evaluated, and for x <= -1
 * the operand comes back.
 */
export function extendedYLog2XPlusOne(cpu: usize, xSe: u32, x: u64, ySe: u32, y: u64, mode: u32): void {
  if (specialPlusOne(cpu, xSe, x, ySe, y)) return;
  const sign = signOf(xSe);
  const exponent = exponentOf(xSe, x);
  const significand = significandOf(x);
  // 0.25 <= |x|: 1 + x fits 128 bits unless x is large, and nothing cancels that matters.
  if (exponent >= -2) {
    if (sign && exponent >= 0) {
      raiseFlags(cpu, INEXACT);
      setResult(xSe, x);
      return;
    }
    setExact(sign, exponent, significand, 0);
    addQuad(0, 0, 0x8000000000000000, 0);
    if (exactHigh == 0x8000000000000000 && exactLow == 0) {
      const power = exactExponent;
      fromInteger(power);
      multiplyNumbers(exactSign, exactExponent, exactHigh, signOf(ySe), exponentOf(ySe, y), significandOf(y));
      finishExtended(cpu, 64, mode);
      return;
    }
    logarithm(exactExponent, exactHigh, exactLow);
  } else {
    // s = x / (2 + x)
    setExact(sign, exponent, significand, 0);
    addQuad(0, 1, 0x8000000000000000, 0);
    const divisorExponent = exactExponent;
    const divisorHigh = exactHigh;
    const divisorLow = exactLow;
    setExact(sign, exponent, significand, 0);
    divideQuad(0, divisorExponent, divisorHigh, divisorLow);
    logarithmOfRatio();
  }
  multiplyByY(cpu, ySe, y, mode);
}
