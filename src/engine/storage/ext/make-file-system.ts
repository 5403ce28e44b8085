/**
 * mke2fs: makes a file system of type ext2, ext3 or ext4 with the features and sizes that Debian's mke2fs 1.47 chooses. The disk
 * is discarded first; what has to be zero is read and written only where it is not, so that a sparse disk stays sparse.
 */
import { SECTOR_BYTES, type DiskImage } from '../disk-image.ts';
import { PosixError } from '../mountable.ts';
import { ExtVolume, type Clock } from './ext-volume.ts';
import { planGeometry, type Geometry, type GeometryOptions } from './geometry.ts';
import { placeGroups, type UsedRanges } from './group-layout.ts';
import { Inode } from './inode.ts';
import {
  EXT_MAGIC,
  FIRST_INODE,
  GROUP_BLOCK_UNINIT,
  GROUP_INODE_UNINIT,
  GROUP_INODE_ZEROED,
  JOURNAL_INODE,
  RESIZE_INODE,
  ROOT_INODE,
  RO_COMPAT,
  STATE_VALID,
  SUPERBLOCK_BYTES,
  SUPER_SIGNED_HASH,
  TYPE_DIRECTORY,
  TYPE_FILE,
} from './layout.ts';
import { Mount } from './mount.ts';
import { encodeName } from './names.ts';
import { setBit } from './bitmap.ts';
import { Superblock } from './superblock.ts';

export interface MakeOptions extends GeometryOptions {
  /** 16 bytes. */
  readonly uuid: Uint8Array;
  /** 16 random bytes, over which names are hashed; the UUID otherwise. */
  readonly hashSeed?: Uint8Array;
  /** `-L`: at most 16 bytes. */
  readonly label?: string;
  readonly now: Clock;
}

export interface MadeFileSystem extends Geometry {
  /** Blocks with copies of the superblock. */
  readonly backups: readonly number[];
}

const LOST_AND_FOUND_BYTES = 16384;
const ZERO_BYTES = 1024 * 1024;

/** Durable when it resolves. EINVAL, EROFS. */
export async function makeFileSystem(disk: DiskImage, options: MakeOptions): Promise<MadeFileSystem> {
  if (disk.readOnly) throw new PosixError('EROFS', 'the disk is read-only');
  if (options.uuid.length !== 16) throw new PosixError('EINVAL', 'a UUID has 16 bytes');
  const geometry = planGeometry(disk.sectors * SECTOR_BYTES, disk.sectorBytes, options);
  const superblock = makeSuperblock(geometry, options);
  if (disk.discardGranularity > 0) await disk.discard(0, disk.sectors);
  const volume = new ExtVolume(disk, superblock, options.now);
  const used = placeGroups(superblock, volume.groups);
  await initialiseGroups(volume, used);
  if (geometry.firstDataBlock > 0) volume.cache.fresh(0);
  volume.cache.fresh(geometry.firstDataBlock);
  volume.superblockDirty = true;

  const mount = new Mount(volume, false);
  await makeRoot(mount);
  await makeResizeInode(mount);
  if (geometry.journalBlocks > 0) await makeJournal(mount, geometry.journalBlocks);
  await volume.writeBack();
  await writeBackups(volume);
  await disk.flush();
  const backups: number[] = [];
  for (let group = 1; group < geometry.groups; group += 1)
    if (superblock.hasBackup(group)) backups.push(superblock.groupStart(group));
  return { ...geometry, backups };
}

function makeSuperblock(g: Geometry, options: MakeOptions): Superblock {
  const s = new Superblock(new Uint8Array(SUPERBLOCK_BYTES));
  const logBlock = Math.log2(g.blockBytes) - 10;
  s.set16(0x38, EXT_MAGIC);
  s.set32(0x4c, 1);
  s.set32(0x5c, g.features.compat);
  s.set32(0x60, g.features.incompat);
  s.set32(0x64, g.features.roCompat);
  s.set32(0x0, g.inodes);
  s.blocks = g.blocks;
  s.reservedBlocks = Math.min(g.reservedBlocks, g.blocks - 1);
  s.set32(0x14, g.firstDataBlock);
  s.set32(0x18, logBlock);
  s.set32(0x1c, logBlock);
  s.set32(0x20, g.blocksPerGroup);
  s.set32(0x24, g.blocksPerGroup);
  s.set32(0x28, g.inodesPerGroup);
  s.set16(0x36, 0xffff);
  s.state = STATE_VALID;
  s.set16(0x3c, 1);
  s.set32(0x54, FIRST_INODE);
  s.set16(0x58, g.inodeBytes);
  s.bytes.set(options.uuid, 0x68);
  const label = encodeName(options.label ?? '');
  if (label.length > 16) throw new PosixError('EINVAL', `the label '${options.label ?? ''}' is longer than 16 bytes`);
  s.bytes.set(label, 0x78);
  s.set16(0xce, g.reservedDescriptorBlocks);
  s.bytes.set(options.hashSeed ?? options.uuid, 0xec);
  s.bytes[0xfc] = 1;
  if (s.has64) s.set16(0xfe, g.descriptorBytes);
  // user_xattr and acl.
  s.set32(0x100, 0xc);
  if (g.inodeBytes > 128) {
    s.set16(0x15c, 32);
    s.set16(0x15e, 32);
  }
  s.set32(0x160, SUPER_SIGNED_HASH);
  s.bytes[0x174] = g.logGroupsPerFlex;
  if (s.hasRoCompat(RO_COMPAT.METADATA_CSUM)) s.bytes[0x175] = 1;
  const seconds = Number(options.now() / 1_000_000_000n);
  for (const [low, high] of [
    [0x30, 0x274],
    [0x40, 0x277],
    [0x108, 0x276],
  ] as const) {
    s.set32(low, seconds % 2 ** 32);
    s.bytes[high] = Math.floor(seconds / 2 ** 32);
  }
  return s;
}

