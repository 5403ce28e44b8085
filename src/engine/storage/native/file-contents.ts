/**
 * Contents of files: small ones as bytes in memory, larger ones in volumes, a small one that grows moves. Operations on one file
 * take effect one after the other.
 */
import { StorageError } from '../chunk-store.ts';
import { SECTOR_BYTES, type DiskImage } from '../disk-image.ts';
import { PosixError } from '../mountable.ts';
import type { Volume } from '../volume.ts';
import { fileDisk } from './file-disk.ts';
import { clearFrom, readBytes, writeBytes } from './file-volumes.ts';
import type { FileVolumes } from './file-volumes.ts';
import { INLINE_BYTES_MAX } from './node-record.ts';
import type { Contents, FetchProgress, FileNode } from './nodes.ts';

/** 1 TiB: the record of such a file's volume is still small. */
const FILE_BYTES_MAX = 2 ** 40;
const FULL = 'the files of domain 0 have no more room';

type VolumeContents = Extract<Contents, { kind: 'volume' }>;

export interface ContentsHost {
  /** Absent in a file system that lives in memory. */
  readonly volumes: FileVolumes | undefined;
  /** Bytes that files may hold in memory at most. */
  readonly memoryBytesMax: number;
  /** The file changed: its times are to be set, its record to be stored. */
  changed(node: FileNode): void;
  /** Only what its volume holds has changed. */
  written(node: FileNode): void;
  drop(volume: Volume): void;
  /** The file has contents of its own: from now on it is stored. */
  kept(node: FileNode): void;
  /** Resolves when the file's record and contents are durable. */
  flush(node: FileNode): Promise<void>;
}

export class FileContents {
  private memoryBytes = 0;
  /** Files that are disks of somebody who wants to know their size. */
  private readonly watched = new Map<FileNode, { sectors: number; readonly listeners: Set<() => void> }>();

  constructor(private readonly host: ContentsHost) {}

  /** Held in memory: small files, and larger ones on their way to the store. */
  get bytesInMemory(): number {
    return this.memoryBytes;
  }

  sizeOf({ contents }: FileNode): number {
    switch (contents.kind) {
      case 'bytes':
        return contents.bytes.length;
      case 'volume':
        return contents.sizeBytes;
      case 'lazy':
      case 'unmade':
        return contents.source.sizeBytes;
      case 'generated':
        return 0;
    }
  }

  allocatedBytes({ contents }: FileNode): number {
    if (contents.kind === 'volume') return this.host.volumes?.allocatedBytes(contents.volume) ?? 0;
    return contents.kind === 'bytes' ? contents.bytes.length : 0;
  }

  /** The file was read from the store, or goes. */
  count({ contents }: FileNode, sign: 1 | -1): void {
    if (contents.kind === 'bytes') this.memoryBytes += sign * contents.bytes.length;
  }

  async read(node: FileNode, offset: number, into: Uint8Array): Promise<number> {
    const contents = await this.ready(node);
    if (contents.kind !== 'volume') {
      const bytes = await this.wholeOf(contents);
      const part = bytes.subarray(Math.min(offset, bytes.length), Math.min(offset + into.length, bytes.length));
      into.set(part);
      return part.length;
    }
    const length = Math.max(0, Math.min(into.length, contents.sizeBytes - offset));
    await readBytes(contents.volume, offset, into.subarray(0, length));
    return length;
  }

  /** Counts the contents of a file that is to be made. ENOSPC. */
  take(bytes: Uint8Array): void {
    this.checkRoom(bytes.length);
    this.memoryBytes += bytes.length;
  }

  /** So many bytes left the memory for a volume. */
  moved(bytes: number): void {
    this.memoryBytes -= bytes;
  }

  /** The first byte from `offset` on that is not in a hole, or the size. */
  nextData({ contents }: FileNode, offset: number): number {
    if (contents.kind !== 'volume') return offset;
    return Math.max(offset, Math.min(contents.volume.nextData(offset), contents.sizeBytes));
  }

