/**
 * What all parts of the library stand on: superblock, group descriptors, cache of metadata blocks, bitmaps and inodes of one
 * file system, with their checksums. Metadata is changed in memory and written back in place; nothing is ordered but `flush`:
 * the disks below make durable what was written between two flushes together, so no journal is written here.
 */
import { PosixError } from '../mountable.ts';
import { SECTOR_BYTES, type DiskImage } from '../disk-image.ts';
import { BlockCache, type CachedBlock } from './block-cache.ts';
import { crc32c } from './checksum.ts';
import { GroupDescriptors } from './group-descriptors.ts';
import { Inode, inodeChecksum } from './inode.ts';
import { GROUP_BLOCK_UNINIT, GROUP_INODE_UNINIT, SUPERBLOCK_BYTES, SUPERBLOCK_OFFSET } from './layout.ts';
import { Superblock } from './superblock.ts';
import { SystemZone } from './system-zone.ts';

export type Clock = () => bigint;

/** Damage found on the disk. */
export function damaged(message: string): PosixError {
  return new PosixError('EUCLEAN', message);
}

/** The 1024 bytes of the superblock, whatever they are. EINVAL when the disk has none. */
export async function readSuperblockBytes(disk: DiskImage): Promise<Uint8Array> {
  if (disk.sectors * SECTOR_BYTES < 4096) throw new PosixError('EINVAL', 'the disk is too small for a file system');
  const start = new Uint8Array(4096);
  await disk.read(0, start);
  return start.slice(SUPERBLOCK_OFFSET, SUPERBLOCK_OFFSET + SUPERBLOCK_BYTES);
}

export class ExtVolume {
  readonly cache: BlockCache;
  readonly groups: GroupDescriptors;
  readonly blockBytes: number;
  readonly checksumSeed: number;
  superblockDirty = false;
  private zone: SystemZone | undefined;

  constructor(
    readonly disk: DiskImage,
    readonly superblock: Superblock,
    readonly now: Clock,
  ) {
    this.blockBytes = superblock.blockBytes;
    if (disk.sectorBytes > this.blockBytes)
      throw new PosixError(
        'EINVAL',
        `the disk takes whole sectors of ${disk.sectorBytes} bytes, the file system has blocks of ${this.blockBytes}`,
      );
    this.cache = new BlockCache(disk, this.blockBytes);
    this.groups = new GroupDescriptors(superblock);
    this.checksumSeed = superblock.checksumSeed;
  }

  /** Reads superblock and descriptors. EINVAL, ENOTSUP, EUCLEAN. `tolerant`: for the checker, which looks at descriptors itself. */
  static async load(disk: DiskImage, now: Clock, tolerant = false): Promise<ExtVolume> {
    const superblock = Superblock.parse(await readSuperblockBytes(disk), disk.sectors * SECTOR_BYTES);
    const volume = new ExtVolume(disk, superblock, now);
    await volume.readDescriptors();
    if (!tolerant) for (let group = 0; group < superblock.groups; group += 1) volume.checkDescriptor(group);
    return volume;
  }

  private async readDescriptors(): Promise<void> {
    const { superblock: s, groups, blockBytes, cache } = this;
    const count = s.descriptorBlocks;
    for (let index = 0; index < count;) {
      const first = s.descriptorBlock(index);
      let run = 1;
      while (index + run < count && run < 256 && s.descriptorBlock(index + run) === first + run) run += 1;
      if (first + run > s.blocks) throw damaged('the group descriptors lie beyond the end of the file system');
      await cache.readRaw(first, groups.bytes.subarray(index * blockBytes, (index + run) * blockBytes));
      index += run;
    }
  }

