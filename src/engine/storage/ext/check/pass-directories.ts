/** Passes 2 and 3: the entries of every directory, and that every directory can be reached from the root. */
import { PosixError } from '../../mountable.ts';
import { setBit } from '../bitmap.ts';
import type { CachedBlock } from '../block-cache.ts';
import { damaged } from '../ext-volume.ts';
import { DirectoryBlock, recordBytes, type DirectoryRecord } from '../directory-block.ts';
import { isDots } from '../directory.ts';
import { inlineDirectoryPieces } from '../inline-data.ts';
import { IndexBlock } from '../index-block.ts';
import { inodeSeed, type Inode } from '../inode.ts';
import { COMPAT, FLAG_INDEX, INCOMPAT, ROOT_INODE, TYPE_DIRECTORY } from '../layout.ts';
import { nameHash } from '../name-hash.ts';
import { decodeName, encodeName } from '../names.ts';
import type { CheckState } from './check-state.ts';

const DOT = Uint8Array.of(46);
const DOT_DOT = Uint8Array.of(46, 46);
const DIRECTORY = 2;

export async function checkDirectories(state: CheckState): Promise<void> {
  state.report.say('Pass 2: Checking directory structure');
  for (const number of state.directories) {
    const inode = await state.volume.inode(number, true);
    try {
      await new DirectoryCheck(state, inode).run();
    } catch (error) {
      if (!(error instanceof PosixError)) throw error;
      state.report.leave(`Directory inode ${number}: ${error.message}.`);
    }
    await state.volume.trim();
  }
}

class DirectoryCheck {
  private readonly withType: boolean;
  private readonly withTail: boolean;
  private readonly seed: number;
  /** Hashes of the entries of each leaf: lowest and highest. */
  private readonly leaves = new Map<number, { low: number; high: number }>();
  private readonly names = new Set<string>();
  private version = 0;
  private changed = false;

  constructor(
    private readonly state: CheckState,
    private readonly directory: Inode,
  ) {
    const { superblock: s } = state.volume;
    this.withType = s.hasIncompat(INCOMPAT.FILETYPE);
    this.withTail = s.hasMetadataChecksums;
    this.seed = inodeSeed(directory, state.volume.checksumSeed);
  }

  async run(): Promise<void> {
    const { state, directory } = this;
    if (directory.hasInlineData) {
      for (const piece of inlineDirectoryPieces(directory)) {
        for (const { name, inode } of piece.named) await this.noteEntry(name, inode, DIRECTORY);
        const block = new DirectoryBlock(piece.bytes, this.withType, false);
        for (const record of piece.bytes.length === 0 ? [] : (block.records() ?? []))
          if (record.inode !== 0) await this.noteEntry(block.name(record), record.inode, record.type);
      }
      return;
    }
    const blocks = directory.size / state.volume.blockBytes;
    let indexed = directory.hasIndex;
    for (let logical = 0; logical < blocks;) {
      const found = await state.mount.mappers.of(directory).find(directory, logical, blocks - logical);
      if (found.physical === 0 || found.unwritten) {
        state.report.leave(`Directory inode ${directory.number} has an unallocated block #${logical}.`);
        logical += found.count;
        continue;
      }
      const block = await state.volume.cache.read(found.physical);
      if (logical === 0) this.version = block.bytes[0x1c] ?? 0;
      if (indexed && logical === 0 && !IndexBlock.isIndex(block.bytes, 0)) indexed = false;
      await this.block(block, logical, indexed);
      if (logical % 256 === 255) await state.volume.trim();
      logical += 1;
    }
    if (directory.hasIndex) await this.checkIndex(indexed);
    if (this.changed) await state.volume.saveInode(directory);
  }

  private seal(block: CachedBlock): void {
    new DirectoryBlock(block.bytes, this.withType, this.withTail).seal(this.seed);
    block.dirty = true;
  }

  private async block(block: CachedBlock, logical: number, indexed: boolean): Promise<void> {
    const { state, directory } = this;
    const { report } = state;
    const entries = new DirectoryBlock(block.bytes, this.withType, this.withTail);
    const where = `Directory inode ${directory.number}, block #${logical}`;
    if (indexed && IndexBlock.isIndex(block.bytes, logical)) {
      if (logical === 0) {
        const [dot, dotDot] = entries.records(block.bytes.length) ?? [];
        await this.dots(entries, dot, dotDot, () => {
          const index = new IndexBlock(block.bytes, true, this.withTail);
          if (index.fault === undefined) index.seal(this.seed);
          block.dirty = true;
        });
      }
      return;
    }
    let records = entries.records();
    if (this.withTail && !entries.hasTail && report.ask(`${where}: directory has no checksum.`, 'Fix')) {
      entries.addTail();
      this.seal(block);
      records = entries.records();
    }
    if (records === undefined) {
      if (!report.ask(`${where}, offset 0: directory corrupted`, 'Salvage')) return;
      salvage(entries);
      this.seal(block);
      records = entries.records() ?? [];
    } else if (!entries.checksumIsRight(this.seed)) {
      if (report.ask(`${where}: directory passes checks but fails checksum.`, 'Fix', true)) this.seal(block);
    }
    if (logical === 0) await this.dots(entries, records[0], records[1], () => this.seal(block));
    for (const record of entries.records() ?? []) {
      if (record.inode === 0 || (logical === 0 && record.offset <= 12 && isDots(entries.name(record)))) continue;
      if (await this.entry(entries, record)) {
        const name = entries.name(record);
        this.noteHash(logical, name);
        continue;
      }
      entries.remove(record);
      this.seal(block);
    }
  }

