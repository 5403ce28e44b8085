/** Commits of several volumes with records of others: what the parts that keep their contents in internal volumes rely on. */
import { describe, expect, it } from 'vitest';
import { CHUNK_BYTES } from './chunk-store.ts';
import { SECTOR_BYTES } from './disk-image.ts';
import { MemoryChunkStore } from './memory-chunk-store.ts';
import { PAGE_SPAN_BYTES } from './map-page.ts';
import { FaultyChunkStore } from './testing/faulty-chunk-store.ts';
import type { Volume } from './volume.ts';
import { VolumePool } from './volume-pool.ts';

const CHUNK_SECTORS = CHUNK_BYTES / SECTOR_BYTES;

const sector = (value: number): Uint8Array => new Uint8Array(SECTOR_BYTES).fill(value);

async function valueAt(volume: Volume | undefined, at: number): Promise<number | undefined> {
  const bytes = new Uint8Array(SECTOR_BYTES);
  await volume?.read(at, bytes);
  return volume && bytes[0];
}

const record = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('a commit of several volumes', () => {
  it('keeps contents, new volumes, removals and records together', async () => {
    const store = new MemoryChunkStore();
    const pool = await VolumePool.open(store);
    const old = await pool.create('.old', CHUNK_BYTES);
    await old.write(0, sector(1));
    await old.flush();
    const first = pool.createUnstored('.first', CHUNK_BYTES);
    const second = pool.createUnstored('.second', CHUNK_BYTES);
    await first.write(0, sector(2));
    await second.write(0, sector(3));
    expect((await VolumePool.open(store)).internalNames()).toEqual(['.old']);
    await pool.commit({
      flushed: [first, second, first],
      removed: [old],
      records: [['tree:1', record('a')]],
    });
    const again = await VolumePool.open(store);
    expect(again.internalNames()).toEqual(['.first', '.second']);
    expect(again.names()).toEqual([]);
    expect(await valueAt(again.volume('.first'), 0)).toBe(2);
    expect(await valueAt(again.volume('.second'), 0)).toBe(3);
    expect(again.takeRecords('tree:')).toEqual(new Map([['tree:1', record('a')]]));
    expect(again.takeRecords('tree:').size).toBe(0);
    expect(await store.chunkNumbers()).toHaveLength(2);
    await again.commit({ removedRecords: ['tree:1'] });
    expect((await VolumePool.open(store)).takeRecords('').size).toBe(0);
  });

  it('changes nothing when the store dies in it', async () => {
    const inner = new MemoryChunkStore();
    const store = new FaultyChunkStore(inner);
    const pool = await VolumePool.open(store);
    const volume = await pool.create('v', CHUNK_BYTES);
    await volume.write(0, sector(1));
    await pool.commit({ flushed: [volume], records: [['note', record('one')]] });
    await volume.write(0, sector(2));
    const fresh = pool.createUnstored('.fresh', CHUNK_BYTES);
    await fresh.write(0, sector(3));
    store.commitsLeft = 0;
    await expect(pool.commit({ flushed: [volume, fresh], records: [['note', record('two')]] })).rejects.toMatchObject({
      code: 'EIO',
    });
    const again = await VolumePool.open(inner);
    expect(again.takeRecords('note').get('note')).toEqual(record('one'));
    expect(await valueAt(again.volume('v'), 0)).toBe(1);
    expect(again.internalNames()).toEqual([]);
  });

  it('lets two volumes that share a page of the map go their own ways', async () => {
    const store = new MemoryChunkStore();
    const pool = await VolumePool.open(store);
    const origin = await pool.create('origin', 4 * CHUNK_BYTES);
    for (let n = 0; n < 4; n += 1) await origin.write(n * CHUNK_SECTORS, sector(10 + n));
    const copy = await pool.clone(origin, 'copy');
    await origin.write(0, sector(1));
    await copy.write(CHUNK_SECTORS, sector(2));
    await pool.commit({ flushed: [origin, copy] });
    for (const now of [pool, await VolumePool.open(store)]) {
      expect(await valueAt(now.volume('origin'), 0)).toBe(1);
      expect(await valueAt(now.volume('origin'), CHUNK_SECTORS)).toBe(11);
      expect(await valueAt(now.volume('copy'), 0)).toBe(10);
      expect(await valueAt(now.volume('copy'), CHUNK_SECTORS)).toBe(2);
      expect(now.use()).toMatchObject({ chunks: 6, sharedChunks: 2 });
    }
    await pool.commit({ removed: [origin, copy] });
    expect(await store.chunkNumbers()).toEqual([]);
    expect((await store.records()).size).toBe(0);
  });

  it('stores a growth with the next flush, also one that comes while a commit is under way', async () => {
    const store = new FaultyChunkStore(new MemoryChunkStore());
    const pool = await VolumePool.open(store);
    const volume = await pool.create('.f', CHUNK_BYTES);
    await volume.write(0, sector(1));
    const flush = volume.flush();
    pool.growUnstored(volume, 3 * PAGE_SPAN_BYTES);
    await volume.write((2 * PAGE_SPAN_BYTES) / SECTOR_BYTES, sector(2));
    await flush;
    pool.growUnstored(volume, 4 * PAGE_SPAN_BYTES);
    await volume.flush();
    const again = (await VolumePool.open(store)).volume('.f');
    expect(again?.sizeBytes).toBe(4 * PAGE_SPAN_BYTES);
    expect(await valueAt(again, 0)).toBe(1);
    expect(await valueAt(again, (2 * PAGE_SPAN_BYTES) / SECTOR_BYTES)).toBe(2);
    expect(() => pool.growUnstored(volume, CHUNK_BYTES)).toThrow('smaller');
    expect(() => pool.createUnstored('.f', CHUNK_BYTES)).toThrow('already');
  });
});

