/**
 * One ring of a block device: takes requests, carries them out on the disk image, answers. What a request says is looked at
 * once, in a copy; what it names is mapped before the disk is touched.
 *
 * All requests there are get taken at once, and transfers that continue each other become one access to the image. What the
 * image can do without waiting is copied between its memory and the guest's, and answered, before the next is looked at. For
 * the rest data goes through a copy of ours: the guest's pages may be gone when the image comes back.
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
import type { GrantedPage } from '../../hypervisor/grant-map.ts';
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
import type { GrantedPages } from './granted-pages.ts';
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
  /** Calls later, when other work has had its turn. */
  readonly schedule: (task: () => void) => void;
  readonly log: (line: string) => void;
  /** The front end broke the protocol: called once, the queue has stopped. */
  readonly onViolation: (reason: string) => void;
}

type Transfer = BlockRequest & { kind: 'transfer' | 'indirect' };

/** Pages of the front end's in use: given back once. */
interface Lent {
  pages: GrantedPage[];
}

/** Transfers of which each begins where the one before ends, with the front end's pages mapped. */
interface Run extends Lent {
  readonly transfer: TransferOperation;
  readonly sector: number;
  sectors: number;
  readonly requests: Transfer[];
  /** The part of each page that is meant, in order. */
  readonly segments: Segment[];
}

type MappedSegments = Pick<Run, 'pages' | 'sector' | 'sectors'> & { readonly segments: readonly Segment[] };

/** Sectors of a run, 4 MiB; and answers that are published together while more are worked on. */
const RUN_SECTORS_MAX = 8192;
const ANSWERS_TOGETHER = 8;

export class BlockQueue {
  private readonly ring: BackRing;
  /** Copies of the request, and of a page of segments, that are looked at; by each a view of it. */
  private readonly copy: Uint8Array;
  private readonly request: DataView;
  private readonly segmentsCopy = new Uint8Array(BLKIF_SEGMENTS_PER_INDIRECT_PAGE * BLKIF_SEGMENT_BYTES);
  private readonly segmentsView = new DataView(this.segmentsCopy.buffer);
  private readonly response: DataView;
  private readonly responseBytes: Uint8Array;
  private readonly lent = new Set<Lent>();
  /** Being put together while requests are taken. */
  private run: Run | undefined;
  private unpublished = 0;
  private publishDue = false;
  private pollDue = false;
  private stopped = false;

  /** RingBrokenError when the pages do not hold a ring. */
  constructor(
    ringPages: readonly RingPage[],
    private readonly options: BlockQueueOptions,
  ) {
    this.ring = new BackRing(ringPages, options.layout);
    this.copy = new Uint8Array(options.layout.requestBytes);
    this.request = new DataView(this.copy.buffer);
    this.responseBytes = new Uint8Array(options.layout.responseBytes);
    this.response = new DataView(this.responseBytes.buffer);
  }

  /** Requests taken and not answered. */
  get inWork(): number {
    return this.ring.requestsInWork;
  }

  /** Takes every request there is, up to one ring full: a front end that goes on waits for the others' turn. */
  poll(): void {
    if (this.stopped) return;
    try {
      let left = this.ring.entries;
      do {
        for (; left > 0 && !this.stopped && this.ring.takeRequest(this.copy); left -= 1) {
          this.begin(parseRequest(this.request, this.options.layout, this.options));
        }
        this.startRun();
        this.publish();
      } while (left > 0 && !this.stopped && this.ring.finalCheckForRequests());
      if (left === 0) this.pollLater();
    } catch (error) {
      if (this.run !== undefined) this.giveBack(this.run);
      this.run = undefined;
      this.fail(error);
    }
  }

  /**
   * No page of the front end's is touched or kept after this; what is under way ends unanswered. The image may take long, and a front
   * end that was told of the end wants its pages back.
   */
  stop(): void {
    this.stopped = true;
    for (const lent of this.lent) this.giveBack(lent);
  }

  private pollLater(): void {
    if (this.pollDue || this.stopped) return;
    this.pollDue = true;
    this.options.schedule(() => {
      this.pollDue = false;
      this.poll();
    });
  }

  private fail(error: unknown): void {
    if (this.stopped) return;
    if (!(error instanceof BlkifViolation || error instanceof RingBrokenError)) throw error;
    this.stopped = true;
    this.options.onViolation(error.message);
  }

