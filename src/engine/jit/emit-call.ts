/** A call of an instruction's handler inside translated code, with only the registers in memory that it looks at. */
import { JUMP, VCPU_RIP } from '../cpu/layout.ts';
import type { Emitter } from './emitter.ts';
import { local } from './locals.ts';
import type { Instruction } from './instruction.ts';
import { service } from './wasm-module.ts';
import { type Label, memoryOp, op } from './wasm-writer.ts';

export interface CallOptions {
  /** General registers, by number: those the handler reads, and those it writes. */
  readonly reads: number;
  readonly writes: number;
  /** XMM registers likewise. */
  readonly vectorReads?: number;
  readonly vectorWrites?: number;
  /** For callFloatHandler: what is to be clean afterwards. */
  readonly clean?: number;
}

/**
 * Calls the handler; the region is left unless it returns NEXT. The flags stay as they are: the handler must not look at them
 * (what it writes is the caller's to load).
 */
export function callOperation(e: Emitter, i: Instruction, options: CallOptions): void {
  const { w, vectors } = e;
  const { reads, writes, vectorReads = 0, vectorWrites = 0, clean } = options;
  e.registers.settle(reads);
  vectors.store(vectorReads & vectors.written);
  e.pushOperation(i);
  if (clean === undefined) w.call(service.callHandler);
  else {
    w.i32(clean);
    w.call(service.callFloatHandler);
  }
  w.set(local.status);
  e.registers.load(writes);
  vectors.load(vectorWrites);
  if (clean !== undefined) vectors.refresh();
  w.get(local.status);
  w.if();
  w.get(local.cpu);
  w.memory(memoryOp.i64Load, VCPU_RIP);
  w.set(local.rip);
  // An instruction that has been executed nevertheless counts.
  w.get(local.budget);
  w.get(local.status);
  w.i32(JUMP);
  w.emit(op.i32Eq, op.i32Sub);
  w.set(local.budget);
  e.exitWithStatus();
  w.end();
}

/** Runs `hot`, which may branch to its label; `cold` follows there. */
export function withCold(e: Emitter, hot: (cold: Label) => void, cold: () => void): void {
  const { w } = e;
  const done = w.block();
  const label = w.block();
  hot(label);
  w.br(done);
  w.end();
  cold();
  w.end();
}
