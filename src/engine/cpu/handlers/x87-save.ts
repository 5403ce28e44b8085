/**
 * x87 state in memory: the environment (FNSTENV, FLDENV), the environment with the registers (FNSAVE, FRSTOR), and the 512-byte
 * image with the SSE state (FXSAVE, FXRSTOR). CS and DS selectors of the last instruction are not kept and stored as 0, as
 * processors do that report it by CPUID.7.EBX[13].
 *
 * An image may span two pages: the pages of both its ends are tried before the first byte is stored or loaded.
 * @sdm Vol.1 8.1.10 (environment formats), 10.5 (FXSAVE area), Vol.2A FXSAVE Table 3-43 ff.
 */
import { effectiveAddress } from '../address';
import { generalProtection } from '../fault';
import {
  FAULT,
  NEXT,
  OPF_OPSIZE,
  OPF_REXW,
  OP_FLAGS,
  VCPU_FCW,
  VCPU_FDP,
  VCPU_FIP,
  VCPU_FOP,
  VCPU_FSW,
  VCPU_FTW,
  VCPU_MXCSR,
  VCPU_X87,
  VCPU_XMM,
} from '../layout';
import { beginStore, endStore, readable } from '../memory';
import { MXCSR_MASK } from '../simd/mxcsr';
import { CLASS_NORMAL, CLASS_ZERO, classOf } from '../softfloat/extended';
import {
  areReadable,
  areWritable,
  initialise,
  seAt,
  setControlWord,
  significandAt,
  stack,
  updateSummary,
  x87Off,
  x87Refused,
} from '../x87/state';

// ---- the environment --------------------------------------------------------------------------------------------------------

/** The full tag word: two bits a physical register, 0 valid, 1 zero, 2 special, 3 empty. */
function tagWord(cpu: usize): u32 {
  const inUse = <u32>load<u8>(cpu, VCPU_FTW);
  let tags: u32 = 0;
  for (let number: u32 = 0; number < 8; number++) {
    const register = cpu + VCPU_X87 + ((<usize>number) << 4);
    let tag: u32 = 3;
    if ((inUse >> number) & 1) {
      const kind = classOf(seAt(register), significandAt(register));
      tag = kind == CLASS_NORMAL ? 0 : kind == CLASS_ZERO ? 1 : 2;
    }
    tags |= tag << (number << 1);
  }
  return tags;
}

function setTagWord(cpu: usize, tags: u32): void {
  let inUse: u32 = 0;
  for (let number: u32 = 0; number < 8; number++) {
    if (((tags >> (number << 1)) & 3) != 3) inUse |= 1 << number;
  }
  store<u8>(cpu, inUse, VCPU_FTW);
}

function isShort(op: usize): bool {
  return (load<u8>(op, OP_FLAGS) & OPF_OPSIZE) != 0;
}

function environmentBytes(op: usize): u32 {
  return isShort(op) ? 14 : 28;
}

function writeEnvironment(cpu: usize, op: usize, to: usize): void {
  const control = <u32>load<u16>(cpu, VCPU_FCW);
  const status = <u32>load<u16>(cpu, VCPU_FSW);
  const tags = tagWord(cpu);
  if (isShort(op)) {
    store<u16>(to, control);
    store<u16>(to, status, 2);
    store<u16>(to, tags, 4);
    store<u16>(to, <u32>load<u64>(cpu, VCPU_FIP), 6);
    store<u16>(to, 0, 8);
    store<u16>(to, <u32>load<u64>(cpu, VCPU_FDP), 10);
    store<u16>(to, 0, 12);
    return;
  }
  // Upper halves that hold nothing are stored as ones.
  store<u32>(to, control | 0xffff0000);
  store<u32>(to, status | 0xffff0000, 4);
  store<u32>(to, tags | 0xffff0000, 8);
  store<u32>(to, <u32>load<u64>(cpu, VCPU_FIP), 12);
  store<u32>(to, (<u32>load<u16>(cpu, VCPU_FOP)) << 16, 16);
  store<u32>(to, <u32>load<u64>(cpu, VCPU_FDP), 20);
  store<u32>(to, 0xffff0000, 24);
}

