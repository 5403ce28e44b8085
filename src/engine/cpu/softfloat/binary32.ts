/**
 * binary32 arithmetic in integers, for the cases that Wasm's own cannot serve: directed rounding, exact exception flags,
 * denormals-are-zero, flush-to-zero. NaN results follow SSE: the first operand if it is a NaN, else the second, made quiet
 * (@sdm Vol.1 4.8.3.5 Table 4-7); the default NaN where there is none. Operands and results are bit patterns.
 *
 * Every function takes `mode` (environment.ts, `modeOfMxcsr`) and adds its exception flags to VCPU_SOFTFLOAT_FLAGS.
 */
import {
  MAX_EXPONENT_32,
  MAX_EXPONENT_64,
  addNumbers,
  divideNumbers,
  exactHigh,
  exactSign,
  finish,
  fromInteger,
  multiplyNumbers,
  roundedField,
  roundedHigh,
  setExact,
  squareRootOfNumber,
  toInteger,
  toIntegral,
} from './arithmetic';
import {
  DENORMAL,
  INEXACT,
  INVALID,
  MODE_DENORMALS_ARE_ZERO,
  MODE_ROUNDING,
  ROUND_DOWN,
  ZERO_DIVIDE,
  raiseFlags,
} from './environment';
import { EQUAL, GREATER, LESS, UNORDERED } from './binary64';

const SIGN: u32 = 0x80000000;
const INFINITY: u32 = 0x7f800000;
const FRACTION: u32 = 0x007fffff;
const QUIET: u32 = 0x00400000;
/** The QNaN floating-point indefinite. */
export const DEFAULT_NAN_32: u32 = 0xffc00000;

function isNan(a: u32): bool {
  return (a & ~SIGN) > INFINITY;
}

function isSignalling(a: u32): bool {
  return isNan(a) && !(a & QUIET);
}

function isZero(a: u32): bool {
  return (a & ~SIGN) == 0;
}

function isInfinite(a: u32): bool {
  return (a & ~SIGN) == INFINITY;
}

function isDenormal(a: u32): bool {
  return (a & INFINITY) == 0 && (a & FRACTION) != 0;
}

function signOf(a: u32): u32 {
  return a >> 31;
}

/** Exponent of a non-zero finite number as arithmetic.ts counts it. */
function exponentOf(a: u32): i32 {
  const field = <i32>((a >> 23) & 0xff);
  return field ? field - MAX_EXPONENT_32 : 1 - MAX_EXPONENT_32 - <i32>clz((a & FRACTION) << 8);
}

function significandOf(a: u32): u64 {
  const fraction = (<u64>(a & FRACTION)) << 40;
  return a & INFINITY ? fraction | 0x8000000000000000 : fraction << clz(fraction);
}

/** An operand that is no NaN as the mode sees it: a denormal raises DENORMAL or counts as zero. */
function operand(cpu: usize, a: u32, mode: u32): u32 {
  if (!isDenormal(a)) return a;
  if (mode & MODE_DENORMALS_ARE_ZERO) return a & SIGN;
  raiseFlags(cpu, DENORMAL);
  return a;
}

/** The same without the flag, for operations that do not report denormals. */
function flushed(a: u32, mode: u32): u32 {
  return mode & MODE_DENORMALS_ARE_ZERO && isDenormal(a) ? a & SIGN : a;
}

function propagateNan(cpu: usize, a: u32, b: u32): u32 {
  if (isSignalling(a) || isSignalling(b)) raiseFlags(cpu, INVALID);
  return (isNan(a) ? a : b) | QUIET;
}

function invalid(cpu: usize): u32 {
  raiseFlags(cpu, INVALID);
  return DEFAULT_NAN_32;
}

function finish32(cpu: usize, mode: u32): u32 {
  finish(cpu, 24, MAX_EXPONENT_32, mode);
  return (exactSign << 31) | (roundedField << 23) | (<u32>((roundedHigh & 0x7fffffffffffffff) >> 40));
}

/** Sign of a sum that is exactly zero. */
function zeroSum(aSign: u32, bSign: u32, mode: u32): u32 {
  if (aSign == bSign) return aSign << 31;
  return (mode & MODE_ROUNDING) == ROUND_DOWN ? SIGN : 0;
}

function add(cpu: usize, a: u32, b: u32, mode: u32): u32 {
  a = operand(cpu, a, mode);
  b = operand(cpu, b, mode);
  if (isInfinite(a)) return isInfinite(b) && a != b ? invalid(cpu) : a;
  if (isInfinite(b)) return b;
  if (isZero(a) && isZero(b)) return zeroSum(signOf(a), signOf(b), mode);
  if (isZero(a)) setExact(signOf(b), exponentOf(b), significandOf(b), 0);
  else if (isZero(b)) setExact(signOf(a), exponentOf(a), significandOf(a), 0);
  else addNumbers(signOf(a), exponentOf(a), significandOf(a), signOf(b), exponentOf(b), significandOf(b));
  return exactHigh == 0 ? zeroSum(0, 1, mode) : finish32(cpu, mode);
}

export function f32Add(cpu: usize, a: u32, b: u32, mode: u32): u32 {
  return isNan(a) || isNan(b) ? propagateNan(cpu, a, b) : add(cpu, a, b, mode);
}

export function f32Sub(cpu: usize, a: u32, b: u32, mode: u32): u32 {
  return isNan(a) || isNan(b) ? propagateNan(cpu, a, b) : add(cpu, a, b ^ SIGN, mode);
}