  /** A file of the site is fetched; `onProgress` is called only then. */
  async fetch(node: FileNode, onProgress: FetchProgress): Promise<Uint8Array | undefined> {
    return node.contents.kind === 'lazy' ? this.wholeOf(node.contents, onProgress) : undefined;
  }

  write(node: FileNode, offset: number, from: Uint8Array): Promise<number> {
    return this.inOrder(node, async () => {
      if (node.contents.kind === 'generated') {
        if (node.contents.source.write === undefined) throw new PosixError('EPERM', 'the file cannot be written');
        node.contents.source.write(from.slice());
        return from.length;
      }
      if (from.length === 0) return 0;
      const end = offset + from.length;
      if (this.inPlace(node, end)) {
        const bytes = this.bytesOf(node, end);
        bytes.set(from, offset);
      } else {
        const contents = await this.asVolume(node, offset);
        this.host.volumes?.reserve(contents.volume, end);
        await this.writeVolume(node, contents, offset, from);
      }
      this.changed(node);
      return from.length;
    });
  }

  truncate(node: FileNode, sizeBytes: number): Promise<void> {
    return this.inOrder(node, async () => {
      if (node.contents.kind === 'generated') {
        if (node.contents.source.write === undefined) throw new PosixError('EPERM', 'the file cannot be written');
        return;
      }
      if (sizeBytes === 0) this.put(node, new Uint8Array(0));
      else if (this.inPlace(node, sizeBytes)) {
        const bytes = this.bytesOf(node, sizeBytes);
        if (bytes.length > sizeBytes) this.put(node, bytes.slice(0, sizeBytes));
      } else {
        const contents = await this.asVolume(node, sizeBytes);
        if (sizeBytes < contents.sizeBytes || !contents.tailClean)
          await clearFrom(contents.volume, Math.min(sizeBytes, contents.sizeBytes));
        contents.tailClean = true;
        contents.sizeBytes = sizeBytes;
        this.host.written(node);
      }
      this.changed(node);
    });
  }

  /** All of the contents at once: a crash leaves those before or these. Takes the array over. */
  replace(node: FileNode, bytes: Uint8Array): Promise<void> {
    return this.inOrder(node, () => {
      if (node.contents.kind === 'generated') {
        if (node.contents.source.write === undefined) throw new PosixError('EPERM', 'the file cannot be written');
        node.contents.source.write(bytes);
        return Promise.resolve();
      }
      this.checkRoom(bytes.length - this.memoryBytesOf(node));
      this.put(node, bytes);
      this.changed(node);
      return Promise.resolve();
    });
  }

  /** Makes `to` hold what `from` holds, without copying what is large. */
  async copy(from: FileNode, to: FileNode): Promise<void> {
    const contents = await this.ready(from);
    if (contents.kind !== 'volume') {
      await this.replace(to, (await this.wholeOf(contents)).slice());
      return;
    }
    const { volumes } = this.host;
    if (volumes === undefined) throw new PosixError('ENOSPC', FULL);
    const { sizeBytes, tailClean } = contents;
    const volume = await volumes.clone(contents.volume);
    await this.inOrder(to, () => {
      this.leave(to);
      to.contents = { kind: 'volume', volume, sizeBytes, tailClean };
      this.host.kept(to);
      this.changed(to);
      return Promise.resolve();
    });
  }

  /** An ordinary file from now on, as if it had been written: for what is to outlive this boot under another name. */
  copyUp(node: FileNode): Promise<void> {
    return this.inOrder(node, () => this.fetched(node));
  }

