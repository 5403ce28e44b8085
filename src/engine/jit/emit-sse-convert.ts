/** Emitters of SSE conversions and rounding to integral values. @sdm Vol. 2 CVTDQ2PD ... CVTTSS2SI, ROUNDSS, ROUNDSD */
import { withCold } from './emit-call.ts';
import { requireClean, requireDefaultMode } from './emit-sse-float.ts';
import { type EmitVector, callCold, isRegisterForm, loadScalar, pushVectorSource } from './emit-vector.ts';
import type { Emitter } from './emitter.ts';
import { local } from './locals.ts';
import { type Instruction, inMemory } from './instruction.ts';
import { ALL32, ALL64, LOW32, LOW64 } from './vectors.ts';
import { simd } from './wasm-simd.ts';
import { type Label, extended, op } from './wasm-writer.ts';

/** Magnitudes below these convert to a signed integer of the width whichever way they are rounded. */
const LIMIT_32 = 2147483647;
const LIMIT_64 = 9223372036854774784;
/** The same of packed single precision: the next number below is an integer. */
const LANES_LIMIT_32 = 2147483648;
/** Integers from minus this to this are exact; halves. */
const EXACT_64 = [0, 0x200000] as const;
const EXACT_32 = [0x1000000, 0] as const;

const register = (i: Instruction): number => (isRegisterForm(i) ? i.rm : -1);

/** Pushes the integer source, sign-extended to 64 bits. */
function loadInteger(e: Emitter, i: Instruction, bytes: number, to: number): void {
  const { w } = e;
  if (inMemory(i)) {
    e.pushAddress(i);
    e.readable(bytes, i.position);
    e.loadHost(bytes);
  } else e.getRegister(i.rm);
  if (bytes === 4) w.emit(op.i64Extend32S);
  w.set(to);
}

/** Writes a number on the stack to the lowest lane. */
function writeNumber(e: Emitter, i: Instruction, wide: boolean, scratch: number): void {
  const { w, vectors } = e;
  w.set(scratch);
  vectors.get(i.reg);
  w.get(scratch);
  vectors.setLow(i.reg, wide);
  vectors.setClean(i.reg, wide ? LOW64 : LOW32);
}

/** CVTSI2SD, CVTSI2SS: exact, or rounded with nobody to see it. */
function fromInteger(wide: boolean, bytes: number): EmitVector {
  return (e, i) => {
    const { w, vectors } = e;
    const scratch = wide ? vectors.double(0) : vectors.single(0);
    const convert = (): void => {
      w.get(local.t0);
      w.emit(wide ? op.f64ConvertI64S : op.f32ConvertI64S);
      writeNumber(e, i, wide, scratch);
    };
    if (wide && bytes === 4) {
      loadInteger(e, i, bytes, local.t0);
      convert();
      return;
    }
    const [low, high] = wide ? EXACT_64 : EXACT_32;
    withCold(
      e,
      (cold) => {
        loadInteger(e, i, bytes, local.t0);
        vectors.pushExactnessMatters();
        w.if();
        w.get(local.t0);
        w.i64Halves(low, high);
        w.emit(op.i64Add);
        // Twice the bound.
        w.i64Halves(low * 2, high * 2);
        w.emit(op.i64GtU);
        w.brIf(cold);
        w.end();
        convert();
      },
      () => {
        callCold(e, i);
      },
    );
  };
}

