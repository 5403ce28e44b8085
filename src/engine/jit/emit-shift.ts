/** Emitters of shifts, rotates and bit tests. Which operands they leave for the flags is stateAfter's matter. */
import { CC_DEC, CC_EXPLICIT, CC_INC, CC_SHL, VCPU_RCX } from '../cpu/layout.ts';
import type { EmitInstruction } from './emit-integer.ts';
import { rmValue } from './emit-integer.ts';
import { type Emitter, type Value, local } from './emitter.ts';
import { DYNAMIC, KIND_MASK, ROTATED, SPECIAL, shiftCount } from './flags.ts';
import { type Instruction, inMemory } from './instruction.ts';
import { op } from './wasm-writer.ts';

const ROL = 0;
const ROR = 1;
const SHR = 5;
const SAR = 7;

/** Pushes the shifted value, normalised; `count` pushes the count as an i64. */
function pushShifted(e: Emitter, kind: number, size: number, a: Value, count: () => void): void {
  const { w } = e;
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
    e.pushAddress(i);
    e.writable(i.size, i.position);
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
    e.copy({ local: local.t1 }, local.rotated);
    return;
  }
  setShiftCarry(e, kind, i.size, OLD, pushCount);
  // SAR has OF = 0 by A = R, SHR by A = the operand: see the core's shift cases.
  e.copy({ local: kind === SAR ? local.t1 : local.t0 }, local.ccA);
  e.copy({ local: local.t1 }, local.ccR);
};

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
  if (needed) e.convertFlags(DYNAMIC);
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

/** Makes ccR a result whose ZF is that of the present flags, for instructions that keep ZF and leave other flags undefined. */
function keepZero(e: Emitter): void {
  const { w, state } = e;
  const kind = state & KIND_MASK;
  if (!(state & (SPECIAL | ROTATED)) && kind !== CC_EXPLICIT) {
    e.convertFlags(DYNAMIC);
    return;
  }
  e.convertFlags(DYNAMIC);
  // Of explicit flags, ZF inverted.
  w.get(local.ccR);
  w.i64(6);
  w.emit(op.i64ShrU);
  w.i64(1);
  w.emit(op.i64And);
  w.i64(1);
  w.emit(op.i64Xor);
  w.get(local.ccR);
  w.get(local.kind);
  w.i32(CC_EXPLICIT);
  w.emit(op.i32Eq, op.select);
  w.set(local.ccR);
}

/** bt bts btr btc by aux; the bit's number is pushed by `number`, already within the operand. */
function bitTest(e: Emitter, i: Instruction, needed: boolean, number: () => void): void {
  const { w } = e;
  const value = rmValue(e, i, local.t0);
  e.copy(value, local.t0);
  if (needed) keepZero(e);
  number();
  w.set(local.t2);
  if (i.aux !== 0) {
    w.get(local.t0);
    w.i64(1);
    w.get(local.t2);
    w.emit(op.i64Shl);
    if (i.aux === 2) {
      w.i64(-1);
      w.emit(op.i64Xor, op.i64And);
    } else w.emit(i.aux === 1 ? op.i64Or : op.i64Xor);
    w.set(local.t1);
    e.pushZeroExtended({ local: local.t1 }, i.size);
    e.setRegister(i.rm);
  }
  if (!needed) return;
  w.get(local.t0);
  w.get(local.t2);
  w.emit(op.i64ShrU);
  w.i64(1);
  w.emit(op.i64And);
  w.set(local.ccB);
  e.copy({ local: local.ccR }, local.ccA);
}

const mask = (i: Instruction): number => i.size * 8 - 1;

export const shiftEmitters: Readonly<Record<string, EmitInstruction>> = {
  shiftImmediate,
  shiftByCl,
  bitTestRegister: (e, i, needed) => {
    bitTest(e, i, needed, () => {
      e.getRegister(i.reg);
      e.w.i64(mask(i));
      e.w.emit(op.i64And);
    });
  },
  bitTestImmediate: (e, i, needed) => {
    bitTest(e, i, needed, () => {
      e.w.i64(i.low & mask(i));
    });
  },
};
