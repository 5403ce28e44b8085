/**
 * The superblock: 1024 bytes at byte 1024 of the disk, little-endian; and the geometry that follows from it. `parse` admits only
 * what the rest may rely on: sizes that are powers of two within their limits, counts that fit each other and the disk.
 * @see Linux Documentation/filesystems/ext4/super.rst
 */
import { PosixError } from '../mountable.ts';
import { crc32c } from './checksum.ts';
import {
  COMPAT,
  EXT_MAGIC,
  FIRST_INODE,
  INCOMPAT,
  READABLE_INCOMPAT,
  RO_COMPAT,
  SUPERBLOCK_BYTES,
  SUPER_UNSIGNED_HASH,
  WRITABLE_INCOMPAT,
  WRITABLE_RO_COMPAT,
  featureNames,
  type FeatureWords,
} from './layout.ts';

/** More block groups than that are refused: their descriptors are held in memory (64 MiB). */
const MAX_GROUPS = 1 << 20;

export class Superblock {
  readonly view: DataView;

  constructor(readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, SUPERBLOCK_BYTES);
  }

  u16(offset: number): number {
    return this.view.getUint16(offset, true);
  }
  u32(offset: number): number {
    return this.view.getUint32(offset, true);
  }
  set16(offset: number, value: number): void {
    this.view.setUint16(offset, value, true);
  }
  set32(offset: number, value: number): void {
    this.view.setUint32(offset, value, true);
  }
  private wide(low: number, high: number): number {
    return this.u32(low) + (this.has64 ? this.u32(high) * 2 ** 32 : 0);
  }
  private setWide(low: number, high: number, value: number): void {
    this.set32(low, value % 2 ** 32);
    if (this.has64) this.set32(high, Math.floor(value / 2 ** 32));
  }

  get inodes(): number {
    return this.u32(0x0);
  }
  get blocks(): number {
    return this.wide(0x4, 0x150);
  }
  set blocks(value: number) {
    this.setWide(0x4, 0x150, value);
  }
  get reservedBlocks(): number {
    return this.wide(0x8, 0x154);
  }
  set reservedBlocks(value: number) {
    this.setWide(0x8, 0x154, value);
  }
  get freeBlocks(): number {
    return this.wide(0xc, 0x158);
  }
  set freeBlocks(value: number) {
    this.setWide(0xc, 0x158, value);
  }
  get freeInodes(): number {
    return this.u32(0x10);
  }
  set freeInodes(value: number) {
    this.set32(0x10, value);
  }
  get firstDataBlock(): number {
    return this.u32(0x14);
  }
  get blockBytes(): number {
    return 1024 << this.u32(0x18);
  }
  get blocksPerGroup(): number {
    return this.u32(0x20);
  }
  get inodesPerGroup(): number {
    return this.u32(0x28);
  }
  get state(): number {
    return this.u16(0x3a);
  }
  set state(value: number) {
    this.set16(0x3a, value);
  }
  get revision(): number {
    return this.u32(0x4c);
  }
  get firstInode(): number {
    return this.revision === 0 ? FIRST_INODE : this.u32(0x54);
  }
  get inodeBytes(): number {
    return this.revision === 0 ? 128 : this.u16(0x58);
  }
  get features(): FeatureWords {
    if (this.revision === 0) return { compat: 0, incompat: 0, roCompat: 0 };
    return { compat: this.u32(0x5c), incompat: this.u32(0x60), roCompat: this.u32(0x64) };
  }
  get uuid(): Uint8Array {
    return this.bytes.subarray(0x68, 0x78);
  }
  get label(): Uint8Array {
    return this.bytes.subarray(0x78, 0x88);
  }
  get reservedDescriptorBlocks(): number {
    return this.hasCompat(COMPAT.RESIZE_INODE) ? this.u16(0xce) : 0;
  }
  get journalInode(): number {
    return this.u32(0xe0);
  }
  get lastOrphan(): number {
    return this.u32(0xe8);
  }
  set lastOrphan(value: number) {
    this.set32(0xe8, value);
  }
  get hashSeed(): Uint32Array {
    return Uint32Array.from([0, 4, 8, 12], (offset) => this.u32(0xec + offset));
  }
  get defaultHashVersion(): number {
    return this.bytes[0xfc] ?? 0;
  }
  get unsignedHash(): boolean {
    return (this.u32(0x160) & SUPER_UNSIGNED_HASH) !== 0;
  }
  get descriptorBytes(): number {
    return this.has64 ? Math.max(this.u16(0xfe), 32) : 32;
  }
  get firstMetaGroup(): number {
    return this.u32(0x104);
  }
  get wantedExtraBytes(): number {
    return this.u16(0x15e);
  }
  get groupsPerFlex(): number {
    return this.hasIncompat(INCOMPAT.FLEX_BG) ? 1 << (this.bytes[0x174] ?? 0) : 1;
  }

  hasCompat(bit: number): boolean {
    return (this.features.compat & bit) !== 0;
  }
  hasIncompat(bit: number): boolean {
    return (this.features.incompat & bit) !== 0;
  }
  hasRoCompat(bit: number): boolean {
    return (this.features.roCompat & bit) !== 0;
  }
  setIncompat(bit: number, on: boolean): void {
    this.set32(0x60, (this.u32(0x60) & ~bit) | (on ? bit : 0));
  }
  get has64(): boolean {
    return this.revision > 0 && (this.u32(0x60) & INCOMPAT.BITS_64) !== 0;
  }
  get hasMetadataChecksums(): boolean {
    return this.hasRoCompat(RO_COMPAT.METADATA_CSUM);
  }
  get hasGroupChecksums(): boolean {
    return this.hasRoCompat(RO_COMPAT.METADATA_CSUM | RO_COMPAT.GDT_CSUM);
  }

  get groups(): number {
    return Math.ceil((this.blocks - this.firstDataBlock) / this.blocksPerGroup);
  }
  get descriptorsPerBlock(): number {
    return Math.floor(this.blockBytes / this.descriptorBytes);
  }
  get descriptorBlocks(): number {
    return Math.ceil(this.groups / this.descriptorsPerBlock);
  }
  get inodeTableBlocks(): number {
    return Math.ceil((this.inodesPerGroup * this.inodeBytes) / this.blockBytes);
  }
  /** Where the checksums of all metadata start from. */
  get checksumSeed(): number {
    return this.hasIncompat(INCOMPAT.CSUM_SEED) ? this.u32(0x270) : crc32c(0xffffffff, this.uuid);
  }

  /** Whether the group begins with a copy of the superblock. */
  hasBackup(group: number): boolean {
    if (group === 0) return true;
    if (this.hasCompat(COMPAT.SPARSE_SUPER2)) return group === this.u32(0x24c) || group === this.u32(0x250);
    if (group === 1 || !this.hasRoCompat(RO_COMPAT.SPARSE_SUPER)) return true;
    return [3, 5, 7].some((base) => {
      let power = base;
      while (power < group) power *= base;
      return power === group;
    });
  }

  /** Blocks at the start of the group for the superblock, descriptors and room for more of them. */
  groupOverhead(group: number): number {
    const backup = this.hasBackup(group);
    if (!this.hasIncompat(INCOMPAT.META_BG) || group < this.firstMetaGroup * this.descriptorsPerBlock) {
      if (!backup) return 0;
      const old = this.hasIncompat(INCOMPAT.META_BG) ? Math.min(this.firstMetaGroup, this.descriptorBlocks) : this.descriptorBlocks;
      return 1 + old + this.reservedDescriptorBlocks;
    }
    const within = group % this.descriptorsPerBlock;
    return (backup ? 1 : 0) + (within <= 1 || within === this.descriptorsPerBlock - 1 ? 1 : 0);
  }

  /** Block of descriptor block `index`, of the primary copy. */
  descriptorBlock(index: number): number {
    if (!this.hasIncompat(INCOMPAT.META_BG) || index < this.firstMetaGroup) return this.firstDataBlock + 1 + index;
    const group = index * this.descriptorsPerBlock;
    return this.groupStart(group) + (this.hasBackup(group) ? 1 : 0);
  }

  groupStart(group: number): number {
    return this.firstDataBlock + group * this.blocksPerGroup;
  }
  groupBlocks(group: number): number {
    return Math.min(this.blocksPerGroup, this.blocks - this.groupStart(group));
  }

  /** Puts the checksum in. */
  seal(): void {
    if (this.hasMetadataChecksums) this.set32(0x3fc, crc32c(0xffffffff, this.bytes, 0, 0x3fc));
  }
  get checksumIsRight(): boolean {
    return !this.hasMetadataChecksums || this.u32(0x3fc) === crc32c(0xffffffff, this.bytes, 0, 0x3fc);
  }

  /** `diskBytes`: size of the disk. PosixError EINVAL that names what is wrong. */
  static parse(bytes: Uint8Array, diskBytes: number): Superblock {
    const superblock = new Superblock(bytes);
    const wrong = findFault(superblock, diskBytes);
    if (wrong !== undefined) throw new PosixError('EINVAL', wrong);
    return superblock;
  }

  /** Names of features in the way of reading, or of writing too. */
  unsupported(writing: boolean): string[] {
    const { incompat, roCompat } = this.features;
    return featureNames({
      compat: 0,
      incompat: incompat & ~(writing ? WRITABLE_INCOMPAT : READABLE_INCOMPAT),
      roCompat: writing ? roCompat & ~WRITABLE_RO_COMPAT : 0,
    });
  }
}

