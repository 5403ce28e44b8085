/**
 * Executes decoded operations as long as that needs nothing but the vCPU block, memory that the TLB knows, and blocks that are
 * linked or in the jump cache. All else is `run`'s (interpreter.ts).
 *
 * The hot operations are cases of one switch, kept small on purpose (its speed falls with its size). There is no call in the loop:
 * engines keep what lives across a call on the stack, and here that would be `op`, which each operation waits for. Requests and the
 * budget are looked at on every branch taken, nowhere else.
 */
import {
  CC_ADC,
  CC_ADD,
  CC_DEC,
  CC_EXPLICIT,
  CC_IMUL,
  CC_INC,
  CC_LOGIC,
  CC_SBB,
  CC_SHL,
  CC_SUB,
  CODE_TLB_ADDEND,
  OP_BASE,
  OP_BYTES,
  OP_HANDLER,
  OP_IMMEDIATE,
  OP_LENGTH,
  OP_LINK,
  OP_OFFSET,
  OP_REG,
  OP_RM,
  PAGE_BYTES,
  TLB_ADDEND,
  TLB_READ,
  TLB_WRITE,
  VCPU_CC_A,
  VCPU_CC_B,
  VCPU_CC_OP,
  VCPU_CC_R,
  VCPU_EA,
  VCPU_PAGE,
  VCPU_RAX,
  VCPU_RBP,
  VCPU_RCX,
  VCPU_RDX,
  VCPU_REQUEST,
  VCPU_RIP,
  VCPU_RSP,
  VCPU_RUN_LEFT,
  VCPU_RUN_START,
  VCPU_STEPPING,
} from './layout';
import { effectiveAddress, effectiveOffset, nextInstructionAddress } from './address';
import { jumpEntry } from './blocks';
import { CF, setCc, setLogic } from './flags';
import { cachedCode, serves, tlbEntry } from './banks';
import { isCanonical } from './tlb';
import { bswap32, bswap64 } from './handlers/integer';
import * as hot from './generated/hot';

/** Why `execute` stopped at an operation: it is for its handler; for its row's handler; a branch on flags of unknown kind. */
export const STOP_HANDLER: u32 = 0;
export const STOP_ROW: u32 = 1;
export const STOP_CONDITION: u32 = 2;
/** It enters a region; the block is over or gone; the instruction is too long. */
export const STOP_REGION: u32 = 3;
export const STOP_AGAIN: u32 = 4;
export const STOP_TOO_LONG: u32 = 5;
/** It has been executed, and counted: a relative branch taken that is not linked; a jump to VCPU_RIP. */
export const STOP_BRANCH: u32 = 6;
export const STOP_JUMP: u32 = 7;

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
// @ts-ignore: decorator
@inline
function multiply32(cpu: usize, a: i32, b: i32): u64 {
  const r = a * b;
  setCc(cpu, CC_IMUL, <i64>a, <i64>b, <i64>r);
  return <u64>(<u32>r);
}
// @ts-ignore: decorator
@inline
function multiply64(cpu: usize, a: i64, b: i64): u64 {
  const r = a * b;
  setCc(cpu, CC_IMUL, a, b, r);
  return <u64>r;
}

/** The carry flag; -1: of these flags it is not read off so easily. */
// @ts-ignore: decorator
@inline
function quickCarry(cpu: usize): i64 {
  const kind = load<u32>(cpu, VCPU_CC_OP);
  if (kind == CC_SUB) return i64(load<u64>(cpu, VCPU_CC_A) < load<u64>(cpu, VCPU_CC_B));
  if (kind == CC_LOGIC) return 0;
  if (kind == CC_ADD) return i64(load<u64>(cpu, VCPU_CC_R) < load<u64>(cpu, VCPU_CC_A));
  if (kind == CC_EXPLICIT) return load<i64>(cpu, VCPU_CC_R) & CF;
  if (kind == CC_INC || kind == CC_DEC || kind == CC_SHL) return load<i64>(cpu, VCPU_CC_B) & CF;
  return -1;
}

/** The result of `execute`, with what it has counted. */
// @ts-ignore: decorator
@inline
function stop(cpu: usize, op: usize, start: usize, remaining: i32, why: u32): u64 {
  store<u32>(cpu, <u32>start, VCPU_RUN_START);
  store<i32>(cpu, remaining, VCPU_RUN_LEFT);
  return ((<u64>why) << 32) | (<u64>op);
}

/**
 * Executes from `op` on; returns the operation it stopped at in bits 0-31 and why, STOP_*, in bits 32-63. `start` is where the
 * straight-line code began whose operations have not been taken off `budget` yet: VCPU_RUN_START and VCPU_RUN_LEFT say the same of
 * the stop.
 */
export function execute(cpu: usize, first: usize, from: usize, budget: i32): u64 {
  let op = first;
  let start = from;
  let remaining = budget;
  while (true) {
    let status = STOP_BRANCH;
    let target: u64 = 0;
    switch (<i32>load<u16>(op)) {
      case hot.HOT_LOOKUP_AGAIN: {
        const instead = <usize>load<u32>(op, OP_LINK);
        if (instead == 0) return stop(cpu, op, start, remaining, STOP_AGAIN);
        remaining -= <i32>((op - start) / OP_BYTES);
        op = instead;
        start = op;
        continue;
      }
      case hot.HOT_END:
        return stop(cpu, op, start, remaining, STOP_AGAIN);
      case hot.HOT_TOO_LONG:
        return stop(cpu, op, start, remaining, STOP_TOO_LONG);
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
      case hot.HOT_REGION:
        return stop(cpu, op, start, remaining, STOP_REGION);
      // @hot-cases: the build puts the cases of table/hot.ts here
      default:
        return stop(cpu, op, start, remaining, STOP_HANDLER);
    }
    // The instruction at `op` ended the run of straight-line code.
    remaining -= <i32>((op - start) / OP_BYTES) + 1;
    const quiet = remaining > 0 && atomic.load<u32>(cpu, VCPU_REQUEST) == 0;
    if (status == STOP_BRANCH) {
      const link = <usize>load<u32>(op, OP_LINK);
      if (link != 0 && quiet) {
        op = link;
        start = op;
        continue;
      }
      const page = load<u64>(cpu, VCPU_PAGE);
      target = page + load<u64>(op, OP_IMMEDIATE);
      // One to another page is never linked, one within the page is not linked yet.
      if ((target & PAGE_MASK) == page || !isCanonical(target)) return stop(cpu, op, start, remaining, STOP_BRANCH);
    }
    const host = <u32>cachedCode(cpu, target);
    const jump = load<u64>(jumpEntry(cpu, host));
    if (host == 0 || <u32>jump != host || !quiet || load<u32>(cpu, VCPU_STEPPING) != 0) {
      if (status == STOP_JUMP) store<u64>(cpu, target, VCPU_RIP);
      return stop(cpu, op, start, remaining, status);
    }
    store<u64>(cpu, target & PAGE_MASK, VCPU_PAGE);
    op = <usize>(jump >> 32);
    start = op;
  }
}
