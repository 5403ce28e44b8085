/**
 * The x87's register stack, status word and exceptions.
 *
 * An instruction computes first, with its exception flags gathering at VCPU_SOFTFLOAT_FLAGS; whatever may fault (memory) comes
 * next; only then `settle` merges the flags into the status word and says whether the result may be stored. An unmasked
 * exception is not reported by the instruction that caused it: it sets ES, and the next waiting instruction raises #MF (CR0.NE = 1).
 * @sdm Vol.1 8.1 (state), 8.5 and 8.6 (exceptions), Vol.3A 2.5 (CR0)
 */
import { effectiveOffset, instructionAddress } from '../address';
import { raise } from '../fault';
import {
  NEXT,
  OP_LENGTH,
  PAGE_BYTES,
  VCPU_CR0,
  VCPU_FCW,
  VCPU_FDP,
  VCPU_FIP,
  VCPU_FOP,
  VCPU_FSW,
  VCPU_FTW,
  VCPU_SOFTFLOAT_FLAGS,
  VCPU_X87,
  VECTOR_MF,
  VECTOR_NM,
} from '../layout';
import { beginStore, endStore, readable } from '../memory';
import { roundedUp } from '../softfloat/arithmetic';
import { DENORMAL, INEXACT, INVALID, OVERFLOW, UNDERFLOW, ZERO_DIVIDE, modeOfControlWord } from '../softfloat/environment';

export const FSW_SF: u32 = 0x40;
export const FSW_ES: u32 = 0x80;
export const FSW_C0: u32 = 0x100;
export const FSW_C1: u32 = 0x200;
export const FSW_C2: u32 = 0x400;
export const FSW_C3: u32 = 0x4000;
export const FSW_B: u32 = 0x8000;
export const FSW_CODES: u32 = 0x4700;
const EXCEPTIONS: u32 = 0x3f;

const CR0_MP: u32 = 2;
const CR0_EM: u32 = 4;
const CR0_TS: u32 = 8;

// ---- before an instruction ------------------------------------------------------------------------------------------------

/** Whether CR0 forbids x87 instructions just now; the fault is recorded. Enough for the instructions that do not wait. */
export function x87Off(cpu: usize): bool {
  if (!(load<u32>(cpu, VCPU_CR0) & (CR0_EM | CR0_TS))) return false;
  raise(cpu, VECTOR_NM, 0);
  return true;
}

/** The same and whether an unmasked exception is pending; clears the flags that the instruction is about to gather. */
export function x87Refused(cpu: usize): bool {
  if (x87Off(cpu)) return true;
  store<u32>(cpu, 0, VCPU_SOFTFLOAT_FLAGS);
  if (!(load<u16>(cpu, VCPU_FSW) & FSW_ES)) return false;
  raise(cpu, VECTOR_MF, 0);
  return true;
}

/** FWAIT. */
export function waitRefused(cpu: usize): bool {
  if ((load<u32>(cpu, VCPU_CR0) & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS)) raise(cpu, VECTOR_NM, 0);
  else if (load<u16>(cpu, VCPU_FSW) & FSW_ES) raise(cpu, VECTOR_MF, 0);
  else return false;
  return true;
}

export function x87Mode(cpu: usize): u32 {
  return modeOfControlWord(load<u16>(cpu, VCPU_FCW));
}

// ---- the stack ------------------------------------------------------------------------------------------------------------

// @ts-ignore: decorator
@inline
export function topOf(cpu: usize): u32 {
  return (load<u16>(cpu, VCPU_FSW) >> 11) & 7;
}

export function setTop(cpu: usize, top: u32): void {
  store<u16>(cpu, (load<u16>(cpu, VCPU_FSW) & ~0x3800) | ((top & 7) << 11), VCPU_FSW);
}

/** Pointer to ST(i): significand, then sign and exponent. */
// @ts-ignore: decorator
@inline
export function stack(cpu: usize, i: u32): usize {
  return cpu + VCPU_X87 + ((<usize>((topOf(cpu) + i) & 7)) << 4);
}

// @ts-ignore: decorator
@inline
export function significandAt(register: usize): u64 {
  return load<u64>(register);
}

// @ts-ignore: decorator
@inline
export function seAt(register: usize): u32 {
  return load<u16>(register, 8);
}

