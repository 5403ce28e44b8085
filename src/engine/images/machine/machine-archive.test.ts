import { execFileSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it } from 'vitest';
import { noise, randomNumbers } from '../../codec/testing/patterns.ts';
import type { BaseImage } from '../../storage/base-image.ts';
import { CHUNK_BYTES } from '../../storage/chunk-store.ts';
import { crc32 } from '../../storage/crc32.ts';
import { MemoryChunkStore } from '../../storage/memory-chunk-store.ts';
import { memoryFiles } from '../../storage/testing/memory-files.ts';
import type { FileSystem } from '../../storage/file-system.ts';
import { VolumePool } from '../../storage/volume-pool.ts';
import { decoders, joined } from '../testing/decoders.ts';
import { exportMachine } from './export-machine.ts';
import { importMachine } from './import-machine.ts';

let chunks: MemoryChunkStore;
let files: FileSystem;
let pool: VolumePool;
const large = noise(900_000, 3);
const disk = noise(5 * CHUNK_BYTES, 1);

beforeEach(async () => {
  chunks = new MemoryChunkStore();
  ({ files, pool } = await memoryFiles({ chunks }));
  await files.makeDirectory('/root/sub', { recursive: true });
  await files.writeFile('/root/sub/note', new TextEncoder().encode('kept'));
  await files.writeFile('/root/large', large);
  await files.flush();
  const volume = await pool.create('vg/root', 64 * 1024 * 1024);
  await volume.write(8, disk);
  await pool.clone(volume, 'vg/copy');
  await volume.write(8, new Uint8Array(512).fill(9));
  await pool.commit({ flushed: [volume], records: [['lvm:state', new Uint8Array([1, 2, 3])]] });
});

const archive = (): Promise<Buffer> => joined(exportMachine(pool, 'lab', () => undefined));

async function* pieces(bytes: Uint8Array, size = 100_000): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += size) yield new Uint8Array(bytes.subarray(at, at + size));
}

const into = (store: MemoryChunkStore, bytes: Uint8Array): ReturnType<typeof importMachine> =>
  importMachine(store, pieces(bytes), decoders, () => undefined);

/** Everything in a store, comparable. */
async function everything(store: MemoryChunkStore): Promise<unknown> {
  const numbers = [...(await store.chunkNumbers())].sort((a, b) => a - b);
  const bytes = await store.readChunks(numbers);
  return {
    records: await store.records(),
    chunks: numbers.map((number, n) => [number, Buffer.from(bytes[n]!).toString('base64')]),
  };
}

