/**
 * Changes of page tables: mmu_update, update_va_mapping and the guest's direct stores to last-level tables ("ptwr"). Each new
 * entry is checked and what it refers to is taken before the old one is let go; the entry changes in one 64-bit atomic store,
 * because other vCPUs walk the table meanwhile and set accessed and dirty bits.
 * @xen full HYPERVISOR_update_va_mapping
 * @xen partial HYPERVISOR_mmu_update "foreign domains are refused with -ESRCH"
 */
import { CONTROL, CONTROL_VCPU_COUNT, PAGE_BYTES, VCPU_CR3_KERNEL } from '../cpu/layout';
import { frameHost, frameRecordOf } from '../cpu/frames';
import { copyFromGuest, copyToGuest, storeMarked } from '../cpu/memory';
import { catchUp, noteEntryChanged, noteUpperEntryChanged } from '../cpu/table-log';
import { EFAULT, EINVAL, ESRCH } from '../abi/errno';
import {
  HYPERVISOR_FIRST_L4_SLOT,
  HYPERVISOR_LAST_L4_SLOT,
  MMU_MACHPHYS_UPDATE,
  MMU_PT_UPDATE_PRESERVE_AD,
  MMU_UPDATE_BYTES,
  UVMF_ALL,
  UVMF_INVLPG,
  UVMF_TLB_FLUSH,
  VMASST_TYPE_writable_pagetables,
} from '../abi/mmu';
import { DOMID_SELF } from '../abi/domid';
import { DOMAIN_ID, DOMAIN_VM_ASSIST, PV_PAGE_TABLE_WRITES, PV_SCRATCH, TYPE_L1, TYPE_L4, TYPE_WRITABLE } from './layout';
import {
  PTE_ACCESSED_DIRTY,
  PTE_FRAME,
  PTE_PRESENT,
  PTE_WRITE,
  allocatedFrame,
  dropEntry,
  dropType,
  isTable,
  lockMemory,
  refusedBits,
  setMachineToPhysical,
  takeEntry,
  takeType,
  typeOf,
  unlockMemory,
  usedFrame,
} from './frame-use';
import { flushMask } from './flush';

/** The guest's count of operations may carry this bit when a call is continued; `done` then says how many came before. */
export const MMU_UPDATE_PREEMPTED: u32 = 0x80000000;

/** Whether `domid` names the calling domain. */
export function isSelf(domid: u32): bool {
  return domid == DOMID_SELF || domid == load<u32>(DOMAIN_ID);
}

/**
 * Replaces the entry at `pointer` of a validated table of `level`: 0 or -EINVAL. With `preserve` the accessed and dirty bits
 * that the entry has stay set.
 */
function changeEntry(cpu: usize, pointer: usize, entry: u64, level: u32, preserve: bool): i32 {
  if (level == TYPE_L4) {
    const slot = <u32>((pointer >> 3) & 511);
    if (slot >= <u32>HYPERVISOR_FIRST_L4_SLOT && slot <= <u32>HYPERVISOR_LAST_L4_SLOT) return -EINVAL;
  }
  const old = atomic.load<u64>(pointer);
  const frameBits = level == TYPE_L1 ? PTE_FRAME | PTE_PRESENT | PTE_WRITE : PTE_FRAME | PTE_PRESENT;
  if ((entry & PTE_PRESENT) != 0 && ((old ^ entry) & frameBits) == 0) {
    // Refers to the same frame in the same way: only its other flags change.
    if (entry & refusedBits(level)) return -EINVAL;
    writeEntry(cpu, pointer, entry, preserve);
    noteChange(cpu, pointer, old, level);
    return 0;
  }
  if (entry & PTE_PRESENT) {
    const outcome = takeEntry(cpu, entry, level);
    if (outcome) return outcome;
  }
  writeEntry(cpu, pointer, entry, preserve);
  noteChange(cpu, pointer, old, level);
  dropEntry(cpu, old, level);
  return 0;
}

