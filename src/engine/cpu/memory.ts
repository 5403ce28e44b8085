/**
 * Guest memory as instructions see it. Plain accesses go straight to the frame; what the TLB's tags refuse takes the slow path:
 * misses, page crossings, marked frames (code, dirty log) and page tables that the guest writes directly.
 *
 * A store is made in two steps, `beginStore` and `endStore`, so that a fault of the second page of a crossing store is known
 * before the first byte is written, and so that the hypervisor sees a page-table store as one compare-exchange.
 */
import {
  FAULT,
  FRAME_CODE_CHUNKS,
  FRAME_CODE_VCPUS,
  FRAME_FLAGS,
  FRAMEF_PAGE_TABLE,
  NEXT,
  PAGE_BYTES,
  RETRY,
  STORE_CROSSING,
  STORE_MARKED,
  STORE_PAGE_TABLE,
  TLB_ADDEND,
  TLB_READ,
  TLB_WRITE,
  VCPU_BOUNCE,
  VCPU_STEPPING,
  VCPU_STORE_ADDRESS,
  VCPU_STORE_BYTES,
  VCPU_STORE_HOST,
  VCPU_STORE_HOST2,
  VCPU_STORE_KIND,
} from './layout';
import { serves, tlbEntry } from './banks';
import { ACCESS_READ, ACCESS_WRITE, fillTlb, logDirty, takeRefusedHost } from './tlb';
import { frameRecordOf, isFrame, machineAddressOf } from './frames';
import { dropCode } from './code-marks';
import { pageTableStore } from './host';
import { raisePageFault } from './fault';
import { enterGuest, leaveGuest } from './rendezvous';
import { noteAccess } from './watch';

const PAGE_MASK: u64 = ~(<u64>(PAGE_BYTES - 1));
/** Where in the bounce buffer the word of a page-table store is kept as it was read. */
const BOUNCE_OLD = VCPU_BOUNCE + 48;

/** Host pointer to `bytes` (1..64) readable bytes at `va`, perhaps a copy in the bounce buffer; 0 = fault recorded. */
// @ts-ignore: decorator
@inline
export function readable(cpu: usize, va: u64, bytes: u32): usize {
  const entry = tlbEntry(cpu, va);
  if (serves(load<u64>(entry, TLB_READ), va, bytes)) return <usize>load<u32>(entry, TLB_ADDEND) + <usize>va;
  return readableSlow(cpu, va, bytes);
}

export function readableSlow(cpu: usize, va: u64, bytes: u32): usize {
  if (load<u32>(cpu, VCPU_STEPPING)) noteAccess(cpu, va, bytes, false);
  const last = va + <u64>(bytes - 1);
  if (((va ^ last) & PAGE_MASK) == 0) return fillTlb(cpu, va, ACCESS_READ);
  const first = translateRead(cpu, va);
  if (!first) return 0;
  const second = translateRead(cpu, last & PAGE_MASK);
  if (!second) return 0;
  const firstBytes = PAGE_BYTES - ((<u32>va) & (PAGE_BYTES - 1));
  memory.copy(cpu + VCPU_BOUNCE, first, firstBytes);
  memory.copy(cpu + VCPU_BOUNCE + firstBytes, second, bytes - firstBytes);
  return cpu + VCPU_BOUNCE;
}

function translateRead(cpu: usize, va: u64): usize {
  const entry = tlbEntry(cpu, va);
  if (load<u64>(entry, TLB_READ) == (va & PAGE_MASK)) return <usize>load<u32>(entry, TLB_ADDEND) + <usize>va;
  return fillTlb(cpu, va, ACCESS_READ);
}

/** Host pointer to write `bytes` (1..64) to, 0 = fault recorded; `endStore` completes the store. */
// @ts-ignore: decorator
@inline
export function beginStore(cpu: usize, va: u64, bytes: u32): usize {
  const entry = tlbEntry(cpu, va);
  if (serves(load<u64>(entry, TLB_WRITE), va, bytes)) return <usize>load<u32>(entry, TLB_ADDEND) + <usize>va;
  return beginStoreSlow(cpu, va, bytes);
}

