/**
 * Where the bitmaps and inode tables of new groups go: in each group, or with flex_bg those of sixteen groups together at the
 * start of the first, so that files find long free runs in the others.
 */
import { PosixError } from '../mountable.ts';
import type { GroupDescriptors } from './group-descriptors.ts';
import type { Superblock } from './superblock.ts';

/** Blocks of one group that metadata uses, relative to its start. */
export type UsedRanges = readonly (readonly [first: number, count: number])[];

/** Fills in the places of the groups [from, groups). EINVAL when they have no room. */
export function placeGroups(superblock: Superblock, groups: GroupDescriptors, from = 0): UsedRanges[] {
  const used: [number, number][][] = [];
  for (let group = 0; group < superblock.groups; group += 1) used.push([[0, superblock.groupOverhead(group)]]);
  const size = superblock.groupsPerFlex;
  for (let first = from; first < superblock.groups;) {
    const end = Math.min((Math.floor(first / size) + 1) * size, superblock.groups);
    let group = first;
    let at = superblock.groupOverhead(group);
    const place = (count: number): number => {
      while (at + count > superblock.groupBlocks(group)) {
        group += 1;
        if (group >= end) throw new PosixError('EINVAL', 'the groups have no room for so many inodes');
        at = superblock.groupOverhead(group);
      }
      const block = superblock.groupStart(group) + at;
      used[group]?.push([at, count]);
      at += count;
      return block;
    };
    for (let n = first; n < end; n += 1) groups.setBlockBitmap(n, place(1));
    for (let n = first; n < end; n += 1) groups.setInodeBitmap(n, place(1));
    for (let n = first; n < end; n += 1) groups.setInodeTable(n, place(superblock.inodeTableBlocks));
    first = end;
  }
  return used;
}