  /** Starts a request, or makes it part of a run. */
  private begin(request: BlockRequest): void {
    const { order } = this.options;
    const isTransfer = request.kind === 'transfer' || request.kind === 'indirect';
    if (!isTransfer || request.transfer === BLKIF_OP_WRITE_BARRIER) {
      this.startRun();
      const work = (): Promise<void> => this.answer(request);
      if (isTransfer) order.addBarrier(work);
      else order.add(work);
      return;
    }
    const segments = this.segmentsOf(request);
    const sectors = sectorsOf(segments);
    const pages = this.map(segments, request.transfer);
    if (!this.isAllowed(request, sectors)) {
      for (const page of pages) this.options.pages.giveBack(page);
      this.respond(request, BLKIF_RSP_ERROR);
      return;
    }
    const { run } = this;
    const goesOn =
      run?.transfer === request.transfer && run.sector + run.sectors === request.sector && run.sectors + sectors <= RUN_SECTORS_MAX;
    if (run === undefined || !goesOn) {
      this.startRun();
      this.run = {
        transfer: request.transfer,
        sector: request.sector,
        sectors,
        requests: [request],
        pages,
        segments: [...segments],
      };
      this.lent.add(this.run);
      return;
    }
    run.requests.push(request);
    for (const page of pages) run.pages.push(page);
    for (const segment of segments) run.segments.push(segment);
    run.sectors += sectors;
  }

  /** Maps the segments' pages: all or none. BlkifViolation. */
  private map(segments: readonly Segment[], transfer: TransferOperation): GrantedPage[] {
    const pages: GrantedPage[] = [];
    try {
      for (const { gref } of segments) pages.push(this.options.pages.borrow(gref, transfer === BLKIF_OP_READ));
    } catch (error) {
      for (const page of pages) this.options.pages.giveBack(page);
      throw error;
    }
    return pages;
  }

  /** Once: what `stop` has given back stays so. */
  private giveBack(lent: Lent): void {
    this.lent.delete(lent);
    for (const page of lent.pages) this.options.pages.giveBack(page);
    lent.pages = [];
  }

  private startRun(): void {
    const { run } = this;
    this.run = undefined;
    if (run === undefined) return;
    const { order } = this.options;
    if (!order.isHeld && this.carryOutNow(run)) {
      this.finishRun(run, BLKIF_RSP_OKAY);
      return;
    }
    order.add(async () => {
      let status: number = BLKIF_RSP_OKAY;
      try {
        await this.carryOutLater(run);
      } catch (error) {
        status = BLKIF_RSP_ERROR;
        this.options.log(error instanceof Error ? error.message : String(error));
      }
      this.finishRun(run, status);
    });
  }

  /** Without waiting, if the image can do that. */
  private carryOutNow({ pages, sector, segments, transfer }: Run): boolean {
    const { image } = this.options;
    const pieces = pages.map((page, n) => pieceOf(page, segments[n]));
    if (transfer !== BLKIF_OP_READ) return image.writeNow?.(sector, pieces) ?? false;
    if (!(image.readNow?.(sector, pieces) ?? false)) return false;
    pages.forEach((page, n) => {
      written(page, segments[n]);
    });
    return true;
  }

  private finishRun(run: Run, status: number): void {
    const { requests, sectors, transfer } = run;
    this.giveBack(run);
    if (this.stopped) return;
    const { counters } = this.options;
    if (status === BLKIF_RSP_OKAY) {
      if (transfer === BLKIF_OP_READ) {
        counters.readRequests += requests.length;
        counters.readSectors += sectors;
      } else {
        counters.writeRequests += requests.length;
        counters.writtenSectors += sectors;
      }
    }
    for (const request of requests) this.respond(request, status);
  }

  /** Waits for the image and copies at once then, if it can do that; else by way of a copy of ours. */
  private async carryOutLater(run: Run): Promise<void> {
    // A barrier may have kept it waiting until after the end, when the image may be closed.
    if (this.stopped) return;
    const isRead = run.transfer === BLKIF_OP_READ;
    await this.options.image.ready?.(run.sector, run.sectors * SECTOR_BYTES, !isRead);
    // The device may have been disconnected meanwhile, and its pages with it.
    if (this.stopped || this.carryOutNow(run)) return;
    await (isRead ? this.read(run) : this.write(run));
  }

  private async read(run: Run): Promise<void> {
    const contents = new Uint8Array(run.sectors * SECTOR_BYTES);
    await this.options.image.read(run.sector, contents);
    // Without pages when it has been stopped meanwhile.
    let at = 0;
    run.pages.forEach((page, n) => {
      const piece = pieceOf(page, run.segments[n]);
      piece.set(contents.subarray(at, at + piece.length));
      written(page, run.segments[n]);
      at += piece.length;
    });
  }

