/** x87 comparisons. @sdm Vol.2A FCOM/FCOMP/FCOMPP, FUCOM, FICOM, FCOMI/FUCOMI, FTST, FXAM */
import { effectiveAddress } from '../address';
import { CF, PF, ZF, setFlags } from '../flags';
import { FAULT, NEXT, OP_AUX, OP_RM } from '../layout';
import { readable } from '../memory';
import { EQUAL, GREATER, LESS, UNORDERED } from '../softfloat/binary64';
import { DENORMAL, INVALID, raiseFlags } from '../softfloat/environment';
import { SIGN_80, classOf, extendedCompare, resultSe, resultSignificand } from '../softfloat/extended';
import { extendedFromInteger, widenF32, widenF64 } from '../softfloat/extended-convert';
import {
  FSW_C0,
  FSW_C1,
  FSW_C2,
  FSW_C3,
  FSW_CODES,
  isEmpty,
  note,
  noteMemory,
  pop,
  seAt,
  settleCodes,
  settleUnderflow,
  significandAt,
  stack,
  unmasked,
  x87Refused,
} from '../x87/state';

/** OP_AUX: how many times to pop; with QUIET a quiet NaN is no invalid operand (FUCOM). */
const POPS: u32 = 3;
const QUIET: u32 = 4;

function popTimes(cpu: usize, times: u32): void {
  for (; times; times--) pop(cpu);
}

function codesOf(relation: i32): u32 {
  if (relation == GREATER) return 0;
  if (relation == LESS) return FSW_C0;
  return relation == EQUAL ? FSW_C3 : FSW_C0 | FSW_C2 | FSW_C3;
}

/** Whether an operand register is empty; then the masked response, "unordered", has been given. */
function missing(cpu: usize, op: usize, i: u32): bool {
  if (!isEmpty(cpu, 0) && !isEmpty(cpu, i)) return false;
  if (settleUnderflow(cpu, op)) {
    settleCodes(cpu, op, FSW_CODES, codesOf(UNORDERED));
    popTimes(cpu, load<u8>(op, OP_AUX) & POPS);
  }
  return true;
}

function compare(cpu: usize, op: usize, se: u32, significand: u64, denormal: bool): i32 {
  const aux = <u32>load<u8>(op, OP_AUX);
  const register = stack(cpu, 0);
  const relation = extendedCompare(cpu, seAt(register), significandAt(register), se, significand, !(aux & QUIET));
  if (denormal && relation != UNORDERED) raiseFlags(cpu, DENORMAL);
  // An unmasked invalid operand leaves the codes as they were, a denormal one does not; both keep the stack from being popped.
  const mask = unmasked(cpu, INVALID) ? FSW_C1 : FSW_CODES;
  if (settleCodes(cpu, op, mask, codesOf(relation) & mask)) popTimes(cpu, aux & POPS);
  return NEXT;
}

function source(cpu: usize, op: usize, bytes: u32): usize {
  if (x87Refused(cpu)) return 0;
  const from = readable(cpu, effectiveAddress(cpu, op), bytes);
  if (from) noteMemory(cpu, op);
  return from;
}

/** ST(0) against the widened memory operand in the soft-float result. */
function compareWidened(cpu: usize, op: usize, denormal: bool): i32 {
  return missing(cpu, op, 0) ? NEXT : compare(cpu, op, resultSe, resultSignificand, denormal);
}

export function fcomF32(cpu: usize, op: usize): i32 {
  const from = source(cpu, op, 4);
  return from ? compareWidened(cpu, op, widenF32(load<u32>(from))) : FAULT;
}

export function fcomF64(cpu: usize, op: usize): i32 {
  const from = source(cpu, op, 8);
  return from ? compareWidened(cpu, op, widenF64(load<u64>(from))) : FAULT;
}

export function ficom16(cpu: usize, op: usize): i32 {
  const from = source(cpu, op, 2);
  if (!from) return FAULT;
  extendedFromInteger(load<i16>(from));
  return compareWidened(cpu, op, false);
}

export function ficom32(cpu: usize, op: usize): i32 {
  const from = source(cpu, op, 4);
  if (!from) return FAULT;
  extendedFromInteger(load<i32>(from));
  return compareWidened(cpu, op, false);
}

/** FCOM, FCOMP, FCOMPP and their FUCOM forms. */
export function fcomRegister(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  note(cpu, op);
  const i = <u32>load<u8>(op, OP_RM);
  if (missing(cpu, op, i)) return NEXT;
  const register = stack(cpu, i);
  return compare(cpu, op, seAt(register), significandAt(register), false);
}

export function ftst(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  note(cpu, op);
  return missing(cpu, op, 0) ? NEXT : compare(cpu, op, 0, 0, false);
}

/** FCOMI, FCOMIP, FUCOMI, FUCOMIP: the relation goes to ZF, PF, CF; OF, SF and AF are cleared. */
export function fcomi(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  note(cpu, op);
  const i = <u32>load<u8>(op, OP_RM);
  const aux = <u32>load<u8>(op, OP_AUX);
  let relation = UNORDERED;
  let pops = true;
  if (isEmpty(cpu, 0) || isEmpty(cpu, i)) {
    if (!settleUnderflow(cpu, op)) return NEXT;
  } else {
    const a = stack(cpu, 0);
    const b = stack(cpu, i);
    relation = extendedCompare(cpu, seAt(a), significandAt(a), seAt(b), significandAt(b), !(aux & QUIET));
    pops = settleCodes(cpu, op, FSW_C1, 0);
    if (unmasked(cpu, INVALID)) return NEXT;
  }
  let flags: u32 = 0;
  if (relation == LESS) flags = CF;
  else if (relation == EQUAL) flags = ZF;
  else if (relation == UNORDERED) flags = CF | PF | ZF;
  setFlags(cpu, flags);
  if (pops) popTimes(cpu, aux & POPS);
  return NEXT;
}

/** C3 C2 C0: the class of ST(0), or 1 0 1 when it is empty; C1: its sign, whether empty or not. */
export function fxam(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  note(cpu, op);
  const register = stack(cpu, 0);
  const kind = isEmpty(cpu, 0) ? 5 : classOf(seAt(register), significandAt(register));
  const codes =
    (kind & 1 ? FSW_C0 : 0) | (kind & 2 ? FSW_C2 : 0) | (kind & 4 ? FSW_C3 : 0) | (seAt(register) & SIGN_80 ? FSW_C1 : 0);
  settleCodes(cpu, op, FSW_CODES, codes);
  return NEXT;
}
