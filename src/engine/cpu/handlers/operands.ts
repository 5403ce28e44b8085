/** Reading and writing the operands of general-purpose instructions, whatever their size and place. */
import { effectiveAddress } from '../address';
import { OPF_MEMORY, OP_FLAGS, OP_REG, OP_RM, OP_SIZE } from '../layout';
import { beginStore, endStore, readable } from '../memory';

// @ts-ignore: decorator
@inline
export function operandSize(op: usize): u32 {
  return load<u8>(op, OP_SIZE);
}

// @ts-ignore: decorator
@inline
export function rmIsMemory(op: usize): bool {
  return (load<u8>(op, OP_FLAGS) & OPF_MEMORY) != 0;
}

// @ts-ignore: decorator
@inline
export function regPointer(cpu: usize, op: usize): usize {
  return cpu + load<u8>(op, OP_REG);
}

/** Pointer to the readable rm operand of `bytes`; 0 = fault recorded. */
export function rmReadable(cpu: usize, op: usize, bytes: u32): usize {
  if (!rmIsMemory(op)) return cpu + load<u8>(op, OP_RM);
  return readable(cpu, effectiveAddress(cpu, op), bytes);
}

/** Value at `p`, sign-extended from `bytes`. */
export function loadExtended(p: usize, bytes: u32): i64 {
  if (bytes == 8) return load<i64>(p);
  if (bytes == 4) return <i64>load<i32>(p);
  if (bytes == 2) return <i64>load<i16>(p);
  return <i64>load<i8>(p);
}

export function extend(value: i64, bytes: u32): i64 {
  if (bytes == 8) return value;
  if (bytes == 4) return <i64>(<i32>value);
  if (bytes == 2) return <i64>(<i16>value);
  return <i64>(<i8>value);
}

/** Value without its sign extension. */
export function zeroExtend(value: i64, bytes: u32): u64 {
  if (bytes == 8) return value;
  return (<u64>value) & (((<u64>1) << ((<u64>bytes) << 3)) - 1);
}

/** Writes a register operand: 32-bit writes clear the upper half, 8- and 16-bit ones leave the rest. */
export function writeRegister(p: usize, bytes: u32, value: i64): void {
  if (bytes == 8) store<i64>(p, value);
  else if (bytes == 4) store<u64>(p, <u64>(<u32>value));
  else if (bytes == 2) store<u16>(p, <u16>value);
  else store<u8>(p, <u8>value);
}

export function storeValue(p: usize, bytes: u32, value: i64): void {
  if (bytes == 8) store<i64>(p, value);
  else if (bytes == 4) store<u32>(p, <u32>value);
  else if (bytes == 2) store<u16>(p, <u16>value);
  else store<u8>(p, <u8>value);
}

/** Writes the rm operand, register or memory; NEXT or the status of the failed store. */
export function writeRm(cpu: usize, op: usize, bytes: u32, value: i64): i32 {
  if (!rmIsMemory(op)) {
    writeRegister(cpu + load<u8>(op, OP_RM), bytes, value);
    return 0;
  }
  return writeMemory(cpu, effectiveAddress(cpu, op), bytes, value);
}

export function writeMemory(cpu: usize, va: u64, bytes: u32, value: i64): i32 {
  const p = beginStore(cpu, va, bytes);
  if (!p) return 2;
  storeValue(p, bytes, value);
  return endStore(cpu);
}
