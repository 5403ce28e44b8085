/** The hypercall table, multicalls, and what happens at a SYSCALL instruction. */
import {
  EXIT,
  JUMP,
  NEXT,
  VCPU_EXIT_DETAIL,
  VCPU_EXIT_REASON,
  VCPU_HYPERCALLS,
  VCPU_R10,
  VCPU_R11,
  VCPU_R8,
  VCPU_RAX,
  VCPU_RCX,
  VCPU_RDI,
  VCPU_RDX,
  VCPU_RIP,
  VCPU_RSI,
  VCPU_USER_MODE,
} from '../cpu/layout';
import { getRflags } from '../cpu/flags';
import { copyFromGuest, copyToGuest } from '../cpu/memory';
import { EFAULT, EINVAL, ENOSYS, EPERM } from '../abi/errno';
import {
  HYPERCALL_COUNT,
  __HYPERVISOR_callback_op,
  __HYPERVISOR_console_io,
  __HYPERVISOR_event_channel_op,
  __HYPERVISOR_fpu_taskswitch,
  __HYPERVISOR_get_debugreg,
  __HYPERVISOR_grant_table_op,
  __HYPERVISOR_iret,
  __HYPERVISOR_memory_op,
  __HYPERVISOR_mmu_update,
  __HYPERVISOR_mmuext_op,
  __HYPERVISOR_multicall,
  __HYPERVISOR_nmi_op,
  __HYPERVISOR_physdev_op,
  __HYPERVISOR_platform_op,
  __HYPERVISOR_sched_op,
  __HYPERVISOR_set_callbacks,
  __HYPERVISOR_set_debugreg,
  __HYPERVISOR_set_gdt,
  __HYPERVISOR_set_segment_base,
  __HYPERVISOR_set_timer_op,
  __HYPERVISOR_set_trap_table,
  __HYPERVISOR_stack_switch,
  __HYPERVISOR_sysctl,
  __HYPERVISOR_domctl,
  __HYPERVISOR_update_descriptor,
  __HYPERVISOR_update_va_mapping,
  __HYPERVISOR_vcpu_op,
  __HYPERVISOR_vm_assist,
  __HYPERVISOR_xen_version,
} from '../abi/hypercall';
import { MULTICALL_ENTRY_BYTES } from '../abi/mmu';
import { PV_HYPERCALL_COUNTS, PV_IN_MULTICALL, PV_MULTICALL } from './layout';
import { iretHypercall } from './iret';
import { mmuUpdate, updateVaMapping } from './page-table';
import { mmuextOp } from './mmuext';
import { setGdt, updateDescriptor } from './descriptors';
import { eventChannelOp } from './event-channel-op';
import { grantTableOp } from './grant-table-op';
import { memoryOp } from './memory-op';
import { schedOp, setTimerOp } from './sched-op';
import { vcpuOp } from './vcpu-op';
import { leaveDetail, takeLeaveReason } from './leave';
import { deliverPending } from './upcall';
import { enterSyscall } from './syscall-callbacks';
import {
  callbackOp,
  consoleIo,
  fpuTaskSwitch,
  getDebugRegister,
  nmiOp,
  physdevOp,
  setCallbacks,
  setDebugRegister,
  setSegmentBase,
  setTrapTable,
  stackSwitch,
  vmAssist,
  xenVersion,
} from './small-ops';

/** SYSCALL with VCPU_RIP behind it: a hypercall in guest-kernel mode, the syscall callback in guest-user mode. */
export function onSyscall(cpu: usize): i32 {
  if (load<u32>(cpu, VCPU_USER_MODE)) {
    const status = enterSyscall(cpu);
    return status == JUMP ? deliverAfter(cpu) : status;
  }
  const number = load<u64>(cpu, VCPU_RAX);
  store<u64>(cpu, load<u64>(cpu, VCPU_HYPERCALLS) + 1, VCPU_HYPERCALLS);
  count(cpu, number);
  if (number == __HYPERVISOR_iret) {
    const status = iretHypercall(cpu);
    return status == JUMP ? deliverAfter(cpu) : status;
  }
  const result = hypercall(
    cpu,
    number,
    load<u64>(cpu, VCPU_RDI),
    load<u64>(cpu, VCPU_RSI),
    load<u64>(cpu, VCPU_RDX),
    load<u64>(cpu, VCPU_R10),
    load<u64>(cpu, VCPU_R8),
  );
  store<i64>(cpu, result, VCPU_RAX);
  store<u64>(cpu, load<u64>(cpu, VCPU_RIP), VCPU_RCX);
  store<u64>(cpu, getRflags(cpu), VCPU_R11);
  const reason = takeLeaveReason();
  if (reason >= 0) {
    store<u32>(cpu, reason, VCPU_EXIT_REASON);
    store<u32>(cpu, leaveDetail(), VCPU_EXIT_DETAIL);
    return EXIT;
  }
  return deliverAfter(cpu);
}

