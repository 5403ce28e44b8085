/** A decoded instruction of a region: the core's operation record read into an object, and how the translator treats it. */
import {
  OPF_LOCK,
  OPF_MEMORY,
  OP_AUX,
  OP_BASE,
  OP_BYTES,
  OP_DISPLACEMENT,
  OP_FLAGS,
  OP_IMMEDIATE,
  OP_INDEX,
  OP_REG,
  OP_RM,
  OP_ROW,
  OP_SCALE,
  OP_SEGMENT,
  OP_SIZE,
} from '../cpu/layout.ts';
import { rows } from '../cpu/table/index.ts';
import type { Row } from '../cpu/table/row.ts';
import { isVectorRow, needsAllRegisters } from './handlers.ts';

/**
 * native: emitted. vector: its row's handler is called, which touches few general registers. handler: its row's handler is
 * called with every register in memory. stop: the region ends before it.
 */
export type Treatment = 'native' | 'vector' | 'handler' | 'stop';

export interface Instruction {
  /** Bytes from the page of the region's entry. */
  readonly position: number;
  readonly length: number;
  readonly row: Row;
  readonly handler: string;
  readonly treatment: Treatment;
  readonly size: number;
  readonly flags: number;
  readonly aux: number;
  readonly reg: number;
  readonly rm: number;
  readonly base: number;
  readonly index: number;
  readonly segment: number;
  readonly scale: number;
  readonly displacement: number;
  /** Halves of the immediate. */
  readonly low: number;
  readonly high: number;
  /** The operation as decoded, for handlers. */
  readonly record: Uint8Array;
}

export const inMemory = (instruction: Instruction): boolean => (instruction.flags & OPF_MEMORY) !== 0;

const undefinedRow: Row = { opcode: '0F 0B', mnemonic: 'undefined', operands: '', handler: 'undefined', ends: true };

const pageOf = (position: number): number => Math.floor(position / 4096) * 4096;

/** Position of the page that holds the instruction. */
export const instructionPage = (instruction: Instruction): number => pageOf(instruction.position);

export const nextPosition = (instruction: Instruction): number => instruction.position + instruction.length;

/** Position that a relative branch goes to. */
export const branchPosition = (instruction: Instruction): number => instructionPage(instruction) + instruction.low;

/** Reads the operation at `at`; `operations` is how many the decoder wrote for the instruction. */
export function readInstruction(view: DataView, at: number, position: number, length: number, operations: number): Instruction {
  const row = rows[view.getUint16(at + OP_ROW, true)] ?? undefinedRow;
  const record = new Uint8Array(OP_BYTES);
  for (let n = 0; n < OP_BYTES; n++) record[n] = view.getUint8(at + n);
  const fields = {
    position,
    length,
    row,
    handler: row.handler,
    size: view.getUint8(at + OP_SIZE),
    flags: view.getUint8(at + OP_FLAGS),
    aux: view.getUint8(at + OP_AUX),
    reg: view.getUint8(at + OP_REG),
    rm: view.getUint8(at + OP_RM),
    base: view.getUint8(at + OP_BASE),
    index: view.getUint8(at + OP_INDEX),
    segment: view.getUint8(at + OP_SEGMENT),
    scale: view.getUint8(at + OP_SCALE),
    displacement: view.getInt32(at + OP_DISPLACEMENT, true),
    low: view.getInt32(at + OP_IMMEDIATE, true),
    high: view.getInt32(at + OP_IMMEDIATE + 4, true),
    record,
  };
  return { ...fields, treatment: operations === 1 ? treatmentOf(fields) : 'stop' };
}

type Fields = Omit<Instruction, 'treatment'>;

/** Handlers with an emitter, and when it applies. */
const native: Readonly<Record<string, (i: Fields) => boolean>> = {
  nop: () => true,
  movEG: () => true,
  movGE: () => true,
  movEI: () => true,
  movzx: () => true,
  movsx: () => true,
  lea: () => true,
  aluEG: (i) => !locked(i),
  aluGE: () => true,
  aluEI: (i) => !locked(i),
  unaryE: (i) => !locked(i),
  testEG: () => true,
  testEI: () => true,
  xchg: (i) => !memory(i),
  bswap: (i) => i.size >= 4,
  convertAccumulator: () => true,
  extendAccumulator: () => true,
  setcc: () => true,
  cmovcc: (i) => i.size >= 4,
  multiplyRegister: (i) => i.size >= 4,
  multiplyAccumulator: (i) => i.size >= 4,
  shiftImmediate: (i) => i.size >= 4 && i.aux !== 2 && i.aux !== 3,
  shiftByCl: (i) => i.size >= 4 && i.aux >= 4 && !memory(i),
  bitTestRegister: (i) => i.size >= 4 && !memory(i),
  bitTestImmediate: (i) => i.size >= 4 && (!memory(i) || i.aux === 0),
  bitScan: (i) => i.size >= 4,
  populationCount: (i) => i.size >= 4,
  pushRm: (i) => i.size === 8,
  pushImmediate: (i) => i.size === 8,
  popRm: (i) => i.size === 8 && !memory(i),
  leave: (i) => i.size === 8,
  jcc: () => true,
  jmpRelative: () => true,
  callRelative: () => true,
  jmpIndirect: () => true,
  callIndirect: () => true,
  ret: () => true,
};

const memory = (i: Fields): boolean => (i.flags & OPF_MEMORY) !== 0;
const locked = (i: Fields): boolean => (i.flags & OPF_LOCK) !== 0;

function treatmentOf(i: Fields): Treatment {
  if (native[i.handler]?.(i) === true) return 'native';
  if (i.row.ends === true) return 'stop';
  if (isVectorRow(i.row) && !needsAllRegisters(i.row)) return 'vector';
  return 'handler';
}

/** Rows with an emitter for at least some of their forms. */
export const isNative = (row: Row): boolean => native[row.handler] !== undefined;
