/**
 * Blocks of metadata in memory, written back together. A block handed out stays the same object until `trim` or `forget`: callers
 * trim only where they hold none. Contents of files go past the cache, straight to the disk.
 */
import { SECTOR_BYTES, type DiskImage } from '../disk-image.ts';

export interface CachedBlock {
  readonly number: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  dirty: boolean;
}

const DEFAULT_LIMIT_BYTES = 8 * 1024 * 1024;
/** Neighbours are written together up to that. */
const WRITE_BYTES = 1024 * 1024;

export class BlockCache {
  /** In the order of last use. */
  private readonly blocks = new Map<number, CachedBlock>();

  constructor(
    readonly disk: DiskImage,
    readonly blockBytes: number,
    private readonly limitBytes = DEFAULT_LIMIT_BYTES,
  ) {}

  async read(number: number): Promise<CachedBlock> {
    const known = this.blocks.get(number);
    if (known !== undefined) {
      this.blocks.delete(number);
      this.blocks.set(number, known);
      return known;
    }
    const bytes = new Uint8Array(this.blockBytes);
    await this.readRaw(number, bytes);
    return this.add(number, bytes, false);
  }

  /** The block if it is in memory. */
  peek(number: number): CachedBlock | undefined {
    return this.blocks.get(number);
  }

  /** A block whose old contents do not matter: zeros, dirty. */
  fresh(number: number): CachedBlock {
    const known = this.blocks.get(number);
    if (known !== undefined) {
      known.bytes.fill(0);
      known.dirty = true;
      return known;
    }
    return this.add(number, new Uint8Array(this.blockBytes), true);
  }

  /** The block is not metadata any more. */
  forget(number: number): void {
    this.blocks.delete(number);
  }

  /** Whole blocks, past the cache. */
  async readRaw(number: number, into: Uint8Array): Promise<void> {
    await this.disk.read((number * this.blockBytes) / SECTOR_BYTES, into);
  }
  async writeRaw(number: number, from: Uint8Array): Promise<void> {
    await this.disk.write((number * this.blockBytes) / SECTOR_BYTES, from);
  }

  /** Writes what is dirty, in the order of the disk. */
  async writeBack(): Promise<void> {
    const dirty = [...this.blocks.values()].filter((block) => block.dirty).sort((a, b) => a.number - b.number);
    for (let first = 0; first < dirty.length;) {
      let end = first + 1;
      while (
        end < dirty.length &&
        dirty[end]?.number === (dirty[end - 1]?.number ?? 0) + 1 &&
        (end - first + 1) * this.blockBytes <= WRITE_BYTES
      )
        end += 1;
      const run = dirty.slice(first, end);
      const together = new Uint8Array(run.length * this.blockBytes);
      run.forEach((block, n) => together.set(block.bytes, n * this.blockBytes));
      await this.writeRaw(run[0]?.number ?? 0, together);
      for (const block of run) block.dirty = false;
      first = end;
    }
  }

  /** Keeps to the limit; the caller holds no block. */
  async trim(): Promise<void> {
    const most = Math.max(64, this.limitBytes / this.blockBytes);
    if (this.blocks.size <= most) return;
    await this.writeBack();
    for (const number of this.blocks.keys()) {
      if (this.blocks.size <= most / 2) break;
      this.blocks.delete(number);
    }
  }

  /** Forgets all, also what is dirty: the disk has changed below. */
  drop(): void {
    this.blocks.clear();
  }

  private add(number: number, bytes: Uint8Array, dirty: boolean): CachedBlock {
    const block: CachedBlock = { number, bytes, view: new DataView(bytes.buffer), dirty };
    this.blocks.set(number, block);
    return block;
  }
}
