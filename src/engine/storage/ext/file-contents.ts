/** Reading, writing and cutting what files contain. Contents go straight to the disk, whole blocks where blocks are new. */
import { PosixError } from '../mountable.ts';
import type { Mappers } from './block-mapper.ts';
import type { ExtVolume } from './ext-volume.ts';
import { inlineContents } from './inline-data.ts';
import type { Inode } from './inode.ts';
import { RO_COMPAT } from './layout.ts';

const TRANSFER_BYTES = 1024 * 1024;

export class FileContents {
  private readonly blockBytes: number;

  constructor(
    private readonly volume: ExtVolume,
    private readonly mappers: Mappers,
  ) {
    this.blockBytes = volume.blockBytes;
  }

  /** The bytes read. */
  async read(inode: Inode, offset: number, into: Uint8Array): Promise<number> {
    const length = Math.max(0, Math.min(into.length, inode.size - offset));
    if (inode.hasInlineData) {
      into.set(inlineContents(inode).subarray(offset, offset + length));
      return length;
    }
    const { blockBytes } = this;
    const mapper = this.mappers.of(inode);
    for (let done = 0; done < length;) {
      const logical = Math.floor((offset + done) / blockBytes);
      const within = (offset + done) % blockBytes;
      if (logical >= mapper.maxBlocks) {
        into.fill(0, done, length);
        break;
      }
      const most = Math.min(Math.ceil((within + length - done) / blockBytes), mapper.maxBlocks - logical);
      const { physical, count, unwritten } = await mapper.find(inode, logical, most);
      const part = Math.min(length - done, count * blockBytes - within);
      const target = into.subarray(done, done + part);
      if (physical === 0 || unwritten) target.fill(0);
      else await this.readRun(physical, within, target);
      done += part;
    }
    return length;
  }

  private async readRun(physical: number, within: number, into: Uint8Array): Promise<void> {
    const { blockBytes, volume } = this;
    let block = physical;
    let done = 0;
    if (within > 0 || into.length < blockBytes) {
      const bytes = await this.readBlock(block);
      const part = Math.min(into.length, blockBytes - within);
      into.set(bytes.subarray(within, within + part));
      done = part;
      block += 1;
    }
    const whole = Math.floor((into.length - done) / blockBytes) * blockBytes;
    if (whole > 0) {
      await volume.cache.readRaw(block, into.subarray(done, done + whole));
      done += whole;
      block += whole / blockBytes;
    }
    if (done < into.length) into.set((await this.readBlock(block)).subarray(0, into.length - done), done);
  }

  private async readBlock(block: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(this.blockBytes);
    await this.volume.cache.readRaw(block, bytes);
    return bytes;
  }

  /** Most bytes a file can have. */
  maxBytes(inode: Inode): number {
    const bytes = this.mappers.of(inode).maxBlocks * this.blockBytes;
    // Without huge_file the inode counts its sectors in 32 bits.
    return this.volume.superblock.hasRoCompat(RO_COMPAT.HUGE_FILE) ? bytes : Math.min(bytes, 2 ** 41 - 2 ** 33);
  }

  /** The bytes written; the caller saves the inode, also when this rejects. ENOSPC when none could be, EFBIG. */
  async write(inode: Inode, offset: number, from: Uint8Array): Promise<number> {
    const most = this.maxBytes(inode) - offset;
    if (from.length > 0 && most <= 0) throw new PosixError('EFBIG', `inode ${inode.number} cannot have so many bytes`);
    const length = Math.min(from.length, most);
    if (length > 0 && offset > inode.size) await this.clearTail(inode);
    let done = 0;
    try {
      while (done < length) done += await this.writeRun(inode, offset + done, from.subarray(done, length));
    } catch (error) {
      if (done === 0 || !(error instanceof PosixError && error.code === 'ENOSPC')) throw error;
    } finally {
      if (done > 0 && offset + done > inode.size) this.setSize(inode, offset + done);
    }
    return done;
  }

  private async writeRun(inode: Inode, offset: number, from: Uint8Array): Promise<number> {
    const { blockBytes } = this;
    const mapper = this.mappers.of(inode);
    const logical = Math.floor(offset / blockBytes);
    const within = offset % blockBytes;
    const blocks = Math.ceil((within + Math.min(from.length, TRANSFER_BYTES)) / blockBytes);
    const found = await mapper.find(inode, logical, blocks);
    const fresh = found.physical === 0 || found.unwritten;
    const run = fresh ? await mapper.allocate(inode, logical, found.count, await this.goal(inode, logical)) : found;
    const part = Math.min(from.length, Math.min(run.count, blocks) * blockBytes - within);
    await this.writeBlocks(run.physical, within, from.subarray(0, part), fresh);
    return part;
  }

  /** `fresh`: what the first and last block hold besides is zeros, not what is on the disk. */
  private async writeBlocks(physical: number, within: number, from: Uint8Array, fresh: boolean): Promise<void> {
    const { blockBytes, volume } = this;
    const count = Math.ceil((within + from.length) / blockBytes);
    if (within === 0 && from.length === count * blockBytes) {
      await volume.cache.writeRaw(physical, from);
      return;
    }
    const bytes = new Uint8Array(count * blockBytes);
    if (!fresh) {
      if (within > 0) await volume.cache.readRaw(physical, bytes.subarray(0, blockBytes));
      const last = (count - 1) * blockBytes;
      if ((within + from.length) % blockBytes !== 0 && (count > 1 || within === 0))
        await volume.cache.readRaw(physical + count - 1, bytes.subarray(last));
    }
    bytes.set(from, within);
    await volume.cache.writeRaw(physical, bytes);
  }

  /** Behind the block before, else in the inode's group. */
  private async goal(inode: Inode, logical: number): Promise<number> {
    const { superblock: s } = this.volume;
    if (logical > 0) {
      const before = await this.mappers.of(inode).find(inode, logical - 1, 1);
      if (before.physical !== 0) return before.physical + 1;
    }
    return s.groupStart(Math.floor((inode.number - 1) / s.inodesPerGroup));
  }

  /** The caller saves the inode, also when this rejects. EFBIG. */
  async truncate(inode: Inode, size: number): Promise<void> {
    if (size > this.maxBytes(inode)) throw new PosixError('EFBIG', `inode ${inode.number} cannot have ${size} bytes`);
    if (size > inode.size) {
      await this.clearTail(inode);
      this.setSize(inode, size);
      return;
    }
    this.setSize(inode, size);
    await this.mappers.of(inode).truncate(inode, Math.ceil(size / this.blockBytes));
    await this.clearTail(inode);
  }

  /** Zeros from the end of the file to the end of its last block. */
  private async clearTail(inode: Inode): Promise<void> {
    const { blockBytes } = this;
    const within = inode.size % blockBytes;
    if (within === 0) return;
    const logical = Math.floor(inode.size / blockBytes);
    const { physical, unwritten } = await this.mappers.of(inode).find(inode, logical, 1);
    if (physical === 0 || unwritten) return;
    const bytes = await this.readBlock(physical);
    if (bytes.subarray(within).every((byte) => byte === 0)) return;
    bytes.fill(0, within);
    await this.volume.cache.writeRaw(physical, bytes);
  }

  private setSize(inode: Inode, size: number): void {
    inode.size = size;
    const { superblock: s } = this.volume;
    if (size < 2 ** 31 || s.hasRoCompat(RO_COMPAT.LARGE_FILE)) return;
    s.set32(0x64, s.u32(0x64) | RO_COMPAT.LARGE_FILE);
    this.volume.superblockDirty = true;
  }
}
