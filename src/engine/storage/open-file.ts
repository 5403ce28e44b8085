/**
 * A file, device or disk that dom0's programs have open: bytes at offsets, never whole files. Errors are FileSystemErrors.
 */
import { SECTOR_BYTES, type DiskImage } from './disk-image.ts';
import type { BlockDeviceTable } from './block-devices.ts';
import { FileSystemError } from './file-system-error.ts';
import type { DeviceNumber, MountableFileSystem } from './mountable.ts';
import { NativeFileSystem } from './native/native-file-system.ts';
import { withFileErrors } from './file-status.ts';

export interface OpenFile {
  readonly path: string;
  /** undefined for what has no end: /dev/zero. */
  size(): Promise<number | undefined>;
  /** Bytes read: fewer than asked for only at the end. */
  read(offset: number, into: Uint8Array): Promise<number>;
  /** The first byte from `offset` on that may be other than zero, or the size: what lies before need not be read. */
  nextData(offset: number): number;
  /** All of it, or an error. */
  write(offset: number, from: Uint8Array): Promise<void>;
  truncate(sizeBytes: number): Promise<void>;
  /** Resolves when what was written is durable. */
  sync(): Promise<void>;
  close(): Promise<void>;
  /** As a disk of whole sectors; valid until it is closed. undefined for what cannot be one. */
  disk(readOnly: boolean): DiskImage | undefined;
}

export function openRegularFile(path: string, fileSystem: MountableFileSystem, inode: number): OpenFile {
  const guard = <T>(operation: string, body: () => Promise<T>): Promise<T> => withFileErrors(operation, path, body);
  fileSystem.hold(inode);
  let closed = false;
  const file: OpenFile = {
    path,
    size: () => guard('fstat', async () => (await fileSystem.stat(inode)).sizeBytes),
    read: (offset, into) => guard('read', () => fileSystem.read(inode, offset, into)),
    nextData: (offset) => (fileSystem instanceof NativeFileSystem ? fileSystem.nextData(inode, offset) : offset),
    write: (offset, from) =>
      guard('write', async () => {
        for (let done = 0; done < from.length;) {
          const count = await fileSystem.write(inode, offset + done, from.subarray(done));
          if (count <= 0) throw new FileSystemError('EIO', 'write', path);
          done += count;
        }
      }),
    truncate: (sizeBytes) => guard('ftruncate', () => fileSystem.truncate(inode, sizeBytes)),
    sync: () => guard('fsync', () => fileSystem.sync()),
    close: async () => {
      if (closed) return;
      closed = true;
      await guard('close', () => fileSystem.release(inode));
    },
    disk: (readOnly) =>
      fileSystem instanceof NativeFileSystem ? fileSystem.disk(inode, readOnly) : diskOfFile(file, fileSystem, inode, readOnly),
  };
  return file;
}

/** A file of another file system as a disk; its size is the one it has now. */
function diskOfFile(file: OpenFile, fileSystem: MountableFileSystem, inode: number, readOnly: boolean): DiskImage {
  let sectors = 0;
  const known = fileSystem.stat(inode).then(({ sizeBytes }) => {
    sectors = Math.floor(sizeBytes / SECTOR_BYTES);
  });
  known.catch(() => undefined);
  return {
    get sectors() {
      return sectors;
    },
    readOnly,
    sectorBytes: 512,
    discardGranularity: 0,
    read: async (sector, into) => {
      await known;
      into.fill(0, await file.read(sector * SECTOR_BYTES, into));
    },
    write: (sector, from) =>
      readOnly ? Promise.reject(new FileSystemError('EROFS', 'write', file.path)) : file.write(sector * SECTOR_BYTES, from),
    flush: () => file.sync(),
    discard: () => Promise.resolve(),
    onResize: () => () => undefined,
  };
}

/** A disk read and written at any byte. */
export function openDisk(path: string, image: DiskImage): OpenFile {
  const guard = <T>(operation: string, body: () => Promise<T>): Promise<T> => withFileErrors(operation, path, body);
  const size = (): number => image.sectors * SECTOR_BYTES;
  const unit = image.sectorBytes;
  const covering = (offset: number, length: number): { start: number; bytes: Uint8Array } => {
    const start = Math.floor(offset / unit) * unit;
    return { start, bytes: new Uint8Array(Math.ceil((offset + length) / unit) * unit - start) };
  };
  return {
    path,
    size: () => Promise.resolve(size()),
    nextData: (offset) => offset,
    read: (offset, into) =>
      guard('read', async () => {
        const length = Math.max(0, Math.min(into.length, size() - offset));
        if (length === 0) return 0;
        if (offset % unit === 0 && length % unit === 0) await image.read(offset / SECTOR_BYTES, into.subarray(0, length));
        else {
          const { start, bytes } = covering(offset, length);
          await image.read(start / SECTOR_BYTES, bytes);
          into.set(bytes.subarray(offset - start, offset - start + length));
        }
        return length;
      }),
    write: (offset, from) =>
      guard('write', async () => {
        if (image.readOnly) throw new FileSystemError('EROFS', 'write', path);
        if (offset + from.length > size()) throw new FileSystemError('ENOSPC', 'write', path);
        if (from.length === 0) return;
        if (offset % unit === 0 && from.length % unit === 0) {
          await image.write(offset / SECTOR_BYTES, from);
          return;
        }
        const { start, bytes } = covering(offset, from.length);
        await image.read(start / SECTOR_BYTES, bytes);
        bytes.set(from, offset - start);
        await image.write(start / SECTOR_BYTES, bytes);
      }),
    truncate: () => Promise.resolve(),
    sync: () => guard('fsync', () => image.flush()),
    close: () => Promise.resolve(),
    disk: () => image,
  };
}

export function openBlockDevice(path: string, device: DeviceNumber, table: BlockDeviceTable): OpenFile {
  const image = table.find(device)?.image;
  if (image === undefined) throw new FileSystemError('ENXIO', 'open', path);
  return openDisk(path, image);
}

/** null, zero, full, random and urandom; the terminals are nobody's file here. */
export function openCharacterDevice(path: string, { major, minor }: DeviceNumber, random: (bytes: Uint8Array) => void): OpenFile {
  const fill = major === 1 ? FILLS.get(minor) : undefined;
  if (fill === undefined) throw new FileSystemError('ENXIO', 'open', path);
  return {
    path,
    size: () => Promise.resolve(minor === NULL_MINOR ? 0 : undefined),
    nextData: (offset) => offset,
    read: (_offset, into) => Promise.resolve(fill(into, random)),
    write: () => (minor === FULL_MINOR ? Promise.reject(new FileSystemError('ENOSPC', 'write', path)) : Promise.resolve()),
    truncate: () => Promise.resolve(),
    sync: () => Promise.resolve(),
    close: () => Promise.resolve(),
    disk: () => undefined,
  };
}

const NULL_MINOR = 3;
const FULL_MINOR = 7;
const zeros = (into: Uint8Array): number => into.fill(0).length;
const randoms = (into: Uint8Array, random: (bytes: Uint8Array) => void): number => {
  random(into);
  return into.length;
};
const FILLS = new Map<number, (into: Uint8Array, random: (bytes: Uint8Array) => void) => number>([
  [NULL_MINOR, () => 0],
  [5, zeros],
  [FULL_MINOR, zeros],
  [8, randoms],
  [9, randoms],
]);
