/**
 * Read-only disk images of the site, fetched chunk by chunk as volumes made from them are read.
 *
 * Index file, little-endian: "webxenbi", u32 version 1, u32 chunks, u64 size in bytes of the image, then for each chunk of
 * CHUNK_BYTES that is not all zeros, in order: u32 place in the image, u32 CRC-32, u64 offset and u32 length of its deflated bytes
 * in the data file, 32 bytes SHA-256 of the chunk.
 */
import { CHUNK_BYTES, StorageError } from './chunk-store.ts';
import { isVolumeSize } from './volume-record.ts';

const MAGIC = 'webxenbi';
const VERSION = 1;
const HEADER_BYTES = 24;
const ENTRY_BYTES = 52;
/** An image of 256 GiB without a hole. */
const CHUNKS_MAX = 2 ** 20;
/** What deflate makes of a chunk at most: stored blocks with their headers. */
const LENGTH_MAX = CHUNK_BYTES + 1024;

export interface BaseChunk {
  /** In chunks from the start of the image. */
  readonly index: number;
  readonly sum: number;
  /** In the data file. */
  readonly offset: number;
  readonly length: number;
  readonly sha256: Uint8Array;
}

export interface BaseIndex {
  readonly sizeBytes: number;
  /** By place, those that are not all zeros. */
  readonly chunks: readonly BaseChunk[];
}

/** An image that volumes can be made from. */
export interface BaseImage {
  readonly name: string;
  /** SHA-256 of its index in hex: says what is in it. */
  readonly identity: string;
  readonly sizeBytes: number;
  index(): Promise<BaseIndex>;
  /** Contents of some of the index's chunks, by their numbers there, checked. Rejects with a sentence. */
  read(ordinals: readonly number[]): Promise<Uint8Array[]>;
}

export function encodeBaseIndex({ chunks, sizeBytes }: BaseIndex): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + chunks.length * ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode(MAGIC));
  view.setUint32(8, VERSION, true);
  view.setUint32(12, chunks.length, true);
  view.setBigUint64(16, BigInt(sizeBytes), true);
  chunks.forEach(({ index, length, offset, sha256, sum }, n) => {
    const at = HEADER_BYTES + n * ENTRY_BYTES;
    view.setUint32(at, index, true);
    view.setUint32(at + 4, sum, true);
    view.setBigUint64(at + 8, BigInt(offset), true);
    view.setUint32(at + 16, length, true);
    bytes.set(sha256, at + 20);
  });
  return bytes;
}

/** StorageError EIO when it is none, or names places outside the image. */
export function decodeBaseIndex(bytes: Uint8Array, name: string): BaseIndex {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const refuse = (why: string): StorageError => new StorageError('EIO', `the index of the disk image ${name} ${why}`);
  if (bytes.length < HEADER_BYTES || new TextDecoder().decode(bytes.subarray(0, 8)) !== MAGIC) throw refuse('is none');
  if (view.getUint32(8, true) !== VERSION) throw refuse(`has version ${view.getUint32(8, true)}, which is not known`);
  const count = view.getUint32(12, true);
  const sizeBytes = Number(view.getBigUint64(16, true));
  if (!isVolumeSize(sizeBytes) || count > CHUNKS_MAX || bytes.length !== HEADER_BYTES + count * ENTRY_BYTES)
    throw refuse('has not the length it says');
  const chunks: BaseChunk[] = [];
  for (let n = 0; n < count; n += 1) {
    const at = HEADER_BYTES + n * ENTRY_BYTES;
    const chunk: BaseChunk = {
      index: view.getUint32(at, true),
      sum: view.getUint32(at + 4, true),
      offset: Number(view.getBigUint64(at + 8, true)),
      length: view.getUint32(at + 16, true),
      sha256: bytes.slice(at + 20, at + ENTRY_BYTES),
    };
    const inOrder = chunk.index > (chunks[n - 1]?.index ?? -1) && chunk.index * CHUNK_BYTES < sizeBytes;
    if (!inOrder || chunk.length > LENGTH_MAX || !Number.isSafeInteger(chunk.offset)) throw refuse(`is damaged at entry ${n}`);
    chunks.push(chunk);
  }
  return { sizeBytes, chunks };
}
