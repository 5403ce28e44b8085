/**
 * A block of a directory's index: the root behind "." and "..", or a node behind one free record of the whole block. Entries are
 * pairs of a hash and a logical block, the first without a hash: its place has limit and count.
 * @see Linux Documentation/filesystems/ext4/directory.rst, "Hash Tree Directories"
 */
import { crc32c, crc32cOfWord } from './checksum.ts';

const ROOT_ENTRIES = 0x20;
const NODE_ENTRIES = 8;
const TAIL_BYTES = 8;

export class IndexBlock {
  private readonly view: DataView;
  private readonly base: number;

  constructor(
    readonly bytes: Uint8Array,
    readonly isRoot: boolean,
    private readonly withTail: boolean,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.base = isRoot ? ROOT_ENTRIES : NODE_ENTRIES;
  }

  /** Whether block `logical` of an indexed directory looks like one of its index. */
  static isIndex(bytes: Uint8Array, logical: number): boolean {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const whole = bytes.length === 65536 ? 0xffff : bytes.length;
    if (logical > 0) return view.getUint32(0, true) === 0 && view.getUint16(4, true) === whole;
    return (
      view.getUint16(4, true) === 12 &&
      view.getUint16(16, true) === bytes.length - 12 &&
      view.getUint32(0x18, true) === 0 &&
      bytes[0x1d] === 8
    );
  }

  get hashVersion(): number {
    return this.bytes[0x1c] ?? 0;
  }
  get levels(): number {
    return this.bytes[0x1e] ?? 0;
  }
  set levels(value: number) {
    this.bytes[0x1e] = value;
  }
  get capacity(): number {
    return Math.floor((this.bytes.length - this.base - (this.withTail ? TAIL_BYTES : 0)) / 8);
  }
  get limit(): number {
    return this.view.getUint16(this.base, true);
  }
  get count(): number {
    return this.view.getUint16(this.base + 2, true);
  }
  set count(value: number) {
    this.view.setUint16(this.base + 2, value, true);
  }
  hash(index: number): number {
    return index === 0 ? 0 : this.view.getUint32(this.base + index * 8, true);
  }
  block(index: number): number {
    return this.view.getUint32(this.base + index * 8 + 4, true) & 0x0fffffff;
  }
  setBlock(index: number, block: number): void {
    this.view.setUint32(this.base + index * 8 + 4, block, true);
  }
  insert(index: number, hash: number, block: number): void {
    const at = this.base + index * 8;
    this.bytes.copyWithin(at + 8, at, this.base + this.count * 8);
    this.view.setUint32(at, hash, true);
    this.view.setUint32(at + 4, block, true);
    this.count += 1;
  }
  /** The last entry whose hash is at most `hash`. */
  search(hash: number): number {
    let low = 1;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.hash(middle) <= hash) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
  /** The entries from `index` on go to `other`, an empty node. */
  moveTo(other: IndexBlock, index: number): void {
    const moved = this.bytes.slice(this.base + index * 8, this.base + this.count * 8);
    other.bytes.set(moved.subarray(4), other.base + 4);
    other.count = this.count - index;
    this.count = index;
  }

  formatNode(): void {
    this.bytes.fill(0);
    this.view.setUint16(4, this.bytes.length === 65536 ? 0xffff : this.bytes.length, true);
    this.view.setUint16(this.base, this.capacity, true);
    this.count = 1;
  }
  /** "." and ".." are there; all else becomes an index of one entry. */
  formatRoot(hashVersion: number, block: number): void {
    this.bytes.fill(0, 0x18);
    this.view.setUint16(4, 12, true);
    this.view.setUint16(16, this.bytes.length - 12, true);
    this.bytes[0x1c] = hashVersion;
    this.bytes[0x1d] = 8;
    this.view.setUint16(this.base, this.capacity, true);
    this.count = 1;
    this.setBlock(0, block);
  }

  get fault(): string | undefined {
    if (!IndexBlock.isIndex(this.bytes, this.isRoot ? 0 : 1)) return 'does not look like one';
    if (this.limit !== this.capacity) return `has a limit of ${this.limit}`;
    if (this.count === 0 || this.count > this.limit) return `has a count of ${this.count}`;
    for (let n = 2; n < this.count; n += 1) if (this.hash(n) < this.hash(n - 1)) return 'is out of order';
    return undefined;
  }

  private checksum(seed: number): number {
    const tail = this.base + this.limit * 8;
    const value = crc32c(seed, this.bytes, 0, this.base + this.count * 8);
    return crc32cOfWord(crc32cOfWord(value, this.view.getUint32(tail, true)), 0);
  }
  /** Limit and count are valid. `seed` of the directory's inode. */
  checksumIsRight(seed: number): boolean {
    return !this.withTail || this.view.getUint32(this.base + this.limit * 8 + 4, true) === this.checksum(seed);
  }
  seal(seed: number): void {
    if (this.withTail) this.view.setUint32(this.base + this.limit * 8 + 4, this.checksum(seed), true);
  }
}
