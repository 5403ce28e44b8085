/** dom0's files in IndexedDB: every commit is one transaction, over the records of all inodes it changes. */
import { createStore, promisifyRequest } from 'idb-keyval';
import type { FileStore, StoredInode } from '../../engine/storage/file-store.ts';
import { inodesOf, recordsOf } from './file-records.ts';

export class IndexedDbFileStore implements FileStore {
  private readonly _use: ReturnType<typeof createStore>;

  constructor(database: string) {
    this._use = createStore(database, 'inodes');
  }

  load(): Promise<readonly StoredInode[]> {
    return this._use('readonly', async (store) => {
      const [keys, values] = await Promise.all([
        promisifyRequest(store.getAllKeys()),
        promisifyRequest(store.getAll() as IDBRequest<unknown[]>),
      ]);
      return inodesOf(keys, values);
    });
  }

  commit(changed: readonly StoredInode[], removed: readonly number[]): Promise<void> {
    return this._use('readwrite', (store) => {
      const { transaction } = store;
      return new Promise<void>((resolve, reject) => {
        transaction.oncomplete = () => resolve();
        transaction.onabort = () => reject(transaction.error ?? new Error('the browser called the transaction off'));
        try {
          for (const number of [...removed, ...changed.map((inode) => inode.number)]) store.delete(piecesOf(number));
          for (const number of removed) store.delete(number);
          for (const inode of changed) for (const [key, value] of recordsOf(inode)) store.put(value, key);
        } catch (error) {
          // A put that the browser refuses ends the transaction; why is told by its abort, if that is still to come.
          if (transaction.error !== null) reject(transaction.error);
          else setTimeout(() => reject(error instanceof Error ? error : new Error(String(error))), 0);
        }
      });
    });
  }
}

function piecesOf(number: number): IDBKeyRange {
  return IDBKeyRange.bound([number, 0], [number, Number.MAX_SAFE_INTEGER]);
}
