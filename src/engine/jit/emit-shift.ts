/** Emitters of shifts and rotates. Which operands they leave for the flags is stateAfter's matter. */
import { CC_DEC, CC_INC, CC_SHL, VCPU_RCX } from '../cpu/layout.ts';
import type { EmitInstruction } from './emit-integer.ts';
import { convertFlags, flagsToMemory, replaceByRotated } from './emit-flags.ts';
import type { Emitter, Value } from './emitter.ts';
import { local } from './locals.ts';
import { DYNAMIC, IN_MEMORY } from '../cpu/region-exit-state.ts';
import { shiftCount } from './flags.ts';
import { type Instruction, inMemory } from './instruction.ts';
import { op } from './wasm-writer.ts';

const ROL = 0;
const ROR = 1;
const SHR = 5;
const SAR = 7;

/** The same of 1 and 2 bytes, sign-extended: the count may be beyond the width. Rotates take it modulo the width. */
function pushNarrowShifted(e: Emitter, kind: number, size: number, a: Value, count: () => void): void {
  const { w } = e;
  const bits = size * 8;
  if (kind === ROL || kind === ROR) {
    // A copy above the value goes where the other one comes from.
    const modulo = (): void => {
      count();
      w.i64(bits - 1);
      w.emit(op.i64And);
    };
    e.pushZeroExtended(a, size);
    e.pushZeroExtended(a, size);
    w.i64(bits);
    w.emit(op.i64Shl, op.i64Or);
    if (kind === ROL) w.i64(bits);
    modulo();
    if (kind === ROL) w.emit(op.i64Sub);
    w.emit(op.i64ShrU);
  } else {
    if (kind === SHR) e.pushZeroExtended(a, size);
    else e.push(a);
    count();
    w.emit(kind === SHR ? op.i64ShrU : kind === SAR ? op.i64ShrS : op.i64Shl);
  }
  w.emit(size === 1 ? op.i64Extend8S : op.i64Extend16S);
}

/** Pushes the shifted value, normalised; `count` pushes the count as an i64. */
function pushShifted(e: Emitter, kind: number, size: number, a: Value, count: () => void): void {
  const { w } = e;
  if (size < 4) {
    pushNarrowShifted(e, kind, size, a, count);
    return;
  }
  const wide =
    kind === ROL ? op.i64Rotl : kind === ROR ? op.i64Rotr : kind === SHR ? op.i64ShrU : kind === SAR ? op.i64ShrS : op.i64Shl;
  if (size === 8) {
    e.push(a);
    count();
    w.emit(wide);
    return;
  }
  const narrow =
    kind === ROL ? op.i32Rotl : kind === ROR ? op.i32Rotr : kind === SHR ? op.i32ShrU : kind === SAR ? op.i32ShrS : op.i32Shl;
  e.push32(a);
  count();
  w.emit(op.i32WrapI64, narrow, op.i64ExtendI32U);
}

/** Sets CF of a shift of `a` by `count` (1 or more) in local ccB: the last bit that went out. */
function setShiftCarry(e: Emitter, kind: number, size: number, a: Value, count: () => void): void {
  const { w } = e;
  const bits = size * 8;
  if (size < 4) {
    if (kind === SHR) e.pushZeroExtended(a, size);
    else e.push(a);
    count();
    if (kind === SHR || kind === SAR) {
      w.i64(1);
      w.emit(op.i64Sub, kind === SHR ? op.i64ShrU : op.i64ShrS);
    } else {
      w.emit(op.i64Shl);
      w.i64(bits);
      w.emit(op.i64ShrU);
    }
    w.i64(1);
    w.emit(op.i64And);
    w.set(local.ccB);
    return;
  }
  e.push(a);
  if (kind === SHR || kind === SAR) {
    count();
    w.i64(1);
    w.emit(op.i64Sub, op.i64ShrU);
  } else {
    w.i64(bits);
    count();
    w.emit(op.i64Sub, op.i64ShrU);
  }
  w.i64(1);
  w.emit(op.i64And);
  w.set(local.ccB);
}

