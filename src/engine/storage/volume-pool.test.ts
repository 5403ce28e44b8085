import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../xenstore/testing/random.ts';
import { CHUNK_BYTES, StorageError } from './chunk-store.ts';
import { crc32 } from './crc32.ts';
import { SECTOR_BYTES } from './disk-image.ts';
import { PAGE_SPAN_BYTES } from './map-page.ts';
import { MemoryChunkStore } from './memory-chunk-store.ts';
import { FaultyChunkStore } from './testing/faulty-chunk-store.ts';
import type { Volume } from './volume.ts';
import { VolumePool } from './volume-pool.ts';

const CHUNK_SECTORS = CHUNK_BYTES / SECTOR_BYTES;
const MIB = 1024 * 1024;

function sectors(count: number, value: number): Uint8Array {
  return new Uint8Array(count * SECTOR_BYTES).fill(value);
}

async function readBack(volume: Volume, sector: number, count: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(count * SECTOR_BYTES).fill(0xee);
  await volume.read(sector, bytes);
  return bytes;
}

async function valueAt(volume: Volume, sector: number): Promise<number> {
  const bytes = await readBack(volume, sector, 1);
  expect(bytes.every((byte) => byte === bytes[0])).toBe(true);
  return bytes[0]!;
}

describe('crc32', () => {
  it('gives the check value, whatever the alignment', () => {
    const text = new TextEncoder().encode('123456789');
    expect(crc32(text)).toBe(0xcbf43926);
    const shifted = new Uint8Array(12);
    shifted.set(text, 3);
    expect(crc32(shifted.subarray(3))).toBe(0xcbf43926);
    expect(crc32(new Uint8Array(0))).toBe(0);
  });
});

