/**
 * Emitters of SSE arithmetic and comparison. What a limit or a fact of vectors.ts does not allow takes the cold path.
 * @sdm Vol. 2 ADDPS ... ADDSD, SUB, MUL, DIV, SQRT, MIN, MAX, CMPPS ... CMPSD, COMISD, UCOMISD
 */
import { VCPU_CC_R } from '../cpu/layout.ts';
import { withCold } from './emit-call.ts';
import { type EmitVector, callCold, isRegisterForm, loadScalar, loadTarget, pushVectorSource } from './emit-vector.ts';
import type { Emitter } from './emitter.ts';
import { local } from './locals.ts';
import type { Instruction } from './instruction.ts';
import { ALL32, ALL64, LOW32, LOW64 } from './vectors.ts';
import { simd } from './wasm-simd.ts';
import { type Label, memoryOp, op } from './wasm-writer.ts';

interface Operand {
  readonly local: number;
  /** Register it came from, -1 = memory. */
  readonly register: number;
}

/** Goes to `cold` if an operand is denormal; true = a fact was made use of, which holds in the default mode only. */
export function requireClean(e: Emitter, wide: boolean, operands: readonly Operand[], cold: Label): boolean {
  const { w, vectors } = e;
  let usedFacts = false;
  for (const { local: number, register } of operands) {
    if (register >= 0 && vectors.isClean(register, wide ? LOW64 : LOW32)) {
      usedFacts = true;
      continue;
    }
    vectors.pushDenormal(wide, number);
    w.brIf(cold);
  }
  return usedFacts;
}

/** The same of all lanes. */
function requireCleanLanes(e: Emitter, wide: boolean, operands: readonly Operand[], cold: Label): boolean {
  const { w, vectors } = e;
  const unknown = operands.filter(({ register }) => register < 0 || !vectors.isClean(register, wide ? ALL64 : ALL32));
  unknown.forEach(({ local: vector }, n) => {
    vectors.pushDenormalLanes(wide, vector);
    if (n > 0) w.vector(simd.or);
  });
  if (unknown.length > 0) {
    w.vector(simd.anyTrue);
    w.brIf(cold);
  }
  return unknown.length < operands.length;
}

const number = (e: Emitter, wide: boolean, n: number): number => (wide ? e.vectors.double(n) : e.vectors.single(n));

/** Operands of a two-operand instruction; of one with itself the same. */
function operandsOf(i: Instruction, target: number, source: number): readonly Operand[] {
  const second = { local: source, register: isRegisterForm(i) ? i.rm : -1 };
  return second.register === i.reg ? [second] : [{ local: target, register: i.reg }, second];
}

/** Writes the number in the local to the destination's lowest lane; `clean`: it is no denormal. */
function writeLow(e: Emitter, i: Instruction, wide: boolean, from: number): void {
  const { w, vectors } = e;
  const rest = vectors.isClean(i.reg, wide ? ALL64 : ALL32);
  vectors.get(i.reg);
  w.get(from);
  vectors.setLow(i.reg, wide);
  vectors.setClean(i.reg, wide ? (rest ? ALL64 : LOW64) : rest ? ALL32 : LOW32);
}

/** Of which operands one must be zero where the result is, if it is not to have come of an underflow. */
type ZeroFrom = 'nothing' | 'either' | 'first';

/** Goes to `cold` if the result r is not ordinary, nor a zero that is exact. */
function requireResult(
  e: Emitter,
  wide: boolean,
  [a, b, r]: readonly [number, number, number],
  zeroFrom: ZeroFrom,
  cold: Label,
): void {
  const { w, vectors } = e;
  const pushIsZero = (from: number): void => {
    w.get(from);
    if (wide) w.f64(0);
    else w.f32(0);
    w.emit(wide ? op.f64Eq : op.f32Eq);
  };
  vectors.pushUnordinary(wide, r);
  w.if();
  pushIsZero(r);
  if (zeroFrom !== 'nothing') {
    pushIsZero(a);
    if (zeroFrom === 'either') {
      pushIsZero(b);
      w.emit(op.i32Or);
    }
    w.emit(op.i32And);
  }
  w.emit(op.i32Eqz);
  vectors.pushExactnessMatters();
  w.emit(op.i32Or);
  w.brIf(cold);
  w.end();
}

