/**
 * binary64 arithmetic in integers, for the cases that Wasm's own cannot serve: directed rounding, exact exception flags,
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

const SIGN: u64 = 0x8000000000000000;
const INFINITY: u64 = 0x7ff0000000000000;
const FRACTION: u64 = 0x000fffffffffffff;
const QUIET: u64 = 0x0008000000000000;
/** The QNaN floating-point indefinite. */
export const DEFAULT_NAN_64: u64 = 0xfff8000000000000;

function isNan(a: u64): bool {
  return (a & ~SIGN) > INFINITY;
}

function isSignalling(a: u64): bool {
  return isNan(a) && !(a & QUIET);
}

function isZero(a: u64): bool {
  return (a & ~SIGN) == 0;
}

function isInfinite(a: u64): bool {
  return (a & ~SIGN) == INFINITY;
}

function isDenormal(a: u64): bool {
  return (a & INFINITY) == 0 && (a & FRACTION) != 0;
}

function signOf(a: u64): u32 {
  return <u32>(a >> 63);
}

/** Exponent of a non-zero finite number as arithmetic.ts counts it. */
function exponentOf(a: u64): i32 {
  const field = <i32>((a >> 52) & 0x7ff);
  return field ? field - MAX_EXPONENT_64 : 1 - MAX_EXPONENT_64 - <i32>clz((a & FRACTION) << 11);
}

function significandOf(a: u64): u64 {
  const fraction = (a & FRACTION) << 11;
  return a & INFINITY ? fraction | SIGN : fraction << clz(fraction);
}

/** An operand that is no NaN as the mode sees it: a denormal raises DENORMAL or counts as zero. */
function operand(cpu: usize, a: u64, mode: u32): u64 {
  if (!isDenormal(a)) return a;
  if (mode & MODE_DENORMALS_ARE_ZERO) return a & SIGN;
  raiseFlags(cpu, DENORMAL);
  return a;
}

/** The same without the flag, for operations that do not report denormals. */
function flushed(a: u64, mode: u32): u64 {
  return mode & MODE_DENORMALS_ARE_ZERO && isDenormal(a) ? a & SIGN : a;
}

function propagateNan(cpu: usize, a: u64, b: u64): u64 {
  if (isSignalling(a) || isSignalling(b)) raiseFlags(cpu, INVALID);
  return (isNan(a) ? a : b) | QUIET;
}

function invalid(cpu: usize): u64 {
  raiseFlags(cpu, INVALID);
  return DEFAULT_NAN_64;
}

function finish64(cpu: usize, mode: u32): u64 {
  finish(cpu, 53, MAX_EXPONENT_64, mode);
  return ((<u64>exactSign) << 63) | ((<u64>roundedField) << 52) | ((roundedHigh & ~SIGN) >> 11);
}

/** Sign of a sum that is exactly zero. */
function zeroSum(aSign: u32, bSign: u32, mode: u32): u64 {
  if (aSign == bSign) return (<u64>aSign) << 63;
  return (mode & MODE_ROUNDING) == ROUND_DOWN ? SIGN : 0;
}

function add(cpu: usize, a: u64, b: u64, mode: u32): u64 {
  a = operand(cpu, a, mode);
  b = operand(cpu, b, mode);
  if (isInfinite(a)) return isInfinite(b) && a != b ? invalid(cpu) : a;
  if (isInfinite(b)) return b;
  if (isZero(a) && isZero(b)) return zeroSum(signOf(a), signOf(b), mode);
  if (isZero(a)) setExact(signOf(b), exponentOf(b), significandOf(b), 0);
  else if (isZero(b)) setExact(signOf(a), exponentOf(a), significandOf(a), 0);
  else addNumbers(signOf(a), exponentOf(a), significandOf(a), signOf(b), exponentOf(b), significandOf(b));
  return exactHigh == 0 ? zeroSum(0, 1, mode) : finish64(cpu, mode);
}

export function f64Add(cpu: usize, a: u64, b: u64, mode: u32): u64 {
  return isNan(a) || isNan(b) ? propagateNan(cpu, a, b) : add(cpu, a, b, mode);
}

export function f64Sub(cpu: usize, a: u64, b: u64, mode: u32): u64 {
  return isNan(a) || isNan(b) ? propagateNan(cpu, a, b) : add(cpu, a, b ^ SIGN, mode);
}

