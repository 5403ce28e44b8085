/**
 * ext2, ext3 and ext4 as a mounted file system. Calls take turns. Metadata is changed in a bounded cache and written in place,
 * ordered by nothing but `flush` of the disk, which has to make durable together what was written since the last; the journal is
 * replayed when a kernel left something in it, never written. Access times are left alone.
 */
import {
  PosixError,
  type AttributeChanges,
  type FileSystemStatus,
  type InodeEntry,
  type InodeStatus,
  type MountableFileSystem,
  type NewInode,
} from '../mountable.ts';
import type { DiskImage } from '../disk-image.ts';
import { isDots } from './directory.ts';
import { damaged, type Clock } from './ext-volume.ts';
import { inlineContents } from './inline-data.ts';
import type { Inode } from './inode.ts';
import { deviceOf, isFastLink, kindOf, kindOfRecord, recordType } from './inode-life.ts';
import {
  COMPAT,
  FLAG_APPEND,
  FLAG_ENCRYPTED,
  FLAG_IMMUTABLE,
  MAX_LINKS,
  MAX_NAME_BYTES,
  MODE_TYPE,
  ROOT_INODE,
  RO_COMPAT,
} from './layout.ts';
import { Mount } from './mount.ts';
import { checkedName, decodeName } from './names.ts';
import type { ReplayResult } from './journal.ts';

export interface ExtOpenOptions {
  readonly readOnly: boolean;
  /** Nanoseconds since 1970. */
  readonly now: Clock;
}

/** ext2's and ext3's own limit of names and subdirectories. */
const MAX_LINKS_OLD = 32000;

export class ExtFileSystem implements MountableFileSystem {
  readonly root = ROOT_INODE;
  private turn: Promise<unknown> = Promise.resolve();
  private readonly held = new Map<number, number>();
  private ended = false;

  private constructor(
    private readonly mount: Mount,
    readonly readOnly: boolean,
  ) {}

  /**
   * Checks what the disk has, replays the journal (also for a read-only mount; EROFS when the disk cannot be written) and ends
   * what was deleted while open. EINVAL, ENOTSUP, EUCLEAN.
   */
  static async open(disk: DiskImage, options: ExtOpenOptions): Promise<ExtFileSystem> {
    return new ExtFileSystem(await Mount.open(disk, options.readOnly, options.now), options.readOnly);
  }

  get type(): 'ext2' | 'ext3' | 'ext4' {
    const { superblock: s } = this.mount.volume;
    if ((s.features.incompat & ~0x16) !== 0 || (s.features.roCompat & ~7) !== 0) return 'ext4';
    return s.hasCompat(COMPAT.HAS_JOURNAL) ? 'ext3' : 'ext2';
  }
  /** What replaying the journal did at opening, if it had to be. */
  get replayed(): ReplayResult | undefined {
    return this.mount.replayed;
  }
  /** What a kernel would warn of at mounting: errors found before, or not unmounted cleanly. */
  get warnings(): readonly string[] {
    return this.mount.warnings;
  }
  get uuid(): Uint8Array {
    return this.mount.volume.superblock.uuid.slice();
  }
  get label(): string {
    const { label } = this.mount.volume.superblock;
    const end = label.indexOf(0);
    return decodeName(label.subarray(0, end < 0 ? label.length : end));
  }

  lookup(directory: number, name: string): Promise<number | undefined> {
    return this.take(async () => {
      const bytes = checkedName(name);
      return (await this.mount.directories.lookup(await this.directory(directory), bytes))?.inode;
    });
  }

  readDirectory(directory: number): Promise<readonly InodeEntry[]> {
    return this.take(async () => {
      const entries: InodeEntry[] = [];
      await this.mount.directories.walk(await this.directory(directory), (name, { inode, type }) => {
        entries.push({ name: decodeName(name), inode, kind: kindOfRecord(type) });
        return false;
      });
      return entries;
    });
  }

