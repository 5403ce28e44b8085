/** What the dom0 worker and the thread that has the machine's store say to each other. Chunks travel as buffers that change hands. */
import type { StorageErrorCode } from '../../engine/storage/chunk-store.ts';

export type StoreKind = 'indexeddb' | 'opfs';

export interface MovedBatch {
  readonly chunks: readonly (readonly [number: number, bytes: ArrayBuffer])[];
  readonly removedChunks: readonly number[];
  readonly records: readonly (readonly [key: string, bytes: Uint8Array])[];
  readonly removedRecords: readonly string[];
}

export type StoreCall =
  | { readonly method: 'open'; readonly kind: StoreKind; readonly name: string }
  | { readonly method: 'readChunks'; readonly numbers: readonly number[] }
  | { readonly method: 'chunkNumbers' | 'records' | 'close' }
  | { readonly method: 'commit'; readonly batch: MovedBatch };

export interface StoreRequest {
  readonly id: number;
  readonly call: StoreCall;
}

/** `returned`: the buffers of a commit's chunks, to be filled again. */
export interface StoreAnswer {
  readonly id: number;
  readonly value?: unknown;
  readonly returned?: readonly ArrayBuffer[];
  /** Without a code: no StorageError. */
  readonly failure?: { readonly code?: StorageErrorCode; readonly message: string };
}

/** One end of the way between the two; transferred buffers are the other's afterwards. */
export interface StoreEndpoint {
  postMessage(message: unknown, transfer: readonly ArrayBuffer[]): void;
  /** Called for every message from the other end. */
  onMessage(listener: (message: unknown) => void): void;
}
