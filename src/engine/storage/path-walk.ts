/** From a path to an inode, through symbolic links and across mount points. */
import { FileSystemError } from './file-system-error.ts';
import type { FileErrorCode } from './file-system-error.ts';
import type { InodeStatus } from './mountable.ts';
import type { Mount, MountTable } from './mount-table.ts';

const PATH_LENGTH_MAX = 4096;
const LINKS_FOLLOWED_MAX = 40;

export interface Place {
  readonly mount: Mount;
  readonly inode: number;
}

export interface Found {
  /** Where the last name stands; of the root, the root itself. */
  readonly parent: Place;
  /** Empty for the root. */
  readonly name: string;
  readonly at: (Place & { readonly status: InodeStatus }) | undefined;
  /** Without symbolic links. */
  readonly realPath: string;
}

export interface WalkOptions {
  readonly operation: string;
  /** A symbolic link in the last place is followed too; a dangling one yields the place where its target would be. */
  readonly follow: boolean;
  /** Makes a directory that is missing on the way. */
  readonly create?: (parent: Place, name: string) => Promise<number>;
  /** Stops at the directory that a mount covers, when that is the last place. */
  readonly covered?: boolean;
}

interface Step extends Place {
  readonly name: string;
}

/** Walks to the last component. What leads there must exist (or is made); the last one may be missing. */
export async function walk(table: MountTable, path: string, options: WalkOptions): Promise<Found> {
  const { operation, follow, create } = options;
  if (path.length > PATH_LENGTH_MAX) throw new FileSystemError('ENAMETOOLONG', operation, path.slice(0, 64));
  if (!path.startsWith('/') || path.includes('\0')) throw new FileSystemError('EINVAL', operation, path);
  const fail = (code: FileErrorCode): FileSystemError => new FileSystemError(code, operation, path);
  const root: Step = { mount: table.root, inode: table.root.root, name: '' };
  const names = (trail: readonly Step[]): string => `/${trail.map((step) => step.name).join('/')}`;
  const pending = partsOf(path);
  const trail: Step[] = [];
  let linksFollowed = 0;
  for (;;) {
    const name = pending.shift();
    const here = trail.at(-1) ?? root;
    if (name === undefined) {
      const parent = trail.at(-2) ?? root;
      const status = await here.mount.fileSystem.stat(here.inode);
      return { parent, name: here.name, at: { ...here, status }, realPath: names(trail) };
    }
    if (name === '..') {
      trail.pop();
      continue;
    }
    const last = pending.length === 0;
    const { fileSystem } = here.mount;
    let inode = await lookup(here, name, fail);
    if (inode === undefined && !last && create !== undefined) inode = await create(here, name);
    if (inode === undefined) {
      if (last) return { parent: here, name, at: undefined, realPath: names([...trail, { ...here, name }]) };
      throw fail('ENOENT');
    }
    const status = await fileSystem.stat(inode);
    if (status.kind === 'symlink' && (!last || follow)) {
      linksFollowed += 1;
      if (linksFollowed > LINKS_FOLLOWED_MAX) throw fail('ELOOP');
      const target = await fileSystem.readLink(inode);
      if (target.startsWith('/')) trail.length = 0;
      pending.unshift(...partsOf(target));
      continue;
    }
    if (status.kind !== 'directory') {
      if (!last) throw fail('ENOTDIR');
      const realPath = names([...trail, { ...here, name }]);
      return { parent: here, name, at: { mount: here.mount, inode, status }, realPath };
    }
    const mounted = last && options.covered === true ? undefined : table.covering(here.mount, inode);
    mounted?.refresh?.();
    trail.push(mounted === undefined ? { mount: here.mount, inode, name } : { mount: mounted, inode: mounted.root, name });
  }
}

async function lookup(at: Step, name: string, fail: (code: FileErrorCode) => Error): Promise<number | undefined> {
  const { mount, inode } = at;
  try {
    return await mount.fileSystem.lookup(inode, name);
  } catch (error) {
    if ((error as { readonly code?: unknown }).code === 'ENOTDIR') throw fail('ENOTDIR');
    throw error;
  }
}

const partsOf = (path: string): string[] => path.split('/').filter((part) => part !== '' && part !== '.');
