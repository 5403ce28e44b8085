/**
 * The run loop: runs decoded code of one vCPU until its budget is used up or something wants the caller's attention. The operations
 * themselves are executed in execute.ts; here is what it stops for: handlers, regions, look-ups, faults, requests.
 */
import {
  EXIT,
  EXIT_BUDGET,
  EXIT_REQUEST,
  FAULT,
  HANDLER_TABLE,
  JUMP,
  LONG_RUN,
  LONG_RUNS_PERIOD,
  NEXT,
  OP_AUX,
  OP_BYTES,
  OP_IMMEDIATE,
  OP_LENGTH,
  OP_LINK,
  OP_OFFSET,
  OP_ROW,
  PAGE_BYTES,
  REDO,
  REGION_ENTRY_SHIFT,
  REQUEST_CODE_DROP,
  REQUEST_EVENT,
  REQUEST_FLUSH,
  REQUEST_HOLD,
  REQUEST_LEAVE,
  RETRY,
  SAMPLE_LONG_RUN,
  TRANSITION_ENTRIES,
  TRANSITION_ENTRY_BYTES,
  TRANSITION_PERIOD,
  TRAP,
  VCPU_BUDGET,
  VCPU_CODE_EPOCH,
  VCPU_EXIT_REASON,
  VCPU_FAULTS,
  VCPU_INSTRUCTIONS,
  VCPU_INSTRUCTIONS_TRANSLATED,
  VCPU_LONG_RUNS_LEFT,
  VCPU_PAGE,
  VCPU_PAUSES,
  VCPU_REGION_ENTRIES,
  VCPU_REGION_REDOS,
  VCPU_REQUEST,
  VCPU_RIP,
  VCPU_RUN_LEFT,
  VCPU_RUN_START,
  VCPU_SAMPLE_LEFT,
  VCPU_SAMPLE_RIP,
  VCPU_STEPPING,
  VCPU_TRANSITIONS,
  VCPU_TRANSITIONS_SAMPLED,
  VECTOR_GP,
  WAY_DATA,
  WAY_FUNCTION,
  WAY_PAGE,
} from './layout';
import { findInstead, jumpEntry, operationAt } from './blocks';
import { servePostedDrops } from './code-marks';
import { condition } from './flags';
import { raise, settleFault } from './fault';
import { deliverException, pollEvents } from './host';
import { cachedCode } from './banks';
import { enterGuest, leaveGuest, serveFlush, stayOutside } from './rendezvous';
import { isCanonical } from './tlb';
import { leaveRegion } from './region-exit';
import { findWay, wayTo } from './regions';
import { stepInstruction } from './step';
import * as hot from './generated/hot';
import {
  STOP_AGAIN,
  STOP_BRANCH,
  STOP_CONDITION,
  STOP_HANDLER,
  STOP_REGION,
  STOP_ROW,
  STOP_TOO_LONG,
  execute,
} from './generated/execute';

const PAGE_MASK: u64 = ~(<u64>(PAGE_BYTES - 1));

