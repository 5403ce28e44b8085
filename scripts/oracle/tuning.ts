/**
 * Inputs that implicit operands need: stacks and string pointers that are mapped, quotients that fit, accumulators that
 * sometimes match, counts that end, branch targets that exist. Keyed by opcode, like the manual's opcode map.
 */
import { D0, GUARD } from '../../src/engine/cpu/testing/address-map.ts';
import { type Form, isString } from '../../src/engine/cpu/testing/forms.ts';
import { FLAG_DF, RAX, RBP, RBX, RCX, RDI, RDX, RSI, RSP, writeU64 } from '../../src/engine/cpu/testing/machine-state.ts';
import { fillValues } from '../../src/engine/cpu/testing/values.ts';
import { OVERRIDE_RFLAGS } from '../../src/engine/cpu/testing/vectors.ts';
import { type Draft, patch, setRegister } from './draft.ts';
import { HIGH_BYTE, type Segment } from './encode.ts';
import { isX87 } from './flavours.ts';
import { landingAddress, memoryBytes, placeAddress, segmentBase } from './operands.ts';
import { tuneMxcsr, tuneStateLoad, tuneX87 } from './tuning-float.ts';

function is(form: Form, opcode: string, extension?: number): boolean {
  return form.row.opcode === opcode && (extension === undefined || form.row.extension === extension);
}

type StackUse = 'push' | 'pop' | 'leave' | 'return' | 'call' | null;

function stackUse(form: Form): StackUse {
  const { opcode, extension } = form.row;
  switch (opcode) {
    case '50+r':
    case '68':
    case '6A':
    case '9C':
    case 'C8':
    case '0F A0':
    case '0F A8':
      return 'push';
    case '58+r':
    case '8F':
    case '9D':
      return 'pop';
    case 'C9':
      return 'leave';
    case 'C2':
    case 'C3':
      return 'return';
    case 'E8':
      return 'call';
    case 'FF':
      return extension === 2 ? 'call' : extension === 6 ? 'push' : null;
    default:
      return null;
  }
}

function isDivision(form: Form): boolean {
  return (is(form, 'F6') || is(form, 'F7')) && (form.row.extension === 6 || form.row.extension === 7);
}

function isBitTest(form: Form): boolean {
  return /^0F (A3|AB|B3|BB)$/.test(form.row.opcode);
}

function isCompareExchange(form: Form): boolean {
  return is(form, '0F B0') || is(form, '0F B1') || is(form, '0F C7', 1);
}

function isMaskedMove(form: Form): boolean {
  return is(form, '0F F7');
}

function isTextCompare(form: Form): boolean {
  return /^0F 3A 6[0-3]$/.test(form.row.opcode);
}

function isBlend(form: Form): boolean {
  return /^0F 38 1[045]$/.test(form.row.opcode);
}

/** Registers that the form uses without naming them; addresses are made of others. */
export function avoidedRegisters(form: Form): ReadonlySet<number> {
  const avoided = new Set<number>();
  if (stackUse(form) !== null) {
    avoided.add(RSP);
    if (is(form, 'C9') || is(form, 'C8')) avoided.add(RBP);
  }
  if (isString(form.row)) for (const register of [RSI, RDI, RCX, RAX]) avoided.add(register);
  if (isDivision(form)) for (const register of [RAX, RDX]) avoided.add(register);
  if (isCompareExchange(form)) for (const register of [RAX, RDX, RBX, RCX]) avoided.add(register);
  if (is(form, 'D7')) for (const register of [RAX, RBX]) avoided.add(register);
  if (isMaskedMove(form)) avoided.add(RDI);
  if (/^(D2|D3|0F A5|0F AD)$/.test(form.row.opcode)) avoided.add(RCX);
  return avoided;
}

/** Finishes the input of a case; false = no sensible case with these operands. */
export function tune(draft: Draft): boolean {
  const { form } = draft;
  if (stackUse(form) !== null) return tuneStack(draft);
  if (isString(form.row)) return tuneString(draft);
  if (isDivision(form)) return tuneDivision(draft);
  if (isBitTest(form)) return tuneBitOffset(draft);
  if (isCompareExchange(form)) return tuneCompareExchange(draft);
  if (is(form, 'D7')) return tuneTranslate(draft);
  if (isMaskedMove(form)) return tuneMaskedMove(draft);
  if (isTextCompare(form)) return tuneTextCompare(draft);
  if (isBlend(form)) return true;
  if (/^(D2|D3|0F A5|0F AD)$/.test(form.row.opcode)) return tuneCount(draft);
  if (/^E[0-3]$/.test(form.row.opcode)) return tuneLoop(draft);
  if (is(form, 'FF', 4)) return tuneIndirectJump(draft);
  if (isX87(form.row)) return tuneX87(draft);
  if (is(form, '0F AE')) return tuneStateLoad(draft);
  return tuneMxcsr(draft);
}

