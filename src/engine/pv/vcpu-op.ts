/**
 * vcpu_op: bringing vCPUs up and down, their timers, run states and where their vcpu_info lives.
 * @xen full HYPERVISOR_vcpu_op
 */
import { EXIT_OFFLINE, PAGE_BYTES, REQUEST_LEAVE, VCPU_ID, VCPU_REQUEST } from '../cpu/layout';
import { frameHost } from '../cpu/frames';
import { copyFromGuest, copyToGuest } from '../cpu/memory';
import { ringDoorbell } from '../cpu/rendezvous';
import { EEXIST, EFAULT, EINVAL, ENOENT, ENOSYS, ENXIO } from '../abi/errno';
import {
  RUNSTATE_BYTES,
  SHUTDOWN_poweroff,
  VCPUOP_down,
  VCPUOP_get_physid,
  VCPUOP_get_runstate_info,
  VCPUOP_initialise,
  VCPUOP_is_up,
  VCPUOP_register_runstate_memory_area,
  VCPUOP_register_vcpu_info,
  VCPUOP_register_vcpu_time_memory_area,
  VCPUOP_send_nmi,
  VCPUOP_set_periodic_timer,
  VCPUOP_set_singleshot_timer,
  VCPUOP_stop_periodic_timer,
  VCPUOP_stop_singleshot_timer,
  VCPUOP_up,
} from '../abi/sched';
import { GUEST_CONTEXT_BYTES } from '../abi/guest-context';
import { VCPU_INFO_BYTES, VCPU_INFO_evtchn_pending_sel } from '../abi/shared-info';
import {
  DOMAIN_CONTEXT,
  DOMAIN_CONTEXT_LOCK,
  DOMAIN_SHUTDOWN,
  DOMAIN_VCPUS_WANTED,
  PV_INITIALISED,
  PV_ONLINE,
  PV_PERIOD,
  PV_PERIODIC_NEXT,
  PV_RUNSTATE_AREA,
  PV_SCRATCH,
  PV_TIME_AREA,
  PV_VCPU_INFO,
  PV_VCPU_INFO_MFN,
  TYPE_WRITABLE,
} from './layout';
import { lockMemory, takeReference, takeType, unlockMemory, allocatedFrame } from './frame-use';
import { currentRunState, now, publishRunState, setTimer, writeTime, writeTimeArea } from './clock';
import { markEventsPending, raiseNmi, ringDom0, vcpuBlock } from './events';
import { applyContext } from './guest-context';
import { leaveAfter } from './leave';
import { acquire, release } from './lock';

/** Shortest period of the periodic timer. */
const PERIOD_MINIMUM_NS: i64 = 1000000;
/** A vCPU's structure that the guest registers by frame must be aligned for the atomic accesses to it. */
const VCPU_INFO_ALIGNMENT: u32 = 8;

/** (command, vCPU, argument) */
export function vcpuOp(cpu: usize, command: u32, vcpu: u32, argument: u64): i64 {
  const target = vcpuBlock(vcpu);
  if (!target) return -ENOENT;
  const scratch = cpu + PV_SCRATCH;
  switch (command) {
    case VCPUOP_initialise:
      return initialise(cpu, target, argument);
    case VCPUOP_up:
      return up(target);
    case VCPUOP_down:
      return down(cpu, target);
    case VCPUOP_is_up:
      return atomic.load<u32>(target, PV_ONLINE);
    case VCPUOP_get_runstate_info:
      currentRunState(target, scratch);
      return copyToGuest(cpu, argument, scratch, RUNSTATE_BYTES) ? 0 : -EFAULT;
    case VCPUOP_register_runstate_memory_area: {
      if (!copyFromGuest(cpu, scratch, argument, 8)) return -EFAULT;
      const area = load<u64>(scratch);
      store<u64>(target, area, PV_RUNSTATE_AREA);
      if (target == cpu) return publishRunState(cpu) ? 0 : -EFAULT;
      currentRunState(target, scratch);
      return copyToGuest(cpu, area, scratch, RUNSTATE_BYTES) ? 0 : -EFAULT;
    }
    case VCPUOP_set_periodic_timer: {
      if (!copyFromGuest(cpu, scratch, argument, 8)) return -EFAULT;
      const period = load<i64>(scratch);
      if (period < PERIOD_MINIMUM_NS) return -EINVAL;
      store<i64>(target, now() + period, PV_PERIODIC_NEXT);
      store<i64>(target, period, PV_PERIOD);
      return 0;
    }
    case VCPUOP_stop_periodic_timer:
      store<i64>(target, 0, PV_PERIOD);
      return 0;
    case VCPUOP_set_singleshot_timer:
      if (target != cpu) return -EINVAL;
      if (!copyFromGuest(cpu, scratch, argument, 16)) return -EFAULT;
      setTimer(cpu, max<i64>(load<i64>(scratch), 1));
      return 0;
    case VCPUOP_stop_singleshot_timer:
      if (target != cpu) return -EINVAL;
      setTimer(cpu, 0);
      return 0;
    case VCPUOP_register_vcpu_info:
      if (!copyFromGuest(cpu, scratch, argument, 16)) return -EFAULT;
      return registerVcpuInfo(cpu, target, load<u64>(scratch), load<u32>(scratch, 8));
    case VCPUOP_send_nmi:
      raiseNmi(target);
      return 0;
    case VCPUOP_get_physid:
      return -EINVAL;
    case VCPUOP_register_vcpu_time_memory_area:
      if (!copyFromGuest(cpu, scratch, argument, 8)) return -EFAULT;
      store<u64>(target, load<u64>(scratch), PV_TIME_AREA);
      return target != cpu || writeTimeArea(cpu) ? 0 : -EFAULT;
  }
  return -ENOSYS;
}

