/**
 * Directories: looking up, adding and removing names, in the linear form and in the indexed one. Index and entries share the
 * blocks of the directory's file, so a walk over all blocks finds every entry of either form.
 */
import { PosixError } from '../mountable.ts';
import type { Mappers } from './block-mapper.ts';
import type { CachedBlock } from './block-cache.ts';
import { DirectoryBlock, recordBytes, type DirectoryRecord } from './directory-block.ts';
import { damaged, type ExtVolume } from './ext-volume.ts';
import { IndexBlock } from './index-block.ts';
import { inlineDirectoryPieces } from './inline-data.ts';
import { inodeSeed, type Inode } from './inode.ts';
import { COMPAT, FLAG_INDEX, INCOMPAT } from './layout.ts';
import { nameHash } from './name-hash.ts';

export interface FoundEntry {
  readonly inode: number;
  /** As in a DirectoryRecord. */
  readonly type: number;
}
interface Place {
  readonly block: CachedBlock;
  readonly logical: number;
  readonly record: DirectoryRecord;
}
interface IndexStep {
  readonly node: IndexBlock;
  readonly block: CachedBlock;
  index: number;
}

export class Directories {
  private readonly withType: boolean;
  private readonly withTail: boolean;

  constructor(
    private readonly volume: ExtVolume,
    private readonly mappers: Mappers,
  ) {
    this.withType = volume.superblock.hasIncompat(INCOMPAT.FILETYPE);
    this.withTail = volume.superblock.hasMetadataChecksums;
  }

  /** Every entry in use, in the order of the disk. `visit` may end the walk by returning true. */
  async walk(directory: Inode, visit: (name: Uint8Array, entry: FoundEntry) => boolean | undefined): Promise<void> {
    if (directory.hasInlineData) {
      for (const piece of inlineDirectoryPieces(directory)) {
        const block = new DirectoryBlock(piece.bytes, this.withType, false);
        for (const entry of piece.named) if (visit(entry.name, { inode: entry.inode, type: 2 }) === true) return;
        const records = piece.bytes.length === 0 ? [] : block.records();
        if (records === undefined)
          throw damaged(`the directory of inode ${directory.number} has an inline entry of a wrong length`);
        for (const record of records) if (record.inode !== 0 && visit(block.name(record), record) === true) return;
      }
      return;
    }
    await this.walkPlaces(directory, ({ block, record }) => visit(this.asDirectory(block).name(record), record));
  }

  async lookup(directory: Inode, name: Uint8Array): Promise<FoundEntry | undefined> {
    if (directory.hasInlineData) {
      let found: FoundEntry | undefined;
      await this.walk(directory, (other, entry) => {
        if (sameName(other, name)) found = entry;
        return found !== undefined;
      });
      return found;
    }
    return (await this.find(directory, name))?.record;
  }

  /** The caller knows that there is no such name, and saves the inode. ENOSPC. */
  async add(directory: Inode, name: Uint8Array, inode: number, type: number): Promise<void> {
    if (directory.hasIndex && this.volume.superblock.hasCompat(COMPAT.DIR_INDEX)) {
      await this.addIndexed(directory, name, inode, type);
      return;
    }
    // Where the feature is off, an index cannot be kept right.
    directory.flags &= ~FLAG_INDEX;
    const blocks = this.blocksOf(directory);
    for (let logical = 0; logical < blocks; logical += 1) {
      const block = await this.block(directory, logical);
      if (block === undefined || !this.asDirectory(block).insert(name, inode, type)) continue;
      this.changed(directory, block);
      return;
    }
    if (blocks === 1 && this.volume.superblock.hasCompat(COMPAT.DIR_INDEX) && (await this.makeIndex(directory))) {
      await this.addIndexed(directory, name, inode, type);
      return;
    }
    const { block } = await this.append(directory);
    const fresh = this.asDirectory(block);
    fresh.format();
    fresh.insert(name, inode, type);
    this.changed(directory, block);
  }