export function f32Mul(cpu: usize, a: u32, b: u32, mode: u32): u32 {
  if (isNan(a) || isNan(b)) return propagateNan(cpu, a, b);
  const sign = (a ^ b) & SIGN;
  a = operand(cpu, a, mode);
  b = operand(cpu, b, mode);
  if (isInfinite(a) || isInfinite(b)) return isZero(a) || isZero(b) ? invalid(cpu) : sign | INFINITY;
  if (isZero(a) || isZero(b)) return sign;
  multiplyNumbers(signOf(a), exponentOf(a), significandOf(a), signOf(b), exponentOf(b), significandOf(b));
  return finish32(cpu, mode);
}

/** a / b. A zero divisor goes before the denormal operand: only ZERO_DIVIDE is raised (@sdm Vol.1 4.9.2). */
export function f32Div(cpu: usize, a: u32, b: u32, mode: u32): u32 {
  if (isNan(a) || isNan(b)) return propagateNan(cpu, a, b);
  const sign = (a ^ b) & SIGN;
  if (isZero(flushed(b, mode)) && !isInfinite(a)) {
    if (isZero(flushed(a, mode))) return invalid(cpu);
    raiseFlags(cpu, ZERO_DIVIDE);
    return sign | INFINITY;
  }
  a = operand(cpu, a, mode);
  b = operand(cpu, b, mode);
  if (isInfinite(a)) return isInfinite(b) ? invalid(cpu) : sign | INFINITY;
  if (isInfinite(b) || isZero(a)) return sign;
  divideNumbers(signOf(a), exponentOf(a), significandOf(a), signOf(b), exponentOf(b), significandOf(b));
  return finish32(cpu, mode);
}

/** A negative operand is INVALID before it is denormal; minus zero is its own root. */
export function f32Sqrt(cpu: usize, a: u32, mode: u32): u32 {
  if (isNan(a)) return propagateNan(cpu, a, a);
  if (isZero(flushed(a, mode))) return a & SIGN;
  if (a & SIGN) return invalid(cpu);
  if (isInfinite(a)) return a;
  a = operand(cpu, a, mode);
  squareRootOfNumber(exponentOf(a), significandOf(a));
  return finish32(cpu, mode);
}

/** LESS, EQUAL, GREATER or UNORDERED. Any NaN is INVALID when `signalling` (COMISS, CMPLTSS), else only a signalling one. */
export function f32Compare(cpu: usize, a: u32, b: u32, mode: u32, signalling: bool): i32 {
  if (isNan(a) || isNan(b)) {
    if (signalling || isSignalling(a) || isSignalling(b)) raiseFlags(cpu, INVALID);
    return UNORDERED;
  }
  a = operand(cpu, a, mode);
  b = operand(cpu, b, mode);
  if (a == b || (isZero(a) && isZero(b))) return EQUAL;
  if (signOf(a) != signOf(b)) return a & SIGN ? LESS : GREATER;
  return a < b == ((a & SIGN) == 0) ? LESS : GREATER;
}

function integer(cpu: usize, a: u32, bits: u32, mode: u32): i64 {
  a = flushed(a, mode);
  if (isZero(a)) return 0;
  // Infinities and NaNs count as numbers beyond any integer.
  if ((a & INFINITY) == INFINITY) return toInteger(cpu, 0, 64, 0x8000000000000000, bits, mode);
  return toInteger(cpu, signOf(a), exponentOf(a), significandOf(a), bits, mode);
}

/** CVTSS2SI, and CVTTSS2SI with the rounding bits of mode set to ROUND_TO_ZERO. */
export function f32ToI32(cpu: usize, a: u32, mode: u32): i32 {
  return <i32>integer(cpu, a, 32, mode);
}

export function f32ToI64(cpu: usize, a: u32, mode: u32): i64 {
  return integer(cpu, a, 64, mode);
}

/** CVTSI2SS; sign-extend 32-bit integers. */
export function f32FromI64(cpu: usize, value: i64, mode: u32): u32 {
  if (value == 0) return 0;
  fromInteger(value);
  return finish32(cpu, mode);
}

/** ROUNDSS; INEXACT is raised only when `reportInexact`. */
export function f32RoundToInt(cpu: usize, a: u32, mode: u32, reportInexact: bool): u32 {
  if (isNan(a)) return propagateNan(cpu, a, a);
  a = flushed(a, mode);
  const sign = a & SIGN;
  if (isZero(a) || (a & ~SIGN) >= 0x4b000000) return a;
  if (toIntegral(signOf(a), exponentOf(a), significandOf(a), mode) && reportInexact) raiseFlags(cpu, INEXACT);
  if (exactHigh == 0) return sign;
  return finish32(cpu, mode);
}

/** CVTSS2SD: exact; the result is a binary64. */
export function f32ToF64(cpu: usize, a: u32, mode: u32): u64 {
  const sign = (<u64>(a & SIGN)) << 32;
  if (isNan(a)) {
    if (!(a & QUIET)) raiseFlags(cpu, INVALID);
    return sign | 0x7ff8000000000000 | ((<u64>(a & FRACTION)) << 29);
  }
  if (isInfinite(a)) return sign | 0x7ff0000000000000;
  a = operand(cpu, a, mode);
  if (isZero(a)) return sign;
  return sign | ((<u64>(exponentOf(a) + MAX_EXPONENT_64)) << 52) | ((significandOf(a) & 0x7fffffffffffffff) >> 11);
}
