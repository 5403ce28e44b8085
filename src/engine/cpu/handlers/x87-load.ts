/**
 * x87 loads, stores, exchanges and moves. Memory operands are read before anything changes; a store to memory is complete
 * before the stack is popped.
 * @sdm Vol.2A FLD, FST/FSTP, FILD, FIST/FISTP, FISTTP, FBLD, FBSTP, FXCH, FCMOVcc, FLD1 ...; Vol.1 8.5
 */
import { effectiveAddress } from '../address';
import { CF, PF, ZF, getFlags } from '../flags';
import { FAULT, NEXT, OP_AUX, OP_RM, VCPU_SOFTFLOAT_FLAGS } from '../layout';
import { beginStore, endStore, readable } from '../memory';
import { INVALID, MODE_ROUNDING, ROUND_DOWN, ROUND_TO_ZERO, ROUND_UP } from '../softfloat/environment';
import { resultSe, resultSignificand, setResult } from '../softfloat/extended';
import {
  decimalHigh,
  decimalLow,
  extendedFromDecimal,
  extendedFromF32,
  extendedFromF64,
  extendedFromInteger,
  extendedToDecimal,
  extendedToF32,
  extendedToF64,
  extendedToInteger,
} from '../softfloat/extended-convert';
import {
  BEFORE_STORE,
  areWritable,
  FSW_C1,
  FSW_SF,
  isEmpty,
  note,
  noteMemory,
  pop,
  push,
  seAt,
  setEmpty,
  setStack,
  setStackIndefinite,
  settleStore,
  settleCodes,
  settleOverflow,
  settleUnderflow,
  significandAt,
  stack,
  unmasked,
  x87Mode,
  x87Refused,
} from '../x87/state';

/** OP_AUX: the instruction pops. */
const POP: u32 = 1;
/** OP_AUX: an empty ST(0) is no stack underflow. */
const UNCHECKED: u32 = 2;

// ---- loads ----------------------------------------------------------------------------------------------------------------

/** Pushes the soft-float result. */
function pushResult(cpu: usize, op: usize): i32 {
  if (!isEmpty(cpu, 7)) {
    if (settleOverflow(cpu, op)) push(cpu, 0xffff, 0xc000000000000000);
  } else {
    settleCodes(cpu, op, FSW_C1, 0);
    // Of the exceptions of a load only an unmasked invalid operand keeps the value out; an unmasked denormal one is still pushed.
    if (!unmasked(cpu, INVALID)) push(cpu, resultSe, resultSignificand);
  }
  return NEXT;
}

/** Pointer to the memory operand to load; 0 = fault. */
function source(cpu: usize, op: usize, bytes: u32): usize {
  if (x87Refused(cpu)) return 0;
  const from = readable(cpu, effectiveAddress(cpu, op), bytes);
  if (from) noteMemory(cpu, op);
  return from;
}

export function fld32(cpu: usize, op: usize): i32 {
  const from = source(cpu, op, 4);
  if (!from) return FAULT;
  extendedFromF32(cpu, load<u32>(from));
  return pushResult(cpu, op);
}

export function fld64(cpu: usize, op: usize): i32 {
  const from = source(cpu, op, 8);
  if (!from) return FAULT;
  extendedFromF64(cpu, load<u64>(from));
  return pushResult(cpu, op);
}

export function fld80(cpu: usize, op: usize): i32 {
  const from = source(cpu, op, 10);
  if (!from) return FAULT;
  setResult(load<u16>(from, 8), load<u64>(from));
  return pushResult(cpu, op);
}

export function fild16(cpu: usize, op: usize): i32 {
  const from = source(cpu, op, 2);
  if (!from) return FAULT;
  extendedFromInteger(load<i16>(from));
  return pushResult(cpu, op);
}

export function fild32(cpu: usize, op: usize): i32 {
  const from = source(cpu, op, 4);
  if (!from) return FAULT;
  extendedFromInteger(load<i32>(from));
  return pushResult(cpu, op);
}

export function fild64(cpu: usize, op: usize): i32 {
  const from = source(cpu, op, 8);
  if (!from) return FAULT;
  extendedFromInteger(load<i64>(from));
  return pushResult(cpu, op);
}

export function fbld(cpu: usize, op: usize): i32 {
  const from = source(cpu, op, 10);
  if (!from) return FAULT;
  extendedFromDecimal(from);
  return pushResult(cpu, op);
}

