/**
 * A disk in a file of domain 0. The file is read when the disk is attached; what the guest writes goes back into it when the
 * guest flushes and when the disk is let go, as a whole: meant for images of some dozens of MiB, larger ones are volumes.
 */
import { StorageError } from '../../storage/chunk-store.ts';
import { SECTOR_BYTES, type DiskImage } from '../../storage/disk-image.ts';
import type { FileSystem } from '../../storage/file-system.ts';
import { messageOf } from '../xend-error.ts';

export class FileDisk implements DiskImage {
  readonly sectorBytes = 512;
  readonly discardGranularity = 0;
  private changed = false;

  private constructor(
    private readonly files: FileSystem,
    private readonly path: string,
    private readonly contents: Uint8Array,
    readonly readOnly: boolean,
  ) {}

  static async open(files: FileSystem, path: string, readOnly: boolean): Promise<FileDisk> {
    const contents = await files.readFile(path);
    return new FileDisk(files, path, readOnly ? contents : contents.slice(), readOnly);
  }

  get sectors(): number {
    return Math.floor(this.contents.length / SECTOR_BYTES);
  }

  read(sector: number, into: Uint8Array): Promise<void> {
    return this.within(sector, into.length, (at) => {
      into.set(this.contents.subarray(at, at + into.length));
    });
  }

  write(sector: number, from: Uint8Array): Promise<void> {
    if (this.readOnly) return Promise.reject(new StorageError('EROFS', `${this.path} is attached read-only`));
    return this.within(sector, from.length, (at) => {
      this.contents.set(from, at);
      this.changed = true;
    });
  }

  async flush(): Promise<void> {
    if (!this.changed) return;
    this.changed = false;
    try {
      this.files.writeFile(this.path, this.contents.slice(), this.files.stat(this.path).mode);
      await this.files.flush();
    } catch (cause) {
      this.changed = true;
      throw new StorageError('EIO', `${this.path} cannot be written: ${messageOf(cause)}`, { cause });
    }
  }

  discard(): Promise<void> {
    return Promise.resolve();
  }

  onResize(): () => void {
    return () => undefined;
  }

  private within(sector: number, bytes: number, body: (at: number) => void): Promise<void> {
    if (sector < 0 || sector + bytes / SECTOR_BYTES > this.sectors) {
      return Promise.reject(new RangeError(`${bytes} bytes at sector ${sector} are not within ${this.path}`));
    }
    body(sector * SECTOR_BYTES);
    return Promise.resolve();
  }
}
