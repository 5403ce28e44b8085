/** Decodes straight-line code into a block (see blocks.ts for where blocks end), marking each chunk before it is read. */
import { LONGEST_INSTRUCTION, OP_BYTES, OP_HANDLER, OP_OFFSET, PAGE_BYTES, VCPU_FETCH_BUFFER } from './layout';
import { translateExecute } from './tlb';
import { markCode } from './code-marks';
import { decodeInstruction, decodedCount, decodedEnds, decodedLength, decodedTooLong } from './decode';
import { HOT_END, HOT_TOO_LONG } from './generated/hot';
import { specialise, startSpecialising } from './specialise';

/** Instructions in a block at most. */
const LONGEST_BLOCK: u32 = 64;
/** Room that decodeBlock may need: two operations an instruction, and the end. */
export const LARGEST_BLOCK_BYTES: u32 = (2 * LONGEST_BLOCK + 2) * OP_BYTES;

let operations: u32 = 0;
let failed: bool = false;

/** Operations of the block decoded last. */
export function decodedOperations(): u32 {
  return operations;
}

/** The fetch of the block's first instruction faulted (recorded). */
export function decodeFailed(): bool {
  return failed;
}

/**
 * Writes the operations of the block at `rip` (host pointer `host`) to `first`. Returns the host pointer of the second page's
 * start when the block is one instruction that crosses, else 0.
 */
export function decodeBlock(cpu: usize, first: usize, rip: u64, host: usize): usize {
  return decodeUpTo(cpu, first, rip, host, LONGEST_BLOCK);
}

/** As decodeBlock, at most `limit` instructions. */
export function decodeUpTo(cpu: usize, first: usize, rip: u64, host: usize, limit: u32): usize {
  let op = first;
  let offset = (<u32>rip) & (PAGE_BYTES - 1);
  const pageHost = host - offset;
  failed = false;
  startSpecialising();
  for (let count: u32 = 0; ; count++) {
    if (count == limit || offset >= <u32>PAGE_BYTES) break;
    const available = min<u32>(PAGE_BYTES - offset, LONGEST_INSTRUCTION);
    markCode(cpu, pageHost + offset, available);
    fetchLow = 0;
    fetchHigh = 0;
    fetchBytes(pageHost + offset, available, 0);
    decodeInstruction(fetchBuffer(cpu), op, offset);
    if (decodedLength > available) {
      if (available == LONGEST_INSTRUCTION) {
        // More than 15 bytes: #GP.
        op = emitFinal(op, HOT_TOO_LONG, offset);
        break;
      }
      if (count != 0) break;
      const second = translateExecute(cpu, (rip & ~(<u64>(PAGE_BYTES - 1))) + PAGE_BYTES);
      if (!second) {
        failed = true;
        return 0;
      }
      const rest = LONGEST_INSTRUCTION - available;
      markCode(cpu, second, rest);
      fetchBytes(second, rest, available);
      decodeInstruction(fetchBuffer(cpu), op, offset);
      if (decodedTooLong) op = emitFinal(op, HOT_TOO_LONG, offset);
      else {
        op += decodedCount * OP_BYTES;
        op = emitFinal(op, HOT_END, offset + decodedLength);
      }
      operations = <u32>((op - first) / OP_BYTES);
      return second;
    }
    // A single instruction is executed by its row's handler, which wants the operands as they are.
    if (limit > 1) specialise(op + (decodedCount - 1) * OP_BYTES);
    op += decodedCount * OP_BYTES;
    offset += decodedLength;
    if (decodedEnds) {
      // A handler of the last operation may still return NEXT (a branch not taken, an emulated instruction).
      op = emitFinal(op, HOT_END, offset);
      operations = <u32>((op - first) / OP_BYTES);
      return 0;
    }
  }
  op = emitFinal(op, HOT_END, offset);
  operations = <u32>((op - first) / OP_BYTES);
  return 0;
}

/** Emits an operation that is no instruction: the block's end (go on at `offset`) or a fault. */
function emitFinal(op: usize, handler: u32, offset: u32): usize {
  memory.fill(op, 0, OP_BYTES);
  store<u16>(op, <u16>handler, OP_HANDLER);
  store<u16>(op, <u16>offset, OP_OFFSET);
  return op + OP_BYTES;
}

/** The instruction's bytes, read from guest memory once, kept out of the shared memory until the buffer is filled. */
let fetchLow: u64 = 0;
let fetchHigh: u64 = 0;

function fetchBytes(from: usize, count: u32, at: u32): void {
  for (let n: u32 = 0; n < count; n++) {
    const byte = <u64>load<u8>(from + n);
    const to = at + n;
    if (to < 8) fetchLow |= byte << ((<u64>to) << 3);
    else fetchHigh |= byte << ((<u64>to - 8) << 3);
  }
}

function fetchBuffer(cpu: usize): usize {
  const buffer = cpu + VCPU_FETCH_BUFFER;
  store<u64>(buffer, fetchLow);
  store<u64>(buffer, fetchHigh, 8);
  store<u64>(buffer, 0, 16);
  return buffer;
}
