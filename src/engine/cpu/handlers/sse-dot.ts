/**
 * SSE4.1: dot products, rounding to integral values, sums of absolute differences, horizontal minimum; and the approximations
 * of SSE. Reciprocals are given to full single precision, well within the bound of 1.5 * 2^-12 that processors keep.
 * @sdm Vol. 2 DPPS, DPPD, ROUNDPS ... ROUNDSD, MPSADBW, PHMINPOSUW, RCPPS, RSQRTPS
 */
import { immediate8, setXmm, xmm, xmmReg, xmmRm } from '../access';
import { FAULT, NEXT, VCPU_MXCSR } from '../layout';
import { operate32, operateLanes32 } from '../simd/arithmetic32';
import { operate64, operateLanes64 } from '../simd/arithmetic64';
import { doublewordMask, quadwordMask } from '../simd/lanes';
import { beginFloat, endFloat, isDefaultInexact, isInexactMasked, noteInexact } from '../simd/mxcsr';
import { ADD, MULTIPLY } from '../simd/operation';
import {
  MIN_NORMAL_32,
  clearOrZeroLanes32,
  clearOrZeroLanes64,
  finiteLanes32,
  finiteLanes64,
  ordinaryLanes32,
  ordinaryLanes64,
  zeroLanes32,
  zeroLanes64,
} from '../simd/ordinary';
import { f32RoundToInt } from '../softfloat/binary32';
import { f64RoundToInt } from '../softfloat/binary64';
import { MODE_ROUNDING, ROUND_DOWN, ROUND_NEAREST, ROUND_UP } from '../softfloat/environment';

// ---- dot products -------------------------------------------------------------------------------------------------------

/** Bits 7:4 of the immediate choose the products (the others are +0), bits 3:0 the doublewords that get the sum. */
export function dpps(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const control = immediate8(op);
  const chosen = doublewordMask(control >> 4);
  const a = v128.and(xmm(cpu, op), chosen);
  const b = v128.and(v128.load(source), chosen);
  if (isDefaultInexact(cpu)) {
    const products = f32x4.mul(a, b);
    const pairs = f32x4.add(products, i32x4.shuffle(products, products, 1, 0, 3, 2));
    const sum = f32x4.add(pairs, i32x4.shuffle(pairs, pairs, 2, 3, 0, 1));
    const operands = v128.and(v128.and(ordinaryLanes32(a), ordinaryLanes32(b)), ordinaryLanes32(pairs));
    const results = v128.and(clearOrZeroLanes32(products, v128.or(zeroLanes32(a), zeroLanes32(b))), finiteLanes32(sum));
    if (i32x4.all_true(v128.and(operands, results))) return setXmm(cpu, op, v128.and(sum, doublewordMask(control)));
  }
  return dotProduct32(cpu, op, a, b, control);
}

/** The products, the sums of two and the sum of all are stages: an unmasked exception of one ends the instruction. */
function dotProduct32(cpu: usize, op: usize, a: v128, b: v128, control: u32): i32 {
  const mode = beginFloat(cpu);
  const products = operateLanes32(cpu, a, b, MULTIPLY, MULTIPLY, mode);
  if (endFloat(cpu) != NEXT) return FAULT;
  beginFloat(cpu);
  const low = operate32(cpu, ADD, i32x4.extract_lane(products, 0), i32x4.extract_lane(products, 1), mode);
  const high = operate32(cpu, ADD, i32x4.extract_lane(products, 2), i32x4.extract_lane(products, 3), mode);
  if (endFloat(cpu) != NEXT) return FAULT;
  beginFloat(cpu);
  const sum = operate32(cpu, ADD, low, high, mode);
  if (endFloat(cpu) != NEXT) return FAULT;
  return setXmm(cpu, op, v128.and(i32x4.splat(sum), doublewordMask(control)));
}

/** Bits 5:4 of the immediate choose the products, bits 1:0 the quadwords that get the sum. */
export function dppd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const control = immediate8(op);
  const chosen = quadwordMask(control >> 4);
  const a = v128.and(xmm(cpu, op), chosen);
  const b = v128.and(v128.load(source), chosen);
  if (isDefaultInexact(cpu)) {
    const products = f64x2.mul(a, b);
    const sum = f64x2.add(products, i64x2.shuffle(products, products, 1, 0));
    const operands = v128.and(ordinaryLanes64(a), ordinaryLanes64(b));
    const results = v128.and(clearOrZeroLanes64(products, v128.or(zeroLanes64(a), zeroLanes64(b))), finiteLanes64(sum));
    if (i64x2.all_true(v128.and(operands, results))) return setXmm(cpu, op, v128.and(sum, quadwordMask(control)));
  }
  const mode = beginFloat(cpu);
  const products = operateLanes64(cpu, a, b, MULTIPLY, MULTIPLY, mode);
  if (endFloat(cpu) != NEXT) return FAULT;
  beginFloat(cpu);
  const sum = operate64(cpu, ADD, i64x2.extract_lane(products, 0), i64x2.extract_lane(products, 1), mode);
  if (endFloat(cpu) != NEXT) return FAULT;
  return setXmm(cpu, op, v128.and(i64x2.splat(sum), quadwordMask(control)));
}

