/**
 * The files of domain 0 by path: a root file system and what is mounted on its directories. Everything that belongs to the
 * machine (the toolstack, the shell, the page) reads and writes files through this.
 *
 * Paths are absolute. Operations reject with FileSystemError. Nobody's permission is checked: all of domain 0 is root.
 */
import type { BlockDeviceTable } from './block-devices.ts';
import { FileSystemError } from './file-system-error.ts';
import { fileError, statusOf, withFileErrors, type FileStatus } from './file-status.ts';
import type { AttributeChanges, DeviceNumber, FileKind, FileSystemStatus, MountableFileSystem } from './mountable.ts';
import { MountTable, type Mount, type MountRequest } from './mount-table.ts';
import { NativeFileSystem } from './native/native-file-system.ts';
import type { FetchProgress, GeneratedFile, LazyFile } from './native/nodes.ts';
import { openBlockDevice, openCharacterDevice, openRegularFile, type OpenFile } from './open-file.ts';
import { baseName, directoryName, resolvePath } from './path.ts';
import { walk, type Found, type Place } from './path-walk.ts';

export type { FileStatus } from './file-status.ts';
export type { FetchProgress, GeneratedFile, LazyFile } from './native/nodes.ts';
export type { OpenFile } from './open-file.ts';

/** Files that are read whole, into memory: larger ones are for programs that read them in pieces. */
const WHOLE_BYTES_MAX = 512 * 1024 * 1024;
const COPY_BYTES = 1024 * 1024;

export interface DirectoryEntry {
  readonly name: string;
  readonly kind: FileKind;
}

export interface FileSystemOptions {
  readonly root: MountableFileSystem;
  readonly rootSource: string;
  readonly devices: BlockDeviceTable;
  random(bytes: Uint8Array): void;
}

type ExistingFound = Found & { readonly at: NonNullable<Found['at']> };

export class FileSystem {
  readonly mounts: MountTable;

  constructor(private readonly options: FileSystemOptions) {
    this.mounts = new MountTable(options.root, options.rootSource);
  }

  get devices(): BlockDeviceTable {
    return this.options.devices;
  }

  // Reading

  async readFile(path: string): Promise<Uint8Array> {
    return this.readFileWithProgress(path, () => undefined);
  }

  /** As readFile; `onProgress` is called only when the file has to be fetched. */
  async readFileWithProgress(path: string, onProgress: FetchProgress): Promise<Uint8Array> {
    const { at } = await this.existing(path, 'open', true);
    const { mount, inode, status } = at;
    if (status.kind === 'directory') throw new FileSystemError('EISDIR', 'read', path);
    if (status.kind === 'file' && mount.fileSystem instanceof NativeFileSystem) {
      const { fileSystem } = mount;
      const fetched = await withFileErrors('read', path, () => fileSystem.fetch(inode, onProgress));
      if (fetched !== undefined) return fetched;
    }
    const file = this.openAt(path, at);
    try {
      const size = await file.size();
      if (size === undefined || size > WHOLE_BYTES_MAX)
        throw new FileSystemError('EFBIG', 'read', path, 'read it in pieces, for example with dd');
      return await readWhole(file, size);
    } finally {
      await file.close();
    }
  }

  /** Opens a file, a block device or a character device. With `create` a missing file is made, with that mode. */
  async open(path: string, { create }: { readonly create?: number } = {}): Promise<OpenFile> {
    const found = await this.find(path, 'open', true);
    if (found.at !== undefined) return this.openAt(path, found.at);
    if (create === undefined) throw new FileSystemError('ENOENT', 'open', path);
    const inode = await this.createAt(found, 'open', path, { kind: 'file', mode: create });
    return openRegularFile(path, found.parent.mount.fileSystem, inode);
  }

  async exists(path: string): Promise<boolean> {
    try {
      return (await this.find(path, 'access', true)).at !== undefined;
    } catch (error) {
      if (error instanceof FileSystemError) return false;
      throw error;
    }
  }

  async stat(path: string): Promise<FileStatus> {
    const { mount, status } = (await this.existing(path, 'stat', true)).at;
    return statusOf(mount.id, status);
  }

  async lstat(path: string): Promise<FileStatus> {
    const { mount, status } = (await this.existing(path, 'lstat', false)).at;
    return statusOf(mount.id, status);
  }

