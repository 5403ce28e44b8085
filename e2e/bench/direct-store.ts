/**
 * What a store of the browser gives when it is driven directly, as the chunk stores drive it: chunks of 256 KiB, each batch of writes
 * durable before the next begins, in a worker, over the same 256 MiB. The bytes are random: the browser compresses what it can, and what
 * the guest's program writes cannot be.
 */
import type { JSHandle, Page } from '@playwright/test';

export type StoreKind = 'indexeddb' | 'opfs';

/** Chunks read at a time: a chunk, 1 MiB and 4 MiB. */
export const READ_UNITS = [1, 4, 16] as const;
export type ReadUnit = (typeof READ_UNITS)[number];

/** Mebibytes a second. */
export interface StoreSpeed {
  readonly write: number;
  readonly read: Readonly<Record<ReadUnit, number>>;
  /** 4 MiB at a time, once, with nothing of it in the memory of browser or host; undefined where the host's cannot be emptied. */
  readonly readCold: number | undefined;
}

const COMMON = `
const CHUNK = 256 * 1024, BATCH = 16, CHUNKS = 1024, LEAST_MS = 2500;
const chunks = Array.from({ length: BATCH }, () => {
  const bytes = new Uint8Array(CHUNK);
  for (let at = 0; at < CHUNK; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  return bytes;
});
async function speed(access, unit, leastMs) {
  const began = performance.now();
  let count = 0;
  for (; count * unit < CHUNKS || performance.now() - began < leastMs; count += 1) await access((count * unit) % CHUNKS, unit);
  return (count * unit * CHUNK) / 2 ** 20 / ((performance.now() - began) / 1000);
}
const tasks = {
  open,
  write: () => speed(write, BATCH, LEAST_MS),
  read: (unit) => speed(read, unit, LEAST_MS),
  readOnce: (unit) => speed(read, unit, 0),
  close,
};
onmessage = async ({ data: [task, unit] }) => postMessage(await tasks[task](unit));`;

const SOURCES: Readonly<Record<StoreKind, string>> = {
  indexeddb: `
let database;
async function open() {
  const request = indexedDB.open('bench', 1);
  request.onupgradeneeded = () => request.result.createObjectStore('chunks');
  await new Promise((resolve) => (request.onsuccess = resolve));
  database = request.result;
}
const transaction = (mode, count, each) => new Promise((resolve, reject) => {
  const all = database.transaction('chunks', mode, { durability: 'strict' });
  for (let n = 0; n < count; n += 1) each(all.objectStore('chunks'), n);
  all.oncomplete = resolve;
  all.onabort = () => reject(all.error);
});
const write = (at, count) => transaction('readwrite', count, (store, n) => store.put(chunks[n].buffer, at + n));
// A value is brought into the worker's memory when its result is looked at, and not before.
const take = ({ target }) => { if (target.result.byteLength !== CHUNK) throw new Error('a chunk is missing'); };
const read = (at, count) => transaction('readonly', count, (store, n) => (store.get(at + n).onsuccess = take));
function close() {
  database.close();
  return new Promise((resolve) => (indexedDB.deleteDatabase('bench').onsuccess = () => resolve()));
}`,
  opfs: `
let root, file;
async function open() {
  root = await navigator.storage.getDirectory();
  file = await (await root.getFileHandle('bench', { create: true })).createSyncAccessHandle();
}
function write(at, count) {
  for (let n = 0; n < count; n += 1) file.write(chunks[n], { at: (at + n) * CHUNK });
  file.flush();
}
function read(at, count) {
  for (let n = 0; n < count; n += 1) file.read(chunks[n], { at: (at + n) * CHUNK });
}
async function close() {
  file.close();
  await root.removeEntry('bench');
}`,
};

type Task = 'open' | 'write' | 'read' | 'readOnce' | 'close';

function run(worker: JSHandle<Worker>, task: Task, unit: ReadUnit = 16): Promise<number> {
  return worker.evaluate(
    (thread, message) =>
      new Promise<number>((resolve, reject) => {
        thread.onmessage = ({ data }: MessageEvent<number>) => {
          resolve(data);
        };
        thread.onerror = ({ message: why }) => {
          reject(new Error(why));
        };
        thread.postMessage(message);
      }),
    [task, unit] as const,
  );
}

/** @param emptyHostCache false when it cannot */
export async function storeDirectly(page: Page, kind: StoreKind, emptyHostCache: () => boolean): Promise<StoreSpeed> {
  const worker = await page.evaluateHandle(
    (source) => new Worker(URL.createObjectURL(new Blob([source], { type: 'text/javascript' }))),
    SOURCES[kind] + COMMON,
  );
  try {
    await run(worker, 'open');
    const write = await run(worker, 'write');
    const read: Record<ReadUnit, number> = { 1: 0, 4: 0, 16: 0 };
    for (const unit of READ_UNITS) read[unit] = await run(worker, 'read', unit);
    const readCold = emptyHostCache() ? await run(worker, 'readOnce') : undefined;
    await run(worker, 'close');
    return { write, read, readCold };
  } finally {
    await worker.evaluate((thread) => {
      thread.terminate();
    });
  }
}
