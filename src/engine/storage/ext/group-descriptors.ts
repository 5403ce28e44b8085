/**
 * The group descriptors, all in memory: where the bitmaps and inode tables of each group are, and what is free there.
 * @see Linux Documentation/filesystems/ext4/group_descr.rst
 */
import { crc16, crc32c, crc32cOfWord } from './checksum.ts';
import type { Superblock } from './superblock.ts';

const CHECKSUM = 0x1e;

export class GroupDescriptors {
  readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly size: number;
  /** Indexes of descriptor blocks that changed. */
  readonly dirty = new Set<number>();

  constructor(private readonly superblock: Superblock) {
    this.size = superblock.descriptorBytes;
    this.bytes = new Uint8Array(superblock.descriptorBlocks * superblock.blockBytes);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Byte offset of a descriptor: none crosses a block. */
  private at(group: number): number {
    return group * this.size;
  }
  private u16(group: number, low: number, high: number): number {
    const at = this.at(group);
    return this.view.getUint16(at + low, true) + (this.size >= 64 ? this.view.getUint16(at + high, true) * 65536 : 0);
  }
  private set16(group: number, low: number, high: number, value: number): void {
    const at = this.at(group);
    this.view.setUint16(at + low, value & 0xffff, true);
    if (this.size >= 64) this.view.setUint16(at + high, value >>> 16, true);
    this.touch(group);
  }
  private u32(group: number, low: number, high: number): number {
    const at = this.at(group);
    return this.view.getUint32(at + low, true) + (this.size >= 64 ? this.view.getUint32(at + high, true) * 2 ** 32 : 0);
  }
  private set32(group: number, low: number, high: number, value: number): void {
    const at = this.at(group);
    this.view.setUint32(at + low, value % 2 ** 32, true);
    if (this.size >= 64) this.view.setUint32(at + high, Math.floor(value / 2 ** 32), true);
    this.touch(group);
  }
  private touch(group: number): void {
    this.dirty.add(Math.floor(group / this.superblock.descriptorsPerBlock));
  }

  blockBitmap(group: number): number {
    return this.u32(group, 0x0, 0x20);
  }
  setBlockBitmap(group: number, block: number): void {
    this.set32(group, 0x0, 0x20, block);
  }
  inodeBitmap(group: number): number {
    return this.u32(group, 0x4, 0x24);
  }
  setInodeBitmap(group: number, block: number): void {
    this.set32(group, 0x4, 0x24, block);
  }
  inodeTable(group: number): number {
    return this.u32(group, 0x8, 0x28);
  }
  setInodeTable(group: number, block: number): void {
    this.set32(group, 0x8, 0x28, block);
  }
  freeBlocks(group: number): number {
    return this.u16(group, 0xc, 0x2c);
  }
  setFreeBlocks(group: number, count: number): void {
    this.set16(group, 0xc, 0x2c, count);
  }
  freeInodes(group: number): number {
    return this.u16(group, 0xe, 0x2e);
  }
  setFreeInodes(group: number, count: number): void {
    this.set16(group, 0xe, 0x2e, count);
  }
  directories(group: number): number {
    return this.u16(group, 0x10, 0x30);
  }
  setDirectories(group: number, count: number): void {
    this.set16(group, 0x10, 0x30, count);
  }
  /** Inodes at the end of the table that were never used; means something with group checksums only. */
  unusedInodes(group: number): number {
    return this.superblock.hasGroupChecksums ? this.u16(group, 0x1c, 0x32) : 0;
  }
  setUnusedInodes(group: number, count: number): void {
    this.set16(group, 0x1c, 0x32, count);
  }
  flags(group: number): number {
    return this.superblock.hasGroupChecksums ? this.view.getUint16(this.at(group) + 0x12, true) : 0;
  }
  setFlags(group: number, flags: number): void {
    this.view.setUint16(this.at(group) + 0x12, flags, true);
    this.touch(group);
  }

  /** Of a bitmap of the group, as many bits as the descriptor keeps. */
  bitmapChecksum(group: number, which: 'block' | 'inode'): number {
    return which === 'block' ? this.u16(group, 0x18, 0x38) : this.u16(group, 0x1a, 0x3a);
  }
  setBitmapChecksum(group: number, which: 'block' | 'inode', checksum: number): void {
    if (which === 'block') this.set16(group, 0x18, 0x38, checksum);
    else this.set16(group, 0x1a, 0x3a, checksum);
  }
  /** Cuts a checksum to what the descriptor keeps of it. */
  keptBits(checksum: number): number {
    return this.size >= 64 ? checksum >>> 0 : checksum & 0xffff;
  }

  checksum(group: number): number {
    const { superblock: s, bytes } = this;
    const at = this.at(group);
    if (s.hasMetadataChecksums) {
      const without = bytes.slice(at, at + this.size);
      without.fill(0, CHECKSUM, CHECKSUM + 2);
      return crc32c(crc32cOfWord(s.checksumSeed, group), without) & 0xffff;
    }
    const number = Uint8Array.of(group, group >>> 8, group >>> 16, group >>> 24);
    let value = crc16(crc16(crc16(0xffff, s.uuid), number), bytes, at, at + CHECKSUM);
    if (this.size > 32) value = crc16(value, bytes, at + CHECKSUM + 2, at + this.size);
    return value;
  }
  checksumIsRight(group: number): boolean {
    if (!this.superblock.hasGroupChecksums) return true;
    return this.view.getUint16(this.at(group) + CHECKSUM, true) === this.checksum(group);
  }
  seal(group: number): void {
    if (!this.superblock.hasGroupChecksums) return;
    this.view.setUint16(this.at(group) + CHECKSUM, this.checksum(group), true);
    this.touch(group);
  }
}
