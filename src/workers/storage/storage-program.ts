/** `storage`: where the machine keeps its disks, how much room the browser gives, and what guests see when it runs out. */
import type { VolumePool, WhenFull } from '../../engine/storage/volume-pool.ts';
import type { Command } from '../../engine/toolstack/command.ts';
import type { MachineStorage } from '../protocol.ts';

/** As StorageManager gives it; undefined where the browser does not say. */
export interface StorageEstimate {
  readonly usage?: number;
  readonly quota?: number;
  /** The browser has promised not to clear the site's data by itself. */
  readonly persisted: boolean;
}

/** Record of the pool that keeps the setting. */
const WHEN_FULL = 'setting:when-full';
const USAGE = 'Usage: storage [when-full pause|error]\n';
const KIND = { indexeddb: 'IndexedDB', opfs: 'private files (OPFS)', memory: 'memory, gone with the tab' };

const isWhenFull = (text: string | undefined): text is WhenFull => text === 'pause' || text === 'error';

/** The setting of an earlier session; guests wait for room unless told otherwise. */
export function restoreWhenFull(pool: VolumePool): void {
  const stored = pool.takeRecords(WHEN_FULL).get(WHEN_FULL);
  const text = stored && new TextDecoder().decode(stored);
  pool.whenFull = isWhenFull(text) ? text : 'pause';
}

export function storageProgram(services: {
  readonly pool: VolumePool;
  readonly storage: MachineStorage;
  estimate(): Promise<StorageEstimate>;
}): Command {
  const { pool, storage } = services;
  return {
    name: 'storage',
    description: 'show the room that the browser gives the machine, or set what happens when it runs out',
    async run(words, io) {
      const [what, value] = words;
      if (what === 'when-full' && isWhenFull(value) && words.length === 2) {
        await pool.commit({ records: [[WHEN_FULL, new TextEncoder().encode(value)]] });
        pool.whenFull = value;
        pool.retry();
        return 0;
      }
      if (what !== undefined) {
        io.error(USAGE);
        return 2;
      }
      const { persisted, quota, usage } = await services.estimate();
      const { chunks, sharedChunks } = pool.use();
      const rows: [string, string][] = [
        ['machine', storage.machine],
        ['disks_in', KIND[storage.kind]],
        ['volumes_mib', String(chunks / 4)],
        ['shared_mib', String(sharedChunks / 4)],
        ['used_mib', mebibytes(usage)],
        ['quota_mib', mebibytes(quota)],
        ['free_mib', quota === undefined ? 'unknown' : mebibytes(Math.max(0, quota - (usage ?? 0)))],
        ['persistent', persisted ? 'yes' : 'no'],
        ['when_full', pool.whenFull === 'pause' ? 'pause (writers wait for room)' : 'error (writers see I/O errors)'],
        ['waiting_for_room', pool.isPaused ? 'yes' : 'no'],
      ];
      for (const [name, text] of rows) io.out(`${name.padEnd(22)} : ${text}\n`);
      return 0;
    },
  };
}

const mebibytes = (bytes: number | undefined): string =>
  bytes === undefined ? 'unknown' : String(Math.round(bytes / 1024 / 1024));
