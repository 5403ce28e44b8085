/** Emitters of data movement, arithmetic and the stack. Each leaves no trace before its last possible way out. @sdm Vol.2 */
import { VCPU_RAX, VCPU_RBP, VCPU_RDX, VCPU_RSP } from '../cpu/layout.ts';
import { pushCarry, pushCondition } from './conditions.ts';
import type { Emitter, Value } from './emitter.ts';
import { local } from './locals.ts';
import { type Instruction, inMemory } from './instruction.ts';
import { service } from './wasm-module.ts';
import { memoryOp, op } from './wasm-writer.ts';

/** `needed`: somebody looks at the flags that the instruction leaves. */
export type EmitInstruction = (e: Emitter, i: Instruction, needed: boolean) => void;

const immediate = (i: Instruction): Value => ({ low: i.low, high: i.high });
const ZERO: Value = { low: 0, high: 0 };

/** The rm operand for reading: memory is loaded into `scratch`. */
export function rmValue(e: Emitter, i: Instruction, scratch: number, bytes = i.size): Value {
  if (!inMemory(i)) return e.registerValue(i.rm, bytes, scratch);
  e.readOperand(i, bytes);
  e.loadHost(bytes);
  e.w.set(scratch);
  return { local: scratch };
}

/** Writes the rm operand with the value in `from` (a local or constant): of 4 bytes zero-extended. */
export function storeRm(e: Emitter, i: Instruction, value: Value): void {
  if (inMemory(i)) {
    e.writeOperand(i);
    e.storeHost(i.size, value);
    return;
  }
  if (i.size === 4) e.pushZeroExtended(value, 4);
  else e.push(value);
  e.writeRegister(i.rm, i.size);
}

/**
 * Read-modify-write of the rm operand: `compute` gets its old value and leaves the new one in local t1, normalised (4 bytes
 * zero-extended, 1 and 2 sign-extended). Flags are the caller's, afterwards; the old value is what is returned.
 */
export function updateRm(e: Emitter, i: Instruction, compute: (old: Value) => void): Value {
  if (inMemory(i)) {
    e.writeOperand(i);
    e.loadHost(i.size);
    e.w.set(local.t0);
    compute({ local: local.t0 });
    e.storeHost(i.size, { local: local.t1 });
    return { local: local.t0 };
  }
  const old = e.registerValue(i.rm, i.size, local.t0);
  if (i.size >= 4) e.copy(old, local.t0);
  compute({ local: local.t0 });
  e.w.get(local.t1);
  e.writeRegister(i.rm, i.size);
  return { local: local.t0 };
}

export function setOperands(e: Emitter, a: Value | null, b: Value | null, r: Value | null): void {
  if (a !== null) e.copy(a, local.ccA);
  if (b !== null) e.copy(b, local.ccB);
  if (r !== null) e.copy(r, local.ccR);
}

/** Opcodes of ALU operations by their number: 64 bits, 32 bits; CMP is SUB. */
const ALU: readonly (readonly [number, number])[] = [
  [op.i64Add, op.i32Add],
  [op.i64Or, op.i32Or],
  [op.i64Add, op.i32Add],
  [op.i64Sub, op.i32Sub],
  [op.i64And, op.i32And],
  [op.i64Sub, op.i32Sub],
  [op.i64Xor, op.i32Xor],
  [op.i64Sub, op.i32Sub],
];
const ALU_ADC = 2;
const ALU_SBB = 3;
const ALU_SUB = 5;
const ALU_XOR = 6;
const ALU_CMP = 7;

/** Pushes a op b, normalised; `carry` is a local with the carry as i64 for ADC and SBB. */
export function pushAlu(e: Emitter, kind: number, size: number, a: Value, b: Value, carry: number): void {
  const { w } = e;
  const [wide, narrow] = ALU[kind] ?? [op.i64Sub, op.i32Sub];
  const withCarry = kind === ALU_ADC || kind === ALU_SBB;
  if (size === 4) {
    e.push32(a);
    e.push32(b);
    w.emit(narrow);
    if (withCarry) {
      w.get(carry);
      w.emit(op.i32WrapI64, narrow);
    }
    w.emit(op.i64ExtendI32U);
    return;
  }
  e.push(a);
  e.push(b);
  w.emit(wide);
  if (withCarry) {
    w.get(carry);
    w.emit(wide);
  }
  if (size === 1) w.emit(op.i64Extend8S);
  else if (size === 2) w.emit(op.i64Extend16S);
}

