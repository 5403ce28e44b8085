/**
 * Which forms random programs are made of, and what each does to the arithmetic flags: a flag that the manual leaves undefined must
 * not be read by the rest of the program.
 */
import { type Form, formsOf, isVector, letterIn, operandsOf } from '../../src/engine/cpu/testing/forms.ts';
import {
  ARITHMETIC_FLAGS,
  FLAG_AF,
  FLAG_CF,
  FLAG_OF,
  FLAG_PF,
  FLAG_SF,
  FLAG_ZF,
} from '../../src/engine/cpu/testing/machine-state.ts';
import type { Row } from '../../src/engine/cpu/table/row.ts';
import { isX87 } from './flavours.ts';
import { isNative } from './scope.ts';
import { undefinedFlags } from './undefined.ts';

/** General instructions without implicit memory, faults or transfers of control. */
const GENERAL = new RegExp(
  '^(0[0-5]|0[89A-D]|1[0-5]|1[89A-D]|2[0-5]|2[89A-D]|3[0-5]|3[89A-D]|63|69|6B|8[013]|8[4-9AB]|8D|98|99|9E|9F|A[89]|B[08]\\+r' +
    '|C[0167]|D[0-3]|F[568C9]|F[67]|FE|FF|50\\+r|58\\+r|9C|0F 4[0-9A-F]|0F 9[0-9A-F]|0F A[345BCDF]|0F B[01367ABCDEF]|0F C[01]|0F C8\\+r|0F B8)$',
);

/**
 * x87 instructions out of programs: approximate results, condition codes that differ between CPUs made visible, control words with
 * exceptions unmasked, state images.
 */
const X87_EXCLUDED =
  /^(f2xm1|fyl2x|fyl2xp1|fptan|fpatan|fsin|fcos|fsincos|fnstsw|fldcw|fldenv|fnstenv|frstor|fnsave|fxsave|fxrstor|fbld|fbstp)/;

function isProgramForm(form: Form): boolean {
  const { row } = form;
  if (!isNative(form)) return false;
  if (isX87(row)) return !X87_EXCLUDED.test(row.mnemonic);
  // Results that CPUs may differ in, and stores through RDI, stay out.
  if (isVector(row)) return !/^(rcp|rsqrt|maskmov)/.test(row.mnemonic);
  if (!GENERAL.test(row.opcode)) return false;
  const { opcode, extension } = row;
  if (opcode === 'F6' || opcode === 'F7') return extension !== 6 && extension !== 7;
  if (opcode === 'FF') return extension === 0 || extension === 1;
  if (/^0F (A3|AB|B3|BB)$/.test(opcode) && form.rm === 'memory') return false; // the offset reaches anywhere
  if (/^0F A[5D]$/.test(opcode) && form.size === 2) return false; // undefined results
  if (/^0F A[4C]$/.test(opcode) && form.size === 2) return false;
  if (/^(50|58)\+r$|^9C$/.test(opcode)) return form.size === 8;
  return true;
}

/** Arithmetic flags that the form reads. */
export function flagsRead(form: Form): number {
  const { opcode, extension, mnemonic } = form.row;
  if (/^(1[0-5]|1[89A-D])$/.test(opcode)) return FLAG_CF;
  if (/^8[013]$/.test(opcode) && (extension === 2 || extension === 3)) return FLAG_CF;
  if (/^(C[01]|D[0-3])$/.test(opcode) && (extension === 2 || extension === 3)) return FLAG_CF;
  if (opcode === 'F5') return FLAG_CF;
  if (opcode === '9F' || opcode === '9C') return ARITHMETIC_FLAGS;
  if (/^(cmov|set|fcmov)/.test(mnemonic)) return ARITHMETIC_FLAGS;
  return 0;
}

/** Arithmetic flags that the form defines for certain, whatever its operands. */
export function flagsDefined(form: Form): number {
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
  if (/^u?comis[sd]$|^ptest$|^pcmp[ei]str|^fu?comip?$/.test(mnemonic)) return ARITHMETIC_FLAGS;
  return 0;
}

/** Flags left undefined with operands unknown: the worst case over counts. */
export function flagsUndefined(form: Form, immediate: number): number {
  if (/^(D2|D3|0F A5|0F AD)$/.test(form.row.opcode)) return FLAG_OF | FLAG_AF | FLAG_CF;
  return undefinedFlags(form, immediate, 0, true);
}

export interface Palette {
  readonly general: readonly Form[];
  readonly vector: readonly Form[];
  /** x87 and MMX, which share registers. */
  readonly stack: readonly Form[];
  /** Jcc with an 8-bit displacement, by condition. */
  readonly jump: readonly Form[];
  readonly compare: Form;
  readonly subtractImmediate: Form;
}

function isMmx(row: Row): boolean {
  return operandsOf(row).some((operand) => letterIn(operand, 'PQN'));
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
    general: usable.filter((form) => !isVector(form.row) && !isX87(form.row)),
    vector: usable.filter((form) => isVector(form.row) && !isMmx(form.row)),
    stack: usable.filter((form) => isX87(form.row) || isMmx(form.row)),
    jump: forms.filter((form) => /^7[0-9A-F]$/.test(form.row.opcode)),
    compare: find((form) => form.row.opcode === '39' && form.size === 8 && form.rm === 'register'),
    subtractImmediate: find(
      (form) => form.row.opcode === '83' && form.row.extension === 5 && form.size === 4 && form.rm === 'register',
    ),
  };
}
