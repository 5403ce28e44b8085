/** A file as a disk: what is in its volume goes there directly, a file without one is given one when it is written. */
import { StorageError } from '../chunk-store.ts';
import { lengthOf, SECTOR_BYTES, type DiskImage } from '../disk-image.ts';
import type { Volume } from '../volume.ts';
import { readBytes } from './file-volumes.ts';

/** The file behind the disk. */
export interface DiskFile {
  sizeBytes(): number;
  /** The volume that holds its contents, if one does. */
  volume(): Volume | undefined;
  read(offset: number, into: Uint8Array): Promise<void>;
  /** Moves the contents into a volume that has room up to byte `end`. */
  makeVolume(end: number): Promise<Volume>;
  /** Only what the volume holds has changed. */
  written(): void;
  flush(): Promise<void>;
  /** Called when the number of whole sectors has changed; the function returned ends that. */
  onResize(listener: () => void): () => void;
}

export function fileDisk(readOnly: boolean, file: DiskFile): DiskImage {
  const check = (sector: number, bytes: number): void => {
    if (sector < 0 || !Number.isSafeInteger(sector) || sector * SECTOR_BYTES + bytes > file.sizeBytes())
      throw new RangeError(`${bytes} bytes at sector ${sector} are not within the file`);
  };
  const requireWritable = (): void => {
    if (readOnly) throw new StorageError('EROFS', 'the file is attached read-only');
  };
  /** The volume, if it reaches up to byte `end`. */
  const volumeUpTo = (end: number): Volume | undefined => {
    const volume = file.volume();
    return volume !== undefined && end <= volume.sizeBytes ? volume : undefined;
  };
  return {
    get sectors() {
      return Math.floor(file.sizeBytes() / SECTOR_BYTES);
    },
    readOnly,
    sectorBytes: 512,
    discardGranularity: 512,
    read: async (sector, into) => {
      check(sector, into.length);
      const volume = file.volume();
      if (volume === undefined) await file.read(sector * SECTOR_BYTES, into);
      else await readBytes(volume, sector * SECTOR_BYTES, into);
    },
    write: async (sector, from) => {
      requireWritable();
      check(sector, from.length);
      const end = sector * SECTOR_BYTES + from.length;
      await (volumeUpTo(end) ?? (await file.makeVolume(end))).write(sector, from);
      file.written();
    },
    ready: async (sector, bytes, forWriting) => {
      check(sector, bytes);
      if (forWriting) requireWritable();
      await volumeUpTo(sector * SECTOR_BYTES + bytes)?.ready(sector, bytes, forWriting);
    },
    readNow: (sector, pieces) => {
      const bytes = lengthOf(pieces);
      check(sector, bytes);
      return volumeUpTo(sector * SECTOR_BYTES + bytes)?.readNow(sector, pieces) ?? false;
    },
    writeNow: (sector, pieces) => {
      requireWritable();
      const bytes = lengthOf(pieces);
      check(sector, bytes);
      if (!(volumeUpTo(sector * SECTOR_BYTES + bytes)?.writeNow(sector, pieces) ?? false)) return false;
      file.written();
      return true;
    },
    flush: () => file.flush(),
    discard: (sector, count) => discard(sector, count),
    onResize: (listener) => file.onResize(listener),
  };

  async function discard(sector: number, count: number): Promise<void> {
    requireWritable();
    check(sector, count * SECTOR_BYTES);
    const volume = file.volume();
    if (volume === undefined) return;
    const last = Math.min(sector + count, volume.sectors);
    if (last > sector) await volume.discard(sector, last - sector);
    file.written();
  }
}
