/**
 * Builds a PV domain: places a kernel and its ramdisk in the memory of an empty domain, with the start info, P2M and page
 * tables it begins on. The caller pins the tables, fills shared_info and sets vCPU 0 up from what is returned.
 */
import {
  MAX_GUEST_CMDLINE,
  SIF_MOD_START_PFN,
  START_INFO_cmd_line,
  START_INFO_console_evtchn,
  START_INFO_console_mfn,
  START_INFO_first_p2m_pfn,
  START_INFO_flags,
  START_INFO_magic,
  START_INFO_mfn_list,
  START_INFO_mod_len,
  START_INFO_mod_start,
  START_INFO_nr_p2m_frames,
  START_INFO_nr_pages,
  START_INFO_nr_pt_frames,
  START_INFO_pt_base,
  START_INFO_shared_info,
  START_INFO_store_evtchn,
  START_INFO_store_mfn,
} from '../abi/start-info.ts';
import { BuildError } from './build-error.ts';
import { checkFeatures } from './features.ts';
import { writeHypercallPage } from './hypercall-page.ts';
import type { KernelImage } from './kernel-image.ts';
import { planLayout, type PvLayout } from './layout.ts';
import { writePageTables, type PlacedTable } from './page-tables.ts';
import type { DomainBuildTarget } from './target.ts';

const PAGE_BYTES = 4096;
const PAGE_SHIFT = 12n;
const START_INFO_MAGIC = 'xen-3.0-x86_64';

export interface PvDomainImage {
  readonly kernel: KernelImage;
  /** As the guest shall find it: compressed ones stay so. */
  readonly ramdisk: Uint8Array | undefined;
  readonly commandLine: string;
  /** Names of features to ask of the kernel, separated by "|"; mostly empty. */
  readonly features: string;
}

export interface BuiltPvDomain {
  readonly entry: bigint;
  /** End of the boot stack: first RSP and kernel_sp. */
  readonly stackPointer: bigint;
  /** First RSI. */
  readonly startInfoVaddr: bigint;
  /** The L4 to pin and to load into CR3. */
  readonly pageTableRootPfn: number;
  /** All tables, those of a P2M apart included; the root is first. */
  readonly pageTables: readonly PlacedTable[];
  readonly storePfn: number;
  readonly consolePfn: number;
  readonly guestOs: string;
  readonly layout: PvLayout;
}

function page(ram: Uint8Array, pfn: number, pages = 1): Uint8Array {
  return ram.subarray(pfn * PAGE_BYTES, (pfn + pages) * PAGE_BYTES);
}

/** Pieces may leave gaps; what the file does not fill is zero. */
function loadKernel(ram: Uint8Array, kernel: KernelImage, layout: PvLayout): void {
  page(ram, layout.kernel.pfn, layout.kernel.pages).fill(0);
  for (const { offset, source } of kernel.pieces) ram.set(source, offset);
  if (kernel.hypercallPage !== undefined)
    writeHypercallPage(page(ram, Number((kernel.hypercallPage - kernel.virtBase) >> PAGE_SHIFT)));
}

function writeP2m(ram: Uint8Array, firstMfn: number, pages: number, layout: PvLayout): void {
  const list = page(ram, layout.p2m.pfn, layout.p2m.pages);
  // Slots after the last page of the domain stand for no frame.
  list.fill(0xff);
  const view = new DataView(list.buffer, list.byteOffset, list.byteLength);
  for (let pfn = 0; pfn < pages; pfn += 1) {
    view.setUint32(pfn * 8, firstMfn + pfn, true);
    view.setUint32(pfn * 8 + 4, 0, true);
  }
}

