/**
 * The disks of the machine in the dom0 worker: the volumes in the browser's storage, the block back end that serves them, and
 * the regular writing behind.
 */
import { BlockBackend } from '../../engine/devices/block/block-backend.ts';
import type { BlockGuest } from '../../engine/devices/block/block-connection.ts';
import type { ChunkStore } from '../../engine/storage/chunk-store.ts';
import type { FileSystem } from '../../engine/storage/file-system.ts';
import { VolumePool } from '../../engine/storage/volume-pool.ts';
import { BlockSources } from '../../engine/toolstack/devices/block-sources.ts';
import type { Clock } from '../../engine/toolstack/services.ts';
import { messageOf } from '../../engine/toolstack/xend-error.ts';
import type { StoreClient } from '../../engine/xenstore/client.ts';
import { restoreWhenFull } from './storage-program.ts';

/** Longest that a write nobody flushes stays in memory only. */
const WRITE_BEHIND_MS = 5000;

export interface MachineDisksOptions {
  readonly chunks: ChunkStore;
  readonly files: FileSystem;
  readonly store: StoreClient;
  readonly clock: Clock;
  /** undefined when the domain is gone. */
  guest(domid: number): BlockGuest | undefined;
  /** Runs a task later, from a fresh stack, with room for other work in between. */
  readonly schedule: (task: () => void) => void;
  readonly log: (line: string) => void;
}

export class MachineDisks {
  private failing = false;
  private flushing = false;

  private constructor(
    readonly pool: VolumePool,
    readonly backend: BlockBackend,
    readonly sources: BlockSources,
    private readonly options: MachineDisksOptions,
  ) {
    this.writeBehind();
  }

  static async open(options: MachineDisksOptions): Promise<MachineDisks> {
    const { chunks, files, log, store } = options;
    const pool = await VolumePool.open(chunks, { log });
    restoreWhenFull(pool);
    const sources = new BlockSources(pool, files);
    const backend = new BlockBackend({
      store,
      log,
      schedule: options.schedule,
      guest: (domid) => options.guest(domid),
      open: (description) => sources.open(description),
    });
    return new MachineDisks(pool, backend, sources, options);
  }

  private writeBehind(): void {
    this.options.clock.after(WRITE_BEHIND_MS, () => {
      this.writeBehind();
      // The browser does not say when there is room again.
      this.pool.retry();
      if (this.flushing) return;
      this.flushing = true;
      this.pool
        .flush()
        .then(() => {
          this.failing = false;
        })
        .catch((error: unknown) => {
          if (!this.failing) this.options.log(`volumes: changes could not be stored: ${messageOf(error)}`);
          this.failing = true;
        })
        .finally(() => {
          this.flushing = false;
        });
    });
  }
}
