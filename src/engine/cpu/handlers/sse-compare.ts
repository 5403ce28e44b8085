/**
 * Floating-point comparisons into masks or flags, and PTEST. Wasm's comparisons serve as long as no operand is a NaN or denormal.
 * @sdm Vol. 2 CMPPS ... CMPSD, COMISD, UCOMISD, PTEST
 */
import { immediate8, setXmm, xmm, xmmReg, xmmRm } from '../access';
import { CF, PF, ZF, setFlags } from '../flags';
import { FAULT, NEXT } from '../layout';
import { compare32 } from '../simd/arithmetic32';
import { compare64 } from '../simd/arithmetic64';
import { beginFloat, endFloat } from '../simd/mxcsr';
import { isOrdinary32, isOrdinary64, ordinaryLanes32, ordinaryLanes64 } from '../simd/ordinary';
import { f32Compare } from '../softfloat/binary32';
import { EQUAL, LESS, UNORDERED, f64Compare } from '../softfloat/binary64';

/** CMPccSS; CMPccSD below. Bits 2:0 of the immediate are the predicate: EQ LT LE UNORD and their negations. */
export function cmpss(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 4);
  if (!source) return FAULT;
  const target = xmmReg(cpu, op);
  const result = compare32(cpu, load<u32>(target), load<u32>(source), immediate8(op), beginFloat(cpu));
  if (endFloat(cpu) != NEXT) return FAULT;
  store<u32>(target, result);
  return NEXT;
}

/** CMPccSD, not the string instruction. */
export function cmpsdScalar(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 8);
  if (!source) return FAULT;
  const target = xmmReg(cpu, op);
  const result = compare64(cpu, load<u64>(target), load<u64>(source), immediate8(op), beginFloat(cpu));
  if (endFloat(cpu) != NEXT) return FAULT;
  store<u64>(target, result);
  return NEXT;
}

/** Lanes of numbers that compare as `predicate` says; none is a NaN. */
function compareLanes32(a: v128, b: v128, predicate: u32): v128 {
  const kind = predicate & 3;
  let holds: v128;
  if (kind == 0) holds = f32x4.eq(a, b);
  else if (kind == 1) holds = f32x4.lt(a, b);
  else if (kind == 2) holds = f32x4.le(a, b);
  else holds = i32x4.splat(0);
  return predicate & 4 ? v128.not(holds) : holds;
}

function compareLanes64(a: v128, b: v128, predicate: u32): v128 {
  const kind = predicate & 3;
  let holds: v128;
  if (kind == 0) holds = f64x2.eq(a, b);
  else if (kind == 1) holds = f64x2.lt(a, b);
  else if (kind == 2) holds = f64x2.le(a, b);
  else holds = i64x2.splat(0);
  return predicate & 4 ? v128.not(holds) : holds;
}

export function cmpps(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const a = xmm(cpu, op);
  const b = v128.load(source);
  const predicate = immediate8(op);
  if (i32x4.all_true(v128.and(ordinaryLanes32(a), ordinaryLanes32(b)))) return setXmm(cpu, op, compareLanes32(a, b, predicate));
  const mode = beginFloat(cpu);
  let result = i32x4.splat(compare32(cpu, i32x4.extract_lane(a, 0), i32x4.extract_lane(b, 0), predicate, mode));
  result = i32x4.replace_lane(result, 1, compare32(cpu, i32x4.extract_lane(a, 1), i32x4.extract_lane(b, 1), predicate, mode));
  result = i32x4.replace_lane(result, 2, compare32(cpu, i32x4.extract_lane(a, 2), i32x4.extract_lane(b, 2), predicate, mode));
  result = i32x4.replace_lane(result, 3, compare32(cpu, i32x4.extract_lane(a, 3), i32x4.extract_lane(b, 3), predicate, mode));
  return endFloat(cpu) == NEXT ? setXmm(cpu, op, result) : FAULT;
}

export function cmppd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const a = xmm(cpu, op);
  const b = v128.load(source);
  const predicate = immediate8(op);
  if (i64x2.all_true(v128.and(ordinaryLanes64(a), ordinaryLanes64(b)))) return setXmm(cpu, op, compareLanes64(a, b, predicate));
  const mode = beginFloat(cpu);
  const low = compare64(cpu, i64x2.extract_lane(a, 0), i64x2.extract_lane(b, 0), predicate, mode);
  const high = compare64(cpu, i64x2.extract_lane(a, 1), i64x2.extract_lane(b, 1), predicate, mode);
  return endFloat(cpu) == NEXT ? setXmm(cpu, op, i64x2.replace_lane(i64x2.splat(low), 1, high)) : FAULT;
}

// ---- into flags -----------------------------------------------------------------------------------------------------

/** Sets ZF, PF and CF by a relation; OF, SF and AF are cleared. */
function finishFlags(cpu: usize, relation: i32): i32 {
  if (endFloat(cpu) != NEXT) return FAULT;
  if (relation == UNORDERED) setFlags(cpu, ZF | PF | CF);
  else setFlags(cpu, relation == EQUAL ? ZF : relation == LESS ? CF : 0);
  return NEXT;
}

function compareSingles(cpu: usize, op: usize, signalling: bool): i32 {
  const source = xmmRm(cpu, op, 4);
  if (!source) return FAULT;
  const target = xmmReg(cpu, op);
  const a = load<f32>(target);
  const b = load<f32>(source);
  if (isOrdinary32(a) && isOrdinary32(b)) {
    setFlags(cpu, (u32(a == b) << 6) | u32(a < b));
    return NEXT;
  }
  return finishFlags(cpu, f32Compare(cpu, load<u32>(target), load<u32>(source), beginFloat(cpu), signalling));
}

function compareDoubles(cpu: usize, op: usize, signalling: bool): i32 {
  const source = xmmRm(cpu, op, 8);
  if (!source) return FAULT;
  const target = xmmReg(cpu, op);
  const a = load<f64>(target);
  const b = load<f64>(source);
  if (isOrdinary64(a) && isOrdinary64(b)) {
    setFlags(cpu, (u32(a == b) << 6) | u32(a < b));
    return NEXT;
  }
  return finishFlags(cpu, f64Compare(cpu, load<u64>(target), load<u64>(source), beginFloat(cpu), signalling));
}

export function ucomiss(cpu: usize, op: usize): i32 {
  return compareSingles(cpu, op, false);
}

export function comiss(cpu: usize, op: usize): i32 {
  return compareSingles(cpu, op, true);
}

export function ucomisd(cpu: usize, op: usize): i32 {
  return compareDoubles(cpu, op, false);
}

export function comisd(cpu: usize, op: usize): i32 {
  return compareDoubles(cpu, op, true);
}

/** ZF: no common bit; CF: no bit of the second operand outside the first. */
export function ptest(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const a = xmm(cpu, op);
  const b = v128.load(source);
  setFlags(cpu, (v128.any_true(v128.and(a, b)) ? 0 : ZF) | (v128.any_true(v128.andnot(b, a)) ? 0 : CF));
  return NEXT;
}
