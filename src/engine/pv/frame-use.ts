/**
 * Use of machine frames: references and types, with the rules that keep page tables honest. A frame has one type at a time:
 * mapped writable somewhere, page table of a level, descriptor table, or none; it changes type only while nothing uses it as the
 * old one. Everything here runs under the memory lock (CONTROL_MM_LOCK).
 * @see xen/arch/x86/include/asm/mm.h (PGT_*, PGC_*) for the rules as guests see them
 */
import {
  CONTROL,
  CONTROL_M2P,
  CONTROL_M2P_FIRST_MFN,
  CONTROL_M2P_PAGES,
  CONTROL_MM_LOCK,
  CONTROL_VCPU_COUNT,
  CONTROL_XEN_FRAMES,
  FRAMEF_PAGE_TABLE,
  FRAMEF_WRITE_CACHED,
  FRAME_BYTES,
  FRAME_FLAGS,
  FRAME_REFERENCES,
  FRAME_TYPE,
  PAGE_BYTES,
} from '../cpu/layout';
import { frameHost, frameRecord, frameRecordOf, frameIndexOf, hostOfFrameIndex, machineAddressOf } from '../cpu/frames';
import { downgradeFrame } from '../cpu/banks';
import { noteRootGone } from '../cpu/table-log';
import { storeMarked } from '../cpu/memory';
import { EINVAL } from '../abi/errno';
import { HYPERVISOR_FIRST_L4_SLOT, HYPERVISOR_LAST_L4_SLOT } from '../abi/mmu';
import {
  DOMAIN_TOTAL_PAGES,
  REFERENCES_ALLOCATED,
  REFERENCES_COUNT,
  TYPE_COUNT,
  TYPE_DESCRIPTORS,
  TYPE_L1,
  TYPE_L4,
  TYPE_PINNED,
  TYPE_SHIFT,
  TYPE_VALIDATED,
  TYPE_WRITABLE,
} from './layout';
import { acquire, release } from './lock';
import { validateDescriptors } from './descriptor-check';
import { flushOthers } from './flush';

export const PTE_PRESENT: u64 = 1;
export const PTE_WRITE: u64 = 2;
export const PTE_ACCESSED_DIRTY: u64 = 0x60;
export const PTE_FRAME: u64 = 0x000ffffffffff000;
/** PWT, PCD, PAT and bit 62 (grant mapping) in a last-level entry: no domain here has I/O memory. */
const L1_REFUSED: u64 = 0x4000000000000098;
/** PWT, PCD, PSE and G above the last level. */
const TABLE_REFUSED: u64 = 0x198;

/** Flags that an entry of a table of `level` may not have. */
export function refusedBits(level: u32): u64 {
  return level == TYPE_L1 ? L1_REFUSED : TABLE_REFUSED;
}

export function lockMemory(cpu: usize): void {
  acquire(cpu, CONTROL + CONTROL_MM_LOCK);
}

export function unlockMemory(): void {
  release(CONTROL + CONTROL_MM_LOCK);
}

/** Record of a frame that is in use, 0 = not a frame of this domain or a free one. */
export function usedFrame(mfn: u64): usize {
  const record = frameRecord(mfn);
  if (!record || !(load<u32>(record, FRAME_REFERENCES) & REFERENCES_COUNT)) return 0;
  return record;
}

export function typeOf(record: usize): u32 {
  return load<u32>(record, FRAME_TYPE) >> TYPE_SHIFT;
}

/** The frame is at present a validated table of `level`. */
export function isTable(record: usize, level: u32): bool {
  const word = load<u32>(record, FRAME_TYPE);
  return word >> TYPE_SHIFT == level && (word & TYPE_VALIDATED) != 0 && (word & TYPE_COUNT) != 0;
}

export function takeReference(record: usize): void {
  store<u32>(record, load<u32>(record, FRAME_REFERENCES) + 1, FRAME_REFERENCES);
}

export function dropReference(cpu: usize, record: usize): void {
  const left = load<u32>(record, FRAME_REFERENCES) - 1;
  store<u32>(record, left, FRAME_REFERENCES);
  if (!(left & REFERENCES_COUNT)) freeFrame(cpu, record);
}