  /** What is wrong with where the descriptor says the group's metadata is. */
  descriptorFault(group: number): string | undefined {
    const { superblock: s, groups } = this;
    for (const [name, block, count] of [
      ['block bitmap', groups.blockBitmap(group), 1],
      ['inode bitmap', groups.inodeBitmap(group), 1],
      ['inode table', groups.inodeTable(group), s.inodeTableBlocks],
    ] as const) {
      if (block <= s.firstDataBlock || block + count > s.blocks)
        return `the ${name} of group ${group} is said to be at block ${block}`;
    }
    if (groups.freeBlocks(group) > s.groupBlocks(group))
      return `group ${group} is said to have ${groups.freeBlocks(group)} free blocks`;
    if (groups.freeInodes(group) > s.inodesPerGroup)
      return `group ${group} is said to have ${groups.freeInodes(group)} free inodes`;
    if (groups.unusedInodes(group) > s.inodesPerGroup)
      return `group ${group} is said to have ${groups.unusedInodes(group)} unused inodes`;
    return undefined;
  }

  private checkDescriptor(group: number): void {
    if (!this.groups.checksumIsRight(group)) throw damaged(`the checksum of the descriptor of group ${group} is wrong`);
    const fault = this.descriptorFault(group);
    if (fault !== undefined) throw damaged(fault);
  }

  /** Whether `count` blocks from `first` may belong to a file. */
  isFileRange(first: number, count: number): boolean {
    if (first <= this.superblock.firstDataBlock || first + count > this.superblock.blocks) return false;
    this.zone ??= new SystemZone(this.superblock, this.groups);
    return !this.zone.overlaps(first, count);
  }

  /** The group's own share of bits of a bitmap, for the checksum. */
  private bitmapBytes(which: 'block' | 'inode'): number {
    const { superblock: s } = this;
    return (which === 'block' ? s.blocksPerGroup : s.inodesPerGroup) / 8;
  }
  bitmapChecksum(block: CachedBlock, which: 'block' | 'inode'): number {
    return this.groups.keptBits(crc32c(this.checksumSeed, block.bytes, 0, this.bitmapBytes(which)));
  }

  /** The bitmap of the group, checked. One that was never initialised is made up as its descriptor means it, not dirty. */
  async bitmap(group: number, which: 'block' | 'inode'): Promise<CachedBlock> {
    const { groups, cache, superblock: s } = this;
    const number = which === 'block' ? groups.blockBitmap(group) : groups.inodeBitmap(group);
    if ((groups.flags(group) & (which === 'block' ? GROUP_BLOCK_UNINIT : GROUP_INODE_UNINIT)) !== 0) {
      const made = cache.fresh(number);
      made.dirty = false;
      if (which === 'block') this.fillBlockBitmap(group, made.bytes);
      else made.bytes.fill(0xff, s.inodesPerGroup / 8);
      return made;
    }
    const known = cache.peek(number);
    if (known !== undefined) return known;
    const block = await cache.read(number);
    if (s.hasMetadataChecksums && this.bitmapChecksum(block, which) !== groups.bitmapChecksum(group, which)) {
      cache.forget(number);
      throw damaged(`the checksum of the ${which} bitmap of group ${group} is wrong`);
    }
    return block;
  }

  /** Bits of a group in which only the metadata that must be there is. */
  fillBlockBitmap(group: number, bytes: Uint8Array): void {
    const { superblock: s, groups } = this;
    const start = s.groupStart(group);
    const size = s.groupBlocks(group);
    bytes.fill(0);
    const mark = (first: number, count: number): void => {
      for (let bit = Math.max(0, first - start); bit < Math.min(size, first + count - start); bit += 1)
        bytes[bit >>> 3] = (bytes[bit >>> 3] ?? 0) | (1 << (bit & 7));
    };
    mark(start, s.groupOverhead(group));
    mark(groups.blockBitmap(group), 1);
    mark(groups.inodeBitmap(group), 1);
    mark(groups.inodeTable(group), s.inodeTableBlocks);
    for (let bit = size; bit < this.blockBytes * 8; bit += 1) bytes[bit >>> 3] = (bytes[bit >>> 3] ?? 0) | (1 << (bit & 7));
  }

