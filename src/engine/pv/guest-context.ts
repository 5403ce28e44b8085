/**
 * A vCPU's whole state out of and into struct vcpu_guest_context: VCPUOP_initialise, the domain builder, save and restore.
 * @see xen/include/public/arch-x86/xen.h "struct vcpu_guest_context"
 */
import {
  VCPU_DR,
  VCPU_FCW,
  VCPU_FDP,
  VCPU_FIP,
  VCPU_FOP,
  VCPU_FSW,
  VCPU_FS_BASE,
  VCPU_FTW,
  VCPU_GS_BASE,
  VCPU_INACTIVE_GS_BASE,
  VCPU_LDT_BASE,
  VCPU_LDT_LIMIT,
  VCPU_MXCSR,
  VCPU_R10,
  VCPU_R11,
  VCPU_R12,
  VCPU_R13,
  VCPU_R14,
  VCPU_R15,
  VCPU_R8,
  VCPU_R9,
  VCPU_RAX,
  VCPU_RBP,
  VCPU_RBX,
  VCPU_RCX,
  VCPU_RDI,
  VCPU_RDX,
  VCPU_RIP,
  VCPU_RSI,
  VCPU_RSP,
  VCPU_SELECTORS,
  VCPU_USER_MODE,
  VCPU_X87,
  VCPU_XMM,
  VCPU_CR3_KERNEL,
  VCPU_CR3_USER,
} from '../cpu/layout';
import { getRflags, setRflags, updateStepping } from '../cpu/flags';
import { setMode } from '../cpu/banks';
import { isCanonical } from '../cpu/tlb';
import { EINVAL } from '../abi/errno';
import {
  GUEST_CONTEXT_BYTES,
  GUEST_CONTEXT_ctrlreg,
  GUEST_CONTEXT_debugreg,
  GUEST_CONTEXT_event_callback_eip,
  GUEST_CONTEXT_failsafe_callback_eip,
  GUEST_CONTEXT_flags,
  GUEST_CONTEXT_fs_base,
  GUEST_CONTEXT_gdt_ents,
  GUEST_CONTEXT_gdt_frames,
  GUEST_CONTEXT_gs_base_kernel,
  GUEST_CONTEXT_gs_base_user,
  GUEST_CONTEXT_kernel_sp,
  GUEST_CONTEXT_kernel_ss,
  GUEST_CONTEXT_ldt_base,
  GUEST_CONTEXT_ldt_ents,
  GUEST_CONTEXT_syscall_callback_eip,
  GUEST_CONTEXT_trap_ctxt,
  GUEST_CONTEXT_user_regs,
  GUEST_CONTEXT_vm_assist,
  TRAP_INFO_BYTES,
  TRAP_INFO_address,
  TRAP_INFO_cs,
  TRAP_INFO_flags,
  USER_REGS_cs,
  USER_REGS_ds,
  USER_REGS_es,
  USER_REGS_fs,
  USER_REGS_gs,
  USER_REGS_r10,
  USER_REGS_r11,
  USER_REGS_r12,
  USER_REGS_r13,
  USER_REGS_r14,
  USER_REGS_r15,
  USER_REGS_r8,
  USER_REGS_r9,
  USER_REGS_rax,
  USER_REGS_rbp,
  USER_REGS_rbx,
  USER_REGS_rcx,
  USER_REGS_rdi,
  USER_REGS_rdx,
  USER_REGS_rflags,
  USER_REGS_rip,
  USER_REGS_rsi,
  USER_REGS_rsp,
  USER_REGS_ss,
  VGCF_failsafe_disables_events,
  VGCF_i387_valid,
  VGCF_in_kernel,
  VGCF_online,
  VGCF_syscall_disables_events,
} from '../abi/guest-context';
import { CALLBACKTYPE_event, CALLBACKTYPE_failsafe, CALLBACKTYPE_syscall } from '../abi/callback';
import {
  DOMAIN_VM_ASSIST,
  PV_CALLBACKS_MASKING,
  PV_EVENT_CALLBACK,
  PV_FAILSAFE_CALLBACK,
  PV_GDT_ENTRIES,
  PV_GDT_FRAMES,
  PV_INITIALISED,
  PV_IOPL,
  PV_KERNEL_SP,
  PV_KERNEL_SS,
  PV_ONLINE,
  PV_SYSCALL_CALLBACK,
  PV_TRAP_BYTES,
  PV_TRAP_FLAGS,
  PV_TRAP_SELECTOR,
  PV_TRAP_TABLE,
} from './layout';
import { installGdt } from './descriptors';
import { setKernelRoot, setUserRoot } from './mmuext';

