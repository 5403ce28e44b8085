/** How handlers report exceptions: they record them and return FAULT; the run loop stops the instruction and delivers. */
import {
  FAULT,
  OP_BASE,
  OP_SEGMENT,
  VCPU_FAULT_ADDRESS,
  VCPU_FAULT_ERROR,
  VCPU_FAULT_VECTOR,
  VCPU_RBP,
  VCPU_RSP,
  VCPU_ZERO,
  VECTOR_GP,
  VECTOR_PF,
  VECTOR_SS,
  VECTOR_UD,
} from './layout';

export function raise(cpu: usize, vector: u32, error: u32): i32 {
  store<u32>(cpu, vector, VCPU_FAULT_VECTOR);
  store<u32>(cpu, error, VCPU_FAULT_ERROR);
  return FAULT;
}

export function raisePageFault(cpu: usize, address: u64, error: u32): i32 {
  store<u64>(cpu, address, VCPU_FAULT_ADDRESS);
  return raise(cpu, VECTOR_PF, error);
}

export function undefinedOpcode(cpu: usize): i32 {
  return raise(cpu, VECTOR_UD, 0);
}

export function generalProtection(cpu: usize): i32 {
  return raise(cpu, VECTOR_GP, 0);
}

/** Error code of a #GP whose cause is a non-canonical address, until settleFault has seen it. */
export const NOT_CANONICAL: u32 = 0x80000000;

/** Gives a non-canonical address of the operand of `op` (0 = of the fetch) its vector: #SS when RSP or RBP is the base. */
export function settleFault(cpu: usize, op: usize): void {
  if (load<u32>(cpu, VCPU_FAULT_ERROR) != NOT_CANONICAL) return;
  store<u32>(cpu, 0, VCPU_FAULT_ERROR);
  if (!op || load<u8>(op, OP_SEGMENT) != VCPU_ZERO) return;
  const base = load<u8>(op, OP_BASE);
  if (load<u32>(cpu, VCPU_FAULT_VECTOR) == VECTOR_GP && (base == VCPU_RSP || base == VCPU_RBP)) {
    store<u32>(cpu, VECTOR_SS, VCPU_FAULT_VECTOR);
  }
}
