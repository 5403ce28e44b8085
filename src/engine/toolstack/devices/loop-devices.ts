/** /dev/loop0 and so on: files of domain 0 as block devices, for guests (`file:`), mounts and losetup. */
import type { BlockDeviceEntry } from '../../storage/block-devices.ts';
import { SECTOR_BYTES, type DiskImage } from '../../storage/disk-image.ts';
import type { FileSystem } from '../../storage/file-system.ts';
import { XendError } from '../xend-error.ts';

export const LOOP_MAJOR = 7;
export const DEFAULT_LOOP_DEVICES = 8;
/** As many as the driver of Linux 2.6 has at most. */
export const LOOP_DEVICES_MAX = 256;

export interface LoopDevice {
  readonly number: number;
  /** Of the file, without symbolic links. */
  readonly path: string;
  readonly inode: number;
  readonly fileSystem: number;
  readonly offsetBytes: number;
  readonly image: DiskImage;
  /** Set up for one use (a guest, a mount), whose end frees it. */
  readonly automatic: boolean;
}

interface Slot extends LoopDevice {
  users: number;
  close(): Promise<void>;
}

export interface LoopRequest {
  readonly readOnly?: boolean;
  readonly offsetBytes?: number;
  /** The first free one when absent. */
  readonly number?: number;
  readonly automatic?: boolean;
}

export class LoopDevices {
  private readonly slots = new Map<number, Slot>();

  constructor(
    private readonly files: FileSystem,
    readonly count = DEFAULT_LOOP_DEVICES,
  ) {}

  list(): LoopDevice[] {
    return [...this.slots.values()].sort((a, b) => a.number - b.number);
  }

  get(number: number): LoopDevice | undefined {
    return this.slots.get(number);
  }

  /** The lowest without a file; undefined when all are taken. */
  firstFree(): number | undefined {
    for (let number = 0; number < this.count; number += 1) if (!this.slots.has(number)) return number;
    return undefined;
  }

  /** FileSystemError when the file cannot be opened, XendError when there is no device for it. */
  async attach(path: string, request: LoopRequest = {}): Promise<LoopDevice> {
    const { readOnly = false, offsetBytes = 0, automatic = false } = request;
    const number = request.number ?? this.firstFree();
    if (number === undefined)
      throw new XendError(
        `Failed to find an unused loop device (there are ${this.count}; max_loop= in /etc/modprobe.conf makes more)`,
      );
    if (number >= this.count) throw new XendError(`there is no device /dev/loop${number}`);
    if (this.slots.has(number)) throw new XendError(`/dev/loop${number} has a file already`);
    // Taken before the first wait: two at a time must not get the same one.
    const reserved = { number } as Slot;
    this.slots.set(number, reserved);
    try {
      const realPath = await this.files.realPath(path);
      const status = await this.files.stat(realPath);
      const file = await this.files.open(realPath);
      const disk = file.disk(readOnly || (status.mode & 0o222) === 0);
      if (disk === undefined || status.kind !== 'file') {
        await file.close();
        throw new XendError(`${path} is not a file`);
      }
      const slot: Slot = {
        number,
        path: realPath,
        inode: status.inode,
        fileSystem: status.fileSystem,
        offsetBytes,
        image: offsetBytes === 0 ? disk : from(disk, offsetBytes),
        automatic,
        users: 0,
        close: () => file.close(),
      };
      this.slots.set(number, slot);
      return slot;
    } catch (error) {
      this.slots.delete(number);
      throw error;
    }
  }

  /** Somebody uses the device; it cannot be detached before the function returned is called. */
  use(device: LoopDevice): () => void {
    const slot = this.slots.get(device.number);
    if (slot === undefined) return () => undefined;
    slot.users += 1;
    return () => {
      slot.users -= 1;
    };
  }

  /** What was written is durable when it resolves. XendError when there is no such device or it is in use. */
  async detach(number: number): Promise<void> {
    const slot = this.slots.get(number);
    if (slot?.path === undefined) throw new XendError(`/dev/loop${number}: No such device or address`);
    if (slot.users > 0) throw new XendError(`/dev/loop${number}: Device or resource busy`);
    this.slots.delete(number);
    try {
      await slot.image.flush();
    } finally {
      await slot.close();
    }
  }

  /** For the table of devices. */
  *entries(): Iterable<BlockDeviceEntry> {
    for (let number = 0; number < this.count; number += 1) {
      yield { name: `loop${number}`, device: { major: LOOP_MAJOR, minor: number }, image: this.slots.get(number)?.image };
    }
  }
}

/** The part of a disk from a byte on, which must be a whole number of sectors. */
function from(disk: DiskImage, offsetBytes: number): DiskImage {
  const first = offsetBytes / SECTOR_BYTES;
  return {
    get sectors() {
      return Math.max(0, disk.sectors - first);
    },
    readOnly: disk.readOnly,
    sectorBytes: disk.sectorBytes,
    discardGranularity: first % Math.max(1, disk.discardGranularity) === 0 ? disk.discardGranularity : 0,
    read: (sector, into) => disk.read(sector + first, into),
    write: (sector, bytes) => disk.write(sector + first, bytes),
    ready: async (sector, bytes, forWriting) => {
      await disk.ready?.(sector + first, bytes, forWriting);
    },
    readNow: (sector, pieces) => disk.readNow?.(sector + first, pieces) ?? false,
    writeNow: (sector, pieces) => disk.writeNow?.(sector + first, pieces) ?? false,
    flush: () => disk.flush(),
    discard: (sector, count) => disk.discard(sector + first, count),
    onResize: (listener) => disk.onResize(listener),
  };
}
