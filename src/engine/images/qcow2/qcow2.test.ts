import { describe, expect, it } from 'vitest';
import { noise, randomNumbers, repetitions } from '../../codec/testing/patterns.ts';
import { rawDisk, type SparseDisk } from '../byte-source.ts';
import { buildQcow2, contentsOf, type BuiltCluster, type BuiltImage } from '../testing/qcow2-builder.ts';
import { decoders, joined, memorySource } from '../testing/decoders.ts';
import { Qcow2Reader } from './reader.ts';
import { planQcow2, writeQcow2 } from './writer.ts';

const same = (left: Uint8Array, right: Uint8Array): boolean => Buffer.compare(left, right) === 0;

/** Some of each kind, in an order that is not the disk's, over several L2 tables where clusters are small. */
function mixed(version: 2 | 3, clusterBits: number): BuiltImage {
  const clusterBytes = 2 ** clusterBits;
  const clusters = new Map<number, BuiltCluster>();
  const count = clusterBits <= 12 ? 300 : 9;
  for (const index of [5, 0, 3, count - 1, 4, count - 2])
    clusters.set(index, { kind: index % 2 === 0 ? 'data' : 'compressed', bytes: repetitions(clusterBytes, index + 1) });
  if (version === 3) {
    clusters.set(1, { kind: 'zero' });
    clusters.set(6, { kind: 'zero', allocated: true });
  }
  return { version, clusterBits, sizeBytes: count * clusterBytes - (clusterBytes > 512 ? 512 : 0), clusters };
}

const open = (file: Uint8Array): Promise<Qcow2Reader> => Qcow2Reader.open(memorySource(file), decoders);

async function wholeOf(disk: SparseDisk): Promise<Uint8Array> {
  const bytes = new Uint8Array(disk.sizeBytes);
  await disk.read(0, bytes);
  return bytes;
}