function findFault(s: Superblock, diskBytes: number): string | undefined {
  if (s.u16(0x38) !== EXT_MAGIC) return 'there is no ext2, ext3 or ext4 file system here (bad magic number in the superblock)';
  if (s.revision > 1) return `the superblock has revision ${s.revision}, which is not known`;
  const strange = s.unsupported(false);
  if (strange.length > 0) return `the file system has unsupported features: ${strange.join(' ')}`;
  if (s.u32(0x18) > 6) return `a block size of 2^${10 + s.u32(0x18)} bytes is not possible`;
  if (!s.checksumIsRight) return 'the checksum of the superblock is wrong';
  const { blockBytes, inodeBytes, blocksPerGroup, inodesPerGroup, firstDataBlock, blocks, descriptorBytes } = s;
  if (s.hasMetadataChecksums && s.bytes[0x175] !== 1) return `checksums of type ${s.bytes[0x175]} are not known`;
  if (inodeBytes < 128 || inodeBytes > blockBytes || (inodeBytes & (inodeBytes - 1)) !== 0)
    return `inodes of ${inodeBytes} bytes are not possible`;
  if (firstDataBlock !== (blockBytes === 1024 ? 1 : 0)) return `the first data block cannot be ${firstDataBlock}`;
  if (s.hasRoCompat(RO_COMPAT.BIGALLOC)) return 'the file system has unsupported features: bigalloc';
  if (blocksPerGroup === 0 || blocksPerGroup > blockBytes * 8 || blocksPerGroup % 8 !== 0)
    return `${blocksPerGroup} blocks in a group are not possible`;
  if (inodesPerGroup < blockBytes / inodeBytes || inodesPerGroup > blockBytes * 8 || inodesPerGroup % 8 !== 0)
    return `${inodesPerGroup} inodes in a group are not possible`;
  if (descriptorBytes > blockBytes || (descriptorBytes & (descriptorBytes - 1)) !== 0 || (s.has64 && descriptorBytes < 64))
    return `group descriptors of ${descriptorBytes} bytes are not possible`;
  if (blocks <= firstDataBlock + 1) return `the file system has ${blocks} blocks only`;
  if (blocks * blockBytes > diskBytes)
    return `the file system has ${blocks} blocks of ${blockBytes} bytes, more than the disk of ${Math.floor(diskBytes / blockBytes)} blocks`;
  if (s.groups > MAX_GROUPS) return `${s.groups} block groups are too many`;
  if (s.inodes !== s.groups * inodesPerGroup) return `${s.inodes} inodes in ${s.groups} groups of ${inodesPerGroup} do not fit`;
  if (s.firstInode < FIRST_INODE || s.firstInode > s.inodes) return `the first inode for files cannot be ${s.firstInode}`;
  if (s.u32(0x1c) !== s.u32(0x18)) return 'fragments that differ from blocks are not possible';
  if (s.bytes[0x174] !== undefined && s.hasIncompat(INCOMPAT.FLEX_BG) && s.bytes[0x174] > 31)
    return `groups cannot be flexible by 2^${s.bytes[0x174]}`;
  if (s.reservedDescriptorBlocks > blockBytes / 4) return `${s.reservedDescriptorBlocks} reserved descriptor blocks are too many`;
  if (1 + s.descriptorBlocks + s.reservedDescriptorBlocks + 3 > blocksPerGroup && !s.hasIncompat(INCOMPAT.META_BG))
    return 'the group descriptors do not fit into a group';
  return undefined;
}
