/** A block back end on a volume in memory, with a store and a guest's front end, for tests. */
import type { DiskImage } from '../../../storage/disk-image.ts';
import { MemoryChunkStore } from '../../../storage/memory-chunk-store.ts';
import { FaultyChunkStore } from '../../../storage/testing/faulty-chunk-store.ts';
import type { Volume } from '../../../storage/volume.ts';
import { VolumePool } from '../../../storage/volume-pool.ts';
import type { StoreClient } from '../../../xenstore/client.ts';
import { XenstoreServer } from '../../../xenstore/server.ts';
import { BlockBackend } from '../block-backend.ts';
import { DEFAULT_OFFER, type BlockOffer } from '../block-device.ts';
import { BlockFront, DOMID, FakeGuest, turn, type FrontOptions } from './block-guest.ts';

export {
  BLKIF_OP_FLUSH_DISKCACHE as FLUSH,
  BLKIF_OP_READ as READ,
  BLKIF_OP_WRITE as WRITE,
  BLKIF_OP_WRITE_BARRIER as BARRIER,
} from '../../../abi/blkif.ts';
/** Of the device. */
export const SECTORS = 4096;

export interface Bench {
  readonly server: XenstoreServer;
  readonly store: StoreClient;
  readonly guest: FakeGuest;
  readonly chunks: FaultyChunkStore;
  readonly pool: VolumePool;
  readonly volume: Volume;
  readonly backend: BlockBackend;
  readonly front: BlockFront;
  readonly log: string[];
  closed: number;
}

export interface BenchOptions extends FrontOptions {
  readonly mode?: string;
  readonly offer?: BlockOffer;
  /** The image cannot be opened, for this reason. */
  readonly failOpen?: string;
  /** What stands between the back end and the volume. */
  readonly imageOf?: (volume: Volume) => DiskImage;
}

export async function bench({
  mode = 'w',
  offer = DEFAULT_OFFER,
  failOpen = '',
  imageOf = (volume) => volume,
  ...options
}: BenchOptions = {}): Promise<Bench> {
  const server = new XenstoreServer({ schedule: (task) => setImmediate(task), log: () => undefined });
  const store = server.connect();
  const chunks = new FaultyChunkStore(new MemoryChunkStore());
  const pool = await VolumePool.open(chunks);
  const volume = await pool.create('vg/root', SECTORS * 512);
  const guest = new FakeGuest();
  const log: string[] = [];
  const result = { server, store, guest, chunks, pool, volume, log, closed: 0, front: new BlockFront(store, guest, options) };
  const backend = new BlockBackend({
    store,
    guest: (domid) => (domid === DOMID ? guest : undefined),
    open: (description) => {
      if (failOpen !== '') return Promise.reject(new Error(failOpen));
      const image = description.mode === 'r' ? (Object.create(volume, { readOnly: { value: true } }) as Volume) : volume;
      return Promise.resolve({
        image: imageOf(image),
        nodes: { 'physical-device': 'fe:0' },
        close: () => {
          result.closed += 1;
          return Promise.resolve();
        },
      });
    },
    schedule: (task) => setImmediate(task),
    later: (task) => setImmediate(task),
    log: (line) => log.push(line),
    offer,
  });
  BlockFront.describe(store, { mode });
  await settle();
  return Object.assign(result, { backend });
}

/** Until everything that waits for nothing outside has come through. */
export async function settle(): Promise<void> {
  for (let n = 0; n < 4; n += 1) await turn();
}

/** With the front end connected. */
export async function connected(options: BenchOptions = {}): Promise<Bench> {
  const made = await bench(options);
  made.front.offer();
  await settle();
  if (made.front.backState !== '4') throw new Error(`the back end is in state ${made.front.backState}: ${made.log.join('\n')}`);
  return made;
}