/** Nothing refers to the frame any more: it is wiped and may be given out again. */
function freeFrame(cpu: usize, record: usize): void {
  store<u32>(record, 0, FRAME_REFERENCES);
  store<u32>(record, 0, FRAME_TYPE);
  const host = hostOfRecord(record);
  forgetWritable(cpu, record, host);
  memory.fill(host, 0, PAGE_BYTES);
  storeMarked(cpu, host, PAGE_BYTES);
  setMachineToPhysical(machineAddressOf(host) >> 12, ~(<u64>0));
  store<u32>(DOMAIN_TOTAL_PAGES, load<u32>(DOMAIN_TOTAL_PAGES) - 1);
}

export function hostOfRecord(record: usize): usize {
  return hostOfFrameIndex(<u32>((record - frameRecordOf(hostOfFrameIndex(0))) / FRAME_BYTES));
}

/** Entry of the machine-to-physical table; the caller has checked that the frame is the domain's. */
export function setMachineToPhysical(mfn: u64, pfn: u64): void {
  const index = mfn - <u64>load<u32>(CONTROL, CONTROL_M2P_FIRST_MFN);
  if (index >= (<u64>load<u32>(CONTROL, CONTROL_M2P_PAGES)) << 9) return;
  atomic.store<u64>(<usize>load<u32>(CONTROL, CONTROL_M2P) + ((<usize>index) << 3), pfn);
}

/** Whether the frame is one the hypervisor lent to the guest (shared info, grant table): never a table. */
function isHypervisorFrame(host: usize): bool {
  return frameIndexOf(host) < load<u32>(CONTROL, CONTROL_XEN_FRAMES);
}

/**
 * Drops writable translations of the frame that TLBs still hold although no page-table entry grants them any more. Needed
 * before its contents are trusted as a table.
 */
function forgetWritable(cpu: usize, record: usize, host: usize): void {
  while (atomic.load<u32>(record, FRAME_FLAGS) & FRAMEF_WRITE_CACHED) {
    atomic.and<u32>(record, ~FRAMEF_WRITE_CACHED, FRAME_FLAGS);
    if (cpu) downgradeFrame(cpu, host);
    if (!cpu || load<u32>(CONTROL, CONTROL_VCPU_COUNT) > 1) flushOthers(cpu, ~(<u32>0));
  }
}

/** Begins (or goes on) using a frame as `type`: 0, or -EINVAL when it is used as another, or its contents do not qualify. */
export function takeType(cpu: usize, record: usize, type: u32): i32 {
  const word = load<u32>(record, FRAME_TYPE);
  if (word & TYPE_COUNT) {
    // A table that refers to itself is met here before it is validated.
    if (word >> TYPE_SHIFT != type || !(word & TYPE_VALIDATED)) return -EINVAL;
    store<u32>(record, word + 1, FRAME_TYPE);
    return 0;
  }
  if (type == TYPE_WRITABLE) {
    store<u32>(record, ((<u32>TYPE_WRITABLE) << TYPE_SHIFT) | TYPE_VALIDATED | 1, FRAME_TYPE);
    return 0;
  }
  const host = hostOfRecord(record);
  if (isHypervisorFrame(host)) return -EINVAL;
  forgetWritable(cpu, record, host);
  store<u32>(record, (type << TYPE_SHIFT) | 1, FRAME_TYPE);
  const outcome = type == TYPE_DESCRIPTORS ? validateDescriptors(host) : validateTable(cpu, host, type);
  if (outcome) {
    store<u32>(record, 0, FRAME_TYPE);
    return outcome;
  }
  if (type == TYPE_L1) atomic.or<u32>(record, FRAMEF_PAGE_TABLE, FRAME_FLAGS);
  store<u32>(record, load<u32>(record, FRAME_TYPE) | TYPE_VALIDATED, FRAME_TYPE);
  return 0;
}

/** Ends one use of the frame's type; the last one of a table lets go what its entries refer to. */
export function dropType(cpu: usize, record: usize): void {
  const word = load<u32>(record, FRAME_TYPE) - 1;
  store<u32>(record, word, FRAME_TYPE);
  if (word & TYPE_COUNT) return;
  const type = word >> TYPE_SHIFT;
  if (type < <u32>TYPE_L1 || type > <u32>TYPE_L4) return;
  if (type == TYPE_L1) atomic.and<u32>(record, ~FRAMEF_PAGE_TABLE, FRAME_FLAGS);
  store<u32>(record, word & ~TYPE_VALIDATED, FRAME_TYPE);
  const host = hostOfRecord(record);
  if (type == TYPE_L4) noteRootGone(cpu, machineAddressOf(host) >> 12);
  dropEntries(cpu, host, type, 512);
}

