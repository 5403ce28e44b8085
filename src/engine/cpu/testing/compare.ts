/** Compares what the core did with what a vector says, within what the manual leaves open. */
import {
  ARITHMETIC_FLAGS,
  FX_FSW,
  FX_MXCSR,
  FX_ST,
  FX_XMM,
  type Fault,
  type MachineState,
  readU16,
  readU32,
  readU64,
} from './machine-state.ts';
import type { PreparedInput } from './input.ts';
import { dataOffset } from './address-map.ts';
import type { Case } from './vectors.ts';

/** What the core did with a test. */
export interface CoreOutcome {
  readonly state: MachineState;
  /** Null when the program came to a HLT that is not its own. */
  readonly fault: Fault | null;
  /** Data pages, concatenated in the order of DATA_PAGES. */
  readonly pages: Uint8Array;
}

type Approximation = 'reciprocal' | 'transcendental';

/** Instructions whose results the manual bounds instead of fixing them. */
export function approximationOf(mnemonic: string): Approximation | null {
  if (/^(rcp|rsqrt)[ps]s$/.test(mnemonic)) return 'reciprocal';
  if (/^(fsin|fcos|fsincos|fptan|fpatan|fyl2x|fyl2xp1|f2xm1)$/.test(mnemonic)) return 'transcendental';
  return null;
}

/** RCPPS and RSQRTPS: relative error below 1.5 * 2^-12 each, so twice that between two CPUs (SDM Vol. 2B, RCPPS). */
const RECIPROCAL_BOUND = 3 / 4096;

const floats = new DataView(new ArrayBuffer(4));

function float32(bits: number): number {
  floats.setUint32(0, bits);
  return floats.getFloat32(0);
}

function nearFloat32(actual: number, expected: number): boolean {
  if (actual === expected) return true;
  const a = float32(actual);
  const e = float32(expected);
  if (!Number.isFinite(a) || !Number.isFinite(e) || e === 0) return false;
  return Math.abs(a - e) <= Math.abs(e) * RECIPROCAL_BOUND;
}

/** Units in the last place that x87 transcendentals may be off (SDM Vol. 1, 8.3.10: within 1 ulp; two CPUs, so twice). */
const TRANSCENDENTAL_ULPS = 2n;
/**
 * Beyond that, an error of the argument's reduction: pi is taken with 66 bits on the CPUs that the manual describes (SDM Vol. 1,
 * 8.3.8), with more on others; relative to the argument that is 2^-65 or so, and shows when the result is small.
 */
const REDUCTION_BITS = 62;

function nearFloat80(actual: Uint8Array, expected: Uint8Array, argument: Uint8Array): boolean {
  const [actualSign, actualExponent] = [readU16(actual, 8) & 0x8000, readU16(actual, 8) & 0x7fff];
  const [expectedSign, expectedExponent] = [readU16(expected, 8) & 0x8000, readU16(expected, 8) & 0x7fff];
  const actualSignificand = readU64(actual, 0);
  const expectedSignificand = readU64(expected, 0);
  if (actualSign === expectedSign && actualExponent === expectedExponent && actualSignificand === expectedSignificand) return true;
  if (actualExponent === 0x7fff || expectedExponent === 0x7fff) return false;
  const low = Math.min(actualExponent, expectedExponent);
  if (Math.abs(actualExponent - expectedExponent) > 200) return false;
  const a = (actualSign ? -actualSignificand : actualSignificand) << BigInt(actualExponent - low);
  const e = (expectedSign ? -expectedSignificand : expectedSignificand) << BigInt(expectedExponent - low);
  const difference = a > e ? a - e : e - a; // in units of 2^(low - 16383 - 63)
  if (difference <= TRANSCENDENTAL_ULPS << BigInt(expectedExponent - low)) return true;
  const argumentExponent = readU16(argument, 8) & 0x7fff;
  const allowed = argumentExponent - REDUCTION_BITS - (low - 63);
  return allowed > 0 && difference < 1n << BigInt(allowed);
}

/** The state that the vector expects: the input with the outcome's changes. */
function expectedState(input: PreparedInput, test: Case, end: number): MachineState {
  const state: MachineState = {
    gpr: input.state.gpr.slice(),
    rip: BigInt.asUintN(64, BigInt(end) + test.outcome.ripDelta),
    rflags: test.outcome.rflags,
    fx: input.state.fx.slice(),
  };
  for (const { register, value } of test.outcome.registers) state.gpr[register] = value;
  for (const change of test.outcome.fx) state.fx.set(change.bytes, change.address);
  return state;
}

const REGISTER_NAMES = [
  'rax',
  'rcx',
  'rdx',
  'rbx',
  'rsp',
  'rbp',
  'rsi',
  'rdi',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
];

const hex = (value: bigint | number): string => value.toString(16);

function hexBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

function faultText(fault: Fault | null): string {
  if (fault === null) return 'no fault';
  return `vector ${fault.vector} error ${hex(fault.error)}${fault.vector === 14 ? ` at ${hex(fault.address)}` : ''}`;
}

/** Saved states are larger than one access; which byte of the missing page CR2 names is then up to the CPU. */
const STATE_IMAGES = /^(fxsave|fxrstor|fnsave|frstor|fnstenv|fldenv)/;

