/**
 * The map of a volume, in pages: entry n of a page says which chunk holds the n-th chunk of that stretch of the volume (0 =
 * none, reads as zeros) and the CRC-32 of its bytes. Volumes share pages after a clone, and pages share chunks.
 *
 * Record: u32 version, u32 CRC-32 of what follows, then 512 x u64 chunk numbers, 512 x u32 sums; little-endian.
 */
import { CHUNK_BYTES } from './chunk-store.ts';
import { crc32 } from './crc32.ts';

export const PAGE_ENTRIES = 512;
/** Bytes of a volume that one page maps. */
export const PAGE_SPAN_BYTES = PAGE_ENTRIES * CHUNK_BYTES;
const VERSION = 1;
const HEADER_BYTES = 8;
const RECORD_BYTES = HEADER_BYTES + PAGE_ENTRIES * 12;

export interface MapPage {
  /** Chunk numbers; exact up to 2^53. */
  readonly chunks: Float64Array;
  readonly sums: Uint32Array;
}

export const emptyMapPage = (): MapPage => ({ chunks: new Float64Array(PAGE_ENTRIES), sums: new Uint32Array(PAGE_ENTRIES) });

export const copyMapPage = ({ chunks, sums }: MapPage): MapPage => ({ chunks: chunks.slice(), sums: sums.slice() });

export function encodeMapPage({ chunks, sums }: MapPage): Uint8Array {
  const record = new Uint8Array(RECORD_BYTES);
  const view = new DataView(record.buffer);
  for (let entry = 0; entry < PAGE_ENTRIES; entry += 1) {
    view.setBigUint64(HEADER_BYTES + entry * 8, BigInt(chunks[entry] ?? 0), true);
    view.setUint32(HEADER_BYTES + PAGE_ENTRIES * 8 + entry * 4, sums[entry] ?? 0, true);
  }
  view.setUint32(0, VERSION, true);
  view.setUint32(4, crc32(record.subarray(HEADER_BYTES)), true);
  return record;
}

/** undefined when the record is not one that encodeMapPage wrote. */
export function decodeMapPage(record: Uint8Array): MapPage | undefined {
  if (record.length !== RECORD_BYTES) return undefined;
  const view = new DataView(record.buffer, record.byteOffset, record.length);
  if (view.getUint32(0, true) !== VERSION || view.getUint32(4, true) !== crc32(record.subarray(HEADER_BYTES))) return undefined;
  const page = emptyMapPage();
  for (let entry = 0; entry < PAGE_ENTRIES; entry += 1) {
    page.chunks[entry] = Number(view.getBigUint64(HEADER_BYTES + entry * 8, true));
    page.sums[entry] = view.getUint32(HEADER_BYTES + PAGE_ENTRIES * 8 + entry * 4, true);
  }
  return page;
}
