/**
 * Compiled regions on their way to a vCPU, whose thread reads no messages: a ring in shared memory. One thread puts, the other takes.
 *
 * Two words count the bytes ever put and ever taken; each is written by one side alone, after the bytes it tells of. An entry is
 * three words (the job's number, bytes of data, bytes of module) and those bytes, filled up to a multiple of 4.
 */
import type { CompiledRegion } from '../../engine/jit/index.ts';

const PUT = 0;
const TAKEN = 1;
const COUNTERS_BYTES = 8;
const HEADER_BYTES = 12;
/** A power of two, since the counters wrap at 2^32; four of the largest regions have room. */
const CAPACITY_BYTES = 1 << 17;

const paddedBytes = (bytes: number): number => (bytes + 3) & ~3;
const entryBytes = ({ data, module }: CompiledRegion): number => HEADER_BYTES + paddedBytes(data.length + module.length);

export function createMailbox(): SharedArrayBuffer {
  return new SharedArrayBuffer(COUNTERS_BYTES + CAPACITY_BYTES);
}

/** One side's view of a mailbox. */
export class Mailbox {
  private readonly counters: Int32Array;
  private readonly ring: Uint8Array;

  constructor(buffer: SharedArrayBuffer) {
    this.counters = new Int32Array(buffer, 0, 2);
    this.ring = new Uint8Array(buffer, COUNTERS_BYTES, CAPACITY_BYTES);
  }

  /** Whether it has room for this when it is empty. */
  static holds(region: CompiledRegion): boolean {
    return entryBytes(region) <= CAPACITY_BYTES;
  }

  private count(which: number): number {
    return Atomics.load(this.counters, which);
  }

  /** False: there is no room at present. */
  put(region: CompiledRegion): boolean {
    const put = this.count(PUT);
    const used = (put - this.count(TAKEN)) >>> 0;
    if (entryBytes(region) > CAPACITY_BYTES - used) return false;
    const { number, data, module } = region;
    this.write(put, new Uint8Array(Uint32Array.of(number, data.length, module.length).buffer));
    this.write(put + HEADER_BYTES, data);
    this.write(put + HEADER_BYTES + data.length, module);
    Atomics.store(this.counters, PUT, (put + entryBytes(region)) | 0);
    return true;
  }

  /** The oldest; undefined: there is none. */
  take(): CompiledRegion | undefined {
    const taken = this.count(TAKEN);
    if (taken === this.count(PUT)) return undefined;
    const [number = 0, dataBytes = 0, moduleBytes = 0] = new Uint32Array(this.read(taken, HEADER_BYTES).buffer);
    const data = this.read(taken + HEADER_BYTES, dataBytes);
    const module = this.read(taken + HEADER_BYTES + dataBytes, moduleBytes);
    const region = { number, data, module };
    Atomics.store(this.counters, TAKEN, (taken + entryBytes(region)) | 0);
    return region;
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
