/**
 * Virtual addresses of an instruction test, the same natively and in the core, all in the low 2 GiB so that RIP-relative,
 * absolute and 32-bit addresses reach them.
 *
 *   CODE   executable, read-only, filled with HLT: a privileged one-byte instruction ends every test with #GP at a known place
 *   D0 D1  writable | guard | D2 writable, RO read-only | guard        (guards are not mapped; none of these is executable)
 */

export const CODE_ADDRESS = 0x10000000;
export const CODE_PAGES = 2048;
export const PAGE_BYTES = 4096;
/** Test programs start at multiples of this. */
export const SLOT_BYTES = 64;
export const HLT = 0xf4;

export const D0 = 0x20001000;
export const D1 = 0x20002000;
/** End of D1: the first byte that is not mapped. */
export const GUARD = 0x20003000;
export const D2 = 0x20004000;
export const RO = 0x20005000;
export const RO_END = 0x20006000;

export interface DataPage {
  readonly address: number;
  readonly writable: boolean;
}

/** The mapped data pages, in the order in which page images and the native program keep them. */
export const DATA_PAGES: readonly DataPage[] = [
  { address: D0, writable: true },
  { address: D1, writable: true },
  { address: D2, writable: true },
  { address: RO, writable: false },
];

/** Segment bases: odd numbers on purpose, and a negative distance for GS. */
export const FS_BASE = 0x20001123n;
export const GS_BASE = 0xffffffffe0000008n;

/** Offset in the concatenated data pages of a mapped address, or -1. */
export function dataOffset(address: number): number {
  for (const [index, page] of DATA_PAGES.entries()) {
    if (address >= page.address && address < page.address + 4096) return index * 4096 + (address - page.address);
  }
  return -1;
}
