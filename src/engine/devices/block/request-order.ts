/**
 * Order among the requests of one device. Requests run side by side; a barrier waits for all that came before it, and all that
 * come after wait for it.
 */

export class RequestOrder {
  private readonly running = new Set<Promise<void>>();
  private barrier: Promise<void> | undefined;

  /** A barrier is waiting or at work: nothing may start before it is through. */
  get isHeld(): boolean {
    return this.barrier !== undefined;
  }

  /** Runs `work` now, or when the barrier before it is through. `work` does not reject. */
  add(work: () => Promise<void>): void {
    this.start(this.barrier === undefined ? work() : this.barrier.then(work));
  }

  /** As `add`, alone. */
  addBarrier(work: () => Promise<void>): void {
    const before = [...this.running];
    const done: Promise<void> = Promise.all(before)
      .then(work)
      .then(() => {
        if (this.barrier === done) this.barrier = undefined;
      });
    this.barrier = done;
    this.start(done);
  }

  private start(work: Promise<void>): void {
    this.running.add(work);
    void work.then(() => this.running.delete(work));
  }
}
