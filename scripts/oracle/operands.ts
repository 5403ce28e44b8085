/** Registers, addresses and immediates for one encoding of a form, and where its memory operand lies. */
import { CODE_ADDRESS, D0, D1, FS_BASE, GS_BASE, GUARD, RO } from '../../src/engine/cpu/testing/address-map.ts';
import { type Form, isString, letterIn, operandsOf, regOperand, rmOperand } from '../../src/engine/cpu/testing/forms.ts';
import { FX_BYTES, RBP, RSP } from '../../src/engine/cpu/testing/machine-state.ts';
import type { Random } from '../../src/engine/cpu/testing/random.ts';
import type { Row } from '../../src/engine/cpu/table/row.ts';
import { type Address, type Choice, HIGH_BYTE, type Segment, encodedDisplacement } from './encode.ts';

const WRAP = (1n << 64n) - 1n;

/** Bytes of an operand type at the form's size; 0 = only the handler knows. */
export function typeBytes(type: string, form: Form): number {
  switch (type) {
    case 'b':
      return 1;
    case 'w':
      return 2;
    case 'd':
    case 'ss':
      return 4;
    case 'q':
    case 'sd':
      return 8;
    case 'x':
      return 16;
    case 't':
      return 10;
    case 'y':
      return form.size === 8 ? 8 : 4;
    case 'z':
      return form.size === 2 ? 2 : 4;
    case 'v':
      return form.size;
    case 'p':
      return form.size + 2;
    default:
      return 0;
  }
}

/** Bytes that the memory operand of the form spans. */
export function memoryBytes(form: Form): number {
  const { opcode, extension, mnemonic } = form.row;
  const name = mnemonic.toLowerCase();
  if (/^fx(save|rstor)/.test(name)) return 512;
  if (name === 'fnsave' || name === 'frstor') return form.size === 2 ? 94 : 108;
  if (name === 'fnstenv' || name === 'fldenv') return form.size === 2 ? 14 : 28;
  if (opcode === '0F C7' && extension === 1) return form.size === 8 || form.row.rexw === 1 ? 16 : 8;
  const operand = rmOperand(form.row) ?? operandsOf(form.row).find(({ letter }) => letter === 'M' || letter === 'O');
  const bytes = operand === undefined ? 0 : typeBytes(operand.type, form);
  return bytes === 0 ? 16 : bytes;
}

/** Where a memory operand lies. */
export type Place =
  'inside' | 'crossing' | 'end' | 'missing' | 'crossing-missing' | 'read-only' | 'crossing-read-only' | 'not-canonical';

export const GOOD_PLACES: readonly Place[] = ['inside', 'inside', 'inside', 'crossing', 'end'];
export const FAULT_PLACES: readonly Place[] = ['missing', 'crossing-missing', 'read-only', 'crossing-read-only', 'not-canonical'];

/** Linear address of an operand of `bytes` bytes. `align` aligns places inside a page. */
export function placeAddress(place: Place, bytes: number, align: number, random: Random): bigint {
  let partly = 1 + random.below(Math.max(1, bytes - 1));
  // An FXSAVE image is checked for alignment before anything else.
  if (bytes === FX_BYTES && !random.oneIn(4)) partly = Math.max(16, partly & -16);
  switch (place) {
    case 'inside':
      return BigInt((D0 + 0x800 + random.below(0x300)) & -align);
    case 'crossing':
      return BigInt(D1 - partly);
    case 'end':
      return BigInt((GUARD - bytes) & -align);
    case 'missing':
      return BigInt((GUARD + random.below(0x800)) & -align);
    case 'crossing-missing':
      return BigInt(GUARD - partly);
    case 'read-only':
      return BigInt((RO + 0x100 + random.below(0x800)) & -align);
    case 'crossing-read-only':
      return BigInt(RO - partly);
    case 'not-canonical':
      return (random.pick([0x0000_8000n, 0xffff_7fffn, 0x8000_0000n, 0x1234_5678n]) << 32n) | BigInt((random.u32() & -64) >>> 0);
  }
}

export interface Encoded {
  readonly choice: Choice;
  /** Linear address of the memory operand that RIP-relative and absolute addresses fix; null = registers choose it. */
  readonly fixed: bigint | null;
}