describe('a machine as an archive', () => {
  it('is the same machine again: files, volumes, what they share, and the records of others', async () => {
    const plain = await archive();
    for (const bytes of [plain, gzipSync(plain)]) {
      const store = new MemoryChunkStore();
      expect((await into(store, bytes)).machine).toBe('lab');
      expect(await everything(store)).toEqual(await everything(chunks));
      const again = await memoryFiles({ chunks: store });
      expect(again.fresh).toBe(false);
      expect(Buffer.from(await again.files.readFile('/root/large')).equals(large)).toBe(true);
      expect(new TextDecoder().decode(await again.files.readFile('/root/sub/note'))).toBe('kept');
      expect(again.pool.names()).toEqual(['vg/copy', 'vg/root']);
      expect(again.pool.use().sharedChunks).toBe(pool.use().sharedChunks);
      expect(again.pool.takeRecords('lvm:').get('lvm:state')).toEqual(new Uint8Array([1, 2, 3]));
    }
  });

  it('is what there was at one moment, and holds nothing back afterwards', async () => {
    const before = await everything(chunks);
    const stream = exportMachine(pool, 'lab', () => undefined);
    const first = (await stream.next()).value!;
    for (const name of pool.names()) await pool.remove(pool.volume(name)!);
    await files.writeFile('/root/sub/note', new TextEncoder().encode('changed'));
    await files.flush();
    const store = new MemoryChunkStore();
    await into(store, Buffer.concat([first, await joined(stream)]));
    expect(await everything(store)).toEqual(before);
    await pool.commit({ records: [['test:tick', new Uint8Array(1)]] });
    expect(await chunks.chunkNumbers()).toHaveLength(pool.use().chunks);
    expect((await VolumePool.open(chunks)).names()).toEqual([]);
  });

  it('brings along what the site delivers, fetched or not', async () => {
    const contents = [0, 1, 2].map((n) => noise(CHUNK_BYTES, n + 1));
    const image: BaseImage = {
      name: 'system',
      identity: 'one',
      sizeBytes: 4 * CHUNK_BYTES,
      index: async () => ({
        sizeBytes: 4 * CHUNK_BYTES,
        chunks: contents.map((bytes, index) => ({ index, sum: crc32(bytes), offset: 0, length: 1, sha256: new Uint8Array(32) })),
      }),
      read: async (ordinals) => ordinals.map((n) => contents[n]!.slice()),
    };
    const site = await VolumePool.open(new MemoryChunkStore(), { baseImages: [image] });
    const volume = await site.createFromBase('vg/root', image);
    await volume.write(512, new Uint8Array(512).fill(7));
    await volume.read(0, new Uint8Array(512));
    await site.flush();
    const store = new MemoryChunkStore();
    await into(store, await joined(exportMachine(site, 'lab', () => undefined)));
    // Where there is no such image.
    const again = (await VolumePool.open(store)).volume('vg/root')!;
    const [before, after] = [new Uint8Array(4 * CHUNK_BYTES), new Uint8Array(4 * CHUNK_BYTES)];
    await volume.read(0, before);
    await again.read(0, after);
    expect(Buffer.from(after).equals(before)).toBe(true);
    expect(
      Buffer.from(after)
        .subarray(2 * CHUNK_BYTES, 3 * CHUNK_BYTES)
        .equals(contents[2]!),
    ).toBe(true);
  });

  it('can be read by tar', async () => {
    const listed = execFileSync('tar', ['tf', '-'], { input: await archive(), encoding: 'utf8' })
      .trim()
      .split('\n');
    expect(listed.slice(0, 3)).toEqual(['machine.json', 'machine.json.crc32', 'records/1']);
    expect(listed.filter((name) => name.startsWith('chunks/'))).toHaveLength(pool.use().chunks);
  });

  it('leaves nothing when it is cut off, changed, longer, or something else', async () => {
    const plain = await archive();
    const packed = gzipSync(plain);
    const random = randomNumbers(9);
    const bad: [string, Uint8Array, string | RegExp][] = [
      ['nothing', new Uint8Array(0), 'cut off'],
      ['something else', noise(5000, 2), /no archive of a machine/],
      ['another tar', execFileSync('tar', ['cf', '-', '-C', import.meta.dirname, 'tar.ts']), 'no archive of a machine'],
      ['what follows', Buffer.concat([plain, Buffer.from('x')]), 'more follows'],
      ['gzip without its end', packed.subarray(0, -4), 'gzip stream is damaged or cut off'],
    ];
    for (let run = 0; run < 60; run += 1) {
      const length = random() % (plain.length - 1024);
      bad.push([`${length} bytes`, plain.subarray(0, length), /cut off/]);
      const changed = Buffer.from(plain);
      const at = random() % (plain.length - 1024);
      changed[at] = (changed[at] ?? 0) ^ 0x10;
      // Some bytes mean nothing: padding, owners, times.
      const store = new MemoryChunkStore();
      await into(store, changed).catch((error: unknown) => {
        expect(error).toMatchObject({ name: 'ImageError' });
      });
      const present = (await store.records()).size > 0;
      expect(await everything(store)).toEqual(await everything(present ? chunks : new MemoryChunkStore()));
    }
    for (const [what, bytes, reason] of bad) {
      const store = new MemoryChunkStore();
      await expect(into(store, bytes), what).rejects.toThrow(reason);
      expect(await store.chunkNumbers(), what).toEqual([]);
      expect((await store.records()).size, what).toBe(0);
    }
  });

  it('is refused by a store that holds a machine, and by its own contradictions', async () => {
    await expect(into(chunks, await archive())).rejects.toThrow('there is a machine of that name already');
    const text = (await archive()).toString('latin1');
    // A map page that names a chunk which does not come along.
    const store = new MemoryChunkStore();
    await store.commit({
      records: [
        ['volume:a', new TextEncoder().encode(JSON.stringify({ version: 1, sizeBytes: 512, readOnly: false, pages: [7] }))],
      ],
    });
    const damaged = await VolumePool.open(store);
    const stream = joined(exportMachine(damaged, 'x', () => undefined));
    await expect(into(new MemoryChunkStore(), await stream)).rejects.toThrow('volume a cannot be understood');
    expect(text.startsWith('machine.json\0')).toBe(true);
  });
});