/** CVTSx2SI, CVTTSx2SI: in range; exact or with nobody to see it. */
function toInteger(wide: boolean, bytes: number, truncate: boolean): EmitVector {
  return (e, i) => {
    const { w, vectors } = e;
    const value = vectors.double(0);
    withCold(
      e,
      (cold) => {
        if (wide) loadScalar(e, i, true, value);
        else {
          loadScalar(e, i, false, vectors.single(0));
          w.get(vectors.single(0));
          w.emit(op.f64PromoteF32);
          w.set(value);
        }
        w.get(value);
        w.emit(op.f64Abs);
        w.f64(bytes === 8 ? LIMIT_64 : LIMIT_32);
        w.emit(op.f64Le, op.i32Eqz);
        w.brIf(cold);
        w.get(value);
        if (!truncate) w.emit(op.f64Nearest);
        w.extended(bytes === 8 ? extended.truncateF64ToI64 : extended.truncateF64ToI32);
        if (bytes === 4) w.emit(op.i64ExtendI32S);
        w.set(local.t0);
        vectors.pushExactnessMatters();
        w.if();
        requireDefaultMode(e, true, cold);
        w.get(local.t0);
        w.emit(op.f64ConvertI64S);
        w.get(value);
        w.emit(op.f64Eq, op.i32Eqz);
        w.brIf(cold);
        w.end();
        e.pushZeroExtended({ local: local.t0 }, bytes);
        e.setRegister(i.reg);
      },
      () => {
        callCold(e, i);
      },
    );
  };
}

/** Goes to `cold` if the number is a NaN. */
function requireNumber(e: Emitter, wide: boolean, value: number, cold: Label): void {
  const { w } = e;
  w.get(value);
  w.get(value);
  w.emit(wide ? op.f64Eq : op.f32Eq, op.i32Eqz);
  w.brIf(cold);
}

const cvtss2sd: EmitVector = (e, i) => {
  const { w, vectors } = e;
  const value = vectors.single(0);
  withCold(
    e,
    (cold) => {
      loadScalar(e, i, false, value);
      requireDefaultMode(e, requireClean(e, false, [{ local: value, register: register(i) }], cold), cold);
      requireNumber(e, false, value, cold);
      w.get(value);
      w.emit(op.f64PromoteF32);
      writeNumber(e, i, true, vectors.double(0));
    },
    () => {
      callCold(e, i);
    },
  );
};

const cvtsd2ss: EmitVector = (e, i) => {
  const { w, vectors } = e;
  const [value, result] = [vectors.double(0), vectors.single(0)];
  withCold(
    e,
    (cold) => {
      loadScalar(e, i, true, value);
      requireClean(e, true, [{ local: value, register: register(i) }], cold);
      w.get(value);
      w.emit(op.f32DemoteF64);
      w.set(result);
      vectors.pushUnordinary(false, result);
      w.brIf(cold);
      w.get(result);
      writeNumber(e, i, false, vectors.single(1));
    },
    () => {
      callCold(e, i, LOW32);
    },
  );
};

/** Conversions that cannot round: the destination is all written. */
const cvtdq2pd: EmitVector = (e, i) => {
  pushVectorSource(e, i, 8);
  e.w.vector(simd.convertLowF64);
  e.vectors.set(i.reg);
  e.vectors.setClean(i.reg, ALL64);
};

const cvtps2pd: EmitVector = (e, i) => {
  const { w, vectors } = e;
  const [value, wide] = [vectors.temporary(0), vectors.temporary(1)];
  withCold(
    e,
    (cold) => {
      pushVectorSource(e, i, 8);
      w.set(value);
      w.get(value);
      w.vector(simd.promoteLow);
      w.set(wide);
      // Of the two numbers used: no denormal, no NaN.
      vectors.pushDenormalLanes(false, value);
      w.vector(simd.extendLow32S);
      w.get(wide);
      w.get(wide);
      w.vector(simd.neF64, simd.or, simd.anyTrue);
      w.brIf(cold);
      w.get(wide);
      vectors.set(i.reg);
    },
    () => {
      callCold(e, i);
    },
  );
  vectors.setClean(i.reg, ALL64);
};

const cvtdq2ps: EmitVector = (e, i) => {
  const { w, vectors } = e;
  withCold(
    e,
    (cold) => {
      vectors.pushExactnessMatters();
      w.brIf(cold);
      pushVectorSource(e, i);
      w.vector(simd.convertF32);
      vectors.set(i.reg);
    },
    () => {
      callCold(e, i);
    },
  );
  vectors.setClean(i.reg, ALL32);
};

