/** Emitters of SHLD and SHRD, and of RCL and RCR by one, as multiple-precision arithmetic uses them. @sdm Vol. 2 */
import { CC_EXPLICIT, VCPU_RCX } from '../cpu/layout.ts';
import { pushCarry } from './conditions.ts';
import { type EmitInstruction, updateRm } from './emit-integer.ts';
import { convertFlags, flagsToMemory } from './emit-flags.ts';
import type { Emitter } from './emitter.ts';
import { local } from './locals.ts';
import { DYNAMIC, IN_MEMORY } from '../cpu/region-exit-state.ts';
import type { Instruction } from './instruction.ts';
import { service } from './wasm-module.ts';
import { op } from './wasm-writer.ts';

const RCR = 3;

/** Pushes bit `n` of the local as an i64. */
function pushBit(e: Emitter, from: number, n: number): void {
  const { w } = e;
  w.get(from);
  if (n > 0) {
    w.i64(n);
    w.emit(op.i64ShrU);
  }
  w.i64(1);
  w.emit(op.i64And);
}

/** The explicit flags of a double shift by 1 or more to ccR: result in t1 (zero-extended), operand in t0, count in t2. */
function setDoubleFlags(e: Emitter, i: Instruction, right: boolean): void {
  const { w } = e;
  const bits = i.size * 8;
  // CF: the last bit that went out.
  e.pushZeroExtended({ local: local.t0 }, i.size);
  if (right) {
    w.get(local.t2);
    w.i64(1);
    w.emit(op.i64Sub);
  } else {
    w.i64(bits);
    w.get(local.t2);
    w.emit(op.i64Sub);
  }
  w.emit(op.i64ShrU);
  w.i64(1);
  w.emit(op.i64And);
  // PF
  w.get(local.t1);
  w.i64(0xff);
  w.emit(op.i64And, op.i64Popcnt);
  w.i64(1);
  w.emit(op.i64And);
  w.i64(1);
  w.emit(op.i64Xor);
  w.i64(2);
  w.emit(op.i64Shl, op.i64Or);
  // ZF
  w.get(local.t1);
  w.emit(op.i64Eqz, op.i64ExtendI32U);
  w.i64(6);
  w.emit(op.i64Shl, op.i64Or);
  // SF, and OF: the sign has changed.
  pushBit(e, local.t1, bits - 1);
  w.i64(7);
  w.emit(op.i64Shl, op.i64Or);
  pushBit(e, local.t1, bits - 1);
  pushBit(e, local.t0, bits - 1);
  w.emit(op.i64Xor);
  w.i64(11);
  w.emit(op.i64Shl, op.i64Or);
  w.set(local.ccR);
}

/** The operand shifted by the count in t2, which may be zero, with bits of the source coming in. */
function shiftDouble(e: Emitter, i: Instruction): void {
  const { w } = e;
  const right = i.aux !== 0;
  const bits = i.size * 8;
  e.copy(e.registerValue(i.reg, i.size, local.t3), local.t3);
  updateRm(e, i, () => {
    e.pushZeroExtended({ local: local.t0 }, i.size);
    w.get(local.t2);
    w.emit(right ? op.i64ShrU : op.i64Shl);
    e.pushZeroExtended({ local: local.t3 }, i.size);
    // In two steps, so that a count of zero shifts everything out.
    w.i64(1);
    w.emit(right ? op.i64Shl : op.i64ShrU);
    w.i64(bits - 1);
    w.get(local.t2);
    w.emit(op.i64Sub, right ? op.i64Shl : op.i64ShrU, op.i64Or);
    w.set(local.t1);
    e.pushZeroExtended({ local: local.t1 }, i.size);
    w.set(local.t1);
  });
}

const countMask = (i: Instruction): number => (i.size === 8 ? 63 : 31);

const shiftDoubleImmediate: EmitInstruction = (e, i, needed) => {
  const count = i.low & countMask(i);
  e.w.i64(count);
  e.w.set(local.t2);
  shiftDouble(e, i);
  if (needed && count !== 0) setDoubleFlags(e, i, i.aux !== 0);
};

const shiftDoubleByCl: EmitInstruction = (e, i, needed) => {
  const { w } = e;
  e.getRegister(VCPU_RCX);
  w.i64(countMask(i));
  w.emit(op.i64And);
  w.set(local.t2);
  if (needed) convertFlags(e, DYNAMIC);
  shiftDouble(e, i);
  if (!needed) return;
  w.get(local.t2);
  w.emit(op.i64Eqz, op.i32Eqz);
  w.if();
  setDoubleFlags(e, i, i.aux !== 0);
  w.i32(CC_EXPLICIT);
  w.set(local.kind);
  w.end();
};

/** RCL and RCR by one: CF goes in at one end and comes out at the other; OF follows, the other flags stay. */
export const rotateThroughCarry: EmitInstruction = (e, i, needed) => {
  const { w } = e;
  const bits = i.size * 8;
  const right = i.aux === RCR;
  pushCarry(e);
  w.emit(op.i64ExtendI32U);
  w.set(local.t3);
  updateRm(e, i, () => {
    e.pushZeroExtended({ local: local.t0 }, i.size);
    w.i64(1);
    w.emit(right ? op.i64ShrU : op.i64Shl);
    w.get(local.t3);
    if (right) {
      w.i64(bits - 1);
      w.emit(op.i64Shl);
    }
    w.emit(op.i64Or);
    w.set(local.t1);
    e.pushZeroExtended({ local: local.t1 }, i.size);
    w.set(local.t1);
  });
  if (!needed) return;
  flagsToMemory(e);
  w.get(local.cpu);
  pushBit(e, local.t0, right ? 0 : bits - 1);
  // OF: the new top bit differs from CF, or from the bit below it.
  pushBit(e, local.t1, bits - 1);
  pushBit(e, right ? local.t1 : local.t0, right ? bits - 2 : bits - 1);
  w.emit(op.i64Xor);
  w.i64(11);
  w.emit(op.i64Shl, op.i64Or, op.i32WrapI64);
  w.call(service.replaceCarryOverflow);
  e.state = IN_MEMORY;
};

export const doubleShiftEmitters: Readonly<Record<string, EmitInstruction>> = { shiftDoubleImmediate, shiftDoubleByCl };
