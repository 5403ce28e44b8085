/**
 * Floating-point arithmetic: scalar and packed, single and double. Each handler tries Wasm's own arithmetic and keeps the result
 * when nothing but the inexact flag, which is up already, could have been raised (simd/mxcsr.ts, simd/ordinary.ts).
 * @sdm Vol. 2 ADDPS ... ADDSD, SUB, MUL, DIV, SQRT, MIN, MAX, HADD, HSUB, ADDSUB
 */
import { setXmm, xmm, xmmReg, xmmRm } from '../access';
import { FAULT, NEXT } from '../layout';
import { packed32, scalar32 } from '../simd/arithmetic32';
import { packed64, scalar64 } from '../simd/arithmetic64';
import { isDefaultInexact } from '../simd/mxcsr';
import { ADD, DIVIDE, MAXIMUM, MINIMUM, MULTIPLY, SQUARE_ROOT, SUBTRACT } from '../simd/operation';
import {
  clearOrZeroLanes32,
  clearOrZeroLanes64,
  finiteLanes32,
  finiteLanes64,
  isClear32,
  isClear64,
  isFinite32,
  isFinite64,
  isOrdinary32,
  isOrdinary64,
  ordinaryLanes32,
  ordinaryLanes64,
  zeroLanes32,
  zeroLanes64,
} from '../simd/ordinary';

// ---- addition, subtraction, multiplication, division ------------------------------------------------------------------

export function addss(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 4);
  if (!source) return FAULT;
  const target = xmmReg(cpu, op);
  const a = load<f32>(target);
  const b = load<f32>(source);
  const result = a + b;
  if (isDefaultInexact(cpu) && isOrdinary32(a) && isOrdinary32(b) && isFinite32(result)) {
    store<f32>(target, result);
    return NEXT;
  }
  return scalar32(cpu, target, source, ADD);
}

export function addps(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? addLanes32(cpu, op, xmm(cpu, op), v128.load(source)) : FAULT;
}

function addLanes32(cpu: usize, op: usize, a: v128, b: v128): i32 {
  if (isDefaultInexact(cpu)) {
    const result = f32x4.add(a, b);
    const operands = v128.and(ordinaryLanes32(a), ordinaryLanes32(b));
    if (i32x4.all_true(v128.and(operands, finiteLanes32(result)))) return setXmm(cpu, op, result);
  }
  return packed32(cpu, op, a, b, ADD, ADD);
}

export function addsd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 8);
  if (!source) return FAULT;
  const target = xmmReg(cpu, op);
  const a = load<f64>(target);
  const b = load<f64>(source);
  const result = a + b;
  if (isDefaultInexact(cpu) && isOrdinary64(a) && isOrdinary64(b) && isFinite64(result)) {
    store<f64>(target, result);
    return NEXT;
  }
  return scalar64(cpu, target, source, ADD);
}

export function addpd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? addLanes64(cpu, op, xmm(cpu, op), v128.load(source)) : FAULT;
}

function addLanes64(cpu: usize, op: usize, a: v128, b: v128): i32 {
  if (isDefaultInexact(cpu)) {
    const result = f64x2.add(a, b);
    const operands = v128.and(ordinaryLanes64(a), ordinaryLanes64(b));
    if (i64x2.all_true(v128.and(operands, finiteLanes64(result)))) return setXmm(cpu, op, result);
  }
  return packed64(cpu, op, a, b, ADD, ADD);
}

export function subss(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 4);
  if (!source) return FAULT;
  const target = xmmReg(cpu, op);
  const a = load<f32>(target);
  const b = load<f32>(source);
  const result = a - b;
  if (isDefaultInexact(cpu) && isOrdinary32(a) && isOrdinary32(b) && isFinite32(result)) {
    store<f32>(target, result);
    return NEXT;
  }
  return scalar32(cpu, target, source, SUBTRACT);
}

export function subps(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? subLanes32(cpu, op, xmm(cpu, op), v128.load(source)) : FAULT;
}

function subLanes32(cpu: usize, op: usize, a: v128, b: v128): i32 {
  if (isDefaultInexact(cpu)) {
    const result = f32x4.sub(a, b);
    const operands = v128.and(ordinaryLanes32(a), ordinaryLanes32(b));
    if (i32x4.all_true(v128.and(operands, finiteLanes32(result)))) return setXmm(cpu, op, result);
  }
  return packed32(cpu, op, a, b, SUBTRACT, SUBTRACT);
}

