/**
 * The file system of domain 0: a tree of inodes held in memory, whose changes are written behind to a FileStore. Besides
 * ordinary files there are two kinds that are made at every boot and never stored: lazy files, whose bytes are fetched when
 * first read (kernels of the site under /boot), and generated files (/proc, /dev/null).
 *
 * Paths are absolute. Operations throw FileSystemError; all but reading are synchronous.
 */
import { FileSystemError } from './file-system-error.ts';
import type { FileErrorCode } from './file-system-error.ts';
import type { FileStore, StoredInode } from './file-store.ts';
import { resolvePath } from './path.ts';
import { utf8Length } from './utf8.ts';

const ROOT = 1;
const MAX_NAME_BYTES = 255;
const MAX_PATH_LENGTH = 4096;
const MAX_LINKS_FOLLOWED = 40;
export const DEFAULT_CAPACITY_BYTES = 1024 * 1024 * 1024;

/** Called with bytes so far and in all while a lazy file is being fetched. */
export type FetchProgress = (loadedBytes: number, totalBytes: number) => void;

export interface LazyFile {
  readonly sizeBytes: number;
  fetch(onProgress: FetchProgress): Promise<Uint8Array>;
}

export interface GeneratedFile {
  read(): Uint8Array;
  /** Absent: not writable. */
  write?(bytes: Uint8Array): void;
}

interface Common {
  readonly number: number;
  mode: number;
  mtimeMs: number;
  /** Directory entries that name it. */
  links: number;
}
type FileInode = Common & { kind: 'file'; bytes: Uint8Array };
type DirectoryInode = Common & { kind: 'directory'; entries: Map<string, Inode> };
type SymlinkInode = Common & { kind: 'symlink'; target: string };
type LazyInode = Common & { kind: 'lazy'; source: LazyFile; fetching: Promise<Uint8Array> | undefined };
type GeneratedInode = Common & { kind: 'generated'; source: GeneratedFile };
type Inode = FileInode | DirectoryInode | SymlinkInode | LazyInode | GeneratedInode;

export interface FileStatus {
  readonly inode: number;
  readonly kind: 'file' | 'directory' | 'symlink';
  readonly mode: number;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  readonly links: number;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'symlink';
}

export interface FileSystemOptions {
  readonly store: FileStore;
  /** Milliseconds since 1970. */
  now(): number;
  /** Runs the callback a little later; used to gather changes into one commit. */
  defer(callback: () => void): void;
  /** Told when a commit failed; the changes stay queued for the next one. */
  onStoreError?(error: unknown): void;
  readonly capacityBytes?: number;
}

interface Found {
  readonly parent: DirectoryInode;
  /** Empty for the root itself. */
  readonly name: string;
  readonly inode: Inode | undefined;
  /** Where it stands, without symbolic links. */
  readonly realPath: string;
}

export class FileSystem {
  private readonly _options: FileSystemOptions;
  private readonly _capacityBytes: number;
  private _root: DirectoryInode;
  private _nextNumber = ROOT + 1;
  private _usedBytes = 0;
  private readonly _dirty = new Map<number, Inode>();
  private readonly _removed = new Set<number>();
  private _commitDue = false;
  private _committing: Promise<void> | undefined;

  private constructor(options: FileSystemOptions) {
    this._options = options;
    this._capacityBytes = options.capacityBytes ?? DEFAULT_CAPACITY_BYTES;
    this._root = { number: ROOT, kind: 'directory', mode: 0o755, mtimeMs: options.now(), links: 1, entries: new Map() };
  }

  /** Reads the store. `fresh` tells that it had never been used. Records that no directory names are dropped. */
  static async open(options: FileSystemOptions): Promise<{ fileSystem: FileSystem; fresh: boolean }> {
    const fileSystem = new FileSystem(options);
    const stored = await options.store.load();
    if (stored.length === 0) fileSystem._touched(fileSystem._root);
    else fileSystem._rebuild(stored);
    return { fileSystem, fresh: stored.length === 0 };
  }

  get usedBytes(): number {
    return this._usedBytes;
  }

  get capacityBytes(): number {
    return this._capacityBytes;
  }

  async readFile(path: string): Promise<Uint8Array> {
    return this.readFileWithProgress(path, () => undefined);
  }

