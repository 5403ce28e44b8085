/**
 * Files mapped by a tree of extents. A node that is full is split: in the middle, or at its end when the new entry goes there, so
 * that files written in order get full nodes.
 */
import type { Allocator } from './allocator.ts';
import { damaged, type ExtVolume } from './ext-volume.ts';
import { ExtentNode, LOGICAL_END, MAX_DEPTH, MAX_UNWRITTEN, MAX_WRITTEN, type Extent } from './extent-node.ts';
import type { Inode } from './inode.ts';
import type { BlockMapper, Mapping } from './mapping.ts';

interface Step {
  readonly node: ExtentNode;
  /** The entry that leads on, or the extent at or before the block looked for; -1 = before the first. */
  index: number;
  /** The node maps no block from here on. */
  readonly high: number;
}

export class ExtentMapper implements BlockMapper {
  readonly maxBlocks = LOGICAL_END - 1;

  constructor(
    private readonly volume: ExtVolume,
    private readonly allocator: Allocator,
  ) {}

  async find(inode: Inode, logical: number, most: number): Promise<Mapping> {
    const path = await this.descend(inode, logical);
    const leaf = path[path.length - 1];
    if (leaf === undefined) throw new Error('a path has a leaf');
    let next = leaf.high;
    if (leaf.index + 1 < leaf.node.entries) next = leaf.node.key(leaf.index + 1);
    if (leaf.index >= 0) {
      const extent = leaf.node.extent(leaf.index);
      const into = logical - extent.block;
      if (into < extent.count) {
        this.checkRange(inode, extent);
        return { physical: extent.physical + into, count: Math.min(most, extent.count - into), unwritten: extent.unwritten };
      }
    }
    return { physical: 0, count: Math.min(most, next - logical), unwritten: false };
  }

  async allocate(inode: Inode, logical: number, count: number, goal: number): Promise<Mapping> {
    const found = await this.find(inode, logical, count);
    if (found.unwritten) return this.writeUnwritten(inode, logical, found);
    if (found.physical !== 0) return found;
    const run = await this.allocator.allocate(goal, Math.min(found.count, MAX_WRITTEN));
    try {
      await this.insert(inode, { block: logical, count: run.count, physical: run.first, unwritten: false });
    } catch (error) {
      await this.allocator.free(run.first, run.count);
      throw error;
    }
    inode.sectors += run.count * this.sectorsPerBlock;
    return { physical: run.first, count: run.count, unwritten: false };
  }

  async truncate(inode: Inode, logical: number): Promise<void> {
    for (;;) {
      const path = await this.descend(inode, LOGICAL_END - 1);
      const leaf = path[path.length - 1]?.node;
      if (leaf === undefined) return;
      let done = false;
      while (leaf.entries > 0) {
        const extent = leaf.extent(leaf.entries - 1);
        const kept = Math.max(0, Math.min(extent.count, logical - extent.block));
        if (kept === extent.count) {
          done = true;
          break;
        }
        this.checkRange(inode, extent);
        if (kept === 0) leaf.remove(leaf.entries - 1);
        else leaf.setExtent(leaf.entries - 1, { ...extent, count: kept });
        leaf.changed(inode, this.volume);
        inode.sectors = Math.max(0, inode.sectors - (extent.count - kept) * this.sectorsPerBlock);
        await this.allocator.free(extent.physical + kept, extent.count - kept);
      }
      if (leaf.entries === 0) await this.removeEmpty(inode, path);
      if (done || path.length === 1 || ExtentNode.root(inode).entries === 0) return;
      await this.volume.trim();
    }
  }

  private get sectorsPerBlock(): number {
    return this.volume.blockBytes / 512;
  }

  private checkRange(inode: Inode, extent: Extent): void {
    if (!this.volume.isFileRange(extent.physical, extent.count))
      throw damaged(
        `inode ${inode.number} maps blocks ${extent.physical} to ${extent.physical + extent.count - 1}, which cannot be its own`,
      );
  }

  /** From the root to the leaf that maps `logical` or would. */
  private async descend(inode: Inode, logical: number): Promise<Step[]> {
    let node = ExtentNode.root(inode);
    let high = LOGICAL_END;
    const path: Step[] = [{ node, index: node.search(logical), high }];
    for (let depth = node.depth; depth > 0; depth -= 1) {
      const step = path[path.length - 1];
      if (step === undefined) break;
      step.index = Math.max(step.index, 0);
      if (step.index + 1 < node.entries) high = node.key(step.index + 1);
      node = await ExtentNode.load(this.volume, inode, node.child(step.index), depth - 1, node.key(step.index), high);
      path.push({ node, index: node.search(logical), high });
    }
    return path;
  }

  private async insert(inode: Inode, extent: Extent): Promise<void> {
    for (;;) {
      const path = await this.descend(inode, extent.block);
      const leaf = path[path.length - 1];
      if (leaf === undefined) return;
      const at = leaf.index + 1;
      if (mergeInto(leaf.node, at, extent)) {
        leaf.node.changed(inode, this.volume);
        if (at === 0) this.lowerKeys(inode, path, extent.block);
        return;
      }
      if (leaf.node.entries < leaf.node.max) {
        leaf.node.open(at);
        leaf.node.setExtent(at, extent);
        leaf.node.changed(inode, this.volume);
        if (at === 0) this.lowerKeys(inode, path, extent.block);
        return;
      }
      await this.makeRoom(inode, path);
    }
  }

