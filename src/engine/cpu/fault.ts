/** How handlers report exceptions: they record them and return FAULT; the run loop stops the instruction and delivers. */
import { FAULT, VCPU_FAULT_ADDRESS, VCPU_FAULT_ERROR, VCPU_FAULT_VECTOR, VECTOR_GP, VECTOR_PF, VECTOR_UD } from './layout';

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
