/**
 * How domain 0's thread waits for guests. One that rings all the time is served again and again without the event loop's coming round,
 * where everything else on the thread waits: so now and then that is waited for first.
 *
 * To be woken up by way of the event loop costs both threads some 20 µs. Where one guest rings after a moment each time, as one that
 * reads block after block does, the thread stands still for that moment instead; whoever then does not ring, or is not alone, is
 * waited for by the event loop again.
 */
import type { AsyncWaiter } from '../../engine/hypervisor/platform.ts';
import { nowMs } from '../machine-clock.ts';
import { changed } from '../wait-for-change.ts';

/** Longest between two turns of the event loop. */
const STRETCH_MS = 2;
/** A guest that rings so soon, so many times one after the other, is waited for standing still, at most so long. */
const SOON_MS = 0.25;
const SOON_IN_A_ROW = 8;

export interface WaiterSurroundings {
  /** Resolves when the event loop has come round. */
  readonly nextTurn: () => Promise<void>;
  readonly now?: () => number;
  /** Stands still while the word has the value: Atomics.wait. */
  readonly standStill?: (words: Int32Array, index: number, value: number, milliseconds: number) => 'ok' | 'not-equal' | 'timed-out';
}

export class DoorbellWaiter implements AsyncWaiter {
  private cameFromLoop = -Infinity;
  /** The word waited for last, and how often it changed soon since another was waited for. */
  private waitedFor: { readonly words: Int32Array; readonly index: number } | undefined;
  private soonInARow = 0;
  private readonly nextTurn: () => Promise<void>;
  private readonly now: () => number;
  private readonly standStill: NonNullable<WaiterSurroundings['standStill']>;

  constructor({ nextTurn, now = nowMs, standStill = Atomics.wait }: WaiterSurroundings) {
    this.nextTurn = nextTurn;
    this.now = now;
    this.standStill = standStill;
  }

  async changed(words: Int32Array, index: number, value: number): Promise<void> {
    if (Atomics.load(words, index) === value && !this.changesSoon(words, index, value))
      await this.changedLater(words, index, value);
    else if (this.now() - this.cameFromLoop <= STRETCH_MS) return;
    else await this.nextTurn();
    this.cameFromLoop = this.now();
  }

  /** Stands still until the word changes, if it is one that does so soon; false = it did not. */
  private changesSoon(words: Int32Array, index: number, value: number): boolean {
    if (this.waitedFor?.words !== words || this.waitedFor.index !== index) {
      this.waitedFor = { words, index };
      this.soonInARow = 0;
    }
    if (this.soonInARow < SOON_IN_A_ROW) return false;
    const changed = this.standStill(words, index, value, SOON_MS) !== 'timed-out';
    if (!changed) this.soonInARow = 0;
    return changed;
  }

  private async changedLater(words: Int32Array, index: number, value: number): Promise<void> {
    const waitedFor = this.waitedFor;
    const began = this.now();
    await changed(words, index, value);
    if (this.waitedFor !== waitedFor) return;
    this.soonInARow = this.now() - began <= SOON_MS ? this.soonInARow + 1 : 0;
  }
}
