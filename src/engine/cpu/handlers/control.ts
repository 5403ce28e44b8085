/** Transfers of control and the stack. @sdm Vol.2 CALL, RET, JMP, Jcc, LOOP, PUSH, POP, ENTER, LEAVE, INT n, IRET */
import { instructionAddress, nextInstructionAddress } from '../address';
import {
  CONTROL,
  CONTROL_QUEUED_VCPUS,
  EXIT,
  EXIT_YIELD,
  FAULT,
  JUMP,
  NEXT,
  OPF_ADDRESS32,
  OP_AUX,
  OP_FLAGS,
  OP_IMMEDIATE,
  TRAP,
  VCPU_EXIT_REASON,
  VCPU_FAULT_VECTOR,
  VCPU_PAGE,
  VCPU_PAUSES,
  VCPU_RBP,
  VCPU_RCX,
  VCPU_RFLAGS,
  VCPU_RIP,
  VCPU_RSP,
  VCPU_SELECTORS,
  VECTOR_BP,
  VECTOR_DB,
  VECTOR_GP,
  VECTOR_SS,
} from '../layout';
import { DF, condition, getRflags, setRflags } from '../flags';
import { generalProtection, raise, undefinedOpcode } from '../fault';
import { enterSystemCall, executePrivileged, softwareInterrupt } from '../host';
import { beginStore, endStore, readable } from '../memory';
import { enterGuest, leaveGuest } from '../rendezvous';
import { isCanonical } from '../tlb';
import { checkCodeSegment } from './code-segment';
import { loadExtended, operandSize, rmReadable, storeValue, writeRegister, writeRm } from './operands';

/** A fault of an implicit stack access: what would be #GP is #SS. */
export function stackFault(cpu: usize): i32 {
  if (load<u32>(cpu, VCPU_FAULT_VECTOR) == VECTOR_GP) store<u32>(cpu, VECTOR_SS, VCPU_FAULT_VECTOR);
  return FAULT;
}

/** Pushes `value` of `bytes`; NEXT or the status of the failed store with RSP unchanged. */
export function push(cpu: usize, bytes: u32, value: i64): i32 {
  const rsp = load<u64>(cpu, VCPU_RSP) - bytes;
  const p = beginStore(cpu, rsp, bytes);
  if (!p) return stackFault(cpu);
  storeValue(p, bytes, value);
  const status = endStore(cpu);
  if (status == NEXT) store<u64>(cpu, rsp, VCPU_RSP);
  return status;
}

/** Branch target out of the immediate, an offset from the page of the block. */
function branchTarget(cpu: usize, op: usize): u64 {
  return load<u64>(cpu, VCPU_PAGE) + load<u64>(op, OP_IMMEDIATE);
}

function jumpTo(cpu: usize, rip: u64): i32 {
  if (!isCanonical(rip)) return generalProtection(cpu);
  store<u64>(cpu, rip, VCPU_RIP);
  return JUMP;
}

export function jmpRelative(cpu: usize, op: usize): i32 {
  return jumpTo(cpu, branchTarget(cpu, op));
}

export function jcc(cpu: usize, op: usize): i32 {
  if (!condition(cpu, load<u8>(op, OP_AUX))) return NEXT;
  return jumpTo(cpu, branchTarget(cpu, op));
}

/** loopne loope loop jrcxz by aux 0..3 */
export function loopCount(cpu: usize, op: usize): i32 {
  const narrow = (load<u8>(op, OP_FLAGS) & OPF_ADDRESS32) != 0;
  const kind = load<u8>(op, OP_AUX);
  let count = narrow ? <u64>load<u32>(cpu, VCPU_RCX) : load<u64>(cpu, VCPU_RCX);
  let taken: bool;
  if (kind == 3) taken = count == 0;
  else {
    count = narrow ? <u64>(<u32>count - 1) : count - 1;
    taken = count != 0 && (kind == 2 || condition(cpu, 4) == (kind == 1));
    if (taken && !isCanonical(branchTarget(cpu, op))) return generalProtection(cpu);
    store<u64>(cpu, count, VCPU_RCX);
  }
  return taken ? jumpTo(cpu, branchTarget(cpu, op)) : NEXT;
}

export function callRelative(cpu: usize, op: usize): i32 {
  const target = branchTarget(cpu, op);
  if (!isCanonical(target)) return generalProtection(cpu);
  const status = push(cpu, 8, <i64>nextInstructionAddress(cpu, op));
  if (status != NEXT) return status;
  store<u64>(cpu, target, VCPU_RIP);
  return JUMP;
}

