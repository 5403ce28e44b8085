/**
 * Instructions that need privilege, as the hypervisor emulates them for a guest kernel; what it does not emulate is #GP.
 * @see xen/arch/x86/pv/emul-priv-op.c for which ones, @sdm Vol.4 for the model-specific registers
 */
import { instructionAddress } from '../cpu/address';
import {
  FAULT,
  JUMP,
  NEXT,
  OPF_REP,
  OPF_REPNE,
  OP_AUX,
  OP_FLAGS,
  OP_IMMEDIATE,
  OP_REG,
  OP_RM,
  OP_SEGMENT,
  OP_SIZE,
  VCPU_CR0,
  VCPU_CR2,
  VCPU_CR3_KERNEL,
  VCPU_EFER,
  VCPU_FS_BASE,
  VCPU_GS_BASE,
  VCPU_ID,
  VCPU_INACTIVE_GS_BASE,
  VCPU_RAX,
  VCPU_RCX,
  VCPU_RDI,
  VCPU_RDX,
  VCPU_RFLAGS,
  VCPU_RIP,
  VCPU_RSI,
  VCPU_USER_MODE,
  VECTOR_UD,
} from '../cpu/layout';
import {
  PRIVILEGED_CLI,
  PRIVILEGED_CLTS,
  PRIVILEGED_IN,
  PRIVILEGED_INS,
  PRIVILEGED_INVD,
  PRIVILEGED_IN_DX,
  PRIVILEGED_MOV_FROM_CR,
  PRIVILEGED_MOV_FROM_DR,
  PRIVILEGED_MOV_TO_CR,
  PRIVILEGED_MOV_TO_DR,
  PRIVILEGED_OUT,
  PRIVILEGED_OUTS,
  PRIVILEGED_OUT_DX,
  PRIVILEGED_RDMSR,
  PRIVILEGED_STI,
  PRIVILEGED_SYSENTER,
  PRIVILEGED_WBINVD,
  PRIVILEGED_WRMSR,
} from '../cpu/privileged';
import { generalProtection, raise } from '../cpu/fault';
import { timeStampCounter } from '../cpu/host';
import { beginStore, endStore, readable } from '../cpu/memory';
import { isCanonical } from '../cpu/tlb';
import { VMASST_TYPE_architectural_iopl } from '../abi/mmu';
import { VCPU_INFO_arch_cr2 } from '../abi/shared-info';
import { DOMAIN_VM_ASSIST, PV_CONFIG_ADDRESS, PV_CR4, PV_IOPL, PV_SPEC_CTRL, PV_VCPU_INFO } from './layout';
import { getDebugRegister, setDebugRegister } from './small-ops';
import { newBasePointer } from './mmuext';
import { enterSysenter } from './syscall-callbacks';

const CR0_SHOWN: u64 = 0x80050033;
const CR0_TS: u64 = 8;
/** CR4 bits a guest may change: TSD, DE. The others read as the hypervisor has them: PAE, MCE, OSFXSR, OSXMMEXCPT. */
const CR4_CHANGEABLE: u64 = 0xc;
const CR4_FIXED: u64 = 0x660;
const RFLAGS_DF: u32 = 0x400;
/** Elements of a repeated port instruction done before others have their turn. */
const TURN = 1024;

const MSR_TSC: u32 = 0x10;
const MSR_PLATFORM_ID: u32 = 0x17;
const MSR_APIC_BASE: u32 = 0x1b;
const MSR_SPEC_CTRL: u32 = 0x48;
const MSR_PRED_CMD: u32 = 0x49;
const MSR_UCODE_REV: u32 = 0x8b;
const MSR_PLATFORM_INFO: u32 = 0xce;
const MSR_ARCH_CAPABILITIES: u32 = 0x10a;
const MSR_MISC_FEATURES_ENABLES: u32 = 0x140;
const MSR_MCG_CAP: u32 = 0x179;
const MSR_MCG_CTL: u32 = 0x17b;
const MSR_MISC_ENABLE: u32 = 0x1a0;
const MSR_PAT: u32 = 0x277;
const MSR_MC0_CTL: u32 = 0x400;
const MSR_MC_LAST: u32 = 0x47f;
const MSR_EFER: u32 = 0xc0000080;
const MSR_FS_BASE: u32 = 0xc0000100;
const MSR_GS_BASE: u32 = 0xc0000101;
const MSR_KERNEL_GS_BASE: u32 = 0xc0000102;
const MSR_TSC_AUX: u32 = 0xc0000103;

