/** qcow2 files of any shape for tests: written from the format's description, without the product's code. */
import { deflateRawSync } from 'node:zlib';

export type BuiltCluster =
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'compressed'; readonly bytes: Uint8Array }
  | { readonly kind: 'zero'; readonly allocated?: boolean };

export interface BuiltImage {
  readonly version?: 2 | 3;
  readonly clusterBits?: number;
  readonly sizeBytes: number;
  /** By their place on the disk. */
  readonly clusters: ReadonlyMap<number, BuiltCluster>;
  /** How a compressed cluster is made; raw deflate when absent. */
  readonly pack?: (bytes: Uint8Array) => Uint8Array;
  readonly compressionType?: number;
  /** With refcount blocks that count all of it; without, the table is empty. */
  readonly counted?: boolean;
}

export interface Built {
  readonly file: Uint8Array;
  readonly l1Offset: number;
  /** Of the L2 tables, by L1 entry. */
  readonly tables: ReadonlyMap<number, number>;
}

export function buildQcow2(image: BuiltImage): Built {
  const { clusterBits = 16, clusters, pack = (bytes) => deflateRawSync(bytes), sizeBytes, version = 3 } = image;
  const clusterBytes = 2 ** clusterBits;
  const perTable = clusterBytes / 8;
  const l1Entries = Math.ceil(sizeBytes / clusterBytes / perTable);
  const parts: Uint8Array[] = [];
  let end = 0;
  const add = (bytes: Uint8Array, alignment = clusterBytes): number => {
    const padding = (alignment - (end % alignment)) % alignment;
    parts.push(new Uint8Array(padding), bytes);
    const at = end + padding;
    end = at + bytes.length;
    return at;
  };
  const header = new Uint8Array(clusterBytes);
  add(header);
  const table = new Uint8Array(clusterBytes);
  const refcountTable = add(table);
  const l1 = new Uint8Array(Math.max(1, l1Entries) * 8);
  const l1Offset = add(l1);
  const tables = new Map<number, number>();
  const contents = new Map<number, Uint8Array>();
  /** Compressed clusters in each cluster of the file. */
  const shared = new Map<number, number>();
  for (const index of [...clusters.keys()].sort((a, b) => a - b)) {
    const number = Math.floor(index / perTable);
    if (tables.has(number)) continue;
    const l2 = new Uint8Array(clusterBytes);
    contents.set(number, l2);
    tables.set(number, add(l2));
    new DataView(l1.buffer).setBigUint64(number * 8, (1n << 63n) | BigInt(tables.get(number)!));
  }
  for (const [index, cluster] of clusters) {
    const view = new DataView(contents.get(Math.floor(index / perTable))!.buffer);
    let entry: bigint;
    if (cluster.kind === 'zero')
      entry = 1n | (cluster.allocated === true ? BigInt(add(new Uint8Array(clusterBytes).fill(0x77))) : 0n);
    else if (cluster.kind === 'data') entry = (1n << 63n) | BigInt(add(cluster.bytes));
    else {
      const packed = pack(cluster.bytes);
      const at = add(packed, 1);
      const sectors = Math.floor((at + packed.length - 1) / 512) - Math.floor(at / 512);
      for (let host = Math.floor(at / clusterBytes); host <= Math.floor((at + packed.length - 1) / clusterBytes); host += 1)
        shared.set(host, (shared.get(host) ?? 0) + 1);
      entry = (1n << 62n) | (BigInt(sectors) << BigInt(62 - (clusterBits - 8))) | BigInt(at);
    }
    view.setBigUint64((index % perTable) * 8, entry);
  }
  add(new Uint8Array(0));
  if (image.counted === true) {
    const perBlock = clusterBytes / 2;
    const others = end / clusterBytes;
    const blocks = Math.ceil((others + Math.ceil(others / (perBlock - 1))) / perBlock);
    for (let number = 0; number < blocks; number += 1) {
      const block = new Uint8Array(clusterBytes);
      const counts = new DataView(block.buffer);
      for (let slot = 0; slot < perBlock; slot += 1) {
        const cluster = number * perBlock + slot;
        if (cluster < others + blocks) counts.setUint16(slot * 2, shared.get(cluster) ?? 1);
      }
      new DataView(table.buffer).setBigUint64(number * 8, BigInt(add(block)));
    }
  }
  const view = new DataView(header.buffer);
  view.setUint32(0, 0x514649fb);
  view.setUint32(4, version);
  view.setUint32(20, clusterBits);
  view.setBigUint64(24, BigInt(sizeBytes));
  view.setUint32(36, l1Entries);
  view.setBigUint64(40, BigInt(l1Offset));
  view.setBigUint64(48, BigInt(refcountTable));
  view.setUint32(56, 1);
  if (version === 3) {
    view.setUint32(96, 4);
    view.setUint32(100, 112);
    if (image.compressionType !== undefined) {
      view.setBigUint64(72, 8n);
      view.setUint8(104, image.compressionType);
    }
  }
  const file = new Uint8Array(end);
  let at = 0;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return { file, l1Offset, tables };
}

/** What the disk holds. */
export function contentsOf({ clusterBits = 16, clusters, sizeBytes }: BuiltImage): Uint8Array {
  const disk = new Uint8Array(sizeBytes);
  for (const [index, cluster] of clusters) {
    if (cluster.kind === 'zero') continue;
    disk.set(cluster.bytes.subarray(0, sizeBytes - index * 2 ** clusterBits), index * 2 ** clusterBits);
  }
  return disk;
}