  private noteHash(logical: number, name: Uint8Array): void {
    const { superblock: s } = this.state.volume;
    if (!this.directory.hasIndex) return;
    const hash = nameHash(name, this.version, s.unsignedHash, s.hashSeed) ?? 0;
    const leaf = this.leaves.get(logical);
    if (leaf === undefined) this.leaves.set(logical, { low: hash, high: hash });
    else {
      leaf.low = Math.min(leaf.low, hash);
      leaf.high = Math.max(leaf.high, hash);
    }
  }

  private async dots(
    entries: DirectoryBlock,
    dot: DirectoryRecord | undefined,
    dotDot: DirectoryRecord | undefined,
    seal: () => void,
  ): Promise<void> {
    const { state, directory } = this;
    const { report } = state;
    const { number } = directory;
    if (dot === undefined || dot.inode === 0 || !same(entries.name(dot), DOT)) {
      if (dot !== undefined && dot.length >= 24 && report.ask(`Missing '.' in directory inode ${number}.`, 'Fix')) {
        entries.write(0, 12, number, DOT, DIRECTORY);
        entries.write(12, dot.length - 12, number === ROOT_INODE ? ROOT_INODE : 0, DOT_DOT, DIRECTORY);
        seal();
        state.restart = true;
      } else report.leave(`Missing '.' in directory inode ${number}.`);
      return;
    }
    if (dot.inode !== number && report.ask(`Directory inode ${number} has the wrong inode in '.' (${dot.inode}).`, 'Fix')) {
      entries.setInode(dot, number, DIRECTORY);
      seal();
    }
    this.state.names[number] = (this.state.names[number] ?? 0) + 1;
    if (dotDot === undefined || !same(entries.name(dotDot), DOT_DOT)) {
      report.leave(`Missing '..' in directory inode ${number}.`);
      return;
    }
    for (const record of [dot, dotDot])
      if (
        this.withType &&
        record.type !== DIRECTORY &&
        report.ask(`Entry '${decodeName(entries.name(record))}' in directory inode ${number} has an incorrect filetype.`, 'Fix')
      ) {
        entries.setInode(entries.recordAt(record.offset), entries.recordAt(record.offset).inode, DIRECTORY);
        seal();
      }
    state.dotDots.set(number, dotDot.inode);
    await Promise.resolve();
  }

  /** False = the entry has to go. May change it. */
  private async entry(entries: DirectoryBlock, record: DirectoryRecord): Promise<boolean> {
    const { state, directory } = this;
    const { report } = state;
    const { superblock: s, groups } = state.volume;
    const bytes = entries.name(record);
    const name = decodeName(bytes);
    const at = `Entry '${name}' in directory inode ${directory.number}`;
    const clear = (problem: string): boolean => !report.ask(`${at} ${problem}`, 'Clear');
    if (record.inode > s.inodes || (record.inode < s.firstInode && record.inode !== ROOT_INODE))
      return clear(`has invalid inode #: ${record.inode}.`);
    if (record.nameBytes === 0) return clear('has a zero-length name.');
    if (isDots(bytes)) return clear('is a second one.');
    if (bytes.includes(0) || bytes.includes(47)) return clear('has illegal characters in its name.');
    if (!state.isUsed(record.inode)) {
      const group = Math.floor((record.inode - 1) / s.inodesPerGroup);
      const index = (record.inode - 1) % s.inodesPerGroup;
      const inode = await state.volume.inode(record.inode, true);
      if (index >= s.inodesPerGroup - groups.unusedInodes(group) && inode.links > 0) {
        if (report.ask(`${at} references inode ${record.inode} found in group ${group}'s unused inodes area.`, 'Fix')) {
          groups.setUnusedInodes(group, s.inodesPerGroup - index - 1);
          state.volume.groupChanged(group);
          state.restart = true;
        }
        return true;
      }
      return clear(`has deleted/unused inode ${record.inode}.`);
    }
    if (this.names.has(name)) return clear('is found twice.');
    this.names.add(name);
    if (state.isDirectory(record.inode)) {
      if (record.inode === ROOT_INODE) return clear('is a link to the root directory.');
      const parent = state.parents.get(record.inode);
      if (parent !== undefined)
        return clear(`is a link to directory inode ${record.inode}, which directory inode ${parent} has already.`);
    }
    const type = state.types[record.inode] ?? 0;
    if (
      this.withType &&
      record.type !== type &&
      report.ask(`${at} has an incorrect filetype (was ${record.type}, should be ${type}).`, 'Fix')
    ) {
      entries.setInode(record, record.inode, type);
      entries.seal(this.seed);
      await this.touchBlock(entries);
    }
    await this.noteEntry(bytes, record.inode, type);
    return true;
  }