function pickRegister(random: Random, avoid: ReadonlySet<number>): number {
  for (;;) {
    const number = random.below(16);
    if (!avoid.has(number)) return number;
  }
}

/** Address made of registers, a displacement and perhaps a segment; `avoid` are registers with another job. */
function pickAddress(
  random: Random,
  avoid: ReadonlySet<number>,
  fixedTarget: bigint,
  address32: boolean,
): { address: Address; segment: Segment | null } {
  const segment = random.oneIn(5) ? random.pick<Segment>(['fs', 'gs', 'ds', 'es', 'cs', 'ss']) : null;
  const base = pickRegister(random, avoid);
  const displacementBytes = random.pick([0, 1, 4] as const);
  const displacement =
    displacementBytes === 0 ? 0 : displacementBytes === 1 ? random.below(256) - 128 : (random.u32() | 0) >> random.below(24);
  switch (random.below(8)) {
    case 0:
      return {
        address: { base: 'rip', index: null, scale: 0, displacement: Number(fixedTarget), displacementBytes: 4 },
        segment: null,
      };
    case 1: {
      // absolute
      const position = segment === 'fs' ? fixedTarget - FS_BASE : segment === 'gs' ? fixedTarget - GS_BASE : fixedTarget;
      const low = Number(BigInt.asIntN(32, position));
      const within = BigInt(low) === BigInt.asIntN(64, position) && !(address32 && low < 0);
      return {
        address: { base: null, index: null, scale: 0, displacement: within ? low : Number(fixedTarget), displacementBytes: 4 },
        segment: within ? segment : null,
      };
    }
    case 2:
    case 3:
    case 4: {
      const index = pickRegister(random, new Set([...avoid, RSP, base]));
      const scale = random.pick([0, 1, 2, 3] as const);
      if (random.oneIn(4)) return { address: { base: null, index, scale, displacement, displacementBytes: 4 }, segment };
      return { address: { base, index, scale, displacement, displacementBytes }, segment };
    }
    default:
      return { address: { base, index: null, scale: 0, displacement, displacementBytes }, segment };
  }
}

function pickImmediate(type: string, form: Form, random: Random): bigint {
  const bits = BigInt(8 * (typeBytes(type, form) || 8));
  const mask = (1n << bits) - 1n;
  switch (random.below(4)) {
    case 0:
      return random.pick([0n, 1n, mask, mask >> 1n, (mask >> 1n) + 1n, 0x7fn & mask]);
    case 1:
      return BigInt(random.below(70)) & mask;
    default:
      return random.u64() & mask;
  }
}

/** Registers and addresses for one encoding. `fixedTarget` is the operand's address where the encoding itself holds it. */
export function pickOperands(form: Form, random: Random, avoid: ReadonlySet<number>, fixedTarget: bigint): Encoded {
  const { row } = form;
  const rmNotation = rmOperand(row);
  const regNotation = regOperand(row);
  const named = form.rm === 'memory' || operandsOf(row).some(({ letter }) => letter === 'O');
  const address32 = (named || usesAddressSize(row)) && random.oneIn(8);
  let segment: Segment | null = null;
  if (hasSegmentedPointer(row) && random.oneIn(5)) segment = random.pick<Segment>(['fs', 'gs']);
  let rm: number | Address = random.below(16);
  let fixed: bigint | null = null;
  let needsRex = form.size === 8 && row.default64 !== true;
  if (form.rm === 'memory') {
    const picked = pickAddress(random, avoid, fixedTarget, address32);
    rm = picked.address;
    segment = picked.segment;
    if (rm.base === 'rip' || (rm.base === null && rm.index === null)) fixed = fixedTarget;
    if ((typeof rm.base === 'number' && rm.base >= 8) || (rm.index !== null && rm.index >= 8)) needsRex = true;
  } else if (letterIn(rmNotation, 'ER') && rmNotation?.type === 'b' && !needsRex && random.oneIn(3)) {
    rm = HIGH_BYTE + random.below(4);
  }
  let reg = random.below(16);
  if (letterIn(regNotation, 'S')) reg = random.below(6);
  else if (letterIn(regNotation, 'C')) reg = random.pick([0, 2, 3, 4, 8]);
  else if (letterIn(regNotation, 'D')) reg = random.pick([0, 1, 2, 3, 6, 7]);
  if (regNotation?.letter === 'G' && regNotation.type === 'b') {
    // AH..BH go with AH..BH and registers that need no REX
    const rmNeedsRex =
      needsRex ||
      (typeof rm === 'number' && rm >= 4 && rm < HIGH_BYTE && rmNotation?.type === 'b') ||
      (typeof rm === 'number' && rm >= 8 && rm < HIGH_BYTE);
    if (!rmNeedsRex && random.oneIn(3)) reg = HIGH_BYTE + random.below(4);
    else if (typeof rm === 'number' && rm >= HIGH_BYTE) reg = random.below(4);
  } else if (typeof rm === 'number' && rm >= HIGH_BYTE && reg >= 8) reg &= 7;
  let opcodeRegister = random.below(16);
  const byteOpcode = operandsOf(row).some(({ letter, type }) => letter === 'Z' && type === 'b');
  if (byteOpcode && random.oneIn(3)) opcodeRegister = HIGH_BYTE + random.below(4);
  const immediates = operandsOf(row)
    .filter(({ letter }) => letter === 'I' || letter === 'J' || letter === 'O')
    .map(({ letter, type }) => (letter === 'O' ? fixedTarget : pickImmediate(type, form, random)));
  if (operandsOf(row).some(({ letter }) => letter === 'O')) fixed = fixedTarget;
  const high = [rm, reg, opcodeRegister].some((number) => typeof number === 'number' && number >= HIGH_BYTE);
  return {
    choice: { reg, rm, opcodeRegister, immediates, segment, address32, forceRex: !high && random.oneIn(12) },
    fixed,
  };
}

