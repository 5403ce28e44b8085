/**
 * binary32 arithmetic of SSE instructions where the first try in the handler was not enough: a flag may have to be raised, or
 * MXCSR asks for more than Wasm's own arithmetic. While rounding is to nearest and nothing but the inexact flag is in question,
 * the host still computes and exactness is found by a second, cheap computation; the rest is soft float.
 * @sdm Vol. 1 11.5.2, Vol. 2 MINSD, MAXSD, CMPSD
 */
import { setXmm } from '../access';
import { FAULT, NEXT } from '../layout';
import { f32Add, f32Compare, f32Div, f32Mul, f32Sqrt, f32Sub } from '../softfloat/binary32';
import { EQUAL, LESS, UNORDERED } from '../softfloat/binary64';
import { DENORMAL, INEXACT, INVALID, MODE_DENORMALS_ARE_ZERO, raiseFlags } from '../softfloat/environment';
import { beginFloat, endFloat } from './mxcsr';
import { ADD, DIVIDE, MINIMUM, MULTIPLY, SQUARE_ROOT, SUBTRACT } from './operation';
import { isClear32, isFinite32, isOrdinary32 } from './ordinary';

const SIGN: u32 = 0x80000000;
const INFINITY: u32 = 0x7f800000;
/** Below this magnitude no intermediate of an exactness check overflows. */
const LARGE: f32 = reinterpret<f32>(0x7d000000);

function isNan(a: u32): bool {
  return (a & ~SIGN) > INFINITY;
}

function isDenormal(a: u32): bool {
  return (a & INFINITY) == 0 && (a & ~SIGN) != 0;
}

/** The operand as DAZ has it. */
function flushed(a: u32, mode: u32): u32 {
  return mode & MODE_DENORMALS_ARE_ZERO && isDenormal(a) ? a & SIGN : a;
}

function add(cpu: usize, a: u32, b: u32, mode: u32): u32 {
  if (mode == 0) {
    const x = reinterpret<f32>(a);
    const y = reinterpret<f32>(b);
    const sum = x + y;
    if (isOrdinary32(x) && isOrdinary32(y) && abs(sum) < LARGE) {
      // What rounding took off a sum is itself a number of the format.
      const part = sum - x;
      if (x - (sum - part) + (y - part) != 0) raiseFlags(cpu, INEXACT);
      return reinterpret<u32>(sum);
    }
  }
  return f32Add(cpu, a, b, mode);
}

function multiply(cpu: usize, a: u32, b: u32, mode: u32): u32 {
  if (mode == 0) {
    const x = reinterpret<f32>(a);
    const y = reinterpret<f32>(b);
    const product = x * y;
    if (isOrdinary32(x) && isOrdinary32(y) && isFinite32(product)) {
      if (x == 0 || y == 0) return reinterpret<u32>(product);
      // 24 bits times 24 bits fit the 53 of binary64.
      if (isClear32(product)) {
        if (<f64>x * <f64>y != <f64>product) raiseFlags(cpu, INEXACT);
        return reinterpret<u32>(product);
      }
    }
  }
  return f32Mul(cpu, a, b, mode);
}

function divide(cpu: usize, a: u32, b: u32, mode: u32): u32 {
  if (mode == 0) {
    const x = reinterpret<f32>(a);
    const y = reinterpret<f32>(b);
    const quotient = x / y;
    if (isOrdinary32(x) && isOrdinary32(y) && isFinite32(quotient)) {
      if (x == 0) return reinterpret<u32>(quotient);
      if (isClear32(quotient)) {
        if (<f64>quotient * <f64>y != <f64>x) raiseFlags(cpu, INEXACT);
        return reinterpret<u32>(quotient);
      }
    }
  }
  return f32Div(cpu, a, b, mode);
}

