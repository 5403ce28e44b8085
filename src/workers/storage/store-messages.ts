/**
 * What the dom0 worker and the thread that has the machine's store say to each other. Chunks that lie in shared memory are read and
 * written there; others travel as copies.
 */
import type { ChunkBatch, StorageErrorCode } from '../../engine/storage/chunk-store.ts';

export type StoreKind = 'indexeddb' | 'opfs';

export type StoreCall =
  | { readonly method: 'open'; readonly kind: StoreKind; readonly name: string }
  | { readonly method: 'readChunks'; readonly numbers: readonly number[]; readonly buffers: readonly Uint8Array[] }
  | { readonly method: 'chunkNumbers' | 'records' | 'close' }
  | { readonly method: 'commit'; readonly batch: ChunkBatch };

/** A chunk that was read: in the buffer given for it, or what comes over. */
export type ReadChunk = 'in its buffer' | Uint8Array | undefined;

export interface StoreRequest {
  readonly id: number;
  readonly call: StoreCall;
}

export interface StoreAnswer {
  readonly id: number;
  readonly value?: unknown;
  /** Without a code: no StorageError. */
  readonly failure?: { readonly code?: StorageErrorCode; readonly message: string };
}

/** One end of the way between the two; transferred buffers are the other's afterwards. */
export interface StoreEndpoint {
  postMessage(message: unknown, transfer: readonly ArrayBuffer[]): void;
  /** Called for every message from the other end. */
  onMessage(listener: (message: unknown) => void): void;
}
