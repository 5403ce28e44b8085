/** Pass 1: every inode by itself: its kind, its size, the blocks it maps. */
import { crc32c, crc32cOfWord } from '../checksum.ts';
import { setBit } from '../bitmap.ts';
import type { Inode } from '../inode.ts';
import { inodeChecksum } from '../inode.ts';
import { isFastLink, recordType } from '../inode-life.ts';
import { COMPAT, FIRST_INODE, RESIZE_INODE, ROOT_INODE, RO_COMPAT } from '../layout.ts';
import type { CheckState } from './check-state.ts';
import { MapWalk } from './map-walk.ts';

const ATTRIBUTE_MAGIC = 0xea020000;

export async function checkInodes(state: CheckState): Promise<void> {
  state.report.say('Pass 1: Checking inodes, blocks, and sizes');
  const { volume } = state;
  const { superblock: s, groups } = volume;
  for (let block = 0; block < s.firstDataBlock; block += 1) setBit(state.usedBlocks, block);
  for (let group = 0; group < s.groups; group += 1) {
    const claim = (first: number, count: number): void => {
      for (let n = 0; n < count; n += 1) state.claim(first + n, 0);
    };
    claim(s.groupStart(group), s.groupOverhead(group));
    claim(groups.blockBitmap(group), 1);
    claim(groups.inodeBitmap(group), 1);
    claim(groups.inodeTable(group), s.inodeTableBlocks);
  }
  for (let group = 0; group < s.groups; group += 1) {
    const end = s.inodesPerGroup - groups.unusedInodes(group);
    for (let n = 0; n < end; n += 1) {
      const number = group * s.inodesPerGroup + n + 1;
      const inode = await volume.inode(number, true);
      await checkInode(state, inode);
      if (n % 64 === 0) await volume.trim();
    }
  }
  await checkAttributeCounts(state);
  for (const [block, inodes] of state.claimedAgain)
    state.report.leave(`Multiply-claimed block(s) in inode ${[...inodes].join(', ')}: ${block}`);
}

async function checkInode(state: CheckState, inode: Inode): Promise<void> {
  const { volume, report } = state;
  const { superblock: s } = volume;
  const { number } = inode;
  const reserved = number < Math.max(s.firstInode, FIRST_INODE) && number !== ROOT_INODE;
  if (reserved) setBit(state.usedInodes, number);
  if (reserved && (inode.mode === 0 || inode.links === 0)) {
    if (number === s.journalInode && s.hasCompat(COMPAT.HAS_JOURNAL))
      report.leave(`Superblock has an invalid journal (inode ${number}).`);
    return;
  }
  if (inode.links === 0 && !reserved) {
    // A deleted inode has the time of that; what was never used is zeros.
    if (inode.mode !== 0 && inode.dtime === 0 && report.ask(`Deleted inode ${number} has zero dtime.`, 'Fix', true)) {
      inode.dtime = Number(volume.now() / 1_000_000_000n) >>> 0;
      await volume.saveInode(inode);
    } else if (s.hasMetadataChecksums && !inode.isEmpty && inodeChecksum(inode, volume.checksumSeed) !== inode.checksum) {
      if (report.ask(`Inode ${number} passes checks, but checksum does not match inode.`, 'Fix', true))
        await volume.saveInode(inode);
    }
    return;
  }
  if (recordType(inode) === 0) {
    if (report.ask(`Inode ${number} has a bad mode (0${inode.mode.toString(8)}).`, 'Clear')) await clearInode(state, inode);
    return;
  }
  if (
    s.inodeBytes > 128 &&
    (inode.extraBytes > s.inodeBytes - 128 || inode.extraBytes % 4 !== 0 || (inode.extraBytes > 0 && inode.extraBytes < 4))
  ) {
    if (report.ask(`Inode ${number} has a extra size (${inode.extraBytes}) which is invalid`, 'Fix')) {
      inode.extraBytes = Math.min(32, s.inodeBytes - 128);
      await volume.saveInode(inode);
    }
  }
  let changed = false;
  if (s.hasMetadataChecksums && inodeChecksum(inode, volume.checksumSeed) !== inode.checksum)
    changed = report.ask(`Inode ${number} passes checks, but checksum does not match inode.`, 'Fix', true);
  if (inode.dtime !== 0 && report.ask(`Inode ${number} is in use, but has dtime set.`, 'Fix', true)) {
    inode.dtime = 0;
    changed = true;
  }
  setBit(state.usedInodes, number);
  state.types[number] = recordType(inode);
  if (inode.isDirectory) {
    setBit(state.directoryInodes, number);
    state.directories.push(number);
  }
  if (!reserved) state.files += 1;
  const cleared = await checkMap(state, inode, changed);
  if (cleared) {
    await clearInode(state, inode);
    state.restart = true;
  }
}

async function clearInode(state: CheckState, inode: Inode): Promise<void> {
  inode.links = 0;
  inode.dtime = Number(state.volume.now() / 1_000_000_000n) >>> 0;
  await state.volume.saveInode(inode);
}

