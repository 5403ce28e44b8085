/**
 * memory_op: the reservation of the domain (ballooning), the memory map and the machine-to-physical table.
 * @xen full HYPERVISOR_memory_op/XENMEM_populate_physmap
 * @xen full HYPERVISOR_memory_op/XENMEM_decrease_reservation
 * @xen refused HYPERVISOR_memory_op/XENMEM_exchange "-ENOSYS: no contiguous buffers for devices are needed"
 */
import {
  CONTROL,
  CONTROL_FRAME_COUNT,
  CONTROL_M2P_FIRST_MFN,
  CONTROL_M2P_PAGES,
  CONTROL_XEN_FRAMES,
  FRAME_REFERENCES,
} from '../cpu/layout';
import { hostOfFrameIndex, machineAddressOf, recordOfFrameIndex } from '../cpu/frames';
import { copyFromGuest, copyToGuest } from '../cpu/memory';
import { EFAULT, EINVAL, ENOSYS, EPERM } from '../abi/errno';
import {
  E820_ENTRY_BYTES,
  E820_RAM,
  MEMORY_RESERVATION_BYTES,
  MEMORY_RESERVATION_domid,
  MEMORY_RESERVATION_extent_order,
  MEMORY_RESERVATION_nr_extents,
  XENMEM_current_reservation,
  XENMEM_decrease_reservation,
  XENMEM_increase_reservation,
  XENMEM_machphys_mapping,
  XENMEM_maximum_ram_page,
  XENMEM_maximum_reservation,
  XENMEM_memory_map,
  XENMEM_populate_physmap,
} from '../abi/memory-op';
import {
  DOMAIN_FREE_CURSOR,
  DOMAIN_MAX_PAGES,
  DOMAIN_MEMORY_MAP_PAGES,
  DOMAIN_TOTAL_PAGES,
  PV_SCRATCH,
  REFERENCES_ALLOCATED,
  REFERENCES_COUNT,
} from './layout';
import { allocatedFrame, dropReference, lockMemory, setMachineToPhysical, unlockMemory } from './frame-use';
import { isSelf } from './page-table';

const MACH2PHYS_VIRT_START: u64 = 0xffff800000000000;
const MACH2PHYS_VIRT_END: u64 = 0xffff804000000000;
/** A domain without devices gets single pages and orders up to this. */
const ORDER_MAX: u32 = 9;
/** The command carries where to go on in these bits when a call is continued. */
const COMMAND_BITS: u32 = 0x3f;

/** (command, argument) */
export function memoryOp(cpu: usize, commandWord: u32, argument: u64): i64 {
  const command = commandWord & COMMAND_BITS;
  const scratch = cpu + PV_SCRATCH;
  switch (command) {
    case XENMEM_increase_reservation:
    case XENMEM_decrease_reservation:
    case XENMEM_populate_physmap:
      return changeReservation(cpu, command, argument);
    case XENMEM_maximum_ram_page:
      return <i64>(machineAddressOf(hostOfFrameIndex(load<u32>(CONTROL, CONTROL_FRAME_COUNT) - 1)) >> 12);
    case XENMEM_current_reservation:
    case XENMEM_maximum_reservation:
      if (!copyFromGuest(cpu, scratch, argument, 2)) return -EFAULT;
      if (!isSelf(load<u16>(scratch))) return -EPERM;
      return load<u32>(command == XENMEM_current_reservation ? DOMAIN_TOTAL_PAGES : DOMAIN_MAX_PAGES);
    case XENMEM_memory_map:
      return memoryMap(cpu, argument);
    case XENMEM_machphys_mapping: {
      const end = <u64>load<u32>(CONTROL, CONTROL_M2P_FIRST_MFN) + ((<u64>load<u32>(CONTROL, CONTROL_M2P_PAGES)) << 9);
      store<u64>(scratch, MACH2PHYS_VIRT_START);
      store<u64>(scratch, MACH2PHYS_VIRT_END, 8);
      store<u64>(scratch, end - 1, 16);
      return copyToGuest(cpu, argument, scratch, 24) ? 0 : -EFAULT;
    }
  }
  return -ENOSYS;
}

