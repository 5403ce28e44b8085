/**
 * The back end's end of one virtual block device: the nodes it writes, the states it goes through with the front end, and the
 * connection while there is one.
 *
 *   back end                         front end
 *   image open, features     -> 2
 *                                    rings, channels              -> 3 (4 is taken for it as well)
 *   rings mapped, sectors    -> 4
 *                                    reads them                   -> 4
 *                                    asked to go, or unloaded     -> 5, 6
 *   rings unmapped           -> 6    and back to 2 when the front end starts again at 1
 *
 * A front end that breaks the protocol is cut off: rings unmapped, state 5, the reason in the store and in the log.
 * @see xen/include/public/io/blkif.h, "STATE DIAGRAMS"
 */
import {
  BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST,
  BLKIF_SEGMENTS_PER_INDIRECT_PAGE,
  VDISK_CDROM,
  VDISK_READONLY,
} from '../../abi/blkif.ts';
import {
  XenbusStateClosed,
  XenbusStateClosing,
  XenbusStateConnected,
  XenbusStateInitialised,
  XenbusStateInitialising,
  XenbusStateInitWait,
  XenbusStateUnknown,
} from '../../abi/xenbus.ts';
import type { DiskImage } from '../../storage/disk-image.ts';
import type { StoreAccess, StoreClient } from '../../xenstore/client.ts';
import { BlockConnection, type BlockGuest } from './block-connection.ts';
import type { BlockCounters } from './block-queue.ts';
import { BlkifViolation } from './block-request.ts';
import { readConnectionParameters } from './connection-parameters.ts';

/** What xend wrote about the device. */
export interface BlockDescription {
  readonly frontDomid: number;
  /** Number of the virtual device: the name of its directory. */
  readonly id: number;
  /** "phy", "file", "tap" ... */
  readonly type: string;
  /** Names the image, in the manner of the type. */
  readonly params: string;
  /** "r", "w" or "w!". */
  readonly mode: string;
}

/** An image in use by one device. */
export interface OpenedDisk {
  readonly image: DiskImage;
  /** Nodes for the back end's directory that tell what the image is, such as physical-device. */
  readonly nodes: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

export interface BlockDeviceServices {
  readonly store: StoreClient;
  /** undefined when the domain is gone. */
  guest(domid: number): BlockGuest | undefined;
  /** Rejects with an error whose message is for the user. */
  open(description: BlockDescription): Promise<OpenedDisk>;
  /** Calls later, when other work has had its turn. */
  readonly schedule: (task: () => void) => void;
  /** Calls after a moment: what happens often meanwhile is told to guests once. */
  readonly later: (task: () => void) => void;
  readonly log: (line: string) => void;
  /** What is offered to front ends. */
  readonly offer: BlockOffer;
}

export interface BlockOffer {
  readonly maxRingPageOrder: number;
  readonly maxQueues: number;
  /** 0 = not offered. */
  readonly indirectSegments: number;
  /** Pages of each queue that may stay mapped; 0 = not offered. */
  readonly persistentGrants: number;
}

/**
 * Persistent grants are not offered: mapping costs a back end here next to nothing, while the copies they ask of the front end
 * are made by the guest's CPU.
 */
export const DEFAULT_OFFER: BlockOffer = { maxRingPageOrder: 2, maxQueues: 4, indirectSegments: 256, persistentGrants: 0 };

const PHYSICAL_SECTOR_BYTES = 4096;
const INDIRECT_SEGMENTS_MAX = BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST * BLKIF_SEGMENTS_PER_INDIRECT_PAGE;

export class BlockDevice {
  readonly counters: BlockCounters = {
    readRequests: 0,
    writeRequests: 0,
    flushRequests: 0,
    discardRequests: 0,
    readSectors: 0,
    writtenSectors: 0,
    failedRequests: 0,
  };
  private readonly token: string;
  private disk: OpenedDisk | undefined;
  private connection: BlockConnection | undefined;
  private forgetResize: () => void = () => undefined;
  private state = XenbusStateInitialising;
  private gone = false;
  private resizeDue = false;

  constructor(
    private readonly services: BlockDeviceServices,
    /** Directory of this end. */
    private readonly path: string,
    private readonly frontend: string,
    private readonly description: BlockDescription,
  ) {
    this.token = `blkback-${description.frontDomid}-${description.id}`;
  }

  get name(): string {
    return `vbd ${this.description.id} of domain ${this.description.frontDomid}`;
  }

  get connected(): boolean {
    return this.connection !== undefined;
  }

  /** Opens the image and offers the device; a failure is left in the store for xend to find. */
  async start(): Promise<void> {
    try {
      const disk = await this.services.open(this.description);
      if (this.gone) {
        await disk.close();
        return;
      }
      this.disk = disk;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.services.log(`blkback: ${this.name}: ${message}`);
      if (this.gone || !this.services.store.exists(this.path)) return;
      this.services.store.transaction((store) => {
        store.write(`${this.path}/hotplug-error`, message);
        store.write(`${this.path}/hotplug-status`, 'error');
      });
      return;
    }
    if (!this.services.store.exists(this.path)) return;
    this.forgetResize = this.disk.image.onResize(() => {
      this.resized();
    });
    this.offer();
    this.services.store.watch(`${this.frontend}/state`, this.token, () => {
      this.frontendChanged();
    });
  }

