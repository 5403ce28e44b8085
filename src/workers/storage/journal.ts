/**
 * The journal of a store on plain files: entries appended one after the other, each with its length and CRC-32, so that an
 * entry cut off by a crash is seen and everything before it holds.
 *
 * Entry: u32 magic, u32 bytes of the body, u32 CRC-32 of the body, body. Body: u32 bytes of a JSON text, the text, then the
 * bytes of the records that the text lists.
 */
import { crc32 } from '../../engine/storage/crc32.ts';
import type { StoreFile } from './opfs-files.ts';

const MAGIC = 0x4a6e6c31;
const HEADER_BYTES = 12;
const BODY_BYTES_MAX = 256 * 1024 * 1024;

export interface JournalEntry {
  /** In the first entry of a journal only: which of two journals is the newer. */
  readonly generation?: number;
  /** Chunks by number and the slots that hold them. */
  readonly placed: readonly (readonly [number: number, slot: number])[];
  readonly removedChunks: readonly number[];
  readonly records: readonly (readonly [key: string, bytes: Uint8Array])[];
  readonly removedRecords: readonly string[];
}

export function encodeEntry({ generation, placed, records, removedChunks, removedRecords }: JournalEntry): Uint8Array {
  const keys = records.map(([key, bytes]) => [key, bytes.length]);
  const text = new TextEncoder().encode(JSON.stringify({ generation, placed, removedChunks, removedRecords, records: keys }));
  const bodyBytes = records.reduce((sum, [, bytes]) => sum + bytes.length, 4 + text.length);
  const entry = new Uint8Array(HEADER_BYTES + bodyBytes);
  const view = new DataView(entry.buffer);
  view.setUint32(HEADER_BYTES, text.length, true);
  entry.set(text, HEADER_BYTES + 4);
  let at = HEADER_BYTES + 4 + text.length;
  for (const [, bytes] of records) {
    entry.set(bytes, at);
    at += bytes.length;
  }
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, bodyBytes, true);
  view.setUint32(8, crc32(entry.subarray(HEADER_BYTES)), true);
  return entry;
}

/** The whole entries from the start of the file, and where the first byte behind them is. */
export function readJournal(file: StoreFile): { readonly entries: JournalEntry[]; readonly endBytes: number } {
  const entries: JournalEntry[] = [];
  const size = file.getSize();
  let at = 0;
  while (at + HEADER_BYTES <= size) {
    const header = new Uint8Array(HEADER_BYTES);
    file.read(header, { at });
    const view = new DataView(header.buffer);
    const bodyBytes = view.getUint32(4, true);
    if (view.getUint32(0, true) !== MAGIC || bodyBytes > BODY_BYTES_MAX || at + HEADER_BYTES + bodyBytes > size) break;
    const body = new Uint8Array(bodyBytes);
    if (file.read(body, { at: at + HEADER_BYTES }) !== bodyBytes || crc32(body) !== view.getUint32(8, true)) break;
    entries.push(decodeBody(body));
    at += HEADER_BYTES + bodyBytes;
  }
  return { entries, endBytes: at };
}

/** The checksum has matched: these are bytes that encodeEntry wrote. */
function decodeBody(body: Uint8Array): JournalEntry {
  const textBytes = new DataView(body.buffer).getUint32(0, true);
  const parsed = JSON.parse(new TextDecoder().decode(body.subarray(4, 4 + textBytes))) as Omit<JournalEntry, 'records'> & {
    readonly records: readonly (readonly [string, number])[];
  };
  let at = 4 + textBytes;
  const records = parsed.records.map(([key, length]) => {
    at += length;
    return [key, body.slice(at - length, at)] as const;
  });
  return { ...parsed, records };
}