const RFLAGS_IOPL: u64 = 0x3000;
const RFLAGS_LOADABLE: u64 = 0x254fd5;
const RFLAGS_IF: u64 = 0x200;
const MXCSR_MASK: u32 = 0xffff;

/** General registers in the order of struct cpu_user_regs: pairs of (offset there, offset in the block). */
const REGISTERS = memory.data<i32>([
  USER_REGS_r15,
  VCPU_R15,
  USER_REGS_r14,
  VCPU_R14,
  USER_REGS_r13,
  VCPU_R13,
  USER_REGS_r12,
  VCPU_R12,
  USER_REGS_rbp,
  VCPU_RBP,
  USER_REGS_rbx,
  VCPU_RBX,
  USER_REGS_r11,
  VCPU_R11,
  USER_REGS_r10,
  VCPU_R10,
  USER_REGS_r9,
  VCPU_R9,
  USER_REGS_r8,
  VCPU_R8,
  USER_REGS_rax,
  VCPU_RAX,
  USER_REGS_rcx,
  VCPU_RCX,
  USER_REGS_rdx,
  VCPU_RDX,
  USER_REGS_rsi,
  VCPU_RSI,
  USER_REGS_rdi,
  VCPU_RDI,
  USER_REGS_rsp,
  VCPU_RSP,
]);
const REGISTER_COUNT: usize = 16;

