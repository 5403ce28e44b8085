/**
 * The machine's own file system: a tree of inodes held in memory, whose changes are written behind to the ChunkStore, with large
 * files in volumes of the pool. Without a store it lives in memory only (/proc, /dev, tmpfs).
 */
import type { DiskImage } from '../disk-image.ts';
import { PosixError } from '../mountable.ts';
import type {
  AttributeChanges,
  FileSystemStatus,
  InodeEntry,
  InodeStatus,
  MountableFileSystem,
  NewInode,
  PosixErrorCode,
} from '../mountable.ts';
import { utf8Length } from '../utf8.ts';
import type { VolumePool } from '../volume-pool.ts';
import { FileContents } from './file-contents.ts';
import { FileVolumes } from './file-volumes.ts';
import type { NodeRecord } from './node-record.ts';
import { NodeStore, ROOT_NUMBER } from './node-store.ts';
import { EVERYTHING, makeNode } from './nodes.ts';
import type { DirectoryNode, FetchProgress, FileNode, GeneratedFile, LazyDisk, LazyFile, Node, NodeBody } from './nodes.ts';

const NAME_BYTES_MAX = 255;
const BLOCK_BYTES = 4096;
const SECTOR_BYTES = 512;
const NS_PER_MS = 1_000_000n;
const DEFAULT_MEMORY_BYTES_MAX = 1024 * 1024 * 1024;

/** Bytes that the store has room for and uses, as far as the browser says. */
export interface StorageRoom {
  readonly totalBytes: number;
  readonly freeBytes: number;
}

export interface NativeFileSystemOptions {
  readonly type: string;
  /** Absent: nothing outlives the page. */
  readonly pool?: VolumePool;
  /** Milliseconds since 1970. */
  now(): number;
  /** Runs the callback a little later; used to gather changes into one commit. */
  defer?(callback: () => void): void;
  log?(line: string): void;
  /** Bytes of files that may wait in memory. */
  readonly memoryBytesMax?: number;
  room?(): Promise<StorageRoom>;
}

const SENTENCES: Partial<Record<PosixErrorCode, string>> = {
  EEXIST: 'there is an entry of that name already',
  EISDIR: 'it is a directory',
  ENOENT: 'there is no such entry',
  ENOTDIR: 'it is no directory',
  ENOTEMPTY: 'the directory is not empty',
  EINVAL: 'that cannot be',
  EPERM: 'that is not permitted',
};
const fail = (code: PosixErrorCode): PosixError => new PosixError(code, SENTENCES[code] ?? code);

export class NativeFileSystem implements MountableFileSystem {
  readonly type: string;
  readonly readOnly = false;
  readonly root = ROOT_NUMBER;
  private nodes = new Map<number, Node>();
  private nextNumber = ROOT_NUMBER + 1;
  private readonly contents: FileContents;
  private readonly store: NodeStore | undefined;
  private readonly volumes: FileVolumes | undefined;

  private constructor(private readonly options: NativeFileSystemOptions) {
    this.type = options.type;
    const { pool } = options;
    if (pool !== undefined) {
      this.volumes = new FileVolumes(pool);
      this.store = new NodeStore({
        pool,
        volumes: this.volumes,
        log: (line) => options.log?.(line),
        defer: (callback) => options.defer?.(callback),
        moved: (bytes) => {
          this.contents.moved(bytes);
        },
      });
    }
    this.contents = new FileContents({
      volumes: this.volumes,
      memoryBytesMax: options.memoryBytesMax ?? DEFAULT_MEMORY_BYTES_MAX,
      changed: (node) => {
        node.mtimeNs = this.now();
        this.changed(node);
      },
      written: (node) => {
        node.mtimeNs = this.now();
        this.store?.contentsWritten(node);
      },
      drop: (volume) => this.store?.drop(volume),
      kept: (node) => {
        this.settle(node);
      },
      flush: (node) =>
        node.contents.kind === 'volume' && this.store !== undefined
          ? this.store.flushContents(node, node.contents.volume)
          : this.sync(),
    });
    const now = this.now();
    const root = makeNode(
      ROOT_NUMBER,
      { mode: 0o755, uid: 0, gid: 0, atimeNs: now, mtimeNs: now, ctimeNs: now },
      { kind: 'directory' },
    );
    if (root.kind === 'directory') root.parent = root;
    root.names = 1;
    this.nodes.set(ROOT_NUMBER, root);
  }

