/** The decoder's tables out of the rows of the instruction table (layout: src/engine/cpu/decode-format.ts). */
import * as format from '../../src/engine/cpu/decode-format.ts';
import type { Row } from '../../src/engine/cpu/table/row.ts';

export interface DecoderTables {
  /** For each of 4 maps x 256 opcodes, index into candidates. */
  readonly opcodes: Uint16Array;
  /** Lists of row numbers, most specific first, each ended by 0xffff. */
  readonly candidates: Uint16Array;
  /** ROW_BYTES for each row, and one more for undefined opcodes. */
  readonly rows: Uint8Array;
}

const MAPS: Record<string, number> = { '': 0, '0F': 1, '0F 38': 2, '0F 3A': 3 };

/** Map and opcode of a row; eight opcodes for "+r". */
export function opcodesOf(row: Row): { map: number; opcodes: number[] } {
  const register = row.opcode.endsWith('+r');
  const bytes = row.opcode.replace('+r', '').trim().split(' ');
  const map = MAPS[bytes.slice(0, -1).join(' ')];
  const opcode = Number.parseInt(bytes.at(-1) ?? '', 16);
  if (map === undefined || Number.isNaN(opcode)) throw new Error(`bad opcode "${row.opcode}" of ${row.mnemonic}`);
  return { map, opcodes: register ? Array.from({ length: 8 }, (_, n) => opcode + n) : [opcode] };
}

const SIZES: Record<string, number> = {
  b: 1, w: 2, d: 4, q: 8, x: 16, t: 10, ss: 4, sd: 8, v: format.SIZE_V, y: format.SIZE_Y, z: format.SIZE_Z, n: 0, p: format.SIZE_V,
}; // prettier-ignore

const PREFIXES = { np: 1, '66': 2, F3: 3, F2: 4 } as const;

interface Operands {
  size: number;
  reg: number;
  rm: number;
  immediate: number;
  modrm: boolean;
  forceRegister: boolean;
}

function parseOperand(text: string, into: Operands, first: boolean, row: Row): void {
  if (text === 'CL') return;
  if (text === '1') {
    into.immediate = format.IMMEDIATE_ONE;
    return;
  }
  const letter = /^[A-Z]/.exec(text)?.[0] ?? '';
  const type = text.slice(letter.length);
  const size = SIZES[type];
  if (size === undefined) throw new Error(`bad operand "${text}" of ${row.mnemonic} ${row.opcode}`);
  if (first) into.size = size;
  const byte = size === 1;
  const rm = (kind: number): void => {
    into.rm = kind;
    into.modrm = true;
  };
  const reg = (kind: number): void => {
    into.reg = kind;
    into.modrm = true;
  };
  switch (letter) {
    case '':
      return;
    case 'E':
      return rm(byte ? format.RM_GPR_BYTE : format.RM_GPR);
    case 'R':
      into.forceRegister = row.mod === undefined;
      return rm(byte ? format.RM_GPR_BYTE : format.RM_GPR);
    case 'M':
      return rm(format.RM_NONE);
    case 'W':
    case 'U':
      return rm(format.RM_NUMBER);
    case 'Q':
    case 'N':
    case 'T':
      return rm(format.RM_NUMBER_LOW);
    case 'G':
      return reg(byte ? format.REG_GPR_BYTE : format.REG_GPR);
    case 'V':
    case 'C':
    case 'D':
      return reg(format.REG_NUMBER);
    case 'P':
    case 'S':
      return reg(format.REG_NUMBER_LOW);
    case 'Z':
      into.rm = byte ? format.RM_OPCODE_BYTE : format.RM_OPCODE;
      return;
    case 'A':
      if (into.rm === format.RM_NONE) into.rm = format.RM_ACCUMULATOR;
      else into.reg = format.REG_ACCUMULATOR;
      return;
    case 'I':
      if (into.immediate === format.IMMEDIATE_W && type === 'b') into.immediate = format.IMMEDIATE_W_B;
      else
        into.immediate = { b: format.IMMEDIATE_B, w: format.IMMEDIATE_W, z: format.IMMEDIATE_Z, v: format.IMMEDIATE_V }[type] ?? 0;
      if (into.immediate === 0) throw new Error(`bad immediate "${text}" of ${row.mnemonic}`);
      return;
    case 'J':
      into.immediate = byte ? format.IMMEDIATE_REL8 : format.IMMEDIATE_REL32;
      return;
    case 'O':
      into.immediate = format.IMMEDIATE_OFFSET;
      return;
    default:
      throw new Error(`bad operand "${text}" of ${row.mnemonic} ${row.opcode}`);
  }
}

