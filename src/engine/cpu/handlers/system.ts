/** Instructions of the system: what needs privilege goes to the host, the rest is done here. @sdm Vol.2, Vol.3A ch. 2, 5 */
import { effectiveAddress, instructionAddress } from '../address';
import {
  CONTROL,
  CONTROL_CPUID,
  CONTROL_CPUID_COUNT,
  CPUID_LEAF_BYTES,
  FAULT,
  NEXT,
  OP_AUX,
  OP_REG,
  VCPU_FS_BASE,
  VCPU_GDT_BASE,
  VCPU_GDT_LIMIT,
  VCPU_GS_BASE,
  VCPU_ID,
  VCPU_LDTR,
  VCPU_RAX,
  VCPU_RBX,
  VCPU_RCX,
  VCPU_RDX,
  VCPU_RIP,
  VCPU_SELECTORS,
  VECTOR_GP,
  VECTOR_NP,
  VECTOR_SS,
} from '../layout';
import { ZF, getFlags, setFlags } from '../flags';
import { generalProtection, raise, undefinedOpcode } from '../fault';
import { descriptorPointer, executePrivileged, timeStampCounter } from '../host';
import { beginStore, endStore } from '../memory';
import { operandSize, rmIsMemory, rmReadable, writeRegister, writeRm } from './operands';

/** Anything that needs privilege, numbered by OP_AUX (privileged.ts). */
export function privileged(cpu: usize, op: usize): i32 {
  store<u64>(cpu, instructionAddress(cpu, op), VCPU_RIP);
  return executePrivileged(cpu, op);
}

/** LGDT and the like with a memory operand that only the host would read. */
export function cpuid(cpu: usize, op: usize): i32 {
  readCpuid(cpu);
  return NEXT;
}

/** Answers EAX, ECX out of the domain's table of leaves; beyond the highest basic leaf as that leaf (Intel). */
export function readCpuid(cpu: usize): void {
  let leaf = load<u32>(cpu, VCPU_RAX);
  const subleaf = load<u32>(cpu, VCPU_RCX);
  const count = load<u32>(CONTROL, CONTROL_CPUID_COUNT);
  let found = findLeaf(leaf, subleaf, count);
  if (!found && (leaf & 0xf0000000) == 0) {
    const zero = findLeaf(0, 0, count);
    if (zero && leaf > load<u32>(zero, 8)) {
      leaf = load<u32>(zero, 8);
      found = findLeaf(leaf, subleaf, count);
    }
  }
  store<u64>(cpu, found ? <u64>load<u32>(found, 8) : 0, VCPU_RAX);
  store<u64>(cpu, found ? <u64>load<u32>(found, 12) : 0, VCPU_RBX);
  store<u64>(cpu, found ? <u64>load<u32>(found, 16) : 0, VCPU_RCX);
  store<u64>(cpu, found ? <u64>load<u32>(found, 20) : 0, VCPU_RDX);
  // The initial APIC id (leaf 1) and the x2APIC id (leaf 0xb) are the vCPU's own, two apart as Xen numbers them.
  const apicId = load<u32>(cpu, VCPU_ID) * 2;
  if (leaf == 1) store<u64>(cpu, (load<u64>(cpu, VCPU_RBX) & 0x00ffffff) | ((<u64>apicId) << 24), VCPU_RBX);
  if (leaf == 0xb) store<u64>(cpu, <u64>apicId, VCPU_RDX);
}

function findLeaf(leaf: u32, subleaf: u32, count: u32): usize {
  for (let n: u32 = 0; n < count; n++) {
    const entry: usize = CONTROL + CONTROL_CPUID + <usize>n * CPUID_LEAF_BYTES;
    const wanted = load<u32>(entry, 4);
    if (load<u32>(entry) == leaf && (wanted == 0xffffffff || wanted == subleaf)) return entry;
  }
  return 0;
}

export function rdtsc(cpu: usize, op: usize): i32 {
  const now = timeStampCounter(cpu);
  store<u64>(cpu, now & 0xffffffff, VCPU_RAX);
  store<u64>(cpu, now >> 32, VCPU_RDX);
  return NEXT;
}

/** TSC_AUX is the vCPU's number. */
export function rdtscp(cpu: usize, op: usize): i32 {
  rdtsc(cpu, op);
  store<u64>(cpu, <u64>load<u32>(cpu, VCPU_ID), VCPU_RCX);
  return NEXT;
}

/** sgdt, sidt (aux 0, 1): limit and base. The interrupt table is the hypervisor's and shows as empty. */
export function storeTable(cpu: usize, op: usize): i32 {
  const p = beginStore(cpu, effectiveAddress(cpu, op), 10);
  if (!p) return FAULT;
  const gdt = load<u8>(op, OP_AUX) == 0;
  store<u16>(p, gdt ? <u16>load<u32>(cpu, VCPU_GDT_LIMIT) : 0xfff);
  store<u64>(p, gdt ? load<u64>(cpu, VCPU_GDT_BASE) : 0, 2);
  return endStore(cpu);
}

