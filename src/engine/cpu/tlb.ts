/**
 * The page walk and what it puts into the TLBs (banks.ts). An entry is fast-writable only when the page is writable, dirty and
 * unmarked.
 * @sdm Vol.3A 4.5 (4-level paging), 4.6 (access rights), 4.7 (page-fault error code), 4.8 (accessed and dirty flags)
 */
import {
  CONTROL,
  CONTROL_M2P,
  CONTROL_M2P_FIRST_MFN,
  CONTROL_M2P_PAGES,
  FRAME_FLAGS,
  FRAMEF_DIRTY,
  FRAMEF_LOG_DIRTY,
  FRAMEF_WRITE_CACHED,
  PAGE_BYTES,
  VCPU_CR3_KERNEL,
  VCPU_CR3_USER,
  VCPU_STEPPING,
  VCPU_TLB_MISSES,
  VCPU_USER_MODE,
  VECTOR_GP,
} from './layout';
import { NOT_CANONICAL, raise, raisePageFault } from './fault';
import { frameHost, frameIsMarked, frameRecordOf } from './frames';
import { watchesPage } from './watch';
import { cachedCode, emptyEntry, fillCode, fillData, invalidTag, noteWritable } from './banks';

export const ACCESS_READ: u32 = 0;
export const ACCESS_WRITE: u32 = 1;
export const ACCESS_EXECUTE: u32 = 2;

const PTE_PRESENT: u64 = 1;
const PTE_WRITE: u64 = 2;
const PTE_USER: u64 = 4;
const PTE_ACCESSED: u64 = 0x20;
const PTE_DIRTY: u64 = 0x40;
const PTE_PAGE_SIZE: u64 = 0x80;
const PTE_NX: u64 = 0x8000000000000000;
const PTE_FRAME: u64 = 0x000ffffffffff000;

/** Read-only window on the machine-to-physical table: MACH2PHYS_VIRT_START .. END of Xen's x86-64 ABI. */
const M2P_START: u64 = 0xffff800000000000;
const M2P_BYTES: u64 = 0x4000000000;

/** Leaf entry found by the last successful walk: its rights, and the host address of the page (0 = none). */
let leafWritable: bool = false;
let leafDirty: bool = false;

export function isCanonical(va: u64): bool {
  return <u64>((<i64>(va << 16)) >> 16) == va;
}

/** Sets bits of a page-table entry that another vCPU may be changing; false = the entry changed, walk again. */
function setEntryBits(entry: usize, seen: u64, bits: u64): bool {
  return atomic.cmpxchg<u64>(entry, seen, seen | bits) == seen;
}

/**
 * Walks the current tables for `va` and checks the rights of `access`. Returns the host pointer of the page, or 0 with the
 * page fault recorded. Sets accessed bits, and the dirty bit on writes.
 */
function walk(cpu: usize, va: u64, access: u32): usize {
  const user = load<u32>(cpu, VCPU_USER_MODE);
  const errorBase: u32 = (access == ACCESS_WRITE ? 2 : 0) | (user ? 4 : 0) | (access == ACCESS_EXECUTE ? 16 : 0);
  if (va - M2P_START < M2P_BYTES) return walkM2p(cpu, va, access, errorBase, user);
  while (true) {
    let table = frameHost(load<u64>(cpu + (user ? VCPU_CR3_USER : VCPU_CR3_KERNEL)) >> 12);
    if (!table) {
      raisePageFault(cpu, va, errorBase);
      return 0;
    }
    let writable = true;
    let userAllowed = true;
    let executable = true;
    let shift: u64 = 39;
    let entryPointer: usize = 0;
    let entry: u64 = 0;
    let host: usize = 0;
    let again = false;
    while (true) {
      entryPointer = table + (((<usize>(va >> shift)) & 511) << 3);
      entry = atomic.load<u64>(entryPointer);
      if (!(entry & PTE_PRESENT)) {
        raisePageFault(cpu, va, errorBase);
        return 0;
      }
      writable = writable && (entry & PTE_WRITE) != 0;
      userAllowed = userAllowed && (entry & PTE_USER) != 0;
      executable = executable && (entry & PTE_NX) == 0;
      const large = shift != 12 && (entry & PTE_PAGE_SIZE) != 0;
      let mfn = (entry & PTE_FRAME) >> 12;
      const last = shift == 12 || large;
      if (large) {
        if (shift == 39) {
          raisePageFault(cpu, va, errorBase | 9);
          return 0;
        }
        mfn = (mfn & ~(((<u64>1) << (shift - 12)) - 1)) | ((va >> 12) & (((<u64>1) << (shift - 12)) - 1));
      }
      host = frameHost(mfn);
      if (!host) {
        raisePageFault(cpu, va, errorBase | 9);
        return 0;
      }
      if (last) break;
      if (!(entry & PTE_ACCESSED) && !setEntryBits(entryPointer, entry, PTE_ACCESSED)) {
        again = true;
        break;
      }
      table = host;
      shift -= 9;
    }
    if (again) continue;
    if ((user && !userAllowed) || (access == ACCESS_WRITE && !writable) || (access == ACCESS_EXECUTE && !executable)) {
      // The frame is left for the caller: a refused kernel store to a page table is the hypervisor's business.
      refusedHost = access == ACCESS_WRITE && !user ? host : 0;
      raisePageFault(cpu, va, errorBase | 1);
      return 0;
    }
    const wanted = access == ACCESS_WRITE ? PTE_ACCESSED | PTE_DIRTY : PTE_ACCESSED;
    if ((entry & wanted) != wanted && !setEntryBits(entryPointer, entry, wanted)) continue;
    leafWritable = writable;
    leafDirty = ((entry | wanted) & PTE_DIRTY) != 0;
    return host;
  }
}

