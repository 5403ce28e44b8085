/**
 * Where everything of a new PV domain goes, before a byte is written. Virtual and pseudo-physical addresses run in
 * parallel from virtBase = pfn 0 on; parts follow each other upward from the end of the kernel, in the order of Xen's own
 * domain builder:
 *
 *   kernel | [ramdisk, if mapped] | [P2M, if mapped] | start info | xenstore | console | page tables | boot stack | spare
 *   ... end of the mapping ... | [ramdisk, unmapped] | [P2M with its own page tables, at the address the kernel asks for]
 */
import { BuildError } from './build-error.ts';
import { tablesFor, type PlacedTable, type TablePage } from './page-tables.ts';

const PAGE_BYTES = 4096;
const P2M_ENTRY_BYTES = 8;
/** The mapping ends at a multiple of this, with at least the spare room left after the last part. */
const MAPPING_ALIGN_BYTES = 4n * 1024n * 1024n;
const SPARE_PAGES = (512 * 1024) / PAGE_BYTES;
const BOOT_STACK_PAGES = 1;
/** Virtual addresses that belong to the hypervisor, and the end of the address space. */
const XEN_START = 0xffff800000000000n;
const XEN_END = 0xffff880000000000n;
const LAST_ADDRESS = (1n << 64n) - 1n;

/** What of a kernel decides the layout. */
export interface LayoutInput {
  readonly virtBase: bigint;
  readonly virtStart: bigint;
  readonly virtEnd: bigint;
  readonly p2mBase: bigint | undefined;
  readonly ramdiskUnmapped: boolean;
}

export interface Part {
  readonly pfn: number;
  readonly pages: number;
  /** In the mapping; for what is not mapped, where it would be. */
  readonly vaddr: bigint;
}

export interface PvLayout {
  readonly kernel: Part;
  readonly ramdisk: (Part & { readonly bytes: number }) | undefined;
  readonly startInfo: Part;
  readonly store: Part;
  readonly console: Part;
  /** Top level first. */
  readonly pageTables: Part;
  readonly bootStack: Part;
  /** The list alone; `vaddr` is where the guest finds it. */
  readonly p2m: Part;
  /** Tables that map a P2M apart; directly after it. */
  readonly p2mTables: Part;
  /** Pages mapped from virtBase on. */
  readonly mappedPages: number;
  readonly tables: readonly PlacedTable[];
}

const pagesOf = (bytes: number) => Math.ceil(bytes / PAGE_BYTES);
const mebibytes = (pages: number) => Math.ceil((pages * PAGE_BYTES) / (1024 * 1024));

/** Parts one after the other. */
class Cursor {
  constructor(
    private readonly virtBase: bigint,
    public pfn: number,
  ) {}

  vaddr(): bigint {
    return this.virtBase + BigInt(this.pfn) * BigInt(PAGE_BYTES);
  }

  take(pages: number): Part {
    const part = { pfn: this.pfn, pages, vaddr: this.vaddr() };
    this.pfn += pages;
    return part;
  }
}

/** The end of the mapping and the tables for it depend on each other: grow until both fit. */
function mapping(virtBase: bigint, used: Cursor): { end: bigint; tables: TablePage[] } {
  let pages = BOOT_STACK_PAGES + SPARE_PAGES;
  for (;;) {
    const least = used.vaddr() + BigInt(pages * PAGE_BYTES);
    const end = (least / MAPPING_ALIGN_BYTES + 1n) * MAPPING_ALIGN_BYTES;
    const tables = tablesFor(virtBase, Number((end - virtBase) / BigInt(PAGE_BYTES)), []);
    pages = tables.length + BOOT_STACK_PAGES + SPARE_PAGES;
    if (used.vaddr() + BigInt(pages * PAGE_BYTES) <= end) return { end, tables };
  }
}

function checkWindow(start: bigint, end: bigint, ramdiskBytes: number): void {
  if (end - 1n > LAST_ADDRESS || (start < XEN_END && end > XEN_START))
    throw new BuildError(
      `The kernel's address space has no room for its start: it would be mapped from 0x${start.toString(16)} to 0x${end.toString(16)}` +
        (ramdiskBytes > 0 ? `, with a ramdisk of ${ramdiskBytes} bytes. Use a smaller ramdisk.` : '.'),
    );
}

