/**
 * Random programs of 20 to 50 instructions, run as a loop of a few rounds: what single instructions cannot show (flags left
 * lazily by one and read by another, operations fused by the decoder, blocks entered again).
 *
 * R12 points into the data pages, R13 is a small index, R15 counts the rounds and RSP is a stack; no instruction writes them.
 * Flags that the manual leaves undefined are tracked: whoever reads such a flag gets a CMP in front.
 */
import { D0, D1 } from '../../src/engine/cpu/testing/address-map.ts';
import { type Form, formsOf, isVector, letterIn, operandsOf, regOperand, rmOperand } from '../../src/engine/cpu/testing/forms.ts';
import {
  ARITHMETIC_FLAGS,
  FLAG_AF,
  FLAG_CF,
  FLAG_OF,
  FLAG_PF,
  FLAG_SF,
  FLAG_ZF,
  RSP,
} from '../../src/engine/cpu/testing/machine-state.ts';
import type { Random } from '../../src/engine/cpu/testing/random.ts';
import type { Row } from '../../src/engine/cpu/table/row.ts';
import type { EncodingDraft, SlotAllocator } from './cases.ts';
import { type Address, DEFAULT_CHOICE, HIGH_BYTE, encode } from './encode.ts';
import { memoryBytes, typeBytes } from './operands.ts';
import { isNative } from './scope.ts';
import { undefinedFlags } from './undefined.ts';

const DATA_POINTER = 12;
const INDEX = 13;
const ROUNDS = 15;
const RESERVED = new Set([RSP, DATA_POINTER, INDEX, ROUNDS]);

/** General instructions without implicit memory, faults or transfers of control. */
const GENERAL = new RegExp(
  '^(0[0-5]|0[89A-D]|1[0-5]|1[89A-D]|2[0-5]|2[89A-D]|3[0-5]|3[89A-D]|63|69|6B|8[013]|8[4-9AB]|8D|98|99|9E|9F|A[89]|B[08]\\+r' +
    '|C[0167]|D[0-3]|F[568C9]|F[67]|FE|FF|50\\+r|58\\+r|9C|0F 4[0-9A-F]|0F 9[0-9A-F]|0F A[345BCDF]|0F B[01367ABCDEF]|0F C[01]|0F C8\\+r|0F B8)$',
);

function isProgramForm(form: Form): boolean {
  const { row } = form;
  if (!isNative(form)) return false;
  if (isVector(row)) {
    // Results that CPUs may differ in, and stores through RDI, stay out.
    if (/^(rcp|rsqrt|maskmov|ldmxcsr|fx)/.test(row.mnemonic) || form.row.prefix === undefined) return false;
    const mmx = operandsOf(row).some((operand) => letterIn(operand, 'PQN'));
    return !mmx;
  }
  if (!GENERAL.test(row.opcode)) return false;
  const { opcode, extension } = row;
  if (opcode === 'F6' || opcode === 'F7') return extension !== 6 && extension !== 7;
  if (opcode === 'FF') return extension === 0 || extension === 1;
  if (/^0F (A3|AB|B3|BB)$/.test(opcode) && form.rm === 'memory') return false; // the offset reaches anywhere
  if (/^0F A[5D]$/.test(opcode) && form.size === 2) return false; // undefined results
  if (/^0F A[4C]$/.test(opcode) && form.size === 2) return false;
  if (/^(50|58)\+r$/.test(opcode)) return form.size === 8;
  return true;
}

/** Arithmetic flags that the form reads. */
function flagsRead(form: Form): number {
  const { opcode, extension, mnemonic } = form.row;
  if (/^(1[0-5]|1[89A-D])$/.test(opcode)) return FLAG_CF;
  if (/^8[013]$/.test(opcode) && (extension === 2 || extension === 3)) return FLAG_CF;
  if (/^(C[01]|D[0-3])$/.test(opcode) && (extension === 2 || extension === 3)) return FLAG_CF;
  if (opcode === 'F5') return FLAG_CF;
  if (opcode === '9F' || opcode === '9C') return ARITHMETIC_FLAGS;
  if (/^(0F 4|0F 9)[0-9A-F]$/.test(opcode) && /^(cmov|set)/.test(mnemonic)) return ARITHMETIC_FLAGS;
  return 0;
}