/** Instructions whose implicit pointer or counter follows the address size. */
function usesAddressSize(row: Row): boolean {
  return isString(row) || /^(D7|E[0-3]|0F F7)$/.test(row.opcode);
}

/** Instructions whose implicit pointer (RSI, RBX, RDI of MASKMOV) a segment prefix applies to. */
function hasSegmentedPointer(row: Row): boolean {
  return isString(row) || /^(D7|0F F7)$/.test(row.opcode);
}

export function segmentBase(segment: Segment | null): bigint {
  return segment === 'fs' ? FS_BASE : segment === 'gs' ? GS_BASE : 0n;
}

/**
 * Register values that make the address of `choice` come to `target`: the base's (or the lone index's) is returned, an index
 * keeps the value it has in `registers`. Null when no register value does it (alignment of a scaled index, fixed addresses).
 */
export function aim(choice: Choice, target: bigint, registers: BigUint64Array, random: Random): Map<number, bigint> | null {
  if (typeof choice.rm === 'number') return null;
  const { base, index, scale } = choice.rm;
  if (base === 'rip' || (base === null && index === null)) return null;
  const linear = target - segmentBase(choice.segment);
  if (choice.address32 && (linear & WRAP) > 0xffffffffn) return null;
  const values = new Map<number, bigint>();
  let rest = (target - segmentBase(choice.segment) - BigInt(encodedDisplacement(choice.rm))) & WRAP;
  if (base !== null) {
    if (index !== null) rest = (rest - ((registers[index] ?? 0n) << BigInt(scale))) & WRAP;
    if (choice.address32) rest = (rest & 0xffffffffn) | (random.u64() & ~0xffffffffn & WRAP);
    values.set(base, rest);
    return values;
  }
  if (index === null) return null;
  if ((rest & ((1n << BigInt(scale)) - 1n)) !== 0n) return null;
  if (choice.address32) {
    values.set(index, ((rest & 0xffffffffn) >> BigInt(scale)) | (random.u64() & ~0xffffffffn & WRAP));
    return values;
  }
  // bits above 64 - scale do not matter
  values.set(index, (rest >> BigInt(scale)) | ((random.u64() << BigInt(64 - scale)) & WRAP & (scale === 0 ? 0n : WRAP)));
  return values;
}

/** Whether the address is based on RSP or RBP, so that the stack segment is meant. */
export function usesStackSegment(choice: Choice): boolean {
  return typeof choice.rm !== 'number' && (choice.rm.base === RSP || choice.rm.base === RBP);
}

/** Places in the code region that no test program occupies: the first and last pages. */
export const LANDING_PAGES = 8;

export function landingAddress(random: Random): number {
  return CODE_ADDRESS + random.below(LANDING_PAGES * 4096);
}
