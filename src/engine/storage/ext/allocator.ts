/**
 * Takes and gives back blocks and inodes. Blocks come near a goal, in runs as long as asked for where there are such; inodes of
 * files in the group of their directory, directories spread over groups with room.
 */
import { PosixError } from '../mountable.ts';
import { clearBit, getBit, nextClear, nextSet, setBit } from './bitmap.ts';
import { damaged, type ExtVolume } from './ext-volume.ts';
import { Inode } from './inode.ts';
import { TYPE_DIRECTORY } from './layout.ts';

export interface BlockRun {
  readonly first: number;
  readonly count: number;
}

export class Allocator {
  constructor(private readonly volume: ExtVolume) {}

  /** Between 1 and `wanted` blocks in a row, the nearer to `goal` the better. ENOSPC. */
  async allocate(goal: number, wanted: number): Promise<BlockRun> {
    const { superblock: s, groups } = this.volume;
    const start = goal > s.firstDataBlock && goal < s.blocks ? goal : s.firstDataBlock;
    const home = Math.floor((start - s.firstDataBlock) / s.blocksPerGroup);
    // First where all that is wanted may be found, then anywhere.
    for (const least of wanted > 1 ? [Math.min(wanted, 64), 1] : [1]) {
      for (let n = 0; n < s.groups; n += 1) {
        const group = (home + n) % s.groups;
        if (groups.freeBlocks(group) < least) continue;
        const run = await this.allocateIn(group, n === 0 ? start - s.groupStart(group) : 0, wanted, least);
        if (run !== undefined) return run;
      }
    }
    throw new PosixError('ENOSPC', 'no block of the file system is free');
  }

  private async allocateIn(group: number, from: number, wanted: number, least: number): Promise<BlockRun | undefined> {
    const { superblock: s } = this.volume;
    const block = await this.volume.bitmap(group, 'block');
    const size = s.groupBlocks(group);
    const found = findRun(block.bytes, from, size, wanted, least) ?? findRun(block.bytes, 0, size, wanted, least);
    if (found === undefined) return undefined;
    const first = s.groupStart(group) + found.first;
    if (!this.volume.isFileRange(first, found.count))
      throw damaged(`the block bitmap of group ${group} has metadata of the file system as free`);
    for (let bit = found.first; bit < found.first + found.count; bit += 1) setBit(block.bytes, bit);
    this.volume.bitmapChanged(group, 'block', block);
    this.volume.changeFreeBlocks(group, -found.count);
    return { first, count: found.count };
  }

  /** Gives blocks back, which held metadata or contents. EUCLEAN when they are not in use or not a file's. */
  async free(first: number, count: number): Promise<void> {
    const { volume } = this;
    const { superblock: s } = volume;
    if (!volume.isFileRange(first, count)) throw damaged(`blocks ${first} to ${first + count - 1} cannot belong to a file`);
    for (let at = first; at < first + count;) {
      const group = Math.floor((at - s.firstDataBlock) / s.blocksPerGroup);
      const bit = at - s.groupStart(group);
      const run = Math.min(first + count - at, s.groupBlocks(group) - bit);
      const block = await volume.bitmap(group, 'block');
      let freed = 0;
      for (let n = bit; n < bit + run; n += 1) {
        if (!getBit(block.bytes, n)) continue;
        clearBit(block.bytes, n);
        freed += 1;
      }
      volume.bitmapChanged(group, 'block', block);
      volume.changeFreeBlocks(group, freed);
      for (let n = at; n < at + run; n += 1) volume.cache.forget(n);
      at += run;
      if (freed !== run) throw damaged(`of the blocks ${at - run} to ${at - 1} some were free already`);
    }
  }

  /** A new inode, empty but for its generation, not saved. ENOSPC. */
  async allocateInode(parent: number, type: number): Promise<Inode> {
    const { superblock: s, groups } = this.volume;
    const parentGroup = Math.floor((parent - 1) / s.inodesPerGroup);
    const home = type === TYPE_DIRECTORY ? this.groupForDirectory(parentGroup) : parentGroup;
    for (let n = 0; n < s.groups; n += 1) {
      const group = (home + n) % s.groups;
      if (groups.freeInodes(group) === 0) continue;
      const index = await this.allocateInodeIn(group);
      if (index === undefined) continue;
      if (type === TYPE_DIRECTORY) groups.setDirectories(group, groups.directories(group) + 1);
      return this.emptyInode(group * s.inodesPerGroup + index + 1);
    }
    throw new PosixError('ENOSPC', 'no inode of the file system is free');
  }

