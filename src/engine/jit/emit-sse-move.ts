/** Emitters of moves between XMM registers, memory and general registers, single elements among them. @sdm Vol. 2 */
import { type EmitVector, isRegisterForm, pushAlignedAddress, pushVectorSource, readOperand } from './emit-vector.ts';
import type { Emitter } from './emitter.ts';
import { local } from './locals.ts';
import { type Instruction, inMemory } from './instruction.ts';
import { ALL32, ALL64, LOW32, LOW64 } from './vectors.ts';
import { simd } from './wasm-simd.ts';
import { memoryOp, op } from './wasm-writer.ts';

function load(aligned: boolean): EmitVector {
  return (e, i) => {
    pushVectorSource(e, i, 16, aligned);
    e.vectors.set(i.reg);
    if (isRegisterForm(i)) e.vectors.copyFacts(i.reg, i.rm);
  };
}

function store(aligned: boolean): EmitVector {
  return (e, i) => {
    const { w, vectors } = e;
    if (!inMemory(i)) {
      vectors.get(i.reg);
      vectors.set(i.rm);
      vectors.copyFacts(i.rm, i.reg);
      return;
    }
    if (aligned) pushAlignedAddress(e, i);
    else e.pushAddress(i);
    e.writable(16, i.position);
    e.order.beforeStore();
    w.get(local.host);
    vectors.get(i.reg);
    w.vectorMemory(simd.store, 0);
  };
}

/** Leaves in local `host` where `bytes` of the memory operand can be written. */
function writeOperand(e: Emitter, i: Instruction, bytes: number): void {
  e.pushAddress(i);
  e.writable(bytes, i.position);
}

/** Stores a lane of ModRM.reg's register at the memory operand. */
function storeLane(e: Emitter, i: Instruction, bytes: number, lane: number): void {
  const { w } = e;
  writeOperand(e, i, bytes);
  e.order.beforeStore();
  w.get(local.host);
  e.vectors.get(i.reg);
  w.vectorMemoryLane(
    bytes === 8 ? simd.store64Lane : bytes === 4 ? simd.store32Lane : bytes === 2 ? simd.store16Lane : simd.store8Lane,
    lane,
  );
}

/** Replaces 8 bytes of `to` by 8 bytes of `from`, by half; nothing is known of `to` afterwards. */
function moveHalf(e: Emitter, to: number, toHalf: number, from: number, fromHalf: number): void {
  e.vectors.get(to);
  e.vectors.get(from);
  e.w.shuffle(Array.from({ length: 16 }, (_, n) => (n >> 3 === toHalf ? 16 + fromHalf * 8 + (n & 7) : n)));
  e.vectors.set(to);
}

/** MOVSS, MOVSD between registers: the lowest lane; what is known of it goes with it. */
function moveLow(e: Emitter, to: number, from: number, wide: boolean): void {
  const { w, vectors } = e;
  const [low, all] = wide ? [LOW64, ALL64] : [LOW32, ALL32];
  const clean = vectors.isClean(from, low);
  const rest = vectors.isClean(to, all);
  vectors.get(to);
  vectors.get(from);
  const bytes = wide ? 8 : 4;
  w.shuffle(Array.from({ length: 16 }, (_, n) => (n < bytes ? 16 + n : n)));
  vectors.set(to);
  if (clean) vectors.setClean(to, rest ? all : low);
}

function loadScalarMove(wide: boolean): EmitVector {
  return (e, i) => {
    if (inMemory(i)) {
      pushVectorSource(e, i, wide ? 8 : 4);
      e.vectors.set(i.reg);
    } else moveLow(e, i.reg, i.rm, wide);
  };
}

function storeScalarMove(wide: boolean): EmitVector {
  return (e, i) => {
    if (inMemory(i)) storeLane(e, i, wide ? 8 : 4, 0);
    else moveLow(e, i.rm, i.reg, wide);
  };
}

/** Pushes the low half of a register with zero above. */
function pushLowHalf(e: Emitter, register: number): void {
  e.vectors.get(register);
  e.w.vectorZero();
  e.w.shuffle(Array.from({ length: 16 }, (_, n) => (n < 8 ? n : 16 + n)));
}

function loadHalf(half: number): EmitVector {
  return (e, i) => {
    const { w, vectors } = e;
    if (!inMemory(i)) {
      const clean = vectors.isClean(i.reg, LOW64) && vectors.isClean(i.rm, LOW64);
      const low = vectors.isClean(i.reg, LOW64);
      moveHalf(e, i.reg, half, i.rm, 0);
      if (clean) vectors.setClean(i.reg, ALL64);
      else if (low) vectors.setClean(i.reg, LOW64);
      return;
    }
    const low = half === 1 && vectors.isClean(i.reg, LOW64);
    readOperand(e, i, 8);
    e.order.beforeLoad();
    vectors.get(i.reg);
    w.get(local.host);
    w.memory(memoryOp.i64Load, 0);
    w.vectorLane(simd.replace64, half);
    vectors.set(i.reg);
    if (low) vectors.setClean(i.reg, LOW64);
  };
}

