/**
 * The guest's descriptor tables: set_gdt, update_descriptor, and where the CPU finds the descriptor of a selector. The frames
 * of a GDT are held as descriptor tables while it is in use; entries from 7168 on are the hypervisor's flat segments.
 * @xen full HYPERVISOR_set_gdt
 * @xen full HYPERVISOR_update_descriptor
 */
import { FRAME_TYPE, VCPU_GDT_BASE, VCPU_GDT_LIMIT, VCPU_LDT_BASE, VCPU_LDT_LIMIT } from '../cpu/layout';
import { frameHost, frameRecord } from '../cpu/frames';
import { copyFromGuest, storeMarked } from '../cpu/memory';
import {
  DESCRIPTOR_CODE,
  DESCRIPTOR_CODE_OR_DATA,
  DESCRIPTOR_LONG,
  DESCRIPTOR_PRESENT,
  DESCRIPTOR_WRITABLE,
} from '../cpu/segment-descriptor';
import { EFAULT, EINVAL } from '../abi/errno';
import { FIRST_RESERVED_GDT_ENTRY } from '../abi/guest-context';
import {
  DOMAIN_REFUSED_CODE,
  PV_GDT_ENTRIES,
  PV_GDT_FRAMES,
  PV_SCRATCH,
  TYPE_COUNT,
  TYPE_DESCRIPTORS,
  TYPE_SHIFT,
  TYPE_WRITABLE,
} from './layout';
import {
  PTE_FRAME,
  PTE_PRESENT,
  dropReference,
  dropType,
  lockMemory,
  takeReference,
  takeType,
  unlockMemory,
  usedFrame,
} from './frame-use';
import { acceptDescriptor, refused } from './descriptor-check';
import { ringDom0 } from './events';
import { lastLevelEntry } from './page-table';

const GDT_FRAMES: u32 = 14;
/** Where SGDT says the table is: a place in the hypervisor's range that nothing is mapped at. */
const GDT_LINEAR: u64 = 0xffff820000000000;

/** Descriptors 7168..7175: ring-3 32-bit code, data and 64-bit code at 4, 5, 6. */
const FLAT_DESCRIPTORS = memory.data<u64>([0, 0, 0, 0, 0x00cffb000000ffff, 0x00cff3000000ffff, 0x00affb000000ffff, 0]);

/** Host pointer of the descriptor that `selector` names, 0 = outside its table. */
export function descriptorOf(cpu: usize, selector: u32): usize {
  const index = selector >> 3;
  if (selector & 4) {
    const base = load<u64>(cpu, VCPU_LDT_BASE);
    if (!base || index * 8 + 7 > load<u32>(cpu, VCPU_LDT_LIMIT)) return 0;
    const linear = base + <u64>index * 8;
    const pointer = lastLevelEntry(cpu, linear);
    if (!pointer) return 0;
    const entry = atomic.load<u64>(pointer);
    if (!(entry & PTE_PRESENT)) return 0;
    const host = frameHost((entry & PTE_FRAME) >> 12);
    return host ? host + ((<usize>linear) & 0xfff) : 0;
  }
  if (index >= <u32>FIRST_RESERVED_GDT_ENTRY) {
    const flat = index - FIRST_RESERVED_GDT_ENTRY;
    return flat < 8 ? FLAT_DESCRIPTORS + ((<usize>flat) << 3) : 0;
  }
  if (index >= load<u32>(cpu, PV_GDT_ENTRIES)) return 0;
  const mfn = load<u32>(cpu + PV_GDT_FRAMES + (((<usize>index) >> 9) << 2));
  const host = frameHost(mfn);
  return host ? host + (((<usize>index) & 511) << 3) : 0;
}

/**
 * Whether code can run with `selector` in CS at privilege level 3. Compatibility mode is not there: a segment of 32-bit code is
 * refused like one that is no code, and domain 0 is told so that it can say why.
 */
export function codeSelectorFits(cpu: usize, selector: u32): bool {
  const pointer = descriptorOf(cpu, selector);
  if (!pointer || !(selector & ~3)) return false;
  const descriptor = load<u64>(pointer);
  const wanted = DESCRIPTOR_PRESENT | DESCRIPTOR_CODE_OR_DATA | DESCRIPTOR_CODE;
  if ((descriptor & wanted) != wanted) return false;
  if (descriptor & DESCRIPTOR_LONG) return true;
  if (atomic.xchg<u32>(DOMAIN_REFUSED_CODE, selector) == 0) ringDom0();
  return false;
}

