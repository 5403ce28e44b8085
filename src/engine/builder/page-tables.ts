/**
 * The page tables a domain starts on: which tables map a set of ranges, and their contents. 4 KiB pages only.
 * @sdm Vol.3A 4.5; flags as Xen's domain builder gives them (the hypervisor may add some when it validates the tables).
 */

const PAGE_SHIFT = 12;
const PAGE_BYTES = 4096;
const ENTRY_BYTES = 8;
const INDEX_BITS = 9n;
const INDEX_MASK = 511n;
const CANONICAL_MASK = (1n << 48n) - 1n;

const PAGE_PRESENT = 0x001;
const PAGE_RW = 0x002;
const PAGE_USER = 0x004;
const PAGE_ACCESSED = 0x020;
const PAGE_DIRTY = 0x040;
/** Entries of L4, L3 and L2. */
export const TABLE_FLAGS = PAGE_PRESENT | PAGE_RW | PAGE_USER | PAGE_ACCESSED | PAGE_DIRTY;
/** Entries of L1; a page that is a table itself is mapped without PAGE_RW. */
export const PAGE_FLAGS = PAGE_PRESENT | PAGE_RW | PAGE_ACCESSED;

export type TableLevel = 1 | 2 | 3 | 4;
const LEVELS_TOP_DOWN: readonly TableLevel[] = [4, 3, 2, 1];

export interface TablePage {
  readonly level: TableLevel;
  /** First virtual address (low 48 bits) the table translates. */
  readonly base: bigint;
}

export interface PlacedTable extends TablePage {
  readonly pfn: number;
}

/** A run of pages mapped to a run of frames. */
export interface MappedRange {
  readonly vaddr: bigint;
  readonly pfn: number;
  readonly pages: number;
}

/** Address bits that a table of this level translates: 21, 30, 39, 48. */
const spanBits = (level: TableLevel) => BigInt(PAGE_SHIFT) + INDEX_BITS * BigInt(level);
const baseOf = (vaddr: bigint, level: TableLevel) => {
  const bits = spanBits(level);
  return ((vaddr & CANONICAL_MASK) >> bits) << bits;
};
const keyOf = (level: TableLevel, base: bigint) => `${level}:${base.toString(16)}`;

/** The tables that map [vaddr, vaddr + pages), top level first, without those in `present`. */
export function tablesFor(vaddr: bigint, pages: number, present: readonly TablePage[]): TablePage[] {
  const known = new Set(present.map(({ level, base }) => keyOf(level, base)));
  const tables: TablePage[] = [];
  const last = vaddr + BigInt(pages) * BigInt(PAGE_BYTES) - 1n;
  for (const level of LEVELS_TOP_DOWN) {
    const step = 1n << spanBits(level);
    for (let base = baseOf(vaddr, level); base <= baseOf(last, level); base += step)
      if (!known.has(keyOf(level, base))) tables.push({ level, base });
  }
  return tables;
}

/** Guest RAM seen as page-table entries: an entry is two words, as no frame of a domain is beyond 2^32. */
class TableWriter {
  private readonly words: DataView;

  constructor(
    ram: Uint8Array,
    private readonly firstMfn: number,
  ) {
    this.words = new DataView(ram.buffer, ram.byteOffset, ram.byteLength);
  }

  write(tablePfn: number, index: number, pfn: number, flags: number): void {
    const at = tablePfn * PAGE_BYTES + index * ENTRY_BYTES;
    const mfn = this.firstMfn + pfn;
    this.words.setUint32(at, (mfn << PAGE_SHIFT) | flags, true);
    this.words.setUint32(at + 4, mfn >>> (32 - PAGE_SHIFT), true);
  }
}

/**
 * Writes the tables; their frames are zeroed first.
 * @param tables every table that maps the ranges, in frames below firstMfn + RAM
 */
export function writePageTables(
  ram: Uint8Array,
  firstMfn: number,
  tables: readonly PlacedTable[],
  ranges: readonly MappedRange[],
): void {
  const writer = new TableWriter(ram, firstMfn);
  const placed = new Map(tables.map((table) => [keyOf(table.level, table.base), table.pfn]));
  const tableFrames = new Set(tables.map(({ pfn }) => pfn));
  for (const { pfn } of tables) ram.fill(0, pfn * PAGE_BYTES, (pfn + 1) * PAGE_BYTES);
  for (const { level, base, pfn } of tables) {
    if (level === 4) continue;
    const parentLevel = (level + 1) as TableLevel;
    const parent = placed.get(keyOf(parentLevel, baseOf(base, parentLevel)));
    if (parent === undefined) throw new RangeError(`no level ${parentLevel} table above ${base.toString(16)}`);
    writer.write(parent, Number((base >> spanBits(level)) & INDEX_MASK), pfn, TABLE_FLAGS);
  }
  for (const range of ranges) {
    const firstPage = (range.vaddr & CANONICAL_MASK) >> BigInt(PAGE_SHIFT);
    let table: number | undefined;
    for (let page = 0; page < range.pages; page += 1) {
      const index = (Number(firstPage & INDEX_MASK) + page) & Number(INDEX_MASK);
      if (table === undefined || index === 0) {
        table = placed.get(keyOf(1, baseOf((firstPage + BigInt(page)) << BigInt(PAGE_SHIFT), 1)));
        if (table === undefined) throw new RangeError(`no table for page ${page} of the range at ${range.vaddr.toString(16)}`);
      }
      const pfn = range.pfn + page;
      writer.write(table, index, pfn, tableFrames.has(pfn) ? PAGE_FLAGS & ~PAGE_RW : PAGE_FLAGS);
    }
  }
}
