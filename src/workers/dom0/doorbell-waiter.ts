/**
 * How domain 0's thread waits for guests. One that rings all the time is served again and again without the event loop's coming round,
 * where everything else on the thread waits: so now and then that is waited for first.
 */
import type { AsyncWaiter } from '../../engine/hypervisor/platform.ts';
import { nowMs } from '../machine-clock.ts';
import { changed } from '../wait-for-change.ts';

/** Longest between two turns of the event loop. */
const STRETCH_MS = 2;

export class DoorbellWaiter implements AsyncWaiter {
  private cameFromLoop = -Infinity;

  /** @param nextTurn resolves when the event loop has come round */
  constructor(
    private readonly nextTurn: () => Promise<void>,
    private readonly now: () => number = nowMs,
  ) {}

  async changed(words: Int32Array, index: number, value: number): Promise<void> {
    if (Atomics.load(words, index) === value) await changed(words, index, value);
    else if (this.now() - this.cameFromLoop <= STRETCH_MS) return;
    else await this.nextTurn();
    this.cameFromLoop = this.now();
  }
}
