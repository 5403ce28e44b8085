/**
 * The state a test starts from, as a function of a seed and the kind of values wanted, and the patterns that fill the data
 * pages. Changing anything here changes every vector's input: the vector files hold a digest of their inputs to notice that.
 */
import { DATA_PAGES } from './address-map.ts';
import {
  ARITHMETIC_FLAGS,
  FLAGS_BASE,
  FLAG_DF,
  FX_BYTES,
  FX_FCW,
  FX_FSW,
  FX_FTW,
  FX_MXCSR,
  FX_ST,
  FX_XMM,
  FX_XMM_END,
  type MachineState,
  newState,
  writeU16,
  writeU32,
} from './machine-state.ts';
import { Random } from './random.ts';
import { type Flavour, fillValues, integer64, writeFloat80 } from './values.ts';
import { type Case, type MemoryChange, OVERRIDE_RFLAGS } from './vectors.ts';

const PAGE_SEED = 0x77656278;

/** Contents of the data pages before a test's patches, concatenated. */
export function basePages(): Uint8Array {
  const pages = new Uint8Array(DATA_PAGES.length * 4096);
  new Random(PAGE_SEED).fill(pages);
  return pages;
}

/** Bytes of an operand in memory. */
export function patchBytes(seed: number, flavour: Flavour, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const random = new Random(seed ^ 0x6d656d);
  random.fill(bytes);
  fillValues(random, flavour, bytes);
  return bytes;
}

export function inputState(seed: number, flavour: Flavour): MachineState {
  const random = new Random(seed);
  const state = newState();
  for (let number = 0; number < 16; number++) state.gpr[number] = integer64(random);
  state.rflags = FLAGS_BASE | (random.u32() & ARITHMETIC_FLAGS) | (random.oneIn(8) ? FLAG_DF : 0);

  const fx = state.fx;
  // Mostly the control words that programs run with; every rounding mode, DAZ and FTZ often enough.
  writeU32(fx, FX_MXCSR, random.oneIn(2) ? 0x1f80 : 0x1f80 | (random.below(4) << 13) | (random.u32() & 0x803f));
  if (random.oneIn(6)) fx[FX_MXCSR] = (fx[FX_MXCSR] ?? 0) | 0x40; // DAZ
  const precision = random.pick([0, 2, 3, 3, 3]);
  writeU16(fx, FX_FCW, 0x7f | (precision << 8) | ((random.oneIn(2) ? 0 : random.below(4)) << 10));
  writeU16(fx, FX_FSW, (random.below(8) << 11) | (random.u32() & 0x4700) | (random.oneIn(2) ? 0 : random.u32() & 0x3f));
  fx[FX_FTW] = random.oneIn(4) ? random.u32() & 0xff : 0xff;
  for (let register = 0; register < 8; register++) {
    if (flavour === 'f80') writeFloat80(random, fx, FX_ST + 16 * register);
    else {
      fillValues(random, flavour, fx.subarray(FX_ST + 16 * register, FX_ST + 16 * register + 8));
      writeU16(fx, FX_ST + 16 * register + 8, 0xffff);
    }
  }
  for (let register = 0; register < 16; register++) {
    const at = FX_XMM + 16 * register;
    fillValues(random, flavour === 'f80' || flavour === 'bcd' ? 'int64' : flavour, fx.subarray(at, at + 16));
  }
  return state;
}

/** What a case starts from: the seeded state with the case's overrides, the data pages with its patches. */
export interface PreparedInput {
  readonly state: MachineState;
  /** Patches of the data pages, resolved to bytes. */
  readonly memory: readonly MemoryChange[];
}

export function prepareInput(test: Pick<Case, 'seed' | 'flavour' | 'overrides' | 'patches'>, address: number): PreparedInput {
  const state = inputState(test.seed, test.flavour);
  state.rip = BigInt(address);
  for (const { register, value } of test.overrides) {
    if (register === OVERRIDE_RFLAGS) state.rflags = Number(value);
    else state.gpr[register] = value;
  }
  const memory: MemoryChange[] = [];
  for (const [index, patch] of test.patches.entries()) {
    const bytes = typeof patch.content === 'string' ? patchBytes(test.seed + index, patch.content, patch.length) : patch.content;
    if (patch.address < FX_BYTES) state.fx.set(bytes, patch.address);
    else memory.push({ address: patch.address, bytes });
  }
  return { state, memory };
}

/** FNV-1a over the bytes of an input, carried on from `digest`. */
export function digestInput(digest: number, input: PreparedInput): number {
  let hash = digest;
  const add = (bytes: Uint8Array): void => {
    for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  };
  add(new Uint8Array(input.state.gpr.buffer));
  add(input.state.fx.subarray(0, FX_XMM_END));
  hash = Math.imul(hash ^ input.state.rflags, 0x01000193) >>> 0;
  for (const change of input.memory) add(change.bytes);
  return hash;
}

export const DIGEST_START = 0x811c9dc5;
