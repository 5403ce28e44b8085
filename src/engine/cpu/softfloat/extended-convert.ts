/**
 * Conversions between the x87's 80-bit format and binary32, binary64, signed integers and packed decimals, and rounding to an
 * integral value. As in extended.ts, an 80-bit result is left in resultSe, resultSignificand.
 */
import { VCPU_SOFTFLOAT_FLAGS } from '../layout';
import {
  MAX_EXPONENT_32,
  MAX_EXPONENT_64,
  MAX_EXPONENT_80,
  exactExponent,
  exactHigh,
  exactSign,
  finish,
  fromInteger,
  roundedField,
  roundedHigh,
  setExact,
  toInteger,
  toIntegral,
} from './arithmetic';
import { DEFAULT_NAN_32 } from './binary32';
import { DEFAULT_NAN_64 } from './binary64';
import { DENORMAL, INEXACT, INVALID, raiseFlags } from './environment';
import {
  CLASS_DENORMAL,
  CLASS_INFINITE,
  CLASS_NAN,
  CLASS_NORMAL,
  CLASS_UNSUPPORTED,
  CLASS_ZERO,
  FIELD_80,
  SIGN_80,
  TOP_BIT,
  classOf,
  exponentOf,
  isSignalling,
  propagateNan,
  raiseDenormal,
  resultSe,
  resultSignificand,
  setResult,
  setZero,
  signOf,
  significandOf,
} from './extended';

const QUIET: u64 = 0x4000000000000000;

/** Widens without any exception: a signalling NaN stays one. Returns whether the value was denormal; it is normal now. */
export function widenF32(a: u32): bool {
  const se = (a >> 16) & SIGN_80;
  const field = (a >> 23) & 0xff;
  const fraction = (<u64>(a & 0x7fffff)) << 40;
  if (field == 0xff) {
    setResult(se | FIELD_80, TOP_BIT | fraction);
  } else if (field) {
    setResult(se | (field + (MAX_EXPONENT_80 - MAX_EXPONENT_32)), TOP_BIT | fraction);
  } else if (fraction == 0) {
    setResult(se, 0);
  } else {
    setResult(se | (MAX_EXPONENT_80 + 1 - MAX_EXPONENT_32 - <u32>clz(fraction)), fraction << clz(fraction));
    return true;
  }
  return false;
}

export function widenF64(a: u64): bool {
  const se = (<u32>(a >> 48)) & SIGN_80;
  const field = (<u32>(a >> 52)) & 0x7ff;
  const fraction = (a & 0x000fffffffffffff) << 11;
  if (field == 0x7ff) {
    setResult(se | FIELD_80, TOP_BIT | fraction);
  } else if (field) {
    setResult(se | (field + (MAX_EXPONENT_80 - MAX_EXPONENT_64)), TOP_BIT | fraction);
  } else if (fraction == 0) {
    setResult(se, 0);
  } else {
    setResult(se | (MAX_EXPONENT_80 + 1 - MAX_EXPONENT_64 - <u32>clz(fraction)), fraction << clz(fraction));
    return true;
  }
  return false;
}

function reportLoad(cpu: usize, denormal: bool): void {
  if (denormal) raiseFlags(cpu, DENORMAL);
  if (!isSignalling(resultSe, resultSignificand)) return;
  raiseFlags(cpu, INVALID);
  setResult(resultSe, resultSignificand | QUIET);
}

/** FLD m32. */
export function extendedFromF32(cpu: usize, a: u32): void {
  reportLoad(cpu, widenF32(a));
}

/** FLD m64. */
export function extendedFromF64(cpu: usize, a: u64): void {
  reportLoad(cpu, widenF64(a));
}

/** FST m32: a denormal operand is not reported, only what becomes of it. */
export function extendedToF32(cpu: usize, se: u32, significand: u64, mode: u32): u32 {
  const sign = signOf(se) << 31;
  const kind = classOf(se, significand);
  if (kind == CLASS_UNSUPPORTED) {
    raiseFlags(cpu, INVALID);
    return DEFAULT_NAN_32;
  }
  if (kind == CLASS_NAN) {
    if (!(significand & QUIET)) raiseFlags(cpu, INVALID);
    return sign | 0x7fc00000 | ((<u32>(significand >> 40)) & 0x7fffff);
  }
  if (kind == CLASS_INFINITE) return sign | 0x7f800000;
  if (kind == CLASS_ZERO) return sign;
  setExact(signOf(se), exponentOf(se, significand), significandOf(significand), 0);
  finish(cpu, 24, MAX_EXPONENT_32, mode);
  return sign | (roundedField << 23) | (<u32>((roundedHigh & ~TOP_BIT) >> 40));
}

