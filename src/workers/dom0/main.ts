/** Entry of the dom0 worker: domain 0 on what a browser offers, served to the page. */
import { expose } from 'comlink';
import type { ChunkStore } from '../../engine/storage/chunk-store.ts';
import { MemoryChunkStore } from '../../engine/storage/memory-chunk-store.ts';
import type { Clock } from '../../engine/toolstack/services.ts';
import { MICROPYTHON_WASM_URL, spawnScriptWorker } from '../python/browser-script-worker.ts';
import { DisposableEvaluator } from '../python/disposable-evaluator.ts';
import { DEFAULT_MACHINE, type MachineStorage } from '../protocol.ts';
import { IndexedDbChunkStore } from '../storage/indexeddb-chunk-store.ts';
import { removePrivateFiles } from '../storage/opfs-files.ts';
import { openStoreThread } from '../storage/browser-store-thread.ts';
import { startShellThread } from '../shell/browser-shell-thread.ts';
import { ThreadShellProcess } from '../shell/shell-process.ts';
import { imageCodecs } from '../decoders.ts';
import { inNextTurn } from '../event-loop.ts';
import { createMachine } from './browser-machine.ts';
import { loadCodec } from './machine.ts';
import { Dom0Service } from './dom0-service.ts';
import { earlierFiles } from './indexeddb-file-store.ts';
import { siteBaseImages } from '../storage/site-base-images.ts';
import { siteBootFiles } from './site-boot-files.ts';

/** Where files were kept before they came into the store of the volumes. */
const EARLIER_FILES = 'webxen-dom0-files';
const VOLUMES = 'webxen-volumes';
/** Once the machine, or the domain just configured, has started. */
const SPARE_AFTER_MS = 1000;

/** Name of a machine's database or directory. */
const named = (what: string, { machine }: MachineStorage): string => (machine === DEFAULT_MACHINE ? what : `${what}-${machine}`);

async function openChunks(storage: MachineStorage): Promise<ChunkStore> {
  return storage.kind === 'memory' ? new MemoryChunkStore() : openStoreThread(storage.kind, named(VOLUMES, storage));
}

async function removeChunks(storage: MachineStorage): Promise<void> {
  const name = named(VOLUMES, storage);
  if (storage.kind === 'opfs') await removePrivateFiles(name);
  if (storage.kind === 'indexeddb') await IndexedDbChunkStore.remove(name);
}

/** The site's root as seen from this script: bundled ones stand in a folder of their own. */
const siteRoot = import.meta.env.DEV ? new URL('/', self.location.href) : new URL('../', self.location.href);

const clock: Clock = {
  nowMs: () => Date.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

/** getRandomValues fills at most this much at a time. */
const RANDOM_BYTES_MAX = 65536;

function random(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += RANDOM_BYTES_MAX)
    bytes.set(crypto.getRandomValues(new Uint8Array(Math.min(RANDOM_BYTES_MAX, bytes.length - at))), at);
}

expose(
  new Dom0Service({
    createMachine,
    clock,
    codecs: imageCodecs(loadCodec),
    earlierFiles: (storage) =>
      storage.kind === 'memory' ? Promise.resolve(undefined) : earlierFiles(named(EARLIER_FILES, storage)),
    chunkStore: openChunks,
    removeChunkStore: removeChunks,
    estimate: async () => ({ ...(await navigator.storage.estimate()), persisted: await navigator.storage.persisted() }),
    random,
    baseImages: () => siteBaseImages({ base: new URL('disks/', siteRoot), fetch: (url, init) => fetch(url, init) }),
    bootFiles: () => siteBootFiles({ base: new URL('images/', siteRoot), fetch: (url) => fetch(url) }),
    scripts: () =>
      new DisposableEvaluator({ spawn: spawnScriptWorker, wasmUrl: MICROPYTHON_WASM_URL, clock, spareAfterMs: SPARE_AFTER_MS }),
    spawnShell: (host, programs) => new ThreadShellProcess(startShellThread(), host, programs),
    schedule: inNextTurn,
  }),
);