function readEnvironment(cpu: usize, op: usize, from: usize): void {
  if (isShort(op)) {
    setControlWord(cpu, load<u16>(from));
    store<u16>(cpu, load<u16>(from, 2), VCPU_FSW);
    setTagWord(cpu, load<u16>(from, 4));
    store<u64>(cpu, load<u16>(from, 6), VCPU_FIP);
    store<u64>(cpu, load<u16>(from, 10), VCPU_FDP);
    store<u16>(cpu, 0, VCPU_FOP);
  } else {
    setControlWord(cpu, load<u16>(from));
    store<u16>(cpu, load<u16>(from, 4), VCPU_FSW);
    setTagWord(cpu, load<u16>(from, 8));
    store<u64>(cpu, load<u32>(from, 12), VCPU_FIP);
    store<u16>(cpu, load<u16>(from, 18) & 0x7ff, VCPU_FOP);
    store<u64>(cpu, load<u32>(from, 20), VCPU_FDP);
  }
  updateSummary(cpu);
}

/** Stores the environment, then masks all exceptions. */
export function fnstenv(cpu: usize, op: usize): i32 {
  if (x87Off(cpu)) return FAULT;
  const to = beginStore(cpu, effectiveAddress(cpu, op), environmentBytes(op));
  if (!to) return FAULT;
  writeEnvironment(cpu, op, to);
  const outcome = endStore(cpu);
  if (outcome != NEXT) return outcome;
  store<u16>(cpu, load<u16>(cpu, VCPU_FCW) | 0x3f, VCPU_FCW);
  updateSummary(cpu);
  return NEXT;
}

export function fldenv(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  const from = readable(cpu, effectiveAddress(cpu, op), environmentBytes(op));
  if (!from) return FAULT;
  readEnvironment(cpu, op, from);
  return NEXT;
}

// ---- environment and registers ----------------------------------------------------------------------------------------------

export function fnsave(cpu: usize, op: usize): i32 {
  if (x87Off(cpu)) return FAULT;
  const va = effectiveAddress(cpu, op);
  const header = environmentBytes(op);
  if (!areWritable(cpu, va, header + 80)) return FAULT;
  let to = beginStore(cpu, va, header);
  if (!to) return FAULT;
  writeEnvironment(cpu, op, to);
  let outcome = endStore(cpu);
  for (let i: u32 = 0; i < 8 && outcome == NEXT; i++) {
    to = beginStore(cpu, va + header + i * 10, 10);
    if (!to) return FAULT;
    const register = stack(cpu, i);
    store<u64>(to, significandAt(register));
    store<u16>(to, seAt(register), 8);
    outcome = endStore(cpu);
  }
  if (outcome == NEXT) initialise(cpu);
  return outcome;
}

export function frstor(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  const va = effectiveAddress(cpu, op);
  const header = environmentBytes(op);
  if (!areReadable(cpu, va, header + 80)) return FAULT;
  let from = readable(cpu, va, header);
  if (!from) return FAULT;
  readEnvironment(cpu, op, from);
  for (let i: u32 = 0; i < 8; i++) {
    from = readable(cpu, va + header + i * 10, 10);
    if (!from) return FAULT;
    const register = stack(cpu, i);
    store<u64>(register, load<u64>(from));
    store<u16>(register, load<u16>(from, 8), 8);
  }
  return NEXT;
}

// ---- the FXSAVE area --------------------------------------------------------------------------------------------------------

/** What FXSAVE writes and FXRSTOR reads: header, 8 x87 registers, 16 XMM registers. The last 96 of the 512 bytes are left alone. */
const AREA_BYTES: u64 = 416;
/** The whole image must be accessible all the same. */
const IMAGE_BYTES: u64 = 512;
/** It is copied in pieces, since a store reaches 64 bytes at most. */
const PIECE_BYTES: u64 = 32;
const FXSAVE_FSW = 2;
const FXSAVE_FTW = 4;
const FXSAVE_FOP = 6;
const FXSAVE_FIP = 8;
const FXSAVE_FDP = 16;
const FXSAVE_MXCSR = 24;
const FXSAVE_MXCSR_MASK = 28;
const FXSAVE_ST: u64 = 32;
const FXSAVE_XMM: u64 = 160;

