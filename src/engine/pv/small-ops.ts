/**
 * Hypercalls of a few lines each: trap table, callbacks, stack, segment bases, debug registers, version, assists, physical
 * devices, console, FPU switch.
 * @xen full HYPERVISOR_set_trap_table
 * @xen full HYPERVISOR_callback_op
 * @xen full HYPERVISOR_stack_switch
 * @xen full HYPERVISOR_set_segment_base
 * @xen full HYPERVISOR_fpu_taskswitch
 * @xen full HYPERVISOR_set_debugreg
 * @xen full HYPERVISOR_xen_version
 * @xen full HYPERVISOR_vm_assist
 * @xen partial HYPERVISOR_physdev_op "set_iopl, set_iobitmap; the rest -ENOSYS: there are no physical devices"
 * @xen partial HYPERVISOR_console_io "refused with EPERM as release builds of Xen do, unless the machine is verbose: then writes go to the hypervisor's log"
 */
import { PAGE_BYTES, VCPU_CR0, VCPU_DR, VCPU_FS_BASE, VCPU_GS_BASE, VCPU_ID, VCPU_INACTIVE_GS_BASE } from '../cpu/layout';
import { updateStepping } from '../cpu/flags';
import { copyFromGuest, copyToGuest } from '../cpu/memory';
import { flushTlb } from '../cpu/banks';
import { isCanonical } from '../cpu/tlb';
import { EFAULT, EINVAL, ENODEV, ENOSYS, EPERM } from '../abi/errno';
import {
  CALLBACKF_mask_events,
  CALLBACKOP_register,
  CALLBACKOP_unregister,
  CALLBACKTYPE_event,
  CALLBACKTYPE_failsafe,
  CALLBACKTYPE_nmi,
  CALLBACKTYPE_syscall,
  CALLBACKTYPE_syscall32,
  CALLBACKTYPE_sysenter,
  CONSOLEIO_read,
  CONSOLEIO_write,
  PHYSDEVOP_set_iobitmap,
  PHYSDEVOP_set_iopl,
  SEGBASE_FS,
  SEGBASE_GS_KERNEL,
  SEGBASE_GS_USER,
  SEGBASE_GS_USER_SEL,
  XENNMI_register_callback,
  XENNMI_unregister_callback,
} from '../abi/callback';
import { TRAP_INFO_BYTES, TRAP_INFO_address } from '../abi/guest-context';
import {
  VMASST_CMD_disable,
  VMASST_CMD_enable,
  VMASST_TYPE_4gb_segments,
  VMASST_TYPE_architectural_iopl,
  VMASST_TYPE_m2p_strict,
  VMASST_TYPE_pae_extended_cr3,
  VMASST_TYPE_runstate_update_flag,
  VMASST_TYPE_writable_pagetables,
} from '../abi/mmu';
import {
  CAPABILITIES_BYTES,
  CHANGESET_BYTES,
  COMPILE_INFO_BYTES,
  EXTRAVERSION_BYTES,
  XENFEAT_direct_mapped,
  XENFEAT_gnttab_map_avail_bits,
  XENFEAT_highmem_assist,
  XENFEAT_memory_op_vnode_supported,
  XENFEAT_mmu_pt_update_preserve_ad,
  XENFEAT_pae_pgdir_above_4gb,
  XENVER_build_id,
  XENVER_capabilities,
  XENVER_changeset,
  XENVER_commandline,
  XENVER_compile_info,
  XENVER_extraversion,
  XENVER_get_features,
  XENVER_guest_handle,
  XENVER_pagesize,
  XENVER_platform_parameters,
  XENVER_version,
} from '../abi/version';
import {
  CONSOLE_BUFFER_BYTES,
  DOMAIN_CAPABILITIES,
  DOMAIN_CHANGESET,
  DOMAIN_COMPILE_INFO,
  DOMAIN_CONSOLE_BUFFERS,
  DOMAIN_EXTRAVERSION,
  DOMAIN_HANDLE,
  DOMAIN_VERSION,
  DOMAIN_VERBOSE,
  DOMAIN_VM_ASSIST,
  PV_CALLBACKS_MASKING,
  PV_EVENT_CALLBACK,
  PV_FAILSAFE_CALLBACK,
  PV_IOPL,
  PV_KERNEL_SP,
  PV_KERNEL_SS,
  PV_SCRATCH,
  PV_SYSCALL32_CALLBACK,
  PV_SYSCALL_CALLBACK,
  PV_SYSENTER_CALLBACK,
  PV_TRAP_BYTES,
  PV_TRAP_FLAGS,
  PV_TRAP_TABLE,
} from './layout';
import { noteSwitch } from './answers';
import { loadSelector } from '../cpu/handlers/system';
import { setTrap } from './guest-context';

