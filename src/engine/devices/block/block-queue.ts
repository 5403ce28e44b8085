/**
 * One ring of a block device: takes requests, carries them out on the disk image, answers. What a request says is looked at
 * once, in a copy; what it names is mapped before the disk is touched; data of a write is copied out before the image sees it.
 */
import {
  BLKIF_OP_READ,
  BLKIF_OP_WRITE_BARRIER,
  BLKIF_RSP_EOPNOTSUPP,
  BLKIF_RSP_ERROR,
  BLKIF_RSP_OKAY,
  BLKIF_SEGMENTS_PER_INDIRECT_PAGE,
  BLKIF_SEGMENT_BYTES,
  type BlkifLayout,
} from '../../abi/blkif.ts';
import type { ChannelBinding } from '../../hypervisor/channels.ts';
import { SECTOR_BYTES, type DiskImage } from '../../storage/disk-image.ts';
import { BackRing, RingBrokenError, type RingPage } from '../ring/back-ring.ts';
import {
  BlkifViolation,
  parseRequest,
  parseSegments,
  type BlockRequest,
  type Segment,
  type TransferOperation,
} from './block-request.ts';
import type { GrantedPages, LentPage } from './granted-pages.ts';
import type { RequestOrder } from './request-order.ts';

export interface BlockCounters {
  readRequests: number;
  writeRequests: number;
  flushRequests: number;
  discardRequests: number;
  readSectors: number;
  writtenSectors: number;
  /** Answered with an error. */
  failedRequests: number;
}

export interface BlockQueueOptions {
  readonly image: DiskImage;
  readonly layout: BlkifLayout;
  readonly pages: GrantedPages;
  readonly channel: Pick<ChannelBinding, 'notify'>;
  readonly order: RequestOrder;
  readonly counters: BlockCounters;
  readonly indirectSegments: number;
  readonly log: (line: string) => void;
  /** The front end broke the protocol: called once, the queue has stopped. */
  readonly onViolation: (reason: string) => void;
}

type Transfer = BlockRequest & { kind: 'transfer' | 'indirect' };

export class BlockQueue {
  private readonly ring: BackRing;
  private readonly copy: Uint8Array;
  private readonly response: DataView;
  private publishDue = false;
  private stopped = false;

  /** RingBrokenError when the pages do not hold a ring. */
  constructor(
    ringPages: readonly RingPage[],
    private readonly options: BlockQueueOptions,
  ) {
    this.ring = new BackRing(ringPages, options.layout);
    this.copy = new Uint8Array(options.layout.requestBytes);
    this.response = new DataView(new ArrayBuffer(options.layout.responseBytes));
  }

  /** Requests taken and not answered. */
  get inWork(): number {
    return this.ring.requestsInWork;
  }

  /** Takes every request there is: at most one ring full, since none can be answered meanwhile. */
  poll(): void {
    if (this.stopped) return;
    try {
      do {
        while (this.ring.takeRequest(this.copy)) {
          this.begin(parseRequest(this.copy, this.options.layout, this.options));
        }
      } while (this.ring.finalCheckForRequests());
    } catch (error) {
      this.fail(error);
    }
  }

  /** No page of the ring is touched after this; what is under way ends unanswered. */
  stop(): void {
    this.stopped = true;
  }

  private fail(error: unknown): void {
    if (this.stopped) return;
    if (!(error instanceof BlkifViolation || error instanceof RingBrokenError)) throw error;
    this.stopped = true;
    this.options.onViolation(error.message);
  }

  private begin(request: BlockRequest): void {
    const { order } = this.options;
    const work = (): Promise<void> => this.answer(request);
    const isBarrier = 'transfer' in request && request.transfer === BLKIF_OP_WRITE_BARRIER;
    if (isBarrier) order.addBarrier(work);
    else order.add(work);
  }

  private async answer(request: BlockRequest): Promise<void> {
    if (this.stopped) return;
    let status: number;
    try {
      status = await this.carryOut(request);
    } catch (error) {
      if (error instanceof BlkifViolation) {
        this.fail(error);
        return;
      }
      status = BLKIF_RSP_ERROR;
      this.options.log(error instanceof Error ? error.message : String(error));
    }
    if (status !== BLKIF_RSP_OKAY) this.options.counters.failedRequests += 1;
    this.respond(request, status);
  }

