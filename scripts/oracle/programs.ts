/**
 * Random programs of 20 to 50 instructions, run as a loop of a few or many rounds: what single instructions cannot show (flags left
 * lazily by one and read by another, operations fused by the decoder, blocks entered again, regions worth translating).
 *
 * R12 points into the data pages, R13 is a small index, R15 counts the rounds and RSP is a stack; no instruction writes them.
 * Flags that the manual leaves undefined are tracked: whoever reads such a flag gets a CMP in front.
 */
import { D0, D1 } from '../../src/engine/cpu/testing/address-map.ts';
import { type Form, letterIn, operandsOf, regOperand, rmOperand } from '../../src/engine/cpu/testing/forms.ts';
import { FLAGS_BASE, RSP } from '../../src/engine/cpu/testing/machine-state.ts';
import type { Random } from '../../src/engine/cpu/testing/random.ts';
import { OVERRIDE_RFLAGS } from '../../src/engine/cpu/testing/vectors.ts';
import type { Row } from '../../src/engine/cpu/table/row.ts';
import type { EncodingDraft, SlotAllocator } from './cases.ts';
import { type Address, DEFAULT_CHOICE, HIGH_BYTE, encode } from './encode.ts';
import { memoryBytes, typeBytes } from './operands.ts';
import { type Palette, flagsDefined, flagsRead, flagsUndefined, paletteOf } from './program-forms.ts';

const DATA_POINTER = 12;
const INDEX = 13;
const ROUNDS = 15;
const RESERVED = new Set([RSP, DATA_POINTER, INDEX, ROUNDS]);

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

const MAX_BYTES = 440;
/** Condition codes of the x87, which several instructions leave undefined. */
const X87_CONDITION_CODES = 0x4700;

class ProgramWriter {
  private readonly bytes: number[] = [];
  private undefinedNow = 0;
  /** Words pushed and not yet popped. */
  private depth = 0;

  constructor(
    private readonly palette: Palette,
    private readonly random: Random,
    private readonly address: number,
  ) {}

  private emit(...bytes: number[]): void {
    this.bytes.push(...bytes);
  }

  private here(): number {
    return this.address + this.bytes.length;
  }

  /** Defines all arithmetic flags. */
  private compare(): void {
    const choice = { ...DEFAULT_CHOICE, reg: pickFree(this.random), rm: pickFree(this.random) };
    this.emit(...encode(this.palette.compare, choice, this.here()));
    this.undefinedNow = 0;
  }

  /** One instruction; `straight` = it is executed in every round, so the stack may be used. */
  private instruction(straight: boolean): void {
    const { palette, random } = this;
    const kind = random.below(12);
    const form = random.pick(kind < 3 ? palette.vector : kind < 5 ? palette.stack : palette.general);
    const { opcode } = form.row;
    const pushes = opcode === '50+r' || opcode === '9C';
    const pops = opcode === '58+r';
    if ((pushes || pops) && !straight) return;
    if (pops && this.depth === 0) return;
    this.depth += pushes ? 1 : pops ? -1 : 0;
    if ((flagsRead(form) & this.undefinedNow) !== 0) this.compare();
    const { bytes, immediate } = pickInstruction(form, random, this.here());
    this.emit(...bytes);
    this.undefinedNow = (this.undefinedNow & ~flagsDefined(form)) | flagsUndefined(form, immediate);
  }

  /** Jcc over a few instructions. */
  private branch(): void {
    const { random } = this;
    if (this.undefinedNow !== 0) this.compare();
    this.emit(...encode(random.pick(this.palette.jump), { ...DEFAULT_CHOICE, immediates: [0n] }, this.here()));
    const from = this.bytes.length;
    for (let count = 1 + random.below(3); count > 0; count--) this.instruction(false);
    this.bytes[from - 1] = this.bytes.length - from;
  }

  /** A call of one instruction and RET, then a jump over them. */
  private call(): void {
    this.emit(0xe8, 2, 0, 0, 0, 0xeb, 0);
    const from = this.bytes.length;
    this.instruction(false);
    this.emit(0xc3);
    this.bytes[from - 1] = this.bytes.length - from;
  }

  /** RSI and RDI into the data pages, a count, a repeated string operation. */
  private string(): void {
    const { random } = this;
    const operation = random.pick([0xa4, 0xa5, 0xaa, 0xab, 0xa6, 0xa7, 0xae, 0xaf]);
    const compares = operation === 0xa6 || operation === 0xa7 || operation === 0xae || operation === 0xaf;
    // RSI, RDI
    for (const modrm of [0xb4, 0xbc]) {
      const displacement = random.below(0x400);
      this.emit(0x49, 0x8d, modrm, 0x24, displacement & 0xff, displacement >> 8, 0, 0); // lea reg, [r12 + displacement]
    }
    // A count of zero would leave the flags as they are.
    if (compares && this.undefinedNow !== 0) this.compare();
    this.emit(0xb9, random.below(40), 0, 0, 0); // mov ecx, count
    this.emit(random.pick([0xf3, 0xf2].slice(0, compares ? 2 : 1)));
    if (operation % 2 === 1 && random.oneIn(2)) this.emit(0x48);
    this.emit(operation);
  }

  finish(): Uint8Array | null {
    const { random } = this;
    const count = 20 + random.below(31);
    for (let number = 0; number < count && this.bytes.length < MAX_BYTES - 60; number++) {
      switch (random.below(24)) {
        case 0:
        case 1:
        case 2:
          this.branch();
          break;
        case 3:
          this.call();
          break;
        case 4:
          this.string();
          break;
        default:
          this.instruction(true);
      }
    }
    const words = 8 * this.depth;
    this.emit(0x48, 0x8d, 0xa4, 0x24, words & 0xff, words >> 8, 0, 0); // lea rsp, [rsp + words]
    const round = { ...DEFAULT_CHOICE, rm: ROUNDS, immediates: [1n] };
    this.emit(...encode(this.palette.subtractImmediate, round, this.here()));
    this.emit(0x0f, 0x85, 0, 0, 0, 0); // jne to the start
    const back = -this.bytes.length;
    for (let at = 0; at < 4; at++) this.bytes[this.bytes.length - 4 + at] = (back >> (8 * at)) & 0xff;
    return this.bytes.length > MAX_BYTES ? null : Uint8Array.from(this.bytes);
  }
}

/** `count` programs with two inputs each. */
export function draftPrograms(rows: readonly Row[], random: Random, count: number, slots: SlotAllocator): EncodingDraft[] {
  const palette = paletteOf(rows);
  const drafts: EncodingDraft[] = [];
  while (drafts.length < count) {
    const address = slots.take(random, MAX_BYTES + 8);
    let code: Uint8Array | null = null;
    while (code === null) code = new ProgramWriter(palette, random, address).finish();
    const rounds = [1 + random.below(4), random.pick([5, 20, 100])] as const;
    const cases = rounds.map((number) => ({
      seed: random.u32(),
      flavour: random.pick(['int64', 'int8', 'f32', 'f64', 'f80'] as const),
      overrides: [
        { register: RSP, value: BigInt(D1 + 0xc00) },
        { register: DATA_POINTER, value: BigInt(D0 + 0x800) },
        { register: INDEX, value: BigInt(16 * random.below(12)) },
        { register: ROUNDS, value: BigInt(number) },
        { register: OVERRIDE_RFLAGS, value: BigInt(FLAGS_BASE) },
      ],
      patches: [],
      ignored: [],
      undefinedFlags: 0,
      undefinedStatus: X87_CONDITION_CODES,
    }));
    drafts.push({ address, code, cases });
  }
  return drafts;
}
