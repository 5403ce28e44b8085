/**
 * An inode: 128 bytes of ext2 and what ext4 keeps behind them. Times go from 1901 to 2446 where the extra fields exist, to 2038
 * elsewhere.
 * @see Linux Documentation/filesystems/ext4/inodes.rst
 */
import { crc32c, crc32cOfWord } from './checksum.ts';
import {
  FLAG_EXTENTS,
  FLAG_HUGE_FILE,
  FLAG_INDEX,
  FLAG_INLINE_DATA,
  INCOMPAT,
  MODE_TYPE,
  RO_COMPAT,
  TYPE_DIRECTORY,
  TYPE_FILE,
  TYPE_SYMLINK,
} from './layout.ts';
import type { Superblock } from './superblock.ts';

const NS = 1_000_000_000n;
/** Offsets of a time and of its extra bits. */
const TIMES = { atime: [0x8, 0x8c], ctime: [0xc, 0x84], mtime: [0x10, 0x88], crtime: [0x90, 0x94] } as const;
export type TimeName = keyof typeof TIMES;

export class Inode {
  readonly view: DataView;

  constructor(
    readonly number: number,
    readonly bytes: Uint8Array,
    private readonly superblock: Superblock,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  private u16(offset: number): number {
    return this.view.getUint16(offset, true);
  }
  private u32(offset: number): number {
    return this.view.getUint32(offset, true);
  }
  private set16(offset: number, value: number): void {
    this.view.setUint16(offset, value, true);
  }
  private set32(offset: number, value: number): void {
    this.view.setUint32(offset, value, true);
  }

  /** Never used since the table was made. */
  get isEmpty(): boolean {
    return this.bytes.every((byte) => byte === 0);
  }

  /** With the type. */
  get mode(): number {
    return this.u16(0x0);
  }
  set mode(value: number) {
    this.set16(0x0, value);
  }
  get type(): number {
    return this.mode & MODE_TYPE;
  }
  get isDirectory(): boolean {
    return this.type === TYPE_DIRECTORY;
  }
  get isFile(): boolean {
    return this.type === TYPE_FILE;
  }
  get isSymlink(): boolean {
    return this.type === TYPE_SYMLINK;
  }
  get uid(): number {
    return this.u16(0x2) + this.u16(0x78) * 65536;
  }
  set uid(value: number) {
    this.set16(0x2, value & 0xffff);
    this.set16(0x78, value >>> 16);
  }
  get gid(): number {
    return this.u16(0x18) + this.u16(0x7a) * 65536;
  }
  set gid(value: number) {
    this.set16(0x18, value & 0xffff);
    this.set16(0x7a, value >>> 16);
  }
  private get sizeIsWide(): boolean {
    return this.isFile || (this.isDirectory && this.superblock.hasIncompat(INCOMPAT.LARGEDIR));
  }
  get size(): number {
    return this.u32(0x4) + (this.sizeIsWide ? this.u32(0x6c) * 2 ** 32 : 0);
  }
  set size(value: number) {
    this.set32(0x4, value % 2 ** 32);
    if (this.sizeIsWide) this.set32(0x6c, Math.floor(value / 2 ** 32));
  }
  get links(): number {
    return this.u16(0x1a);
  }
  set links(value: number) {
    this.set16(0x1a, value);
  }
  /** Next of the list of orphans while in it, else the time of deletion in seconds. */
  get dtime(): number {
    return this.u32(0x14);
  }
  set dtime(value: number) {
    this.set32(0x14, value);
  }
  get flags(): number {
    return this.u32(0x20);
  }
  set flags(value: number) {
    this.set32(0x20, value >>> 0);
  }
  get hasExtents(): boolean {
    return (this.flags & FLAG_EXTENTS) !== 0;
  }
  get hasIndex(): boolean {
    return (this.flags & FLAG_INDEX) !== 0;
  }
  get hasInlineData(): boolean {
    return (this.flags & FLAG_INLINE_DATA) !== 0;
  }
  get generation(): number {
    return this.u32(0x64);
  }
  set generation(value: number) {
    this.set32(0x64, value);
  }
  /** Block of extended attributes, 0 = none. */
  get attributeBlock(): number {
    return this.u32(0x68) + (this.superblock.has64 ? this.u16(0x76) * 2 ** 32 : 0);
  }
  set attributeBlock(value: number) {
    this.set32(0x68, value % 2 ** 32);
    if (this.superblock.has64) this.set16(0x76, Math.floor(value / 2 ** 32));
  }
  /** The 60 bytes that map blocks, or hold a short link or a device number. */
  get map(): Uint8Array {
    return this.bytes.subarray(0x28, 0x64);
  }

  /** In units of 512 bytes. */
  get sectors(): number {
    if (!this.superblock.hasRoCompat(RO_COMPAT.HUGE_FILE)) return this.u32(0x1c);
    const count = this.u32(0x1c) + this.u16(0x74) * 2 ** 32;
    return (this.flags & FLAG_HUGE_FILE) !== 0 ? count * (this.superblock.blockBytes / 512) : count;
  }
  set sectors(value: number) {
    const huge = this.superblock.hasRoCompat(RO_COMPAT.HUGE_FILE);
    const inBlocks = huge && value >= 2 ** 48;
    this.flags = inBlocks ? this.flags | FLAG_HUGE_FILE : this.flags & ~FLAG_HUGE_FILE;
    const count = inBlocks ? value / (this.superblock.blockBytes / 512) : value;
    this.set32(0x1c, count % 2 ** 32);
    if (huge) this.set16(0x74, Math.floor(count / 2 ** 32));
  }

  /** Bytes in use behind the first 128. */
  get extraBytes(): number {
    return this.bytes.length > 128 ? this.u16(0x80) : 0;
  }
  set extraBytes(value: number) {
    if (this.bytes.length > 128) this.set16(0x80, value);
  }
  private hasExtra(offset: number): boolean {
    return this.bytes.length >= offset + 4 && 128 + this.extraBytes >= offset + 4;
  }

  /** Nanoseconds since 1970. */
  time(name: TimeName): bigint {
    const [base, extra] = TIMES[name];
    if (name === 'crtime' && !this.hasExtra(base)) return 0n;
    const seconds = BigInt(this.view.getInt32(base, true));
    if (!this.hasExtra(extra)) return seconds * NS;
    const bits = this.u32(extra);
    return (seconds + BigInt(bits & 3) * 0x1_0000_0000n) * NS + BigInt(Math.min(bits >>> 2, 999_999_999));
  }
  setTime(name: TimeName, ns: bigint): void {
    const [base, extra] = TIMES[name];
    if (name === 'crtime' && !this.hasExtra(base)) return;
    const wide = this.hasExtra(extra);
    const highest = wide ? 0x3_7fff_ffffn : 0x7fff_ffffn;
    let seconds = ns / NS;
    let rest = ns % NS;
    if (rest < 0n) {
      seconds -= 1n;
      rest += NS;
    }
    if (seconds < -0x8000_0000n) [seconds, rest] = [-0x8000_0000n, 0n];
    if (seconds > highest) [seconds, rest] = [highest, NS - 1n];
    const low = BigInt.asIntN(32, seconds);
    this.view.setInt32(base, Number(low), true);
    if (wide) this.set32(extra, Number((rest << 2n) | ((seconds - low) >> 32n)));
  }

  get checksum(): number {
    return this.u16(0x7c) + (this.hasExtra(0x80) ? this.u16(0x82) * 65536 : 0);
  }
  set checksum(value: number) {
    this.set16(0x7c, value & 0xffff);
    if (this.hasExtra(0x80)) this.set16(0x82, value >>> 16);
  }
}

/** Where checksums of what belongs to the inode start from. */
export function inodeSeed(inode: Inode, seed: number): number {
  return crc32cOfWord(crc32cOfWord(seed, inode.number), inode.generation);
}

export function inodeChecksum(inode: Inode, seed: number): number {
  const bytes = inode.bytes.slice();
  bytes.fill(0, 0x7c, 0x7e);
  const wide = inode.bytes.length > 128 && inode.extraBytes >= 4;
  if (wide) bytes.fill(0, 0x82, 0x84);
  const checksum = crc32c(inodeSeed(inode, seed), bytes);
  return wide ? checksum : checksum & 0xffff;
}
