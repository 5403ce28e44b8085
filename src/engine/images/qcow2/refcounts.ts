/**
 * The refcounts of a qcow2 file that is written to: all of them in memory, every change written to the file at once. Allocating makes
 * refcount blocks, and a larger refcount table, as they become necessary.
 *
 * Only counts of 16 bits are written, which is what everybody makes.
 */
import { StorageError } from '../../storage/chunk-store.ts';
import type { ByteSource } from '../byte-source.ts';
import { ImageError } from '../image-error.ts';
import { requireInside, type Qcow2Header } from './header.ts';
import { tableEntry, type FileWriter } from './reader.ts';
import { ENTRY_BYTES, H_REFCOUNT_TABLE_OFFSET, REFCOUNT_ORDER_DEFAULT } from './layout.ts';

const COUNT_BYTES = 2;
const COUNT_MAX = 0xffff;
/** 2 bytes in memory for each. */
const CLUSTERS_MAX = 2 ** 26;

/** A file that can be written at any place and grows. */
export type WritableBytes = ByteSource & FileWriter;

export class Refcounts {
  private counts: Uint16Array;
  /** Place of each block, 0 = none. */
  private blocks: number[];
  private hint = 0;

  private constructor(
    private readonly file: WritableBytes,
    private readonly clusterBytes: number,
    private tableOffset: number,
    private tableClusters: number,
    counts: Uint16Array,
    blocks: number[],
  ) {
    this.counts = counts;
    this.blocks = blocks;
  }

  private get perBlock(): number {
    return this.clusterBytes / COUNT_BYTES;
  }

  /** Reads them all. ImageError when they are of another width or stand outside the file. */
  static async read(file: WritableBytes, header: Qcow2Header): Promise<Refcounts> {
    const { clusterBytes, refcountOrder, refcountTableClusters, refcountTableOffset } = header;
    if (refcountOrder !== REFCOUNT_ORDER_DEFAULT)
      throw new ImageError(`the qcow2 image has refcounts of ${2 ** refcountOrder} bits: it can be read only`);
    const table = new Uint8Array(refcountTableClusters * clusterBytes);
    await file.read(refcountTableOffset, table);
    const view = new DataView(table.buffer);
    const blocks: number[] = [];
    const seen = new Set<number>();
    let last = -1;
    for (let n = 0; n < table.length / ENTRY_BYTES; n += 1) {
      const offset = view.getUint32(n * ENTRY_BYTES) * 2 ** 32 + view.getUint32(n * ENTRY_BYTES + 4);
      if (offset !== 0) {
        requireInside('refcount block', offset, clusterBytes, header, file.sizeBytes);
        if (seen.has(offset)) throw new ImageError('the qcow2 image is damaged: a refcount block is used twice');
        seen.add(offset);
        last = n;
      }
      blocks.push(offset);
    }
    const perBlock = clusterBytes / COUNT_BYTES;
    if ((last + 1) * perBlock > CLUSTERS_MAX)
      throw new ImageError('the qcow2 image has more than 2^26 clusters: it can be read only');
    const counts = new Uint16Array((last + 1) * perBlock);
    const block = new Uint8Array(clusterBytes);
    const blockView = new DataView(block.buffer);
    for (let n = 0; n <= last; n += 1) {
      const offset = blocks[n] ?? 0;
      if (offset === 0) continue;
      await file.read(offset, block);
      for (let slot = 0; slot < perBlock; slot += 1) counts[n * perBlock + slot] = blockView.getUint16(slot * COUNT_BYTES);
    }
    return new Refcounts(file, clusterBytes, refcountTableOffset, refcountTableClusters, counts, blocks);
  }

  /** Clusters of the file that the counts themselves are in, without their table. */
  blockClusters(): number[] {
    return this.blocks.flatMap((offset) => (offset === 0 ? [] : [offset / this.clusterBytes]));
  }

  count(cluster: number): number {
    return this.counts[cluster] ?? 0;
  }