/** Pending events come before the next guest instruction. */
function deliverAfter(cpu: usize): i32 {
  const status = deliverPending(cpu);
  return status == NEXT ? JUMP : status;
}

function count(cpu: usize, number: u64): void {
  if (number >= <u64>HYPERCALL_COUNT) return;
  const counter = cpu + PV_HYPERCALL_COUNTS + ((<usize>number) << 3);
  store<u64>(counter, load<u64>(counter) + 1);
}

/** Result as RAX shows it. All arguments are the guest's. */
function hypercall(cpu: usize, number: u64, a: u64, b: u64, c: u64, d: u64, e: u64): i64 {
  if (number >= <u64>HYPERCALL_COUNT) return -ENOSYS;
  switch (<i32>number) {
    case __HYPERVISOR_set_trap_table:
      return setTrapTable(cpu, a);
    case __HYPERVISOR_mmu_update:
      return mmuUpdate(cpu, a, <u32>b, c, <u32>d);
    case __HYPERVISOR_set_gdt:
      return setGdt(cpu, a, <u32>b);
    case __HYPERVISOR_stack_switch:
      return stackSwitch(cpu, <u32>a, b);
    case __HYPERVISOR_set_callbacks:
      return setCallbacks(cpu, a, b, c);
    case __HYPERVISOR_fpu_taskswitch:
      return fpuTaskSwitch(cpu, <u32>a);
    case __HYPERVISOR_set_debugreg:
      return setDebugRegister(cpu, <u32>a, b);
    case __HYPERVISOR_get_debugreg:
      return getDebugRegister(cpu, <u32>a);
    case __HYPERVISOR_update_descriptor:
      return updateDescriptor(cpu, a, b);
    case __HYPERVISOR_memory_op:
      return memoryOp(cpu, <u32>a, b);
    case __HYPERVISOR_multicall:
      return multicall(cpu, a, <u32>b);
    case __HYPERVISOR_update_va_mapping:
      return updateVaMapping(cpu, a, b, c);
    case __HYPERVISOR_set_timer_op:
      return setTimerOp(cpu, <i64>a);
    case __HYPERVISOR_xen_version:
      return xenVersion(cpu, <u32>a, b);
    case __HYPERVISOR_console_io:
      return consoleIo(cpu, <u32>a, <u32>b, c);
    case __HYPERVISOR_grant_table_op:
      return grantTableOp(cpu, <u32>a, b, <u32>c);
    case __HYPERVISOR_vm_assist:
      return vmAssist(<u32>a, <u32>b);
    case __HYPERVISOR_vcpu_op:
      return vcpuOp(cpu, <u32>a, <u32>b, c);
    case __HYPERVISOR_set_segment_base:
      return setSegmentBase(cpu, <u32>a, b);
    case __HYPERVISOR_mmuext_op:
      return mmuextOp(cpu, a, <u32>b, c, <u32>d);
    case __HYPERVISOR_nmi_op:
      return nmiOp(cpu, <u32>a, b);
    case __HYPERVISOR_sched_op:
      return schedOp(cpu, <u32>a, b);
    case __HYPERVISOR_callback_op:
      return callbackOp(cpu, <u32>a, b);
    case __HYPERVISOR_event_channel_op:
      return eventChannelOp(cpu, <u32>a, b);
    case __HYPERVISOR_physdev_op:
      return physdevOp(cpu, <u32>a, b);
    case __HYPERVISOR_platform_op:
    case __HYPERVISOR_sysctl:
    case __HYPERVISOR_domctl:
      return -EPERM;
  }
  return -ENOSYS;
}

/** (array of {u64 op, u64 result, u64 args[6]}, count): each entry's result is written in place. */
function multicall(cpu: usize, array: u64, entries: u32): i64 {
  if (load<u32>(cpu, PV_IN_MULTICALL)) return -EINVAL;
  store<u32>(cpu, 1, PV_IN_MULTICALL);
  let outcome: i64 = 0;
  const entry = cpu + PV_MULTICALL;
  for (let n: u32 = 0; n < entries; n++) {
    const place = array + <u64>n * MULTICALL_ENTRY_BYTES;
    if (!copyFromGuest(cpu, entry, place, MULTICALL_ENTRY_BYTES)) {
      outcome = -EFAULT;
      break;
    }
    const number = load<u64>(entry);
    count(cpu, number);
    const result =
      number == __HYPERVISOR_iret
        ? -ENOSYS
        : hypercall(
            cpu,
            number,
            load<u64>(entry, 16),
            load<u64>(entry, 24),
            load<u64>(entry, 32),
            load<u64>(entry, 40),
            load<u64>(entry, 48),
          );
    store<i64>(entry, result, 8);
    if (!copyToGuest(cpu, place + 8, entry + 8, 8)) {
      outcome = -EFAULT;
      break;
    }
  }
  store<u32>(cpu, 0, PV_IN_MULTICALL);
  return outcome;
}
