/** What the passes hand on: which blocks and inodes are in use, and how often each inode is named. */
import { getBit, setBit } from '../bitmap.ts';
import type { ExtVolume } from '../ext-volume.ts';
import type { Mount } from '../mount.ts';
import type { CheckReport } from './report.ts';

export class CheckState {
  readonly volume: ExtVolume;
  /** Of all blocks, from 0. */
  readonly usedBlocks: Uint8Array;
  /** Blocks that more than one inode, or an inode and the file system itself, claim: with the inodes that came later. */
  readonly claimedAgain = new Map<number, Set<number>>();
  /** By inode number. */
  readonly usedInodes: Uint8Array;
  readonly directoryInodes: Uint8Array;
  /** Type of a directory's record, by inode number. */
  readonly types: Uint8Array;
  /** Names found, by inode number. */
  readonly names: Uint32Array;
  readonly directories: number[] = [];
  /** The directory that names a directory. */
  readonly parents = new Map<number, number>();
  /** What ".." says. */
  readonly dotDots = new Map<number, number>();
  /** Blocks of extended attributes with how many inodes use them. */
  readonly attributeBlocks = new Map<number, number>();
  files = 0;
  fragmented = 0;
  /** A repair made what came before doubtful: all passes again. */
  restart = false;

  constructor(
    readonly mount: Mount,
    readonly report: CheckReport,
  ) {
    this.volume = mount.volume;
    const { superblock: s } = this.volume;
    this.usedBlocks = new Uint8Array(Math.ceil(s.blocks / 8));
    this.usedInodes = new Uint8Array(Math.ceil((s.inodes + 1) / 8));
    this.directoryInodes = new Uint8Array(Math.ceil((s.inodes + 1) / 8));
    this.types = new Uint8Array(s.inodes + 1);
    this.names = new Uint32Array(s.inodes + 1);
  }

  isUsed(inode: number): boolean {
    return getBit(this.usedInodes, inode);
  }
  isDirectory(inode: number): boolean {
    return getBit(this.directoryInodes, inode);
  }

  /** The block belongs to the inode (0: to the file system). False when it did already belong to something. */
  claim(block: number, inode: number): boolean {
    if (!getBit(this.usedBlocks, block)) {
      setBit(this.usedBlocks, block);
      return true;
    }
    if (this.claimedAgain.size < 10_000) this.claimedAgain.set(block, (this.claimedAgain.get(block) ?? new Set()).add(inode));
    return false;
  }
}