  /** A free cluster, counted once from now on; its number. StorageError ENOSPC when the file cannot grow. */
  async allocate(): Promise<number> {
    let cluster = this.hint;
    while (this.count(cluster) !== 0) cluster += 1;
    await this.set(cluster, 1);
    this.hint = cluster + 1;
    return cluster;
  }

  /** One user less. */
  async release(cluster: number): Promise<void> {
    const before = this.count(cluster);
    if (before === 0) throw new ImageError(`the qcow2 image is damaged: cluster ${cluster} is released once too often`);
    await this.set(cluster, before - 1);
    if (before === 1) this.hint = Math.min(this.hint, cluster);
  }

  private async set(cluster: number, count: number): Promise<void> {
    if (count > COUNT_MAX) throw new ImageError('the qcow2 image is damaged: a refcount overflows');
    const number = Math.floor(cluster / this.perBlock);
    if ((this.blocks[number] ?? 0) === 0) await this.addBlock(number, cluster);
    this.counts[cluster] = count;
    const bytes = new Uint8Array(COUNT_BYTES);
    new DataView(bytes.buffer).setUint16(0, count);
    await this.file.write((this.blocks[number] ?? 0) + (cluster % this.perBlock) * COUNT_BYTES, bytes);
  }

  /**
   * A block for the clusters around one that is about to be taken; they have none so far, so all of them are free. It stands behind
   * that cluster, and behind it a larger table, when the one there is has no place for it. Each is named only when it is written.
   */
  private async addBlock(number: number, cluster: number): Promise<void> {
    const { clusterBytes, perBlock } = this;
    const start = number * perBlock;
    const end = start + perBlock;
    const grows = number >= this.blocks.length;
    const tableClusters = grows ? this.tableClusters * 2 : 0;
    if (end > CLUSTERS_MAX || tableClusters + 2 > perBlock)
      throw new StorageError('ENOSPC', 'the qcow2 image cannot grow any more: its clusters are too small');
    if (end > this.counts.length) {
      const counts = new Uint16Array(end);
      counts.set(this.counts);
      this.counts = counts;
    }
    const own = cluster + 1 + tableClusters < end ? cluster + 1 : start;
    const block = new Uint8Array(clusterBytes);
    const view = new DataView(block.buffer);
    for (let taken = own; taken <= own + tableClusters; taken += 1) {
      this.counts[taken] = 1;
      view.setUint16((taken - start) * COUNT_BYTES, 1);
    }
    await this.file.write(own * clusterBytes, block);
    if (grows) await this.moveTable(own + 1, tableClusters, number, own);
    else await this.file.write(this.tableOffset + number * ENTRY_BYTES, tableEntry(own * clusterBytes));
    this.blocks[number] = own * clusterBytes;
  }

  private async moveTable(to: number, clusters: number, number: number, block: number): Promise<void> {
    const { clusterBytes } = this;
    const table = new Uint8Array(clusters * clusterBytes);
    const places = new Array<number>(table.length / ENTRY_BYTES).fill(0);
    this.blocks.forEach((offset, n) => (places[n] = offset));
    places[number] = block * clusterBytes;
    places.forEach((offset, n) => {
      table.set(tableEntry(offset), n * ENTRY_BYTES);
    });
    await this.file.write(to * clusterBytes, table);
    const header = new Uint8Array(ENTRY_BYTES + 4);
    header.set(tableEntry(to * clusterBytes));
    new DataView(header.buffer).setUint32(ENTRY_BYTES, clusters);
    await this.file.write(H_REFCOUNT_TABLE_OFFSET, header);
    const before = { first: this.tableOffset / clusterBytes, clusters: this.tableClusters };
    this.tableOffset = to * clusterBytes;
    this.tableClusters = clusters;
    this.blocks = places;
    for (let n = 0; n < before.clusters; n += 1) await this.release(before.first + n);
  }
}
