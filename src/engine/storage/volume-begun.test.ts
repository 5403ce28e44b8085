/** Chunks that are overwritten from their start on, part by part: what is stored of them is not read if it need not be. */
import { beforeEach, describe, expect, it } from 'vitest';
import { CHUNK_BYTES } from './chunk-store.ts';
import { SECTOR_BYTES } from './disk-image.ts';
import { MemoryChunkStore } from './memory-chunk-store.ts';
import { FaultyChunkStore } from './testing/faulty-chunk-store.ts';
import type { Volume } from './volume.ts';
import { VolumePool } from './volume-pool.ts';

const CHUNK_SECTORS = CHUNK_BYTES / SECTOR_BYTES;
const QUARTER = CHUNK_BYTES / 4;

const filled = (bytes: number, value: number): Uint8Array => new Uint8Array(bytes).fill(value);

/** Says where they differ; comparing as values would take long. */
function expectSame(found: Uint8Array, expected: Uint8Array): void {
  expect([found.length, found.findIndex((byte, n) => byte !== expected[n])]).toEqual([expected.length, -1]);
}

async function readAll(volume: Volume | undefined): Promise<Uint8Array> {
  const bytes = new Uint8Array(volume?.sizeBytes ?? 0);
  await volume?.read(0, bytes);
  return bytes;
}

/** As the block back end writes. */
async function writeLikeBackend(volume: Volume, sector: number, bytes: Uint8Array): Promise<void> {
  if (volume.writeNow(sector, [bytes])) return;
  await volume.ready(sector, bytes.length, true);
  if (!volume.writeNow(sector, [bytes])) await volume.write(sector, bytes);
}

describe('a chunk that is stored and not in memory', () => {
  let inner: MemoryChunkStore;
  let store: FaultyChunkStore;
  let pool: VolumePool;
  let volume: Volume;
  let expected: Uint8Array;

  beforeEach(async () => {
    inner = new MemoryChunkStore();
    const first = await (await VolumePool.open(inner)).create('v', 8 * CHUNK_BYTES);
    for (let chunk = 0; chunk < 8; chunk += 1) await first.write(chunk * CHUNK_SECTORS, filled(CHUNK_BYTES, chunk + 1));
    await first.flush();
    expected = await readAll(first);
    store = new FaultyChunkStore(inner);
    pool = await VolumePool.open(store);
    volume = pool.volume('v')!;
  });

  const put = (at: number, bytes: Uint8Array): boolean => {
    expected.set(bytes, at);
    return volume.writeNow(at / SECTOR_BYTES, [bytes.subarray(0, bytes.length / 2), bytes.subarray(bytes.length / 2)]);
  };
  const reopened = async (): Promise<Uint8Array> => readAll((await VolumePool.open(inner)).volume('v'));

  it('is not read when a writer in order overwrites all of it, part by part', async () => {
    for (let part = 0; part < 32; part += 1) expect(put(part * QUARTER, filled(QUARTER, 100 + part))).toBe(true);
    await volume.flush();
    expect(store.reads).toBe(0);
    expect(volume.isDirty).toBe(false);
    expectSame(await reopened(), expected);
    expect(pool.use()).toMatchObject({ chunks: 8, dirtyBytes: 0 });
  });

  it('is read for what was not written of it, when it is asked for or flushed', async () => {
    expect(put(0, filled(QUARTER, 50))).toBe(true);
    expect(put(2 * CHUNK_BYTES - QUARTER, filled(QUARTER, 51))).toBe(false);
    expected.fill(2, 2 * CHUNK_BYTES - QUARTER, 2 * CHUNK_BYTES);
    expect(put(3 * CHUNK_BYTES, filled(3 * QUARTER, 52))).toBe(true);
    // What was written last counts, whatever was there.
    expect(put(3 * CHUNK_BYTES + QUARTER, filled(QUARTER, 53))).toBe(true);
    const piece = new Uint8Array(SECTOR_BYTES);
    expect(volume.readNow(0, [piece])).toBe(false);
    expect(pool.use().dirtyBytes).toBe(2 * CHUNK_BYTES);
    expectSame(await readAll(volume), expected);
    expect(put(5 * CHUNK_BYTES, filled(QUARTER, 54))).toBe(true);
    const copy = await pool.clone(volume, 'copy');
    expectSame(await readAll(copy), expected);
    expect(put(6 * CHUNK_BYTES, filled(QUARTER, 55))).toBe(true);
    await pool.commit({ flushed: [volume] });
    expectSame(await reopened(), expected);
    await pool.remove(copy);
  });

  it('may be given back, cut off, or go with its volume', async () => {
    expect(put(0, filled(QUARTER, 60))).toBe(true);
    expect(put(4 * CHUNK_BYTES, filled(QUARTER, 61))).toBe(true);
    expect(put(6 * CHUNK_BYTES, filled(2 * QUARTER, 62))).toBe(true);
    await volume.discard(0, CHUNK_SECTORS);
    expected.fill(0, 0, CHUNK_BYTES);
    await volume.resize(6 * CHUNK_BYTES + QUARTER);
    expected = expected.slice(0, 6 * CHUNK_BYTES + QUARTER);
    await volume.flush();
    expectSame(await reopened(), expected);
    expect(pool.use().dirtyBytes).toBe(0);
    expect(put(5 * CHUNK_BYTES, filled(QUARTER, 63))).toBe(true);
    const flushed = pool.flush();
    await pool.remove(volume);
    await flushed;
    expect(pool.use().dirtyBytes).toBe(0);
  });

  it('that cannot be read fails the flush, holds up nothing else, and waits for its turn', async () => {
    store.onRead = () => undefined;
    expect(put(0, filled(QUARTER, 70))).toBe(true);
    expect(put(CHUNK_BYTES, filled(CHUNK_BYTES, 71))).toBe(true);
    await expect(volume.flush()).rejects.toMatchObject({ code: 'EIO' });
    expectSame((await reopened()).subarray(CHUNK_BYTES, 2 * CHUNK_BYTES), expected.subarray(CHUNK_BYTES, 2 * CHUNK_BYTES));
    expect(volume.isDirty).toBe(true);
    store.onRead = (_number, bytes) => bytes;
    await volume.flush();
    expectSame(await reopened(), expected);
  });
});

