/**
 * Exports of the hypervisor's part of the core, for the vCPU threads and for dom0's thread, which has an instance of its own on
 * the domain's memory. Functions that take `cpu` need the vCPU at rest unless they say otherwise.
 */
import { CONTROL, CONTROL_FIRST_MFN, PAGE_BYTES, VCPU_CR0, VCPU_DR, VCPU_EFER, VCPU_ID } from '../cpu/layout';
import { hostOfFrameIndex } from '../cpu/frames';
import { setHooks } from '../cpu/host';
import { storeMarked } from '../cpu/memory';
import { onException, onInterrupt } from './exceptions';
import { onPageTableStore } from './page-table';
import { onPrivileged } from './privileged';
import { onSyscall } from './hypercalls';
import { deliverPending, eventDeliverable } from './upcall';
import { descriptorOf } from './descriptors';
import {
  PV_NMI,
  PV_NMI_PENDING,
  PV_ONLINE,
  PV_POLL_DEADLINE,
  PV_POLL_PORT,
  PV_WAITING,
  PV_WAITING_NOTHING,
  PV_WAITING_POLL,
} from './layout';
import { fireTimers, setRunState, writeTime } from './clock';
import { isPending, raiseNmi } from './events';
import { applyContext, readContext } from './guest-context';
import { lockMemory, pinTable, unlockMemory, unpinTable } from './frame-use';

export { pvDropGranted, pvTakeGranted } from './granted-frames';
export { pvAnswerAwaited } from './answers';
export { pvSendEvent } from './events';
export { pvLeaveProcessor, pvPassProcessor, pvTakeProcessor, pvUrgentQueued } from './processors';
export { pvAllocateUnbound, pvBindToDom0, pvResetChannels, pvUnbindFromDom0 } from './event-channel-op';

/** Makes this instance's CPU a PV vCPU: after `attach`. */
export function pvAttach(): void {
  setHooks(
    <i32>onException.index,
    <i32>onSyscall.index,
    <i32>onPrivileged.index,
    <i32>onInterrupt.index,
    <i32>deliverPending.index,
    <i32>onPageTableStore.index,
    <i32>descriptorOf.index,
  );
}

/** Architectural constants of a vCPU at power-on, after `resetVcpu`. */
export function pvResetVcpu(cpu: usize, id: u32): void {
  store<u32>(cpu, id, VCPU_ID);
  store<u64>(cpu, 0x80050033, VCPU_CR0);
  // SCE, LME, LMA, NXE
  store<u64>(cpu, 0xd01, VCPU_EFER);
  store<u64>(cpu + VCPU_DR + 6 * 8, 0xffff0ff0);
  store<u64>(cpu + VCPU_DR + 7 * 8, 0x400);
}

/** Sets a vCPU from a struct vcpu_guest_context at `context`: 0 or a negative errno. */
export function pvSetContext(cpu: usize, context: usize): i32 {
  return applyContext(0, cpu, context);
}

export function pvGetContext(cpu: usize, context: usize): void {
  readContext(cpu, context);
}

/** Pins a frame as page table of `level` 1..4 (MMUEXT_PIN_*), or unpins it: 0 or a negative errno. For the builder and restore. */
export function pvPinTable(mfn: u32, level: u32): i32 {
  lockMemory(0);
  const outcome = pinTable(0, mfn, level);
  unlockMemory();
  return outcome;
}

export function pvUnpinTable(mfn: u32): i32 {
  lockMemory(0);
  const outcome = unpinTable(0, mfn);
  unlockMemory();
  return outcome;
}

/** Writes the time record of a vCPU: when it starts, and after the clock has moved under it. */
export function pvWriteTime(cpu: usize): void {
  writeTime(cpu);
}

/** Notes a change of run state (RUNSTATE_*). On the vCPU's own thread. */
export function pvSetRunState(cpu: usize, state: u32): void {
  setRunState(cpu, state);
}

/** Raises timer interrupts due at `now` and returns the next deadline, Infinity = none. On the vCPU's own thread. */
export function pvFireTimers(cpu: usize, now: f64): f64 {
  return fireTimers(cpu, <i64>now);
}

/**
 * Whether a vCPU that left `run` with EXIT_BLOCK may go on at time `now`; ends its wait if so. The caller samples the doorbell
 * before it asks, and sleeps on that sample.
 */
export function pvReady(cpu: usize, now: f64): i32 {
  const waiting = atomic.load<u32>(cpu, PV_WAITING);
  if (waiting == PV_WAITING_NOTHING) return 1;
  let ready = eventDeliverable(cpu) || atomic.load<u32>(cpu, PV_NMI) == PV_NMI_PENDING;
  if (!ready && waiting == PV_WAITING_POLL) {
    const port = load<i32>(cpu, PV_POLL_PORT);
    const deadline = load<i64>(cpu, PV_POLL_DEADLINE);
    ready = port < 0 || isPending(<u32>port) || (deadline != 0 && deadline <= <i64>now);
  }
  if (!ready) return 0;
  atomic.store<u32>(cpu, PV_WAITING_NOTHING, PV_WAITING);
  return 1;
}

export function pvIsOnline(cpu: usize): i32 {
  return atomic.load<u32>(cpu, PV_ONLINE);
}

/** Delivers a non-maskable interrupt to a vCPU, running or not. */
export function pvSendNmi(cpu: usize): void {
  raiseNmi(cpu);
}

/** Tells the CPUs that code outside them wrote `bytes` at `offset` of frame `mfn` (a back end, restore). May not cross the page. */
export function pvFrameWritten(mfn: u32, offset: u32, bytes: u32): void {
  storeMarked(0, hostOfFrameIndex(mfn - load<u32>(CONTROL, CONTROL_FIRST_MFN)) + (offset & (PAGE_BYTES - 1)), bytes);
}
