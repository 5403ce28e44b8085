/**
 * What the manual leaves undefined after an instruction, by opcode and operands (SDM Vol. 2, "Flags Affected" of each entry;
 * Vol. 1, 8.1.3 for the x87 condition codes). Written apart from the instruction table, as a second reading of the manual.
 */
import type { Form } from '../../src/engine/cpu/testing/forms.ts';
import {
  ARITHMETIC_FLAGS,
  FLAG_AF,
  FLAG_CF,
  FLAG_OF,
  FLAG_PF,
  FLAG_SF,
  FLAG_ZF,
} from '../../src/engine/cpu/testing/machine-state.ts';

const SHIFT_OPCODES = new Set(['C0', 'C1', 'D0', 'D1', 'D2', 'D3']);
const DOUBLE_SHIFTS = new Set(['0F A4', '0F A5', '0F AC', '0F AD']);

/** Bits of the operand that shifts and rotates work on. */
export function operandBits(form: Form): number {
  const opcode = form.row.opcode;
  return opcode === 'C0' || opcode === 'D0' || opcode === 'D2' ? 8 : form.size * 8;
}

/** Count of a shift or rotate: from the immediate, CL or 1. */
export function shiftCount(form: Form, immediate: number, cl: number): number {
  const opcode = form.row.opcode;
  const raw = /^(C0|C1|0F A4|0F AC)$/.test(opcode) ? immediate : /^(D0|D1)$/.test(opcode) ? 1 : cl;
  return raw & (form.size === 8 && operandBits(form) === 64 ? 63 : 31);
}

function undefinedAfterShift(form: Form, count: number): number {
  if (count === 0) return 0;
  const bits = operandBits(form);
  const extension = form.row.extension ?? 0;
  if (extension < 4) return count === 1 ? 0 : FLAG_OF; // rol ror rcl rcr
  let flags = FLAG_AF;
  if (count !== 1) flags |= FLAG_OF;
  if (extension !== 7 && count >= bits) flags |= FLAG_CF;
  return flags;
}

/** Arithmetic flags that the form leaves undefined. `immediate` is its last immediate byte, `cl` the low byte of RCX. */
export function undefinedFlags(form: Form, immediate: number, cl: number, zeroSource: boolean): number {
  const { opcode, extension, prefix } = form.row;
  if (SHIFT_OPCODES.has(opcode)) return undefinedAfterShift(form, shiftCount(form, immediate, cl));
  if (DOUBLE_SHIFTS.has(opcode)) {
    const count = shiftCount(form, immediate, cl);
    if (count === 0) return 0;
    if (count > form.size * 8) return ARITHMETIC_FLAGS;
    return FLAG_AF | (count === 1 ? 0 : FLAG_OF);
  }
  switch (opcode) {
    case '08':
    case '09':
    case '0A':
    case '0B':
    case '0C':
    case '0D':
    case '20':
    case '21':
    case '22':
    case '23':
    case '24':
    case '25':
    case '30':
    case '31':
    case '32':
    case '33':
    case '34':
    case '35':
    case '84':
    case '85':
    case 'A8':
    case 'A9':
      return FLAG_AF;
    case '80':
    case '81':
    case '83':
      return extension === 1 || extension === 4 || extension === 6 ? FLAG_AF : 0;
    case 'F6':
    case 'F7':
      if (extension === 0 || extension === 1) return FLAG_AF;
      if (extension === 4 || extension === 5) return FLAG_SF | FLAG_ZF | FLAG_AF | FLAG_PF;
      if (extension === 6 || extension === 7) return ARITHMETIC_FLAGS;
      return 0;
    case '69':
    case '6B':
    case '0F AF':
      return FLAG_SF | FLAG_ZF | FLAG_AF | FLAG_PF;
    case '0F A3':
    case '0F AB':
    case '0F B3':
    case '0F BB':
    case '0F BA':
      return FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF;
    case '0F BC':
    case '0F BD':
      return prefix === undefined || zeroSource ? FLAG_CF | FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF : 0;
    default:
      return 0;
  }
}

/** A result that the manual leaves undefined: SHLD and SHRD by more than the operand's size. */
export function undefinedResult(form: Form, immediate: number, cl: number): boolean {
  return DOUBLE_SHIFTS.has(form.row.opcode) && shiftCount(form, immediate, cl) > form.size * 8;
}

const C0 = 0x100;
const C1 = 0x200;
const C2 = 0x400;
const C3 = 0x4000;

/** Bits of the x87 status word that the row leaves undefined. */
export function undefinedStatus(mnemonic: string): number {
  const name = mnemonic.toLowerCase();
  if (name === 'wait' || name === 'fwait') return C0 | C1 | C2 | C3;
  if (!name.startsWith('f')) return 0;
  if (/^f(fxsave|xsave|xrstor)/.test(name)) return 0;
  // All four: state loads define them, these leave them.
  if (/^(fldcw|fnstcw|fstcw|fnstenv|fnstsw|fnclex|fclex|fnop|ffree|ffreep)$/.test(name)) return C0 | C1 | C2 | C3;
  if (/^(fldenv|frstor|fninit|fnsave|fxam)/.test(name)) return 0;
  // C1: cleared on Intel, left alone by the host (SDM Vol. 2A, FCOMI; its value after FCMOVcc is given for a stack fault only).
  if (/^fu?comip?$/.test(name)) return C1;
  if (name.startsWith('fcmov')) return C0 | C1 | C2 | C3;
  if (/^(fcom|fucom|ficom|ftst)/.test(name)) return 0;
  if (/^(fprem|fprem1)$/.test(name)) return 0;
  // C2 says whether the argument was in range.
  if (/^(fptan|fsin|fcos|fsincos)$/.test(name)) return C0 | C3;
  return C0 | C2 | C3;
}

/**
 * Status bits left undefined because of what happened: condition codes after an invalid operation. Compares set them although the
 * exception is unmasked on the host, the manual says they do not (SDM Vol. 2A, FCOM).
 */
export function undefinedStatusAfter(mnemonic: string, control: number, status: number): number {
  const invalid = (status & 1) !== 0;
  if (!invalid) return 0;
  if (/^f(u|i)?comp?p?[235]?$|^ftst$/.test(mnemonic)) return (control & 1) === 0 ? C0 | C2 | C3 : 0;
  if (/^(fprem|fprem1|fptan|fsin|fcos|fsincos)$/.test(mnemonic)) return C0 | C1 | C2 | C3;
  return 0;
}

/** The same for the arithmetic flags: FCOMI leaves them alone when the exception is unmasked, the host sets them (SDM Vol. 2A, FCOMI). */
export function undefinedFlagsAfter(mnemonic: string, control: number, status: number): number {
  return /^fu?comip?$/.test(mnemonic) && (status & 1) !== 0 && (control & 1) === 0 ? ARITHMETIC_FLAGS : 0;
}
