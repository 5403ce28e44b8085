/**
 * Conversions between integers, single and double precision. Those to integers report an operand out of range (any NaN too) as
 * invalid and give the integer indefinite, the most negative value; none of them reports denormals.
 * @sdm Vol. 1 4.2.2, 11.4.1.6, Vol. 2 CVTDQ2PD ... CVTTSS2SI
 */
import { enterMmx, inMemory, mmxOff, mmxReg, mmxRm, setGpr32, setGpr64, setXmm, writeMmx, xmmOff, xmmReg, xmmRm } from '../access';
import { effectiveAddress } from '../address';
import { FAULT, NEXT, OP_RM } from '../layout';
import { readable } from '../memory';
import { beginFloat, endFloat, isDefault, isDefaultInexact, isInexactMasked, noteInexact } from '../simd/mxcsr';
import {
  MIN_NORMAL_32,
  isClear32,
  isOrdinary32,
  isOrdinary64,
  ordinaryLanes32,
  ordinaryLanes64,
  zeroLanes64,
} from '../simd/ordinary';
import { f32FromI64, f32ToF64, f32ToI32, f32ToI64 } from '../softfloat/binary32';
import { f64FromI64, f64ToF32, f64ToI32, f64ToI64 } from '../softfloat/binary64';
import { ROUND_TO_ZERO } from '../softfloat/environment';

/** Magnitudes below these convert to a signed integer of the width whichever way they are rounded. */
const LIMIT_32: f64 = 2147483647;
const LIMIT_64: f64 = 9223372036854774784;
/** Integers up to these are exact in single and double precision. */
const EXACT_32: i64 = 0x1000000;
const EXACT_64: i64 = 0x20000000000000;

// ---- scalar integers to floating point --------------------------------------------------------------------------------

/** Pointer to the general register or memory operand, 0 = fault. */
function integerSource(cpu: usize, op: usize, bytes: u32): usize {
  if (xmmOff(cpu)) return 0;
  return inMemory(op) ? readable(cpu, effectiveAddress(cpu, op), bytes) : cpu + load<u8>(op, OP_RM);
}

function singleFromInteger(cpu: usize, op: usize, value: i64): i32 {
  if ((value >= -EXACT_32 && value <= EXACT_32) || isDefaultInexact(cpu)) {
    store<f32>(xmmReg(cpu, op), <f32>value);
    return NEXT;
  }
  const result = f32FromI64(cpu, value, beginFloat(cpu));
  if (endFloat(cpu) != NEXT) return FAULT;
  store<u32>(xmmReg(cpu, op), result);
  return NEXT;
}

export function cvtsi2ss32(cpu: usize, op: usize): i32 {
  const source = integerSource(cpu, op, 4);
  return source ? singleFromInteger(cpu, op, <i64>load<i32>(source)) : FAULT;
}

export function cvtsi2ss64(cpu: usize, op: usize): i32 {
  const source = integerSource(cpu, op, 8);
  return source ? singleFromInteger(cpu, op, load<i64>(source)) : FAULT;
}

export function cvtsi2sd32(cpu: usize, op: usize): i32 {
  const source = integerSource(cpu, op, 4);
  if (!source) return FAULT;
  store<f64>(xmmReg(cpu, op), <f64>load<i32>(source));
  return NEXT;
}

export function cvtsi2sd64(cpu: usize, op: usize): i32 {
  const source = integerSource(cpu, op, 8);
  if (!source) return FAULT;
  const value = load<i64>(source);
  if ((value >= -EXACT_64 && value <= EXACT_64) || isDefaultInexact(cpu)) {
    store<f64>(xmmReg(cpu, op), <f64>value);
    return NEXT;
  }
  const result = f64FromI64(cpu, value, beginFloat(cpu));
  if (endFloat(cpu) != NEXT) return FAULT;
  store<u64>(xmmReg(cpu, op), result);
  return NEXT;
}

// ---- scalar floating point to integers ----------------------------------------------------------------------------------

