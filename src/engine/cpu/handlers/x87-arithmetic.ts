/**
 * x87 addition, subtraction, multiplication, division, square root, remainder, scaling, rounding, sign operations.
 * @sdm Vol.2A FADD/FADDP/FIADD, FSUB, FSUBR, FMUL, FDIV, FDIVR, FSQRT, FPREM, FPREM1, FSCALE, FXTRACT, FRNDINT, FABS, FCHS
 */
import { effectiveAddress } from '../address';
import { FAULT, NEXT, OP_AUX, OP_RM, VCPU_SOFTFLOAT_FLAGS } from '../layout';
import { readable } from '../memory';
import { DENORMAL, INVALID, ZERO_DIVIDE, raiseFlags } from '../softfloat/environment';
import {
  CLASS_NAN,
  SIGN_80,
  classOf,
  extendedAdd,
  extendedDivide,
  extendedMultiply,
  extendedSquareRoot,
  extendedSubtract,
  resultSe,
  resultSignificand,
} from '../softfloat/extended';
import { extendedFromInteger, extendedRoundToIntegral, widenF32, widenF64 } from '../softfloat/extended-convert';
import {
  extendedExtract,
  extendedRemainder,
  extendedScale,
  NO_QUOTIENT,
  fraction,
  fractionSe,
} from '../softfloat/extended-exponent';
import {
  BEFORE,
  FSW_C1,
  FSW_C2,
  FSW_CODES,
  dropUnreached,
  isEmpty,
  note,
  noteMemory,
  pop,
  push,
  seAt,
  setStack,
  setStackIndefinite,
  settle,
  settleCodes,
  settleOverflow,
  settleUnderflow,
  significandAt,
  stack,
  unmasked,
  x87Mode,
  x87Refused,
} from '../x87/state';

/** OP_AUX: the operation, numbered as ModRM.reg of the D8 opcode does; a is ST(0), b the other operand. */
const OPERATION: u32 = 7;
const ADD: u32 = 0;
const MULTIPLY: u32 = 1;
const SUBTRACT: u32 = 4;
const SUBTRACT_REVERSED: u32 = 5;
const DIVIDE: u32 = 6;
/** OP_AUX: the instruction pops. */
const POP: u32 = 8;

function operate(cpu: usize, operation: u32, se: u32, significand: u64): void {
  const register = stack(cpu, 0);
  const aSe = seAt(register);
  const a = significandAt(register);
  const mode = x87Mode(cpu);
  if (operation == ADD) extendedAdd(cpu, aSe, a, se, significand, mode);
  else if (operation == MULTIPLY) extendedMultiply(cpu, aSe, a, se, significand, mode);
  else if (operation == SUBTRACT) extendedSubtract(cpu, aSe, a, se, significand, mode);
  else if (operation == SUBTRACT_REVERSED) extendedSubtract(cpu, se, significand, aSe, a, mode);
  else if (operation == DIVIDE) extendedDivide(cpu, aSe, a, se, significand, mode);
  else extendedDivide(cpu, se, significand, aSe, a, mode);
}

/** ST(i) becomes the soft-float result unless an unmasked exception forbids it; false = it does. */
function storeTo(cpu: usize, op: usize, i: u32): bool {
  if (!settle(cpu, op)) return false;
  setStack(cpu, i, resultSe, resultSignificand);
  return true;
}

/** ST(0) = ST(0) op the widened memory operand in the soft-float result; it was denormal before it was widened if `denormal`. */
function operateWidened(cpu: usize, op: usize, denormal: bool): i32 {
  if (isEmpty(cpu, 0)) {
    if (settleUnderflow(cpu, op)) setStackIndefinite(cpu, 0);
    return NEXT;
  }
  operate(cpu, load<u8>(op, OP_AUX) & OPERATION, resultSe, resultSignificand);
  // NaNs, other invalid operands and a zero divisor go before a denormal operand.
  if (
    denormal &&
    !(load<u32>(cpu, VCPU_SOFTFLOAT_FLAGS) & (INVALID | ZERO_DIVIDE)) &&
    classOf(resultSe, resultSignificand) != CLASS_NAN
  ) {
    raiseFlags(cpu, DENORMAL);
  }
  storeTo(cpu, op, 0);
  return NEXT;
}

function source(cpu: usize, op: usize, bytes: u32): usize {
  if (x87Refused(cpu)) return 0;
  const from = readable(cpu, effectiveAddress(cpu, op), bytes);
  if (from) noteMemory(cpu, op);
  return from;
}

export function arithmeticF32(cpu: usize, op: usize): i32 {
  const from = source(cpu, op, 4);
  return from ? operateWidened(cpu, op, widenF32(load<u32>(from))) : FAULT;
}

export function arithmeticF64(cpu: usize, op: usize): i32 {
  const from = source(cpu, op, 8);
  return from ? operateWidened(cpu, op, widenF64(load<u64>(from))) : FAULT;
}

export function arithmeticI16(cpu: usize, op: usize): i32 {
  const from = source(cpu, op, 2);
  if (!from) return FAULT;
  extendedFromInteger(load<i16>(from));
  return operateWidened(cpu, op, false);
}

export function arithmeticI32(cpu: usize, op: usize): i32 {
  const from = source(cpu, op, 4);
  if (!from) return FAULT;
  extendedFromInteger(load<i32>(from));
  return operateWidened(cpu, op, false);
}

