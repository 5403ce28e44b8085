/** Emitters of BT, BTS, BTR and BTC, in registers and memory, where a bit number in a register reaches beyond the operand. @sdm Vol. 2 */
import { CC_EXPLICIT } from '../cpu/layout.ts';
import { type EmitInstruction, rmValue } from './emit-integer.ts';
import { lockedBit } from './emit-lock.ts';
import { settleFlags } from './emit-flags.ts';
import type { Emitter } from './emitter.ts';
import { local } from './locals.ts';
import { KIND_MASK, ROTATED, SPECIAL } from '../cpu/region-exit-state.ts';
import { type Instruction, inMemory, isLocked } from './instruction.ts';
import { op } from './wasm-writer.ts';

/** Makes ccR a result whose ZF is that of the present flags, for instructions that keep ZF and leave other flags undefined. */
function keepZero(e: Emitter): void {
  const { w, state } = e;
  const kind = state & KIND_MASK;
  if (!(state & (SPECIAL | ROTATED)) && kind !== CC_EXPLICIT) {
    settleFlags(e);
    return;
  }
  settleFlags(e);
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

/** Pushes what becomes of the value in t0 when the bit in t2 is set, cleared or flipped. */
function pushChanged(e: Emitter, i: Instruction): void {
  const { w } = e;
  w.get(local.t0);
  w.i64(1);
  w.get(local.t2);
  w.emit(op.i64Shl);
  if (i.aux === 2) {
    w.i64(-1);
    w.emit(op.i64Xor, op.i64And);
  } else w.emit(i.aux === 1 ? op.i64Or : op.i64Xor);
}

/** By aux; `number` pushes the bit's number within the operand, `pushAddress` the address of a memory operand. */
function bitTest(e: Emitter, i: Instruction, needed: boolean, pushAddress: () => void, number: () => void): void {
  const { w } = e;
  if (i.aux !== 0 && inMemory(i)) {
    if (isLocked(i)) lockedBit(e, i, pushAddress, number);
    else {
      pushAddress();
      e.writable(i.size, i.position);
      e.loadHost(i.size);
      w.set(local.t0);
    }
  } else if (inMemory(i)) {
    pushAddress();
    e.readable(i.size, i.position);
    e.loadHost(i.size);
    w.set(local.t0);
  } else e.copy(rmValue(e, i, local.t0), local.t0);
  if (needed) keepZero(e);
  number();
  w.set(local.t2);
  if (i.aux !== 0 && !isLocked(i)) {
    pushChanged(e, i);
    w.set(local.t1);
    if (inMemory(i)) e.storeHost(i.size, { local: local.t1 });
    else {
      e.pushZeroExtended({ local: local.t1 }, i.size);
      e.setRegister(i.rm);
    }
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

export const bitEmitters: Readonly<Record<string, EmitInstruction>> = {
  bitTestRegister: (e, i, needed) => {
    const { w } = e;
    bitTest(
      e,
      i,
      needed,
      () => {
        // The signed number of the operand that the bit lies in, times its size.
        e.pushAddress(i);
        e.pushExtended(e.registerValue(i.reg, i.size, local.t2), i.size);
        w.i64(i.size === 8 ? 6 : 5);
        w.emit(op.i64ShrS);
        w.i64(i.size === 8 ? 3 : 2);
        w.emit(op.i64Shl, op.i64Add);
      },
      () => {
        e.getRegister(i.reg);
        w.i64(mask(i));
        w.emit(op.i64And);
      },
    );
  },
  bitTestImmediate: (e, i, needed) => {
    bitTest(
      e,
      i,
      needed,
      () => {
        e.pushAddress(i);
      },
      () => {
        e.w.i64(i.low & mask(i));
      },
    );
  },
};