function writeHeader(cpu: usize, op: usize, to: usize): void {
  store<u16>(to, load<u16>(cpu, VCPU_FCW));
  store<u16>(to, load<u16>(cpu, VCPU_FSW), FXSAVE_FSW);
  store<u16>(to, load<u8>(cpu, VCPU_FTW), FXSAVE_FTW);
  store<u16>(to, load<u16>(cpu, VCPU_FOP), FXSAVE_FOP);
  // Without REX.W the pointers have 32 bits, followed by the selectors.
  const mask: u64 = load<u8>(op, OP_FLAGS) & OPF_REXW ? ~(<u64>0) : 0xffffffff;
  store<u64>(to, load<u64>(cpu, VCPU_FIP) & mask, FXSAVE_FIP);
  store<u64>(to, load<u64>(cpu, VCPU_FDP) & mask, FXSAVE_FDP);
  store<u32>(to, load<u32>(cpu, VCPU_MXCSR), FXSAVE_MXCSR);
  store<u32>(to, MXCSR_MASK, FXSAVE_MXCSR_MASK);
}

export function fxsave(cpu: usize, op: usize): i32 {
  if (x87Off(cpu)) return FAULT;
  const va = effectiveAddress(cpu, op);
  if (va & 15) return generalProtection(cpu);
  if (!areWritable(cpu, va, <u32>IMAGE_BYTES)) return FAULT;
  for (let offset: u64 = 0; offset < AREA_BYTES; offset += PIECE_BYTES) {
    const to = beginStore(cpu, va + offset, <u32>PIECE_BYTES);
    if (!to) return FAULT;
    if (offset == 0) {
      writeHeader(cpu, op, to);
    } else if (offset < FXSAVE_XMM) {
      const i = <u32>((offset - FXSAVE_ST) >> 4);
      writeRegister(to, stack(cpu, i));
      writeRegister(to + 16, stack(cpu, i + 1));
    } else {
      memory.copy(to, cpu + VCPU_XMM + <usize>(offset - FXSAVE_XMM), <usize>PIECE_BYTES);
    }
    const outcome = endStore(cpu);
    if (outcome != NEXT) return outcome;
  }
  return NEXT;
}

function writeRegister(to: usize, register: usize): void {
  store<u64>(to, significandAt(register));
  store<u64>(to, <u64>seAt(register), 8);
}

export function fxrstor(cpu: usize, op: usize): i32 {
  if (x87Off(cpu)) return FAULT;
  const va = effectiveAddress(cpu, op);
  if (va & 15) return generalProtection(cpu);
  if (!areReadable(cpu, va, <u32>IMAGE_BYTES)) return FAULT;
  let from = readable(cpu, va, <u32>PIECE_BYTES);
  if (!from) return FAULT;
  const mxcsr = load<u32>(from, FXSAVE_MXCSR);
  if (mxcsr & ~MXCSR_MASK) return generalProtection(cpu);
  store<u32>(cpu, mxcsr, VCPU_MXCSR);
  setControlWord(cpu, load<u16>(from));
  store<u16>(cpu, load<u16>(from, FXSAVE_FSW), VCPU_FSW);
  store<u8>(cpu, load<u8>(from, FXSAVE_FTW), VCPU_FTW);
  store<u16>(cpu, load<u16>(from, FXSAVE_FOP) & 0x7ff, VCPU_FOP);
  const mask: u64 = load<u8>(op, OP_FLAGS) & OPF_REXW ? ~(<u64>0) : 0xffffffff;
  store<u64>(cpu, load<u64>(from, FXSAVE_FIP) & mask, VCPU_FIP);
  store<u64>(cpu, load<u64>(from, FXSAVE_FDP) & mask, VCPU_FDP);
  updateSummary(cpu);
  for (let offset = FXSAVE_ST; offset < AREA_BYTES; offset += PIECE_BYTES) {
    from = readable(cpu, va + offset, <u32>PIECE_BYTES);
    if (!from) return FAULT;
    if (offset < FXSAVE_XMM) {
      const i = <u32>((offset - FXSAVE_ST) >> 4);
      readRegister(stack(cpu, i), from);
      readRegister(stack(cpu, i + 1), from + 16);
    } else {
      memory.copy(cpu + VCPU_XMM + <usize>(offset - FXSAVE_XMM), from, <usize>PIECE_BYTES);
    }
  }
  return NEXT;
}

function readRegister(register: usize, from: usize): void {
  store<u64>(register, load<u64>(from));
  store<u16>(register, load<u16>(from, 8), 8);
}
