/** What may be loaded into CS at privilege level 3. @sdm Vol.3A 5.8; Vol.2 CALL, JMP, RET, IRET */
import { NEXT, VCPU_SELECTORS, VECTOR_GP, VECTOR_NP } from '../layout';
import { generalProtection, raise } from '../fault';
import { descriptorPointer } from '../host';
import {
  DESCRIPTOR_CODE,
  DESCRIPTOR_CODE_OR_DATA,
  DESCRIPTOR_CONFORMING,
  DESCRIPTOR_D,
  DESCRIPTOR_DPL3,
  DESCRIPTOR_LONG,
  DESCRIPTOR_PRESENT,
} from '../segment-descriptor';

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
  const code = DESCRIPTOR_CODE_OR_DATA | DESCRIPTOR_CODE;
  if ((descriptor & code) != code) return raise(cpu, VECTOR_GP, error);
  if ((descriptor & DESCRIPTOR_CONFORMING) == 0 && (descriptor & DESCRIPTOR_DPL3) != DESCRIPTOR_DPL3)
    return raise(cpu, VECTOR_GP, error);
  if ((descriptor & (DESCRIPTOR_LONG | DESCRIPTOR_D)) != DESCRIPTOR_LONG) return raise(cpu, VECTOR_GP, error);
  return descriptor & DESCRIPTOR_PRESENT ? NEXT : raise(cpu, VECTOR_NP, error);
}