  /** ENOENT is the caller's. False = there is no such name. */
  async remove(directory: Inode, name: Uint8Array): Promise<boolean> {
    const place = await this.find(directory, name);
    if (place === undefined) return false;
    this.asDirectory(place.block).remove(place.record);
    this.changed(directory, place.block);
    return true;
  }

  /** Lets an entry name another inode. False = there is no such name. */
  async replace(directory: Inode, name: Uint8Array, inode: number, type: number): Promise<boolean> {
    const place = await this.find(directory, name);
    if (place === undefined) return false;
    this.asDirectory(place.block).setInode(place.record, inode, type);
    if (place.logical === 0 && directory.hasIndex && IndexBlock.isIndex(place.block.bytes, 0)) {
      const root = new IndexBlock(place.block.bytes, true, this.withTail);
      if (root.fault === undefined) root.seal(inodeSeed(directory, this.volume.checksumSeed));
      place.block.dirty = true;
    } else this.changed(directory, place.block);
    return true;
  }

  /** Nothing but "." and "..". */
  async isEmpty(directory: Inode): Promise<boolean> {
    let empty = true;
    await this.walk(directory, (name) => {
      if (!isDots(name)) empty = false;
      return !empty;
    });
    return empty;
  }

  /** The first block of a new directory, with "." and "..". The caller saves the inode. ENOSPC. */
  async format(directory: Inode, parent: number): Promise<void> {
    const { block } = await this.append(directory);
    const first = this.asDirectory(block);
    first.format();
    first.write(0, 12, directory.number, Uint8Array.of(46), 2);
    first.write(12, first.limit - 12, parent, Uint8Array.of(46, 46), 2);
    this.changed(directory, block);
  }

  /** A further block without entries. For lost+found, which has room before it is needed. */
  async appendEmpty(directory: Inode): Promise<void> {
    const { block } = await this.append(directory);
    this.asDirectory(block).format();
    this.changed(directory, block);
  }

  private asDirectory(block: CachedBlock): DirectoryBlock {
    return new DirectoryBlock(block.bytes, this.withType, this.withTail);
  }

  private blocksOf(directory: Inode): number {
    const { size } = directory;
    if (size === 0 || size % this.volume.blockBytes !== 0)
      throw damaged(`the directory of inode ${directory.number} has a size of ${size} bytes`);
    return size / this.volume.blockBytes;
  }

  private changed(directory: Inode, block: CachedBlock): void {
    this.asDirectory(block).seal(inodeSeed(directory, this.volume.checksumSeed));
    block.dirty = true;
  }

  /** A checked block; undefined for a hole. */
  private async block(directory: Inode, logical: number): Promise<CachedBlock | undefined> {
    const { physical, unwritten } = await this.mappers.of(directory).find(directory, logical, 1);
    if (physical === 0 || unwritten) return undefined;
    const known = this.volume.cache.peek(physical);
    if (known !== undefined) return known;
    const block = await this.volume.cache.read(physical);
    if (!this.checksumIsRight(directory, logical, block)) {
      this.volume.cache.forget(physical);
      throw damaged(`the checksum of block ${logical} of the directory of inode ${directory.number} is wrong`);
    }
    return block;
  }

  private checksumIsRight(directory: Inode, logical: number, block: CachedBlock): boolean {
    if (!this.withTail) return true;
    const seed = inodeSeed(directory, this.volume.checksumSeed);
    if (directory.hasIndex && IndexBlock.isIndex(block.bytes, logical)) {
      const index = new IndexBlock(block.bytes, logical === 0, true);
      return index.fault === undefined && index.checksumIsRight(seed);
    }
    return this.asDirectory(block).checksumIsRight(seed);
  }