/** Which of A, B, R an ALU operation's flag state wants: see stateAfter. */
export function setAluOperands(e: Emitter, kind: number, size: number, a: Value, b: Value, r: Value): void {
  const logic = kind === 1 || kind === 4 || kind === ALU_XOR;
  const derived = size >= 4 && (kind === 0 || kind === ALU_SUB || kind === ALU_CMP);
  setOperands(e, logic ? null : a, logic ? null : b, derived ? null : r);
}

function alu(e: Emitter, i: Instruction, needed: boolean, b: Value): void {
  const kind = i.aux & 7;
  if (kind === ALU_CMP) {
    const a = rmValue(e, i, local.t0);
    compare(e, i.size, a, b, needed);
    return;
  }
  if (kind === ALU_ADC || kind === ALU_SBB) carryTo(e, local.t3);
  const old = updateRm(e, i, (a) => {
    pushAlu(e, kind, i.size, a, b, local.t3);
    e.w.set(local.t1);
  });
  if (needed) setAluOperands(e, kind, i.size, old, b, { local: local.t1 });
}

function carryTo(e: Emitter, to: number): void {
  pushCarry(e);
  e.w.emit(op.i64ExtendI32U);
  e.w.set(to);
}

function compare(e: Emitter, size: number, a: Value, b: Value, needed: boolean): void {
  if (!needed) return;
  setOperands(e, a, b, null);
  if (size >= 4) return;
  pushAlu(e, ALU_CMP, size, a, b, 0);
  e.w.set(local.ccR);
}

function sameRegister(i: Instruction): boolean {
  return !inMemory(i) && i.reg === i.rm;
}

const aluEG: EmitInstruction = (e, i, needed) => {
  if ((i.aux & 7) === ALU_XOR && sameRegister(i) && i.size >= 4) {
    e.w.i64(0);
    e.setRegister(i.rm);
    if (needed) setOperands(e, null, null, ZERO);
    return;
  }
  let b = e.registerValue(i.reg, i.size, local.t2);
  // The destination's new value must not be taken for the operand.
  if (sameRegister(i) && i.size >= 4) {
    e.copy(b, local.t2);
    b = { local: local.t2 };
  }
  alu(e, i, needed, b);
};

const aluEI: EmitInstruction = (e, i, needed) => {
  alu(e, i, needed, immediate(i));
};

const aluGE: EmitInstruction = (e, i, needed) => {
  const kind = i.aux & 7;
  if (kind === ALU_XOR && sameRegister(i) && i.size >= 4) {
    aluEG(e, i, needed);
    return;
  }
  let b = rmValue(e, i, local.t2);
  if (sameRegister(i) && i.size >= 4) {
    e.copy(b, local.t2);
    b = { local: local.t2 };
  }
  if (kind === ALU_CMP) {
    compare(e, i.size, e.registerValue(i.reg, i.size, local.t0), b, needed);
    return;
  }
  if (kind === ALU_ADC || kind === ALU_SBB) carryTo(e, local.t3);
  const a = e.registerValue(i.reg, i.size, local.t0);
  if (needed && i.size >= 4) e.copy(a, local.t0);
  pushAlu(e, kind, i.size, a, b, local.t3);
  e.w.tee(local.t1);
  e.writeRegister(i.reg, i.size);
  if (needed) setAluOperands(e, kind, i.size, { local: local.t0 }, b, { local: local.t1 });
};

const INC = 8;
const DEC = 9;
const NOT = 10;

const unaryE: EmitInstruction = (e, i, needed) => {
  const { w } = e;
  const keepsCarry = needed && (i.aux === INC || i.aux === DEC);
  if (keepsCarry) carryTo(e, local.t3);
  const old = updateRm(e, i, (a) => {
    if (i.aux === INC || i.aux === DEC) pushAlu(e, i.aux === INC ? 0 : ALU_SUB, i.size, a, { low: 1, high: 0 }, 0);
    else if (i.aux === NOT) pushAlu(e, ALU_XOR, i.size, a, { low: -1, high: -1 }, 0);
    else pushAlu(e, ALU_SUB, i.size, ZERO, a, 0);
    w.set(local.t1);
  });
  if (!needed || i.aux === NOT) return;
  if (keepsCarry) setOperands(e, old, { local: local.t3 }, { local: local.t1 });
  else setOperands(e, ZERO, old, i.size >= 4 ? null : { local: local.t1 });
};