/** ST(destination) = ST(0) op ST(i) */
function operateRegisters(cpu: usize, op: usize, i: u32, destination: u32): i32 {
  note(cpu, op);
  const aux = <u32>load<u8>(op, OP_AUX);
  if (isEmpty(cpu, 0) || isEmpty(cpu, i)) {
    if (!settleUnderflow(cpu, op)) return NEXT;
    setStackIndefinite(cpu, destination);
  } else {
    const register = stack(cpu, i);
    operate(cpu, aux & OPERATION, seAt(register), significandAt(register));
    if (!storeTo(cpu, op, destination)) return NEXT;
  }
  if (aux & POP) pop(cpu);
  return NEXT;
}

export function arithmeticTop(cpu: usize, op: usize): i32 {
  return x87Refused(cpu) ? FAULT : operateRegisters(cpu, op, load<u8>(op, OP_RM), 0);
}

/** The DC and DE forms: the result goes to ST(i); what they subtract or divide from what follows ModRM.reg all the same. */
export function arithmeticRegister(cpu: usize, op: usize): i32 {
  return x87Refused(cpu) ? FAULT : operateRegisters(cpu, op, load<u8>(op, OP_RM), load<u8>(op, OP_RM));
}

// ---- ST(0) alone ------------------------------------------------------------------------------------------------------------

/** Notes an instruction on ST(0). Whether ST(0) is empty: the instruction is then done. */
function topMissing(cpu: usize, op: usize): bool {
  note(cpu, op);
  if (!isEmpty(cpu, 0)) return false;
  if (settleUnderflow(cpu, op)) setStackIndefinite(cpu, 0);
  return true;
}

export function fchs(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  if (topMissing(cpu, op)) return NEXT;
  settleCodes(cpu, op, FSW_C1, 0);
  const register = stack(cpu, 0);
  store<u16>(register, seAt(register) ^ SIGN_80, 8);
  return NEXT;
}

export function fabs(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  if (topMissing(cpu, op)) return NEXT;
  settleCodes(cpu, op, FSW_C1, 0);
  const register = stack(cpu, 0);
  store<u16>(register, seAt(register) & ~SIGN_80, 8);
  return NEXT;
}

export function fsqrt(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  if (topMissing(cpu, op)) return NEXT;
  const register = stack(cpu, 0);
  extendedSquareRoot(cpu, seAt(register), significandAt(register), x87Mode(cpu));
  storeTo(cpu, op, 0);
  return NEXT;
}

export function frndint(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  if (topMissing(cpu, op)) return NEXT;
  const register = stack(cpu, 0);
  extendedRoundToIntegral(cpu, seAt(register), significandAt(register), x87Mode(cpu));
  storeTo(cpu, op, 0);
  return NEXT;
}

export function fxtract(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  note(cpu, op);
  if (isEmpty(cpu, 0)) {
    if (!settleUnderflow(cpu, op)) return NEXT;
    setStackIndefinite(cpu, 0);
    push(cpu, 0xffff, 0xc000000000000000);
    return NEXT;
  }
  if (!isEmpty(cpu, 7)) {
    if (!settleOverflow(cpu, op)) return NEXT;
    setStackIndefinite(cpu, 0);
    push(cpu, 0xffff, 0xc000000000000000);
    return NEXT;
  }
  const register = stack(cpu, 0);
  extendedExtract(cpu, seAt(register), significandAt(register));
  if (!storeTo(cpu, op, 0)) return NEXT;
  push(cpu, fractionSe, fraction);
  return NEXT;
}

// ---- ST(0) and ST(1) --------------------------------------------------------------------------------------------------------

function fremainder(cpu: usize, op: usize, nearest: bool): i32 {
  if (x87Refused(cpu)) return FAULT;
  note(cpu, op);
  if (isEmpty(cpu, 0) || isEmpty(cpu, 1)) {
    settleCodes(cpu, op, FSW_C2, 0);
    if (settleUnderflow(cpu, op)) setStackIndefinite(cpu, 0);
    return NEXT;
  }
  const a = stack(cpu, 0);
  const b = stack(cpu, 1);
  const codes = extendedRemainder(cpu, seAt(a), significandAt(a), seAt(b), significandAt(b), nearest, x87Mode(cpu));
  dropUnreached(cpu, BEFORE);
  const none = codes == NO_QUOTIENT || unmasked(cpu, BEFORE) != 0;
  if (settleCodes(cpu, op, none ? FSW_C1 | FSW_C2 : FSW_CODES, none ? 0 : codes)) setStack(cpu, 0, resultSe, resultSignificand);
  return NEXT;
}

export function fprem(cpu: usize, op: usize): i32 {
  return fremainder(cpu, op, false);
}

export function fprem1(cpu: usize, op: usize): i32 {
  return fremainder(cpu, op, true);
}

export function fscale(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  note(cpu, op);
  if (isEmpty(cpu, 0) || isEmpty(cpu, 1)) {
    if (settleUnderflow(cpu, op)) setStackIndefinite(cpu, 0);
    return NEXT;
  }
  const a = stack(cpu, 0);
  const b = stack(cpu, 1);
  extendedScale(cpu, seAt(a), significandAt(a), seAt(b), significandAt(b), x87Mode(cpu));
  storeTo(cpu, op, 0);
  return NEXT;
}
