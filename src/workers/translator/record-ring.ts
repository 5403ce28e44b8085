/**
 * Records of bytes on their way from one thread to another, where one of the two reads no messages (a vCPU's is seldom in its event
 * loop) and messages cost the sender too much: a ring in shared memory. One thread puts, the other takes.
 *
 * Two words count the bytes ever put and ever taken; each is written by one side alone, after the bytes it tells of. A record is a
 * word with its length and its bytes, filled up to a multiple of 4. The third word changes whenever the taker is called.
 */
const PUT = 0;
const TAKEN = 1;
const CALLS = 2;
const COUNTERS = 3;
const COUNTERS_BYTES = COUNTERS * 4;
const LENGTH_BYTES = 4;
/** A power of two, since the counters wrap at 2^32; four of the largest regions have room. */
const CAPACITY_BYTES = 1 << 17;

const recordBytes = (length: number): number => LENGTH_BYTES + ((length + 3) & ~3);

export function createRing(): SharedArrayBuffer {
  return new SharedArrayBuffer(COUNTERS_BYTES + CAPACITY_BYTES);
}

/** One side's view of a ring. */
export class RecordRing {
  private readonly counters: Int32Array;
  private readonly ring: Uint8Array;

  constructor(buffer: SharedArrayBuffer) {
    this.counters = new Int32Array(buffer, 0, COUNTERS);
    this.ring = new Uint8Array(buffer, COUNTERS_BYTES, CAPACITY_BYTES);
  }

  /** Whether a record of so many bytes has room when the ring is empty. */
  static holds(length: number): boolean {
    return recordBytes(length) <= CAPACITY_BYTES;
  }

  private count(which: number): number {
    return Atomics.load(this.counters, which);
  }

  /** Puts one record that consists of these parts; false: there is no room at present. */
  put(...parts: readonly Uint8Array[]): boolean {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const put = this.count(PUT);
    const used = (put - this.count(TAKEN)) >>> 0;
    if (recordBytes(length) > CAPACITY_BYTES - used) return false;
    let at = put;
    for (const part of [new Uint8Array(Uint32Array.of(length).buffer), ...parts]) {
      this.write(at, part);
      at += part.length;
    }
    Atomics.store(this.counters, PUT, (put + recordBytes(length)) | 0);
    return true;
  }

  /** The oldest record; undefined: there is none. */
  take(): Uint8Array<ArrayBuffer> | undefined {
    const taken = this.count(TAKEN);
    if (taken === this.count(PUT)) return undefined;
    const [length = 0] = new Uint32Array(this.read(taken, LENGTH_BYTES).buffer);
    const record = this.read(taken + LENGTH_BYTES, length);
    Atomics.store(this.counters, TAKEN, (taken + recordBytes(length)) | 0);
    return record;
  }

  /** Has the other side look. */
  call(): void {
    Atomics.add(this.counters, CALLS, 1);
    Atomics.notify(this.counters, CALLS);
  }

  /** What `called` is to be asked with: to be read before the ring is found empty. */
  get calls(): number {
    return this.count(CALLS);
  }

  /** Waits, by `changed` of wait-for-change.ts, for a call since. */
  called(since: number, changed: (words: Int32Array, index: number, value: number) => Promise<void>): Promise<void> {
    return changed(this.counters, CALLS, since);
  }

  /** In two pieces where the ring's end comes between. */
  private write(position: number, bytes: Uint8Array): void {
    const at = position & (CAPACITY_BYTES - 1);
    const first = Math.min(bytes.length, CAPACITY_BYTES - at);
    this.ring.set(bytes.subarray(0, first), at);
    this.ring.set(bytes.subarray(first), 0);
  }

  private read(position: number, length: number): Uint8Array<ArrayBuffer> {
    const at = position & (CAPACITY_BYTES - 1);
    const bytes = new Uint8Array(length);
    const first = Math.min(length, CAPACITY_BYTES - at);
    bytes.set(this.ring.subarray(at, at + first));
    bytes.set(this.ring.subarray(0, length - first), first);
    return bytes;
  }
}
