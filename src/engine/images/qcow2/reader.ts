/**
 * The contents of a qcow2 image through its tables. Every offset out of the file is bounded before it is used; `check` walks all
 * tables and refuses an image in which two things claim one cluster. Refcounts and snapshots are not looked at.
 */
import type { ByteSource, SparseDisk } from '../byte-source.ts';
import { ImageError } from '../image-error.ts';
import { readQcow2Header, requireInside, type Qcow2Header } from './header.ts';
import { COMPRESSED, COPIED, ENTRY_BYTES, ZERO_FLAG } from './layout.ts';

/** Decoders of compressed clusters: raw deflate and Zstandard; both make exactly `sizeBytes`, or throw. */
export interface ClusterDecoders {
  inflate(input: Uint8Array, sizeBytes: number): Promise<Uint8Array>;
  unzstd(input: Uint8Array, sizeBytes: number): Promise<Uint8Array>;
}

export type Cluster =
  | { readonly kind: 'absent' }
  /** Reads as zeros; the cluster set aside for it, 0 = none. */
  | { readonly kind: 'zero'; readonly offset: number }
  /** `copied`: the writer says that nothing else refers to it. */
  | { readonly kind: 'data'; readonly offset: number; readonly copied: boolean }
  | { readonly kind: 'compressed'; readonly offset: number; readonly bytes: number };

/** What the file is written with. */
export interface FileWriter {
  write(offset: number, bytes: Uint8Array): Promise<void>;
}

/** An entry of a table: a place in the file, with flags in the upper half. */
export function tableEntry(offset: number, flags = 0): Uint8Array {
  const bytes = new Uint8Array(ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, (Math.floor(offset / 2 ** 32) | flags) >>> 0);
  view.setUint32(4, offset % 2 ** 32);
  return bytes;
}

const TABLE_CACHE_BYTES = 4 * 1024 * 1024;
const SECTOR_BYTES = 512;
/** One byte for each is kept during a check. */
const HOST_CLUSTERS_MAX = 2 ** 27;

const absent: Cluster = { kind: 'absent' };
const damaged = (what: string): ImageError => new ImageError(`the qcow2 image is damaged: ${what}`);

export interface Qcow2Check {
  readonly dataClusters: number;
  readonly compressedClusters: number;
  /** Of the file, up to the end of the last cluster in use. */
  readonly endBytes: number;
}

export class Qcow2Reader implements SparseDisk {
  /** L2 tables read lately, by their offsets, the oldest first. */
  private readonly tables = new Map<number, DataView>();
  private readonly tablesMax: number;
  private unpacked: { readonly offset: number; readonly bytes: Uint8Array } | undefined;

  private constructor(
    private readonly source: ByteSource,
    readonly header: Qcow2Header,
    private readonly l1: DataView,
    private readonly decoders: ClusterDecoders,
  ) {
    this.tablesMax = Math.max(2, Math.floor(TABLE_CACHE_BYTES / header.clusterBytes));
  }

  /** ImageError when the header or the L1 table cannot be right, or something is not supported. */
  static async open(source: ByteSource, decoders: ClusterDecoders): Promise<Qcow2Reader> {
    const header = await readQcow2Header(source);
    const l1 = new Uint8Array(header.l1Entries * ENTRY_BYTES);
    if (l1.length > 0) await source.read(header.l1Offset, l1);
    return new Qcow2Reader(source, header, new DataView(l1.buffer), decoders);
  }

  get sizeBytes(): number {
    return this.header.sizeBytes;
  }

  async nextData(offset: number): Promise<number> {
    const { clusterBytes, sizeBytes } = this.header;
    const perTable = clusterBytes / ENTRY_BYTES;
    const clusters = Math.ceil(sizeBytes / clusterBytes);
    let index = Math.floor(offset / clusterBytes);
    while (index < clusters) {
      const table = await this.table(Math.floor(index / perTable));
      const end = Math.min(clusters, (Math.floor(index / perTable) + 1) * perTable);
      if (table === undefined) {
        index = end;
        continue;
      }
      for (; index < end; index += 1) {
        const { kind } = this.entry(table, index % perTable);
        if (kind === 'data' || kind === 'compressed') return Math.max(offset, index * clusterBytes);
      }
    }
    return sizeBytes;
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    const { clusterBytes } = this.header;
    for (let done = 0; done < into.length;) {
      const at = offset + done;
      const start = at % clusterBytes;
      const cluster = await this.cluster(Math.floor(at / clusterBytes));
      let length = Math.min(into.length - done, clusterBytes - start);
      if (cluster.kind === 'data') {
        // Clusters that follow each other in the file as well are one read.
        while (done + length < into.length) {
          const next = await this.cluster(Math.floor((at + length) / clusterBytes));
          if (next.kind !== 'data' || next.offset !== cluster.offset + start + length) break;
          length = Math.min(into.length - done, length + clusterBytes);
        }
        await this.source.read(cluster.offset + start, into.subarray(done, done + length));
      } else if (cluster.kind === 'compressed') {
        into.set((await this.unpack(cluster)).subarray(start, start + length), done);
      } else into.fill(0, done, done + length);
      done += length;
    }
  }

