/** The header of a qcow2 file, checked: what comes out can be relied upon. The file is anybody's. */
import type { ByteSource } from '../byte-source.ts';
import { ImageError } from '../image-error.ts';
import {
  CLUSTER_BITS_MAX,
  CLUSTER_BITS_MIN,
  COMPRESSION_DEFLATE,
  COMPRESSION_ZSTD,
  ENTRY_BYTES,
  FEATURE_COMPRESSION,
  FEATURE_CORRUPT,
  FEATURE_DIRTY,
  FEATURE_EXTENDED_L2,
  FEATURE_EXTERNAL_DATA,
  H_BACKING_OFFSET,
  H_CLUSTER_BITS,
  H_COMPRESSION_TYPE,
  H_CRYPT_METHOD,
  H_HEADER_LENGTH,
  H_INCOMPATIBLE,
  H_L1_OFFSET,
  H_L1_SIZE,
  H_MAGIC,
  H_REFCOUNT_ORDER,
  H_REFCOUNT_TABLE_CLUSTERS,
  H_REFCOUNT_TABLE_OFFSET,
  H_SIZE,
  H_SNAPSHOTS,
  H_VERSION,
  HEADER_V2_BYTES,
  HEADER_V3_BYTES,
  L1_BYTES_MAX,
  QCOW_MAGIC,
  REFCOUNT_ORDER_DEFAULT,
} from './layout.ts';

export interface Qcow2Header {
  readonly version: 2 | 3;
  readonly clusterBits: number;
  readonly clusterBytes: number;
  /** Of the disk; a whole number of sectors. */
  readonly sizeBytes: number;
  readonly l1Entries: number;
  readonly l1Offset: number;
  readonly refcountTableOffset: number;
  readonly refcountTableClusters: number;
  /** Refcounts have 2^n bits. */
  readonly refcountOrder: number;
  readonly compression: 'deflate' | 'zstd';
  readonly snapshots: number;
  /** The writer did not finish: refcounts may be wrong. */
  readonly dirty: boolean;
  /** A writer has found damage. */
  readonly corrupt: boolean;
}

const SIZE_BYTES_MAX = 2 ** 50;
const SECTOR_BYTES = 512;
/** As the format's usual reader allows: 8 MiB of refcount table. */
const REFCOUNT_TABLE_BYTES_MAX = 8 * 1024 * 1024;

export const isQcow2 = (start: Uint8Array): boolean =>
  start.length >= 4 && new DataView(start.buffer, start.byteOffset, start.length).getUint32(H_MAGIC) === QCOW_MAGIC;

/** ImageError when it is no qcow2 file, uses what is not supported, or contradicts itself. */
export async function readQcow2Header(source: ByteSource): Promise<Qcow2Header> {
  const bytes = new Uint8Array(Math.min(source.sizeBytes, HEADER_V3_BYTES + ENTRY_BYTES));
  await source.read(0, bytes);
  if (!isQcow2(bytes)) throw new ImageError('this is not a qcow2 image');
  if (bytes.length < HEADER_V2_BYTES) throw new ImageError('the qcow2 image is cut off within its header');
  const view = new DataView(bytes.buffer);
  const version = view.getUint32(H_VERSION);
  if (version === 1) throw new ImageError('this is a qcow image of version 1: convert it to qcow2 first');
  if (version !== 2 && version !== 3) throw new ImageError(`qcow2 images of version ${version} are not known`);
  if (version === 3 && bytes.length < HEADER_V3_BYTES) throw new ImageError('the qcow2 image is cut off within its header');
  if (wide(view, H_BACKING_OFFSET) !== 0)
    throw new ImageError('the qcow2 image has a backing file, which is not supported: flatten it with qemu-img convert first');
  if (view.getUint32(H_CRYPT_METHOD) !== 0) throw new ImageError('the qcow2 image is encrypted, which is not supported');
  const features = version === 3 ? requireKnownFeatures(view) : 0;
  const clusterBits = view.getUint32(H_CLUSTER_BITS);
  if (clusterBits < CLUSTER_BITS_MIN || clusterBits > CLUSTER_BITS_MAX)
    throw new ImageError(`the qcow2 image is damaged: clusters of 2^${clusterBits} bytes`);
  const clusterBytes = 2 ** clusterBits;
  const size = wide(view, H_SIZE);
  if (size > SIZE_BYTES_MAX) throw new ImageError('the qcow2 image is of a disk larger than 1 PiB');
  const refcountOrder = version === 3 ? view.getUint32(H_REFCOUNT_ORDER) : REFCOUNT_ORDER_DEFAULT;
  if (refcountOrder > 6) throw new ImageError(`the qcow2 image is damaged: refcounts of 2^${refcountOrder} bits`);
  const header: Qcow2Header = {
    version,
    clusterBits,
    clusterBytes,
    sizeBytes: Math.ceil(size / SECTOR_BYTES) * SECTOR_BYTES,
    l1Entries: view.getUint32(H_L1_SIZE),
    l1Offset: wide(view, H_L1_OFFSET),
    refcountTableOffset: wide(view, H_REFCOUNT_TABLE_OFFSET),
    refcountTableClusters: view.getUint32(H_REFCOUNT_TABLE_CLUSTERS),
    refcountOrder,
    compression: version === 3 ? compressionType(view, features) : 'deflate',
    snapshots: view.getUint32(H_SNAPSHOTS),
    dirty: (features & FEATURE_DIRTY) !== 0,
    corrupt: (features & FEATURE_CORRUPT) !== 0,
  };
  requireTables(header, source.sizeBytes);
  return header;
}

