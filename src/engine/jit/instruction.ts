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

export const isLocked = (instruction: Instruction): boolean => (instruction.flags & OPF_LOCK) !== 0;

export const inMemory = (instruction: Instruction): boolean => (instruction.flags & OPF_MEMORY) !== 0;

const undefinedRow: Row = { opcode: '0F 0B', mnemonic: 'undefined', operands: '', handler: 'undefined', ends: true };

/** Position of the page that holds a position. */
export const pageOf = (position: number): number => Math.floor(position / 4096) * 4096;

/** Position of the page that holds the instruction. */
export const instructionPage = (instruction: Instruction): number => pageOf(instruction.position);

export const nextPosition = (instruction: Instruction): number => instruction.position + instruction.length;

/** Position that a relative branch goes to. */
export const branchPosition = (instruction: Instruction): number => instructionPage(instruction) + instruction.low;

/** An instruction whose treatment is not settled. */
export type Fields = Omit<Instruction, 'treatment'>;

/** Reads the operation at `at`. */
export function readInstruction(view: DataView, at: number, position: number, length: number): Fields {
  const row = rows[view.getUint16(at + OP_ROW, true)] ?? undefinedRow;
  const record = new Uint8Array(OP_BYTES);
  for (let n = 0; n < OP_BYTES; n++) record[n] = view.getUint8(at + n);
  return {
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
}