export function f64Mul(cpu: usize, a: u64, b: u64, mode: u32): u64 {
  if (isNan(a) || isNan(b)) return propagateNan(cpu, a, b);
  const sign = (a ^ b) & SIGN;
  a = operand(cpu, a, mode);
  b = operand(cpu, b, mode);
  if (isInfinite(a) || isInfinite(b)) return isZero(a) || isZero(b) ? invalid(cpu) : sign | INFINITY;
  if (isZero(a) || isZero(b)) return sign;
  multiplyNumbers(signOf(a), exponentOf(a), significandOf(a), signOf(b), exponentOf(b), significandOf(b));
  return finish64(cpu, mode);
}

/** a / b. A zero divisor goes before the denormal operand: only ZERO_DIVIDE is raised (@sdm Vol.1 4.9.2). */
export function f64Div(cpu: usize, a: u64, b: u64, mode: u32): u64 {
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
  return finish64(cpu, mode);
}

/** A negative operand is INVALID before it is denormal; minus zero is its own root. */
export function f64Sqrt(cpu: usize, a: u64, mode: u32): u64 {
  if (isNan(a)) return propagateNan(cpu, a, a);
  if (isZero(flushed(a, mode))) return a & SIGN;
  if (a & SIGN) return invalid(cpu);
  if (isInfinite(a)) return a;
  a = operand(cpu, a, mode);
  squareRootOfNumber(exponentOf(a), significandOf(a));
  return finish64(cpu, mode);
}

/** Relation of two numbers as f64Compare and f32Compare return it. */
export const LESS: i32 = -1;
export const EQUAL: i32 = 0;
export const GREATER: i32 = 1;
export const UNORDERED: i32 = 2;

/** LESS, EQUAL, GREATER or UNORDERED. Any NaN is INVALID when `signalling` (COMISD, CMPLTSD), else only a signalling one. */
export function f64Compare(cpu: usize, a: u64, b: u64, mode: u32, signalling: bool): i32 {
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

function integer(cpu: usize, a: u64, bits: u32, mode: u32): i64 {
  a = flushed(a, mode);
  if (isZero(a)) return 0;
  // Infinities and NaNs count as numbers beyond any integer.
  if ((a & INFINITY) == INFINITY) return toInteger(cpu, 0, 64, SIGN, bits, mode);
  return toInteger(cpu, signOf(a), exponentOf(a), significandOf(a), bits, mode);
}

/** CVTSD2SI, and CVTTSD2SI with the rounding bits of mode set to ROUND_TO_ZERO. */
export function f64ToI32(cpu: usize, a: u64, mode: u32): i32 {
  return <i32>integer(cpu, a, 32, mode);
}

export function f64ToI64(cpu: usize, a: u64, mode: u32): i64 {
  return integer(cpu, a, 64, mode);
}

/** CVTSI2SD; sign-extend 32-bit integers (they are exact). */
export function f64FromI64(cpu: usize, value: i64, mode: u32): u64 {
  if (value == 0) return 0;
  fromInteger(value);
  return finish64(cpu, mode);
}

/** ROUNDSD; INEXACT is raised only when `reportInexact`. */
export function f64RoundToInt(cpu: usize, a: u64, mode: u32, reportInexact: bool): u64 {
  if (isNan(a)) return propagateNan(cpu, a, a);
  a = flushed(a, mode);
  const sign = a & SIGN;
  if (isZero(a) || (a & ~SIGN) >= 0x4330000000000000) return a;
  if (toIntegral(signOf(a), exponentOf(a), significandOf(a), mode) && reportInexact) raiseFlags(cpu, INEXACT);
  if (exactHigh == 0) return sign;
  return finish64(cpu, mode);
}

/** CVTSD2SS: the result is a binary32. */
export function f64ToF32(cpu: usize, a: u64, mode: u32): u32 {
  if (isNan(a)) {
    if (!(a & QUIET)) raiseFlags(cpu, INVALID);
    return (<u32>((a >> 32) & 0x80000000)) | 0x7fc00000 | (<u32>((a & FRACTION) >> 29));
  }
  const sign = <u32>((a & SIGN) >> 32);
  if (isInfinite(a)) return sign | 0x7f800000;
  a = operand(cpu, a, mode);
  if (isZero(a)) return sign;
  setExact(signOf(a), exponentOf(a), significandOf(a), 0);
  finish(cpu, 24, MAX_EXPONENT_32, mode);
  return sign | (roundedField << 23) | (<u32>((roundedHigh & ~SIGN) >> 40));
}