  private async write({ pages, sector, sectors, segments }: MappedSegments): Promise<void> {
    const contents = new Uint8Array(sectors * SECTOR_BYTES);
    let at = 0;
    pages.forEach((page, n) => {
      const piece = pieceOf(page, segments[n]);
      contents.set(piece, at);
      at += piece.length;
    });
    await this.options.image.write(sector, contents);
  }

  /** Requests that are no plain transfers. */
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
    this.respond(request, status);
  }

  private async carryOut(request: BlockRequest): Promise<number> {
    const { image, counters } = this.options;
    switch (request.kind) {
      case 'transfer':
      case 'indirect':
        return this.barrier(request);
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

  private async barrier(request: Transfer): Promise<number> {
    const { counters, image } = this.options;
    const segments = this.segmentsOf(request);
    const sectors = sectorsOf(segments);
    const lent: Lent = { pages: this.map(segments, request.transfer) };
    this.lent.add(lent);
    try {
      if (image.readOnly || (sectors > 0 && !this.isAllowed(request, sectors))) return BLKIF_RSP_ERROR;
      if (sectors > 0) await this.write({ sector: request.sector, sectors, segments, pages: lent.pages });
    } finally {
      this.giveBack(lent);
    }
    if (this.stopped) return BLKIF_RSP_ERROR;
    await image.flush();
    counters.writeRequests += 1;
    counters.writtenSectors += sectors;
    return BLKIF_RSP_OKAY;
  }

  private respond(request: BlockRequest, status: number): void {
    if (this.stopped) return;
    const { counters, layout } = this.options;
    if (status !== BLKIF_RSP_OKAY) counters.failedRequests += 1;
    this.response.setBigUint64(0, request.id, true);
    // Of an indirect request front ends expect the operation inside.
    this.response.setUint8(layout.responseOperation, 'transfer' in request ? request.transfer : request.operation);
    this.response.setInt16(layout.responseStatus, status, true);
    this.ring.putResponse(this.responseBytes);
    this.unpublished += 1;
    if (this.unpublished >= ANSWERS_TOGETHER) this.publish();
    if (this.unpublished === 0 || this.publishDue) return;
    this.publishDue = true;
    // Answers that come in one turn are published, and notified, together.
    queueMicrotask(() => {
      this.publishDue = false;
      this.publish();
    });
  }

  private publish(): void {
    if (this.stopped || this.unpublished === 0) return;
    this.unpublished = 0;
    if (this.ring.publishResponses()) this.options.channel.notify();
  }

  private segmentsOf(request: Transfer): readonly Segment[] {
    return request.kind === 'transfer' ? request.segments : this.indirectSegments(request.grefs, request.count);
  }

  /** The segments that indirect pages list, from copies of the pages. */
  private indirectSegments(grefs: readonly number[], count: number): Segment[] {
    const segments: Segment[] = [];
    for (const gref of grefs) {
      const here = Math.min(count - segments.length, BLKIF_SEGMENTS_PER_INDIRECT_PAGE);
      const page = this.options.pages.borrow(gref, false);
      const { bytes } = page;
      for (let n = 0; n < here * BLKIF_SEGMENT_BYTES; n += 1) this.segmentsCopy[n] = bytes[n] ?? 0;
      this.options.pages.giveBack(page);
      for (const segment of parseSegments(this.segmentsView, 0, here)) segments.push(segment);
    }
    return segments;
  }

  private isAllowed({ sector, transfer }: Transfer, sectors: number): boolean {
    const { image } = this.options;
    const multiple = image.sectorBytes / SECTOR_BYTES;
    const aligned = sector % multiple === 0 && sectors % multiple === 0;
    return aligned && this.inside(sector, sectors) && (transfer === BLKIF_OP_READ || !image.readOnly);
  }

  private inside(sector: number, count: number): boolean {
    return sector + count <= this.options.image.sectors;
  }
}

function sectorsOf(segments: readonly Segment[]): number {
  let bytes = 0;
  for (const segment of segments) bytes += segment.bytes;
  return bytes / SECTOR_BYTES;
}

/** What a segment means of its page: most often all of it. */
function pieceOf({ bytes }: GrantedPage, segment: Segment | undefined): Uint8Array {
  if (segment === undefined) throw new Error('a page without a segment');
  return segment.bytes === bytes.length ? bytes : bytes.subarray(segment.offset, segment.offset + segment.bytes);
}

function written(page: GrantedPage, segment: Segment | undefined): void {
  if (segment !== undefined) page.written(segment.offset, segment.bytes);
}
