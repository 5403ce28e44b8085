/**
 * Emitters of MOVS, STOS and LODS. A repeated one is done by the core in runs within pages (cpu/region-strings.ts); between runs
 * requests and the budget are looked at, with RIP still on the instruction. What the core refuses (a fault, marked memory, an
 * element across two pages, DF set) leaves the region before the element.
 * @sdm Vol. 1 7.3.9
 */
import { JUMP, OPF_REP, OPF_REPNE, REDO, VCPU_RAX, VCPU_RCX, VCPU_RDI, VCPU_RFLAGS, VCPU_RSI } from '../cpu/layout.ts';
import type { EmitInstruction } from './emit-integer.ts';
import type { Emitter } from './emitter.ts';
import { local } from './locals.ts';
import type { Instruction } from './instruction.ts';
import { service } from './wasm-module.ts';
import { memoryOp, op } from './wasm-writer.ts';

const DIRECTION = 0x400;

function refuseBackwards(e: Emitter, i: Instruction): void {
  const { w } = e;
  w.get(local.cpu);
  w.memory(memoryOp.i32Load, VCPU_RFLAGS);
  w.i32(DIRECTION);
  w.emit(op.i32And);
  w.if();
  e.exit(i.position, REDO);
  w.end();
}

function advance(e: Emitter, slot: number, bytes: number): void {
  e.getRegister(slot);
  e.w.i64(bytes);
  e.w.emit(op.i64Add);
  e.setRegister(slot);
}

/** `call` leaves the number of elements done on the stack; `pointers` advance by it. */
function repeated(e: Emitter, i: Instruction, pointers: readonly number[], call: () => void): void {
  const { w } = e;
  const done = w.block();
  const again = w.loop();
  e.getRegister(VCPU_RCX);
  w.emit(op.i64Eqz);
  w.brIf(done);
  w.get(local.cpu);
  call();
  w.set(local.t0);
  e.getRegister(VCPU_RCX);
  w.get(local.t0);
  w.emit(op.i64Sub);
  e.setRegister(VCPU_RCX);
  for (const slot of pointers) {
    e.getRegister(slot);
    w.get(local.t0);
    w.i64(i.size);
    w.emit(op.i64Mul, op.i64Add);
    e.setRegister(slot);
  }
  e.getRegister(VCPU_RCX);
  w.emit(op.i64Eqz);
  w.brIf(done);
  w.get(local.t0);
  w.emit(op.i64Eqz);
  w.if();
  e.exit(i.position, REDO);
  w.end();
  e.countRetired(1);
  e.pushInterrupted();
  w.emit(op.i32Eqz);
  w.brIf(again);
  e.exit(i.position, JUMP);
  w.end();
  w.end();
}

const isRepeated = (i: Instruction): boolean => (i.flags & (OPF_REP | OPF_REPNE)) !== 0;

const movs: EmitInstruction = (e, i) => {
  const { w } = e;
  if (isRepeated(i)) {
    repeated(e, i, [VCPU_RSI, VCPU_RDI], () => {
      e.getRegister(VCPU_RSI);
      e.getRegister(VCPU_RDI);
      e.getRegister(VCPU_RCX);
      w.i32(i.size);
      w.call(service.repeatMove);
    });
    return;
  }
  refuseBackwards(e, i);
  e.getRegister(VCPU_RSI);
  e.readable(i.size, i.position);
  e.loadHost(i.size);
  w.set(local.t0);
  e.getRegister(VCPU_RDI);
  e.writable(i.size, i.position);
  e.storeHost(i.size, { local: local.t0 });
  advance(e, VCPU_RSI, i.size);
  advance(e, VCPU_RDI, i.size);
};

const stos: EmitInstruction = (e, i) => {
  const { w } = e;
  if (isRepeated(i)) {
    repeated(e, i, [VCPU_RDI], () => {
      e.getRegister(VCPU_RDI);
      e.getRegister(VCPU_RAX);
      e.getRegister(VCPU_RCX);
      w.i32(i.size);
      w.call(service.repeatStore);
    });
    return;
  }
  refuseBackwards(e, i);
  const value = e.registerValue(VCPU_RAX, i.size, local.t0);
  e.getRegister(VCPU_RDI);
  e.writable(i.size, i.position);
  e.storeHost(i.size, value);
  advance(e, VCPU_RDI, i.size);
};

const lods: EmitInstruction = (e, i) => {
  refuseBackwards(e, i);
  e.getRegister(VCPU_RSI);
  e.readable(i.size, i.position);
  e.loadHost(i.size);
  e.writeRegister(VCPU_RAX, i.size);
  advance(e, VCPU_RSI, i.size);
};

export const stringEmitters: Readonly<Record<string, EmitInstruction>> = { movs, stos, lods };