  private respond(request: BlockRequest, status: number): void {
    if (this.stopped) return;
    const { id } = request;
    // Of an indirect request front ends expect the operation inside.
    const operation = 'transfer' in request ? request.transfer : request.operation;
    const { layout } = this.options;
    this.response.setBigUint64(0, id, true);
    this.response.setUint8(layout.responseOperation, operation);
    this.response.setInt16(layout.responseStatus, status, true);
    this.ring.putResponse(new Uint8Array(this.response.buffer));
    if (this.publishDue) return;
    this.publishDue = true;
    // Answers that come in one turn are published, and notified, together.
    queueMicrotask(() => {
      this.publish();
    });
  }

  private publish(): void {
    this.publishDue = false;
    if (this.stopped) return;
    if (this.ring.publishResponses()) this.options.channel.notify();
  }

  private async carryOut(request: BlockRequest): Promise<number> {
    const { image, counters } = this.options;
    switch (request.kind) {
      case 'transfer':
      case 'indirect':
        return this.transfer(request);
      case 'flush':
        counters.flushRequests += 1;
        await image.flush();
        return BLKIF_RSP_OKAY;
      case 'discard':
        if (image.readOnly || !this.inside(request.sector, request.count)) return BLKIF_RSP_ERROR;
        if (image.discardGranularity === 0) return BLKIF_RSP_EOPNOTSUPP;
        counters.discardRequests += 1;
        await image.discard(request.sector, request.count);
        return BLKIF_RSP_OKAY;
      case 'unsupported':
        return BLKIF_RSP_EOPNOTSUPP;
    }
  }

  private async transfer(request: Transfer): Promise<number> {
    const { image } = this.options;
    const segments = request.kind === 'transfer' ? request.segments : this.indirectSegments(request.grefs, request.count);
    const bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0);
    const isRead = request.transfer === BLKIF_OP_READ;
    const allowed = (isRead || !image.readOnly) && (bytes === 0 || this.fits(request.sector, bytes));
    const lent: LentPage[] = [];
    try {
      for (const { gref } of segments) lent.push(this.options.pages.borrow(gref, isRead));
      if (!allowed) return BLKIF_RSP_ERROR;
      if (isRead) await this.read(request.sector, bytes, segments, lent);
      else await this.write(request.transfer, request.sector, bytes, segments, lent);
    } finally {
      for (const page of lent) page.giveBack();
    }
    return BLKIF_RSP_OKAY;
  }

  private async read(sector: number, bytes: number, segments: readonly Segment[], lent: readonly LentPage[]): Promise<void> {
    const { counters, image } = this.options;
    const contents = new Uint8Array(bytes);
    await image.read(sector, contents);
    if (this.stopped) return;
    let at = 0;
    segments.forEach((segment, n) => {
      const page = lent[n]?.page;
      page?.bytes.set(contents.subarray(at, at + segment.bytes), segment.offset);
      page?.written(segment.offset, segment.bytes);
      at += segment.bytes;
    });
    counters.readRequests += 1;
    counters.readSectors += bytes / SECTOR_BYTES;
  }

  private async write(
    transfer: TransferOperation,
    sector: number,
    bytes: number,
    segments: readonly Segment[],
    lent: readonly LentPage[],
  ): Promise<void> {
    const { counters, image } = this.options;
    if (bytes > 0) {
      const contents = new Uint8Array(bytes);
      let at = 0;
      segments.forEach(({ offset, bytes: length }, n) => {
        const page = lent[n]?.page;
        if (page !== undefined) contents.set(page.bytes.subarray(offset, offset + length), at);
        at += length;
      });
      await image.write(sector, contents);
    }
    if (transfer === BLKIF_OP_WRITE_BARRIER) await image.flush();
    counters.writeRequests += 1;
    counters.writtenSectors += bytes / SECTOR_BYTES;
  }

  /** The segments that indirect pages list, from copies of the pages. */
  private indirectSegments(grefs: readonly number[], count: number): Segment[] {
    const segments: Segment[] = [];
    for (const gref of grefs) {
      const here = Math.min(count - segments.length, BLKIF_SEGMENTS_PER_INDIRECT_PAGE);
      const lent = this.options.pages.borrow(gref, false);
      const copy = lent.page.bytes.slice(0, here * BLKIF_SEGMENT_BYTES);
      lent.giveBack();
      segments.push(...parseSegments(copy, here));
    }
    return segments;
  }

  private fits(sector: number, bytes: number): boolean {
    const multiple = this.options.image.sectorBytes / SECTOR_BYTES;
    return this.inside(sector, bytes / SECTOR_BYTES) && sector % multiple === 0 && (bytes / SECTOR_BYTES) % multiple === 0;
  }

  private inside(sector: number, count: number): boolean {
    return sector + count <= this.options.image.sectors;
  }
}