export function cvtss2si32(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 4);
  if (!source) return FAULT;
  const value = <f64>load<f32>(source);
  if (isDefault(cpu) && abs(value) <= LIMIT_32) {
    const integer = <i32>nearest<f64>(value);
    noteInexact(cpu, <f64>integer != value);
    return setGpr32(cpu, op, integer);
  }
  const result = f32ToI32(cpu, load<u32>(source), beginFloat(cpu));
  return endFloat(cpu) == NEXT ? setGpr32(cpu, op, result) : FAULT;
}

export function cvtss2si64(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 4);
  if (!source) return FAULT;
  const value = <f64>load<f32>(source);
  if (isDefault(cpu) && abs(value) <= LIMIT_64) {
    const integer = <i64>nearest<f64>(value);
    noteInexact(cpu, <f64>integer != value);
    return setGpr64(cpu, op, integer);
  }
  const result = f32ToI64(cpu, load<u32>(source), beginFloat(cpu));
  return endFloat(cpu) == NEXT ? setGpr64(cpu, op, result) : FAULT;
}

export function cvtsd2si32(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 8);
  if (!source) return FAULT;
  const value = load<f64>(source);
  if (isDefault(cpu) && abs(value) <= LIMIT_32) {
    const integer = <i32>nearest<f64>(value);
    noteInexact(cpu, <f64>integer != value);
    return setGpr32(cpu, op, integer);
  }
  const result = f64ToI32(cpu, load<u64>(source), beginFloat(cpu));
  return endFloat(cpu) == NEXT ? setGpr32(cpu, op, result) : FAULT;
}

export function cvtsd2si64(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 8);
  if (!source) return FAULT;
  const value = load<f64>(source);
  if (isDefault(cpu) && abs(value) <= LIMIT_64) {
    const integer = <i64>nearest<f64>(value);
    noteInexact(cpu, <f64>integer != value);
    return setGpr64(cpu, op, integer);
  }
  const result = f64ToI64(cpu, load<u64>(source), beginFloat(cpu));
  return endFloat(cpu) == NEXT ? setGpr64(cpu, op, result) : FAULT;
}

export function cvttss2si32(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 4);
  if (!source) return FAULT;
  const value = <f64>load<f32>(source);
  if (isInexactMasked(cpu) && abs(value) <= LIMIT_32) {
    const integer = <i32>value;
    noteInexact(cpu, <f64>integer != value);
    return setGpr32(cpu, op, integer);
  }
  const result = f32ToI32(cpu, load<u32>(source), beginFloat(cpu) | ROUND_TO_ZERO);
  return endFloat(cpu) == NEXT ? setGpr32(cpu, op, result) : FAULT;
}

export function cvttss2si64(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 4);
  if (!source) return FAULT;
  const value = <f64>load<f32>(source);
  if (isInexactMasked(cpu) && abs(value) <= LIMIT_64) {
    const integer = <i64>value;
    noteInexact(cpu, <f64>integer != value);
    return setGpr64(cpu, op, integer);
  }
  const result = f32ToI64(cpu, load<u32>(source), beginFloat(cpu) | ROUND_TO_ZERO);
  return endFloat(cpu) == NEXT ? setGpr64(cpu, op, result) : FAULT;
}

export function cvttsd2si32(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 8);
  if (!source) return FAULT;
  const value = load<f64>(source);
  if (isInexactMasked(cpu) && abs(value) <= LIMIT_32) {
    const integer = <i32>value;
    noteInexact(cpu, <f64>integer != value);
    return setGpr32(cpu, op, integer);
  }
  const result = f64ToI32(cpu, load<u64>(source), beginFloat(cpu) | ROUND_TO_ZERO);
  return endFloat(cpu) == NEXT ? setGpr32(cpu, op, result) : FAULT;
}

