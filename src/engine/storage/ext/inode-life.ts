/** How inodes begin and end: kinds, modes and what they hold at first; giving back all that an inode has when nothing names it. */
import { PosixError, type DeviceNumber, type FileKind, type NewInode } from '../mountable.ts';
import type { Allocator } from './allocator.ts';
import type { Mappers } from './block-mapper.ts';
import { crc32c, crc32cOfWord } from './checksum.ts';
import { damaged, type ExtVolume } from './ext-volume.ts';
import type { FileContents } from './file-contents.ts';
import { ExtentNode } from './extent-node.ts';
import type { Inode } from './inode.ts';
import {
  FLAG_EXTENTS,
  INCOMPAT,
  TYPE_BLOCK,
  TYPE_CHARACTER,
  TYPE_DIRECTORY,
  TYPE_FIFO,
  TYPE_FILE,
  TYPE_SOCKET,
  TYPE_SYMLINK,
} from './layout.ts';
import { encodeName } from './names.ts';

/** Kinds with the type bits of a mode and the type of a directory's record. */
const KINDS: readonly (readonly [FileKind, number, number])[] = [
  ['file', TYPE_FILE, 1],
  ['directory', TYPE_DIRECTORY, 2],
  ['character-device', TYPE_CHARACTER, 3],
  ['block-device', TYPE_BLOCK, 4],
  ['fifo', TYPE_FIFO, 5],
  ['socket', TYPE_SOCKET, 6],
  ['symlink', TYPE_SYMLINK, 7],
];

export function kindOf(inode: Inode): FileKind {
  const found = KINDS.find(([, type]) => type === inode.type);
  if (found === undefined) throw damaged(`inode ${inode.number} is of no known kind (mode ${inode.mode.toString(8)})`);
  return found[0];
}
export function kindOfRecord(type: number): FileKind | undefined {
  return KINDS.find(([, , record]) => record === type)?.[0];
}
export function recordType(inode: Inode): number {
  return KINDS.find(([, type]) => type === inode.type)?.[2] ?? 0;
}
export function typeBits(kind: FileKind): number {
  return KINDS.find(([name]) => name === kind)?.[1] ?? 0;
}

/** A link whose target is in the inode. */
export function isFastLink(inode: Inode, volume: ExtVolume): boolean {
  const attributes = inode.attributeBlock !== 0 ? volume.blockBytes / 512 : 0;
  return inode.isSymlink && inode.size < 60 && inode.sectors === attributes && !inode.hasInlineData;
}

export function deviceOf(inode: Inode): DeviceNumber {
  if (inode.type !== TYPE_BLOCK && inode.type !== TYPE_CHARACTER) return { major: 0, minor: 0 };
  const map = new DataView(inode.map.buffer, inode.map.byteOffset, 8);
  const old = map.getUint32(0, true);
  if (old !== 0) return { major: (old >>> 8) & 0xff, minor: old & 0xff };
  const wide = map.getUint32(4, true);
  return { major: (wide >>> 8) & 0xfff, minor: (wide & 0xff) | ((wide >>> 12) & 0xfff00) };
}

export class InodeLife {
  constructor(
    private readonly volume: ExtVolume,
    private readonly allocator: Allocator,
    private readonly mappers: Mappers,
    private readonly contents: FileContents,
  ) {}

  /** A new inode without names, saved, its directory's block not made yet. ENOSPC, EINVAL, ENAMETOOLONG. */
  async make(parent: number, node: NewInode): Promise<Inode> {
    const { volume } = this;
    const target = node.kind === 'symlink' ? encodeName(node.target) : undefined;
    if (target !== undefined) {
      if (target.length === 0 || target.includes(0)) throw new PosixError('EINVAL', 'a symbolic link needs a target');
      if (target.length >= volume.blockBytes)
        throw new PosixError('ENAMETOOLONG', 'the target of the symbolic link is longer than a block');
    }
    const inode = await this.allocator.allocateInode(parent, typeBits(node.kind));
    inode.mode = typeBits(node.kind) | (node.mode & 0o7777);
    inode.uid = node.uid;
    inode.gid = node.gid;
    const now = volume.now();
    for (const name of ['atime', 'ctime', 'mtime', 'crtime'] as const) inode.setTime(name, now);
    this.useExtents(inode, node.kind === 'file' || node.kind === 'directory' || (target !== undefined && target.length >= 60));
    if (node.kind === 'character-device' || node.kind === 'block-device') setDevice(inode, node.device);
    try {
      if (target !== undefined) await this.setTarget(inode, target);
    } catch (error) {
      await this.allocator.freeInode(inode.number, false);
      throw error;
    }
    await volume.saveInode(inode);
    return inode;
  }

  /** An empty map of the kind that new files of this file system have. */
  useExtents(inode: Inode, mapped: boolean): void {
    if (!mapped || !this.volume.superblock.hasIncompat(INCOMPAT.EXTENTS)) return;
    inode.flags |= FLAG_EXTENTS;
    new ExtentNode(inode.map, undefined).format(0);
  }

  private async setTarget(inode: Inode, target: Uint8Array): Promise<void> {
    if (target.length < 60) {
      inode.map.set(target);
      inode.size = target.length;
    } else await this.contents.write(inode, 0, target);
  }

  /** Gives back all that the inode has, and its number. */
  async end(inode: Inode): Promise<void> {
    const { volume } = this;
    const wasDirectory = inode.isDirectory;
    try {
      await this.removeContents(inode);
      await this.releaseAttributes(inode);
    } finally {
      inode.links = 0;
      inode.size = 0;
      inode.dtime = Number(volume.now() / 1_000_000_000n) >>> 0;
      await volume.saveInode(inode);
    }
    await this.allocator.freeInode(inode.number, wasDirectory);
  }

  private async removeContents(inode: Inode): Promise<void> {
    const mapped = inode.isFile || inode.isDirectory || (inode.isSymlink && !isFastLink(inode, this.volume));
    if (mapped && !inode.hasInlineData) await this.mappers.of(inode).truncate(inode, 0);
  }

  private async releaseAttributes(inode: Inode): Promise<void> {
    const number = inode.attributeBlock;
    if (number === 0) return;
    const { volume } = this;
    if (!volume.isFileRange(number, 1))
      throw damaged(`inode ${inode.number} has attributes at block ${number}, which cannot be its own`);
    const block = await volume.cache.read(number);
    const references = block.view.getUint32(4, true);
    inode.attributeBlock = 0;
    inode.sectors = Math.max(0, inode.sectors - volume.blockBytes / 512);
    if (block.view.getUint32(0, true) !== 0xea020000) throw damaged(`the attributes of inode ${inode.number} have no magic number`);
    if (references <= 1) {
      await this.allocator.free(number, 1);
      return;
    }
    block.view.setUint32(4, references - 1, true);
    if (volume.superblock.hasMetadataChecksums) {
      block.view.setUint32(0x10, 0, true);
      const place = crc32cOfWord(crc32cOfWord(volume.checksumSeed, number % 2 ** 32), Math.floor(number / 2 ** 32));
      block.view.setUint32(0x10, crc32c(place, block.bytes), true);
    }
    block.dirty = true;
  }
}

function setDevice(inode: Inode, { major, minor }: DeviceNumber): void {
  if (major > 0xfff || minor > 0xfffff || major < 0 || minor < 0)
    throw new PosixError('EINVAL', `there is no device ${major}:${minor}`);
  const map = new DataView(inode.map.buffer, inode.map.byteOffset, 8);
  if (major < 256 && minor < 256) map.setUint32(0, (major << 8) | minor, true);
  else map.setUint32(4, (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12), true);
}