/** IBRS, STIBP, BHI_DIS_S. */
const SPEC_CTRL_CHANGEABLE: u64 = 0x403;
/**
 * Nothing here speculates: RDCL_NO, IBRS_ALL, SKIP_L1DFL_VMENTRY, SSB_NO, MDS_NO, IF_PSCHANGE_MC_NO, TAA_NO, SBDR_SSDP_NO, FBSDP_NO,
 * PSDP_NO, BHI_NO, PBRSB_NO, GDS_NO, RFDS_NO, ITS_NO.
 */
const ARCH_CAPABILITIES_VALUE: u64 = 0x400000000d10e17b;
/** Write-back, write-through, UC-, UC, write-combining, write-protected: the hypervisor's table. */
const PAT_VALUE: u64 = 0x050100070406;
const MISC_ENABLE_VALUE: u64 = 1;

/** NEXT when emulated, JUMP when the instruction has set RIP, FAULT with the exception recorded. */
export function onPrivileged(cpu: usize, op: usize): i32 {
  const kind = <u32>load<u8>(op, OP_AUX);
  if (kind == PRIVILEGED_SYSENTER) return enterSysenter(cpu);
  if (kind == PRIVILEGED_IN || kind == PRIVILEGED_IN_DX) return portIn(cpu, op, kind == PRIVILEGED_IN_DX);
  if (kind == PRIVILEGED_OUT || kind == PRIVILEGED_OUT_DX) return portOut(cpu, op, kind == PRIVILEGED_OUT_DX);
  if (kind == PRIVILEGED_INS || kind == PRIVILEGED_OUTS) return portString(cpu, op, kind == PRIVILEGED_INS);
  if (kind == PRIVILEGED_CLI || kind == PRIVILEGED_STI) {
    // Where the privilege level allows, they do nothing: events are masked in vcpu_info.
    return portsAllowed(cpu) ? NEXT : generalProtection(cpu);
  }
  if (load<u32>(cpu, VCPU_USER_MODE)) return generalProtection(cpu);
  switch (kind) {
    case PRIVILEGED_RDMSR:
      return readMsr(cpu);
    case PRIVILEGED_WRMSR:
      return writeMsr(cpu);
    case PRIVILEGED_MOV_FROM_CR:
      return movFromControl(cpu, op);
    case PRIVILEGED_MOV_TO_CR:
      return movToControl(cpu, load<u8>(op, OP_REG), load<u64>(cpu + load<u8>(op, OP_RM)));
    case PRIVILEGED_MOV_FROM_DR:
      store<i64>(cpu + load<u8>(op, OP_RM), getDebugRegister(cpu, load<u8>(op, OP_REG)));
      return NEXT;
    case PRIVILEGED_MOV_TO_DR:
      return setDebugRegister(cpu, load<u8>(op, OP_REG), load<u64>(cpu + load<u8>(op, OP_RM))) ? generalProtection(cpu) : NEXT;
    case PRIVILEGED_CLTS:
      store<u64>(cpu, load<u64>(cpu, VCPU_CR0) & ~CR0_TS, VCPU_CR0);
      return NEXT;
    case PRIVILEGED_WBINVD:
    case PRIVILEGED_INVD:
      return NEXT;
  }
  return generalProtection(cpu);
}

/** Whether the virtual I/O privilege level lets the code use ports, CLI and STI. */
function portsAllowed(cpu: usize): bool {
  let level: u32 = 3;
  if (!load<u32>(cpu, VCPU_USER_MODE)) {
    level = load<u64>(DOMAIN_VM_ASSIST) & ((<u64>1) << VMASST_TYPE_architectural_iopl) ? 0 : 1;
  }
  return load<u32>(cpu, PV_IOPL) >= level;
}

/**
 * What a port reads as. A domain without devices reads all ones; the timer's channel 2 reads 0, which ends calibration against
 * it at the first look; 0xcf8 is a latch.
 */
function portValue(cpu: usize, port: u32, size: u32): u32 {
  if (port == 0x42) return 0;
  if (port == 0xcf8 && size == 4) return load<u32>(cpu, PV_CONFIG_ADDRESS);
  return 0xffffffff;
}

