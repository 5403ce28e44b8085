/** Emitters of packed integer arithmetic, comparison and logic: SSE2, SSSE3, SSE4. They raise no exceptions. @sdm Vol. 2 */
import { type EmitVector, isRegisterForm, pushVectorSource } from './emit-vector.ts';
import type { Emitter } from './emitter.ts';
import { local } from './locals.ts';
import { simd } from './wasm-simd.ts';
import { op } from './wasm-writer.ts';

/** Instructions that are one of WebAssembly's, first operand the destination. */
const DIRECT: Readonly<Record<string, number>> = {
  paddb: simd.add8,
  paddw: simd.add16,
  paddd: simd.add32,
  paddq: simd.add64,
  psubb: simd.sub8,
  psubw: simd.sub16,
  psubd: simd.sub32,
  psubq: simd.sub64,
  paddsb: simd.addSatS8,
  paddsw: simd.addSatS16,
  paddusb: simd.addSatU8,
  paddusw: simd.addSatU16,
  psubsb: simd.subSatS8,
  psubsw: simd.subSatS16,
  psubusb: simd.subSatU8,
  psubusw: simd.subSatU16,
  pmullw: simd.mul16,
  pmulld: simd.mul32,
  pmaddwd: simd.dot16,
  pminub: simd.minU8,
  pminsb: simd.minS8,
  pmaxub: simd.maxU8,
  pmaxsb: simd.maxS8,
  pminuw: simd.minU16,
  pminsw: simd.minS16,
  pmaxuw: simd.maxU16,
  pmaxsw: simd.maxS16,
  pminud: simd.minU32,
  pminsd: simd.minS32,
  pmaxud: simd.maxU32,
  pmaxsd: simd.maxS32,
  pavgb: simd.averageU8,
  pavgw: simd.averageU16,
  pcmpeqb: simd.eq8,
  pcmpeqw: simd.eq16,
  pcmpeqd: simd.eq32,
  pcmpeqq: simd.eq64,
  pcmpgtb: simd.gtS8,
  pcmpgtw: simd.gtS16,
  pcmpgtd: simd.gtS32,
  pcmpgtq: simd.gtS64,
  pand: simd.and,
  por: simd.or,
  pxor: simd.xor,
  packsswb: simd.narrow16S,
  packuswb: simd.narrow16U,
  packssdw: simd.narrow32S,
  packusdw: simd.narrow32U,
};

/** Instructions of a register with itself that give zero whatever is in it. */
const ZERO_OF_ITSELF = new Set(['pxor', 'psubb', 'psubw', 'psubd', 'psubq', 'pandn', 'pcmpgtb', 'pcmpgtw', 'pcmpgtd', 'pcmpgtq']);

function direct(opcode: number): EmitVector {
  return (e, i) => {
    const { w, vectors } = e;
    if (ZERO_OF_ITSELF.has(i.handler) && isRegisterForm(i) && i.reg === i.rm) {
      w.vectorZero();
      vectors.set(i.reg);
      vectors.setZero(i.reg);
      return;
    }
    vectors.get(i.reg);
    pushVectorSource(e, i);
    w.vector(opcode);
    vectors.set(i.reg);
  };
}

/** `compute` pushes the result out of the operands in the locals `a` and `b`. */
function binary(compute: (e: Emitter, a: number, b: number) => void): EmitVector {
  return (e, i) => {
    const { w, vectors } = e;
    const [a, b] = [vectors.temporary(0), vectors.temporary(1)];
    pushVectorSource(e, i);
    w.set(b);
    vectors.get(i.reg);
    w.set(a);
    compute(e, a, b);
    vectors.set(i.reg);
  };
}

function unary(opcode: number): EmitVector {
  return (e, i) => {
    pushVectorSource(e, i);
    e.w.vector(opcode);
    e.vectors.set(i.reg);
  };
}

/** Odd words of the two vectors on the stack: the upper halves of products. */
const ODD_WORDS = [2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31];
/** Even doublewords of a vector, twice. */
const EVEN_FIRST = [0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15];

