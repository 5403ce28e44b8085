/** Conditions of Jcc, SETcc and CMOVcc, and the carry, out of the flag state: one comparison where the state allows it. */
import { CC_ADC, CC_ADD, CC_DEC, CC_EXPLICIT, CC_IMUL, CC_INC, CC_LOGIC, CC_MUL, CC_SBB, CC_SHL, CC_SUB } from '../cpu/layout.ts';
import { flagsToMemory } from './emit-flags.ts';
import type { Emitter } from './emitter.ts';
import { local } from './locals.ts';
import { DYNAMIC, KIND_MASK, NARROW, RESULT_IS_DIFFERENCE, RESULT_IS_SUM, ROTATED, SPECIAL } from '../cpu/region-exit-state.ts';
import { service } from './wasm-module.ts';
import { I32, op } from './wasm-writer.ts';

/** Comparisons by [64 bits, 32 bits]. */
const EQ = [op.i64Eq, op.i32Eq] as const;
const NE = [op.i64Ne, op.i32Ne] as const;
const LT_S = [op.i64LtS, op.i32LtS] as const;
const LT_U = [op.i64LtU, op.i32LtU] as const;
const GE_S = [op.i64GeS, op.i32GeS] as const;
const GE_U = [op.i64GeU, op.i32GeU] as const;
const LE_S = [op.i64LeS, op.i32LeS] as const;
const LE_U = [op.i64LeU, op.i32LeU] as const;
const GT_S = [op.i64GtS, op.i32GtS] as const;
const GT_U = [op.i64GtU, op.i32GtU] as const;
const ADD = [op.i64Add, op.i32Add] as const;
const SUB = [op.i64Sub, op.i32Sub] as const;
const XOR = [op.i64Xor, op.i32Xor] as const;
const AND = [op.i64And, op.i32And] as const;
type Pair = readonly [number, number];

/** The operands of the state's last operation, in the width they count in. */
class Operands {
  readonly narrow: 0 | 1;

  constructor(private readonly e: Emitter) {
    this.narrow = e.state & NARROW ? 1 : 0;
  }

  private get(which: number): void {
    this.e.w.get(which);
    if (this.narrow) this.e.w.emit(op.i32WrapI64);
  }

  a(): void {
    this.get(local.ccA);
  }

  b(): void {
    this.get(local.ccB);
  }

  r(): void {
    const { state } = this.e;
    if (state & (RESULT_IS_DIFFERENCE | RESULT_IS_SUM)) {
      this.a();
      this.b();
      this.do(state & RESULT_IS_SUM ? ADD : SUB);
    } else this.get(local.ccR);
  }

  zero(): void {
    if (this.narrow) this.e.w.i32(0);
    else this.e.w.i64(0);
  }

  do(...pairs: Pair[]): void {
    for (const pair of pairs) this.e.w.emit(pair[this.narrow]);
  }

  /** Pushes the low bit of what is on the stack as an i32. */
  lowBit(): void {
    if (!this.narrow) this.e.w.emit(op.i32WrapI64);
    this.e.w.i32(1);
    this.e.w.emit(op.i32And);
  }
}

function resultIs(o: Operands, comparison: Pair): void {
  o.r();
  o.zero();
  o.do(comparison);
}

/** Pushes PF as an i32. */
function parity(e: Emitter, o: Operands): void {
  o.r();
  if (!o.narrow) e.w.emit(op.i32WrapI64);
  e.w.i32(0xff);
  e.w.emit(op.i32And, op.i32Popcnt);
  e.w.i32(1);
  e.w.emit(op.i32And, op.i32Eqz);
}

/** Pushes CF of a state other than the special ones as an i32; false = not without the core. */
function knownCarry(e: Emitter, o: Operands): boolean {
  const kind = e.state & KIND_MASK;
  switch (kind) {
    case CC_SUB:
      o.a();
      o.b();
      o.do(LT_U);
      return true;
    case CC_LOGIC:
      e.w.i32(0);
      return true;
    case CC_ADD:
      o.r();
      o.a();
      o.do(LT_U);
      return true;
    case CC_EXPLICIT:
      o.r();
      o.lowBit();
      return true;
    case CC_ADC:
    case CC_SBB: {
      // The carry that came in decides about equality.
      const [low, high] = kind === CC_ADC ? [() => o.r(), () => o.a()] : [() => o.a(), () => o.b()];
      low();
      high();
      o.do(LT_U);
      low();
      high();
      o.do(EQ);
      if (kind === CC_ADC) {
        o.r();
        o.a();
        o.do(SUB);
        o.b();
        o.do(SUB);
      } else {
        o.a();
        o.b();
        o.do(SUB);
        o.r();
        o.do(SUB);
      }
      o.lowBit();
      e.w.emit(op.i32And, op.i32Or);
      return true;
    }
    case CC_IMUL:
      return false;
    default:
      o.b();
      o.lowBit();
      return true;
  }
}