/** The operation by its row's handler, which knows all of it. */
function executeByRow(cpu: usize, op: usize): i32 {
  return call_indirect<i32>(<u32>load<u16>(HANDLER_TABLE + <usize>load<u16>(op, OP_ROW) * 2), cpu, op);
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

/**
 * Runs the region that `op` enters and those that control goes on to directly. Bits 0-31: the status of the last one; 32-63: the
 * operation at VCPU_RIP, with VCPU_PAGE set; 0 = it was not looked for, or the jump cache did not have it.
 */
function runRegions(cpu: usize, op: usize): u64 {
  let rip = load<u64>(cpu, VCPU_PAGE) + <u64>load<u16>(op, OP_OFFSET);
  let way = wayTo(cpu, rip);
  if (!way) way = findWay(cpu, rip, op);
  let entries = load<u64>(cpu, VCPU_REGION_ENTRIES);
  let left = load<i32>(cpu, VCPU_BUDGET);
  let next: usize = 0;
  let status: i32;
  while (true) {
    if (!way) {
      store<u64>(cpu, rip, VCPU_RIP);
      status = REDO;
      break;
    }
    entries++;
    const before = left;
    const entry = load<u32>(way, WAY_FUNCTION);
    const tableIndex = entry & ((1 << REGION_ENTRY_SHIFT) - 1);
    const bits = call_indirect<u32>(
      tableIndex,
      cpu,
      load<u32>(way, WAY_DATA),
      entry >> REGION_ENTRY_SHIFT,
      load<u64>(way, WAY_PAGE),
    );
    status = leaveRegion(cpu, bits);
    left = load<i32>(cpu, VCPU_BUDGET);
    if (before - left >= LONG_RUN) noteLongRun(cpu, tableIndex, before - left);
    const sampled = ((<u32>entries) & (TRANSITION_PERIOD - 1)) == 0;
    if (sampled && (status == JUMP || status == REDO)) sampleTransition(cpu, tableIndex, status);
    if (status != JUMP) break;
    rip = load<u64>(cpu, VCPU_RIP);
    way = wayTo(cpu, rip);
    if (!way) {
      const host = <u32>cachedCode(cpu, rip);
      const jump = load<u64>(jumpEntry(cpu, host));
      if (host == 0 || <u32>jump != host) break;
      next = <usize>(jump >> 32);
    }
    store<u64>(cpu, rip & PAGE_MASK, VCPU_PAGE);
    if (next && load<u16>(next) != hot.HOT_REGION) break;
    if (left <= 0 || atomic.load<u32>(cpu, VCPU_REQUEST) != 0 || load<u32>(cpu, VCPU_STEPPING) != 0) break;
    if (next) way = findWay(cpu, rip, next);
    next = 0;
  }
  store<u64>(cpu, entries, VCPU_REGION_ENTRIES);
  return ((<u64>next) << 32) | (<u64>(<u32>status));
}

/** Takes a sample of the regions in which much is executed at a time. */
function noteLongRun(cpu: usize, tableIndex: u32, instructions: i32): void {
  const left = load<i32>(cpu, VCPU_LONG_RUNS_LEFT) - instructions;
  if (left <= 0) sampleTransition(cpu, tableIndex, SAMPLE_LONG_RUN);
  store<i32>(cpu, left <= 0 ? LONG_RUNS_PERIOD : left, VCPU_LONG_RUNS_LEFT);
}

/** Notes for the translator how a region was left and for where; on purpose only now and then. */
function sampleTransition(cpu: usize, tableIndex: u32, why: i32): void {
  const count = load<u32>(cpu, VCPU_TRANSITIONS_SAMPLED);
  const at = cpu + VCPU_TRANSITIONS + <usize>(count & (TRANSITION_ENTRIES - 1)) * TRANSITION_ENTRY_BYTES;
  store<u32>(at, tableIndex);
  store<i32>(at, why, 4);
  store<u64>(at, load<u64>(cpu, VCPU_RIP), 8);
  store<u32>(cpu, count + 1, VCPU_TRANSITIONS_SAMPLED);
}

// @ts-ignore: decorator
@inline
function operationsFrom(start: usize, op: usize): i32 {
  return <i32>((op - start) / OP_BYTES);
}

/**
 * Runs the vCPU from VCPU_RIP for about `budget` instructions. Returns the reason, EXIT_*; the architectural state is exact, and
 * VCPU_BUDGET holds what is left.
 *
 * With a `period`, also returns EXIT_BUDGET whenever so many instructions have been interpreted since it last did so, over several
 * calls (VCPU_SAMPLE_LEFT): the block interpreted last (VCPU_SAMPLE_RIP) is a sample of what is worth translating. Where RIP is
 * then is none: that is mostly the entry of a region, and what lies between two regions would never be seen.
 */
export function run(cpu: usize, budget: i32, period: i32): i32 {
  // What is left is the sum: to be interpreted before the next sample or the end, and beyond that.
  let remaining = budget;
  let reserve = 0;
  // To be interpreted before the next sample and beyond the end.
  let beyond = i32.MAX_VALUE;
  // Where the block began in which it ran out.
  let last: u64 = 0;
  if (period > 0) {
    const due = load<i32>(cpu, VCPU_SAMPLE_LEFT) > 0 ? load<i32>(cpu, VCPU_SAMPLE_LEFT) : period;
    remaining = min(due, budget);
    reserve = budget - remaining;
    beyond = due - remaining;
  }
  store<u32>(cpu, 0, VCPU_PAUSES);
  enterGuest(cpu);
  store<u32>(cpu, EXIT_BUDGET, VCPU_EXIT_REASON);
  while (true) {
    if (!serveRequests(cpu)) break;
    if (remaining <= 0) {
      store<u64>(cpu, last ? last : load<u64>(cpu, VCPU_RIP), VCPU_SAMPLE_RIP);
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
    const before = remaining + reserve;
    let status: i32 = NEXT;
    // RIP to go on at when control leaves the block.
    let target: u64 = 0;
    while (true) {
      // The operation there, where runRegions has come across it.
      let found: usize = 0;
      const stopped = execute(cpu, op, start, remaining);
      op = <usize>(<u32>stopped);
      start = load<u32>(cpu, VCPU_RUN_START);
      remaining = load<i32>(cpu, VCPU_RUN_LEFT);
      // What follows the switch handles: `status` of an instruction that did not simply go on.
      switch (<u32>(stopped >> 32)) {
        case STOP_HANDLER:
        case STOP_ROW:
          if (stopped >> 32 == STOP_ROW) status = executeByRow(cpu, op);
          else status = call_indirect<i32>(<u32>load<u16>(op) - hot.HOT_HANDLERS, cpu, op);
          if (status == NEXT) {
            op += OP_BYTES;
            continue;
          }
          remaining -= operationsFrom(start, op) + 1;
          target = load<u64>(cpu, VCPU_RIP);
          break;
        case STOP_CONDITION:
          if (!condition(cpu, <u32>load<u8>(op, OP_AUX))) {
            op += OP_BYTES;
            continue;
          }
          remaining -= operationsFrom(start, op) + 1;
        case STOP_BRANCH: {
          const quiet = remaining > 0 && atomic.load<u32>(cpu, VCPU_REQUEST) == 0;
          const link = <usize>load<u32>(op, OP_LINK);
          if (link != 0 && quiet) {
            op = link;
            start = link;
            continue;
          }
          const page = load<u64>(cpu, VCPU_PAGE);
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
          start = op;
          continue;
        }
        case STOP_REGION: {
          // Always the first operation of its block; a region counts what it retires and leaves RIP exact.
          const whole = remaining + reserve;
          store<i32>(cpu, whole, VCPU_BUDGET);
          const outcome = runRegions(cpu, op);
          status = <i32>outcome;
          found = <usize>(outcome >> 32);
          const left = load<i32>(cpu, VCPU_BUDGET);
          store<u64>(cpu, load<u64>(cpu, VCPU_INSTRUCTIONS_TRANSLATED) + <u64>(whole - left), VCPU_INSTRUCTIONS_TRANSLATED);
          if (left >= remaining) reserve = left - remaining;
          else {
            beyond += remaining - left;
            reserve = 0;
            remaining = left;
          }
          target = load<u64>(cpu, VCPU_RIP);
          if (status != JUMP) op = 0;
          break;
        }
        case STOP_AGAIN:
          remaining -= operationsFrom(start, op);
          target = load<u64>(cpu, VCPU_PAGE) + <u64>load<u16>(op, OP_OFFSET);
          status = JUMP;
          break;
        case STOP_TOO_LONG:
          remaining -= operationsFrom(start, op) + 1;
          status = raise(cpu, VECTOR_GP, 0);
          break;
        default:
          target = load<u64>(cpu, VCPU_RIP);
          status = JUMP;
          break;
      }
      if (status == JUMP) {
        store<u64>(cpu, target, VCPU_RIP);
        if (remaining <= 0) {
          last = load<u64>(cpu, VCPU_PAGE) + <u64>load<u16>(start, OP_OFFSET);
          break;
        }
        if (atomic.load<u32>(cpu, VCPU_REQUEST) != 0 || load<u32>(cpu, VCPU_STEPPING) != 0) break;
        if (found) op = found;
        else if (load<u16>(op) == hot.HOT_LOOKUP_AGAIN) op = findInstead(cpu, op, op == start, target);
        else op = operationAt(cpu, target);
        if (!op) {
          status = FAULT;
          break;
        }
        start = op;
        continue;
      }
      break;
    }
    store<u64>(cpu, load<u64>(cpu, VCPU_INSTRUCTIONS) + <u64>(before - remaining - reserve), VCPU_INSTRUCTIONS);
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
      store<u64>(cpu, load<u64>(cpu, VCPU_PAGE) + <u64>load<u16>(op, OP_OFFSET), VCPU_RIP);
      continue;
    }
    if (op ? !deliver(cpu, op, status == TRAP) : !deliverHere(cpu)) break;
  }
  store<i32>(cpu, remaining + reserve, VCPU_BUDGET);
  if (period > 0) store<i32>(cpu, remaining + beyond, VCPU_SAMPLE_LEFT);
  leaveGuest(cpu);
  return load<u32>(cpu, VCPU_EXIT_REASON);
}
