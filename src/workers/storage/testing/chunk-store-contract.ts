/** What every ChunkStore promises, as tests. */
import { describe, expect, it } from 'vitest';
import { CHUNK_BYTES, type ChunkStore } from '../../../engine/storage/chunk-store.ts';

export interface StoreUnderTest {
  /** Opens the same store again each time; the one before has been closed. */
  readonly open: () => Promise<ChunkStore>;
}

const chunk = (value: number): Uint8Array => new Uint8Array(CHUNK_BYTES).fill(value);

/** What each chunk is filled with: comparing the bytes one by one would take seconds. */
function filling(bytes: Uint8Array | undefined): number | undefined | 'mixed' {
  if (bytes === undefined) return undefined;
  return bytes.length === CHUNK_BYTES && bytes.every((byte) => byte === bytes[0]) ? bytes[0] : 'mixed';
}

async function values(store: ChunkStore, numbers: readonly number[]): Promise<(number | undefined | 'mixed')[]> {
  return (await store.readChunks(numbers)).map(filling);
}

const sharedChunk = (value: number): Uint8Array => new Uint8Array(new SharedArrayBuffer(CHUNK_BYTES)).fill(value);

export function describeChunkStore(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`${name} as a ChunkStore`, () => {
    it('is empty at first', async () => {
      const store = await (await make()).open();
      expect(await store.chunkNumbers()).toEqual([]);
      expect((await store.records()).size).toBe(0);
      expect(await values(store, [1, 2])).toEqual([undefined, undefined]);
    });

    it('gives back what was committed, also after it was closed', async () => {
      const { open } = await make();
      const first = await open();
      const huge = 2 ** 40 + 1;
      await first.commit({
        chunks: [
          [5, chunk(1)],
          [huge, chunk(2)],
        ],
        records: [
          ['volume:a/b', new Uint8Array([1, 2, 3])],
          ['empty', new Uint8Array(0)],
        ],
      });
      for (const store of [first, 'again'] as const) {
        if (store === 'again') await first.close();
        const now = store === 'again' ? await open() : store;
        expect(await values(now, [huge, 6, 5])).toEqual([2, undefined, 1]);
        expect([...(await now.chunkNumbers())].sort((a, b) => a - b)).toEqual([5, huge]);
        expect(new Map([...(await now.records())].sort())).toEqual(
          new Map([
            ['empty', new Uint8Array(0)],
            ['volume:a/b', new Uint8Array([1, 2, 3])],
          ]),
        );
      }
    });

    it('takes chunks from shared memory, and may put them into buffers there', async () => {
      const store = await (await make()).open();
      await store.commit({
        chunks: [
          [1, sharedChunk(1)],
          [2, sharedChunk(2)],
        ],
      });
      const buffers = [7, 8, 9].map(sharedChunk);
      const chunks = await store.readChunks([2, 5, 1], buffers);
      expect(chunks.map(filling)).toEqual([2, undefined, 1]);
      // A buffer that was not given back is still the caller's.
      buffers.forEach((buffer, n) => {
        if (buffer !== chunks[n]) expect(filling(buffer)).toBe([7, 8, 9][n]);
      });
    });

    it('removes and replaces in the same batch', async () => {
      const { open } = await make();
      const store = await open();
      await store.commit({
        chunks: [
          [1, chunk(1)],
          [2, chunk(2)],
        ],
        records: [
          ['a', new Uint8Array([1])],
          ['b', new Uint8Array([2])],
        ],
      });
      await store.commit({
        chunks: [[3, chunk(3)]],
        removedChunks: [1, 77],
        records: [['a', new Uint8Array([9])]],
        removedRecords: ['b', 'c'],
      });
      await store.close();
      const again = await open();
      expect([...(await again.chunkNumbers())].sort((a, b) => a - b)).toEqual([2, 3]);
      expect(await again.records()).toEqual(new Map([['a', new Uint8Array([9])]]));
      expect(await values(again, [1, 2, 3])).toEqual([undefined, 2, 3]);
    });

    it('gives copies that the caller may change', async () => {
      const store = await (await make()).open();
      await store.commit({ chunks: [[1, chunk(1)]] });
      const [first] = await store.readChunks([1]);
      first!.fill(9);
      expect(await values(store, [1])).toEqual([1]);
    });

    it('takes views of bigger buffers, and commits side by side', async () => {
      const store = await (await make()).open();
      const big = new Uint8Array(3 * CHUNK_BYTES).map((_, n) => Math.floor(n / CHUNK_BYTES) + 1);
      const views = [0, 1, 2].map((n) => big.subarray(n * CHUNK_BYTES, (n + 1) * CHUNK_BYTES));
      await Promise.all(
        views.map((bytes, n) => store.commit({ chunks: [[n + 1, bytes]], records: [[`r${n}`, bytes.subarray(0, 5)]] })),
      );
      expect(await values(store, [1, 2, 3])).toEqual([1, 2, 3]);
      expect((await store.records()).get('r2')).toEqual(new Uint8Array(5).fill(3));
    });

    it('refuses everything after it was closed', async () => {
      const store = await (await make()).open();
      await store.close();
      await expect(store.commit({ chunks: [[1, chunk(1)]] })).rejects.toMatchObject({ code: 'EIO' });
      await expect(store.readChunks([1])).rejects.toMatchObject({ code: 'EIO' });
    });
  });
}