/** As beginStore; what the pointer shows is the present content of memory. */
// @ts-ignore: decorator
@inline
export function beginUpdate(cpu: usize, va: u64, bytes: u32): usize {
  return beginStore(cpu, va, bytes);
}

/** Whether the store begun last goes to its frame itself, not to the bounce buffer. */
export function storesInPlace(cpu: usize): bool {
  return !load<u32>(cpu, VCPU_STORE_BYTES) || load<u32>(cpu, VCPU_STORE_KIND) == STORE_MARKED;
}

/** Forgets the store begun last; nothing may have been written. */
export function dropStore(cpu: usize): i32 {
  store<u32>(cpu, 0, VCPU_STORE_BYTES);
  return NEXT;
}

export function beginStoreSlow(cpu: usize, va: u64, bytes: u32): usize {
  if (load<u32>(cpu, VCPU_STEPPING)) noteAccess(cpu, va, bytes, true);
  const last = va + <u64>(bytes - 1);
  if (((va ^ last) & PAGE_MASK) != 0) return beginCrossingStore(cpu, va, bytes, last);
  let host = fillTlb(cpu, va, ACCESS_WRITE);
  let kind: u32 = STORE_MARKED;
  if (!host) {
    const refused = takeRefusedHost();
    if (!refused || !(atomic.load<u32>(frameRecordOf(refused), FRAME_FLAGS) & FRAMEF_PAGE_TABLE)) return 0;
    host = refused + ((<usize>va) & (PAGE_BYTES - 1));
    if (bytes > 8 || ((host ^ (host + bytes - 1)) & ~(<usize>7)) != 0) return 0;
    kind = STORE_PAGE_TABLE;
    const word = atomic.load<u64>(host & ~(<usize>7));
    store<u64>(cpu, word, BOUNCE_OLD);
    store<u64>(cpu, word >> (((<u64>host) & 7) << 3), VCPU_BOUNCE);
  } else if (load<u64>(tlbEntry(cpu, va), TLB_WRITE) == (va & PAGE_MASK)) {
    return host;
  }
  store<u64>(cpu, va, VCPU_STORE_ADDRESS);
  store<u32>(cpu, bytes, VCPU_STORE_BYTES);
  store<u32>(cpu, kind, VCPU_STORE_KIND);
  store<u32>(cpu, <u32>host, VCPU_STORE_HOST);
  return kind == STORE_PAGE_TABLE ? cpu + VCPU_BOUNCE : host;
}

function beginCrossingStore(cpu: usize, va: u64, bytes: u32, last: u64): usize {
  const first = fillTlb(cpu, va, ACCESS_WRITE);
  if (!first) return 0;
  const second = fillTlb(cpu, last & PAGE_MASK, ACCESS_WRITE);
  if (!second) return 0;
  const firstBytes = PAGE_BYTES - ((<u32>va) & (PAGE_BYTES - 1));
  memory.copy(cpu + VCPU_BOUNCE, first, firstBytes);
  memory.copy(cpu + VCPU_BOUNCE + firstBytes, second, bytes - firstBytes);
  store<u64>(cpu, va, VCPU_STORE_ADDRESS);
  store<u32>(cpu, bytes, VCPU_STORE_BYTES);
  store<u32>(cpu, STORE_CROSSING, VCPU_STORE_KIND);
  store<u32>(cpu, <u32>first, VCPU_STORE_HOST);
  store<u32>(cpu, <u32>second, VCPU_STORE_HOST2);
  return cpu + VCPU_BOUNCE;
}

/** Completes the store begun last: NEXT, FAULT (recorded; nothing was written) or RETRY. Registers change only after NEXT. */
// @ts-ignore: decorator
@inline
export function endStore(cpu: usize): i32 {
  if (!load<u32>(cpu, VCPU_STORE_BYTES)) return NEXT;
  return endStoreSlow(cpu);
}

