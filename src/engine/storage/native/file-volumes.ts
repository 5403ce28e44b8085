/**
 * Volumes that hold the contents of large files: `.files/NUMBER` in the machine's pool, hidden from its lists of disks. A volume has
 * room for whole pages of the map, so that a file that grows seldom changes the volume's record; its size is in its inode.
 */
import type { BaseImage } from '../base-image.ts';
import { CHUNK_BYTES } from '../chunk-store.ts';
import { SECTOR_BYTES } from '../disk-image.ts';
import { PAGE_SPAN_BYTES } from '../map-page.ts';
import type { Volume } from '../volume.ts';
import type { VolumePool } from '../volume-pool.ts';

const PREFIX = '.files/';

export const numberOfVolume = (volume: Volume): number => Number(volume.name.slice(PREFIX.length));

export class FileVolumes {
  private nextNumber = 1;
  private unclaimed = new Map<number, Volume>();

  constructor(private readonly pool: VolumePool) {
    for (const name of pool.internalNames()) {
      const number = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length)) : NaN;
      const volume = pool.volume(name);
      if (!Number.isSafeInteger(number) || volume === undefined) continue;
      this.unclaimed.set(number, volume);
      this.nextNumber = Math.max(this.nextNumber, number + 1);
    }
  }

  /** The volume that a record names; each has one owner. */
  claim(number: number): Volume | undefined {
    const volume = this.unclaimed.get(number);
    this.unclaimed.delete(number);
    return volume;
  }

  /** Removes what no record named: a crash came between its making and the commit of its file, or before its removal. */
  async removeUnclaimed(): Promise<void> {
    const removed = [...this.unclaimed.values()];
    this.unclaimed = new Map();
    if (removed.length > 0) await this.pool.commit({ removed });
  }

  /** In the store with the first commit that it is part of. */
  create(sizeBytes: number): Volume {
    return this.pool.createUnstored(this.newName(), roomFor(sizeBytes));
  }

  /** In the store at once, as what no record names. */
  createFromBase(image: BaseImage): Promise<Volume> {
    return this.pool.createFromBase(this.newName(), image, roomFor(image.sizeBytes));
  }

  /** Makes room up to byte `end`. */
  reserve(volume: Volume, end: number): void {
    if (end > volume.sizeBytes) this.pool.growUnstored(volume, roomFor(end));
  }

  clone(source: Volume): Promise<Volume> {
    return this.pool.clone(source, this.newName());
  }

  allocatedBytes(volume: Volume): number {
    return this.pool.allocatedBytes(volume);
  }

  private newName(): string {
    const name = PREFIX + String(this.nextNumber);
    this.nextNumber += 1;
    return name;
  }
}

const roomFor = (sizeBytes: number): number => Math.max(1, Math.ceil(sizeBytes / PAGE_SPAN_BYTES)) * PAGE_SPAN_BYTES;

/** Reads bytes at any place; what lies behind the volume's end reads as zeros. */
export async function readBytes(volume: Volume, offset: number, into: Uint8Array): Promise<void> {
  const present = Math.max(0, Math.min(into.length, volume.sizeBytes - offset));
  if (present < into.length) into.fill(0, present);
  if (present === 0) return;
  const target = into.subarray(0, present);
  if (offset % SECTOR_BYTES === 0 && present % SECTOR_BYTES === 0) {
    await volume.read(offset / SECTOR_BYTES, target);
    return;
  }
  const first = Math.floor(offset / SECTOR_BYTES);
  const sectors = new Uint8Array(Math.ceil((offset + present) / SECTOR_BYTES) * SECTOR_BYTES - first * SECTOR_BYTES);
  await volume.read(first, sectors);
  target.set(sectors.subarray(offset - first * SECTOR_BYTES, offset - first * SECTOR_BYTES + present));
}

/** Writes bytes at any place within the volume. Not beside another write to the same sectors. */
export async function writeBytes(volume: Volume, offset: number, from: Uint8Array): Promise<void> {
  const head = Math.min(from.length, (SECTOR_BYTES - (offset % SECTOR_BYTES)) % SECTOR_BYTES);
  const whole = Math.floor((from.length - head) / SECTOR_BYTES) * SECTOR_BYTES;
  if (head > 0) await changeSector(volume, offset, from.subarray(0, head));
  if (whole > 0) await volume.write((offset + head) / SECTOR_BYTES, from.subarray(head, head + whole));
  if (head + whole < from.length) await changeSector(volume, offset + head + whole, from.subarray(head + whole));
}

async function changeSector(volume: Volume, offset: number, part: Uint8Array): Promise<void> {
  const sector = new Uint8Array(SECTOR_BYTES);
  const number = Math.floor(offset / SECTOR_BYTES);
  await volume.read(number, sector);
  sector.set(part, offset % SECTOR_BYTES);
  await volume.write(number, sector);
}

/** Nothing but zeros from byte `offset` on. */
export async function clearFrom(volume: Volume, offset: number): Promise<void> {
  if (offset >= volume.sizeBytes) return;
  const chunkEnd = Math.min(Math.ceil(offset / CHUNK_BYTES) * CHUNK_BYTES, volume.sizeBytes);
  if (chunkEnd > offset) await writeBytes(volume, offset, new Uint8Array(chunkEnd - offset));
  if (chunkEnd < volume.sizeBytes) await volume.discard(chunkEnd / SECTOR_BYTES, (volume.sizeBytes - chunkEnd) / SECTOR_BYTES);
}