  private async walkPlaces(directory: Inode, visit: (place: Place) => boolean | undefined): Promise<void> {
    const blocks = this.blocksOf(directory);
    const { inodes } = this.volume.superblock;
    for (let logical = 0; logical < blocks;) {
      const { physical, unwritten, count } = await this.mappers.of(directory).find(directory, logical, blocks - logical);
      if (physical === 0 || unwritten) {
        logical += count;
        continue;
      }
      const block = await this.block(directory, logical);
      if (block !== undefined) {
        const isIndex = directory.hasIndex && IndexBlock.isIndex(block.bytes, logical);
        const records = this.asDirectory(block).records(isIndex ? block.bytes.length : undefined);
        if (records === undefined)
          throw damaged(`block ${logical} of the directory of inode ${directory.number} has an entry of a wrong length`);
        for (const record of records) {
          if (record.inode === 0) continue;
          if (record.inode > inodes || record.nameBytes === 0)
            throw damaged(`the directory of inode ${directory.number} has an entry for inode ${record.inode}`);
          if (visit({ block, logical, record }) === true) return;
        }
      }
      logical += 1;
      if (logical % 256 === 0) await this.volume.trim();
    }
  }

  private async find(directory: Inode, name: Uint8Array): Promise<Place | undefined> {
    if (directory.hasIndex && this.volume.superblock.hasCompat(COMPAT.DIR_INDEX) && !isDots(name)) {
      const found = await this.findIndexed(directory, name);
      if (found !== 'no index') return found;
    }
    let found: Place | undefined;
    await this.walkPlaces(directory, (place) => {
      if (sameName(this.asDirectory(place.block).name(place.record), name)) found = place;
      return found !== undefined;
    });
    return found;
  }

  private findIn(block: CachedBlock, logical: number, name: Uint8Array, directory: Inode): Place | undefined {
    const entries = this.asDirectory(block);
    const records = entries.records();
    if (records === undefined)
      throw damaged(`block ${logical} of the directory of inode ${directory.number} has an entry of a wrong length`);
    for (const record of records)
      if (record.inode !== 0 && record.inode <= this.volume.superblock.inodes && sameName(entries.name(record), name))
        return { block, logical, record };
    return undefined;
  }

  private async findIndexed(directory: Inode, name: Uint8Array): Promise<Place | undefined | 'no index'> {
    const path = await this.descend(directory, name);
    if (typeof path === 'string') return 'no index';
    for (;;) {
      const last = path.steps[path.steps.length - 1];
      if (last === undefined) return undefined;
      const logical = last.node.block(last.index);
      const leaf = await this.block(directory, logical);
      if (leaf === undefined) return 'no index';
      const place = this.findIn(leaf, logical, name, directory);
      if (place !== undefined) return place;
      // Entries of one hash may go on in the next leaf, which the lowest bit of its hash says.
      if (!(await this.advance(directory, path.steps, path.hash))) return undefined;
    }
  }

  /** The next leaf, when it continues the same hash. */
  private async advance(directory: Inode, steps: IndexStep[], hash: number): Promise<boolean> {
    let level = steps.length - 1;
    while (level >= 0 && (steps[level]?.index ?? 0) + 1 >= (steps[level]?.node.count ?? 0)) level -= 1;
    const step = steps[level];
    if (step === undefined) return false;
    const next = step.node.hash(step.index + 1);
    if ((next & 1) === 0 || (next & ~1) >>> 0 !== hash) return false;
    step.index += 1;
    for (level += 1; level < steps.length; level += 1) {
      const above = steps[level - 1];
      const block = above === undefined ? undefined : await this.block(directory, above.node.block(above.index));
      if (block === undefined) return false;
      const node = new IndexBlock(block.bytes, false, this.withTail);
      if (node.fault !== undefined) return false;
      steps[level] = { node, block, index: 0 };
    }
    return true;
  }

