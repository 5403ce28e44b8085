/**
 * Inodes as records of a key-value store whose values are bounded: browsers refuse values beyond about 127 MiB. A large file's
 * bytes are parted into pieces under keys of their own, [number, index]; everything else is one record under its number.
 */
import type { StoredInode } from '../../engine/storage/native/earlier-inode.ts';

export const PIECE_BYTES = 16 * 1024 * 1024;

export type RecordKey = number | [number: number, index: number];

/** A large file's own record: its bytes are in `pieces` records. */
interface PartedFile {
  readonly number: number;
  readonly kind: 'parted';
  readonly mode: number;
  readonly mtimeMs: number;
  readonly pieces: number;
  readonly sizeBytes: number;
}

type InodeRecord = StoredInode | PartedFile;

/** What is to be put for an inode. Arrays of bytes are exactly as long as their buffers: a store copies the whole buffer. */
export function recordsOf(inode: StoredInode, pieceBytes = PIECE_BYTES): [key: RecordKey, value: unknown][] {
  if (inode.kind !== 'file') return [[inode.number, inode]];
  const { number, mode, mtimeMs, bytes } = inode;
  if (bytes.length <= pieceBytes) {
    const own = bytes.buffer.byteLength === bytes.length && bytes.buffer instanceof ArrayBuffer;
    return [[number, own ? inode : { ...inode, bytes: bytes.slice() }]];
  }
  const pieces = Math.ceil(bytes.length / pieceBytes);
  const head: PartedFile = { number, kind: 'parted', mode, mtimeMs, pieces, sizeBytes: bytes.length };
  const records: [RecordKey, unknown][] = [[number, head]];
  for (let index = 0; index < pieces; index++)
    records.push([[number, index], bytes.slice(index * pieceBytes, (index + 1) * pieceBytes)]);
  return records;
}

/** Inodes from all records of the store. A file whose pieces are not all there is left out. */
export function inodesOf(keys: readonly unknown[], values: readonly unknown[]): StoredInode[] {
  const pieces = new Map<string, Uint8Array>();
  const heads: InodeRecord[] = [];
  keys.forEach((key, index) => {
    const value = values[index];
    if (Array.isArray(key)) {
      if (value instanceof Uint8Array) pieces.set(key.join('/'), value);
    } else heads.push(value as InodeRecord);
  });
  const inodes: StoredInode[] = [];
  for (const head of heads) {
    if (head.kind !== 'parted') {
      inodes.push(head);
      continue;
    }
    const bytes = new Uint8Array(head.sizeBytes);
    let at = 0;
    for (let index = 0; index < head.pieces; index++) {
      const piece = pieces.get(`${head.number}/${index}`) ?? new Uint8Array();
      if (at + piece.length > bytes.length) break;
      bytes.set(piece, at);
      at += piece.length;
    }
    const { number, mode, mtimeMs } = head;
    if (at === bytes.length) inodes.push({ number, mode, mtimeMs, kind: 'file', bytes });
  }
  return inodes;
}