// ---- rounding to integral values ------------------------------------------------------------------------------------------

/** Bit 2 of the immediate: rounding as MXCSR says, else as bits 1:0 say. */
function roundingOf(cpu: usize, control: u32): u32 {
  return (control & 4 ? load<u32>(cpu, VCPU_MXCSR) >> 13 : control) & MODE_ROUNDING;
}

/** Bit 3 of the immediate: do not report inexact results. */
function reportsInexact(control: u32): bool {
  return (control & 8) == 0;
}

function integral64(a: f64, rounding: u32): f64 {
  if (rounding == ROUND_NEAREST) return nearest<f64>(a);
  if (rounding == ROUND_DOWN) return floor<f64>(a);
  return rounding == ROUND_UP ? ceil<f64>(a) : trunc<f64>(a);
}

function integral32(a: f32, rounding: u32): f32 {
  if (rounding == ROUND_NEAREST) return nearest<f32>(a);
  if (rounding == ROUND_DOWN) return floor<f32>(a);
  return rounding == ROUND_UP ? ceil<f32>(a) : trunc<f32>(a);
}

export function roundsd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 8);
  if (!source) return FAULT;
  const control = immediate8(op);
  const rounding = roundingOf(cpu, control);
  const value = load<f64>(source);
  if (isInexactMasked(cpu) && value == value) {
    const result = integral64(value, rounding);
    noteInexact(cpu, reportsInexact(control) && result != value);
    store<f64>(xmmReg(cpu, op), result);
    return NEXT;
  }
  const mode = (beginFloat(cpu) & ~MODE_ROUNDING) | rounding;
  const result = f64RoundToInt(cpu, load<u64>(source), mode, reportsInexact(control));
  if (endFloat(cpu) != NEXT) return FAULT;
  store<u64>(xmmReg(cpu, op), result);
  return NEXT;
}

export function roundss(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 4);
  if (!source) return FAULT;
  const control = immediate8(op);
  const rounding = roundingOf(cpu, control);
  const value = load<f32>(source);
  if (isInexactMasked(cpu) && value == value) {
    const result = integral32(value, rounding);
    noteInexact(cpu, reportsInexact(control) && result != value);
    store<f32>(xmmReg(cpu, op), result);
    return NEXT;
  }
  const mode = (beginFloat(cpu) & ~MODE_ROUNDING) | rounding;
  const result = f32RoundToInt(cpu, load<u32>(source), mode, reportsInexact(control));
  if (endFloat(cpu) != NEXT) return FAULT;
  store<u32>(xmmReg(cpu, op), result);
  return NEXT;
}

function integralLanes64(a: v128, rounding: u32): v128 {
  if (rounding == ROUND_NEAREST) return f64x2.nearest(a);
  if (rounding == ROUND_DOWN) return f64x2.floor(a);
  return rounding == ROUND_UP ? f64x2.ceil(a) : f64x2.trunc(a);
}

function integralLanes32(a: v128, rounding: u32): v128 {
  if (rounding == ROUND_NEAREST) return f32x4.nearest(a);
  if (rounding == ROUND_DOWN) return f32x4.floor(a);
  return rounding == ROUND_UP ? f32x4.ceil(a) : f32x4.trunc(a);
}

export function roundpd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const control = immediate8(op);
  const rounding = roundingOf(cpu, control);
  const value = v128.load(source);
  if (isInexactMasked(cpu) && i64x2.all_true(f64x2.eq(value, value))) {
    const result = integralLanes64(value, rounding);
    noteInexact(cpu, reportsInexact(control) && v128.any_true(f64x2.ne(result, value)));
    return setXmm(cpu, op, result);
  }
  const report = reportsInexact(control);
  const mode = (beginFloat(cpu) & ~MODE_ROUNDING) | rounding;
  const low = f64RoundToInt(cpu, i64x2.extract_lane(value, 0), mode, report);
  const high = f64RoundToInt(cpu, i64x2.extract_lane(value, 1), mode, report);
  return endFloat(cpu) == NEXT ? setXmm(cpu, op, i64x2.replace_lane(i64x2.splat(low), 1, high)) : FAULT;
}