export function subsd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 8);
  if (!source) return FAULT;
  const target = xmmReg(cpu, op);
  const a = load<f64>(target);
  const b = load<f64>(source);
  const result = a - b;
  if (isDefaultInexact(cpu) && isOrdinary64(a) && isOrdinary64(b) && isFinite64(result)) {
    store<f64>(target, result);
    return NEXT;
  }
  return scalar64(cpu, target, source, SUBTRACT);
}

export function subpd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? subLanes64(cpu, op, xmm(cpu, op), v128.load(source)) : FAULT;
}

function subLanes64(cpu: usize, op: usize, a: v128, b: v128): i32 {
  if (isDefaultInexact(cpu)) {
    const result = f64x2.sub(a, b);
    const operands = v128.and(ordinaryLanes64(a), ordinaryLanes64(b));
    if (i64x2.all_true(v128.and(operands, finiteLanes64(result)))) return setXmm(cpu, op, result);
  }
  return packed64(cpu, op, a, b, SUBTRACT, SUBTRACT);
}

export function mulss(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 4);
  if (!source) return FAULT;
  const target = xmmReg(cpu, op);
  const a = load<f32>(target);
  const b = load<f32>(source);
  const result = a * b;
  if (
    isDefaultInexact(cpu) &&
    isOrdinary32(a) &&
    isOrdinary32(b) &&
    (isClear32(result) || ((a == 0 || b == 0) && isFinite32(result)))
  ) {
    store<f32>(target, result);
    return NEXT;
  }
  return scalar32(cpu, target, source, MULTIPLY);
}

export function mulps(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? mulLanes32(cpu, op, xmm(cpu, op), v128.load(source)) : FAULT;
}

function mulLanes32(cpu: usize, op: usize, a: v128, b: v128): i32 {
  if (isDefaultInexact(cpu)) {
    const result = f32x4.mul(a, b);
    const operands = v128.and(ordinaryLanes32(a), ordinaryLanes32(b));
    if (i32x4.all_true(v128.and(operands, clearOrZeroLanes32(result, v128.or(zeroLanes32(a), zeroLanes32(b))))))
      return setXmm(cpu, op, result);
  }
  return packed32(cpu, op, a, b, MULTIPLY, MULTIPLY);
}

export function mulsd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 8);
  if (!source) return FAULT;
  const target = xmmReg(cpu, op);
  const a = load<f64>(target);
  const b = load<f64>(source);
  const result = a * b;
  if (
    isDefaultInexact(cpu) &&
    isOrdinary64(a) &&
    isOrdinary64(b) &&
    (isClear64(result) || ((a == 0 || b == 0) && isFinite64(result)))
  ) {
    store<f64>(target, result);
    return NEXT;
  }
  return scalar64(cpu, target, source, MULTIPLY);
}

export function mulpd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? mulLanes64(cpu, op, xmm(cpu, op), v128.load(source)) : FAULT;
}

function mulLanes64(cpu: usize, op: usize, a: v128, b: v128): i32 {
  if (isDefaultInexact(cpu)) {
    const result = f64x2.mul(a, b);
    const operands = v128.and(ordinaryLanes64(a), ordinaryLanes64(b));
    if (i64x2.all_true(v128.and(operands, clearOrZeroLanes64(result, v128.or(zeroLanes64(a), zeroLanes64(b))))))
      return setXmm(cpu, op, result);
  }
  return packed64(cpu, op, a, b, MULTIPLY, MULTIPLY);
}

export function divss(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 4);
  if (!source) return FAULT;
  const target = xmmReg(cpu, op);
  const a = load<f32>(target);
  const b = load<f32>(source);
  const result = a / b;
  if (isDefaultInexact(cpu) && isOrdinary32(a) && isOrdinary32(b) && (isClear32(result) || (a == 0 && isFinite32(result)))) {
    store<f32>(target, result);
    return NEXT;
  }
  return scalar32(cpu, target, source, DIVIDE);
}

