/**
 * Arithmetic of the x87's 80-bit format: a u16 of sign and exponent ("se") and a significand of 64 bits with explicit top bit.
 * Operands come as such pairs; results are left in resultSe, resultSignificand. Every encoding is accepted: unnormals,
 * pseudo-infinities and pseudo-NaNs are INVALID, a pseudo-denormal has the value that its bits say and counts as denormal
 * (@sdm Vol.1 8.2.2). NaN results follow the x87's rule, the larger significand (@sdm Vol.1 4.8.3.5 Table 4-7).
 *
 * `mode` is environment.ts's modeOfControlWord; exception flags are added to VCPU_SOFTFLOAT_FLAGS.
 */
import {
  MAX_EXPONENT_80,
  addNumbers,
  divideNumbers,
  exactHigh,
  exactSign,
  finish,
  multiplyNumbers,
  roundedField,
  roundedHigh,
  setExact,
  squareRootOfNumber,
} from './arithmetic';
import { EQUAL, GREATER, LESS, UNORDERED } from './binary64';
import { DENORMAL, INVALID, MODE_PRECISION_SHIFT, MODE_ROUNDING, ROUND_DOWN, ZERO_DIVIDE, raiseFlags } from './environment';

export let resultSe: u32 = 0;
export let resultSignificand: u64 = 0;

export const TOP_BIT: u64 = 0x8000000000000000;
const QUIET: u64 = 0x4000000000000000;
export const SIGN_80: u32 = 0x8000;
export const FIELD_80: u32 = 0x7fff;

export const CLASS_UNSUPPORTED: u32 = 0;
export const CLASS_NAN: u32 = 1;
export const CLASS_NORMAL: u32 = 2;
export const CLASS_INFINITE: u32 = 3;
export const CLASS_ZERO: u32 = 4;
export const CLASS_DENORMAL: u32 = 6;

/** CLASS_* of a value; the numbers are C3:C2:C0 as FXAM reports them. */
export function classOf(se: u32, significand: u64): u32 {
  const field = se & FIELD_80;
  if (field == 0) return significand == 0 ? CLASS_ZERO : CLASS_DENORMAL;
  if (!(significand >> 63)) return CLASS_UNSUPPORTED;
  if (field != FIELD_80) return CLASS_NORMAL;
  return significand == TOP_BIT ? CLASS_INFINITE : CLASS_NAN;
}

// @ts-ignore: decorator
@inline
function isNormal(se: u32, significand: u64): bool {
  return (se & FIELD_80) - 1 < FIELD_80 - 1 && <i64>significand < 0;
}

export function isSignalling(se: u32, significand: u64): bool {
  return classOf(se, significand) == CLASS_NAN && !(significand & QUIET);
}

// @ts-ignore: decorator
@inline
export function signOf(se: u32): u32 {
  return (se >> 15) & 1;
}

/** Exponent and significand of a non-zero finite number as arithmetic.ts counts them. */
export function exponentOf(se: u32, significand: u64): i32 {
  const field = <i32>(se & FIELD_80);
  return field ? field - MAX_EXPONENT_80 : 1 - MAX_EXPONENT_80 - <i32>clz(significand);
}

export function significandOf(significand: u64): u64 {
  return significand << clz(significand);
}

export function setResult(se: u32, significand: u64): void {
  resultSe = se;
  resultSignificand = significand;
}

export function setDefaultNan(): void {
  setResult(0xffff, 0xc000000000000000);
}

export function setInfinity(sign: u32): void {
  setResult((sign << 15) | FIELD_80, TOP_BIT);
}

export function setZero(sign: u32): void {
  setResult(sign << 15, 0);
}

export function invalidResult(cpu: usize): void {
  raiseFlags(cpu, INVALID);
  setDefaultNan();
}

/** Rounds the exact result of arithmetic.ts to `precision` bits. */
export function finishExtended(cpu: usize, precision: u32, mode: u32): void {
  finish(cpu, precision, MAX_EXPONENT_80, mode);
  setResult((exactSign << 15) | roundedField, roundedHigh);
}

