/**
 * The journal of ext3 and ext4 (jbd2): what a kernel committed there and had not written in place is written in place. Three
 * passes over the log: find its end, gather what later transactions revoked, write. Big-endian.
 * @see Linux Documentation/filesystems/ext4/journal.rst
 */
import { PosixError } from '../mountable.ts';
import { crc32c, crc32cOfWord } from './checksum.ts';
import { damaged, type ExtVolume } from './ext-volume.ts';
import type { BlockMapper } from './mapping.ts';
import type { Inode } from './inode.ts';

const MAGIC = 0xc03b3998;
const DESCRIPTOR = 1;
const COMMIT = 2;
const SUPERBLOCK_V1 = 3;
const SUPERBLOCK_V2 = 4;
const REVOKE = 5;

const COMPAT_CHECKSUM = 1;
const FEATURE_64BIT = 2;
const FEATURE_CSUM_V2 = 8;
const FEATURE_CSUM_V3 = 0x10;
const FEATURE_FAST_COMMIT = 0x20;
const KNOWN_FEATURES = 0x3f;

const TAG_ESCAPED = 1;
const TAG_SAME_UUID = 2;
const TAG_DELETED = 4;
const TAG_LAST = 8;

const FAST_COMMIT_HEAD = 9;

export interface ReplayResult {
  readonly transactions: number;
  readonly blocksWritten: number;
  /** A checksum was wrong: what it covered was not written, and the file system is marked as having errors. */
  readonly damaged: boolean;
}

interface Tag {
  readonly block: number;
  readonly flags: number;
  /** As many bits as the tag has. */
  readonly checksum: number;
}

/** a - b in the circle of 32 bits. */
function after(a: number, b: number): boolean {
  return ((a - b) | 0) > 0;
}

export class Journal {
  private readonly view: DataView;
  private readonly features: number;
  private readonly seed: number;
  /** Block behind the last of the log. */
  private readonly end: number;
  private readonly first: number;
  private bad = false;

  private constructor(
    private readonly volume: ExtVolume,
    private readonly inode: Inode,
    private readonly mapper: BlockMapper,
    private readonly superblock: Uint8Array,
    private readonly superblockAt: number,
  ) {
    const view = new DataView(superblock.buffer);
    this.view = view;
    const v2 = view.getUint32(4) === SUPERBLOCK_V2;
    this.features = v2 ? view.getUint32(0x28) : 0;
    this.seed = crc32c(0xffffffff, superblock, 0x30, 0x40);
    this.first = view.getUint32(0x14);
    const fast = (this.features & FEATURE_FAST_COMMIT) !== 0 ? view.getUint32(0x54) || 256 : 0;
    this.end = view.getUint32(0x10) - fast;
  }

  /** EUCLEAN, ENOTSUP. */
  static async open(volume: ExtVolume, inode: Inode, mapper: BlockMapper): Promise<Journal> {
    const { blockBytes } = volume;
    if (!inode.isFile || inode.links === 0) throw damaged(`the journal's inode ${inode.number} is no file`);
    const { physical } = await mapper.find(inode, 0, 1);
    if (physical === 0) throw damaged('the journal has no first block');
    const bytes = new Uint8Array(blockBytes);
    await volume.cache.readRaw(physical, bytes);
    const journal = new Journal(volume, inode, mapper, bytes, physical);
    journal.check();
    return journal;
  }

  private check(): void {
    const { view, features, superblock } = this;
    const kind = view.getUint32(4);
    if (view.getUint32(0) !== MAGIC || (kind !== SUPERBLOCK_V1 && kind !== SUPERBLOCK_V2))
      throw damaged('the journal has no superblock');
    const strange = (features & ~KNOWN_FEATURES) >>> 0;
    const strangeRo = kind === SUPERBLOCK_V2 ? view.getUint32(0x2c) : 0;
    if (strange !== 0 || strangeRo !== 0)
      throw new PosixError('ENOTSUP', `the journal has unsupported features: 0x${(strange || strangeRo).toString(16)}`);
    if (view.getUint32(0xc) !== this.volume.blockBytes) throw damaged(`the journal has blocks of ${view.getUint32(0xc)} bytes`);
    if (
      view.getUint32(0x10) * this.volume.blockBytes > this.inode.size ||
      this.first < 1 ||
      this.end <= this.first ||
      this.start >= this.end
    )
      throw damaged('the journal is said to be larger than its file');
    if ((features & FEATURE_CSUM_V2) !== 0 && (features & FEATURE_CSUM_V3) !== 0)
      throw damaged('the journal has checksums of two versions');
    if (this.hasChecksums) {
      if (superblock[0x50] !== 4) throw damaged(`the journal has checksums of the unknown type ${superblock[0x50]}`);
      if (view.getUint32(0xfc) !== this.superblockChecksum()) throw damaged("the checksum of the journal's superblock is wrong");
    }
  }