  /**
   * Reads the store. `fresh` tells that it had never been used.
   * @param earlier asked only when nothing is stored: records that another store holds, to begin with
   */
  static async open(
    options: NativeFileSystemOptions,
    earlier?: () => Promise<ReadonlyMap<number, NodeRecord>>,
  ): Promise<{ fileSystem: NativeFileSystem; fresh: boolean }> {
    const fileSystem = new NativeFileSystem(options);
    const { store, volumes } = fileSystem;
    if (store === undefined) return { fileSystem, fresh: true };
    const stored = store.load();
    if (stored !== undefined) {
      fileSystem.adopt(stored.nodes);
      await volumes?.removeUnclaimed();
      return { fileSystem, fresh: false };
    }
    await volumes?.removeUnclaimed();
    const records = await earlier?.();
    if (records !== undefined && records.size > 0) {
      fileSystem.adopt(store.build(records).nodes);
      for (const node of fileSystem.nodes.values()) store.changed(node);
      await store.flush();
      return { fileSystem, fresh: false };
    }
    store.changed(fileSystem.node(ROOT_NUMBER));
    return { fileSystem, fresh: true };
  }

  /** Bytes of files in memory. */
  get bytesInMemory(): number {
    return this.contents.bytesInMemory;
  }

  // Looking

  lookup(directory: number, name: string): Promise<number | undefined> {
    return this.answer(() => this.lookupNow(directory, name));
  }

  lookupNow(directory: number, name: string): number | undefined {
    const node = this.directory(directory);
    if (name === '.') return node.number;
    if (name === '..') return (node.parent ?? node).number;
    return node.entries.get(name)?.number;
  }

  kindNow(inode: number): Node['kind'] {
    return this.node(inode).kind;
  }

  readDirectory(directory: number): Promise<readonly InodeEntry[]> {
    return this.answer(() => {
      const node = this.directory(directory);
      const entries: InodeEntry[] = [
        { name: '.', inode: node.number, kind: 'directory' },
        { name: '..', inode: (node.parent ?? node).number, kind: 'directory' },
      ];
      for (const [name, { number, kind }] of node.entries) entries.push({ name, inode: number, kind });
      return entries;
    });
  }

  stat(inode: number): Promise<InodeStatus> {
    return this.answer(() => {
      const node = this.node(inode);
      const { mode, uid, gid, atimeNs, mtimeNs, ctimeNs } = node;
      return {
        inode,
        kind: node.kind,
        mode,
        uid,
        gid,
        links: node.kind === 'directory' ? 2 + subdirectories(node) : node.names,
        sizeBytes: this.sizeOf(node),
        blocks: node.kind === 'file' ? this.blocksOf(this.contents.allocatedBytes(node)) : node.kind === 'directory' ? 8 : 0,
        blockBytes: BLOCK_BYTES,
        device: 'device' in node ? node.device : { major: 0, minor: 0 },
        atimeNs,
        mtimeNs,
        ctimeNs,
      };
    });
  }

  readLink(inode: number): Promise<string> {
    return this.answer(() => {
      const node = this.node(inode);
      if (node.kind !== 'symlink') throw fail('EINVAL');
      return node.target;
    });
  }

  async read(inode: number, offset: number, into: Uint8Array): Promise<number> {
    const node = this.file(inode);
    node.atimeNs = this.now();
    return this.contents.read(node, offset, into);
  }

  /** All bytes of a file that the site keeps, fetched if need be; undefined for other files. */
  async fetch(inode: number, onProgress: FetchProgress): Promise<Uint8Array | undefined> {
    return this.contents.fetch(this.file(inode), onProgress);
  }

  /** The first byte of a file from `offset` on that is not in a hole, or its size. */
  nextData(inode: number, offset: number): number {
    return this.contents.nextData(this.file(inode), offset);
  }

  // Changing

  async write(inode: number, offset: number, from: Uint8Array): Promise<number> {
    return this.contents.write(this.file(inode), offset, from);
  }

  async truncate(inode: number, sizeBytes: number): Promise<void> {
    await this.contents.truncate(this.file(inode), sizeBytes);
  }

