/**
 * Which vCPUs of the domain are on a processor. With more vCPUs than processors the threads would be descheduled by the host in the
 * middle of guest code, and whoever then waits for such a vCPU (a flush, a split lock, a spinning lock) would wait for the host's
 * scheduler. So at most DOMAIN_PROCESSORS vCPUs run; the others queue here, in turns, those with an event or just woken first.
 *
 * A processor is handed over between slices only: who holds a lock of the hypervisor keeps its processor. A queued vCPU sleeps on
 * PV_PROCESSOR. While DOMAIN_FREE_PROCESSORS is not 0 nobody is queued.
 */
import { CONTROL, CONTROL_QUEUED_VCPUS, REQUEST_EVENT, VCPU_BLOCKS, VCPU_BLOCK_BYTES, VCPU_ID, VCPU_REQUEST } from '../cpu/layout';
import {
  DOMAIN_FREE_PROCESSORS,
  DOMAIN_LAST_QUEUED,
  DOMAIN_PROCESSORS,
  DOMAIN_PROCESSOR_LOCK,
  DOMAIN_URGENT_IN_A_ROW,
  DOMAIN_URGENT_VCPUS,
  PV_PCPU,
  PV_PROCESSOR,
} from './layout';
import { acquire, release } from './lock';

/** Urgent vCPUs served one after the other while a common one waits. */
const URGENT_IN_A_ROW_MAX: u32 = 4;
const NOBODY: u32 = 0xffffffff;

// @ts-ignore: decorator
@inline
function bitOf(cpu: usize): u32 {
  return (<u32>1) << load<u32>(cpu, VCPU_ID);
}

/**
 * Asks for a processor: 1 = the vCPU has one (or there is no limit), 0 = it is queued and gets one when PV_PROCESSOR is not 0.
 */
export function pvTakeProcessor(cpu: usize, urgent: u32): u32 {
  if (!load<u32>(DOMAIN_PROCESSORS) || atomic.load<u32>(cpu, PV_PROCESSOR)) return 1;
  acquire(0, DOMAIN_PROCESSOR_LOCK);
  const free = load<u32>(DOMAIN_FREE_PROCESSORS);
  if (!atomic.load<u32>(cpu, PV_PROCESSOR)) {
    if (free) {
      const last = load<u32>(cpu, PV_PCPU) & 31;
      const processor: u32 = (free >> last) & 1 ? last : ctz<u32>(free);
      store<u32>(DOMAIN_FREE_PROCESSORS, free & ~((<u32>1) << processor));
      store<u32>(cpu, processor, PV_PCPU);
      atomic.store<u32>(cpu, processor + 1, PV_PROCESSOR);
    } else enqueue(cpu, urgent);
  }
  const has: u32 = atomic.load<u32>(cpu, PV_PROCESSOR) != 0 ? 1 : 0;
  release(DOMAIN_PROCESSOR_LOCK);
  return has;
}

/** Gives the vCPU's processor to the next in the queue and queues the vCPU: 1 = nobody waits, it stays; 0 = as pvTakeProcessor. */
export function pvPassProcessor(cpu: usize): u32 {
  if (!atomic.load<u32>(CONTROL, CONTROL_QUEUED_VCPUS)) return 1;
  acquire(0, DOMAIN_PROCESSOR_LOCK);
  const word = atomic.load<u32>(cpu, PV_PROCESSOR);
  let stays: u32 = 1;
  if (word && atomic.load<u32>(CONTROL, CONTROL_QUEUED_VCPUS)) {
    atomic.store<u32>(cpu, 0, PV_PROCESSOR);
    giveAway(word - 1);
    enqueue(cpu, 0);
    if (atomic.load<u32>(cpu, VCPU_REQUEST) & REQUEST_EVENT) hurry(cpu);
    stays = 0;
  }
  release(DOMAIN_PROCESSOR_LOCK);
  return stays;
}

/** The vCPU goes to sleep: gives up its processor, or its place in the queue. */
export function pvLeaveProcessor(cpu: usize): void {
  if (!load<u32>(DOMAIN_PROCESSORS)) return;
  acquire(0, DOMAIN_PROCESSOR_LOCK);
  const word = atomic.load<u32>(cpu, PV_PROCESSOR);
  atomic.and<u32>(CONTROL, ~bitOf(cpu), CONTROL_QUEUED_VCPUS);
  if (word) {
    atomic.store<u32>(cpu, 0, PV_PROCESSOR);
    giveAway(word - 1);
  }
  release(DOMAIN_PROCESSOR_LOCK);
}

/** Lets a vCPU go before those without news if it is queued, now or by the time the bit is looked at. */
export function hurry(target: usize): void {
  if (load<u32>(DOMAIN_PROCESSORS)) atomic.or<u32>(DOMAIN_URGENT_VCPUS, bitOf(target));
}

/** Whether vCPUs with an event, or just woken, wait for a processor. */
export function pvUrgentQueued(): u32 {
  return atomic.load<u32>(CONTROL, CONTROL_QUEUED_VCPUS) & atomic.load<u32>(DOMAIN_URGENT_VCPUS) ? 1 : 0;
}

function enqueue(cpu: usize, urgent: u32): void {
  // What came up while the vCPU was on a processor it has seen there.
  if (urgent) atomic.or<u32>(DOMAIN_URGENT_VCPUS, bitOf(cpu));
  else atomic.and<u32>(DOMAIN_URGENT_VCPUS, ~bitOf(cpu));
  atomic.or<u32>(CONTROL, bitOf(cpu), CONTROL_QUEUED_VCPUS);
}

function giveAway(processor: u32): void {
  const next = chooseNext();
  if (next == NOBODY) {
    store<u32>(DOMAIN_FREE_PROCESSORS, load<u32>(DOMAIN_FREE_PROCESSORS) | ((<u32>1) << processor));
    return;
  }
  const target: usize = VCPU_BLOCKS + <usize>next * VCPU_BLOCK_BYTES;
  atomic.and<u32>(CONTROL, ~bitOf(target), CONTROL_QUEUED_VCPUS);
  atomic.and<u32>(DOMAIN_URGENT_VCPUS, ~bitOf(target));
  store<u32>(target, processor, PV_PCPU);
  atomic.store<u32>(target, processor + 1, PV_PROCESSOR);
  atomic.notify(target + PV_PROCESSOR, -1);
}

/** The queued vCPU behind the one served last, among the urgent ones if there are any and it is not the common ones' turn. */
function chooseNext(): u32 {
  const queued = atomic.load<u32>(CONTROL, CONTROL_QUEUED_VCPUS);
  if (!queued) return NOBODY;
  const urgent = queued & atomic.load<u32>(DOMAIN_URGENT_VCPUS);
  const row = load<u32>(DOMAIN_URGENT_IN_A_ROW);
  const common = queued & ~urgent;
  const takeUrgent = urgent != 0 && (common == 0 || row < URGENT_IN_A_ROW_MAX);
  store<u32>(DOMAIN_URGENT_IN_A_ROW, takeUrgent ? row + 1 : 0);
  const candidates = takeUrgent ? urgent : common;
  const last = load<u32>(DOMAIN_LAST_QUEUED) & 31;
  const behind = candidates & ~(((<u32>2) << last) - 1);
  const next = ctz<u32>(last < 31 && behind ? behind : candidates);
  store<u32>(DOMAIN_LAST_QUEUED, next);
  return next;
}
