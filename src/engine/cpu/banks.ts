/**
 * Where a vCPU keeps its translations: a bank for kernel mode and several for user mode, each of those for one root table. A bank
 * has a TLB for data and one for code, so that a switch of modes swaps pointers, a switch to a root met lately finds its bank warm,
 * and code and data do not displace each other.
 *
 * Banks know which of their entries have been filled: emptying one costs what was filled, not its size.
 */
import {
  BANK_BYTES,
  BANK_CHOSEN,
  BANK_CODE,
  BANK_CODE_FILLED,
  BANK_FILLED,
  BANK_LOW_CODE,
  BANK_LOW_FILLED,
  BANK_MAPPINGS,
  BANK_MAPPINGS_STEP,
  BANK_ROOT,
  CODE_TLB_ADDEND,
  CODE_TLB_ENTRY_BYTES,
  CONTROL,
  CONTROL_TABLE_LOG_HEAD,
  FILLED_BYTES,
  FRAME_CODE_VCPUS,
  FRAME_WRITTEN_AT,
  PAGE_BYTES,
  PAGE_SHIFT,
  TLB_ADDEND,
  TLB_ENTRIES,
  TLB_ENTRY_BYTES,
  TLB_READ,
  TLB_WRITE,
  USER_BANKS,
  VCPU_BANKS,
  VCPU_BANK_CLOCK,
  VCPU_CODE_TLB,
  VCPU_FLUSHES,
  VCPU_ID,
  VCPU_TABLE_LOG_SEEN,
  VCPU_TLB,
  VCPU_USER_BANK,
  VCPU_USER_MODE,
} from './layout';
import { frameRecordOf } from './frames';
import { orderAccess } from './memory-order';

/** Of an entry of the code TLB that holds nothing: no address of a page. */
const INVALID_TAG: u64 = 0xffffffffffffffff;
const SETS = <usize>TLB_ENTRIES;
const SEVERAL: u64 = 0xffffffffffffffff;

// @ts-ignore: decorator
@inline
function indexOf(va: u64): usize {
  return (<usize>(va >> 12)) & (SETS - 1);
}

/**
 * The tag of an entry of the TLB that does not serve the page at this address, which belongs to its slot. Accesses look by exclusive or:
 * what an address differs in from the tag must be an offset that leaves room for the access in the page. So the tag must
 * differ above the offset from every address of the slot, canonical or not: it does in all bits of the index.
 */
// @ts-ignore: decorator
@inline
export function invalidTag(page: u64): u64 {
  return ~page;
}

/** Whether the tag in an entry lets `bytes` at `va` be accessed. */
// @ts-ignore: decorator
@inline
export function serves(tag: u64, va: u64, bytes: u32): bool {
  return (tag ^ va) <= <u64>(PAGE_BYTES - bytes);
}

// @ts-ignore: decorator
@inline
export function tlbEntry(cpu: usize, va: u64): usize {
  orderAccess(cpu);
  return <usize>load<u32>(cpu, VCPU_TLB) + indexOf(va) * TLB_ENTRY_BYTES;
}

// @ts-ignore: decorator
@inline
export function codeTlbEntry(cpu: usize, va: u64): usize {
  return <usize>load<u32>(cpu, VCPU_CODE_TLB) + indexOf(va) * CODE_TLB_ENTRY_BYTES;
}

/** Host pointer of the code at `va` if its page is in the code TLB, else 0. */
// @ts-ignore: decorator
@inline
export function cachedCode(cpu: usize, va: u64): usize {
  const entry = codeTlbEntry(cpu, va);
  return load<u64>(entry) == (va & ~(<u64>(PAGE_BYTES - 1))) ? <usize>load<u32>(entry, CODE_TLB_ADDEND) + <usize>va : 0;
}

function bankOf(cpu: usize, n: u32): usize {
  return cpu + VCPU_BANKS + <usize>n * BANK_BYTES;
}