export function fldRegister(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  note(cpu, op);
  const i = <u32>load<u8>(op, OP_RM);
  const register = stack(cpu, i);
  setResult(seAt(register), significandAt(register));
  if (isEmpty(cpu, i)) {
    if (settleUnderflow(cpu, op)) push(cpu, 0xffff, 0xc000000000000000);
    return NEXT;
  }
  return pushResult(cpu, op);
}

/**
 * The constants by ModRM.rm: 1, log2 10, log2 e, pi, log10 2, ln 2, 0. Significand truncated, exponent, and 1 where rounding to
 * nearest adds a unit; since none but 1 and 0 is exact, only RC decides (@sdm Vol.1 8.3.4).
 */
const CONSTANTS: usize = memory.data<u64>([
  0x8000000000000000, 0x3fff, 0, 0xd49a784bcd1b8afe, 0x4000, 0, 0xb8aa3b295c17f0bb, 0x3fff, 1, 0xc90fdaa22168c234, 0x4000, 1,
  0x9a209a84fbcff798, 0x3ffd, 1, 0xb17217f7d1cf79ab, 0x3ffe, 1, 0, 0, 0,
]);

export function fldConstant(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  note(cpu, op);
  const index = <usize>load<u8>(op, OP_AUX);
  const entry = CONSTANTS + index * 24;
  let significand = load<u64>(entry);
  const rounding = x87Mode(cpu) & MODE_ROUNDING;
  const exact = index == 0 || index == 6;
  if (!exact && (rounding == ROUND_UP || (rounding != ROUND_DOWN && rounding != ROUND_TO_ZERO && load<u64>(entry, 16) != 0)))
    significand++;
  setResult(<u32>load<u64>(entry, 8), significand);
  return pushResult(cpu, op);
}

// ---- stores to memory -----------------------------------------------------------------------------------------------------

/** Whether ST(0) is empty, in which case the flags of a stack underflow are gathered. */
function sourceEmpty(cpu: usize): bool {
  if (!isEmpty(cpu, 0)) return false;
  store<u32>(cpu, INVALID | FSW_SF, VCPU_SOFTFLOAT_FLAGS);
  return true;
}

/** Stores `bytes` (2 to 10) of low and high where no unmasked exception forbids it, then settles and pops. */
function storeResult(cpu: usize, op: usize, bytes: u32, low: u64, high: u32): i32 {
  const va = effectiveAddress(cpu, op);
  const stores = unmasked(cpu, BEFORE_STORE) == 0;
  if (!stores) {
    // A destination that cannot be written still faults first.
    if (!areWritable(cpu, va, bytes)) return FAULT;
  } else {
    const to = beginStore(cpu, va, bytes);
    if (!to) return FAULT;
    if (bytes == 2) store<u16>(to, <u16>low);
    else if (bytes == 4) store<u32>(to, <u32>low);
    else store<u64>(to, low);
    if (bytes == 10) store<u16>(to, high, 8);
    const outcome = endStore(cpu);
    if (outcome != NEXT) return outcome;
  }
  noteMemory(cpu, op);
  settleStore(cpu, op);
  if (stores && load<u8>(op, OP_AUX) & POP) pop(cpu);
  return NEXT;
}

export function fst32(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  const register = stack(cpu, 0);
  const value = sourceEmpty(cpu) ? 0xffc00000 : extendedToF32(cpu, seAt(register), significandAt(register), x87Mode(cpu));
  return storeResult(cpu, op, 4, <u64>value, 0);
}

export function fst64(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  const register = stack(cpu, 0);
  const value = sourceEmpty(cpu) ? 0xfff8000000000000 : extendedToF64(cpu, seAt(register), significandAt(register), x87Mode(cpu));
  return storeResult(cpu, op, 8, value, 0);
}

export function fst80(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  const register = stack(cpu, 0);
  if (sourceEmpty(cpu)) return storeResult(cpu, op, 10, 0xc000000000000000, 0xffff);
  return storeResult(cpu, op, 10, significandAt(register), seAt(register));
}

