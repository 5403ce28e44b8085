/**
 * Operations of the x87 that work on exponents: partial remainder, scaling by a power of two, splitting a number.
 * As in extended.ts, the 80-bit result is left in resultSe, resultSignificand.
 */
import { MAX_EXPONENT_80, exactExponent, exactHigh, exactSign, fromInteger, setExact } from './arithmetic';
import { ZERO_DIVIDE, raiseFlags } from './environment';
import {
  FIELD_80,
  SIGN_80,
  exponentOf,
  finishExtended,
  invalidResult,
  propagateNan,
  raiseDenormal,
  resultSe,
  resultSignificand,
  setInfinity,
  setResult,
  setZero,
  signOf,
  significandOf,
} from './extended';
import { divideWide, wideLow } from './wide';

/** Condition code bits of the status word. */
const C0: u32 = 0x100;
const C1: u32 = 0x200;
const C2: u32 = 0x400;
const C3: u32 = 0x4000;

/** C0 C3 C1 hold bits 2, 1 and 0 of the quotient. */
function quotientCode(quotient: u64): u32 {
  return (quotient & 4 ? C0 : 0) | (quotient & 2 ? C3 : 0) | (quotient & 1 ? C1 : 0);
}

/** What extendedRemainder returns where a NaN or an invalid operation leaves no quotient. */
export const NO_QUOTIENT: u32 = 0xffffffff;

/**
 * FPREM, or FPREM1 when `nearest`: the remainder of a / b with the quotient truncated or rounded to nearest even. Returns the
 * condition code. When the exponents differ by 64 or more the result is a partial one: C2 is set and the difference has become
 * smaller by 32 to 63 (@sdm Vol.2A FPREM).
 */
export function extendedRemainder(cpu: usize, aSe: u32, a: u64, bSe: u32, b: u64, nearest: bool, mode: u32): u32 {
  if (propagateNan(cpu, aSe, a, bSe, b)) return NO_QUOTIENT;
  if ((aSe & FIELD_80) == FIELD_80 || b == 0) {
    invalidResult(cpu);
    return NO_QUOTIENT;
  }
  raiseDenormal(cpu, aSe, a);
  raiseDenormal(cpu, bSe, b);
  if (a == 0) {
    setResult(aSe, a);
    return 0;
  }
  let sign = signOf(aSe);
  const aExponent = exponentOf(aSe, a);
  let remainder = significandOf(a);
  if ((bSe & FIELD_80) == FIELD_80) {
    setExact(sign, aExponent, remainder, 0);
    finishExtended(cpu, 64, mode);
    return 0;
  }
  const bExponent = exponentOf(bSe, b);
  const divisor = significandOf(b);
  const difference = aExponent - bExponent;
  let quotient: u64 = 0;
  let exponent = bExponent;
  let code: u32 = 0;
  if (difference < 0) {
    exponent = aExponent;
    if (nearest && difference == -1 && remainder > divisor) {
      // More than half the divisor: one divisor less. In units of the dividend the divisor is 2 * divisor.
      remainder = divisor - (remainder - divisor);
      sign ^= 1;
      quotient = 1;
    }
  } else {
    const partial = difference >= 64;
    const shift = <u64>(partial ? 32 + (difference & 31) : difference);
    if (partial) {
      exponent = aExponent - <i32>shift;
      code = C2;
    }
    if (remainder >= divisor) {
      remainder -= divisor;
      quotient = (<u64>1) << shift;
    }
    quotient += divideWide(shift ? remainder >> (64 - shift) : 0, remainder << shift, divisor);
    remainder = wideLow;
    if (nearest && !partial) {
      const rest = divisor - remainder;
      if (remainder > rest || (remainder == rest && quotient & 1)) {
        remainder = rest;
        sign ^= 1;
        quotient++;
      }
    }
  }
  if (code == 0) code = quotientCode(quotient);
  if (remainder == 0) {
    setZero(signOf(aSe));
    return code;
  }
  const shift = clz(remainder);
  setExact(sign, exponent - <i32>shift, remainder << shift, 0);
  finishExtended(cpu, 64, mode);
  return code;
}

/** FSCALE: a * 2^trunc(b). */
export function extendedScale(cpu: usize, aSe: u32, a: u64, bSe: u32, b: u64, mode: u32): void {
  if (propagateNan(cpu, aSe, a, bSe, b)) return;
  const sign = signOf(aSe);
  const aInfinite = (aSe & FIELD_80) == FIELD_80;
  if ((bSe & FIELD_80) == FIELD_80) {
    const towardsZero = (bSe & SIGN_80) != 0;
    if (towardsZero ? aInfinite : a == 0) {
      invalidResult(cpu);
      return;
    }
    raiseDenormal(cpu, aSe, a);
    if (towardsZero) setZero(sign);
    else setInfinity(sign);
    return;
  }
  raiseDenormal(cpu, aSe, a);
  raiseDenormal(cpu, bSe, b);
  if (aInfinite || a == 0) {
    setResult(aSe, a);
    return;
  }
  const bExponent = b == 0 ? -1 : exponentOf(bSe, b);
  // 2^17 is beyond what can move any number from one end of the range to the other.
  let amount: i32 = 0;
  if (bExponent > 16) amount = 1 << 17;
  else if (bExponent >= 0) amount = <i32>(b >> (63 - bExponent));
  if (bSe & SIGN_80) amount = -amount;
  setExact(sign, exponentOf(aSe, a) + amount, significandOf(a), 0);
  finishExtended(cpu, 64, mode);
}

/** The second result of extendedExtract. */
export let fractionSe: u32 = 0;
export let fraction: u64 = 0;

/** FXTRACT: the exponent as a number into the result; the significand, with the sign, into fractionSe, fraction. */
export function extendedExtract(cpu: usize, se: u32, significand: u64): void {
  fractionSe = se;
  fraction = significand;
  if (propagateNan(cpu, se, significand, se, significand)) {
    fractionSe = resultSe;
    fraction = resultSignificand;
    return;
  }
  if (significand == 0) {
    raiseFlags(cpu, ZERO_DIVIDE);
    setInfinity(1);
    return;
  }
  if ((se & FIELD_80) == FIELD_80) {
    setInfinity(0);
    return;
  }
  raiseDenormal(cpu, se, significand);
  fractionSe = (se & SIGN_80) | MAX_EXPONENT_80;
  fraction = significandOf(significand);
  fromInteger(exponentOf(se, significand));
  if (exactHigh == 0) setZero(0);
  else setResult((exactSign << 15) | (<u32>(exactExponent + MAX_EXPONENT_80)), exactHigh);
}
