/**
 * binary64 arithmetic of SSE instructions where the first try in the handler was not enough: a flag may have to be raised, or
 * MXCSR asks for more than Wasm's own arithmetic. While rounding is to nearest and nothing but the inexact flag is in question,
 * the host still computes and exactness is found by a second, cheap computation; the rest is soft float.
 * @sdm Vol. 1 11.5.2, Vol. 2 MINSD, MAXSD, CMPSD
 */
import { setXmm } from '../access';
import { FAULT, NEXT, VCPU_MXCSR, VCPU_SOFTFLOAT_FLAGS } from '../layout';
import { EQUAL, LESS, UNORDERED, f64Add, f64Compare, f64Div, f64Mul, f64Sqrt, f64Sub } from '../softfloat/binary64';
import { DENORMAL, INEXACT, INVALID, MODE_DENORMALS_ARE_ZERO, raiseFlags } from '../softfloat/environment';
import { beginFloat, endFloat } from './mxcsr';
import { ADD, DIVIDE, MINIMUM, MULTIPLY, SQUARE_ROOT, SUBTRACT } from './operation';
import { isClear64, isFinite64, isOrdinary64 } from './ordinary';

const SIGN: u64 = 0x8000000000000000;
/** MXCSR.PM */
const INEXACT_MASKED: u32 = 0x1000;
const INFINITY: u64 = 0x7ff0000000000000;
/** Below this magnitude no intermediate of an exactness check overflows. */
const LARGE: f64 = reinterpret<f64>(0x7e40000000000000);

function isNan(a: u64): bool {
  return (a & ~SIGN) > INFINITY;
}

function isDenormal(a: u64): bool {
  return (a & INFINITY) == 0 && (a & ~SIGN) != 0;
}

/** The operand as DAZ has it. */
function flushed(a: u64, mode: u32): u64 {
  return mode & MODE_DENORMALS_ARE_ZERO && isDenormal(a) ? a & SIGN : a;
}

/** Whether nobody needs to know if a result is exact: the inexact flag is about to go up, or is up and masked. */
function isInexactKnown(cpu: usize): bool {
  if (load<u32>(cpu, VCPU_SOFTFLOAT_FLAGS) & INEXACT) return true;
  return (load<u32>(cpu, VCPU_MXCSR) & (INEXACT | INEXACT_MASKED)) == (INEXACT | INEXACT_MASKED);
}

/** Bits of a normal number's significand down to the last one set. Products of numbers with 53 such bits in all are exact. */
function significantBits(a: f64): i32 {
  return 53 - <i32>ctz((reinterpret<u64>(a) & 0x000fffffffffffff) | 0x0010000000000000);
}

function add(cpu: usize, a: u64, b: u64, mode: u32): u64 {
  if (mode == 0) {
    const x = reinterpret<f64>(a);
    const y = reinterpret<f64>(b);
    const sum = x + y;
    if (isOrdinary64(x) && isOrdinary64(y) && abs(sum) < LARGE) {
      // What rounding took off a sum is itself a number of the format.
      const part = sum - x;
      if (x - (sum - part) + (y - part) != 0) raiseFlags(cpu, INEXACT);
      return reinterpret<u64>(sum);
    }
  }
  return f64Add(cpu, a, b, mode);
}

function multiply(cpu: usize, a: u64, b: u64, mode: u32): u64 {
  if (mode == 0) {
    const x = reinterpret<f64>(a);
    const y = reinterpret<f64>(b);
    const product = x * y;
    if (isOrdinary64(x) && isOrdinary64(y) && isFinite64(product)) {
      if (x == 0 || y == 0) return reinterpret<u64>(product);
      if (isClear64(product) && (isInexactKnown(cpu) || significantBits(x) + significantBits(y) <= 53))
        return reinterpret<u64>(product);
    }
  }
  return f64Mul(cpu, a, b, mode);
}

function divide(cpu: usize, a: u64, b: u64, mode: u32): u64 {
  if (mode == 0) {
    const x = reinterpret<f64>(a);
    const y = reinterpret<f64>(b);
    const quotient = x / y;
    if (isOrdinary64(x) && isOrdinary64(y) && isFinite64(quotient)) {
      if (x == 0) return reinterpret<u64>(quotient);
      if (isClear64(quotient)) {
        if (isInexactKnown(cpu)) return reinterpret<u64>(quotient);
        if (significantBits(quotient) + significantBits(y) <= 53 && quotient * y == x) return reinterpret<u64>(quotient);
      }
    }
  }
  return f64Div(cpu, a, b, mode);
}

