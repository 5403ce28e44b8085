import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it } from 'vitest';
import { noise } from '../codec/testing/patterns.ts';
import { CHUNK_BYTES, StorageError } from '../storage/chunk-store.ts';
import { MemoryChunkStore } from '../storage/memory-chunk-store.ts';
import { FaultyChunkStore } from '../storage/testing/faulty-chunk-store.ts';
import { VolumePool } from '../storage/volume-pool.ts';
import type { Volume } from '../storage/volume.ts';
import { exportDisk } from './export-disk.ts';
import { importDisk, type ImportOptions } from './import-disk.ts';
import { removeUnfinishedTransfers } from './scratch.ts';
import { buildQcow2, contentsOf, type BuiltImage } from './testing/qcow2-builder.ts';
import { decoders, joined, memorySource } from './testing/decoders.ts';
import { Qcow2Reader } from './qcow2/reader.ts';

let store: FaultyChunkStore;
let pool: VolumePool;
beforeEach(async () => {
  store = new FaultyChunkStore(new MemoryChunkStore());
  // Little room for what waits, so that imports are written behind as large ones are.
  pool = await VolumePool.open(store, { dirtyLimitBytes: 4 * CHUNK_BYTES });
});

async function* pieces(bytes: Uint8Array, size = 77_777): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}

async function bytesOf(volume: Volume): Promise<Buffer> {
  const bytes = new Uint8Array(volume.sizeBytes);
  await volume.read(0, bytes);
  return Buffer.from(bytes);
}

/** Nothing of a transfer is in the pool or the store, after a commit that clears up what others left. */
async function expectNothing(names: readonly string[] = []): Promise<void> {
  expect([...pool.names(), ...pool.internalNames()]).toEqual(names);
  const before = pool.use().chunks;
  await pool.commit({ records: [['test:tick', new Uint8Array(1)]] });
  expect(await store.inner.chunkNumbers()).toHaveLength(before);
}

/** 8 MiB with three stretches of data and an end that is no whole sector. */
function rawImage(): Uint8Array {
  const bytes = new Uint8Array(8 * 1024 * 1024 + 100);
  bytes.set(noise(3 * CHUNK_BYTES, 1), CHUNK_BYTES);
  bytes.set(noise(1000, 2), 6 * 1024 * 1024 + 3);
  bytes.set(noise(100, 3), bytes.length - 100);
  return bytes;
}

const qcow2: BuiltImage = {
  sizeBytes: 4 * 1024 * 1024,
  clusters: new Map([
    [3, { kind: 'data', bytes: noise(65536, 4) }],
    [60, { kind: 'compressed', bytes: noise(65536, 5) }],
    [5, { kind: 'zero' }],
  ]),
};

/** zstd frames of raw blocks. */
function zstd(bytes: Uint8Array): Buffer {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += 65536) {
    const part = bytes.subarray(at, at + 65536);
    const head = new Uint8Array(12);
    head.set([0x28, 0xb5, 0x2f, 0xfd, 0xa0]);
    const view = new DataView(head.buffer);
    view.setUint32(5, part.length, true);
    view.setUint16(9, ((part.length << 3) | 1) & 0xffff, true);
    view.setUint8(11, (part.length << 3) >> 16);
    parts.push(head, part);
  }
  return Buffer.concat(parts);
}