function squareRoot(cpu: usize, a: u32, mode: u32): u32 {
  if (mode == 0) {
    const x = reinterpret<f32>(a);
    const root = sqrt<f32>(x);
    if (isOrdinary32(x) && isFinite32(root)) {
      if (x == 0) return a;
      if (<f64>root * <f64>root != <f64>x) raiseFlags(cpu, INEXACT);
      return reinterpret<u32>(root);
    }
  }
  return f32Sqrt(cpu, a, mode);
}

/** The second operand unless the first is properly less (greater): also for any NaN, which is INVALID, and two zeros. */
function extreme(cpu: usize, a: u32, b: u32, mode: u32, maximum: bool): u32 {
  a = flushed(a, mode);
  b = flushed(b, mode);
  if (isNan(a) || isNan(b)) {
    raiseFlags(cpu, INVALID);
    return b;
  }
  if (isDenormal(a) || isDenormal(b)) raiseFlags(cpu, DENORMAL);
  const x = reinterpret<f32>(a);
  const y = reinterpret<f32>(b);
  return (maximum ? x > y : x < y) ? a : b;
}

/** One lane of `operation`; the flags are collected. SQUARE_ROOT takes its operand as `b`. */
export function operate32(cpu: usize, operation: u32, a: u32, b: u32, mode: u32): u32 {
  switch (operation) {
    case ADD:
      return add(cpu, a, b, mode);
    case SUBTRACT:
      return isNan(b) ? f32Sub(cpu, a, b, mode) : add(cpu, a, b ^ SIGN, mode);
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
export function scalar32(cpu: usize, target: usize, source: usize, operation: u32): i32 {
  const mode = beginFloat(cpu);
  const result = operate32(cpu, operation, load<u32>(target), load<u32>(source), mode);
  if (endFloat(cpu) != NEXT) return FAULT;
  store<u32>(target, result);
  return NEXT;
}

/** An operation on all lanes, `even` on those with an even number, `odd` on the others; returns as a handler does. */
export function packed32(cpu: usize, op: usize, a: v128, b: v128, even: u32, odd: u32): i32 {
  const mode = beginFloat(cpu);
  const result = operateLanes32(cpu, a, b, even, odd, mode);
  return endFloat(cpu) == NEXT ? setXmm(cpu, op, result) : FAULT;
}

/** All lanes of an operation; the flags are collected. */
export function operateLanes32(cpu: usize, a: v128, b: v128, even: u32, odd: u32, mode: u32): v128 {
  let result = i32x4.splat(operate32(cpu, even, i32x4.extract_lane(a, 0), i32x4.extract_lane(b, 0), mode));
  result = i32x4.replace_lane(result, 1, operate32(cpu, odd, i32x4.extract_lane(a, 1), i32x4.extract_lane(b, 1), mode));
  result = i32x4.replace_lane(result, 2, operate32(cpu, even, i32x4.extract_lane(a, 2), i32x4.extract_lane(b, 2), mode));
  result = i32x4.replace_lane(result, 3, operate32(cpu, odd, i32x4.extract_lane(a, 3), i32x4.extract_lane(b, 3), mode));
  return result;
}

// ---- comparison -------------------------------------------------------------------------------------------------------

/** All ones where `predicate` (bits 2:0 of CMPcc's immediate) holds, else zero; the flags are collected. */
export function compare32(cpu: usize, a: u32, b: u32, predicate: u32, mode: u32): u32 {
  const kind = predicate & 3;
  // "Less" and its like, negated or not, take every NaN for invalid; "equal" and "unordered" the signalling ones only.
  const relation = f32Compare(cpu, a, b, mode, kind == 1 || kind == 2);
  let holds: bool;
  if (kind == 0) holds = relation == EQUAL;
  else if (kind == 1) holds = relation == LESS;
  else if (kind == 2) holds = relation == LESS || relation == EQUAL;
  else holds = relation == UNORDERED;
  return holds == ((predicate & 4) == 0) ? ~(<u32>0) : 0;
}