/** sldt, str (aux 0, 1), smsw (aux 2) */
export function storeSystemSelector(cpu: usize, op: usize): i32 {
  const kind = load<u8>(op, OP_AUX);
  const value: u64 = kind == 0 ? <u64>load<u16>(cpu, VCPU_LDTR) : kind == 1 ? 0xe040 : 0x80050033;
  const bytes: u32 = rmIsMemory(op) ? 2 : operandSize(op);
  return writeRm(cpu, op, bytes, <i64>value);
}

/** mov rm, segment */
export function storeSegment(cpu: usize, op: usize): i32 {
  const number = <u32>load<u8>(op, OP_REG);
  if (number > 5) return undefinedOpcode(cpu);
  return writeRm(cpu, op, rmIsMemory(op) ? 2 : operandSize(op), <i64>load<u16>(cpu + VCPU_SELECTORS + number * 2));
}

/** mov segment, rm */
export function loadSegment(cpu: usize, op: usize): i32 {
  const number = <u32>load<u8>(op, OP_REG);
  if (number > 5 || number == 1) return undefinedOpcode(cpu);
  const p = rmReadable(cpu, op, 2);
  if (!p) return FAULT;
  return loadSelector(cpu, number, <u32>load<u16>(p));
}

/** Loads a data-segment register with the checks of the SDM (Vol.3A 5.5); FS and GS take the base of the descriptor. */
export function loadSelector(cpu: usize, number: u32, selector: u32): i32 {
  if ((selector & 0xfffc) == 0) {
    if (number == 2) return generalProtection(cpu);
    store<u16>(cpu + VCPU_SELECTORS + number * 2, <u16>selector);
    if (number == 4) store<u64>(cpu, 0, VCPU_FS_BASE);
    if (number == 5) store<u64>(cpu, 0, VCPU_GS_BASE);
    return NEXT;
  }
  const descriptor = descriptorPointer(cpu, selector);
  if (!descriptor) return raise(cpu, VECTOR_GP, selector & 0xfffc);
  const bits = load<u64>(descriptor);
  const type = (<u32>(bits >> 40)) & 15;
  const isSegment = ((bits >> 44) & 1) != 0;
  const dpl = (<u32>(bits >> 45)) & 3;
  const present = ((bits >> 47) & 1) != 0;
  if (number == 2) {
    if (!isSegment || (type & 10) != 2 || dpl != 3 || (selector & 3) != 3) return raise(cpu, VECTOR_GP, selector & 0xfffc);
    if (!present) return raise(cpu, VECTOR_SS, selector & 0xfffc);
  } else {
    if (!isSegment || (type & 10) == 8) return raise(cpu, VECTOR_GP, selector & 0xfffc);
    if ((type & 12) != 12 && dpl < 3) return raise(cpu, VECTOR_GP, selector & 0xfffc);
    if (!present) return raise(cpu, VECTOR_NP, selector & 0xfffc);
  }
  store<u16>(cpu + VCPU_SELECTORS + number * 2, <u16>selector);
  const base = ((bits >> 16) & 0xffffff) | ((bits >> 32) & 0xff000000);
  if (number == 4) store<u64>(cpu, base, VCPU_FS_BASE);
  if (number == 5) store<u64>(cpu, base, VCPU_GS_BASE);
  return NEXT;
}

/** lar (aux 0), lsl (aux 1), verr (aux 2), verw (aux 3): ZF tells whether the selector may be looked at. */
export function inspectSelector(cpu: usize, op: usize): i32 {
  const kind = load<u8>(op, OP_AUX);
  const p = rmReadable(cpu, op, 2);
  if (!p) return FAULT;
  const selector = <u32>load<u16>(p);
  const descriptor = (selector & 0xfffc) != 0 ? descriptorPointer(cpu, selector) : 0;
  let visible = false;
  let bits: u64 = 0;
  if (descriptor) {
    bits = load<u64>(descriptor);
    const type = (<u32>(bits >> 40)) & 15;
    const isSegment = ((bits >> 44) & 1) != 0;
    const conforming = isSegment && (type & 12) == 12;
    visible = conforming || ((<u32>(bits >> 45)) & 3) == 3;
    if (!isSegment) visible = visible && kind < 2 && (type == 2 || type == 9 || type == 11 || (kind == 0 && type == 12));
    if (kind == 2) visible = visible && isSegment && ((type & 8) == 0 || (type & 2) != 0);
    if (kind == 3) visible = visible && isSegment && (type & 10) == 2;
  }
  if (visible && kind < 2) {
    let value = (bits >> 32) & 0x00f0ff00;
    if (kind == 1) {
      value = (bits & 0xffff) | ((bits >> 32) & 0xf0000);
      if (bits & ((<u64>1) << 55)) value = (value << 12) | 0xfff;
    }
    writeRegister(cpu + load<u8>(op, OP_REG), operandSize(op), <i64>value);
  }
  setFlags(cpu, (getFlags(cpu) & ~ZF) | (visible ? ZF : 0));
  return NEXT;
}
