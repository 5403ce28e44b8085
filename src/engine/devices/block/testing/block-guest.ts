/**
 * A guest with a block front end, for tests of the back end: pages that can be granted, a port, both ends' nodes in a store,
 * and a ring driven as a stock driver does.
 */
import { BLKIF_X86_64, type BlkifLayout } from '../../../abi/blkif.ts';
import type { ChannelBinding } from '../../../hypervisor/channels.ts';
import { HypervisorError } from '../../../hypervisor/control.ts';
import type { GrantedPage } from '../../../hypervisor/grant-map.ts';
import { writeBlockNodes } from '../../../toolstack/devices/block-nodes.ts';
import { blockSpecification } from '../../../toolstack/devices/block-specification.ts';
import type { StoreClient } from '../../../xenstore/client.ts';
import { FrontRing, ringPages } from '../../ring/testing/front-ring.ts';
import type { RingPage } from '../../ring/back-ring.ts';
import type { BlockGuest } from '../block-connection.ts';

export const DOMID = 5;
export const ID = 51712;
export const FRONTEND = `/local/domain/${DOMID}/device/vbd/${ID}`;
export const BACKEND = `/local/domain/0/backend/vbd/${DOMID}/${ID}`;

interface Granted extends RingPage {
  readonly readOnly: boolean;
  maps: number;
  stores: [number, number][];
}

export interface SegmentOf {
  readonly gref: number;
  readonly first: number;
  readonly last: number;
}

export class FakeGuest implements BlockGuest {
  readonly pages = new Map<number, Granted>();
  readonly notifications: number[] = [];
  readonly openPorts = new Set<number>();
  private readonly listeners = new Map<number, () => void>();
  private nextGref = 8;

  readonly grants = {
    map: (gref: number, writable: boolean): GrantedPage | undefined => {
      const page = this.pages.get(gref);
      if (page === undefined || (writable && page.readOnly)) return undefined;
      page.maps += 1;
      let mapped = true;
      return {
        bytes: page.bytes,
        words: page.words,
        written: (offset, bytes) => {
          page.stores.push([offset, bytes]);
        },
        unmap: () => {
          if (mapped) page.maps -= 1;
          mapped = false;
        },
      };
    },
  };

  bindChannel(port: number): ChannelBinding {
    if (!this.openPorts.has(port)) throw new HypervisorError(22, `event channel ${port} does not wait for domain 0`);
    return {
      port,
      notify: () => {
        this.notifications.push(port);
      },
      onNotify: (listener) => {
        this.listeners.set(port, listener);
      },
      close: () => {
        this.listeners.delete(port);
      },
    };
  }

  /** The guest's hypercall: true when somebody listens. */
  notifyBack(port: number): boolean {
    const listener = this.listeners.get(port);
    listener?.();
    return listener !== undefined;
  }

  grant(page: RingPage = ringPages(1)[0]!, readOnly = false): number {
    const gref = this.nextGref;
    this.nextGref += 1;
    this.pages.set(gref, { bytes: page.bytes, words: page.words, readOnly, maps: 0, stores: [] });
    return gref;
  }

  page(gref: number): Granted {
    return this.pages.get(gref)!;
  }

  get mapped(): number {
    return [...this.pages.values()].reduce((sum, { maps }) => sum + maps, 0);
  }
}

export interface FrontOptions {
  readonly domid?: number;
  readonly layout?: BlkifLayout;
  readonly pages?: number;
  readonly queues?: number;
  readonly persistent?: boolean;
  /** Changes to the nodes before the state is written. */
  readonly spoil?: (store: StoreClient) => void;
}

/** Results by request id. */
export type Answers = Map<bigint, { operation: number; status: number }>;

export class BlockFront {
  readonly rings: FrontRing[] = [];
  readonly ports: number[] = [];
  readonly layout: BlkifLayout;
  readonly domid: number;
  readonly frontend: string;
  readonly backend: string;
  private nextId = 0x1122334455667700n;

  constructor(
    readonly store: StoreClient,
    readonly guest: FakeGuest,
    private readonly options: FrontOptions = {},
  ) {
    this.layout = options.layout ?? BLKIF_X86_64;
    this.domid = options.domid ?? DOMID;
    this.frontend = `/local/domain/${this.domid}/device/vbd/${ID}`;
    this.backend = `/local/domain/0/backend/vbd/${this.domid}/${ID}`;
  }