  /** From the root of the index to the entry of the leaf; a string tells what is wrong with the index. */
  private async descend(directory: Inode, name: Uint8Array): Promise<{ steps: IndexStep[]; hash: number } | string> {
    const { superblock: s } = this.volume;
    const rootBlock = await this.block(directory, 0);
    if (rootBlock === undefined) return 'has no root';
    const root = new IndexBlock(rootBlock.bytes, true, this.withTail);
    if (root.fault !== undefined) return root.fault;
    const hash = nameHash(name, root.hashVersion, s.unsignedHash, s.hashSeed);
    if (hash === undefined) return `uses a hash of version ${root.hashVersion}`;
    if (root.levels >= this.maxLevels) return `has ${root.levels} levels`;
    const blocks = this.blocksOf(directory);
    const steps: IndexStep[] = [{ node: root, block: rootBlock, index: root.search(hash) }];
    for (let level = 0; ; level += 1) {
      const step = steps[level];
      if (step === undefined) return 'ends early';
      const next = step.node.block(step.index);
      if (next === 0 || next >= blocks) return `names block ${next}`;
      if (level === root.levels) return { steps, hash };
      const block = await this.block(directory, next);
      if (block === undefined) return 'names a hole';
      const node = new IndexBlock(block.bytes, false, this.withTail);
      if (node.fault !== undefined) return node.fault;
      steps.push({ node, block, index: node.search(hash) });
    }
  }

  private get maxLevels(): number {
    return this.volume.superblock.hasIncompat(INCOMPAT.LARGEDIR) ? 3 : 2;
  }

  private async addIndexed(directory: Inode, name: Uint8Array, inode: number, type: number): Promise<void> {
    for (;;) {
      const path = await this.descend(directory, name);
      if (typeof path === 'string') throw damaged(`the index of the directory of inode ${directory.number} ${path}`);
      const last = path.steps[path.steps.length - 1];
      if (last === undefined) return;
      const logical = last.node.block(last.index);
      const leaf = await this.block(directory, logical);
      const entries = leaf === undefined ? undefined : this.asDirectory(leaf);
      if (leaf === undefined || entries?.records() === undefined)
        throw damaged(`block ${logical} of the directory of inode ${directory.number} has an entry of a wrong length`);
      if (entries.insert(name, inode, type)) {
        this.changed(directory, leaf);
        return;
      }
      if (last.node.count < last.node.limit) await this.splitLeaf(directory, last, leaf);
      else await this.makeRoom(directory, path.steps);
    }
  }

  private sealIndex(directory: Inode, node: IndexBlock, block: CachedBlock): void {
    node.seal(inodeSeed(directory, this.volume.checksumSeed));
    block.dirty = true;
  }

  /** Moves the half of the entries with the higher hashes to a new leaf. */
  private async splitLeaf(directory: Inode, parent: IndexStep, leaf: CachedBlock): Promise<void> {
    const { superblock: s } = this.volume;
    const rootBlock = await this.block(directory, 0);
    const version = rootBlock?.bytes[0x1c] ?? 0;
    const old = this.asDirectory(leaf);
    const entries = (old.records() ?? [])
      .filter((record) => record.inode !== 0)
      .map((record) => {
        const name = old.name(record).slice();
        return { hash: nameHash(name, version, s.unsignedHash, s.hashSeed) ?? 0, name, inode: record.inode, type: record.type };
      })
      .sort((a, b) => a.hash - b.hash);
    const half = entries.reduce((sum, entry) => sum + recordBytes(entry.name.length), 0) / 2;
    let split = 0;
    for (let bytes = 0; split < entries.length - 1 && bytes < half; split += 1)
      bytes += recordBytes(entries[split]?.name.length ?? 0);
    const upper = entries[split];
    const lower = entries[split - 1];
    if (upper === undefined || lower === undefined)
      throw damaged(`a block of the directory of inode ${directory.number} cannot be split`);
    const { block, logical } = await this.append(directory);
    for (const [target, part] of [
      [leaf, entries.slice(0, split)],
      [block, entries.slice(split)],
    ] as const) {
      this.fill(this.asDirectory(target), part);
      this.changed(directory, target);
    }
    parent.node.insert(parent.index + 1, upper.hash + (upper.hash === lower.hash ? 1 : 0), logical);
    this.sealIndex(directory, parent.node, parent.block);
  }

