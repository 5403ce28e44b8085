/**
 * Emitters of LOCK forms, XCHG with memory, XADD and CMPXCHG on WebAssembly's atomics, which want aligned addresses. What is not
 * aligned leaves the region before the instruction. ADC, SBB and NEG have no atomic and stay with their handler.
 * @sdm Vol. 2 LOCK, XADD, CMPXCHG, CMPXCHG16B
 */
import { REDO, VCPU_RAX, VCPU_RBX, VCPU_RCX, VCPU_RDX } from '../cpu/layout.ts';
import { pushAlu, setAluOperands, setOperands } from './emit-integer.ts';
import type { EmitInstruction } from './emit-integer.ts';
import { pushCarry } from './conditions.ts';
import { flagsToMemory } from './emit-flags.ts';
import type { Emitter, Value } from './emitter.ts';
import { local } from './locals.ts';
import { IN_MEMORY } from '../cpu/region-exit-state.ts';
import { type Instruction, inMemory } from './instruction.ts';
import { service } from './wasm-module.ts';
import { atomic, memoryOp, op } from './wasm-writer.ts';

const ADD = 0;
const SUB = 5;
const CMP = 7;
const XOR = 6;
const INC = 8;
const NOT = 10;

/** Atomic operations by ALU number. */
const ATOMIC: Readonly<Record<number, number>> = { 0: atomic.add, 1: atomic.or, 4: atomic.and, 5: atomic.sub, 6: atomic.xor };

/** Leaves local `host` at the memory operand, which must be aligned to its size. */
function lockOperand(e: Emitter, i: Instruction, size: number, pushAddress: () => void): void {
  const { w } = e;
  pushAddress();
  if (size > 1) {
    w.tee(local.address);
    w.emit(op.i32WrapI64);
    w.i32(size - 1);
    w.emit(op.i32And);
    w.if();
    e.exit(i.position, REDO);
    w.end();
    w.get(local.address);
  }
  e.writable(size, i.position);
}

/** Sets t0 to what was there, sign-extended of 1 and 2 bytes; `operand` pushes an i64 of which `size` bytes count. */
function atomically(e: Emitter, size: number, operation: number, ...operands: (() => void)[]): void {
  const { w } = e;
  e.order.beforeLocked();
  w.get(local.host);
  for (const push of operands) {
    push();
    // The narrow forms want nothing of the upper bits, but comparisons do.
    if (operation === atomic.cmpxchg && size < 8) {
      w.i64Halves(size === 4 ? -1 : size === 2 ? 0xffff : 0xff, 0);
      w.emit(op.i64And);
    }
  }
  w.atomic64(operation, size);
  if (size === 1) w.emit(op.i64Extend8S);
  else if (size === 2) w.emit(op.i64Extend16S);
  w.set(local.t0);
}

const OLD: Value = { local: local.t0 };
const NEW: Value = { local: local.t1 };

function lockedAlu(e: Emitter, i: Instruction, needed: boolean, b: Value): void {
  const kind = i.aux & 7;
  lockOperand(e, i, i.size, () => {
    e.pushAddress(i);
  });
  atomically(e, i.size, ATOMIC[kind] ?? atomic.xor, () => {
    e.push(b);
  });
  if (!needed) return;
  pushAlu(e, kind, i.size, OLD, b, 0);
  e.w.set(local.t1);
  setAluOperands(e, kind, i.size, OLD, b, NEW);
}

/** LOCK INC, DEC, NOT. */
function lockedUnary(e: Emitter, i: Instruction, needed: boolean): void {
  const { w } = e;
  const kind = i.aux === NOT ? XOR : i.aux === INC ? ADD : SUB;
  const keepsCarry = needed && i.aux !== NOT;
  if (keepsCarry) {
    pushCarry(e);
    w.emit(op.i64ExtendI32U);
    w.set(local.t3);
  }
  lockOperand(e, i, i.size, () => {
    e.pushAddress(i);
  });
  atomically(e, i.size, ATOMIC[kind] ?? atomic.xor, () => {
    w.i64(i.aux === NOT ? -1 : 1);
  });
  if (!keepsCarry) return;
  pushAlu(e, kind, i.size, OLD, { low: 1, high: 0 }, 0);
  w.set(local.t1);
  setOperands(e, OLD, { local: local.t3 }, NEW);
}

/** LOCK BTS, BTR, BTC: `number` pushes the bit's number within the operand, `pushAddress` the operand's address. */
export function lockedBit(e: Emitter, i: Instruction, pushAddress: () => void, number: () => void): void {
  const { w } = e;
  lockOperand(e, i, i.size, pushAddress);
  atomically(e, i.size, i.aux === 1 ? atomic.or : i.aux === 2 ? atomic.and : atomic.xor, () => {
    w.i64(1);
    number();
    w.emit(op.i64Shl);
    if (i.aux === 2) {
      w.i64(-1);
      w.emit(op.i64Xor);
    }
  });
}

