/**
 * The blocks that belong to the file system itself (superblocks, descriptors, bitmaps, inode tables): what a file maps must lie
 * outside, or a damaged map could overwrite them.
 */
import type { GroupDescriptors } from './group-descriptors.ts';
import type { Superblock } from './superblock.ts';

export class SystemZone {
  /** Starts, ascending; `ends` are behind the last block of each. Neighbours are joined. */
  private readonly starts: number[] = [];
  private readonly ends: number[] = [];

  constructor(superblock: Superblock, groups: GroupDescriptors) {
    const pieces: [number, number][] = [];
    const table = superblock.inodeTableBlocks;
    for (let group = 0; group < superblock.groups; group += 1) {
      const start = superblock.groupStart(group);
      const overhead = superblock.groupOverhead(group);
      if (overhead > 0) pieces.push([start, start + overhead]);
      for (const [block, count] of [
        [groups.blockBitmap(group), 1],
        [groups.inodeBitmap(group), 1],
        [groups.inodeTable(group), table],
      ] as const)
        pieces.push([block, block + count]);
    }
    pieces.sort((a, b) => a[0] - b[0]);
    for (const [start, end] of pieces) {
      const last = this.ends.length - 1;
      const before = this.ends[last];
      if (before !== undefined && start <= before) this.ends[last] = Math.max(before, end);
      else {
        this.starts.push(start);
        this.ends.push(end);
      }
    }
  }

  /** Whether any of `count` blocks from `first` belongs to it. */
  overlaps(first: number, count: number): boolean {
    let low = 0;
    let high = this.ends.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.ends[middle] ?? 0) <= first) low = middle + 1;
      else high = middle;
    }
    return (this.starts[low] ?? Infinity) < first + count;
  }
}
