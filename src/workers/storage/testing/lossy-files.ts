/**
 * Files that lose what was not flushed, as a disk does when the machine stops: on a crash each write since the last flush of its
 * file survives whole, in part, or not at all.
 */
import type { SeededRandom } from '../../../engine/xenstore/testing/random.ts';
import type { StoreFile, StoreFiles } from '../opfs-files.ts';

type Change = (contents: Uint8Array, share: number) => Uint8Array;

export class Crash extends Error {}

class LossyFile implements StoreFile {
  durable = new Uint8Array(0);
  contents = new Uint8Array(0);
  isOpen = true;
  private pending: Change[] = [];

  constructor(private readonly disk: LossyDisk) {}

  read(into: Uint8Array, { at }: { at: number }): number {
    this.step(false);
    const part = this.contents.subarray(at, at + into.length);
    into.set(part);
    return part.length;
  }

  write(from: Uint8Array, { at }: { at: number }): number {
    const bytes = from.slice();
    this.change((contents, share) => {
      const length = Math.floor(bytes.length * share);
      if (length === 0) return contents;
      const next = new Uint8Array(Math.max(contents.length, at + length));
      next.set(contents);
      next.set(bytes.subarray(0, length), at);
      return next;
    });
    return from.length;
  }

  truncate(sizeBytes: number): void {
    this.change((contents, share) => {
      if (share === 0) return contents;
      const next = new Uint8Array(sizeBytes);
      next.set(contents.subarray(0, sizeBytes));
      return next;
    });
  }

  getSize(): number {
    return this.contents.length;
  }

  flush(): void {
    this.step(true);
    this.durable = this.contents;
    this.pending = [];
  }

  close(): void {
    this.flush();
  }

  /** What is found after the crash. */
  afterCrash(random: SeededRandom): void {
    let survived = this.durable;
    for (const change of this.pending) survived = new Uint8Array(change(survived, random.pick([0, 0.3, 0.7, 1])));
    this.contents = this.durable = survived;
    this.pending = [];
  }

  private step(changes: boolean): void {
    if (!this.isOpen) throw new Error('the file is closed');
    this.disk.step(changes);
  }

  private change(change: Change): void {
    this.pending.push(change);
    this.step(true);
    this.contents = new Uint8Array(change(this.contents, 1));
  }
}

export class LossyDisk {
  /** Writes, truncations and flushes until everything stops. */
  stepsLeft = Infinity;
  /** The next this many of them fail with an error, but things go on. */
  failures = 0;
  steps = 0;
  private stopped = false;
  private readonly all = [new LossyFile(this), new LossyFile(this), new LossyFile(this)] as const;
  reopened = 0;
  readonly files: StoreFiles = {
    chunks: this.all[0],
    reopenChunks: async () => {
      this.all[0].isOpen = false;
      await Promise.resolve();
      this.reopened += 1;
      this.all[0].isOpen = true;
      return this.all[0];
    },
    journals: [this.all[1], this.all[2]],
  };

  get hasStopped(): boolean {
    return this.stopped;
  }

  step(changes: boolean): void {
    if (this.stopped) throw new Crash('the machine has stopped');
    if (!changes) return;
    this.steps += 1;
    if (this.failures > 0) {
      this.failures -= 1;
      throw new DOMException('no room', 'QuotaExceededError');
    }
    if (this.stepsLeft === 0) this.stopped = true;
    this.stepsLeft -= 1;
    if (this.stopped) throw new Crash('the machine stops');
  }

  /** The machine comes back with what its disk kept. */
  restart(random: SeededRandom): void {
    for (const file of this.all) file.afterCrash(random);
    this.stopped = false;
    this.stepsLeft = Infinity;
  }
}