export function divps(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? divLanes32(cpu, op, xmm(cpu, op), v128.load(source)) : FAULT;
}

function divLanes32(cpu: usize, op: usize, a: v128, b: v128): i32 {
  if (isDefaultInexact(cpu)) {
    const result = f32x4.div(a, b);
    const operands = v128.and(ordinaryLanes32(a), ordinaryLanes32(b));
    if (i32x4.all_true(v128.and(operands, clearOrZeroLanes32(result, zeroLanes32(a))))) return setXmm(cpu, op, result);
  }
  return packed32(cpu, op, a, b, DIVIDE, DIVIDE);
}

export function divsd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 8);
  if (!source) return FAULT;
  const target = xmmReg(cpu, op);
  const a = load<f64>(target);
  const b = load<f64>(source);
  const result = a / b;
  if (isDefaultInexact(cpu) && isOrdinary64(a) && isOrdinary64(b) && (isClear64(result) || (a == 0 && isFinite64(result)))) {
    store<f64>(target, result);
    return NEXT;
  }
  return scalar64(cpu, target, source, DIVIDE);
}

export function divpd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? divLanes64(cpu, op, xmm(cpu, op), v128.load(source)) : FAULT;
}

function divLanes64(cpu: usize, op: usize, a: v128, b: v128): i32 {
  if (isDefaultInexact(cpu)) {
    const result = f64x2.div(a, b);
    const operands = v128.and(ordinaryLanes64(a), ordinaryLanes64(b));
    if (i64x2.all_true(v128.and(operands, clearOrZeroLanes64(result, zeroLanes64(a))))) return setXmm(cpu, op, result);
  }
  return packed64(cpu, op, a, b, DIVIDE, DIVIDE);
}

// ---- square root ----------------------------------------------------------------------------------------------------

export function sqrtss(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 4);
  if (!source) return FAULT;
  const target = xmmReg(cpu, op);
  const a = load<f32>(source);
  const result = sqrt<f32>(a);
  if (isDefaultInexact(cpu) && isOrdinary32(a) && isFinite32(result)) {
    store<f32>(target, result);
    return NEXT;
  }
  return scalar32(cpu, target, source, SQUARE_ROOT);
}

export function sqrtps(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const a = v128.load(source);
  if (isDefaultInexact(cpu)) {
    const result = f32x4.sqrt(a);
    if (i32x4.all_true(v128.and(ordinaryLanes32(a), finiteLanes32(result)))) return setXmm(cpu, op, result);
  }
  return packed32(cpu, op, a, a, SQUARE_ROOT, SQUARE_ROOT);
}

export function sqrtsd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 8);
  if (!source) return FAULT;
  const target = xmmReg(cpu, op);
  const a = load<f64>(source);
  const result = sqrt<f64>(a);
  if (isDefaultInexact(cpu) && isOrdinary64(a) && isFinite64(result)) {
    store<f64>(target, result);
    return NEXT;
  }
  return scalar64(cpu, target, source, SQUARE_ROOT);
}

export function sqrtpd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const a = v128.load(source);
  if (isDefaultInexact(cpu)) {
    const result = f64x2.sqrt(a);
    if (i64x2.all_true(v128.and(ordinaryLanes64(a), finiteLanes64(result)))) return setXmm(cpu, op, result);
  }
  return packed64(cpu, op, a, a, SQUARE_ROOT, SQUARE_ROOT);
}

// ---- minimum and maximum: exact, the second operand unless the first is properly less or greater ----------------------------

export function minss(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 4);
  if (!source) return FAULT;
  const target = xmmReg(cpu, op);
  const a = load<f32>(target);
  const b = load<f32>(source);
  if (isOrdinary32(a) && isOrdinary32(b)) {
    store<f32>(target, a < b ? a : b);
    return NEXT;
  }
  return scalar32(cpu, target, source, MINIMUM);
}

export function minps(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const a = xmm(cpu, op);
  const b = v128.load(source);
  if (i32x4.all_true(v128.and(ordinaryLanes32(a), ordinaryLanes32(b)))) return setXmm(cpu, op, f32x4.pmin(b, a));
  return packed32(cpu, op, a, b, MINIMUM, MINIMUM);
}