  /** As readFile; `onProgress` is called only when the file has to be fetched. */
  async readFileWithProgress(path: string, onProgress: FetchProgress): Promise<Uint8Array> {
    const inode = this._existing(path, 'open', true);
    switch (inode.kind) {
      case 'file':
        return inode.bytes;
      case 'generated':
        return inode.source.read();
      case 'lazy':
        inode.fetching ??= inode.source.fetch(onProgress).catch((error: unknown) => {
          inode.fetching = undefined;
          throw new FileSystemError('EIO', 'read', path, error instanceof Error ? error.message : String(error));
        });
        return inode.fetching;
      case 'directory':
        throw new FileSystemError('EISDIR', 'read', path);
      case 'symlink':
        throw new FileSystemError('ELOOP', 'open', path);
    }
  }

  /** Takes the array over: the caller must not change it afterwards. Symbolic links are followed. */
  writeFile(path: string, bytes: Uint8Array, mode = 0o644): void {
    const found = this._find(path, 'open', true);
    const inode = found.inode;
    if (inode === undefined) {
      this._checkRoom(bytes.length, path);
      this._link(found, this._newInode({ kind: 'file', bytes, mode }), 'open', path);
      this._usedBytes += bytes.length;
      return;
    }
    if (inode.kind === 'directory') throw new FileSystemError('EISDIR', 'open', path);
    if (inode.kind === 'generated') {
      if (inode.source.write === undefined) throw new FileSystemError('EPERM', 'open', path);
      inode.source.write(bytes);
      return;
    }
    if (inode.kind !== 'file') {
      // A kernel of the site overwritten: from now on an ordinary file.
      this._checkRoom(bytes.length, path);
      this._unlink(found.parent, found.name, inode);
      this._link(found, this._newInode({ kind: 'file', bytes, mode: inode.mode | 0o200 }), 'open', path);
      this._usedBytes += bytes.length;
      return;
    }
    this._checkRoom(bytes.length - inode.bytes.length, path);
    this._usedBytes += bytes.length - inode.bytes.length;
    inode.bytes = bytes;
    inode.mtimeMs = this._options.now();
    this._touched(inode);
  }

  appendFile(path: string, bytes: Uint8Array): void {
    const inode = this._find(path, 'open', true).inode;
    if (inode?.kind !== 'file') {
      if (inode?.kind === 'lazy') throw new FileSystemError('EPERM', 'open', path);
      this.writeFile(path, bytes);
      return;
    }
    const joined = new Uint8Array(inode.bytes.length + bytes.length);
    joined.set(inode.bytes);
    joined.set(bytes, inode.bytes.length);
    this.writeFile(path, joined);
  }

  exists(path: string): boolean {
    try {
      return this._find(path, 'access', true).inode !== undefined;
    } catch (error) {
      if (error instanceof FileSystemError) return false;
      throw error;
    }
  }

  stat(path: string): FileStatus {
    return statusOf(this._existing(path, 'stat', true));
  }

  lstat(path: string): FileStatus {
    return statusOf(this._existing(path, 'lstat', false));
  }

  /** Names in plain character order. */
  readDirectory(path: string): DirectoryEntry[] {
    const inode = this._existing(path, 'scandir', true);
    if (inode.kind !== 'directory') throw new FileSystemError('ENOTDIR', 'scandir', path);
    return [...inode.entries]
      .map(([name, entry]) => ({ name, kind: kindOf(entry) }))
      .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }

  makeDirectory(path: string, options: { recursive?: boolean; mode?: number } = {}): void {
    const found = this._find(path, 'mkdir', true, options.recursive === true);
    if (found.inode !== undefined) {
      if (options.recursive === true && found.inode.kind === 'directory') return;
      throw new FileSystemError('EEXIST', 'mkdir', path);
    }
    this._link(found, this._newInode({ kind: 'directory', entries: new Map(), mode: options.mode ?? 0o755 }), 'mkdir', path);
  }

  remove(path: string, options: { recursive?: boolean; force?: boolean } = {}): void {
    const found = this._find(path, 'rm', false);
    const inode = found.inode;
    if (inode === undefined) {
      if (options.force === true) return;
      throw new FileSystemError('ENOENT', 'rm', path);
    }
    if (inode === this._root) throw new FileSystemError('EBUSY', 'rm', path);
    if (inode.kind === 'directory' && inode.entries.size > 0 && options.recursive !== true)
      throw new FileSystemError('ENOTEMPTY', 'rm', path);
    this._unlink(found.parent, found.name, inode);
  }