  /** Names in plain character order. */
  async readDirectory(path: string): Promise<DirectoryEntry[]> {
    const { mount, inode } = (await this.existing(path, 'scandir', true)).at;
    const { fileSystem } = mount;
    const entries = await withFileErrors('scandir', path, () => fileSystem.readDirectory(inode));
    const found: DirectoryEntry[] = [];
    for (const { name, inode: number, kind } of entries) {
      if (name === '.' || name === '..') continue;
      found.push({ name, kind: kind ?? (await withFileErrors('scandir', path, () => fileSystem.stat(number))).kind });
    }
    return found.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }

  async readLink(path: string): Promise<string> {
    const { mount, inode } = (await this.existing(path, 'readlink', false)).at;
    return withFileErrors('readlink', path, () => mount.fileSystem.readLink(inode));
  }

  async realPath(path: string): Promise<string> {
    return (await this.existing(path, 'realpath', true)).realPath;
  }

  // Changing

  /** All of the contents; symbolic links are followed. The file takes the array over: it must not be changed afterwards. */
  async writeFile(path: string, bytes: Uint8Array, mode = 0o644): Promise<void> {
    const found = await this.find(path, 'open', true);
    if (found.at !== undefined && found.at.status.kind !== 'file') {
      await this.into(path, (file) => file.write(0, bytes));
      return;
    }
    const { mount } = found.at ?? found.parent;
    this.requireWritable(mount, 'open', path);
    const { fileSystem } = mount;
    if (found.at === undefined && fileSystem instanceof NativeFileSystem && found.name !== '') {
      await withFileErrors('open', path, () => fileSystem.createFile(found.parent.inode, found.name, mode, bytes));
      return;
    }
    const inode = found.at?.inode ?? (await this.createAt(found, 'open', path, { kind: 'file', mode }));
    if (fileSystem instanceof NativeFileSystem) await withFileErrors('open', path, () => fileSystem.replace(inode, bytes));
    else {
      await this.into(path, async (file) => {
        await file.truncate(0);
        await file.write(0, bytes);
      });
    }
  }

  async appendFile(path: string, bytes: Uint8Array): Promise<void> {
    await this.into(path, async (file) => file.write((await file.size()) ?? 0, bytes));
  }

  async truncate(path: string, sizeBytes: number, { create = true } = {}): Promise<void> {
    await this.into(path, (file) => file.truncate(sizeBytes), create);
  }

  async makeDirectory(path: string, options: { recursive?: boolean; mode?: number } = {}): Promise<void> {
    const recursive = options.recursive === true;
    const found = await this.find(path, 'mkdir', true, recursive);
    if (found.at !== undefined) {
      if (recursive && found.at.status.kind === 'directory') return;
      throw new FileSystemError('EEXIST', 'mkdir', path);
    }
    await this.createAt(found, 'mkdir', path, { kind: 'directory', mode: options.mode ?? 0o755 });
  }

  async symlink(target: string, path: string): Promise<void> {
    const found = await this.find(path, 'symlink', false);
    if (found.at !== undefined) throw new FileSystemError('EEXIST', 'symlink', path);
    if (target === '' || target.length > 4096) throw new FileSystemError('EINVAL', 'symlink', path);
    await this.createAt(found, 'symlink', path, { kind: 'symlink', target, mode: 0o777 });
  }

  /** A device node, a pipe or a socket. */
  async makeNode(
    path: string,
    kind: Exclude<FileKind, 'file' | 'directory' | 'symlink'>,
    mode: number,
    device: DeviceNumber,
  ): Promise<void> {
    const found = await this.find(path, 'mknod', false);
    if (found.at !== undefined) throw new FileSystemError('EEXIST', 'mknod', path);
    const isDevice = kind === 'character-device' || kind === 'block-device';
    await this.createAt(found, 'mknod', path, isDevice ? { kind, mode, device } : { kind, mode });
  }

  async link(existing: string, path: string): Promise<void> {
    const source = await this.existing(existing, 'link', false);
    if (source.at.status.kind === 'directory') throw new FileSystemError('EPERM', 'link', existing);
    const found = await this.find(path, 'link', false);
    if (found.at !== undefined) throw new FileSystemError('EEXIST', 'link', path);
    const { mount, inode } = found.parent;
    if (mount !== source.at.mount) throw new FileSystemError('EXDEV', 'link', path);
    this.requireWritable(mount, 'link', path);
    await withFileErrors('link', path, () => mount.fileSystem.link(source.at.inode, inode, found.name));
  }

  async remove(path: string, options: { recursive?: boolean; force?: boolean } = {}): Promise<void> {
    const found = await this.find(path, 'rm', false, false, true);
    if (found.at === undefined) {
      if (options.force === true) return;
      throw new FileSystemError('ENOENT', 'rm', path);
    }
    if (found.name === '') throw new FileSystemError('EBUSY', 'rm', path);
    await this.removeEntry(path, found.parent, found.name, found.at.inode, options.recursive === true);
  }

