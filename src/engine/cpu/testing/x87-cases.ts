/**
 * The cases of the x87 comparison with a real CPU, made again from a seed wherever they are needed: only what the CPU answered is
 * kept (vectors/x87-operations.bin). A case is a row of the instruction table, a register number and a record in the layout of
 * scripts/oracle-x87.c.
 */
import { x87Rows } from '../table/x87.ts';
import type { Row } from '../table/row.ts';

export const RECORD_BYTES = 240;
export const RECORD_CODE = 1;
export const RECORD_AX = 14;
export const RECORD_FCW = 16;
export const RECORD_FSW = 18;
export const RECORD_FTW = 20;
export const RECORD_FOP = 22;
export const RECORD_MXCSR = 24;
export const RECORD_FLAGS = 28;
export const RECORD_ST = 32;
export const RECORD_MEMORY = 128;
export const MEMORY_BYTES = 112;

export interface X87Case {
  readonly row: Row;
  /** ModRM.rm of a register form. */
  readonly rm: number;
  readonly opsize: boolean;
  readonly record: Uint8Array;
}

function topOf(record: Uint8Array): number {
  return ((record[RECORD_FSW + 1] ?? 0) >> 3) & 7;
}

/**
 * Packs the records behind the cases: exclusive-or the records before them, registers by physical number, so that what has not
 * changed is zero; then by columns, so that bytes of the same place lie together.
 */
export function packOutcomes(cases: readonly X87Case[], after: readonly Uint8Array[]): Uint8Array {
  const columns = new Uint8Array(cases.length * RECORD_BYTES);
  after.forEach((outcome, row) => {
    const before = cases[row]?.record ?? outcome;
    for (let at = 0; at < RECORD_BYTES; at++) {
      columns[at * cases.length + row] = (outcome[at] ?? 0) ^ (before[counterpart(at, topOf(before), topOf(outcome))] ?? 0);
    }
  });
  return columns;
}

/** The reverse. */
export function unpackOutcome(cases: readonly X87Case[], columns: Uint8Array, row: number): Uint8Array {
  const before = cases[row]?.record ?? new Uint8Array(RECORD_BYTES);
  const outcome = before.map((byte, at) => byte ^ (columns[at * cases.length + row] ?? 0));
  const top = topOf(outcome);
  for (let at = RECORD_ST; at < RECORD_ST + 80; at++) {
    outcome[at] = (columns[at * cases.length + row] ?? 0) ^ (before[counterpart(at, topOf(before), top)] ?? 0);
  }
  return outcome;
}

/** Where the byte at `at` of a record with TOP `after` was in the record with TOP `before`. */
function counterpart(at: number, before: number, after: number): number {
  if (at < RECORD_ST || at >= RECORD_ST + 80) return at;
  const i = Math.floor((at - RECORD_ST) / 10);
  return RECORD_ST + 10 * ((i + after - before) & 7) + ((at - RECORD_ST) % 10);
}

/** A 64-bit linear congruential generator, of which only the high bits are used. */
class Random {
  private state: bigint;

  constructor(seed: bigint) {
    this.state = seed;
  }

  bits(count: number): bigint {
    let value = 0n;
    for (let have = 0; have < count; have += 32) {
      this.state = BigInt.asUintN(64, this.state * 6364136223846793005n + 1442695040888963407n);
      value = (value << 32n) | (this.state >> 32n);
    }
    return BigInt.asUintN(count, value);
  }

  below(limit: number): number {
    return Number(this.bits(32) % BigInt(limit));
  }

  oneOf<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }
}

/** An 80-bit value: sign and exponent above the 64-bit significand. */
function extended(se: number, significand: bigint): bigint {
  return (BigInt(se) << 64n) | significand;
}

const TOP = 1n << 63n;

