import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type BaseImage, type BaseIndex, decodeBaseIndex, encodeBaseIndex } from './base-image.ts';
import { CHUNK_BYTES, StorageError } from './chunk-store.ts';
import { crc32 } from './crc32.ts';
import { SECTOR_BYTES } from './disk-image.ts';
import { PAGE_SPAN_BYTES } from './map-page.ts';
import { MemoryChunkStore } from './memory-chunk-store.ts';
import type { Volume } from './volume.ts';
import { VolumePool } from './volume-pool.ts';

const CHUNK_SECTORS = CHUNK_BYTES / SECTOR_BYTES;
/** Places that are not all zeros, on both sides of a page of the map. */
const PLACES = [0, 1, 5, PAGE_SPAN_BYTES / CHUNK_BYTES + 3];

const contents = (index: number): Uint8Array => new Uint8Array(CHUNK_BYTES).map((_, n) => index * 31 + n * 7 + 1);

class FakeImage implements BaseImage {
  readonly name = 'system';
  readonly sizeBytes = 2 * PAGE_SPAN_BYTES;
  readonly asked: number[] = [];
  failure: Error | undefined;
  spoil = false;

  constructor(readonly identity = 'one') {}

  index(): Promise<BaseIndex> {
    const chunks = PLACES.map((index, n) => ({
      index,
      sum: crc32(contents(index)),
      offset: n * 1000,
      length: 1000,
      sha256: createHash('sha256').update(contents(index)).digest(),
    }));
    return Promise.resolve({ sizeBytes: this.sizeBytes, chunks });
  }

  read(ordinals: readonly number[]): Promise<Uint8Array[]> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    this.asked.push(...ordinals);
    return Promise.resolve(ordinals.map((n) => contents((PLACES[n] ?? 0) + Number(this.spoil))));
  }
}

async function read(volume: Volume | undefined, index: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(CHUNK_BYTES).fill(0xee);
  await volume?.read(index * CHUNK_SECTORS, bytes);
  return bytes;
}

