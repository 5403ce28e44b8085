/**
 * sched_op and the timers of set_timer_op. What must leave `run` (sleep, yield, shutdown) is noted with `leaveAfter` and done
 * when the hypercall has returned its result.
 * @xen full HYPERVISOR_set_timer_op
 * @xen partial HYPERVISOR_sched_op "remote_shutdown -EPERM, pin_override -EPERM"
 */
import { EXIT_BLOCK, EXIT_SHUTDOWN, EXIT_YIELD, VCPU_RDX } from '../cpu/layout';
import { copyFromGuest } from '../cpu/memory';
import { EEXIST, EFAULT, EINVAL, ENOSYS, EPERM } from '../abi/errno';
import { EVTCHN_2L_NR_CHANNELS } from '../abi/event-channel';
import {
  SCHEDOP_block,
  SCHEDOP_pin_override,
  SCHEDOP_poll,
  SCHEDOP_remote_shutdown,
  SCHEDOP_shutdown,
  SCHEDOP_shutdown_code,
  SCHEDOP_watchdog,
  SCHEDOP_yield,
  SCHED_POLL_BYTES,
  SCHED_POLL_PORTS_MAX,
  SHUTDOWN_MAX,
  SHUTDOWN_crash,
  SHUTDOWN_suspend,
} from '../abi/sched';
import { VCPU_INFO_evtchn_upcall_mask } from '../abi/shared-info';
import {
  CRASH_BY_GUEST,
  DOMAIN_CRASH_CODE,
  DOMAIN_SHUTDOWN,
  DOMAIN_SUSPEND_MFN,
  DOMAIN_WATCHDOGS,
  PV_POLL_DEADLINE,
  PV_POLL_PORT,
  PV_SCRATCH,
  PV_VCPU_INFO,
  PV_WAITING,
  PV_WAITING_BLOCK,
  PV_WAITING_POLL,
} from './layout';
import { noteSwitch } from './answers';
import { now, setTimer } from './clock';
import { isPending, ringDom0 } from './events';
import { leaveAfter } from './leave';
import { eventDeliverable } from './upcall';

/** (command, argument) */
export function schedOp(cpu: usize, command: u32, argument: u64): i64 {
  switch (command) {
    case SCHEDOP_yield:
      leaveAfter(EXIT_YIELD, 0);
      return 0;
    case SCHEDOP_block:
      return block(cpu);
    case SCHEDOP_shutdown:
      if (!copyFromGuest(cpu, cpu + PV_SCRATCH, argument, 4)) return -EFAULT;
      return shutdown(cpu, load<u32>(cpu, PV_SCRATCH));
    case SCHEDOP_poll:
      return poll(cpu, argument);
    case SCHEDOP_shutdown_code:
      if (!copyFromGuest(cpu, cpu + PV_SCRATCH, argument, 4)) return -EFAULT;
      return load<u32>(cpu, PV_SCRATCH) <= <u32>SHUTDOWN_MAX ? 0 : -EINVAL;
    case SCHEDOP_watchdog:
      if (!copyFromGuest(cpu, cpu + PV_SCRATCH, argument, 8)) return -EFAULT;
      return watchdog(load<u32>(cpu, PV_SCRATCH), load<u32>(cpu, PV_SCRATCH + 4));
    case SCHEDOP_remote_shutdown:
    case SCHEDOP_pin_override:
      return -EPERM;
  }
  return -ENOSYS;
}

/** Unmasks events and sleeps until one is pending. The runner samples the doorbell before it looks, so no wake-up is lost. */
function block(cpu: usize): i64 {
  // An atomic store, so that it comes before the look at the pending flag.
  atomic.store<u8>(<usize>load<u32>(cpu, PV_VCPU_INFO), 0, VCPU_INFO_evtchn_upcall_mask);
  if (eventDeliverable(cpu)) return 0;
  noteSwitch(cpu);
  atomic.store<u32>(cpu, PV_WAITING_BLOCK, PV_WAITING);
  leaveAfter(EXIT_BLOCK, 0);
  return 0;
}

function shutdown(cpu: usize, reason: u32): i64 {
  if (reason > <u32>SHUTDOWN_MAX) return -EINVAL;
  if (reason == SHUTDOWN_suspend) store<u64>(DOMAIN_SUSPEND_MFN, load<u64>(cpu, VCPU_RDX));
  if (atomic.cmpxchg<u32>(DOMAIN_SHUTDOWN, 0, 1 + reason) == 0 && reason == SHUTDOWN_crash) {
    store<u32>(DOMAIN_CRASH_CODE, CRASH_BY_GUEST);
  }
  ringDom0();
  leaveAfter(EXIT_SHUTDOWN, reason);
  return 0;
}

/** struct sched_poll: u64 ports, u32 nr_ports at 8, u64 timeout at 16 (absolute ns, 0 = none). */
function poll(cpu: usize, argument: u64): i64 {
  const scratch = cpu + PV_SCRATCH;
  if (!copyFromGuest(cpu, scratch, argument, SCHED_POLL_BYTES)) return -EFAULT;
  const list = load<u64>(scratch);
  const count = load<u32>(scratch, 8);
  const timeout = load<i64>(scratch, 16);
  if (count > <u32>SCHED_POLL_PORTS_MAX) return -EINVAL;
  let polled: i32 = -1;
  if (count == 1) {
    if (!copyFromGuest(cpu, scratch, list, 4)) return -EFAULT;
    polled = load<i32>(scratch);
  }
  store<i32>(cpu, polled, PV_POLL_PORT);
  store<i64>(cpu, timeout, PV_POLL_DEADLINE);
  atomic.store<u32>(cpu, PV_WAITING_POLL, PV_WAITING);
  // From here on a port that becomes pending rings the doorbell; what was pending before is seen now.
  for (let n: u32 = 0; n < count; n++) {
    let outcome: i64 = 0;
    if (!copyFromGuest(cpu, scratch, list + <u64>n * 4, 4)) outcome = -EFAULT;
    const port = load<u32>(scratch);
    if (!outcome && (port == 0 || port >= <u32>EVTCHN_2L_NR_CHANNELS)) outcome = -EINVAL;
    if (outcome != 0 || isPending(port)) {
      atomic.store<u32>(cpu, 0, PV_WAITING);
      return outcome;
    }
  }
  if (eventDeliverable(cpu) || (timeout != 0 && timeout <= now())) {
    atomic.store<u32>(cpu, 0, PV_WAITING);
    return 0;
  }
  leaveAfter(EXIT_BLOCK, 0);
  return 0;
}

/** (id, seconds): id 0 asks for a new one, 0 seconds stops it. */
function watchdog(id: u32, seconds: u32): i64 {
  if (id > 2) return -EINVAL;
  if (id == 0) {
    if (!seconds) return -EINVAL;
    for (let n: u32 = 0; n < 2; n++) {
      if (load<i64>(DOMAIN_WATCHDOGS + ((<usize>n) << 3))) continue;
      store<i64>(DOMAIN_WATCHDOGS + ((<usize>n) << 3), now() + <i64>seconds * 1000000000);
      return n + 1;
    }
    return -EEXIST;
  }
  const slot: usize = DOMAIN_WATCHDOGS + ((<usize>(id - 1)) << 3);
  if (seconds && !load<i64>(slot)) return -EINVAL;
  store<i64>(slot, seconds ? now() + <i64>seconds * 1000000000 : 0);
  return 0;
}

/** (absolute ns, 0 = stop) */
export function setTimerOp(cpu: usize, deadline: i64): i64 {
  setTimer(cpu, deadline < 0 ? 0 : deadline);
  return 0;
}
