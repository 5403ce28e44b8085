/**
 * Chunks read or written lately, by number. A chunk never changes under its number, so entries need no invalidation, are
 * shared by all volumes, and must not be written to.
 */
import { CHUNK_BYTES } from './chunk-store.ts';

export class ChunkCache {
  /** In order of use, the oldest first. */
  private readonly chunks = new Map<number, Uint8Array>();
  private readonly limit: number;

  constructor(limitBytes: number) {
    this.limit = Math.max(1, Math.floor(limitBytes / CHUNK_BYTES));
  }

  get(number: number): Uint8Array | undefined {
    const bytes = this.chunks.get(number);
    if (bytes === undefined) return undefined;
    this.chunks.delete(number);
    this.chunks.set(number, bytes);
    return bytes;
  }

  put(number: number, bytes: Uint8Array): void {
    this.chunks.delete(number);
    this.chunks.set(number, bytes);
    if (this.chunks.size <= this.limit) return;
    const [oldest] = this.chunks.keys();
    if (oldest !== undefined) this.chunks.delete(oldest);
  }

  remove(number: number): void {
    this.chunks.delete(number);
  }
}
