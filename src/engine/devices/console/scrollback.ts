/**
 * The last bytes of a stream, found by their position counted from its beginning. The buffer grows as needed up to its limit and
 * then goes round.
 */

export const SCROLLBACK_BYTES = 4 * 1024 * 1024;
const FIRST_CAPACITY = 64 * 1024;

export class Scrollback {
  private buffer: Uint8Array;
  private total = 0;

  constructor(private readonly limitBytes = SCROLLBACK_BYTES) {
    this.buffer = new Uint8Array(Math.min(FIRST_CAPACITY, limitBytes));
  }

  /** Position behind the last byte: how many there ever were. */
  get end(): number {
    return this.total;
  }

  /** Position of the oldest byte that is still here. */
  get start(): number {
    return Math.max(0, this.total - this.buffer.length);
  }

  append(bytes: Uint8Array): void {
    this.growFor(bytes.length);
    const kept = bytes.subarray(Math.max(0, bytes.length - this.buffer.length));
    let position = this.total + bytes.length - kept.length;
    for (let done = 0; done < kept.length;) {
      const at = position % this.buffer.length;
      const length = Math.min(kept.length - done, this.buffer.length - at);
      this.buffer.set(kept.subarray(done, done + length), at);
      done += length;
      position += length;
    }
    this.total += bytes.length;
  }

  /** A copy of the bytes from `position` on, or from the oldest there is. */
  since(position: number): Uint8Array {
    const from = Math.min(Math.max(position, this.start), this.total);
    const bytes = new Uint8Array(this.total - from);
    for (let done = 0; done < bytes.length;) {
      const at = (from + done) % this.buffer.length;
      const length = Math.min(bytes.length - done, this.buffer.length - at);
      bytes.set(this.buffer.subarray(at, at + length), done);
      done += length;
    }
    return bytes;
  }

  /** Doubles the buffer until all fits or the limit is reached; only a buffer that has not gone round yet is grown. */
  private growFor(moreBytes: number): void {
    const wanted = Math.min(this.total + moreBytes, this.limitBytes);
    if (wanted <= this.buffer.length) return;
    let capacity = this.buffer.length;
    while (capacity < wanted) capacity = Math.min(capacity * 2, this.limitBytes);
    const grown = new Uint8Array(capacity);
    grown.set(this.buffer.subarray(0, this.total));
    this.buffer = grown;
  }
}
