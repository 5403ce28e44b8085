/**
 * mmuext_op: pinning tables, changing base pointers, flushes.
 * @xen partial HYPERVISOR_mmuext_op "MARK_SUPER and UNMARK_SUPER: -EOPNOTSUPP; foreign domains: -ESRCH"
 */
import { PAGE_BYTES, VCPU_CR3_KERNEL, VCPU_CR3_USER, VCPU_LDT_BASE, VCPU_LDT_LIMIT } from '../cpu/layout';
import { frameHost, frameRecord } from '../cpu/frames';
import { copyFromGuest, copyToGuest, storeMarked } from '../cpu/memory';
import { flushTlb, selectUserBank, switchKernelTables } from '../cpu/banks';
import { catchUp } from '../cpu/table-log';
import { EACCES, EFAULT, EINVAL, ENOSYS, EOPNOTSUPP, ESRCH } from '../abi/errno';
import {
  MMUEXT_CLEAR_PAGE,
  MMUEXT_COPY_PAGE,
  MMUEXT_FLUSH_CACHE,
  MMUEXT_FLUSH_CACHE_GLOBAL,
  MMUEXT_INVLPG_ALL,
  MMUEXT_INVLPG_LOCAL,
  MMUEXT_INVLPG_MULTI,
  MMUEXT_MARK_SUPER,
  MMUEXT_NEW_BASEPTR,
  MMUEXT_NEW_USER_BASEPTR,
  MMUEXT_OP_BYTES,
  MMUEXT_PIN_L4_TABLE,
  MMUEXT_SET_LDT,
  MMUEXT_TLB_FLUSH_ALL,
  MMUEXT_TLB_FLUSH_LOCAL,
  MMUEXT_TLB_FLUSH_MULTI,
  MMUEXT_UNMARK_SUPER,
  MMUEXT_UNPIN_TABLE,
} from '../abi/mmu';
import { PV_SCRATCH, TYPE_L1, TYPE_L4, TYPE_WRITABLE } from './layout';
import {
  PTE_ACCESSED_DIRTY,
  dropReference,
  dropType,
  lockMemory,
  pinTable,
  takeReference,
  takeType,
  unlockMemory,
  unpinTable,
  usedFrame,
} from './frame-use';
import { flushMask } from './flush';
import { MMU_UPDATE_PREEMPTED, isSelf, readVcpuMask } from './page-table';

const LDT_ENTRIES_MAX: u64 = 8192;

/** (operations, count, done, domid) */
export function mmuextOp(cpu: usize, operations: u64, countWord: u32, done: u64, domain: u32): i64 {
  if (!isSelf(domain & 0xffff)) return -ESRCH;
  let completed: u32 = 0;
  let count = countWord;
  if (count & MMU_UPDATE_PREEMPTED) {
    count &= ~MMU_UPDATE_PREEMPTED;
    if (done && !copyFromGuest(cpu, cpu + PV_SCRATCH, done, 4)) return -EFAULT;
    if (done) completed = load<u32>(cpu, PV_SCRATCH);
  }
  let outcome: i32 = 0;
  for (let n: u32 = 0; n < count; n++) {
    if (!copyFromGuest(cpu, cpu + PV_SCRATCH, operations + <u64>n * MMUEXT_OP_BYTES, MMUEXT_OP_BYTES)) {
      outcome = -EFAULT;
      break;
    }
    outcome = extendedOne(cpu, load<u32>(cpu, PV_SCRATCH), load<u64>(cpu, PV_SCRATCH + 8), load<u64>(cpu, PV_SCRATCH + 16));
    if (outcome) break;
    completed++;
  }
  if (done) {
    store<u32>(cpu, completed, PV_SCRATCH);
    if (!copyToGuest(cpu, done, cpu + PV_SCRATCH, 4) && !outcome) outcome = -EFAULT;
  }
  return outcome;
}

function extendedOne(cpu: usize, command: u32, first: u64, second: u64): i32 {
  if (command <= <u32>MMUEXT_PIN_L4_TABLE) {
    lockMemory(cpu);
    const outcome = pinTable(cpu, first, TYPE_L1 + command);
    unlockMemory();
    return outcome;
  }
  switch (command) {
    case MMUEXT_UNPIN_TABLE: {
      lockMemory(cpu);
      const outcome = unpinTable(cpu, first);
      unlockMemory();
      return outcome;
    }
    case MMUEXT_NEW_BASEPTR:
      return newBasePointer(cpu, first);
    case MMUEXT_NEW_USER_BASEPTR:
      return newUserBasePointer(cpu, first);
    case MMUEXT_TLB_FLUSH_LOCAL:
    case MMUEXT_INVLPG_LOCAL:
      catchUp(cpu);
      return 0;
    case MMUEXT_TLB_FLUSH_MULTI:
    case MMUEXT_INVLPG_MULTI: {
      const mask = readVcpuMask(cpu, second);
      if (mask < 0) return -EINVAL;
      flushMask(cpu, <u32>mask);
      return 0;
    }
    case MMUEXT_TLB_FLUSH_ALL:
    case MMUEXT_INVLPG_ALL:
      flushMask(cpu, ~(<u32>0));
      return 0;
    case MMUEXT_FLUSH_CACHE:
      // Without cache attributes of its own a domain may not ask for it.
      return -EACCES;
    case MMUEXT_FLUSH_CACHE_GLOBAL:
      return -EINVAL;
    case MMUEXT_SET_LDT:
      return setLdt(cpu, first, second);
    case MMUEXT_CLEAR_PAGE:
    case MMUEXT_COPY_PAGE:
      return fillPage(cpu, first, second, command == MMUEXT_COPY_PAGE);
    case MMUEXT_MARK_SUPER:
    case MMUEXT_UNMARK_SUPER:
      return -EOPNOTSUPP;
  }
  return -ENOSYS;
}