/** FST m64. */
export function extendedToF64(cpu: usize, se: u32, significand: u64, mode: u32): u64 {
  const sign = (<u64>signOf(se)) << 63;
  const kind = classOf(se, significand);
  if (kind == CLASS_UNSUPPORTED) {
    raiseFlags(cpu, INVALID);
    return DEFAULT_NAN_64;
  }
  if (kind == CLASS_NAN) {
    if (!(significand & QUIET)) raiseFlags(cpu, INVALID);
    return sign | 0x7ff8000000000000 | ((significand & ~TOP_BIT) >> 11);
  }
  if (kind == CLASS_INFINITE) return sign | 0x7ff0000000000000;
  if (kind == CLASS_ZERO) return sign;
  setExact(signOf(se), exponentOf(se, significand), significandOf(significand), 0);
  finish(cpu, 53, MAX_EXPONENT_64, mode);
  return sign | ((<u64>roundedField) << 52) | ((roundedHigh & ~TOP_BIT) >> 11);
}

/** A signed integer of `bits` bits; INVALID and the integer indefinite when there is none. */
export function extendedToInteger(cpu: usize, se: u32, significand: u64, bits: u32, mode: u32): i64 {
  const kind = classOf(se, significand);
  if (kind == CLASS_ZERO) return 0;
  // What has no finite value counts as a number beyond any integer.
  if (kind != CLASS_NORMAL && kind != CLASS_DENORMAL) return toInteger(cpu, 0, 64, TOP_BIT, bits, mode);
  return toInteger(cpu, signOf(se), exponentOf(se, significand), significandOf(significand), bits, mode);
}

function setFromExact(): void {
  if (exactHigh == 0) setZero(exactSign);
  else setResult((exactSign << 15) | (<u32>(exactExponent + MAX_EXPONENT_80)), exactHigh);
}

/** Exact for every i64. */
export function extendedFromInteger(value: i64): void {
  fromInteger(value);
  setFromExact();
}

/** FRNDINT. */
export function extendedRoundToIntegral(cpu: usize, se: u32, significand: u64, mode: u32): void {
  if (propagateNan(cpu, se, significand, se, significand)) return;
  raiseDenormal(cpu, se, significand);
  if (significand == 0 || (se & FIELD_80) >= <u32>MAX_EXPONENT_80 + 63) {
    setResult(se, significand);
    return;
  }
  if (toIntegral(signOf(se), exponentOf(se, significand), significandOf(significand), mode)) raiseFlags(cpu, INEXACT);
  setFromExact();
}

const DECIMAL_LIMIT: u64 = 999999999999999999;

/** FBLD: nine bytes of two digits each at `from`, lowest first, and the sign in bit 7 of the tenth. */
export function extendedFromDecimal(from: usize): void {
  let value: i64 = 0;
  for (let i: usize = 9; i-- > 0;) {
    const digits = load<u8>(from + i);
    value = value * 100 + (digits >> 4) * 10 + (digits & 15);
  }
  extendedFromInteger(value);
  if (load<u8>(from, 9) & 0x80) setResult(resultSe | SIGN_80, resultSignificand);
}

/** The two parts of the last packed decimal: eight low bytes and two high ones. */
export let decimalLow: u64 = 0;
export let decimalHigh: u32 = 0;

/** FBSTP: rounds to an integer of 18 digits; INVALID and the packed decimal indefinite beyond. */
export function extendedToDecimal(cpu: usize, se: u32, significand: u64, mode: u32): void {
  const before = load<u32>(cpu, VCPU_SOFTFLOAT_FLAGS);
  const value = extendedToInteger(cpu, se, significand, 64, mode);
  let magnitude = value < 0 ? 0 - <u64>value : <u64>value;
  if (magnitude > DECIMAL_LIMIT) {
    store<u32>(cpu, before | INVALID, VCPU_SOFTFLOAT_FLAGS);
    decimalLow = 0xc000000000000000;
    decimalHigh = 0xffff;
    return;
  }
  decimalLow = 0;
  for (let shift: u64 = 0; shift < 64; shift += 4) {
    decimalLow |= (magnitude % 10) << shift;
    magnitude /= 10;
  }
  decimalHigh = (<u32>((magnitude % 10) | ((magnitude / 10) << 4))) | (se & SIGN_80);
}