/** Address where control may go: mostly HLT on the landing pages; sometimes a page that is missing or not executable. */
function branchTarget(draft: Draft): bigint {
  if (draft.random.oneIn(8)) return draft.random.oneIn(2) ? BigInt(GUARD + 0x10) : BigInt(D0 + 0x123);
  return BigInt(landingAddress(draft.random));
}

function qword(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  writeU64(bytes, 0, BigInt.asUintN(64, value));
  return bytes;
}

/** Makes the rm operand hold `value`. */
function setRmOperand(draft: Draft, value: bigint, bytes: number): void {
  const { choice } = draft;
  if (typeof choice.rm === 'number') {
    if (choice.rm >= HIGH_BYTE) {
      const register = choice.rm - HIGH_BYTE;
      const old = draft.state.gpr[register] ?? 0n;
      setRegister(draft, register, (old & ~0xff00n) | ((value & 0xffn) << 8n));
      return;
    }
    const old = draft.state.gpr[choice.rm] ?? 0n;
    const mask = (1n << BigInt(8 * bytes)) - 1n;
    setRegister(draft, choice.rm, (old & ~mask) | (value & mask));
    return;
  }
  const content = new Uint8Array(16);
  writeU64(content, 0, BigInt.asUintN(64, value));
  if (draft.target !== null) patch(draft, draft.target, bytes, content.slice(0, bytes));
}

function tuneStack(draft: Draft): boolean {
  const { form, random } = draft;
  const use = stackUse(form);
  const bytes = form.size === 2 ? 2 : 8;
  // A named memory operand takes the fault; the stack is then in order.
  const place = form.rm === 'memory' ? 'inside' : draft.place;
  const at = placeAddress(place, bytes, 1, random);
  const grows = use === 'push' || use === 'call';
  const pointer = use === 'leave' ? RBP : RSP;
  setRegister(draft, pointer, grows ? at + BigInt(bytes) : at);
  switch (use) {
    case 'leave':
    case 'pop':
      if (is(form, '9D')) {
        if (place === 'read-only' || place === 'crossing-read-only') return false; // what is there cannot be chosen
        // TF would trap, and the host keeps NT and ID for the tests that follow.
        patch(draft, at, 8, qword(random.u64() & ~0x244100n));
      } else patch(draft, at, bytes, 'int64');
      return true;
    case 'return':
      patch(draft, at, 8, qword(branchTarget(draft)));
      return true;
    case 'call':
      if (form.row.opcode === 'FF') setRmOperand(draft, branchTarget(draft), 8);
      return true;
    default:
      return is(form, 'C8') ? tuneEnter(draft) : true;
  }
}

function tuneEnter(draft: Draft): boolean {
  const levels = Number((draft.choice.immediates[1] ?? 0n) & 0x1fn);
  const allocated = Number((draft.choice.immediates[0] ?? 0n) & 0xffffn);
  if (draft.place !== 'inside') return levels <= 1;
  // Frame pointers are copied from below RBP; frames end inside the two pages.
  setRegister(draft, RBP, BigInt(D0 + 0x1200 + draft.random.below(64)));
  setRegister(draft, RSP, BigInt(D0 + 0x1c00 + draft.random.below(64)));
  return allocated + 8 * levels < 0x1800;
}

