/**
 * A qcow2 file as a disk that is read and written. A cluster that is written first gets its refcount, then its contents, then its
 * entry in the L2 table: what a killed tab leaves is a consistent image, in which at most some clusters are counted that nothing uses.
 *
 * One access at a time: a place in the file that a write has given up may be another's at once.
 */
import { StorageError } from '../../storage/chunk-store.ts';
import { SECTOR_BYTES, type DiskImage } from '../../storage/disk-image.ts';
import type { OpenFile } from '../../storage/open-file.ts';
import { ImageError } from '../image-error.ts';
import { COPIED, ENTRY_BYTES, H_AUTOCLEAR } from './layout.ts';
import { Qcow2Reader, tableEntry, type Cluster, type ClusterDecoders } from './reader.ts';
import { Refcounts, type WritableBytes } from './refcounts.ts';

/** The file below: grows by writes behind its end. */
export interface Qcow2File extends WritableBytes {
  flush(): Promise<void>;
}

export class Qcow2Disk implements DiskImage {
  readonly sectorBytes = 512;
  readonly discardGranularity: number;
  private tail: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly file: Qcow2File,
    private readonly reader: Qcow2Reader,
    /** undefined: read-only. */
    private readonly refcounts: Refcounts | undefined,
  ) {
    this.discardGranularity = refcounts === undefined ? 0 : reader.header.clusterBytes / SECTOR_BYTES;
  }

  /**
   * Checks all tables, and for writing all refcounts. ImageError when something is wrong, or the image cannot be written: it has
   * snapshots, was not closed properly, or has refcounts of another width than 16 bits.
   */
  static async open(file: Qcow2File, decoders: ClusterDecoders, readOnly: boolean): Promise<Qcow2Disk> {
    const reader = await Qcow2Reader.open(file, decoders);
    if (readOnly) {
      await reader.check();
      return new Qcow2Disk(file, reader, undefined);
    }
    const { header } = reader;
    if (header.corrupt) throw new ImageError('the qcow2 image is marked as corrupt: repair it with qemu-img check -r all');
    if (header.dirty)
      throw new ImageError('the qcow2 image was not closed by its last writer: repair it with qemu-img check -r all');
    if (header.snapshots > 0) throw new ImageError('the qcow2 image has snapshots: it can be read only, or convert it first');
    const refcounts = await Refcounts.read(file, header);
    const used = new Uint16Array(Math.ceil(file.sizeBytes / header.clusterBytes));
    const use = (cluster: number): void => {
      used[cluster] = Math.min(0xffff, (used[cluster] ?? 0) + 1);
    };
    await reader.check(use);
    for (const cluster of refcounts.blockClusters()) use(cluster);
    used.forEach((users, cluster) => {
      const counted = refcounts.count(cluster);
      if (counted < users)
        throw new ImageError(`the qcow2 image is damaged: cluster ${cluster} is used ${users} times and counted ${counted} times`);
    });
    // Whoever kept such extra data must know that it is out of date now.
    if (header.version === 3) await file.write(H_AUTOCLEAR, new Uint8Array(8));
    return new Qcow2Disk(file, reader, refcounts);
  }

  get sectors(): number {
    return this.reader.sizeBytes / SECTOR_BYTES;
  }

  get readOnly(): boolean {
    return this.refcounts === undefined;
  }

  read(sector: number, into: Uint8Array): Promise<void> {
    return this.inTurn(() => this.reader.read(sector * SECTOR_BYTES, into), sector, into.length);
  }

  write(sector: number, from: Uint8Array): Promise<void> {
    return this.changing((refcounts) => this.writeClusters(refcounts, sector, from), sector, from.length);
  }

  async flush(): Promise<void> {
    // What was called before has to be in the file first.
    await this.tail;
    await guarded(() => this.file.flush());
  }

  /** Whole clusters read as zeros afterwards, and their places are free for others. */
  discard(sector: number, count: number): Promise<void> {
    const { clusterBytes } = this.reader.header;
    return this.changing(
      async (refcounts) => {
        const first = Math.ceil((sector * SECTOR_BYTES) / clusterBytes);
        const end = (sector + count) * SECTOR_BYTES;
        const last = sector + count === this.sectors ? Math.ceil(end / clusterBytes) : Math.floor(end / clusterBytes);
        for (let index = first; index < last; index += 1) {
          const cluster = await this.reader.cluster(index);
          if (cluster.kind === 'absent') continue;
          await this.reader.setEntry(index, new Uint8Array(ENTRY_BYTES), this.file);
          await this.releaseCluster(refcounts, cluster);
        }
      },
      sector,
      count * SECTOR_BYTES,
    );
  }

  /** The image's size is its own. */
  onResize(): () => void {
    return () => undefined;
  }

  private changing(body: (refcounts: Refcounts) => Promise<void>, sector: number, bytes: number): Promise<void> {
    const { refcounts } = this;
    if (refcounts === undefined) return Promise.reject(new StorageError('EROFS', 'the qcow2 image is open for reading only'));
    return this.inTurn(() => body(refcounts), sector, bytes);
  }

  private inTurn(body: () => Promise<void>, sector: number, bytes: number): Promise<void> {
    this.checkRange(sector, bytes);
    const result = this.tail.then(() => guarded(body));
    this.tail = result.catch(() => undefined);
    return result;
  }

  private async writeClusters(refcounts: Refcounts, sector: number, from: Uint8Array): Promise<void> {
    const { clusterBytes } = this.reader.header;
    for (let done = 0; done < from.length;) {
      const at = sector * SECTOR_BYTES + done;
      const start = at % clusterBytes;
      const index = Math.floor(at / clusterBytes);
      const part = from.subarray(done, Math.min(from.length, done + clusterBytes - start));
      const cluster = await this.reader.cluster(index);
      // May lie in memory that a guest shares: the file gets bytes of its own.
      if (cluster.kind === 'data') await this.file.write(cluster.offset + start, part.slice());
      else await this.fill(refcounts, index, cluster, start, part);
      done += part.length;
    }
  }

  /** Gives a cluster of the disk a place in the file, with what it held and the part that is written. */
  private async fill(refcounts: Refcounts, index: number, cluster: Cluster, start: number, part: Uint8Array): Promise<void> {
    const { clusterBytes } = this.reader.header;
    const bytes = new Uint8Array(clusterBytes);
    if (cluster.kind === 'compressed') bytes.set(await this.reader.unpack(cluster));
    bytes.set(part, start);
    if (!(await this.reader.hasTable(index))) {
      const table = await refcounts.allocate();
      await this.reader.addTable(index, table * clusterBytes, this.file);
    }
    const reused = cluster.kind === 'zero' && cluster.offset !== 0;
    const offset = reused ? cluster.offset : (await refcounts.allocate()) * clusterBytes;
    await this.file.write(offset, bytes);
    await this.reader.setEntry(index, tableEntry(offset, COPIED), this.file);
    if (!reused) await this.releaseCluster(refcounts, cluster);
  }

  private async releaseCluster(refcounts: Refcounts, cluster: Cluster): Promise<void> {
    const { clusterBytes } = this.reader.header;
    if (cluster.kind === 'data' || (cluster.kind === 'zero' && cluster.offset !== 0))
      await refcounts.release(cluster.offset / clusterBytes);
    if (cluster.kind !== 'compressed') return;
    const last = Math.floor((cluster.offset + cluster.bytes - 1) / clusterBytes);
    for (let number = Math.floor(cluster.offset / clusterBytes); number <= last; number += 1) await refcounts.release(number);
  }

  private checkRange(sector: number, bytes: number): void {
    if (!Number.isSafeInteger(sector) || sector < 0 || bytes % SECTOR_BYTES !== 0 || sector + bytes / SECTOR_BYTES > this.sectors)
      throw new RangeError(`${bytes} bytes at sector ${sector} are not within the ${this.sectors} sectors of the qcow2 image`);
  }
}

/** The front end's errors are I/O errors; the log says what was wrong. */
async function guarded<T>(body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof ImageError) throw new StorageError('EIO', error.message, { cause: error });
    throw error;
  }
}

/** A file of domain 0 as the file below; what is written behind its end makes it longer. */
export async function qcow2FileOf(file: OpenFile): Promise<Qcow2File> {
  let sizeBytes = (await file.size()) ?? 0;
  return {
    get sizeBytes() {
      return sizeBytes;
    },
    read: async (offset, into) => {
      if ((await file.read(offset, into)) !== into.length) throw new ImageError(`${file.path} has become shorter`);
    },
    write: async (offset, bytes) => {
      await file.write(offset, bytes);
      sizeBytes = Math.max(sizeBytes, offset + bytes.length);
    },
    flush: () => file.sync(),
  };
}
