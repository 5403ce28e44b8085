import { beforeEach, describe, expect, it } from 'vitest';
import { noise, randomNumbers } from '../../codec/testing/patterns.ts';
import { SECTOR_BYTES } from '../../storage/disk-image.ts';
import { rawDisk } from '../byte-source.ts';
import { decoders, joined, memorySource } from '../testing/decoders.ts';
import { buildQcow2, contentsOf, type BuiltCluster } from '../testing/qcow2-builder.ts';
import { Qcow2Disk, type Qcow2File } from './disk.ts';
import { planQcow2, writeQcow2 } from './writer.ts';

/** A file in memory that remembers what was written to it. */
class MemoryFile implements Qcow2File {
  bytes: Uint8Array;
  readonly writes: { offset: number; bytes: Uint8Array }[] = [];
  flushes = 0;

  constructor(readonly start: Uint8Array) {
    this.bytes = start.slice();
  }

  get sizeBytes(): number {
    return this.bytes.length;
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    await memorySource(this.bytes).read(offset, into);
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    await Promise.resolve();
    this.writes.push({ offset, bytes: bytes.slice() });
    this.bytes = written(this.bytes, offset, bytes);
  }

  async flush(): Promise<void> {
    this.flushes += 1;
  }
}

function written(before: Uint8Array, offset: number, bytes: Uint8Array): Uint8Array {
  const after = offset + bytes.length > before.length ? new Uint8Array(offset + bytes.length) : before;
  if (after !== before) after.set(before);
  after.set(bytes, offset);
  return after;
}

async function empty(sizeBytes: number): Promise<Uint8Array> {
  const disk = rawDisk(memorySource(new Uint8Array(0)));
  const nothing = { ...disk, sizeBytes, nextData: async () => sizeBytes };
  return new Uint8Array(await joined(writeQcow2(nothing, await planQcow2(nothing, () => undefined))));
}

const open = (file: MemoryFile, readOnly = false): Promise<Qcow2Disk> => Qcow2Disk.open(file, decoders, readOnly);

async function contents(disk: Qcow2Disk): Promise<Buffer> {
  const bytes = new Uint8Array(disk.sectors * SECTOR_BYTES);
  await disk.read(0, bytes);
  return Buffer.from(bytes);
}

/** An image with clusters of each kind and right refcounts, in clusters of 4 KiB. */
function mixed(): { file: Uint8Array; disk: Uint8Array } {
  const clusterBits = 12;
  const clusters = new Map<number, BuiltCluster>();
  for (const index of [0, 3, 700, 701]) clusters.set(index, { kind: 'data', bytes: noise(4096, index + 1) });
  for (const index of [5, 6, 9, 702]) clusters.set(index, { kind: 'compressed', bytes: new Uint8Array(4096).fill(index) });
  clusters.set(7, { kind: 'zero' });
  clusters.set(8, { kind: 'zero', allocated: true });
  const image = { clusterBits, sizeBytes: 1200 * 4096, clusters };
  return { file: buildQcow2({ ...image, counted: true }).file, disk: contentsOf(image) };
}