function storeHalf(half: number): EmitVector {
  return (e, i) => {
    storeLane(e, i, 8, half);
  };
}

/** MOVD, MOVQ from a general register or memory. */
function fromGeneral(bytes: number): EmitVector {
  return (e, i) => {
    const { w, vectors } = e;
    if (inMemory(i)) pushVectorSource(e, i, bytes);
    else {
      w.vectorZero();
      e.getRegister(i.rm);
      if (bytes === 4) w.emit(op.i32WrapI64);
      w.vectorLane(bytes === 4 ? simd.replace32 : simd.replace64, 0);
    }
    vectors.set(i.reg);
  };
}

const LANES = {
  1: { extract: simd.extract8, replace: simd.replace8 },
  2: { extract: simd.extract16, replace: simd.replace16 },
  4: { extract: simd.extract32, replace: simd.replace32 },
  8: { extract: simd.extract64, replace: simd.replace64 },
} as const;
type LaneBytes = keyof typeof LANES;

/** Pushes a lane of a vector register, zero-extended to 64 bits. */
function pushLane(e: Emitter, register: number, bytes: LaneBytes, lane: number): void {
  e.vectors.get(register);
  e.w.vectorLane(LANES[bytes].extract, lane);
  if (bytes < 8) e.w.emit(op.i64ExtendI32U);
}

const laneOf = (i: Instruction, bytes: number): number => i.low & (16 / bytes - 1);

/** A lane of ModRM.reg's register to a general register, zero-extended, or memory. */
function toGeneral(bytes: LaneBytes, lane: (i: Instruction) => number): EmitVector {
  return (e, i) => {
    if (inMemory(i)) {
      storeLane(e, i, bytes, lane(i));
      return;
    }
    pushLane(e, i.reg, bytes, lane(i));
    e.setRegister(i.rm);
  };
}

function insert(bytes: LaneBytes): EmitVector {
  return (e, i) => {
    const { w, vectors } = e;
    if (inMemory(i)) {
      readOperand(e, i, bytes);
      e.loadHost(bytes);
    } else e.getRegister(i.rm);
    w.set(local.t0);
    vectors.get(i.reg);
    w.get(local.t0);
    if (bytes < 8) w.emit(op.i32WrapI64);
    w.vectorLane(LANES[bytes].replace, laneOf(i, bytes));
    vectors.set(i.reg);
  };
}

function mask(opcode: number): EmitVector {
  return (e, i) => {
    e.vectors.get(i.rm);
    e.w.vector(opcode);
    e.w.emit(op.i64ExtendI32U);
    e.setRegister(i.reg);
  };
}

const zeroLane = (): number => 0;

export const moveEmitters: Readonly<Record<string, EmitVector>> = {
  loadAligned: load(true),
  loadUnaligned: load(false),
  storeAligned: store(true),
  storeUnaligned: store(false),
  movssLoad: loadScalarMove(false),
  movsdLoad: loadScalarMove(true),
  movssStore: storeScalarMove(false),
  movsdStore: storeScalarMove(true),
  movqLoad: (e, i) => {
    if (inMemory(i)) pushVectorSource(e, i, 8);
    else pushLowHalf(e, i.rm);
    e.vectors.set(i.reg);
  },
  movqStore: (e, i) => {
    if (inMemory(i)) storeLane(e, i, 8, 0);
    else {
      pushLowHalf(e, i.reg);
      e.vectors.set(i.rm);
    }
  },
  loadLow: loadHalf(0),
  loadHigh: loadHalf(1),
  storeLow: storeHalf(0),
  storeHigh: storeHalf(1),
  movhlps: (e, i) => {
    moveHalf(e, i.reg, 0, i.rm, 1);
  },
  movddup: (e, i) => {
    const { w, vectors } = e;
    const clean = isRegisterForm(i) && vectors.isClean(i.rm, LOW64);
    if (inMemory(i)) {
      readOperand(e, i, 8);
      e.order.beforeLoad();
      w.get(local.host);
      w.vectorMemory(simd.load64Splat, 0);
    } else {
      vectors.get(i.rm);
      vectors.get(i.rm);
      w.shuffle([0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7]);
    }
    vectors.set(i.reg);
    if (clean) vectors.setClean(i.reg, ALL64);
  },
  movdToXmm: fromGeneral(4),
  movqToXmm: fromGeneral(8),
  movdFromXmm: toGeneral(4, zeroLane),
  movqFromXmm: toGeneral(8, zeroLane),
  movmskps: mask(simd.bitMask32),
  movmskpd: mask(simd.bitMask64),
  pmovmskb: mask(simd.bitMask8),
  pinsrb: insert(1),
  pinsrw: insert(2),
  pinsrd: insert(4),
  pinsrq: insert(8),
  pextrb: toGeneral(1, (i) => laneOf(i, 1)),
  pextrwStore: toGeneral(2, (i) => laneOf(i, 2)),
  pextrd: toGeneral(4, (i) => laneOf(i, 4)),
  pextrq: toGeneral(8, (i) => laneOf(i, 8)),
  pextrw: (e, i) => {
    pushLane(e, i.rm, 2, laneOf(i, 2));
    e.setRegister(i.reg);
  },
};
