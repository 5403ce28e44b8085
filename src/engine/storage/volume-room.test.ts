/** A store without room: what writers see, by the setting, and that nothing is damaged. */
import { describe, expect, it } from 'vitest';
import { CHUNK_BYTES, StorageError, type ChunkBatch } from './chunk-store.ts';
import { SECTOR_BYTES } from './disk-image.ts';
import { MemoryChunkStore } from './memory-chunk-store.ts';
import { VolumePool } from './volume-pool.ts';

/** Takes so many chunks and no more, as a browser's quota does. */
class LimitedStore extends MemoryChunkStore {
  constructor(public limit: number) {
    super();
  }

  override async commit(batch: ChunkBatch): Promise<void> {
    const held = new Set(await this.chunkNumbers());
    for (const number of batch.removedChunks ?? []) held.delete(number);
    for (const [number] of batch.chunks ?? []) held.add(number);
    if ((batch.chunks?.length ?? 0) > 0 && held.size > this.limit) throw new StorageError('ENOSPC', 'no more room for this site');
    await super.commit(batch);
  }
}

const chunk = (value: number): Uint8Array => new Uint8Array(CHUNK_BYTES).fill(value);
const sectorOf = (index: number): number => (index * CHUNK_BYTES) / SECTOR_BYTES;
const turns = async (): Promise<void> => {
  for (let n = 0; n < 50; n += 1) await Promise.resolve();
};

describe('without room', () => {
  it('writers that shall see errors do, and what was durable stays', async () => {
    const store = new LimitedStore(3);
    const pool = await VolumePool.open(store);
    const volume = await pool.create('v', 16 * CHUNK_BYTES);
    for (let n = 0; n < 3; n += 1) await volume.write(sectorOf(n), chunk(n + 1));
    await volume.flush();
    await volume.write(sectorOf(0), chunk(9));
    await volume.write(sectorOf(5), chunk(9));
    await expect(volume.flush()).rejects.toMatchObject({ code: 'ENOSPC' });
    const after = (await VolumePool.open(store)).volume('v');
    const bytes = new Uint8Array(CHUNK_BYTES);
    for (let n = 0; n < 3; n += 1) {
      await after?.read(sectorOf(n), bytes);
      expect(bytes.every((byte) => byte === n + 1)).toBe(true);
    }
  });

  it('writers that shall wait do, until another volume is removed', async () => {
    const log: string[] = [];
    const store = new LimitedStore(4);
    const pool = await VolumePool.open(store, { dirtyLimitBytes: 4 * CHUNK_BYTES, log: (line) => log.push(line) });
    pool.whenFull = 'pause';
    const other = await pool.create('other', 3 * CHUNK_BYTES);
    await other.write(0, new Uint8Array(3 * CHUNK_BYTES).fill(1));
    await other.flush();
    const volume = await pool.create('v', 16 * CHUNK_BYTES);
    let written = 0;
    const writer = (async () => {
      for (let n = 0; n < 6; n += 1) {
        await volume.write(sectorOf(n % 3), chunk(n + 1));
        await volume.flush();
        written += 1;
      }
    })();
    await turns();
    expect(pool.isPaused).toBe(true);
    const before = written;
    expect(before).toBeLessThan(6);
    pool.retry();
    await turns();
    expect([written, pool.isPaused]).toEqual([before, true]);
    await pool.remove(other);
    await writer;
    expect(pool.isPaused).toBe(false);
    expect(log.length).toBeGreaterThan(0);
    const again = (await VolumePool.open(store)).volume('v');
    const bytes = new Uint8Array(CHUNK_BYTES);
    await again?.read(sectorOf(2), bytes);
    expect(bytes.every((byte) => byte === 6)).toBe(true);
  });

  it('closing does not wait for ever', async () => {
    const store = new LimitedStore(1);
    const pool = await VolumePool.open(store);
    pool.whenFull = 'pause';
    const volume = await pool.create('v', 4 * CHUNK_BYTES);
    await volume.write(0, new Uint8Array(2 * CHUNK_BYTES).fill(1));
    const flush = volume.flush();
    await turns();
    expect(pool.isPaused).toBe(true);
    await expect(pool.close()).rejects.toMatchObject({ code: 'ENOSPC' });
    await expect(flush).rejects.toMatchObject({ code: 'ENOSPC' });
  });
});