/** Whether `selector` may be in SS at privilege level 3. */
export function stackSelectorFits(cpu: usize, selector: u32): bool {
  const pointer = descriptorOf(cpu, selector);
  if (!pointer || !(selector & ~3)) return false;
  const descriptor = load<u64>(pointer);
  const wanted = DESCRIPTOR_PRESENT | DESCRIPTOR_CODE_OR_DATA | DESCRIPTOR_WRITABLE;
  return (descriptor & wanted) == wanted && (descriptor & DESCRIPTOR_CODE) == 0;
}

/** Lets go of the GDT in use. Under the memory lock. */
export function dropGdt(cpu: usize, target: usize): void {
  store<u32>(target, 0, PV_GDT_ENTRIES);
  for (let n: usize = 0; n < 16; n++) {
    const slot = target + PV_GDT_FRAMES + (n << 2);
    const mfn = load<u32>(slot);
    store<u32>(slot, 0);
    if (!mfn) continue;
    const record = frameRecord(mfn);
    if (!record) continue;
    dropType(cpu, record);
    dropReference(cpu, record);
  }
}

/** Puts a GDT of `entries` in force whose frame numbers (u64 each) are at `list`: 0 or -EINVAL. */
export function installGdt(cpu: usize, target: usize, list: usize, entries: u32): i32 {
  if (entries > <u32>FIRST_RESERVED_GDT_ENTRY) return -EINVAL;
  const frames = (entries + 511) >> 9;
  lockMemory(cpu);
  let taken: u32 = 0;
  for (; taken < frames; taken++) {
    const record = usedFrame(load<u64>(list + ((<usize>taken) << 3)));
    if (!record || takeType(cpu, record, TYPE_DESCRIPTORS)) break;
    takeReference(record);
  }
  if (taken < frames) {
    while (taken > 0) {
      taken--;
      const record = frameRecord(load<u64>(list + ((<usize>taken) << 3)));
      dropType(cpu, record);
      dropReference(cpu, record);
    }
    unlockMemory();
    return -EINVAL;
  }
  dropGdt(cpu, target);
  for (let n: u32 = 0; n < frames; n++) {
    store<u32>(target + PV_GDT_FRAMES + ((<usize>n) << 2), <u32>load<u64>(list + ((<usize>n) << 3)));
  }
  store<u32>(target, entries, PV_GDT_ENTRIES);
  store<u64>(target, GDT_LINEAR, VCPU_GDT_BASE);
  store<u32>(target, (GDT_FRAMES + 2) * 4096 - 1, VCPU_GDT_LIMIT);
  unlockMemory();
  return 0;
}

/** (frame list, entries) */
export function setGdt(cpu: usize, list: u64, entries: u32): i64 {
  if (entries > <u32>FIRST_RESERVED_GDT_ENTRY) return -EINVAL;
  const frames = (entries + 511) >> 9;
  if (!copyFromGuest(cpu, cpu + PV_SCRATCH, list, frames * 8)) return -EFAULT;
  return installGdt(cpu, cpu, cpu + PV_SCRATCH, entries);
}

/** (machine address, descriptor) */
export function updateDescriptor(cpu: usize, machineAddress: u64, descriptor: u64): i64 {
  if (machineAddress & 7) return -EINVAL;
  const accepted = acceptDescriptor(descriptor);
  if (refused) return -EINVAL;
  lockMemory(cpu);
  let outcome: i32 = -EINVAL;
  const record = usedFrame(machineAddress >> 12);
  if (record) {
    const word = load<u32>(record, FRAME_TYPE);
    const type: u32 = word >> TYPE_SHIFT == TYPE_DESCRIPTORS && (word & TYPE_COUNT) != 0 ? TYPE_DESCRIPTORS : TYPE_WRITABLE;
    outcome = takeType(cpu, record, type);
    if (!outcome) {
      const host = frameHost(machineAddress >> 12) + ((<usize>machineAddress) & 0xff8);
      atomic.store<u64>(host, accepted);
      storeMarked(cpu, host, 8);
      dropType(cpu, record);
    }
  }
  unlockMemory();
  return outcome;
}
