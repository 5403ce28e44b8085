/**
 * The forms of an instruction: what the coverage of tests is counted by. A form is a row of the instruction table at one
 * operand size, with a register or a memory operand, with or without LOCK and a repeat prefix.
 */
import type { Row } from '../table/row.ts';

export type OperandSize = 2 | 4 | 8;
export type Repeat = 'none' | 'F3' | 'F2';

export interface Operand {
  /** Addressing letter of the opcode map, '1' or 'CL'; '' for a type alone, which only names the operand size. */
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

export function operandsOf(row: Row): Operand[] {
  if (row.operands === '') return [];
  return row.operands.split(',').map((text) => {
    const word = text.trim();
    if (word === '1' || word === 'CL') return { letter: word, type: 'b' };
    return /^[a-z]/.test(word) ? { letter: '', type: word } : { letter: word.charAt(0), type: word.slice(1) };
  });
}

/** Whether the operand's addressing letter is one of `letters`. */
export function letterIn(operand: Operand | undefined, letters: string): boolean {
  return operand !== undefined && operand.letter.length === 1 && letters.includes(operand.letter);
}

/** Whether the row has an operand in a vector or MMX register, or one that may be. */
export function isVector(row: Row): boolean {
  return operandsOf(row).some((operand) => letterIn(operand, 'VWUPQN'));
}

export function rmOperand(row: Row): Operand | undefined {
  return operandsOf(row).find((operand) => letterIn(operand, 'EWQMRUNT'));
}

export function regOperand(row: Row): Operand | undefined {
  return operandsOf(row).find((operand) => letterIn(operand, 'GVPSCD'));
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
  if (row.rexb !== undefined) parts.push(`B${row.rexb}`);
  return `${parts.join(' ')} ${row.mnemonic}${row.operands === '' ? '' : ` ${row.operands}`}`;
}

const STRING_OPCODES = new Set(['6C', '6D', '6E', '6F', 'A4', 'A5', 'A6', 'A7', 'AA', 'AB', 'AC', 'AD', 'AE', 'AF']);
const COMPARING_STRING_OPCODES = new Set(['A6', 'A7', 'AE', 'AF']);

export function isString(row: Row): boolean {
  return STRING_OPCODES.has(row.opcode);
}

/** Sizes selected by 66 and REX.W. Near branches have one: with 66 vendors disagree (SDM Vol. 2A, JMP; APM Vol. 3, JMP). */
export function sizesOf(row: Row): OperandSize[] {
  const types = operandsOf(row).map((operand) => operand.type);
  const sized = types.some((type) => type === 'v' || type === 'z');
  const wide = types.includes('y');
  if (operandsOf(row).some((operand) => operand.letter === 'J')) return [4];
  if (row.rexw === 1) return [8];
  if (row.default64 === true) return sized ? [2, 8] : [8];
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
    else if (letterIn(operand, 'RUNT') || row.mod === 'register') kinds = ['register'];
    else kinds = ['register', 'memory'];
  } else if (row.mod === 'memory') kinds = ['memory'];
  else if (hasModRm(row) && row.rm === undefined && row.mod === undefined && row.extension === undefined) kinds = ['register'];
  const repeats: Repeat[] = !isString(row)
    ? ['none']
    : COMPARING_STRING_OPCODES.has(row.opcode)
      ? ['none', 'F3', 'F2']
      : ['none', 'F3'];
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

/** Mnemonic in a form's key: the word before the operands. */
export function mnemonicOf(key: string): string {
  const row = key.split(' | ')[0] ?? '';
  return /([a-z][a-z0-9]+)(?: [^ ]*)?$/.exec(row)?.[1] ?? '';
}
