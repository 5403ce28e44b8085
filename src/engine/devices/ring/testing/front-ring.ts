/** The front end's side of a shared ring, for tests of back ends: initialises the pages as a guest's driver does. */
import { RING_HEADER_BYTES, RING_REQ_EVENT, RING_REQ_PROD, RING_RSP_EVENT, RING_RSP_PROD } from '../../../abi/io-ring.ts';
import type { RingPage, RingShape } from '../back-ring.ts';
import { ringEntries } from '../back-ring.ts';

export function ringPages(count: number): RingPage[] {
  return Array.from({ length: count }, () => {
    const memory = new SharedArrayBuffer(4096);
    return { bytes: new Uint8Array(memory), words: new Int32Array(memory) };
  });
}

export class FrontRing {
  readonly entries: number;
  private readonly entryBytes: number;
  private reqProdPvt: number;
  private rspCons: number;

  constructor(
    readonly pages: readonly RingPage[],
    private readonly shape: RingShape,
    /** Where the indices start: near 2^32 to see them wrap. */
    start = 0,
  ) {
    this.entries = ringEntries(pages.length, shape);
    this.entryBytes = Math.max(shape.requestBytes, shape.responseBytes);
    this.reqProdPvt = start >>> 0;
    this.rspCons = start >>> 0;
    this.setWord(RING_REQ_PROD, start);
    this.setWord(RING_RSP_PROD, start);
    this.setWord(RING_REQ_EVENT, start + 1);
    this.setWord(RING_RSP_EVENT, start + 1);
  }

  get free(): number {
    return this.entries - ((this.reqProdPvt - this.rspCons) >>> 0);
  }

  word(offset: number): number {
    return this.pages[0]!.words[offset >> 2]! >>> 0;
  }

  setWord(offset: number, value: number): void {
    this.pages[0]!.words[offset >> 2] = value | 0;
  }

  put(request: Uint8Array): void {
    if (this.free === 0) throw new Error('the ring is full');
    request.forEach((byte, i) => {
      const offset = this.offset(this.reqProdPvt) + i;
      this.pages[offset >> 12]!.bytes[offset & 0xfff] = byte;
    });
    this.reqProdPvt = (this.reqProdPvt + 1) >>> 0;
  }

  /** True when the back end wants a notification. */
  push(): boolean {
    const before = this.word(RING_REQ_PROD);
    this.setWord(RING_REQ_PROD, this.reqProdPvt);
    return (this.reqProdPvt - this.word(RING_REQ_EVENT)) >>> 0 < (this.reqProdPvt - before) >>> 0;
  }

  take(): Uint8Array | undefined {
    if (this.rspCons === this.word(RING_RSP_PROD)) return undefined;
    const offset = this.offset(this.rspCons);
    const response = Uint8Array.from({ length: this.shape.responseBytes }, (_, i) => {
      return this.pages[(offset + i) >> 12]!.bytes[(offset + i) & 0xfff]!;
    });
    this.rspCons = (this.rspCons + 1) >>> 0;
    return response;
  }

  /** Asks for a notification of the next response; true when one is there already. */
  finalCheck(): boolean {
    if (this.rspCons !== this.word(RING_RSP_PROD)) return true;
    this.setWord(RING_RSP_EVENT, this.rspCons + 1);
    return this.rspCons !== this.word(RING_RSP_PROD);
  }

  private offset(index: number): number {
    return RING_HEADER_BYTES + (index % this.entries) * this.entryBytes;
  }
}