  stat(number: number): Promise<InodeStatus> {
    return this.take(async () => {
      const inode = await this.used(number);
      return {
        inode: number,
        kind: kindOf(inode),
        mode: inode.mode & 0o7777,
        uid: inode.uid,
        gid: inode.gid,
        links: inode.links,
        sizeBytes: inode.size,
        blocks: inode.sectors,
        blockBytes: this.mount.volume.blockBytes,
        device: deviceOf(inode),
        atimeNs: inode.time('atime'),
        mtimeNs: inode.time('mtime'),
        ctimeNs: inode.time('ctime'),
      };
    });
  }

  readLink(number: number): Promise<string> {
    return this.take(async () => {
      const inode = await this.used(number);
      if (!inode.isSymlink) throw new PosixError('EINVAL', `inode ${number} is no symbolic link`);
      if (inode.hasInlineData) return decodeName(inlineContents(inode));
      if (isFastLink(inode, this.mount.volume)) return decodeName(inode.map.subarray(0, inode.size));
      if (inode.size === 0 || inode.size > this.mount.volume.blockBytes)
        throw damaged(`the symbolic link of inode ${number} has ${inode.size} bytes`);
      const target = new Uint8Array(inode.size);
      await this.mount.contents.read(inode, 0, target);
      return decodeName(target);
    });
  }

  read(number: number, offset: number, into: Uint8Array): Promise<number> {
    return this.take(async () => this.mount.contents.read(await this.file(number), checkedOffset(offset), into));
  }

  write(number: number, offset: number, from: Uint8Array): Promise<number> {
    return this.change(async () => {
      const inode = await this.file(number);
      this.checkChangeable(inode);
      let written = 0;
      try {
        written = await this.mount.contents.write(inode, checkedOffset(offset), from);
        if (from.length > 0) this.touch(inode);
        // What another wrote must not run with the owner's rights.
        if (written > 0 && (inode.mode & 0o6000) !== 0) inode.mode &= (inode.mode & 0o10) !== 0 ? ~0o6000 : ~0o4000;
      } finally {
        await this.mount.volume.saveInode(inode);
      }
      return written;
    });
  }

  truncate(number: number, sizeBytes: number): Promise<void> {
    return this.change(async () => {
      const inode = await this.file(number);
      this.checkChangeable(inode);
      try {
        await this.mount.contents.truncate(inode, checkedOffset(sizeBytes));
        this.touch(inode);
      } finally {
        await this.mount.volume.saveInode(inode);
      }
    });
  }

  setAttributes(number: number, changes: AttributeChanges): Promise<void> {
    return this.change(async () => {
      const inode = await this.used(number);
      if (changes.mode !== undefined) inode.mode = (inode.mode & MODE_TYPE) | (changes.mode & 0o7777);
      if (changes.uid !== undefined) inode.uid = changes.uid;
      if (changes.gid !== undefined) inode.gid = changes.gid;
      if (changes.atimeNs !== undefined) inode.setTime('atime', changes.atimeNs);
      if (changes.mtimeNs !== undefined) inode.setTime('mtime', changes.mtimeNs);
      inode.setTime('ctime', this.mount.volume.now());
      await this.mount.volume.saveInode(inode);
    });
  }

  create(directory: number, name: string, node: NewInode): Promise<number> {
    return this.change(async () => {
      const parent = await this.directory(directory);
      const bytes = await this.freeName(parent, name);
      if (node.kind === 'directory') this.checkLinks(parent, true);
      const { mount } = this;
      const inode = await mount.life.make(directory, node);
      try {
        inode.links = 1;
        if (node.kind === 'directory') {
          await mount.directories.format(inode, directory);
          inode.links = 2;
        }
        await mount.volume.saveInode(inode);
        await this.addEntry(parent, bytes, inode);
      } catch (error) {
        await mount.life.end(inode);
        throw error;
      }
      if (node.kind === 'directory') this.addLink(parent);
      await mount.volume.saveInode(parent);
      return inode.number;
    });
  }

