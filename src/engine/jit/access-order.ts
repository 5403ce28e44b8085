/**
 * Fences that keep guest accesses in x86's order on hosts which would not (ARCHITECTURE.md, "Memory order"). x86 lets a load pass
 * earlier stores and nothing else, so there is one fence between any two accesses, unless the first is a store and the second a load.
 *
 * A fence stands in front of the later access: what the core does in between has its own. Where control flow meets, nothing is known
 * of what came before.
 */
import type { FunctionWriter } from './wasm-writer.ts';

export class AccessOrder {
  /** Whether there may have been such accesses since the last fence; true of both unless nothing has joined since `joins`. */
  private loads = true;
  private stores = true;
  private joins = -1;

  constructor(
    private readonly w: FunctionWriter,
    private readonly enabled: boolean,
  ) {}

  private get known(): boolean {
    return this.joins === this.w.joins;
  }

  /** A block begins, or the core has been called and may have made accesses. */
  forget(): void {
    this.joins = -1;
  }

  /** To be called in front of a load. */
  beforeLoad(): void {
    this.fenceIf(!this.known || this.loads);
    this.loads = true;
  }

  /** To be called in front of a store. */
  beforeStore(): void {
    this.fenceIf(!this.known || this.loads || this.stores);
    this.stores = true;
  }

  /** To be called in front of a locked operation, which nothing passes in either direction. */
  beforeLocked(): void {
    this.beforeStore();
    this.loads = true;
  }

  /** What the guest's own fences are. */
  fence(): void {
    this.fenceIf(true);
  }

  /** `emit` emits code that joins but makes no access by itself. */
  across(emit: () => void): void {
    const { known } = this;
    emit();
    if (known) this.joins = this.w.joins;
  }

  private fenceIf(needed: boolean): void {
    if (!needed || !this.enabled) return;
    this.w.fence();
    this.loads = false;
    this.stores = false;
    this.joins = this.w.joins;
  }
}
