/**
 * XMM registers of a region in locals, and what SSE arithmetic needs besides.
 *
 * WebAssembly rounds to nearest and tells no exceptions. So a result is used as it is only where none could have been raised but
 * the inexact one, and that is up already: MXCSR in its default mode with PE set, result normal and finite, no operand denormal.
 * The first two are one unsigned comparison: a *limit*, a local, is what the bits of an ordinary result, doubled and brought to
 * zero at the smallest normal number, stay below; it is 0 while MXCSR asks for more, so that everything else takes the cold path,
 * the row's handler.
 *
 * Of operands the translator keeps *facts*: a register is clean in a format if its lanes hold no denormal, or DE is up already, so
 * that one more changes nothing. Facts hold while MXCSR is in its default mode. Arithmetic leaves its operands and its result
 * clean; the cold path leaves the region when it cannot promise that (callFloatHandler in cpu/regions.ts).
 * @sdm Vol. 1 10.2.3 (MXCSR), 11.5.2 (SIMD floating-point exceptions)
 */
import { VCPU_MXCSR, VCPU_XMM } from '../cpu/layout.ts';
import { simd } from './wasm-simd.ts';
import { F32, F64, type FunctionWriter, I32, I64, V128, memoryOp, op } from './wasm-writer.ts';

/** Kinds of facts, and the fields of a Facts. */
export const LOW64 = 0;
export const ALL64 = 1;
export const LOW32 = 2;
export const ALL32 = 3;
/** Bit 0: CR0 was seen to allow vector instructions. */
const PERMITTED = 4;

/** By kind, bit n = XMM n is clean. */
export type Facts = readonly [number, number, number, number, number];
export const NO_FACTS: Facts = [0, 0, 0, 0, 0];
export const ALL_FACTS: Facts = [0xffff, 0xffff, 0xffff, 0xffff, 1];

export const meetFacts = (a: Facts, b: Facts): Facts => [a[0] & b[0], a[1] & b[1], a[2] & b[2], a[3] & b[3], a[4] & b[4]];
export const sameFacts = (a: Facts, b: Facts): boolean => a.every((mask, n) => mask === b[n]);

/** Constants that checks of packed numbers compare with, by number; filled when the region is entered. */
export const constant = {
  /** i64x2, i32x4: added to doubled bits so that those of ordinary results stay at or below the limit, signed. */
  result64: 0,
  result32: 1,
  /** The same for denormals, which come to lie below the bound. */
  denormal64: 2,
  denormal32: 3,
  bound64: 4,
  bound32: 5,
} as const;
const CONSTANTS = 6;
/** What depends on MXCSR, by bit. */
const LIMIT64 = 1;
const LIMIT32 = 2;
const LANES64 = 4;
const LANES32 = 8;
const DEFAULT_MODE = 16;

const REGISTERS = 16;
const TEMPORARIES = 4;
const SCALARS = 3;

type Halves = readonly [low: number, high: number];
/** For doubled bits of binary64: minus 2^53 + 1, so the smallest normal number wraps around; and where infinity comes to lie. */
const RESULT_64: Halves = [-1, 0xffdfffff | 0];
const LIMIT_64: Halves = [-1, 0xffbfffff | 0];
const RESULT_32 = -0x01000001;
const LIMIT_32 = 0xfdffffff | 0;
/** The same with the top bit turned for signed comparison; a lane is bad above the limit. */
const SIGNED_RESULT_64: Halves = [-1, 0x7fdfffff];
const SIGNED_LIMIT_64: Halves = [-2, 0x7fbfffff];
const SIGNED_RESULT_32 = 0x7effffff;
const SIGNED_LIMIT_32 = 0x7dfffffe;
/** Doubled bits minus one are below this in denormals. */
const DENORMAL_64: Halves = [-1, 0x001fffff];
const DENORMAL_32 = 0x00ffffff;

const MXCSR_MODE = 0xffc0;
const MXCSR_DEFAULT = 0x1f80;
const MXCSR_INEXACT = 0x20;

export class Vectors {
  /** Bit n: XMM n is kept in its local, or written there. */
  used = 0;
  written = 0;
  private constants = 0;
  private limits = 0;
  private facts: [number, number, number, number, number] = [...NO_FACTS];

  constructor(
    private readonly w: FunctionWriter,
    /** First local that is free for them. */
    private readonly first: number,
  ) {}

  /** Locals for intermediate results: four vectors, three numbers of each format. */
  temporary(n: number): number {
    return this.first + REGISTERS + n;
  }

  private constantLocal(which: number): number {
    return this.first + REGISTERS + TEMPORARIES + which;
  }

  /** Vector local that holds the limit of packed results. */
  private lanesLimit(wide: boolean): number {
    return this.first + REGISTERS + TEMPORARIES + CONSTANTS + (wide ? 0 : 1);
  }

  private get scalars(): number {
    return this.first + REGISTERS + TEMPORARIES + CONSTANTS + 2;
  }

  double(n: number): number {
    return this.scalars + n;
  }

