/** The thread that has the machine's store: opens it when told to and carries out what RemoteChunkStore asks for, side by side. */
import { StorageError, type ChunkStore } from '../../engine/storage/chunk-store.ts';
import type { StoreAnswer, StoreCall, StoreEndpoint, StoreKind, StoreRequest } from './store-messages.ts';

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
        const chunks = await store.readChunks(call.numbers);
        const buffers = chunks.map((bytes) => bytes && ownBuffer(bytes));
        return { value: buffers, moved: buffers.filter((buffer) => buffer !== undefined) };
      }
      case 'chunkNumbers':
        return { value: await store.chunkNumbers() };
      case 'records':
        return { value: await store.records() };
      case 'commit': {
        const { batch } = call;
        await store.commit({ ...batch, chunks: batch.chunks.map(([number, buffer]) => [number, new Uint8Array(buffer)]) });
        return {};
      }
      case 'close':
        await store.close();
        return {};
    }
  };

  const serve = async ({ id, call }: StoreRequest): Promise<void> => {
    const returned = call.method === 'commit' ? call.batch.chunks.map(([, buffer]) => buffer) : [];
    let answer: StoreAnswer;
    let moved: readonly ArrayBuffer[] = [];
    try {
      const outcome = await carryOut(call);
      moved = outcome.moved ?? [];
      answer = { id, value: outcome.value, returned };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      answer = { id, returned, failure: error instanceof StorageError ? { code: error.code, message } : { message } };
    }
    endpoint.postMessage(answer, [...moved, ...returned]);
  };

  endpoint.onMessage((message) => void serve(message as StoreRequest));
}

/** The bytes as a buffer that holds nothing else. */
function ownBuffer(bytes: Uint8Array): ArrayBuffer {
  const { buffer } = bytes;
  return buffer instanceof ArrayBuffer && buffer.byteLength === bytes.length ? buffer : bytes.slice().buffer;
}