  link(number: number, directory: number, name: string): Promise<void> {
    return this.change(async () => {
      const inode = await this.used(number);
      if (inode.isDirectory) throw new PosixError('EPERM', 'a directory cannot have a second name');
      this.checkChangeable(inode);
      this.checkLinks(inode, false);
      const parent = await this.directory(directory);
      const bytes = await this.freeName(parent, name);
      await this.addEntry(parent, bytes, inode);
      await this.mount.volume.saveInode(parent);
      inode.links += 1;
      inode.setTime('ctime', this.mount.volume.now());
      await this.mount.volume.saveInode(inode);
    });
  }

  unlink(directory: number, name: string): Promise<void> {
    return this.change(async () => {
      const parent = await this.directory(directory);
      const { bytes, inode } = await this.entry(parent, name);
      if (inode.isDirectory) throw new PosixError('EISDIR', `'${name}' is a directory`);
      this.checkChangeable(inode);
      this.checkChangeable(parent);
      await this.mount.directories.remove(parent, bytes);
      this.touch(parent);
      await this.mount.volume.saveInode(parent);
      await this.dropLink(inode);
    });
  }

  rmdir(directory: number, name: string): Promise<void> {
    return this.change(async () => {
      const parent = await this.directory(directory);
      const { bytes, inode } = await this.entry(parent, name);
      if (!inode.isDirectory) throw new PosixError('ENOTDIR', `'${name}' is no directory`);
      if (inode.number === ROOT_INODE) throw new PosixError('EBUSY', 'the root directory cannot be removed');
      this.checkChangeable(parent);
      if (!(await this.mount.directories.isEmpty(inode))) throw new PosixError('ENOTEMPTY', `the directory '${name}' is not empty`);
      await this.mount.directories.remove(parent, bytes);
      this.removeLink(parent);
      this.touch(parent);
      await this.mount.volume.saveInode(parent);
      inode.links = 1;
      await this.dropLink(inode);
    });
  }

  rename(
    fromDirectory: number,
    fromName: string,
    toDirectory: number,
    toName: string,
    options: { readonly noReplace?: boolean } = {},
  ): Promise<void> {
    return this.change(async () => {
      const { directories, volume } = this.mount;
      const from = await this.directory(fromDirectory);
      const { bytes: fromBytes, inode } = await this.entry(from, fromName);
      const to = fromDirectory === toDirectory ? from : await this.directory(toDirectory);
      const toBytes = checkedName(toName);
      if (isDots(fromBytes) || isDots(toBytes)) throw new PosixError('EINVAL', '"." and ".." cannot be renamed');
      for (const one of [from, to, inode]) this.checkChangeable(one);
      const there = await directories.lookup(to, toBytes);
      if (there !== undefined && options.noReplace === true) throw new PosixError('EEXIST', `'${toName}' exists`);
      if (there?.inode === inode.number) return;
      if (inode.isDirectory && to !== from) await this.checkNotBelow(inode.number, to);
      const replaced = there === undefined ? undefined : await this.used(there.inode);
      if (replaced !== undefined) await this.checkReplaceable(inode, replaced, toName);
      else if (inode.isDirectory && to !== from) this.checkLinks(to, true);

      if (replaced === undefined) await this.addEntry(to, toBytes, inode);
      else await directories.replace(to, toBytes, inode.number, recordType(inode));
      await directories.remove(from, fromBytes);
      if (inode.isDirectory) {
        if (to !== from) await directories.replace(inode, Uint8Array.of(46, 46), to.number, 2);
        this.removeLink(from);
        if (replaced === undefined) this.addLink(to);
      }
      for (const one of new Set([from, to])) {
        this.touch(one);
        await volume.saveInode(one);
      }
      inode.setTime('ctime', volume.now());
      await volume.saveInode(inode);
      if (replaced === undefined) return;
      if (replaced.isDirectory) replaced.links = 1;
      await this.dropLink(replaced);
    });
  }

