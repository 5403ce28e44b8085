/**
 * The run loop: executes decoded operations of one vCPU until its budget is used up or something wants the caller's attention.
 *
 * The hot operations are cases of one switch, kept small on purpose (its speed falls with its size); all others are handlers
 * called through the function table. `page` mirrors VCPU_PAGE. Requests and the budget are looked at on every branch taken and
 * at block ends, nowhere else.
 */
import {
  CC_ADD,
  CC_DEC,
  CC_INC,
  CC_SUB,
  EXIT,
  EXIT_BUDGET,
  EXIT_REQUEST,
  FAULT,
  HANDLER_TABLE,
  JUMP,
  NEXT,
  OP_AUX,
  OP_BASE,
  OP_BYTES,
  OP_HANDLER,
  OP_IMMEDIATE,
  OP_LENGTH,
  OP_LINK,
  OP_OFFSET,
  OP_REG,
  OP_RM,
  OP_ROW,
  OP_SEGMENT,
  PAGE_BYTES,
  REQUEST_CODE_DROP,
  REQUEST_EVENT,
  REQUEST_FLUSH,
  REQUEST_HOLD,
  REQUEST_LEAVE,
  RETRY,
  TLB_ADDEND,
  TLB_WRITE,
  TRAP,
  VCPU_BUDGET,
  VCPU_CC_A,
  VCPU_CC_B,
  VCPU_CC_R,
  VCPU_CODE_EPOCH,
  VCPU_EA,
  VCPU_EXIT_REASON,
  VCPU_FAULTS,
  VCPU_FAULT_ERROR,
  VCPU_FAULT_VECTOR,
  VCPU_IN_GUEST,
  VCPU_INSTRUCTIONS,
  VCPU_PAGE,
  VCPU_RAX,
  VCPU_RBP,
  VCPU_RDX,
  VCPU_REQUEST,
  VCPU_RIP,
  VCPU_RSP,
  VCPU_STEPPING,
  VCPU_ZERO,
  VECTOR_DB,
  VECTOR_GP,
  VECTOR_SS,
} from './layout';
import { effectiveAddress, effectiveOffset } from './address';
import { findOperation, jumpEntry } from './blocks';
import { servePostedDrops } from './code-marks';
import { CF, OF, condition, getCarry, getFlags, setCc, setFlags, setLogic } from './flags';
import { signedHigh } from './handlers/integer';
import { raise } from './fault';
import { deliverException, pollEvents } from './host';
import { waitWhileHeld } from './locked';
import { beginStore, endStore, enterGuest, leaveGuest, readable } from './memory';
import { NOT_CANONICAL, isCanonical, serveFlush, tlbEntry } from './tlb';
import { stepInstruction } from './step';
import { stackFault } from './handlers/control';
import * as hot from './hot';

/** Status of a hot relative branch that is taken: its target is in OP_LINK, or in OP_IMMEDIATE. */
const BRANCH: i32 = 6;

const PAGE_MASK: u64 = ~(<u64>(PAGE_BYTES - 1));

// @ts-ignore: decorator
@inline
function reg64(cpu: usize, op: usize): u64 {
  return load<u64>(cpu + load<u8>(op, OP_REG));
}
// @ts-ignore: decorator
@inline
function rm64(cpu: usize, op: usize): u64 {
  return load<u64>(cpu + load<u8>(op, OP_RM));
}
// @ts-ignore: decorator
@inline
function reg32(cpu: usize, op: usize): u32 {
  return load<u32>(cpu + load<u8>(op, OP_REG));
}
// @ts-ignore: decorator
@inline
function rm32(cpu: usize, op: usize): u32 {
  return load<u32>(cpu + load<u8>(op, OP_RM));
}
// @ts-ignore: decorator
@inline
function setReg(cpu: usize, op: usize, value: u64): void {
  store<u64>(cpu + load<u8>(op, OP_REG), value);
}
// @ts-ignore: decorator
@inline
function setRm(cpu: usize, op: usize, value: u64): void {
  store<u64>(cpu + load<u8>(op, OP_RM), value);
}

// @ts-ignore: decorator
@inline
function add64(cpu: usize, a: u64, b: u64): u64 {
  const r = a + b;
  setCc(cpu, CC_ADD, a, b, r);
  return r;
}
// @ts-ignore: decorator
@inline
function add32(cpu: usize, a: u32, b: u32): u64 {
  const r = a + b;
  setCc(cpu, CC_ADD, <i64>(<i32>a), <i64>(<i32>b), <i64>(<i32>r));
  return <u64>r;
}
// @ts-ignore: decorator
@inline
function sub64(cpu: usize, a: u64, b: u64): u64 {
  const r = a - b;
  setCc(cpu, CC_SUB, a, b, r);
  return r;
}
// @ts-ignore: decorator
@inline
function sub32(cpu: usize, a: u32, b: u32): u64 {
  const r = a - b;
  setCc(cpu, CC_SUB, <i64>(<i32>a), <i64>(<i32>b), <i64>(<i32>r));
  return <u64>r;
}
// @ts-ignore: decorator
@inline
function compare(cpu: usize, a: i64, b: i64, r: i64): void {
  setCc(cpu, CC_SUB, a, b, r);
}
// @ts-ignore: decorator
@inline
function logic64(cpu: usize, r: u64): u64 {
  setLogic(cpu, r);
  return r;
}
// @ts-ignore: decorator
@inline
function logic32(cpu: usize, r: u32): u64 {
  setLogic(cpu, <i64>(<i32>r));
  return <u64>r;
}

function rotateFlags(cpu: usize, carry: u32, overflow: u32): void {
  setFlags(cpu, (getFlags(cpu) & ~(CF | OF)) | carry | (overflow ? OF : 0));
}

function multiply32(cpu: usize, a: i32, b: i32): u64 {
  const product = <i64>a * <i64>b;
  const low = <i64>(<i32>product);
  setLogic(cpu, low);
  if (low != product) setFlags(cpu, getFlags(cpu) | CF | OF);
  return <u64>(<u32>product);
}

function multiply64(cpu: usize, a: i64, b: i64): u64 {
  const low = a * b;
  setLogic(cpu, low);
  if (signedHigh(a, b) != low >> 63) setFlags(cpu, getFlags(cpu) | CF | OF);
  return <u64>low;
}

function increment32(cpu: usize, a: u32): u32 {
  const r = a + 1;
  setCc(cpu, CC_INC, <i64>(<i32>a), <i64>getCarry(cpu), <i64>(<i32>r));
  return r;
}

function decrement32(cpu: usize, a: u32): u32 {
  const r = a - 1;
  setCc(cpu, CC_DEC, <i64>(<i32>a), <i64>getCarry(cpu), <i64>(<i32>r));
  return r;
}

function increment64(cpu: usize, a: u64): u64 {
  setCc(cpu, CC_INC, a, <i64>getCarry(cpu), a + 1);
  return a + 1;
}

/** The handler of a hot read-modify-write that missed the fast path: the row's own. */
function updateSlow(cpu: usize, op: usize): i32 {
  return call_indirect<i32>(<u32>load<u16>(HANDLER_TABLE + <usize>load<u16>(op, OP_ROW) * 2), cpu, op);
}

/** Writes `value` as a store of a hot case that missed the fast path. */
function storeSlow(cpu: usize, va: u64, bytes: u32, value: u64): i32 {
  const p = beginStore(cpu, va, bytes);
  if (!p) return FAULT;
  if (bytes == 8) store<u64>(p, value);
  else if (bytes == 4) store<u32>(p, <u32>value);
  else if (bytes == 2) store<u16>(p, <u16>value);
  else store<u8>(p, <u8>value);
  return endStore(cpu);
}

