/**
 * Chunks in IndexedDB: a store for chunks under their numbers and one for records under their names. A batch is one transaction
 * with strict durability, so it is whole or absent, and on disk when the browser says complete.
 *
 * The tab that opened the database last owns it: each opening leaves its mark, and a batch of anybody else is aborted. So a tab
 * whose machine was taken over while the browser had it frozen can do no harm when it wakes.
 * @see Indexed Database API 3.0, "transaction durability hint"
 */
import { CHUNK_BYTES, StorageError, type ChunkBatch, type ChunkStore } from '../../engine/storage/chunk-store.ts';

const CHUNKS = 'chunks';
const RECORDS = 'records';
const VERSION = 1;
/** Key of the owner's mark: a number, as no record has. */
const OWNER = 0;

/** Resolves with the request's result. */
function settled<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => {
      resolve(request.result);
    };
    request.onerror = () => {
      reject(storageError(request.error));
    };
  });
}

function storageError(cause: unknown): StorageError {
  const name = cause instanceof DOMException ? cause.name : '';
  if (name === 'QuotaExceededError') {
    return new StorageError('ENOSPC', 'the browser has no more room for this site; remove volumes or allow it more storage', {
      cause,
    });
  }
  const text = cause instanceof Error ? cause.message : String(cause);
  return new StorageError('EIO', `the browser's database failed: ${text}`, { cause });
}

/** What the database gives back for a chunk: bytes of its own. */
function chunkOf(value: unknown): Uint8Array<ArrayBuffer> | undefined {
  return value instanceof ArrayBuffer && value.byteLength === CHUNK_BYTES ? new Uint8Array(value) : undefined;
}

/**
 * Gives memory back now and not with the next collection of garbage: the next value then comes into the same memory, while to touch new
 * memory costs more than all else there is to reading a value.
 */
function free(buffer: ArrayBuffer): void {
  (buffer as { transfer?: (length: number) => ArrayBuffer }).transfer?.(0);
}

export interface IndexedDbOptions {
  /** The browser's, or a stand-in for tests. */
  readonly factory?: IDBFactory;
  /** Told when the browser closes the database by itself, or another tab wants to delete it. */
  readonly onLost?: (reason: string) => void;
}

export class IndexedDbChunkStore implements ChunkStore {
  private lost: string | undefined;
  private readonly mark = crypto.randomUUID();
  private readonly scratch = new Uint8Array(CHUNK_BYTES);

  private constructor(
    private readonly database: IDBDatabase,
    private readonly options: IndexedDbOptions,
  ) {
    database.onclose = () => {
      this.lose('the browser closed the database');
    };
    database.onversionchange = () => {
      database.close();
      this.lose('another tab replaces or deletes the database');
    };
  }

  /** Opens or makes the database of that name. EIO when the browser refuses, as in some private windows. */
  static async open(name: string, options: IndexedDbOptions = {}): Promise<IndexedDbChunkStore> {
    const request = (options.factory ?? indexedDB).open(name, VERSION);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(CHUNKS);
      request.result.createObjectStore(RECORDS);
    };
    const store = new IndexedDbChunkStore(await settled(request), options);
    await settled(store.transaction([RECORDS], 'readwrite').objectStore(RECORDS).put(store.mark, OWNER));
    return store;
  }

  /** Removes the database of that name; what has it open loses it. */
  static async remove(name: string, factory: IDBFactory = indexedDB): Promise<void> {
    await settled(factory.deleteDatabase(name));
  }

  async readChunks(numbers: readonly number[], buffers: readonly Uint8Array[] = []): Promise<(Uint8Array | undefined)[]> {
    const chunks = this.transaction([CHUNKS], 'readonly').objectStore(CHUNKS);
    return Promise.all(
      numbers.map(async (number, n) => {
        const bytes = chunkOf(await settled<unknown>(chunks.get(number)));
        const buffer = buffers[n];
        if (bytes === undefined || buffer === undefined) return bytes;
        buffer.set(bytes);
        free(bytes.buffer);
        return buffer;
      }),
    );
  }

  async chunkNumbers(): Promise<readonly number[]> {
    const keys = await settled(this.transaction([CHUNKS], 'readonly').objectStore(CHUNKS).getAllKeys());
    return keys.filter((key) => typeof key === 'number');
  }

  async records(): Promise<ReadonlyMap<string, Uint8Array>> {
    const records = this.transaction([RECORDS], 'readonly').objectStore(RECORDS);
    const [keys, values] = await Promise.all([settled(records.getAllKeys()), settled<unknown[]>(records.getAll())]);
    const found = new Map<string, Uint8Array>();
    keys.forEach((key, n) => {
      const value = values[n];
      if (typeof key === 'string' && value instanceof ArrayBuffer) found.set(key, new Uint8Array(value));
    });
    return found;
  }

  commit({ chunks = [], removedChunks = [], records = [], removedRecords = [] }: ChunkBatch): Promise<void> {
    return new Promise((resolve, reject) => {
      const transaction = this.transaction([CHUNKS, RECORDS], 'readwrite');
      transaction.oncomplete = () => {
        resolve();
      };
      transaction.onabort = () => {
        if (!owned) this.lose('the machine was taken over by another tab');
        reject(storageError(owned ? (transaction.error ?? 'a transaction was aborted') : this.lost));
      };
      let owned = true;
      const owner = transaction.objectStore(RECORDS).get(OWNER);
      owner.onsuccess = () => {
        owned = owner.result === this.mark;
        if (!owned) transaction.abort();
      };
      const chunkStore = transaction.objectStore(CHUNKS);
      const recordStore = transaction.objectStore(RECORDS);
      // Values are cloned by put, before it returns, and may not be shared memory.
      for (const [number, bytes] of chunks) {
        this.scratch.set(bytes);
        chunkStore.put(this.scratch.buffer, number);
      }
      for (const number of removedChunks) chunkStore.delete(number);
      for (const [key, bytes] of records) recordStore.put(whole(bytes), key);
      for (const key of removedRecords) recordStore.delete(key);
    });
  }

  close(): Promise<void> {
    this.database.close();
    this.lost ??= 'the database was closed';
    return Promise.resolve();
  }

  private transaction(stores: string[], mode: 'readonly' | 'readwrite'): IDBTransaction {
    if (this.lost !== undefined) throw new StorageError('EIO', `${this.lost}; reload the page`);
    try {
      return this.database.transaction(stores, mode, { durability: 'strict' });
    } catch (error) {
      throw storageError(error);
    }
  }

  private lose(reason: string): void {
    this.lost = reason;
    this.options.onLost?.(reason);
  }
}

/** The bytes as a buffer without anything else in it, and not shared. */
function whole(bytes: Uint8Array): ArrayBuffer {
  const { buffer } = bytes;
  return buffer instanceof ArrayBuffer && bytes.length === buffer.byteLength ? buffer : bytes.slice().buffer;
}
