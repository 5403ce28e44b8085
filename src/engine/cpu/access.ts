/**
 * Operands of vector instructions: XMM and MMX registers, memory with its alignment rule, and the checks that come before any
 * of it (CR0.EM: #UD, CR0.TS: #NM, for MMX a pending x87 exception: #MF). A pointer of 0 or a `true` from the `...Off`
 * functions means that a fault has been recorded: the handler returns FAULT and nothing has happened.
 *
 * MMn is the significand of physical x87 register n, whatever TOP says.
 * @sdm Vol. 1 9.5 (MMX and the x87 state), Vol. 2A 2.4 (exception classes), Vol. 3A 2.5 (CR0)
 */
import { effectiveAddress } from './address';
import { generalProtection, raise, undefinedOpcode } from './fault';
import {
  FAULT,
  NEXT,
  OPF_MEMORY,
  OP_FLAGS,
  OP_IMMEDIATE,
  OP_REG,
  OP_RM,
  VCPU_CR0,
  VCPU_FSW,
  VCPU_FTW,
  VCPU_X87,
  VCPU_XMM,
  VECTOR_MF,
  VECTOR_NM,
} from './layout';
import { beginStore, endStore, readable } from './memory';

const CR0_EM: u32 = 4;
const CR0_TS: u32 = 8;
/** FSW.ES: an unmasked x87 exception waits to be reported. */
const FSW_ES: u32 = 0x80;
const FSW_TOP: u32 = 0x3800;

function refuseVectors(cpu: usize): bool {
  if (load<u32>(cpu, VCPU_CR0) & CR0_EM) undefinedOpcode(cpu);
  else raise(cpu, VECTOR_NM, 0);
  return true;
}

/** Whether CR0 forbids SSE instructions just now; the fault is recorded. */
// @ts-ignore: decorator
@inline
export function xmmOff(cpu: usize): bool {
  return (load<u32>(cpu, VCPU_CR0) & (CR0_EM | CR0_TS)) != 0 && refuseVectors(cpu);
}

/** Whether the rm operand is in memory. */
// @ts-ignore: decorator
@inline
export function inMemory(op: usize): bool {
  return (load<u8>(op, OP_FLAGS) & OPF_MEMORY) != 0;
}

/** The immediate byte. */
// @ts-ignore: decorator
@inline
export function immediate8(op: usize): u32 {
  return load<u8>(op, OP_IMMEDIATE);
}

// ---- XMM ------------------------------------------------------------------------------------------------------------

/** Pointer to the XMM register named by ModRM.reg. */
// @ts-ignore: decorator
@inline
export function xmmReg(cpu: usize, op: usize): usize {
  return cpu + VCPU_XMM + ((<usize>load<u8>(op, OP_REG)) << 4);
}

/** Pointer to the XMM register named by ModRM.rm; only for operations whose rm operand is a register. */
// @ts-ignore: decorator
@inline
export function xmmRmReg(cpu: usize, op: usize): usize {
  return cpu + VCPU_XMM + ((<usize>load<u8>(op, OP_RM)) << 4);
}

function xmmSource(cpu: usize, op: usize, bytes: u32, alignment: u64): usize {
  if (xmmOff(cpu)) return 0;
  const va = effectiveAddress(cpu, op);
  if (va & (alignment - 1)) {
    generalProtection(cpu);
    return 0;
  }
  return readable(cpu, va, bytes);
}

/**
 * Pointer to `bytes` readable bytes of the rm operand, register or memory; 0 = fault. 16-byte memory operands must be aligned.
 * `bytes` must be a constant.
 */
// @ts-ignore: decorator
@inline
export function xmmRm(cpu: usize, op: usize, bytes: u32): usize {
  if (((load<u32>(cpu, VCPU_CR0) & (CR0_EM | CR0_TS)) | (load<u8>(op, OP_FLAGS) & OPF_MEMORY)) == 0) return xmmRmReg(cpu, op);
  return xmmSource(cpu, op, bytes, bytes == 16 ? 16 : 1);
}

/** As xmmRm, for the instructions that take a 16-byte memory operand at any address. */
// @ts-ignore: decorator
@inline
export function xmmRmUnaligned(cpu: usize, op: usize, bytes: u32): usize {
  if (((load<u32>(cpu, VCPU_CR0) & (CR0_EM | CR0_TS)) | (load<u8>(op, OP_FLAGS) & OPF_MEMORY)) == 0) return xmmRmReg(cpu, op);
  return xmmSource(cpu, op, bytes, 1);
}

/** Value of the XMM register named by ModRM.reg. */
// @ts-ignore: decorator
@inline
export function xmm(cpu: usize, op: usize): v128 {
  return v128.load(xmmReg(cpu, op));
}