describe('a volume', () => {
  it('reads as zeros until written, and takes no room', async () => {
    const store = new MemoryChunkStore();
    const pool = await VolumePool.open(store);
    const volume = await pool.create('vg/root', 10 * 1024 * MIB);
    expect(await readBack(volume, 12345, 3)).toEqual(new Uint8Array(3 * SECTOR_BYTES));
    await volume.write(20_000_000, sectors(1, 0));
    await volume.flush();
    expect(pool.use().chunks).toBe(0);
    expect(await store.chunkNumbers()).toEqual([]);
  });

  it('keeps what was flushed for the next opening, across chunks and pages of the map', async () => {
    const store = new MemoryChunkStore();
    const first = await VolumePool.open(store);
    const volume = await first.create('root', 3 * PAGE_SPAN_BYTES);
    const edges = [0, CHUNK_SECTORS - 2, PAGE_SPAN_BYTES / SECTOR_BYTES - 3, (2 * PAGE_SPAN_BYTES) / SECTOR_BYTES + 77];
    for (const [n, sector] of edges.entries()) await volume.write(sector, sectors(7, n + 1));
    await volume.flush();
    const again = (await VolumePool.open(store)).volume('root')!;
    for (const [n, sector] of edges.entries()) expect(await readBack(again, sector, 7)).toEqual(sectors(7, n + 1));
    expect(await valueAt(again, 7)).toBe(0);
    expect(again.sizeBytes).toBe(3 * PAGE_SPAN_BYTES);
  });

  it('refuses accesses beyond its end and sizes that are no sectors', async () => {
    const pool = await VolumePool.open(new MemoryChunkStore());
    const volume = await pool.create('v', MIB);
    for (const [sector, count] of [
      [2048, 1],
      [2047, 2],
      [-1, 1],
      [0.5, 1],
    ] as const) {
      await expect(volume.read(sector, new Uint8Array(count * 512)), `${sector}`).rejects.toThrow(RangeError);
      await expect(volume.write(sector, new Uint8Array(count * 512)), `${sector}`).rejects.toThrow(RangeError);
      await expect(volume.discard(sector, count), `${sector}`).rejects.toThrow(RangeError);
    }
    for (const size of [0, -512, 100, NaN, 2 ** 51]) await expect(pool.create('w', size)).rejects.toThrow('cannot have');
    await expect(pool.create('../w', MIB)).rejects.toThrow('cannot be the name');
    await expect(pool.create('v', MIB)).rejects.toThrow('already');
  });

  it('gives discarded chunks back and leaves the parts of others', async () => {
    const store = new MemoryChunkStore();
    const pool = await VolumePool.open(store);
    const volume = await pool.create('v', 4 * CHUNK_BYTES - 8 * SECTOR_BYTES);
    await volume.write(0, sectors(volume.sectors, 9));
    await volume.flush();
    expect(await store.chunkNumbers()).toHaveLength(4);
    await volume.discard(CHUNK_SECTORS / 2, volume.sectors - CHUNK_SECTORS / 2);
    expect(await valueAt(volume, CHUNK_SECTORS - 1)).toBe(9);
    expect(await valueAt(volume, CHUNK_SECTORS)).toBe(0);
    expect(await valueAt(volume, volume.sectors - 1)).toBe(0);
    await volume.flush();
    expect(await store.chunkNumbers()).toHaveLength(1);
    await volume.write(CHUNK_SECTORS, sectors(1, 5));
    expect(await valueAt(volume, CHUNK_SECTORS + 1)).toBe(0);
    expect(await valueAt(volume, CHUNK_SECTORS)).toBe(5);
  });

  it('fetches ahead for a reader in order and fetches each chunk once', async () => {
    const store = new FaultyChunkStore(new MemoryChunkStore());
    const volume = await (await VolumePool.open(store)).create('v', 64 * CHUNK_BYTES);
    await volume.write(0, sectors(volume.sectors, 1));
    await volume.flush();
    const again = (await VolumePool.open(store)).volume('v')!;
    for (let sector = 0; sector < again.sectors; sector += 256) await again.read(sector, new Uint8Array(256 * 512));
    expect(store.reads).toBeLessThanOrEqual(5);
    await Promise.all([1, 2, 3].map((n) => again.read(n, new Uint8Array(512))));
  });

  it('grows with zeros, and shows nothing of what was cut off', async () => {
    const store = new MemoryChunkStore();
    const pool = await VolumePool.open(store);
    const volume = await pool.create('v', 3 * PAGE_SPAN_BYTES);
    let resizes = 0;
    const forget = volume.onResize(() => (resizes += 1));
    for (const sector of [0, 100, CHUNK_SECTORS, (2 * PAGE_SPAN_BYTES) / 512]) await volume.write(sector, sectors(1, 7));
    await volume.resize(100 * SECTOR_BYTES);
    expect(volume.sectors).toBe(100);
    await expect(volume.read(100, new Uint8Array(512))).rejects.toThrow(RangeError);
    await volume.resize(3 * PAGE_SPAN_BYTES);
    forget();
    for (const sector of [100, CHUNK_SECTORS, (2 * PAGE_SPAN_BYTES) / 512]) expect(await valueAt(volume, sector)).toBe(0);
    const again = (await VolumePool.open(store)).volume('v')!;
    expect(await valueAt(again, 0)).toBe(7);
    expect(await valueAt(again, 100)).toBe(0);
    expect(resizes).toBe(2);
  });
});