/** Takes what the guest writes to the emergency console, `bytes` at `pointer` in the domain's memory. */
@external('host', 'consoleWrite')
declare function hostConsoleWrite(pointer: usize, bytes: u32): void;

const VERSION_TEXT_DENIED = memory.data<u8>([0x3c, 0x64, 0x65, 0x6e, 0x69, 0x65, 0x64, 0x3e, 0, 0, 0, 0, 0, 0, 0, 0]);
const TS: u64 = 8;
const HYPERVISOR_START: u64 = 0xffff800000000000;
const HYPERVISOR_END: u64 = 0xffff880000000000;

/** (array of trap_info ended by address 0; null clears the table) */
export function setTrapTable(cpu: usize, array: u64): i64 {
  if (!array) {
    memory.fill(cpu + PV_TRAP_TABLE, 0, 256 * PV_TRAP_BYTES);
    return 0;
  }
  const scratch = cpu + PV_SCRATCH;
  // A table has 256 vectors; a longer array only repeats itself.
  for (let n: u64 = 0; n < 512; n++) {
    if (!copyFromGuest(cpu, scratch, array + n * TRAP_INFO_BYTES, TRAP_INFO_BYTES)) return -EFAULT;
    if (!load<u64>(scratch, TRAP_INFO_address)) break;
    setTrap(cpu, load<u8>(scratch), scratch);
  }
  return 0;
}

function setCallback(cpu: usize, type: u32, flags: u32, address: u64): i64 {
  if (address && !isCanonical(address)) return -EINVAL;
  switch (type) {
    case CALLBACKTYPE_event:
      store<u64>(cpu, address, PV_EVENT_CALLBACK);
      break;
    case CALLBACKTYPE_failsafe:
      store<u64>(cpu, address, PV_FAILSAFE_CALLBACK);
      break;
    case CALLBACKTYPE_syscall:
      store<u64>(cpu, address, PV_SYSCALL_CALLBACK);
      break;
    case CALLBACKTYPE_syscall32:
      store<u64>(cpu, address, PV_SYSCALL32_CALLBACK);
      break;
    case CALLBACKTYPE_sysenter:
      store<u64>(cpu, address, PV_SYSENTER_CALLBACK);
      break;
    case CALLBACKTYPE_nmi:
      store<u64>(cpu, address, PV_TRAP_TABLE + 2 * PV_TRAP_BYTES);
      store<u32>(cpu, 4, PV_TRAP_TABLE + 2 * PV_TRAP_BYTES + PV_TRAP_FLAGS);
      return 0;
    default:
      return -ENOSYS;
  }
  const bit: u32 = 1 << type;
  const masking = load<u32>(cpu, PV_CALLBACKS_MASKING);
  store<u32>(cpu, flags & CALLBACKF_mask_events ? masking | bit : masking & ~bit, PV_CALLBACKS_MASKING);
  return 0;
}

/** (command, {u16 type, u16 flags, u64 address at 8}) */
export function callbackOp(cpu: usize, command: u32, argument: u64): i64 {
  const scratch = cpu + PV_SCRATCH;
  if (command == CALLBACKOP_register) {
    if (!copyFromGuest(cpu, scratch, argument, 16)) return -EFAULT;
    return setCallback(cpu, load<u16>(scratch), load<u16>(scratch, 2), load<u64>(scratch, 8));
  }
  if (command != CALLBACKOP_unregister) return -ENOSYS;
  if (!copyFromGuest(cpu, scratch, argument, 4)) return -EFAULT;
  const type = load<u16>(scratch);
  // Entries that the guest cannot do without stay.
  if (type == CALLBACKTYPE_event || type == CALLBACKTYPE_failsafe || type == CALLBACKTYPE_syscall) return -EINVAL;
  return setCallback(cpu, type, 0, 0);
}

/** (event, failsafe, syscall): the older call. */
export function setCallbacks(cpu: usize, event: u64, failsafe: u64, syscall: u64): i64 {
  if (!isCanonical(event) || !isCanonical(failsafe) || !isCanonical(syscall)) return -EINVAL;
  store<u64>(cpu, event, PV_EVENT_CALLBACK);
  store<u64>(cpu, failsafe, PV_FAILSAFE_CALLBACK);
  store<u64>(cpu, syscall, PV_SYSCALL_CALLBACK);
  return 0;
}

