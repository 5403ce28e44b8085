/**
 * Transitions between regions that the run loop has sampled (VCPU_TRANSITIONS): which function was left, and for where. Counted
 * here, until one is frequent enough to be acted upon.
 */
import { TRANSITION_ENTRIES, TRANSITION_ENTRY_BYTES, VCPU_TRANSITIONS, VCPU_TRANSITIONS_SAMPLED } from '../cpu/layout.ts';

/** Kept at most before all are forgotten: rare ones never become frequent. */
const COUNTS_MAXIMUM = 4096;

export class TransitionSamples {
  private seen: number;
  private readonly counts = new Map<string, number>();

  constructor(
    private readonly view: DataView,
    private readonly cpu: number,
    private readonly threshold: number,
  ) {
    this.seen = this.sampled();
  }

  private sampled(): number {
    return this.view.getUint32(this.cpu + VCPU_TRANSITIONS_SAMPLED, true);
  }

  /** Counts what was sampled since the last call; calls back for what is frequent now, once. */
  drain(frequent: (tableIndex: number, rip: bigint) => void): void {
    const sampled = this.sampled();
    let next = (sampled - this.seen) >>> 0 > TRANSITION_ENTRIES ? (sampled - TRANSITION_ENTRIES) >>> 0 : this.seen;
    this.seen = sampled;
    for (; next !== sampled; next = (next + 1) >>> 0) {
      const at = this.cpu + VCPU_TRANSITIONS + (next % TRANSITION_ENTRIES) * TRANSITION_ENTRY_BYTES;
      const tableIndex = this.view.getUint32(at, true);
      const rip = this.view.getBigInt64(at + 8, true);
      const key = `${tableIndex}/${rip}`;
      const count = (this.counts.get(key) ?? 0) + 1;
      if (count >= this.threshold) {
        this.counts.delete(key);
        frequent(tableIndex, rip);
        continue;
      }
      if (this.counts.size >= COUNTS_MAXIMUM) this.counts.clear();
      this.counts.set(key, count);
    }
  }

  forget(): void {
    this.counts.clear();
  }
}
