/**
 * How the threads of a domain's vCPUs wait for one another. VCPU_IN_GUEST says whether a vCPU may be using what it has cached of
 * the guest's memory (translations, decoded code). Who takes something away from all counts VCPU_FLUSH_ASKED up and waits until each
 * vCPU has flushed or is outside; one that is outside flushes before its next guest instruction. Who needs all others still holds
 * CONTROL_SPLIT_LOCK: nobody enters while it is held.
 *
 * Every pair of a flag said and another looked at is ordered by sequentially consistent atomics: the vCPU says INSIDE first and
 * looks at what is asked second, whoever asks does the opposite, so one of the two sees the other.
 *
 * Nobody sleeps inside the guest: who has to wait counts as outside meanwhile, so two that wait for each other cannot be stuck. What
 * was found by a translation before a wait may be stale after it (`flushesServed` tells).
 */
import {
  AWAITED,
  CONTROL,
  CONTROL_SPLIT_LOCK,
  CONTROL_VCPU_COUNT,
  INSIDE,
  OUTSIDE,
  REQUEST_FLUSH,
  REQUEST_HOLD,
  VCPU_BLOCKS,
  VCPU_BLOCK_BYTES,
  VCPU_CODE_EPOCH,
  VCPU_DOORBELL,
  VCPU_FLUSH_ASKED,
  VCPU_FLUSH_DONE,
  VCPU_ID,
  VCPU_IN_GUEST,
  VCPU_REQUEST,
} from './layout';
import { flushTlb } from './banks';

/** Looks at a word before sleeping on it: a vCPU that is on a processor polls after some hundred nanoseconds. */
const SPINS = 1000;
const FOREVER: i64 = -1;

const LOCK_FREE: u32 = 0;
const LOCK_HELD: u32 = 1;
const LOCK_AWAITED: u32 = 2;

// @ts-ignore: decorator
@inline
function blockOf(vcpu: u32): usize {
  return VCPU_BLOCKS + <usize>vcpu * VCPU_BLOCK_BYTES;
}

/** The vCPU stops counting as executing guest instructions. */
export function leaveGuest(cpu: usize): void {
  if (atomic.xchg<u32>(cpu, OUTSIDE, VCPU_IN_GUEST) == AWAITED) atomic.notify(cpu + VCPU_IN_GUEST, -1);
}

/** The vCPU goes on with guest instructions, as soon as nobody holds the domain still; what was asked of its TLBs is done first. */
export function enterGuest(cpu: usize): void {
  atomic.store<u32>(cpu, INSIDE, VCPU_IN_GUEST);
  while (atomic.load<u32>(CONTROL, CONTROL_SPLIT_LOCK) != LOCK_FREE) {
    leaveGuest(cpu);
    awaitSplitLock();
    atomic.store<u32>(cpu, INSIDE, VCPU_IN_GUEST);
  }
  serveFlush(cpu);
}

/** How often this vCPU has flushed because others asked; unchanged, what it translated before still holds. */
// @ts-ignore: decorator
@inline
export function flushesServed(cpu: usize): u32 {
  return load<u32>(cpu, VCPU_FLUSH_DONE);
}

/** Applies a flush that others asked of this vCPU. */
export function serveFlush(cpu: usize): void {
  if (atomic.load<u32>(cpu, VCPU_FLUSH_ASKED) == load<u32>(cpu, VCPU_FLUSH_DONE)) return;
  // Cleared before the count is read: who asks later sets it again.
  atomic.and<u32>(cpu, ~REQUEST_FLUSH, VCPU_REQUEST);
  const asked = atomic.load<u32>(cpu, VCPU_FLUSH_ASKED);
  flushTlb(cpu);
  // Whoever goes on in the middle of something found by address (a link under way, a translated region) sees that by the epoch.
  store<u32>(cpu, load<u32>(cpu, VCPU_CODE_EPOCH) + 1, VCPU_CODE_EPOCH);
  atomic.store<u32>(cpu, asked, VCPU_FLUSH_DONE);
  if (atomic.load<u32>(cpu, VCPU_IN_GUEST) != AWAITED) return;
  if (atomic.cmpxchg<u32>(cpu, AWAITED, INSIDE, VCPU_IN_GUEST) == AWAITED) atomic.notify(cpu + VCPU_IN_GUEST, -1);
}

/**
 * Asks every vCPU in `mask` but the caller's own (`cpu`; 0 = the thread is no vCPU's) to flush, and waits until each has or is
 * outside.
 */
