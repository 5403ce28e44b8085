/**
 * Bringing a file system up and down: what may be mounted how, the journal, inodes that were deleted while open, and the marks in
 * the superblock that tell whether it is in use.
 */
import { PosixError } from '../mountable.ts';
import type { DiskImage } from '../disk-image.ts';
import { Allocator } from './allocator.ts';
import { Mappers } from './block-mapper.ts';
import { Directories } from './directory.ts';
import { ExtVolume, damaged, type Clock } from './ext-volume.ts';
import { FileContents } from './file-contents.ts';
import { InodeLife } from './inode-life.ts';
import type { Inode } from './inode.ts';
import { Journal, type ReplayResult } from './journal.ts';
import { COMPAT, INCOMPAT, STATE_ERROR, STATE_VALID } from './layout.ts';

export class Mount {
  readonly allocator: Allocator;
  readonly mappers: Mappers;
  readonly contents: FileContents;
  readonly directories: Directories;
  readonly life: InodeLife;
  /** Inodes without names that are still held; the first is the last added, as on the disk. */
  orphans: number[] = [];
  replayed: ReplayResult | undefined;
  readonly warnings: string[] = [];
  private stateBefore = 0;

  constructor(
    readonly volume: ExtVolume,
    private readonly readOnly: boolean,
  ) {
    this.allocator = new Allocator(volume);
    this.mappers = new Mappers(volume, this.allocator);
    this.contents = new FileContents(volume, this.mappers);
    this.directories = new Directories(volume, this.mappers);
    this.life = new InodeLife(volume, this.allocator, this.mappers, this.contents);
  }

  static async open(disk: DiskImage, readOnly: boolean, now: Clock): Promise<Mount> {
    if (!readOnly && disk.readOnly) throw new PosixError('EROFS', 'the disk is read-only');
    let mount = new Mount(await ExtVolume.load(disk, now), readOnly);
    mount.checkFeatures();
    if (mount.volume.superblock.hasIncompat(INCOMPAT.RECOVER)) {
      if (disk.readOnly) throw new PosixError('EROFS', 'the journal has to be replayed, and the disk is read-only');
      const replayed = await replayJournal(mount);
      mount = new Mount(await ExtVolume.load(disk, now), readOnly);
      mount.replayed = replayed;
    }
    mount.noteState();
    const root = await mount.volume.inode(2);
    if (!root.isDirectory || root.links === 0) throw damaged('the root inode is no directory');
    if (!readOnly) {
      await mount.endOrphans();
      mount.markInUse();
    }
    return mount;
  }

  private checkFeatures(): void {
    const { superblock: s } = this.volume;
    const strange = s.unsupported(!this.readOnly);
    if (strange.length > 0)
      throw new PosixError(
        'ENOTSUP',
        `the file system can be mounted read-only only, because of its features ${strange.join(' ')}`,
      );
  }

  private noteState(): void {
    const { superblock: s } = this.volume;
    this.stateBefore = s.state;
    if ((s.state & STATE_ERROR) !== 0) this.warnings.push('mounting fs with errors, running e2fsck is recommended');
    else if ((s.state & STATE_VALID) === 0) this.warnings.push('mounting unchecked fs, running e2fsck is recommended');
    if (this.replayed?.damaged === true) {
      this.warnings.push('the journal had wrong checksums: a part of it was not replayed');
      this.stateBefore |= STATE_ERROR;
    }
  }

  private markInUse(): void {
    const { superblock: s } = this.volume;
    s.state = this.stateBefore & ~STATE_VALID;
    s.set16(0x34, (s.u16(0x34) + 1) & 0xffff);
    this.setTime(0x2c, 0x275);
    this.volume.superblockDirty = true;
  }

  private setTime(low: number, high: number): void {
    const seconds = Number(this.volume.now() / 1_000_000_000n);
    const { superblock: s } = this.volume;
    s.set32(low, seconds % 2 ** 32);
    s.bytes[high] = Math.floor(seconds / 2 ** 32);
  }