/** Values at the edges of classes and conversions; each also occurs negated. */
const edges: readonly bigint[] = [
  extended(0, 0n),
  extended(0, 1n),
  extended(0, TOP - 1n),
  extended(0, TOP), // pseudo-denormal
  extended(0, TOP | 5n),
  extended(1, TOP),
  extended(1, TOP | 1n),
  extended(0x7ffe, 2n * TOP - 1n),
  extended(0x7ffe, TOP),
  extended(0x7fff, TOP), // infinity
  extended(0x7fff, TOP | 1n), // signalling NaN
  extended(0x7fff, TOP | 0x3fffffffffffffffn),
  extended(0x7fff, TOP | (1n << 62n)), // quiet NaN
  extended(0x7fff, TOP | (1n << 62n) | 12345n),
  extended(0x7fff, 0n), // pseudo-infinity
  extended(0x7fff, 7n), // pseudo-NaN
  extended(0x4000, 1n), // unnormal
  extended(0x3fff, TOP), // 1
  extended(0x3fff, TOP | 1n),
  extended(0x3ffe, 2n * TOP - 1n),
  extended(0x3ffe, TOP), // 1/2
  extended(0x3ffe, TOP | 1n),
  extended(0x3fff, TOP | (TOP >> 1n)), // 3/2
  extended(0x4000, TOP),
  extended(0x4000, TOP | (TOP >> 1n)),
  extended(0x4000, 0xc90fdaa22168c235n), // pi
  extended(0x400d, 0xfffe000000000000n), // 32767
  extended(0x400d, 0xffff000000000000n), // 32767.5
  extended(0x400e, TOP),
  extended(0x401d, 0xfffffffe00000000n), // 2^31 - 1
  extended(0x401d, 0xffffffff00000000n),
  extended(0x401e, TOP),
  extended(0x403d, 2n * TOP - 2n), // 2^63 - 1
  extended(0x403d, 2n * TOP - 1n),
  extended(0x403e, TOP),
  extended(0x403a, 0xde0b6b3a763ffff0n), // 10^18 - 1
  extended(0x403a, 0xde0b6b3a763ffff8n), // 10^18 - 1/2
  extended(0x403a, 0xde0b6b3a76400000n),
  extended(0x3f80, TOP), // 2^-127
  extended(0x3f81, TOP),
  extended(0x3f80, 2n * TOP - 1n),
  extended(0x407e, 0xffffff0000000000n), // largest binary32
  extended(0x407e, 0xffffff8000000000n),
  extended(0x3f69, TOP),
  extended(0x3c00, 2n * TOP - 1n),
  extended(0x3c01, TOP),
  extended(0x43fe, 0xfffffffffffff800n), // largest binary64
  extended(0x43fe, 0xfffffffffffffc00n),
  extended(0x3bcd, TOP),
];

/** Biased towards edges, near-equal exponents, short and all-ones significands. */
function anyExtended(random: Random): bigint {
  const sign = random.bits(1) << 79n;
  if (random.below(3) === 0) return random.oneOf(edges) | sign;
  let exponent = BigInt(0x3fff + random.below(140) - 70);
  const kind = random.below(10);
  if (kind === 0) exponent = random.bits(15);
  if (kind === 1) exponent = BigInt(random.below(70));
  if (kind === 2) exponent = BigInt(0x7ffe - random.below(70));
  let significand = random.bits(64);
  const shape = random.below(6);
  if (shape === 0) significand &= ~((1n << BigInt(random.below(63))) - 1n);
  if (shape === 1) significand |= (1n << BigInt(random.below(63))) - 1n;
  if (shape === 2) significand = random.bits(3);
  if (exponent !== 0n && random.below(40) !== 0) significand |= TOP;
  return sign | (exponent << 64n) | significand;
}