/** Page of the last store refused for want of write permission in kernel mode, 0 = refused for another reason. */
let refusedHost: usize = 0;

export function takeRefusedHost(): usize {
  const host = refusedHost;
  refusedHost = 0;
  return host;
}

function walkM2p(cpu: usize, va: u64, access: u32, errorBase: u32, user: u32): usize {
  const page = (va - M2P_START) >> 12;
  const first = (<u64>load<u32>(CONTROL, CONTROL_M2P_FIRST_MFN)) >> 9;
  const index = page - first;
  if (index >= <u64>load<u32>(CONTROL, CONTROL_M2P_PAGES) || user) {
    raisePageFault(cpu, va, errorBase | (user ? 1 : 0));
    return 0;
  }
  if (access != ACCESS_READ) {
    raisePageFault(cpu, va, errorBase | 1);
    return 0;
  }
  leafWritable = false;
  leafDirty = false;
  return <usize>load<u32>(CONTROL, CONTROL_M2P) + ((<usize>index) << 12);
}

function isM2p(va: u64): bool {
  return va - M2P_START < M2P_BYTES;
}

/**
 * Translates `va` for `access` and puts it into the current bank. Returns the host pointer of the byte at `va`, or 0 with the
 * fault recorded. The pointer may be used for a store only if the entry's write tag matches afterwards (else the store is slow).
 */
export function fillTlb(cpu: usize, va: u64, access: u32): usize {
  if (!isCanonical(va)) {
    raise(cpu, VECTOR_GP, NOT_CANONICAL);
    return 0;
  }
  refusedHost = 0;
  store<u64>(cpu, load<u64>(cpu, VCPU_TLB_MISSES) + 1, VCPU_TLB_MISSES);
  const host = walk(cpu, va, access);
  if (!host) return 0;
  const page = va & ~(<u64>(PAGE_BYTES - 1));
  const byte = host + ((<usize>va) & (PAGE_BYTES - 1));
  if (access == ACCESS_EXECUTE) {
    fillCode(cpu, page, host);
    return byte;
  }
  let writeTag = invalidTag(page);
  if (leafWritable && leafDirty && !isM2p(va)) {
    const record = frameRecordOf(host);
    noteWritable(record, page);
    if (!(atomic.load<u32>(record, FRAME_FLAGS) & FRAMEF_WRITE_CACHED)) atomic.or<u32>(record, FRAMEF_WRITE_CACHED, FRAME_FLAGS);
    // Order matters: whoever marks the frame sets the mark first and looks at WRITE_CACHED second.
    if (!frameIsMarked(record)) writeTag = page;
  }
  // Watched pages are translated anew for each access, which memory.ts then reports.
  if (load<u32>(cpu, VCPU_STEPPING) && watchesPage(cpu, va)) emptyEntry(cpu, va);
  else fillData(cpu, page, host, writeTag);
  return byte;
}

/** Host pointer for an instruction fetch at `va`, 0 = fault recorded. */
export function translateExecute(cpu: usize, va: u64): usize {
  const host = cachedCode(cpu, va);
  return host ? host : fillTlb(cpu, va, ACCESS_EXECUTE);
}

/** Notes a store in the dirty log. */
export function logDirty(record: usize): void {
  if (atomic.load<u32>(record, FRAME_FLAGS) & FRAMEF_LOG_DIRTY) atomic.or<u32>(record, FRAMEF_DIRTY, FRAME_FLAGS);
}