  /** All of the contents in one step. Takes the array over. */
  async replace(inode: number, bytes: Uint8Array): Promise<void> {
    await this.contents.replace(this.file(inode), bytes);
  }

  /** `to` holds what `from` holds; large contents are shared until one of the two is written. */
  async copyContents(from: number, to: number): Promise<void> {
    await this.contents.copy(this.file(from), this.file(to));
  }

  /** The file as a disk of whole sectors; hold it while it is in use. */
  disk(inode: number, readOnly: boolean): DiskImage {
    return this.contents.disk(this.file(inode), readOnly);
  }

  async setAttributes(inode: number, changes: AttributeChanges): Promise<void> {
    const node = this.node(inode);
    if (node.kind === 'file' && (node.contents.kind === 'lazy' || node.contents.kind === 'unmade'))
      await this.contents.copyUp(node);
    if (changes.mode !== undefined) node.mode = changes.mode & 0o7777;
    if (changes.uid !== undefined) node.uid = changes.uid;
    if (changes.gid !== undefined) node.gid = changes.gid;
    if (changes.atimeNs !== undefined) node.atimeNs = changes.atimeNs;
    if (changes.mtimeNs !== undefined) node.mtimeNs = changes.mtimeNs;
    if (node.kind !== 'file') this.settle(node);
    this.changed(node);
  }

  create(directory: number, name: string, node: NewInode): Promise<number> {
    return this.answer(() => {
      const { mode, uid, gid } = node;
      return this.add(directory, name, bodyOf(node), { mode, uid, gid }).number;
    });
  }

  /** A new file that is never seen without its contents. Takes the array over. */
  createFile(directory: number, name: string, mode: number, bytes: Uint8Array): Promise<number> {
    return this.answer(() => {
      this.checkNew(this.directory(directory), name);
      this.contents.take(bytes);
      const body: NodeBody = { kind: 'file', contents: { kind: 'bytes', bytes } };
      return this.add(directory, name, body, { mode, uid: 0, gid: 0 }).number;
    });
  }

  async link(inode: number, directory: number, name: string): Promise<void> {
    const node = this.node(inode);
    if (node.kind === 'directory') throw fail('EPERM');
    await this.keep(node);
    const parent = this.directory(directory);
    this.checkNew(parent, name);
    this.enter(parent, name, node);
  }

  unlink(directory: number, name: string): Promise<void> {
    return this.answer(() => {
      const parent = this.directory(directory);
      const node = this.entry(parent, name);
      if (node.kind === 'directory') throw fail('EISDIR');
      this.leave(parent, name, node);
    });
  }

  rmdir(directory: number, name: string): Promise<void> {
    return this.answer(() => {
      const parent = this.directory(directory);
      const node = this.entry(parent, name);
      if (node.kind !== 'directory') throw fail('ENOTDIR');
      if (node.entries.size > 0) throw fail('ENOTEMPTY');
      this.leave(parent, name, node);
    });
  }

  async rename(
    fromDirectory: number,
    fromName: string,
    toDirectory: number,
    toName: string,
    { noReplace = false }: { readonly noReplace?: boolean } = {},
  ): Promise<void> {
    await this.keep(this.entry(this.directory(fromDirectory), fromName));
    const from = this.directory(fromDirectory);
    const to = this.directory(toDirectory);
    const node = this.entry(from, fromName);
    const target = to.entries.get(toName);
    if (target === node) return;
    if (node.kind === 'directory' && isWithin(to, node)) throw fail('EINVAL');
    if (target === undefined) this.checkNew(to, toName);
    else {
      if (noReplace) throw fail('EEXIST');
      if (target.kind === 'directory' && node.kind !== 'directory') throw fail('EISDIR');
      if (target.kind !== 'directory' && node.kind === 'directory') throw fail('ENOTDIR');
      if (target.kind === 'directory' && target.entries.size > 0) throw fail('ENOTEMPTY');
      this.leave(to, toName, target);
    }
    this.enter(to, toName, node);
    this.leave(from, fromName, node);
  }

  hold(inode: number): void {
    this.node(inode).holds += 1;
  }

  release(inode: number): Promise<void> {
    return this.answer(() => {
      const node = this.node(inode);
      node.holds -= 1;
      this.freeIfUnused(node);
    });
  }