  /** The file as a disk of whole sectors. */
  disk(node: FileNode, readOnly: boolean): DiskImage {
    return fileDisk(readOnly, {
      sizeBytes: () => this.sizeOf(node),
      volume: () => (node.contents.kind === 'volume' ? node.contents.volume : undefined),
      read: async (offset, into) => {
        await this.read(node, offset, into);
      },
      makeVolume: (end) =>
        this.inOrder(node, async () => {
          const { volume } = await this.asVolume(node, 0);
          this.host.volumes?.reserve(volume, end);
          return volume;
        }),
      written: () => {
        this.host.written(node);
      },
      flush: () => this.host.flush(node),
      onResize: (listener) => this.watchSize(node, listener),
    });
  }

  private watchSize(node: FileNode, listener: () => void): () => void {
    const watched = this.watched.get(node) ?? { sectors: this.sectorsOf(node), listeners: new Set() };
    this.watched.set(node, watched);
    // The same function may be given twice.
    const mine = (): void => {
      listener();
    };
    watched.listeners.add(mine);
    return () => {
      watched.listeners.delete(mine);
      if (watched.listeners.size === 0) this.watched.delete(node);
    };
  }

  private changed(node: FileNode): void {
    this.host.changed(node);
    const watched = this.watched.get(node);
    const sectors = this.sectorsOf(node);
    if (watched === undefined || watched.sectors === sectors) return;
    watched.sectors = sectors;
    for (const listener of watched.listeners) listener();
  }

  private sectorsOf(node: FileNode): number {
    return Math.floor(this.sizeOf(node) / SECTOR_BYTES);
  }

  /** The node is gone for good. */
  release(node: FileNode): void {
    this.leave(node);
  }

  private async writeVolume(node: FileNode, contents: VolumeContents, offset: number, from: Uint8Array): Promise<void> {
    if (offset + from.length > contents.sizeBytes && !contents.tailClean) {
      await clearFrom(contents.volume, contents.sizeBytes);
      contents.tailClean = true;
    }
    await writeBytes(contents.volume, offset, from);
    contents.sizeBytes = Math.max(contents.sizeBytes, offset + from.length);
    this.host.written(node);
  }

  /** Whether the file stays in memory when it has `end` bytes. */
  private inPlace({ contents }: FileNode, end: number): boolean {
    return (
      contents.kind === 'bytes' && (this.host.volumes === undefined || Math.max(end, contents.bytes.length) <= INLINE_BYTES_MAX)
    );
  }

  /** The bytes of a file in memory, `end` of them or more. */
  private bytesOf(node: FileNode, end: number): Uint8Array {
    if (node.contents.kind !== 'bytes') throw new TypeError('the file is not in memory');
    const { bytes } = node.contents;
    if (end <= bytes.length) return bytes;
    this.checkRoom(end - bytes.length);
    const grown = new Uint8Array(end);
    grown.set(bytes);
    this.put(node, grown);
    return grown;
  }

  private async asVolume(node: FileNode, end: number): Promise<VolumeContents> {
    if (end > FILE_BYTES_MAX) throw new PosixError('EFBIG', 'the file would be larger than 1 TiB');
    await this.fetched(node);
    const contents = await this.ready(node);
    if (contents.kind === 'volume') return contents;
    const { volumes } = this.host;
    if (contents.kind !== 'bytes' || volumes === undefined) throw new PosixError('ENOSPC', FULL);
    const { bytes } = contents;
    const volume = volumes.create(bytes.length);
    await writeBytes(volume, 0, bytes);
    // A commit that was under way has given the file a volume of its own.
    if (node.contents !== contents) {
      this.host.drop(volume);
      return this.asVolume(node, end);
    }
    this.leave(node);
    const large: VolumeContents = { kind: 'volume', volume, sizeBytes: bytes.length, tailClean: true };
    node.contents = large;
    this.host.written(node);
    this.changed(node);
    return large;
  }

  private async fetched(node: FileNode): Promise<void> {
    const { contents } = node;
    if (contents.kind === 'generated') throw new PosixError('EPERM', 'the file is made by the system');
    if (contents.kind === 'unmade') await this.ready(node);
    if (contents.kind !== 'lazy') return;
    const bytes = await this.wholeOf(contents);
    this.checkRoom(bytes.length);
    this.put(node, bytes.slice());
    this.changed(node);
  }