/** Pushes OF as an i32; false = not without the core. */
function knownOverflow(e: Emitter, o: Operands): boolean {
  const negative = (): void => {
    o.zero();
    o.do(LT_S);
  };
  switch (e.state & KIND_MASK) {
    case CC_LOGIC:
      e.w.i32(0);
      return true;
    case CC_SUB:
    case CC_SBB:
      o.a();
      o.b();
      o.do(XOR);
      o.a();
      o.r();
      o.do(XOR, AND);
      negative();
      return true;
    case CC_ADD:
    case CC_ADC:
      o.a();
      o.r();
      o.do(XOR);
      o.b();
      o.r();
      o.do(XOR, AND);
      negative();
      return true;
    case CC_INC:
    case CC_DEC: {
      const [first, second] = (e.state & KIND_MASK) === CC_INC ? [() => o.r(), () => o.a()] : [() => o.a(), () => o.r()];
      first();
      negative();
      second();
      o.zero();
      o.do(GE_S);
      e.w.emit(op.i32And);
      return true;
    }
    case CC_SHL:
      o.b();
      o.lowBit();
      o.r();
      negative();
      e.w.emit(op.i32Xor);
      return true;
    case CC_MUL:
      o.b();
      o.lowBit();
      return true;
    default:
      return false;
  }
}

function fromCore(e: Emitter, code: number): void {
  flagsToMemory(e);
  e.w.get(local.cpu);
  e.w.i32(code);
  e.w.call(service.condition);
}

/** By half of the condition code: [comparison of A with B behind a subtraction, the same inverted]. */
const SUBTRACTION: Readonly<Record<number, readonly [Pair, Pair]>> = {
  1: [LT_U, GE_U],
  2: [EQ, NE],
  3: [LE_U, GT_U],
  6: [LT_S, GE_S],
  7: [LE_S, GT_S],
};
/** The same for the result compared with zero, of any lazy kind and of logic operations. */
const RESULT: Readonly<Record<number, readonly [Pair, Pair]>> = { 2: [EQ, NE], 4: [LT_S, GE_S] };
const LOGIC: Readonly<Record<number, readonly [Pair, Pair]>> = { ...RESULT, 3: [EQ, NE], 6: [LT_S, GE_S], 7: [LE_S, GT_S] };

/** Bits of RFLAGS of which one must be set, by half of the condition code. */
const EXPLICIT: Readonly<Record<number, number>> = { 0: 0x800, 1: 1, 2: 0x40, 3: 0x41, 4: 0x80, 5: 4 };

function pushBits(e: Emitter, mask: number, inverted: boolean): void {
  const { w } = e;
  w.get(local.ccR);
  w.emit(op.i32WrapI64);
  w.i32(mask);
  w.emit(op.i32And);
  if (inverted) w.emit(op.i32Eqz);
  else {
    w.i32(0);
    w.emit(op.i32Ne);
  }
}

/** Pushes whether condition `code` (low four bits of the opcode) holds, as an i32 that is 0 or 1. */
export function pushCondition(e: Emitter, code: number): void {
  const kind = e.state & KIND_MASK;
  if (e.state & (SPECIAL | ROTATED)) {
    fromCore(e, code);
    return;
  }
  if (kind === CC_EXPLICIT) {
    const mask = EXPLICIT[code >> 1];
    if (mask === undefined) fromCore(e, code);
    else pushBits(e, mask, (code & 1) !== 0);
    return;
  }
  const o = new Operands(e);
  const half = code >> 1;
  const inverted = (code & 1) as 0 | 1;
  if (kind === CC_SUB) {
    const comparison = SUBTRACTION[half];
    if (comparison !== undefined) {
      o.a();
      o.b();
      o.do(comparison[inverted]);
      return;
    }
  }
  const comparison = (kind === CC_LOGIC ? LOGIC : RESULT)[half];
  if (comparison !== undefined) {
    resultIs(o, comparison[inverted]);
    return;
  }
  if (kind === CC_IMUL && half !== 5) {
    fromCore(e, code);
    return;
  }
  switch (half) {
    case 0:
      knownOverflow(e, o);
      break;
    case 1:
      knownCarry(e, o);
      break;
    case 3:
      knownCarry(e, o);
      resultIs(o, EQ);
      e.w.emit(op.i32Or);
      break;
    case 5:
      parity(e, o);
      break;
    default:
      knownOverflow(e, o);
      resultIs(o, LT_S);
      e.w.emit(op.i32Xor);
      if (half === 7) {
        resultIs(o, EQ);
        e.w.emit(op.i32Or);
      }
  }
  if (inverted) e.w.emit(op.i32Eqz);
}

/** Pushes CF as an i32 that is 0 or 1. */
export function pushCarry(e: Emitter): void {
  const { w } = e;
  if (e.state === DYNAMIC) {
    // In loops that count with INC and DEC the carry is mostly kept as it is.
    w.get(local.kind);
    w.i32(KIND_MASK & ~1);
    w.emit(op.i32And);
    w.i32(CC_INC);
    w.emit(op.i32Eq);
    w.if(I32);
    w.get(local.ccB);
    w.emit(op.i32WrapI64);
    w.i32(1);
    w.emit(op.i32And);
    w.else();
    flagsToMemory(e);
    w.get(local.cpu);
    w.call(service.getCarry);
    w.end();
    return;
  }
  if (!(e.state & (SPECIAL | ROTATED)) && knownCarry(e, new Operands(e))) return;
  flagsToMemory(e);
  w.get(local.cpu);
  w.call(service.getCarry);
}
