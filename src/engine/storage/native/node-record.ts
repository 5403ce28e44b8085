/**
 * Records of inodes in the ChunkStore: key "inode:NUMBER"; u32 CRC-32 of what follows, u32 bytes of a JSON text, the text, then the
 * bytes of a small file. Little-endian.
 */
import { crc32 } from '../crc32.ts';
import type { DeviceNumber } from '../mountable.ts';
import { decodeUtf8, encodeUtf8 } from '../utf8.ts';
import type { Attributes } from './nodes.ts';

export const INODE_KEY = 'inode:';
/** A file of more bytes has a volume. */
export const INLINE_BYTES_MAX = 64 * 1024;
const VERSION = 1;
const HEADER_BYTES = 8;

export type RecordBody =
  | { readonly kind: 'file'; readonly bytes: Uint8Array }
  /** The contents are the first sizeBytes of the volume `file/VOLUME`. */
  | { readonly kind: 'large'; readonly volume: number; readonly sizeBytes: number }
  | {
      readonly kind: 'directory';
      readonly entries: readonly (readonly [name: string, number: number])[];
      readonly hidden: readonly string[];
    }
  | { readonly kind: 'symlink'; readonly target: string }
  | { readonly kind: 'character-device' | 'block-device'; readonly device: DeviceNumber }
  | { readonly kind: 'fifo' | 'socket' };

export interface NodeRecord {
  readonly number: number;
  readonly attributes: Attributes;
  readonly body: RecordBody;
}

export const recordKey = (number: number): string => INODE_KEY + String(number);

export function encodeNodeRecord({ attributes, body }: NodeRecord): Uint8Array {
  const { mode, uid, gid } = attributes;
  const times = [attributes.atimeNs, attributes.mtimeNs, attributes.ctimeNs].map(String);
  const bytes = body.kind === 'file' ? body.bytes : new Uint8Array(0);
  const fields = body.kind === 'file' ? { kind: body.kind } : body;
  // Names and targets may hold bytes that are no UTF-8, as lone surrogates: JSON's escapes keep those.
  const json = JSON.stringify({ version: VERSION, mode, uid, gid, times, ...fields });
  const text = encodeUtf8(json);
  const record = new Uint8Array(HEADER_BYTES + text.length + bytes.length);
  record.set(text, HEADER_BYTES);
  record.set(bytes, HEADER_BYTES + text.length);
  const view = new DataView(record.buffer);
  view.setUint32(4, text.length, true);
  view.setUint32(0, crc32(record.subarray(4)), true);
  return record;
}

/** undefined when the record is not one that encodeNodeRecord wrote. */
export function decodeNodeRecord(number: number, record: Uint8Array): NodeRecord | undefined {
  if (record.length < HEADER_BYTES) return undefined;
  const view = new DataView(record.buffer, record.byteOffset, record.length);
  const textEnd = HEADER_BYTES + view.getUint32(4, true);
  if (textEnd > record.length || view.getUint32(0, true) !== crc32(record.subarray(4))) return undefined;
  // The checksum has matched: these are fields that encodeNodeRecord wrote, of this version or another.
  const { version, mode, uid, gid, times, ...body } = JSON.parse(decodeUtf8(record.subarray(HEADER_BYTES, textEnd))) as {
    readonly version: number;
    readonly mode: number;
    readonly uid: number;
    readonly gid: number;
    readonly times: readonly [string, string, string];
  } & RecordBody;
  if (version !== VERSION) return undefined;
  const attributes = { mode, uid, gid, atimeNs: BigInt(times[0]), mtimeNs: BigInt(times[1]), ctimeNs: BigInt(times[2]) };
  return { number, attributes, body: body.kind === 'file' ? { kind: 'file', bytes: record.slice(textEnd) } : body };
}