function tuneString(draft: Draft): boolean {
  const { form, random, choice } = draft;
  const byteSized = /^(6C|6E|A4|A6|AA|AC|AE)$/.test(form.row.opcode);
  const bytes = byteSized ? 1 : form.size;
  const count = form.repeat === 'none' ? 1 : random.oneIn(6) ? 0 : random.below(20);
  const down = (draft.state.rflags & FLAG_DF) !== 0 || random.oneIn(3);
  const rflags = down ? draft.state.rflags | FLAG_DF : draft.state.rflags & ~FLAG_DF;
  draft.state.rflags = rflags;
  setRegister(draft, OVERRIDE_RFLAGS, BigInt(rflags));
  const garbage = choice.address32 ? (random.u64() >> 32n) << 32n : 0n;
  const reach = BigInt(bytes * Math.max(0, count - 1));
  const faulting = draft.place !== 'inside' && draft.place !== 'crossing' && draft.place !== 'end';
  if (draft.place === 'not-canonical' && (choice.address32 || choice.segment !== null || form.repeat !== 'none')) return false;
  /** Pointer from which `count` elements start; with a fault place the last elements run into it. */
  const pointer = (place: Draft['place']): bigint => {
    const at = placeAddress(place, bytes, 1, random);
    return down ? at + (place === 'inside' ? reach : 0n) : at - (place === 'end' || faulting ? reach / 2n : 0n);
  };
  const sourceFaults = faulting && random.oneIn(2);
  const source = pointer(sourceFaults || !faulting ? draft.place : 'inside');
  const destination = !sourceFaults || !faulting ? pointer(draft.place) : pointer('inside');
  const overlap = random.oneIn(4) && !faulting;
  setRegister(draft, RSI, pointerValue(draft, source, choice.segment));
  setRegister(draft, RDI, pointerValue(draft, overlap ? source + BigInt(random.below(9) - 4) : destination, null));
  if (form.repeat !== 'none') setRegister(draft, RCX, BigInt(count) | garbage);
  // Contents: alike on both sides up to some element, so that compares and scans run on and stop.
  const span = Math.max(bytes, Number(reach) + bytes);
  const text = new Uint8Array(span);
  fillValues(random, random.oneIn(2) ? 'text' : 'int8', text);
  if (random.oneIn(3)) text.fill(text[0] ?? 0);
  const lowest = (at: bigint): bigint => (down ? at - reach : at);
  patch(draft, lowest(source), span, text.slice());
  if (!overlap && !is(form, 'AE') && !is(form, 'AF')) {
    if (random.oneIn(2) && count > 0) text[random.below(span)] = 0x5a;
    patch(draft, lowest(destination), span, text);
  } else if (!overlap) {
    patch(draft, lowest(destination), span, text);
    // the scanned-for value is often one that occurs
    let value = 0n;
    const from = random.below(Math.max(1, count)) * bytes;
    for (let at = 0; at < bytes; at++) value |= BigInt(text[from + at] ?? 0) << BigInt(8 * at);
    if (random.oneIn(2)) setRegister(draft, RAX, value);
  }
  return true;
}

function tuneDivision(draft: Draft): boolean {
  const { form, random, choice } = draft;
  if (random.oneIn(4)) return true; // anything: mostly #DE
  const bytes = form.row.opcode === 'F6' ? 1 : form.size;
  const bits = BigInt(8 * bytes);
  const rmRegister = typeof choice.rm === 'number' ? (choice.rm >= HIGH_BYTE ? choice.rm - HIGH_BYTE : choice.rm) : -1;
  if (rmRegister === RAX || rmRegister === RDX) return true;
  const signed = form.row.extension === 7;
  const narrow = (): bigint => random.u64() >> BigInt(random.below(64));
  let divisor = signed ? BigInt.asIntN(Number(bits), narrow()) : BigInt.asUintN(Number(bits), narrow());
  if (divisor === 0n) divisor = 3n;
  let quotient = signed ? BigInt.asIntN(Number(bits), narrow()) : BigInt.asUintN(Number(bits), narrow());
  if (random.oneIn(6)) quotient = signed ? -(1n << (bits - 1n)) : (1n << bits) - 1n;
  if (random.oneIn(8)) quotient += signed && quotient < 0n ? -1n : 1n; // the first that does not fit
  const magnitude = divisor < 0n ? -divisor : divisor;
  let remainder = random.u64() % magnitude;
  let dividend = quotient * divisor;
  if (dividend < 0n) remainder = -remainder;
  dividend += remainder;
  setRmOperand(draft, divisor, bytes);
  if (bytes === 1) {
    const old = draft.state.gpr[RAX] ?? 0n;
    setRegister(draft, RAX, (old & ~0xffffn) | BigInt.asUintN(16, dividend));
    return true;
  }
  const mask = (1n << bits) - 1n;
  const low = dividend & mask;
  const high = (dividend >> bits) & mask;
  setRegister(draft, RAX, ((draft.state.gpr[RAX] ?? 0n) & ~mask) | low);
  setRegister(draft, RDX, ((draft.state.gpr[RDX] ?? 0n) & ~mask) | high);
  return true;
}

