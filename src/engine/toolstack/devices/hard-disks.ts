/**
 * The machine's hard disks, /dev/hda and /dev/sda: sparse volumes that no list of volumes shows, with partition tables. A new machine
 * gets both, partitioned, the last partition of sda marked for LVM; nothing else is written to them.
 */
import { SECTOR_BYTES, type DiskImage } from '../../storage/disk-image.ts';
import { PartitionImage } from '../../storage/partitions/partition-image.ts';
import {
  EXTENDED_TYPES,
  placePartitions,
  readPartitionTable,
  writePartitionTable,
  type PartitionTable,
  type PartitionWish,
} from '../../storage/partitions/partition-table.ts';
import type { Volume } from '../../storage/volume.ts';
import type { VolumePool } from '../../storage/volume-pool.ts';

const GIBIBYTE = 2 ** 30;
const LINUX = 0x83;
const SWAP = 0x82;
const EXTENDED = 0x05;
const LVM = 0x8e;

const wish = (gibibytes: number | undefined, type: number, bootable = false): PartitionWish => ({
  type,
  bootable,
  ...(gibibytes === undefined ? {} : { sectors: (gibibytes * GIBIBYTE) / SECTOR_BYTES }),
});

interface Model {
  readonly name: string;
  readonly major: number;
  readonly sizeBytes: number;
  readonly identifier: number;
  readonly partitions: readonly PartitionWish[];
}

const MODELS: readonly Model[] = [
  {
    name: 'hda',
    major: 3,
    sizeBytes: 16 * GIBIBYTE,
    identifier: 0x000a1b2c,
    partitions: [
      wish(2, LINUX, true),
      wish(1, SWAP),
      wish(4, LINUX),
      wish(undefined, EXTENDED),
      wish(4, LINUX),
      wish(undefined, LINUX),
    ],
  },
  {
    name: 'sda',
    major: 8,
    sizeBytes: 64 * GIBIBYTE,
    identifier: 0x000d4e5f,
    partitions: [
      ...[4, 4, 4].map((gibibytes) => wish(gibibytes, LINUX)),
      wish(undefined, EXTENDED),
      ...[2, 2, 2, 2, 2].map((gibibytes) => wish(gibibytes, LINUX)),
      wish(undefined, LVM),
    ],
  },
];

export interface HardDisk {
  /** "hda". */
  readonly name: string;
  readonly volume: Volume;
  readonly table: PartitionTable | undefined;
}

export interface DiskDevice {
  /** Below /dev. */
  readonly name: string;
  readonly device: { readonly major: number; readonly minor: number };
  readonly image: DiskImage;
}

export class HardDisks {
  private readonly tables = new Map<string, PartitionTable | undefined>();

  private constructor(private readonly pool: VolumePool) {}

  static async open(pool: VolumePool): Promise<HardDisks> {
    const disks = new HardDisks(pool);
    for (const { identifier, name, partitions, sizeBytes } of MODELS) {
      if (pool.volume(volumeName(name)) === undefined) {
        // Volume and table become durable together: a disk without a table is one that a user made so.
        const volume = pool.createUnstored(volumeName(name), sizeBytes);
        await writePartitionTable(volume, placePartitions(partitions, volume.sectors), identifier);
      }
      await disks.reread(name);
    }
    return disks;
  }

  list(): HardDisk[] {
    return MODELS.flatMap(({ name }) => {
      const volume = this.pool.volume(volumeName(name));
      return volume === undefined ? [] : [{ name, volume, table: this.tables.get(name) }];
    });
  }

  /** Looks at a disk's table again, after it was changed. A disk that cannot be read has no partitions. */
  async reread(name: string): Promise<void> {
    const volume = this.pool.volume(volumeName(name));
    this.tables.set(name, volume && (await readPartitionTable(volume).catch(() => undefined)));
  }

  /** Disks and partitions, without extended ones: those hold tables only. */
  entries(): DiskDevice[] {
    return this.list().flatMap(({ name, table, volume }) => {
      const major = MODELS.find((model) => model.name === name)?.major ?? 0;
      const whole: DiskDevice = { name, device: { major, minor: 0 }, image: volume };
      const parts = (table?.partitions ?? [])
        .filter(({ type }) => !EXTENDED_TYPES.includes(type))
        .map(({ number, sectors, start }): DiskDevice => {
          const image = new PartitionImage(volume, start, sectors);
          return { name: `${name}${number}`, device: { major, minor: number }, image };
        });
      return [whole, ...parts];
    });
  }

  /** "sda10" or "/dev/sda10". */
  find(designation: string): DiskDevice | undefined {
    const wanted = designation.replace(/^\/dev\//, '');
    return this.entries().find(({ name }) => name === wanted);
  }
}

const volumeName = (name: string): string => `.disk/${name}`;