/** Sets a vCPU that does not run from `context`: 0 or -EINVAL (bad root table, descriptor frames or addresses). */
export function applyContext(cpu: usize, target: usize, context: usize): i32 {
  const regs = context + GUEST_CONTEXT_user_regs;
  const flags = load<u64>(context, GUEST_CONTEXT_flags);
  const inKernel = (flags & VGCF_in_kernel) != 0;
  const fsBase = load<u64>(context, GUEST_CONTEXT_fs_base);
  const gsKernel = load<u64>(context, GUEST_CONTEXT_gs_base_kernel);
  const gsUser = load<u64>(context, GUEST_CONTEXT_gs_base_user);
  if (!isCanonical(load<u64>(regs, USER_REGS_rip)) || !isCanonical(fsBase) || !isCanonical(gsKernel) || !isCanonical(gsUser)) {
    return -EINVAL;
  }
  const ldtBase = load<u64>(context, GUEST_CONTEXT_ldt_base);
  const ldtEntries = load<u64>(context, GUEST_CONTEXT_ldt_ents);
  const gdtEntries = load<u64>(context, GUEST_CONTEXT_gdt_ents);
  if (ldtEntries > 8192 || (ldtBase & 0xfff) != 0 || gdtEntries > 7168) return -EINVAL;
  const kernelRoot = load<u64>(context, GUEST_CONTEXT_ctrlreg + 3 * 8) >> 12;
  const userRoot = load<u64>(context, GUEST_CONTEXT_ctrlreg + 1 * 8) >> 12;
  if (!kernelRoot || setKernelRoot(cpu, target, kernelRoot)) return -EINVAL;
  if (setUserRoot(cpu, target, userRoot)) return -EINVAL;
  if (installGdt(cpu, target, context + GUEST_CONTEXT_gdt_frames, <u32>gdtEntries)) return -EINVAL;
  store<u64>(target, ldtEntries ? ldtBase : 0, VCPU_LDT_BASE);
  store<u32>(target, ldtEntries ? <u32>ldtEntries * 8 - 1 : 0, VCPU_LDT_LIMIT);

  for (let n: usize = 0; n < REGISTER_COUNT; n++) {
    const from = <usize>load<i32>(REGISTERS + (n << 3));
    const to = <usize>load<i32>(REGISTERS + (n << 3) + 4);
    store<u64>(target + to, load<u64>(regs + from));
  }
  store<u64>(target, load<u64>(regs, USER_REGS_rip), VCPU_RIP);
  const rflags = load<u64>(regs, USER_REGS_rflags);
  setRflags(target, (rflags & RFLAGS_LOADABLE) | RFLAGS_IF);
  store<u32>(target, <u32>((rflags & RFLAGS_IOPL) >> 12), PV_IOPL);
  store<u16>(target, load<u16>(regs, USER_REGS_es), VCPU_SELECTORS);
  store<u16>(target, load<u16>(regs, USER_REGS_cs) | 3, VCPU_SELECTORS + 2);
  store<u16>(target, load<u16>(regs, USER_REGS_ss) | 3, VCPU_SELECTORS + 4);
  store<u16>(target, load<u16>(regs, USER_REGS_ds), VCPU_SELECTORS + 6);
  store<u16>(target, load<u16>(regs, USER_REGS_fs), VCPU_SELECTORS + 8);
  store<u16>(target, load<u16>(regs, USER_REGS_gs), VCPU_SELECTORS + 10);
  store<u64>(target, fsBase, VCPU_FS_BASE);
  store<u64>(target, inKernel ? gsKernel : gsUser, VCPU_GS_BASE);
  store<u64>(target, inKernel ? gsUser : gsKernel, VCPU_INACTIVE_GS_BASE);
  setMode(target, inKernel ? 0 : 1);

  for (let n: usize = 0; n < 256; n++) {
    setTrap(target, <u32>n, context + GUEST_CONTEXT_trap_ctxt + n * TRAP_INFO_BYTES);
  }
  store<u32>(target, load<u32>(context, GUEST_CONTEXT_kernel_ss) | 3, PV_KERNEL_SS);
  store<u64>(target, load<u64>(context, GUEST_CONTEXT_kernel_sp), PV_KERNEL_SP);
  store<u64>(target, load<u64>(context, GUEST_CONTEXT_event_callback_eip), PV_EVENT_CALLBACK);
  store<u64>(target, load<u64>(context, GUEST_CONTEXT_failsafe_callback_eip), PV_FAILSAFE_CALLBACK);
  store<u64>(target, load<u64>(context, GUEST_CONTEXT_syscall_callback_eip), PV_SYSCALL_CALLBACK);
  let masking: u32 = 1 << CALLBACKTYPE_event;
  if (flags & VGCF_failsafe_disables_events) masking |= 1 << CALLBACKTYPE_failsafe;
  if (flags & VGCF_syscall_disables_events) masking |= 1 << CALLBACKTYPE_syscall;
  store<u32>(target, masking, PV_CALLBACKS_MASKING);
  for (let n: usize = 0; n < 4; n++) store<u64>(target + VCPU_DR + n * 8, load<u64>(context + GUEST_CONTEXT_debugreg + n * 8));
  store<u64>(target + VCPU_DR + 6 * 8, 0xffff0ff0);
  store<u64>(target + VCPU_DR + 7 * 8, (load<u64>(context, GUEST_CONTEXT_debugreg + 7 * 8) & 0xffff27ff) | 0x400);
  updateStepping(target);
  if (flags & VGCF_i387_valid) loadFpu(target, context);
  else initialiseFpu(target);
  store<u32>(target, 1, PV_INITIALISED);
  return 0;
}

/** One trap_info in the table of a vCPU. */
export function setTrap(target: usize, vector: u32, info: usize): void {
  const trap = target + PV_TRAP_TABLE + <usize>vector * PV_TRAP_BYTES;
  const address = load<u64>(info, TRAP_INFO_address);
  store<u64>(trap, isCanonical(address) ? address : 0);
  store<u32>(trap, (<u32>load<u8>(info, TRAP_INFO_flags)) & 7, PV_TRAP_FLAGS);
  store<u32>(trap, (<u32>load<u16>(info, TRAP_INFO_cs)) | 3, PV_TRAP_SELECTOR);
}