  /** A bitmap was changed: it is initialised now. */
  bitmapChanged(group: number, which: 'block' | 'inode', block: CachedBlock): void {
    const { groups } = this;
    block.dirty = true;
    const flag = which === 'block' ? GROUP_BLOCK_UNINIT : GROUP_INODE_UNINIT;
    if ((groups.flags(group) & flag) !== 0) groups.setFlags(group, groups.flags(group) & ~flag);
    this.unsealedBitmaps.set(block.number, { group, which, block });
  }
  /** Their checksums are counted when they are written, not at every change. */
  private readonly unsealedBitmaps = new Map<number, { group: number; which: 'block' | 'inode'; block: CachedBlock }>();
  private readonly unsealedGroups = new Set<number>();

  /** The descriptor was changed. */
  groupChanged(group: number): void {
    this.unsealedGroups.add(group);
  }

  private inodePlace(number: number): { group: number; block: number; offset: number } {
    const { superblock: s } = this;
    if (!Number.isInteger(number) || number < 1 || number > s.inodes) throw damaged(`there is no inode ${number}`);
    const group = Math.floor((number - 1) / s.inodesPerGroup);
    const at = ((number - 1) % s.inodesPerGroup) * s.inodeBytes;
    return { group, block: this.groups.inodeTable(group) + Math.floor(at / this.blockBytes), offset: at % this.blockBytes };
  }

  /** A copy of the inode; `saveInode` puts it back. EUCLEAN when its checksum is wrong. */
  async inode(number: number, unchecked = false): Promise<Inode> {
    const { superblock: s } = this;
    const { block, offset } = this.inodePlace(number);
    const { bytes } = await this.cache.read(block);
    const inode = new Inode(number, bytes.slice(offset, offset + s.inodeBytes), s);
    if (!unchecked && s.hasMetadataChecksums && !inode.isEmpty && inodeChecksum(inode, this.checksumSeed) !== inode.checksum)
      throw damaged(`the checksum of inode ${number} is wrong`);
    return inode;
  }

  async saveInode(inode: Inode): Promise<void> {
    const { block: number, offset } = this.inodePlace(inode.number);
    if (this.superblock.hasMetadataChecksums) inode.checksum = inodeChecksum(inode, this.checksumSeed);
    const block = await this.cache.read(number);
    block.bytes.set(inode.bytes, offset);
    block.dirty = true;
  }

  changeFreeBlocks(group: number, change: number): void {
    this.groups.setFreeBlocks(group, Math.max(0, this.groups.freeBlocks(group) + change));
    this.superblock.freeBlocks = Math.max(0, this.superblock.freeBlocks + change);
    this.superblockDirty = true;
    this.groupChanged(group);
  }
  changeFreeInodes(group: number, change: number): void {
    this.groups.setFreeInodes(group, Math.max(0, this.groups.freeInodes(group) + change));
    this.superblock.freeInodes = Math.max(0, this.superblock.freeInodes + change);
    this.superblockDirty = true;
    this.groupChanged(group);
  }

  /** Call where no cached block is held. */
  async trim(): Promise<void> {
    this.sealBitmaps();
    await this.cache.trim();
  }

  private sealBitmaps(): void {
    const { groups } = this;
    for (const { group, which, block } of this.unsealedBitmaps.values()) {
      if (this.superblock.hasMetadataChecksums) groups.setBitmapChecksum(group, which, this.bitmapChecksum(block, which));
      this.unsealedGroups.add(group);
    }
    this.unsealedBitmaps.clear();
  }

  /** Everything to the disk, not durable yet. */
  async writeBack(): Promise<void> {
    const { groups, superblock: s, cache, blockBytes } = this;
    this.sealBitmaps();
    for (const group of this.unsealedGroups) groups.seal(group);
    this.unsealedGroups.clear();
    for (const index of groups.dirty) {
      const block = cache.fresh(s.descriptorBlock(index));
      block.bytes.set(groups.bytes.subarray(index * blockBytes, (index + 1) * blockBytes));
    }
    groups.dirty.clear();
    if (this.superblockDirty) {
      s.seal();
      const block = await cache.read(Math.floor(SUPERBLOCK_OFFSET / blockBytes));
      block.bytes.set(s.bytes, SUPERBLOCK_OFFSET % blockBytes);
      block.dirty = true;
      this.superblockDirty = false;
    }
    await cache.writeBack();
    await cache.trim();
  }
}