export function cvttsd2si64(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 8);
  if (!source) return FAULT;
  const value = load<f64>(source);
  if (isInexactMasked(cpu) && abs(value) <= LIMIT_64) {
    const integer = <i64>value;
    noteInexact(cpu, <f64>integer != value);
    return setGpr64(cpu, op, integer);
  }
  const result = f64ToI64(cpu, load<u64>(source), beginFloat(cpu) | ROUND_TO_ZERO);
  return endFloat(cpu) == NEXT ? setGpr64(cpu, op, result) : FAULT;
}

// ---- between single and double precision ----------------------------------------------------------------------------------

export function cvtss2sd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 4);
  if (!source) return FAULT;
  const value = load<f32>(source);
  if (isOrdinary32(value)) {
    store<f64>(xmmReg(cpu, op), <f64>value);
    return NEXT;
  }
  const result = f32ToF64(cpu, load<u32>(source), beginFloat(cpu));
  if (endFloat(cpu) != NEXT) return FAULT;
  store<u64>(xmmReg(cpu, op), result);
  return NEXT;
}

export function cvtsd2ss(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 8);
  if (!source) return FAULT;
  const value = load<f64>(source);
  const single = <f32>value;
  if (isDefault(cpu) && isOrdinary64(value) && (isClear32(single) || value == 0)) {
    noteInexact(cpu, <f64>single != value);
    store<f32>(xmmReg(cpu, op), single);
    return NEXT;
  }
  const result = f64ToF32(cpu, load<u64>(source), beginFloat(cpu));
  if (endFloat(cpu) != NEXT) return FAULT;
  store<u32>(xmmReg(cpu, op), result);
  return NEXT;
}

export function cvtps2pd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 8);
  if (!source) return FAULT;
  const value = v128.load64_zero(source);
  if (i32x4.all_true(ordinaryLanes32(value))) return setXmm(cpu, op, f64x2.promote_low_f32x4(value));
  const mode = beginFloat(cpu);
  const low = f32ToF64(cpu, i32x4.extract_lane(value, 0), mode);
  const high = f32ToF64(cpu, i32x4.extract_lane(value, 1), mode);
  return endFloat(cpu) == NEXT ? setXmm(cpu, op, i64x2.replace_lane(i64x2.splat(low), 1, high)) : FAULT;
}

export function cvtpd2ps(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const value = v128.load(source);
  if (isDefault(cpu)) {
    const single = f32x4.demote_f64x2_zero(value);
    const back = f64x2.promote_low_f32x4(single);
    const magnitude = f64x2.abs(back);
    const clear = v128.or(f64x2.gt(magnitude, f64x2.splat(<f64>MIN_NORMAL_32)), zeroLanes64(value));
    const inRange = v128.and(clear, f64x2.lt(magnitude, f64x2.splat(Infinity)));
    if (i64x2.all_true(v128.and(inRange, ordinaryLanes64(value)))) {
      noteInexact(cpu, v128.any_true(f64x2.ne(back, value)));
      return setXmm(cpu, op, single);
    }
  }
  const mode = beginFloat(cpu);
  const low = f64ToF32(cpu, i64x2.extract_lane(value, 0), mode);
  const high = f64ToF32(cpu, i64x2.extract_lane(value, 1), mode);
  return endFloat(cpu) == NEXT ? setXmm(cpu, op, twoDoublewords(low, high)) : FAULT;
}

// ---- packed doublewords -----------------------------------------------------------------------------------------------------

/** Two doublewords, the upper half zero. */
function twoDoublewords(low: u32, high: u32): v128 {
  return i64x2.replace_lane(i64x2.splat(0), 0, (<u64>low) | ((<u64>high) << 32));
}

export function cvtdq2pd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 8);
  return source ? setXmm(cpu, op, f64x2.convert_low_i32x4_s(v128.load64_zero(source))) : FAULT;
}