/** The same of all lanes; temporary 3 is for its use. */
function requireLanes(
  e: Emitter,
  wide: boolean,
  [a, b, r]: readonly [number, number, number],
  zeroFrom: ZeroFrom,
  cold: Label,
): void {
  const { w, vectors } = e;
  const bad = vectors.temporary(3);
  const pushAreZero = (from: number): void => {
    w.get(from);
    w.vectorZero();
    w.vector(wide ? simd.eqF64 : simd.eqF32);
  };
  vectors.pushUnordinaryLanes(wide, r);
  w.set(bad);
  w.get(bad);
  w.vector(simd.anyTrue);
  w.if();
  w.get(bad);
  pushAreZero(r);
  if (zeroFrom !== 'nothing') {
    pushAreZero(a);
    if (zeroFrom === 'either') {
      pushAreZero(b);
      w.vector(simd.or);
    }
    w.vector(simd.and);
  }
  w.vector(simd.andNot, simd.anyTrue);
  vectors.pushExactnessMatters();
  w.emit(op.i32Or);
  w.brIf(cold);
  w.end();
}

function scalar(wide: boolean, opcode: number, zeroFrom: ZeroFrom = 'nothing', unary = false): EmitVector {
  return (e, i) => {
    const { w, vectors } = e;
    const kind = wide ? LOW64 : LOW32;
    const [a, b, r] = [number(e, wide, 0), number(e, wide, 1), number(e, wide, 2)];
    withCold(
      e,
      (cold) => {
        loadScalar(e, i, wide, b);
        if (!unary) loadTarget(e, i, wide, a);
        const operands = operandsOf(i, a, b);
        requireClean(e, wide, unary ? operands.slice(-1) : operands, cold);
        if (!unary) w.get(a);
        w.get(b);
        w.emit(opcode);
        w.set(r);
        requireResult(e, wide, [a, b, r], zeroFrom, cold);
        writeLow(e, i, wide, r);
      },
      () => {
        callCold(e, i, kind, isRegisterForm(i) ? kind : -1);
      },
    );
    if (isRegisterForm(i)) vectors.setClean(i.rm, kind);
  };
}

function packed(wide: boolean, opcode: number, zeroFrom: ZeroFrom = 'nothing', unary = false): EmitVector {
  return (e, i) => {
    const { w, vectors } = e;
    const kind = wide ? ALL64 : ALL32;
    const [b, r] = [vectors.temporary(1), vectors.temporary(2)];
    withCold(
      e,
      (cold) => {
        pushVectorSource(e, i);
        w.set(b);
        vectors.get(i.reg);
        w.set(vectors.temporary(0));
        const operands = operandsOf(i, vectors.temporary(0), b);
        requireCleanLanes(e, wide, unary ? operands.slice(-1) : operands, cold);
        if (!unary) w.get(vectors.temporary(0));
        w.get(b);
        w.vector(opcode);
        w.set(r);
        requireLanes(e, wide, [vectors.temporary(0), b, r], zeroFrom, cold);
        w.get(r);
        vectors.set(i.reg);
      },
      () => {
        callCold(e, i, kind, isRegisterForm(i) ? kind : -1);
      },
    );
    vectors.setClean(i.reg, kind);
    if (isRegisterForm(i)) vectors.setClean(i.rm, kind);
  };
}

/** Goes to `cold` in another mode than the default one if facts were made use of. */
export function requireDefaultMode(e: Emitter, usedFacts: boolean, cold: Label): void {
  if (!usedFacts) return;
  e.vectors.pushUnusualMode();
  e.w.brIf(cold);
}

/** Goes to `cold` unless the two numbers can be compared. */
function requireOrdered(e: Emitter, wide: boolean, a: number, b: number, cold: Label): void {
  const { w } = e;
  for (const opcode of wide ? [op.f64Lt, op.f64Ge] : [op.f32Lt, op.f32Ge]) {
    w.get(a);
    w.get(b);
    w.emit(opcode);
  }
  w.emit(op.i32Or, op.i32Eqz);
  w.brIf(cold);
}