  /** As rename(2): replaces a file or an empty directory of the same kind. A directory as target takes the source inside. */
  move(from: string, to: string): void {
    const source = this._find(from, 'mv', false);
    const inode = source.inode;
    if (inode === undefined) throw new FileSystemError('ENOENT', 'mv', from);
    if (inode === this._root) throw new FileSystemError('EBUSY', 'mv', from);
    const target = this._find(to, 'mv', false);
    if (target.inode === inode) return;
    if (inode.kind === 'directory' && this._isInside(target.parent, inode)) throw new FileSystemError('EINVAL', 'mv', from);
    if (target.inode !== undefined) {
      if (target.inode.kind === 'directory' && inode.kind !== 'directory') throw new FileSystemError('EISDIR', 'mv', to);
      if (target.inode.kind !== 'directory' && inode.kind === 'directory') throw new FileSystemError('ENOTDIR', 'mv', to);
      if (target.inode.kind === 'directory' && target.inode.entries.size > 0) throw new FileSystemError('ENOTEMPTY', 'mv', to);
      this._unlink(target.parent, target.name, target.inode);
    }
    this._link(target, inode, 'mv', to);
    source.parent.entries.delete(source.name);
    inode.links--;
    this._touched(source.parent);
  }

  /** Copies a file (fetching a lazy one), or with `recursive` a directory. Symbolic links inside are copied as links. */
  async copy(from: string, to: string, options: { recursive?: boolean } = {}): Promise<void> {
    const inode = this._existing(from, 'cp', true);
    if (inode.kind !== 'directory') {
      const bytes = await this.readFile(from);
      this.writeFile(to, bytes.slice(), inode.mode | 0o200);
      return;
    }
    if (options.recursive !== true) throw new FileSystemError('EISDIR', 'cp', from);
    const source = resolvePath('/', from);
    const target = resolvePath('/', to);
    if (target === source || target.startsWith(`${source}/`)) throw new FileSystemError('EINVAL', 'cp', from);
    this.makeDirectory(target, { recursive: true, mode: inode.mode });
    for (const { name, kind } of this.readDirectory(source)) {
      if (kind === 'symlink') this.symlink(this.readLink(`${source}/${name}`), `${target}/${name}`);
      else await this.copy(`${source}/${name}`, `${target}/${name}`, options);
    }
  }

  changeMode(path: string, mode: number): void {
    const inode = this._existing(path, 'chmod', true);
    inode.mode = mode & 0o7777;
    this._touched(inode);
  }

  changeTimes(path: string, mtimeMs: number): void {
    const inode = this._existing(path, 'utimes', true);
    inode.mtimeMs = mtimeMs;
    this._touched(inode);
  }

  symlink(target: string, path: string): void {
    const found = this._find(path, 'symlink', false);
    if (found.inode !== undefined) throw new FileSystemError('EEXIST', 'symlink', path);
    if (target === '' || target.length > MAX_PATH_LENGTH) throw new FileSystemError('EINVAL', 'symlink', path);
    this._link(found, this._newInode({ kind: 'symlink', target, mode: 0o777 }), 'symlink', path);
  }

  link(existing: string, path: string): void {
    const inode = this._existing(existing, 'link', false);
    if (inode.kind === 'directory') throw new FileSystemError('EPERM', 'link', existing);
    const found = this._find(path, 'link', false);
    if (found.inode !== undefined) throw new FileSystemError('EEXIST', 'link', path);
    this._link(found, inode, 'link', path);
  }

  readLink(path: string): string {
    const inode = this._existing(path, 'readlink', false);
    if (inode.kind !== 'symlink') throw new FileSystemError('EINVAL', 'readlink', path);
    return inode.target;
  }

  realPath(path: string): string {
    const found = this._find(path, 'realpath', true);
    if (found.inode === undefined) throw new FileSystemError('ENOENT', 'realpath', path);
    return found.realPath;
  }

  /** Puts a file fetched on first use at `path`, unless something stored stands there already. Directories are made. */
  mountLazy(path: string, source: LazyFile): void {
    this._mount(path, { kind: 'lazy', source, fetching: undefined, mode: 0o644 });
  }

  mountGenerated(path: string, source: GeneratedFile): void {
    this._mount(path, { kind: 'generated', source, mode: source.write === undefined ? 0o444 : 0o666 });
  }

  /** Resolves when every change made so far is durable. */
  async flush(): Promise<void> {
    while (this._committing !== undefined || this._dirty.size > 0 || this._removed.size > 0) {
      await (this._committing ?? this._commit());
    }
  }

  private _mount(path: string, body: NewInode): void {
    const found = this._find(path, 'mount', true, true);
    if (found.inode !== undefined) return;
    this._link(found, this._newInode(body), 'mount', path);
  }