  /** As rename(2): replaces a file or an empty directory of the same kind. From one file system to another it copies and removes. */
  async move(from: string, to: string): Promise<void> {
    const source = await this.existing(from, 'mv', false, true);
    if (source.name === '' || this.mounts.covering(source.at.mount, source.at.inode) !== undefined)
      throw new FileSystemError('EBUSY', 'mv', from);
    const target = await this.find(to, 'mv', false);
    if (target.at?.mount === source.at.mount && target.at.inode === source.at.inode) return;
    const { mount } = source.parent;
    this.requireWritable(mount, 'mv', from);
    if (mount !== target.parent.mount) {
      this.requireWritable(target.parent.mount, 'mv', to);
      if (target.at !== undefined) await this.remove(to);
      await this.copy(from, to, { recursive: true });
      await this.remove(from, { recursive: true });
      return;
    }
    try {
      await mount.fileSystem.rename(source.parent.inode, source.name, target.parent.inode, target.name);
    } catch (error) {
      const code = (error as { readonly code?: unknown }).code;
      throw fileError(error, 'mv', code === 'EINVAL' || code === 'ENOENT' ? from : to);
    }
  }

  /**
   * Copies a file, or with `recursive` a directory; symbolic links inside are copied as links. Owners, modes and times come along;
   * what is sparse stays so.
   */
  async copy(from: string, to: string, options: { recursive?: boolean } = {}): Promise<void> {
    const source = await this.existing(from, 'cp', options.recursive !== true);
    const { status } = source.at;
    if (status.kind === 'directory') {
      if (options.recursive !== true) throw new FileSystemError('EISDIR', 'cp', from);
      const target = resolvePath('/', to);
      if (target === source.realPath || target.startsWith(`${source.realPath === '/' ? '' : source.realPath}/`))
        throw new FileSystemError('EINVAL', 'cp', from);
      await this.makeDirectory(target, { recursive: true, mode: status.mode });
      for (const { name } of await this.readDirectory(source.realPath))
        await this.copy(`${source.realPath}/${name}`, `${target}/${name}`, options);
      return;
    }
    if (status.kind === 'symlink') await this.symlink(await this.readLink(from), to);
    else if (status.kind === 'file') await this.copyContents(from, to);
    else await this.makeNode(to, status.kind, status.mode, status.device);
  }

  /** Makes one file hold what another does; the target is made, with the source's mode, when it is missing. */
  async copyContents(from: string, to: string, onBytes: (bytes: number) => void = () => undefined): Promise<void> {
    const source = await this.existing(from, 'cp', true);
    const target = await this.find(to, 'cp', true);
    const { mount, inode } = source.at;
    const { fileSystem } = mount;
    const into = target.at ?? { mount: target.parent.mount, inode: 0, status: undefined };
    this.requireWritable(into.mount, 'cp', to);
    const sameFileSystem = into.mount.fileSystem === fileSystem;
    if (sameFileSystem && into.inode === inode) throw new FileSystemError('EINVAL', 'cp', from);
    const regular = source.at.status.kind === 'file' && (into.status?.kind ?? 'file') === 'file';
    if (regular && fileSystem instanceof NativeFileSystem && sameFileSystem) {
      const number = target.at?.inode ?? (await this.createAt(target, 'cp', to, { kind: 'file', mode: source.at.status.mode }));
      await withFileErrors('cp', to, () => fileSystem.copyContents(inode, number));
      onBytes(source.at.status.sizeBytes);
      return;
    }
    const reader = this.openAt(from, source.at);
    try {
      const writer = await this.open(to, { create: source.at.status.mode });
      try {
        await pour(reader, writer, onBytes);
      } finally {
        await writer.close();
      }
    } finally {
      await reader.close();
    }
  }

  async changeMode(path: string, mode: number): Promise<void> {
    await this.change(path, 'chmod', { mode: mode & 0o7777 });
  }