// @ts-ignore: decorator
@inline
export function isEmpty(cpu: usize, i: u32): bool {
  return !((load<u8>(cpu, VCPU_FTW) >> ((topOf(cpu) + i) & 7)) & 1);
}

export function setEmpty(cpu: usize, i: u32): void {
  store<u8>(cpu, (<u32>load<u8>(cpu, VCPU_FTW)) & ~(1 << ((topOf(cpu) + i) & 7)), VCPU_FTW);
}

/** Writes ST(i), which is then in use. */
export function setStack(cpu: usize, i: u32, se: u32, significand: u64): void {
  const number = (topOf(cpu) + i) & 7;
  const register = cpu + VCPU_X87 + ((<usize>number) << 4);
  store<u64>(register, significand);
  store<u16>(register, se, 8);
  store<u8>(cpu, (<u32>load<u8>(cpu, VCPU_FTW)) | (1 << number), VCPU_FTW);
}

/** Writes the QNaN floating-point indefinite to ST(i): the masked response to most invalid operations. */
export function setStackIndefinite(cpu: usize, i: u32): void {
  setStack(cpu, i, 0xffff, 0xc000000000000000);
}

export function push(cpu: usize, se: u32, significand: u64): void {
  setTop(cpu, topOf(cpu) - 1);
  setStack(cpu, 0, se, significand);
}

export function pop(cpu: usize): void {
  setEmpty(cpu, 0);
  setTop(cpu, topOf(cpu) + 1);
}

// ---- after an instruction ---------------------------------------------------------------------------------------------------

/** Remembers a non-control instruction without memory operand for FNSTENV and FXSAVE. */
export function note(cpu: usize, op: usize): void {
  store<u64>(cpu, instructionAddress(cpu, op), VCPU_FIP);
}

/** The same with the offset of its memory operand in its segment. */
export function noteMemory(cpu: usize, op: usize): void {
  note(cpu, op);
  store<u64>(cpu, effectiveOffset(cpu, op), VCPU_FDP);
}

/** The exceptions among `kinds` that the instruction has met and that are unmasked. */
export function unmasked(cpu: usize, kinds: u32): u32 {
  return load<u32>(cpu, VCPU_SOFTFLOAT_FLAGS) & kinds & ~(<u32>load<u16>(cpu, VCPU_FCW));
}

/** Unmasked, these leave source and destination as they were (@sdm Vol.1 8.5.1-8.5.3). */
export const BEFORE: u32 = INVALID | DENORMAL | ZERO_DIVIDE;
/** Unmasked, these also keep a result out of memory; a register takes it with a wrapped exponent (@sdm Vol.1 8.5.4, 8.5.5). */
export const BEFORE_STORE: u32 = INVALID | DENORMAL | ZERO_DIVIDE | OVERFLOW | UNDERFLOW;

/** The opcode is kept for instructions that meet an unmasked exception (@sdm Vol.1 8.1.9.1): second byte and low bits of the first. */
function noteOpcode(cpu: usize, op: usize): void {
  const length = <usize>load<u8>(op, OP_LENGTH);
  const bytes = readable(cpu, instructionAddress(cpu, op), <u32>length);
  if (!bytes) return;
  // No prefix looks like an escape opcode, D8 to DF.
  for (let i: usize = 0; i + 1 < length; i++) {
    const byte = <u32>load<u8>(bytes + i);
    if ((byte & 0xf8) != 0xd8) continue;
    store<u16>(cpu, ((byte & 7) << 8) | load<u8>(bytes + i, 1), VCPU_FOP);
    return;
  }
}

/**
 * Drops what an instruction that an unmasked exception stops never comes to meet: whatever the rounding of the result raised.
 * `kinds` are the exceptions that stop it: BEFORE or BEFORE_STORE.
 */
export function dropUnreached(cpu: usize, kinds: u32): void {
  if (!unmasked(cpu, kinds)) return;
  const flags = load<u32>(cpu, VCPU_SOFTFLOAT_FLAGS);
  store<u32>(cpu, flags & (unmasked(cpu, BEFORE) ? BEFORE | FSW_SF : ~INEXACT), VCPU_SOFTFLOAT_FLAGS);
}