describe('the qcow2 reader', () => {
  it.each([2, 3].flatMap((version) => [9, 10, 12, 16, 18, 21].map((bits) => [version as 2 | 3, bits] as const)))(
    'reads version %i with clusters of 2^%i bytes',
    async (version, clusterBits) => {
      const image = mixed(version, clusterBits);
      const reader = await open(buildQcow2(image).file);
      const expected = contentsOf(image);
      expect(reader.sizeBytes).toBe(expected.length);
      expect(await reader.check()).toMatchObject({ dataClusters: 3, compressedClusters: 3 });
      expect(same(await wholeOf(reader), expected)).toBe(true);
      const random = randomNumbers(clusterBits);
      for (let run = 0; run < 30; run += 1) {
        const at = random() % expected.length;
        const into = new Uint8Array(Math.min(random() % 300_000, expected.length - at));
        await reader.read(at, into);
        expect(same(into, expected.subarray(at, at + into.length))).toBe(true);
      }
      for (let at = 0; at < expected.length;) {
        const next = await reader.nextData(at);
        expect(expected.subarray(at, next).every((byte) => byte === 0)).toBe(true);
        at = next + 2 ** clusterBits;
      }
    },
  );

  it('reads clusters compressed with zstd', async () => {
    // A raw block in a frame of its own, with a single segment of two bytes of size.
    const pack = (bytes: Uint8Array): Uint8Array => {
      const frame = new Uint8Array(9 + bytes.length + 3);
      frame.set([0x28, 0xb5, 0x2f, 0xfd, 0x60, (bytes.length - 256) & 0xff, (bytes.length - 256) >> 8]);
      const block = (bytes.length << 3) | 1;
      frame.set([block & 0xff, (block >> 8) & 0xff, block >> 16], 7);
      frame.set(bytes, 10);
      return frame.subarray(0, 10 + bytes.length);
    };
    const image: BuiltImage = {
      clusterBits: 12,
      sizeBytes: 4096 * 4,
      clusters: new Map([[2, { kind: 'compressed', bytes: noise(4096, 3) }]]),
      pack,
      compressionType: 1,
    };
    const reader = await open(buildQcow2(image).file);
    expect(reader.header.compression).toBe('zstd');
    expect(same(await wholeOf(reader), contentsOf(image))).toBe(true);
  });

  const image = mixed(3, 12);
  const header = (change: (view: DataView) => void): Uint8Array => {
    const { file } = buildQcow2(image);
    change(new DataView(file.buffer));
    return file;
  };
  it.each<[string, Uint8Array, string]>([
    ['another magic', header((view) => view.setUint32(0, 1)), 'not a qcow2 image'],
    ['version 1', header((view) => view.setUint32(4, 1)), 'qcow image of version 1'],
    ['version 4', header((view) => view.setUint32(4, 4)), 'version 4'],
    ['a backing file', header((view) => view.setUint32(12, 200)), 'backing file'],
    ['encryption', header((view) => view.setUint32(32, 2)), 'encrypted'],
    ['an external data file', header((view) => view.setUint32(76, 4)), 'another file'],
    ['extended L2 entries', header((view) => view.setUint32(76, 16)), 'subclusters'],
    ['an unknown feature', header((view) => view.setUint32(72, 1)), 'not known'],
    ['a compression type without its feature', header((view) => view.setUint8(104, 1)), 'contradicts itself'],
    ['an unknown compression type', header((view) => (view.setUint32(76, 8), view.setUint8(104, 7))), 'compression type 7'],
    ['clusters of 256 bytes', header((view) => view.setUint32(20, 8)), 'clusters of 2^8'],
    ['clusters of 4 MiB', header((view) => view.setUint32(20, 22)), 'clusters of 2^22'],
    ['a disk of 2^60 bytes', header((view) => view.setUint32(24, 2 ** 28)), '1 PiB'],
    ['an L1 table that is too short', header((view) => view.setUint32(36, 0)), 'L1 table of 0 entries'],
    ['an L1 table that is too long', header((view) => view.setUint32(36, 2 ** 31)), 'L1 table of'],
    ['an L1 table outside', header((view) => view.setUint32(44, 2 ** 30)), 'beyond the end'],
    ['an L1 table between clusters', header((view) => view.setUint32(44, 512)), 'L1 table stands at byte 512'],
    ['no refcount table', header((view) => view.setUint32(56, 0)), 'refcount table of 0'],
    ['refcounts of 128 bits', header((view) => view.setUint32(96, 7)), 'refcounts of 2^7'],
    ['a header cut off', header(() => undefined).subarray(0, 80), 'cut off within its header'],
  ])('refuses %s', async (_, file, reason) => {
    await expect(open(file)).rejects.toMatchObject({ name: 'ImageError', message: expect.stringContaining(reason) as string });
  });

  const table = (change: (view: DataView, built: ReturnType<typeof buildQcow2>) => void): Uint8Array => {
    const built = buildQcow2(image);
    change(new DataView(built.file.buffer), built);
    return built.file;
  };
  it.each<[string, Uint8Array, string]>([
    ['an L2 table outside', table((view, { l1Offset }) => view.setUint32(l1Offset + 4, 2 ** 30)), 'L2 table at byte'],
    [
      'an L2 table in the header',
      table((view, { l1Offset }) => view.setUint32(l1Offset + 4, 512)),
      'stand for nothing|L2 table stands',
    ],
    ['an L2 table that is the L1 table', table((view, { l1Offset }) => view.setUint32(l1Offset + 4, l1Offset)), 'damaged'],
    ['a cluster outside', table((view, { tables }) => view.setUint32(tables.get(0)! + 4, 2 ** 30)), 'cluster at byte'],
    [
      'a cluster that is an L2 table',
      table((view, { tables }) => view.setUint32(tables.get(0)! + 4, tables.get(0)!)),
      'used twice',
    ],
    ['a compressed cluster outside', table((view, { tables }) => view.setUint32(tables.get(0)! + 5 * 8 + 4, 2 ** 31)), 'outside'],
    ['reserved bits', table((view, { tables }) => view.setUint8(tables.get(0)!, 0xa0)), 'stand for nothing'],
    ['a file cut off', table(() => undefined).subarray(0, -100), 'cut off|outside'],
  ])('finds %s', async (_, file, reason) => {
    const reader = await open(file);
    await expect(reader.check()).rejects.toMatchObject({ name: 'ImageError', message: expect.stringMatching(reason) as string });
  });

  it('never leaves a file or runs on, however it is damaged', async () => {
    const random = randomNumbers(77);
    const built = [9, 12, 16].map((bits) => buildQcow2(mixed(3, bits)));
    let opened = 0;
    let refused = 0;
    for (let run = 0; run < 1500; run += 1) {
      const { file, l1Offset, tables } = built[random() % built.length]!;
      const changed = file.slice(0, random() % 4 === 0 ? random() % file.length : file.length);
      const places = [0, 0, l1Offset, ...tables.values()];
      for (let count = 1 + (random() % 4); count > 0; count -= 1) {
        const at = places[random() % places.length]! + (random() % 112);
        if (at < changed.length) changed[at] = random() % 3 === 0 ? random() & 0xff : (changed[at] ?? 0) ^ (1 << (random() % 8));
      }
      const source = memorySource(changed);
      try {
        const reader = await Qcow2Reader.open(source, decoders);
        opened += 1;
        await reader.check();
        const size = Math.min(reader.sizeBytes, 4 * 1024 * 1024);
        const into = new Uint8Array(size);
        await reader.read(0, into);
        await reader.nextData(0);
      } catch (error) {
        expect(error, String(error)).toMatchObject({ name: 'ImageError' });
        refused += 1;
      }
      // Tables are read once, clusters once: nothing goes round in circles.
      expect(source.reads).toBeLessThan(20_000);
    }
    expect(opened).toBeGreaterThan(200);
    expect(refused).toBeGreaterThan(500);
  });
});