describe('a clone', () => {
  it('shares everything until one side writes, and survives the other', async () => {
    const store = new MemoryChunkStore();
    const pool = await VolumePool.open(store);
    const origin = await pool.create('origin', 2 * PAGE_SPAN_BYTES);
    await origin.write(0, sectors(CHUNK_SECTORS * 2, 1));
    const clone = await pool.clone(origin, 'clone');
    const snapshot = await pool.clone(origin, 'snapshot', { readOnly: true });
    expect(pool.use()).toMatchObject({ chunks: 2, sharedChunks: 2 });
    await clone.write(0, sectors(1, 2));
    await origin.write(CHUNK_SECTORS, sectors(1, 3));
    await pool.flush();
    expect(pool.use().chunks).toBe(4);
    const seen = async (volume: Volume): Promise<number[]> => [await valueAt(volume, 0), await valueAt(volume, CHUNK_SECTORS)];
    expect([await seen(origin), await seen(clone), await seen(snapshot)]).toEqual([
      [1, 3],
      [2, 1],
      [1, 1],
    ]);
    await expect(snapshot.write(0, sectors(1, 1))).rejects.toMatchObject({ code: 'EROFS' });
    await pool.remove(origin);
    expect(pool.use().chunks).toBe(3);
    const again = await VolumePool.open(store);
    expect(again.names()).toEqual(['clone', 'snapshot']);
    expect([await seen(again.volume('clone')!), await seen(again.volume('snapshot')!)]).toEqual([
      [2, 1],
      [1, 1],
    ]);
    await again.remove(again.volume('clone')!);
    await again.remove(again.volume('snapshot')!);
    expect(await store.chunkNumbers()).toEqual([]);
    expect([...(await store.records()).keys()]).toEqual([]);
  });

  it('of 10 GB is one record, whatever is in it', async () => {
    const store = new FaultyChunkStore(new MemoryChunkStore());
    const pool = await VolumePool.open(store);
    const volume = await pool.create('big', 10_000 * MIB);
    for (let sector = 0; sector < volume.sectors; sector += PAGE_SPAN_BYTES / 512) await volume.write(sector, sectors(1, 1));
    await volume.flush();
    store.commits.length = 0;
    await pool.clone(volume, 'copy');
    expect(store.commits).toHaveLength(1);
    expect(store.commits[0]!.chunks ?? []).toEqual([]);
    expect(store.commits[0]!.records).toHaveLength(1);
    expect(store.commits[0]!.records![0]![1].length).toBeLessThan(2048);
  });
});

describe('damage', () => {
  it('is an I/O error that names the chunk, never wrong bytes', async () => {
    const store = new FaultyChunkStore(new MemoryChunkStore());
    const volume = await (await VolumePool.open(store)).create('v', MIB);
    await volume.write(0, sectors(CHUNK_SECTORS * 2, 1));
    await volume.flush();
    store.onRead = (number, bytes) => {
      if (number === 3 && bytes !== undefined) bytes[1000]! ^= 1;
      return number === 3 ? bytes : undefined;
    };
    const again = (await VolumePool.open(store)).volume('v')!;
    const read = (sector: number): Promise<void> => again.read(sector, new Uint8Array(512));
    await expect(read(CHUNK_SECTORS)).rejects.toThrow(/chunk 1 of volume v \(number 3\) does not match its checksum/);
    await expect(read(0)).rejects.toMatchObject({ code: 'EIO' });
    await expect(again.write(0, sectors(1, 1))).rejects.toThrow('is missing');
    store.onRead = (_number, bytes) => bytes;
    await read(0);
    await read(CHUNK_SECTORS);
  });

  it('of a map makes its stretch unreadable and removes nothing', async () => {
    const store = new MemoryChunkStore();
    const pool = await VolumePool.open(store);
    const volume = await pool.create('v', 2 * PAGE_SPAN_BYTES);
    await volume.write(0, sectors(1, 1));
    await volume.write(PAGE_SPAN_BYTES / 512, sectors(1, 2));
    await volume.flush();
    const key = [...(await store.records()).keys()].find((name) => name.startsWith('map:'))!;
    const record = (await store.records()).get(key)!;
    record[50]! ^= 4;
    await store.commit({ records: [[key, record]] });
    const lines: string[] = [];
    const again = (await VolumePool.open(store, { log: (line) => lines.push(line) })).volume('v')!;
    await expect(again.read(0, new Uint8Array(512))).rejects.toMatchObject({ code: 'EIO' });
    expect(await valueAt(again, PAGE_SPAN_BYTES / 512)).toBe(2);
    expect(lines.join('\n')).toContain('damaged');
    expect(await store.chunkNumbers()).toHaveLength(2);
  });
});

