/**
 * Brings the flags of translated code from one form into another: from operands in locals, whose meaning the flag state knows, into
 * the DYNAMIC form, and into the core's fields.
 */
import { VCPU_CC_A, VCPU_CC_B, VCPU_CC_OP, VCPU_CC_R } from '../cpu/layout.ts';
import {
  DEAD,
  DYNAMIC,
  IN_MEMORY,
  KIND_MASK,
  NARROW,
  RESULT_IS_DIFFERENCE,
  RESULT_IS_SUM,
  ROTATED,
  ROTATED_NARROW,
  ROTATED_RIGHT,
  SPECIAL,
} from '../cpu/region-exit-state.ts';
import type { Emitter } from './emitter.ts';
import { local } from './locals.ts';
import { type FlagState, withoutRotate } from './flags.ts';
import { service } from './wasm-module.ts';
import { memoryOp, op } from './wasm-writer.ts';

/** What the kind in its local consists of. */
const KIND_BITS = KIND_MASK | NARROW | RESULT_IS_DIFFERENCE | RESULT_IS_SUM;

/** Runs `body` if a bit of the i32 local is set, or if it is clear. */
function when(e: Emitter, which: number, bit: number, set: boolean, body: () => void): void {
  const { w } = e;
  w.get(which);
  w.i32(bit);
  w.emit(op.i32And);
  if (!set) w.emit(op.i32Eqz);
  w.if();
  body();
  w.end();
}

/** Makes kind and operands in the locals those of the core's VCPU_CC_* fields. */
function normaliseKind(e: Emitter): void {
  const { w } = e;
  w.get(local.kind);
  w.i32(KIND_BITS & ~KIND_MASK);
  w.emit(op.i32And);
  w.if();
  for (const [bit, opcode] of [
    [RESULT_IS_DIFFERENCE, op.i64Sub],
    [RESULT_IS_SUM, op.i64Add],
  ] as const) {
    when(e, local.kind, bit, true, () => {
      w.get(local.ccA);
      w.get(local.ccB);
      w.emit(opcode);
      w.set(local.ccR);
    });
  }
  when(e, local.kind, NARROW, true, () => {
    extendOperands(e);
  });
  w.get(local.kind);
  w.i32(KIND_MASK);
  w.emit(op.i32And);
  w.set(local.kind);
  w.end();
}

function storeFlagFields(e: Emitter): void {
  const { w } = e;
  w.get(local.cpu);
  w.get(local.kind);
  w.memory(memoryOp.i32Store, VCPU_CC_OP);
  storeOperands(e);
}

/** CF and OF of the rotate whose result is in its local, at their places in RFLAGS. */
function computeRotate(e: Emitter): void {
  const { w, state } = e;
  const bits = state & ROTATED_NARROW ? 32 : 64;
  const bit = (n: number): void => {
    w.get(local.rotated);
    w.i64(n);
    w.emit(op.i64ShrU, op.i32WrapI64);
    w.i32(1);
    w.emit(op.i32And);
  };
  const [carry, other] = state & ROTATED_RIGHT ? [bits - 1, bits - 2] : [0, bits - 1];
  bit(carry);
  w.tee(local.rotateBits);
  bit(other);
  w.get(local.rotateBits);
  w.emit(op.i32Xor);
  w.i32(11);
  w.emit(op.i32Shl, op.i32Or);
  w.set(local.rotateBits);
}

/** Replaces CF and OF of the flags in memory by those of the rotate whose result is in its local. */
export function replaceByRotated(e: Emitter, right: boolean, narrow: boolean): void {
  const { w, state } = e;
  e.state = ROTATED | (right ? ROTATED_RIGHT : 0) | (narrow ? ROTATED_NARROW : 0);
  computeRotate(e);
  e.state = state;
  w.get(local.cpu);
  w.get(local.rotateBits);
  w.call(service.replaceCarryOverflow);
}

function extendOperands(e: Emitter): void {
  for (const which of [local.ccA, local.ccB, local.ccR]) {
    e.w.get(which);
    e.w.emit(op.i64Extend32S);
    e.w.set(which);
  }
}

function storeOperands(e: Emitter): void {
  for (const [which, offset] of [
    [local.ccA, VCPU_CC_A],
    [local.ccB, VCPU_CC_B],
    [local.ccR, VCPU_CC_R],
  ] as const) {
    e.w.get(local.cpu);
    e.w.get(which);
    e.w.memory(memoryOp.i64Store, offset);
  }
}

/** Makes the operands in the locals those of the core's VCPU_CC_* fields; not of flags in memory. */
function settle(e: Emitter): void {
  const { w, state } = e;
  const base = withoutRotate(state);
  if (base === DYNAMIC) normaliseKind(e);
  if (base & SPECIAL) return;
  if (base & (RESULT_IS_DIFFERENCE | RESULT_IS_SUM)) {
    w.get(local.ccA);
    w.get(local.ccB);
    w.emit(base & RESULT_IS_SUM ? op.i64Add : op.i64Sub);
    w.set(local.ccR);
  }
  if (base & NARROW) extendOperands(e);
  w.i32(base & KIND_MASK);
  w.set(local.kind);
}

/** Writes the flags to VCPU_CC_*; the state stays valid besides. */
export function flagsToMemory(e: Emitter): void {
  const { w, state } = e;
  const base = withoutRotate(state);
  if (state === IN_MEMORY || state === DEAD) return;
  if (base !== IN_MEMORY) {
    settle(e);
    storeFlagFields(e);
  }
  if (state & ROTATED) {
    computeRotate(e);
    w.get(local.cpu);
    w.get(local.rotateBits);
    w.call(service.replaceCarryOverflow);
  }
}

/** Brings the flags into the form that `target` wants: the same state, or DYNAMIC. */
export function convertFlags(e: Emitter, target: FlagState): void {
  const { w } = e;
  if (target === DEAD || target === e.state || target !== DYNAMIC) return;
  if (e.state & ROTATED) {
    flagsToMemory(e);
    e.state = IN_MEMORY;
  }
  if (e.state === IN_MEMORY) {
    w.get(local.cpu);
    w.memory(memoryOp.i32Load, VCPU_CC_OP);
    w.set(local.kind);
    for (const [which, offset] of [
      [local.ccA, VCPU_CC_A],
      [local.ccB, VCPU_CC_B],
      [local.ccR, VCPU_CC_R],
    ] as const) {
      w.get(local.cpu);
      w.memory(memoryOp.i64Load, offset);
      w.set(which);
    }
  } else {
    w.i32(e.state & KIND_BITS);
    w.set(local.kind);
  }
  e.state = DYNAMIC;
}

/** Brings the flags into the DYNAMIC form with operands and result as the core keeps them. */
export function settleFlags(e: Emitter): void {
  convertFlags(e, DYNAMIC);
  normaliseKind(e);
}
