/**
 * Inputs for the x87, MMX and SSE: control words with exceptions unmasked, exceptions that are pending, well-formed images for the
 * instructions that load state.
 */
import { letterIn, operandsOf, rmOperand } from '../../src/engine/cpu/testing/forms.ts';
import { FX_FCW, FX_FSW, FX_MXCSR, FX_ST, readU16, writeU16, writeU32 } from '../../src/engine/cpu/testing/machine-state.ts';
import { fillValues } from '../../src/engine/cpu/testing/values.ts';
import { type Draft, patch } from './draft.ts';
import { memoryBytes } from './operands.ts';

const X87_EXCEPTIONS = 0x3f;

/** An x87 exception that is pending: the next instruction that looks at the x87 must report it. */
function pendingException(draft: Draft): void {
  const content = new Uint8Array(4);
  writeU16(content, 0, 0x37e); // invalid operation unmasked
  writeU16(content, 2, 0x8081 | (draft.random.below(8) << 11));
  draft.patches.push({ address: FX_FCW, length: 4, content });
  draft.state.fx.set(content, FX_FCW);
}

/** Sometimes unmasked exceptions, sometimes one that is pending, sometimes a stack that over- or underflows. */
export function tuneX87(draft: Draft): boolean {
  const { form, random, state } = draft;
  const name = form.row.mnemonic.toLowerCase();
  if (random.oneIn(5)) {
    const control = new Uint8Array(2);
    writeU16(control, 0, 0x40 | (random.u32() & 0xf00 & ~0x100) | (random.u32() & X87_EXCEPTIONS) | 0x200);
    draft.patches.push({ address: FX_FCW, length: 2, content: control });
    const masks = (control[0] ?? 0) & X87_EXCEPTIONS;
    const pending = random.oneIn(3);
    const sticky = random.u32() & (pending ? X87_EXCEPTIONS : masks);
    let status = (random.below(8) << 11) | (random.u32() & 0x4700) | sticky;
    if ((sticky & ~masks) !== 0) status |= 0x8080;
    const word = new Uint8Array(2);
    writeU16(word, 0, status);
    draft.patches.push({ address: FX_FSW, length: 2, content: word });
    state.fx.set(word, FX_FSW);
  }
  if (name === 'f2xm1' || name === 'fyl2xp1') limitArgument(draft);
  if (draft.target === null) return true;
  if (name === 'fldcw') {
    const word = new Uint8Array(2);
    writeU16(word, 0, 0x40 | (random.u32() & 0xf3f));
    patch(draft, draft.target, 2, word);
  } else if (name === 'fldenv' || name === 'frstor') {
    patch(draft, draft.target, memoryBytes(form), environmentImage(draft));
  } else if (/^fxrstor/.test(name)) return tuneStateLoad(draft);
  return true;
}

/** F2XM1 and FYL2XP1 are defined for small arguments only: a larger one gets an exponent in the range. */
function limitArgument(draft: Draft): void {
  const at = FX_ST + 8;
  const exponent = readU16(draft.state.fx, at);
  if ((exponent & 0x7fff) < 0x3ffd) return;
  const bytes = new Uint8Array(2);
  writeU16(bytes, 0, (exponent & 0x8000) | (0x3ffc - draft.random.below(40)));
  draft.patches.push({ address: at, length: 2, content: bytes });
}

/** A well-formed environment, and register values for FRSTOR. */
function environmentImage(draft: Draft): Uint8Array {
  const { form, random } = draft;
  const bytes = new Uint8Array(memoryBytes(form));
  random.fill(bytes);
  const word = form.size === 2 ? 2 : 4;
  const masks = random.oneIn(2) ? 0x3f : random.u32() & 0x3f;
  writeU16(bytes, 0, 0x40 | (random.u32() & 0xf00) | masks);
  writeU16(bytes, word, (random.u32() & 0x7f00) | (random.u32() & X87_EXCEPTIONS));
  writeU16(bytes, 2 * word, random.u32() & 0xffff);
  const registers = 7 * word;
  if (bytes.length > registers) {
    const values = new Uint8Array(16 * 8);
    fillValues(random, 'f80', values);
    for (let register = 0; register < 8; register++)
      bytes.set(values.subarray(16 * register, 16 * register + 10), registers + 10 * register);
  }
  return bytes;
}

/** FXRSTOR and LDMXCSR want images without reserved bits; a set one is #GP. */
export function tuneStateLoad(draft: Draft): boolean {
  const { form, random } = draft;
  if (draft.target === null) return true;
  const name = form.row.mnemonic.toLowerCase();
  const control = random.oneIn(8) ? random.u32() & 0xfffdffff : random.u32() & 0xffff;
  if (name === 'ldmxcsr') {
    const bytes = new Uint8Array(4);
    writeU32(bytes, 0, control);
    patch(draft, draft.target, 4, bytes);
  } else if (/^fxrstor/.test(name)) {
    const image = new Uint8Array(512);
    random.fill(image);
    const masks = random.oneIn(2) ? 0x3f : random.u32() & 0x3f;
    writeU16(image, FX_FCW, 0x40 | (random.u32() & 0xf00) | masks);
    const exceptions = random.u32() & masks;
    writeU16(image, FX_FSW, (random.u32() & 0x7f00) | exceptions);
    writeU32(image, FX_MXCSR, control);
    patch(draft, draft.target, 512, image);
  }
  return true;
}

/** Vector arithmetic: now and then with an exception unmasked. */
export function tuneMxcsr(draft: Draft): boolean {
  const { form, random, flavour } = draft;
  if (operandsOf(form.row).some((operand) => letterIn(operand, 'PQN')) && random.oneIn(12)) pendingException(draft);
  const floating = flavour === 'f32' || flavour === 'f64' || /^cvt/.test(form.row.mnemonic.toLowerCase());
  const vector = rmOperand(form.row) !== undefined && /[VWUP]/.test(form.row.operands);
  if (!floating || !vector || !random.oneIn(8)) return true;
  const control = new Uint8Array(4);
  writeU32(control, 0, random.u32() & 0xff3f);
  draft.patches.push({ address: FX_MXCSR, length: 4, content: control });
  return true;
}