/** Tells the TLBs of an entry that is no longer what it was. What was not present is in none. */
function noteChange(cpu: usize, pointer: usize, old: u64, level: u32): void {
  if (!(old & PTE_PRESENT)) return;
  if (level != TYPE_L1) {
    // A table is in TLBs by its present entries only, and their changes have been told: of an empty one nothing is left.
    if (!isEmptyTable(frameHost((old & PTE_FRAME) >> 12))) noteUpperEntryChanged(cpu);
    return;
  }
  const host = frameHost((old & PTE_FRAME) >> 12);
  if (host) noteEntryChanged(cpu, (pointer >> 3) & 511, host);
}

/** Whether no entry of the table at `host` is present: guests empty a table before they take it away. */
function isEmptyTable(host: usize): bool {
  let all = v128.splat<u64>(0);
  for (let offset: usize = 0; offset < <usize>PAGE_BYTES; offset += 16) all = v128.or(all, v128.load(host + offset));
  return ((v128.extract_lane<u64>(all, 0) | v128.extract_lane<u64>(all, 1)) & PTE_PRESENT) == 0;
}

/** Only accessed and dirty bits can change under the lock, so what the old entry referred to is known. */
function writeEntry(cpu: usize, pointer: usize, entry: u64, preserve: bool): void {
  if (preserve) {
    let seen = atomic.load<u64>(pointer);
    while (true) {
      const found = atomic.cmpxchg<u64>(pointer, seen, entry | (seen & PTE_ACCESSED_DIRTY));
      if (found == seen) break;
      seen = found;
    }
  } else {
    atomic.store<u64>(pointer, entry);
  }
  storeMarked(cpu, pointer, 8);
}

/** One mmu_update request under the lock: 0 or -EINVAL. */
export function updateOne(cpu: usize, request: u64, value: u64): i32 {
  const command = (<u32>request) & 3;
  const mfn = request >> 12;
  if (command == MMU_MACHPHYS_UPDATE) {
    if (!allocatedFrame(mfn)) return -EINVAL;
    setMachineToPhysical(mfn, value);
    return 0;
  }
  const record = usedFrame(mfn);
  if (!record) return -EINVAL;
  const pointer = frameHost(mfn) + ((<usize>request) & 0xff8);
  const level = typeOf(record);
  if (level >= <u32>TYPE_L1 && level <= <u32>TYPE_L4 && isTable(record, level)) {
    return changeEntry(cpu, pointer, value, level, command == MMU_PT_UPDATE_PRESERVE_AD);
  }
  const outcome = takeType(cpu, record, TYPE_WRITABLE);
  if (outcome) return outcome;
  atomic.store<u64>(pointer, value);
  storeMarked(cpu, pointer, 8);
  dropType(cpu, record);
  return 0;
}

/** (requests, count, done, domid) */
export function mmuUpdate(cpu: usize, requests: u64, countWord: u32, done: u64, domain: u32): i64 {
  if ((domain & 0xffff) != domain || !isSelf(domain)) return -ESRCH;
  let completed: u32 = 0;
  let count = countWord;
  if (count & MMU_UPDATE_PREEMPTED) {
    count &= ~MMU_UPDATE_PREEMPTED;
    if (done && !copyFromGuest(cpu, cpu + PV_SCRATCH, done, 4)) return -EFAULT;
    if (done) completed = load<u32>(cpu, PV_SCRATCH);
  }
  let outcome: i32 = 0;
  for (let n: u32 = 0; n < count; n++) {
    if (!copyFromGuest(cpu, cpu + PV_SCRATCH, requests + <u64>n * MMU_UPDATE_BYTES, MMU_UPDATE_BYTES)) {
      outcome = -EFAULT;
      break;
    }
    const request = load<u64>(cpu, PV_SCRATCH);
    const value = load<u64>(cpu, PV_SCRATCH + 8);
    lockMemory(cpu);
    outcome = updateOne(cpu, request, value);
    unlockMemory();
    if (outcome) break;
    completed++;
  }
  if (done) {
    store<u32>(cpu, completed, PV_SCRATCH);
    if (!copyToGuest(cpu, done, cpu + PV_SCRATCH, 4) && !outcome) outcome = -EFAULT;
  }
  return outcome;
}