  async changeOwner(path: string, uid: number | undefined, gid: number | undefined, follow = true): Promise<void> {
    await this.change(path, 'chown', { ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }) }, follow);
  }

  async changeTimes(path: string, mtimeMs: number, atimeMs = mtimeMs, follow = true): Promise<void> {
    const ns = (ms: number): bigint => BigInt(Math.round(ms * 1000)) * 1000n;
    await this.change(path, 'utimes', { mtimeNs: ns(mtimeMs), atimeNs: ns(atimeMs) }, follow);
  }

  // Made at every boot

  /** Puts a file fetched on first use at `path`, unless something stands there already. Directories are made. */
  async mountLazy(path: string, source: LazyFile, mode?: number): Promise<void> {
    await this.addTransient(path, (fileSystem, directory, name) => {
      fileSystem.addLazy(directory, name, source, mode);
    });
  }

  async mountGenerated(path: string, source: GeneratedFile): Promise<void> {
    await this.addTransient(path, (fileSystem, directory, name) => {
      fileSystem.addGenerated(directory, name, source);
    });
  }

  /** A symbolic link that is there at every boot, unless something else stands there or it was removed. */
  async addLink(path: string, target: string): Promise<void> {
    await this.addTransient(path, (fileSystem, directory, name) => {
      fileSystem.addTransient(directory, name, { kind: 'symlink', target }, 0o777);
    });
  }

  // Mounts

  async mount(fileSystem: MountableFileSystem, path: string, request: MountRequest): Promise<Mount> {
    const { at, realPath } = await this.existing(path, 'mount', true);
    if (at.status.kind !== 'directory') throw new FileSystemError('ENOTDIR', 'mount', path);
    return this.mounts.add(fileSystem, realPath, request, { mount: at.mount, inode: at.inode });
  }

  /** Shows a directory in a second place, as a file system of its own: what stays on one file system does not enter it. */
  async bind(from: string, path: string): Promise<Mount> {
    const { at } = await this.existing(from, 'mount', true);
    if (at.status.kind !== 'directory') throw new FileSystemError('ENOTDIR', 'mount', from);
    const { fileSystem, readOnly, source } = at.mount;
    return this.mount(fileSystem, path, { source, readOnly, options: ['bind'], boundRoot: at.inode });
  }

  /**
   * Its changes are durable when this resolves. EBUSY while files on it are open, something is mounted on it, or a part of it is bound
   * elsewhere.
   */
  async unmount(mount: Mount): Promise<void> {
    const { bound, fileSystem } = mount;
    const shared = this.mounts.isShared(mount);
    if (mount.covers === undefined || mount.users > 0 || this.mounts.hasMountsOn(mount) || (shared && !bound))
      throw new FileSystemError('EBUSY', 'umount', mount.path);
    this.mounts.remove(mount);
    await withFileErrors('umount', mount.path, () => (shared ? fileSystem.sync() : fileSystem.unmount()));
  }

  /** The mount that a path is on. */
  async mountOf(path: string): Promise<Mount> {
    return (await this.existing(path, 'statfs', true)).at.mount;
  }

  async statfs(mount: Mount): Promise<FileSystemStatus> {
    return withFileErrors('statfs', mount.path, () => mount.fileSystem.statfs());
  }

  /** Resolves when every change made so far is durable. */
  async flush(): Promise<void> {
    for (const { fileSystem, path } of [...this.mounts.list()].reverse())
      await withFileErrors('sync', path, () => fileSystem.sync());
  }

  private openAt(path: string, { mount, inode, status }: ExistingFound['at']): OpenFile {
    switch (status.kind) {
      case 'file':
        return onMount(mount, openRegularFile(path, mount.fileSystem, inode));
      case 'block-device':
        return openBlockDevice(path, status.device, this.options.devices);
      case 'character-device':
        return openCharacterDevice(path, status.device, (bytes) => {
          this.options.random(bytes);
        });
      case 'directory':
        throw new FileSystemError('EISDIR', 'open', path);
      case 'symlink':
        throw new FileSystemError('ELOOP', 'open', path);
      case 'fifo':
      case 'socket':
        throw new FileSystemError('ENXIO', 'open', path);
    }
  }

  private async into(path: string, body: (file: OpenFile) => Promise<void>, create = true): Promise<void> {
    const file = await this.open(path, create ? { create: 0o644 } : {});
    try {
      await body(file);
    } finally {
      await file.close();
    }
  }

  private find(path: string, operation: string, follow: boolean, create = false, covered = false): Promise<Found> {
    const make = ({ mount, inode }: Place, name: string): Promise<number> => {
      this.requireWritable(mount, operation, path);
      return mount.fileSystem.create(inode, name, { kind: 'directory', mode: 0o755, uid: 0, gid: 0 });
    };
    return withFileErrors(operation, path, () =>
      walk(this.mounts, path, { operation, follow, covered, ...(create ? { create: make } : {}) }),
    );
  }

  private async existing(path: string, operation: string, follow: boolean, covered = false): Promise<ExistingFound> {
    const found = await this.find(path, operation, follow, false, covered);
    if (found.at === undefined) throw new FileSystemError('ENOENT', operation, path);
    return { ...found, at: found.at };
  }

  private async createAt(
    { parent, name }: Found,
    operation: string,
    path: string,
    node:
      | { readonly kind: 'file' | 'directory' | 'fifo' | 'socket'; readonly mode: number }
      | { readonly kind: 'symlink'; readonly target: string; readonly mode: number }
      | { readonly kind: 'character-device' | 'block-device'; readonly device: DeviceNumber; readonly mode: number },
  ): Promise<number> {
    if (name === '') throw new FileSystemError('EEXIST', operation, path);
    const { mount, inode } = parent;
    this.requireWritable(mount, operation, path);
    return withFileErrors(operation, path, () => mount.fileSystem.create(inode, name, { ...node, uid: 0, gid: 0 }));
  }

  private async removeEntry(path: string, parent: Place, name: string, inode: number, recursive: boolean): Promise<void> {
    const { mount } = parent;
    const { fileSystem } = mount;
    if (this.mounts.covering(mount, inode) !== undefined) throw new FileSystemError('EBUSY', 'rm', path);
    this.requireWritable(mount, 'rm', path);
    await withFileErrors('rm', path, async () => {
      if ((await fileSystem.stat(inode)).kind !== 'directory') {
        await fileSystem.unlink(parent.inode, name);
        return;
      }
      const entries = (await fileSystem.readDirectory(inode)).filter((entry) => entry.name !== '.' && entry.name !== '..');
      if (entries.length > 0 && !recursive) throw new FileSystemError('ENOTEMPTY', 'rm', path);
      for (const entry of entries)
        await this.removeEntry(`${path === '/' ? '' : path}/${entry.name}`, { mount, inode }, entry.name, entry.inode, true);
      await fileSystem.rmdir(parent.inode, name);
    });
  }

  private async change(path: string, operation: string, changes: AttributeChanges, follow = true): Promise<void> {
    const { mount, inode } = (await this.existing(path, operation, follow)).at;
    this.requireWritable(mount, operation, path);
    await withFileErrors(operation, path, () => mount.fileSystem.setAttributes(inode, changes));
  }

  private requireWritable(mount: Mount, operation: string, path: string): void {
    if (mount.readOnly) throw new FileSystemError('EROFS', operation, path);
  }

  private async addTransient(
    path: string,
    add: (fileSystem: NativeFileSystem, directory: number, name: string) => void,
  ): Promise<void> {
    await this.makeDirectory(directoryName(path), { recursive: true });
    const { at } = await this.existing(directoryName(path), 'mount', true);
    if (!(at.mount.fileSystem instanceof NativeFileSystem)) throw new FileSystemError('ENOTSUP', 'mount', path);
    add(at.mount.fileSystem, at.inode, baseName(path));
  }
}

