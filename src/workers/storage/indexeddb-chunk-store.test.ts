import { IDBFactory } from 'fake-indexeddb';
import { describe, expect, it } from 'vitest';
import { CHUNK_BYTES } from '../../engine/storage/chunk-store.ts';
import { VolumePool } from '../../engine/storage/volume-pool.ts';
import { IndexedDbChunkStore } from './indexeddb-chunk-store.ts';
import { describeChunkStore } from './testing/chunk-store-contract.ts';

function machine(): { factory: IDBFactory; open: () => Promise<IndexedDbChunkStore> } {
  const factory = new IDBFactory();
  return { factory, open: () => IndexedDbChunkStore.open('machine', { factory }) };
}

describeChunkStore('IndexedDbChunkStore', async () => {
  const { open } = machine();
  return { open };
});

describe('IndexedDbChunkStore', () => {
  it('asks for strict durability and one transaction a batch', async () => {
    const { open } = machine();
    const store = await open();
    const database = (store as unknown as { database: IDBDatabase }).database;
    const asked: unknown[][] = [];
    const original = database.transaction.bind(database);
    database.transaction = (...parameters) => {
      asked.push(parameters);
      return original(...parameters);
    };
    await store.commit({
      chunks: [
        [1, new Uint8Array(CHUNK_BYTES)],
        [2, new Uint8Array(CHUNK_BYTES)],
      ],
      records: [['a', new Uint8Array(3)]],
    });
    expect(asked).toEqual([[['chunks', 'records'], 'readwrite', { durability: 'strict' }]]);
  });

  it('leaves nothing of a batch that the browser aborts, and says there is no room', async () => {
    const { open } = machine();
    const store = await open();
    const database = (store as unknown as { database: IDBDatabase }).database;
    const original = database.transaction.bind(database);
    database.transaction = (...parameters) => {
      const transaction = original(...parameters);
      const abort = transaction.abort.bind(transaction);
      queueMicrotask(() => {
        Object.defineProperty(transaction, 'error', { value: new DOMException('full', 'QuotaExceededError') });
        abort();
      });
      return transaction;
    };
    await expect(store.commit({ chunks: [[1, new Uint8Array(CHUNK_BYTES)]] })).rejects.toMatchObject({ code: 'ENOSPC' });
    database.transaction = original;
    expect(await store.chunkNumbers()).toEqual([]);
  });

  it('stops with a reason when the database is taken away', async () => {
    const { factory, open } = machine();
    const reasons: string[] = [];
    const store = await IndexedDbChunkStore.open('machine', { factory, onLost: (reason) => reasons.push(reason) });
    await new Promise((resolve) => (factory.deleteDatabase('machine').onsuccess = resolve));
    expect(reasons).toEqual(['another tab replaces or deletes the database']);
    await expect(store.readChunks([1])).rejects.toThrow('reload the page');
    await expect(store.commit({})).rejects.toMatchObject({ code: 'EIO' });
    await (await open()).close();
  });

  it('is gone when it was removed', async () => {
    const { factory, open } = machine();
    const store = await open();
    await store.commit({ records: [['a', new Uint8Array(3)]] });
    await store.close();
    await IndexedDbChunkStore.remove('machine', factory);
    expect(await factory.databases()).toEqual([]);
  });

  it('carries volumes', async () => {
    const { open } = machine();
    const pool = await VolumePool.open(await open());
    const volume = await pool.create('root', 4 * CHUNK_BYTES);
    await volume.write(700, new Uint8Array(1024).fill(3));
    await pool.close();
    const bytes = new Uint8Array(1024);
    await (await VolumePool.open(await open())).volume('root')!.read(700, bytes);
    expect(bytes).toEqual(new Uint8Array(1024).fill(3));
  });
});