/** Pointer to the last-level entry that maps `va` in the kernel's tables, 0 = there is no last-level table. */
export function lastLevelEntry(cpu: usize, va: u64): usize {
  let table = frameHost(load<u64>(cpu, VCPU_CR3_KERNEL) >> 12);
  const slot = (<u32>(va >> 39)) & 511;
  if (slot >= <u32>HYPERVISOR_FIRST_L4_SLOT && slot <= <u32>HYPERVISOR_LAST_L4_SLOT) return 0;
  for (let shift: u64 = 39; shift > 12; shift -= 9) {
    if (!table) return 0;
    const entry = atomic.load<u64>(table + (((<usize>(va >> shift)) & 511) << 3));
    if (!(entry & PTE_PRESENT)) return 0;
    table = frameHost((entry & PTE_FRAME) >> 12);
  }
  return table ? table + (((<usize>(va >> 12)) & 511) << 3) : 0;
}

/** (va, entry, flags): replaces the entry that maps `va` in the current kernel tables. */
export function updateVaMapping(cpu: usize, va: u64, entry: u64, flags: u64): i64 {
  lockMemory(cpu);
  const pointer = lastLevelEntry(cpu, va);
  let outcome: i32 = -EINVAL;
  if (pointer) {
    const record = frameRecordOf(pointer);
    if (isTable(record, TYPE_L1)) outcome = changeEntry(cpu, pointer, entry, TYPE_L1, false);
  }
  unlockMemory();
  // The flush is done whatever came of the change, as a guest may rely on it.
  const kind = (<u32>flags) & 3;
  const target = flags & ~(<u64>3);
  if (kind == UVMF_TLB_FLUSH || kind == UVMF_INVLPG) {
    let mask: u32 = 0;
    if (target == UVMF_ALL) mask = ~(<u32>0);
    else if (target) {
      const bitmap = readVcpuMask(cpu, target);
      if (bitmap < 0) return outcome ? outcome : -EFAULT;
      mask = <u32>bitmap;
    }
    if (!target) catchUp(cpu);
    else flushMask(cpu, mask);
  }
  return outcome;
}

/** Bitmap of vCPUs at a guest address, as far as the domain has vCPUs; negative = cannot be read. */
export function readVcpuMask(cpu: usize, va: u64): i64 {
  const bytes = (load<u32>(CONTROL, CONTROL_VCPU_COUNT) + 7) >> 3;
  store<u64>(cpu, 0, PV_SCRATCH);
  if (!copyFromGuest(cpu, cpu + PV_SCRATCH, va, bytes)) return -EFAULT;
  return <i64>load<u32>(cpu, PV_SCRATCH);
}

/**
 * A kernel-mode store to a read-only mapped last-level table: 1 done, 0 refused (the guest gets its page fault), 2 the entry
 * has changed since the CPU read it.
 */
export function onPageTableStore(cpu: usize, machineAddress: u64, oldValue: u64, newValue: u64): i32 {
  if (!(load<u64>(DOMAIN_VM_ASSIST) & ((<u64>1) << VMASST_TYPE_writable_pagetables))) return 0;
  const mfn = machineAddress >> 12;
  lockMemory(cpu);
  const outcome = storeDirectly(cpu, mfn, machineAddress, oldValue, newValue);
  unlockMemory();
  if (outcome == 1) store<u64>(cpu, load<u64>(cpu, PV_PAGE_TABLE_WRITES) + 1, PV_PAGE_TABLE_WRITES);
  return outcome;
}

function storeDirectly(cpu: usize, mfn: u64, machineAddress: u64, oldValue: u64, newValue: u64): i32 {
  const record = usedFrame(mfn);
  if (!record || !isTable(record, TYPE_L1)) return 0;
  if (newValue & PTE_PRESENT) {
    if (takeEntry(cpu, newValue, TYPE_L1)) return 0;
  }
  const pointer = frameHost(mfn) + ((<usize>machineAddress) & 0xff8);
  if (atomic.cmpxchg<u64>(pointer, oldValue, newValue) != oldValue) {
    dropEntry(cpu, newValue, TYPE_L1);
    return 2;
  }
  noteChange(cpu, pointer, oldValue, TYPE_L1);
  dropEntry(cpu, oldValue, TYPE_L1);
  storeMarked(cpu, pointer, 8);
  return 1;
}
