/** Chunks that go with the page: private browsing, and tests. */
import type { ChunkBatch, ChunkStore } from './chunk-store.ts';

export class MemoryChunkStore implements ChunkStore {
  private readonly chunks = new Map<number, Uint8Array>();
  private readonly named = new Map<string, Uint8Array>();

  readChunks(numbers: readonly number[], buffers: readonly Uint8Array[] = []): Promise<(Uint8Array | undefined)[]> {
    const read = (number: number, buffer: Uint8Array | undefined): Uint8Array | undefined => {
      const bytes = this.chunks.get(number);
      if (bytes !== undefined) buffer?.set(bytes);
      return bytes && (buffer ?? bytes.slice());
    };
    return Promise.resolve(numbers.map((number, n) => read(number, buffers[n])));
  }

  chunkNumbers(): Promise<readonly number[]> {
    return Promise.resolve([...this.chunks.keys()]);
  }

  records(): Promise<ReadonlyMap<string, Uint8Array>> {
    return Promise.resolve(new Map([...this.named].map(([key, bytes]) => [key, bytes.slice()])));
  }

  commit({ chunks = [], removedChunks = [], records = [], removedRecords = [] }: ChunkBatch): Promise<void> {
    for (const [number, bytes] of chunks) this.chunks.set(number, bytes.slice());
    for (const number of removedChunks) this.chunks.delete(number);
    for (const [key, bytes] of records) this.named.set(key, bytes.slice());
    for (const key of removedRecords) this.named.delete(key);
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