/** Single-precision numbers from four doublewords; the flags are collected. */
function singleLanes(cpu: usize, a: v128, mode: u32): v128 {
  let result = i32x4.splat(f32FromI64(cpu, <i64>i32x4.extract_lane(a, 0), mode));
  result = i32x4.replace_lane(result, 1, f32FromI64(cpu, <i64>i32x4.extract_lane(a, 1), mode));
  result = i32x4.replace_lane(result, 2, f32FromI64(cpu, <i64>i32x4.extract_lane(a, 2), mode));
  return i32x4.replace_lane(result, 3, f32FromI64(cpu, <i64>i32x4.extract_lane(a, 3), mode));
}

/** Whether Wasm may convert: all are exact in single precision, or rounding to nearest unseen is wanted. */
function convertsPlainly(cpu: usize, a: v128): bool {
  return isDefaultInexact(cpu) || i32x4.all_true(i32x4.le_u(i32x4.abs(a), i32x4.splat(<i32>EXACT_32)));
}

export function cvtdq2ps(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const value = v128.load(source);
  if (convertsPlainly(cpu, value)) return setXmm(cpu, op, f32x4.convert_i32x4_s(value));
  const result = singleLanes(cpu, value, beginFloat(cpu));
  return endFloat(cpu) == NEXT ? setXmm(cpu, op, result) : FAULT;
}

/** Doublewords from four single-precision numbers by soft float; the flags are collected. */
function doublewordLanes32(cpu: usize, a: v128, mode: u32): v128 {
  let result = i32x4.splat(f32ToI32(cpu, i32x4.extract_lane(a, 0), mode));
  result = i32x4.replace_lane(result, 1, f32ToI32(cpu, i32x4.extract_lane(a, 1), mode));
  result = i32x4.replace_lane(result, 2, f32ToI32(cpu, i32x4.extract_lane(a, 2), mode));
  return i32x4.replace_lane(result, 3, f32ToI32(cpu, i32x4.extract_lane(a, 3), mode));
}

/** Doublewords from two double-precision numbers by soft float, the upper half zero; the flags are collected. */
function doublewordLanes64(cpu: usize, a: v128, mode: u32): v128 {
  return twoDoublewords(f64ToI32(cpu, i64x2.extract_lane(a, 0), mode), f64ToI32(cpu, i64x2.extract_lane(a, 1), mode));
}

/** Whether every lane converts in range however it is rounded; the next single below 2^31 is an integer. */
function inRangeLanes32(a: v128): bool {
  return i32x4.all_true(f32x4.lt(f32x4.abs(a), f32x4.splat(2147483648)));
}

function inRangeLanes64(a: v128): bool {
  return i64x2.all_true(f64x2.le(f64x2.abs(a), f64x2.splat(LIMIT_32)));
}

export function cvtps2dq(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const value = v128.load(source);
  if (isDefault(cpu) && inRangeLanes32(value)) {
    const integral = f32x4.nearest(value);
    noteInexact(cpu, v128.any_true(f32x4.ne(integral, value)));
    return setXmm(cpu, op, i32x4.trunc_sat_f32x4_s(integral));
  }
  const result = doublewordLanes32(cpu, value, beginFloat(cpu));
  return endFloat(cpu) == NEXT ? setXmm(cpu, op, result) : FAULT;
}

export function cvttps2dq(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const value = v128.load(source);
  if (isInexactMasked(cpu) && inRangeLanes32(value)) {
    noteInexact(cpu, v128.any_true(f32x4.ne(f32x4.trunc(value), value)));
    return setXmm(cpu, op, i32x4.trunc_sat_f32x4_s(value));
  }
  const result = doublewordLanes32(cpu, value, beginFloat(cpu) | ROUND_TO_ZERO);
  return endFloat(cpu) == NEXT ? setXmm(cpu, op, result) : FAULT;
}

export function cvtpd2dq(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const value = v128.load(source);
  if (isDefault(cpu) && inRangeLanes64(value)) {
    const integral = f64x2.nearest(value);
    noteInexact(cpu, v128.any_true(f64x2.ne(integral, value)));
    return setXmm(cpu, op, i32x4.trunc_sat_f64x2_s_zero(integral));
  }
  const result = doublewordLanes64(cpu, value, beginFloat(cpu));
  return endFloat(cpu) == NEXT ? setXmm(cpu, op, result) : FAULT;
}