  private get hasChecksums(): boolean {
    return (this.features & (FEATURE_CSUM_V2 | FEATURE_CSUM_V3)) !== 0;
  }
  private superblockChecksum(): number {
    const bytes = this.superblock.slice(0, 1024);
    bytes.fill(0, 0xfc, 0x100);
    return crc32c(0xffffffff, bytes);
  }
  /** Block at which the log starts; 0 = there is nothing in it. */
  private get start(): number {
    return this.view.getUint32(0x1c);
  }
  get isEmpty(): boolean {
    return this.start === 0;
  }
  /** The error a kernel gave the journal up with, 0 = none. */
  get errorNumber(): number {
    return this.view.getInt32(0x20);
  }

  /** Writes what is committed, not durable yet, and empties the journal. Superblock and descriptors have to be read anew. */
  async replay(): Promise<ReplayResult> {
    if (this.isEmpty) return { transactions: 0, blocksWritten: 0, damaged: false };
    const firstId = this.view.getUint32(0x18);
    const endId = await this.findEnd(firstId);
    await this.refuseFastCommits(endId);
    const revoked = await this.gatherRevoked(firstId, endId);
    const blocksWritten = await this.write(firstId, endId, revoked);
    this.view.setUint32(0x18, (endId + 1) >>> 0);
    this.view.setUint32(0x1c, 0);
    if (this.hasChecksums) this.view.setUint32(0xfc, this.superblockChecksum());
    await this.volume.cache.writeRaw(this.superblockAt, this.superblock);
    return { transactions: (endId - firstId) >>> 0, blocksWritten, damaged: this.bad };
  }

  private next(at: number, by = 1): number {
    const to = at + by;
    return to >= this.end ? to - (this.end - this.first) : to;
  }

  private async block(at: number): Promise<{ bytes: Uint8Array; view: DataView }> {
    const { physical } = await this.mapper.find(this.inode, at, 1);
    if (physical === 0) throw damaged(`the journal has a hole at block ${at}`);
    const bytes = new Uint8Array(this.volume.blockBytes);
    await this.volume.cache.readRaw(physical, bytes);
    return { bytes, view: new DataView(bytes.buffer) };
  }

  /** The checksum at the end of descriptor and revoke blocks. */
  private tailIsRight(bytes: Uint8Array, view: DataView): boolean {
    if (!this.hasChecksums) return true;
    const at = bytes.length - 4;
    return view.getUint32(at) === crc32cOfWord(crc32c(this.seed, bytes, 0, at), 0);
  }
  private commitIsRight(bytes: Uint8Array, view: DataView): boolean {
    if (!this.hasChecksums) return true;
    const without = bytes.slice();
    without.fill(0, 0x10, 0x14);
    return view.getUint32(0x10) === crc32c(this.seed, without);
  }

  private get tagBytes(): number {
    if ((this.features & FEATURE_CSUM_V3) !== 0) return 16;
    return 12 + ((this.features & FEATURE_CSUM_V2) !== 0 ? 2 : 0) - ((this.features & FEATURE_64BIT) !== 0 ? 0 : 4);
  }

  private tags(view: DataView): Tag[] {
    const tags: Tag[] = [];
    const v3 = (this.features & FEATURE_CSUM_V3) !== 0;
    const limit = view.byteLength - (this.hasChecksums ? 4 : 0);
    const { tagBytes } = this;
    for (let at = 12; at + tagBytes <= limit;) {
      const flags = v3 ? view.getUint32(at + 4) : view.getUint16(at + 6);
      const high = (this.features & FEATURE_64BIT) !== 0 ? view.getUint32(at + 8) : 0;
      const checksum = v3 ? view.getUint32(at + 12) : view.getUint16(at + 4);
      tags.push({ block: view.getUint32(at) + high * 2 ** 32, flags, checksum });
      at += tagBytes + ((flags & TAG_SAME_UUID) !== 0 ? 0 : 16);
      if ((flags & TAG_LAST) !== 0) break;
    }
    return tags;
  }