describe('a qcow2 image that is written to', () => {
  let file: MemoryFile;
  beforeEach(async () => {
    file = new MemoryFile(await empty(3 * 1024 * 1024));
  });

  it('holds what was written, however its clusters were before', async () => {
    const { file: start, disk: before } = mixed();
    file = new MemoryFile(start);
    const disk = await open(file);
    const model = Buffer.from(before);
    const random = randomNumbers(5);
    for (let run = 0; run < 300; run += 1) {
      const sector = random() % 3 === 0 ? random() % 100 : random() % (disk.sectors - 64);
      const count = 1 + (random() % 40);
      if (random() % 4 === 0) {
        await disk.discard(sector, count);
        const [first, last] = [Math.ceil(sector / 8) * 4096, Math.floor((sector + count) / 8) * 4096];
        if (last > first) model.fill(0, first, last);
      } else {
        const bytes = noise(count * SECTOR_BYTES, run + 100);
        await disk.write(sector, bytes);
        model.set(bytes, sector * SECTOR_BYTES);
      }
    }
    expect((await contents(disk)).equals(model)).toBe(true);
    // Opening for writing checks every refcount.
    const again = await open(new MemoryFile(file.bytes));
    expect((await contents(again)).equals(model)).toBe(true);
  });

  it('is consistent wherever the tab dies, and holds every write that was over', async () => {
    const disk = await open(file);
    const model = Buffer.alloc(3 * 1024 * 1024);
    const states: { writes: number; model: Buffer; sector: number; bytes: Uint8Array }[] = [];
    const random = randomNumbers(6);
    for (let run = 0; run < 12; run += 1) {
      const sector = random() % (disk.sectors - 200);
      const bytes = noise((1 + (random() % 150)) * SECTOR_BYTES, run);
      await disk.write(sector, bytes);
      states.push({ writes: file.writes.length, model: Buffer.from(model), sector, bytes });
      model.set(bytes, sector * SECTOR_BYTES);
    }
    let image: Uint8Array = file.start.slice();
    for (const [n, { bytes, offset }] of file.writes.entries()) {
      const state = states.find(({ writes }) => writes > n)!;
      const left = await open(new MemoryFile(image));
      const found = await contents(left);
      const [from, to] = [state.sector * SECTOR_BYTES, state.sector * SECTOR_BYTES + state.bytes.length];
      expect(found.subarray(0, from).equals(state.model.subarray(0, from))).toBe(true);
      expect(found.subarray(to).equals(state.model.subarray(to))).toBe(true);
      image = written(image, offset, bytes);
    }
    expect((await contents(await open(new MemoryFile(image)))).equals(model)).toBe(true);
  });

  it('uses places again that were given up', async () => {
    const disk = await open(file);
    await disk.write(0, noise(1024 * 1024, 1));
    const { sizeBytes } = file;
    for (let run = 0; run < 5; run += 1) {
      await disk.discard(0, 2048);
      await disk.write(2048, noise(1024 * 1024, run));
      await disk.discard(2048, 2048);
      await disk.write(0, noise(1024 * 1024, run));
    }
    expect(file.sizeBytes).toBeLessThanOrEqual(sizeBytes + 65536);
    await disk.flush();
    expect(file.flushes).toBe(1);
  });

  it('grows its refcount blocks and their table', async () => {
    // Clusters of 512 bytes: a block counts 256 of them, a table's cluster names 64 blocks: 8 MiB.
    const sizeBytes = 12 * 1024 * 1024;
    file = new MemoryFile(buildQcow2({ clusterBits: 9, sizeBytes, clusters: new Map(), counted: true }).file);
    // A file that is its own buffer many times over would take long to copy.
    let room = new Uint8Array(32 * 1024 * 1024);
    let size = file.bytes.length;
    room.set(file.bytes);
    const quick: Qcow2File = {
      get sizeBytes() {
        return size;
      },
      read: async (offset, into) => into.set(room.subarray(offset, offset + into.length)),
      write: async (offset, bytes) => {
        room.set(bytes, offset);
        size = Math.max(size, offset + bytes.length);
      },
      flush: async () => undefined,
    };
    const disk = await Qcow2Disk.open(quick, decoders, false);
    const bytes = noise(sizeBytes, 8);
    for (let at = 0; at < sizeBytes; at += 1024 * 1024) await disk.write(at / SECTOR_BYTES, bytes.subarray(at, at + 1024 * 1024));
    room = room.slice(0, size);
    const again = await Qcow2Disk.open(quick, decoders, false);
    expect((await contents(again)).equals(bytes)).toBe(true);
  });

  it.each<[string, (view: DataView) => void, string]>([
    ['with snapshots', (view) => view.setUint32(60, 1), 'it can be read only'],
    ['that was not closed', (view) => view.setUint32(76, 1), 'not closed by its last writer'],
    ['that is marked as corrupt', (view) => view.setUint32(76, 2), 'marked as corrupt'],
    ['with refcounts of 8 bits', (view) => view.setUint32(96, 3), 'refcounts of 8 bits'],
    ['whose refcounts are too low', (view) => view.setUint16(2 * 65536, 0), 'is used 1 times and counted 0 times'],
    ['whose refcount block is outside', (view) => view.setUint32(65536 + 4, 0x7fff0000), 'refcount block at byte'],
  ])('is not written %s', async (_, change, reason) => {
    change(new DataView(file.bytes.buffer));
    await expect(open(file)).rejects.toMatchObject({ name: 'ImageError', message: expect.stringContaining(reason) as string });
    expect(file.writes).toEqual([]);
  });

  it('refuses writes where it is open for reading, and accesses beyond its end', async () => {
    const disk = await open(file, true);
    await expect(disk.write(0, new Uint8Array(512))).rejects.toMatchObject({ code: 'EROFS' });
    expect(() => disk.read(disk.sectors, new Uint8Array(512))).toThrow(RangeError);
    expect(file.writes).toEqual([]);
  });
});