function writeStartInfo(target: DomainBuildTarget, commandLine: Uint8Array, kernel: KernelImage, layout: PvLayout): void {
  const bytes = page(target.ram, layout.startInfo.pfn);
  bytes.fill(0);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u64 = (at: number, value: number | bigint) => view.setBigUint64(at, BigInt(value), true);
  const mfn = (pfn: number) => target.firstMfn + pfn;
  bytes.set(new TextEncoder().encode(START_INFO_MAGIC), START_INFO_magic);
  u64(START_INFO_nr_pages, target.pages);
  u64(START_INFO_shared_info, BigInt(target.sharedInfoMfn) << PAGE_SHIFT);
  u64(START_INFO_store_mfn, mfn(layout.store.pfn));
  view.setUint32(START_INFO_store_evtchn, target.storePort, true);
  u64(START_INFO_console_mfn, mfn(layout.console.pfn));
  view.setUint32(START_INFO_console_evtchn, target.consolePort, true);
  u64(START_INFO_pt_base, layout.pageTables.vaddr);
  u64(START_INFO_nr_pt_frames, layout.pageTables.pages);
  u64(START_INFO_mfn_list, layout.p2m.vaddr);
  if (kernel.p2mBase !== undefined) {
    u64(START_INFO_first_p2m_pfn, layout.p2m.pfn);
    u64(START_INFO_nr_p2m_frames, layout.p2m.pages + layout.p2mTables.pages);
  }
  if (layout.ramdisk !== undefined) {
    view.setUint32(START_INFO_flags, kernel.ramdiskUnmapped ? SIF_MOD_START_PFN : 0, true);
    u64(START_INFO_mod_start, kernel.ramdiskUnmapped ? layout.ramdisk.pfn : layout.ramdisk.vaddr);
    u64(START_INFO_mod_len, layout.ramdisk.bytes);
  }
  bytes.set(commandLine, START_INFO_cmd_line);
}

function checkedCommandLine(text: string): Uint8Array {
  if (text.includes('\0')) throw new BuildError('The kernel command line has a NUL character in it.');
  const bytes = new TextEncoder().encode(text);
  if (bytes.length >= MAX_GUEST_CMDLINE)
    throw new BuildError(`The kernel command line has ${bytes.length} bytes: at most ${MAX_GUEST_CMDLINE - 1} are allowed.`);
  return bytes;
}

/**
 * Fills the target.
 * @throws BuildError when the image cannot run in it; nothing has been written then
 */
export function buildPvDomain(target: DomainBuildTarget, image: PvDomainImage): BuiltPvDomain {
  const { kernel, ramdisk } = image;
  if (target.ram.length < target.pages * PAGE_BYTES)
    throw new RangeError(`RAM of ${target.ram.length} bytes holds no ${target.pages} pages`);
  const commandLine = checkedCommandLine(image.commandLine);
  checkFeatures(kernel.features, image.features);
  const layout = planLayout(kernel, ramdisk?.length ?? 0, target.pages);

  loadKernel(target.ram, kernel, layout);
  if (ramdisk !== undefined && layout.ramdisk !== undefined) {
    const room = page(target.ram, layout.ramdisk.pfn, layout.ramdisk.pages);
    room.set(ramdisk);
    room.fill(0, ramdisk.length);
  }
  for (const part of [layout.store, layout.console, layout.bootStack]) page(target.ram, part.pfn, part.pages).fill(0);
  writeP2m(target.ram, target.firstMfn, target.pages, layout);
  writePageTables(target.ram, target.firstMfn, layout.tables, [
    { vaddr: kernel.virtBase, pfn: 0, pages: layout.mappedPages },
    ...(kernel.p2mBase === undefined ? [] : [layout.p2m]),
  ]);
  writeStartInfo(target, commandLine, kernel, layout);
  return {
    entry: kernel.entry,
    stackPointer: layout.bootStack.vaddr + BigInt(layout.bootStack.pages * PAGE_BYTES),
    startInfoVaddr: layout.startInfo.vaddr,
    pageTableRootPfn: layout.pageTables.pfn,
    pageTables: layout.tables,
    storePfn: layout.store.pfn,
    consolePfn: layout.console.pfn,
    guestOs: kernel.guestOs,
    layout,
  };
}
