/**
 * Which segment descriptors a guest may have in its tables. Present ones below privilege level 3 are raised to 3 in place, code
 * and data descriptors are accepted, of system descriptors only call gates.
 * @sdm Vol.3A 3.4.5 (segment descriptors), 5.8.3 (call gates)
 */
import { PAGE_BYTES } from '../cpu/layout';
import { EINVAL } from '../abi/errno';
import { FIRST_RESERVED_GDT_ENTRY } from '../abi/guest-context';

const PRESENT: u64 = 0x0000800000000000;
const PRIVILEGE: u64 = 0x0000600000000000;
const CODE_OR_DATA: u64 = 0x0000100000000000;
const TYPE: u64 = 0x00000f0000000000;
const TYPE_CALL_GATE: u64 = 0x00000c0000000000;

/** The descriptor as it may stand in a table, or 0 with `refused` set. */
export let refused: bool = false;

export function acceptDescriptor(descriptor: u64): u64 {
  refused = false;
  if (!(descriptor & PRESENT)) return descriptor;
  descriptor |= PRIVILEGE;
  if (descriptor & CODE_OR_DATA) return descriptor;
  // Type 0 is harmless: the second half of a call gate.
  if ((descriptor & TYPE) == 0) return descriptor;
  const selector = (<u32>(descriptor >> 16)) & 0xffff;
  if ((descriptor & TYPE) == TYPE_CALL_GATE && gateTarget(selector)) return descriptor;
  refused = true;
  return 0;
}

/** A call gate may lead to the guest's own code segments or the flat ones, at privilege level 3. */
function gateTarget(selector: u32): bool {
  if ((selector & 3) != 3) return false;
  const index = selector >> 3;
  if (selector & 4) return true;
  return index < <u32>FIRST_RESERVED_GDT_ENTRY || index == FIRST_RESERVED_GDT_ENTRY + 4 || index == FIRST_RESERVED_GDT_ENTRY + 6;
}

/** Checks and adjusts a page of descriptors: 0, or -EINVAL with nothing changed. */
export function validateDescriptors(host: usize): i32 {
  for (let offset: usize = 0; offset < <usize>PAGE_BYTES; offset += 8) {
    acceptDescriptor(load<u64>(host + offset));
    if (refused) return -EINVAL;
  }
  for (let offset: usize = 0; offset < <usize>PAGE_BYTES; offset += 8) {
    const descriptor = load<u64>(host + offset);
    const accepted = acceptDescriptor(descriptor);
    if (accepted != descriptor) store<u64>(host + offset, accepted);
  }
  return 0;
}
