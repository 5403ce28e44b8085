/** How a file's blocks are found and taken, whichever way its inode maps them. */
import type { Inode } from './inode.ts';

/** A run of a file's blocks; physical 0 is a hole, `unwritten` reads as zeros. */
export interface Mapping {
  readonly physical: number;
  readonly count: number;
  readonly unwritten: boolean;
}

export interface BlockMapper {
  /** Blocks a file can have at most. */
  readonly maxBlocks: number;
  /** What `logical` and up to `most` blocks from there are: at least one, all alike. EUCLEAN. */
  find(inode: Inode, logical: number, most: number): Promise<Mapping>;
  /**
   * Blocks where `find` told a hole or something unwritten, up to `count`: what is mapped now, at least one. The caller writes
   * them whole, and saves the inode. ENOSPC.
   */
  allocate(inode: Inode, logical: number, count: number, goal: number): Promise<Mapping>;
  /** Gives back all from `logical` on, with what maps it. The caller saves the inode, also when this rejects. */
  truncate(inode: Inode, logical: number): Promise<void>;
}
