/** What emitters of vector instructions share: permission, operands, and the cold path, the row's handler. */
import { OPF_MEMORY, REDO, VCPU_CR0, VCPU_PAGE, VCPU_ZERO } from '../cpu/layout.ts';
import { callOperation } from './emit-call.ts';
import type { Emitter } from './emitter.ts';
import { local } from './locals.ts';
import { vectorRegisterUse, xmmUse } from './handlers.ts';
import { type Instruction, inMemory, instructionPage } from './instruction.ts';
import { simd } from './wasm-simd.ts';
import { memoryOp, op } from './wasm-writer.ts';

export type EmitVector = (e: Emitter, i: Instruction, needed: boolean) => void;

/** CR0.EM and CR0.TS: vector instructions fault. */
const CR0_FORBIDS = 12;

/** Leaves unless CR0 allows vector instructions; nothing inside a region changes it. */
export function permitVectors(e: Emitter, i: Instruction): void {
  if (e.vectors.isPermitted) return;
  const { w } = e;
  w.get(local.cpu);
  w.memory(memoryOp.i32Load, VCPU_CR0);
  w.i32(CR0_FORBIDS);
  w.emit(op.i32And);
  w.if();
  e.exit(i.position, REDO);
  w.end();
  e.vectors.permit();
}

/** Whether the operand's address is known to be a multiple of 16: it is relative to the code's page. */
const isAlignedForSure = (i: Instruction): boolean =>
  i.base === VCPU_PAGE && i.index === VCPU_ZERO && i.segment === VCPU_ZERO && ((i.displacement + instructionPage(i)) & 15) === 0;

/** Pushes the address of the memory operand, which must be a multiple of 16: else the fault is the instruction's. */
export function pushAlignedAddress(e: Emitter, i: Instruction): void {
  const { w } = e;
  e.pushAddress(i);
  if (isAlignedForSure(i)) return;
  w.tee(local.address);
  w.emit(op.i32WrapI64);
  w.i32(15);
  w.emit(op.i32And);
  w.if();
  e.exit(i.position, REDO);
  w.end();
  w.get(local.address);
}

/** Leaves in local `host` where the memory operand can be read. */
export function readOperand(e: Emitter, i: Instruction, bytes: number, aligned = true): void {
  if (aligned && bytes === 16) pushAlignedAddress(e, i);
  else e.pushAddress(i);
  e.readable(bytes, i.position);
}

/** Pushes the rm operand: of memory 16, 8 or 4 bytes, zero-extended to a vector; of a register all of it. */
export function pushVectorSource(e: Emitter, i: Instruction, bytes = 16, aligned = true): void {
  if (!inMemory(i)) {
    e.vectors.get(i.rm);
    return;
  }
  readOperand(e, i, bytes, aligned);
  e.order.beforeLoad();
  e.w.get(local.host);
  e.w.vectorMemory(bytes === 16 ? simd.load : bytes === 8 ? simd.load64Zero : simd.load32Zero, 0);
}

/** Sets the number local to the lowest lane of the rm operand. */
export function loadScalar(e: Emitter, i: Instruction, wide: boolean, to: number): void {
  const { w } = e;
  if (inMemory(i)) {
    readOperand(e, i, wide ? 8 : 4);
    e.order.beforeLoad();
    w.get(local.host);
    w.memory(wide ? memoryOp.f64Load : memoryOp.f32Load, 0);
  } else {
    e.vectors.get(i.rm);
    w.vectorLane(wide ? simd.extractF64 : simd.extractF32, 0);
  }
  w.set(to);
}

/** Sets the number local to the lowest lane of the destination. */
export function loadTarget(e: Emitter, i: Instruction, wide: boolean, to: number): void {
  e.vectors.get(i.reg);
  e.w.vectorLane(wide ? simd.extractF64 : simd.extractF32, 0);
  e.w.set(to);
}

/**
 * Calls the row's handler. `cleanTarget` and `cleanSource`: kinds of facts that are to hold of the registers afterwards, or -1;
 * else the region is left behind the instruction.
 */
export function callCold(e: Emitter, i: Instruction, cleanTarget = -1, cleanSource = -1): void {
  const general = vectorRegisterUse(i);
  const xmm = xmmUse(i);
  callOperation(e, i, {
    reads: general.reads,
    writes: general.writes,
    vectorReads: xmm.reads,
    vectorWrites: xmm.writes,
    clean: (cleanTarget + 1) | ((cleanSource + 1) << 3),
  });
}

export const isRegisterForm = (i: Instruction): boolean => (i.flags & OPF_MEMORY) === 0;