/** Makes the blocks zeros, writing only what is not. */
export async function zeroBlocks(volume: ExtVolume, first: number, count: number): Promise<void> {
  const { blockBytes, cache } = volume;
  const step = ZERO_BYTES / blockBytes;
  const bytes = new Uint8Array(ZERO_BYTES);
  for (let at = first; at < first + count; at += step) {
    const part = bytes.subarray(0, Math.min(step, first + count - at) * blockBytes);
    await cache.readRaw(at, part);
    const words = new Float64Array(part.buffer, 0, part.length / 8);
    if (words.every((word) => Object.is(word, 0))) continue;
    part.fill(0);
    await cache.writeRaw(at, part);
  }
}

/** Bitmaps, counts and empty inode tables of the groups [from, groups). */
export async function initialiseGroups(volume: ExtVolume, used: readonly UsedRanges[], from = 0): Promise<void> {
  const { superblock: s, groups } = volume;
  let freeBlocks = 0;
  for (let group = from; group < s.groups; group += 1) {
    const ranges = used[group] ?? [];
    const size = s.groupBlocks(group);
    const free = size - ranges.reduce((sum, [, count]) => sum + count, 0);
    groups.setFreeBlocks(group, free);
    freeBlocks += free;
    const reserved = Math.max(0, Math.min(s.inodesPerGroup, FIRST_INODE - 1 - group * s.inodesPerGroup));
    groups.setFreeInodes(group, s.inodesPerGroup - reserved);
    await zeroBlocks(volume, groups.inodeTable(group), s.inodeTableBlocks);
    const overhead = s.groupOverhead(group);
    if (overhead > 1) await zeroBlocks(volume, s.groupStart(group) + 1, overhead - 1);
    const lazy = s.hasGroupChecksums;
    if (lazy) {
      groups.setUnusedInodes(group, s.inodesPerGroup - reserved);
      const plain = ranges.length <= 1 && group < s.groups - 1;
      groups.setFlags(group, GROUP_INODE_ZEROED | (reserved === 0 ? GROUP_INODE_UNINIT : 0) | (plain ? GROUP_BLOCK_UNINIT : 0));
    }
    if ((groups.flags(group) & GROUP_BLOCK_UNINIT) === 0) {
      const block = volume.cache.fresh(groups.blockBitmap(group));
      for (const [first, count] of ranges) for (let bit = first; bit < first + count; bit += 1) setBit(block.bytes, bit);
      for (let bit = size; bit < volume.blockBytes * 8; bit += 1) setBit(block.bytes, bit);
      volume.bitmapChanged(group, 'block', block);
    }
    if ((groups.flags(group) & GROUP_INODE_UNINIT) === 0) {
      const block = volume.cache.fresh(groups.inodeBitmap(group));
      for (let bit = 0; bit < reserved; bit += 1) setBit(block.bytes, bit);
      block.bytes.fill(0xff, s.inodesPerGroup / 8);
      volume.bitmapChanged(group, 'inode', block);
    }
    volume.groupChanged(group);
    if (group % 64 === 63) await volume.trim();
  }
  s.freeBlocks += freeBlocks;
  s.freeInodes += s.inodesPerGroup * (s.groups - from) - (from === 0 ? FIRST_INODE - 1 : 0);
}

function reservedInode(volume: ExtVolume, number: number, mode: number): Inode {
  const { superblock: s } = volume;
  const inode = new Inode(number, new Uint8Array(s.inodeBytes), s);
  inode.mode = mode;
  inode.links = 1;
  inode.extraBytes = s.inodeBytes > 128 ? 32 : 0;
  for (const name of ['atime', 'ctime', 'mtime', 'crtime'] as const)
    inode.setTime(name, (volume.now() / 1_000_000_000n) * 1_000_000_000n);
  return inode;
}