  hold(inode: number): void {
    this.held.set(inode, (this.held.get(inode) ?? 0) + 1);
  }

  async release(number: number): Promise<void> {
    await this.take(async () => {
      const count = this.held.get(number) ?? 0;
      if (count > 1) this.held.set(number, count - 1);
      else {
        this.held.delete(number);
        if (this.mount.orphans.includes(number)) await this.mount.endOrphan(number);
      }
    });
  }

  statfs(): Promise<FileSystemStatus> {
    return this.take(() => {
      const { superblock: s } = this.mount.volume;
      return Promise.resolve({
        blockBytes: s.blockBytes,
        blocks: s.blocks - this.mount.overheadBlocks,
        freeBlocks: s.freeBlocks,
        availableBlocks: Math.max(0, s.freeBlocks - s.reservedBlocks),
        inodes: s.inodes,
        freeInodes: s.freeInodes,
        maxNameBytes: MAX_NAME_BYTES,
      });
    });
  }

  sync(): Promise<void> {
    return this.take(() => this.mount.sync());
  }

  async unmount(): Promise<void> {
    await this.take(() => this.mount.close());
    this.ended = true;
  }

  /** Waits for the calls before. */
  private take<T>(call: () => Promise<T>): Promise<T> {
    const result = this.turn.then(async () => {
      if (this.ended) throw new PosixError('EINVAL', 'the file system is not mounted any more');
      try {
        return await call();
      } finally {
        await this.mount.volume.trim();
      }
    });
    this.turn = result.catch(() => undefined);
    return result;
  }

  private change<T>(call: () => Promise<T>): Promise<T> {
    if (this.readOnly) return Promise.reject(new PosixError('EROFS', 'the file system is mounted read-only'));
    return this.take(call);
  }

  /** An inode in use, or held without a name. */
  private async used(number: number): Promise<Inode> {
    const { volume } = this.mount;
    if (!Number.isInteger(number) || number < 1 || number > volume.superblock.inodes)
      throw new PosixError('ENOENT', `there is no inode ${number}`);
    const inode = await volume.inode(number);
    if (inode.mode === 0 || (inode.links === 0 && !this.mount.orphans.includes(number)))
      throw new PosixError('ENOENT', `inode ${number} is not in use`);
    kindOf(inode);
    if ((inode.flags & FLAG_ENCRYPTED) !== 0) throw new PosixError('ENOTSUP', `inode ${number} is encrypted`);
    return inode;
  }
  private async directory(number: number): Promise<Inode> {
    const inode = await this.used(number);
    if (!inode.isDirectory) throw new PosixError('ENOTDIR', `inode ${number} is no directory`);
    return inode;
  }
  private async file(number: number): Promise<Inode> {
    const inode = await this.used(number);
    if (inode.isDirectory) throw new PosixError('EISDIR', `inode ${number} is a directory`);
    if (!inode.isFile) throw new PosixError('EINVAL', `inode ${number} is no ordinary file`);
    return inode;
  }

  private async freeName(parent: Inode, name: string): Promise<Uint8Array> {
    const bytes = checkedName(name);
    this.checkChangeable(parent);
    if (parent.links === 0) throw new PosixError('ENOENT', 'the directory was removed');
    if (isDots(bytes) || (await this.mount.directories.lookup(parent, bytes)) !== undefined)
      throw new PosixError('EEXIST', `'${name}' exists`);
    return bytes;
  }
  private async entry(parent: Inode, name: string): Promise<{ bytes: Uint8Array; inode: Inode }> {
    const bytes = checkedName(name);
    if (isDots(bytes)) throw new PosixError('EINVAL', `'${name}' cannot be removed or renamed`);
    const found = await this.mount.directories.lookup(parent, bytes);
    if (found === undefined) throw new PosixError('ENOENT', `there is no '${name}'`);
    const inode = await this.used(found.inode).catch((error: unknown) => {
      if (error instanceof PosixError && error.code === 'ENOENT')
        throw damaged(`'${name}' names inode ${found.inode}, which is not in use`);
      throw error;
    });
    return { bytes, inode };
  }

