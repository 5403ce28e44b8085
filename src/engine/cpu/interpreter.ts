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
  CC_IMUL,
  CC_INC,
  CC_SHL,
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
  REDO,
  REQUEST_CODE_DROP,
  REQUEST_EVENT,
  REQUEST_FLUSH,
  REQUEST_HOLD,
  REQUEST_LEAVE,
  RETRY,
  TLB_ADDEND,
  TLB_WRITE,
  TRANSITION_ENTRIES,
  TRANSITION_ENTRY_BYTES,
  TRANSITION_PERIOD,
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
  VCPU_INSTRUCTIONS_TRANSLATED,
  VCPU_PAGE,
  VCPU_PAUSES,
  VCPU_RAX,
  VCPU_RBP,
  VCPU_RDX,
  VCPU_REGION_ENTRIES,
  VCPU_REGION_REDOS,
  VCPU_REQUEST,
  VCPU_RIP,
  VCPU_RSP,
  VCPU_STEPPING,
  VCPU_TRANSITIONS,
  VCPU_TRANSITIONS_SAMPLED,
  VCPU_ZERO,
  VECTOR_DB,
  VECTOR_GP,
  VECTOR_SS,
} from './layout';
import { effectiveAddress, effectiveOffset } from './address';
import { findOperation, jumpEntry, operationAt } from './blocks';
import { servePostedDrops } from './code-marks';
import { CF, OF, condition, getCarry, getFlags, setCc, setFlags, setLogic } from './flags';
import { raise, settleFault } from './fault';
import { deliverException, pollEvents } from './host';
import { cachedCode, tlbEntry } from './banks';
import { beginStore, endStore, readable } from './memory';
import { enterGuest, leaveGuest, serveFlush, stayOutside } from './rendezvous';
import { isCanonical } from './tlb';
import { stepInstruction } from './step';
import { stackFault } from './handlers/control';
import * as hot from './generated/hot';

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
  const r = a * b;
  setCc(cpu, CC_IMUL, <i64>a, <i64>b, <i64>r);
  return <u64>(<u32>r);
}

function multiply64(cpu: usize, a: i64, b: i64): u64 {
  const r = a * b;
  setCc(cpu, CC_IMUL, a, b, r);
  return <u64>r;
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
      stayOutside(cpu);
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
  settleFault(cpu, op);
  return deliverHere(cpu);
}

/** The same with VCPU_RIP already right (faults of the fetch). */
function deliverHere(cpu: usize): bool {
  settleFault(cpu, 0);
  store<u64>(cpu, load<u64>(cpu, VCPU_FAULTS) + 1, VCPU_FAULTS);
  leaveGuest(cpu);
  const status = deliverException(cpu);
  enterGuest(cpu);
  return status != EXIT;
}

/** Runs the region that `op` enters and those that control goes on to directly; the status of the last one. */
function runRegions(cpu: usize, op: usize): i32 {
  let entries = load<u64>(cpu, VCPU_REGION_ENTRIES);
  let status: i32;
  while (true) {
    entries++;
    status = call_indirect<i32>(load<u32>(op, OP_LINK), cpu, op);
    if (status != JUMP) break;
    const rip = load<u64>(cpu, VCPU_RIP);
    if (((<u32>entries) & (TRANSITION_PERIOD - 1)) == 0) sampleTransition(cpu, load<u32>(op, OP_LINK), rip);
    const host = <u32>cachedCode(cpu, rip);
    const jump = load<u64>(jumpEntry(cpu, host));
    if (host == 0 || <u32>jump != host) break;
    op = <usize>(jump >> 32);
    if (load<u16>(op) != hot.HOT_REGION) break;
    if (load<i32>(cpu, VCPU_BUDGET) <= 0 || atomic.load<u32>(cpu, VCPU_REQUEST) != 0 || load<u32>(cpu, VCPU_STEPPING) != 0) break;
    store<u64>(cpu, rip & PAGE_MASK, VCPU_PAGE);
  }
  store<u64>(cpu, entries, VCPU_REGION_ENTRIES);
  return status;
}

/** Notes for the translator where a region was left to; on purpose only now and then. */
function sampleTransition(cpu: usize, tableIndex: u32, rip: u64): void {
  const count = load<u32>(cpu, VCPU_TRANSITIONS_SAMPLED);
  const at = cpu + VCPU_TRANSITIONS + <usize>(count & (TRANSITION_ENTRIES - 1)) * TRANSITION_ENTRY_BYTES;
  store<u32>(at, tableIndex);
  store<u64>(at, rip, 8);
  store<u32>(cpu, count + 1, VCPU_TRANSITIONS_SAMPLED);
}

/**
 * Runs the vCPU from VCPU_RIP for about `budget` instructions. Returns the reason, EXIT_*; the architectural state is exact.
 */
export function run(cpu: usize, budget: i32): i32 {
  let remaining = budget;
  store<u32>(cpu, 0, VCPU_PAUSES);
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
        case hot.HOT_REGION: {
          // A translated region, always the first operation of its block: it counts what it retires and leaves RIP exact.
          store<i32>(cpu, remaining, VCPU_BUDGET);
          status = runRegions(cpu, op);
          const left = load<i32>(cpu, VCPU_BUDGET);
          store<u64>(cpu, load<u64>(cpu, VCPU_INSTRUCTIONS_TRANSLATED) + <u64>(remaining - left), VCPU_INSTRUCTIONS_TRANSLATED);
          // The count below takes one for an operation that ended a run.
          remaining = left + 1;
          if (status == JUMP) {
            target = load<u64>(cpu, VCPU_RIP);
            break;
          }
          op = 0;
          start = 0;
          break;
        }
        // @hot-cases: the build puts the cases of table/hot.ts here
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
    if (status == REDO) {
      store<u64>(cpu, load<u64>(cpu, VCPU_REGION_REDOS) + 1, VCPU_REGION_REDOS);
      remaining--;
      store<u64>(cpu, load<u64>(cpu, VCPU_INSTRUCTIONS) + 1, VCPU_INSTRUCTIONS);
      const redone = stepInstruction(cpu);
      if (redone == FAULT) {
        if (!deliverHere(cpu)) break;
      } else if (redone == EXIT) break;
      continue;
    }
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