/** Pins: a use of the type and a reference, held until unpinned. -EINVAL when pinned already or unfit. */
export function pinTable(cpu: usize, mfn: u64, type: u32): i32 {
  const record = usedFrame(mfn);
  if (!record) return -EINVAL;
  const outcome = takeType(cpu, record, type);
  if (outcome) return outcome;
  if (load<u32>(record, FRAME_TYPE) & TYPE_PINNED) {
    dropType(cpu, record);
    return -EINVAL;
  }
  store<u32>(record, load<u32>(record, FRAME_TYPE) | TYPE_PINNED, FRAME_TYPE);
  takeReference(record);
  return 0;
}

export function unpinTable(cpu: usize, mfn: u64): i32 {
  const record = usedFrame(mfn);
  if (!record) return -EINVAL;
  const word = load<u32>(record, FRAME_TYPE);
  if (!(word & TYPE_PINNED)) return -EINVAL;
  store<u32>(record, word & ~TYPE_PINNED, FRAME_TYPE);
  dropType(cpu, record);
  dropReference(cpu, record);
  return 0;
}

function validateTable(cpu: usize, host: usize, level: u32): i32 {
  for (let slot: u32 = 0; slot < 512; slot++) {
    const pointer = host + ((<usize>slot) << 3);
    if (level == TYPE_L4 && slot >= <u32>HYPERVISOR_FIRST_L4_SLOT && slot <= <u32>HYPERVISOR_LAST_L4_SLOT) {
      store<u64>(pointer, 0);
      continue;
    }
    const entry = load<u64>(pointer);
    if (!(entry & PTE_PRESENT)) continue;
    const outcome = takeEntry(cpu, entry, level);
    if (outcome) {
      dropEntries(cpu, host, level, slot);
      return outcome;
    }
  }
  if (level == TYPE_L4) storeMarked(cpu, host, PAGE_BYTES);
  return 0;
}

function dropEntries(cpu: usize, host: usize, level: u32, slots: u32): void {
  for (let slot: u32 = 0; slot < slots; slot++) {
    if (level == TYPE_L4 && slot == HYPERVISOR_FIRST_L4_SLOT) slot = HYPERVISOR_LAST_L4_SLOT + 1;
    if (slot >= slots) return;
    dropEntry(cpu, load<u64>(host + ((<usize>slot) << 3)), level);
  }
}

/** Checks a present entry for a table of `level` and takes what it refers to: 0, or -EINVAL with nothing taken. */
export function takeEntry(cpu: usize, entry: u64, level: u32): i32 {
  const record = usedFrame((entry & PTE_FRAME) >> 12);
  if (!record) return -EINVAL;
  if (entry & refusedBits(level)) return -EINVAL;
  if (level == TYPE_L1) {
    if (entry & PTE_WRITE) {
      const outcome = takeType(cpu, record, TYPE_WRITABLE);
      if (outcome) return outcome;
    }
  } else {
    const outcome = takeType(cpu, record, level - 1);
    if (outcome) return outcome;
  }
  takeReference(record);
  return 0;
}

/** Lets go what an entry refers to that takeEntry had taken; entries that are not present refer to nothing. */
export function dropEntry(cpu: usize, entry: u64, level: u32): void {
  if (!(entry & PTE_PRESENT)) return;
  const record = frameRecord((entry & PTE_FRAME) >> 12);
  if (!record) return;
  if (level != TYPE_L1 || (entry & PTE_WRITE) != 0) dropType(cpu, record);
  dropReference(cpu, record);
}

/** Frame of the domain's own reservation as its record, with the REFERENCES_ALLOCATED bit; 0 = not one. */
export function allocatedFrame(mfn: u64): usize {
  const record = usedFrame(mfn);
  if (!record || !(load<u32>(record, FRAME_REFERENCES) & REFERENCES_ALLOCATED)) return 0;
  const host = frameHost(mfn);
  return isHypervisorFrame(host) ? 0 : record;
}
