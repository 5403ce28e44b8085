/** dom0's files in IndexedDB: one record an inode, every commit one transaction. */
import { createStore, promisifyRequest } from 'idb-keyval';
import type { FileStore, StoredInode } from '../../engine/storage/file-store.ts';

export class IndexedDbFileStore implements FileStore {
  private readonly _use: ReturnType<typeof createStore>;

  constructor(database: string) {
    this._use = createStore(database, 'inodes');
  }

  load(): Promise<readonly StoredInode[]> {
    return this._use('readonly', (store) => promisifyRequest(store.getAll() as IDBRequest<StoredInode[]>));
  }

  commit(changed: readonly StoredInode[], removed: readonly number[]): Promise<void> {
    return this._use('readwrite', (store) => {
      for (const inode of changed) store.put(inode, inode.number);
      for (const number of removed) store.delete(number);
      return promisifyRequest(store.transaction);
    });
  }
}