describe('a store that is full', () => {
  it('fails the flush, keeps everything, and goes on when there is room', async () => {
    const store = new FaultyChunkStore(new MemoryChunkStore());
    const pool = await VolumePool.open(store, { dirtyLimitBytes: 8 * CHUNK_BYTES });
    const volume = await pool.create('v', 64 * CHUNK_BYTES);
    await volume.write(0, sectors(1, 1));
    await volume.flush();
    store.refusal = new StorageError('ENOSPC', 'there is no room left in the browser’s storage');
    await volume.write(0, sectors(1, 2));
    await expect(volume.flush()).rejects.toMatchObject({ code: 'ENOSPC' });
    let refused = 0;
    for (let n = 1; n < 20; n += 1) await volume.write(n * CHUNK_SECTORS, sectors(1, 3)).catch(() => (refused += 1));
    expect(refused).toBeGreaterThan(0);
    expect(pool.use().dirtyBytes).toBeLessThanOrEqual(9 * CHUNK_BYTES);
    expect(await valueAt(volume, 0)).toBe(2);
    store.refusal = undefined;
    await volume.flush();
    const again = (await VolumePool.open(store)).volume('v')!;
    expect(await valueAt(again, 0)).toBe(2);
    expect(await valueAt(again, CHUNK_SECTORS)).toBe(3);
  });
});

/**
 * A history of writes, flushes, discards, clones and resizes on a store that dies after its n-th commit, for every n. After the
 * death each sector must read as something it was between the last flush acknowledged and the end; nothing may leak.
 */
describe('a crash at any commit', () => {
  const SLOTS = 20;
  const sectorOf = (slot: number): number => slot * (CHUNK_SECTORS / 2) + slot;

  async function history(pool: VolumePool, seed: number, possible: Set<number>[]): Promise<void> {
    const random = new SeededRandom(seed);
    const volume = await pool.create('v', SLOTS * CHUNK_BYTES);
    possible.push(...Array.from({ length: SLOTS }, () => new Set([0])));
    let value = 0;
    for (let step = 0; step < 60; step += 1) {
      const choice = random.below(10);
      if (choice < 6) {
        const slot = random.below(SLOTS);
        value = (value % 250) + 1;
        possible[slot]!.add(value);
        await volume.write(sectorOf(slot), sectors(1, value));
      } else if (choice < 8) {
        const last = await Promise.all(possible.map((_, slot) => valueAt(volume, sectorOf(slot))));
        await volume.flush();
        last.forEach((now, slot) => {
          possible[slot] = new Set([now]);
        });
      } else if (choice === 8) {
        await pool.clone(volume, `clone${step}`);
      } else {
        const slot = random.below(SLOTS);
        possible.forEach((set, n) => {
          if (Math.abs(n - slot) <= 4) set.add(0);
        });
        await volume.discard(sectorOf(slot), CHUNK_SECTORS * 2);
      }
    }
  }

  it.each([1, 2, 3])('keeps what was acknowledged (history %i)', async (seed) => {
    const whole = new FaultyChunkStore(new MemoryChunkStore());
    await history(await VolumePool.open(whole, { dirtyLimitBytes: 6 * CHUNK_BYTES }), seed, []);
    const total = whole.commits.length;
    expect(total).toBeGreaterThan(15);
    for (let deaths = 1; deaths < total; deaths += 1) {
      const disk = new MemoryChunkStore();
      const dying = new FaultyChunkStore(disk);
      dying.commitsLeft = deaths;
      dying.lastCommitLands = deaths % 2 === 0;
      const possible: Set<number>[] = [];
      const pool = await VolumePool.open(dying, { dirtyLimitBytes: 6 * CHUNK_BYTES });
      await expect(history(pool, seed, possible)).rejects.toThrow('died');
      const after = await VolumePool.open(disk);
      const volume = after.volume('v')!;
      for (let slot = 0; slot < SLOTS; slot += 1) expect([...possible[slot]!]).toContain(await valueAt(volume, sectorOf(slot)));
      expect([...(await disk.chunkNumbers())].sort((a, b) => a - b)).toHaveLength(after.use().chunks);
      for (const name of after.names()) await after.remove(after.volume(name)!);
      expect(await disk.chunkNumbers()).toEqual([]);
      expect((await disk.records()).size).toBe(0);
    }
  });
});
