/**
 * FPATAN: the angle of the point (x, y). With t = min(|x|, |y|) / max(|x|, |y|), atan t is looked up at the nearest i/16 and the
 * rest, atan((t - i/16) / (1 + t i/16)), is a short series. As in extended.ts, the 80-bit result is left in resultSe,
 * resultSignificand; it is rounded from 128 bits. @sdm Vol.2A FPATAN
 */
import { exactExponent, exactHigh, exactLow, exactSign, setExact } from './arithmetic';
import {
  ARCTANGENTS,
  ARCTANGENT_TERMS,
  HALF_PI_EXPONENT,
  HALF_PI_HIGH,
  HALF_PI_LOW,
  ODD_RECIPROCALS,
  PI_EXPONENT,
  PI_HIGH,
  PI_LOW,
} from './constants';
import {
  CLASS_INFINITE,
  SIGN_80,
  classOf,
  exponentOf,
  finishExtended,
  propagateNan,
  raiseDenormal,
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
  multiplyByOneMinus,
  multiplyFractions,
  series,
  setQuad,
  setSticky,
} from './quad';

/** accumulator = atan of the accumulator, whose magnitude is at most 1/31 */
function smallArctangent(): void {
  const sign = exactSign;
  const exponent = exactExponent;
  const high = exactHigh;
  const low = exactLow;
  fractionOfExact();
  multiplyFractions(fractionHigh, fractionLow, fractionHigh, fractionLow);
  series(ODD_RECIPROCALS, ARCTANGENT_TERMS, fractionHigh, fractionLow, true);
  setExact(sign, exponent, high, low);
  multiplyByOneMinus();
}

/** accumulator = atan of the accumulator, which is in (0, 1] */
function arctangent(): void {
  // Nearest i/16; below 1/32 the number is small enough as it is.
  if (exactExponent < -5) {
    smallArctangent();
    return;
  }
  let index: u64 = 16;
  if (exactExponent < 0) {
    fractionOfExact();
    index = (fractionHigh + 0x0800000000000000) >> 60;
    // Rounding up to 16 wraps.
    if (index == 0) index = 16;
  }
  const tExponent = exactExponent;
  const tHigh = exactHigh;
  const tLow = exactLow;
  const shift = <i32>clz(index);
  const point = index << shift;
  const pointExponent = 59 - shift;
  const entry = ARCTANGENTS + ((<usize>index) << 4);
  if (tExponent == pointExponent && tHigh == point && tLow == 0) {
    setQuad(0, -1, load<u64>(entry), load<u64>(entry, 8));
    return;
  }
  // 1 + t * i/16
  multiplyFractions(tHigh, tLow, point, 0);
  setQuad(0, tExponent + pointExponent + 1, fractionHigh, fractionLow);
  addQuad(0, 0, 0x8000000000000000, 0);
  const divisorExponent = exactExponent;
  const divisorHigh = exactHigh;
  const divisorLow = exactLow;
  setExact(0, tExponent, tHigh, tLow);
  addQuad(1, pointExponent, point, 0);
  divideQuad(0, divisorExponent, divisorHigh, divisorLow);
  smallArctangent();
  const sign = exactSign;
  const exponent = exactExponent;
  const high = exactHigh;
  const low = exactLow;
  setQuad(0, -1, load<u64>(entry), load<u64>(entry, 8));
  addQuad(sign, exponent, high, low);
}

/** accumulator = numerator / denominator, at most 1 */
function ratio(aExponent: i32, a: u64, bExponent: i32, b: u64): void {
  setExact(0, aExponent, a, 0);
  divideQuad(0, bExponent, b, 0);
}

/** accumulator = multiple of pi +- accumulator */
function addAngle(exponent: i32, high: u64, low: u64, subtract: bool): void {
  if (subtract) setExact(1, exactExponent, exactHigh, exactLow);
  addQuad(0, exponent, high, low);
}

function finishAngle(cpu: usize, sign: u32, mode: u32): void {
  setExact(sign, exactExponent, exactHigh, exactLow);
  setSticky();
  finishExtended(cpu, 64, mode);
}

/** The angle, of the sign of y, when x or y is zero or infinite; false when both are finite and not zero. */
function special(cpu: usize, xSe: u32, x: u64, ySe: u32, y: u64, mode: u32): bool {
  if (propagateNan(cpu, xSe, x, ySe, y)) return true;
  raiseDenormal(cpu, xSe, x);
  raiseDenormal(cpu, ySe, y);
  const sign = signOf(ySe);
  const left = (xSe & SIGN_80) != 0;
  const xInfinite = classOf(xSe, x) == CLASS_INFINITE;
  const yInfinite = classOf(ySe, y) == CLASS_INFINITE;
  if (xInfinite && yInfinite) {
    // pi/4, or 3 pi/4 = pi - pi/4
    setExact(0, PI_EXPONENT - 2, PI_HIGH, PI_LOW);
    if (left) addAngle(PI_EXPONENT, PI_HIGH, PI_LOW, true);
    finishAngle(cpu, sign, mode);
    return true;
  }
  if (y == 0 || xInfinite) {
    if (left) {
      setExact(0, PI_EXPONENT, PI_HIGH, PI_LOW);
      finishAngle(cpu, sign, mode);
    } else {
      setZero(sign);
    }
    return true;
  }
  if (x == 0 || yInfinite) {
    setExact(0, HALF_PI_EXPONENT, HALF_PI_HIGH, HALF_PI_LOW);
    finishAngle(cpu, sign, mode);
    return true;
  }
  return false;
}

/** FPATAN. */
export function extendedArctangent(cpu: usize, xSe: u32, x: u64, ySe: u32, y: u64, mode: u32): void {
  if (special(cpu, xSe, x, ySe, y, mode)) return;
  const xExponent = exponentOf(xSe, x);
  const yExponent = exponentOf(ySe, y);
  const xSignificand = significandOf(x);
  const ySignificand = significandOf(y);
  const left = (xSe & SIGN_80) != 0;
  if (yExponent > xExponent || (yExponent == xExponent && ySignificand > xSignificand)) {
    ratio(xExponent, xSignificand, yExponent, ySignificand);
    arctangent();
    addAngle(HALF_PI_EXPONENT, HALF_PI_HIGH, HALF_PI_LOW, !left);
  } else {
    ratio(yExponent, ySignificand, xExponent, xSignificand);
    arctangent();
    if (left) addAngle(PI_EXPONENT, PI_HIGH, PI_LOW, true);
  }
  finishAngle(cpu, signOf(ySe), mode);
}