export function roundps(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const control = immediate8(op);
  const rounding = roundingOf(cpu, control);
  const value = v128.load(source);
  if (isInexactMasked(cpu) && i32x4.all_true(f32x4.eq(value, value))) {
    const result = integralLanes32(value, rounding);
    noteInexact(cpu, reportsInexact(control) && v128.any_true(f32x4.ne(result, value)));
    return setXmm(cpu, op, result);
  }
  const report = reportsInexact(control);
  const mode = (beginFloat(cpu) & ~MODE_ROUNDING) | rounding;
  let result = i32x4.splat(f32RoundToInt(cpu, i32x4.extract_lane(value, 0), mode, report));
  result = i32x4.replace_lane(result, 1, f32RoundToInt(cpu, i32x4.extract_lane(value, 1), mode, report));
  result = i32x4.replace_lane(result, 2, f32RoundToInt(cpu, i32x4.extract_lane(value, 2), mode, report));
  result = i32x4.replace_lane(result, 3, f32RoundToInt(cpu, i32x4.extract_lane(value, 3), mode, report));
  return endFloat(cpu) == NEXT ? setXmm(cpu, op, result) : FAULT;
}

// ---- integers -----------------------------------------------------------------------------------------------------------

/**
 * Eight sums of absolute differences: four bytes of the second operand (block bits 1:0) against the four bytes at each of eight
 * places of the first, from byte 0 or 4 (bit 2).
 */
export function mpsadbw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const control = immediate8(op);
  const block = source + ((control & 3) << 2);
  const places = xmmReg(cpu, op) + (control & 4);
  let sums = i16x8.splat(0);
  for (let i: usize = 0; i < 4; i++) {
    const bytes = i16x8.extend_low_i8x16_u(v128.load64_zero(places + i));
    sums = i16x8.add(sums, i16x8.abs(i16x8.sub(bytes, i16x8.splat(load<u8>(block + i)))));
  }
  return setXmm(cpu, op, sums);
}

/** Word 0: the smallest unsigned word; word 1: its lowest index; the rest zero. */
export function phminposuw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  let smallest: u32 = load<u16>(source);
  let place: u32 = 0;
  for (let i: u32 = 1; i < 8; i++) {
    const word = load<u16>(source + (i << 1));
    if (word < smallest) {
      smallest = word;
      place = i;
    }
  }
  return setXmm(cpu, op, i32x4.replace_lane(i64x2.splat(0), 0, smallest | (place << 16)));
}

// ---- approximations: no flags, denormal operands and results are zeros --------------------------------------------------------

function reciprocal(a: u32): u32 {
  const sign = a & 0x80000000;
  const magnitude = a & 0x7fffffff;
  if (magnitude > 0x7f800000) return a | 0x00400000;
  if (magnitude < 0x00800000) return sign | 0x7f800000;
  const result: f32 = 1 / reinterpret<f32>(a);
  return abs(result) < MIN_NORMAL_32 ? sign : reinterpret<u32>(result);
}

function reciprocalSquareRoot(a: u32): u32 {
  const sign = a & 0x80000000;
  const magnitude = a & 0x7fffffff;
  if (magnitude > 0x7f800000) return a | 0x00400000;
  if (magnitude < 0x00800000) return sign | 0x7f800000;
  if (sign) return 0xffc00000;
  return reinterpret<u32>(<f32>(1 / sqrt<f64>(<f64>reinterpret<f32>(a))));
}

export function rcpss(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 4);
  if (!source) return FAULT;
  store<u32>(xmmReg(cpu, op), reciprocal(load<u32>(source)));
  return NEXT;
}

export function rcpps(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const target = xmmReg(cpu, op);
  for (let i: usize = 0; i < 16; i += 4) store<u32>(target + i, reciprocal(load<u32>(source + i)));
  return NEXT;
}

export function rsqrtss(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 4);
  if (!source) return FAULT;
  store<u32>(xmmReg(cpu, op), reciprocalSquareRoot(load<u32>(source)));
  return NEXT;
}

export function rsqrtps(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const target = xmmReg(cpu, op);
  for (let i: usize = 0; i < 16; i += 4) store<u32>(target + i, reciprocalSquareRoot(load<u32>(source + i)));
  return NEXT;
}
