/**
 * Entry into the guest kernel: the frame that an exception, event or callback finds on its stack, and the switch between
 * guest-kernel and guest-user mode.
 * @see xen/include/public/arch-x86/xen-x86_64.h; xen/arch/x86/x86_64/entry.S for the observable frame
 */
import {
  JUMP,
  NEXT,
  VCPU_GS_BASE,
  VCPU_INACTIVE_GS_BASE,
  VCPU_R11,
  VCPU_RCX,
  VCPU_RIP,
  VCPU_RSP,
  VCPU_SELECTORS,
  VCPU_USER_MODE,
} from '../cpu/layout';
import { getRflags, setRflags } from '../cpu/flags';
import { beginStore, copyToGuest, endStore } from '../cpu/memory';
import { setMode } from '../cpu/banks';
import { FLAT_KERNEL_CS, FLAT_KERNEL_SS } from '../abi/guest-context';
import { VCPU_INFO_evtchn_upcall_mask } from '../abi/shared-info';
import { VMASST_TYPE_architectural_iopl } from '../abi/mmu';
import {
  CRASH_BAD_STACK,
  CRASH_NO_FAILSAFE,
  CRASH_NO_HANDLER,
  DOMAIN_VM_ASSIST,
  PV_CALLBACKS_MASKING,
  PV_FAILSAFE_CALLBACK,
  PV_IOPL,
  PV_KERNEL_SP,
  PV_SCRATCH,
  PV_VCPU_INFO,
} from './layout';
import { CALLBACKTYPE_failsafe } from '../abi/callback';
import { crash } from './crash';

export const SELECTOR_CS: usize = VCPU_SELECTORS + 2;
export const SELECTOR_SS: usize = VCPU_SELECTORS + 4;
const SELECTOR_ES: usize = VCPU_SELECTORS;
const SELECTOR_DS: usize = VCPU_SELECTORS + 6;
const SELECTOR_FS: usize = VCPU_SELECTORS + 8;
const SELECTOR_GS: usize = VCPU_SELECTORS + 10;

const RFLAGS_IF: u64 = 0x200;
export const RFLAGS_IOPL: u64 = 0x3000;
/** TF, NT, RF, VM and AC are cleared for the handler. */
const RFLAGS_CLEARED: u64 = 0x100 | 0x4000 | 0x10000 | 0x20000 | 0x40000;
const HYPERVISOR_START: u64 = 0xffff800000000000;
const HYPERVISOR_END: u64 = 0xffff880000000000;

/** Guest-user (1) or guest-kernel (0) mode: page tables, TLB and GS base change together. */
export function switchMode(cpu: usize, user: u32): void {
  const gs = load<u64>(cpu, VCPU_GS_BASE);
  store<u64>(cpu, load<u64>(cpu, VCPU_INACTIVE_GS_BASE), VCPU_GS_BASE);
  store<u64>(cpu, gs, VCPU_INACTIVE_GS_BASE);
  setMode(cpu, user);
}

/** Saved RFLAGS as a frame shows them: IF is the virtual one, IOPL the virtual one if the guest asked for that. */
function frameRflags(cpu: usize, flags: u64, mask: u32): u64 {
  flags &= ~(RFLAGS_IF | RFLAGS_IOPL);
  if (!mask) flags |= RFLAGS_IF;
  if (load<u64>(DOMAIN_VM_ASSIST) & ((<u64>1) << VMASST_TYPE_architectural_iopl)) flags |= (<u64>load<u32>(cpu, PV_IOPL)) << 12;
  return flags;
}

/**
 * Makes the frame on the kernel's stack and goes to `handler`, with events masked if asked. VCPU_RIP is what the frame shows.
 * Returns JUMP, or EXIT when the domain had to be crashed.
 */
