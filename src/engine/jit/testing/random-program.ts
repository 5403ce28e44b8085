/**
 * Random programs for comparing the translator with the interpreter: straight code with jumps forward, counted loops, and calls to
 * functions that lie in other pages. They end at a HLT. Which flags an instruction leaves undefined does not matter: both tiers
 * are to leave the same.
 */
import { HLT } from '../../cpu/testing/address-map.ts';
import { newState } from '../../cpu/testing/machine-state.ts';
import { rareInstruction } from './random-integer.ts';
import { randomVectorData, randomVectorState, vectorInstruction } from './random-vector.ts';

export const PROGRAM_CODE = 0x400000n;
export const PROGRAM_PAGES = 4;
export const PROGRAM_DATA = 0x600000n;
export const PROGRAM_DATA_PAGES = 2;
export const PROGRAM_STACK = 0x700000n;
/** General registers that programs compute with; R12 points to the data, R13 to R15 count loops. */
const FREE = [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11];
const DATA_BASE = 12;

export interface RandomProgram {
  /** Code by page. */
  readonly pages: readonly Uint8Array[];
  readonly registers: readonly bigint[];
  /** Address of the first instruction. */
  readonly start: bigint;
  /** x87 and vector state as FXSAVE writes it. */
  readonly fx: Uint8Array;
  readonly data: Uint8Array;
}

export type Chooser = (below: number) => number;

/** A generator of numbers below a bound: xorshift. */
export function chooser(seed: number): Chooser {
  let state = (seed * 0x9e3779b1) | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

class Writer {
  readonly bytes: number[] = [];

  constructor(
    private readonly choose: Chooser,
    /** Address of the first byte, from the start of the code. */
    readonly start: number,
  ) {}

  get at(): number {
    return this.start + this.bytes.length;
  }

  put(...bytes: number[]): void {
    this.bytes.push(...bytes.map((byte) => byte & 0xff));
  }

  put32(value: number): void {
    this.put(value, value >> 8, value >> 16, value >> 24);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.choose(list.length)] as T;
  }

  register(): number {
    return this.pick(FREE);
  }

  /** Opcode with a register operand in ModRM.reg and one in ModRM.rm. */
  registers(wide: boolean, opcode: readonly number[], reg: number, rm: number, force = false): void {
    const rex = 0x40 | (wide ? 8 : 0) | (reg > 7 ? 4 : 0) | (rm > 7 ? 1 : 0);
    if (rex !== 0x40 || force) this.put(rex);
    this.put(...opcode, 0xc0 | ((reg & 7) << 3) | (rm & 7));
  }

  /** The same with a data operand. */
  memory(wide: boolean, opcode: readonly number[], reg: number, displacement: number, prefix: readonly number[] = []): void {
    this.put(...prefix, 0x41 | (wide ? 8 : 0) | (reg > 7 ? 4 : 0), ...opcode, 0x80 | ((reg & 7) << 3) | (DATA_BASE & 7), 0x24);
    this.put32(displacement);
  }

  /** A relative jump or call whose distance is filled in later. */
  jump(...opcode: number[]): { to(target: number): void } {
    this.put(...opcode);
    const place = this.bytes.length;
    this.put32(0);
    return {
      to: (target) => {
        const distance = target - (this.start + place + 4);
        for (let n = 0; n < 4; n++) this.bytes[place + n] = (distance >> (8 * n)) & 0xff;
      },
    };
  }
}

const ALU = [0x01, 0x09, 0x11, 0x19, 0x21, 0x29, 0x31, 0x39, 0x85];
const DATA_BYTES = PROGRAM_DATA_PAGES * 4096;

