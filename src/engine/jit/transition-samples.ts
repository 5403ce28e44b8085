/**
 * Transitions between regions that the run loop has sampled (VCPU_TRANSITIONS): which function was left, and for where. Counted
 * here, until one is frequent enough to be acted upon.
 */
import { TRANSITION_ENTRIES, TRANSITION_ENTRY_BYTES, VCPU_TRANSITIONS, VCPU_TRANSITIONS_SAMPLED } from '../cpu/layout.ts';

/** Kept at most before all are forgotten: rare ones never become frequent. */
const COUNTS_MAXIMUM = 4096;

export class TransitionSamples {
  private seen: number;
  /** By target, then by function. */
  private readonly counts = new Map<number, Map<number, number>>();
  private kept = 0;

  constructor(
    private readonly words: Uint32Array,
    private readonly cpu: number,
    private readonly threshold: number,
  ) {
    this.seen = this.sampled();
  }

  private sampled(): number {
    return this.words[(this.cpu + VCPU_TRANSITIONS_SAMPLED) >>> 2] ?? 0;
  }

  /** Counts what was sampled since the last call; calls back for what is frequent now, once. */
  drain(frequent: (tableIndex: number, rip: bigint) => void): void {
    const sampled = this.sampled();
    if (sampled === this.seen) return;
    let next = (sampled - this.seen) >>> 0 > TRANSITION_ENTRIES ? (sampled - TRANSITION_ENTRIES) >>> 0 : this.seen;
    this.seen = sampled;
    for (; next !== sampled; next = (next + 1) >>> 0) {
      const at = (this.cpu + VCPU_TRANSITIONS + (next % TRANSITION_ENTRIES) * TRANSITION_ENTRY_BYTES) >>> 2;
      const tableIndex = this.words[at] ?? 0;
      const low = this.words[at + 2] ?? 0;
      const high = this.words[at + 3] ?? 0;
      // A canonical address is exact as a number.
      const rip = (high | 0) * 2 ** 32 + low;
      let from = this.counts.get(rip);
      if (from === undefined) {
        from = new Map();
        this.counts.set(rip, from);
      }
      const count = from.get(tableIndex) ?? 0;
      if (count === 0 && ++this.kept > COUNTS_MAXIMUM) {
        this.forget();
        continue;
      }
      from.set(tableIndex, count + 1);
      if (count + 1 < this.threshold) continue;
      from.delete(tableIndex);
      this.kept--;
      frequent(tableIndex, BigInt(rip));
    }
  }

  forget(): void {
    this.counts.clear();
    this.kept = 0;
  }
}