/** Operand `rm` updated by `compute`, which leaves the new value in t1; the old one is in t0. */
function update(e: Emitter, i: Instruction, compute: () => void): void {
  if (inMemory(i)) {
    e.writeOperand(i);
    e.loadHost(i.size);
    e.w.set(local.t0);
    compute();
    e.storeHost(i.size, { local: local.t1 });
    return;
  }
  e.copy(e.registerValue(i.rm, i.size, local.t0), local.t0);
  compute();
  e.w.get(local.t1);
  e.writeRegister(i.rm, i.size);
}

const OLD: Value = { local: local.t0 };

/** Keeps the result in t1 as the one that CF and OF follow from: its lowest and its two highest bits count. */
function setRotated(e: Emitter, size: number): void {
  const { w } = e;
  if (size >= 4) {
    e.copy({ local: local.t1 }, local.rotated);
    return;
  }
  w.get(local.t1);
  w.i64(64 - size * 8);
  w.emit(op.i64Shl);
  e.pushZeroExtended({ local: local.t1 }, size);
  w.emit(op.i64Or);
  w.set(local.rotated);
}

const shiftImmediate: EmitInstruction = (e, i, needed) => {
  const { w } = e;
  const kind = i.aux;
  const count = shiftCount(i);
  const pushCount = (): void => {
    w.i64(count);
  };
  if (count === 0) {
    // A 32-bit register is zero-extended all the same, and memory must be writable.
    update(e, i, () => {
      e.pushZeroExtended(OLD, i.size);
      w.set(local.t1);
    });
    return;
  }
  update(e, i, () => {
    pushShifted(e, kind, i.size, OLD, pushCount);
    w.set(local.t1);
  });
  if (!needed) return;
  if (kind === ROL || kind === ROR) {
    setRotated(e, i.size);
    return;
  }
  setShiftCarry(e, kind, i.size, OLD, pushCount);
  // SAR has OF = 0 by A = R, SHR by A = the operand: see the core's shift cases.
  e.copy({ local: kind === SAR ? local.t1 : local.t0 }, local.ccA);
  e.copy({ local: local.t1 }, local.ccR);
};

/** Rotates by the count in t2. Of the flags CF and OF change, and they only if the count is not zero. */
function rotateByCl(e: Emitter, i: Instruction, needed: boolean, count: () => void): void {
  const { w } = e;
  update(e, i, () => {
    pushShifted(e, i.aux, i.size, OLD, count);
    w.set(local.t1);
  });
  if (!needed) return;
  flagsToMemory(e);
  count();
  w.emit(op.i64Eqz, op.i32Eqz);
  w.if();
  setRotated(e, i.size);
  replaceByRotated(e, i.aux === ROR, i.size === 4);
  w.end();
  e.state = IN_MEMORY;
}

const shiftByCl: EmitInstruction = (e, i, needed) => {
  const { w } = e;
  const kind = i.aux;
  const count = (): void => {
    w.get(local.t2);
  };
  e.getRegister(VCPU_RCX);
  w.i64(i.size === 8 ? 63 : 31);
  w.emit(op.i64And);
  w.set(local.t2);
  if (kind === ROL || kind === ROR) {
    rotateByCl(e, i, needed, count);
    return;
  }
  if (needed) convertFlags(e, DYNAMIC);
  update(e, i, () => {
    pushShifted(e, kind, i.size, OLD, count);
    w.set(local.t1);
  });
  if (!needed) return;
  // A count of zero leaves the flags.
  count();
  w.emit(op.i64Eqz, op.i32Eqz);
  w.if();
  setShiftCarry(e, kind, i.size, OLD, count);
  e.pushExtended({ local: kind === SAR ? local.t1 : local.t0 }, i.size);
  w.set(local.ccA);
  e.pushExtended({ local: local.t1 }, i.size);
  w.set(local.ccR);
  w.i32(kind === SHR ? CC_DEC : kind === SAR ? CC_INC : CC_SHL);
  w.set(local.kind);
  w.end();
};

export const shiftEmitters: Readonly<Record<string, EmitInstruction>> = {
  shiftImmediate,
  shiftByCl,
};
