/**
 * The disks of the machine in the dom0 worker: the volumes in the browser's storage, the block back end that serves them, and
 * the regular writing behind.
 */
import { BlockBackend } from '../../engine/devices/block/block-backend.ts';
import type { BlockGuest } from '../../engine/devices/block/block-connection.ts';
import type { ClusterDecoders } from '../../engine/images/qcow2/reader.ts';
import type { FileSystem } from '../../engine/storage/file-system.ts';
import type { VolumePool } from '../../engine/storage/volume-pool.ts';
import { BlockSources } from '../../engine/toolstack/devices/block-sources.ts';
import { LoopDevices } from '../../engine/toolstack/devices/loop-devices.ts';
import type { HardDisks } from '../../engine/toolstack/devices/hard-disks.ts';
import { VolumeGroups } from '../../engine/toolstack/devices/lvm/volume-groups.ts';
import type { Clock } from '../../engine/toolstack/services.ts';
import { messageOf } from '../../engine/toolstack/xend-error.ts';
import type { StoreClient } from '../../engine/xenstore/client.ts';
import { restoreWhenFull } from './storage-program.ts';

/** A disk's new size is told to its guest that long after it changed. */
const RESIZE_MS = 200;
/** Longest that a write nobody flushes stays in memory only. */
const WRITE_BEHIND_MS = 5000;

export interface MachineDisksOptions {
  readonly pool: VolumePool;
  readonly hardDisks: HardDisks;
  readonly files: FileSystem;
  /** How many loop devices there are; the usual number when absent. */
  readonly loopDevices?: number | undefined;
  readonly decoders: ClusterDecoders;
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

  readonly sources: BlockSources;
  readonly backend: BlockBackend;
  readonly groups: VolumeGroups;
  readonly hardDisks: HardDisks;

  constructor(private readonly options: MachineDisksOptions) {
    const { files, log, pool, store } = options;
    restoreWhenFull(pool);
    this.hardDisks = options.hardDisks;
    this.groups = VolumeGroups.open(pool, log);
    this.sources = new BlockSources(pool, files, new LoopDevices(files, options.loopDevices), options.decoders);
    this.sources.addDisks(this.hardDisks);
    this.backend = new BlockBackend({
      store,
      log,
      schedule: options.schedule,
      later: (task) => {
        options.clock.after(RESIZE_MS, task);
      },
      guest: (domid) => options.guest(domid),
      open: (description) => this.sources.open(description),
    });
    files.devices.add(() => this.sources.entries());
    files.devices.add(() => this.sources.loops.entries());
    this.writeBehind();
  }

  private writeBehind(): void {
    this.options.clock.after(WRITE_BEHIND_MS, () => {
      this.writeBehind();
      // The browser does not say when there is room again.
      this.options.pool.retry();
      if (this.flushing) return;
      this.flushing = true;
      this.options.pool
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