export function cvttpd2dq(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const value = v128.load(source);
  if (isInexactMasked(cpu) && inRangeLanes64(value)) {
    noteInexact(cpu, v128.any_true(f64x2.ne(f64x2.trunc(value), value)));
    return setXmm(cpu, op, i32x4.trunc_sat_f64x2_s_zero(value));
  }
  const result = doublewordLanes64(cpu, value, beginFloat(cpu) | ROUND_TO_ZERO);
  return endFloat(cpu) == NEXT ? setXmm(cpu, op, result) : FAULT;
}

// ---- MMX registers ------------------------------------------------------------------------------------------------------------

/** Exact. Only the register form enters the MMX state and minds pending x87 exceptions. */
export function cvtpi2pd(cpu: usize, op: usize): i32 {
  if (inMemory(op)) return cvtdq2pd(cpu, op);
  if (mmxOff(cpu)) return FAULT;
  const source = mmxRm(cpu, op, 8);
  enterMmx(cpu);
  return setXmm(cpu, op, f64x2.convert_low_i32x4_s(v128.load64_zero(source)));
}

/**
 * Keeps the upper half of the destination. The manual has the memory form enter the MMX state too; AMD processors,
 * against which this is tested, treat it as they treat CVTPI2PD.
 */
export function cvtpi2ps(cpu: usize, op: usize): i32 {
  const source = inMemory(op) ? xmmRm(cpu, op, 8) : mmxRm(cpu, op, 8);
  if (!source) return FAULT;
  const value = v128.load64_zero(source);
  if (!inMemory(op)) enterMmx(cpu);
  let result: v128;
  if (convertsPlainly(cpu, value)) {
    result = f32x4.convert_i32x4_s(value);
  } else {
    result = singleLanes(cpu, value, beginFloat(cpu));
    if (endFloat(cpu) != NEXT) return FAULT;
  }
  store<u64>(xmmReg(cpu, op), i64x2.extract_lane(result, 0));
  return NEXT;
}

/** Writes the low half of `result` to the MMX destination, unless a collected flag is unmasked; the MMX state is entered anyhow. */
function finishMmx(cpu: usize, op: usize, result: v128): i32 {
  enterMmx(cpu);
  if (endFloat(cpu) != NEXT) return FAULT;
  writeMmx(cpu, mmxReg(cpu, op), i64x2.extract_lane(result, 0));
  return NEXT;
}

export function cvtps2pi(cpu: usize, op: usize): i32 {
  if (mmxOff(cpu)) return FAULT;
  const source = xmmRm(cpu, op, 8);
  return source ? finishMmx(cpu, op, doublewordLanes32(cpu, v128.load64_zero(source), beginFloat(cpu))) : FAULT;
}

export function cvttps2pi(cpu: usize, op: usize): i32 {
  if (mmxOff(cpu)) return FAULT;
  const source = xmmRm(cpu, op, 8);
  return source ? finishMmx(cpu, op, doublewordLanes32(cpu, v128.load64_zero(source), beginFloat(cpu) | ROUND_TO_ZERO)) : FAULT;
}

export function cvtpd2pi(cpu: usize, op: usize): i32 {
  if (mmxOff(cpu)) return FAULT;
  const source = xmmRm(cpu, op, 16);
  return source ? finishMmx(cpu, op, doublewordLanes64(cpu, v128.load(source), beginFloat(cpu))) : FAULT;
}

export function cvttpd2pi(cpu: usize, op: usize): i32 {
  if (mmxOff(cpu)) return FAULT;
  const source = xmmRm(cpu, op, 16);
  return source ? finishMmx(cpu, op, doublewordLanes64(cpu, v128.load(source), beginFloat(cpu) | ROUND_TO_ZERO)) : FAULT;
}
