/**
 * F2XM1: 2^x - 1 = e^v - 1 with v = x ln 2, for |x| <= 1. As in extended.ts, the 80-bit result is left in resultSe,
 * resultSignificand; it is rounded from 128 bits. @sdm Vol.2A F2XM1
 */
import { exactExponent, exactHigh, exactLow, exactSign, setExact } from './arithmetic';
import { EXPONENTIAL, EXPONENTIAL_TERMS, LN_2_EXPONENT, LN_2_HIGH, LN_2_LOW } from './constants';
import { INEXACT, raiseFlags } from './environment';
import {
  CLASS_INFINITE,
  SIGN_80,
  TOP_BIT,
  classOf,
  exponentOf,
  finishExtended,
  propagateNan,
  raiseDenormal,
  setResult,
  signOf,
  significandOf,
} from './extended';
import {
  fractionHigh,
  fractionLow,
  fractionOfExact,
  multiplyByOneMinus,
  multiplyByOnePlus,
  multiplyQuad,
  series,
  setSticky,
} from './quad';

/** Outside -1 ... 1, where the manual leaves the result open, the operand comes back. */
export function extendedPowerMinusOne(cpu: usize, se: u32, significand: u64, mode: u32): void {
  if (propagateNan(cpu, se, significand, se, significand)) return;
  raiseDenormal(cpu, se, significand);
  const negative = (se & SIGN_80) != 0;
  if (classOf(se, significand) == CLASS_INFINITE) {
    setResult(negative ? 0xbfff : se, TOP_BIT);
    return;
  }
  const exponent = exponentOf(se, significand);
  if (significand == 0 || exponent >= 0) {
    // 2^-1 - 1 = -1/2; 0 and 1 are their own results.
    const one = exponent == 0 && significand == TOP_BIT;
    if (significand != 0 && !one) raiseFlags(cpu, INEXACT);
    setResult(negative && one ? 0xbffe : se, significand);
    return;
  }
  setExact(signOf(se), exponent, significandOf(significand), 0);
  multiplyQuad(0, LN_2_EXPONENT, LN_2_HIGH, LN_2_LOW);
  const vSign = exactSign;
  const vExponent = exactExponent;
  const vHigh = exactHigh;
  const vLow = exactLow;
  fractionOfExact();
  series(EXPONENTIAL, EXPONENTIAL_TERMS, fractionHigh, fractionLow, negative);
  setExact(vSign, vExponent, vHigh, vLow);
  if (negative) multiplyByOneMinus();
  else multiplyByOnePlus();
  setSticky();
  finishExtended(cpu, 64, mode);
}