/** Register bit offsets reach beyond the operand: `target` is the word that is really touched. */
function tuneBitOffset(draft: Draft): boolean {
  const { form, random, choice } = draft;
  if (form.rm !== 'memory' || typeof choice.rm === 'number') return true;
  const bits = form.size * 8;
  const inAddress = choice.rm.base === choice.reg || choice.rm.index === choice.reg;
  if (inAddress) return false;
  const words = draft.place === 'inside' ? random.below(9) - 4 : 0;
  const offset = BigInt(words * bits + random.below(bits));
  const mask = (1n << BigInt(bits)) - 1n;
  setRegister(draft, choice.reg, ((draft.state.gpr[choice.reg] ?? 0n) & ~mask) | (offset & mask));
  if (draft.target !== null && words !== 0) patch(draft, draft.target + BigInt((words * bits) / 8), form.size, 'int64');
  return true;
}

function tuneCompareExchange(draft: Draft): boolean {
  const { form, random, choice } = draft;
  if (random.oneIn(2)) return true;
  if (form.row.opcode === '0F C7') {
    const half = memoryBytes(form) / 2;
    const content = new Uint8Array(16);
    random.fill(content);
    const read = (at: number): bigint => {
      let value = 0n;
      for (let byte = 0; byte < half; byte++) value |= BigInt(content[at + byte] ?? 0) << BigInt(8 * byte);
      return value;
    };
    setRegister(draft, RAX, read(0) | (half === 4 ? random.u64() & ~0xffffffffn : 0n));
    setRegister(draft, RDX, read(half) | (half === 4 ? random.u64() & ~0xffffffffn : 0n));
    if (draft.target !== null) patch(draft, draft.target, 2 * half, content.slice(0, 2 * half));
    return true;
  }
  const bytes = form.row.opcode === '0F B0' ? 1 : form.size;
  if (choice.rm === RAX) return true;
  setRmOperand(draft, draft.state.gpr[RAX] ?? 0n, bytes);
  return true;
}

/** Value of an implicit pointer register for a linear address: less the segment's base, anything above 32 address bits. */
function pointerValue(draft: Draft, linear: bigint, segment: Segment | null): bigint {
  const value = linear - segmentBase(segment);
  if (!draft.choice.address32) return value;
  return (value & 0xffffffffn) | ((draft.random.u64() >> 32n) << 32n);
}

function tuneTranslate(draft: Draft): boolean {
  const { random } = draft;
  if (draft.place === 'not-canonical' && (draft.choice.address32 || draft.choice.segment !== null)) return false;
  const at = placeAddress(draft.place, 1, 1, random);
  const low = (draft.state.gpr[RAX] ?? 0n) & 0xffn;
  setRegister(draft, RBX, pointerValue(draft, at - low, draft.choice.segment));
  return true;
}

function tuneMaskedMove(draft: Draft): boolean {
  // Which faults happen for bytes that are masked off is up to the implementation.
  if (draft.place !== 'inside' && draft.place !== 'crossing' && draft.place !== 'end') return false;
  setRegister(draft, RDI, pointerValue(draft, placeAddress(draft.place, 16, 1, draft.random), draft.choice.segment));
  return true;
}

function tuneTextCompare(draft: Draft): boolean {
  const { random } = draft;
  const length = (): bigint => (random.oneIn(4) ? random.u64() : BigInt(random.below(41) - 20));
  const named = typeof draft.choice.rm !== 'number' ? [draft.choice.rm.base, draft.choice.rm.index] : [];
  if (!named.includes(RAX)) setRegister(draft, RAX, length());
  if (!named.includes(RDX)) setRegister(draft, RDX, length());
  return true;
}

function tuneCount(draft: Draft): boolean {
  const { random } = draft;
  const count = random.pick([0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, random.below(256), random.below(64)]);
  setRegister(draft, RCX, ((draft.state.gpr[RCX] ?? 0n) & ~0xffn) | BigInt(count));
  return true;
}

function tuneLoop(draft: Draft): boolean {
  const { random } = draft;
  const high = draft.choice.address32 || random.oneIn(3) ? (random.u64() >> 32n) << 32n : 0n;
  setRegister(draft, RCX, random.pick([0n, 1n, 2n, 1n, 0n, BigInt(random.u32())]) | high);
  return true;
}

function tuneIndirectJump(draft: Draft): boolean {
  setRmOperand(draft, branchTarget(draft), 8);
  return true;
}
