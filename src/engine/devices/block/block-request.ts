/**
 * Requests of the block ring, from bytes that were copied out of it to a value that can only be valid. The copy is the only
 * look at the ring; indirect pages are copied as well before they come here.
 */
import {
  BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST,
  BLKIF_MAX_SEGMENTS_PER_REQUEST,
  BLKIF_OP_DISCARD,
  BLKIF_OP_FLUSH_DISKCACHE,
  BLKIF_OP_INDIRECT,
  BLKIF_OP_READ,
  BLKIF_OP_WRITE,
  BLKIF_OP_WRITE_BARRIER,
  BLKIF_SEGMENTS_PER_INDIRECT_PAGE,
  BLKIF_SEGMENT_BYTES,
  type BlkifLayout,
} from '../../abi/blkif.ts';
import { SECTOR_BYTES } from '../../storage/disk-image.ts';

const SECTORS_PER_PAGE = 8;

/** A stretch of sectors within a page that the front end granted. */
export interface Segment {
  readonly gref: number;
  /** Byte offset in the page, and length. */
  readonly offset: number;
  readonly bytes: number;
}

interface Identified {
  readonly id: bigint;
  readonly operation: number;
}

export type TransferOperation = typeof BLKIF_OP_READ | typeof BLKIF_OP_WRITE | typeof BLKIF_OP_WRITE_BARRIER;

/** `sector` is Infinity for numbers that no disk has. */
export type BlockRequest = Identified &
  (
    | {
        readonly kind: 'transfer';
        readonly transfer: TransferOperation;
        readonly sector: number;
        readonly segments: readonly Segment[];
      }
    | {
        readonly kind: 'indirect';
        readonly transfer: TransferOperation;
        readonly sector: number;
        readonly count: number;
        readonly grefs: readonly number[];
      }
    | { readonly kind: 'flush' }
    | { readonly kind: 'discard'; readonly sector: number; readonly count: number }
    | { readonly kind: 'unsupported' }
  );

/** The front end does not keep to the protocol; its device is to be closed. */
export class BlkifViolation extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'BlkifViolation';
  }
}

export interface BlkifLimits {
  readonly indirectSegments: number;
}

/** `view` is the caller's own copy. BlkifViolation. */
export function parseRequest(view: DataView, layout: BlkifLayout, limits: BlkifLimits): BlockRequest {
  const operation = view.getUint8(0);
  const id = view.getBigUint64(layout.id, true);
  const sector = exactAt(view, layout.sector);
  switch (operation) {
    case BLKIF_OP_READ:
    case BLKIF_OP_WRITE:
    case BLKIF_OP_WRITE_BARRIER: {
      const count = view.getUint8(1);
      if (count > BLKIF_MAX_SEGMENTS_PER_REQUEST) throw new BlkifViolation(`request with ${count} segments`);
      // A barrier alone orders and flushes; a transfer without segments means nothing.
      if (count === 0 && operation !== BLKIF_OP_WRITE_BARRIER) throw new BlkifViolation('transfer without segments');
      const segments = parseSegments(view, layout.segments, count);
      return { kind: 'transfer', id, operation, transfer: operation, sector, segments };
    }
    case BLKIF_OP_FLUSH_DISKCACHE:
      return { kind: 'flush', id, operation };
    case BLKIF_OP_DISCARD:
      return { kind: 'discard', id, operation, sector, count: exactAt(view, layout.discardCount) };
    case BLKIF_OP_INDIRECT: {
      const transfer = view.getUint8(1);
      const count = view.getUint16(2, true);
      if (transfer !== BLKIF_OP_READ && transfer !== BLKIF_OP_WRITE && transfer !== BLKIF_OP_WRITE_BARRIER) {
        throw new BlkifViolation(`indirect request of operation ${transfer}`);
      }
      if (count === 0 || count > limits.indirectSegments) throw new BlkifViolation(`indirect request with ${count} segments`);
      const pages = Math.ceil(count / BLKIF_SEGMENTS_PER_INDIRECT_PAGE);
      if (pages > BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST) throw new BlkifViolation(`indirect request of ${pages} pages`);
      const grefs = Array.from({ length: pages }, (_, n) => view.getUint32(layout.indirectGrefs + n * 4, true));
      return { kind: 'indirect', id, operation, transfer, sector, count, grefs };
    }
    default:
      return { kind: 'unsupported', id, operation };
  }
}

/** `count` segments from byte `from` of a copy. BlkifViolation. */
export function parseSegments(view: DataView, from: number, count: number): Segment[] {
  const segments: Segment[] = [];
  for (let at = from; at < from + count * BLKIF_SEGMENT_BYTES; at += BLKIF_SEGMENT_BYTES) {
    const first = view.getUint8(at + 4);
    const last = view.getUint8(at + 5);
    if (first > last || last >= SECTORS_PER_PAGE) throw new BlkifViolation(`segment from sector ${first} to ${last} of a page`);
    segments.push({ gref: view.getUint32(at, true), offset: first * SECTOR_BYTES, bytes: (last - first + 1) * SECTOR_BYTES });
  }
  return segments;
}

/** A u64; Infinity where numbers have gaps. */
function exactAt(view: DataView, at: number): number {
  const high = view.getUint32(at + 4, true);
  return high < 2 ** 21 ? high * 2 ** 32 + view.getUint32(at, true) : Infinity;
}