function finishArithmetic(cpu: usize, mode: u32): void {
  finishExtended(cpu, (mode >> MODE_PRECISION_SHIFT) & 0xff, mode);
}

/** The result when one of two operands is a NaN or unsupported; false when none is. */
export function propagateNan(cpu: usize, aSe: u32, a: u64, bSe: u32, b: u64): bool {
  const aClass = classOf(aSe, a);
  const bClass = classOf(bSe, b);
  if (aClass == CLASS_UNSUPPORTED || bClass == CLASS_UNSUPPORTED) {
    invalidResult(cpu);
    return true;
  }
  if (aClass != CLASS_NAN && bClass != CLASS_NAN) return false;
  const aSignalling = isSignalling(aSe, a);
  const bSignalling = isSignalling(bSe, b);
  if (aSignalling || bSignalling) raiseFlags(cpu, INVALID);
  let first: bool;
  if (aClass != CLASS_NAN) first = false;
  else if (bClass != CLASS_NAN) first = true;
  else if (aSignalling != bSignalling) first = bSignalling;
  else first = a == b ? aSe < bSe : a > b;
  if (first) setResult(aSe, a | QUIET);
  else setResult(bSe, b | QUIET);
  return true;
}

export function raiseDenormal(cpu: usize, se: u32, significand: u64): void {
  if ((se & FIELD_80) == 0 && significand != 0) raiseFlags(cpu, DENORMAL);
}

function isInfinite(se: u32): bool {
  return (se & FIELD_80) == FIELD_80;
}

function setZeroSum(aSign: u32, bSign: u32, mode: u32): void {
  if (aSign == bSign) setZero(aSign);
  else setZero(u32((mode & MODE_ROUNDING) == ROUND_DOWN));
}

/** The sum when not both operands are normal; false when both are non-zero and finite after all. */
function addSpecial(cpu: usize, aSe: u32, a: u64, bSe: u32, b: u64, mode: u32): bool {
  if (propagateNan(cpu, aSe, a, bSe, b)) return true;
  if (isInfinite(aSe) && isInfinite(bSe) && aSe != bSe) {
    invalidResult(cpu);
    return true;
  }
  raiseDenormal(cpu, aSe, a);
  raiseDenormal(cpu, bSe, b);
  if (isInfinite(aSe)) setResult(aSe, a);
  else if (isInfinite(bSe)) setResult(bSe, b);
  else if (a == 0 && b == 0) setZeroSum(signOf(aSe), signOf(bSe), mode);
  else if (a != 0 && b != 0) return false;
  else {
    if (a == 0) setExact(signOf(bSe), exponentOf(bSe, b), significandOf(b), 0);
    else setExact(signOf(aSe), exponentOf(aSe, a), significandOf(a), 0);
    finishArithmetic(cpu, mode);
  }
  return true;
}

export function extendedAdd(cpu: usize, aSe: u32, a: u64, bSe: u32, b: u64, mode: u32): void {
  if (!(isNormal(aSe, a) && isNormal(bSe, b)) && addSpecial(cpu, aSe, a, bSe, b, mode)) return;
  addNumbers(signOf(aSe), exponentOf(aSe, a), significandOf(a), signOf(bSe), exponentOf(bSe, b), significandOf(b));
  if (exactHigh == 0) setZeroSum(0, 1, mode);
  else finishArithmetic(cpu, mode);
}

/** a - b; a NaN keeps its sign. */
export function extendedSubtract(cpu: usize, aSe: u32, a: u64, bSe: u32, b: u64, mode: u32): void {
  if (classOf(bSe, b) == CLASS_NAN) propagateNan(cpu, aSe, a, bSe, b);
  else extendedAdd(cpu, aSe, a, bSe ^ SIGN_80, b, mode);
}

function multiplySpecial(cpu: usize, aSe: u32, a: u64, bSe: u32, b: u64): bool {
  if (propagateNan(cpu, aSe, a, bSe, b)) return true;
  const sign = signOf(aSe ^ bSe);
  if ((isInfinite(aSe) && b == 0) || (isInfinite(bSe) && a == 0)) {
    invalidResult(cpu);
    return true;
  }
  raiseDenormal(cpu, aSe, a);
  raiseDenormal(cpu, bSe, b);
  if (isInfinite(aSe) || isInfinite(bSe)) setInfinity(sign);
  else if (a == 0 || b == 0) setZero(sign);
  else return false;
  return true;
}