function multiplyHigh(low: number, high: number): EmitVector {
  return binary((e, a, b) => {
    const { w } = e;
    for (const opcode of [low, high]) {
      w.get(a);
      w.get(b);
      w.vector(opcode);
    }
    w.shuffle(ODD_WORDS);
  });
}

function multiplyEven(opcode: number): EmitVector {
  return binary((e, a, b) => {
    for (const from of [a, b]) {
      e.w.get(from);
      e.w.get(from);
      e.w.shuffle(EVEN_FIRST);
    }
    e.w.vector(opcode);
  });
}

const psadbw = binary((e, a, b) => {
  const { w } = e;
  w.get(a);
  w.get(b);
  w.vector(simd.subSatU8);
  w.get(b);
  w.get(a);
  w.vector(simd.subSatU8, simd.or, simd.pairwise8U, simd.pairwise16U);
  w.set(a);
  w.get(a);
  w.i64Halves(-1, 0);
  w.vector(simd.splat64, simd.and);
  w.get(a);
  w.i32(32);
  w.vector(simd.shrU64, simd.add64);
});

/** Bytes of `a` unsigned by those of `b` signed; adjacent products added, saturated. */
const pmaddubsw = binary((e, a, b) => {
  const { w } = e;
  w.get(a);
  w.i32(0xff);
  w.vector(simd.splat16, simd.and);
  w.get(b);
  w.i32(8);
  w.vector(simd.shl16);
  w.i32(8);
  w.vector(simd.shrS16, simd.mul16);
  w.get(a);
  w.i32(8);
  w.vector(simd.shrU16);
  w.get(b);
  w.i32(8);
  w.vector(simd.shrS16, simd.mul16, simd.addSatS16);
});

/** WebAssembly saturates -1 * -1, which x86 wraps. */
const pmulhrsw = binary((e, a, b) => {
  const { w } = e;
  w.get(a);
  w.get(b);
  w.vector(simd.multiplyRounded16);
  for (const from of [a, b]) {
    w.get(from);
    w.i32(-0x8000);
    w.vector(simd.splat16, simd.eq16);
  }
  w.vector(simd.and, simd.xor);
});

// ---- shifts: WebAssembly takes the count modulo the width, x86 shifts everything out ----------------------------------

interface Shift {
  readonly bits: number;
  readonly opcode: number;
  /** Arithmetic: counts beyond the width fill with the sign. */
  readonly signed: boolean;
}

const SHIFTS: Readonly<Record<string, Shift>> = {
  psllw: { bits: 16, opcode: simd.shl16, signed: false },
  pslld: { bits: 32, opcode: simd.shl32, signed: false },
  psllq: { bits: 64, opcode: simd.shl64, signed: false },
  psrlw: { bits: 16, opcode: simd.shrU16, signed: false },
  psrld: { bits: 32, opcode: simd.shrU32, signed: false },
  psrlq: { bits: 64, opcode: simd.shrU64, signed: false },
  psraw: { bits: 16, opcode: simd.shrS16, signed: true },
  psrad: { bits: 32, opcode: simd.shrS32, signed: true },
};

function shiftByImmediate({ bits, opcode, signed }: Shift): EmitVector {
  return (e, i) => {
    const { w, vectors } = e;
    const count = i.low & 0xff;
    if (count >= bits && !signed) w.vectorZero();
    else {
      vectors.get(i.rm);
      w.i32(Math.min(count, bits - 1));
      w.vector(opcode);
    }
    vectors.set(i.rm);
  };
}

function shiftByVector({ bits, opcode, signed }: Shift): EmitVector {
  return (e, i) => {
    const { w, vectors } = e;
    pushVectorSource(e, i);
    w.vectorLane(simd.extract64, 0);
    w.set(local.t0);
    vectors.get(i.reg);
    if (signed) {
      w.get(local.t0);
      w.i64(bits - 1);
      w.get(local.t0);
      w.i64(bits);
      w.emit(op.i64LtU, op.select, op.i32WrapI64);
      w.vector(opcode);
    } else {
      w.get(local.t0);
      w.emit(op.i32WrapI64);
      w.vector(opcode);
      w.vectorZero();
      w.get(local.t0);
      w.i64(bits);
      // Of vectors, select wants its type.
      w.emit(op.i64LtU);
      w.selectVector();
    }
    vectors.set(i.reg);
  };
}