/** TEST: R = a & b. */
function test(e: Emitter, i: Instruction, needed: boolean, b: Value): void {
  const same = 'local' in b && sameRegister(i) && i.size >= 4;
  const a = rmValue(e, i, local.t0);
  if (!needed) return;
  if (same) {
    e.copy(a, local.ccR);
    return;
  }
  e.push(a);
  e.push(b);
  e.w.emit(op.i64And);
  e.w.set(local.ccR);
}

const moveExtended =
  (signed: boolean): EmitInstruction =>
  (e, i) => {
    const bytes = Math.min(i.aux, i.size);
    const { w } = e;
    if (inMemory(i)) {
      e.readOperand(i, bytes);
      if (signed) e.loadHost(bytes);
      else e.loadHostBy(bytes === 1 ? memoryOp.i64Load8U : memoryOp.i64Load16U);
      if (signed && bytes === 4) w.emit(op.i64Extend32S);
    } else {
      const value = e.registerValue(i.rm, bytes, local.t0);
      if (signed) e.pushExtended(value, bytes);
      else e.pushZeroExtended(value, bytes);
    }
    if (signed && i.size === 4) {
      w.i64Halves(-1, 0);
      w.emit(op.i64And);
    }
    e.writeRegister(i.reg, i.size);
  };

/** Halves swapped byte by byte: no instruction of WebAssembly does it. */
export function pushByteSwapped(e: Emitter, from: number, size: number): void {
  const { w } = e;
  const bytes = size;
  for (let n = 0; n < bytes; n++) {
    w.get(from);
    const shift = (bytes - 1 - 2 * n) * 8;
    w.i64(Math.abs(shift));
    w.emit(shift > 0 ? op.i64Shl : op.i64ShrU);
    const at = (bytes - 1 - n) * 8;
    if (at < 32) w.i64Halves(0xff << at, 0);
    else w.i64Halves(0, 0xff << (at - 32));
    w.emit(op.i64And);
    if (n > 0) w.emit(op.i64Or);
  }
}

/** High half of the unsigned product of two 64-bit locals; uses t3, t4 and `address`. */
function pushUnsignedHigh(e: Emitter, a: number, b: number): void {
  const { w } = e;
  const low = (from: number): void => {
    w.get(from);
    w.i64Halves(-1, 0);
    w.emit(op.i64And);
  };
  const high = (from: number): void => {
    w.get(from);
    w.i64(32);
    w.emit(op.i64ShrU);
  };
  high(a);
  low(b);
  w.emit(op.i64Mul);
  low(a);
  low(b);
  w.emit(op.i64Mul);
  w.i64(32);
  w.emit(op.i64ShrU, op.i64Add);
  w.set(local.t3);
  low(a);
  high(b);
  w.emit(op.i64Mul);
  low(local.t3);
  w.emit(op.i64Add);
  w.set(local.t4);
  high(a);
  high(b);
  w.emit(op.i64Mul);
  high(local.t3);
  w.emit(op.i64Add);
  high(local.t4);
  w.emit(op.i64Add);
}