describe('the qcow2 writer', () => {
  const disk = (bytes: Uint8Array): SparseDisk => rawDisk(memorySource(bytes));

  it('writes a file that is the disk again, each of its clusters used once and counted once', async () => {
    const bytes = new Uint8Array(600 * 1024 * 1024 + 512);
    bytes.set(noise(200_000, 1), 70_000);
    bytes.set(noise(100, 2), 300 * 1024 * 1024);
    bytes.set(noise(1000, 3), bytes.length - 1000);
    const plan = await planQcow2(disk(bytes), () => undefined);
    const file = await joined(writeQcow2(disk(bytes), plan));
    expect(file).toHaveLength(plan.sizeBytes);
    // Header, refcount table and block, L1 table, two L2 tables; clusters of data.
    expect(file.length / 65536).toBe(6 + 4 + 1 + 2);
    const reader = await open(file);
    expect(await reader.check()).toEqual({ dataClusters: 7, compressedClusters: 0, endBytes: file.length });
    expect(same(await wholeOf(reader), bytes)).toBe(true);
    const view = new DataView(file.buffer, file.byteOffset, file.length);
    const table = Number(view.getBigUint64(48));
    const block = Number(view.getBigUint64(table));
    const counts = Array.from({ length: 32768 }, (_, n) => view.getUint16(block + n * 2));
    expect(counts.map((count, n) => (count === 1) === n < file.length / 65536 && count < 2)).not.toContain(false);
  });

  it('writes a disk without contents', async () => {
    const empty: SparseDisk = { ...disk(new Uint8Array(512)), sizeBytes: 2 ** 43, nextData: async () => 2 ** 43 };
    const plan = await planQcow2(empty, () => undefined);
    const reader = await open(await joined(writeQcow2(empty, plan)));
    expect(reader.sizeBytes).toBe(2 ** 43);
    expect(await reader.check()).toMatchObject({ dataClusters: 0 });
  });
});
