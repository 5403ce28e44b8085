/**
 * Keeps the translations of all vCPUs true to the page tables. Guests cannot write tables in force but through the hypervisor, so it
 * knows every change of a present entry: the vCPU that makes one drops what it has of it at once, in all its banks, and logs it
 * for the others. Those catch up where the guest may expect it: at their own flushes and changes of root. A flush that a guest asks
 * for on its own vCPU is thus little more than a look at the log, and translations of roots not in use stay good.
 *
 * Why this is enough: a translation is cached after its entry was read, and the change of an entry is stored before it is logged. So
 * whoever has seen all of the log holds nothing older than the tables. Entries that were not present are never cached, and
 * accessed and dirty bits are only ever set behind the hypervisor's back. Where no hypervisor reports changes (a bare CPU)
 * flushTlb and flushPage are the flushes.
 */
import {
  CONTROL,
  CONTROL_TABLE_LOG,
  CONTROL_TABLE_LOG_HEAD,
  CONTROL_VCPU_COUNT,
  PAGE_BYTES,
  TABLE_LOG_ENTRIES,
  VCPU_TABLE_LOG_SEEN,
} from './layout';
import { flushTlb, forgetRoot, forgetTranslation } from './banks';

// A record: kind in the upper half. Of an entry: host address of the page it led to, plus its slot. Of a root: its frame number.
const ENTRY: u64 = 0;
const UPPER_ENTRY: u64 = 1;
const ROOT: u64 = 2;
/** Records that are read at most: the rest of the ring may be written meanwhile. */
const READ_AT_MOST: u32 = TABLE_LOG_ENTRIES / 2;

/** The last-level entry `slot` no longer leads to the page at `host`, or not as it did. Under the memory lock; `cpu` 0 = no vCPU. */
export function noteEntryChanged(cpu: usize, slot: usize, host: usize): void {
  if (cpu) forgetTranslation(cpu, slot, <u32>host);
  append(cpu, (ENTRY << 32) | (<u64>(<u32>host)) | (<u64>slot));
}

/** An entry above the last level changed. Under the memory lock; `cpu` 0 = no vCPU. */
export function noteUpperEntryChanged(cpu: usize): void {
  if (cpu) flushTlb(cpu);
  append(cpu, UPPER_ENTRY << 32);
}

/** The frame is a root table no more. Under the memory lock; `cpu` 0 = no vCPU. */
export function noteRootGone(cpu: usize, mfn: u64): void {
  if (cpu) forgetRoot(cpu, mfn << 12);
  append(cpu, (ROOT << 32) | mfn);
}

function append(cpu: usize, record: u64): void {
  if (cpu != 0 && load<u32>(CONTROL, CONTROL_VCPU_COUNT) <= 1) return;
  const head = atomic.load<u32>(CONTROL, CONTROL_TABLE_LOG_HEAD);
  atomic.store<u64>(CONTROL + CONTROL_TABLE_LOG + (((<usize>head) & (TABLE_LOG_ENTRIES - 1)) << 3), record);
  atomic.store<u32>(CONTROL, head + 1, CONTROL_TABLE_LOG_HEAD);
  if (cpu != 0 && load<u32>(cpu, VCPU_TABLE_LOG_SEEN) == head) store<u32>(cpu, head + 1, VCPU_TABLE_LOG_SEEN);
}

/** Drops what other vCPUs have changed the tables of: a flush of everything, as far as guests can tell. */
export function catchUp(cpu: usize): void {
  const head = atomic.load<u32>(CONTROL, CONTROL_TABLE_LOG_HEAD);
  const seen = load<u32>(cpu, VCPU_TABLE_LOG_SEEN);
  if (head == seen) return;
  if (head - seen > READ_AT_MOST) {
    flushTlb(cpu);
    return;
  }
  for (let n = seen; n != head; n++) {
    const record = atomic.load<u64>(CONTROL + CONTROL_TABLE_LOG + (((<usize>n) & (TABLE_LOG_ENTRIES - 1)) << 3));
    const kind = record >> 32;
    if (kind == UPPER_ENTRY) {
      flushTlb(cpu);
      return;
    }
    const value = <u32>record;
    if (kind == ROOT) forgetRoot(cpu, (<u64>value) << 12);
    else forgetTranslation(cpu, value & (PAGE_BYTES - 1), value & ~(<u32>(PAGE_BYTES - 1)));
  }
  store<u32>(cpu, head, VCPU_TABLE_LOG_SEEN);
  // Overtaken while reading?
  if (atomic.load<u32>(CONTROL, CONTROL_TABLE_LOG_HEAD) - seen > <u32>TABLE_LOG_ENTRIES) flushTlb(cpu);
}