const multiplyAccumulator: EmitInstruction = (e, i, needed) => {
  const { w } = e;
  const signed = i.aux !== 0;
  e.copy(rmValue(e, i, local.t0), local.t0);
  e.getRegister(VCPU_RAX);
  w.set(local.t1);
  if (i.size === 8) {
    if (signed) {
      w.get(local.t0);
      w.get(local.t1);
      w.call(service.signedHigh);
    } else pushUnsignedHigh(e, local.t0, local.t1);
    w.set(local.t2);
    w.get(local.t0);
    w.get(local.t1);
    w.emit(op.i64Mul);
    w.tee(local.t1);
    e.setRegister(VCPU_RAX);
    w.get(local.t2);
    e.setRegister(VCPU_RDX);
  } else {
    for (const from of [local.t0, local.t1]) {
      w.get(from);
      w.emit(op.i32WrapI64, signed ? op.i64ExtendI32S : op.i64ExtendI32U);
    }
    w.emit(op.i64Mul);
    w.set(local.t1);
    e.pushZeroExtended({ local: local.t1 }, 4);
    e.setRegister(VCPU_RAX);
    w.get(local.t1);
    w.i64(32);
    w.emit(op.i64ShrU);
    w.tee(local.t2);
    e.setRegister(VCPU_RDX);
  }
  if (!needed) return;
  // CF = OF: the high half says more than the low one. Of 32 bits, signed, the high half is compared in its width.
  if (!signed) {
    w.get(local.t2);
    w.i64(0);
    w.emit(op.i64Ne);
  } else if (i.size === 8) {
    w.get(local.t2);
    w.get(local.t1);
    w.i64(63);
    w.emit(op.i64ShrS, op.i64Ne);
  } else {
    w.get(local.t1);
    w.get(local.t1);
    w.emit(op.i64Extend32S, op.i64Ne);
  }
  w.emit(op.i64ExtendI32U);
  w.set(local.ccB);
  setOperands(e, ZERO, null, { local: local.t1 });
};

const multiplyRegister: EmitInstruction = (e, i, needed) => {
  const { w } = e;
  e.copy(rmValue(e, i, local.t0), local.t0);
  const a: Value = { local: local.t0 };
  let b: Value = immediate(i);
  if (i.aux === 0) {
    e.copy(e.registerValue(i.reg, i.size, local.t2), local.t2);
    b = { local: local.t2 };
  }
  if (i.size === 4) {
    e.push32(a);
    e.push32(b);
    w.emit(op.i32Mul, op.i64ExtendI32U);
  } else {
    e.push(a);
    e.push(b);
    w.emit(op.i64Mul);
  }
  w.tee(local.t1);
  e.setRegister(i.reg);
  if (needed) setOperands(e, a, b, { local: local.t1 });
};

// ---- the stack ----------------------------------------------------------------------------------------------------------

/** Pushes 8 bytes on the guest's stack. */
export function pushStack(e: Emitter, i: Instruction, value: Value): void {
  const { w } = e;
  e.accessStack(i, VCPU_RSP, -8, true);
  e.storeHost(8, value);
  e.getRegister(VCPU_RSP);
  w.i64(8);
  w.emit(op.i64Sub);
  e.setRegister(VCPU_RSP);
}

/** Loads the 8 bytes at the address of the register `slot` into local t0. */
export function readStack(e: Emitter, i: Instruction, slot: number): void {
  e.accessStack(i, slot, 0, false);
  e.loadHost(8);
  e.w.set(local.t0);
}

const pushRm: EmitInstruction = (e, i) => {
  pushStack(e, i, rmValue(e, i, local.t0));
};

const popRm: EmitInstruction = (e, i) => {
  readStack(e, i, VCPU_RSP);
  e.getRegister(VCPU_RSP);
  e.w.i64(8);
  e.w.emit(op.i64Add);
  e.setRegister(VCPU_RSP);
  e.w.get(local.t0);
  e.setRegister(i.rm);
};

const leave: EmitInstruction = (e, i) => {
  readStack(e, i, VCPU_RBP);
  e.getRegister(VCPU_RBP);
  e.w.i64(8);
  e.w.emit(op.i64Add);
  e.setRegister(VCPU_RSP);
  e.w.get(local.t0);
  e.setRegister(VCPU_RBP);
};

// ---- the rest -----------------------------------------------------------------------------------------------------------

const cmovcc: EmitInstruction = (e, i) => {
  const value = rmValue(e, i, local.t0);
  e.pushZeroExtended(value, i.size);
  e.pushZeroExtended(e.registerValue(i.reg, i.size, local.t1), i.size);
  pushCondition(e, i.aux);
  e.w.emit(op.select);
  e.setRegister(i.reg);
};

const setcc: EmitInstruction = (e, i) => {
  pushCondition(e, i.aux);
  e.w.emit(op.i64ExtendI32U);
  e.w.set(local.t0);
  storeRm(e, { ...i, size: 1 }, { local: local.t0 });
};