/** A u64 as a number; beyond 2^53 it is no longer exact, but larger than any file. */
export const wide = (view: DataView, at: number): number => view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);

/** The lower half of the incompatible features. */
function requireKnownFeatures(view: DataView): number {
  const features = view.getUint32(H_INCOMPATIBLE + 4);
  if ((features & FEATURE_EXTERNAL_DATA) !== 0)
    throw new ImageError('the qcow2 image keeps its data in another file, which is not supported');
  if ((features & FEATURE_EXTENDED_L2) !== 0)
    throw new ImageError('the qcow2 image has subclusters (extended L2 entries), which are not supported');
  const known = FEATURE_DIRTY | FEATURE_CORRUPT | FEATURE_COMPRESSION;
  if (view.getUint32(H_INCOMPATIBLE) !== 0 || (features & ~known) !== 0)
    throw new ImageError('the qcow2 image uses features that are not known');
  return features;
}

function compressionType(view: DataView, features: number): Qcow2Header['compression'] {
  const length = view.getUint32(H_HEADER_LENGTH);
  if (length < HEADER_V3_BYTES || length % 8 !== 0) throw new ImageError(`the qcow2 image is damaged: a header of ${length} bytes`);
  const stated = length > H_COMPRESSION_TYPE && view.byteLength > H_COMPRESSION_TYPE;
  const type = stated ? view.getUint8(H_COMPRESSION_TYPE) : COMPRESSION_DEFLATE;
  // The feature bit says that the type is not deflate.
  if (((features & FEATURE_COMPRESSION) !== 0) !== (type !== COMPRESSION_DEFLATE))
    throw new ImageError('the qcow2 image is damaged: its header contradicts itself about compression');
  if (type === COMPRESSION_DEFLATE) return 'deflate';
  if (type === COMPRESSION_ZSTD) return 'zstd';
  throw new ImageError(`the qcow2 image uses compression type ${type}, which is not known`);
}

function requireTables(header: Qcow2Header, fileBytes: number): void {
  const { clusterBytes, l1Entries, l1Offset, refcountTableClusters, refcountTableOffset, sizeBytes } = header;
  const wanted = Math.ceil(sizeBytes / clusterBytes / (clusterBytes / ENTRY_BYTES));
  if (l1Entries < wanted || l1Entries * ENTRY_BYTES > L1_BYTES_MAX)
    throw new ImageError(`the qcow2 image is damaged: an L1 table of ${l1Entries} entries`);
  requireInside('L1 table', l1Entries === 0 ? clusterBytes : l1Offset, l1Entries * ENTRY_BYTES, header, fileBytes);
  const refcountBytes = refcountTableClusters * clusterBytes;
  if (refcountTableClusters === 0 || refcountBytes > REFCOUNT_TABLE_BYTES_MAX)
    throw new ImageError(`the qcow2 image is damaged: a refcount table of ${refcountTableClusters} clusters`);
  requireInside('refcount table', refcountTableOffset, refcountBytes, header, fileBytes);
}

/** Tables and clusters begin at a cluster's start behind the header and end within the file. ImageError. */
export function requireInside(
  what: string,
  offset: number,
  bytes: number,
  header: { readonly clusterBytes: number },
  fileBytes: number,
): void {
  if (offset % header.clusterBytes !== 0 || offset === 0)
    throw new ImageError(`the qcow2 image is damaged: the ${what} stands at byte ${offset}`);
  if (offset + bytes > fileBytes)
    throw new ImageError(
      `the qcow2 image is damaged or cut off: the ${what} at byte ${offset} lies beyond the end of the file (${fileBytes} bytes)`,
    );
}
