/** A connected device: its rings and event channels, mapped from what the front end offered, and the queues that serve them. */
import type { ChannelBinding } from '../../hypervisor/channels.ts';
import type { GrantedPage, GrantMapper } from '../../hypervisor/grant-map.ts';
import { HypervisorError } from '../../hypervisor/control.ts';
import type { DiskImage } from '../../storage/disk-image.ts';
import { RingBrokenError } from '../ring/back-ring.ts';
import { BlkifViolation } from './block-request.ts';
import { BlockQueue, type BlockCounters } from './block-queue.ts';
import type { ConnectionParameters, QueueParameters } from './connection-parameters.ts';
import { GrantedPages } from './granted-pages.ts';
import { RequestOrder } from './request-order.ts';

/** What a back end needs of the guest behind a front end. */
export interface BlockGuest {
  readonly grants: GrantMapper;
  /** Binds to an event channel that the guest has opened to domain 0. HypervisorError. */
  bindChannel(port: number): ChannelBinding;
}

export interface BlockConnectionOptions {
  readonly image: DiskImage;
  readonly guest: BlockGuest;
  readonly counters: BlockCounters;
  readonly indirectSegments: number;
  /** Pages that may stay mapped for each queue when the front end uses persistent grants. */
  readonly persistentGrants: number;
  /** Calls later, when other work has had its turn. */
  readonly schedule: (task: () => void) => void;
  readonly log: (line: string) => void;
  readonly onViolation: (reason: string) => void;
}

interface Ring {
  readonly pages: readonly GrantedPage[];
  readonly channel: ChannelBinding;
  readonly granted: GrantedPages;
  readonly queue: BlockQueue;
}

export class BlockConnection {
  private readonly rings: Ring[] = [];

  /** BlkifViolation when the front end's rings, grants or channels cannot be used; nothing is mapped then. */
  constructor(parameters: ConnectionParameters, options: BlockConnectionOptions) {
    const order = new RequestOrder();
    try {
      for (const queue of parameters.queues) this.rings.push(openRing(queue, parameters, options, order));
    } catch (error) {
      this.close();
      if (error instanceof RingBrokenError || error instanceof HypervisorError) throw new BlkifViolation(error.message);
      throw error;
    }
  }

  /** Looks at every ring: requests may have been put before the channel was bound. */
  poll(): void {
    for (const { queue } of this.rings) queue.poll();
  }

  get requestsInWork(): number {
    return this.rings.reduce((sum, { queue }) => sum + queue.inWork, 0);
  }

  /** Nothing of the guest is touched after this. */
  close(): void {
    for (const { channel, granted, pages, queue } of this.rings.splice(0)) {
      queue.stop();
      channel.close();
      granted.close();
      for (const page of pages) page.unmap();
    }
  }
}

function openRing(
  { eventChannel, ringRefs }: QueueParameters,
  { layout, persistentGrants }: ConnectionParameters,
  options: BlockConnectionOptions,
  order: RequestOrder,
): Ring {
  const pages: GrantedPage[] = [];
  let channel: ChannelBinding | undefined;
  try {
    for (const gref of ringRefs) {
      const page = options.guest.grants.map(gref, true);
      if (page === undefined) throw new BlkifViolation(`grant ${gref} of the ring does not permit writing`);
      pages.push(page);
    }
    channel = options.guest.bindChannel(eventChannel);
    const granted = new GrantedPages(options.guest.grants, persistentGrants ? options.persistentGrants : 0);
    const ringPages = pages.map(({ bytes, words }) => ({ bytes, words }));
    const queue = new BlockQueue(ringPages, { ...options, layout, pages: granted, channel, order });
    channel.onNotify(() => {
      queue.poll();
    });
    return { pages, channel, granted, queue };
  } catch (error) {
    channel?.close();
    for (const page of pages) page.unmap();
    throw error;
  }
}