const xchg: EmitInstruction = (e, i) => {
  e.copy(e.registerValue(i.reg, i.size, local.t0), local.t0);
  e.copy(e.registerValue(i.rm, i.size, local.t1), local.t1);
  e.pushZeroExtended({ local: local.t0 }, i.size);
  e.writeRegister(i.rm, i.size);
  e.pushZeroExtended({ local: local.t1 }, i.size);
  e.writeRegister(i.reg, i.size);
};

/** cbw cwde cdqe */
const convertAccumulator: EmitInstruction = (e, i) => {
  const half = i.size >> 1;
  e.pushExtended(e.registerValue(VCPU_RAX, half, local.t0), half);
  if (i.size === 4) {
    e.w.i64Halves(-1, 0);
    e.w.emit(op.i64And);
  }
  e.writeRegister(VCPU_RAX, i.size);
};

const extendAccumulator: EmitInstruction = (e, i) => {
  e.pushExtended(e.registerValue(VCPU_RAX, i.size, local.t0), i.size);
  e.w.i64(63);
  e.w.emit(op.i64ShrS);
  if (i.size === 4) {
    e.w.i64Halves(-1, 0);
    e.w.emit(op.i64And);
  }
  e.writeRegister(VCPU_RDX, i.size);
};

const bitScan: EmitInstruction = (e, i, needed) => {
  const { w } = e;
  e.pushZeroExtended(rmValue(e, i, local.t0), i.size);
  w.set(local.t1);
  if (i.aux !== 0) w.i64(63);
  w.get(local.t1);
  w.emit(i.aux === 0 ? op.i64Ctz : op.i64Clz);
  if (i.aux !== 0) w.emit(op.i64Sub);
  e.getRegister(i.reg);
  w.get(local.t1);
  w.emit(op.i64Eqz, op.i32Eqz, op.select);
  e.setRegister(i.reg);
  if (needed) setOperands(e, null, null, { local: local.t1 });
};

const populationCount: EmitInstruction = (e, i, needed) => {
  const { w } = e;
  e.pushZeroExtended(rmValue(e, i, local.t0), i.size);
  w.emit(op.i64Popcnt);
  w.tee(local.t1);
  e.setRegister(i.reg);
  if (!needed) return;
  // ZF alone, at its place.
  w.get(local.t1);
  w.emit(op.i64Eqz, op.i64ExtendI32U);
  w.i64(6);
  w.emit(op.i64Shl);
  w.set(local.ccR);
};

export const integerEmitters: Readonly<Record<string, EmitInstruction>> = {
  nop: () => undefined,
  movEG: (e, i) => {
    storeRm(e, i, e.registerValue(i.reg, i.size, local.t0));
  },
  movGE: (e, i) => {
    const value = rmValue(e, i, local.t0);
    if (i.size === 4 && !inMemory(i)) e.pushZeroExtended(value, 4);
    else e.push(value);
    e.writeRegister(i.reg, i.size);
  },
  movEI: (e, i) => {
    storeRm(e, i, i.size === 4 ? { low: i.low, high: 0 } : immediate(i));
  },
  movzx: moveExtended(false),
  movsx: moveExtended(true),
  lea: (e, i) => {
    e.pushAddress(i, true);
    if (i.size === 4) {
      e.w.i64Halves(-1, 0);
      e.w.emit(op.i64And);
    }
    e.writeRegister(i.reg, i.size);
  },
  aluEG,
  aluGE,
  aluEI,
  unaryE,
  testEG: (e, i, needed) => {
    test(e, i, needed, e.registerValue(i.reg, i.size, local.t2));
  },
  testEI: (e, i, needed) => {
    test(e, i, needed, immediate(i));
  },
  xchg,
  bswap: (e, i) => {
    e.getRegister(i.rm);
    e.w.set(local.t0);
    pushByteSwapped(e, local.t0, i.size);
    e.setRegister(i.rm);
  },
  convertAccumulator,
  extendAccumulator,
  setcc,
  cmovcc,
  multiplyRegister,
  multiplyAccumulator,
  bitScan,
  populationCount,
  pushRm,
  pushImmediate: (e, i) => {
    pushStack(e, i, immediate(i));
  },
  popRm,
  leave,
};
