/** A clock that stands still until told. */
import type { Clock } from '../services.ts';

interface Timer {
  readonly atMs: number;
  readonly callback: () => void;
}

export class ManualClock implements Clock {
  private _nowMs: number;
  private _timers: Timer[] = [];

  constructor(nowMs: number) {
    this._nowMs = nowMs;
  }

  nowMs(): number {
    return this._nowMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this._nowMs + delayMs, callback };
    this._timers.push(timer);
    return () => {
      this._timers = this._timers.filter((candidate) => candidate !== timer);
    };
  }

  get pending(): number {
    return this._timers.length;
  }

  /** Lets time pass, timers in order, with everything they set off in between. */
  async advance(byMs: number): Promise<void> {
    const endMs = this._nowMs + byMs;
    for (;;) {
      await settle();
      const due = this._timers.filter((timer) => timer.atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this._timers = this._timers.filter((timer) => timer !== due);
      this._nowMs = due.atMs;
      due.callback();
    }
    this._nowMs = endMs;
    await settle();
  }
}

/** Lets promises run that wait for nothing outside, however many wait for one another. */
export async function settle(): Promise<void> {
  // A turn of the event loop begins when no promise has anything left to do.
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
