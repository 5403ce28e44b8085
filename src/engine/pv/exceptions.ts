/** Exceptions of guest code: which handler gets them, and the forced emulation of CPUID (ud2, "xen", cpuid). */
import {
  JUMP,
  VCPU_CR0,
  VCPU_CR2,
  VCPU_FAULT_ADDRESS,
  VCPU_FAULT_ERROR,
  VCPU_FAULT_VECTOR,
  VCPU_RIP,
  VCPU_USER_MODE,
  VECTOR_GP,
  VECTOR_NM,
  VECTOR_PF,
  VECTOR_UD,
} from '../cpu/layout';
import { copyFromGuest } from '../cpu/memory';
import { raise } from '../cpu/fault';
import { VCPU_INFO_arch_cr2 } from '../abi/shared-info';
import { VMASST_TYPE_architectural_iopl } from '../abi/mmu';
import {
  CRASH_NO_HANDLER,
  DOMAIN_VM_ASSIST,
  PV_EXCEPTION_COUNTS,
  PV_SCRATCH,
  PV_TRAP_BYTES,
  PV_TRAP_FLAGS,
  PV_TRAP_TABLE,
  PV_VCPU_INFO,
} from './layout';
import { enterKernel } from './bounce';
import { crash } from './crash';
import { readCpuid } from '../cpu/handlers/system';

const CR0_TS: u64 = 8;
const TRAP_DPL: u32 = 3;
const TRAP_MASKS_EVENTS: u32 = 4;
/** Vectors that push an error code: 8, 10-14, 17, 21. */
const WITH_ERROR: u32 = 0x00227d00;
/** 0F 0B 'x' 'e' 'n' 0F A2 */
const FORCED_CPUID: u64 = 0xa20f6e65780b0f;
const FORCED_CPUID_BYTES = 7;

/** Takes the recorded exception: JUMP to go on at VCPU_RIP, EXIT when the domain was crashed. */
export function onException(cpu: usize): i32 {
  const vector = load<u32>(cpu, VCPU_FAULT_VECTOR);
  if (vector == VECTOR_UD && forcedCpuid(cpu)) return JUMP;
  if (vector == VECTOR_PF) {
    const address = load<u64>(cpu, VCPU_FAULT_ADDRESS);
    store<u64>(cpu, address, VCPU_CR2);
    store<u64>(<usize>load<u32>(cpu, PV_VCPU_INFO), address, VCPU_INFO_arch_cr2);
  }
  // The guest handles the first use; the switch it asked for is then over.
  if (vector == VECTOR_NM) store<u64>(cpu, load<u64>(cpu, VCPU_CR0) & ~CR0_TS, VCPU_CR0);
  return enterHandler(cpu, vector, load<u32>(cpu, VCPU_FAULT_ERROR) & 0xffff);
}

function enterHandler(cpu: usize, vector: u32, error: u32): i32 {
  const trap = cpu + PV_TRAP_TABLE + <usize>vector * PV_TRAP_BYTES;
  const handler = load<u64>(trap);
  if (!handler) return crash(cpu, CRASH_NO_HANDLER, vector);
  if (vector < 32) {
    const counter = cpu + PV_EXCEPTION_COUNTS + <usize>vector * 8;
    store<u64>(counter, load<u64>(counter) + 1);
  }
  const hasError = vector < 32 && ((WITH_ERROR >> vector) & 1) != 0;
  return enterKernel(cpu, handler, (load<u32>(trap, PV_TRAP_FLAGS) & TRAP_MASKS_EVENTS) != 0, hasError, error);
}

/** INT n, with VCPU_RIP behind it: through the gate if its privilege level allows, else #GP (the CPU puts RIP back on the instruction). */
export function onInterrupt(cpu: usize, vector: u32): i32 {
  const trap = cpu + PV_TRAP_TABLE + <usize>vector * PV_TRAP_BYTES;
  const level: u32 = load<u32>(cpu, VCPU_USER_MODE)
    ? 3
    : load<u64>(DOMAIN_VM_ASSIST) & ((<u64>1) << VMASST_TYPE_architectural_iopl)
      ? 0
      : 1;
  if ((load<u32>(trap, PV_TRAP_FLAGS) & TRAP_DPL) >= level) return enterHandler(cpu, vector, 0);
  return raise(cpu, VECTOR_GP, vector * 8 + 2);
}

/** At a #UD: emulates CPUID if the instruction bytes ask for it. */
function forcedCpuid(cpu: usize): bool {
  const rip = load<u64>(cpu, VCPU_RIP);
  store<u64>(cpu, 0, PV_SCRATCH);
  if (!copyFromGuest(cpu, cpu + PV_SCRATCH, rip, FORCED_CPUID_BYTES)) return false;
  if (load<u64>(cpu, PV_SCRATCH) != FORCED_CPUID) return false;
  readCpuid(cpu);
  store<u64>(cpu, rip + FORCED_CPUID_BYTES, VCPU_RIP);
  return true;
}