/** Bytes of zero : register, or register : zero, from `from` on. */
function shiftBytes(left: boolean): EmitVector {
  return (e, i) => {
    const { w, vectors } = e;
    const count = Math.min(i.low & 0xff, 16);
    vectors.get(i.rm);
    w.vectorZero();
    w.shuffle(
      Array.from({ length: 16 }, (_, n) => {
        const from = left ? n - count : n + count;
        return from < 0 || from > 15 ? 16 : from;
      }),
    );
    vectors.set(i.rm);
  };
}

/** ZF: no common bit; CF: no bit of the second operand outside the first. */
const ptest: EmitVector = (e, i, needed) => {
  const { w, vectors } = e;
  const b = vectors.temporary(1);
  pushVectorSource(e, i);
  w.set(b);
  if (!needed) return;
  vectors.get(i.reg);
  w.get(b);
  w.vector(simd.and, simd.anyTrue);
  w.emit(op.i32Eqz);
  w.i32(6);
  w.emit(op.i32Shl);
  w.get(b);
  vectors.get(i.reg);
  w.vector(simd.andNot, simd.anyTrue);
  w.emit(op.i32Eqz, op.i32Or, op.i64ExtendI32U);
  w.set(local.ccR);
};

/** PMOVSX, PMOVZX: bytes read and the extensions in turn. */
const EXTENSIONS: Readonly<Record<string, readonly [bytes: number, ...opcodes: number[]]>> = {
  pmovsxbw: [8, simd.extendLow8S],
  pmovsxbd: [4, simd.extendLow8S, simd.extendLow16S],
  pmovsxwd: [8, simd.extendLow16S],
  pmovsxwq: [4, simd.extendLow16S, simd.extendLow32S],
  pmovsxdq: [8, simd.extendLow32S],
  pmovzxbw: [8, simd.extendLow8U],
  pmovzxbd: [4, simd.extendLow8U, simd.extendLow16U],
  pmovzxwd: [8, simd.extendLow16U],
  pmovzxwq: [4, simd.extendLow16U, simd.extendLow32U],
  pmovzxdq: [8, simd.extendLow32U],
};

function extendLanes(bytes: number, opcodes: readonly number[]): EmitVector {
  return (e, i) => {
    pushVectorSource(e, i, bytes);
    e.w.vector(...opcodes);
    e.vectors.set(i.reg);
  };
}

const mapValues = <T>(table: Readonly<Record<string, T>>, make: (value: T) => EmitVector): Record<string, EmitVector> =>
  Object.fromEntries(Object.entries(table).map(([name, value]) => [name, make(value)]));

export const vectorIntegerEmitters: Readonly<Record<string, EmitVector>> = {
  ...mapValues(DIRECT, direct),
  ...mapValues(SHIFTS, shiftByVector),
  ...Object.fromEntries(Object.entries(SHIFTS).map(([name, shift]) => [`${name}Immediate`, shiftByImmediate(shift)])),
  ...mapValues(EXTENSIONS, ([bytes, ...opcodes]) => extendLanes(bytes, opcodes)),
  pandn: (e, i, needed) => {
    if (isRegisterForm(i) && i.reg === i.rm) {
      direct(simd.andNot)(e, i, needed);
      return;
    }
    pushVectorSource(e, i);
    e.vectors.get(i.reg);
    e.w.vector(simd.andNot);
    e.vectors.set(i.reg);
  },
  pabsb: unary(simd.abs8),
  pabsw: unary(simd.abs16),
  pabsd: unary(simd.abs32),
  pmulhw: multiplyHigh(simd.multiplyLow16S, simd.multiplyHigh16S),
  pmulhuw: multiplyHigh(simd.multiplyLow16U, simd.multiplyHigh16U),
  pmuludq: multiplyEven(simd.multiplyLow32U),
  pmuldq: multiplyEven(simd.multiplyLow32S),
  psadbw,
  pmaddubsw,
  pmulhrsw,
  pslldq: shiftBytes(true),
  psrldq: shiftBytes(false),
  ptest,
};