/** CVTPS2DQ, CVTTPS2DQ, CVTPD2DQ, CVTTPD2DQ, in range and with nobody to see whether they round. */
function packedToInteger(wide: boolean, truncate: boolean): EmitVector {
  return (e, i) => {
    const { w, vectors } = e;
    const value = vectors.temporary(0);
    withCold(
      e,
      (cold) => {
        vectors.pushExactnessMatters();
        w.brIf(cold);
        pushVectorSource(e, i);
        w.set(value);
        // Magnitude below the bound: a NaN is not.
        w.get(value);
        if (wide) w.i64Halves(-1, 0x7fffffff);
        else w.i32(0x7fffffff);
        w.vector(wide ? simd.splat64 : simd.splat32, simd.and);
        if (wide) w.f64(LIMIT_32);
        else w.f32(LANES_LIMIT_32);
        w.vector(wide ? simd.splatF64 : simd.splatF32, wide ? simd.leF64 : simd.ltF32, simd.not, simd.anyTrue);
        w.brIf(cold);
        w.get(value);
        if (!truncate) w.vector(wide ? simd.nearestF64 : simd.nearestF32);
        w.vector(wide ? simd.truncateF64Zero : simd.truncateF32);
        vectors.set(i.reg);
      },
      () => {
        callCold(e, i);
      },
    );
  };
}

/** Bit 2 of the immediate: as MXCSR says, which is to nearest here; bit 3: inexact results are not reported. */
function roundScalar(wide: boolean, opcodes: readonly number[]): EmitVector {
  return (e, i) => {
    const { w, vectors } = e;
    const value = wide ? vectors.double(0) : vectors.single(0);
    withCold(
      e,
      (cold) => {
        if (i.low & 8) requireDefaultMode(e, true, cold);
        else {
          vectors.pushExactnessMatters();
          w.brIf(cold);
        }
        loadScalar(e, i, wide, value);
        requireNumber(e, wide, value, cold);
        w.get(value);
        w.emit(opcodes[i.low & 4 ? 0 : i.low & 3] ?? op.f64Nearest);
        writeNumber(e, i, wide, wide ? vectors.double(1) : vectors.single(1));
      },
      () => {
        callCold(e, i);
      },
    );
  };
}

/** Nearest, down, up, toward zero. */
const ROUND_64 = [op.f64Nearest, op.f64Floor, op.f64Ceil, op.f64Trunc];
const ROUND_32 = [op.f32Nearest, op.f32Floor, op.f32Ceil, op.f32Trunc];

export const convertEmitters: Readonly<Record<string, EmitVector>> = {
  cvtsi2sd32: fromInteger(true, 4),
  cvtsi2sd64: fromInteger(true, 8),
  cvtsi2ss32: fromInteger(false, 4),
  cvtsi2ss64: fromInteger(false, 8),
  cvtsd2si32: toInteger(true, 4, false),
  cvtsd2si64: toInteger(true, 8, false),
  cvttsd2si32: toInteger(true, 4, true),
  cvttsd2si64: toInteger(true, 8, true),
  cvtss2si32: toInteger(false, 4, false),
  cvtss2si64: toInteger(false, 8, false),
  cvttss2si32: toInteger(false, 4, true),
  cvttss2si64: toInteger(false, 8, true),
  cvtss2sd,
  cvtsd2ss,
  cvtdq2pd,
  cvtps2pd,
  cvtdq2ps,
  cvtps2dq: packedToInteger(false, false),
  cvttps2dq: packedToInteger(false, true),
  cvtpd2dq: packedToInteger(true, false),
  cvttpd2dq: packedToInteger(true, true),
  roundsd: roundScalar(true, ROUND_64),
  roundss: roundScalar(false, ROUND_32),
};