describe('writes, reads and commits in any order', () => {
  it.each([1, 2, 3, 4])('show what was written (history %d)', async (history) => {
    let seed = history * 7919;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    const sectors = 6 * CHUNK_SECTORS;
    const store = new MemoryChunkStore();
    let pool = await VolumePool.open(store);
    let volume = await pool.create('v', sectors * SECTOR_BYTES);
    // One value a sector stands for its bytes.
    const model = new Uint8Array(sectors);
    const check = async (): Promise<void> => {
      const bytes = await readAll(volume);
      for (let sector = 0; sector < sectors; sector += 1)
        if (bytes[sector * SECTOR_BYTES] !== model[sector] || bytes[sector * SECTOR_BYTES + 511] !== model[sector])
          throw new Error(`sector ${sector} is ${bytes[sector * SECTOR_BYTES]}, not ${model[sector]}`);
    };
    let behind: Promise<void> = Promise.resolve();
    for (let step = 0; step < 400; step += 1) {
      const first = random(2) === 0 ? random(6) * CHUNK_SECTORS + random(5) * 32 : random(sectors);
      const count = Math.min(sectors - first, 1 + random(random(3) === 0 ? 2 * CHUNK_SECTORS : 64));
      const kind = random(20);
      if (kind < 13) {
        const value = 1 + random(255);
        model.fill(value, first, first + count);
        await writeLikeBackend(volume, first, filled(count * SECTOR_BYTES, value));
      } else if (kind < 15) {
        const bytes = new Uint8Array(count * SECTOR_BYTES);
        while (!volume.readNow(first, [bytes])) await volume.ready(first, bytes.length, false);
        for (let n = 0; n < count; n += 1) expect(bytes[n * SECTOR_BYTES]).toBe(model[first + n]);
      } else if (kind < 16) {
        const chunk = random(6);
        await volume.discard(chunk * CHUNK_SECTORS, CHUNK_SECTORS);
        model.fill(0, chunk * CHUNK_SECTORS, (chunk + 1) * CHUNK_SECTORS);
      } else if (kind < 18) behind = Promise.all([behind, volume.flush()]).then(() => undefined);
      else if (kind < 19) await check();
      else {
        await behind;
        await volume.flush();
        expect(pool.use().dirtyBytes).toBe(0);
        pool = await VolumePool.open(store);
        volume = pool.volume('v')!;
      }
    }
    await check();
    await behind;
  });
});