/** The root directory with lost+found, which has room for what a check finds. */
async function makeRoot(mount: Mount): Promise<void> {
  const { volume, directories, life, allocator } = mount;
  const root = reservedInode(volume, ROOT_INODE, TYPE_DIRECTORY | 0o755);
  life.useExtents(root, true);
  await directories.format(root, ROOT_INODE);
  root.links = 3;
  const { number } = await allocator.allocateInode(ROOT_INODE, TYPE_FILE);
  const lost = reservedInode(volume, number, TYPE_DIRECTORY | 0o700);
  lost.links = 2;
  life.useExtents(lost, true);
  await directories.format(lost, ROOT_INODE);
  const blocks = Math.min(12, LOST_AND_FOUND_BYTES / volume.blockBytes);
  for (let n = 1; n < blocks; n += 1) await directories.appendEmpty(lost);
  await volume.saveInode(lost);
  await directories.add(root, encodeName('lost+found'), number, 2);
  await volume.saveInode(root);
  volume.groups.setDirectories(0, 2);
}

/** The inode that keeps the room for further descriptors. */
async function makeResizeInode(mount: Mount): Promise<void> {
  const { volume, allocator } = mount;
  const inode = reservedInode(volume, RESIZE_INODE, TYPE_FILE | 0o600);
  const perBlock = volume.blockBytes / 4;
  const { first: top } = await allocator.allocate(volume.superblock.firstDataBlock, 1);
  new DataView(inode.map.buffer, inode.map.byteOffset).setUint32(13 * 4, top, true);
  inode.size = (perBlock * perBlock + perBlock + 12) * volume.blockBytes;
  listReservedBlocks(volume, inode, top);
  await volume.saveInode(inode);
}

/** Fills `top` with the reserved blocks behind the descriptors, and each of those with its counterparts in the groups with copies. */
export function listReservedBlocks(volume: ExtVolume, inode: Inode, top: number): void {
  const { superblock: s, cache } = volume;
  const perBlock = volume.blockBytes / 4;
  const index = cache.fresh(top);
  let blocks = 1;
  for (let n = 0; n < s.reservedDescriptorBlocks; n += 1) {
    const block = s.firstDataBlock + 1 + s.descriptorBlocks + n;
    index.view.setUint32(((s.descriptorBlocks + n) % perBlock) * 4, block, true);
    const copies = cache.fresh(block);
    blocks += 1;
    let slot = 0;
    for (let group = 1; group < s.groups; group += 1) {
      if (!s.hasBackup(group)) continue;
      copies.view.setUint32(slot * 4, block + group * s.blocksPerGroup, true);
      slot += 1;
      blocks += 1;
    }
  }
  inode.sectors = (blocks * volume.blockBytes) / 512;
}

async function makeJournal(mount: Mount, blocks: number): Promise<void> {
  const { volume, life, mappers } = mount;
  const { superblock: s, blockBytes } = volume;
  const inode = reservedInode(volume, JOURNAL_INODE, TYPE_FILE | 0o600);
  life.useExtents(inode, true);
  const middle = Math.floor(s.groups / 2 / s.groupsPerFlex) * s.groupsPerFlex;
  let goal = s.groupStart(inode.hasExtents ? middle : 0);
  let first = 0;
  for (let logical = 0; logical < blocks;) {
    const { physical, count } = await mappers.of(inode).allocate(inode, logical, blocks - logical, goal);
    await zeroBlocks(volume, physical, count);
    if (logical === 0) first = physical;
    logical += count;
    goal = physical + count;
  }
  inode.size = blocks * blockBytes;
  await volume.saveInode(inode);

  const header = new Uint8Array(blockBytes);
  const view = new DataView(header.buffer);
  [0xc03b3998, 4, 0, blockBytes, blocks, 1, 1, 0].forEach((word, n) => view.setUint32(n * 4, word));
  header.set(s.uuid, 0x30);
  view.setUint32(0x40, 1);
  await volume.cache.writeRaw(first, header);
  s.set32(0xe0, JOURNAL_INODE);
  s.bytes[0xfd] = 1;
  s.bytes.set(inode.map, 0x10c);
  s.set32(0x10c + 15 * 4, Math.floor(inode.size / 2 ** 32));
  s.set32(0x10c + 16 * 4, inode.size % 2 ** 32);
  volume.superblockDirty = true;
}

/** Copies superblock and descriptors to the groups that have them. */
export async function writeBackups(volume: ExtVolume): Promise<void> {
  const { superblock: s, groups, blockBytes, cache } = volume;
  const copy = new Superblock(s.bytes.slice());
  const together = new Uint8Array((1 + s.descriptorBlocks) * blockBytes);
  for (let group = 1; group < s.groups; group += 1) {
    if (!s.hasBackup(group)) continue;
    copy.set16(0x5a, group);
    copy.seal();
    together.set(copy.bytes);
    together.set(groups.bytes, blockBytes);
    await cache.writeRaw(s.groupStart(group), together);
  }
}