/** (command, {u64 address}) */
export function nmiOp(cpu: usize, command: u32, argument: u64): i64 {
  const scratch = cpu + PV_SCRATCH;
  if (command == XENNMI_unregister_callback) return setCallback(cpu, CALLBACKTYPE_nmi, 0, 0);
  if (command != XENNMI_register_callback) return -ENOSYS;
  if (load<u32>(cpu, VCPU_ID) != 0) return -EINVAL;
  if (!copyFromGuest(cpu, scratch, argument, 8)) return -EFAULT;
  return setCallback(cpu, CALLBACKTYPE_nmi, 0, load<u64>(scratch));
}

/** (selector, stack pointer) */
export function stackSwitch(cpu: usize, selector: u32, stack: u64): i64 {
  noteSwitch(cpu);
  store<u32>(cpu, (selector & 0xffff) | 3, PV_KERNEL_SS);
  store<u64>(cpu, stack, PV_KERNEL_SP);
  return 0;
}

/** (which, base or selector) */
export function setSegmentBase(cpu: usize, which: u32, base: u64): i64 {
  if (which == SEGBASE_GS_USER_SEL) {
    const kernelBase = load<u64>(cpu, VCPU_GS_BASE);
    const selector = (<u32>base) & 0xffff;
    // The user's GS is the inactive one while the kernel runs. A selector that cannot be loaded becomes null.
    if (loadSelector(cpu, 5, selector ? selector | 3 : 0)) loadSelector(cpu, 5, 0);
    store<u64>(cpu, load<u64>(cpu, VCPU_GS_BASE), VCPU_INACTIVE_GS_BASE);
    store<u64>(cpu, kernelBase, VCPU_GS_BASE);
    return 0;
  }
  if (!isCanonical(base)) return -EINVAL;
  switch (which) {
    case SEGBASE_FS:
      store<u64>(cpu, base, VCPU_FS_BASE);
      return 0;
    case SEGBASE_GS_USER:
      store<u64>(cpu, base, VCPU_INACTIVE_GS_BASE);
      return 0;
    case SEGBASE_GS_KERNEL:
      store<u64>(cpu, base, VCPU_GS_BASE);
      return 0;
  }
  return -EINVAL;
}

/** (set): the virtual CR0.TS. */
export function fpuTaskSwitch(cpu: usize, set: u32): i64 {
  const cr0 = load<u64>(cpu, VCPU_CR0) & ~TS;
  store<u64>(cpu, set ? cr0 | TS : cr0, VCPU_CR0);
  return 0;
}

/** (register, value); also a MOV to a debug register. */
export function setDebugRegister(cpu: usize, register: u32, value: u64): i64 {
  if (register == 4 || register == 5) register += 2;
  if (register < 4) {
    if (!isCanonical(value) || (value >= HYPERVISOR_START && value < HYPERVISOR_END)) return -EPERM;
  } else if (register == 6) {
    // Reserved bits: 12 and 32-63 read as 0, 4-11 and 16-31 as 1.
    value = (value & 0xffffefff) | 0xffff0ff0;
  } else if (register == 7) {
    value = (value & 0xffff2fff) | 0x400;
    if (value & 0x2000) return -EPERM;
    // I/O breakpoints (kind 2) need CR4.DE; none are offered.
    for (let n: u64 = 0; n < 4; n++) {
      if (((value >> (n * 2)) & 3) != 0 && ((value >> (16 + n * 4)) & 3) == 2) return -EPERM;
    }
  } else {
    return -ENODEV;
  }
  store<u64>(cpu + VCPU_DR + ((<usize>register) << 3), value);
  if (register == 7) updateStepping(cpu);
  // Watched pages may have no fast translations.
  if (register < 4 || register == 7) flushTlb(cpu);
  return 0;
}

export function getDebugRegister(cpu: usize, register: u32): i64 {
  if (register == 4 || register == 5) register += 2;
  if (register > 7) return -ENODEV;
  return load<i64>(cpu + VCPU_DR + ((<usize>register) << 3));
}

