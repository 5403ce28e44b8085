/** Passes 4 and 5: how often each inode is named, and the bitmaps and counts of the groups. */
import { PosixError } from '../../mountable.ts';
import type { CachedBlock } from '../block-cache.ts';
import { clearBit, countSet, getBit, nextSet, setBit } from '../bitmap.ts';
import { GROUP_BLOCK_UNINIT, GROUP_INODE_UNINIT, ROOT_INODE } from '../layout.ts';
import type { CheckState } from './check-state.ts';
import { connect } from './pass-directories.ts';

export async function checkLinks(state: CheckState): Promise<void> {
  const { report, volume } = state;
  const { superblock: s } = volume;
  report.say('Pass 4: Checking reference counts');
  for (
    let number = nextSet(state.usedInodes, 1, s.inodes + 1);
    number <= s.inodes;
    number = nextSet(state.usedInodes, number + 1, s.inodes + 1)
  ) {
    if (number < s.firstInode && number !== ROOT_INODE) continue;
    const inode = await volume.inode(number, true);
    let counted = state.names[number] ?? 0;
    if (inode.isDirectory ? counted <= 1 && number !== ROOT_INODE && !state.parents.has(number) : counted === 0) {
      if (!inode.isDirectory && inode.size === 0 && inode.sectors === 0) {
        if (report.ask(`Unattached zero-length inode ${number}.`, 'Clear', true)) {
          inode.links = 0;
          inode.dtime = Number(volume.now() / 1_000_000_000n) >>> 0;
          await volume.saveInode(inode);
          clearBit(state.usedInodes, number);
          continue;
        }
      } else if (report.ask(`Unattached inode ${number}`, 'Connect to /lost+found')) {
        if ((await connect(state, number)) === undefined) report.leave('There is no /lost+found with room.');
      }
      counted = state.names[number] ?? 0;
    }
    // A directory with more subdirectories than it can count has 1.
    if (inode.isDirectory && inode.links === 1 && counted > 2) continue;
    if (
      counted !== 0 &&
      inode.links !== counted &&
      report.ask(`Inode ${number} ref count is ${inode.links}, should be ${counted}.`, 'Fix', true)
    ) {
      inode.links = counted;
      await volume.saveInode(inode);
    }
    if (number % 64 === 0) await volume.trim();
  }
}

export async function checkCounts(state: CheckState): Promise<void> {
  const { report, volume } = state;
  const { superblock: s, groups } = volume;
  report.say('Pass 5: Checking group summary information');
  let freeBlocks = 0;
  let freeInodes = 0;
  for (let group = 0; group < s.groups; group += 1) {
    const start = s.groupStart(group);
    const size = s.groupBlocks(group);
    const usedBlocks = await compareBitmap(state, group, 'block', size, (bit) => getBit(state.usedBlocks, start + bit));
    const first = group * s.inodesPerGroup + 1;
    const usedInodes = await compareBitmap(state, group, 'inode', s.inodesPerGroup, (bit) => getBit(state.usedInodes, first + bit));
    let directories = 0;
    for (let bit = 0; bit < s.inodesPerGroup; bit += 1)
      if (state.isDirectory(first + bit) && state.isUsed(first + bit)) directories += 1;
    for (const [name, said, counted, set] of [
      ['Free blocks count', groups.freeBlocks(group), size - usedBlocks, (n: number) => groups.setFreeBlocks(group, n)],
      ['Free inodes count', groups.freeInodes(group), s.inodesPerGroup - usedInodes, (n: number) => groups.setFreeInodes(group, n)],
      ['Directories count', groups.directories(group), directories, (n: number) => groups.setDirectories(group, n)],
    ] as const) {
      if (said === counted || !report.ask(`${name} wrong for group #${group} (${said}, counted=${counted}).`, 'Fix', true))
        continue;
      set(counted);
      volume.groupChanged(group);
    }
    freeBlocks += size - usedBlocks;
    freeInodes += s.inodesPerGroup - usedInodes;
    if (group % 64 === 63) await volume.trim();
  }
  if (s.freeBlocks !== freeBlocks && report.ask(`Free blocks count wrong (${s.freeBlocks}, counted=${freeBlocks}).`, 'Fix', true)) {
    s.freeBlocks = freeBlocks;
    volume.superblockDirty = true;
  }
  if (s.freeInodes !== freeInodes && report.ask(`Free inodes count wrong (${s.freeInodes}, counted=${freeInodes}).`, 'Fix', true)) {
    s.freeInodes = freeInodes;
    volume.superblockDirty = true;
  }
}

