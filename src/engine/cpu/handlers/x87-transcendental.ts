/** x87 transcendental functions. @sdm Vol.2A F2XM1, FYL2X, FYL2XP1, FPATAN, FPTAN, FSIN, FCOS, FSINCOS; Vol.1 8.3.6-8.3.11 */
import { FAULT, NEXT, VCPU_FSW } from '../layout';
import { extendedArctangent } from '../softfloat/arctangent';
import { extendedPowerMinusOne } from '../softfloat/exponential';
import { CLASS_NAN, classOf, resultSe, resultSignificand } from '../softfloat/extended';
import { extendedYLog2X, extendedYLog2XPlusOne } from '../softfloat/logarithm';
import {
  cosine,
  cosineSe,
  extendedCosine,
  extendedSine,
  extendedSineCosine,
  extendedTangent,
  isOutOfRange,
} from '../softfloat/trigonometry';
import {
  FSW_C1,
  FSW_C2,
  isEmpty,
  note,
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
  x87Mode,
  x87Refused,
} from '../x87/state';

function storeTop(cpu: usize, op: usize): i32 {
  if (settle(cpu, op)) setStack(cpu, 0, resultSe, resultSignificand);
  return NEXT;
}

export function f2xm1(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  note(cpu, op);
  if (isEmpty(cpu, 0)) {
    if (settleUnderflow(cpu, op)) setStackIndefinite(cpu, 0);
    return NEXT;
  }
  const x = stack(cpu, 0);
  extendedPowerMinusOne(cpu, seAt(x), significandAt(x), x87Mode(cpu));
  return storeTop(cpu, op);
}

// ---- ST(0) and ST(1): the result goes to ST(1), ST(0) is popped ------------------------------------------------------------

/** Notes the instruction; whether an operand is empty: the instruction is then done. */
function pairMissing(cpu: usize, op: usize): bool {
  note(cpu, op);
  if (!isEmpty(cpu, 0) && !isEmpty(cpu, 1)) return false;
  if (settleUnderflow(cpu, op)) {
    setStackIndefinite(cpu, 1);
    pop(cpu);
  }
  return true;
}

function storePair(cpu: usize, op: usize): i32 {
  if (settle(cpu, op)) {
    setStack(cpu, 1, resultSe, resultSignificand);
    pop(cpu);
  }
  return NEXT;
}

export function fyl2x(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  if (pairMissing(cpu, op)) return NEXT;
  const x = stack(cpu, 0);
  const y = stack(cpu, 1);
  extendedYLog2X(cpu, seAt(x), significandAt(x), seAt(y), significandAt(y), x87Mode(cpu));
  return storePair(cpu, op);
}

export function fyl2xp1(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  if (pairMissing(cpu, op)) return NEXT;
  const x = stack(cpu, 0);
  const y = stack(cpu, 1);
  extendedYLog2XPlusOne(cpu, seAt(x), significandAt(x), seAt(y), significandAt(y), x87Mode(cpu));
  return storePair(cpu, op);
}

export function fpatan(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  if (pairMissing(cpu, op)) return NEXT;
  const x = stack(cpu, 0);
  const y = stack(cpu, 1);
  extendedArctangent(cpu, seAt(x), significandAt(x), seAt(y), significandAt(y), x87Mode(cpu));
  return storePair(cpu, op);
}

// ---- angles -----------------------------------------------------------------------------------------------------------------

/** Notes an instruction on an angle. C2 is cleared whatever comes of it, unless the angle is out of range. */
function noteAngle(cpu: usize, op: usize): void {
  note(cpu, op);
  store<u16>(cpu, load<u16>(cpu, VCPU_FSW) & ~FSW_C2, VCPU_FSW);
}

/** An angle of 2^63 or more: C2 is set, nothing else happens. */
function angleOutOfRange(cpu: usize, op: usize): bool {
  const x = stack(cpu, 0);
  if (!isOutOfRange(seAt(x), significandAt(x))) return false;
  settleCodes(cpu, op, FSW_C1, FSW_C2);
  return true;
}

export function fsin(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  noteAngle(cpu, op);
  if (isEmpty(cpu, 0)) {
    if (settleUnderflow(cpu, op)) setStackIndefinite(cpu, 0);
    return NEXT;
  }
  if (angleOutOfRange(cpu, op)) return NEXT;
  const x = stack(cpu, 0);
  extendedSine(cpu, seAt(x), significandAt(x), x87Mode(cpu));
  return storeTop(cpu, op);
}

export function fcos(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  noteAngle(cpu, op);
  if (isEmpty(cpu, 0)) {
    if (settleUnderflow(cpu, op)) setStackIndefinite(cpu, 0);
    return NEXT;
  }
  if (angleOutOfRange(cpu, op)) return NEXT;
  const x = stack(cpu, 0);
  extendedCosine(cpu, seAt(x), significandAt(x), x87Mode(cpu));
  return storeTop(cpu, op);
}

/** For the instructions that push a second result: whether the stack does not serve; the instruction is then done. */
function pairOfResultsRefused(cpu: usize, op: usize): bool {
  noteAngle(cpu, op);
  const underflow = isEmpty(cpu, 0);
  if (!underflow && isEmpty(cpu, 7)) return false;
  if (underflow ? settleUnderflow(cpu, op) : settleOverflow(cpu, op)) {
    setStackIndefinite(cpu, 0);
    push(cpu, 0xffff, 0xc000000000000000);
  }
  return true;
}

export function fsincos(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  if (pairOfResultsRefused(cpu, op)) return NEXT;
  if (angleOutOfRange(cpu, op)) return NEXT;
  const x = stack(cpu, 0);
  extendedSineCosine(cpu, seAt(x), significandAt(x), x87Mode(cpu));
  if (!settle(cpu, op)) return NEXT;
  setStack(cpu, 0, resultSe, resultSignificand);
  push(cpu, cosineSe, cosine);
  return NEXT;
}

/** The tangent, then 1 on top of it, as the 8087's programs expect a quotient; a NaN is pushed as it is. */
export function fptan(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  if (pairOfResultsRefused(cpu, op)) return NEXT;
  if (angleOutOfRange(cpu, op)) return NEXT;
  const x = stack(cpu, 0);
  extendedTangent(cpu, seAt(x), significandAt(x), x87Mode(cpu));
  if (!settle(cpu, op)) return NEXT;
  setStack(cpu, 0, resultSe, resultSignificand);
  if (classOf(resultSe, resultSignificand) == CLASS_NAN) push(cpu, resultSe, resultSignificand);
  else push(cpu, 0x3fff, 0x8000000000000000);
  return NEXT;
}