/** True = the inode has to be cleared. Saves it. */
async function checkMap(state: CheckState, inode: Inode, before: boolean): Promise<boolean> {
  const { volume, report } = state;
  const { superblock: s, blockBytes } = volume;
  const { number } = inode;
  let changed = before;
  let blocks = 0;
  if (inode.attributeBlock !== 0) {
    if (await checkAttributeBlock(state, inode)) blocks += 1;
    else changed = true;
  }
  const isResize = number === RESIZE_INODE;
  const mapped = (inode.isFile || inode.isDirectory || inode.isSymlink) && !isFastLink(inode, volume) && !inode.hasInlineData;
  if (isResize) {
    // Its blocks are those kept free behind the descriptors, which are claimed already; its own is the one that lists them.
    blocks = Math.round((inode.sectors * 512) / blockBytes);
    const top = new DataView(inode.map.buffer, inode.map.byteOffset).getUint32(13 * 4, true);
    if (s.hasCompat(COMPAT.RESIZE_INODE) && (top <= s.firstDataBlock || top >= s.blocks)) report.leave('Resize inode not valid.');
    else if (top > 0 && top < s.blocks) state.claim(top, number);
  } else if (mapped) {
    const map = await new MapWalk(state, inode).run();
    if (map.hopeless !== undefined) return report.ask(`Inode ${number} ${map.hopeless}.`, 'Clear inode');
    blocks += map.blocks;
    changed ||= map.changed;
    if (map.fragments > 0) state.fragmented += 1;
    const size = sizeFault(inode, map.last, map.lastWritten, blockBytes);
    if (size !== undefined && report.ask(`Inode ${number}, i_size is ${inode.size}, should be ${size}.`, 'Fix')) {
      inode.size = size;
      changed = true;
    }
    if (inode.isDirectory && map.last < 0 && report.ask(`Inode ${number} is a zero-length directory.`, 'Clear')) return true;
    if (inode.isFile && inode.size >= 2 ** 31 && !s.hasRoCompat(RO_COMPAT.LARGE_FILE)) {
      if (report.ask('Filesystem contains large files, but lacks LARGE_FILE flag in superblock.', 'Fix', true)) {
        s.set32(0x64, s.u32(0x64) | RO_COMPAT.LARGE_FILE);
        volume.superblockDirty = true;
      }
    }
  } else if (isFastLink(inode, volume)) {
    const end = inode.map.indexOf(0);
    if ((inode.size === 0 || (end >= 0 ? end : 60) !== inode.size) && report.ask(`Symlink (inode #${number}) is invalid.`, 'Clear'))
      return true;
  }
  const sectors = (blocks * blockBytes) / 512;
  if (
    !isResize &&
    inode.sectors !== sectors &&
    report.ask(`Inode ${number}, i_blocks is ${inode.sectors}, should be ${sectors}.`, 'Fix', true)
  ) {
    inode.sectors = sectors;
    changed = true;
  }
  if (changed && report.mode !== 'no') await volume.saveInode(inode);
  return false;
}

/** The size that the mapped blocks ask for, when it does not fit. */
function sizeFault(inode: Inode, last: number, lastWritten: number, blockBytes: number): number | undefined {
  if (inode.isDirectory) return last >= 0 && inode.size !== (last + 1) * blockBytes ? (last + 1) * blockBytes : undefined;
  if (inode.isSymlink) return inode.size === 0 || inode.size > blockBytes ? blockBytes : undefined;
  return lastWritten >= 0 && inode.size < lastWritten * blockBytes ? (lastWritten + 1) * blockBytes : undefined;
}

/** False = it was taken from the inode. */
async function checkAttributeBlock(state: CheckState, inode: Inode): Promise<boolean> {
  const { volume, report } = state;
  const { superblock: s } = volume;
  const number = inode.attributeBlock;
  if (number <= s.firstDataBlock || number >= s.blocks) {
    if (!report.ask(`Inode ${inode.number} has a bad extended attribute block ${number}.`, 'Clear')) return true;
    inode.attributeBlock = 0;
    return false;
  }
  const seen = state.attributeBlocks.get(number);
  state.attributeBlocks.set(number, (seen ?? 0) + 1);
  if (seen !== undefined) return true;
  state.claim(number, inode.number);
  const { view, bytes } = await volume.cache.read(number);
  if (view.getUint32(0, true) !== ATTRIBUTE_MAGIC || view.getUint32(8, true) !== 1) {
    if (!report.ask(`Extended attribute block ${number} has h_blocks > 1 or no magic number.`, 'Clear')) return true;
    inode.attributeBlock = 0;
    state.restart = true;
    return false;
  }
  if (s.hasMetadataChecksums && view.getUint32(0x10, true) !== attributeChecksum(state, number, bytes)) {
    if (report.ask(`Extended attribute block ${number} passes checks, but checksum does not match block.`, 'Fix')) {
      view.setUint32(0x10, attributeChecksum(state, number, bytes), true);
      (await volume.cache.read(number)).dirty = true;
    }
  }
  return true;
}

function attributeChecksum(state: CheckState, number: number, bytes: Uint8Array): number {
  const without = bytes.slice();
  without.fill(0, 0x10, 0x14);
  return crc32c(crc32cOfWord(crc32cOfWord(state.volume.checksumSeed, number % 2 ** 32), Math.floor(number / 2 ** 32)), without);
}

async function checkAttributeCounts(state: CheckState): Promise<void> {
  for (const [number, count] of state.attributeBlocks) {
    const block = await state.volume.cache.read(number);
    const said = block.view.getUint32(4, true);
    if (
      said === count ||
      !state.report.ask(`Extended attribute block ${number} has reference count ${said}, should be ${count}.`, 'Fix')
    )
      continue;
    block.view.setUint32(4, count, true);
    if (state.volume.superblock.hasMetadataChecksums)
      block.view.setUint32(0x10, attributeChecksum(state, number, block.bytes), true);
    block.dirty = true;
  }
}
