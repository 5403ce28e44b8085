import { describe, expect, it } from 'vitest';
import { CHUNK_BYTES, type ChunkStore } from './chunk-store.ts';
import { SECTOR_BYTES } from './disk-image.ts';
import { PAGE_SPAN_BYTES } from './map-page.ts';
import { MemoryChunkStore } from './memory-chunk-store.ts';
import { AHEAD_CHUNKS_MAX, PIECE_CHUNKS, ReadAhead } from './read-ahead.ts';
import { VolumePool } from './volume-pool.ts';
import type { Volume } from './volume.ts';

const CHUNK_SECTORS = CHUNK_BYTES / SECTOR_BYTES;

describe('ReadAhead', () => {
  it('asks for a piece when a reader goes on, then for more the further it has come, and never for more than the bound', () => {
    const ahead = new ReadAhead();
    expect(ahead.read(100, 100)).toEqual([]);
    expect(ahead.read(100, 100)).toEqual([]);
    let asked = 101;
    let most = 0;
    for (let chunk = 101; chunk < 400; chunk += 1) {
      for (const piece of ahead.read(chunk, chunk)) {
        expect(piece).toBe(asked);
        asked += PIECE_CHUNKS;
      }
      expect(asked).toBeGreaterThan(chunk);
      most = Math.max(most, asked - chunk - 1);
      expect(most).toBeLessThanOrEqual(chunk < 104 ? PIECE_CHUNKS : AHEAD_CHUNKS_MAX);
    }
    expect(most).toBe(AHEAD_CHUNKS_MAX);
  });

  it('asks for nothing for a reader that goes here and there', () => {
    const ahead = new ReadAhead();
    for (const chunk of [500, 7, 300, 302, 100, 99, 1000]) expect(ahead.read(chunk, chunk)).toEqual([]);
  });

  it('goes on where reads that are under way together are served in another order', () => {
    const ahead = new ReadAhead();
    const pieces: number[] = [];
    for (let chunk = 0; chunk < 256; chunk += 4) {
      pieces.push(...ahead.read(chunk, chunk + 3));
      // Eight are under way: one that came before is read again when it has been fetched.
      const earlier = Math.max(0, chunk - 4 * ((chunk * 5) % 8));
      expect(ahead.read(earlier, earlier + 3)).toEqual([]);
    }
    expect(pieces).toEqual(Array.from(pieces, (_, n) => n * PIECE_CHUNKS));
    expect(pieces.length * PIECE_CHUNKS).toBeGreaterThanOrEqual(256 + AHEAD_CHUNKS_MAX - PIECE_CHUNKS);
  });
});

/** Says what is asked for, and answers when it is told to. */
class HeldStore extends MemoryChunkStore {
  readonly asked: (readonly number[])[] = [];
  private held: (() => void)[] = [];

  override async readChunks(numbers: readonly number[]): Promise<(Uint8Array | undefined)[]> {
    this.asked.push(numbers);
    await new Promise<void>((resolve) => this.held.push(resolve));
    return super.readChunks(numbers);
  }

  get underWay(): number {
    return this.held.length;
  }

  answerOldest(): void {
    this.held.shift()?.();
  }
}

/** The volume of a pool that has none of it in memory. */
async function stored(store: ChunkStore, chunks: number): Promise<Volume> {
  const volume = await (await VolumePool.open(store)).create('v', chunks * CHUNK_BYTES);
  for (let chunk = 0; chunk < chunks; chunk += 1)
    await volume.write(chunk * CHUNK_SECTORS, new Uint8Array(CHUNK_BYTES).fill(chunk + 1));
  await volume.flush();
  const again = (await VolumePool.open(store)).volume('v');
  if (again === undefined) throw new Error('the volume is gone');
  return again;
}

describe('a reader in order with reads under way together', () => {
  it.each([
    { depth: 8, bytes: 4 * CHUNK_BYTES },
    { depth: 32, bytes: CHUNK_BYTES / 4 },
    { depth: 1, bytes: 4 * CHUNK_BYTES },
  ])('has each chunk fetched once, in whole pieces, several of them at once: $depth of $bytes bytes', async ({ bytes, depth }) => {
    const chunks = 200;
    const store = new HeldStore();
    const volume = await stored(store, chunks);
    const reads = (chunks * CHUNK_BYTES) / bytes;
    let next = 0;
    let most = 0;
    const reader = async (): Promise<void> => {
      while (next < reads) {
        const at = next * bytes;
        next += 1;
        const piece = new Uint8Array(bytes);
        while (!volume.readNow(at / SECTOR_BYTES, [piece])) await volume.ready(at / SECTOR_BYTES, bytes, false);
        for (let n = 0; n < bytes; n += CHUNK_BYTES / 8) expect(piece[n]).toBe(Math.floor((at + n) / CHUNK_BYTES) + 1);
      }
    };
    let reading = true;
    const readers = Promise.all(Array.from({ length: depth }, reader)).finally(() => (reading = false));
    while (reading) {
      most = Math.max(most, store.underWay);
      store.answerOldest();
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    await readers;
    const all = store.asked.flat();
    expect(new Set(all).size).toBe(all.length);
    expect(all).toHaveLength(chunks);
    // Those of the first reads, and what is left at the end, are smaller.
    expect(store.asked.filter((numbers) => numbers.length < PIECE_CHUNKS).length).toBeLessThanOrEqual(4);
    expect(most).toBeGreaterThanOrEqual(2);
    expect(most).toBeLessThanOrEqual(2 + AHEAD_CHUNKS_MAX / PIECE_CHUNKS);
  });
});

describe('a reader in order that comes near a damaged stretch of the map', () => {
  it('is not disturbed by it', async () => {
    const store = new MemoryChunkStore();
    const pool = await VolumePool.open(store);
    const volume = await pool.create('v', 2 * PAGE_SPAN_BYTES);
    const lastOfPage = PAGE_SPAN_BYTES / CHUNK_BYTES - 1;
    await volume.write(0, new Uint8Array(SECTOR_BYTES).fill(1));
    await volume.write((lastOfPage + 1) * CHUNK_SECTORS, new Uint8Array(SECTOR_BYTES).fill(1));
    await volume.flush();
    const pages = [...(await store.records())].filter(([key]) => key.startsWith('map:'));
    await store.commit({ records: pages.slice(1).map(([key, bytes]) => [key, bytes.map((byte) => byte ^ 1)]) });
    const again = (await VolumePool.open(store)).volume('v');
    const piece = new Uint8Array(SECTOR_BYTES);
    for (let chunk = lastOfPage - 3; chunk <= lastOfPage; chunk += 1)
      expect(again?.readNow(chunk * CHUNK_SECTORS, [piece])).toBe(true);
    expect(() => again?.readNow((lastOfPage + 1) * CHUNK_SECTORS, [piece])).toThrow('damaged');
  });
});