/** Empties all banks and uses the first user bank, whatever was there before. */
export function resetBanks(cpu: usize): void {
  for (let n: u32 = 0; n <= <u32>USER_BANKS; n++) {
    const bank = bankOf(cpu, n);
    const mappings = (load<u32>(bank, BANK_MAPPINGS) + BANK_MAPPINGS_STEP) & ~(<u32>BANK_MAPPINGS_STEP - 1);
    for (let index: usize = 0; index < SETS; index++) dropData(bank, index);
    memory.fill(bank + BANK_CODE, 0xff, BANK_FILLED - BANK_CODE);
    memory.fill(bank + BANK_FILLED, 0, BANK_BYTES - BANK_FILLED);
    store<u32>(bank, mappings | n, BANK_MAPPINGS);
  }
  store<u32>(cpu, <u32>bankOf(cpu, 1), VCPU_USER_BANK);
  store<u32>(cpu, 0, VCPU_BANK_CLOCK);
}

/** Uses the banks of kernel (0) or user (1) mode; the hypervisor swaps GS bases and checks that user tables exist. */
export function setMode(cpu: usize, user: u32): void {
  store<u32>(cpu, user, VCPU_USER_MODE);
  const bank = user ? load<u32>(cpu, VCPU_USER_BANK) : <u32>bankOf(cpu, 0);
  store<u32>(cpu, bank, VCPU_TLB);
  store<u32>(cpu, bank + BANK_CODE, VCPU_CODE_TLB);
}

// ---- filling ----------------------------------------------------------------------------------------------------------

/** Of the index: what a slot of a page table leaves open. */
const SLOTS = <usize>FILLED_BYTES;
const SLOT_BITS: usize = 9;

function noteFilled(bitmap: usize, index: usize): void {
  const byte = bitmap + (index & (SLOTS - 1));
  const place = <u32>(index >> SLOT_BITS);
  store<u8>(byte, (<u32>load<u8>(byte)) | ((<u32>1) << place));
}

/** Index of the entry that a bit in eight bytes of a bitmap stands for, those from slot `first` on. */
// @ts-ignore: decorator
@inline
function indexOfBit(first: usize, bits: u64): usize {
  const bit = <usize>ctz(bits);
  return ((bit & 7) << SLOT_BITS) | (first + (bit >> 3));
}

/** Puts a data translation of `page` into the current bank; `writeTag` as TLB_WRITE. */
export function fillData(cpu: usize, page: u64, host: usize, writeTag: u64): void {
  const bank = <usize>load<u32>(cpu, VCPU_TLB);
  const index = indexOf(page);
  const entry = bank + index * TLB_ENTRY_BYTES;
  store<u64>(entry, page, TLB_READ);
  store<u64>(entry, writeTag, TLB_WRITE);
  store<u32>(entry, <u32>host - <u32>page, TLB_ADDEND);
  noteFilled(bank + BANK_FILLED, index);
  if (<i64>page >= 0) noteFilled(bank + BANK_LOW_FILLED, index);
}

export function fillCode(cpu: usize, page: u64, host: usize): void {
  const bank = <usize>load<u32>(cpu, VCPU_TLB);
  const index = indexOf(page);
  const entry = bank + BANK_CODE + index * CODE_TLB_ENTRY_BYTES;
  store<u64>(entry, page);
  store<u32>(entry, <u32>host - <u32>page, CODE_TLB_ADDEND);
  noteFilled(bank + BANK_CODE_FILLED, index);
  if (<i64>page >= 0) store<u32>(bank, 1, BANK_LOW_CODE);
}

/** Notes that the TLB is about to hold a fast-writable translation of the frame. Before FRAMEF_WRITE_CACHED is set. */
export function noteWritable(record: usize, page: u64): void {
  const mine = page + 1;
  let seen = atomic.load<u64>(record, FRAME_WRITTEN_AT);
  if (seen == mine || seen == SEVERAL) return;
  if (!seen) {
    seen = atomic.cmpxchg<u64>(record, 0, mine, FRAME_WRITTEN_AT);
    if (!seen || seen == mine) return;
  }
  atomic.store<u64>(record, SEVERAL, FRAME_WRITTEN_AT);
}