describe('a volume made from an image of the site', () => {
  it('reads as the image, of which it fetches what is read, once', async () => {
    const [store, image] = [new MemoryChunkStore(), new FakeImage()];
    const first = await VolumePool.open(store, { baseImages: [image] });
    const volume = await first.createFromBase('vg/root', image);
    expect(image.asked).toEqual([]);
    expect(volume.sizeBytes).toBe(image.sizeBytes);
    expect(await read(volume, 5)).toEqual(contents(5));
    expect(await read(volume, 2)).toEqual(new Uint8Array(CHUNK_BYTES));
    expect(image.asked).toEqual([2]);
    const again = await VolumePool.open(store, { baseImages: [image] });
    expect(await read(again.volume('vg/root'), 5)).toEqual(contents(5));
    expect(image.asked).toEqual([2]);
    expect(await read(again.volume('vg/root'), PLACES[3] ?? 0)).toEqual(contents(PLACES[3] ?? 0));
    expect(image.asked).toEqual([2, 3]);
  });

  it('goes its own way where it is written, and shares the rest with its clones', async () => {
    const [store, image] = [new MemoryChunkStore(), new FakeImage()];
    const pool = await VolumePool.open(store, { baseImages: [image] });
    const volume = await pool.createFromBase('root', image);
    const sector = new Uint8Array(SECTOR_BYTES).fill(9);
    // The rest of the chunk is the image's.
    await volume.write(CHUNK_SECTORS + 3, sector);
    await volume.discard(0, CHUNK_SECTORS);
    const copy = await pool.clone(volume, 'copy');
    await copy.write(5 * CHUNK_SECTORS, sector);
    await pool.flush();
    const again = await VolumePool.open(store, { baseImages: [image] });
    const changed = contents(1);
    changed.set(sector, 3 * SECTOR_BYTES);
    for (const name of ['root', 'copy']) {
      expect(await read(again.volume(name), 1)).toEqual(changed);
      expect(await read(again.volume(name), 0)).toEqual(new Uint8Array(CHUNK_BYTES));
    }
    expect(await read(again.volume('root'), 5)).toEqual(contents(5));
    expect((await read(again.volume('copy'), 5)).subarray(0, 513)).toEqual(
      Uint8Array.of(...sector, ...contents(5).subarray(SECTOR_BYTES, SECTOR_BYTES + 1)),
    );
    await again.commit({ removed: [again.volume('root')!, again.volume('copy')!] });
    await VolumePool.open(store, { baseImages: [image] });
    expect(await store.chunkNumbers()).toEqual([]);
    expect([...(await store.records()).keys()]).toEqual([]);
  });

  it('gives no number twice, though the store has none of the chunks', async () => {
    const [store, image] = [new MemoryChunkStore(), new FakeImage()];
    await (await VolumePool.open(store, { baseImages: [image] })).createFromBase('root', image);
    const again = await VolumePool.open(store, { baseImages: [image] });
    const other = await again.create('other', CHUNK_BYTES);
    await other.write(0, new Uint8Array(CHUNK_BYTES).fill(4));
    await other.flush();
    for (const place of PLACES) expect(await read(again.volume('root'), place)).toEqual(contents(place));
    expect(await read(other, 0)).toEqual(new Uint8Array(CHUNK_BYTES).fill(4));
  });

  it('has I/O errors that say why where the image cannot be had, and nowhere else', async () => {
    const [store, image] = [new MemoryChunkStore(), new FakeImage()];
    const pool = await VolumePool.open(store, { baseImages: [image] });
    const volume = await pool.createFromBase('root', image);
    image.failure = new Error('the site answered 503 for system.data');
    await expect(read(volume, 1)).rejects.toThrow(
      'chunk 1 of volume root cannot be fetched: the site answered 503 for system.data',
    );
    expect(await read(volume, 3)).toEqual(new Uint8Array(CHUNK_BYTES));
    image.failure = undefined;
    image.spoil = true;
    await expect(read(volume, 1)).rejects.toThrow(/chunk 1 of volume root .* does not match its checksum/);
    expect(await store.chunkNumbers()).toEqual([]);
    image.spoil = false;
    expect(await read(volume, 1)).toEqual(contents(1));
    const other = await VolumePool.open(store, { baseImages: [new FakeImage('two')] });
    await expect(read(other.volume('root'), PLACES[3] ?? 0)).rejects.toThrow('in a version that the site does not offer any more');
    expect(await read(other.volume('root'), 1)).toEqual(contents(1));
  });

  it('can be larger than the image, not smaller', async () => {
    const image = new FakeImage();
    const pool = await VolumePool.open(new MemoryChunkStore(), { baseImages: [image] });
    const volume = await pool.createFromBase('root', image, 3 * PAGE_SPAN_BYTES);
    expect(await read(volume, (3 * PAGE_SPAN_BYTES) / CHUNK_BYTES - 1)).toEqual(new Uint8Array(CHUNK_BYTES));
    await expect(pool.createFromBase('small', image, PAGE_SPAN_BYTES)).rejects.toMatchObject({ code: 'EINVAL' });
    await expect(pool.createFromBase('root', image)).rejects.toMatchObject({ code: 'EEXIST' });
  });
});

describe('the index of an image', () => {
  it('is read as it was written', async () => {
    const index = await new FakeImage().index();
    const read = decodeBaseIndex(encodeBaseIndex(index), 'system');
    expect(read).toEqual({ ...index, chunks: index.chunks.map((chunk) => ({ ...chunk, sha256: new Uint8Array(chunk.sha256) })) });
  });

  it.each<[string, (bytes: Uint8Array, view: DataView) => Uint8Array]>([
    ['is cut off', (bytes) => bytes.subarray(0, bytes.length - 1)],
    ['is empty', () => new Uint8Array(0)],
    ['is something else', (bytes) => bytes.fill(0x20, 0, 8)],
    ['has another version', (bytes, view) => (view.setUint32(8, 2, true), bytes)],
    ['has an impossible size', (bytes, view) => (view.setBigUint64(16, 2n ** 60n, true), bytes)],
    ['names a place twice', (bytes, view) => (view.setUint32(24 + 52, 0, true), bytes)],
    ['names a place behind the end', (bytes, view) => (view.setUint32(24 + 3 * 52, 1 << 20, true), bytes)],
    ['has a huge chunk', (bytes, view) => (view.setUint32(24 + 16, 1 << 30, true), bytes)],
  ])('that %s is refused', async (_, change) => {
    const bytes = encodeBaseIndex(await new FakeImage().index());
    const changed = change(bytes, new DataView(bytes.buffer));
    expect(() => decodeBaseIndex(changed, 'system')).toThrow(StorageError);
  });
});
