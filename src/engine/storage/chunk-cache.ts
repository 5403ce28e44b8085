/**
 * Chunks read or written lately, by number. A chunk never changes under its number, so entries need no invalidation, are
 * shared by all volumes, and must not be written to. The buffer of a chunk that leaves the cache is used again: who looks one up
 * is done with it before anything else runs, or looks it up again. Buffers are shared memory, so that the thread that has the
 * store reads and writes them in place.
 */
import { CHUNK_BYTES } from './chunk-store.ts';

export class ChunkCache {
  /** In order of use, the oldest first. */
  private readonly chunks = new Map<number, Uint8Array>();
  private readonly limit: number;
  private readonly spare: Uint8Array[] = [];
  private latest = 0;

  /** @param spareChunks buffers kept for `buffer` */
  constructor(
    limitBytes: number,
    private readonly spareChunks = 0,
  ) {
    this.limit = Math.max(1, Math.floor(limitBytes / CHUNK_BYTES));
  }

  get(number: number): Uint8Array | undefined {
    const bytes = this.chunks.get(number);
    if (bytes === undefined || number === this.latest) return bytes;
    this.latest = number;
    this.chunks.delete(number);
    this.chunks.set(number, bytes);
    return bytes;
  }

  put(number: number, bytes: Uint8Array): void {
    this.latest = number;
    this.chunks.delete(number);
    this.chunks.set(number, bytes);
    if (this.chunks.size <= this.limit) return;
    const [oldest] = this.chunks.keys();
    if (oldest !== undefined) this.remove(oldest);
  }

  remove(number: number): void {
    const bytes = this.chunks.get(number);
    if (bytes === undefined) return;
    this.chunks.delete(number);
    this.release(bytes);
  }

  /** A buffer for a chunk, with anything in it: memory that is new costs more than a copy does. */
  buffer(): Uint8Array {
    return this.spare.pop() ?? new Uint8Array(new SharedArrayBuffer(CHUNK_BYTES));
  }

  /** The buffer of a chunk that nobody uses any more; one that did not come from here may be somebody's. */
  release(bytes: Uint8Array): void {
    if (bytes.buffer instanceof SharedArrayBuffer && this.spare.length < this.spareChunks) this.spare.push(bytes);
  }
}