export function parseOperands(row: Row): Operands {
  const operands: Operands = { size: 0, reg: 0, rm: 0, immediate: 0, modrm: false, forceRegister: false };
  // The x87 opcodes and the groups always have a ModRM byte, whatever their operands.
  if (row.extension !== undefined || row.mod !== undefined || row.rm !== undefined) operands.modrm = true;
  row.operands
    .split(',')
    .filter((text) => text !== '')
    .forEach((text, n) => {
      parseOperand(text, operands, n === 0, row);
    });
  return operands;
}

function encodeRow(row: Row): number[] {
  const operands = parseOperands(row);
  const record = new Array<number>(format.ROW_BYTES).fill(0);
  record[format.ROW_PREFIX] = row.prefix === undefined ? 0 : PREFIXES[row.prefix];
  record[format.ROW_EXTENSION] = row.extension ?? 0xff;
  record[format.ROW_MOD] = row.mod === undefined ? 0 : row.mod === 'memory' ? 1 : 2;
  record[format.ROW_RM] = row.rm ?? 0xff;
  record[format.ROW_REXW] = row.rexw ?? 0xff;
  record[format.ROW_FLAGS] =
    (operands.modrm ? format.ROWF_MODRM : 0) |
    (row.lock ? format.ROWF_LOCK : 0) |
    (row.default64 ? format.ROWF_DEFAULT64 : 0) |
    (row.ends ? format.ROWF_ENDS : 0) |
    (operands.forceRegister ? format.ROWF_FORCE_REGISTER : 0);
  record[format.ROW_SIZE] = operands.size;
  record[format.ROW_REG_KIND] = operands.reg;
  record[format.ROW_RM_KIND] = operands.rm;
  record[format.ROW_IMMEDIATE_KIND] = operands.immediate;
  record[format.ROW_AUX] = row.aux ?? 0;
  record[format.ROW_REXB] = row.rexb ?? 0xff;
  return record;
}

/** Conditions of a row: the more, the earlier it is tried. */
function specificity(row: Row): number {
  return [row.prefix, row.extension, row.mod, row.rm, row.rexw, row.rexb].filter((condition) => condition !== undefined).length;
}

export function decoderTables(rows: readonly Row[]): DecoderTables {
  const lists = new Map<number, number[]>();
  rows.forEach((row, number) => {
    const { map, opcodes } = opcodesOf(row);
    for (const opcode of opcodes) {
      const key = map * 256 + opcode;
      lists.set(key, [...(lists.get(key) ?? []), number]);
    }
  });
  const specificityOf = (number: number): number => {
    const row = rows[number];
    return row === undefined ? 0 : specificity(row) * 2 + (row.opcode.endsWith('+r') ? 0 : 1);
  };
  const opcodes = new Uint16Array(1024);
  const candidates: number[] = [0xffff];
  for (const [key, numbers] of lists) {
    opcodes[key] = candidates.length;
    candidates.push(...numbers.sort((a, b) => specificityOf(b) - specificityOf(a)), 0xffff);
  }
  const undefinedRow = { opcode: '0F 0B', mnemonic: 'undefined', operands: '', handler: 'undefined', ends: true } as const;
  return {
    opcodes,
    candidates: Uint16Array.from(candidates),
    rows: Uint8Array.from([...rows, undefinedRow].flatMap(encodeRow)),
  };
}