  // Made at every boot

  /** A file fetched on first use, unless something stands there already or was removed. */
  addLazy(directory: number, name: string, source: LazyFile, mode = 0o644, mtimeNs?: bigint): void {
    this.addTransient(directory, name, { kind: 'file', contents: { kind: 'lazy', source, fetching: undefined } }, mode, mtimeNs);
  }

  /** A disk made on first use, in the same way. */
  addLazyDisk(directory: number, name: string, source: LazyDisk, mode: number): void {
    this.addTransient(directory, name, { kind: 'file', contents: { kind: 'unmade', source, making: undefined } }, mode);
  }

  addGenerated(directory: number, name: string, source: GeneratedFile): void {
    const mode = source.write === undefined ? 0o444 : 0o644;
    this.addTransient(directory, name, { kind: 'file', contents: { kind: 'generated', source } }, mode);
  }

  /** A directory, a symbolic link or a device that is there at every boot. */
  addTransient(directory: number, name: string, body: NodeBody, mode: number, mtimeNs?: bigint): void {
    const parent = this.directory(directory);
    parent.offered.add(name);
    if (parent.entries.has(name) || parent.hidden.has(name) || parent.hidden.has(EVERYTHING)) return;
    const before = parent.mtimeNs;
    const node = this.add(directory, name, body, { mode, uid: 0, gid: 0 }, true);
    node.home = parent;
    if (mtimeNs !== undefined) node.mtimeNs = mtimeNs;
    parent.mtimeNs = before;
  }

  /** Takes such an entry away again, until it is added anew. False when there is none, or it is a directory with entries. */
  removeTransient(directory: number, name: string): boolean {
    const parent = this.directory(directory);
    const node = parent.entries.get(name);
    if (node?.transient !== true || (node.kind === 'directory' && node.entries.size > 0)) return false;
    this.leave(parent, name, node);
    parent.hidden.delete(name);
    parent.offered.delete(name);
    return true;
  }

  // The whole

  async statfs(): Promise<FileSystemStatus> {
    const room = (await this.options.room?.()) ?? { totalBytes: 0, freeBytes: 0 };
    const free = Math.floor(room.freeBytes / BLOCK_BYTES);
    return {
      blockBytes: BLOCK_BYTES,
      blocks: Math.floor(room.totalBytes / BLOCK_BYTES),
      freeBlocks: free,
      availableBlocks: free,
      inodes: 0,
      freeInodes: 0,
      maxNameBytes: NAME_BYTES_MAX,
    };
  }

  async sync(): Promise<void> {
    await this.store?.flush();
  }

  async unmount(): Promise<void> {
    await this.sync();
  }

  private now(): bigint {
    return BigInt(Math.floor(this.options.now())) * NS_PER_MS;
  }

  /** A rejection where `body` throws, and done by the time this returns. */
  private answer<Result>(body: () => Result): Promise<Result> {
    return new Promise((resolve) => {
      resolve(body());
    });
  }

  private adopt(nodes: Map<number, Node>): void {
    this.nodes = nodes;
    for (const node of nodes.values()) {
      this.nextNumber = Math.max(this.nextNumber, node.number + 1);
      if (node.kind === 'file') this.contents.count(node, 1);
    }
  }

  private node(inode: number): Node {
    const node = this.nodes.get(inode);
    if (node === undefined) throw new PosixError('ENOENT', `inode ${inode} is not in use`);
    return node;
  }

  private directory(inode: number): DirectoryNode {
    const node = this.node(inode);
    if (node.kind !== 'directory') throw fail('ENOTDIR');
    return node;
  }

  private file(inode: number): FileNode {
    const node = this.node(inode);
    if (node.kind === 'file') return node;
    throw fail(node.kind === 'directory' ? 'EISDIR' : 'EINVAL');
  }

  private entry(parent: DirectoryNode, name: string): Node {
    if (name === '.' || name === '..') throw fail('EINVAL');
    const node = parent.entries.get(name);
    if (node === undefined) throw fail('ENOENT');
    return node;
  }

  private sizeOf(node: Node): number {
    if (node.kind === 'file') return this.contents.sizeOf(node);
    if (node.kind === 'symlink') return utf8Length(node.target);
    return node.kind === 'directory' ? BLOCK_BYTES : 0;
  }