/** The bitmap on the disk, whatever its checksum says. */
async function readBitmap(
  state: CheckState,
  group: number,
  which: 'block' | 'inode',
): Promise<{ block: CachedBlock; sound: boolean }> {
  const { volume } = state;
  try {
    return { block: await volume.bitmap(group, which), sound: true };
  } catch (error) {
    if (!(error instanceof PosixError)) throw error;
    const number = which === 'block' ? volume.groups.blockBitmap(group) : volume.groups.inodeBitmap(group);
    return { block: await volume.cache.read(number), sound: false };
  }
}

/** Set bits that there should be. */
async function compareBitmap(
  state: CheckState,
  group: number,
  which: 'block' | 'inode',
  size: number,
  isUsed: (bit: number) => boolean,
): Promise<number> {
  const { volume, report } = state;
  const { superblock: s, groups } = volume;
  const { block, sound } = await readBitmap(state, group, which);
  const wanted = new Uint8Array(volume.blockBytes);
  for (let bit = 0; bit < size; bit += 1) if (isUsed(bit)) setBit(wanted, bit);
  const used = countSet(wanted, size);
  for (let bit = size; bit < volume.blockBytes * 8; bit += 1) setBit(wanted, bit);
  const base = which === 'block' ? s.groupStart(group) : group * s.inodesPerGroup + 1;
  const differences = describeDifferences(block.bytes, wanted, size, base);
  let put = false;
  if (differences !== '')
    put = report.ask(`${which === 'block' ? 'Block' : 'Inode'} bitmap differences: ${differences}`, 'Fix', true);
  else if (!sound) put = report.ask(`Group ${group} ${which} bitmap does not match checksum.`, 'Fix', true);
  else if (
    !samePadding(block.bytes, wanted, size) &&
    (groups.flags(group) & (which === 'block' ? GROUP_BLOCK_UNINIT : GROUP_INODE_UNINIT)) === 0
  )
    put = report.ask(`Padding at end of ${which} bitmap is not set.`, 'Fix', true);
  if (put) {
    block.bytes.set(wanted);
    volume.bitmapChanged(group, which, block);
  }
  return used;
}

function samePadding(a: Uint8Array, b: Uint8Array, size: number): boolean {
  return a.subarray(size >>> 3).every((byte, n) => byte === b[(size >>> 3) + n]);
}

/** As " +12 -(14--16)": in use and not marked, marked and not in use. The first hundred runs. */
function describeDifferences(said: Uint8Array, wanted: Uint8Array, size: number, base: number): string {
  let text = '';
  for (let bit = 0, runs = 0; bit < size && runs < 100;) {
    if (said[bit >>> 3] === wanted[bit >>> 3] && (bit & 7) === 0) {
      bit += 8;
      continue;
    }
    const want = getBit(wanted, bit);
    if (getBit(said, bit) === want) {
      bit += 1;
      continue;
    }
    let end = bit + 1;
    while (end < size && getBit(said, end) !== getBit(wanted, end) && getBit(wanted, end) === want) end += 1;
    text += ` ${want ? '+' : '-'}${end - bit === 1 ? base + bit : `(${base + bit}--${base + end - 1})`}`;
    runs += 1;
    bit = end;
  }
  return text;
}
