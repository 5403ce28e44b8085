/** Bytes at any place, and disks with holes: what images are read from and made of, whatever keeps them. */
import { SECTOR_BYTES, type DiskImage } from '../storage/disk-image.ts';
import type { OpenFile } from '../storage/open-file.ts';
import { ImageError } from './image-error.ts';

export interface ByteSource {
  readonly sizeBytes: number;
  /** Fills `into`; the caller stays within `sizeBytes`. */
  read(offset: number, into: Uint8Array): Promise<void>;
}

/** The contents of a disk. */
export interface SparseDisk {
  readonly sizeBytes: number;
  /** The first byte from `offset` on that may be other than zero; the size when there is none. */
  nextData(offset: number): Promise<number>;
  /** Fills `into`; the caller stays within `sizeBytes`. */
  read(offset: number, into: Uint8Array): Promise<void>;
}

/** Where the contents of a disk are written, from its start to its end; what is left out reads as zeros. */
export interface DiskTarget {
  write(offset: number, bytes: Uint8Array): Promise<void>;
}

/** As much of a file or device as it holds now. */
export async function sourceOfFile(file: OpenFile): Promise<ByteSource & Pick<SparseDisk, 'nextData'>> {
  const sizeBytes = await file.size();
  if (sizeBytes === undefined) throw new ImageError(`${file.path} has no end`);
  return {
    sizeBytes,
    nextData: (offset) => Promise.resolve(Math.min(file.nextData(offset), sizeBytes)),
    read: async (offset, into) => {
      if ((await file.read(offset, into)) !== into.length) throw new ImageError(`${file.path} has become shorter`);
    },
  };
}

/** A disk's bytes; reads at any place. */
export function sourceOfDisk(disk: DiskImage, sizeBytes = disk.sectors * SECTOR_BYTES): ByteSource {
  return {
    sizeBytes,
    read: async (offset, into) => {
      const first = Math.floor(offset / SECTOR_BYTES);
      const end = Math.ceil((offset + into.length) / SECTOR_BYTES);
      if (offset % SECTOR_BYTES === 0 && into.length % SECTOR_BYTES === 0) {
        await disk.read(first, into);
        return;
      }
      const sectors = new Uint8Array((end - first) * SECTOR_BYTES);
      await disk.read(first, sectors);
      const start = offset - first * SECTOR_BYTES;
      into.set(sectors.subarray(start, start + into.length));
    },
  };
}

/** The bytes of a file as those of a disk: whole sectors, the last one filled up with zeros. */
export function rawDisk(source: ByteSource & Partial<Pick<SparseDisk, 'nextData'>>): SparseDisk {
  const sizeBytes = Math.ceil(source.sizeBytes / SECTOR_BYTES) * SECTOR_BYTES;
  return {
    sizeBytes,
    nextData: async (offset) => {
      const next = source.nextData === undefined ? offset : await source.nextData(offset);
      return next >= source.sizeBytes ? sizeBytes : next;
    },
    read: async (offset, into) => {
      const present = Math.max(0, Math.min(into.length, source.sizeBytes - offset));
      into.fill(0, present);
      if (present > 0) await source.read(offset, into.subarray(0, present));
    },
  };
}

export function isZero(bytes: Uint8Array): boolean {
  if (bytes.byteOffset % 4 !== 0 || bytes.length % 4 !== 0) return bytes.every((byte) => byte === 0);
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  for (let n = 0; n < words.length; n += 1) if (words[n] !== 0) return false;
  return true;
}