  /** What the tables say about a cluster of the disk. ImageError. */
  async cluster(index: number): Promise<Cluster> {
    const perTable = this.header.clusterBytes / ENTRY_BYTES;
    const table = await this.table(Math.floor(index / perTable));
    return table === undefined ? absent : this.entry(table, index % perTable);
  }

  /**
   * Walks all tables. ImageError when anything lies outside the file or is used twice.
   * @param use told of each cluster of the file, as often as it is used; refcount blocks are not looked at
   */
  async check(use: (cluster: number) => void = () => undefined): Promise<Qcow2Check> {
    const { clusterBytes, l1Entries, l1Offset, refcountTableClusters, refcountTableOffset } = this.header;
    const hostClusters = Math.ceil(this.source.sizeBytes / clusterBytes);
    if (hostClusters > HOST_CLUSTERS_MAX) throw new ImageError('the qcow2 image has more than 2^27 clusters');
    const owners = new Uint8Array(hostClusters);
    let end = 0;
    const claim = (offset: number, bytes: number, owner: number): void => {
      const last = Math.min(Math.ceil((offset + bytes) / clusterBytes), hostClusters);
      for (let index = Math.floor(offset / clusterBytes); index < last; index += 1) {
        const before = owners[index] ?? 0;
        if (before !== 0 && (before !== COMPRESSED_OWNER || owner !== COMPRESSED_OWNER))
          throw damaged(`the cluster at byte ${index * clusterBytes} is used twice`);
        owners[index] = owner;
        use(index);
      }
      end = Math.max(end, offset + bytes);
    };
    claim(0, clusterBytes, METADATA_OWNER);
    claim(l1Offset, l1Entries * ENTRY_BYTES, METADATA_OWNER);
    claim(refcountTableOffset, refcountTableClusters * clusterBytes, METADATA_OWNER);
    const perTable = clusterBytes / ENTRY_BYTES;
    const clusters = Math.ceil(this.sizeBytes / clusterBytes);
    const tables = Math.ceil(clusters / perTable);
    let dataClusters = 0;
    let compressedClusters = 0;
    for (let number = 0; number < tables; number += 1) {
      const table = await this.table(number);
      if (table === undefined) continue;
      claim(this.tableOffset(number), clusterBytes, METADATA_OWNER);
      for (let slot = 0; slot < Math.min(perTable, clusters - number * perTable); slot += 1) {
        const cluster = this.entry(table, slot);
        if (cluster.kind === 'data') {
          claim(cluster.offset, clusterBytes, DATA_OWNER);
          dataClusters += 1;
        } else if (cluster.kind === 'compressed') {
          claim(cluster.offset, cluster.bytes, COMPRESSED_OWNER);
          compressedClusters += 1;
        } else if (cluster.kind === 'zero' && cluster.offset !== 0) claim(cluster.offset, clusterBytes, DATA_OWNER);
      }
    }
    return { dataClusters, compressedClusters, endBytes: end };
  }

  /** Whether the cluster of the disk has an L2 table that can name it. */
  async hasTable(index: number): Promise<boolean> {
    return (await this.table(Math.floor(index / (this.header.clusterBytes / ENTRY_BYTES)))) !== undefined;
  }

  /** Writes an L2 table without entries at a place in the file, and then the L1 entry of a cluster of the disk that names it. */
  async addTable(index: number, offset: number, file: FileWriter): Promise<void> {
    const { clusterBytes, l1Offset } = this.header;
    const at = Math.floor(index / (clusterBytes / ENTRY_BYTES)) * ENTRY_BYTES;
    // A table that stood there once may still be in the cache.
    this.tables.delete(offset);
    await file.write(offset, new Uint8Array(clusterBytes));
    const entry = tableEntry(offset, COPIED);
    await file.write(l1Offset + at, entry);
    new Uint8Array(this.l1.buffer).set(entry, at);
  }

