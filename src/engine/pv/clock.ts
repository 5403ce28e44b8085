/**
 * Time as a guest sees it: the time record of vcpu_info, run states, one-shot and periodic timers. The time-stamp counter runs
 * at 1 GHz on the machine clock, so system time and counter are the same number.
 * @see xen/include/public/xen.h "struct vcpu_time_info", xen/include/public/vcpu.h
 */
import { VCPU_ID, VCPU_USER_MODE } from '../cpu/layout';
import { copyToGuest } from '../cpu/memory';
import { setMode } from '../cpu/banks';
import { RUNSTATE_BYTES, RUNSTATE_state_entry_time, RUNSTATE_time, SHUTDOWN_watchdog } from '../abi/sched';
import { VIRQ_TIMER } from '../abi/event-channel';
import { VMASST_TYPE_runstate_update_flag } from '../abi/mmu';
import {
  VCPU_INFO_time,
  VCPU_TIME_INFO_BYTES,
  VCPU_TIME_flags,
  VCPU_TIME_system_time,
  VCPU_TIME_tsc_shift,
  VCPU_TIME_tsc_timestamp,
  VCPU_TIME_tsc_to_system_mul,
  VCPU_TIME_version,
} from '../abi/shared-info';
import {
  DOMAIN_SHUTDOWN,
  DOMAIN_VM_ASSIST,
  DOMAIN_WATCHDOGS,
  PV_PERIOD,
  PV_PERIODIC_NEXT,
  PV_POLL_DEADLINE,
  PV_RUNSTATE,
  PV_RUNSTATE_AREA,
  PV_SCRATCH,
  PV_TIMER_DEADLINE,
  PV_TIME_AREA,
  PV_VCPU_INFO,
  PV_WAITING,
  PV_WAITING_POLL,
} from './layout';
import { raiseVirtualInterrupt, ringDom0 } from './events';

@external('host', 'nowNs')
declare function hostNowNs(): f64;

const NO_DEADLINE: f64 = Infinity;
const UPDATE_FLAG: u64 = 0x8000000000000000;

/** Machine clock, ns. */
export function now(): i64 {
  return <i64>hostNowNs();
}

/** Writes the time record of a vCPU where its vcpu_info is, and the copy the guest may have asked for. */
export function writeTime(target: usize): void {
  const record = <usize>load<u32>(target, PV_VCPU_INFO) + VCPU_INFO_time;
  const time = now();
  const version = load<u32>(record, VCPU_TIME_version) | 1;
  atomic.store<u32>(record, version, VCPU_TIME_version);
  // Nothing passes the two together, on any host.
  atomic.load<u32>(record, VCPU_TIME_version);
  store<i64>(record, time, VCPU_TIME_tsc_timestamp);
  store<i64>(record, time, VCPU_TIME_system_time);
  store<u32>(record, 0x80000000, VCPU_TIME_tsc_to_system_mul);
  store<i8>(record, 1, VCPU_TIME_tsc_shift);
  store<u8>(record, 0, VCPU_TIME_flags);
  atomic.store<u32>(record, version + 1, VCPU_TIME_version);
}

/** Copies the time record to the area of VCPUOP_register_vcpu_time_memory_area; false = it cannot be written. */
export function writeTimeArea(cpu: usize): bool {
  const area = load<u64>(cpu, PV_TIME_AREA);
  if (!area) return true;
  return copyToGuest(cpu, area, <usize>load<u32>(cpu, PV_VCPU_INFO) + VCPU_INFO_time, VCPU_TIME_INFO_BYTES);
}

/** Moves a vCPU to a run state, charging the time since the last change to the old one. */
export function setRunState(cpu: usize, state: u32): void {
  const time = now();
  chargeRunState(cpu, time);
  store<u32>(cpu, state, PV_RUNSTATE);
  if (load<u64>(cpu, PV_RUNSTATE_AREA)) publishRunState(cpu);
}

function chargeRunState(cpu: usize, time: i64): void {
  const record = cpu + PV_RUNSTATE;
  const entry = load<i64>(record, RUNSTATE_state_entry_time);
  const slot = record + RUNSTATE_time + (((<usize>load<u32>(record)) & 3) << 3);
  if (entry && time > entry) store<i64>(slot, load<i64>(slot) + time - entry);
  store<i64>(record, time, RUNSTATE_state_entry_time);
}

