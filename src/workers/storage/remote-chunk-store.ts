/**
 * A ChunkStore that lives on another thread. What stores keep a thread busy with, or blocked on (cloning values, waiting for the
 * disk), is not domain 0's time then, and guests are served meanwhile.
 * A commit's chunks are copied into buffers that go over and come back.
 */
import { StorageError, type ChunkBatch, type ChunkStore } from '../../engine/storage/chunk-store.ts';
import type { StoreAnswer, StoreCall, StoreEndpoint, StoreKind, StoreRequest } from './store-messages.ts';

export interface StoreThread {
  readonly endpoint: StoreEndpoint;
  /** Ends the thread. */
  end(): void;
  /** Calls when the thread has ended by itself. */
  onFail(listener: (reason: string) => void): void;
}

/** Buffers of chunks kept for the next commit: two batches. */
const SPARE_BUFFERS = 32;

export class RemoteChunkStore implements ChunkStore {
  private readonly waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  private readonly spare: ArrayBuffer[] = [];
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

  async readChunks(numbers: readonly number[]): Promise<(Uint8Array | undefined)[]> {
    const buffers = (await this.call({ method: 'readChunks', numbers })) as (ArrayBuffer | undefined)[];
    return buffers.map((buffer) => buffer && new Uint8Array(buffer));
  }

  async chunkNumbers(): Promise<readonly number[]> {
    return (await this.call({ method: 'chunkNumbers' })) as readonly number[];
  }

  async records(): Promise<ReadonlyMap<string, Uint8Array>> {
    return (await this.call({ method: 'records' })) as ReadonlyMap<string, Uint8Array>;
  }

  async commit({ chunks = [], removedChunks = [], records = [], removedRecords = [] }: ChunkBatch): Promise<void> {
    const moved = chunks.map(([number, bytes]) => [number, this.copyOf(bytes)] as const);
    // Views of something bigger would take all of it along.
    const whole = records.map(([key, bytes]) => [key, bytes.slice()] as const);
    await this.call(
      { method: 'commit', batch: { chunks: moved, removedChunks, records: whole, removedRecords } },
      moved.map(([, buffer]) => buffer),
    );
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

  private copyOf(bytes: Uint8Array): ArrayBuffer {
    const fits = this.spare.at(-1)?.byteLength === bytes.length;
    const buffer = (fits ? this.spare.pop() : undefined) ?? new ArrayBuffer(bytes.length);
    new Uint8Array(buffer).set(bytes);
    return buffer;
  }

  private call(call: StoreCall, transfer: readonly ArrayBuffer[] = []): Promise<unknown> {
    if (this.dead !== undefined) return Promise.reject(this.dead);
    const id = this.nextId;
    this.nextId += 1;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      const request: StoreRequest = { id, call };
      this.thread.endpoint.postMessage(request, transfer);
    });
  }

  private answered({ id, value, returned = [], failure }: StoreAnswer): void {
    this.spare.push(...returned.slice(0, SPARE_BUFFERS - this.spare.length));
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    if (failure === undefined) waiting?.resolve(value);
    else waiting?.reject(failure.code === undefined ? new Error(failure.message) : new StorageError(failure.code, failure.message));
  }
}
