/** Sizes of a new file system, as mke2fs chooses them: block size and inode ratio by size, groups, inodes, journal. */
import { PosixError } from '../mountable.ts';
import { COMPAT, FIRST_INODE, INCOMPAT, RO_COMPAT, type FeatureWords } from './layout.ts';

export type ExtType = 'ext2' | 'ext3' | 'ext4';

export interface GeometryOptions {
  readonly type: ExtType;
  /** `-b`: 1024, 2048 or 4096. */
  readonly blockBytes?: number;
  /** Blocks of the file system; all of the disk otherwise. */
  readonly blocks?: number;
  /** `-i`: bytes of disk for each inode. */
  readonly inodeRatio?: number;
  /** `-N` */
  readonly inodes?: number;
  /** `-I`: 128 or 256 and more. */
  readonly inodeBytes?: number;
  /** `-m` */
  readonly reservedPercent?: number;
  /** `-J size=`, in MiB. */
  readonly journalMiB?: number;
}

export interface Geometry {
  readonly features: FeatureWords;
  readonly blockBytes: number;
  readonly blocks: number;
  readonly firstDataBlock: number;
  readonly blocksPerGroup: number;
  readonly groups: number;
  readonly inodes: number;
  readonly inodesPerGroup: number;
  readonly inodeBytes: number;
  readonly inodeTableBlocks: number;
  readonly descriptorBytes: number;
  readonly descriptorBlocks: number;
  readonly reservedDescriptorBlocks: number;
  readonly reservedBlocks: number;
  /** 0 = none: the type has none, or the file system is too small. */
  readonly journalBlocks: number;
  readonly logGroupsPerFlex: number;
}

const MIB = 1024 * 1024;
const BASE = {
  compat: COMPAT.EXT_ATTR | COMPAT.RESIZE_INODE | COMPAT.DIR_INDEX,
  incompat: INCOMPAT.FILETYPE,
  roCompat: RO_COMPAT.SPARSE_SUPER | RO_COMPAT.LARGE_FILE,
};
const EXT4 = {
  incompat: INCOMPAT.EXTENTS | INCOMPAT.FLEX_BG | INCOMPAT.BITS_64,
  roCompat: RO_COMPAT.HUGE_FILE | RO_COMPAT.METADATA_CSUM | RO_COMPAT.DIR_NLINK | RO_COMPAT.EXTRA_ISIZE,
};
const LOG_GROUPS_PER_FLEX = 4;
/** A last group with fewer blocks than that besides its own metadata is left out. */
const LEAST_USE_OF_LAST_GROUP = 50;

/** Block size and bytes an inode, by the size of the disk. */
function usage(diskBytes: number): { blockBytes: number; inodeRatio: number } {
  if (diskBytes < 3 * MIB) return { blockBytes: 1024, inodeRatio: 8192 };
  if (diskBytes < 512 * MIB) return { blockBytes: 1024, inodeRatio: 4096 };
  if (diskBytes < 4 * MIB * MIB) return { blockBytes: 4096, inodeRatio: 16384 };
  return { blockBytes: 4096, inodeRatio: diskBytes < 16 * MIB * MIB ? 32768 : 65536 };
}

/** Journal blocks of a file system of so many blocks, 0 = too small for one. */
export function defaultJournalBlocks(blocks: number): number {
  if (blocks < 2048) return 0;
  const steps = [
    [32768, 1024],
    [256 * 1024, 4096],
    [512 * 1024, 8192],
    [4096 * 1024, 16384],
    [8192 * 1024, 32768],
    [16384 * 1024, 65536],
    [32768 * 1024, 131072],
  ] as const;
  return steps.find(([below]) => blocks < below)?.[1] ?? 262144;
}

function invalid(message: string): PosixError {
  return new PosixError('EINVAL', message);
}

/** EINVAL with a sentence for what cannot be. */
export function planGeometry(diskBytes: number, sectorBytes: number, options: GeometryOptions): Geometry {
  const usual = usage(diskBytes);
  const blockBytes = options.blockBytes ?? Math.max(usual.blockBytes, sectorBytes);
  if (![1024, 2048, 4096].includes(blockBytes) || blockBytes < sectorBytes)
    throw invalid(`blocks of ${blockBytes} bytes are not possible here`);
  const inodeBytes = options.inodeBytes ?? 256;
  if (inodeBytes < 128 || inodeBytes > blockBytes || (inodeBytes & (inodeBytes - 1)) !== 0)
    throw invalid(`inodes of ${inodeBytes} bytes are not possible`);
  const ratio = options.inodeRatio ?? usual.inodeRatio;
  if (!(ratio >= blockBytes && ratio <= 67108864)) throw invalid(`an inode for each ${ratio} bytes is not possible`);
  const percent = options.reservedPercent ?? 5;
  if (!(percent >= 0 && percent <= 50)) throw invalid(`${percent} percent of the blocks cannot be reserved`);
  const asked = options.blocks ?? Math.floor(diskBytes / blockBytes);
  if (!Number.isSafeInteger(asked) || asked * blockBytes > diskBytes)
    throw invalid(`the disk has not ${asked} blocks of ${blockBytes} bytes`);
  const wide = options.type === 'ext4';
  if (!wide && asked >= 2 ** 32) throw invalid('a disk of so many blocks needs ext4');

  const wanted = Math.max(options.inodes ?? Math.floor((asked * blockBytes) / ratio), FIRST_INODE + 1);
  const shape = fitGroups({ blocks: asked, blockBytes, inodeBytes, inodes: wanted, descriptorBytes: wide ? 64 : 32 });
  const journalBlocks = options.type === 'ext2' ? 0 : journalSize(options, shape.blocks, blockBytes);
  return {
    ...shape,
    features: {
      compat: BASE.compat | (journalBlocks > 0 ? COMPAT.HAS_JOURNAL : 0),
      incompat: BASE.incompat | (wide ? EXT4.incompat : 0),
      roCompat: BASE.roCompat | (wide ? EXT4.roCompat : 0),
    },
    reservedBlocks: Math.floor((asked * percent) / 100),
    journalBlocks,
    logGroupsPerFlex: wide ? LOG_GROUPS_PER_FLEX : 0,
  };
}

