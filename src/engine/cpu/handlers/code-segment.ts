/** What may be loaded into CS at privilege level 3. @sdm Vol.3A 5.8; Vol.2 CALL, JMP, RET, IRET */
import { NEXT, VCPU_SELECTORS, VECTOR_GP, VECTOR_NP } from '../layout';
import { generalProtection, raise } from '../fault';
import { descriptorPointer } from '../host';

/** S and the type bit of code. */
const CODE: u64 = 0x0000180000000000;
const CONFORMING: u64 = 0x0000040000000000;
const PRESENT: u64 = 0x0000800000000000;
const DPL3: u64 = 0x0000600000000000;
const L: u64 = 0x0020000000000000;
const D: u64 = 0x0040000000000000;

/**
 * Checks `selector` as the target of a transfer that stays at privilege level 3: NEXT, or the status of the fault recorded.
 * Gates are no way through: Xen gives 64-bit guests none. 32-bit code is #GP, since compatibility mode is not there.
 */
export function checkCodeSegment(cpu: usize, selector: u32): i32 {
  if ((selector & 0xfffc) == 0) return generalProtection(cpu);
  const error = selector & 0xfffc;
  // What CS holds was checked when it was loaded.
  if ((selector | 3) == <u32>load<u16>(cpu + VCPU_SELECTORS + 2)) return NEXT;
  const pointer = descriptorPointer(cpu, selector);
  if (!pointer) return raise(cpu, VECTOR_GP, error);
  const descriptor = load<u64>(pointer);
  if ((descriptor & CODE) != CODE) return raise(cpu, VECTOR_GP, error);
  if ((descriptor & CONFORMING) == 0 && (descriptor & DPL3) != DPL3) return raise(cpu, VECTOR_GP, error);
  if ((descriptor & (L | D)) != L) return raise(cpu, VECTOR_GP, error);
  return descriptor & PRESENT ? NEXT : raise(cpu, VECTOR_NP, error);
}