export function callIndirect(cpu: usize, op: usize): i32 {
  const p = rmReadable(cpu, op, 8);
  if (!p) return FAULT;
  const target = load<u64>(p);
  if (!isCanonical(target)) return generalProtection(cpu);
  const status = push(cpu, 8, <i64>nextInstructionAddress(cpu, op));
  if (status != NEXT) return status;
  store<u64>(cpu, target, VCPU_RIP);
  return JUMP;
}

export function jmpIndirect(cpu: usize, op: usize): i32 {
  const p = rmReadable(cpu, op, 8);
  if (!p) return FAULT;
  return jumpTo(cpu, load<u64>(p));
}

/** ret and ret imm16 */
export function ret(cpu: usize, op: usize): i32 {
  const rsp = load<u64>(cpu, VCPU_RSP);
  const p = readable(cpu, rsp, 8);
  if (!p) return stackFault(cpu);
  const target = load<u64>(p);
  if (!isCanonical(target)) return generalProtection(cpu);
  store<u64>(cpu, rsp + 8 + <u64>load<u16>(op, OP_IMMEDIATE), VCPU_RSP);
  store<u64>(cpu, target, VCPU_RIP);
  return JUMP;
}

export function pushRm(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const p = rmReadable(cpu, op, size);
  if (!p) return FAULT;
  return push(cpu, size, loadExtended(p, size));
}

export function pushImmediate(cpu: usize, op: usize): i32 {
  return push(cpu, operandSize(op), load<i64>(op, OP_IMMEDIATE));
}

export function popRm(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const rsp = load<u64>(cpu, VCPU_RSP);
  const p = readable(cpu, rsp, size);
  if (!p) return stackFault(cpu);
  const value = loadExtended(p, size);
  // An RSP-based destination address is computed with RSP already incremented.
  store<u64>(cpu, rsp + size, VCPU_RSP);
  const status = writeRm(cpu, op, size, value);
  if (status != NEXT) store<u64>(cpu, rsp, VCPU_RSP);
  return status;
}

export function pushFlags(cpu: usize, op: usize): i32 {
  // VM and RF read as zero.
  return push(cpu, operandSize(op), <i64>(getRflags(cpu) & ~(<u64>0x30000)));
}

/** Flags that POPF may change at CPL 3 with IOPL below it: the arithmetic ones, TF, DF, NT, AC, ID. */
const POPF_WRITABLE: u64 = 0x8d5 | 0x100 | 0x400 | 0x4000 | 0x40000 | 0x200000;

export function popFlags(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const rsp = load<u64>(cpu, VCPU_RSP);
  const p = readable(cpu, rsp, size);
  if (!p) return stackFault(cpu);
  const writable = size == 2 ? POPF_WRITABLE & 0xffff : POPF_WRITABLE;
  const value = <u64>loadExtended(p, size);
  store<u64>(cpu, rsp + size, VCPU_RSP);
  setRflags(cpu, (getRflags(cpu) & ~writable & ~(<u64>0x10000)) | (value & writable));
  // TF takes effect behind this instruction: the block ends so that the run loop sees it.
  store<u64>(cpu, nextInstructionAddress(cpu, op), VCPU_RIP);
  return JUMP;
}

export function leave(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const rbp = load<u64>(cpu, VCPU_RBP);
  const p = readable(cpu, rbp, size);
  if (!p) return stackFault(cpu);
  const value = loadExtended(p, size);
  store<u64>(cpu, rbp + size, VCPU_RSP);
  writeRegister(cpu + VCPU_RBP, size, value);
  return NEXT;
}

export function enter(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const allocated = <u64>((<u32>load<u64>(op, OP_IMMEDIATE)) & 0xffff);
  const level = (<u32>(load<u64>(op, OP_IMMEDIATE) >> 16)) & 31;
  const oldRsp = load<u64>(cpu, VCPU_RSP);
  const oldRbp = load<u64>(cpu, VCPU_RBP);
  let status = push(cpu, size, <i64>oldRbp);
  const frame = load<u64>(cpu, VCPU_RSP);
  let from = oldRbp;
  for (let n: u32 = 1; status == NEXT && n < level; n++) {
    from -= size;
    const p = readable(cpu, from, size);
    status = p ? push(cpu, size, loadExtended(p, size)) : stackFault(cpu);
  }
  if (status == NEXT && level) status = push(cpu, size, <i64>frame);
  // The new stack top must be writable before anything is committed.
  if (status == NEXT && !beginStore(cpu, load<u64>(cpu, VCPU_RSP) - allocated, 1)) status = stackFault(cpu);
  if (status != NEXT) {
    store<u64>(cpu, oldRsp, VCPU_RSP);
    return status;
  }
  endStore(cpu);
  store<u64>(cpu, load<u64>(cpu, VCPU_RSP) - allocated, VCPU_RSP);
  writeRegister(cpu + VCPU_RBP, size, <i64>frame);
  return NEXT;
}