const xchg: EmitInstruction = (e, i) => {
  lockOperand(e, i, i.size, () => {
    e.pushAddress(i);
  });
  const value = e.registerValue(i.reg, i.size, local.t1);
  atomically(e, i.size, atomic.xchg, () => {
    e.push(value);
  });
  e.pushZeroExtended(OLD, i.size);
  e.writeRegister(i.reg, i.size);
};

/** Whatever the prefix: nobody can tell a locked one from one that is not. */
const xadd: EmitInstruction = (e, i, needed) => {
  const { w } = e;
  e.copy(e.registerValue(i.reg, i.size, local.t2), local.t2);
  const b: Value = { local: local.t2 };
  if (inMemory(i)) {
    lockOperand(e, i, i.size, () => {
      e.pushAddress(i);
    });
    atomically(e, i.size, atomic.add, () => {
      e.push(b);
    });
  } else e.copy(e.registerValue(i.rm, i.size, local.t0), local.t0);
  pushAlu(e, ADD, i.size, OLD, b, 0);
  w.set(local.t1);
  e.pushZeroExtended(OLD, i.size);
  e.writeRegister(i.reg, i.size);
  if (!inMemory(i)) {
    e.push(NEW);
    e.writeRegister(i.rm, i.size);
  }
  if (needed) setAluOperands(e, ADD, i.size, OLD, b, NEW);
};

const cmpxchg: EmitInstruction = (e, i, needed) => {
  const { w } = e;
  const { size } = i;
  const accumulator: Value = { local: local.t2 };
  if (inMemory(i)) {
    lockOperand(e, i, size, () => {
      e.pushAddress(i);
    });
    e.copy(e.registerValue(VCPU_RAX, size, local.t2), local.t2);
    const source = e.registerValue(i.reg, size, local.t1);
    atomically(
      e,
      size,
      atomic.cmpxchg,
      () => {
        e.push(accumulator);
      },
      () => {
        e.push(source);
      },
    );
  } else {
    e.copy(e.registerValue(VCPU_RAX, size, local.t2), local.t2);
    e.copy(e.registerValue(i.rm, size, local.t0), local.t0);
    e.copy(e.registerValue(i.reg, size, local.t1), local.t1);
    pushEqual(e, size);
    w.if();
    e.pushZeroExtended(NEW, size);
    e.writeRegister(i.rm, size);
    w.end();
  }
  pushEqual(e, size);
  w.emit(op.i32Eqz);
  w.if();
  e.pushZeroExtended(OLD, size);
  e.writeRegister(VCPU_RAX, size);
  w.end();
  if (!needed) return;
  pushAlu(e, CMP, size, accumulator, OLD, 0);
  w.set(local.t1);
  setAluOperands(e, CMP, size, accumulator, OLD, NEW);
};

/** Pushes whether the accumulator's value in t2 is that in t0. */
function pushEqual(e: Emitter, size: number): void {
  const { w } = e;
  for (const from of [local.t2, local.t0]) {
    w.get(from);
    if (size === 4) w.emit(op.i32WrapI64);
  }
  w.emit(size === 4 ? op.i32Eq : op.i64Eq);
}

/** CMPXCHG16B without LOCK, as kernels use it on data of their own processor: two plain words. */
const cmpxchgPair: EmitInstruction = (e, i, needed) => {
  const { w } = e;
  lockOperand(e, i, 16, () => {
    e.pushAddress(i);
  });
  const halves = [
    [local.t0, VCPU_RAX, VCPU_RBX, 0],
    [local.t1, VCPU_RDX, VCPU_RCX, 8],
  ] as const;
  for (const [to, , , offset] of halves) {
    e.order.beforeLoad();
    w.get(local.host);
    w.memory(memoryOp.i64Load, offset);
    w.set(to);
  }
  halves.forEach(([seen, expected], n) => {
    w.get(seen);
    e.getRegister(expected);
    w.emit(op.i64Eq);
    if (n > 0) w.emit(op.i32And);
  });
  w.tee(local.entry);
  w.if();
  for (const [, , wanted, offset] of halves) {
    e.order.beforeStore();
    w.get(local.host);
    e.getRegister(wanted);
    w.memory(memoryOp.i64Store, offset);
  }
  w.else();
  for (const [seen, expected] of halves) {
    w.get(seen);
    e.setRegister(expected);
  }
  w.end();
  if (!needed) return;
  flagsToMemory(e);
  w.get(local.cpu);
  w.get(local.entry);
  w.call(service.replaceZero);
  e.state = IN_MEMORY;
};

/** Emitters of LOCK forms whose plain form has one elsewhere. */
export const lockedEmitters: Readonly<Record<string, EmitInstruction>> = {
  aluEG: (e, i, needed) => {
    lockedAlu(e, i, needed, e.registerValue(i.reg, i.size, local.t2));
  },
  aluEI: (e, i, needed) => {
    lockedAlu(e, i, needed, { low: i.low, high: i.high });
  },
  unaryE: lockedUnary,
  xchg,
};

export const exchangeEmitters: Readonly<Record<string, EmitInstruction>> = { xadd, cmpxchg, cmpxchgPair };