  single(n: number): number {
    return this.scalars + SCALARS + n;
  }

  private get limit64(): number {
    return this.scalars + 2 * SCALARS;
  }

  private get limit32(): number {
    return this.limit64 + 1;
  }

  private get defaultMode(): number {
    return this.limit64 + 2;
  }

  get declarations(): readonly (readonly [count: number, type: number])[] {
    if (this.used === 0 && this.limits === 0 && this.constants === 0) return [];
    return [
      [REGISTERS + TEMPORARIES + CONSTANTS + 2, V128],
      [SCALARS, F64],
      [SCALARS, F32],
      [1, I64],
      [2, I32],
    ];
  }

  restart(): void {
    this.used = 0;
    this.written = 0;
    this.constants = 0;
    this.limits = 0;
    this.facts = [...NO_FACTS];
  }

  /** Takes over what another emitter found to be used. */
  adopt(other: Vectors): void {
    this.used = other.used;
    this.written = other.written;
    this.constants = other.constants;
    this.limits = other.limits;
  }

  // ---- registers -------------------------------------------------------------------------------------------------------

  get(n: number): void {
    this.used |= 1 << n;
    this.w.get(this.first + n);
  }

  /** Pops the register's new value; nothing is known of it. */
  set(n: number): void {
    this.used |= 1 << n;
    this.written |= 1 << n;
    this.w.set(this.first + n);
    this.forget(n);
  }

  /** Pops a number into the lowest lane, behind `get` of the register: the rest of it stays. */
  setLow(n: number, wide: boolean): void {
    this.w.vectorLane(wide ? simd.replaceF64 : simd.replaceF32, 0);
    this.set(n);
  }

  load(mask: number): void {
    for (let n = 0; n < REGISTERS; n++) {
      if (!(mask & (1 << n))) continue;
      this.w.get(0);
      this.w.vectorMemory(simd.load, VCPU_XMM + n * 16);
      this.w.set(this.first + n);
    }
  }

  store(mask: number): void {
    for (let n = 0; n < REGISTERS; n++) {
      if (!(mask & (1 << n))) continue;
      this.w.get(0);
      this.w.get(this.first + n);
      this.w.vectorMemory(simd.store, VCPU_XMM + n * 16);
    }
  }

  // ---- facts -----------------------------------------------------------------------------------------------------------

  get known(): Facts {
    return [...this.facts];
  }

  assume(facts: Facts): void {
    this.facts = [...facts];
  }

  forgetAll(): void {
    const permitted = this.facts[PERMITTED];
    this.facts = [...NO_FACTS];
    this.facts[PERMITTED] = permitted;
  }

  forget(n: number): void {
    for (let kind = LOW64; kind <= ALL32; kind++) this.facts[kind as 0] &= ~(1 << n);
  }

  isClean(n: number, kind: number): boolean {
    return ((this.facts[kind as 0] >> n) & 1) !== 0;
  }

  /** `kind` and, of ALL, LOW as well. */
  setClean(n: number, kind: number): void {
    this.facts[kind as 0] |= 1 << n;
    if (kind === ALL64 || kind === ALL32) this.facts[(kind - 1) as 0] |= 1 << n;
  }

  /** The facts that hold of register `to` once it is a copy of `from`. */
  copyFacts(to: number, from: number): void {
    for (let kind = LOW64; kind <= ALL32; kind++) {
      const clean = (this.facts[kind as 0] >> from) & 1;
      this.facts[kind as 0] = (this.facts[kind as 0] & ~(1 << to)) | (clean << to);
    }
  }

  setZero(n: number): void {
    this.setClean(n, ALL64);
    this.setClean(n, ALL32);
  }

  get isPermitted(): boolean {
    return this.facts[PERMITTED] !== 0;
  }

  permit(): void {
    this.facts[PERMITTED] = 1;
  }

  // ---- what depends on MXCSR -------------------------------------------------------------------------------------------

  private pushConstant(which: number): void {
    this.constants |= 1 << which;
    this.w.get(this.constantLocal(which));
  }

  private splat(wide: boolean, value: Halves | number): void {
    if (typeof value === 'number') this.w.i32(value);
    else this.w.i64Halves(value[0], value[1]);
    this.w.vector(wide ? simd.splat64 : simd.splat32);
  }

  /** To be emitted where the region is entered, once what it uses is known. */
  prepare(): void {
    const { w } = this;
    this.load(this.used);
    const values: readonly (Halves | number)[] = [
      SIGNED_RESULT_64,
      SIGNED_RESULT_32,
      [-1, 0x7fffffff],
      0x7fffffff,
      [DENORMAL_64[0], DENORMAL_64[1] | (0x80000000 | 0)],
      DENORMAL_32 | (0x80000000 | 0),
    ];
    values.forEach((value, which) => {
      if (!(this.constants & (1 << which))) return;
      this.splat(typeof value !== 'number', value);
      w.set(this.constantLocal(which));
    });
    this.refresh();
  }