/** Loads the two operands of a scalar comparison and goes to `cold` if one is a NaN or denormal. */
function compareOperands(e: Emitter, i: Instruction, wide: boolean, cold: Label): readonly [number, number] {
  const [a, b] = [number(e, wide, 0), number(e, wide, 1)];
  loadScalar(e, i, wide, b);
  loadTarget(e, i, wide, a);
  requireDefaultMode(e, requireClean(e, wide, operandsOf(i, a, b), cold), cold);
  requireOrdered(e, wide, a, b, cold);
  return [a, b];
}

/** The same of a packed one. */
function compareLaneOperands(e: Emitter, i: Instruction, wide: boolean, cold: Label): readonly [number, number] {
  const { w, vectors } = e;
  const [a, b] = [vectors.temporary(0), vectors.temporary(1)];
  pushVectorSource(e, i);
  w.set(b);
  vectors.get(i.reg);
  w.set(a);
  requireDefaultMode(e, requireCleanLanes(e, wide, operandsOf(i, a, b), cold), cold);
  [a, b].forEach((vector, n) => {
    w.get(vector);
    w.get(vector);
    w.vector(wide ? simd.neF64 : simd.neF32);
    if (n > 0) w.vector(simd.or);
  });
  w.vector(simd.anyTrue);
  w.brIf(cold);
  return [a, b];
}

/** MINSx and MAXSx: the second operand unless the first is properly less or greater. */
function scalarExtreme(wide: boolean, opcode: number): EmitVector {
  return (e, i) => {
    const { w } = e;
    const kind = wide ? LOW64 : LOW32;
    const r = number(e, wide, 2);
    withCold(
      e,
      (cold) => {
        const [a, b] = compareOperands(e, i, wide, cold);
        w.get(a);
        w.get(b);
        w.get(a);
        w.get(b);
        w.emit(opcode, op.select);
        w.set(r);
        writeLow(e, i, wide, r);
      },
      () => {
        callCold(e, i, kind);
      },
    );
  };
}

function packedExtreme(wide: boolean, opcode: number): EmitVector {
  return (e, i) => {
    const { w, vectors } = e;
    const kind = wide ? ALL64 : ALL32;
    withCold(
      e,
      (cold) => {
        const [a, b] = compareLaneOperands(e, i, wide, cold);
        w.get(b);
        w.get(a);
        w.vector(opcode);
        vectors.set(i.reg);
      },
      () => {
        callCold(e, i, kind);
      },
    );
    vectors.setClean(i.reg, kind);
  };
}

/** Predicates by bits 1:0 of the immediate; the fourth, unordered, holds of no numbers. Bit 2 negates. */
const PREDICATES = {
  scalar64: [op.f64Eq, op.f64Lt, op.f64Le],
  scalar32: [op.f32Eq, op.f32Lt, op.f32Le],
  packed64: [simd.eqF64, simd.ltF64, simd.leF64],
  packed32: [simd.eqF32, simd.ltF32, simd.leF32],
} as const;

function compareScalar(wide: boolean): EmitVector {
  return (e, i) => {
    const { w, vectors } = e;
    const predicate = (wide ? PREDICATES.scalar64 : PREDICATES.scalar32)[i.low & 3];
    withCold(
      e,
      (cold) => {
        const [a, b] = compareOperands(e, i, wide, cold);
        vectors.get(i.reg);
        if (predicate === undefined) w.i32(0);
        else {
          w.get(a);
          w.get(b);
          w.emit(predicate);
        }
        // All ones where it holds: bit 2 decides between -1 + 0 and -1 + 1.
        if (i.low & 4) {
          w.i32(1);
          w.emit(op.i32Sub);
        } else {
          w.set(local.entry);
          w.i32(0);
          w.get(local.entry);
          w.emit(op.i32Sub);
        }
        if (wide) w.emit(op.i64ExtendI32S);
        w.vectorLane(wide ? simd.replace64 : simd.replace32, 0);
        vectors.set(i.reg);
      },
      () => {
        callCold(e, i);
      },
    );
    // Zero, or all ones, which is a NaN.
    vectors.setClean(i.reg, wide ? LOW64 : LOW32);
  };
}

