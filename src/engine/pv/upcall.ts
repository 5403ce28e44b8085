/** Delivery of pending events and non-maskable interrupts before the next guest instruction. */
import { NEXT, VCPU_EVENTS, VECTOR_NMI } from '../cpu/layout';
import { VCPU_INFO_evtchn_upcall_mask, VCPU_INFO_evtchn_upcall_pending } from '../abi/shared-info';
import { PV_EVENT_CALLBACK, PV_NMI, PV_NMI_MASKED, PV_NMI_PENDING, PV_TRAP_TABLE, PV_VCPU_INFO } from './layout';
import { noteEvent } from './answers';
import { enterKernel } from './bounce';

/** Whether an event could be delivered right now. */
export function eventDeliverable(cpu: usize): bool {
  const vcpuInfo = <usize>load<u32>(cpu, PV_VCPU_INFO);
  return atomic.load<u8>(vcpuInfo, VCPU_INFO_evtchn_upcall_pending) != 0 && load<u8>(vcpuInfo, VCPU_INFO_evtchn_upcall_mask) == 0;
}

/** NEXT when there is nothing to deliver, else as enterKernel. */
export function deliverPending(cpu: usize): i32 {
  if (atomic.load<u32>(cpu, PV_NMI) == PV_NMI_PENDING) {
    atomic.store<u32>(cpu, PV_NMI_MASKED, PV_NMI);
    return enterKernel(cpu, load<u64>(cpu, PV_TRAP_TABLE + VECTOR_NMI * 16), true, false, 0);
  }
  if (!eventDeliverable(cpu)) return NEXT;
  noteEvent(cpu);
  store<u64>(cpu, load<u64>(cpu, VCPU_EVENTS) + 1, VCPU_EVENTS);
  return enterKernel(cpu, load<u64>(cpu, PV_EVENT_CALLBACK), true, false, 0);
}
