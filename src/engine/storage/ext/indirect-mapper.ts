/**
 * Files mapped by block numbers: twelve in the inode, then one block of them, blocks of blocks, and blocks of those.
 * @see Linux Documentation/filesystems/ext4/blockmap.rst
 */
import type { Allocator } from './allocator.ts';
import { damaged, type ExtVolume } from './ext-volume.ts';
import type { Inode } from './inode.ts';
import type { BlockMapper, Mapping } from './mapping.ts';

const DIRECT = 12;

/** The way to a logical block: slot in the inode, then slots in the blocks of each level. */
interface Way {
  readonly slots: readonly number[];
  /** Logical blocks from this one to the end of each level's entry. */
  readonly left: readonly number[];
}

export class IndirectMapper implements BlockMapper {
  readonly maxBlocks: number;
  private readonly perBlock: number;

  constructor(
    private readonly volume: ExtVolume,
    private readonly allocator: Allocator,
  ) {
    this.perBlock = volume.blockBytes / 4;
    this.maxBlocks = Math.min(DIRECT + this.perBlock + this.perBlock ** 2 + this.perBlock ** 3, 2 ** 32 - 1);
  }

  async find(inode: Inode, logical: number, most: number): Promise<Mapping> {
    const { slots, left } = this.way(logical);
    let entries = new DataView(inode.map.buffer, inode.map.byteOffset, 60);
    for (let level = 0; level < slots.length - 1; level += 1) {
      const block = entries.getUint32((slots[level] ?? 0) * 4, true);
      if (block === 0) return { physical: 0, count: Math.min(most, left[level] ?? 1), unwritten: false };
      entries = await this.entriesOf(inode, block);
    }
    const slot = slots[slots.length - 1] ?? 0;
    const end = Math.min(slots.length === 1 ? DIRECT : this.perBlock, slot + most);
    const physical = entries.getUint32(slot * 4, true);
    let count = 1;
    while (slot + count < end && entries.getUint32((slot + count) * 4, true) === (physical === 0 ? 0 : physical + count))
      count += 1;
    if (physical !== 0 && !this.volume.isFileRange(physical, count))
      throw damaged(`inode ${inode.number} maps blocks ${physical} to ${physical + count - 1}, which cannot be its own`);
    return { physical, count, unwritten: false };
  }

  async allocate(inode: Inode, logical: number, count: number, goal: number): Promise<Mapping> {
    const { slots } = this.way(logical);
    let entries = new DataView(inode.map.buffer, inode.map.byteOffset, 60);
    let touch = (): void => undefined;
    let near = goal;
    for (let level = 0; level < slots.length - 1; level += 1) {
      const at = (slots[level] ?? 0) * 4;
      let number = entries.getUint32(at, true);
      if (number === 0) {
        number = (await this.allocator.allocate(near, 1)).first;
        near = number + 1;
        inode.sectors += this.volume.blockBytes / 512;
        this.volume.cache.fresh(number);
        entries.setUint32(at, number, true);
        touch();
      }
      entries = await this.entriesOf(inode, number);
      const block = await this.volume.cache.read(number);
      touch = (): void => {
        block.dirty = true;
      };
    }
    const slot = slots[slots.length - 1] ?? 0;
    const end = Math.min(slots.length === 1 ? DIRECT : this.perBlock, slot + count);
    let wanted = 0;
    while (slot + wanted < end && entries.getUint32((slot + wanted) * 4, true) === 0) wanted += 1;
    if (wanted === 0) return this.find(inode, logical, count);
    const run = await this.allocator.allocate(near, wanted);
    for (let n = 0; n < run.count; n += 1) entries.setUint32((slot + n) * 4, run.first + n, true);
    touch();
    inode.sectors += (run.count * this.volume.blockBytes) / 512;
    return { physical: run.first, count: run.count, unwritten: false };
  }

  async truncate(inode: Inode, logical: number): Promise<void> {
    const map = new DataView(inode.map.buffer, inode.map.byteOffset, 60);
    await this.cut(inode, map, 0, DIRECT, 0, 0, logical);
    let start = DIRECT;
    for (let level = 1; level <= 3; level += 1) {
      await this.cut(inode, map, DIRECT + level - 1, DIRECT + level, level, start, logical);
      start += this.perBlock ** level;
    }
  }

  /** Gives back what the entries [from, to) map of `logical` on; each maps perBlock^level blocks, the first those from `start`. */
  private async cut(
    inode: Inode,
    entries: DataView,
    from: number,
    to: number,
    level: number,
    start: number,
    logical: number,
  ): Promise<boolean> {
    const span = this.perBlock ** level;
    let changed = false;
    for (let slot = from; slot < to; slot += 1) {
      const first = start + (slot - from) * span;
      const number = entries.getUint32(slot * 4, true);
      if (number === 0 || first + span <= logical) continue;
      let keep = false;
      if (level > 0) {
        const below = await this.entriesOf(inode, number);
        if (await this.cut(inode, below, 0, this.perBlock, level - 1, first, logical))
          (await this.volume.cache.read(number)).dirty = true;
        keep = first < logical;
      }
      if (keep) continue;
      entries.setUint32(slot * 4, 0, true);
      changed = true;
      inode.sectors = Math.max(0, inode.sectors - this.volume.blockBytes / 512);
      await this.allocator.free(number, 1);
    }
    return changed;
  }

  private async entriesOf(inode: Inode, block: number): Promise<DataView> {
    if (!this.volume.isFileRange(block, 1))
      throw damaged(`inode ${inode.number} has an indirect block at ${block}, which cannot be its own`);
    return (await this.volume.cache.read(block)).view;
  }

  private way(logical: number): Way {
    const { perBlock } = this;
    if (logical < DIRECT) return { slots: [logical], left: [1] };
    let rest = logical - DIRECT;
    for (let level = 1; level <= 3; level += 1) {
      const whole = perBlock ** level;
      if (rest < whole) {
        const slots = [DIRECT + level - 1];
        const left = [whole - rest];
        for (let below = level - 1; below >= 0; below -= 1) {
          const span = perBlock ** below;
          slots.push(Math.floor(rest / span) % perBlock);
          left.push(span - (rest % span));
        }
        return { slots, left };
      }
      rest -= whole;
    }
    throw damaged(`block ${logical} of a file is more than can be mapped`);
  }
}
