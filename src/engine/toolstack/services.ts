/** What the toolstack needs from its surroundings; implemented by the dom0 worker and, with a hand-driven clock, by tests. */

export interface Clock {
  /** Milliseconds since 1970, UTC. */
  nowMs(): number;
  /** Runs the callback once after the delay; the result calls it off. */
  after(delayMs: number, callback: () => void): () => void;
}

export interface Entropy {
  bytes(count: number): Uint8Array;
}

/** A request to stop what is under way (^C, a time limit, a closed terminal). */
export interface Cancellation {
  readonly cancelled: boolean;
  /** Called at once when already cancelled. The result takes the listener away. */
  onCancel(listener: () => void): () => void;
}

export class CancellationSource implements Cancellation {
  private _cancelled = false;
  private readonly _listeners = new Set<() => void>();

  get cancelled(): boolean {
    return this._cancelled;
  }

  cancel(): void {
    if (this._cancelled) return;
    this._cancelled = true;
    const listeners = [...this._listeners];
    this._listeners.clear();
    for (const listener of listeners) listener();
  }

  onCancel(listener: () => void): () => void {
    if (this._cancelled) {
      listener();
      return () => undefined;
    }
    this._listeners.add(listener);
    return () => this._listeners.delete(listener);
  }
}

/** Resolves after the delay, or rejects with Interrupted when cancelled first. */
export function sleep(clock: Clock, delayMs: number, cancellation: Cancellation): Promise<void> {
  return new Promise((resolve, reject) => {
    let forget: () => void = () => undefined;
    const stop = clock.after(delayMs, () => {
      forget();
      resolve();
    });
    forget = cancellation.onCancel(() => {
      stop();
      reject(new Interrupted());
    });
  });
}

/** What `work` gives, or Interrupted as soon as it is cancelled; the work itself goes on unheard. */
export function unlessCancelled<T>(work: Promise<T>, cancellation: Cancellation | undefined): Promise<T> {
  if (cancellation === undefined) return work;
  return new Promise((resolve, reject) => {
    const forget = cancellation.onCancel(() => reject(new Interrupted()));
    work.then(resolve, reject).finally(forget);
  });
}

/** Thrown out of a command that was called off. */
export class Interrupted extends Error {
  constructor() {
    super('Interrupted.');
    this.name = 'Interrupted';
  }
}