/** One instruction that falls through. */
function straight(w: Writer, choose: Chooser): void {
  const a = w.register();
  const b = w.register();
  const wide = choose(2) === 0;
  const place = (): number => (choose(8) === 0 ? 4096 - choose(8) : choose(DATA_BYTES - 16));
  const kind = choose(8);
  if (kind < 2) {
    vectorInstruction(w, choose, place);
    return;
  }
  if (kind < 4) {
    rareInstruction(w, choose, place);
    return;
  }
  switch (choose(32)) {
    case 0:
    case 1:
    case 2:
    case 3:
      w.registers(wide, [w.pick(ALU)], a, b);
      break;
    case 4:
    case 5:
      w.registers(wide, [0x83], choose(8), a);
      w.put(choose(256));
      break;
    case 6:
      w.registers(wide, [0x89], a, b);
      break;
    case 7:
    case 8:
    case 9:
      w.memory(wide, [0x8b], a, place());
      break;
    case 10:
    case 11:
      w.memory(wide, [0x89], a, place());
      break;
    case 12:
      w.memory(wide, [w.pick(ALU)], a, place());
      break;
    case 13:
      w.registers(wide, [0xc1], w.pick([0, 1, 2, 3, 4, 5, 7]), a);
      w.put(choose(70));
      break;
    case 14:
      w.registers(wide, [0xd3], w.pick([0, 1, 4, 5, 7]), a);
      break;
    case 15:
      w.registers(wide, [0xff], choose(2), a);
      break;
    case 16:
      w.registers(wide, [0x0f, 0x40 + choose(16)], a, b);
      break;
    case 17:
      w.registers(false, [0x0f, 0x90 + choose(16)], 0, a, true);
      break;
    case 18:
      w.registers(wide, [0x0f, 0xaf], a, b);
      break;
    case 19:
      w.registers(wide, [0xf7], w.pick([2, 3, 4, 5]), a);
      break;
    case 20:
      w.registers(wide, [0x0f, w.pick([0xb6, 0xb7, 0xbe, 0xbf])], a, b, true);
      break;
    case 21:
      w.registers(wide, [0x0f, w.pick([0xa3, 0xab, 0xb3, 0xbb])], a, b);
      break;
    case 22:
      w.registers(wide, [0x0f, w.pick([0xbc, 0xbd])], a, b);
      break;
    case 23:
      w.registers(false, [w.pick([0x00, 0x28, 0x30, 0x38, 0x88, 0x20])], a, b, true);
      break;
    case 24:
      w.memory(wide, [0x01], a, place() & ~7, [0xf0]);
      break;
    case 25:
      w.memory(wide, [0x87], a, place() & ~7);
      break;
    case 26:
      w.put(0x66);
      w.registers(true, [0x0f, 0x6e], choose(4), a);
      w.put(0x66);
      w.registers(false, [0x0f, 0xd4], choose(4), choose(4));
      break;
    case 27:
      w.put(0x66);
      w.registers(true, [0x0f, 0x7e], choose(4), a);
      break;
    case 28:
      w.put(0x50 + w.pick([0, 1, 2, 3, 5, 6, 7]), 0x58 + w.pick([0, 1, 2, 3, 5, 6, 7]));
      break;
    case 29:
      w.memory(false, [0x0f, w.pick([0xb6, 0xbe])], a, place());
      break;
    case 30:
      w.put(w.pick([0xf8, 0xf9, 0xf5, 0x98, 0x99, 0x9f]));
      break;
    default:
      w.memory(wide, [w.pick([0x03, 0x2b, 0x3b, 0x23])], a, place());
  }
}

/** Code of about `size` instructions; `depth` of loops around it; `functions` are addresses it may call. */
function body(w: Writer, choose: Chooser, size: number, depth: number, functions: readonly number[]): void {
  for (let n = 0; n < size; n++) {
    const kind = choose(12);
    if (kind === 0 && depth < 3) {
      const counter = 13 + depth;
      // mov counter32, n
      w.put(0x41, 0xb8 + (counter & 7));
      w.put32(1 + choose(12));
      const head = w.at;
      body(w, choose, 1 + choose(6), depth + 1, functions);
      if (choose(2) === 0) w.registers(true, [0xff], 1, counter);
      else {
        w.registers(true, [0x83], 5, counter);
        w.put(1);
      }
      w.jump(0x0f, 0x85).to(head);
    } else if (kind === 1) {
      const skip = w.jump(0x0f, 0x80 + choose(16));
      const inside = choose(4);
      for (let k = 0; k <= inside; k++) straight(w, choose);
      skip.to(w.at);
    } else if (kind === 2) {
      const other = w.jump(0x0f, 0x80 + choose(16));
      straight(w, choose);
      const end = w.jump(0xe9);
      other.to(w.at);
      straight(w, choose);
      end.to(w.at);
    } else if (kind === 3 && functions.length > 0) {
      if (choose(3) === 0) {
        // lea rax, function; call rax
        w.jump(0x48, 0x8d, 0x05).to(w.pick(functions));
        w.put(0xff, 0xd0);
      } else w.jump(0xe8).to(w.pick(functions));
    } else straight(w, choose);
  }
}

export function randomProgram(seed: number): RandomProgram {
  const choose = chooser(seed);
  const pages = Array.from({ length: PROGRAM_PAGES }, () => new Uint8Array(4096).fill(HLT));
  const functions: number[] = [];
  for (let page = PROGRAM_PAGES - 1; page >= 0; page--) {
    // Functions of this page, which may call those of the pages behind; the last written is the program itself.
    const known = [...functions];
    let start = page * 4096 + choose(64);
    const count = page === 0 ? 1 : 2;
    for (let n = 0; n < count; n++) {
      const w = new Writer(choose, start);
      body(w, choose, page === 0 ? 40 : 8, page === 0 ? 0 : 3, known);
      w.put(page === 0 ? HLT : 0xc3);
      if (w.at > (page + 1) * 4096) throw new RangeError('the random program does not fit its page');
      pages[page]?.set(w.bytes, start - page * 4096);
      functions.push(start);
      start = w.at + choose(32);
    }
  }
  const registers = Array.from(
    { length: 16 },
    () => (BigInt(choose(0x7fffffff)) << 33n) ^ BigInt(choose(0x7fffffff) * 3) ^ (choose(3) === 0 ? 0n : 0x8000000080000000n),
  );
  registers[4] = PROGRAM_STACK + 2048n;
  registers[DATA_BASE] = PROGRAM_DATA;
  const { fx } = newState();
  randomVectorState(choose, fx);
  const data = Uint8Array.from({ length: DATA_BYTES }, (_, n) => (n * 37 + (n >> 12) * 11) & 0xff);
  randomVectorData(choose, data);
  return {
    pages,
    fx,
    data,
    start: PROGRAM_CODE + BigInt(functions.at(-1) ?? 0),
    registers: registers.map((value) => BigInt.asUintN(64, value)),
  };
}