export function enterKernel(cpu: usize, handler: u64, maskEvents: bool, hasError: bool, error: u32): i32 {
  if (!handler) return crash(cpu, CRASH_NO_HANDLER, load<u64>(cpu, VCPU_RIP));
  const flags = getRflags(cpu);
  const oldRsp = load<u64>(cpu, VCPU_RSP);
  let selector: u64 = <u64>load<u16>(cpu, SELECTOR_CS);
  let stack = oldRsp;
  if (load<u32>(cpu, VCPU_USER_MODE)) {
    switchMode(cpu, 0);
    stack = load<u64>(cpu, PV_KERNEL_SP);
  } else {
    selector &= ~(<u64>3);
  }
  const bytes: u32 = hasError ? 64 : 56;
  const top = (stack & ~(<u64>15)) - <u64>bytes;
  if (top >= HYPERVISOR_START && top < HYPERVISOR_END) return crash(cpu, CRASH_BAD_STACK, stack);
  let frame = beginStore(cpu, top, bytes);
  if (!frame) return crash(cpu, CRASH_BAD_STACK, stack);
  const vcpuInfo = <usize>load<u32>(cpu, PV_VCPU_INFO);
  const mask: u32 = load<u8>(vcpuInfo, VCPU_INFO_evtchn_upcall_mask);
  store<u64>(frame, load<u64>(cpu, VCPU_RCX));
  store<u64>(frame + 8, load<u64>(cpu, VCPU_R11));
  if (hasError) {
    store<u64>(frame + 16, error);
    frame += 8;
  }
  store<u64>(frame + 16, load<u64>(cpu, VCPU_RIP));
  store<u64>(frame + 24, selector | ((<u64>mask) << 32));
  store<u64>(frame + 32, frameRflags(cpu, flags, mask));
  store<u64>(frame + 40, oldRsp);
  store<u64>(frame + 48, <u64>load<u16>(cpu, SELECTOR_SS));
  if (endStore(cpu) != NEXT) return crash(cpu, CRASH_BAD_STACK, stack);
  if (maskEvents) store<u8>(vcpuInfo, 1, VCPU_INFO_evtchn_upcall_mask);
  store<u64>(cpu, top, VCPU_RSP);
  return goTo(cpu, handler, flags);
}

function goTo(cpu: usize, handler: u64, flags: u64): i32 {
  store<u16>(cpu, FLAT_KERNEL_CS, SELECTOR_CS);
  store<u16>(cpu, FLAT_KERNEL_SS, SELECTOR_SS);
  store<u64>(cpu, handler, VCPU_RIP);
  setRflags(cpu, (flags & ~RFLAGS_CLEARED) | RFLAGS_IF);
  return JUMP;
}

/**
 * The context in the registers cannot be returned to (a selector or RIP that the CPU refuses): tells the kernel, with the data
 * selectors in the frame: rcx, r11, ds, es, fs, gs, rip, cs, rflags, rsp, ss.
 */
export function enterFailsafe(cpu: usize): i32 {
  const handler = load<u64>(cpu, PV_FAILSAFE_CALLBACK);
  if (!handler) return crash(cpu, CRASH_NO_FAILSAFE, load<u64>(cpu, VCPU_RIP));
  const flags = getRflags(cpu);
  const oldRsp = load<u64>(cpu, VCPU_RSP);
  let selector: u64 = <u64>load<u16>(cpu, SELECTOR_CS);
  let stack = oldRsp;
  if (load<u32>(cpu, VCPU_USER_MODE)) {
    switchMode(cpu, 0);
    stack = load<u64>(cpu, PV_KERNEL_SP);
  } else {
    selector &= ~(<u64>3);
  }
  const vcpuInfo = <usize>load<u32>(cpu, PV_VCPU_INFO);
  const mask: u32 = load<u8>(vcpuInfo, VCPU_INFO_evtchn_upcall_mask);
  const frame = cpu + PV_SCRATCH;
  store<u64>(frame, load<u64>(cpu, VCPU_RCX));
  store<u64>(frame + 8, load<u64>(cpu, VCPU_R11));
  store<u64>(frame + 16, <u64>load<u16>(cpu, SELECTOR_DS));
  store<u64>(frame + 24, <u64>load<u16>(cpu, SELECTOR_ES));
  store<u64>(frame + 32, <u64>load<u16>(cpu, SELECTOR_FS));
  store<u64>(frame + 40, <u64>load<u16>(cpu, SELECTOR_GS));
  store<u64>(frame + 48, load<u64>(cpu, VCPU_RIP));
  store<u64>(frame + 56, selector | ((<u64>mask) << 32));
  store<u64>(frame + 64, frameRflags(cpu, flags, mask));
  store<u64>(frame + 72, oldRsp);
  store<u64>(frame + 80, <u64>load<u16>(cpu, SELECTOR_SS));
  const top = (stack & ~(<u64>15)) - 88;
  if (top >= HYPERVISOR_START && top < HYPERVISOR_END) return crash(cpu, CRASH_BAD_STACK, stack);
  if (!copyToGuest(cpu, top, frame, 88)) return crash(cpu, CRASH_BAD_STACK, stack);
  if (load<u32>(cpu, PV_CALLBACKS_MASKING) & (1 << CALLBACKTYPE_failsafe)) store<u8>(vcpuInfo, 1, VCPU_INFO_evtchn_upcall_mask);
  store<u64>(cpu, top, VCPU_RSP);
  return goTo(cpu, handler, flags);
}