  private async touchBlock(entries: DirectoryBlock): Promise<void> {
    // The cache has the block whose bytes these are; finding it again keeps the entry check free of it.
    const blocks = this.directory.size / this.state.volume.blockBytes;
    for (let logical = 0; logical < blocks; logical += 1) {
      const { physical } = await this.state.mount.mappers.of(this.directory).find(this.directory, logical, 1);
      const block = physical === 0 ? undefined : this.state.volume.cache.peek(physical);
      if (block?.bytes === entries.bytes) block.dirty = true;
    }
  }

  private noteEntry(name: Uint8Array, inode: number, type: number): Promise<void> {
    const { state, directory } = this;
    state.names[inode] = (state.names[inode] ?? 0) + 1;
    if (isDots(name)) {
      if (name.length === 2) {
        state.names[inode] = (state.names[inode] ?? 1) - 1;
        state.dotDots.set(directory.number, inode);
      }
    } else if (type === DIRECTORY || state.isDirectory(inode)) state.parents.set(inode, directory.number);
    return Promise.resolve();
  }

  /** Every leaf in its place, every block in the index once. */
  private async checkIndex(rooted: boolean): Promise<void> {
    const { state, directory } = this;
    const problem = !state.volume.superblock.hasCompat(COMPAT.DIR_INDEX)
      ? 'has INDEX_FL flag set on filesystem without htree support.'
      : rooted
        ? await this.indexProblem()
        : 'has an invalid root node.';
    if (
      problem === undefined ||
      !state.report.ask(`Problem in HTREE directory inode ${directory.number}: ${problem}`, 'Clear HTree index')
    )
      return;
    await this.dropIndex();
    this.changed = true;
  }

  private async indexProblem(): Promise<string | undefined> {
    const { state, directory, withTail, seed } = this;
    const blocks = directory.size / state.volume.blockBytes;
    const seen = new Set<number>([0]);
    const maxLevels = state.volume.superblock.hasIncompat(INCOMPAT.LARGEDIR) ? 3 : 2;
    const walk = async (logical: number, level: number, low: number, high: number): Promise<string | undefined> => {
      const { physical } = await state.mount.mappers.of(directory).find(directory, logical, 1);
      if (physical === 0) return `block #${logical} is a hole.`;
      const index = new IndexBlock((await state.volume.cache.read(physical)).bytes, logical === 0, withTail);
      if (index.fault !== undefined) return `block #${logical} ${index.fault}.`;
      if (!index.checksumIsRight(seed)) return `block #${logical} fails its checksum.`;
      if (logical === 0) {
        if (index.hashVersion > 2) return `root node has an unsupported hash version (${index.hashVersion}).`;
        if (index.levels >= maxLevels) return `root node has an invalid depth (${index.levels}).`;
      }
      const depth = logical === 0 ? index.levels : level;
      for (let n = 0; n < index.count; n += 1) {
        const child = index.block(n);
        const from = n === 0 ? low : index.hash(n);
        const to = n + 1 < index.count ? index.hash(n + 1) : high;
        if (child === 0 || child >= blocks) return `invalid block number ${child}.`;
        if (seen.has(child)) return `block #${child} referenced twice.`;
        seen.add(child);
        if (depth > 0) {
          const below = await walk(child, depth - 1, from, to);
          if (below !== undefined) return below;
          continue;
        }
        const leaf = this.leaves.get(child);
        if (leaf === undefined) continue;
        if (leaf.low < (from & ~1) >>> 0) return `block #${child} has bad min hash.`;
        if (leaf.high > to) return `block #${child} has bad max hash.`;
      }
      return undefined;
    };
    const problem = await walk(0, 0, 0, 0xffffffff);
    if (problem !== undefined) return problem;
    for (let logical = 0; logical < blocks; logical += 1) if (!seen.has(logical)) return `block #${logical} not referenced.`;
    return undefined;
  }