  /** The contents, once a disk that is still to be made is made. */
  private async ready(node: FileNode): Promise<Exclude<Contents, { kind: 'unmade' }>> {
    for (;;) {
      const { contents } = node;
      if (contents.kind !== 'unmade') return contents;
      contents.making ??= this.make(node, contents).catch((error: unknown) => {
        contents.making = undefined;
        throw error instanceof PosixError || error instanceof StorageError
          ? error
          : new PosixError('EIO', error instanceof Error ? error.message : String(error));
      });
      await contents.making;
    }
  }

  /** The file has its contents and is stored, in one commit with them, or is as it was. */
  private async make(node: FileNode, contents: Extract<Contents, { kind: 'unmade' }>): Promise<void> {
    const { volumes } = this.host;
    if (volumes === undefined) throw new PosixError('ENOSPC', FULL);
    const { source } = contents;
    const { sizeBytes } = source;
    const volume = 'base' in source ? await volumes.createFromBase(source.base) : volumes.create(sizeBytes);
    try {
      if ('make' in source)
        await source.make({
          sectors: Math.floor(sizeBytes / SECTOR_BYTES),
          readOnly: false,
          sectorBytes: 512,
          discardGranularity: volume.discardGranularity,
          read: (sector, into) => volume.read(sector, into),
          write: (sector, from) => volume.write(sector, from),
          // Nothing of it is to be durable before all of it is.
          flush: () => Promise.resolve(),
          discard: (sector, count) => volume.discard(sector, count),
          onResize: () => () => undefined,
        });
    } catch (error) {
      this.host.drop(volume);
      throw error;
    }
    if (node.contents !== contents) {
      this.host.drop(volume);
      return;
    }
    node.contents = { kind: 'volume', volume, sizeBytes, tailClean: true };
    this.host.kept(node);
    this.host.written(node);
    this.changed(node);
  }

  private async wholeOf(
    contents: Exclude<Contents, { kind: 'volume' | 'unmade' }>,
    onProgress: FetchProgress = () => undefined,
  ): Promise<Uint8Array> {
    if (contents.kind === 'bytes') return contents.bytes;
    if (contents.kind === 'generated') return contents.source.read();
    contents.fetching ??= contents.source.fetch(onProgress).catch((error: unknown) => {
      contents.fetching = undefined;
      throw new PosixError('EIO', error instanceof Error ? error.message : String(error));
    });
    return contents.fetching;
  }

  private put(node: FileNode, bytes: Uint8Array): void {
    this.leave(node);
    node.contents = { kind: 'bytes', bytes };
    this.memoryBytes += bytes.length;
    this.host.kept(node);
  }

  private leave(node: FileNode): void {
    if (node.contents.kind === 'volume') this.host.drop(node.contents.volume);
    this.count(node, -1);
  }

  private memoryBytesOf({ contents }: FileNode): number {
    return contents.kind === 'bytes' ? contents.bytes.length : 0;
  }

  private checkRoom(additionalBytes: number): void {
    if (additionalBytes > 0 && this.memoryBytes + additionalBytes > this.host.memoryBytesMax) throw new PosixError('ENOSPC', FULL);
  }

  /** What is in memory already is done at once, before this returns. */
  private inOrder<Result>(node: FileNode, body: () => Promise<Result>): Promise<Result> {
    // What throws rejects.
    const result =
      node.busy === undefined
        ? new Promise<Result>((resolve) => {
            resolve(body());
          })
        : node.busy.then(body);
    const settled = result.then(
      () => undefined,
      () => undefined,
    );
    node.busy = settled;
    void settled.then(() => {
      if (node.busy === settled) node.busy = undefined;
    });
    return result;
  }
}