describe('importing', () => {
  const raw = rawImage();
  const padded = Buffer.concat([raw, new Uint8Array(412)]);
  const packed = buildQcow2(qcow2).file;
  it.each<[string, Uint8Array, string, string | undefined, Buffer]>([
    ['a raw image', raw, 'raw', undefined, padded],
    ['a raw image in gzip', gzipSync(raw), 'raw', 'gzip', padded],
    ['a raw image in zstd', zstd(raw), 'raw', 'zstd', padded],
    ['a qcow2 image', packed, 'qcow2', undefined, Buffer.from(contentsOf(qcow2))],
    ['a qcow2 image in gzip', gzipSync(packed), 'qcow2', 'gzip', Buffer.from(contentsOf(qcow2))],
  ])('%s, from any place and as a stream', async (_, file, format, compression, expected) => {
    for (const [name, input] of [
      ['a/source', memorySource(file)],
      ['a/stream', pieces(file)],
    ] as const) {
      const result = await importDisk(pool, name, input, decoders);
      expect(result).toMatchObject({ format, compression });
      expect(result.volume.name).toBe(name);
      expect((await bytesOf(result.volume)).equals(expected)).toBe(true);
      const chunks = Array.from({ length: Math.ceil(expected.length / CHUNK_BYTES) }, (__, n) =>
        expected.subarray(n * CHUNK_BYTES, (n + 1) * CHUNK_BYTES).some((byte) => byte !== 0),
      );
      expect(pool.allocatedBytes(result.volume)).toBe(chunks.filter(Boolean).length * CHUNK_BYTES);
      await pool.remove(result.volume);
    }
    await expectNothing();
  });

  it('takes anything as raw when told so', async () => {
    const { volume } = await importDisk(pool, 'a/b', memorySource(packed), decoders, { format: 'raw' });
    expect((await bytesOf(volume)).equals(packed)).toBe(true);
  });

  const damaged = packed.slice();
  damaged[8 + 7] = 1;
  it.each<[string, Uint8Array, ImportOptions, string]>([
    ['nothing', new Uint8Array(0), {}, 'it is empty'],
    ['an empty gzip file', gzipSync(''), {}, 'it is empty'],
    ['a gzip file cut off', gzipSync(raw).subarray(0, -2000), {}, 'gzip stream is damaged or cut off'],
    ['a zstd file cut off', zstd(raw).subarray(0, -2000), {}, 'zstd stream is cut off'],
    ['a qcow2 image with a backing file', damaged, {}, 'backing file'],
    ['a qcow2 image cut off', packed.subarray(0, packed.length - 70_000), {}, 'cut off'],
    ['raw as qcow2', raw, { format: 'qcow2' }, 'not a qcow2 image'],
    ['bzip2', Uint8Array.from([0x42, 0x5a, 0x68, 0x39, 0x31]), {}, 'bzip2 compression is not supported'],
    ['VMDK', Uint8Array.from([0x4b, 0x44, 0x4d, 0x56, 1, 0, 0, 0]), {}, 'it is a VMDK file'],
  ])('%s is refused and leaves nothing', async (_, file, options, reason) => {
    for (const input of [memorySource(file), pieces(file)])
      await expect(importDisk(pool, 'a/b', input, decoders, options)).rejects.toThrow(reason);
    await expectNothing();
  });

  it('leaves nothing when it is called off, when its source fails and when there is no room', async () => {
    const callOff = (): never => {
      throw new Error('called off');
    };
    for (const input of [memorySource(raw), pieces(raw), memorySource(packed), pieces(gzipSync(packed))])
      await expect(importDisk(pool, 'a/b', input, decoders, { onProgress: callOff })).rejects.toThrow('called off');
    const failing = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      yield* pieces(raw.subarray(0, 5_000_000));
      throw new Error('the page was left');
    };
    await expect(importDisk(pool, 'a/b', failing(), decoders)).rejects.toThrow('the page was left');
    pool.whenFull = 'pause';
    store.refusal = new StorageError('ENOSPC', 'no room');
    const full = importDisk(pool, 'a/b', memorySource(raw), decoders);
    await expect(full).rejects.toMatchObject({ code: 'ENOSPC' });
    store.refusal = undefined;
    await removeUnfinishedTransfers(pool);
    await expectNothing();
    await importDisk(pool, 'a/b', memorySource(raw), decoders);
    await expect(importDisk(pool, 'a/b', memorySource(raw), decoders)).rejects.toMatchObject({ code: 'EEXIST' });
    await expectNothing(['a/b']);
  });

  it('leaves nothing of an import in which the tab dies, wherever that is', async () => {
    await importDisk(pool, 'a/b', pieces(gzipSync(raw)), decoders);
    const commits = store.commits.length;
    for (let left = 0; left < commits; left += 1) {
      const chunks = new MemoryChunkStore();
      const dying = new FaultyChunkStore(chunks);
      dying.commitsLeft = left;
      const doomed = await VolumePool.open(dying, { dirtyLimitBytes: 4 * CHUNK_BYTES });
      await importDisk(doomed, 'a/b', pieces(gzipSync(raw)), decoders).catch(() => undefined);
      const next = await VolumePool.open(chunks);
      await removeUnfinishedTransfers(next);
      expect(next.internalNames()).toEqual([]);
      const volume = next.volume('a/b');
      if (volume === undefined) expect(await chunks.chunkNumbers()).toEqual([]);
      else expect((await bytesOf(volume)).equals(padded)).toBe(true);
    }
  });
});

describe('exporting', () => {
  it('gives the disk as it was, whatever is written meanwhile, and leaves nothing', async () => {
    const raw = rawImage();
    const { volume } = await importDisk(pool, 'a/b', memorySource(raw), decoders);
    const before = await bytesOf(volume);
    for (const format of ['raw', 'qcow2'] as const) {
      const stream = exportDisk(pool, volume, format, () => undefined);
      const first = (await stream.next()).value!;
      await volume.write(100, new Uint8Array(512).fill(0x99));
      await volume.flush();
      const file = Buffer.concat([first, await joined(stream)]);
      await volume.write(100, before.subarray(51_200, 51_712));
      if (format === 'raw') expect(file.equals(before)).toBe(true);
      else {
        const reader = await Qcow2Reader.open(memorySource(file), decoders);
        const again = Buffer.alloc(reader.sizeBytes);
        await reader.read(0, again);
        expect(again.equals(before)).toBe(true);
      }
    }
    // Called off after the first piece.
    for await (const piece of exportDisk(pool, volume, 'raw', () => undefined)) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
    expect(pool.internalNames()).toEqual([]);
  });
});