function arrange(kernel: LayoutInput, ramdiskBytes: number, pages: number): PvLayout {
  const { virtBase } = kernel;
  const cursor = new Cursor(virtBase, Number((kernel.virtStart - virtBase) / BigInt(PAGE_BYTES)));
  const ramdisk = () => (ramdiskBytes === 0 ? undefined : { ...cursor.take(pagesOf(ramdiskBytes)), bytes: ramdiskBytes });
  const p2mPages = pagesOf(pages * P2M_ENTRY_BYTES);

  const kernelPart = cursor.take(Number((kernel.virtEnd - virtBase + BigInt(PAGE_BYTES) - 1n) / BigInt(PAGE_BYTES)) - cursor.pfn);
  const mappedRamdisk = kernel.ramdiskUnmapped ? undefined : ramdisk();
  const mappedP2m = kernel.p2mBase === undefined ? cursor.take(p2mPages) : undefined;
  const startInfo = cursor.take(1);
  const store = cursor.take(1);
  const consolePart = cursor.take(1);
  const main = mapping(virtBase, cursor);
  checkWindow(virtBase, main.end, mappedRamdisk === undefined ? 0 : ramdiskBytes);
  const pageTables = cursor.take(main.tables.length);
  const bootStack = cursor.take(BOOT_STACK_PAGES);
  const mappedPages = Number((main.end - virtBase) / BigInt(PAGE_BYTES));

  cursor.pfn = mappedPages;
  const unmappedRamdisk = kernel.ramdiskUnmapped ? ramdisk() : undefined;
  const p2mPart = mappedP2m ?? { ...cursor.take(p2mPages), vaddr: kernel.p2mBase ?? 0n };
  const apart = mappedP2m === undefined ? tablesFor(p2mPart.vaddr, p2mPages, main.tables) : [];
  const p2mTables = cursor.take(apart.length);
  const place = (first: number) => (table: TablePage, index: number) => ({ ...table, pfn: first + index });
  return {
    kernel: kernelPart,
    ramdisk: mappedRamdisk ?? unmappedRamdisk,
    startInfo,
    store,
    console: consolePart,
    pageTables,
    bootStack,
    p2m: p2mPart,
    p2mTables,
    mappedPages,
    tables: [...main.tables.map(place(pageTables.pfn)), ...apart.map(place(p2mTables.pfn))],
  };
}

/** Pages a layout needs: everything mapped at the start is RAM. */
function pagesNeeded(layout: PvLayout): number {
  const { ramdisk, p2mTables } = layout;
  return Math.max(
    layout.mappedPages,
    (ramdisk?.pfn ?? 0) + (ramdisk?.pages ?? 0),
    layout.p2m.pfn + layout.p2m.pages,
    p2mTables.pfn + p2mTables.pages,
  );
}

/** The least memory with which this arrangement fits; the P2M grows with the memory, so look again with the answer. */
function leastPages(kernel: LayoutInput, ramdiskBytes: number, from: number): number {
  let pages = from;
  for (let needed = pages + 1; needed > pages;) {
    pages = needed;
    needed = pagesNeeded(arrange(kernel, ramdiskBytes, pages));
  }
  return pages;
}

/**
 * Plans a domain of so many pages.
 * @throws BuildError when it does not fit, saying how much memory would do
 */
export function planLayout(kernel: LayoutInput, ramdiskBytes: number, pages: number): PvLayout {
  const layout = arrange(kernel, ramdiskBytes, pages);
  if (pagesNeeded(layout) <= pages) return layout;
  const least = mebibytes(leastPages(kernel, ramdiskBytes, pages));
  const withoutRamdisk = pagesNeeded(arrange(kernel, 0, pages)) <= pages;
  throw new BuildError(
    withoutRamdisk
      ? `The ramdisk of ${mebibytes(pagesOf(ramdiskBytes))} MiB does not fit into ${mebibytes(pages)} MiB of memory next to the kernel: at least ${least} MiB are needed.`
      : `${mebibytes(pages)} MiB of memory are too little for this kernel${ramdiskBytes > 0 ? ' and its ramdisk' : ''}: at least ${least} MiB are needed.`,
  );
}
