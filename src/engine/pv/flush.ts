/** TLB flushes on sets of vCPUs, also for callers that are no vCPU (dom0's thread). */
import {
  CONTROL,
  CONTROL_VCPU_COUNT,
  REQUEST_FLUSH,
  VCPU_BLOCKS,
  VCPU_BLOCK_BYTES,
  VCPU_FLUSH_ASKED,
  VCPU_FLUSH_DONE,
  VCPU_ID,
  VCPU_IN_GUEST,
  VCPU_REQUEST,
} from '../cpu/layout';
import { flushRemote, flushTlb } from '../cpu/tlb';

/** Flushes the vCPUs of `mask` other than `cpu`, and waits until none can use an old translation. */
export function flushOthers(cpu: usize, mask: u32): void {
  if (cpu) {
    flushRemote(cpu, mask);
    return;
  }
  const count = load<u32>(CONTROL, CONTROL_VCPU_COUNT);
  for (let n: u32 = 0; n < count; n++) {
    if (!(mask & ((<u32>1) << n))) continue;
    const target: usize = VCPU_BLOCKS + <usize>n * VCPU_BLOCK_BYTES;
    const asked = atomic.add<u32>(target, 1, VCPU_FLUSH_ASKED) + 1;
    atomic.or<u32>(target, REQUEST_FLUSH, VCPU_REQUEST);
    while (atomic.load<u32>(target, VCPU_IN_GUEST) != 0) {
      const done = atomic.load<u32>(target, VCPU_FLUSH_DONE);
      if (<i32>(done - asked) >= 0) break;
      atomic.wait<i32>(target + VCPU_FLUSH_DONE, <i32>done, 50000);
    }
  }
}

/** Flushes the vCPUs of `mask`, `cpu` among them if its bit is set. */
export function flushMask(cpu: usize, mask: u32): void {
  if (mask & ((<u32>1) << load<u32>(cpu, VCPU_ID))) flushTlb(cpu);
  flushOthers(cpu, mask);
}
