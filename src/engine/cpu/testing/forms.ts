/**
 * The forms of an instruction: what the coverage of tests is counted by. A form is a row of the instruction table at one
 * operand size, with a register or a memory operand, with or without LOCK and a repeat prefix.
 */
import type { Row } from '../table/row.ts';

export type OperandSize = 2 | 4 | 8;
export type Repeat = 'none' | 'F3' | 'F2';

export interface Operand {
  /** Addressing letter of the opcode map, or '1' / 'CL'. */
  readonly letter: string;
  readonly type: string;
}

export interface Form {
  readonly row: Row;
  readonly size: OperandSize;
  /** Kind of the ModRM.rm operand; 'none' when the row has no ModRM or its rm is fixed. */
  readonly rm: 'register' | 'memory' | 'none';
  readonly lock: boolean;
  readonly repeat: Repeat;
  readonly key: string;
}

const RM_LETTERS = 'EWQMRUNT';
const REG_LETTERS = 'GVPSCD';

export function operandsOf(row: Row): Operand[] {
  if (row.operands === '') return [];
  return row.operands.split(',').map((text) => {
    const word = text.trim();
    if (word === '1' || word === 'CL') return { letter: word, type: 'b' };
    return { letter: word.charAt(0), type: word.slice(1) };
  });
}

export function rmOperand(row: Row): Operand | undefined {
  return operandsOf(row).find((operand) => RM_LETTERS.includes(operand.letter));
}

export function regOperand(row: Row): Operand | undefined {
  return operandsOf(row).find((operand) => REG_LETTERS.includes(operand.letter));
}

export function hasModRm(row: Row): boolean {
  return (
    row.extension !== undefined ||
    row.mod !== undefined ||
    row.rm !== undefined ||
    rmOperand(row) !== undefined ||
    regOperand(row) !== undefined
  );
}

/** Names a row apart from all others: what selects it when decoding, then its mnemonic. */
export function rowName(row: Row): string {
  const parts = [row.opcode.toUpperCase()];
  if (row.prefix !== undefined) parts.unshift(`${row.prefix}:`);
  if (row.extension !== undefined) parts.push(`/${row.extension}`);
  if (row.mod !== undefined) parts.push(row.mod === 'memory' ? 'm' : 'r');
  if (row.rm !== undefined) parts.push(`rm=${row.rm}`);
  if (row.rexw !== undefined) parts.push(`W${row.rexw}`);
  return `${parts.join(' ')} ${row.mnemonic}${row.operands === '' ? '' : ` ${row.operands}`}`;
}

const STRING_OPCODES = new Set(['6C', '6D', '6E', '6F', 'A4', 'A5', 'A6', 'A7', 'AA', 'AB', 'AC', 'AD', 'AE', 'AF']);
const COMPARING_STRING_OPCODES = new Set(['A6', 'A7', 'AE', 'AF']);

export function isString(row: Row): boolean {
  return STRING_OPCODES.has(row.opcode);
}

function isNearBranch(row: Row): boolean {
  const operands = operandsOf(row);
  return operands.some((operand) => operand.letter === 'J') || (row.default64 === true && row.ends === true);
}

/** Sizes selected by 66 and REX.W. Near branches have one: with 66 vendors disagree (SDM Vol. 2A, CALL; APM Vol. 3, CALL). */
export function sizesOf(row: Row): OperandSize[] {
  const types = operandsOf(row).map((operand) => operand.type);
  const sized = types.some((type) => type === 'v' || type === 'z');
  const wide = types.includes('y');
  if (isNearBranch(row)) return [8];
  if (row.rexw === 1) return [8];
  if (row.default64 === true) return sized || row.prefix === undefined ? [2, 8] : [8];
  const noOperandSize = row.prefix === 'np' || row.prefix === '66';
  let sizes: OperandSize[];
  if (sized) sizes = noOperandSize ? [4, 8] : [2, 4, 8];
  else if (wide) sizes = [4, 8];
  else sizes = [4];
  return row.rexw === 0 ? sizes.filter((size) => size !== 8) : sizes;
}

export function formsOf(row: Row): Form[] {
  const operand = rmOperand(row);
  let kinds: Form['rm'][] = ['none'];
  if (operand !== undefined) {
    if (operand.letter === 'M' || row.mod === 'memory') kinds = ['memory'];
    else if ('RUNT'.includes(operand.letter) || row.mod === 'register') kinds = ['register'];
    else kinds = ['register', 'memory'];
  } else if (row.mod === 'memory') kinds = ['memory'];
  else if (hasModRm(row) && row.rm === undefined && row.mod === undefined && row.extension === undefined) kinds = ['register'];
  const repeats: Repeat[] = !isString(row) ? ['none'] : COMPARING_STRING_OPCODES.has(row.opcode) ? ['none', 'F3', 'F2'] : ['none', 'F3'];
  const forms: Form[] = [];
  for (const size of sizesOf(row)) {
    for (const rm of kinds) {
      const locks = row.lock === true && rm === 'memory' ? [false, true] : [false];
      for (const lock of locks) {
        for (const repeat of repeats) {
          const key = `${rowName(row)} | ${size * 8} ${rm}${lock ? ' lock' : ''}${repeat === 'none' ? '' : ` ${repeat}`}`;
          forms.push({ row, size, rm, lock, repeat, key });
        }
      }
    }
  }
  return forms;
}