  private blocksOf(bytes: number): number {
    return Math.ceil(bytes / BLOCK_BYTES) * (BLOCK_BYTES / SECTOR_BYTES);
  }

  private add(
    directory: number,
    name: string,
    body: NodeBody,
    owner: { readonly mode: number; readonly uid: number; readonly gid: number },
    transient = false,
  ): Node {
    const parent = this.directory(directory);
    this.checkNew(parent, name);
    const now = this.now();
    const attributes = { ...owner, mode: owner.mode & 0o7777, atimeNs: now, mtimeNs: now, ctimeNs: now };
    const node = makeNode(this.nextNumber, attributes, body, transient);
    this.nextNumber += 1;
    this.nodes.set(node.number, node);
    this.enter(parent, name, node);
    return node;
  }

  private checkNew(parent: DirectoryNode, name: string): void {
    if (name === '' || name.includes('/') || name.includes('\0')) throw fail('EINVAL');
    if (name === '.' || name === '..' || parent.entries.has(name)) throw fail('EEXIST');
    if (utf8Length(name) > NAME_BYTES_MAX) throw new PosixError('ENAMETOOLONG', 'a name has 255 bytes at most');
    if (parent.names === 0) throw fail('ENOENT');
  }

  private enter(parent: DirectoryNode, name: string, node: Node): void {
    parent.entries.set(name, node);
    parent.mtimeNs = this.now();
    node.names += 1;
    if (node.kind === 'directory') node.parent = parent;
    if (node.transient) return;
    parent.hidden.delete(name);
    if (node.kind === 'directory' && parent.offered.has(name)) node.hidden.add(EVERYTHING);
    this.settle(parent);
    this.changed(node);
    this.changed(parent);
  }

  /** Stored from now on, and so are the directories that lead to it. */
  private settle(node: Node): void {
    const { home } = node;
    if (!node.transient || this.store === undefined) return;
    node.transient = false;
    node.home = undefined;
    this.store.changed(node);
    if (home === undefined) return;
    this.settle(home);
    this.store.changed(home);
  }

  private leave(parent: DirectoryNode, name: string, node: Node): void {
    if (parent.entries.get(name) === node) parent.entries.delete(name);
    if (node.transient || parent.offered.has(name)) parent.hidden.add(name);
    this.settle(parent);
    parent.mtimeNs = this.now();
    this.changed(parent);
    node.names -= 1;
    this.changed(node);
    this.freeIfUnused(node);
  }

  private freeIfUnused(node: Node): void {
    if (node.names > 0) return;
    this.store?.forgotten(node);
    if (node.holds > 0) return;
    this.nodes.delete(node.number);
    if (node.kind === 'file') this.contents.release(node);
  }

  /** What is made at every boot becomes an ordinary entry, because it is to be found elsewhere too. */
  private async keep(node: Node): Promise<void> {
    // Moved as it is now, with all that is in it: what the next boot makes would stand at the old place.
    if (node.kind === 'directory') for (const entry of node.entries.values()) await this.keep(entry);
    if (!node.transient) return;
    if (node.kind === 'file') await this.contents.copyUp(node);
    else this.settle(node);
  }

  private changed(node: Node): void {
    node.ctimeNs = this.now();
    this.store?.changed(node);
  }
}

function bodyOf(node: NewInode): NodeBody {
  switch (node.kind) {
    case 'file':
      return { kind: 'file', contents: { kind: 'bytes', bytes: new Uint8Array(0) } };
    case 'directory':
    case 'fifo':
    case 'socket':
      return { kind: node.kind };
    case 'symlink':
      return { kind: 'symlink', target: node.target };
    case 'character-device':
    case 'block-device':
      return { kind: node.kind, device: node.device };
  }
}

function subdirectories(node: DirectoryNode): number {
  let count = 0;
  for (const entry of node.entries.values()) if (entry.kind === 'directory') count += 1;
  return count;
}

function isWithin(directory: DirectoryNode, ancestor: DirectoryNode): boolean {
  for (let at = directory; ; at = at.parent ?? at) {
    if (at === ancestor) return true;
    if (at.parent === undefined || at.parent === at) return false;
  }
}