/** (command, argument) */
export function xenVersion(cpu: usize, command: u32, argument: u64): i64 {
  const scratch = cpu + PV_SCRATCH;
  let text: usize = 0;
  let bytes: u32 = 0;
  switch (command) {
    case XENVER_version:
      return load<u32>(DOMAIN_VERSION);
    case XENVER_extraversion:
      text = DOMAIN_EXTRAVERSION;
      bytes = EXTRAVERSION_BYTES;
      break;
    case XENVER_compile_info:
      text = DOMAIN_COMPILE_INFO;
      bytes = COMPILE_INFO_BYTES;
      break;
    case XENVER_capabilities:
      text = DOMAIN_CAPABILITIES;
      bytes = CAPABILITIES_BYTES;
      break;
    case XENVER_changeset:
      text = DOMAIN_CHANGESET;
      bytes = CHANGESET_BYTES;
      break;
    case XENVER_platform_parameters:
      store<u64>(scratch, HYPERVISOR_START);
      text = scratch;
      bytes = 8;
      break;
    case XENVER_get_features:
      if (!copyFromGuest(cpu, scratch, argument, 8)) return -EFAULT;
      if (load<u32>(scratch) != 0) return -EINVAL;
      store<u32>(scratch, features(), 4);
      text = scratch;
      bytes = 8;
      break;
    case XENVER_pagesize:
      return PAGE_BYTES;
    case XENVER_guest_handle:
      text = DOMAIN_HANDLE;
      bytes = 16;
      break;
    case XENVER_commandline:
      text = VERSION_TEXT_DENIED;
      bytes = 9;
      break;
    case XENVER_build_id:
      return -EPERM;
    default:
      return -ENOSYS;
  }
  return copyToGuest(cpu, argument, text, bytes) ? 0 : -EFAULT;
}

function features(): u32 {
  let bits: u32 =
    (1 << XENFEAT_mmu_pt_update_preserve_ad) |
    (1 << XENFEAT_highmem_assist) |
    (1 << XENFEAT_gnttab_map_avail_bits) |
    (1 << XENFEAT_memory_op_vnode_supported) |
    (1 << XENFEAT_direct_mapped);
  if (load<u64>(DOMAIN_VM_ASSIST) & ((<u64>1) << VMASST_TYPE_pae_extended_cr3)) bits |= 1 << XENFEAT_pae_pgdir_above_4gb;
  return bits;
}

/** (enable or disable, type) */
export function vmAssist(command: u32, type: u32): i64 {
  const known: u64 =
    ((<u64>1) << VMASST_TYPE_4gb_segments) |
    ((<u64>1) << VMASST_TYPE_writable_pagetables) |
    ((<u64>1) << VMASST_TYPE_pae_extended_cr3) |
    ((<u64>1) << VMASST_TYPE_architectural_iopl) |
    ((<u64>1) << VMASST_TYPE_runstate_update_flag) |
    ((<u64>1) << VMASST_TYPE_m2p_strict);
  if (type > 63 || !((known >> type) & 1)) return -EINVAL;
  const bit = (<u64>1) << type;
  if (command == VMASST_CMD_enable) atomic.or<u64>(DOMAIN_VM_ASSIST, bit);
  else if (command == VMASST_CMD_disable) atomic.and<u64>(DOMAIN_VM_ASSIST, ~bit);
  else return -ENOSYS;
  return 0;
}

/** (command, argument) */
export function physdevOp(cpu: usize, command: u32, argument: u64): i64 {
  if (command == PHYSDEVOP_set_iopl) {
    if (!copyFromGuest(cpu, cpu + PV_SCRATCH, argument, 4)) return -EFAULT;
    const level = load<u32>(cpu, PV_SCRATCH);
    if (level > 3) return -EINVAL;
    store<u32>(cpu, level, PV_IOPL);
    return 0;
  }
  // No port is ever accessible through a bitmap: there is nothing to keep.
  if (command == PHYSDEVOP_set_iobitmap) return 0;
  return -ENOSYS;
}

/** (command, bytes, buffer) */
export function consoleIo(cpu: usize, command: u32, count: u32, buffer: u64): i64 {
  if (!load<u32>(DOMAIN_VERBOSE)) return -EPERM;
  if (command == CONSOLEIO_read) return 0;
  if (command != CONSOLEIO_write) return -ENOSYS;
  const chunk: usize = DOMAIN_CONSOLE_BUFFERS + <usize>load<u32>(cpu, VCPU_ID) * CONSOLE_BUFFER_BYTES;
  let done: u32 = 0;
  while (done < count) {
    const bytes = min<u32>(count - done, CONSOLE_BUFFER_BYTES);
    if (!copyFromGuest(cpu, chunk, buffer + done, bytes)) return -EFAULT;
    hostConsoleWrite(chunk, bytes);
    done += bytes;
  }
  return 0;
}