/** Writes all 128 bits of the XMM register named by ModRM.reg; returns NEXT. */
// @ts-ignore: decorator
@inline
export function setXmm(cpu: usize, op: usize, value: v128): i32 {
  v128.store(xmmReg(cpu, op), value);
  return NEXT;
}

/** Stores 16 bytes at the memory operand, which must be aligned to `alignment`; returns as a handler does. */
export function store128(cpu: usize, op: usize, value: v128, alignment: u64): i32 {
  const va = effectiveAddress(cpu, op);
  if (va & (alignment - 1)) return generalProtection(cpu);
  const target = beginStore(cpu, va, 16);
  if (!target) return FAULT;
  v128.store(target, value);
  return endStore(cpu);
}

/** Stores 8 bytes at the memory operand; returns as a handler does. */
export function store64(cpu: usize, op: usize, value: u64): i32 {
  const target = beginStore(cpu, effectiveAddress(cpu, op), 8);
  if (!target) return FAULT;
  store<u64>(target, value);
  return endStore(cpu);
}

/** Stores 4 bytes at the memory operand; returns as a handler does. */
export function store32(cpu: usize, op: usize, value: u32): i32 {
  const target = beginStore(cpu, effectiveAddress(cpu, op), 4);
  if (!target) return FAULT;
  store<u32>(target, value);
  return endStore(cpu);
}

// ---- general registers ------------------------------------------------------------------------------------------------

/** Writes 32 bits to the general register named by ModRM.reg, zero-extended; returns NEXT. */
// @ts-ignore: decorator
@inline
export function setGpr32(cpu: usize, op: usize, value: u32): i32 {
  store<u64>(cpu + load<u8>(op, OP_REG), <u64>value);
  return NEXT;
}

/** Writes the general register named by ModRM.reg; returns NEXT. */
// @ts-ignore: decorator
@inline
export function setGpr64(cpu: usize, op: usize, value: u64): i32 {
  store<u64>(cpu + load<u8>(op, OP_REG), value);
  return NEXT;
}

// ---- MMX ------------------------------------------------------------------------------------------------------------

function refuseMmx(cpu: usize): bool {
  if (xmmOff(cpu)) return true;
  raise(cpu, VECTOR_MF, 0);
  return true;
}

/** Whether CR0 or a pending x87 exception forbids MMX instructions just now; the fault is recorded. */
// @ts-ignore: decorator
@inline
export function mmxOff(cpu: usize): bool {
  return ((load<u32>(cpu, VCPU_CR0) & (CR0_EM | CR0_TS)) | (load<u16>(cpu, VCPU_FSW) & FSW_ES)) != 0 && refuseMmx(cpu);
}

/** Pointer to the MMX register named by ModRM.reg. */
// @ts-ignore: decorator
@inline
export function mmxReg(cpu: usize, op: usize): usize {
  return cpu + VCPU_X87 + ((<usize>load<u8>(op, OP_REG)) << 4);
}

/** Pointer to the MMX register named by ModRM.rm; only for operations whose rm operand is a register. */
// @ts-ignore: decorator
@inline
export function mmxRmReg(cpu: usize, op: usize): usize {
  return cpu + VCPU_X87 + ((<usize>load<u8>(op, OP_RM)) << 4);
}

/** Pointer to `bytes` readable bytes of the rm operand, MMX register or memory; 0 = fault. */
export function mmxRm(cpu: usize, op: usize, bytes: u32): usize {
  if (mmxOff(cpu)) return 0;
  if (inMemory(op)) return readable(cpu, effectiveAddress(cpu, op), bytes);
  return mmxRmReg(cpu, op);
}

/** What every MMX instruction but EMMS does to the x87 state once it cannot fault any more: TOP = 0, all registers in use. */
// @ts-ignore: decorator
@inline
export function enterMmx(cpu: usize): void {
  store<u16>(cpu, load<u16>(cpu, VCPU_FSW) & ~FSW_TOP, VCPU_FSW);
  store<u8>(cpu, 0xff, VCPU_FTW);
}

/** Value of the MMX register named by ModRM.reg, in the low half. */
// @ts-ignore: decorator
@inline
export function mmx(cpu: usize, op: usize): v128 {
  return v128.load64_zero(mmxReg(cpu, op));
}

/** Writes an MMX register given by pointer: the exponent of its x87 register becomes all ones. */
// @ts-ignore: decorator
@inline
export function writeMmx(cpu: usize, register: usize, value: u64): void {
  store<u64>(register, value);
  store<u16>(register, 0xffff, 8);
  enterMmx(cpu);
}

/** Writes the low half of `value` to the MMX register named by ModRM.reg; returns NEXT. */
// @ts-ignore: decorator
@inline
export function setMmx(cpu: usize, op: usize, value: v128): i32 {
  writeMmx(cpu, mmxReg(cpu, op), i64x2.extract_lane(value, 0));
  return NEXT;
}
