/**
 * A node of an extent tree: a header of 12 bytes and entries of 12, in the inode's 60 bytes or in a block. Nodes handed out are
 * valid: entries ascending, not overlapping, inside the range that the node above gives them, never empty but for the root; so no
 * block can be a node of the tree twice, and walks end.
 * @see Linux Documentation/filesystems/ext4/ifork.rst
 */
import type { CachedBlock } from './block-cache.ts';
import { crc32c } from './checksum.ts';
import { damaged, type ExtVolume } from './ext-volume.ts';
import { inodeSeed, type Inode } from './inode.ts';

const MAGIC = 0xf30a;
const HEADER = 12;
const ENTRY = 12;
export const MAX_DEPTH = 5;
export const MAX_WRITTEN = 32768;
export const MAX_UNWRITTEN = 32767;
/** First logical block no file has. */
export const LOGICAL_END = 2 ** 32;

export interface Extent {
  /** First logical block. */
  block: number;
  count: number;
  physical: number;
  unwritten: boolean;
}

export class ExtentNode {
  private readonly view: DataView;

  constructor(
    private readonly bytes: Uint8Array,
    /** Undefined for the root in the inode. */
    readonly block: CachedBlock | undefined,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get magicIsRight(): boolean {
    return this.view.getUint16(0, true) === MAGIC;
  }
  get entries(): number {
    return this.view.getUint16(2, true);
  }
  get max(): number {
    return this.view.getUint16(4, true);
  }
  get depth(): number {
    return this.view.getUint16(6, true);
  }
  get capacity(): number {
    return Math.floor((this.bytes.length - HEADER) / ENTRY);
  }
  /** Makes it an empty node. */
  format(depth: number): void {
    this.bytes.fill(0);
    this.view.setUint16(0, MAGIC, true);
    this.view.setUint16(4, this.capacity, true);
    this.view.setUint16(6, depth, true);
  }

  key(index: number): number {
    return this.view.getUint32(HEADER + index * ENTRY, true);
  }
  setKey(index: number, logical: number): void {
    this.view.setUint32(HEADER + index * ENTRY, logical, true);
  }
  child(index: number): number {
    const at = HEADER + index * ENTRY;
    return this.view.getUint32(at + 4, true) + this.view.getUint16(at + 8, true) * 2 ** 32;
  }
  extent(index: number): Extent {
    const at = HEADER + index * ENTRY;
    const length = this.view.getUint16(at + 4, true);
    return {
      block: this.view.getUint32(at, true),
      count: length > MAX_WRITTEN ? length - MAX_WRITTEN : length,
      physical: this.view.getUint32(at + 8, true) + this.view.getUint16(at + 6, true) * 2 ** 32,
      unwritten: length > MAX_WRITTEN,
    };
  }
  setExtent(index: number, extent: Extent): void {
    const at = HEADER + index * ENTRY;
    this.view.setUint32(at, extent.block, true);
    this.view.setUint16(at + 4, extent.unwritten ? extent.count + MAX_WRITTEN : extent.count, true);
    this.view.setUint16(at + 6, Math.floor(extent.physical / 2 ** 32), true);
    this.view.setUint32(at + 8, extent.physical % 2 ** 32, true);
  }
  setIndex(index: number, logical: number, child: number): void {
    const at = HEADER + index * ENTRY;
    this.view.setUint32(at, logical, true);
    this.view.setUint32(at + 4, child % 2 ** 32, true);
    this.view.setUint16(at + 8, Math.floor(child / 2 ** 32), true);
    this.view.setUint16(at + 10, 0, true);
  }
  /** Makes room for an entry at `index`; there is room. */
  open(index: number): void {
    const at = HEADER + index * ENTRY;
    this.bytes.copyWithin(at + ENTRY, at, HEADER + this.entries * ENTRY);
    this.view.setUint16(2, this.entries + 1, true);
  }
  remove(index: number): void {
    const at = HEADER + index * ENTRY;
    this.bytes.copyWithin(at, at + ENTRY, HEADER + this.entries * ENTRY);
    this.view.setUint16(2, this.entries - 1, true);
  }
  /** The entries from `index` on become those of `other`, which is empty. */
  moveTo(other: ExtentNode, index: number): void {
    const count = this.entries - index;
    other.bytes.set(this.bytes.subarray(HEADER + index * ENTRY, HEADER + this.entries * ENTRY), HEADER);
    other.view.setUint16(2, count, true);
    this.view.setUint16(2, index, true);
  }
  /** The last entry whose key is at most `logical`; -1 = none. */
  search(logical: number): number {
    let low = 0;
    let high = this.entries;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.key(middle) <= logical) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  private get tail(): number {
    return HEADER + this.max * ENTRY;
  }
  /** Of a node in a block. */
  checksumIsRight(inode: Inode, seed: number): boolean {
    return (
      this.tail + 4 <= this.bytes.length &&
      this.view.getUint32(this.tail, true) === crc32c(inodeSeed(inode, seed), this.bytes, 0, this.tail)
    );
  }
  /** After a change: counts the checksum anew. */
  changed(inode: Inode, volume: ExtVolume): void {
    if (this.block === undefined) return;
    if (volume.superblock.hasMetadataChecksums)
      this.view.setUint32(this.tail, crc32c(inodeSeed(inode, volume.checksumSeed), this.bytes, 0, this.tail), true);
    this.block.dirty = true;
  }

  /** What is wrong with it as a node of `depth` (undefined: a root) for the logical blocks [low, high). */
  fault(depth: number | undefined, low: number, high: number): string | undefined {
    if (!this.magicIsRight) return 'has no magic number';
    if (this.max > this.capacity || this.max === 0 || this.entries > this.max) return `has ${this.entries} entries of ${this.max}`;
    if (depth === undefined ? this.depth > MAX_DEPTH : this.depth !== depth) return `has depth ${this.depth}`;
    if (this.entries === 0 && (depth !== undefined || this.depth > 0)) return 'is empty';
    let least = low;
    for (let index = 0; index < this.entries; index += 1) {
      const key = this.key(index);
      if (key < least || key >= high) return `has block ${key} out of order`;
      least = key + 1;
      if (this.depth > 0) continue;
      const { count } = this.extent(index);
      if (count === 0) return `has an extent of no blocks at ${key}`;
      least = key + count;
      if (least > high) return `has an extent at ${key} that is too long`;
    }
    return undefined;
  }

  static root(inode: Inode): ExtentNode {
    const node = new ExtentNode(inode.map, undefined);
    const fault = node.fault(undefined, 0, LOGICAL_END);
    if (fault !== undefined) throw damaged(`the extent tree of inode ${inode.number} ${fault}`);
    return node;
  }

  /** The node in block `number`, for [low, high). */
  static async load(
    volume: ExtVolume,
    inode: Inode,
    number: number,
    depth: number,
    low: number,
    high: number,
  ): Promise<ExtentNode> {
    if (!volume.isFileRange(number, 1)) throw damaged(`the extent tree of inode ${inode.number} has a node at block ${number}`);
    const cached = volume.cache.peek(number) !== undefined;
    const block = await volume.cache.read(number);
    const node = new ExtentNode(block.bytes, block);
    const fault = node.fault(depth, low, high);
    if (fault !== undefined) throw damaged(`the node at block ${number} of the extent tree of inode ${inode.number} ${fault}`);
    if (!cached && volume.superblock.hasMetadataChecksums && !node.checksumIsRight(inode, volume.checksumSeed)) {
      volume.cache.forget(number);
      throw damaged(`the checksum of the extent tree of inode ${inode.number} is wrong at block ${number}`);
    }
    return node;
  }
}
