/**
 * What a store of the browser gives when it is driven directly, as the chunk stores drive it: chunks of 256 KiB, 4 MiB at a time, each
 * batch durable before the next begins, in a worker, for a while over the same 64 MiB. The bytes are random: the browser compresses
 * what it can, and what the guest's program writes cannot be.
 */
import type { Page } from '@playwright/test';

/** Mebibytes a second. */
export interface StoreSpeed {
  readonly write: number;
  readonly read: number;
}

const COMMON = `
const CHUNK = 256 * 1024, BATCH = 16, BATCHES = 16, LEAST_MS = 2500;
const chunks = Array.from({ length: BATCH }, () => {
  const bytes = new Uint8Array(CHUNK);
  for (let at = 0; at < CHUNK; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  return bytes;
});
async function speed(batch) {
  const began = performance.now();
  let batches = 0;
  for (; batches < BATCHES || performance.now() - began < LEAST_MS; batches += 1) await batch(batches % BATCHES);
  return (batches * BATCH * CHUNK) / 2 ** 20 / ((performance.now() - began) / 1000);
}
onmessage = async () => postMessage(await measured());`;

const SOURCES = {
  indexeddb: `
async function measured() {
  const request = indexedDB.open('bench', 1);
  request.onupgradeneeded = () => request.result.createObjectStore('chunks');
  await new Promise((resolve) => (request.onsuccess = resolve));
  const database = request.result;
  const transaction = (mode, each) => new Promise((resolve, reject) => {
    const all = database.transaction('chunks', mode, { durability: 'strict' });
    for (let n = 0; n < BATCH; n += 1) each(all.objectStore('chunks'), n);
    all.oncomplete = resolve;
    all.onabort = () => reject(all.error);
  });
  const write = await speed((batch) => transaction('readwrite', (store, n) => store.put(chunks[n].buffer, batch * BATCH + n)));
  // A value is brought into the worker's memory when its result is looked at, and not before.
  const take = ({ target }) => { if (target.result.byteLength !== CHUNK) throw new Error('a chunk is missing'); };
  const read = await speed((batch) => transaction('readonly', (store, n) => (store.get(batch * BATCH + n).onsuccess = take)));
  database.close();
  await new Promise((resolve) => (indexedDB.deleteDatabase('bench').onsuccess = resolve));
  return { write, read };
}`,
  opfs: `
async function measured() {
  const root = await navigator.storage.getDirectory();
  const file = await (await root.getFileHandle('bench', { create: true })).createSyncAccessHandle();
  const write = await speed((batch) => {
    chunks.forEach((bytes, n) => file.write(bytes, { at: (batch * BATCH + n) * CHUNK }));
    file.flush();
  });
  const read = await speed((batch) => chunks.forEach((bytes, n) => file.read(bytes, { at: (batch * BATCH + n) * CHUNK })));
  file.close();
  await root.removeEntry('bench');
  return { write, read };
}`,
} as const;

export type StoreKind = keyof typeof SOURCES;

export function storeDirectly(page: Page, kind: StoreKind): Promise<StoreSpeed> {
  return page.evaluate(async (source) => {
    const worker = new Worker(URL.createObjectURL(new Blob([source], { type: 'text/javascript' })));
    try {
      return await new Promise<StoreSpeed>((resolve, reject) => {
        worker.onmessage = ({ data }: MessageEvent<StoreSpeed>) => {
          resolve(data);
        };
        worker.onerror = ({ message }) => {
          reject(new Error(message));
        };
        worker.postMessage(undefined);
      });
    } finally {
      worker.terminate();
    }
  }, SOURCES[kind] + COMMON);
}