  /** The device is being removed, or its domain is gone. Resolves when the image is closed. */
  async close(): Promise<void> {
    if (this.gone) return;
    this.gone = true;
    this.disconnect();
    this.forgetResize();
    const { disk } = this;
    this.disk = undefined;
    if (disk === undefined) return;
    this.services.store.unwatch(`${this.frontend}/state`, this.token);
    await disk.close();
  }

  private offer(): void {
    const { disk, path } = this;
    if (disk === undefined) return;
    const { offer, store } = this.services;
    store.transaction((access) => {
      const put = (name: string, value: string | number): void => {
        access.write(`${path}/${name}`, String(value));
      };
      for (const [name, value] of Object.entries(disk.nodes)) put(name, value);
      put('feature-flush-cache', 1);
      put('feature-barrier', 1);
      put('feature-discard', Number(disk.image.discardGranularity > 0 && !disk.image.readOnly));
      put('discard-granularity', disk.image.discardGranularity * 512);
      put('discard-alignment', 0);
      put('discard-secure', 0);
      put('feature-persistent', Number(offer.persistentGrants > 0));
      if (offer.indirectSegments > 0) put('feature-max-indirect-segments', Math.min(offer.indirectSegments, INDIRECT_SEGMENTS_MAX));
      put('max-ring-page-order', offer.maxRingPageOrder);
      put('multi-queue-max-queues', offer.maxQueues);
      put('hotplug-status', 'connected');
      this.putSize(access, disk.image);
      this.enter(access, XenbusStateInitWait);
    });
  }

  private putSize(store: StoreAccess, image: DiskImage): void {
    const cdrom = store.read(`${this.path}/device-type`) === 'cdrom' ? VDISK_CDROM : 0;
    store.write(`${this.path}/sectors`, String(image.sectors));
    store.write(`${this.path}/sector-size`, String(image.sectorBytes));
    store.write(`${this.path}/physical-sector-size`, String(PHYSICAL_SECTOR_BYTES));
    store.write(`${this.path}/info`, String((image.readOnly ? VDISK_READONLY : 0) | cdrom));
  }

  /** A file that is being written grows with every write. */
  private resized(): void {
    if (this.resizeDue) return;
    this.resizeDue = true;
    this.services.later(() => {
      this.resizeDue = false;
      this.announceSize();
    });
  }

  /** A connected front end reads the size again when our state is written again. */
  private announceSize(): void {
    const { disk } = this;
    if (disk === undefined || this.gone || !this.services.store.exists(this.path)) return;
    this.services.store.transaction((store) => {
      this.putSize(store, disk.image);
      if (this.connected) this.enter(store, XenbusStateConnected);
    });
  }

  private enter(store: StoreAccess, state: number): void {
    this.state = state;
    store.write(`${this.path}/state`, String(state));
  }

  private frontendChanged(): void {
    if (this.gone || !this.services.store.exists(this.path)) return;
    const text = this.services.store.read(`${this.frontend}/state`);
    const state = text !== undefined && /^\d$/.test(text) ? Number(text) : XenbusStateUnknown;
    switch (state) {
      case XenbusStateInitialising:
        if (this.state === XenbusStateClosed) this.enter(this.services.store, XenbusStateInitWait);
        return;
      case XenbusStateInitialised:
      case XenbusStateConnected:
        if (this.state === XenbusStateInitWait) this.connect();
        return;
      case XenbusStateClosing:
        this.disconnect();
        if (this.state !== XenbusStateClosed) this.enter(this.services.store, XenbusStateClosing);
        return;
      case XenbusStateClosed:
      case XenbusStateUnknown:
        this.disconnect();
        if (this.state !== XenbusStateClosed) this.enter(this.services.store, XenbusStateClosed);
        return;
      default:
    }
  }

  private connect(): void {
    const { disk, services } = this;
    const guest = services.guest(this.description.frontDomid);
    if (disk === undefined || guest === undefined) return;
    try {
      const parameters = services.store.transaction((store) => readConnectionParameters(store, this.frontend, services.offer));
      this.connection = new BlockConnection(parameters, {
        image: disk.image,
        guest,
        counters: this.counters,
        indirectSegments: services.offer.indirectSegments,
        persistentGrants: services.offer.persistentGrants,
        schedule: services.schedule,
        log: (line) => {
          services.log(`blkback: ${this.name}: ${line}`);
        },
        onViolation: (reason) => {
          this.cutOff(reason);
        },
      });
    } catch (error) {
      if (!(error instanceof BlkifViolation)) throw error;
      this.cutOff(error.message);
      return;
    }
    services.store.transaction((store) => {
      this.putSize(store, disk.image);
      this.enter(store, XenbusStateConnected);
    });
    this.connection.poll();
  }

  private disconnect(): void {
    this.connection?.close();
    this.connection = undefined;
  }

  private cutOff(reason: string): void {
    const { log, store } = this.services;
    log(`blkback: ${this.name} is closed: ${reason}`);
    this.disconnect();
    if (this.gone || !store.exists(this.path)) return;
    store.transaction((access) => {
      access.write(`/local/domain/0/error/${this.path.slice('/local/domain/0/'.length)}/error`, reason);
      this.enter(access, XenbusStateClosing);
    });
  }
}
