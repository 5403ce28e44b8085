/**
 * The back end's side of a shared ring of block and network devices: requests out, responses in, each with the rule that says
 * when the other side has to be notified. The ring may span several pages, and an entry may cross from one into the next.
 *
 * Everything in the pages belongs to a front end that may be hostile. req_prod is read once a look and checked against the ring's
 * size; requests are copied out before they are looked at; our own indices are kept here and only written to the page.
 * @see xen/include/public/io/ring.h
 */
import { RING_HEADER_BYTES, RING_REQ_EVENT, RING_REQ_PROD, RING_RSP_EVENT, RING_RSP_PROD } from '../../abi/io-ring.ts';

/** One mapped page of a ring. */
export interface RingPage {
  readonly bytes: Uint8Array;
  /** The same page as words, for the indices. */
  readonly words: Int32Array;
}

export interface RingShape {
  readonly requestBytes: number;
  readonly responseBytes: number;
}

/** The front end broke the ring; the device is to be closed. */
export class RingBrokenError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'RingBrokenError';
  }
}

const PAGE_BYTES = 4096;

/** How many entries a ring of `pages` pages has: the greatest power of two that fits behind the header. */
export function ringEntries(pages: number, { requestBytes, responseBytes }: RingShape): number {
  const fitting = Math.floor((pages * PAGE_BYTES - RING_HEADER_BYTES) / Math.max(requestBytes, responseBytes));
  return fitting < 1 ? 0 : 2 ** Math.floor(Math.log2(fitting));
}

export class BackRing {
  readonly entries: number;
  private readonly entryBytes: number;
  private readonly header: Int32Array;
  private reqCons: number;
  /** Behind the last response written; rspProd is how far they are published. */
  private rspProdPvt: number;
  private rspProd: number;

  /** Goes on where the page says the last back end stopped. RingBrokenError when that cannot be. */
  constructor(
    private readonly pages: readonly RingPage[],
    private readonly shape: RingShape,
  ) {
    const [first] = pages;
    if (first === undefined) throw new RangeError('a ring needs at least one page');
    this.header = first.words;
    this.entryBytes = Math.max(shape.requestBytes, shape.responseBytes);
    this.entries = ringEntries(pages.length, shape);
    this.rspProd = this.load(RING_RSP_PROD);
    this.rspProdPvt = this.rspProd;
    this.reqCons = this.rspProd;
    this.unconsumedRequests();
  }

  /** Requests that can be taken now. RingBrokenError when the front end claims more than the ring holds. */
  unconsumedRequests(): number {
    const producer = this.load(RING_REQ_PROD);
    const claimed = (producer - this.rspProdPvt) >>> 0;
    const taken = this.requestsInWork;
    if (claimed > this.entries || claimed < taken) {
      throw new RingBrokenError(
        `request producer ${producer} does not fit a ring of ${this.entries} with consumer ${this.reqCons} and responses to ${this.rspProdPvt}`,
      );
    }
    return claimed - taken;
  }

  /** Requests taken and not answered yet. */
  get requestsInWork(): number {
    return (this.reqCons - this.rspProdPvt) >>> 0;
  }

  /** Copies the next request into the first `requestBytes` of `into`; false when there is none. */
  takeRequest(into: Uint8Array): boolean {
    if (this.unconsumedRequests() === 0) return false;
    this.eachPiece(this.reqCons, this.shape.requestBytes, (page, at, done, length) => {
      for (let n = 0; n < length; n += 1) into[done + n] = page[at + n] ?? 0;
    });
    this.reqCons = (this.reqCons + 1) >>> 0;
    return true;
  }

  /** Writes a response, not yet visible to the front end. Every request may be answered once: RangeError beyond. */
  putResponse(response: Uint8Array): void {
    if (this.requestsInWork === 0) throw new RangeError('there is no request left to answer');
    if (response.length > this.entryBytes) throw new RangeError(`a response of ${response.length} bytes does not fit an entry`);
    this.eachPiece(this.rspProdPvt, response.length, (page, at, done, length) => {
      for (let n = 0; n < length; n += 1) page[at + n] = response[done + n] ?? 0;
    });
    this.rspProdPvt = (this.rspProdPvt + 1) >>> 0;
  }

  /** Makes all responses written so far visible. True when the front end has asked to be notified of one of them. */
  publishResponses(): boolean {
    const before = this.rspProd;
    this.rspProd = this.rspProdPvt;
    this.store(RING_RSP_PROD, this.rspProd);
    const event = this.load(RING_RSP_EVENT);
    return (this.rspProd - event) >>> 0 < (this.rspProd - before) >>> 0;
  }

  /**
   * To be called when no requests are left, before going to sleep: asks to be notified of the next one. True when one has come
   * meanwhile, for which there may be no notification.
   */
  finalCheckForRequests(): boolean {
    if (this.unconsumedRequests() > 0) return true;
    this.store(RING_REQ_EVENT, this.reqCons + 1);
    return this.unconsumedRequests() > 0;
  }

  /** Walks the bytes of an entry through the pages that it lies in. Entries are short: views of their pieces would cost more than they do. */
  private eachPiece(
    index: number,
    bytes: number,
    visit: (page: Uint8Array, at: number, done: number, length: number) => void,
  ): void {
    const start = RING_HEADER_BYTES + (index % this.entries) * this.entryBytes;
    for (let done = 0; done < bytes;) {
      const offset = start + done;
      const page = this.pages[Math.floor(offset / PAGE_BYTES)];
      if (page === undefined) throw new RangeError(`byte ${offset} is behind the ring`);
      const at = offset % PAGE_BYTES;
      const length = Math.min(bytes - done, PAGE_BYTES - at);
      visit(page.bytes, at, done, length);
      done += length;
    }
  }

  private load(byteOffset: number): number {
    return Atomics.load(this.header, byteOffset >> 2) >>> 0;
  }

  private store(byteOffset: number, value: number): void {
    Atomics.store(this.header, byteOffset >> 2, value | 0);
  }
}