function sameFault(mnemonic: string, actual: Fault | null, expected: Fault | null): boolean {
  if (actual === null || expected === null) return actual === expected;
  if (actual.vector !== expected.vector || actual.error !== expected.error) return false;
  if (expected.vector !== 14) return true;
  if (STATE_IMAGES.test(mnemonic)) return actual.address >> 12n === expected.address >> 12n;
  return actual.address === expected.address;
}

/** Exceptions a transcendental may or may not raise besides its result: precision, underflow, and C1 that says how it rounded. */
const TRANSCENDENTAL_STATUS = 0x230;

/**
 * Differences between `actual` and what `test` expects, each a line; none = the core is right.
 * `end` is the address behind the code, `expectedPages` what the data pages must hold.
 */
export function differences(
  mnemonic: string,
  input: PreparedInput,
  test: Case,
  end: number,
  actual: CoreOutcome,
  expectedPages: Uint8Array,
): string[] {
  const found: string[] = [];
  const expected = expectedState(input, test, end);
  if (!sameFault(mnemonic, actual.fault, test.outcome.fault))
    found.push(`fault: ${faultText(actual.fault)}, expected ${faultText(test.outcome.fault)}`);
  if (actual.state.rip !== expected.rip) found.push(`rip: ${hex(actual.state.rip)}, expected ${hex(expected.rip)}`);
  const flagsMask = ~(test.undefinedFlags & ARITHMETIC_FLAGS);
  const flagsDifference = (actual.state.rflags ^ expected.rflags) & flagsMask;
  if (flagsDifference !== 0) {
    found.push(`rflags: ${hex(actual.state.rflags)}, expected ${hex(expected.rflags)} (bits ${hex(flagsDifference)} differ)`);
  }
  for (const [register, name] of REGISTER_NAMES.entries()) {
    const a = actual.state.gpr[register] ?? 0n;
    const e = expected.gpr[register] ?? 0n;
    if (a !== e) found.push(`${name}: ${hex(a)}, expected ${hex(e)}`);
  }
  compareVectors(mnemonic, input, test, actual.state.fx, expected.fx, found);
  const ignored = (at: number): boolean =>
    test.ignored.some(({ address, length }) => at >= dataOffset(address) && at < dataOffset(address) + length);
  for (let at = 0, told = 0; at < expectedPages.length && told < 4; at++) {
    if (actual.pages[at] === expectedPages[at] || ignored(at)) continue;
    told++;
    found.push(
      `memory ${hex(at)}: ${hexBytes(actual.pages.slice(at, at + 16))}, expected ${hexBytes(expectedPages.slice(at, at + 16))}`,
    );
    at = (at | 15) + 1;
  }
  return found;
}

function compareVectors(
  mnemonic: string,
  input: PreparedInput,
  test: Case,
  actual: Uint8Array,
  expected: Uint8Array,
  found: string[],
): void {
  const approximation = approximationOf(mnemonic);
  if (readU16(actual, 0) !== readU16(expected, 0))
    found.push(`fcw: ${hex(readU16(actual, 0))}, expected ${hex(readU16(expected, 0))}`);
  const statusMask = ~(test.undefinedStatus | (approximation === 'transcendental' ? TRANSCENDENTAL_STATUS : 0));
  if (((readU16(actual, FX_FSW) ^ readU16(expected, FX_FSW)) & statusMask) !== 0) {
    found.push(
      `fsw: ${hex(readU16(actual, FX_FSW))}, expected ${hex(readU16(expected, FX_FSW))} (compared ${hex(statusMask & 0xffff)})`,
    );
  }
  if (actual[4] !== expected[4]) found.push(`ftw: ${hex(actual[4] ?? 0)}, expected ${hex(expected[4] ?? 0)}`);
  if (readU32(actual, FX_MXCSR) !== readU32(expected, FX_MXCSR)) {
    found.push(`mxcsr: ${hex(readU32(actual, FX_MXCSR))}, expected ${hex(readU32(expected, FX_MXCSR))}`);
  }
  const argument = input.state.fx.subarray(FX_ST, FX_ST + 10);
  for (let register = 0; register < 8; register++) {
    const at = FX_ST + 16 * register;
    const a = actual.subarray(at, at + 10);
    const e = expected.subarray(at, at + 10);
    if (a.every((byte, index) => byte === e[index])) continue;
    if (approximation === 'transcendental' && nearFloat80(a, e, argument)) continue;
    found.push(
      `st(${register}): ${hex(readU16(a, 8))}:${hex(readU64(a, 0))}, expected ${hex(readU16(e, 8))}:${hex(readU64(e, 0))}`,
    );
  }
  for (let register = 0; register < 16; register++) {
    const at = FX_XMM + 16 * register;
    const a = actual.subarray(at, at + 16);
    const e = expected.subarray(at, at + 16);
    if (a.every((byte, index) => byte === e[index])) continue;
    if (approximation === 'reciprocal' && [0, 4, 8, 12].every((lane) => nearFloat32(readU32(a, lane), readU32(e, lane)))) continue;
    found.push(`xmm${register}: ${hexBytes(a)}, expected ${hexBytes(e)}`);
  }
}