export function minsd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 8);
  if (!source) return FAULT;
  const target = xmmReg(cpu, op);
  const a = load<f64>(target);
  const b = load<f64>(source);
  if (isOrdinary64(a) && isOrdinary64(b)) {
    store<f64>(target, a < b ? a : b);
    return NEXT;
  }
  return scalar64(cpu, target, source, MINIMUM);
}

export function minpd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const a = xmm(cpu, op);
  const b = v128.load(source);
  if (i64x2.all_true(v128.and(ordinaryLanes64(a), ordinaryLanes64(b)))) return setXmm(cpu, op, f64x2.pmin(b, a));
  return packed64(cpu, op, a, b, MINIMUM, MINIMUM);
}

export function maxss(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 4);
  if (!source) return FAULT;
  const target = xmmReg(cpu, op);
  const a = load<f32>(target);
  const b = load<f32>(source);
  if (isOrdinary32(a) && isOrdinary32(b)) {
    store<f32>(target, a > b ? a : b);
    return NEXT;
  }
  return scalar32(cpu, target, source, MAXIMUM);
}

export function maxps(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const a = xmm(cpu, op);
  const b = v128.load(source);
  if (i32x4.all_true(v128.and(ordinaryLanes32(a), ordinaryLanes32(b)))) return setXmm(cpu, op, f32x4.pmax(b, a));
  return packed32(cpu, op, a, b, MAXIMUM, MAXIMUM);
}

export function maxsd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 8);
  if (!source) return FAULT;
  const target = xmmReg(cpu, op);
  const a = load<f64>(target);
  const b = load<f64>(source);
  if (isOrdinary64(a) && isOrdinary64(b)) {
    store<f64>(target, a > b ? a : b);
    return NEXT;
  }
  return scalar64(cpu, target, source, MAXIMUM);
}

export function maxpd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const a = xmm(cpu, op);
  const b = v128.load(source);
  if (i64x2.all_true(v128.and(ordinaryLanes64(a), ordinaryLanes64(b)))) return setXmm(cpu, op, f64x2.pmax(b, a));
  return packed64(cpu, op, a, b, MAXIMUM, MAXIMUM);
}

// ---- between the lanes of a register; of each pair the lower one is the first operand ------------------------------------

export function haddps(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const a = xmm(cpu, op);
  const b = v128.load(source);
  return addLanes32(cpu, op, i32x4.shuffle(a, b, 0, 2, 4, 6), i32x4.shuffle(a, b, 1, 3, 5, 7));
}

export function hsubps(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const a = xmm(cpu, op);
  const b = v128.load(source);
  return subLanes32(cpu, op, i32x4.shuffle(a, b, 0, 2, 4, 6), i32x4.shuffle(a, b, 1, 3, 5, 7));
}

export function addsubps(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const a = xmm(cpu, op);
  const b = v128.load(source);
  if (isDefaultInexact(cpu)) {
    const result = f32x4.add(a, v128.xor(b, i64x2.splat(0x80000000)));
    const operands = v128.and(ordinaryLanes32(a), ordinaryLanes32(b));
    if (i32x4.all_true(v128.and(operands, finiteLanes32(result)))) return setXmm(cpu, op, result);
  }
  return packed32(cpu, op, a, b, SUBTRACT, ADD);
}

export function haddpd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const a = xmm(cpu, op);
  const b = v128.load(source);
  return addLanes64(cpu, op, i64x2.shuffle(a, b, 0, 2), i64x2.shuffle(a, b, 1, 3));
}

export function hsubpd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const a = xmm(cpu, op);
  const b = v128.load(source);
  return subLanes64(cpu, op, i64x2.shuffle(a, b, 0, 2), i64x2.shuffle(a, b, 1, 3));
}

export function addsubpd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const a = xmm(cpu, op);
  const b = v128.load(source);
  if (isDefaultInexact(cpu)) {
    const result = f64x2.add(a, v128.xor(b, i64x2(i64.MIN_VALUE, 0)));
    const operands = v128.and(ordinaryLanes64(a), ordinaryLanes64(b));
    if (i64x2.all_true(v128.and(operands, finiteLanes64(result)))) return setXmm(cpu, op, result);
  }
  return packed64(cpu, op, a, b, SUBTRACT, ADD);
}