  private _existing(path: string, operation: string, follow: boolean): Inode {
    const inode = this._find(path, operation, follow).inode;
    if (inode === undefined) throw new FileSystemError('ENOENT', operation, path);
    return inode;
  }

  /**
   * Walks to the last component. The parent must exist (or is made with `create`); the last one may be missing. With
   * `follow` a symbolic link in the last place is followed too; a dangling one yields the place where its target would be.
   */
  private _find(path: string, operation: string, follow: boolean, create = false): Found {
    if (path.length > MAX_PATH_LENGTH) throw new FileSystemError('ENAMETOOLONG', operation, path.slice(0, 64));
    if (!path.startsWith('/') || path.includes('\0')) throw new FileSystemError('EINVAL', operation, path);
    const fail = (code: FileErrorCode): FileSystemError => new FileSystemError(code, operation, path);
    const pending = path.split('/').filter((part) => part !== '' && part !== '.');
    const trail: DirectoryInode[] = [];
    const names: string[] = [];
    let directory = this._root;
    let linksFollowed = 0;
    for (;;) {
      const name = pending.shift();
      if (name === undefined)
        return { parent: trail.at(-1) ?? this._root, name: names.at(-1) ?? '', inode: directory, realPath: `/${names.join('/')}` };
      if (name === '..') {
        directory = trail.pop() ?? this._root;
        names.pop();
        continue;
      }
      let inode = directory.entries.get(name);
      const last = pending.length === 0;
      if (inode?.kind === 'symlink' && (!last || follow)) {
        if (++linksFollowed > MAX_LINKS_FOLLOWED) throw fail('ELOOP');
        if (inode.target.startsWith('/')) {
          directory = this._root;
          trail.length = 0;
          names.length = 0;
        }
        pending.unshift(...inode.target.split('/').filter((part) => part !== '' && part !== '.'));
        continue;
      }
      if (last) return { parent: directory, name, inode, realPath: `/${[...names, name].join('/')}` };
      if (inode === undefined && create) {
        inode = this._newInode({ kind: 'directory', entries: new Map(), mode: 0o755 });
        this._link({ parent: directory, name }, inode, operation, path);
      }
      if (inode === undefined) throw fail('ENOENT');
      if (inode.kind !== 'directory') throw fail('ENOTDIR');
      trail.push(directory);
      names.push(name);
      directory = inode;
    }
  }

  private _newInode(body: NewInode): Inode {
    return { ...body, number: this._nextNumber++, mtimeMs: this._options.now(), links: 0 };
  }

  private _link(at: Pick<Found, 'parent' | 'name'>, inode: Inode, operation: string, path: string): void {
    if (at.name === '') throw new FileSystemError('EEXIST', operation, path);
    if (at.name.length * 3 > MAX_NAME_BYTES && utf8Length(at.name) > MAX_NAME_BYTES)
      throw new FileSystemError('ENAMETOOLONG', operation, path);
    at.parent.entries.set(at.name, inode);
    at.parent.mtimeMs = this._options.now();
    inode.links++;
    this._removed.delete(inode.number);
    this._touched(inode);
    this._touched(at.parent);
  }

  private _unlink(parent: DirectoryInode, name: string, inode: Inode): void {
    parent.entries.delete(name);
    parent.mtimeMs = this._options.now();
    this._touched(parent);
    inode.links--;
    if (inode.links > 0) return;
    if (inode.kind === 'directory') for (const [child, entry] of [...inode.entries]) this._unlink(inode, child, entry);
    if (inode.kind === 'file') this._usedBytes -= inode.bytes.length;
    this._dirty.delete(inode.number);
    if (isStored(inode)) this._removed.add(inode.number);
    this._scheduleCommit();
  }

  private _isInside(directory: DirectoryInode, ancestor: DirectoryInode): boolean {
    if (directory === ancestor) return true;
    for (const entry of ancestor.entries.values()) if (entry.kind === 'directory' && this._isInside(directory, entry)) return true;
    return false;
  }

  private _checkRoom(additionalBytes: number, path: string): void {
    if (additionalBytes > 0 && this._usedBytes + additionalBytes > this._capacityBytes)
      throw new FileSystemError('ENOSPC', 'write', path);
  }

  private _touched(inode: Inode): void {
    if (!isStored(inode) || inode.links === 0) return;
    this._dirty.set(inode.number, inode);
    this._scheduleCommit();
  }