function floating(random: Random, exponentBits: number, fractionBits: number): bigint {
  const ones = (1n << BigInt(exponentBits)) - 1n;
  const bias = ones >> 1n;
  const exponent = random.oneOf([
    0n,
    0n,
    1n,
    bias - 1n,
    bias,
    bias,
    bias + 1n,
    bias + 40n,
    ones - 1n,
    ones,
    random.bits(exponentBits),
  ]);
  let fraction = random.bits(fractionBits);
  const shape = random.below(5);
  if (shape === 0) fraction = 0n;
  if (shape === 1) fraction = random.bits(2);
  if (shape === 2) fraction = (1n << BigInt(fractionBits)) - 1n - random.bits(1);
  return (random.bits(1) << BigInt(exponentBits + fractionBits)) | (exponent << BigInt(fractionBits)) | fraction;
}

function integer(random: Random, bits: number): bigint {
  const top = 1n << BigInt(bits - 1);
  return random.oneOf([0n, 1n, 2n * top - 1n, top, top - 1n, random.bits(bits), random.bits(bits), random.bits(4)]);
}

function decimal(random: Random): bigint {
  let value = random.bits(1) << 79n;
  const digits = random.below(19);
  for (let i = 0; i < digits; i++) value |= BigInt(random.below(10)) << BigInt(4 * i);
  return value;
}