  private async allocateInodeIn(group: number): Promise<number | undefined> {
    const { volume } = this;
    const { superblock: s, groups } = volume;
    const block = await volume.bitmap(group, 'inode');
    const reserved = group * s.inodesPerGroup < s.firstInode - 1 ? s.firstInode - 1 - group * s.inodesPerGroup : 0;
    const index = nextClear(block.bytes, Math.min(reserved, s.inodesPerGroup), s.inodesPerGroup);
    if (index === s.inodesPerGroup) return undefined;
    setBit(block.bytes, index);
    volume.bitmapChanged(group, 'inode', block);
    volume.changeFreeInodes(group, -1);
    if (s.hasGroupChecksums) {
      // What lies between the inodes in use and this one was never written, perhaps.
      const used = s.inodesPerGroup - groups.unusedInodes(group);
      for (let n = used; n < index; n += 1) await this.clearRecord(group * s.inodesPerGroup + n + 1);
      if (index >= used) groups.setUnusedInodes(group, s.inodesPerGroup - index - 1);
    }
    return index;
  }

  private async clearRecord(number: number): Promise<void> {
    const inode = await this.volume.inode(number, true);
    inode.bytes.fill(0);
    const empty = new Inode(number, inode.bytes, this.volume.superblock);
    await this.volume.saveInode(empty);
  }

  private async emptyInode(number: number): Promise<Inode> {
    const { superblock: s } = this.volume;
    const old = await this.volume.inode(number, true);
    const inode = new Inode(number, new Uint8Array(s.inodeBytes), s);
    // File handles of the number's last owner must not fit.
    inode.generation = (old.generation + 1) >>> 0;
    inode.extraBytes = s.inodeBytes > 128 ? Math.min(Math.max(s.wantedExtraBytes, 32), s.inodeBytes - 128) & ~3 : 0;
    return inode;
  }

  /** With more than the average of free inodes, and few directories. */
  private groupForDirectory(parentGroup: number): number {
    const { superblock: s, groups } = this.volume;
    const average = s.freeInodes / s.groups;
    let best = parentGroup;
    let fewest = Infinity;
    // A look at the groups that follow is enough to spread.
    for (let n = 0; n < Math.min(s.groups, 64); n += 1) {
      const group = (parentGroup + n) % s.groups;
      if (groups.freeInodes(group) < average || groups.freeInodes(group) === 0 || groups.freeBlocks(group) === 0) continue;
      const directories = groups.directories(group) + n / 4;
      if (directories < fewest) {
        fewest = directories;
        best = group;
      }
    }
    return best;
  }

  async freeInode(number: number, wasDirectory: boolean): Promise<void> {
    const { volume } = this;
    const { superblock: s, groups } = volume;
    const group = Math.floor((number - 1) / s.inodesPerGroup);
    const index = (number - 1) % s.inodesPerGroup;
    const block = await volume.bitmap(group, 'inode');
    if (number < s.firstInode || !getBit(block.bytes, index)) throw damaged(`inode ${number} was free already`);
    clearBit(block.bytes, index);
    volume.bitmapChanged(group, 'inode', block);
    volume.changeFreeInodes(group, 1);
    if (wasDirectory) groups.setDirectories(group, Math.max(0, groups.directories(group) - 1));
  }
}

/** The first run of `wanted` clear bits, else the longest of at least `least`; a run at `from` itself wins if long enough. */
function findRun(bytes: Uint8Array, from: number, end: number, wanted: number, least: number): BlockRun | undefined {
  let best: BlockRun | undefined;
  for (let at = nextClear(bytes, from, end); at < end;) {
    const after = nextSet(bytes, at, Math.min(end, at + wanted));
    const count = after - at;
    if (count >= wanted || (at === from && count >= least)) return { first: at, count };
    if (count >= least && count > (best?.count ?? 0)) best = { first: at, count };
    at = nextClear(bytes, after, end);
  }
  return best;
}