  async sync(): Promise<void> {
    if (this.readOnly) return;
    this.setTime(0x30, 0x274);
    this.volume.superblockDirty = true;
    await this.volume.writeBack();
    await this.volume.disk.flush();
  }

  async close(): Promise<void> {
    if (this.readOnly) return;
    for (const number of this.orphans.slice()) await this.endOrphan(number);
    this.volume.superblock.state = this.stateBefore;
    await this.sync();
  }

  /** Puts an inode without names on the list that a crash leaves for the next mount. */
  async addOrphan(inode: Inode): Promise<void> {
    const { superblock: s } = this.volume;
    inode.dtime = s.lastOrphan;
    s.lastOrphan = inode.number;
    this.volume.superblockDirty = true;
    this.orphans.unshift(inode.number);
    await this.volume.saveInode(inode);
  }

  async endOrphan(number: number): Promise<void> {
    const { superblock: s } = this.volume;
    const at = this.orphans.indexOf(number);
    if (at < 0) return;
    const next = this.orphans[at + 1] ?? 0;
    const before = this.orphans[at - 1];
    if (before === undefined) s.lastOrphan = next;
    else {
      const previous = await this.volume.inode(before);
      previous.dtime = next;
      await this.volume.saveInode(previous);
    }
    this.volume.superblockDirty = true;
    this.orphans.splice(at, 1);
    await this.life.end(await this.volume.inode(number));
  }

  /** Ends what was on the list at the last crash: what has no name goes, what has one was being truncated. */
  private async endOrphans(): Promise<void> {
    const { superblock: s } = this.volume;
    const seen = new Set<number>();
    for (let number = s.lastOrphan; number !== 0;) {
      if (number < s.firstInode || number > s.inodes || seen.has(number))
        throw damaged(`the list of deleted inodes has inode ${number}`);
      seen.add(number);
      const inode = await this.volume.inode(number);
      const next = inode.dtime;
      inode.dtime = 0;
      if (inode.links === 0) await this.life.end(inode);
      else {
        if (inode.isFile) await this.contents.truncate(inode, inode.size);
        await this.volume.saveInode(inode);
      }
      number = next;
      await this.volume.trim();
    }
    if (seen.size === 0) return;
    s.lastOrphan = 0;
    this.volume.superblockDirty = true;
  }

  private overhead: number | undefined;
  /** What statfs does not count: superblocks, descriptors, bitmaps, inode tables and the journal. */
  get overheadBlocks(): number {
    if (this.overhead === undefined) {
      const { superblock: s } = this.volume;
      let blocks = s.firstDataBlock;
      for (let group = 0; group < s.groups; group += 1) blocks += s.groupOverhead(group) + 2 + s.inodeTableBlocks;
      if (s.hasCompat(COMPAT.HAS_JOURNAL)) {
        const [high, low] = [s.u32(0x10c + 15 * 4), s.u32(0x10c + 16 * 4)];
        blocks += Math.ceil((high * 2 ** 32 + low) / s.blockBytes);
      }
      this.overhead = Math.min(blocks, s.blocks);
    }
    return this.overhead;
  }
}

/** Replays what the journal has, and makes it durable. */
export async function replayJournal(mount: Mount): Promise<ReplayResult> {
  const { volume } = mount;
  const { superblock: s } = volume;
  if (!s.hasCompat(COMPAT.HAS_JOURNAL) || s.journalInode === 0)
    throw new PosixError('ENOTSUP', 'the journal that has to be replayed is on another device');
  const inode = await volume.inode(s.journalInode);
  const journal = await Journal.open(volume, inode, mount.mappers.of(inode));
  const result = await journal.replay();
  const failed = journal.errorNumber !== 0;
  // The journal may have brought another superblock.
  const after = await ExtVolume.load(volume.disk, volume.now);
  after.superblock.setIncompat(INCOMPAT.RECOVER, false);
  if (result.damaged || failed) after.superblock.state |= STATE_ERROR;
  after.superblockDirty = true;
  await after.writeBack();
  await volume.disk.flush();
  return result;
}