// @ts-ignore: decorator
@inline
function store64At(cpu: usize, va: u64, value: u64): i32 {
  const entry = tlbEntry(cpu, va);
  if (load<u64>(entry, TLB_WRITE) == ((va + 7) & PAGE_MASK)) {
    store<u64>(<usize>load<u32>(entry, TLB_ADDEND) + <usize>va, value);
    return NEXT;
  }
  return storeSlow(cpu, va, 8, value);
}
// @ts-ignore: decorator
@inline
function store32At(cpu: usize, va: u64, value: u32): i32 {
  const entry = tlbEntry(cpu, va);
  if (load<u64>(entry, TLB_WRITE) == ((va + 3) & PAGE_MASK)) {
    store<u32>(<usize>load<u32>(entry, TLB_ADDEND) + <usize>va, value);
    return NEXT;
  }
  return storeSlow(cpu, va, 4, <u64>value);
}
// @ts-ignore: decorator
@inline
function store16At(cpu: usize, va: u64, value: u32): i32 {
  const entry = tlbEntry(cpu, va);
  if (load<u64>(entry, TLB_WRITE) == ((va + 1) & PAGE_MASK)) {
    store<u16>(<usize>load<u32>(entry, TLB_ADDEND) + <usize>va, <u16>value);
    return NEXT;
  }
  return storeSlow(cpu, va, 2, <u64>value);
}
// @ts-ignore: decorator
@inline
function store8At(cpu: usize, va: u64, value: u32): i32 {
  const entry = tlbEntry(cpu, va);
  if (load<u64>(entry, TLB_WRITE) == (va & PAGE_MASK)) {
    store<u8>(<usize>load<u32>(entry, TLB_ADDEND) + <usize>va, <u8>value);
    return NEXT;
  }
  return storeSlow(cpu, va, 1, <u64>value);
}

/** Operation for RIP by the jump cache, else by look-up; 0 = fetch fault recorded. Sets VCPU_PAGE. */
// @ts-ignore: decorator
@inline
function operationAt(cpu: usize, rip: u64): usize {
  const entry = jumpEntry(cpu, rip);
  if (load<u64>(entry) == rip) {
    store<u64>(cpu, rip & PAGE_MASK, VCPU_PAGE);
    return <usize>load<u32>(entry, 8);
  }
  return findOperation(cpu, rip);
}

/** Looks up the target of a branch and links it when it lies in the same page; 0 = fetch fault recorded. */
function linkTarget(cpu: usize, op: usize, page: u64, rip: u64): usize {
  const epoch = load<u32>(cpu, VCPU_CODE_EPOCH);
  const target = operationAt(cpu, rip);
  if (!target) return 0;
  // A block that crosses into the next page must be found anew each time (its second page may be remapped).
  const crosses = (rip & (PAGE_BYTES - 1)) > <u64>(PAGE_BYTES - 16);
  if ((rip & PAGE_MASK) == page && !crosses && epoch == load<u32>(cpu, VCPU_CODE_EPOCH)) store<u32>(op, <u32>target, OP_LINK);
  return target;
}

/** Serves what was asked of this vCPU while it is outside guest code. Returns false when `run` must return. */
function serveRequests(cpu: usize): bool {
  while (true) {
    const request = atomic.load<u32>(cpu, VCPU_REQUEST);
    if (!request) return true;
    if (request & REQUEST_HOLD) {
      waitWhileHeld(cpu);
      continue;
    }
    if (request & REQUEST_FLUSH) {
      atomic.and<u32>(cpu, ~REQUEST_FLUSH, VCPU_REQUEST);
      serveFlush(cpu);
    }
    if (request & REQUEST_CODE_DROP) servePostedDrops(cpu);
    if (request & REQUEST_LEAVE) {
      atomic.and<u32>(cpu, ~REQUEST_LEAVE, VCPU_REQUEST);
      store<u32>(cpu, EXIT_REQUEST, VCPU_EXIT_REASON);
      return false;
    }
    if (request & REQUEST_EVENT) {
      atomic.and<u32>(cpu, ~REQUEST_EVENT, VCPU_REQUEST);
      if (pollEvents(cpu) == EXIT) return false;
    }
  }
}

/** Records why the current instruction stops and lets the host deliver it. Returns false when `run` must return. */
function deliver(cpu: usize, op: usize, trap: bool): bool {
  const offset = <u32>load<u16>(op, OP_OFFSET) + (trap ? <u32>load<u8>(op, OP_LENGTH) : 0);
  store<u64>(cpu, load<u64>(cpu, VCPU_PAGE) + offset, VCPU_RIP);
  if (load<u32>(cpu, VCPU_FAULT_ERROR) == NOT_CANONICAL) {
    const stackBased = load<u8>(op, OP_SEGMENT) == VCPU_ZERO && (load<u8>(op, OP_BASE) == VCPU_RSP || load<u8>(op, OP_BASE) == VCPU_RBP);
    if (load<u32>(cpu, VCPU_FAULT_VECTOR) == VECTOR_GP && stackBased) store<u32>(cpu, VECTOR_SS, VCPU_FAULT_VECTOR);
    store<u32>(cpu, 0, VCPU_FAULT_ERROR);
  }
  return deliverHere(cpu);
}

/** The same with VCPU_RIP already right (faults of the fetch). */
function deliverHere(cpu: usize): bool {
  if (load<u32>(cpu, VCPU_FAULT_ERROR) == NOT_CANONICAL) store<u32>(cpu, 0, VCPU_FAULT_ERROR);
  store<u64>(cpu, load<u64>(cpu, VCPU_FAULTS) + 1, VCPU_FAULTS);
  leaveGuest(cpu);
  const status = deliverException(cpu);
  enterGuest(cpu);
  return status != EXIT;
}

/**
 * Runs the vCPU from VCPU_RIP for about `budget` instructions. Returns the reason, EXIT_*; the architectural state is exact.
 */