/** Arithmetic flags that the form defines for certain, whatever its operands. */
function flagsDefined(form: Form): number {
  const { opcode, extension, mnemonic } = form.row;
  const status = FLAG_OF | FLAG_SF | FLAG_ZF | FLAG_PF | FLAG_CF;
  if (/^(add|adc|sub|sbb|cmp|neg|xadd|cmpxchg|popcnt)$/.test(mnemonic)) return ARITHMETIC_FLAGS;
  if (/^(and|or|xor|test)$/.test(mnemonic)) return status;
  if (/^(inc|dec)$/.test(mnemonic)) return ARITHMETIC_FLAGS & ~FLAG_CF;
  if (/^(mul|imul)$/.test(mnemonic)) return FLAG_CF | FLAG_OF;
  if (/^bt[src]?$/.test(mnemonic)) return FLAG_CF;
  if (opcode === '0F BC' || opcode === '0F BD') return FLAG_ZF;
  if (opcode === 'F8' || opcode === 'F9') return FLAG_CF;
  if (opcode === '9E') return FLAG_SF | FLAG_ZF | FLAG_AF | FLAG_PF | FLAG_CF;
  if (/^D[01]$/.test(opcode)) return (extension ?? 0) < 4 ? FLAG_CF | FLAG_OF : status;
  if (/^u?comis[sd]$|^ptest$|^pcmp[ei]str/.test(mnemonic)) return ARITHMETIC_FLAGS;
  return 0;
}

/** Flags left undefined with operands unknown: the worst case over counts. */
function flagsUndefined(form: Form, immediate: number): number {
  if (/^(D2|D3|0F A5|0F AD)$/.test(form.row.opcode)) return FLAG_OF | FLAG_AF | FLAG_CF;
  return undefinedFlags(form, immediate, 0, true);
}

function pickFree(random: Random, limit = 16): number {
  for (;;) {
    const register = random.below(limit);
    if (!RESERVED.has(register)) return register;
  }
}

function pickByteRegister(random: Random, plain: boolean): number {
  // SPL must not be written; AH..BH only without REX
  if (plain && random.oneIn(3)) return HIGH_BYTE + random.below(4);
  return plain ? random.below(4) : pickFree(random);
}

function programAddress(form: Form, random: Random, address: number): Address {
  const bytes = Math.max(memoryBytes(form), 1);
  const step = bytes >= 16 ? 16 : 1;
  const displacement = (random.below(0x100) - 0x80) & -step;
  switch (random.below(6)) {
    case 0:
      return { base: 'rip', index: null, scale: 0, displacement: (D0 + 0x800 + random.below(0x300)) & -step, displacementBytes: 4 };
    case 1:
      return { base: null, index: null, scale: 0, displacement: (D0 + 0x800 + (address & 0xff)) & -step, displacementBytes: 4 };
    case 2:
    case 3:
      return {
        base: DATA_POINTER,
        index: INDEX,
        scale: random.pick([0, 1, 2, 3] as const),
        displacement,
        displacementBytes: random.pick([1, 4] as const),
      };
    default:
      return { base: DATA_POINTER, index: null, scale: 0, displacement, displacementBytes: random.pick([1, 4] as const) };
  }
}

interface Instruction {
  readonly bytes: Uint8Array;
  readonly form: Form;
  readonly immediate: number;
}

function pickInstruction(form: Form, random: Random, address: number): Instruction {
  const byteNamed = operandsOf(form.row).some(({ letter, type }) => type === 'b' && (letter === 'E' || letter === 'G'));
  const plain = byteNamed && form.size !== 8 && form.rm === 'register';
  const rmByte = letterIn(rmOperand(form.row), 'ER') && rmOperand(form.row)?.type === 'b';
  const regByte = letterIn(regOperand(form.row), 'G') && regOperand(form.row)?.type === 'b';
  const vectorReg = letterIn(regOperand(form.row), 'V');
  const vectorRm = letterIn(rmOperand(form.row), 'WU');
  let reg = vectorReg ? random.below(16) : regByte ? pickByteRegister(random, plain) : pickFree(random, plain ? 4 : 16);
  if (form.rm === 'memory' && regByte) reg = pickFree(random);
  const rm =
    form.rm === 'memory'
      ? programAddress(form, random, address)
      : vectorRm
        ? random.below(16)
        : rmByte
          ? pickByteRegister(random, plain)
          : pickFree(random, plain ? 4 : 16);
  const immediates = operandsOf(form.row)
    .filter(({ letter }) => letter === 'I')
    .map(({ type }) => random.u64() & ((1n << BigInt(8 * (typeBytes(type, form) || 8))) - 1n));
  const choice = { ...DEFAULT_CHOICE, reg, rm, opcodeRegister: pickFree(random), immediates };
  const bytes = encode(form, choice, address);
  return { bytes, form, immediate: Number((immediates[immediates.length - 1] ?? 0n) & 0xffn) };
}

interface Palette {
  readonly general: readonly Form[];
  readonly vector: readonly Form[];
  /** Jcc with an 8-bit displacement, by condition. */
  readonly jump: readonly Form[];
  readonly compare: Form;
  readonly subtractImmediate: Form;
}

