import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { crc32 } from '../crc32.ts';
import { MemoryChunkStore } from '../memory-chunk-store.ts';
import type { Volume } from '../volume.ts';
import { VolumePool } from '../volume-pool.ts';
import { PartitionImage } from './partition-image.ts';
import { placePartitions, readPartitionTable, writePartitionTable, type PartitionWish } from './partition-table.ts';

const MIB = 2048;
const SECTORS = 256 * MIB;

async function disk(): Promise<Volume> {
  return (await VolumePool.open(new MemoryChunkStore())).create('hda', SECTORS * 512);
}

const wish = (mebibytes: number | undefined, type = 0x83): PartitionWish => ({
  type,
  bootable: false,
  ...(mebibytes === undefined ? {} : { sectors: mebibytes * MIB }),
});

const SIX = [wish(20), wish(10, 0x82), wish(undefined, 0x05), wish(30), wish(40), wish(undefined, 0x8e)];

describe('a DOS partition table', () => {
  it('is what was written, logical partitions included', async () => {
    const volume = await disk();
    expect(await readPartitionTable(volume)).toBeUndefined();
    const placed = placePartitions(SIX, SECTORS);
    expect(placed.map(({ number }) => number)).toEqual([1, 2, 3, 5, 6, 7]);
    await writePartitionTable(volume, placed, 0x12345678);
    expect(await readPartitionTable(volume)).toEqual({ kind: 'dos', identifier: '0x12345678', partitions: placed });
  });

  it.each([
    ['too big', [wish(300)], 'does not fit'],
    ['five primary ones', [wish(1), wish(1), wish(1), wish(1), wish(1)], 'four primary'],
    ['two extended ones', [wish(50, 5), wish(50, 5)], 'one extended'],
    ['one on top of another', [wish(10), { ...wish(10), start: MIB * 5 }], 'does not fit'],
  ])('with %s is refused', (_name, wishes, reason) => {
    expect(() => placePartitions(wishes, SECTORS)).toThrow(reason);
  });

  it.skipIf(spawnSync('sfdisk', ['--version']).status !== 0)("is read by the host's sfdisk the same", async () => {
    const volume = await disk();
    const placed = placePartitions(SIX, SECTORS);
    await writePartitionTable(volume, placed, 0x12345678);
    const bytes = new Uint8Array(SECTORS * 512);
    await volume.read(0, bytes);
    const directory = mkdtempSync(join(tmpdir(), 'webxen-partitions-'));
    try {
      writeFileSync(join(directory, 'disk'), bytes);
      const { stdout } = spawnSync('sfdisk', ['-J', join(directory, 'disk')], { encoding: 'utf8' });
      const { partitiontable } = JSON.parse(stdout) as { partitiontable: { partitions: { start: number; size: number }[] } };
      expect(partitiontable.partitions.map(({ size, start }) => [start, size])).toEqual(
        placed.map(({ sectors, start }) => [start, sectors]),
      );
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('that points anywhere is read without harm', async () => {
    const volume = await disk();
    await writePartitionTable(volume, placePartitions(SIX, SECTORS), 1);
    const extended = placePartitions(SIX, SECTORS)[2]!;
    const sector = new Uint8Array(512);
    const view = new DataView(sector.buffer);
    await volume.read(extended.start, sector);
    // The next table of the chain is the first one again; the logical partition ends beyond the disk.
    view.setUint32(446 + 16 + 8, 0, true);
    view.setUint32(446 + 12, 0xffffffff, true);
    await volume.write(extended.start, sector);
    expect((await readPartitionTable(volume))?.partitions.map(({ number }) => number)).toEqual([1, 2, 3]);
  });
});

describe('a GUID partition table', () => {
  it('is read, from its copy when the first is damaged, and not at all with a wrong sum', async () => {
    const volume = await disk();
    const protective = new Uint8Array(512);
    const first = new DataView(protective.buffer);
    first.setUint16(510, 0xaa55, true);
    first.setUint8(450, 0xee);
    first.setUint32(454, 1, true);
    first.setUint32(458, SECTORS - 1, true);
    await volume.write(0, protective);
    const entries = new Uint8Array(4 * 512);
    const entry = new DataView(entries.buffer);
    entry.setUint32(0, 0x0fc63daf, true);
    for (let n = 0; n < 16; n += 1) entry.setUint8(16 + n, n + 1);
    entry.setBigUint64(32, 4096n, true);
    entry.setBigUint64(40, 8191n, true);
    [...'root'].forEach((letter, n) => entry.setUint16(56 + n * 2, letter.charCodeAt(0), true));
    const header = (entriesAt: number): Uint8Array => {
      const bytes = new Uint8Array(512);
      const view = new DataView(bytes.buffer);
      bytes.set(new TextEncoder().encode('EFI PART'));
      view.setUint32(12, 92, true);
      view.setBigUint64(72, BigInt(entriesAt), true);
      view.setUint32(80, 16, true);
      view.setUint32(84, 128, true);
      view.setUint32(16, crc32(bytes.subarray(0, 92)), true);
      return bytes;
    };
    const guid = '04030201-0605-0807-090A-0B0C0D0E0F10';
    const expected = [{ number: 1, start: 4096, sectors: 4096, type: 0xee, bootable: false, name: 'root', guid }];
    await volume.write(2, entries);
    await volume.write(1, header(2));
    await volume.write(SECTORS - 5, entries);
    await volume.write(SECTORS - 1, header(SECTORS - 5));
    expect((await readPartitionTable(volume))?.partitions).toEqual(expected);
    await volume.write(1, new Uint8Array(512).fill(0x45));
    expect(await readPartitionTable(volume)).toMatchObject({ kind: 'gpt', partitions: expected });
    const spoilt = header(SECTORS - 5);
    spoilt[60] = 1;
    await volume.write(SECTORS - 1, spoilt);
    expect((await readPartitionTable(volume))?.kind).toBe('dos');
  });
});

describe('a partition', () => {
  it('reaches its own sectors only', async () => {
    const volume = await disk();
    const partition = new PartitionImage(volume, 100, 10);
    await partition.write(9, new Uint8Array(512).fill(7));
    const bytes = new Uint8Array(512);
    await volume.read(109, bytes);
    expect(bytes[0]).toBe(7);
    for (const sector of [-1, 10, 0.5]) {
      await expect(partition.read(sector, bytes)).rejects.toThrow(RangeError);
      await expect(partition.write(sector, bytes)).rejects.toThrow(RangeError);
      await expect(partition.discard(sector, 1)).rejects.toThrow(RangeError);
      expect(() => partition.writeNow(sector, [bytes])).toThrow(RangeError);
    }
    expect(partition.readNow(9, [bytes])).toBe(true);
    await expect(new PartitionImage(volume, SECTORS - 1, 10).read(5, bytes)).rejects.toMatchObject({ code: 'EIO' });
  });
});
