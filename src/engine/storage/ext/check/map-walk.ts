/**
 * Walks what an inode maps, believing nothing, and repairs what cannot be right by taking it out of the map. Blocks of the map
 * itself are claimed before they are looked into, so that a block in two places ends the walk.
 */
import { damaged } from '../ext-volume.ts';
import { ExtentNode, LOGICAL_END } from '../extent-node.ts';
import type { Inode } from '../inode.ts';
import type { CheckState } from './check-state.ts';

export interface MapSummary {
  /** Blocks in use, with those of the map. */
  blocks: number;
  /** Last logical block that is mapped, -1 = none. */
  last: number;
  /** The same of blocks that are written. */
  lastWritten: number;
  /** The inode's own bytes were changed. */
  changed: boolean;
  /** The map's root is beyond repair. */
  hopeless: string | undefined;
  fragments: number;
}

export class MapWalk {
  private readonly summary: MapSummary = {
    blocks: 0,
    last: -1,
    lastWritten: -1,
    changed: false,
    hopeless: undefined,
    fragments: 0,
  };
  private nextPhysical = -1;

  constructor(
    private readonly state: CheckState,
    private readonly inode: Inode,
  ) {}

  async run(): Promise<MapSummary> {
    if (this.inode.hasExtents) await this.extents();
    else await this.indirect();
    return this.summary;
  }

  private async extents(): Promise<void> {
    const root = new ExtentNode(this.inode.map, undefined);
    const fault = root.fault(undefined, 0, LOGICAL_END);
    if (fault !== undefined) {
      this.summary.hopeless = `has a corrupt extent header (it ${fault})`;
      return;
    }
    await this.node(root, 0, LOGICAL_END);
  }

  private async node(node: ExtentNode, low: number, high: number): Promise<void> {
    const { state, inode } = this;
    for (let index = 0; index < node.entries;) {
      if (node.depth === 0 ? this.leafEntry(node, index) : await this.indexEntry(node, index, high)) index += 1;
      else {
        node.remove(index);
        this.touched(node);
        if (node.entries === 0 && node.block === undefined) node.format(0);
      }
    }
    if (low > high || state.restart) throw damaged(`inode ${inode.number} cannot be walked`);
  }

  private touched(node: ExtentNode): void {
    node.changed(this.inode, this.state.volume);
    if (node.block === undefined) this.summary.changed = true;
  }

  /** False = the entry has to go. */
  private leafEntry(node: ExtentNode, index: number): boolean {
    const { state, inode, summary } = this;
    const extent = node.extent(index);
    if (
      extent.physical <= state.volume.superblock.firstDataBlock ||
      extent.physical + extent.count > state.volume.superblock.blocks
    )
      return !state.report.ask(
        `Inode ${inode.number} has an invalid extent\n\t(logical block ${extent.block}, physical block ${extent.physical}, len ${extent.count})`,
        'Clear',
      );
    this.claimRun(extent.physical, extent.count);
    const last = extent.block + extent.count - 1;
    summary.last = Math.max(summary.last, last);
    if (!extent.unwritten) summary.lastWritten = Math.max(summary.lastWritten, last);
    return true;
  }

  private async indexEntry(node: ExtentNode, index: number, high: number): Promise<boolean> {
    const { state, inode } = this;
    const { volume, report } = state;
    const number = node.child(index);
    if (number <= volume.superblock.firstDataBlock || number >= volume.superblock.blocks)
      return !report.ask(`Inode ${inode.number} has an invalid extent node (blk ${number}, lblk ${node.key(index)})`, 'Clear');
    const block = await volume.cache.read(number);
    const child = new ExtentNode(block.bytes, block);
    const end = index + 1 < node.entries ? node.key(index + 1) : high;
    const fault = child.fault(node.depth - 1, node.key(index), end);
    if (fault !== undefined)
      return !report.ask(
        `Inode ${inode.number} has an invalid extent node (blk ${number}, lblk ${node.key(index)}): it ${fault}.`,
        'Clear',
      );
    const fresh = state.claim(number, inode.number);
    this.summary.blocks += 1;
    if (!fresh) return true;
    if (
      volume.superblock.hasMetadataChecksums &&
      !child.checksumIsRight(inode, volume.checksumSeed) &&
      report.ask(
        `Inode ${inode.number} extent block passes checks, but checksum does not match extent\n\t(logical block ${node.key(index)})`,
        'Fix',
      )
    )
      child.changed(inode, volume);
    if (
      child.key(0) !== node.key(index) &&
      report.ask(
        `Interior extent node level ${node.depth} of inode ${inode.number}:\nLogical start ${node.key(index)} does not match logical start ${child.key(0)} at next level.`,
        'Fix',
      )
    ) {
      node.setKey(index, child.key(0));
      this.touched(node);
    }
    await this.node(child, node.key(index), end);
    return child.entries > 0;
  }

  private claimRun(physical: number, count: number): void {
    const { state, inode, summary } = this;
    for (let n = 0; n < count; n += 1) state.claim(physical + n, inode.number);
    summary.blocks += count;
    if (this.nextPhysical >= 0 && this.nextPhysical !== physical) summary.fragments += 1;
    this.nextPhysical = physical + count;
  }

  private async indirect(): Promise<void> {
    const view = new DataView(this.inode.map.buffer, this.inode.map.byteOffset, 60);
    for (let slot = 0; slot < 12; slot += 1) if (await this.pointer(view, slot, 0, slot)) this.summary.changed = true;
    const perBlock = this.state.volume.blockBytes / 4;
    let start = 12;
    for (let level = 1; level <= 3; level += 1) {
      if (await this.pointer(view, 11 + level, level, start)) this.summary.changed = true;
      start += perBlock ** level;
    }
  }

  /** True = it was taken out. */
  private async pointer(entries: DataView, slot: number, level: number, logical: number): Promise<boolean> {
    const { state, inode, summary } = this;
    const { volume } = state;
    const number = entries.getUint32(slot * 4, true);
    if (number === 0) return false;
    if (number <= volume.superblock.firstDataBlock || number >= volume.superblock.blocks) {
      if (!state.report.ask(`Inode ${inode.number} has illegal block(s).  Illegal block #${logical} (${number}).`, 'Clear'))
        return false;
      entries.setUint32(slot * 4, 0, true);
      return true;
    }
    if (level === 0) {
      this.claimRun(number, 1);
      summary.last = Math.max(summary.last, logical);
      summary.lastWritten = summary.last;
      return false;
    }
    const fresh = state.claim(number, inode.number);
    summary.blocks += 1;
    this.nextPhysical = -1;
    if (!fresh) return false;
    const block = await volume.cache.read(number);
    const perBlock = volume.blockBytes / 4;
    for (let n = 0; n < perBlock; n += 1)
      if (await this.pointer(block.view, n, level - 1, logical + n * perBlock ** (level - 1))) block.dirty = true;
    return false;
  }
}
