/** A partition as a disk of its own: the sectors of a disk from `start` on. */
import { StorageError } from '../chunk-store.ts';
import { SECTOR_BYTES, type DiskImage } from '../disk-image.ts';

export class PartitionImage implements DiskImage {
  readonly sectorBytes = 512;

  constructor(
    private readonly disk: DiskImage,
    private readonly start: number,
    readonly sectors: number,
  ) {}

  get readOnly(): boolean {
    return this.disk.readOnly;
  }

  /** Granules of the disk that cross the partition's ends are its neighbours' as well, and stay. */
  get discardGranularity(): number {
    return this.disk.discardGranularity;
  }

  async read(sector: number, into: Uint8Array): Promise<void> {
    await this.disk.read(this.placed(sector, into.length), into);
  }

  async write(sector: number, from: Uint8Array): Promise<void> {
    await this.disk.write(this.placed(sector, from.length), from);
  }

  async ready(sector: number, bytes: number, forWriting: boolean): Promise<void> {
    await this.disk.ready?.(this.placed(sector, bytes), bytes, forWriting);
  }

  readNow(sector: number, pieces: readonly Uint8Array[]): boolean {
    return this.disk.readNow?.(this.placed(sector, lengthOf(pieces)), pieces) ?? false;
  }

  writeNow(sector: number, pieces: readonly Uint8Array[]): boolean {
    return this.disk.writeNow?.(this.placed(sector, lengthOf(pieces)), pieces) ?? false;
  }

  flush(): Promise<void> {
    return this.disk.flush();
  }

  async discard(sector: number, count: number): Promise<void> {
    await this.disk.discard(this.placed(sector, count * SECTOR_BYTES), count);
  }

  onResize(): () => void {
    return () => undefined;
  }

  /** The sector of the disk, after a check that all of it is the partition's. */
  private placed(sector: number, bytes: number): number {
    if (!Number.isSafeInteger(sector) || sector < 0 || sector + bytes / SECTOR_BYTES > this.sectors)
      throw new RangeError(`${bytes} bytes at sector ${sector} are not within the partition's ${this.sectors} sectors`);
    if (this.start + sector + bytes / SECTOR_BYTES > this.disk.sectors)
      throw new StorageError('EIO', 'the partition reaches beyond the end of its disk');
    return this.start + sector;
  }
}

function lengthOf(pieces: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const piece of pieces) bytes += piece.length;
  return bytes;
}
