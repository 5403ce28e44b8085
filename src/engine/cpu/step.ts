/**
 * One instruction at a time: while RFLAGS.TF is set (a #DB trap follows each instruction) or DR7 enables a breakpoint.
 * @sdm Vol.3B 18.2, 18.3.1
 */
import {
  FAULT,
  HANDLER_TABLE,
  JUMP,
  NEXT,
  OP_BYTES,
  OP_IMMEDIATE,
  OP_LENGTH,
  OP_OFFSET,
  OP_ROW,
  PAGE_BYTES,
  RETRY,
  TRAP,
  VCPU_DR,
  VCPU_EA,
  VCPU_PAGE,
  VCPU_RFLAGS,
  VCPU_RIP,
  VCPU_STEP_BLOCK,
  VCPU_WATCH_HITS,
  VECTOR_DB,
  VECTOR_GP,
} from './layout';
import { HOT_EFFECTIVE_ADDRESS, HOT_EFFECTIVE_ADDRESS_32, HOT_TOO_LONG } from './generated/hot';
import { effectiveOffset } from './address';
import { decodeFailed, decodeUpTo } from './decode-block';
import { TF } from './flags';
import { raise, settleFault } from './fault';
import { flushesServed } from './rendezvous';
import { translateExecute } from './tlb';
import { takeWatchHits } from './watch';

const DR6_SINGLE_STEP: u64 = 1 << 14;
/** Resume flag: no instruction breakpoint on the next instruction. */
const RF: u64 = 0x10000;

/**
 * Executes the instruction at VCPU_RIP. Returns NEXT, FAULT (exception recorded, VCPU_RIP where it is to be reported) or EXIT.
 */
export function stepInstruction(cpu: usize): i32 {
  const rip = load<u64>(cpu, VCPU_RIP);
  if (instructionBreakpoint(cpu, rip)) return raise(cpu, VECTOR_DB, 0);
  store<u64>(cpu, load<u64>(cpu, VCPU_RFLAGS) & ~RF, VCPU_RFLAGS);
  const trapAfter = (load<u32>(cpu, VCPU_RFLAGS) & TF) != 0;
  store<u32>(cpu, 0, VCPU_WATCH_HITS);
  store<u64>(cpu, rip & ~(<u64>(PAGE_BYTES - 1)), VCPU_PAGE);
  const first = cpu + VCPU_STEP_BLOCK;
  let flushes: u32;
  do {
    flushes = flushesServed(cpu);
    const host = translateExecute(cpu, rip);
    if (!host) return FAULT;
    decodeUpTo(cpu, first, rip, host, 1);
    if (decodeFailed()) return FAULT;
  } while (flushes != flushesServed(cpu));
  let op = first;
  if (load<u16>(op) == HOT_TOO_LONG) return raise(cpu, VECTOR_GP, 0);
  const micro = load<u16>(op);
  if (micro == HOT_EFFECTIVE_ADDRESS || micro == HOT_EFFECTIVE_ADDRESS_32) {
    const address = effectiveOffset(cpu, op) + load<u64>(op, OP_IMMEDIATE);
    store<u64>(cpu, micro == HOT_EFFECTIVE_ADDRESS ? address : address & 0xffffffff, VCPU_EA);
    op += OP_BYTES;
  }
  const next = load<u64>(cpu, VCPU_PAGE) + <u64>load<u16>(op, OP_OFFSET) + <u64>load<u8>(op, OP_LENGTH);
  // The row's own handler: specialised operations live in the run loop.
  const status = call_indirect<i32>(<u32>load<u16>(HANDLER_TABLE + <usize>load<u16>(op, OP_ROW) * 2), cpu, op);
  if (status == NEXT) store<u64>(cpu, next, VCPU_RIP);
  else if (status == TRAP) {
    store<u64>(cpu, next, VCPU_RIP);
    return FAULT;
  } else if (status == RETRY) return NEXT;
  else if (status != JUMP) {
    if (status == FAULT) settleFault(cpu, op);
    return status;
  }
  // A repeated string instruction that is not done yet traps after each turn, as hardware does after each iteration.
  const watched = takeWatchHits(cpu);
  if (!trapAfter && !watched) return NEXT;
  if (trapAfter) store<u64>(cpu + VCPU_DR + 6 * 8, load<u64>(cpu + VCPU_DR + 6 * 8) | DR6_SINGLE_STEP);
  raise(cpu, VECTOR_DB, 0);
  return FAULT;
}

function instructionBreakpoint(cpu: usize, rip: u64): bool {
  const dr7 = load<u64>(cpu + VCPU_DR + 7 * 8);
  if (!(dr7 & 0xff) || load<u64>(cpu, VCPU_RFLAGS) & RF) return false;
  let hit: u64 = 0;
  for (let n: u64 = 0; n < 4; n++) {
    const enabled = (dr7 >> (n * 2)) & 3;
    const kind = (dr7 >> (16 + n * 4)) & 3;
    if (enabled && kind == 0 && load<u64>(cpu + VCPU_DR + <usize>n * 8) == rip) hit |= (<u64>1) << n;
  }
  if (!hit) return false;
  store<u64>(cpu + VCPU_DR + 6 * 8, (load<u64>(cpu + VCPU_DR + 6 * 8) & ~(<u64>15)) | hit);
  return true;
}