export function extendedMultiply(cpu: usize, aSe: u32, a: u64, bSe: u32, b: u64, mode: u32): void {
  if (!(isNormal(aSe, a) && isNormal(bSe, b)) && multiplySpecial(cpu, aSe, a, bSe, b)) return;
  multiplyNumbers(signOf(aSe), exponentOf(aSe, a), significandOf(a), signOf(bSe), exponentOf(bSe, b), significandOf(b));
  finishArithmetic(cpu, mode);
}

function divideSpecial(cpu: usize, aSe: u32, a: u64, bSe: u32, b: u64): bool {
  if (propagateNan(cpu, aSe, a, bSe, b)) return true;
  const sign = signOf(aSe ^ bSe);
  if ((isInfinite(aSe) && isInfinite(bSe)) || (a == 0 && b == 0)) {
    invalidResult(cpu);
    return true;
  }
  if (b == 0 && !isInfinite(aSe)) {
    raiseFlags(cpu, ZERO_DIVIDE);
    setInfinity(sign);
    return true;
  }
  raiseDenormal(cpu, aSe, a);
  raiseDenormal(cpu, bSe, b);
  if (isInfinite(aSe)) setInfinity(sign);
  else if (isInfinite(bSe) || a == 0) setZero(sign);
  else return false;
  return true;
}

export function extendedDivide(cpu: usize, aSe: u32, a: u64, bSe: u32, b: u64, mode: u32): void {
  if (!(isNormal(aSe, a) && isNormal(bSe, b)) && divideSpecial(cpu, aSe, a, bSe, b)) return;
  divideNumbers(signOf(aSe), exponentOf(aSe, a), significandOf(a), signOf(bSe), exponentOf(bSe, b), significandOf(b));
  finishArithmetic(cpu, mode);
}

export function extendedSquareRoot(cpu: usize, se: u32, significand: u64, mode: u32): void {
  if (propagateNan(cpu, se, significand, se, significand)) return;
  if (significand == 0) {
    setResult(se, significand);
    return;
  }
  if (se & SIGN_80) {
    invalidResult(cpu);
    return;
  }
  raiseDenormal(cpu, se, significand);
  if (isInfinite(se)) {
    setResult(se, significand);
    return;
  }
  squareRootOfNumber(exponentOf(se, significand), significandOf(significand));
  finishArithmetic(cpu, mode);
}

/** LESS, EQUAL, GREATER or UNORDERED. A quiet NaN is INVALID only when `signalling` (FCOM, not FUCOM). */
export function extendedCompare(cpu: usize, aSe: u32, a: u64, bSe: u32, b: u64, signalling: bool): i32 {
  const aClass = classOf(aSe, a);
  const bClass = classOf(bSe, b);
  if (aClass <= CLASS_NAN || bClass <= CLASS_NAN) {
    const unsupported = aClass == CLASS_UNSUPPORTED || bClass == CLASS_UNSUPPORTED;
    if (signalling || unsupported || isSignalling(aSe, a) || isSignalling(bSe, b)) raiseFlags(cpu, INVALID);
    return UNORDERED;
  }
  raiseDenormal(cpu, aSe, a);
  raiseDenormal(cpu, bSe, b);
  if (a == 0 && b == 0) return EQUAL;
  const aNegative = (aSe & SIGN_80) != 0;
  if (a == 0) return bSe & SIGN_80 ? GREATER : LESS;
  if (b == 0 || aNegative != ((bSe & SIGN_80) != 0)) return aNegative ? LESS : GREATER;
  // Field 0 has the exponent of field 1, so that a pseudo-denormal equals the normal number of its value.
  const aField = max<u32>(aSe & FIELD_80, 1);
  const bField = max<u32>(bSe & FIELD_80, 1);
  if (aField == bField && a == b) return EQUAL;
  const below = aField != bField ? aField < bField : a < b;
  return below == aNegative ? GREATER : LESS;
}
