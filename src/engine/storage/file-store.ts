/**
 * Where dom0's files rest between two visits: a set of inodes, each a record of its own, committed in one transaction at a
 * time so that a reload in the middle finds either all of a change or nothing of it.
 */

/** One inode as it is stored. `number` is the key; 1 is the root directory. */
export type StoredInode = { readonly number: number; readonly mode: number; readonly mtimeMs: number } & (
  | { readonly kind: 'file'; readonly bytes: Uint8Array }
  | { readonly kind: 'symlink'; readonly target: string }
  | { readonly kind: 'directory'; readonly entries: readonly (readonly [name: string, number: number])[] }
);

export interface FileStore {
  /** All records; an empty list means a store never used. */
  load(): Promise<readonly StoredInode[]>;
  /** Resolves when all of it is durable. Rejects without having changed anything. */
  commit(changed: readonly StoredInode[], removed: readonly number[]): Promise<void>;
}

/** Forgets everything with the page: private browsing, and tests. */
export class MemoryFileStore implements FileStore {
  private readonly _inodes = new Map<number, StoredInode>();

  load(): Promise<readonly StoredInode[]> {
    return Promise.resolve([...this._inodes.values()]);
  }

  commit(changed: readonly StoredInode[], removed: readonly number[]): Promise<void> {
    for (const inode of changed) this._inodes.set(inode.number, structuredCloneOf(inode));
    for (const number of removed) this._inodes.delete(number);
    return Promise.resolve();
  }
}

/** A copy that later writes to the file do not reach (structuredClone is no part of the engine's library). */
function structuredCloneOf(inode: StoredInode): StoredInode {
  if (inode.kind === 'file') return { ...inode, bytes: inode.bytes.slice() };
  if (inode.kind === 'directory') return { ...inode, entries: [...inode.entries] };
  return inode;
}
