/**
 * Constants of the on-disk format that ext2, ext3 and ext4 share; numbers and names of the features as e2fsprogs prints them.
 * @see Linux Documentation/filesystems/ext4
 */

export const EXT_MAGIC = 0xef53;
export const SUPERBLOCK_OFFSET = 1024;
export const SUPERBLOCK_BYTES = 1024;

export const ROOT_INODE = 2;
export const RESIZE_INODE = 7;
export const JOURNAL_INODE = 8;
export const FIRST_INODE = 11;

export const STATE_VALID = 1;
export const STATE_ERROR = 2;

export const COMPAT = {
  DIR_PREALLOC: 0x1,
  IMAGIC_INODES: 0x2,
  HAS_JOURNAL: 0x4,
  EXT_ATTR: 0x8,
  RESIZE_INODE: 0x10,
  DIR_INDEX: 0x20,
  SPARSE_SUPER2: 0x200,
  FAST_COMMIT: 0x400,
  STABLE_INODES: 0x800,
  ORPHAN_FILE: 0x1000,
} as const;

export const INCOMPAT = {
  COMPRESSION: 0x1,
  FILETYPE: 0x2,
  RECOVER: 0x4,
  JOURNAL_DEV: 0x8,
  META_BG: 0x10,
  EXTENTS: 0x40,
  BITS_64: 0x80,
  MMP: 0x100,
  FLEX_BG: 0x200,
  EA_INODE: 0x400,
  DIRDATA: 0x1000,
  CSUM_SEED: 0x2000,
  LARGEDIR: 0x4000,
  INLINE_DATA: 0x8000,
  ENCRYPT: 0x10000,
  CASEFOLD: 0x20000,
} as const;

export const RO_COMPAT = {
  SPARSE_SUPER: 0x1,
  LARGE_FILE: 0x2,
  HUGE_FILE: 0x8,
  GDT_CSUM: 0x10,
  DIR_NLINK: 0x20,
  EXTRA_ISIZE: 0x40,
  QUOTA: 0x100,
  BIGALLOC: 0x200,
  METADATA_CSUM: 0x400,
  READONLY: 0x1000,
  PROJECT: 0x2000,
  VERITY: 0x8000,
  ORPHAN_PRESENT: 0x10000,
} as const;

const NAMES: readonly (readonly [word: 'compat' | 'incompat' | 'roCompat', bit: number, name: string])[] = [
  ['compat', COMPAT.HAS_JOURNAL, 'has_journal'],
  ['compat', COMPAT.EXT_ATTR, 'ext_attr'],
  ['compat', COMPAT.RESIZE_INODE, 'resize_inode'],
  ['compat', COMPAT.DIR_INDEX, 'dir_index'],
  ['compat', COMPAT.DIR_PREALLOC, 'dir_prealloc'],
  ['compat', COMPAT.IMAGIC_INODES, 'imagic_inodes'],
  ['compat', COMPAT.SPARSE_SUPER2, 'sparse_super2'],
  ['compat', COMPAT.FAST_COMMIT, 'fast_commit'],
  ['compat', COMPAT.STABLE_INODES, 'stable_inodes'],
  ['compat', COMPAT.ORPHAN_FILE, 'orphan_file'],
  ['incompat', INCOMPAT.COMPRESSION, 'compression'],
  ['incompat', INCOMPAT.FILETYPE, 'filetype'],
  ['incompat', INCOMPAT.RECOVER, 'needs_recovery'],
  ['incompat', INCOMPAT.JOURNAL_DEV, 'journal_dev'],
  ['incompat', INCOMPAT.META_BG, 'meta_bg'],
  ['incompat', INCOMPAT.EXTENTS, 'extent'],
  ['incompat', INCOMPAT.BITS_64, '64bit'],
  ['incompat', INCOMPAT.MMP, 'mmp'],
  ['incompat', INCOMPAT.FLEX_BG, 'flex_bg'],
  ['incompat', INCOMPAT.EA_INODE, 'ea_inode'],
  ['incompat', INCOMPAT.DIRDATA, 'dirdata'],
  ['incompat', INCOMPAT.CSUM_SEED, 'metadata_csum_seed'],
  ['incompat', INCOMPAT.LARGEDIR, 'large_dir'],
  ['incompat', INCOMPAT.INLINE_DATA, 'inline_data'],
  ['incompat', INCOMPAT.ENCRYPT, 'encrypt'],
  ['incompat', INCOMPAT.CASEFOLD, 'casefold'],
  ['roCompat', RO_COMPAT.SPARSE_SUPER, 'sparse_super'],
  ['roCompat', RO_COMPAT.LARGE_FILE, 'large_file'],
  ['roCompat', RO_COMPAT.HUGE_FILE, 'huge_file'],
  ['roCompat', RO_COMPAT.GDT_CSUM, 'uninit_bg'],
  ['roCompat', RO_COMPAT.DIR_NLINK, 'dir_nlink'],
  ['roCompat', RO_COMPAT.EXTRA_ISIZE, 'extra_isize'],
  ['roCompat', RO_COMPAT.QUOTA, 'quota'],
  ['roCompat', RO_COMPAT.BIGALLOC, 'bigalloc'],
  ['roCompat', RO_COMPAT.METADATA_CSUM, 'metadata_csum'],
  ['roCompat', RO_COMPAT.READONLY, 'read-only'],
  ['roCompat', RO_COMPAT.PROJECT, 'project'],
  ['roCompat', RO_COMPAT.VERITY, 'verity'],
  ['roCompat', RO_COMPAT.ORPHAN_PRESENT, 'orphan_present'],
];