describe('a volume that grows while it is being stored', () => {
  it('is stored as it was when the commit began, then as it is', async () => {
    const inner = new MemoryChunkStore();
    const store = new FaultyChunkStore(inner);
    const pool = await VolumePool.open(store);
    const volume = pool.createUnstored('.file', 40 * CHUNK_BYTES);
    for (let chunk = 0; chunk < 40; chunk += 1) await volume.write(chunk * CHUNK_SECTORS, sector(chunk + 1));
    const flushed = volume.flush();
    while (store.commits.length < 1) await Promise.resolve();
    expect(store.commits[0]!.records ?? []).toEqual([]);
    // More pages of the map than it had.
    pool.growUnstored(volume, PAGE_SPAN_BYTES + CHUNK_BYTES);
    await volume.write(PAGE_SPAN_BYTES / SECTOR_BYTES, sector(99));
    await flushed;
    const before = (await VolumePool.open(inner)).volume('.file');
    expect(before?.sizeBytes).toBe(40 * CHUNK_BYTES);
    expect(await valueAt(before, 39 * CHUNK_SECTORS)).toBe(40);
    await volume.flush();
    const after = (await VolumePool.open(inner)).volume('.file');
    expect(after?.sizeBytes).toBe(PAGE_SPAN_BYTES + CHUNK_BYTES);
    expect(await valueAt(after, PAGE_SPAN_BYTES / SECTOR_BYTES)).toBe(99);
    expect(await valueAt(after, 39 * CHUNK_SECTORS)).toBe(40);
  });
});

describe('writing behind', () => {
  it('begins with a batch of chunks that were written in order, and does not with as many written here and there', async () => {
    const store = new FaultyChunkStore(new MemoryChunkStore());
    const pool = await VolumePool.open(store);
    const volume = await pool.create('v', 64 * CHUNK_BYTES);
    store.commits.length = 0;
    const half = new Uint8Array(CHUNK_BYTES / 2).fill(7);
    for (let chunk = 0; chunk < 32; chunk += 1) await volume.write(((chunk * 7) % 32) * CHUNK_SECTORS, half);
    await settle();
    expect(store.commits).toEqual([]);
    for (let part = 0; part < 36; part += 1) await volume.write((part * CHUNK_SECTORS) / 2, half);
    await settle();
    expect(store.commits.length).toBeGreaterThan(0);
    expect(volume.isDirty).toBe(true);
    await volume.flush();
    expect(volume.isDirty).toBe(false);
  });
});

/** What goes on by itself has its turn. */
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

it('goes on with the buffers it has, however many one commit lets go of: new memory costs more than a copy', async () => {
  const count = 160;
  const store = new FaultyChunkStore(new MemoryChunkStore());
  const pool = await VolumePool.open(store, { cacheBytes: 0, dirtyLimitBytes: 2 * count * CHUNK_BYTES, crc32: () => 1 });
  const volume = await pool.create('v', count * CHUNK_BYTES);
  const chunk = new Uint8Array(CHUNK_BYTES).fill(1);
  const buffers = new Set<ArrayBufferLike>();
  const afterEach: number[] = [];
  for (let burst = 0; burst < 4; burst += 1) {
    // Backwards: who writes in order has it committed by and by.
    for (let index = count - 1; index >= 0; index -= 1) await volume.write(index * CHUNK_SECTORS, chunk);
    await volume.flush();
    for (const { chunks = [] } of store.commits.splice(0)) for (const [, bytes] of chunks) buffers.add(bytes.buffer);
    afterEach.push(buffers.size);
  }
  expect(afterEach[3]).toBe(afterEach[1]);
});