function initialiseFpu(target: usize): void {
  memory.fill(target + VCPU_XMM, 0, 256);
  memory.fill(target + VCPU_X87, 0, 128);
  store<u16>(target, 0x37f, VCPU_FCW);
  store<u16>(target, 0, VCPU_FSW);
  store<u8>(target, 0, VCPU_FTW);
  store<u16>(target, 0, VCPU_FOP);
  store<u64>(target, 0, VCPU_FIP);
  store<u64>(target, 0, VCPU_FDP);
  store<u32>(target, 0x1f80, VCPU_MXCSR);
}

/** FXSAVE64 image: registers in stack order. @sdm Vol.1 10.5.1 */
function loadFpu(target: usize, image: usize): void {
  store<u16>(target, load<u16>(image), VCPU_FCW);
  const status = load<u16>(image, 2);
  store<u16>(target, status, VCPU_FSW);
  store<u8>(target, load<u8>(image, 4), VCPU_FTW);
  store<u16>(target, load<u16>(image, 6), VCPU_FOP);
  store<u64>(target, load<u64>(image, 8), VCPU_FIP);
  store<u64>(target, load<u64>(image, 16), VCPU_FDP);
  store<u32>(target, load<u32>(image, 24) & MXCSR_MASK, VCPU_MXCSR);
  const top = ((<u32>status) >> 11) & 7;
  for (let n: u32 = 0; n < 8; n++) {
    const from = image + 32 + <usize>n * 16;
    const to = target + VCPU_X87 + <usize>((top + n) & 7) * 16;
    store<u64>(to, load<u64>(from));
    store<u64>(to, <u64>load<u16>(from, 8), 8);
  }
  memory.copy(target + VCPU_XMM, image + 160, 256);
}

function saveFpu(target: usize, image: usize): void {
  memory.fill(image, 0, 512);
  store<u16>(image, load<u16>(target, VCPU_FCW));
  const status = load<u16>(target, VCPU_FSW);
  store<u16>(image, status, 2);
  store<u8>(image, load<u8>(target, VCPU_FTW), 4);
  store<u16>(image, load<u16>(target, VCPU_FOP), 6);
  store<u64>(image, load<u64>(target, VCPU_FIP), 8);
  store<u64>(image, load<u64>(target, VCPU_FDP), 16);
  store<u32>(image, load<u32>(target, VCPU_MXCSR), 24);
  store<u32>(image, MXCSR_MASK, 28);
  const top = ((<u32>status) >> 11) & 7;
  for (let n: u32 = 0; n < 8; n++) {
    const from = target + VCPU_X87 + <usize>((top + n) & 7) * 16;
    const to = image + 32 + <usize>n * 16;
    store<u64>(to, load<u64>(from));
    store<u16>(to, load<u16>(from, 8), 8);
  }
  memory.copy(image + 160, target + VCPU_XMM, 256);
}