// ---- emptying ---------------------------------------------------------------------------------------------------------

// @ts-ignore: decorator
@inline
function dropData(bank: usize, index: usize): void {
  const entry = bank + index * TLB_ENTRY_BYTES;
  const tag = invalidTag((<u64>index) << PAGE_SHIFT);
  store<u64>(entry, tag, TLB_READ);
  store<u64>(entry, tag, TLB_WRITE);
}

/** Empties the entry of the current bank that serves `va`. */
export function emptyEntry(cpu: usize, va: u64): void {
  dropData(<usize>load<u32>(cpu, VCPU_TLB), indexOf(va));
}

/** Empties the entries of a bank's TLB that a bitmap names, and the bitmap. */
function dropMarkedData(bank: usize, bitmap: usize): void {
  for (let first: usize = 0; first < SLOTS; first += 8) {
    let bits = load<u64>(bitmap + first);
    if (!bits) continue;
    store<u64>(bitmap + first, 0);
    for (; bits; bits &= bits - 1) dropData(bank, indexOfBit(first, bits));
  }
}

function noteMappings(bank: usize): void {
  store<u32>(bank, load<u32>(bank, BANK_MAPPINGS) + BANK_MAPPINGS_STEP, BANK_MAPPINGS);
}

function dropCodeOf(bank: usize): void {
  noteMappings(bank);
  for (let first: usize = 0; first < SLOTS; first += 8) {
    const place = bank + BANK_CODE_FILLED + first;
    let bits = load<u64>(place);
    if (!bits) continue;
    store<u64>(place, 0);
    for (; bits; bits &= bits - 1) store<u64>(bank + BANK_CODE + indexOfBit(first, bits) * CODE_TLB_ENTRY_BYTES, INVALID_TAG);
  }
  store<u32>(bank, 0, BANK_LOW_CODE);
}

function emptyBank(bank: usize): void {
  dropMarkedData(bank, bank + BANK_FILLED);
  memory.fill(bank + BANK_LOW_FILLED, 0, SLOTS);
  dropCodeOf(bank);
}

/** Drops every translation of this vCPU, in use or kept for later. */
export function flushTlb(cpu: usize): void {
  store<u64>(cpu, load<u64>(cpu, VCPU_FLUSHES) + 1, VCPU_FLUSHES);
  store<u32>(cpu, atomic.load<u32>(CONTROL, CONTROL_TABLE_LOG_HEAD), VCPU_TABLE_LOG_SEEN);
  for (let n: u32 = 0; n <= <u32>USER_BANKS; n++) emptyBank(bankOf(cpu, n));
}

/** Drops the translations of one page in every bank of this vCPU. */
export function flushPage(cpu: usize, va: u64): void {
  const index = indexOf(va);
  for (let n: u32 = 0; n <= <u32>USER_BANKS; n++) {
    const bank = bankOf(cpu, n);
    dropData(bank, index);
    store<u64>(bank + BANK_CODE + index * CODE_TLB_ENTRY_BYTES, INVALID_TAG);
    noteMappings(bank);
  }
}

/**
 * Drops every translation that may come from entry `slot` of some last-level table and leads to the page at `host`. The slot
 * gives the low nine bits of the page number, whatever address the table serves, so few entries can be meant.
 */
export function forgetTranslation(cpu: usize, slot: usize, host: u32): void {
  const decoded = (load<u32>(frameRecordOf(host), FRAME_CODE_VCPUS) & ((<u32>1) << load<u32>(cpu, VCPU_ID))) != 0;
  for (let n: u32 = 0; n <= <u32>USER_BANKS; n++) {
    const bank = bankOf(cpu, n);
    for (let bits = <u32>load<u8>(bank + BANK_FILLED + slot); bits; bits &= bits - 1) {
      const index = ((<usize>ctz(bits)) << SLOT_BITS) | slot;
      const entry = bank + index * TLB_ENTRY_BYTES;
      if (load<u32>(entry, TLB_ADDEND) + load<u32>(entry, TLB_READ) == host) dropData(bank, index);
    }
    // Entries that were displaced are still marked as filled.
    let bits = <u32>load<u8>(bank + BANK_CODE_FILLED + slot);
    if (decoded && bits != 0) noteMappings(bank);
    for (; bits; bits &= bits - 1) {
      const code = bank + BANK_CODE + (((<usize>ctz(bits)) << SLOT_BITS) | slot) * CODE_TLB_ENTRY_BYTES;
      if (load<u32>(code, CODE_TLB_ADDEND) + load<u32>(code) == host) store<u64>(code, INVALID_TAG);
    }
  }
}

