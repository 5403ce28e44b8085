/** What is known of the handlers that regions call: which registers and flags they touch. */
import { OPF_MEMORY, VCPU_R15 } from '../cpu/layout.ts';
import { mmxRows } from '../cpu/table/mmx.ts';
import { sseRows } from '../cpu/table/sse.ts';
import { sse4Rows } from '../cpu/table/sse4.ts';
import { x87Rows } from '../cpu/table/x87.ts';
import type { Row } from '../cpu/table/row.ts';
import type { Instruction } from './instruction.ts';

const vectorRows = new Set<Row>([...mmxRows, ...sseRows, ...sse4Rows, ...x87Rows]);

export const isVectorRow = (row: Row): boolean => vectorRows.has(row);

/** Vector and x87 rows with implicit general registers, or that read flags. */
export const needsAllRegisters = (row: Row): boolean =>
  /^(fn?stsw|fcmov|maskmov|pcmp[ei]str|fn?save|frstor|fxsave|fxrstor)/.test(row.mnemonic);

/** Whether a vector or x87 row sets arithmetic flags. */
export const writesFlags = (row: Row): boolean => /^(u?comis|ptest|fu?comi)/.test(row.mnemonic);

export interface RegisterUse {
  /** Bit n: general register n is read, or written. */
  readonly reads: number;
  readonly writes: number;
}

const bitOf = (slot: number): number => (slot <= VCPU_R15 + 1 ? 1 << (slot >> 3) : 0);

/** General registers of a vector row: those its address is made of and those its operands name. */
export function vectorRegisterUse(instruction: Instruction): RegisterUse {
  let reads = 0;
  let writes = 0;
  const inMemory = (instruction.flags & OPF_MEMORY) !== 0;
  if (inMemory) reads |= bitOf(instruction.base) | bitOf(instruction.index);
  instruction.row.operands.split(',').forEach((operand, n) => {
    const letter = operand.trim().charAt(0);
    const bit =
      letter === 'G' ? bitOf(instruction.reg) : (letter === 'E' || letter === 'R') && !inMemory ? bitOf(instruction.rm) : 0;
    reads |= bit;
    if (n === 0) writes |= bit;
  });
  return { reads, writes };
}

/** XMM registers of an instruction, by number. */
export function xmmUse(instruction: Instruction): RegisterUse {
  let reads = 0;
  let writes = 0;
  const inMemory = (instruction.flags & OPF_MEMORY) !== 0;
  instruction.row.operands.split(',').forEach((operand, n) => {
    const letter = operand.trim().charAt(0);
    const bit = letter === 'V' ? 1 << instruction.reg : (letter === 'W' || letter === 'U') && !inMemory ? 1 << instruction.rm : 0;
    reads |= bit;
    if (n === 0) writes |= bit;
  });
  // The variable blends take their mask from XMM0.
  if (/^(pblendv|blendv)/.test(instruction.row.mnemonic)) reads |= 1;
  return { reads, writes };
}
