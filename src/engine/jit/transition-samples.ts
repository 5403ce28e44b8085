/**
 * Ways out of regions that the run loop has sampled (VCPU_TRANSITIONS): which function was left, and for where, or that it gave an
 * instruction back, or that much had been executed in it. Counted here, until one is frequent enough to be acted upon.
 */
import {
  REDO,
  SAMPLE_LONG_RUN,
  TRANSITION_ENTRIES,
  TRANSITION_ENTRY_BYTES,
  VCPU_TRANSITIONS,
  VCPU_TRANSITIONS_SAMPLED,
} from '../cpu/layout.ts';

/** Kept at most before all are forgotten: rare ones never become frequent. */
const COUNTS_MAXIMUM = 4096;
/** Stand for targets of what is no jump; no addresses. */
const GIVEN_BACK = NaN;
const MUCH_EXECUTED = Infinity;

export interface TransitionThresholds {
  /** Samples of ways from a function to one place. */
  readonly jump: number;
  /** Samples of a function's giving back an instruction, whichever. */
  readonly redo: number;
  /** Samples of much being executed in a function at a time. */
  readonly longRun: number;
}

export class TransitionSamples {
  private seen: number;
  /** By target, then by function. */
  private readonly counts = new Map<number, Map<number, number>>();
  private kept = 0;

  constructor(
    private readonly words: Uint32Array,
    private readonly cpu: number,
    private readonly thresholds: TransitionThresholds,
  ) {
    this.seen = this.sampled();
  }

  private sampled(): number {
    return this.words[(this.cpu + VCPU_TRANSITIONS_SAMPLED) >>> 2] ?? 0;
  }

  /** Counts what was sampled since the last call; calls back for what is frequent now, once. `rip` null: no jumps. */
  drain(frequent: (tableIndex: number, rip: bigint | null) => void): void {
    const sampled = this.sampled();
    if (sampled === this.seen) return;
    let next = (sampled - this.seen) >>> 0 > TRANSITION_ENTRIES ? (sampled - TRANSITION_ENTRIES) >>> 0 : this.seen;
    this.seen = sampled;
    for (; next !== sampled; next = (next + 1) >>> 0) {
      const at = (this.cpu + VCPU_TRANSITIONS + (next % TRANSITION_ENTRIES) * TRANSITION_ENTRY_BYTES) >>> 2;
      const [tableIndex = 0, why = 0, low = 0, high = 0] = this.words.subarray(at, at + TRANSITION_ENTRY_BYTES / 4);
      const { jump, redo, longRun } = this.thresholds;
      // A canonical address is exact as a number.
      const [rip, threshold] =
        why === REDO ? [GIVEN_BACK, redo] : why === SAMPLE_LONG_RUN ? [MUCH_EXECUTED, longRun] : [(high | 0) * 2 ** 32 + low, jump];
      if (this.count(tableIndex, rip) < threshold) continue;
      this.counts.get(rip)?.delete(tableIndex);
      this.kept--;
      frequent(tableIndex, Number.isFinite(rip) ? BigInt(rip) : null);
    }
  }

  /** Counts one more; how many it has been. */
  private count(tableIndex: number, rip: number): number {
    let from = this.counts.get(rip);
    const count = (from?.get(tableIndex) ?? 0) + 1;
    if (count === 1 && ++this.kept > COUNTS_MAXIMUM) {
      this.forget();
      return 0;
    }
    if (from === undefined) {
      from = new Map();
      this.counts.set(rip, from);
    }
    from.set(tableIndex, count);
    return count;
  }

  forget(): void {
    this.counts.clear();
    this.kept = 0;
  }
}