function storeInteger(cpu: usize, op: usize, bytes: u32, mode: u32): i32 {
  if (x87Refused(cpu)) return FAULT;
  const register = stack(cpu, 0);
  const bits = bytes << 3;
  const value = sourceEmpty(cpu)
    ? <i64>(0 - ((<u64>1) << (bits - 1)))
    : extendedToInteger(cpu, seAt(register), significandAt(register), bits, mode);
  return storeResult(cpu, op, bytes, <u64>value, 0);
}

export function fist16(cpu: usize, op: usize): i32 {
  return storeInteger(cpu, op, 2, x87Mode(cpu));
}

export function fist32(cpu: usize, op: usize): i32 {
  return storeInteger(cpu, op, 4, x87Mode(cpu));
}

export function fist64(cpu: usize, op: usize): i32 {
  return storeInteger(cpu, op, 8, x87Mode(cpu));
}

export function fisttp16(cpu: usize, op: usize): i32 {
  return storeInteger(cpu, op, 2, ROUND_TO_ZERO);
}

export function fisttp32(cpu: usize, op: usize): i32 {
  return storeInteger(cpu, op, 4, ROUND_TO_ZERO);
}

export function fisttp64(cpu: usize, op: usize): i32 {
  return storeInteger(cpu, op, 8, ROUND_TO_ZERO);
}

export function fbstp(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  const register = stack(cpu, 0);
  if (sourceEmpty(cpu)) return storeResult(cpu, op, 10, 0xc000000000000000, 0xffff);
  extendedToDecimal(cpu, seAt(register), significandAt(register), x87Mode(cpu));
  return storeResult(cpu, op, 10, decimalLow, decimalHigh);
}

// ---- between registers ----------------------------------------------------------------------------------------------------

/** FST and FSTP to ST(i). The alias D9 D8+i (OP_AUX bit 1) takes an empty ST(0) without an exception: it only pops. */
export function fstRegister(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  note(cpu, op);
  const i = <u32>load<u8>(op, OP_RM);
  const register = stack(cpu, 0);
  if (isEmpty(cpu, 0)) {
    if (load<u8>(op, OP_AUX) & UNCHECKED) {
      settleCodes(cpu, op, FSW_C1, 0);
    } else {
      if (!settleUnderflow(cpu, op)) return NEXT;
      setStackIndefinite(cpu, i);
    }
  } else {
    settleCodes(cpu, op, FSW_C1, 0);
    setStack(cpu, i, seAt(register), significandAt(register));
  }
  if (load<u8>(op, OP_AUX) & POP) pop(cpu);
  return NEXT;
}

export function fxch(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  note(cpu, op);
  const i = <u32>load<u8>(op, OP_RM);
  const emptyTop = isEmpty(cpu, 0);
  const emptyOther = isEmpty(cpu, i);
  if (emptyTop || emptyOther) {
    if (!settleUnderflow(cpu, op)) return NEXT;
    if (emptyTop) setStackIndefinite(cpu, 0);
    if (emptyOther) setStackIndefinite(cpu, i);
  } else {
    settleCodes(cpu, op, FSW_C1, 0);
  }
  const top = stack(cpu, 0);
  const other = stack(cpu, i);
  const se = seAt(top);
  const significand = significandAt(top);
  setStack(cpu, 0, seAt(other), significandAt(other));
  setStack(cpu, i, se, significand);
  return NEXT;
}

/** FCMOVcc; OP_AUX: 0 B, 1 E, 2 BE, 3 U, and 4 more for their negations. */
export function fcmov(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  note(cpu, op);
  const i = <u32>load<u8>(op, OP_RM);
  if (isEmpty(cpu, 0) || isEmpty(cpu, i)) {
    if (settleUnderflow(cpu, op)) setStackIndefinite(cpu, 0);
    return NEXT;
  }
  const condition = <u32>load<u8>(op, OP_AUX);
  const kind = condition & 3;
  const flags = kind == 0 ? CF : kind == 1 ? ZF : kind == 2 ? CF | ZF : PF;
  const holds = (getFlags(cpu) & flags) != 0;
  if (holds == ((condition & 4) == 0)) {
    const register = stack(cpu, i);
    setStack(cpu, 0, seAt(register), significandAt(register));
  }
  return NEXT;
}

export function ffree(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  note(cpu, op);
  settleCodes(cpu, op, FSW_C1, 0);
  setEmpty(cpu, <u32>load<u8>(op, OP_RM));
  if (load<u8>(op, OP_AUX) & POP) pop(cpu);
  return NEXT;
}
