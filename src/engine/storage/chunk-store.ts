/**
 * Where volumes rest: numbered chunks of a fixed size and small named records (the maps of the volumes), behind one interface
 * that IndexedDB, the origin's private files and plain memory implement.
 *
 * What volumes rely on, and every store promises:
 *   1. A commit is all or nothing, also when the tab dies in the middle of it.
 *   2. When commit has resolved, the batch is durable, and so is every batch whose commit resolved before. One that need not be
 *      durable yet is there for readers, and is made durable with the next that must be.
 *   3. A commit that rejects has changed nothing, unless the store is lost altogether.
 * A chunk is never written twice under one number, so a number that a durable record names always means the same bytes.
 */

export const CHUNK_BYTES = 256 * 1024;

export interface ChunkBatch {
  /** Each of CHUNK_BYTES. The store has copied or written them when commit resolves; the caller leaves them alone until then. */
  readonly chunks?: readonly (readonly [number: number, bytes: Uint8Array])[];
  /** Numbers that need not exist. */
  readonly removedChunks?: readonly number[];
  readonly records?: readonly (readonly [key: string, bytes: Uint8Array])[];
  readonly removedRecords?: readonly string[];
  /** False: a crash before the next durable batch may lose it, which spares some stores a wait for the disk. For chunks alone. */
  readonly durable?: boolean;
}

export interface ChunkStore {
  /**
   * The chunks in the order asked for, each the caller's own; undefined for a number that was never committed.
   * @param buffers of CHUNK_BYTES, one for each: a store may put the chunk there and give that back, or leave it alone. After a
   *   rejection they may still be written to.
   */
  readChunks(numbers: readonly number[], buffers?: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]>;
  chunkNumbers(): Promise<readonly number[]>;
  records(): Promise<ReadonlyMap<string, Uint8Array>>;
  commit(batch: ChunkBatch): Promise<void>;
  close(): Promise<void>;
}

export type StorageErrorCode = 'EIO' | 'ENOSPC' | 'EEXIST' | 'ENOENT' | 'EINVAL' | 'EROFS' | 'EBUSY';

/** The message is a sentence for the user. */
export class StorageError extends Error {
  constructor(
    readonly code: StorageErrorCode,
    message: string,
    options?: { cause: unknown },
  ) {
    super(message, options);
    this.name = 'StorageError';
  }
}
