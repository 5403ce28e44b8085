/** Emitters of indirect transfers, and of the memory part of calls and returns. Direct transfers are the region's structure. */
import { REDO, VCPU_RSP } from '../cpu/layout.ts';
import { pushStack, readStack, rmValue } from './emit-integer.ts';
import type { Emitter } from './emitter.ts';
import { local } from './locals.ts';
import { type Instruction, nextPosition } from './instruction.ts';
import { op } from './wasm-writer.ts';

/** Leaves with REDO when the address in `from` is not canonical: the fault is the instruction's. */
function refuseNonCanonical(e: Emitter, i: Instruction, from: number): void {
  const { w } = e;
  w.get(from);
  w.i64(16);
  w.emit(op.i64Shl);
  w.i64(16);
  w.emit(op.i64ShrS);
  w.get(from);
  w.emit(op.i64Ne);
  w.ifUnlikely();
  e.exit(i.position, REDO);
  w.end();
}

function pushReturnAddress(e: Emitter, i: Instruction): void {
  e.pushPosition(nextPosition(i));
  e.w.set(local.t0);
  pushStack(e, i, { local: local.t0 });
}

export function emitCall(e: Emitter, i: Instruction): void {
  pushReturnAddress(e, i);
}

/** jmp and call through a register or memory, up to RIP in its local. */
export function emitIndirect(e: Emitter, i: Instruction): void {
  e.copy(rmValue(e, i, local.t2, 8), local.t2);
  refuseNonCanonical(e, i, local.t2);
  if (i.handler === 'callIndirect') pushReturnAddress(e, i);
  e.w.get(local.t2);
  e.w.set(local.rip);
}

/** Pops the return address into t0 and moves RSP. `expected`: the only address to go on at, else REDO. */
export function emitReturn(e: Emitter, i: Instruction, expected: number | null): void {
  const { w } = e;
  readStack(e, i, VCPU_RSP);
  if (expected === null) refuseNonCanonical(e, i, local.t0);
  else {
    w.get(local.t0);
    e.pushPosition(expected);
    w.emit(op.i64Ne);
    w.ifUnlikely();
    e.exit(i.position, REDO);
    w.end();
  }
  e.getRegister(VCPU_RSP);
  w.i64(8 + (i.low & 0xffff));
  w.emit(op.i64Add);
  e.setRegister(VCPU_RSP);
}
