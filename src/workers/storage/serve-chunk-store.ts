/** The thread that has the machine's store: opens it when told to and carries out what RemoteChunkStore asks for, side by side. */
import { StorageError, type ChunkStore } from '../../engine/storage/chunk-store.ts';
import type { ReadChunk, StoreAnswer, StoreCall, StoreEndpoint, StoreKind, StoreRequest } from './store-messages.ts';

interface Outcome {
  readonly value?: unknown;
  /** Buffers that go over with the value. */
  readonly moved?: readonly ArrayBuffer[];
}

export function serveChunkStore(endpoint: StoreEndpoint, open: (kind: StoreKind, name: string) => Promise<ChunkStore>): void {
  let store: ChunkStore | undefined;

  const carryOut = async (call: StoreCall): Promise<Outcome> => {
    if (call.method === 'open') {
      store = await open(call.kind, call.name);
      return {};
    }
    if (store === undefined) throw new StorageError('EIO', 'the storage is not open');
    switch (call.method) {
      case 'readChunks': {
        const { numbers, buffers } = call;
        const chunks = await store.readChunks(numbers, buffers);
        const value = chunks.map((bytes, n) => placed(bytes, buffers[n]));
        return { value, moved: value.flatMap(ownBuffer) };
      }
      case 'chunkNumbers':
        return { value: await store.chunkNumbers() };
      case 'records':
        return { value: await store.records() };
      case 'commit':
        await store.commit(call.batch);
        return {};
      case 'close':
        await store.close();
        return {};
    }
  };

  const serve = async ({ id, call }: StoreRequest): Promise<void> => {
    try {
      const { value, moved = [] } = await carryOut(call);
      endpoint.postMessage({ id, value } satisfies StoreAnswer, moved);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const failure = error instanceof StorageError ? { code: error.code, message } : { message };
      endpoint.postMessage({ id, failure } satisfies StoreAnswer, []);
    }
  };

  endpoint.onMessage((message) => void serve(message as StoreRequest));
}

const ownBuffer = (chunk: ReadChunk): ArrayBuffer[] =>
  chunk instanceof Uint8Array && chunk.buffer instanceof ArrayBuffer ? [chunk.buffer] : [];

/** Where the chunk is now: in the buffer given for it when there is one, else in one that holds nothing else. */
function placed(bytes: Uint8Array | undefined, buffer: Uint8Array | undefined): ReadChunk {
  if (bytes === undefined) return undefined;
  if (buffer === undefined) return bytes.buffer.byteLength === bytes.length ? bytes : bytes.slice();
  if (bytes !== buffer) buffer.set(bytes);
  return 'in its buffer';
}
