/** TLB flushes on sets of vCPUs, also for callers that are no vCPU (dom0's thread). */
import { VCPU_ID } from '../cpu/layout';
import { flushRemote } from '../cpu/rendezvous';
import { catchUp } from '../cpu/table-log';

/** Flushes the vCPUs of `mask` other than `cpu` (0 = none), and waits until none can use an old translation. */
export function flushOthers(cpu: usize, mask: u32): void {
  flushRemote(cpu, mask);
}

/** Serves a guest's flush of the vCPUs of `mask`, `cpu` among them if its bit is set. */
export function flushMask(cpu: usize, mask: u32): void {
  if (mask & ((<u32>1) << load<u32>(cpu, VCPU_ID))) catchUp(cpu);
  flushOthers(cpu, mask);
}