function journalSize(options: GeometryOptions, blocks: number, blockBytes: number): number {
  if (options.journalMiB === undefined) return defaultJournalBlocks(blocks);
  const count = (options.journalMiB * MIB) / blockBytes;
  if (!(count >= 1024 && count <= 10240000))
    throw invalid(`a journal of ${options.journalMiB} MiB is not possible: it has 1024 to 10240000 blocks`);
  if (count > blocks / 2) throw invalid(`a journal of ${options.journalMiB} MiB is too large for the file system`);
  return count;
}

interface Wanted {
  readonly blocks: number;
  readonly blockBytes: number;
  readonly inodeBytes: number;
  readonly inodes: number;
  readonly descriptorBytes: number;
}
type Shape = Omit<Geometry, 'features' | 'reservedBlocks' | 'journalBlocks' | 'logGroupsPerFlex'>;

function fitGroups(wanted: Wanted): Shape {
  const { blockBytes, inodeBytes, descriptorBytes } = wanted;
  const firstDataBlock = blockBytes === 1024 ? 1 : 0;
  const perDescriptorBlock = blockBytes / descriptorBytes;
  let { blocks } = wanted;
  let blocksPerGroup = blockBytes * 8;
  for (;;) {
    const groups = Math.ceil((blocks - firstDataBlock) / blocksPerGroup);
    if (blocks <= firstDataBlock + 8 || groups < 1) throw invalid('the disk is too small for a file system');
    let perGroup = Math.ceil(wanted.inodes / groups);
    if (perGroup > blockBytes * 8) {
      if (blocksPerGroup < 256) throw invalid(`${wanted.inodes} inodes are too many`);
      blocksPerGroup -= 8;
      continue;
    }
    // Whole blocks of the table, whole bytes of the bitmap.
    perGroup = Math.floor((Math.ceil((perGroup * inodeBytes) / blockBytes) * blockBytes) / inodeBytes);
    const inodesPerGroup = Math.max(8, perGroup & ~7);
    const inodeTableBlocks = Math.ceil((inodesPerGroup * inodeBytes) / blockBytes);
    const inodes = inodesPerGroup * groups;
    if (inodes >= 2 ** 32) throw invalid(`${inodes} inodes are too many`);
    const descriptorBlocks = Math.ceil(groups / perDescriptorBlock);
    const mostBlocks = blocks < (2 ** 32 - 1) / 1024 ? blocks * 1024 : 2 ** 32 - 1;
    const mostGroups = Math.ceil((mostBlocks - firstDataBlock) / blocksPerGroup);
    const reservedDescriptorBlocks = Math.max(
      0,
      Math.min(Math.ceil(mostGroups / perDescriptorBlock) - descriptorBlocks, blockBytes / 4),
    );
    const rest = (blocks - firstDataBlock) % blocksPerGroup;
    const overhead = 2 + inodeTableBlocks + (hasBackup(groups - 1) ? 1 + descriptorBlocks + reservedDescriptorBlocks : 0);
    if (groups === 1 && rest > 0 && rest < overhead) throw invalid('the disk is too small for so many inodes');
    if (groups > 1 && rest > 0 && rest < overhead + LEAST_USE_OF_LAST_GROUP) {
      blocks -= rest;
      continue;
    }
    if (2 + inodeTableBlocks + 1 + descriptorBlocks + reservedDescriptorBlocks > blocksPerGroup)
      throw invalid(`${wanted.inodes} inodes are too many`);
    return {
      blockBytes,
      blocks,
      firstDataBlock,
      blocksPerGroup,
      groups,
      inodes,
      inodesPerGroup,
      inodeBytes,
      inodeTableBlocks,
      descriptorBytes,
      descriptorBlocks,
      reservedDescriptorBlocks,
    };
  }
}

/** Groups 0, 1 and the powers of 3, 5 and 7. */
function hasBackup(group: number): boolean {
  if (group <= 1) return true;
  return [3, 5, 7].some((base) => {
    let power = base;
    while (power < group) power *= base;
    return power === group;
  });
}