/** Turns of a spinning loop before it counts as one that waits for a vCPU which is on no processor. */
const PATIENCE: u32 = 64;

/** A hint of loops that wait for somebody: where vCPUs queue for a processor, such a loop lets one of them run. */
export function pause(cpu: usize, op: usize): i32 {
  if (!atomic.load<u32>(CONTROL, CONTROL_QUEUED_VCPUS)) return NEXT;
  const pauses = load<u32>(cpu, VCPU_PAUSES) + 1;
  store<u32>(cpu, pauses, VCPU_PAUSES);
  if (pauses < PATIENCE) return NEXT;
  store<u64>(cpu, nextInstructionAddress(cpu, op), VCPU_RIP);
  store<u32>(cpu, EXIT_YIELD, VCPU_EXIT_REASON);
  return EXIT;
}

export function int3(cpu: usize, op: usize): i32 {
  raise(cpu, VECTOR_BP, 0);
  return TRAP;
}

export function int1(cpu: usize, op: usize): i32 {
  raise(cpu, VECTOR_DB, 0);
  return TRAP;
}

export function intImmediate(cpu: usize, op: usize): i32 {
  const start = instructionAddress(cpu, op);
  store<u64>(cpu, nextInstructionAddress(cpu, op), VCPU_RIP);
  leaveGuest(cpu);
  const status = softwareInterrupt(cpu, <u32>load<u8>(op, OP_IMMEDIATE));
  enterGuest(cpu);
  if (status == FAULT) store<u64>(cpu, start, VCPU_RIP);
  return status;
}

export function syscall(cpu: usize, op: usize): i32 {
  const start = instructionAddress(cpu, op);
  store<u64>(cpu, nextInstructionAddress(cpu, op), VCPU_RIP);
  leaveGuest(cpu);
  const status = enterSystemCall(cpu);
  enterGuest(cpu);
  if (status == FAULT) store<u64>(cpu, start, VCPU_RIP);
  return status;
}

/**
 * IRET to the same privilege, as guest kernels do it to serialise: RIP CS RFLAGS RSP SS popped; IF, IOPL and VM stay.
 * What changes mode is the hypervisor's.
 */
export function iret(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  if (size != 8) return executePrivileged(cpu, op);
  const rsp = load<u64>(cpu, VCPU_RSP);
  const p = readable(cpu, rsp, 40);
  if (!p) return stackFault(cpu);
  const rip = load<u64>(p);
  const cs = <u32>load<u16>(p, 8);
  const flags = load<u64>(p, 16);
  const newRsp = load<u64>(p, 24);
  const ss = <u32>load<u16>(p, 32);
  if ((cs & 3) != 3 || (ss & 3) != 3) return raise(cpu, VECTOR_GP, cs & 0xfffc);
  const status = checkCodeSegment(cpu, cs);
  if (status != NEXT) return status;
  if (!isCanonical(rip)) return generalProtection(cpu);
  store<u16>(cpu + VCPU_SELECTORS + 2, <u16>cs);
  store<u16>(cpu + VCPU_SELECTORS + 4, <u16>ss);
  store<u64>(cpu, newRsp, VCPU_RSP);
  const writable = POPF_WRITABLE | 0x10000;
  setRflags(cpu, (getRflags(cpu) & ~writable) | (flags & writable));
  store<u64>(cpu, rip, VCPU_RIP);
  return JUMP;
}

/** ud0 ud1 ud2 and every opcode that no row matches. */
export function undefined(cpu: usize, op: usize): i32 {
  return undefinedOpcode(cpu);
}

/** cld (aux 0), std (aux 1) */
export function directionFlag(cpu: usize, op: usize): i32 {
  const flags = load<u64>(cpu, VCPU_RFLAGS);
  store<u64>(cpu, load<u8>(op, OP_AUX) ? flags | DF : flags & ~(<u64>DF), VCPU_RFLAGS);
  return NEXT;
}