/** Writes the state of a vCPU that does not run as a struct vcpu_guest_context (machine frame numbers as they are). */
export function readContext(target: usize, context: usize): void {
  memory.fill(context, 0, GUEST_CONTEXT_BYTES);
  saveFpu(target, context);
  const regs = context + GUEST_CONTEXT_user_regs;
  const inKernel = load<u32>(target, VCPU_USER_MODE) == 0;
  const masking = load<u32>(target, PV_CALLBACKS_MASKING);
  let flags: u64 = VGCF_i387_valid;
  if (inKernel) flags |= VGCF_in_kernel;
  if (masking & (1 << CALLBACKTYPE_failsafe)) flags |= VGCF_failsafe_disables_events;
  if (masking & (1 << CALLBACKTYPE_syscall)) flags |= VGCF_syscall_disables_events;
  if (load<u32>(target, PV_ONLINE)) flags |= VGCF_online;
  store<u64>(context, flags, GUEST_CONTEXT_flags);
  for (let n: usize = 0; n < REGISTER_COUNT; n++) {
    const to = <usize>load<i32>(REGISTERS + (n << 3));
    const from = <usize>load<i32>(REGISTERS + (n << 3) + 4);
    store<u64>(regs + to, load<u64>(target + from));
  }
  store<u64>(regs, load<u64>(target, VCPU_RIP), USER_REGS_rip);
  store<u64>(regs, getRflags(target) | ((<u64>load<u32>(target, PV_IOPL)) << 12), USER_REGS_rflags);
  store<u16>(regs, load<u16>(target, VCPU_SELECTORS), USER_REGS_es);
  store<u16>(regs, load<u16>(target, VCPU_SELECTORS + 2), USER_REGS_cs);
  store<u16>(regs, load<u16>(target, VCPU_SELECTORS + 4), USER_REGS_ss);
  store<u16>(regs, load<u16>(target, VCPU_SELECTORS + 6), USER_REGS_ds);
  store<u16>(regs, load<u16>(target, VCPU_SELECTORS + 8), USER_REGS_fs);
  store<u16>(regs, load<u16>(target, VCPU_SELECTORS + 10), USER_REGS_gs);
  store<u64>(context, load<u64>(target, VCPU_FS_BASE), GUEST_CONTEXT_fs_base);
  const live = load<u64>(target, VCPU_GS_BASE);
  const inactive = load<u64>(target, VCPU_INACTIVE_GS_BASE);
  store<u64>(context, inKernel ? live : inactive, GUEST_CONTEXT_gs_base_kernel);
  store<u64>(context, inKernel ? inactive : live, GUEST_CONTEXT_gs_base_user);
  for (let n: usize = 0; n < 256; n++) {
    const trap = target + PV_TRAP_TABLE + n * PV_TRAP_BYTES;
    const info = context + GUEST_CONTEXT_trap_ctxt + n * TRAP_INFO_BYTES;
    store<u8>(info, <u8>n);
    store<u8>(info, <u8>load<u32>(trap, PV_TRAP_FLAGS), TRAP_INFO_flags);
    store<u16>(info, <u16>load<u32>(trap, PV_TRAP_SELECTOR), TRAP_INFO_cs);
    store<u64>(info, load<u64>(trap), TRAP_INFO_address);
  }
  store<u64>(context, load<u64>(target, VCPU_LDT_BASE), GUEST_CONTEXT_ldt_base);
  store<u64>(
    context,
    load<u64>(target, VCPU_LDT_BASE) ? (<u64>load<u32>(target, VCPU_LDT_LIMIT) + 1) >> 3 : 0,
    GUEST_CONTEXT_ldt_ents,
  );
  for (let n: usize = 0; n < 16; n++) {
    store<u64>(context + GUEST_CONTEXT_gdt_frames + n * 8, <u64>load<u32>(target + PV_GDT_FRAMES + n * 4));
  }
  store<u64>(context, <u64>load<u32>(target, PV_GDT_ENTRIES), GUEST_CONTEXT_gdt_ents);
  store<u64>(context, <u64>load<u32>(target, PV_KERNEL_SS), GUEST_CONTEXT_kernel_ss);
  store<u64>(context, load<u64>(target, PV_KERNEL_SP), GUEST_CONTEXT_kernel_sp);
  store<u64>(context, load<u64>(target, VCPU_CR3_KERNEL), GUEST_CONTEXT_ctrlreg + 3 * 8);
  store<u64>(context, load<u64>(target, VCPU_CR3_USER), GUEST_CONTEXT_ctrlreg + 1 * 8);
  for (let n: usize = 0; n < 8; n++) store<u64>(context + GUEST_CONTEXT_debugreg + n * 8, load<u64>(target + VCPU_DR + n * 8));
  store<u64>(context, load<u64>(target, PV_EVENT_CALLBACK), GUEST_CONTEXT_event_callback_eip);
  store<u64>(context, load<u64>(target, PV_FAILSAFE_CALLBACK), GUEST_CONTEXT_failsafe_callback_eip);
  store<u64>(context, load<u64>(target, PV_SYSCALL_CALLBACK), GUEST_CONTEXT_syscall_callback_eip);
  store<u64>(context, load<u64>(DOMAIN_VM_ASSIST), GUEST_CONTEXT_vm_assist);
}
