/**
 * A disk as a qcow2 image of version 3 with clusters of 64 KiB, written from its start to its end, so that it can be a stream: the
 * disk is looked through first, which settles where everything stands. In order: header, refcount table, refcount blocks, L1 table,
 * L2 tables, clusters in the order of the disk. Every cluster of the file is used once.
 */
import { isZero, type SparseDisk } from '../byte-source.ts';
import { ImageError } from '../image-error.ts';
import { PIECE_BYTES, type OnProgress } from '../transfer.ts';
import {
  COPIED,
  ENTRY_BYTES,
  H_CLUSTER_BITS,
  H_HEADER_LENGTH,
  H_L1_OFFSET,
  H_L1_SIZE,
  H_MAGIC,
  H_REFCOUNT_ORDER,
  H_REFCOUNT_TABLE_CLUSTERS,
  H_REFCOUNT_TABLE_OFFSET,
  H_SIZE,
  H_VERSION,
  HEADER_WRITTEN_BYTES,
  L1_BYTES_MAX,
  QCOW_MAGIC,
  REFCOUNT_ORDER_DEFAULT,
} from './layout.ts';

const CLUSTER_BITS = 16;
export const WRITTEN_CLUSTER_BYTES = 2 ** CLUSTER_BITS;
const PER_TABLE = WRITTEN_CLUSTER_BYTES / ENTRY_BYTES;
const REFCOUNTS_PER_BLOCK = WRITTEN_CLUSTER_BYTES / 2;

export interface Qcow2Plan {
  readonly diskBytes: number;
  /** Of the file. */
  readonly sizeBytes: number;
  /** One bit a cluster of the disk: it is not all zeros. */
  readonly present: Uint8Array;
  readonly refcountTableClusters: number;
  readonly refcountBlocks: number;
  readonly l1Clusters: number;
  /** Whether there is an L2 table, by L1 entry. */
  readonly tables: readonly boolean[];
}

export const isPresent = ({ present }: Pick<Qcow2Plan, 'present'>, cluster: number): boolean =>
  ((present[cluster >> 3] ?? 0) & (1 << (cluster & 7))) !== 0;

/** How many clusters refcount blocks and their table take, for a file in which `others` clusters are anything else. */
export function refcountClusters(others: number): { readonly blocks: number; readonly tables: number } {
  let blocks = 0;
  let tables = 0;
  for (;;) {
    const wanted = Math.ceil((others + blocks + tables) / REFCOUNTS_PER_BLOCK);
    const wantedTables = Math.ceil((wanted * ENTRY_BYTES) / WRITTEN_CLUSTER_BYTES);
    if (wanted === blocks && wantedTables === tables) return { blocks, tables };
    blocks = wanted;
    tables = wantedTables;
  }
}

/** Looks through a disk, which may not change until it is written. ImageError when it is too large. */
export async function planQcow2(disk: SparseDisk, onProgress: OnProgress): Promise<Qcow2Plan> {
  const clusters = Math.ceil(disk.sizeBytes / WRITTEN_CLUSTER_BYTES);
  const l1Entries = Math.ceil(clusters / PER_TABLE);
  if (l1Entries * ENTRY_BYTES > L1_BYTES_MAX) throw new ImageError('the disk is too large for a qcow2 image');
  const present = new Uint8Array(Math.ceil(clusters / 8));
  const tables = new Array<boolean>(l1Entries).fill(false);
  let data = 0;
  for (let at = await disk.nextData(0); at < disk.sizeBytes; at = await disk.nextData(at)) {
    at = Math.floor(at / WRITTEN_CLUSTER_BYTES) * WRITTEN_CLUSTER_BYTES;
    const piece = new Uint8Array(Math.min(PIECE_BYTES, disk.sizeBytes - at));
    await disk.read(at, piece);
    for (let start = 0; start < piece.length; start += WRITTEN_CLUSTER_BYTES) {
      if (isZero(piece.subarray(start, start + WRITTEN_CLUSTER_BYTES))) continue;
      const cluster = (at + start) / WRITTEN_CLUSTER_BYTES;
      present[cluster >> 3] = (present[cluster >> 3] ?? 0) | (1 << (cluster & 7));
      tables[Math.floor(cluster / PER_TABLE)] = true;
      data += 1;
    }
    at += piece.length;
    await onProgress(at, disk.sizeBytes);
  }
  const l1Clusters = Math.max(1, Math.ceil((l1Entries * ENTRY_BYTES) / WRITTEN_CLUSTER_BYTES));
  const others = 1 + l1Clusters + tables.filter(Boolean).length + data;
  const refcounts = refcountClusters(others);
  return {
    diskBytes: disk.sizeBytes,
    sizeBytes: (others + refcounts.blocks + refcounts.tables) * WRITTEN_CLUSTER_BYTES,
    present,
    refcountTableClusters: refcounts.tables,
    refcountBlocks: refcounts.blocks,
    l1Clusters,
    tables,
  };
}

