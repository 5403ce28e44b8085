/**
 * Disks of a guest booted in Node: `--disk SOURCE,VDEV,MODE`, SOURCE a file of the host, or volume:MIB for an empty volume in
 * memory. Served by the block back end, described in the store as xend describes them.
 */
import { open, stat } from 'node:fs/promises';
import { BlockBackend } from '../src/engine/devices/block/block-backend.ts';
import type { OpenedDisk } from '../src/engine/devices/block/block-device.ts';
import type { BlockGuest } from '../src/engine/devices/block/block-connection.ts';
import { MemoryChunkStore } from '../src/engine/storage/memory-chunk-store.ts';
import { SECTOR_BYTES, type DiskImage } from '../src/engine/storage/disk-image.ts';
import { VolumePool } from '../src/engine/storage/volume-pool.ts';
import { writeBlockNodes } from '../src/engine/toolstack/devices/block-nodes.ts';
import { blockSpecification } from '../src/engine/toolstack/devices/block-specification.ts';
import type { StoreClient } from '../src/engine/xenstore/client.ts';

async function openFile(path: string, readOnly: boolean): Promise<OpenedDisk> {
  const file = await open(path, readOnly ? 'r' : 'r+');
  const { size } = await stat(path);
  const image: DiskImage = {
    sectors: Math.floor(size / SECTOR_BYTES),
    readOnly,
    sectorBytes: 512,
    discardGranularity: 0,
    async read(sector, into) {
      await file.read(into, 0, into.length, sector * SECTOR_BYTES);
    },
    async write(sector, from) {
      await file.write(from, 0, from.length, sector * SECTOR_BYTES);
    },
    async flush() {
      await file.sync();
    },
    discard: () => Promise.resolve(),
    onResize: () => () => undefined,
  };
  return { image, nodes: {}, close: () => file.close() };
}

async function openVolume(mebibytes: number): Promise<OpenedDisk> {
  const pool = await VolumePool.open(new MemoryChunkStore());
  const image = await pool.create('disk', mebibytes * 1024 * 1024);
  return { image, nodes: {}, close: () => pool.close() };
}

/** Starts a back end for the store and gives the domain its disks. */
export function attachDisks(
  specifications: readonly string[],
  machine: { store: StoreClient; domid: number; guest: BlockGuest; log: (line: string) => void },
): BlockBackend {
  const { domid, guest, log, store } = machine;
  const backend = new BlockBackend({
    store,
    guest: (asked) => (asked === domid ? guest : undefined),
    open: ({ mode, params }) => {
      const [, mebibytes] = /^volume:(\d+)$/.exec(params) ?? [];
      return mebibytes === undefined ? openFile(params, mode === 'r') : openVolume(Number(mebibytes));
    },
    schedule: (task) => setImmediate(task),
    later: (task) => setImmediate(task),
    log,
  });
  for (const specification of specifications) {
    const [source = '', device = '', mode = ''] = specification.split(',');
    const disk = blockSpecification(['vbd', ['uname', `file:${source}`], ['dev', device], ['mode', mode]]);
    store.transaction((access) => {
      writeBlockNodes(access, domid, 'guest', disk);
    });
  }
  return backend;
}
