/**
 * The iret hypercall: the only way into guest-user mode, and out of handlers.
 * @xen full HYPERVISOR_iret
 */
import { JUMP, VCPU_CR3_USER, VCPU_R11, VCPU_RAX, VCPU_RCX, VCPU_RIP, VCPU_RSP } from '../cpu/layout';
import { setRflags } from '../cpu/flags';
import { copyFromGuest } from '../cpu/memory';
import { isCanonical } from '../cpu/tlb';
import {
  IRET_BYTES,
  IRET_cs,
  IRET_flags,
  IRET_r11,
  IRET_rax,
  IRET_rcx,
  IRET_rflags,
  IRET_rip,
  IRET_rsp,
  IRET_ss,
  VGCF_in_syscall,
} from '../abi/guest-context';
import { VMASST_TYPE_architectural_iopl } from '../abi/mmu';
import { VCPU_INFO_evtchn_upcall_mask } from '../abi/shared-info';
import {
  CRASH_BAD_IRET_FRAME,
  CRASH_NO_USER_TABLES,
  DOMAIN_VM_ASSIST,
  PV_IOPL,
  PV_NMI,
  PV_NMI_MASKED,
  PV_SCRATCH,
  PV_VCPU_INFO,
} from './layout';
import { RFLAGS_IOPL, SELECTOR_CS, SELECTOR_SS, enterFailsafe, switchMode } from './bounce';
import { codeSelectorFits, stackSelectorFits } from './descriptors';
import { noteUserMode } from './answers';
import { crash } from './crash';

const RFLAGS_IF: u64 = 0x200;
/** CF PF AF ZF SF TF IF DF OF NT RF AC ID. */
const RFLAGS_LOADABLE: u64 = 0x254fd5;

/** Returns JUMP, or EXIT when the domain had to be crashed. */
export function iretHypercall(cpu: usize): i32 {
  const frame = cpu + PV_SCRATCH;
  const stack = load<u64>(cpu, VCPU_RSP);
  if (!copyFromGuest(cpu, frame, stack, IRET_BYTES)) return crash(cpu, CRASH_BAD_IRET_FRAME, stack);
  const selector = <u32>load<u16>(frame, IRET_cs);
  if ((selector & 3) == 3) {
    if (!load<u64>(cpu, VCPU_CR3_USER)) return crash(cpu, CRASH_NO_USER_TABLES, load<u64>(frame, IRET_rip));
    noteUserMode(cpu);
    switchMode(cpu, 1);
  }
  const flags = load<u64>(frame, IRET_rflags);
  if (load<u64>(DOMAIN_VM_ASSIST) & ((<u64>1) << VMASST_TYPE_architectural_iopl)) {
    store<u32>(cpu, <u32>((flags & RFLAGS_IOPL) >> 12), PV_IOPL);
  }
  const rip = load<u64>(frame, IRET_rip);
  const liveFlags = (flags & RFLAGS_LOADABLE) | RFLAGS_IF;
  store<u64>(cpu, load<u64>(frame, IRET_rax), VCPU_RAX);
  if (load<u64>(frame, IRET_flags) & VGCF_in_syscall) {
    store<u64>(cpu, rip, VCPU_RCX);
    store<u64>(cpu, liveFlags, VCPU_R11);
  } else {
    store<u64>(cpu, load<u64>(frame, IRET_rcx), VCPU_RCX);
    store<u64>(cpu, load<u64>(frame, IRET_r11), VCPU_R11);
  }
  store<u64>(cpu, rip, VCPU_RIP);
  store<u64>(cpu, load<u64>(frame, IRET_rsp), VCPU_RSP);
  const stackSelector = (<u32>load<u16>(frame, IRET_ss)) | 3;
  store<u16>(cpu, <u16>(selector | 3), SELECTOR_CS);
  store<u16>(cpu, <u16>stackSelector, SELECTOR_SS);
  setRflags(cpu, liveFlags);
  store<u8>(<usize>load<u32>(cpu, PV_VCPU_INFO), flags & RFLAGS_IF ? 0 : 1, VCPU_INFO_evtchn_upcall_mask);
  atomic.and<u32>(cpu, ~PV_NMI_MASKED, PV_NMI);
  if (!isCanonical(rip) || !codeSelectorFits(cpu, selector | 3) || !stackSelectorFits(cpu, stackSelector))
    return enterFailsafe(cpu);
  return JUMP;
}