function portOf(cpu: usize, op: usize, inDx: bool): u32 {
  return inDx ? <u32>load<u16>(cpu, VCPU_RDX) : (<u32>load<u64>(op, OP_IMMEDIATE)) & 0xff;
}

function portIn(cpu: usize, op: usize, inDx: bool): i32 {
  if (!portsAllowed(cpu)) return generalProtection(cpu);
  const size = load<u8>(op, OP_SIZE);
  const value = portValue(cpu, portOf(cpu, op, inDx), size);
  if (size == 1) store<u8>(cpu, <u8>value, VCPU_RAX);
  else if (size == 2) store<u16>(cpu, <u16>value, VCPU_RAX);
  else store<u64>(cpu, <u64>value, VCPU_RAX);
  return NEXT;
}

function portOut(cpu: usize, op: usize, inDx: bool): i32 {
  if (!portsAllowed(cpu)) return generalProtection(cpu);
  if (portOf(cpu, op, inDx) == 0xcf8 && load<u8>(op, OP_SIZE) >= 4) store<u32>(cpu, load<u32>(cpu, VCPU_RAX), PV_CONFIG_ADDRESS);
  return NEXT;
}

/** INS and OUTS: memory is accessed as if the port were there. */
function portString(cpu: usize, op: usize, input: bool): i32 {
  if (!portsAllowed(cpu)) return generalProtection(cpu);
  const size: u32 = load<u8>(op, OP_SIZE) == 8 ? 4 : load<u8>(op, OP_SIZE);
  const step = load<u32>(cpu, VCPU_RFLAGS) & RFLAGS_DF ? -(<i64>size) : <i64>size;
  const repeated = (load<u8>(op, OP_FLAGS) & (OPF_REP | OPF_REPNE)) != 0;
  for (let turn = 0; turn < TURN; turn++) {
    if (repeated && load<u64>(cpu, VCPU_RCX) == 0) return NEXT;
    if (input) {
      const target = beginStore(cpu, load<u64>(cpu, VCPU_RDI), size);
      if (!target) return FAULT;
      const value = portValue(cpu, <u32>load<u16>(cpu, VCPU_RDX), size);
      if (size == 1) store<u8>(target, <u8>value);
      else if (size == 2) store<u16>(target, <u16>value);
      else store<u32>(target, value);
      const status = endStore(cpu);
      if (status != NEXT) return status;
      store<u64>(cpu, load<u64>(cpu, VCPU_RDI) + step, VCPU_RDI);
    } else {
      if (!readable(cpu, load<u64>(cpu + load<u8>(op, OP_SEGMENT)) + load<u64>(cpu, VCPU_RSI), size)) return FAULT;
      store<u64>(cpu, load<u64>(cpu, VCPU_RSI) + step, VCPU_RSI);
    }
    if (!repeated) return NEXT;
    store<u64>(cpu, load<u64>(cpu, VCPU_RCX) - 1, VCPU_RCX);
  }
  store<u64>(cpu, instructionAddress(cpu, op), VCPU_RIP);
  return JUMP;
}

function answerMsr(cpu: usize, value: u64): i32 {
  store<u64>(cpu, value & 0xffffffff, VCPU_RAX);
  store<u64>(cpu, value >> 32, VCPU_RDX);
  return NEXT;
}

function readMsr(cpu: usize): i32 {
  const msr = load<u32>(cpu, VCPU_RCX);
  switch (msr) {
    case MSR_FS_BASE:
      return answerMsr(cpu, load<u64>(cpu, VCPU_FS_BASE));
    case MSR_GS_BASE:
      return answerMsr(cpu, load<u64>(cpu, VCPU_GS_BASE));
    case MSR_KERNEL_GS_BASE:
      return answerMsr(cpu, load<u64>(cpu, VCPU_INACTIVE_GS_BASE));
    case MSR_EFER:
      return answerMsr(cpu, load<u64>(cpu, VCPU_EFER));
    case MSR_TSC:
      return answerMsr(cpu, timeStampCounter(cpu));
    case MSR_TSC_AUX:
      return answerMsr(cpu, load<u32>(cpu, VCPU_ID));
    case MSR_APIC_BASE:
      return answerMsr(cpu, load<u32>(cpu, VCPU_ID) == 0 ? 0xfee00900 : 0xfee00800);
    case MSR_MISC_ENABLE:
      return answerMsr(cpu, MISC_ENABLE_VALUE);
    case MSR_PAT:
      return answerMsr(cpu, PAT_VALUE);
    case MSR_SPEC_CTRL:
      return answerMsr(cpu, load<u32>(cpu, PV_SPEC_CTRL));
    case MSR_ARCH_CAPABILITIES:
      return answerMsr(cpu, ARCH_CAPABILITIES_VALUE);
    case MSR_PLATFORM_ID:
    case MSR_UCODE_REV:
    case MSR_PLATFORM_INFO:
    case MSR_MISC_FEATURES_ENABLES:
      return answerMsr(cpu, 0);
  }
  if (isMachineCheck(msr)) return answerMsr(cpu, 0);
  return generalProtection(cpu);
}