export function run(cpu: usize, budget: i32): i32 {
  let remaining = budget;
  enterGuest(cpu);
  store<u32>(cpu, EXIT_BUDGET, VCPU_EXIT_REASON);
  while (true) {
    if (!serveRequests(cpu)) break;
    if (remaining <= 0) {
      store<u32>(cpu, EXIT_BUDGET, VCPU_EXIT_REASON);
      break;
    }
    if (load<u32>(cpu, VCPU_STEPPING)) {
      remaining--;
      store<u64>(cpu, load<u64>(cpu, VCPU_INSTRUCTIONS) + 1, VCPU_INSTRUCTIONS);
      const status = stepInstruction(cpu);
      if (status == FAULT) {
        if (!deliverHere(cpu)) break;
      } else if (status == EXIT) break;
      continue;
    }
    let op = operationAt(cpu, load<u64>(cpu, VCPU_RIP));
    if (!op) {
      if (!deliverHere(cpu)) break;
      continue;
    }
    let start = op;
    let page = load<u64>(cpu, VCPU_PAGE);
    let before = remaining;
    let status: i32 = NEXT;
    // RIP to go on at when a branch leaves the block.
    let target: u64 = 0;
    while (true) {
      // What follows the switch handles: `status` of an instruction that did not simply go on.
      switch (<i32>load<u16>(op)) {
        case hot.HOT_LOOKUP_AGAIN:
        case hot.HOT_END:
          target = page + <u64>load<u16>(op, OP_OFFSET);
          status = JUMP;
          remaining++;
          break;
        case hot.HOT_TOO_LONG:
          status = raise(cpu, VECTOR_GP, 0);
          break;
        case hot.HOT_EFFECTIVE_ADDRESS:
          store<u64>(cpu, effectiveOffset(cpu, op) + load<u64>(op, OP_IMMEDIATE), VCPU_EA);
          op += OP_BYTES;
          continue;
        case hot.HOT_EFFECTIVE_ADDRESS_32:
          store<u64>(cpu, (effectiveOffset(cpu, op) + load<u64>(op, OP_IMMEDIATE)) & 0xffffffff, VCPU_EA);
          op += OP_BYTES;
          continue;
        case hot.HOT_NOP:
          op += OP_BYTES;
          continue;
        case hot.HOT_MOV_R64_R64:
          setRm(cpu, op, reg64(cpu, op));
          op += OP_BYTES;
          continue;
        case hot.HOT_MOV_R32_R32:
          setRm(cpu, op, <u64>reg32(cpu, op));
          op += OP_BYTES;
          continue;
        case hot.HOT_MOV_R8_R8:
          store<u8>(cpu + load<u8>(op, OP_RM), load<u8>(cpu + load<u8>(op, OP_REG)));
          op += OP_BYTES;
          continue;
        case hot.HOT_MOV_R_I:
          setRm(cpu, op, load<u64>(op, OP_IMMEDIATE));
          op += OP_BYTES;
          continue;
        case hot.HOT_LOAD64: {
          const p = readable(cpu, effectiveAddress(cpu, op), 8);
          if (!p) {
            status = FAULT;
            break;
          }
          setReg(cpu, op, load<u64>(p));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_LOAD32: {
          const p = readable(cpu, effectiveAddress(cpu, op), 4);
          if (!p) {
            status = FAULT;
            break;
          }
          setReg(cpu, op, <u64>load<u32>(p));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_LOAD16: {
          const p = readable(cpu, effectiveAddress(cpu, op), 2);
          if (!p) {
            status = FAULT;
            break;
          }
          store<u16>(cpu + load<u8>(op, OP_REG), load<u16>(p));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_LOAD8: {
          const p = readable(cpu, effectiveAddress(cpu, op), 1);
          if (!p) {
            status = FAULT;
            break;
          }
          store<u8>(cpu + load<u8>(op, OP_REG), load<u8>(p));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_STORE64:
          status = store64At(cpu, effectiveAddress(cpu, op), reg64(cpu, op));
          if (status != NEXT) break;
          op += OP_BYTES;
          continue;
        case hot.HOT_STORE32:
          status = store32At(cpu, effectiveAddress(cpu, op), reg32(cpu, op));
          if (status != NEXT) break;
          op += OP_BYTES;
          continue;
        case hot.HOT_STORE16:
          status = store16At(cpu, effectiveAddress(cpu, op), reg32(cpu, op));
          if (status != NEXT) break;
          op += OP_BYTES;
          continue;
        case hot.HOT_STORE8:
          status = store8At(cpu, effectiveAddress(cpu, op), <u32>load<u8>(cpu + load<u8>(op, OP_REG)));
          if (status != NEXT) break;
          op += OP_BYTES;
          continue;
        case hot.HOT_STORE64_I:
          status = store64At(cpu, effectiveAddress(cpu, op), load<u64>(op, OP_IMMEDIATE));
          if (status != NEXT) break;
          op += OP_BYTES;
          continue;
        case hot.HOT_STORE32_I:
          status = store32At(cpu, effectiveAddress(cpu, op), load<u32>(op, OP_IMMEDIATE));
          if (status != NEXT) break;
          op += OP_BYTES;
          continue;
        case hot.HOT_STORE16_I:
          status = store16At(cpu, effectiveAddress(cpu, op), load<u32>(op, OP_IMMEDIATE));
          if (status != NEXT) break;
          op += OP_BYTES;
          continue;
        case hot.HOT_STORE8_I:
          status = store8At(cpu, effectiveAddress(cpu, op), load<u32>(op, OP_IMMEDIATE));
          if (status != NEXT) break;
          op += OP_BYTES;
          continue;
        case hot.HOT_LOAD_ZX8: {
          const p = readable(cpu, effectiveAddress(cpu, op), 1);
          if (!p) {
            status = FAULT;
            break;
          }
          setReg(cpu, op, <u64>load<u8>(p));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_LOAD_ZX16: {
          const p = readable(cpu, effectiveAddress(cpu, op), 2);
          if (!p) {
            status = FAULT;
            break;
          }
          setReg(cpu, op, <u64>load<u16>(p));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_LOAD64_SX32: {
          const p = readable(cpu, effectiveAddress(cpu, op), 4);
          if (!p) {
            status = FAULT;
            break;
          }
          setReg(cpu, op, <u64>(<i64>load<i32>(p)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_LOAD64_SX8: {
          const p = readable(cpu, effectiveAddress(cpu, op), 1);
          if (!p) {
            status = FAULT;
            break;
          }
          setReg(cpu, op, <u64>(<i64>load<i8>(p)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_LOAD32_SX8: {
          const p = readable(cpu, effectiveAddress(cpu, op), 1);
          if (!p) {
            status = FAULT;
            break;
          }
          setReg(cpu, op, <u64>(<u32>(<i32>load<i8>(p))));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_LOAD64_SX16: {
          const p = readable(cpu, effectiveAddress(cpu, op), 2);
          if (!p) {
            status = FAULT;
            break;
          }
          setReg(cpu, op, <u64>(<i64>load<i16>(p)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_LOAD32_SX16: {
          const p = readable(cpu, effectiveAddress(cpu, op), 2);
          if (!p) {
            status = FAULT;
            break;
          }
          setReg(cpu, op, <u64>(<u32>(<i32>load<i16>(p))));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_ZX8:
          setReg(cpu, op, <u64>load<u8>(cpu + load<u8>(op, OP_RM)));
          op += OP_BYTES;
          continue;
        case hot.HOT_ZX16:
          setReg(cpu, op, <u64>load<u16>(cpu + load<u8>(op, OP_RM)));
          op += OP_BYTES;
          continue;
        case hot.HOT_SX32_64:
          setReg(cpu, op, <u64>(<i64>load<i32>(cpu + load<u8>(op, OP_RM))));
          op += OP_BYTES;
          continue;
        case hot.HOT_SX8_64:
          setReg(cpu, op, <u64>(<i64>load<i8>(cpu + load<u8>(op, OP_RM))));
          op += OP_BYTES;
          continue;
        case hot.HOT_SX8_32:
          setReg(cpu, op, <u64>(<u32>(<i32>load<i8>(cpu + load<u8>(op, OP_RM)))));
          op += OP_BYTES;
          continue;
        case hot.HOT_SX16_64:
          setReg(cpu, op, <u64>(<i64>load<i16>(cpu + load<u8>(op, OP_RM))));
          op += OP_BYTES;
          continue;
        case hot.HOT_SX16_32:
          setReg(cpu, op, <u64>(<u32>(<i32>load<i16>(cpu + load<u8>(op, OP_RM)))));
          op += OP_BYTES;
          continue;
        case hot.HOT_LEA64:
          setReg(cpu, op, effectiveOffset(cpu, op));
          op += OP_BYTES;
          continue;
        case hot.HOT_LEA32:
          setReg(cpu, op, effectiveOffset(cpu, op) & 0xffffffff);
          op += OP_BYTES;
          continue;
        case hot.HOT_ADD64_RR:
          setRm(cpu, op, add64(cpu, rm64(cpu, op), reg64(cpu, op)));
          op += OP_BYTES;
          continue;
        case hot.HOT_ADD32_RR:
          setRm(cpu, op, add32(cpu, rm32(cpu, op), reg32(cpu, op)));
          op += OP_BYTES;
          continue;
        case hot.HOT_ADD64_RI:
          setRm(cpu, op, add64(cpu, rm64(cpu, op), load<u64>(op, OP_IMMEDIATE)));
          op += OP_BYTES;
          continue;
        case hot.HOT_ADD32_RI:
          setRm(cpu, op, add32(cpu, rm32(cpu, op), load<u32>(op, OP_IMMEDIATE)));
          op += OP_BYTES;
          continue;
        case hot.HOT_ADD64_RM: {
          const p = readable(cpu, effectiveAddress(cpu, op), 8);
          if (!p) {
            status = FAULT;
            break;
          }
          setReg(cpu, op, add64(cpu, reg64(cpu, op), load<u64>(p)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_ADD32_RM: {
          const p = readable(cpu, effectiveAddress(cpu, op), 4);
          if (!p) {
            status = FAULT;
            break;
          }
          setReg(cpu, op, add32(cpu, reg32(cpu, op), load<u32>(p)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_SUB64_RR:
          setRm(cpu, op, sub64(cpu, rm64(cpu, op), reg64(cpu, op)));
          op += OP_BYTES;
          continue;
        case hot.HOT_SUB32_RR:
          setRm(cpu, op, sub32(cpu, rm32(cpu, op), reg32(cpu, op)));
          op += OP_BYTES;
          continue;
        case hot.HOT_SUB64_RI:
          setRm(cpu, op, sub64(cpu, rm64(cpu, op), load<u64>(op, OP_IMMEDIATE)));
          op += OP_BYTES;
          continue;
        case hot.HOT_SUB32_RI:
          setRm(cpu, op, sub32(cpu, rm32(cpu, op), load<u32>(op, OP_IMMEDIATE)));
          op += OP_BYTES;
          continue;
        case hot.HOT_SUB64_RM: {
          const p = readable(cpu, effectiveAddress(cpu, op), 8);
          if (!p) {
            status = FAULT;
            break;
          }
          setReg(cpu, op, sub64(cpu, reg64(cpu, op), load<u64>(p)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_SUB32_RM: {
          const p = readable(cpu, effectiveAddress(cpu, op), 4);
          if (!p) {
            status = FAULT;
            break;
          }
          setReg(cpu, op, sub32(cpu, reg32(cpu, op), load<u32>(p)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_AND64_RR:
          setRm(cpu, op, logic64(cpu, rm64(cpu, op) & reg64(cpu, op)));
          op += OP_BYTES;
          continue;
        case hot.HOT_AND32_RR:
          setRm(cpu, op, logic32(cpu, rm32(cpu, op) & reg32(cpu, op)));
          op += OP_BYTES;
          continue;
        case hot.HOT_AND64_RI:
          setRm(cpu, op, logic64(cpu, rm64(cpu, op) & load<u64>(op, OP_IMMEDIATE)));
          op += OP_BYTES;
          continue;
        case hot.HOT_AND32_RI:
          setRm(cpu, op, logic32(cpu, rm32(cpu, op) & load<u32>(op, OP_IMMEDIATE)));
          op += OP_BYTES;
          continue;
        case hot.HOT_AND64_RM: {
          const p = readable(cpu, effectiveAddress(cpu, op), 8);
          if (!p) {
            status = FAULT;
            break;
          }
          setReg(cpu, op, logic64(cpu, reg64(cpu, op) & load<u64>(p)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_AND32_RM: {
          const p = readable(cpu, effectiveAddress(cpu, op), 4);
          if (!p) {
            status = FAULT;
            break;
          }
          setReg(cpu, op, logic32(cpu, reg32(cpu, op) & load<u32>(p)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_OR64_RR:
          setRm(cpu, op, logic64(cpu, rm64(cpu, op) | reg64(cpu, op)));
          op += OP_BYTES;
          continue;
        case hot.HOT_OR32_RR:
          setRm(cpu, op, logic32(cpu, rm32(cpu, op) | reg32(cpu, op)));
          op += OP_BYTES;
          continue;
        case hot.HOT_OR64_RI:
          setRm(cpu, op, logic64(cpu, rm64(cpu, op) | load<u64>(op, OP_IMMEDIATE)));
          op += OP_BYTES;
          continue;
        case hot.HOT_OR32_RI:
          setRm(cpu, op, logic32(cpu, rm32(cpu, op) | load<u32>(op, OP_IMMEDIATE)));
          op += OP_BYTES;
          continue;
        case hot.HOT_OR64_RM: {
          const p = readable(cpu, effectiveAddress(cpu, op), 8);
          if (!p) {
            status = FAULT;
            break;
          }
          setReg(cpu, op, logic64(cpu, reg64(cpu, op) | load<u64>(p)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_OR32_RM: {
          const p = readable(cpu, effectiveAddress(cpu, op), 4);
          if (!p) {
            status = FAULT;
            break;
          }
          setReg(cpu, op, logic32(cpu, reg32(cpu, op) | load<u32>(p)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_XOR64_RR:
          setRm(cpu, op, logic64(cpu, rm64(cpu, op) ^ reg64(cpu, op)));
          op += OP_BYTES;
          continue;
        case hot.HOT_XOR32_RR:
          setRm(cpu, op, logic32(cpu, rm32(cpu, op) ^ reg32(cpu, op)));
          op += OP_BYTES;
          continue;
        case hot.HOT_XOR64_RI:
          setRm(cpu, op, logic64(cpu, rm64(cpu, op) ^ load<u64>(op, OP_IMMEDIATE)));
          op += OP_BYTES;
          continue;
        case hot.HOT_XOR32_RI:
          setRm(cpu, op, logic32(cpu, rm32(cpu, op) ^ load<u32>(op, OP_IMMEDIATE)));
          op += OP_BYTES;
          continue;
        case hot.HOT_XOR64_RM: {
          const p = readable(cpu, effectiveAddress(cpu, op), 8);
          if (!p) {
            status = FAULT;
            break;
          }
          setReg(cpu, op, logic64(cpu, reg64(cpu, op) ^ load<u64>(p)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_XOR32_RM: {
          const p = readable(cpu, effectiveAddress(cpu, op), 4);
          if (!p) {
            status = FAULT;
            break;
          }
          setReg(cpu, op, logic32(cpu, reg32(cpu, op) ^ load<u32>(p)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_AND8_RI: {
          const r = <i32>load<i8>(cpu + load<u8>(op, OP_RM)) & load<i32>(op, OP_IMMEDIATE);
          setLogic(cpu, <i64>(<i8>r));
          store<u8>(cpu + load<u8>(op, OP_RM), <u8>r);
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_OR8_RR: {
          const r = load<u8>(cpu + load<u8>(op, OP_RM)) | load<u8>(cpu + load<u8>(op, OP_REG));
          setLogic(cpu, <i64>(<i8>r));
          store<u8>(cpu + load<u8>(op, OP_RM), r);
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_ZERO:
          setLogic(cpu, 0);
          setRm(cpu, op, 0);
          op += OP_BYTES;
          continue;
        case hot.HOT_CMP64_RR: {
          const a = <i64>load<i64>(cpu + load<u8>(op, OP_RM));
          const b = <i64>load<i64>(cpu + load<u8>(op, OP_REG));
          compare(cpu, a, b, a - b);
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_CMP64_RI: {
          const a = <i64>load<i64>(cpu + load<u8>(op, OP_RM));
          const b = <i64>load<i64>(op, OP_IMMEDIATE);
          compare(cpu, a, b, a - b);
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_CMP32_RR: {
          const a = <i64>load<i32>(cpu + load<u8>(op, OP_RM));
          const b = <i64>load<i32>(cpu + load<u8>(op, OP_REG));
          compare(cpu, a, b, <i64>(<i32>(a - b)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_CMP32_RI: {
          const a = <i64>load<i32>(cpu + load<u8>(op, OP_RM));
          const b = <i64>load<i64>(op, OP_IMMEDIATE);
          compare(cpu, a, b, <i64>(<i32>(a - b)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_CMP16_RR: {
          const a = <i64>load<i16>(cpu + load<u8>(op, OP_RM));
          const b = <i64>load<i16>(cpu + load<u8>(op, OP_REG));
          compare(cpu, a, b, <i64>(<i16>(a - b)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_CMP16_RI: {
          const a = <i64>load<i16>(cpu + load<u8>(op, OP_RM));
          const b = <i64>load<i64>(op, OP_IMMEDIATE);
          compare(cpu, a, b, <i64>(<i16>(a - b)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_CMP8_RR: {
          const a = <i64>load<i8>(cpu + load<u8>(op, OP_RM));
          const b = <i64>load<i8>(cpu + load<u8>(op, OP_REG));
          compare(cpu, a, b, <i64>(<i8>(a - b)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_CMP8_RI: {
          const a = <i64>load<i8>(cpu + load<u8>(op, OP_RM));
          const b = <i64>load<i64>(op, OP_IMMEDIATE);
          compare(cpu, a, b, <i64>(<i8>(a - b)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_CMP64_RM: {
          const p = readable(cpu, effectiveAddress(cpu, op), 8);
          if (!p) {
            status = FAULT;
            break;
          }
          const a = <i64>load<i64>(cpu + load<u8>(op, OP_REG));
          const b = <i64>load<i64>(p);
          compare(cpu, a, b, a - b);
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_CMP64_MR: {
          const p = readable(cpu, effectiveAddress(cpu, op), 8);
          if (!p) {
            status = FAULT;
            break;
          }
          const a = <i64>load<i64>(p);
          const b = <i64>load<i64>(cpu + load<u8>(op, OP_REG));
          compare(cpu, a, b, a - b);
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_CMP32_RM: {
          const p = readable(cpu, effectiveAddress(cpu, op), 4);
          if (!p) {
            status = FAULT;
            break;
          }
          const a = <i64>load<i32>(cpu + load<u8>(op, OP_REG));
          const b = <i64>load<i32>(p);
          compare(cpu, a, b, <i64>(<i32>(a - b)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_CMP32_MR: {
          const p = readable(cpu, effectiveAddress(cpu, op), 4);
          if (!p) {
            status = FAULT;
            break;
          }
          const a = <i64>load<i32>(p);
          const b = <i64>load<i32>(cpu + load<u8>(op, OP_REG));
          compare(cpu, a, b, <i64>(<i32>(a - b)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_CMP8_RM: {
          const p = readable(cpu, effectiveAddress(cpu, op), 1);
          if (!p) {
            status = FAULT;
            break;
          }
          const a = <i64>load<i8>(cpu + load<u8>(op, OP_REG));
          const b = <i64>load<i8>(p);
          compare(cpu, a, b, <i64>(<i8>(a - b)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_CMP8_MR: {
          const p = readable(cpu, effectiveAddress(cpu, op), 1);
          if (!p) {
            status = FAULT;
            break;
          }
          const a = <i64>load<i8>(p);
          const b = <i64>load<i8>(cpu + load<u8>(op, OP_REG));
          compare(cpu, a, b, <i64>(<i8>(a - b)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_CMP64_MI: {
          const p = readable(cpu, effectiveAddress(cpu, op), 8);
          if (!p) {
            status = FAULT;
            break;
          }
          const a = <i64>load<i64>(p);
          const b = <i64>load<i64>(op, OP_IMMEDIATE);
          compare(cpu, a, b, a - b);
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_CMP32_MI: {
          const p = readable(cpu, effectiveAddress(cpu, op), 4);
          if (!p) {
            status = FAULT;
            break;
          }
          const a = <i64>load<i32>(p);
          const b = <i64>load<i64>(op, OP_IMMEDIATE);
          compare(cpu, a, b, <i64>(<i32>(a - b)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_CMP16_MI: {
          const p = readable(cpu, effectiveAddress(cpu, op), 2);
          if (!p) {
            status = FAULT;
            break;
          }
          const a = <i64>load<i16>(p);
          const b = <i64>load<i64>(op, OP_IMMEDIATE);
          compare(cpu, a, b, <i64>(<i16>(a - b)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_CMP8_MI: {
          const p = readable(cpu, effectiveAddress(cpu, op), 1);
          if (!p) {
            status = FAULT;
            break;
          }
          const a = <i64>load<i8>(p);
          const b = <i64>load<i64>(op, OP_IMMEDIATE);
          compare(cpu, a, b, <i64>(<i8>(a - b)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_TEST64_RR:
          setLogic(cpu, <i64>(load<i64>(cpu + load<u8>(op, OP_RM)) & load<i64>(cpu + load<u8>(op, OP_REG))));
          op += OP_BYTES;
          continue;
        case hot.HOT_TEST64_RI:
          setLogic(cpu, <i64>load<i64>(cpu + load<u8>(op, OP_RM)) & load<i64>(op, OP_IMMEDIATE));
          op += OP_BYTES;
          continue;
        case hot.HOT_TEST32_RR:
          setLogic(cpu, <i64>(load<i32>(cpu + load<u8>(op, OP_RM)) & load<i32>(cpu + load<u8>(op, OP_REG))));
          op += OP_BYTES;
          continue;
        case hot.HOT_TEST32_RI:
          setLogic(cpu, <i64>load<i32>(cpu + load<u8>(op, OP_RM)) & load<i64>(op, OP_IMMEDIATE));
          op += OP_BYTES;
          continue;
        case hot.HOT_TEST8_RR:
          setLogic(cpu, <i64>(load<i8>(cpu + load<u8>(op, OP_RM)) & load<i8>(cpu + load<u8>(op, OP_REG))));
          op += OP_BYTES;
          continue;
        case hot.HOT_TEST8_RI:
          setLogic(cpu, <i64>load<i8>(cpu + load<u8>(op, OP_RM)) & load<i64>(op, OP_IMMEDIATE));
          op += OP_BYTES;
          continue;
        case hot.HOT_TEST32_MI: {
          const p = readable(cpu, effectiveAddress(cpu, op), 4);
          if (!p) {
            status = FAULT;
            break;
          }
          setLogic(cpu, <i64>load<i32>(p) & load<i64>(op, OP_IMMEDIATE));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_TEST8_MI: {
          const p = readable(cpu, effectiveAddress(cpu, op), 1);
          if (!p) {
            status = FAULT;
            break;
          }
          setLogic(cpu, <i64>load<i8>(p) & load<i64>(op, OP_IMMEDIATE));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_INC64: {
          const a = rm64(cpu, op);
          setCc(cpu, CC_INC, a, <i64>getCarry(cpu), a + 1);
          setRm(cpu, op, a + 1);
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_INC32: {
          const a = rm32(cpu, op);
          const r = a + 1;
          setCc(cpu, CC_INC, <i64>(<i32>a), <i64>getCarry(cpu), <i64>(<i32>r));
          setRm(cpu, op, <u64>r);
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_DEC64: {
          const a = rm64(cpu, op);
          setCc(cpu, CC_DEC, a, <i64>getCarry(cpu), a - 1);
          setRm(cpu, op, a - 1);
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_DEC32: {
          const a = rm32(cpu, op);
          const r = a - 1;
          setCc(cpu, CC_DEC, <i64>(<i32>a), <i64>getCarry(cpu), <i64>(<i32>r));
          setRm(cpu, op, <u64>r);
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_NEG64:
          setRm(cpu, op, sub64(cpu, 0, rm64(cpu, op)));
          op += OP_BYTES;
          continue;
        case hot.HOT_NEG32:
          setRm(cpu, op, sub32(cpu, 0, rm32(cpu, op)));
          op += OP_BYTES;
          continue;
        case hot.HOT_NOT64:
          setRm(cpu, op, ~rm64(cpu, op));
          op += OP_BYTES;
          continue;
        case hot.HOT_NOT32:
          setRm(cpu, op, <u64>~rm32(cpu, op));
          op += OP_BYTES;
          continue;
        case hot.HOT_SHL64_I: {
          const a = rm64(cpu, op);
          const n = <u64>load<u8>(op, OP_IMMEDIATE);
          const r = a << n;
          setCc(cpu, CC_INC, r, <i64>((a >> (64 - n)) & 1), r);
          setRm(cpu, op, r);
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_SHL32_I: {
          const a = rm32(cpu, op);
          const n = <u32>load<u8>(op, OP_IMMEDIATE);
          const r = a << n;
          setCc(cpu, CC_INC, <i64>(<i32>r), <i64>((a >> (32 - n)) & 1), <i64>(<i32>r));
          setRm(cpu, op, <u64>r);
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_SHR64_I: {
          const a = rm64(cpu, op);
          const n = <u64>load<u8>(op, OP_IMMEDIATE);
          const r = a >> n;
          setCc(cpu, CC_DEC, a, <i64>((a >> (n - 1)) & 1), r);
          setRm(cpu, op, r);
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_SHR32_I: {
          const a = rm32(cpu, op);
          const n = <u32>load<u8>(op, OP_IMMEDIATE);
          const r = a >> n;
          setCc(cpu, CC_DEC, <i64>(<i32>a), <i64>((a >> (n - 1)) & 1), <i64>(<i32>r));
          setRm(cpu, op, <u64>r);
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_SAR64_I: {
          const a = <i64>rm64(cpu, op);
          const n = <i64>load<u8>(op, OP_IMMEDIATE);
          const r = a >> n;
          setCc(cpu, CC_INC, r, (a >> (n - 1)) & 1, r);
          setRm(cpu, op, <u64>r);
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_SAR32_I: {
          const a = <i32>rm32(cpu, op);
          const n = <i32>load<u8>(op, OP_IMMEDIATE);
          const r = a >> n;
          setCc(cpu, CC_INC, <i64>r, <i64>((a >> (n - 1)) & 1), <i64>r);
          setRm(cpu, op, <u64>(<u32>r));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_ROL32_I: {
          const r = rotl<u32>(rm32(cpu, op), <u32>load<u8>(op, OP_IMMEDIATE));
          setRm(cpu, op, <u64>r);
          rotateFlags(cpu, <u32>(r & 1), <u32>(r >> 31) ^ <u32>(r & 1));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_ROR32_I: {
          const r = rotr<u32>(rm32(cpu, op), <u32>load<u8>(op, OP_IMMEDIATE));
          setRm(cpu, op, <u64>r);
          rotateFlags(cpu, <u32>(r >> 31), (<u32>(r >> 31) ^ <u32>(r >> 30)) & 1);
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_ROL64_I: {
          const r = rotl<u64>(rm64(cpu, op), <u64>load<u8>(op, OP_IMMEDIATE));
          setRm(cpu, op, <u64>r);
          rotateFlags(cpu, <u32>(r & 1), <u32>(r >> 63) ^ <u32>(r & 1));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_ROR64_I: {
          const r = rotr<u64>(rm64(cpu, op), <u64>load<u8>(op, OP_IMMEDIATE));
          setRm(cpu, op, <u64>r);
          rotateFlags(cpu, <u32>(r >> 63), (<u32>(r >> 63) ^ <u32>(r >> 62)) & 1);
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_IMUL32_RR:
          setReg(cpu, op, multiply32(cpu, load<i32>(cpu + load<u8>(op, OP_REG)), load<i32>(cpu + load<u8>(op, OP_RM))));
          op += OP_BYTES;
          continue;
        case hot.HOT_IMUL32_RRI:
          setReg(cpu, op, multiply32(cpu, load<i32>(cpu + load<u8>(op, OP_RM)), load<i32>(op, OP_IMMEDIATE)));
          op += OP_BYTES;
          continue;
        case hot.HOT_IMUL64_RR:
          setReg(cpu, op, multiply64(cpu, <i64>reg64(cpu, op), <i64>rm64(cpu, op)));
          op += OP_BYTES;
          continue;
        case hot.HOT_IMUL64_RRI:
          setReg(cpu, op, multiply64(cpu, <i64>rm64(cpu, op), load<i64>(op, OP_IMMEDIATE)));
          op += OP_BYTES;
          continue;
        case hot.HOT_PUSH64: {
          const rsp = load<u64>(cpu, VCPU_RSP) - 8;
          status = store64At(cpu, rsp, rm64(cpu, op));
          if (status != NEXT) {
            if (status == FAULT) stackFault(cpu);
            break;
          }
          store<u64>(cpu, rsp, VCPU_RSP);
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_PUSH_I: {
          const rsp = load<u64>(cpu, VCPU_RSP) - 8;
          status = store64At(cpu, rsp, load<u64>(op, OP_IMMEDIATE));
          if (status != NEXT) {
            if (status == FAULT) stackFault(cpu);
            break;
          }
          store<u64>(cpu, rsp, VCPU_RSP);
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_POP64: {
          const rsp = load<u64>(cpu, VCPU_RSP);
          const p = readable(cpu, rsp, 8);
          if (!p) {
            status = stackFault(cpu);
            break;
          }
          const value = load<u64>(p);
          store<u64>(cpu, rsp + 8, VCPU_RSP);
          setRm(cpu, op, value);
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_CALL: {
          const rsp = load<u64>(cpu, VCPU_RSP) - 8;
          status = store64At(cpu, rsp, page + <u64>load<u16>(op, OP_OFFSET) + <u64>load<u8>(op, OP_LENGTH));
          if (status != NEXT) {
            if (status == FAULT) stackFault(cpu);
            break;
          }
          store<u64>(cpu, rsp, VCPU_RSP);
          status = BRANCH;
          break;
        }
        case hot.HOT_CALL_R: {
          const to = rm64(cpu, op);
          if (!isCanonical(to)) {
            status = raise(cpu, VECTOR_GP, 0);
            break;
          }
          const rsp = load<u64>(cpu, VCPU_RSP) - 8;
          status = store64At(cpu, rsp, page + <u64>load<u16>(op, OP_OFFSET) + <u64>load<u8>(op, OP_LENGTH));
          if (status != NEXT) {
            if (status == FAULT) stackFault(cpu);
            break;
          }
          store<u64>(cpu, rsp, VCPU_RSP);
          target = to;
          status = JUMP;
          break;
        }
        case hot.HOT_CALL_M: {
          const p = readable(cpu, effectiveAddress(cpu, op), 8);
          if (!p) {
            status = FAULT;
            break;
          }
          const to = load<u64>(p);
          if (!isCanonical(to)) {
            status = raise(cpu, VECTOR_GP, 0);
            break;
          }
          const rsp = load<u64>(cpu, VCPU_RSP) - 8;
          status = store64At(cpu, rsp, page + <u64>load<u16>(op, OP_OFFSET) + <u64>load<u8>(op, OP_LENGTH));
          if (status != NEXT) {
            if (status == FAULT) stackFault(cpu);
            break;
          }
          store<u64>(cpu, rsp, VCPU_RSP);
          target = to;
          status = JUMP;
          break;
        }
        case hot.HOT_RET: {
          const rsp = load<u64>(cpu, VCPU_RSP);
          const p = readable(cpu, rsp, 8);
          if (!p) {
            status = stackFault(cpu);
            break;
          }
          target = load<u64>(p);
          if (!isCanonical(target)) {
            status = raise(cpu, VECTOR_GP, 0);
            break;
          }
          store<u64>(cpu, rsp + 8 + <u64>load<u16>(op, OP_IMMEDIATE), VCPU_RSP);
          status = JUMP;
          break;
        }
        case hot.HOT_JMP:
          status = BRANCH;
          break;
        case hot.HOT_JMP_R:
          target = rm64(cpu, op);
          status = isCanonical(target) ? JUMP : raise(cpu, VECTOR_GP, 0);
          break;
        case hot.HOT_JMP_M: {
          const p = readable(cpu, effectiveAddress(cpu, op), 8);
          if (!p) {
            status = FAULT;
            break;
          }
          target = load<u64>(p);
          status = isCanonical(target) ? JUMP : raise(cpu, VECTOR_GP, 0);
          break;
        }
        case hot.HOT_LEAVE: {
          const rsp = load<u64>(cpu, VCPU_RBP);
          const p = readable(cpu, rsp, 8);
          if (!p) {
            status = stackFault(cpu);
            break;
          }
          const value = load<u64>(p);
          store<u64>(cpu, rsp + 8, VCPU_RSP);
          store<u64>(cpu, value, VCPU_RBP);
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_JZ:
          if (!(load<i64>(cpu, VCPU_CC_R) == 0)) {
            op += OP_BYTES;
            continue;
          }
          status = BRANCH;
          break;
        case hot.HOT_JNZ:
          if (!(load<i64>(cpu, VCPU_CC_R) != 0)) {
            op += OP_BYTES;
            continue;
          }
          status = BRANCH;
          break;
        case hot.HOT_JS:
          if (!(load<i64>(cpu, VCPU_CC_R) < 0)) {
            op += OP_BYTES;
            continue;
          }
          status = BRANCH;
          break;
        case hot.HOT_JNS:
          if (!(load<i64>(cpu, VCPU_CC_R) >= 0)) {
            op += OP_BYTES;
            continue;
          }
          status = BRANCH;
          break;
        case hot.HOT_JLE0:
          if (!(load<i64>(cpu, VCPU_CC_R) <= 0)) {
            op += OP_BYTES;
            continue;
          }
          status = BRANCH;
          break;
        case hot.HOT_JG0:
          if (!(load<i64>(cpu, VCPU_CC_R) > 0)) {
            op += OP_BYTES;
            continue;
          }
          status = BRANCH;
          break;
        case hot.HOT_JB_SUB:
          if (!(load<u64>(cpu, VCPU_CC_A) < load<u64>(cpu, VCPU_CC_B))) {
            op += OP_BYTES;
            continue;
          }
          status = BRANCH;
          break;
        case hot.HOT_JAE_SUB:
          if (!(load<u64>(cpu, VCPU_CC_A) >= load<u64>(cpu, VCPU_CC_B))) {
            op += OP_BYTES;
            continue;
          }
          status = BRANCH;
          break;
        case hot.HOT_JBE_SUB:
          if (!(load<u64>(cpu, VCPU_CC_A) <= load<u64>(cpu, VCPU_CC_B))) {
            op += OP_BYTES;
            continue;
          }
          status = BRANCH;
          break;
        case hot.HOT_JA_SUB:
          if (!(load<u64>(cpu, VCPU_CC_A) > load<u64>(cpu, VCPU_CC_B))) {
            op += OP_BYTES;
            continue;
          }
          status = BRANCH;
          break;
        case hot.HOT_JL_SUB:
          if (!(load<i64>(cpu, VCPU_CC_A) < load<i64>(cpu, VCPU_CC_B))) {
            op += OP_BYTES;
            continue;
          }
          status = BRANCH;
          break;
        case hot.HOT_JGE_SUB:
          if (!(load<i64>(cpu, VCPU_CC_A) >= load<i64>(cpu, VCPU_CC_B))) {
            op += OP_BYTES;
            continue;
          }
          status = BRANCH;
          break;
        case hot.HOT_JLE_SUB:
          if (!(load<i64>(cpu, VCPU_CC_A) <= load<i64>(cpu, VCPU_CC_B))) {
            op += OP_BYTES;
            continue;
          }
          status = BRANCH;
          break;
        case hot.HOT_JG_SUB:
          if (!(load<i64>(cpu, VCPU_CC_A) > load<i64>(cpu, VCPU_CC_B))) {
            op += OP_BYTES;
            continue;
          }
          status = BRANCH;
          break;
        case hot.HOT_JCC:
          if (!(condition(cpu, <u32>load<u8>(op, OP_AUX)))) {
            op += OP_BYTES;
            continue;
          }
          status = BRANCH;
          break;
        case hot.HOT_SETCC:
          store<u8>(cpu + load<u8>(op, OP_RM), condition(cpu, <u32>load<u8>(op, OP_AUX)) ? 1 : 0);
          op += OP_BYTES;
          continue;
        case hot.HOT_CMOV64_RR:
          if (condition(cpu, <u32>load<u8>(op, OP_AUX))) setReg(cpu, op, rm64(cpu, op));
          op += OP_BYTES;
          continue;
        case hot.HOT_CMOV32_RR:
          setReg(cpu, op, condition(cpu, <u32>load<u8>(op, OP_AUX)) ? <u64>rm32(cpu, op) : <u64>reg32(cpu, op));
          op += OP_BYTES;
          continue;
        case hot.HOT_CDQE:
          store<i64>(cpu, <i64>load<i32>(cpu, VCPU_RAX), VCPU_RAX);
          op += OP_BYTES;
          continue;
        case hot.HOT_CQO:
          store<i64>(cpu, load<i64>(cpu, VCPU_RAX) >> 63, VCPU_RDX);
          op += OP_BYTES;
          continue;
        case hot.HOT_CDQ:
          store<u64>(cpu, <u64>(<u32>(load<i32>(cpu, VCPU_RAX) >> 31)), VCPU_RDX);
          op += OP_BYTES;
          continue;
        case hot.HOT_ADD64_MR: {
          const va = effectiveAddress(cpu, op);
          const entry = tlbEntry(cpu, va);
          if (load<u64>(entry, TLB_WRITE) != ((va + 7) & PAGE_MASK)) {
            status = updateSlow(cpu, op);
            if (status != NEXT) break;
            op += OP_BYTES;
            continue;
          }
          const p = <usize>load<u32>(entry, TLB_ADDEND) + <usize>va;
          store<u64>(p, <u64>add64(cpu, load<u64>(p), reg64(cpu, op)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_ADD32_MR: {
          const va = effectiveAddress(cpu, op);
          const entry = tlbEntry(cpu, va);
          if (load<u64>(entry, TLB_WRITE) != ((va + 3) & PAGE_MASK)) {
            status = updateSlow(cpu, op);
            if (status != NEXT) break;
            op += OP_BYTES;
            continue;
          }
          const p = <usize>load<u32>(entry, TLB_ADDEND) + <usize>va;
          store<u32>(p, <u32>add32(cpu, load<u32>(p), reg32(cpu, op)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_ADD64_MI: {
          const va = effectiveAddress(cpu, op);
          const entry = tlbEntry(cpu, va);
          if (load<u64>(entry, TLB_WRITE) != ((va + 7) & PAGE_MASK)) {
            status = updateSlow(cpu, op);
            if (status != NEXT) break;
            op += OP_BYTES;
            continue;
          }
          const p = <usize>load<u32>(entry, TLB_ADDEND) + <usize>va;
          store<u64>(p, <u64>add64(cpu, load<u64>(p), load<u64>(op, OP_IMMEDIATE)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_ADD32_MI: {
          const va = effectiveAddress(cpu, op);
          const entry = tlbEntry(cpu, va);
          if (load<u64>(entry, TLB_WRITE) != ((va + 3) & PAGE_MASK)) {
            status = updateSlow(cpu, op);
            if (status != NEXT) break;
            op += OP_BYTES;
            continue;
          }
          const p = <usize>load<u32>(entry, TLB_ADDEND) + <usize>va;
          store<u32>(p, <u32>add32(cpu, load<u32>(p), load<u32>(op, OP_IMMEDIATE)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_SUB64_MI: {
          const va = effectiveAddress(cpu, op);
          const entry = tlbEntry(cpu, va);
          if (load<u64>(entry, TLB_WRITE) != ((va + 7) & PAGE_MASK)) {
            status = updateSlow(cpu, op);
            if (status != NEXT) break;
            op += OP_BYTES;
            continue;
          }
          const p = <usize>load<u32>(entry, TLB_ADDEND) + <usize>va;
          store<u64>(p, <u64>sub64(cpu, load<u64>(p), load<u64>(op, OP_IMMEDIATE)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_OR64_MR: {
          const va = effectiveAddress(cpu, op);
          const entry = tlbEntry(cpu, va);
          if (load<u64>(entry, TLB_WRITE) != ((va + 7) & PAGE_MASK)) {
            status = updateSlow(cpu, op);
            if (status != NEXT) break;
            op += OP_BYTES;
            continue;
          }
          const p = <usize>load<u32>(entry, TLB_ADDEND) + <usize>va;
          store<u64>(p, <u64>logic64(cpu, load<u64>(p) | reg64(cpu, op)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_OR32_MR: {
          const va = effectiveAddress(cpu, op);
          const entry = tlbEntry(cpu, va);
          if (load<u64>(entry, TLB_WRITE) != ((va + 3) & PAGE_MASK)) {
            status = updateSlow(cpu, op);
            if (status != NEXT) break;
            op += OP_BYTES;
            continue;
          }
          const p = <usize>load<u32>(entry, TLB_ADDEND) + <usize>va;
          store<u32>(p, <u32>logic32(cpu, load<u32>(p) | reg32(cpu, op)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_AND64_MR: {
          const va = effectiveAddress(cpu, op);
          const entry = tlbEntry(cpu, va);
          if (load<u64>(entry, TLB_WRITE) != ((va + 7) & PAGE_MASK)) {
            status = updateSlow(cpu, op);
            if (status != NEXT) break;
            op += OP_BYTES;
            continue;
          }
          const p = <usize>load<u32>(entry, TLB_ADDEND) + <usize>va;
          store<u64>(p, <u64>logic64(cpu, load<u64>(p) & reg64(cpu, op)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_AND32_MI: {
          const va = effectiveAddress(cpu, op);
          const entry = tlbEntry(cpu, va);
          if (load<u64>(entry, TLB_WRITE) != ((va + 3) & PAGE_MASK)) {
            status = updateSlow(cpu, op);
            if (status != NEXT) break;
            op += OP_BYTES;
            continue;
          }
          const p = <usize>load<u32>(entry, TLB_ADDEND) + <usize>va;
          store<u32>(p, <u32>logic32(cpu, load<u32>(p) & load<u32>(op, OP_IMMEDIATE)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_INC32_M: {
          const va = effectiveAddress(cpu, op);
          const entry = tlbEntry(cpu, va);
          if (load<u64>(entry, TLB_WRITE) != ((va + 3) & PAGE_MASK)) {
            status = updateSlow(cpu, op);
            if (status != NEXT) break;
            op += OP_BYTES;
            continue;
          }
          const p = <usize>load<u32>(entry, TLB_ADDEND) + <usize>va;
          store<u32>(p, <u32>increment32(cpu, load<u32>(p)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_DEC32_M: {
          const va = effectiveAddress(cpu, op);
          const entry = tlbEntry(cpu, va);
          if (load<u64>(entry, TLB_WRITE) != ((va + 3) & PAGE_MASK)) {
            status = updateSlow(cpu, op);
            if (status != NEXT) break;
            op += OP_BYTES;
            continue;
          }
          const p = <usize>load<u32>(entry, TLB_ADDEND) + <usize>va;
          store<u32>(p, <u32>decrement32(cpu, load<u32>(p)));
          op += OP_BYTES;
          continue;
        }
        case hot.HOT_INC64_M: {
          const va = effectiveAddress(cpu, op);
          const entry = tlbEntry(cpu, va);
          if (load<u64>(entry, TLB_WRITE) != ((va + 7) & PAGE_MASK)) {
            status = updateSlow(cpu, op);
            if (status != NEXT) break;
            op += OP_BYTES;
            continue;
          }
          const p = <usize>load<u32>(entry, TLB_ADDEND) + <usize>va;
          store<u64>(p, <u64>increment64(cpu, load<u64>(p)));
          op += OP_BYTES;
          continue;
        }
        default:
          status = call_indirect<i32>(<u32>load<u16>(op) - hot.HOT_HANDLERS, cpu, op);
          if (status == NEXT) {
            op += OP_BYTES;
            continue;
          }
          target = load<u64>(cpu, VCPU_RIP);
          break;
      }
      // The instruction at `op` ended the run of straight-line code.
      remaining -= <i32>((op - start) / OP_BYTES) + 1;
      if (status == BRANCH) {
        const link = <usize>load<u32>(op, OP_LINK);
        const quiet = remaining > 0 && atomic.load<u32>(cpu, VCPU_REQUEST) == 0;
        if (link != 0 && quiet) {
          op = link;
          start = link;
          continue;
        }
        target = page + load<u64>(op, OP_IMMEDIATE);
        if (!isCanonical(target)) {
          status = raise(cpu, VECTOR_GP, 0);
          break;
        }
        store<u64>(cpu, target, VCPU_RIP);
        status = JUMP;
        if (!quiet) break;
        op = linkTarget(cpu, op, page, target);
        if (!op) {
          status = FAULT;
          break;
        }
        page = load<u64>(cpu, VCPU_PAGE);
        start = op;
        continue;
      }
      if (status == JUMP) {
        store<u64>(cpu, target, VCPU_RIP);
        if (remaining <= 0 || atomic.load<u32>(cpu, VCPU_REQUEST) != 0 || load<u32>(cpu, VCPU_STEPPING) != 0) break;
        if (load<u16>(op) == hot.HOT_LOOKUP_AGAIN) op = findOperation(cpu, target);
        else op = operationAt(cpu, target);
        if (!op) {
          status = FAULT;
          target = 0;
          break;
        }
        page = load<u64>(cpu, VCPU_PAGE);
        start = op;
        continue;
      }
      break;
    }
    store<u64>(cpu, load<u64>(cpu, VCPU_INSTRUCTIONS) + <u64>(before - remaining), VCPU_INSTRUCTIONS);
    if (status == JUMP) continue;
    if (status == EXIT) break;
    if (status == RETRY) {
      store<u64>(cpu, page + <u64>load<u16>(op, OP_OFFSET), VCPU_RIP);
      continue;
    }
    if (op ? !deliver(cpu, op, status == TRAP) : !deliverHere(cpu)) break;
  }
  store<i32>(cpu, remaining, VCPU_BUDGET);
  leaveGuest(cpu);
  return load<u32>(cpu, VCPU_EXIT_REASON);
}
