/**
 * Locks on words of the control area: 0 free, 1 held, 2 held with waiters. The vCPU threads of a domain and dom0's thread take
 * them. A waiter serves the TLB flushes asked of its vCPU, so a holder may wait for a flush on all vCPUs.
 */
import { serveFlush } from '../cpu/rendezvous';

const SPINS = 200;
const WAIT_NS: i64 = 1000000;

/** Takes the lock at `word`; `cpu` is the vCPU whose thread this is, 0 = none. */
export function acquire(cpu: usize, word: usize): void {
  if (atomic.cmpxchg<u32>(word, 0, 1) == 0) return;
  for (let n = 0; n < SPINS; n++) {
    if (atomic.load<u32>(word) == 0 && atomic.cmpxchg<u32>(word, 0, 1) == 0) return;
  }
  while (atomic.xchg<u32>(word, 2) != 0) {
    if (cpu) serveFlush(cpu);
    atomic.wait<i32>(word, 2, WAIT_NS);
  }
}

export function release(word: usize): void {
  if (atomic.xchg<u32>(word, 0) == 2) atomic.notify(word, 1);
}