/** Takes a frame as root table: 0 or -EINVAL. Under the memory lock. */
function takeRoot(cpu: usize, mfn: u64): i32 {
  const record = usedFrame(mfn);
  if (!record) return -EINVAL;
  const outcome = takeType(cpu, record, TYPE_L4);
  if (outcome) return outcome;
  takeReference(record);
  return 0;
}

function dropRoot(cpu: usize, machineAddress: u64): void {
  if (!machineAddress) return;
  const record = frameRecord(machineAddress >> 12);
  if (!record) return;
  dropType(cpu, record);
  dropReference(cpu, record);
}

/** Sets the kernel's root table of `target`, which is the caller or does not run. */
export function setKernelRoot(cpu: usize, target: usize, mfn: u64): i32 {
  return setRoot(cpu, target, mfn, VCPU_CR3_KERNEL);
}

/** Sets the user's root table of `target`; frame 0 means none. */
export function setUserRoot(cpu: usize, target: usize, mfn: u64): i32 {
  return setRoot(cpu, target, mfn, VCPU_CR3_USER);
}

/** Whether two root tables refer to the same tables, with the same rights, in their upper halves. */
function upperHalvesEqual(one: u64, other: u64): bool {
  const first = frameHost(one);
  const second = frameHost(other);
  if (!first || !second) return false;
  const ignored = v128.splat<u64>(~PTE_ACCESSED_DIRTY);
  for (let offset: usize = PAGE_BYTES / 2; offset < <usize>PAGE_BYTES; offset += 16) {
    const difference = v128.and(v128.xor(v128.load(first + offset), v128.load(second + offset)), ignored);
    if (v128.any_true(difference)) return false;
  }
  return true;
}

function setRoot(cpu: usize, target: usize, mfn: u64, field: usize): i32 {
  const old = load<u64>(target + field);
  if (old == mfn << 12) return 0;
  lockMemory(cpu);
  if (mfn) {
    const outcome = takeRoot(cpu, mfn);
    if (outcome) {
      unlockMemory();
      return outcome;
    }
  }
  store<u64>(target + field, mfn << 12);
  if (target == cpu) catchUp(cpu);
  else flushTlb(target);
  // Kernel mappings are the same in all address spaces as a rule: what the kernel has of them stays.
  if (field == VCPU_CR3_USER) selectUserBank(target, mfn << 12);
  else switchKernelTables(target, upperHalvesEqual(old >> 12, mfn));
  dropRoot(cpu, old);
  unlockMemory();
  return 0;
}

/** Kernel root of the calling vCPU; also reached by a MOV to CR3. */
export function newBasePointer(cpu: usize, mfn: u64): i32 {
  if (!mfn) return -EINVAL;
  if (load<u64>(cpu, VCPU_CR3_KERNEL) == mfn << 12) {
    catchUp(cpu);
    return 0;
  }
  return setKernelRoot(cpu, cpu, mfn);
}

function newUserBasePointer(cpu: usize, mfn: u64): i32 {
  return setUserRoot(cpu, cpu, mfn);
}

function setLdt(cpu: usize, base: u64, entries: u64): i32 {
  if ((base & (PAGE_BYTES - 1)) != 0 || entries > LDT_ENTRIES_MAX) return -EINVAL;
  store<u64>(cpu, entries ? base : 0, VCPU_LDT_BASE);
  store<u32>(cpu, entries ? <u32>entries * 8 - 1 : 0, VCPU_LDT_LIMIT);
  return 0;
}

/** CLEAR_PAGE (mfn) and COPY_PAGE (mfn, source mfn); the target must be usable as writable memory. */
function fillPage(cpu: usize, mfn: u64, sourceMfn: u64, copy: bool): i32 {
  lockMemory(cpu);
  let outcome: i32 = -EINVAL;
  const record = usedFrame(mfn);
  const source = copy ? usedFrame(sourceMfn) : 1;
  if (record && source && !takeType(cpu, record, TYPE_WRITABLE)) {
    const host = frameHost(mfn);
    if (copy) memory.copy(host, frameHost(sourceMfn), PAGE_BYTES);
    else memory.fill(host, 0, PAGE_BYTES);
    storeMarked(cpu, host, PAGE_BYTES);
    dropType(cpu, record);
    outcome = 0;
  }
  unlockMemory();
  return outcome;
}