function writeBytes(record: Uint8Array, at: number, value: bigint, bytes: number): void {
  for (let i = 0; i < bytes; i++) record[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
}

/** A memory operand such as the row's handler reads, by the handler's name. */
function memoryOperand(random: Random, row: Row, opsize: boolean, record: Uint8Array): void {
  const put = (value: bigint, bytes: number): void => writeBytes(record, RECORD_MEMORY, value, bytes);
  const handler = row.handler;
  if (/F32|^fld32/.test(handler)) put(floating(random, 8, 23), 4);
  else if (/F64|^fld64/.test(handler)) put(floating(random, 11, 52), 8);
  else if (/fld80/.test(handler)) put(anyExtended(random), 10);
  else if (/(I16|ficom16|fild16)$/.test(handler)) put(integer(random, 16), 2);
  else if (/(I32|ficom32|fild32)$/.test(handler)) put(integer(random, 32), 4);
  else if (handler === 'fild64') put(integer(random, 64), 8);
  else if (handler === 'fbld') put(decimal(random), 10);
  else if (handler === 'fldcw') put(random.bits(16) | 0x3fn, 2);
  else if (handler === 'fldenv' || handler === 'frstor') {
    const words = opsize ? 2 : 4;
    writeBytes(record, RECORD_MEMORY, controlWord(random, true), 2);
    writeBytes(record, RECORD_MEMORY + words, random.bits(16) & 0x7f7fn, 2);
    writeBytes(record, RECORD_MEMORY + 2 * words, random.bits(16), 2);
    if (handler === 'frstor')
      for (let i = 0; i < 8; i++) writeBytes(record, RECORD_MEMORY + 7 * words + 10 * i, anyExtended(random), 10);
  } else record.fill(0x5a, RECORD_MEMORY);
}

/** Mostly the default; else any rounding, any precision but the reserved one, and sometimes unmasked exceptions. */
function controlWord(random: Random, masked: boolean): bigint {
  if (random.below(3) === 0) return 0x37fn;
  const precision = random.oneOf([0n, 2n, 3n, 3n]);
  const masks = masked || random.below(4) !== 0 ? 0x3fn : random.bits(6);
  return 0x40n | masks | (precision << 8n) | (random.bits(2) << 10n);
}

/** Operands that a transcendental function is defined for, so that two CPUs can agree within their error bounds. */
function transcendentalOperands(random: Random, handler: string, record: Uint8Array): void {
  const near = (low: number, high: number): bigint =>
    (random.bits(1) << 79n) | (BigInt(0x3fff + low + random.below(high - low + 1)) << 64n) | random.bits(63) | TOP;
  const positive = (value: bigint): bigint => BigInt.asUintN(79, value);
  let x = near(-8, 6);
  let y = near(-8, 8);
  if (handler === 'f2xm1') x = near(-70, -1);
  else if (handler === 'fyl2xp1') x = near(-70, -3);
  else if (handler === 'fyl2x') x = positive(random.below(2) ? near(-300, 300) : near(-1, 0));
  else if (handler === 'fpatan') {
    x = near(-40, 40);
    y = near(-40, 40);
  } else x = random.below(4) ? near(-20, 8) : near(9, 62);
  writeBytes(record, RECORD_ST, x, 10);
  writeBytes(record, RECORD_ST + 10, y, 10);
}

const transcendental = /^(f2xm1|fyl2x|fyl2xp1|fpatan|fptan|fsin|fcos|fsincos)$/;
/** Instructions that run with an exception pending. */
const nonWaiting = /^(fninit|fnclex|fnstsw|fnstswAx|fnstcw|fnstenv|fnsave|fnopObsolete)$/;

function makeCase(random: Random, row: Row): X87Case {
  const record = new Uint8Array(RECORD_BYTES);
  const rm = row.rm ?? random.below(8);
  const hasEnvironment = /^(fldenv|fnstenv|fnsave|frstor)$/.test(row.handler);
  const opsize = hasEnvironment && random.below(3) === 0;
  const modrm = (row.mod === 'register' ? 0xc0 | rm : 6) | ((row.extension ?? 0) << 3);
  const code = row.opcode === '9B' ? [0x9b] : [...(opsize ? [0x66] : []), parseInt(row.opcode, 16), modrm];
  record.set([code.length, ...code]);

  let control = controlWord(random, false);
  // Two CPUs may differ in whether the result of these is inexact or tiny.
  if (transcendental.test(row.handler)) control |= 0x30n;
  writeBytes(record, RECORD_FCW, control, 2);
  let status = random.bits(16) & 0x7f7fn;
  // Now and then an exception is pending, and a waiting instruction traps.
  if (!nonWaiting.test(row.handler) && random.below(50) !== 0) status &= ~0x3fn | control;
  if (random.below(2)) status &= 0x3800n;
  if (status & ~control & 0x3fn) status |= 0x8080n;
  writeBytes(record, RECORD_FSW, status, 2);
  // A push needs ST(7) empty: mostly grant it, and mostly have the other registers in use.
  const top = Number(status >> 11n) & 7;
  let inUse = 0xff;
  if (random.below(8) === 0) inUse = Number(random.bits(8));
  else if (random.below(12) !== 0) inUse &= ~(1 << ((top + 7) & 7));
  record[RECORD_FTW] = inUse;
  writeBytes(record, RECORD_MXCSR, 0x1f80n, 4);
  writeBytes(record, RECORD_FLAGS, random.bits(12) & 0x8d5n, 4);
  for (let i = 0; i < 8; i++) writeBytes(record, RECORD_ST + 10 * i, anyExtended(random), 10);
  if (transcendental.test(row.handler) && random.below(4) !== 0) transcendentalOperands(random, row.handler, record);
  if (row.mod === 'memory') memoryOperand(random, row, opsize, record);
  return { row, rm, opsize, record };
}

/** How many cases a row is worth. */
function weight(row: Row): number {
  if (/^(fnsave|frstor)$/.test(row.handler)) return 30;
  if (transcendental.test(row.handler)) return 300;
  if (/^(arithmeticTop|fprem1?|fscale|fsqrt|frndint)$/.test(row.handler)) return 300;
  if (/^(arithmetic|fcomRegister|fcomi$|fst|fist|fcom|ficom|fbstp)/.test(row.handler)) return 160;
  return 80;
}

/** All cases; `scale` multiplies their number. The committed vectors are those of scale 1 and seed 1. */
export function* x87Cases(seed = 1, scale = 1): Generator<X87Case> {
  const random = new Random(BigInt(seed));
  for (const row of x87Rows) {
    if (row.opcode === '0F AE') continue;
    for (let i = 0; i < weight(row) * scale; i++) yield makeCase(random, row);
  }
}
