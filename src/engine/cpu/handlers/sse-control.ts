/**
 * The MXCSR register, fences, cache control and hints. Guest memory is coherent and vCPUs see stores in the order of the host's
 * memory model, so fences order the host's accesses and cache control only checks its address.
 * @sdm Vol. 2 LDMXCSR, STMXCSR, LFENCE, MFENCE, SFENCE, CLFLUSH, PREFETCHh
 */
import { effectiveAddress } from '../address';
import { store32, xmmOff } from '../access';
import { generalProtection } from '../fault';
import { FAULT, NEXT, VCPU_MXCSR } from '../layout';
import { fence as fenceAccesses } from '../memory-order';
import { readable } from '../memory';
import { MXCSR_MASK } from '../simd/mxcsr';

export function ldmxcsr(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  const source = readable(cpu, effectiveAddress(cpu, op), 4);
  if (!source) return FAULT;
  const value = load<u32>(source);
  if (value & ~MXCSR_MASK) return generalProtection(cpu);
  store<u32>(cpu, value, VCPU_MXCSR);
  return NEXT;
}

export function stmxcsr(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  return store32(cpu, op, load<u32>(cpu, VCPU_MXCSR));
}

/** LFENCE, MFENCE, SFENCE. */
export function fence(cpu: usize, op: usize): i32 {
  fenceAccesses(cpu);
  return NEXT;
}

/** Counts as a load of the addressed byte. */
export function clflush(cpu: usize, op: usize): i32 {
  return readable(cpu, effectiveAddress(cpu, op), 1) ? NEXT : FAULT;
}

/** PREFETCHh never faults. */
export function prefetch(cpu: usize, op: usize): i32 {
  return NEXT;
}