  /** The blocks of the index become blocks without entries. */
  private async dropIndex(): Promise<void> {
    const { state, directory } = this;
    directory.flags &= ~FLAG_INDEX;
    const blocks = directory.size / state.volume.blockBytes;
    for (let logical = 0; logical < blocks; logical += 1) {
      const { physical } = await state.mount.mappers.of(directory).find(directory, logical, 1);
      if (physical === 0) continue;
      const block = await state.volume.cache.read(physical);
      const entries = new DirectoryBlock(block.bytes, this.withType, this.withTail);
      if (logical === 0) {
        const parent = entries.recordAt(12);
        if (parent.length !== block.bytes.length - 12) continue;
        block.bytes.fill(0, 24);
        entries.addTail();
        entries.write(12, entries.limit - 12, parent.inode, DOT_DOT, DIRECTORY);
      } else if (IndexBlock.isIndex(block.bytes, logical)) entries.format();
      else continue;
      this.seal(block);
    }
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, n) => byte === b[n]);
}

/** Keeps the records up to the first of a wrong length; what follows is free. */
function salvage(entries: DirectoryBlock): void {
  let offset = 0;
  let last: DirectoryRecord | undefined;
  while (offset + 8 <= entries.limit) {
    const record = entries.recordAt(offset);
    const least = recordBytes(record.inode === 0 ? 0 : record.nameBytes);
    if (record.length < least || record.length % 4 !== 0 || offset + record.length > entries.limit) break;
    last = record;
    offset += record.length;
  }
  if (offset === 0) {
    entries.format();
    return;
  }
  if (last !== undefined && offset < entries.limit)
    entries.write(last.offset, entries.limit - last.offset, last.inode, entries.name(last).slice(), last.type);
  entries.addTail();
}

export async function checkConnectivity(state: CheckState): Promise<void> {
  const { report, volume, mount } = state;
  report.say('Pass 3: Checking directory connectivity');
  if (!state.isDirectory(ROOT_INODE)) {
    report.leave('Root inode is not a directory.');
    return;
  }
  const reached = new Set<number>([ROOT_INODE]);
  for (const number of state.directories) {
    const path: number[] = [];
    let at = number;
    const onPath = new Set<number>();
    while (!reached.has(at)) {
      path.push(at);
      onPath.add(at);
      const parent = state.parents.get(at);
      if (parent !== undefined && !onPath.has(parent)) {
        at = parent;
        continue;
      }
      if (
        report.ask(
          `Unconnected directory inode ${at} (was in directory inode ${state.dotDots.get(at) ?? 0})`,
          'Connect to /lost+found',
        )
      ) {
        const old = state.parents.get(at);
        const lost = await connect(state, at);
        if (lost === undefined) {
          report.leave('There is no /lost+found with room.');
          return;
        }
        if (old !== undefined) state.names[at] = (state.names[at] ?? 1) - 1;
        state.parents.set(at, lost);
      }
      break;
    }
    for (const one of path) reached.add(one);
  }
  for (const number of state.directories) {
    const parent = number === ROOT_INODE ? ROOT_INODE : state.parents.get(number);
    const said = state.dotDots.get(number);
    if (parent === undefined || said === undefined) continue;
    let counted = said;
    if (said !== parent && report.ask(`'..' in directory inode ${number} is ${said}, should be ${parent}.`, 'Fix')) {
      await mount.directories.replace(await volume.inode(number, true), DOT_DOT, parent, DIRECTORY);
      counted = parent;
    }
    if (counted > 0 && counted <= volume.superblock.inodes) state.names[counted] = (state.names[counted] ?? 0) + 1;
  }
}

/** Names the inode in /lost+found, which is made when it is missing. Its number; undefined when there is no room. */
export async function connect(state: CheckState, number: number): Promise<number | undefined> {
  const { volume, mount } = state;
  try {
    const root = await volume.inode(ROOT_INODE, true);
    const found = await mount.directories.lookup(root, encodeName('lost+found'));
    if (found === undefined || !state.isDirectory(found.inode)) return undefined;
    const lost = await volume.inode(found.inode, true);
    const inode = await volume.inode(number, true);
    const before = lost.size / volume.blockBytes;
    await mount.directories.add(
      lost,
      encodeName(`#${number}`),
      number,
      inode.type === TYPE_DIRECTORY ? DIRECTORY : (state.types[number] ?? 0),
    );
    await volume.saveInode(lost);
    for (let logical = before; logical < lost.size / volume.blockBytes; logical += 1) {
      const { physical } = await mount.mappers.of(lost).find(lost, logical, 1);
      // The bitmap it came from is not checked yet.
      if (!state.claim(physical, found.inode))
        throw damaged('/lost+found could only grow into blocks in use; check once more after the bitmaps are right');
    }
    state.names[number] = (state.names[number] ?? 0) + 1;
    setBit(state.usedInodes, number);
    return found.inode;
  } catch (error) {
    if (error instanceof PosixError && error.code === 'ENOSPC') return undefined;
    throw error;
  }
}