  /** The first key of the leaf became smaller: so do those that lead there. */
  private lowerKeys(inode: Inode, path: readonly Step[], logical: number): void {
    for (let level = path.length - 2; level >= 0; level -= 1) {
      const step = path[level];
      if (step === undefined || step.node.key(step.index) <= logical) return;
      step.node.setKey(step.index, logical);
      step.node.changed(inode, this.volume);
      if (step.index > 0) return;
    }
  }

  /** One step towards room in the leaf: splits the highest full node under one with room, or puts a level below the root. */
  private async makeRoom(inode: Inode, path: readonly Step[]): Promise<void> {
    let level = path.length - 2;
    while (level >= 0 && (path[level]?.node.entries ?? 0) >= (path[level]?.node.max ?? 0)) level -= 1;
    const parent = path[level];
    const full = path[level + 1];
    if (full === undefined) return;
    if (parent === undefined) {
      const root = full.node;
      if (root.depth >= MAX_DEPTH) throw damaged(`the extent tree of inode ${inode.number} is too deep`);
      const first = root.key(0);
      const node = await this.newNode(inode, root.depth);
      root.moveTo(node, 0);
      node.changed(inode, this.volume);
      root.format(node.depth + 1);
      root.open(0);
      root.setIndex(0, first, node.block?.number ?? 0);
      return;
    }
    const atEnd = full.index + 1 >= full.node.entries;
    const node = await this.newNode(inode, full.node.depth);
    full.node.moveTo(node, atEnd ? full.node.entries - 1 : full.node.entries >>> 1);
    full.node.changed(inode, this.volume);
    node.changed(inode, this.volume);
    parent.node.open(parent.index + 1);
    parent.node.setIndex(parent.index + 1, node.key(0), node.block?.number ?? 0);
    parent.node.changed(inode, this.volume);
  }

  private async newNode(inode: Inode, depth: number): Promise<ExtentNode> {
    const group = Math.floor((inode.number - 1) / this.volume.superblock.inodesPerGroup);
    const run = await this.allocator.allocate(this.volume.superblock.groupStart(group), 1);
    inode.sectors += this.sectorsPerBlock;
    const block = this.volume.cache.fresh(run.first);
    const node = new ExtentNode(block.bytes, block);
    node.format(depth);
    return node;
  }

  /** The leaf of the path has no entry left: it goes, and nodes above that become empty by that. */
  private async removeEmpty(inode: Inode, path: readonly Step[]): Promise<void> {
    for (let level = path.length - 1; level > 0; level -= 1) {
      const step = path[level];
      const parent = path[level - 1];
      if (step === undefined || parent === undefined || step.node.entries > 0) break;
      parent.node.remove(parent.index);
      parent.node.changed(inode, this.volume);
      inode.sectors = Math.max(0, inode.sectors - this.sectorsPerBlock);
      await this.allocator.free(step.node.block?.number ?? 0, 1);
    }
    const root = path[0]?.node;
    if (root?.entries === 0) root.format(0);
  }

  /** Makes what was found unwritten written. What a full disk keeps from being mapped anew becomes a hole: it has zeros either way. */
  private async writeUnwritten(inode: Inode, logical: number, found: Mapping): Promise<Mapping> {
    const path = await this.descend(inode, logical);
    const leaf = path[path.length - 1];
    if (leaf === undefined) return found;
    const old = leaf.node.extent(leaf.index);
    const before = logical - old.block;
    const after = old.count - before - found.count;
    const written = { block: logical, count: found.count, physical: found.physical, unwritten: false };
    const rest: Extent[] = [];
    if (after > 0)
      rest.push({ block: logical + found.count, count: after, physical: found.physical + found.count, unwritten: true });
    if (before > 0) {
      leaf.node.setExtent(leaf.index, { ...old, count: before });
      rest.unshift(written);
    } else leaf.node.setExtent(leaf.index, written);
    leaf.node.changed(inode, this.volume);
    for (const [n, extent] of rest.entries()) {
      try {
        await this.insert(inode, extent);
      } catch (error) {
        for (const lost of rest.slice(n)) {
          inode.sectors -= lost.count * this.sectorsPerBlock;
          await this.allocator.free(lost.physical, lost.count);
        }
        throw error;
      }
    }
    return { physical: found.physical, count: found.count, unwritten: false };
  }
}

/** Joins the extent with the one before `at` or the one there, if they continue each other. */
function mergeInto(leaf: ExtentNode, at: number, extent: Extent): boolean {
  const most = extent.unwritten ? MAX_UNWRITTEN : MAX_WRITTEN;
  const joins = (a: Extent, b: Extent): boolean =>
    a.unwritten === b.unwritten &&
    a.block + a.count === b.block &&
    a.physical + a.count === b.physical &&
    a.count + b.count <= most;
  const left = at > 0 ? leaf.extent(at - 1) : undefined;
  const right = at < leaf.entries ? leaf.extent(at) : undefined;
  if (left !== undefined && joins(left, extent)) {
    const joined = { ...left, count: left.count + extent.count };
    if (right !== undefined && joins(joined, right)) {
      leaf.setExtent(at - 1, { ...joined, count: joined.count + right.count });
      leaf.remove(at);
    } else leaf.setExtent(at - 1, joined);
    return true;
  }
  if (right !== undefined && joins(extent, right)) {
    leaf.setExtent(at, { ...extent, count: extent.count + right.count });
    return true;
  }
  return false;
}