/** Takes the fast-write right from every translation of this vCPU that leads to the frame at `host`. */
export function downgradeFrame(cpu: usize, host: usize): void {
  const at = atomic.xchg<u64>(frameRecordOf(host), 0, FRAME_WRITTEN_AT);
  if (!at) return;
  for (let n: u32 = 0; n <= <u32>USER_BANKS; n++) {
    const bank = bankOf(cpu, n);
    if (at != SEVERAL) {
      downgradeEntry(bank + indexOf(at) * TLB_ENTRY_BYTES, <u32>host);
      continue;
    }
    for (let first: usize = 0; first < SLOTS; first += 8)
      for (let bits = load<u64>(bank + BANK_FILLED + first); bits; bits &= bits - 1)
        downgradeEntry(bank + indexOfBit(first, bits) * TLB_ENTRY_BYTES, <u32>host);
  }
}

function downgradeEntry(entry: usize, host: u32): void {
  const tag = load<u64>(entry, TLB_WRITE);
  // What is no tag of a page is none of a frame's address either.
  if (load<u32>(entry, TLB_ADDEND) + <u32>tag != host) return;
  store<u64>(entry, invalidTag(tag), TLB_WRITE);
}

// ---- switching --------------------------------------------------------------------------------------------------------

/** The kernel's root has changed. `sameUpper`: the upper halves of the old and the new one refer to the same tables. */
export function switchKernelTables(cpu: usize, sameUpper: bool): void {
  const bank = bankOf(cpu, 0);
  if (!sameUpper) {
    emptyBank(bank);
    return;
  }
  dropMarkedData(bank, bank + BANK_LOW_FILLED);
  if (load<u32>(bank, BANK_LOW_CODE)) dropCodeOf(bank);
}

/** User mode goes on with the translations of `root` (machine address): those kept for it, or none yet. */
export function selectUserBank(cpu: usize, root: u64): void {
  let chosen: usize = 0;
  let oldest = bankOf(cpu, 1);
  for (let n: u32 = 1; n <= <u32>USER_BANKS; n++) {
    const bank = bankOf(cpu, n);
    if (load<u64>(bank, BANK_ROOT) == root) chosen = bank;
    if (load<u32>(bank, BANK_CHOSEN) < load<u32>(oldest, BANK_CHOSEN)) oldest = bank;
  }
  if (!chosen) {
    chosen = oldest;
    emptyBank(chosen);
    store<u64>(chosen, root, BANK_ROOT);
  }
  const clock = load<u32>(cpu, VCPU_BANK_CLOCK) + 1;
  store<u32>(cpu, clock, VCPU_BANK_CLOCK);
  store<u32>(chosen, clock, BANK_CHOSEN);
  store<u32>(cpu, <u32>chosen, VCPU_USER_BANK);
  setMode(cpu, load<u32>(cpu, VCPU_USER_MODE));
}

/** The table at `root` is a root no more: nothing of it may be kept. */
export function forgetRoot(cpu: usize, root: u64): void {
  for (let n: u32 = 1; n <= <u32>USER_BANKS; n++) {
    const bank = bankOf(cpu, n);
    if (load<u64>(bank, BANK_ROOT) != root) continue;
    emptyBank(bank);
    store<u64>(bank, 0, BANK_ROOT);
    store<u32>(bank, 0, BANK_CHOSEN);
  }
}
