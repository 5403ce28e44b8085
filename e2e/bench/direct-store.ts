/**
 * What a store of the browser gives when it is driven directly, as the chunk stores drive it: chunks of 256 KiB, each batch of writes
 * durable before the next begins, values let go of when they were looked at, in a worker, over 256 MiB as the guest's program. The
 * bytes are random: the browser compresses what it can, and what the guest's program writes cannot be.
 */
import type { JSHandle, Page } from '@playwright/test';

export type StoreKind = 'indexeddb' | 'opfs';

/** Chunks read at a time: a chunk, 1 MiB and 4 MiB. */
export type ReadUnit = 1 | 4 | 16;

const COMMON = `
const CHUNK = 256 * 1024, BATCH = 16, CHUNKS = 1024, LEAST_MS = 2500;
const chunks = Array.from({ length: BATCH }, () => {
  const bytes = new Uint8Array(CHUNK);
  for (let at = 0; at < CHUNK; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  return bytes;
});
// Goes on where it stopped the time before; once: through all of it, from the start.
const reached = new Map();
async function speed(access, unit, once) {
  const began = performance.now();
  let count = 0, at = once ? 0 : (reached.get(access) ?? 0);
  for (; once ? count * unit < CHUNKS : performance.now() - began < LEAST_MS; count += 1) {
    if (at + unit > CHUNKS) at = 0;
    await access(at, unit);
    at += unit;
  }
  reached.set(access, at);
  return (count * unit * CHUNK) / 2 ** 20 / ((performance.now() - began) / 1000);
}
const tasks = {
  open,
  fill: () => speed(write, BATCH, true),
  write: () => speed(write, BATCH, false),
  read: (unit) => speed(read, unit, false),
  readOnce: (unit) => speed(read, unit, true),
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
const take = ({ target }) => {
  if (target.result.byteLength !== CHUNK) throw new Error('a chunk is missing');
  target.result.transfer(0);
};
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

type Task = 'open' | 'fill' | 'write' | 'read' | 'readOnce' | 'close';

/** A store of its own beside the machine's. Speeds are in MiB a second. */
export class DirectStore {
  private constructor(private readonly worker: JSHandle<Worker>) {}

  static async open(page: Page, kind: StoreKind): Promise<DirectStore> {
    const worker = await page.evaluateHandle(
      (source) => new Worker(URL.createObjectURL(new Blob([source], { type: 'text/javascript' }))),
      SOURCES[kind] + COMMON,
    );
    const store = new DirectStore(worker);
    await store.run('open');
    await store.run('fill');
    return store;
  }

  /** 4 MiB at a time. */
  write(): Promise<number> {
    return this.run('write');
  }

  read(unit: ReadUnit): Promise<number> {
    return this.run('read', unit);
  }

  /** All of it once. */
  readOnce(unit: ReadUnit): Promise<number> {
    return this.run('readOnce', unit);
  }

  async close(): Promise<void> {
    await this.run('close');
    await this.worker.evaluate((thread) => {
      thread.terminate();
    });
  }

  private run(task: Task, unit: ReadUnit = 16): Promise<number> {
    return this.worker.evaluate(
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
}