function squareRoot(cpu: usize, a: u64, mode: u32): u64 {
  if (mode == 0) {
    const x = reinterpret<f64>(a);
    const root = sqrt<f64>(x);
    if (isOrdinary64(x) && isFinite64(root)) {
      if (x == 0) return a;
      if (isInexactKnown(cpu)) return reinterpret<u64>(root);
      if (2 * significantBits(root) <= 53 && root * root == x) return reinterpret<u64>(root);
    }
  }
  return f64Sqrt(cpu, a, mode);
}

/** The second operand unless the first is properly less (greater): also for any NaN, which is INVALID, and two zeros. */
function extreme(cpu: usize, a: u64, b: u64, mode: u32, maximum: bool): u64 {
  a = flushed(a, mode);
  b = flushed(b, mode);
  if (isNan(a) || isNan(b)) {
    raiseFlags(cpu, INVALID);
    return b;
  }
  if (isDenormal(a) || isDenormal(b)) raiseFlags(cpu, DENORMAL);
  const x = reinterpret<f64>(a);
  const y = reinterpret<f64>(b);
  return (maximum ? x > y : x < y) ? a : b;
}

/** One lane of `operation`; the flags are collected. SQUARE_ROOT takes its operand as `b`. */
export function operate64(cpu: usize, operation: u32, a: u64, b: u64, mode: u32): u64 {
  switch (operation) {
    case ADD:
      return add(cpu, a, b, mode);
    case SUBTRACT:
      return isNan(b) ? f64Sub(cpu, a, b, mode) : add(cpu, a, b ^ SIGN, mode);
    case MULTIPLY:
      return multiply(cpu, a, b, mode);
    case DIVIDE:
      return divide(cpu, a, b, mode);
    case SQUARE_ROOT:
      return squareRoot(cpu, b, mode);
    case MINIMUM:
      return extreme(cpu, a, b, mode, false);
    default:
      return extreme(cpu, a, b, mode, true);
  }
}

/** A scalar operation on the low lane of the register at `target` and the number at `source`; returns as a handler does. */
export function scalar64(cpu: usize, target: usize, source: usize, operation: u32): i32 {
  const mode = beginFloat(cpu);
  const result = operate64(cpu, operation, load<u64>(target), load<u64>(source), mode);
  if (endFloat(cpu) != NEXT) return FAULT;
  store<u64>(target, result);
  return NEXT;
}

/** An operation on all lanes, `even` on those with an even number, `odd` on the others; returns as a handler does. */
export function packed64(cpu: usize, op: usize, a: v128, b: v128, even: u32, odd: u32): i32 {
  const mode = beginFloat(cpu);
  const result = operateLanes64(cpu, a, b, even, odd, mode);
  return endFloat(cpu) == NEXT ? setXmm(cpu, op, result) : FAULT;
}

/** All lanes of an operation; the flags are collected. */
export function operateLanes64(cpu: usize, a: v128, b: v128, even: u32, odd: u32, mode: u32): v128 {
  let result = i64x2.splat(operate64(cpu, even, i64x2.extract_lane(a, 0), i64x2.extract_lane(b, 0), mode));
  result = i64x2.replace_lane(result, 1, operate64(cpu, odd, i64x2.extract_lane(a, 1), i64x2.extract_lane(b, 1), mode));
  return result;
}

// ---- comparison -------------------------------------------------------------------------------------------------------

/** All ones where `predicate` (bits 2:0 of CMPcc's immediate) holds, else zero; the flags are collected. */
export function compare64(cpu: usize, a: u64, b: u64, predicate: u32, mode: u32): u64 {
  const kind = predicate & 3;
  // "Less" and its like, negated or not, take every NaN for invalid; "equal" and "unordered" the signalling ones only.
  const relation = f64Compare(cpu, a, b, mode, kind == 1 || kind == 2);
  let holds: bool;
  if (kind == 0) holds = relation == EQUAL;
  else if (kind == 1) holds = relation == LESS;
  else if (kind == 2) holds = relation == LESS || relation == EQUAL;
  else holds = relation == UNORDERED;
  return holds == ((predicate & 4) == 0) ? ~(<u64>0) : 0;
}