/** The file, in pieces of at most 1 MiB. */
export async function* writeQcow2(disk: SparseDisk, plan: Qcow2Plan): AsyncGenerator<Uint8Array, void, undefined> {
  const refcountTable = 1;
  const firstBlock = refcountTable + plan.refcountTableClusters;
  const l1 = firstBlock + plan.refcountBlocks;
  const firstTable = l1 + plan.l1Clusters;
  const firstData = firstTable + plan.tables.filter(Boolean).length;
  yield writeHeader(plan.diskBytes, plan.tables.length, { refcountTable, refcountTableClusters: plan.refcountTableClusters, l1 });

  const table = new Entries(plan.refcountTableClusters);
  for (let block = 0; block < plan.refcountBlocks; block += 1) table.set(block, firstBlock + block, false);
  yield table.bytes;
  const total = plan.sizeBytes / WRITTEN_CLUSTER_BYTES;
  for (let block = 0; block < plan.refcountBlocks; block += 1) {
    const counts = new Uint8Array(WRITTEN_CLUSTER_BYTES);
    const used = Math.min(REFCOUNTS_PER_BLOCK, total - block * REFCOUNTS_PER_BLOCK);
    for (let n = 0; n < used; n += 1) counts[n * 2 + 1] = 1;
    yield counts;
  }

  const l1Table = new Entries(plan.l1Clusters);
  let nextTable = firstTable;
  plan.tables.forEach((exists, number) => {
    if (exists) l1Table.set(number, nextTable++, true);
  });
  yield l1Table.bytes;
  const clusters = Math.ceil(plan.diskBytes / WRITTEN_CLUSTER_BYTES);
  let next = firstData;
  for (const [number, exists] of plan.tables.entries()) {
    if (!exists) continue;
    const l2 = new Entries(1);
    for (let slot = 0; slot < PER_TABLE && number * PER_TABLE + slot < clusters; slot += 1) {
      if (isPresent(plan, number * PER_TABLE + slot)) l2.set(slot, next++, true);
    }
    yield l2.bytes;
  }
  yield* writeClusters(disk, plan, clusters);
}

async function* writeClusters(disk: SparseDisk, plan: Qcow2Plan, clusters: number): AsyncGenerator<Uint8Array, void, undefined> {
  const most = PIECE_BYTES / WRITTEN_CLUSTER_BYTES;
  for (let cluster = 0; cluster < clusters;) {
    if (!isPresent(plan, cluster)) {
      cluster += (plan.present[cluster >> 3] ?? 0) === 0 ? 8 - (cluster & 7) : 1;
      continue;
    }
    let count = 1;
    while (count < most && isPresent(plan, cluster + count)) count += 1;
    const at = cluster * WRITTEN_CLUSTER_BYTES;
    // A disk that ends within a cluster has zeros in the rest of it.
    const bytes = new Uint8Array(count * WRITTEN_CLUSTER_BYTES);
    await disk.read(at, bytes.subarray(0, Math.min(bytes.length, disk.sizeBytes - at)));
    yield bytes;
    cluster += count;
  }
}

/** A table of cluster numbers. */
class Entries {
  readonly bytes: Uint8Array;
  private readonly view: DataView;

  constructor(clusters: number) {
    this.bytes = new Uint8Array(clusters * WRITTEN_CLUSTER_BYTES);
    this.view = new DataView(this.bytes.buffer);
  }

  set(slot: number, cluster: number, copied: boolean): void {
    const offset = cluster * WRITTEN_CLUSTER_BYTES;
    this.view.setUint32(slot * ENTRY_BYTES, (Math.floor(offset / 2 ** 32) | (copied ? COPIED : 0)) >>> 0);
    this.view.setUint32(slot * ENTRY_BYTES + 4, offset % 2 ** 32);
  }
}

/** The first cluster of a file; places are numbers of clusters. */
export function writeHeader(
  diskBytes: number,
  l1Entries: number,
  places: { readonly refcountTable: number; readonly refcountTableClusters: number; readonly l1: number },
): Uint8Array {
  const bytes = new Uint8Array(WRITTEN_CLUSTER_BYTES);
  const view = new DataView(bytes.buffer);
  const wide = (at: number, value: number): void => {
    view.setUint32(at, Math.floor(value / 2 ** 32));
    view.setUint32(at + 4, value % 2 ** 32);
  };
  view.setUint32(H_MAGIC, QCOW_MAGIC);
  view.setUint32(H_VERSION, 3);
  view.setUint32(H_CLUSTER_BITS, CLUSTER_BITS);
  wide(H_SIZE, diskBytes);
  view.setUint32(H_L1_SIZE, l1Entries);
  wide(H_L1_OFFSET, places.l1 * WRITTEN_CLUSTER_BYTES);
  wide(H_REFCOUNT_TABLE_OFFSET, places.refcountTable * WRITTEN_CLUSTER_BYTES);
  view.setUint32(H_REFCOUNT_TABLE_CLUSTERS, places.refcountTableClusters);
  view.setUint32(H_REFCOUNT_ORDER, REFCOUNT_ORDER_DEFAULT);
  // Behind it, zeros: the mark that no header extension follows.
  view.setUint32(H_HEADER_LENGTH, HEADER_WRITTEN_BYTES);
  return bytes;
}
