/**
 * A ChunkStore that lives on another thread. What stores keep a thread busy with, or blocked on (cloning values, waiting for the
 * disk), is not domain 0's time then, and guests are served meanwhile.
 * Chunks in shared memory are read and written in place, all else is copied over.
 */
import { StorageError, type ChunkBatch, type ChunkStore } from '../../engine/storage/chunk-store.ts';
import type { ReadChunk, StoreAnswer, StoreCall, StoreEndpoint, StoreKind, StoreRequest } from './store-messages.ts';

export interface StoreThread {
  readonly endpoint: StoreEndpoint;
  /** Ends the thread. */
  end(): void;
  /** Calls when the thread has ended by itself. */
  onFail(listener: (reason: string) => void): void;
}

export class RemoteChunkStore implements ChunkStore {
  private readonly waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  private nextId = 1;
  private dead: StorageError | undefined;

  private constructor(private readonly thread: StoreThread) {
    thread.endpoint.onMessage((message) => {
      this.answered(message as StoreAnswer);
    });
  }

  /**
   * Has the other thread open the store of that name; it is ended when that fails, and when the store is closed.
   * `onFail` is given what is to be called when the thread dies.
   */
  static async open(thread: StoreThread, kind: StoreKind, name: string): Promise<RemoteChunkStore> {
    const store = new RemoteChunkStore(thread);
    thread.onFail((reason) => {
      store.fail(`the storage failed: ${reason}`);
    });
    try {
      await store.call({ method: 'open', kind, name });
    } catch (error) {
      thread.end();
      throw error;
    }
    return store;
  }

  async readChunks(numbers: readonly number[], buffers: readonly Uint8Array[] = []): Promise<(Uint8Array | undefined)[]> {
    const shared = buffers.every(isShared) ? buffers : [];
    const chunks = (await this.call({ method: 'readChunks', numbers, buffers: shared })) as ReadChunk[];
    return chunks.map((chunk, n) => (chunk === 'in its buffer' ? buffers[n] : chunk));
  }

  async chunkNumbers(): Promise<readonly number[]> {
    return (await this.call({ method: 'chunkNumbers' })) as readonly number[];
  }

  async records(): Promise<ReadonlyMap<string, Uint8Array>> {
    return (await this.call({ method: 'records' })) as ReadonlyMap<string, Uint8Array>;
  }

  async commit({ chunks = [], removedChunks = [], records = [], removedRecords = [], durable = true }: ChunkBatch): Promise<void> {
    // Views of something bigger would take all of it along.
    const whole = (bytes: Uint8Array): Uint8Array => (bytes.length === bytes.buffer.byteLength ? bytes : bytes.slice());
    const batch: ChunkBatch = {
      chunks: chunks.map(([number, bytes]) => [number, isShared(bytes) ? bytes : whole(bytes)]),
      removedChunks,
      records: records.map(([key, bytes]) => [key, whole(bytes)]),
      removedRecords,
      durable,
    };
    await this.call({ method: 'commit', batch });
  }

  async close(): Promise<void> {
    if (this.dead !== undefined) return;
    await this.call({ method: 'close' });
    this.fail('the storage was closed');
    this.thread.end();
  }

  private fail(reason: string): void {
    this.dead ??= new StorageError('EIO', `${reason}; reload the page`);
    for (const { reject } of this.waiting.values()) reject(this.dead);
    this.waiting.clear();
  }

  private call(call: StoreCall): Promise<unknown> {
    if (this.dead !== undefined) return Promise.reject(this.dead);
    const id = this.nextId;
    this.nextId += 1;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      const request: StoreRequest = { id, call };
      this.thread.endpoint.postMessage(request, []);
    });
  }

  private answered({ id, value, failure }: StoreAnswer): void {
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    if (failure === undefined) waiting?.resolve(value);
    else waiting?.reject(failure.code === undefined ? new Error(failure.message) : new StorageError(failure.code, failure.message));
  }
}

const isShared = ({ buffer }: Uint8Array): boolean => buffer instanceof SharedArrayBuffer;
