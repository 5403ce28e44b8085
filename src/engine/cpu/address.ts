/** Effective addresses: every operation names the slots that make its address, absent parts name the slot that is always zero. */
import { OP_BASE, OP_DISPLACEMENT, OP_INDEX, OP_SCALE, OP_SEGMENT, OP_OFFSET, OP_LENGTH, VCPU_PAGE } from './layout';

/** Linear address of the memory operand: base + (index << scale) + displacement + segment base. */
// @ts-ignore: decorator
@inline
export function effectiveAddress(cpu: usize, op: usize): u64 {
  return (
    load<u64>(cpu + load<u8>(op, OP_BASE)) +
    (load<u64>(cpu + load<u8>(op, OP_INDEX)) << load<u8>(op, OP_SCALE)) +
    load<u64>(cpu + load<u8>(op, OP_SEGMENT)) +
    <u64>(<i64>load<i32>(op, OP_DISPLACEMENT))
  );
}

/** The same without the segment base (LEA). */
// @ts-ignore: decorator
@inline
export function effectiveOffset(cpu: usize, op: usize): u64 {
  return (
    load<u64>(cpu + load<u8>(op, OP_BASE)) +
    (load<u64>(cpu + load<u8>(op, OP_INDEX)) << load<u8>(op, OP_SCALE)) +
    <u64>(<i64>load<i32>(op, OP_DISPLACEMENT))
  );
}

// @ts-ignore: decorator
@inline
export function instructionAddress(cpu: usize, op: usize): u64 {
  return load<u64>(cpu, VCPU_PAGE) + <u64>load<u16>(op, OP_OFFSET);
}

// @ts-ignore: decorator
@inline
export function nextInstructionAddress(cpu: usize, op: usize): u64 {
  return load<u64>(cpu, VCPU_PAGE) + <u64>load<u16>(op, OP_OFFSET) + <u64>load<u8>(op, OP_LENGTH);
}