function initialise(cpu: usize, target: usize, argument: u64): i64 {
  if (load<u32>(target, PV_INITIALISED)) return -EEXIST;
  acquire(cpu, DOMAIN_CONTEXT_LOCK);
  const outcome = copyFromGuest(cpu, DOMAIN_CONTEXT, argument, GUEST_CONTEXT_BYTES)
    ? applyContext(cpu, target, DOMAIN_CONTEXT)
    : -EFAULT;
  release(DOMAIN_CONTEXT_LOCK);
  return outcome;
}

function up(target: usize): i64 {
  if (!load<u32>(target, PV_INITIALISED)) return -EINVAL;
  if (atomic.xchg<u32>(target, 1, PV_ONLINE)) return 0;
  atomic.or<u32>(DOMAIN_VCPUS_WANTED, (<u32>1) << load<u32>(target, VCPU_ID));
  ringDoorbell(target);
  ringDom0();
  return 0;
}

/** The last vCPU to go down powers the domain off. */
function down(cpu: usize, target: usize): i64 {
  atomic.store<u32>(target, 0, PV_ONLINE);
  let anyOnline = false;
  for (let n: u32 = 0; ; n++) {
    const other = vcpuBlock(n);
    if (!other) break;
    if (atomic.load<u32>(other, PV_ONLINE)) anyOnline = true;
  }
  if (!anyOnline && atomic.cmpxchg<u32>(DOMAIN_SHUTDOWN, 0, 1 + SHUTDOWN_poweroff) == 0) ringDom0();
  if (target == cpu) leaveAfter(EXIT_OFFLINE, 0);
  else {
    atomic.or<u32>(target, REQUEST_LEAVE, VCPU_REQUEST);
    ringDoorbell(target);
  }
  return 0;
}

/** Once for each vCPU, for the caller itself or one that is down. */
function registerVcpuInfo(cpu: usize, target: usize, mfn: u64, offset: u32): i64 {
  if (offset > <u32>PAGE_BYTES - VCPU_INFO_BYTES || offset % VCPU_INFO_ALIGNMENT) return -ENXIO;
  if (target != cpu && atomic.load<u32>(target, PV_ONLINE)) return -EINVAL;
  if (load<u32>(target, PV_VCPU_INFO_MFN)) return -EINVAL;
  lockMemory(cpu);
  const record = allocatedFrame(mfn);
  if (!record || takeType(cpu, record, TYPE_WRITABLE)) {
    unlockMemory();
    return -EINVAL;
  }
  takeReference(record);
  unlockMemory();
  const place = frameHost(mfn) + offset;
  memory.copy(place, <usize>load<u32>(target, PV_VCPU_INFO), VCPU_INFO_BYTES);
  store<u32>(target, <u32>mfn, PV_VCPU_INFO_MFN);
  atomic.store<u32>(target, <u32>place, PV_VCPU_INFO);
  writeTime(target);
  // Events that were raised in the old place meanwhile are not lost: the guest looks at every word once.
  atomic.store<u64>(place, ~(<u64>0), VCPU_INFO_evtchn_pending_sel);
  markEventsPending(target);
  return 0;
}