function isMachineCheck(msr: u32): bool {
  return (msr >= MSR_MCG_CAP && msr <= MSR_MCG_CTL) || (msr >= MSR_MC0_CTL && msr <= MSR_MC_LAST);
}

function writeMsr(cpu: usize): i32 {
  const msr = load<u32>(cpu, VCPU_RCX);
  const value = ((<u64>load<u32>(cpu, VCPU_RDX)) << 32) | (<u64>load<u32>(cpu, VCPU_RAX));
  switch (msr) {
    case MSR_FS_BASE:
    case MSR_GS_BASE:
    case MSR_KERNEL_GS_BASE:
      if (!isCanonical(value)) return generalProtection(cpu);
      if (msr == MSR_FS_BASE) store<u64>(cpu, value, VCPU_FS_BASE);
      else if (msr == MSR_GS_BASE) store<u64>(cpu, value, VCPU_GS_BASE);
      else store<u64>(cpu, value, VCPU_INACTIVE_GS_BASE);
      return NEXT;
    case MSR_EFER:
      return value == load<u64>(cpu, VCPU_EFER) ? NEXT : generalProtection(cpu);
    case MSR_MISC_ENABLE:
      return value == MISC_ENABLE_VALUE ? NEXT : generalProtection(cpu);
    case MSR_MISC_FEATURES_ENABLES:
      return value == 0 ? NEXT : generalProtection(cpu);
    case MSR_SPEC_CTRL:
      if (value & ~SPEC_CTRL_CHANGEABLE) return generalProtection(cpu);
      store<u32>(cpu, <u32>value, PV_SPEC_CTRL);
      return NEXT;
    case MSR_PRED_CMD:
      return value & ~(<u64>1) ? generalProtection(cpu) : NEXT;
    case MSR_UCODE_REV:
      return NEXT;
  }
  if (isMachineCheck(msr)) return NEXT;
  return generalProtection(cpu);
}

function movFromControl(cpu: usize, op: usize): i32 {
  let value: u64;
  switch (load<u8>(op, OP_REG)) {
    case 0:
      value = CR0_SHOWN | (load<u64>(cpu, VCPU_CR0) & CR0_TS);
      break;
    case 2:
      value = load<u64>(<usize>load<u32>(cpu, PV_VCPU_INFO), VCPU_INFO_arch_cr2);
      break;
    case 3:
      value = load<u64>(cpu, VCPU_CR3_KERNEL);
      break;
    case 4:
      value = CR4_FIXED | (load<u64>(cpu, PV_CR4) & CR4_CHANGEABLE);
      break;
    default:
      return raise(cpu, VECTOR_UD, 0);
  }
  store<u64>(cpu + load<u8>(op, OP_RM), value);
  return NEXT;
}

function movToControl(cpu: usize, register: u32, value: u64): i32 {
  switch (register) {
    case 0:
      if ((value ^ CR0_SHOWN) & ~CR0_TS) return generalProtection(cpu);
      store<u64>(cpu, (load<u64>(cpu, VCPU_CR0) & ~CR0_TS) | (value & CR0_TS), VCPU_CR0);
      return NEXT;
    case 2:
      store<u64>(cpu, value, VCPU_CR2);
      store<u64>(<usize>load<u32>(cpu, PV_VCPU_INFO), value, VCPU_INFO_arch_cr2);
      return NEXT;
    case 3:
      return newBasePointer(cpu, value >> 12) ? generalProtection(cpu) : NEXT;
    case 4:
      store<u64>(cpu, value & CR4_CHANGEABLE, PV_CR4);
      return NEXT;
  }
  return raise(cpu, VECTOR_UD, 0);
}