  /** The number behind that of the last transaction that is whole. */
  private async findEnd(firstId: number): Promise<number> {
    let id = firstId;
    let at = this.start;
    // Checksum of version 1: over all blocks of the transaction.
    let sum: Crc32Chain | undefined;
    const chained =
      this.view.getUint32(4) === SUPERBLOCK_V2 && (this.view.getUint32(0x24) & COMPAT_CHECKSUM) !== 0 && !this.hasChecksums;
    for (let seen = 0; seen < this.end - this.first;) {
      const { bytes, view } = await this.block(at);
      if (view.getUint32(0) !== MAGIC || view.getUint32(8) !== id) break;
      const kind = view.getUint32(4);
      at = this.next(at);
      seen += 1;
      if (kind === DESCRIPTOR) {
        if (!this.tailIsRight(bytes, view)) {
          this.bad = true;
          break;
        }
        const count = this.tags(view).length;
        if (chained) {
          sum = (sum ?? new Crc32Chain()).add(bytes);
          for (let n = 0; n < count && seen + n < this.end; n += 1) sum.add((await this.block(this.next(at, n))).bytes);
        }
        if (count > this.end - this.first) break;
        at = this.next(at, count);
        seen += count;
      } else if (kind === COMMIT) {
        if (!this.commitIsRight(bytes, view)) {
          this.bad = true;
          break;
        }
        if (chained && sum !== undefined && bytes[0xc] === 1 && bytes[0xd] === 4 && view.getUint32(0x10) !== sum.value) {
          this.bad = true;
          break;
        }
        sum = undefined;
        id = (id + 1) >>> 0;
      } else if (kind !== REVOKE) break;
    }
    return id;
  }

  /** Fast commits behind the last whole transaction would be lost. */
  private async refuseFastCommits(endId: number): Promise<void> {
    if ((this.features & FEATURE_FAST_COMMIT) === 0 || this.end * this.volume.blockBytes >= this.inode.size) return;
    const { view } = await this.block(this.end);
    if (view.getUint16(0, true) === FAST_COMMIT_HEAD && view.getUint32(8, true) === endId)
      throw new PosixError(
        'ENOTSUP',
        'the journal has fast commits, which are not supported: mount the file system with its own kernel first',
      );
  }

  /** Calls for each descriptor and revoke block of the whole transactions, with the place behind it. */
  private async eachBlock(
    firstId: number,
    endId: number,
    visit: (kind: number, id: number, view: DataView, at: number) => Promise<void>,
  ): Promise<void> {
    let at = this.start;
    for (let id = firstId; id !== endId;) {
      const { view } = await this.block(at);
      const kind = view.getUint32(4);
      at = this.next(at);
      await visit(kind, id, view, at);
      if (kind === DESCRIPTOR) at = this.next(at, this.tags(view).length);
      else if (kind === COMMIT) id = (id + 1) >>> 0;
    }
  }

  /** Blocks with the last transaction that revoked them. */
  private async gatherRevoked(firstId: number, endId: number): Promise<Map<number, number>> {
    const revoked = new Map<number, number>();
    const wide = (this.features & FEATURE_64BIT) !== 0;
    await this.eachBlock(firstId, endId, (kind, id, view) => {
      if (kind !== REVOKE) return Promise.resolve();
      const bytes = new Uint8Array(view.buffer);
      if (!this.tailIsRight(bytes, view)) {
        this.bad = true;
        return Promise.resolve();
      }
      const limit = Math.min(view.getUint32(12), view.byteLength - (this.hasChecksums ? 4 : 0));
      const size = wide ? 8 : 4;
      for (let at = 16; at + size <= limit; at += size) {
        const block = wide ? view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4) : view.getUint32(at);
        const known = revoked.get(block);
        if (known === undefined || after(id, known)) revoked.set(block, id);
      }
      return Promise.resolve();
    });
    return revoked;
  }

  private async write(firstId: number, endId: number, revoked: ReadonlyMap<number, number>): Promise<number> {
    let written = 0;
    await this.eachBlock(firstId, endId, async (kind, id, view, start) => {
      if (kind !== DESCRIPTOR) return;
      for (const [n, tag] of this.tags(view).entries()) {
        const revokedBy = revoked.get(tag.block);
        if (revokedBy !== undefined && !after(id, revokedBy)) continue;
        if ((tag.flags & TAG_DELETED) !== 0) continue;
        if (tag.block >= this.volume.superblock.blocks)
          throw damaged(`the journal has a block for ${tag.block}, which the file system has not`);
        const { bytes, view: contents } = await this.block(this.next(start, n));
        if (this.hasChecksums) {
          const sequence = Uint8Array.of(id >>> 24, id >>> 16, id >>> 8, id);
          const checksum = crc32c(crc32c(this.seed, sequence), bytes);
          if (tag.checksum !== ((this.features & FEATURE_CSUM_V3) !== 0 ? checksum : checksum & 0xffff)) {
            this.bad = true;
            continue;
          }
        }
        if ((tag.flags & TAG_ESCAPED) !== 0) contents.setUint32(0, MAGIC);
        await this.volume.cache.writeRaw(tag.block, bytes);
        written += 1;
      }
    });
    return written;
  }
}

/** CRC-32 over pieces, big-endian variant as jbd2's version 1 counts it: from ~0, without inversion at the end. */
class Crc32Chain {
  value = 0xffffffff;

  add(bytes: Uint8Array): this {
    let crc = this.value;
    for (const byte of bytes) {
      crc ^= byte << 24;
      for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
    }
    this.value = crc >>> 0;
    return this;
  }
}