function comparePacked(wide: boolean): EmitVector {
  return (e, i) => {
    const { w, vectors } = e;
    const predicate = (wide ? PREDICATES.packed64 : PREDICATES.packed32)[i.low & 3];
    withCold(
      e,
      (cold) => {
        const [a, b] = compareLaneOperands(e, i, wide, cold);
        if (predicate === undefined) w.vectorZero();
        else {
          w.get(a);
          w.get(b);
          w.vector(predicate);
        }
        if (i.low & 4) w.vector(simd.not);
        vectors.set(i.reg);
      },
      () => {
        callCold(e, i);
      },
    );
    vectors.setClean(i.reg, wide ? ALL64 : ALL32);
  };
}

/** COMISx and UCOMISx: of numbers ZF and CF tell, all other flags are clear. The flags are left explicit in ccR. */
function compareIntoFlags(wide: boolean): EmitVector {
  return (e, i, needed) => {
    const { w } = e;
    withCold(
      e,
      (cold) => {
        const [a, b] = compareOperands(e, i, wide, cold);
        if (!needed) return;
        w.get(a);
        w.get(b);
        w.emit(wide ? op.f64Eq : op.f32Eq);
        w.i32(6);
        w.emit(op.i32Shl);
        w.get(a);
        w.get(b);
        w.emit(wide ? op.f64Lt : op.f32Lt, op.i32Or, op.i64ExtendI32U);
        w.set(local.ccR);
      },
      () => {
        callCold(e, i);
        w.get(local.cpu);
        w.memory(memoryOp.i64Load, VCPU_CC_R);
        w.set(local.ccR);
      },
    );
  };
}

export const floatEmitters: Readonly<Record<string, EmitVector>> = {
  addsd: scalar(true, op.f64Add),
  subsd: scalar(true, op.f64Sub),
  mulsd: scalar(true, op.f64Mul, 'either'),
  divsd: scalar(true, op.f64Div, 'first'),
  sqrtsd: scalar(true, op.f64Sqrt, 'nothing', true),
  addss: scalar(false, op.f32Add),
  subss: scalar(false, op.f32Sub),
  mulss: scalar(false, op.f32Mul, 'either'),
  divss: scalar(false, op.f32Div, 'first'),
  sqrtss: scalar(false, op.f32Sqrt, 'nothing', true),
  addpd: packed(true, simd.addF64),
  subpd: packed(true, simd.subF64),
  mulpd: packed(true, simd.mulF64, 'either'),
  divpd: packed(true, simd.divF64, 'first'),
  sqrtpd: packed(true, simd.sqrtF64, 'nothing', true),
  addps: packed(false, simd.addF32),
  subps: packed(false, simd.subF32),
  mulps: packed(false, simd.mulF32, 'either'),
  divps: packed(false, simd.divF32, 'first'),
  sqrtps: packed(false, simd.sqrtF32, 'nothing', true),
  minsd: scalarExtreme(true, op.f64Lt),
  maxsd: scalarExtreme(true, op.f64Gt),
  minss: scalarExtreme(false, op.f32Lt),
  maxss: scalarExtreme(false, op.f32Gt),
  minpd: packedExtreme(true, simd.pminF64),
  maxpd: packedExtreme(true, simd.pmaxF64),
  minps: packedExtreme(false, simd.pminF32),
  maxps: packedExtreme(false, simd.pmaxF32),
  cmpss: compareScalar(false),
  cmpsdScalar: compareScalar(true),
  cmpps: comparePacked(false),
  cmppd: comparePacked(true),
  comiss: compareIntoFlags(false),
  ucomiss: compareIntoFlags(false),
  comisd: compareIntoFlags(true),
  ucomisd: compareIntoFlags(true),
};