  /** Writes the L2 entry of a cluster of the disk, which has a table. */
  async setEntry(index: number, entry: Uint8Array, file: FileWriter): Promise<void> {
    const perTable = this.header.clusterBytes / ENTRY_BYTES;
    const number = Math.floor(index / perTable);
    const table = await this.table(number);
    if (table === undefined) throw new Error(`cluster ${index} of the qcow2 image has no table`);
    const at = (index % perTable) * ENTRY_BYTES;
    await file.write(this.tableOffset(number) + at, entry);
    new Uint8Array(table.buffer).set(entry, at);
  }

  /** 0 = there is none. */
  private tableOffset(number: number): number {
    const high = this.l1.getUint32(number * ENTRY_BYTES);
    const low = this.l1.getUint32(number * ENTRY_BYTES + 4);
    if ((high & 0x7f000000) !== 0 || (low & 0x1ff) !== 0) throw damaged(`L1 entry ${number} has bits that stand for nothing`);
    return (high & 0x00ffffff) * 2 ** 32 + low;
  }

  private async table(number: number): Promise<DataView | undefined> {
    const { clusterBytes } = this.header;
    const offset = this.tableOffset(number);
    if (offset === 0) return undefined;
    const known = this.tables.get(offset);
    if (known !== undefined) return known;
    requireInside('L2 table', offset, clusterBytes, this.header, this.source.sizeBytes);
    const bytes = new Uint8Array(clusterBytes);
    await this.source.read(offset, bytes);
    const table = new DataView(bytes.buffer);
    this.tables.set(offset, table);
    const [oldest] = this.tables.keys();
    if (this.tables.size > this.tablesMax && oldest !== undefined) this.tables.delete(oldest);
    return table;
  }

  private entry(table: DataView, slot: number): Cluster {
    const { clusterBits, clusterBytes, version } = this.header;
    const high = table.getUint32(slot * ENTRY_BYTES);
    const low = table.getUint32(slot * ENTRY_BYTES + 4);
    if (high === 0 && low === 0) return absent;
    if ((high & COMPRESSED) !== 0) {
      // Bits below 62 - (cluster bits - 8) are the offset, those above it count the 512-byte sectors after the first.
      const offsetBits = 62 - (clusterBits - 8) - 32;
      const sectors = (high & 0x3fffffff) >>> offsetBits;
      const offset = (high & (2 ** offsetBits - 1)) * 2 ** 32 + low;
      if (offset < clusterBytes || offset >= this.source.sizeBytes)
        throw damaged(`a compressed cluster at byte ${offset} lies outside the file (${this.source.sizeBytes} bytes)`);
      const bytes = (sectors + 1) * SECTOR_BYTES - (offset % SECTOR_BYTES);
      return { kind: 'compressed', offset, bytes: Math.min(bytes, this.source.sizeBytes - offset) };
    }
    if ((high & 0x3f000000) !== 0 || (low & 0x1fe) !== 0 || (version === 2 && (low & ZERO_FLAG) !== 0))
      throw damaged('an L2 entry has bits that stand for nothing');
    const offset = (high & 0x00ffffff) * 2 ** 32 + ((low & ~0x1ff) >>> 0);
    if (offset !== 0) requireInside('cluster', offset, clusterBytes, this.header, this.source.sizeBytes);
    if ((low & ZERO_FLAG) !== 0) return { kind: 'zero', offset };
    if (offset === 0) throw damaged('an L2 entry stands for no cluster');
    return { kind: 'data', offset, copied: (high & COPIED) !== 0 };
  }

  /** What a compressed cluster holds. ImageError. */
  async unpack({ bytes, offset }: Extract<Cluster, { readonly kind: 'compressed' }>): Promise<Uint8Array> {
    if (this.unpacked?.offset === offset) return this.unpacked.bytes;
    const packed = new Uint8Array(bytes);
    await this.source.read(offset, packed);
    const { clusterBytes, compression } = this.header;
    try {
      const cluster = await this.decoders[compression === 'deflate' ? 'inflate' : 'unzstd'](packed, clusterBytes);
      this.unpacked = { offset, bytes: cluster };
      return cluster;
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'DecodeError') throw error;
      throw new ImageError(`the compressed cluster at byte ${offset} cannot be expanded: ${error.message}`);
    }
  }
}

const METADATA_OWNER = 1;
const DATA_OWNER = 2;
const COMPRESSED_OWNER = 3;