  /** To be emitted after anything that may have changed MXCSR. */
  refresh(): void {
    const { w, limits } = this;
    if (limits === 0) return;
    const pushMasked = (mask: number, wanted: number): void => {
      w.get(0);
      w.memory(memoryOp.i32Load, VCPU_MXCSR);
      w.i32(mask);
      w.emit(op.i32And);
      w.i32(wanted);
      w.emit(op.i32Eq);
    };
    if (limits & DEFAULT_MODE) {
      pushMasked(MXCSR_MODE, MXCSR_DEFAULT);
      w.set(this.defaultMode);
    }
    if (!(limits & ~DEFAULT_MODE)) return;
    pushMasked(MXCSR_MODE | MXCSR_INEXACT, MXCSR_DEFAULT | MXCSR_INEXACT);
    w.if();
    this.setLimits(LIMIT_64, LIMIT_32, SIGNED_LIMIT_64, SIGNED_LIMIT_32);
    w.else();
    this.setLimits([0, 0], 0, [0, 0x80000000 | 0], 0x80000000 | 0);
    w.end();
  }

  private setLimits(wide: Halves, narrow: number, wideLanes: Halves, narrowLanes: number): void {
    const { w, limits } = this;
    if (limits & LIMIT64) {
      w.i64Halves(wide[0], wide[1]);
      w.set(this.limit64);
    }
    if (limits & LIMIT32) {
      w.i32(narrow);
      w.set(this.limit32);
    }
    if (limits & LANES64) {
      this.splat(true, wideLanes);
      w.set(this.lanesLimit(true));
    }
    if (limits & LANES32) {
      this.splat(false, narrowLanes);
      w.set(this.lanesLimit(false));
    }
  }

  /** Pushes whether the number in the local is not an ordinary result, as an i32 for a branch. */
  pushUnordinary(wide: boolean, from: number): void {
    const { w } = this;
    w.get(from);
    if (wide) {
      this.limits |= LIMIT64;
      w.emit(op.i64ReinterpretF64);
      w.i64(1);
      w.emit(op.i64Shl);
      w.i64Halves(RESULT_64[0], RESULT_64[1]);
      w.emit(op.i64Add);
      w.get(this.limit64);
      w.emit(op.i64GeU);
    } else {
      this.limits |= LIMIT32;
      w.emit(op.i32ReinterpretF32);
      w.i32(1);
      w.emit(op.i32Shl);
      w.i32(RESULT_32);
      w.emit(op.i32Add);
      w.get(this.limit32);
      w.emit(op.i32GeU);
    }
  }

  /** Pushes a mask of the lanes of the vector in the local that are no ordinary results. */
  pushUnordinaryLanes(wide: boolean, from: number): void {
    const { w } = this;
    this.limits |= wide ? LANES64 : LANES32;
    w.get(from);
    w.i32(1);
    w.vector(wide ? simd.shl64 : simd.shl32);
    this.pushConstant(wide ? constant.result64 : constant.result32);
    w.vector(wide ? simd.add64 : simd.add32);
    w.get(this.lanesLimit(wide));
    w.vector(wide ? simd.gtS64 : simd.gtS32);
  }

  /** Pushes whether the number in the local is a denormal, as an i32 for a branch. */
  pushDenormal(wide: boolean, from: number): void {
    const { w } = this;
    w.get(from);
    if (wide) {
      w.emit(op.i64ReinterpretF64);
      w.i64(1);
      w.emit(op.i64Shl);
      w.i64(1);
      w.emit(op.i64Sub);
      w.i64Halves(DENORMAL_64[0], DENORMAL_64[1]);
      w.emit(op.i64LtU);
    } else {
      w.emit(op.i32ReinterpretF32);
      w.i32(1);
      w.emit(op.i32Shl);
      w.i32(1);
      w.emit(op.i32Sub);
      w.i32(DENORMAL_32);
      w.emit(op.i32LtU);
    }
  }

  /** Pushes a mask of the lanes of the vector in the local that are denormal. */
  pushDenormalLanes(wide: boolean, from: number): void {
    const { w } = this;
    w.get(from);
    w.i32(1);
    w.vector(wide ? simd.shl64 : simd.shl32);
    this.pushConstant(wide ? constant.denormal64 : constant.denormal32);
    w.vector(wide ? simd.add64 : simd.add32);
    this.pushConstant(wide ? constant.bound64 : constant.bound32);
    w.vector(wide ? simd.ltS64 : simd.ltS32);
  }

  /** Pushes whether MXCSR asks for more than rounding to nearest with every exception masked, so that facts may not hold. */
  pushUnusualMode(): void {
    this.limits |= DEFAULT_MODE;
    this.w.get(this.defaultMode);
    this.w.emit(op.i32Eqz);
  }

  /** Pushes whether it does so, or the inexact flag is not up: no result may be used unseen. */
  pushExactnessMatters(): void {
    this.limits |= LIMIT32;
    this.w.get(this.limit32);
    this.w.emit(op.i32Eqz);
  }
}
