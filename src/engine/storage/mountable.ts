/**
 * A mounted file system as the mount table sees it, in POSIX's words but by inode number: paths, permissions, open files and
 * mount points are the caller's. Implementations: ext/ (ext2, ext3, ext4 on a DiskImage).
 *
 * Calls may overlap; each takes effect as a whole, in the order of the calls. Failures are PosixErrors (or StorageErrors of the
 * disk below, which have a `code` too); what a failed call had begun is undone, unless it says otherwise. Nobody's permission
 * is checked, and no implementation follows symbolic links.
 *
 * Names are strings of at most 255 bytes in UTF-8, neither empty nor with '/' or NUL. A byte on the disk that is no UTF-8
 * stands as one of U+DC80..U+DCFF (0xdc00 + byte), and goes back as that byte: every name survives the way to and fro.
 * "." and ".." are entries like others to lookup and readDirectory, EINVAL or ENOTEMPTY to what changes names.
 * Times are nanoseconds since 1970; what the disk cannot hold is rounded down or clamped.
 */

export type FileKind = 'file' | 'directory' | 'symlink' | 'character-device' | 'block-device' | 'fifo' | 'socket';

export type PosixErrorCode =
  | 'EBUSY'
  | 'EEXIST'
  | 'EFBIG'
  | 'EINVAL'
  | 'EIO'
  | 'EISDIR'
  | 'EMLINK'
  | 'ENAMETOOLONG'
  | 'ENOENT'
  | 'ENOSPC'
  | 'ENOTDIR'
  | 'ENOTEMPTY'
  | 'ENOTSUP'
  | 'EPERM'
  | 'EROFS'
  /** The structure on the disk is damaged: "Structure needs cleaning". */
  | 'EUCLEAN';

/** The message is a sentence that names what was wrong, without the code. */
export class PosixError extends Error {
  constructor(
    readonly code: PosixErrorCode,
    message: string,
  ) {
    super(message);
    this.name = 'PosixError';
  }
}

export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

export interface InodeStatus {
  readonly inode: number;
  readonly kind: FileKind;
  /** Permission bits with set-user-ID, set-group-ID and sticky: 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly sizeBytes: number;
  /** Of 512 bytes, with what maps them; less than sizeBytes / 512 in a sparse file. */
  readonly blocks: number;
  /** Best size of a transfer. */
  readonly blockBytes: number;
  /** Of the devices; 0:0 for other kinds. */
  readonly device: DeviceNumber;
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

export interface InodeEntry {
  readonly name: string;
  readonly inode: number;
  /** Undefined where the directory does not tell: `stat` does. */
  readonly kind: FileKind | undefined;
}

interface NewInodeCommon {
  /** 0o7777; the caller has applied the umask. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}
export type NewInode = NewInodeCommon &
  (
    | { readonly kind: 'file' | 'directory' | 'fifo' | 'socket' }
    | { readonly kind: 'character-device' | 'block-device'; readonly device: DeviceNumber }
    | { readonly kind: 'symlink'; readonly target: string }
  );

/** Absent members stay. ctime becomes now with every change. */
export interface AttributeChanges {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly atimeNs?: bigint;
  readonly mtimeNs?: bigint;
}

export interface FileSystemStatus {
  readonly blockBytes: number;
  readonly blocks: number;
  readonly freeBlocks: number;
  /** Without those reserved for the super-user. */
  readonly availableBlocks: number;
  readonly inodes: number;
  readonly freeInodes: number;
  readonly maxNameBytes: number;
}

export interface MountableFileSystem {
  /** As `mount -t` takes it: "ext3". */
  readonly type: string;
  readonly readOnly: boolean;
  /** Inode number of the root directory. */
  readonly root: number;

  /** The inode that `name` stands for; undefined = no such entry. ENOTDIR. */
  lookup(directory: number, name: string): Promise<number | undefined>;
  /** All entries with "." and "..", in no order. ENOTDIR. */
  readDirectory(directory: number): Promise<readonly InodeEntry[]>;
  /** ENOENT for an inode that is not in use. */
  stat(inode: number): Promise<InodeStatus>;
  /** EINVAL for what is no symbolic link. */
  readLink(inode: number): Promise<string>;
  /** Fills `into` from byte `offset`: the bytes read, fewer only at the end of the file. EISDIR, EINVAL for other kinds than files. */
  read(inode: number, offset: number, into: Uint8Array): Promise<number>;
  /** The bytes written: fewer than asked for when room ran out on the way, ENOSPC when there was none at all. EFBIG. */
  write(inode: number, offset: number, from: Uint8Array): Promise<number>;
  /** Grows with a hole or cuts off. */
  truncate(inode: number, sizeBytes: number): Promise<void>;
  setAttributes(inode: number, changes: AttributeChanges): Promise<void>;

  /** The number of the new inode. EEXIST, ENOSPC, EMLINK (too many subdirectories). */
  create(directory: number, name: string, node: NewInode): Promise<number>;
  /** A further name of `inode`. EEXIST, EPERM for a directory, EMLINK. */
  link(inode: number, directory: number, name: string): Promise<void>;
  /** ENOENT, EISDIR. */
  unlink(directory: number, name: string): Promise<void>;
  /** ENOENT, ENOTDIR, ENOTEMPTY; EBUSY for the root. */
  rmdir(directory: number, name: string): Promise<void>;
  /**
   * rename(2): what has the new name is replaced in the same step. Two names of one inode: nothing happens. EINVAL when a
   * directory would come below itself; EISDIR, ENOTDIR, ENOTEMPTY. With `noReplace` EEXIST instead of replacing.
   */
  rename(
    fromDirectory: number,
    fromName: string,
    toDirectory: number,
    toName: string,
    options?: { readonly noReplace?: boolean },
  ): Promise<void>;

  /** An open file: while held as often as released plus one, an inode without names keeps its contents. */
  hold(inode: number): void;
  release(inode: number): Promise<void>;

  statfs(): Promise<FileSystemStatus>;
  /** Resolves when every change whose call had resolved is durable. */
  sync(): Promise<void>;
  /** Syncs and marks the file system clean. No call may follow. */
  unmount(): Promise<void>;
}