export interface FeatureWords {
  readonly compat: number;
  readonly incompat: number;
  readonly roCompat: number;
}

/** Names of the features set; a bit without a name stands as dumpe2fs prints it, like "FEATURE_I20". */
export function featureNames(words: FeatureWords): string[] {
  const names: string[] = [];
  for (const [word, letter] of [
    ['compat', 'C'],
    ['incompat', 'I'],
    ['roCompat', 'R'],
  ] as const) {
    for (let bit = 0; bit < 32; bit += 1) {
      if ((words[word] & (1 << bit)) === 0) continue;
      const known = NAMES.find(([where, mask]) => where === word && mask === 1 << bit);
      names.push(known?.[2] ?? `FEATURE_${letter}${bit}`);
    }
  }
  return names;
}

/** Handled for reading. */
export const READABLE_INCOMPAT =
  INCOMPAT.FILETYPE |
  INCOMPAT.RECOVER |
  INCOMPAT.META_BG |
  INCOMPAT.EXTENTS |
  INCOMPAT.BITS_64 |
  INCOMPAT.MMP |
  INCOMPAT.FLEX_BG |
  INCOMPAT.EA_INODE |
  INCOMPAT.CSUM_SEED |
  INCOMPAT.LARGEDIR |
  INCOMPAT.INLINE_DATA;

/** Handled for writing: what the others would need is not kept right here. */
export const WRITABLE_INCOMPAT =
  INCOMPAT.FILETYPE |
  INCOMPAT.RECOVER |
  INCOMPAT.META_BG |
  INCOMPAT.EXTENTS |
  INCOMPAT.BITS_64 |
  INCOMPAT.FLEX_BG |
  INCOMPAT.CSUM_SEED |
  INCOMPAT.LARGEDIR;
export const WRITABLE_RO_COMPAT =
  RO_COMPAT.SPARSE_SUPER |
  RO_COMPAT.LARGE_FILE |
  RO_COMPAT.HUGE_FILE |
  RO_COMPAT.GDT_CSUM |
  RO_COMPAT.DIR_NLINK |
  RO_COMPAT.EXTRA_ISIZE |
  RO_COMPAT.METADATA_CSUM;

export const MODE_TYPE = 0o170000;
export const TYPE_FIFO = 0o010000;
export const TYPE_CHARACTER = 0o020000;
export const TYPE_DIRECTORY = 0o040000;
export const TYPE_BLOCK = 0o060000;
export const TYPE_FILE = 0o100000;
export const TYPE_SYMLINK = 0o120000;
export const TYPE_SOCKET = 0o140000;

export const FLAG_IMMUTABLE = 0x10;
export const FLAG_APPEND = 0x20;
export const FLAG_ENCRYPTED = 0x800;
export const FLAG_INDEX = 0x1000;
export const FLAG_HUGE_FILE = 0x40000;
export const FLAG_EXTENTS = 0x80000;
export const FLAG_EA_INODE = 0x200000;
export const FLAG_INLINE_DATA = 0x10000000;

/** Of a group descriptor. */
export const GROUP_INODE_UNINIT = 1;
export const GROUP_BLOCK_UNINIT = 2;
export const GROUP_INODE_ZEROED = 4;

export const SUPER_SIGNED_HASH = 1;
export const SUPER_UNSIGNED_HASH = 2;

export const MAX_NAME_BYTES = 255;
/** More names than that an inode has not (ext4's limit; ext2 and ext3 allow 32000). */
export const MAX_LINKS = 65000;