/** Record of a vCPU brought up to date without a change of state, as VCPUOP_get_runstate_info shows it. */
export function currentRunState(target: usize, destination: usize): void {
  memory.copy(destination, target + PV_RUNSTATE, RUNSTATE_BYTES);
  const entry = load<i64>(destination, RUNSTATE_state_entry_time);
  const slot = destination + RUNSTATE_time + (((<usize>load<u32>(destination)) & 3) << 3);
  const time = now();
  if (entry && time > entry) store<i64>(slot, load<i64>(slot) + time - entry);
}

/** Keeps the plain stores before and after it in order: any atomic read-modify-write does. */
function barrier(cpu: usize): void {
  atomic.or<u32>(cpu, 0, PV_WAITING);
}

/** Copies the record to where the guest wants it, through the kernel's tables whatever the mode; false = cannot be written. */
export function publishRunState(cpu: usize): bool {
  const area = load<u64>(cpu, PV_RUNSTATE_AREA);
  if (!area) return true;
  const user = load<u32>(cpu, VCPU_USER_MODE);
  if (user) setMode(cpu, 0);
  const copy = cpu + PV_SCRATCH + 128;
  memory.copy(copy, cpu + PV_RUNSTATE, RUNSTATE_BYTES);
  let written: bool;
  if (load<u64>(DOMAIN_VM_ASSIST) & ((<u64>1) << VMASST_TYPE_runstate_update_flag)) {
    const entry = load<u64>(copy, RUNSTATE_state_entry_time);
    store<u64>(copy, entry | UPDATE_FLAG, RUNSTATE_state_entry_time);
    written = copyToGuest(cpu, area + RUNSTATE_state_entry_time, copy + RUNSTATE_state_entry_time, 8);
    barrier(cpu);
    written = written && copyToGuest(cpu, area, copy, RUNSTATE_BYTES);
    store<u64>(copy, entry, RUNSTATE_state_entry_time);
    barrier(cpu);
    written = written && copyToGuest(cpu, area + RUNSTATE_state_entry_time, copy + RUNSTATE_state_entry_time, 8);
  } else {
    written = copyToGuest(cpu, area, copy, RUNSTATE_BYTES);
  }
  if (user) setMode(cpu, 1);
  return written;
}

/** Sets the one-shot timer to an absolute time, 0 = none. One in the past fires at once. */
export function setTimer(cpu: usize, deadline: i64): void {
  if (deadline != 0 && deadline <= now()) {
    store<i64>(cpu, 0, PV_TIMER_DEADLINE);
    raiseVirtualInterrupt(cpu, VIRQ_TIMER);
    return;
  }
  store<i64>(cpu, deadline, PV_TIMER_DEADLINE);
}

/** Fires what is due at `time` and returns the next deadline (ns; Infinity = none), for the vCPU's own thread. */
export function fireTimers(cpu: usize, time: i64): f64 {
  let next = NO_DEADLINE;
  const deadline = load<i64>(cpu, PV_TIMER_DEADLINE);
  if (deadline) {
    if (deadline <= time) {
      store<i64>(cpu, 0, PV_TIMER_DEADLINE);
      raiseVirtualInterrupt(cpu, VIRQ_TIMER);
    } else next = <f64>deadline;
  }
  const period = load<i64>(cpu, PV_PERIOD);
  if (period) {
    let tick = load<i64>(cpu, PV_PERIODIC_NEXT);
    if (tick <= time) {
      raiseVirtualInterrupt(cpu, VIRQ_TIMER);
      tick += period * ((time - tick) / period + 1);
      store<i64>(cpu, tick, PV_PERIODIC_NEXT);
    }
    next = Math.min(next, <f64>tick);
  }
  const poll = load<i64>(cpu, PV_POLL_DEADLINE);
  if (poll != 0 && load<u32>(cpu, PV_WAITING) == PV_WAITING_POLL) next = Math.min(next, <f64>poll);
  if (load<u32>(cpu, VCPU_ID) == 0) next = Math.min(next, fireWatchdogs(time));
  return next;
}

function fireWatchdogs(time: i64): f64 {
  let next = NO_DEADLINE;
  for (let n: usize = 0; n < 2; n++) {
    const deadline = load<i64>(DOMAIN_WATCHDOGS + (n << 3));
    if (!deadline) continue;
    if (deadline > time) {
      next = Math.min(next, <f64>deadline);
      continue;
    }
    store<i64>(DOMAIN_WATCHDOGS + (n << 3), 0);
    if (atomic.cmpxchg<u32>(DOMAIN_SHUTDOWN, 0, 1 + SHUTDOWN_watchdog) == 0) ringDom0();
  }
  return next;
}
