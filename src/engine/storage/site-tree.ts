/**
 * A system that the site offers as one archive, as it stands in domain 0's root: its names are shown at every boot, its files come
 * with the archive when one of them is first read. What a user has stored, changed or removed there stays as it is.
 */
import type { MountableFileSystem } from './mountable.ts';
import type { NativeFileSystem } from './native/native-file-system.ts';
import type { FetchProgress, LazyDisk, LazyFile } from './native/nodes.ts';
import { TarError, type TarEntry } from './tar/tar-header.ts';
import { TarReader, tarSource } from './tar/tar-reader.ts';

const NS_PER_SECOND = 1_000_000_000n;

export type SiteTreeEntry = {
  /** Without a slash at its beginning: "bin/busybox". A directory comes before what is in it. */
  readonly path: string;
  readonly mode: number;
} & (
  | { readonly kind: 'directory' }
  | { readonly kind: 'file'; readonly sizeBytes: number }
  | { readonly kind: 'symlink'; readonly target: string }
  | { readonly kind: 'character-device'; readonly device: { readonly major: number; readonly minor: number } }
);

/** A disk beside the tree, made when it is first used. */
export interface ShownDisk {
  readonly kind: 'disk';
  readonly path: string;
  readonly mode: number;
  readonly disk: LazyDisk;
}

/** A file beside the tree. */
export interface ShownFile {
  readonly kind: 'lazy';
  readonly path: string;
  readonly mode: number;
  readonly file: LazyFile;
}

/** What has its contents not from the tree's archive. */
export type Shown = Exclude<SiteTreeEntry, { kind: 'file' }> | ShownDisk | ShownFile;

export interface SiteTree {
  readonly entries: readonly SiteTreeEntry[];
  /** Seconds since 1970: when its files were last changed. */
  readonly mtime: number;
  /** The archive, a tar, unpacked from its compressed form. Rejects with a sentence. */
  archive(onProgress: FetchProgress): Promise<Uint8Array>;
}

/** Shows the tree and more in the root, save for /dev: that is covered by another file system. */
export function showSiteTree(root: NativeFileSystem, tree: SiteTree, more: readonly Shown[] = []): void {
  const read = filesOf(tree);
  const entries = tree.entries.map((entry): Shown => {
    if (entry.kind !== 'file') return entry;
    return { kind: 'lazy', path: entry.path, mode: entry.mode, file: read(entry.path, entry.sizeBytes) };
  });
  showInRoot(root, [...entries, ...more], tree.mtime);
}

/** @param mtime seconds since 1970 */
export function showInRoot(root: NativeFileSystem, shown: readonly Shown[], mtime: number): void {
  const mtimeNs = BigInt(mtime) * NS_PER_SECOND;
  const directories = new Map<string, number>([['', root.root]]);
  for (const entry of shown) {
    const cut = entry.path.lastIndexOf('/');
    const directory = directories.get(entry.path.slice(0, Math.max(0, cut)));
    const name = entry.path.slice(cut + 1);
    // A directory that somebody removed, or put something else in the place of, takes what is in it along.
    if (directory === undefined || entry.path.startsWith('dev/')) continue;
    switch (entry.kind) {
      case 'directory': {
        root.addTransient(directory, name, { kind: 'directory' }, entry.mode, mtimeNs);
        const made = root.lookupNow(directory, name);
        if (made !== undefined && root.kindNow(made) === 'directory') directories.set(entry.path, made);
        break;
      }
      case 'lazy':
        root.addLazy(directory, name, entry.file, entry.mode, mtimeNs);
        break;
      case 'disk':
        root.addLazyDisk(directory, name, entry.disk, entry.mode);
        break;
      case 'symlink':
        root.addTransient(directory, name, { kind: 'symlink', target: entry.target }, entry.mode, mtimeNs);
        break;
      case 'character-device':
        root.addTransient(directory, name, { kind: entry.kind, device: entry.device }, entry.mode, mtimeNs);
        break;
    }
  }
}

/** The files of the archive, which is fetched and read once for all of them. */
function filesOf(tree: SiteTree): (path: string, sizeBytes: number) => LazyFile {
  let contents: Promise<ReadonlyMap<string, Uint8Array>> | undefined;
  const load = (onProgress: FetchProgress): Promise<ReadonlyMap<string, Uint8Array>> => {
    contents ??= tree.archive(onProgress).then(contentsOf);
    contents.catch(() => (contents = undefined));
    return contents;
  };
  return (path, sizeBytes) => ({
    sizeBytes,
    fetch: async (onProgress) => {
      const bytes = (await load(onProgress)).get(path);
      if (bytes?.length !== sizeBytes) throw new TarError(`${path} is not in the site's archive as its list announces it`);
      return bytes;
    },
  });
}

async function contentsOf(archive: Uint8Array): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  await eachEntry(archive, (entry, content) => {
    if (entry.kind === 'file') files.set(entry.path, content);
    return Promise.resolve();
  });
  return files;
}

/** Puts all of an archive into an empty file system. TarError, and what the file system says. */
export async function unpackInto(fileSystem: MountableFileSystem, archive: Uint8Array): Promise<void> {
  const directories = new Map<string, number>([['', fileSystem.root]]);
  const links = new Map<string, number>();
  const setTimes = (inode: number, { mtime }: TarEntry): Promise<void> => {
    const mtimeNs = BigInt(mtime) * NS_PER_SECOND;
    return fileSystem.setAttributes(inode, { mtimeNs, atimeNs: mtimeNs });
  };
  // Of directories at the end: each new name changes them.
  const times: (() => Promise<void>)[] = [];
  await eachEntry(archive, async (entry, content) => {
    const { kind, mode, uid, gid, device, target } = entry;
    const cut = entry.path.lastIndexOf('/');
    const directory = directories.get(entry.path.slice(0, Math.max(0, cut)));
    const name = entry.path.slice(cut + 1);
    if (directory === undefined) throw new TarError(`${entry.path} comes before the directory it is in`);
    if (kind === 'hard-link') {
      const inode = links.get(target);
      if (inode === undefined) throw new TarError(`${entry.path} is a link to ${target}, which does not come before it`);
      await fileSystem.link(inode, directory, name);
      return;
    }
    const owner = { mode, uid, gid };
    const inode = await fileSystem.create(
      directory,
      name,
      kind === 'symlink'
        ? { kind, target, ...owner }
        : kind === 'character-device' || kind === 'block-device'
          ? { kind, device, ...owner }
          : { kind, ...owner },
    );
    if (kind === 'directory') directories.set(entry.path, inode);
    else links.set(entry.path, inode);
    for (let at = 0; at < content.length;) at += await fileSystem.write(inode, at, content.subarray(at));
    if (kind !== 'directory') await setTimes(inode, entry);
    else times.push(() => setTimes(inode, entry));
  });
  for (const set of times) await set();
}

async function eachEntry(archive: Uint8Array, body: (entry: TarEntry, content: Uint8Array) => Promise<void>): Promise<void> {
  const reader = new TarReader(tarSource(archive));
  for (;;) {
    const entry = await reader.next();
    if (entry === undefined) return;
    if (entry.sizeBytes > archive.length) throw new TarError('Unexpected EOF in archive');
    const content = new Uint8Array(entry.sizeBytes);
    await reader.read(content);
    await body(entry, content);
  }
}