export function paletteOf(rows: readonly Row[]): Palette {
  const forms = rows.flatMap(formsOf);
  const usable = forms.filter(isProgramForm);
  const find = (wanted: (form: Form) => boolean): Form => {
    const form = forms.find(wanted);
    if (form === undefined) throw new Error('the instruction table lacks a form that every program needs');
    return form;
  };
  return {
    general: usable.filter((form) => !isVector(form.row)),
    vector: usable.filter((form) => isVector(form.row)),
    jump: forms.filter((form) => /^7[0-9A-F]$/.test(form.row.opcode)),
    compare: find((form) => form.row.opcode === '39' && form.size === 8 && form.rm === 'register'),
    subtractImmediate: find(
      (form) => form.row.opcode === '83' && form.row.extension === 5 && form.size === 4 && form.rm === 'register',
    ),
  };
}

const MAX_BYTES = 440;

/** One program at `address`; null if the bytes came out too many. */
function writeProgram(palette: Palette, random: Random, address: number): { code: Uint8Array; undefinedAtEnd: number } | null {
  const bytes: number[] = [];
  let undefinedNow = 0;
  let depth = 0;
  let skipUntil: { at: number; count: number } | null = null;
  const compare = (): void => {
    const choice = { ...DEFAULT_CHOICE, reg: pickFree(random), rm: pickFree(random) };
    bytes.push(...encode(palette.compare, choice, address + bytes.length));
    undefinedNow = 0;
  };
  const count = 20 + random.below(31);
  for (let number = 0; number < count; number++) {
    if (skipUntil === null && number + 4 < count && random.oneIn(7)) {
      if (undefinedNow !== 0) compare();
      bytes.push(...encode(random.pick(palette.jump), { ...DEFAULT_CHOICE, immediates: [0n] }, address + bytes.length));
      skipUntil = { at: bytes.length, count: 1 + random.below(3) };
    }
    const useVector = palette.vector.length > 0 && random.oneIn(4);
    const form = random.pick(useVector ? palette.vector : palette.general);
    const { opcode } = form.row;
    if (opcode === '58+r' && (depth === 0 || skipUntil !== null)) continue;
    if ((opcode === '50+r' || opcode === '9C') && skipUntil !== null) continue;
    if (opcode === '58+r') depth--;
    if (opcode === '50+r' || opcode === '9C') depth++;
    if ((flagsRead(form) & undefinedNow) !== 0) compare();
    const instruction = pickInstruction(form, random, address + bytes.length);
    bytes.push(...instruction.bytes);
    undefinedNow = (undefinedNow & ~flagsDefined(form)) | flagsUndefined(form, instruction.immediate);
    if (skipUntil !== null && --skipUntil.count === 0) {
      const distance: number = bytes.length - skipUntil.at;
      if (distance > 127) return null;
      bytes[skipUntil.at - 1] = distance;
      skipUntil = null;
    }
  }
  if (skipUntil !== null) bytes[skipUntil.at - 1] = bytes.length - skipUntil.at;
  // sub r15d, 1; jne to the start, by the long form
  const round = { ...DEFAULT_CHOICE, rm: ROUNDS, immediates: [1n] };
  bytes.push(...encode(palette.subtractImmediate, round, address + bytes.length));
  bytes.push(0x0f, 0x85, 0, 0, 0, 0);
  const back = -bytes.length;
  for (let at = 0; at < 4; at++) bytes[bytes.length - 4 + at] = (back >> (8 * at)) & 0xff;
  return bytes.length > MAX_BYTES ? null : { code: Uint8Array.from(bytes), undefinedAtEnd: 0 };
}

/** `count` programs with two inputs each. */
export function draftPrograms(rows: readonly Row[], random: Random, count: number, slots: SlotAllocator): EncodingDraft[] {
  const palette = paletteOf(rows);
  const drafts: EncodingDraft[] = [];
  while (drafts.length < count) {
    const address = slots.take(random, MAX_BYTES + 8);
    let program = writeProgram(palette, random, address);
    while (program === null) program = writeProgram(palette, random, address);
    const { code, undefinedAtEnd } = program;
    const cases = [0, 1].map(() => ({
      seed: random.u32(),
      flavour: random.pick(['int64', 'int8', 'f32', 'f64'] as const),
      overrides: [
        { register: RSP, value: BigInt(D1 + 0x800) },
        { register: DATA_POINTER, value: BigInt(D0 + 0x800) },
        { register: INDEX, value: BigInt(16 * random.below(12)) },
        { register: ROUNDS, value: BigInt(1 + random.below(4)) },
      ],
      patches: [],
      ignored: [],
      undefinedFlags: undefinedAtEnd,
      undefinedStatus: 0,
    }));
    drafts.push({ address, code, cases });
  }
  return drafts;
}
