/**
 * resize2fs, offline: grows a file system into a disk that has become larger. The room for further descriptors that mke2fs kept
 * behind the descriptors bounds how far. Making smaller is refused: blocks in use would have to move.
 */
import { SECTOR_BYTES, type DiskImage } from '../disk-image.ts';
import { PosixError } from '../mountable.ts';
import { clearBit } from './bitmap.ts';
import { ExtVolume, damaged, type Clock } from './ext-volume.ts';
import { placeGroups } from './group-layout.ts';
import { COMPAT, INCOMPAT, RESIZE_INODE, STATE_ERROR, STATE_VALID } from './layout.ts';
import { initialiseGroups, listReservedBlocks, writeBackups } from './make-file-system.ts';
import { Superblock } from './superblock.ts';

export interface ResizeOptions {
  /** Blocks of the file system; as many as the disk has otherwise. */
  readonly blocks?: number;
  readonly now: Clock;
}

export interface ResizedFileSystem {
  readonly blockBytes: number;
  readonly blocksBefore: number;
  /** May be fewer than asked for: a last group that would have hardly more than its own metadata is left out. */
  readonly blocks: number;
}

const LEAST_USE_OF_LAST_GROUP = 50;

/** Durable when it resolves. EINVAL with a sentence: not clean, smaller, too large; ENOTSUP. */
export async function resizeFileSystem(disk: DiskImage, options: ResizeOptions): Promise<ResizedFileSystem> {
  if (disk.readOnly) throw new PosixError('EROFS', 'the disk is read-only');
  const old = await ExtVolume.load(disk, options.now);
  const { superblock: before, blockBytes } = old;
  const strange = before.unsupported(true);
  if (strange.length > 0 || before.hasIncompat(INCOMPAT.META_BG))
    throw new PosixError('ENOTSUP', `file systems with ${[...strange, 'meta_bg'][0] ?? ''} cannot be resized here`);
  if (
    (before.state & STATE_VALID) === 0 ||
    (before.state & STATE_ERROR) !== 0 ||
    before.hasIncompat(INCOMPAT.RECOVER) ||
    before.lastOrphan !== 0
  )
    throw new PosixError('EINVAL', 'the file system is not clean: run e2fsck -f first');
  const most = Math.floor((disk.sectors * SECTOR_BYTES) / blockBytes);
  const wanted = options.blocks ?? most;
  if (!Number.isSafeInteger(wanted) || wanted > most)
    throw new PosixError('EINVAL', `the disk has ${most} blocks of ${blockBytes} bytes only`);
  if (wanted < before.blocks)
    throw new PosixError('ENOTSUP', `making a file system smaller (from ${before.blocks} to ${wanted} blocks) is not supported`);

  const superblock = new Superblock(before.bytes.slice());
  growSuperblock(superblock, before, wanted);
  const result = { blockBytes, blocksBefore: before.blocks, blocks: superblock.blocks };
  if (superblock.blocks === before.blocks) return result;

  const volume = new ExtVolume(disk, superblock, options.now);
  volume.groups.bytes.set(old.groups.bytes);
  await growLastGroup(volume, before);
  const used = placeGroups(superblock, volume.groups, before.groups);
  await initialiseGroups(volume, used, before.groups);
  for (let index = 0; index < superblock.descriptorBlocks; index += 1) volume.groups.dirty.add(index);
  if (superblock.hasCompat(COMPAT.RESIZE_INODE)) await renewResizeInode(volume);
  volume.superblockDirty = true;
  await volume.writeBack();
  await writeBackups(volume);
  await disk.flush();
  return result;
}

/** Sizes only; the counts of what is free follow with the groups. */
function growSuperblock(superblock: Superblock, before: Superblock, wanted: number): void {
  superblock.blocks = wanted;
  const room = before.descriptorBlocks + before.reservedDescriptorBlocks;
  const last = superblock.groups - 1;
  const rest = superblock.groupBlocks(last);
  superblock.set16(0xce, 0);
  if (superblock.hasCompat(COMPAT.RESIZE_INODE)) superblock.set16(0xce, Math.max(0, room - superblock.descriptorBlocks));
  if (last >= before.groups && rest < superblock.groupOverhead(last) + 2 + superblock.inodeTableBlocks + LEAST_USE_OF_LAST_GROUP) {
    superblock.blocks -= rest;
    if (superblock.hasCompat(COMPAT.RESIZE_INODE)) superblock.set16(0xce, Math.max(0, room - superblock.descriptorBlocks));
  }
  if (superblock.descriptorBlocks > room)
    throw new PosixError(
      'EINVAL',
      `the file system has room for the descriptors of ${room * before.descriptorsPerBlock} groups only, not of ${superblock.groups}`,
    );
  const inodes = superblock.groups * superblock.inodesPerGroup;
  if (inodes >= 2 ** 32) throw new PosixError('EINVAL', `${inodes} inodes are too many`);
  superblock.set32(0x0, inodes);
  superblock.reservedBlocks = Math.floor((before.reservedBlocks / before.blocks) * superblock.blocks);
}

/** The blocks of the last group so far that were beyond the end are free now. */
async function growLastGroup(volume: ExtVolume, before: Superblock): Promise<void> {
  const group = before.groups - 1;
  const from = before.groupBlocks(group);
  const to = volume.superblock.groupBlocks(group);
  if (from === to) return;
  const block = await volume.bitmap(group, 'block');
  for (let bit = from; bit < to; bit += 1) clearBit(block.bytes, bit);
  volume.bitmapChanged(group, 'block', block);
  volume.changeFreeBlocks(group, to - from);
}

/** Descriptors took some of the reserved blocks, and groups with copies came: the inode lists them anew. */
async function renewResizeInode(volume: ExtVolume): Promise<void> {
  const inode = await volume.inode(RESIZE_INODE);
  const top = new DataView(inode.map.buffer, inode.map.byteOffset).getUint32(13 * 4, true);
  if (!volume.isFileRange(top, 1)) throw damaged('the inode that keeps room for descriptors is damaged');
  listReservedBlocks(volume, inode, top);
  await volume.saveInode(inode);
}