export function endStoreSlow(cpu: usize): i32 {
  const bytes = load<u32>(cpu, VCPU_STORE_BYTES);
  const kind = load<u32>(cpu, VCPU_STORE_KIND);
  const host = <usize>load<u32>(cpu, VCPU_STORE_HOST);
  store<u32>(cpu, 0, VCPU_STORE_BYTES);
  if (kind == STORE_MARKED) {
    storeMarked(cpu, host, bytes);
    return NEXT;
  }
  if (kind == STORE_CROSSING) {
    const firstBytes = PAGE_BYTES - ((<u32>host) & (PAGE_BYTES - 1));
    const second = <usize>load<u32>(cpu, VCPU_STORE_HOST2);
    memory.copy(host, cpu + VCPU_BOUNCE, firstBytes);
    memory.copy(second, cpu + VCPU_BOUNCE + firstBytes, bytes - firstBytes);
    storeMarked(cpu, host, firstBytes);
    storeMarked(cpu, second, bytes - firstBytes);
    return NEXT;
  }
  return endPageTableStore(cpu, host, bytes);
}

function endPageTableStore(cpu: usize, host: usize, bytes: u32): i32 {
  const old = load<u64>(cpu, BOUNCE_OLD);
  const shift = ((<u64>host) & 7) << 3;
  const mask = bytes == 8 ? ~(<u64>0) : (((<u64>1) << ((<u64>bytes) << 3)) - 1) << shift;
  const wanted = (old & ~mask) | ((load<u64>(cpu, VCPU_BOUNCE) << shift) & mask);
  // The hypervisor may wait for its lock: count as outside the guest meanwhile.
  leaveGuest(cpu);
  const outcome = pageTableStore(cpu, machineAddressOf(host & ~(<usize>7)), old, wanted);
  enterGuest(cpu);
  if (outcome == 1) return NEXT;
  if (outcome == 2) return RETRY;
  raisePageFault(cpu, load<u64>(cpu, VCPU_STORE_ADDRESS), 3);
  return FAULT;
}

/**
 * To be called after anything that wrote `bytes` at a host pointer into the frames other than by a fast-writable TLB entry:
 * drops decoded code that the store hit and notes the store in the dirty log. Must not cross a page.
 */
export function storeMarked(cpu: usize, host: usize, bytes: u32): void {
  if (!isFrame(host)) return;
  const record = frameRecordOf(host);
  logDirty(record);
  // The store comes before the look at the marks (who decodes marks first and reads second): a locked operation keeps them apart.
  if (!atomic.add<u32>(record, 0, FRAME_CODE_VCPUS)) return;
  const offset = (<u32>host) & (PAGE_BYTES - 1);
  const from = <u64>(offset >> 6);
  const to = <u64>((offset + bytes - 1) >> 6);
  const chunks = (~(<u64>0) << from) & (~(<u64>0) >> (63 - to));
  if (atomic.load<u64>(record, FRAME_CODE_CHUNKS) & chunks) dropCode(cpu, host);
}

/** Copies guest memory to `destination`; false = part of it cannot be read (no fault is raised). */
export function copyFromGuest(cpu: usize, destination: usize, va: u64, bytes: u32): bool {
  while (bytes) {
    const here = min<u32>(bytes, PAGE_BYTES - ((<u32>va) & (PAGE_BYTES - 1)));
    const host = translateRead(cpu, va);
    if (!host) return false;
    memory.copy(destination, host, here);
    destination += here;
    va += here;
    bytes -= here;
  }
  return true;
}

/** Copies to guest memory; false = part of it cannot be written (what came before it has been; no fault is raised). */
export function copyToGuest(cpu: usize, va: u64, source: usize, bytes: u32): bool {
  while (bytes) {
    const here = min<u32>(bytes, PAGE_BYTES - ((<u32>va) & (PAGE_BYTES - 1)));
    const entry = tlbEntry(cpu, va);
    const page = va & PAGE_MASK;
    let host: usize;
    if (load<u64>(entry, TLB_WRITE) == page) {
      host = <usize>load<u32>(entry, TLB_ADDEND) + <usize>va;
      memory.copy(host, source, here);
    } else {
      host = fillTlb(cpu, va, ACCESS_WRITE);
      if (!host) return false;
      memory.copy(host, source, here);
      storeMarked(cpu, host, here);
    }
    source += here;
    va += here;
    bytes -= here;
  }
  return true;
}

/** Machine address of `va` in the current mode's tables, all ones = not mapped. */
export function translate(cpu: usize, va: u64): u64 {
  const host = translateRead(cpu, va);
  if (!host || !isFrame(host)) return ~(<u64>0);
  return machineAddressOf(host);
}