  /** What xend writes. */
  static describe(store: StoreClient, { uname = 'phy:vg/root', mode = 'w', domid = DOMID } = {}): void {
    const disk = blockSpecification(['vbd', ['uname', uname], ['dev', 'xvda'], ['mode', mode]]);
    store.transaction((access) => {
      writeBlockNodes(access, domid, 'guest', disk);
    });
  }

  /** Rings, channels, nodes, state 3. */
  offer(): void {
    const { guest, options, store } = this;
    const { pages = 1, queues = 1, persistent = false } = options;
    store.transaction((access) => {
      for (let queue = 0; queue < queues; queue += 1) {
        const ring = new FrontRing(ringPages(pages), this.layout);
        this.rings[queue] = ring;
        this.ports[queue] = 20 + queue;
        guest.openPorts.add(20 + queue);
        const path = queues > 1 ? `${this.frontend}/queue-${queue}` : this.frontend;
        ring.pages.forEach((page, n) => {
          access.write(`${path}/ring-ref${pages > 1 ? n : ''}`, String(guest.grant(page)));
        });
        access.write(`${path}/event-channel`, String(20 + queue));
      }
      if (pages > 1) access.write(`${this.frontend}/ring-page-order`, String(Math.log2(pages)));
      if (queues > 1) access.write(`${this.frontend}/multi-queue-num-queues`, String(queues));
      access.write(`${this.frontend}/protocol`, this.layout.requestBytes === 112 ? 'x86_64-abi' : 'x86_32-abi');
      access.write(`${this.frontend}/feature-persistent`, persistent ? '1' : '0');
    });
    options.spoil?.(store);
    this.state(3);
  }

  state(value: number): void {
    this.store.write(`${this.frontend}/state`, String(value));
  }

  get backState(): string | undefined {
    return this.store.read(`${this.backend}/state`);
  }

  request(operation: number, sector: number | bigint, segments: readonly SegmentOf[], queue = 0): bigint {
    const { layout } = this;
    const { view, bytes, id } = this.fresh(operation, sector);
    view.setUint8(1, segments.length);
    segments.forEach((segment, n) => {
      putSegment(view, layout.segments + n * 8, segment);
    });
    this.rings[queue]!.put(bytes);
    return id;
  }

  indirect(operation: number, sector: number, grefs: readonly number[], count: number): bigint {
    const { view, bytes, id } = this.fresh(6, sector);
    view.setUint8(1, operation);
    view.setUint16(2, count, true);
    grefs.forEach((gref, n) => {
      view.setUint32(this.layout.indirectGrefs + n * 4, gref, true);
    });
    this.rings[0]!.put(bytes);
    return id;
  }

  discard(sector: number, count: number | bigint): bigint {
    const { view, bytes, id } = this.fresh(5, sector);
    view.setBigUint64(this.layout.discardCount, BigInt(count), true);
    this.rings[0]!.put(bytes);
    return id;
  }

  raw(bytes: Uint8Array): void {
    this.rings[0]!.put(bytes);
  }

  /** Publishes and notifies as asked for; resolves with what has been answered after the back end's turn. */
  async push(queue = 0): Promise<Answers> {
    if (this.rings[queue]!.push()) this.guest.notifyBack(this.ports[queue]!);
    await turn();
    return this.answers(queue);
  }

  answers(queue = 0): Answers {
    const answers: Answers = new Map();
    const ring = this.rings[queue]!;
    do {
      for (let bytes = ring.take(); bytes !== undefined; bytes = ring.take()) {
        const view = new DataView(bytes.buffer);
        const operation = view.getUint8(this.layout.responseOperation);
        answers.set(view.getBigUint64(0, true), { operation, status: view.getInt16(this.layout.responseStatus, true) });
      }
    } while (ring.finalCheck());
    return answers;
  }

  private fresh(operation: number, sector: number | bigint): { view: DataView; bytes: Uint8Array; id: bigint } {
    const bytes = new Uint8Array(this.layout.requestBytes);
    const view = new DataView(bytes.buffer);
    const id = this.nextId;
    this.nextId += 1n;
    view.setUint8(0, operation);
    view.setBigUint64(this.layout.id, id, true);
    view.setBigUint64(this.layout.sector, BigInt(sector), true);
    return { view, bytes, id };
  }
}

export function putSegment(view: DataView, at: number, { gref, first, last }: SegmentOf): void {
  view.setUint32(at, gref, true);
  view.setUint8(at + 4, first);
  view.setUint8(at + 5, last);
}

/** Lets watches, answers and their notifications come through. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
