/** Files of domain 0 in the database of earlier versions, a record for each inode: read once, to be moved. */
import { createStore, promisifyRequest } from 'idb-keyval';
import type { EarlierFiles } from './dom0-system.ts';
import { inodesOf } from './file-records.ts';

/** undefined when there is no such database, or it is empty. */
export async function earlierFiles(database: string): Promise<EarlierFiles | undefined> {
  // Opening makes a database: only where there is a way to ask first is an absent one left absent.
  const present = typeof indexedDB.databases === 'function' ? await indexedDB.databases() : [{ name: database }];
  if (!present.some(({ name }) => name === database)) return undefined;
  const use = createStore(database, 'inodes');
  const inodes = await use('readonly', async (store) => {
    const [keys, values] = await Promise.all([
      promisifyRequest(store.getAllKeys()),
      promisifyRequest(store.getAll() as IDBRequest<unknown[]>),
    ]);
    return inodesOf(keys, values);
  });
  if (inodes.length === 0) return undefined;
  return {
    inodes,
    // Emptied, not deleted: the connection stays open as long as the page.
    remove: () => use('readwrite', async (store) => promisifyRequest(store.clear())),
  };
}