  private fill(target: DirectoryBlock, entries: readonly { name: Uint8Array; inode: number; type: number }[]): void {
    target.format();
    let at = 0;
    entries.forEach((entry, n) => {
      const length = n === entries.length - 1 ? target.limit - at : recordBytes(entry.name.length);
      target.write(at, length, entry.inode, entry.name, entry.type);
      at += length;
    });
  }

  /** One step towards room in the lowest node: splits the highest full node below one with room, or puts a level below the root. */
  private async makeRoom(directory: Inode, steps: readonly IndexStep[]): Promise<void> {
    let level = steps.length - 2;
    while (level >= 0 && (steps[level]?.node.count ?? 0) >= (steps[level]?.node.limit ?? 0)) level -= 1;
    const full = steps[level + 1];
    const parent = steps[level];
    if (full === undefined) return;
    if (parent === undefined && full.node.levels + 1 >= this.maxLevels)
      throw new PosixError('ENOSPC', 'the index of the directory is full');
    const { block, logical } = await this.append(directory);
    const node = new IndexBlock(block.bytes, false, this.withTail);
    node.formatNode();
    if (parent === undefined) {
      full.node.moveTo(node, 0);
      full.node.count = 1;
      full.node.setBlock(0, logical);
      full.node.levels += 1;
    } else {
      const middle = full.node.count >>> 1;
      const hash = full.node.hash(middle);
      full.node.moveTo(node, middle);
      parent.node.insert(parent.index + 1, hash, logical);
      this.sealIndex(directory, parent.node, parent.block);
    }
    this.sealIndex(directory, full.node, full.block);
    this.sealIndex(directory, node, block);
  }

  /** Turns the one block of a linear directory into a leaf below a root. False when its entries do not begin with "." and "..". */
  private async makeIndex(directory: Inode): Promise<boolean> {
    const first = await this.block(directory, 0);
    if (first === undefined) return false;
    const old = this.asDirectory(first);
    const [dot, dotDot, ...others] = old.records() ?? [];
    if (dot?.offset !== 0 || dot.length !== 12 || dotDot === undefined || !isDots(old.name(dot)) || !isDots(old.name(dotDot)))
      return false;
    const entries = others
      .filter((record) => record.inode !== 0)
      .map((record) => ({ name: old.name(record).slice(), inode: record.inode, type: record.type }));
    const { block, logical } = await this.append(directory);
    this.fill(this.asDirectory(block), entries);
    directory.flags |= FLAG_INDEX;
    const root = new IndexBlock(first.bytes, true, this.withTail);
    const version = this.volume.superblock.defaultHashVersion;
    root.formatRoot(version <= 2 ? version : 1, logical);
    this.changed(directory, block);
    this.sealIndex(directory, root, first);
    return true;
  }

  private async append(directory: Inode): Promise<{ block: CachedBlock; logical: number }> {
    const { blockBytes, superblock: s } = this.volume;
    const logical = Math.floor(directory.size / blockBytes);
    const mapper = this.mappers.of(directory);
    if (logical >= Math.min(mapper.maxBlocks, 2 ** 31 / blockBytes))
      throw new PosixError('ENOSPC', 'the directory has the most blocks it can have');
    let goal = s.groupStart(Math.floor((directory.number - 1) / s.inodesPerGroup));
    if (logical > 0) {
      const before = await mapper.find(directory, logical - 1, 1);
      if (before.physical !== 0) goal = before.physical + 1;
    }
    const { physical } = await mapper.allocate(directory, logical, 1, goal);
    directory.size = (logical + 1) * blockBytes;
    return { block: this.volume.cache.fresh(physical), logical };
  }
}

function sameName(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let n = 0; n < a.length; n += 1) if (a[n] !== b[n]) return false;
  return true;
}

export function isDots(name: Uint8Array): boolean {
  return (name.length === 1 && name[0] === 46) || (name.length === 2 && name[0] === 46 && name[1] === 46);
}