/** {u32 nr_entries, u64 buffer at 8}: one range of RAM. */
function memoryMap(cpu: usize, argument: u64): i64 {
  const scratch = cpu + PV_SCRATCH;
  if (!copyFromGuest(cpu, scratch, argument, 16)) return -EFAULT;
  const buffer = load<u64>(scratch, 8);
  if (load<u32>(scratch) < 1) return -EINVAL;
  store<u64>(scratch, 0, 16);
  store<u64>(scratch, (<u64>load<u32>(DOMAIN_MEMORY_MAP_PAGES)) << 12, 24);
  store<u32>(scratch, E820_RAM, 32);
  store<u32>(scratch, 1);
  if (!copyToGuest(cpu, buffer, scratch + 16, E820_ENTRY_BYTES)) return -EFAULT;
  return copyToGuest(cpu, argument, scratch, 4) ? 0 : -EFAULT;
}

/** Returns the number of extents done, which is less than asked for where the first failure is. */
function changeReservation(cpu: usize, command: u32, argument: u64): i64 {
  const scratch = cpu + PV_SCRATCH;
  if (!copyFromGuest(cpu, scratch, argument, MEMORY_RESERVATION_BYTES)) return -EFAULT;
  const list = load<u64>(scratch);
  const count = load<u64>(scratch, MEMORY_RESERVATION_nr_extents);
  const order = load<u32>(scratch, MEMORY_RESERVATION_extent_order);
  if (!isSelf(load<u16>(scratch, MEMORY_RESERVATION_domid))) return -EPERM;
  if (order > ORDER_MAX) return 0;
  const limit = min<u64>(count, 0x7fffffff);
  let done: u64 = 0;
  for (; done < limit; done++) {
    const place = list + (done << 3);
    if (list || command != XENMEM_increase_reservation) {
      if (!copyFromGuest(cpu, scratch, place, 8)) break;
    }
    const number = load<u64>(scratch);
    lockMemory(cpu);
    if (command == XENMEM_decrease_reservation) {
      const released = releaseExtent(cpu, number, order);
      unlockMemory();
      if (!released) break;
      continue;
    }
    const populate = command == XENMEM_populate_physmap;
    const mfn = allocateExtent(order, number, populate);
    unlockMemory();
    if (mfn == ~(<u64>0)) break;
    if (!list) continue;
    store<u64>(scratch, mfn);
    if (!copyToGuest(cpu, place, scratch, 8)) break;
  }
  return <i64>done;
}

function releaseExtent(cpu: usize, mfn: u64, order: u32): bool {
  const pages: u64 = (<u64>1) << order;
  for (let n: u64 = 0; n < pages; n++) {
    const record = allocatedFrame(mfn + n);
    if (!record) return false;
    store<u32>(record, load<u32>(record, FRAME_REFERENCES) & ~REFERENCES_ALLOCATED, FRAME_REFERENCES);
    dropReference(cpu, record);
  }
  return true;
}

/** First machine frame of 2^order free ones, entered in the M2P from `pfn` on if asked; all ones = none to be had. */
function allocateExtent(order: u32, pfn: u64, enter: bool): u64 {
  const pages: u32 = (<u32>1) << order;
  const total = load<u32>(DOMAIN_TOTAL_PAGES);
  if (total + pages > load<u32>(DOMAIN_MAX_PAGES)) return ~(<u64>0);
  const index = findFree(pages);
  if (!index) return ~(<u64>0);
  const mfn = machineAddressOf(hostOfFrameIndex(index)) >> 12;
  for (let n: u32 = 0; n < pages; n++) {
    store<u32>(recordOfFrameIndex(index + n), REFERENCES_ALLOCATED | 1, FRAME_REFERENCES);
    if (enter) setMachineToPhysical(mfn + n, pfn + n);
  }
  store<u32>(DOMAIN_TOTAL_PAGES, total + pages);
  return mfn;
}

/** Index of the first of `pages` adjacent free frames, aligned to their number; 0 = none (frame 0 is the hypervisor's). */
function findFree(pages: u32): u32 {
  const count = load<u32>(CONTROL, CONTROL_FRAME_COUNT);
  const lowest = load<u32>(CONTROL, CONTROL_XEN_FRAMES);
  let start = load<u32>(DOMAIN_FREE_CURSOR);
  if (start < lowest || start >= count) start = lowest;
  start = (start + pages - 1) & ~(pages - 1);
  let index = start;
  let wrapped = false;
  while (true) {
    if (index + pages > count) {
      if (wrapped) return 0;
      wrapped = true;
      index = (lowest + pages - 1) & ~(pages - 1);
      continue;
    }
    if (wrapped && index >= start) return 0;
    let n: u32 = 0;
    while (n < pages && !(load<u32>(recordOfFrameIndex(index + n), FRAME_REFERENCES) & REFERENCES_COUNT)) n++;
    if (n == pages) {
      store<u32>(DOMAIN_FREE_CURSOR, index + pages);
      return index;
    }
    index += pages;
  }
}