  private _scheduleCommit(): void {
    if (this._commitDue) return;
    this._commitDue = true;
    this._options.defer(() => {
      this._commitDue = false;
      if (this._committing === undefined) void this._commit();
    });
  }

  /** One transaction with all that changed. On failure everything stays due, and the next change tries again. */
  private _commit(): Promise<void> {
    const changed = [...this._dirty.values()];
    const removed = [...this._removed];
    this._dirty.clear();
    this._removed.clear();
    const done = this._options.store
      .commit(
        changed.map((inode) => storedForm(inode)),
        removed,
      )
      .then(
        () => {
          this._committing = undefined;
          if (this._dirty.size > 0 || this._removed.size > 0) this._scheduleCommit();
        },
        (error: unknown) => {
          this._committing = undefined;
          for (const inode of changed) if (inode.links > 0) this._dirty.set(inode.number, inode);
          for (const number of removed) this._removed.add(number);
          this._options.onStoreError?.(error);
          throw error;
        },
      );
    this._committing = done;
    done.catch(() => undefined);
    return done;
  }

  private _rebuild(stored: readonly StoredInode[]): void {
    const records = new Map(stored.map((record) => [record.number, record]));
    const made = new Map<number, Inode>();
    const build = (record: StoredInode): Inode => {
      const { number, mode, mtimeMs } = record;
      let inode: Inode;
      if (record.kind === 'file') {
        inode = { number, mode, mtimeMs, links: 0, kind: 'file', bytes: record.bytes };
        this._usedBytes += record.bytes.length;
      } else if (record.kind === 'symlink') inode = { number, mode, mtimeMs, links: 0, kind: 'symlink', target: record.target };
      else {
        const directory: DirectoryInode = { number, mode, mtimeMs, links: 0, kind: 'directory', entries: new Map() };
        made.set(number, directory);
        for (const [name, child] of record.entries) {
          const below = records.get(child);
          if (below === undefined || (below.kind === 'directory' && made.has(child))) continue;
          const entry = made.get(child) ?? build(below);
          entry.links++;
          directory.entries.set(name, entry);
        }
        inode = directory;
      }
      made.set(number, inode);
      return inode;
    };
    const rootRecord = records.get(ROOT);
    if (rootRecord?.kind !== 'directory') throw new FileSystemError('EIO', 'mount', '/', 'the stored files have no root directory');
    const root = build(rootRecord);
    if (root.kind === 'directory') this._root = root;
    root.links = 1;
    for (const number of records.keys()) {
      this._nextNumber = Math.max(this._nextNumber, number + 1);
      if (!made.has(number)) this._removed.add(number);
    }
  }
}

type NewInode =
  | { kind: 'file'; bytes: Uint8Array; mode: number }
  | { kind: 'directory'; entries: Map<string, Inode>; mode: number }
  | { kind: 'symlink'; target: string; mode: number }
  | { kind: 'lazy'; source: LazyFile; fetching: undefined; mode: number }
  | { kind: 'generated'; source: GeneratedFile; mode: number };

type StoredKind = FileInode | DirectoryInode | SymlinkInode;

function isStored(inode: Inode): inode is StoredKind {
  return inode.kind !== 'lazy' && inode.kind !== 'generated';
}

function storedForm(inode: Inode): StoredInode {
  const { number, mode, mtimeMs } = inode;
  if (inode.kind === 'file') return { number, mode, mtimeMs, kind: 'file', bytes: inode.bytes };
  if (inode.kind === 'symlink') return { number, mode, mtimeMs, kind: 'symlink', target: inode.target };
  if (inode.kind !== 'directory') throw new TypeError(`inode ${number} is not stored`);
  const entries = [...inode.entries].filter(([, entry]) => isStored(entry)).map(([name, entry]) => [name, entry.number] as const);
  return { number, mode, mtimeMs, kind: 'directory', entries };
}

function kindOf(inode: Inode): 'file' | 'directory' | 'symlink' {
  return inode.kind === 'directory' || inode.kind === 'symlink' ? inode.kind : 'file';
}

function sizeOf(inode: Inode): number {
  switch (inode.kind) {
    case 'file':
      return inode.bytes.length;
    case 'lazy':
      return inode.source.sizeBytes;
    case 'symlink':
      return utf8Length(inode.target);
    case 'directory':
    case 'generated':
      return 0;
  }
}

function statusOf(inode: Inode): FileStatus {
  const { number, mode, mtimeMs, links } = inode;
  return { inode: number, kind: kindOf(inode), mode, sizeBytes: sizeOf(inode), mtimeMs, links };
}