export function flushRemote(cpu: usize, mask: u32): void {
  const count = load<u32>(CONTROL, CONTROL_VCPU_COUNT);
  if (cpu) mask &= ~((<u32>1) << load<u32>(cpu, VCPU_ID));
  let pending: u32 = 0;
  for (let n: u32 = 0; n < count; n++) {
    if (!(mask & ((<u32>1) << n))) continue;
    const target = blockOf(n);
    atomic.add<u32>(target, 1, VCPU_FLUSH_ASKED);
    if (atomic.load<u32>(target, VCPU_IN_GUEST) == OUTSIDE) continue;
    atomic.or<u32>(target, REQUEST_FLUSH, VCPU_REQUEST);
    pending |= (<u32>1) << n;
  }
  if (!pending) return;
  const inside = cpu != 0 && load<u32>(cpu, VCPU_IN_GUEST) != OUTSIDE;
  if (inside) leaveGuest(cpu);
  for (; pending; pending &= pending - 1) awaitFlush(blockOf(ctz<u32>(pending)));
  if (inside) enterGuest(cpu);
}

function hasFlushed(target: usize, asked: u32): bool {
  return <i32>(atomic.load<u32>(target, VCPU_FLUSH_DONE) - asked) >= 0;
}

function awaitFlush(target: usize): void {
  const asked = atomic.load<u32>(target, VCPU_FLUSH_ASKED);
  for (let spins = 0; ; spins++) {
    const state = atomic.load<u32>(target, VCPU_IN_GUEST);
    if (state == OUTSIDE || hasFlushed(target, asked)) return;
    if (spins < SPINS) continue;
    if (state == INSIDE && atomic.cmpxchg<u32>(target, INSIDE, AWAITED, VCPU_IN_GUEST) != INSIDE) continue;
    // The target says that it has flushed first and looks for AWAITED second.
    if (hasFlushed(target, asked)) return;
    atomic.wait<i32>(target + VCPU_IN_GUEST, AWAITED, FOREVER);
  }
}

function awaitDeparture(target: usize): void {
  for (let spins = 0; ; spins++) {
    const state = atomic.load<u32>(target, VCPU_IN_GUEST);
    if (state == OUTSIDE) return;
    if (spins < SPINS) continue;
    if (state == INSIDE && atomic.cmpxchg<u32>(target, INSIDE, AWAITED, VCPU_IN_GUEST) != INSIDE) continue;
    atomic.wait<i32>(target + VCPU_IN_GUEST, AWAITED, FOREVER);
  }
}

/** Waits until the split lock has been free for a moment. */
function awaitSplitLock(): void {
  const lock: usize = CONTROL + CONTROL_SPLIT_LOCK;
  for (let spins = 0; ; spins++) {
    const state = atomic.load<u32>(lock);
    if (state == LOCK_FREE) return;
    if (spins < SPINS) continue;
    if (state == LOCK_HELD && atomic.cmpxchg<u32>(lock, LOCK_HELD, LOCK_AWAITED) != LOCK_HELD) continue;
    atomic.wait<i32>(lock, LOCK_AWAITED, FOREVER);
  }
}

/**
 * Keeps the domain's other vCPUs outside guest code until releaseOthers. On return the caller is inside, with its flushes done:
 * addresses are to be translated from here on. Hypervisor code of the others goes on.
 */
export function holdOthers(cpu: usize): void {
  const lock: usize = CONTROL + CONTROL_SPLIT_LOCK;
  leaveGuest(cpu);
  if (atomic.cmpxchg<u32>(lock, LOCK_FREE, LOCK_HELD) != LOCK_FREE) {
    do awaitSplitLock();
    while (atomic.cmpxchg<u32>(lock, LOCK_FREE, LOCK_AWAITED) != LOCK_FREE);
  }
  const self = load<u32>(cpu, VCPU_ID);
  const count = load<u32>(CONTROL, CONTROL_VCPU_COUNT);
  for (let n: u32 = 0; n < count; n++) {
    const target = blockOf(n);
    if (n != self && atomic.load<u32>(target, VCPU_IN_GUEST) != OUTSIDE) atomic.or<u32>(target, REQUEST_HOLD, VCPU_REQUEST);
  }
  for (let n: u32 = 0; n < count; n++) if (n != self) awaitDeparture(blockOf(n));
  atomic.store<u32>(cpu, INSIDE, VCPU_IN_GUEST);
  serveFlush(cpu);
}

export function releaseOthers(): void {
  const lock: usize = CONTROL + CONTROL_SPLIT_LOCK;
  if (atomic.xchg<u32>(lock, LOCK_FREE) == LOCK_AWAITED) atomic.notify(lock, -1);
}

/** What REQUEST_HOLD asks for: stays outside while the domain is held still. */
export function stayOutside(cpu: usize): void {
  atomic.and<u32>(cpu, ~REQUEST_HOLD, VCPU_REQUEST);
  leaveGuest(cpu);
  enterGuest(cpu);
}

/** Wakes a vCPU that waits on its doorbell. */
export function ringDoorbell(target: usize): void {
  atomic.add<u32>(target, 1, VCPU_DOORBELL);
  atomic.notify(target + VCPU_DOORBELL, -1);
}
