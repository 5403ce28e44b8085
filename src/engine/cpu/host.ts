/**
 * What the CPU asks of whoever hosts it: a hypervisor compiled into the same module sets these hooks when a vCPU is attached,
 * tests set none. A hook is an index into the module's function table, 0 = none; the CPU itself knows nothing of Xen.
 */
import { EXIT, EXIT_EXCEPTION, FAULT, VCPU_EXIT_DETAIL, VCPU_EXIT_REASON, VCPU_FAULT_VECTOR, VECTOR_GP, VECTOR_UD } from './layout';
import { raise } from './fault';

/** Machine clock in nanoseconds, the same epoch on all threads of the machine. */
@external('host', 'nowNs')
declare function hostNowNs(): f64;
/** 32 random bits. */
@external('host', 'entropy')
declare function hostEntropy(): u32;

let exceptionHook: i32 = 0;
let syscallHook: i32 = 0;
let privilegedHook: i32 = 0;
let interruptHook: i32 = 0;
let eventHook: i32 = 0;
let pageTableStoreHook: i32 = 0;
let descriptorHook: i32 = 0;

/**
 * Sets all hooks of this instance; each argument is a function-table index.
 * `exception(cpu)`, `syscall(cpu)`, `event(cpu)`: i32 as handlers return. `privileged(cpu, op)`, `interrupt(cpu, vector)` likewise.
 * `pageTableStore(cpu, machineAddress: u64, oldValue: u64, newValue: u64)`: 1 done, 0 refused, 2 value had changed.
 * `descriptor(cpu, selector)`: host pointer of the 8-byte descriptor, 0 = selector outside its table.
 */
export function setHooks(
  exception: i32,
  syscall: i32,
  privileged: i32,
  interrupt: i32,
  event: i32,
  pageTableStore: i32,
  descriptor: i32,
): void {
  exceptionHook = exception;
  syscallHook = syscall;
  privilegedHook = privileged;
  interruptHook = interrupt;
  eventHook = event;
  pageTableStoreHook = pageTableStore;
  descriptorHook = descriptor;
}

/** Delivers the recorded exception; without a host `run` returns EXIT_EXCEPTION. */
export function deliverException(cpu: usize): i32 {
  if (exceptionHook) return call_indirect<i32>(exceptionHook, cpu);
  store<u32>(cpu, EXIT_EXCEPTION, VCPU_EXIT_REASON);
  store<u32>(cpu, load<u32>(cpu, VCPU_FAULT_VECTOR), VCPU_EXIT_DETAIL);
  return EXIT;
}

export function enterSystemCall(cpu: usize): i32 {
  if (syscallHook) return call_indirect<i32>(syscallHook, cpu);
  return raise(cpu, VECTOR_UD, 0);
}

export function executePrivileged(cpu: usize, op: usize): i32 {
  if (privilegedHook) return call_indirect<i32>(privilegedHook, cpu, op);
  return raise(cpu, VECTOR_GP, 0);
}

/** INT n; VCPU_RIP is already behind it. */
export function softwareInterrupt(cpu: usize, vector: u32): i32 {
  store<u32>(cpu, vector, VCPU_FAULT_VECTOR);
  if (interruptHook) return call_indirect<i32>(interruptHook, cpu, vector);
  return FAULT;
}

export function pollEvents(cpu: usize): i32 {
  if (eventHook) return call_indirect<i32>(eventHook, cpu);
  return 0;
}

export function pageTableStore(cpu: usize, machineAddress: u64, oldValue: u64, newValue: u64): i32 {
  if (pageTableStoreHook) return call_indirect<i32>(pageTableStoreHook, cpu, machineAddress, oldValue, newValue);
  return 0;
}

export function descriptorPointer(cpu: usize, selector: u32): usize {
  if (descriptorHook) return call_indirect<usize>(descriptorHook, cpu, selector);
  return 0;
}

/** Time-stamp counter: one tick a nanosecond of the machine clock. */
export function timeStampCounter(cpu: usize): u64 {
  return <u64>hostNowNs();
}

export function randomBits(): u64 {
  return ((<u64>hostEntropy()) << 32) | (<u64>hostEntropy());
}