/**
 * Merges the gathered flags into the status word, with `codes` for the condition codes in `mask`, and sets ES where one is
 * unmasked. Returns whether the result may be stored in a register.
 */
export function settleCodes(cpu: usize, op: usize, mask: u32, codes: u32): bool {
  const pending = unmasked(cpu, EXCEPTIONS);
  let status = ((<u32>load<u16>(cpu, VCPU_FSW)) & ~mask) | codes | load<u32>(cpu, VCPU_SOFTFLOAT_FLAGS);
  if (pending) status |= FSW_ES | FSW_B;
  store<u16>(cpu, status, VCPU_FSW);
  if (pending) noteOpcode(cpu, op);
  return (pending & BEFORE) == 0;
}

function settleRounded(cpu: usize, op: usize): bool {
  const up = (load<u32>(cpu, VCPU_SOFTFLOAT_FLAGS) & INEXACT) != 0 && roundedUp;
  return settleCodes(cpu, op, FSW_C1, up ? FSW_C1 : 0);
}

/** The same for an instruction whose C1 says that the result was rounded up. */
export function settle(cpu: usize, op: usize): bool {
  dropUnreached(cpu, BEFORE);
  return settleRounded(cpu, op);
}

/** The same for a store to memory. */
export function settleStore(cpu: usize, op: usize): void {
  dropUnreached(cpu, BEFORE_STORE);
  settleRounded(cpu, op);
}

/** A register was read empty. Returns whether the indefinite value may be stored. */
export function settleUnderflow(cpu: usize, op: usize): bool {
  store<u32>(cpu, INVALID | FSW_SF, VCPU_SOFTFLOAT_FLAGS);
  return settleCodes(cpu, op, FSW_C1, 0);
}

/** A push met a register in use. Returns whether the indefinite value may be stored. */
export function settleOverflow(cpu: usize, op: usize): bool {
  store<u32>(cpu, INVALID | FSW_SF, VCPU_SOFTFLOAT_FLAGS);
  return settleCodes(cpu, op, FSW_C1, FSW_C1);
}

/** The first byte at `va` or behind it that a fault of the other page of `bytes` (at most a page) at `va` names; `va` if there is none. */
function otherPage(va: u64, bytes: u32): u64 {
  const last = (va + bytes - 1) & ~(<u64>(PAGE_BYTES - 1));
  return last > va ? last : va;
}

/** Whether `bytes` (at most a page) at `va` may be written; the fault is recorded if not. Nothing is written. */
export function areWritable(cpu: usize, va: u64, bytes: u32): bool {
  if (!beginStore(cpu, va, 1) || endStore(cpu) != NEXT) return false;
  return beginStore(cpu, otherPage(va, bytes), 1) != 0 && endStore(cpu) == NEXT;
}

/** The same for reading. */
export function areReadable(cpu: usize, va: u64, bytes: u32): bool {
  return readable(cpu, va, 1) != 0 && readable(cpu, otherPage(va, bytes), 1) != 0;
}

/** ES and B follow from the flags and the masks after either has been loaded. */
export function updateSummary(cpu: usize): void {
  const status = (<u32>load<u16>(cpu, VCPU_FSW)) & ~(FSW_ES | FSW_B);
  const pending = status & EXCEPTIONS & ~(<u32>load<u16>(cpu, VCPU_FCW));
  store<u16>(cpu, pending ? status | FSW_ES | FSW_B : status, VCPU_FSW);
}

/** What FCW keeps: bit 6 reads as one, bits 7 and 13-15 as zero; bit 12, infinity control, is kept without effect. */
export function setControlWord(cpu: usize, value: u32): void {
  store<u16>(cpu, (value & 0x1f3f) | 0x40, VCPU_FCW);
}

/** FNINIT: the registers keep their content but are empty. */
export function initialise(cpu: usize): void {
  store<u16>(cpu, 0x37f, VCPU_FCW);
  store<u16>(cpu, 0, VCPU_FSW);
  store<u8>(cpu, 0, VCPU_FTW);
  store<u16>(cpu, 0, VCPU_FOP);
  store<u64>(cpu, 0, VCPU_FIP);
  store<u64>(cpu, 0, VCPU_FDP);
}
