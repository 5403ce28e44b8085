/** A store that fails on demand: dies after some commits, refuses commits, damages or loses chunks. */
import { StorageError, type ChunkBatch, type ChunkStore } from '../chunk-store.ts';

export class FaultyChunkStore implements ChunkStore {
  /** Commits that still succeed before the store dies for good; Infinity = it lives. */
  commitsLeft = Infinity;
  /** Whether the commit in which it dies takes effect all the same: the answer is lost either way. */
  lastCommitLands = false;
  /** While set, commits are refused with it and change nothing. */
  refusal: StorageError | undefined;
  readonly commits: ChunkBatch[] = [];
  reads = 0;
  /** Applied to every chunk read. */
  onRead: (number: number, bytes: Uint8Array | undefined) => Uint8Array | undefined = (_number, bytes) => bytes;
  private dead = false;

  constructor(readonly inner: ChunkStore) {}

  async readChunks(numbers: readonly number[]): Promise<(Uint8Array | undefined)[]> {
    this.requireAlive();
    this.reads += 1;
    const chunks = await this.inner.readChunks(numbers);
    return chunks.map((bytes, n) => this.onRead(numbers[n]!, bytes));
  }

  async chunkNumbers(): Promise<readonly number[]> {
    this.requireAlive();
    return this.inner.chunkNumbers();
  }

  async records(): Promise<ReadonlyMap<string, Uint8Array>> {
    this.requireAlive();
    return this.inner.records();
  }

  async commit(batch: ChunkBatch): Promise<void> {
    this.requireAlive();
    // Others run while a real store is at work.
    await Promise.resolve();
    if (this.refusal !== undefined) throw this.refusal;
    if (this.commitsLeft === 0) {
      this.dead = true;
      if (this.lastCommitLands) await this.inner.commit(batch);
      this.requireAlive();
    }
    this.commitsLeft -= 1;
    this.commits.push(batch);
    await this.inner.commit(batch);
  }

  async close(): Promise<void> {
    await this.inner.close();
  }

  private requireAlive(): void {
    if (this.dead) throw new StorageError('EIO', 'the store has died');
  }
}