  private async addEntry(parent: Inode, name: Uint8Array, inode: Inode): Promise<void> {
    try {
      await this.mount.directories.add(parent, name, inode.number, recordType(inode));
      this.touch(parent);
    } finally {
      // It may have grown, also when there was no room in the end.
      await this.mount.volume.saveInode(parent);
    }
  }

  private touch(inode: Inode): void {
    const now = this.mount.volume.now();
    inode.setTime('mtime', now);
    inode.setTime('ctime', now);
  }

  private checkChangeable(inode: Inode): void {
    if ((inode.flags & (FLAG_IMMUTABLE | FLAG_APPEND)) !== 0)
      throw new PosixError(
        'EPERM',
        `inode ${inode.number} is marked as ${(inode.flags & FLAG_IMMUTABLE) !== 0 ? 'immutable' : 'append-only'}`,
      );
  }

  private get maxLinks(): number {
    return this.type === 'ext4' ? MAX_LINKS : MAX_LINKS_OLD;
  }
  /** With dir_nlink a directory may have more subdirectories than it can count: its links are 1 then. */
  private checkLinks(inode: Inode, directory: boolean): void {
    if (directory && this.mount.volume.superblock.hasRoCompat(RO_COMPAT.DIR_NLINK)) return;
    if (inode.links >= this.maxLinks) throw new PosixError('EMLINK', `inode ${inode.number} has ${inode.links} links already`);
  }
  private addLink(directory: Inode): void {
    if (directory.links === 1) return;
    directory.links = directory.links + 1 >= MAX_LINKS ? 1 : directory.links + 1;
  }
  private removeLink(directory: Inode): void {
    if (directory.links > 2) directory.links -= 1;
  }

  /** A name less. The last one takes the inode along, unless it is held. */
  private async dropLink(inode: Inode): Promise<void> {
    const { mount } = this;
    inode.links = Math.max(0, inode.links - 1);
    inode.setTime('ctime', mount.volume.now());
    if (inode.links > 0) await mount.volume.saveInode(inode);
    else if (this.held.has(inode.number)) await mount.addOrphan(inode);
    else await mount.life.end(inode);
  }

  private async checkReplaceable(inode: Inode, replaced: Inode, name: string): Promise<void> {
    this.checkChangeable(replaced);
    if (replaced.number === ROOT_INODE) throw new PosixError('EBUSY', 'the root directory cannot be replaced');
    if (inode.isDirectory && !replaced.isDirectory) throw new PosixError('ENOTDIR', `'${name}' is no directory`);
    if (!inode.isDirectory && replaced.isDirectory) throw new PosixError('EISDIR', `'${name}' is a directory`);
    if (replaced.isDirectory && !(await this.mount.directories.isEmpty(replaced)))
      throw new PosixError('ENOTEMPTY', `the directory '${name}' is not empty`);
  }

  /** EINVAL when `to` is the directory `number` or below it. */
  private async checkNotBelow(number: number, to: Inode): Promise<void> {
    const seen = new Set<number>();
    for (let at = to; ;) {
      if (at.number === number) throw new PosixError('EINVAL', 'a directory cannot come below itself');
      if (at.number === ROOT_INODE) return;
      if (seen.has(at.number)) throw damaged(`the directories above inode ${to.number} go round in a circle`);
      seen.add(at.number);
      const up = await this.mount.directories.lookup(at, Uint8Array.of(46, 46));
      if (up === undefined) throw damaged(`the directory of inode ${at.number} has no ".."`);
      at = await this.directory(up.inode);
    }
  }
}

function checkedOffset(offset: number): number {
  if (!Number.isSafeInteger(offset) || offset < 0) throw new PosixError('EINVAL', `${offset} is no place in a file`);
  return offset;
}