/** Keeps the mount from being taken away while the file is open, and from being written when it is read-only. */
function onMount(mount: Mount, file: OpenFile): OpenFile {
  mount.users += 1;
  let closed = false;
  const refuse = (): Promise<never> => Promise.reject(new FileSystemError('EROFS', 'write', file.path));
  return {
    ...file,
    ...(mount.readOnly ? { write: refuse, truncate: refuse } : {}),
    disk: (readOnly) => file.disk(readOnly || mount.readOnly),
    close: async () => {
      if (!closed) mount.users -= 1;
      closed = true;
      await file.close();
    },
  };
}

async function readWhole(file: OpenFile, size: number): Promise<Uint8Array> {
  // A file that the system makes has no size before it is read.
  const bytes = new Uint8Array(size === 0 ? COPY_BYTES : size);
  const count = await file.read(0, bytes);
  return count === bytes.length ? bytes : bytes.slice(0, count);
}

function isZero(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte !== 0) return false;
  return true;
}

/** Copies from start to end; stretches of zeros become holes. */
async function pour(reader: OpenFile, writer: OpenFile, onBytes: (bytes: number) => void): Promise<void> {
  const size = await reader.size();
  const buffer = new Uint8Array(COPY_BYTES);
  const target = await writer.size();
  // Only what has been cut to nothing has holes: a device or a longer file must be written throughout.
  await writer.truncate(0);
  const fresh = target === undefined || (await writer.size()) === 0;
  let at = 0;
  for (;;) {
    const data = fresh ? reader.nextData(at) : at;
    onBytes(data - at);
    at = data;
    const count = await reader.read(at, buffer);
    if (count === 0) break;
    const part = buffer.subarray(0, count);
    if (!fresh || !isZero(part)) await writer.write(at, part.slice());
    at += count;
    onBytes(count);
    if (size !== undefined && at >= size) break;
  }
  if (fresh) await writer.truncate(at);
}
