/** Which file system is mounted where: a mount covers a directory of another one, or of the same in another place. */
import type { MountableFileSystem } from './mountable.ts';

export interface Mount {
  /** Of the file system in stat. */
  readonly id: number;
  readonly fileSystem: MountableFileSystem;
  /** Inode of the directory that is seen at `path`: the file system's root, or with `bound` any other. */
  readonly root: number;
  /** A part of a file system that is mounted elsewhere in its own right. */
  readonly bound: boolean;
  /** Where it stands, without symbolic links. */
  readonly path: string;
  /** What `mount` shows first: "/dev/loop0", "proc". */
  readonly source: string;
  readonly options: readonly string[];
  readonly readOnly: boolean;
  /** undefined for the root. */
  readonly covers: { readonly mount: Mount; readonly inode: number } | undefined;
  /** Files that are open on it. */
  users: number;
  /** Called when a path leads into it: brings what is made on demand up to date. */
  readonly refresh: (() => void) | undefined;
}

export interface MountRequest {
  readonly source: string;
  readonly options?: readonly string[];
  readonly readOnly?: boolean;
  readonly refresh?: () => void;
  /** The directory to be seen, of a file system that is mounted already. */
  readonly boundRoot?: number;
}

export class MountTable {
  private readonly mounts: Mount[] = [];
  private nextId = 1;

  constructor(root: MountableFileSystem, source: string) {
    this.add(root, '/', { source }, undefined);
  }

  get root(): Mount {
    const [root] = this.mounts;
    if (root === undefined) throw new Error('there is no root file system');
    return root;
  }

  /** In the order in which they were mounted. */
  list(): readonly Mount[] {
    return this.mounts;
  }

  add(fileSystem: MountableFileSystem, path: string, request: MountRequest, covers: Mount['covers']): Mount {
    const { boundRoot, source, options = [], readOnly = false, refresh } = request;
    const mount: Mount = {
      id: this.nextId,
      fileSystem,
      root: boundRoot ?? fileSystem.root,
      bound: boundRoot !== undefined,
      path,
      source,
      options,
      readOnly: readOnly || fileSystem.readOnly,
      covers,
      users: 0,
      refresh,
    };
    this.nextId += 1;
    this.mounts.push(mount);
    return mount;
  }

  remove(mount: Mount): void {
    this.mounts.splice(this.mounts.indexOf(mount), 1);
  }

  /** The mount that covers a directory, the last one there. */
  covering(below: Mount, inode: number): Mount | undefined {
    const mount = this.mounts.findLast(({ covers }) => covers?.mount === below && covers.inode === inode);
    return mount === undefined ? undefined : (this.covering(mount, mount.root) ?? mount);
  }

  /** Whether what it holds is seen by another mount too. */
  isShared(mount: Mount): boolean {
    return this.mounts.some((other) => other !== mount && other.fileSystem === mount.fileSystem);
  }

  /** Whether another file system is mounted on a directory of this one. */
  hasMountsOn(below: Mount): boolean {
    return this.mounts.some(({ covers }) => covers?.mount === below);
  }
}
