/**
 * Translated regions of one vCPU, as the core sees them: an entry is the host address of its first byte and a function of the
 * module's table. The run loop enters a region where a block starts with HOT_REGION; blocks decoded later at an entry become
 * region entries by themselves. A region dies with the decoded code of any frame it was made from.
 *
 * Records live in the vCPU block (VCPU_REGION_ARENA) and are given out by the translator, which runs between slices only.
 */
import {
  BANK_MAPPINGS,
  FAULT,
  JUMP,
  LONGEST_INSTRUCTION,
  NEXT,
  OP_AUX,
  OP_HANDLER,
  OP_LENGTH,
  OP_LINK,
  OP_OFFSET,
  OP_REGION_DATA,
  OP_REGION_POSITION,
  PAGE_BYTES,
  REDO,
  REGION_DATA,
  REGION_DATA_AT,
  REGION_DATA_COUNT,
  REGION_DATA_HOST,
  REGION_DATA_MAPPINGS,
  REGION_DATA_PAGES,
  REGION_DATA_PAGE_BYTES,
  REGION_DATA_POSITION,
  REGION_ENTRY_SHIFT,
  REGION_FRAME,
  REGION_HASH_ENTRIES,
  REGION_KEY,
  REGION_NEXT,
  REGION_NODE_BYTES,
  REGION_NODE_FRAME,
  REGION_NODE_NEXT,
  REGION_NODE_RECORD,
  REGION_POSITION,
  REGION_RECORD_BYTES,
  REGION_TABLE_INDEX,
  RETRY,
  TLB_WRITE,
  TRAP,
  VCPU_CODE_EPOCH,
  VCPU_FETCH_BUFFER,
  VCPU_INSTRUCTIONS_HANDLED,
  VCPU_MXCSR,
  VCPU_PAGE,
  VCPU_REGION_ARENA,
  VCPU_REGION_ARENA_END,
  VCPU_REGION_FRAMES,
  VCPU_REGION_GENERATION,
  VCPU_REGION_HASH,
  VCPU_REGION_NEXT,
  VCPU_RIP,
  VCPU_TLB,
  VCPU_WAYS,
  WAY_BYTES,
  WAY_DATA,
  WAY_ENTRIES,
  WAY_EPOCH,
  WAY_FUNCTION,
  WAY_MAPPINGS,
  WAY_PAGE,
  WAY_RIP,
} from './layout';
import { frameIndexOf } from './frames';
import { tlbEntry } from './banks';
import { serveFlush } from './rendezvous';
import { ACCESS_READ, ACCESS_WRITE, fillTlb, translateExecute } from './tlb';
import { xmmReg, xmmRmReg } from './access';
import { DENORMAL } from './softfloat/environment';
import { markCode } from './code-marks';
import { decodeInstruction, decodedCount, decodedEnds, decodedLength } from './decode';
import { HOT_HANDLERS, HOT_REGION } from './generated/hot';
import { settleFault } from './fault';
import { getFlags, setFlags } from './flags';
import { blockAt, dropAllBlocks, dropBlocksAt, firstOperationOf } from './blocks';

const PAGE_MASK: u64 = ~(<u64>(PAGE_BYTES - 1));

// @ts-ignore: decorator
@inline
function keyBucket(cpu: usize, host: u32): usize {
  return cpu + VCPU_REGION_HASH + (((host * 0x9e3779b1) >> 20) & (REGION_HASH_ENTRIES - 1)) * 4;
}

// @ts-ignore: decorator
@inline
function nodeBucket(cpu: usize, frame: u32): usize {
  return cpu + VCPU_REGION_FRAMES + (frame & (REGION_HASH_ENTRIES - 1)) * 4;
}

/** Forgets every region; the translator notices by VCPU_REGION_GENERATION. */
export function resetRegions(cpu: usize): void {
  memory.fill(cpu + VCPU_REGION_HASH, 0, REGION_HASH_ENTRIES * 4);
  memory.fill(cpu + VCPU_REGION_FRAMES, 0, REGION_HASH_ENTRIES * 4);
  store<u32>(cpu, VCPU_REGION_ARENA, VCPU_REGION_NEXT);
  store<u32>(cpu, load<u32>(cpu, VCPU_REGION_GENERATION) + 1, VCPU_REGION_GENERATION);
  forgetWays(cpu);
}

/** Ways are good for one epoch. */
function forgetWays(cpu: usize): void {
  store<u32>(cpu, load<u32>(cpu, VCPU_CODE_EPOCH) + 1, VCPU_CODE_EPOCH);
}

/** Takes `bytes` of the arena (a multiple of 16); 0 = it is full. */
export function allocateRegionBytes(cpu: usize, bytes: u32): usize {
  const at = load<u32>(cpu, VCPU_REGION_NEXT);
  if (at + bytes > <u32>VCPU_REGION_ARENA_END) return 0;
  store<u32>(cpu, at + bytes, VCPU_REGION_NEXT);
  return cpu + at;
}

/**
 * Makes the function at `tableIndex` (bits 0-23; 24-31: which of its entries) the region entered at `host`, with what its code reads
 * at `data`, `position` that of the entry's page behind its first; its record, or 0 = the arena is full.
 */
export function addRegion(cpu: usize, host: u32, tableIndex: u32, data: usize, position: i32): usize {
  const record = allocateRegionBytes(cpu, REGION_RECORD_BYTES);
  if (!record) return 0;
  removeRegionAt(cpu, host);
  const bucket = keyBucket(cpu, host);
  store<u32>(record, load<u32>(bucket), REGION_NEXT);
  store<u32>(record, host, REGION_KEY);
  store<u32>(record, tableIndex, REGION_TABLE_INDEX);
  store<u32>(record, frameIndexOf(host), REGION_FRAME);
  store<u32>(record, <u32>data, REGION_DATA);
  store<i32>(record, position, REGION_POSITION);
  store<u32>(bucket, <u32>record);
  if (!addRegionFrame(cpu, record, host)) return 0;
  const block = blockAt(cpu, host);
  if (block) enterByRegion(firstOperationOf(block), record);
  return record;
}

/** Lets the region die with the decoded code of the frame at `host` too; 0 = the arena is full. */
export function addRegionFrame(cpu: usize, record: usize, host: u32): usize {
  const node = allocateRegionBytes(cpu, REGION_NODE_BYTES);
  if (!node) return 0;
  const frame = frameIndexOf(host);
  const bucket = nodeBucket(cpu, frame);
  store<u32>(node, load<u32>(bucket), REGION_NODE_NEXT);
  store<u32>(node, frame, REGION_NODE_FRAME);
  store<u32>(node, <u32>record, REGION_NODE_RECORD);
  store<u32>(bucket, <u32>node);
  return node;
}

function findRegion(cpu: usize, host: u32): usize {
  let record = <usize>load<u32>(keyBucket(cpu, host));
  while (record && load<u32>(record, REGION_KEY) != host) record = load<u32>(record, REGION_NEXT);
  return record;
}

function enterByRegion(first: usize, record: usize): void {
  const entry = load<u32>(record, REGION_TABLE_INDEX);
  store<u16>(first, HOT_REGION, OP_HANDLER);
  store<u32>(first, entry & ((1 << REGION_ENTRY_SHIFT) - 1), OP_LINK);
  store<u8>(first, <u8>(entry >> REGION_ENTRY_SHIFT), OP_AUX);
  store<u32>(first, load<u32>(record, REGION_DATA), OP_REGION_DATA);
  store<i32>(first, load<i32>(record, REGION_POSITION), OP_REGION_POSITION);
}

/** To be called for a block just decoded at `host`: enters by a region if there is one. */
export function adoptRegion(cpu: usize, host: u32, first: usize): void {
  const record = findRegion(cpu, host);
  if (record) enterByRegion(first, record);
}

/** Takes the region entered at `host` out of use. */
export function removeRegionAt(cpu: usize, host: u32): void {
  let link = keyBucket(cpu, host);
  while (true) {
    const record = <usize>load<u32>(link);
    if (!record) return;
    if (load<u32>(record, REGION_KEY) == host) {
      store<u32>(link, load<u32>(record, REGION_NEXT));
      store<u32>(record, 0, REGION_TABLE_INDEX);
      dropBlocksAt(cpu, host);
      forgetWays(cpu);
      return;
    }
    link = record + REGION_NEXT;
  }
}

/** Takes every region made from the frame out of use. */
export function dropFrameRegions(cpu: usize, frame: u32): void {
  let link = nodeBucket(cpu, frame);
  while (true) {
    const node = <usize>load<u32>(link);
    if (!node) return;
    if (load<u32>(node, REGION_NODE_FRAME) != frame) {
      link = node + REGION_NODE_NEXT;
      continue;
    }
    store<u32>(link, load<u32>(node, REGION_NODE_NEXT));
    const record = <usize>load<u32>(node, REGION_NODE_RECORD);
    if (load<u32>(record, REGION_TABLE_INDEX)) removeRegionAt(cpu, load<u32>(record, REGION_KEY));
  }
}

/** Forgets all regions and all decoded blocks. */
export function dropAllRegions(cpu: usize): void {
  resetRegions(cpu);
  dropAllBlocks(cpu);
}

// ---- what the translator asks ---------------------------------------------------------------------------------------

/** decodeForRegion: bits 0-7 length, 8-9 operations written, 16 ends its block; 0 = does not lie in what it was given. */
const DECODED_ENDS: u32 = 0x10000;

/**
 * Decodes the instruction at `host` into operations at `op` as its row says (not specialised), after marking its bytes as code. It
 * may go on in the page at `next`, unless that is 0.
 */
export function decodeForRegion(cpu: usize, host: usize, op: usize, next: usize): u32 {
  const offset = (<u32>host) & (PAGE_BYTES - 1);
  let available = min<u32>(PAGE_BYTES - offset, LONGEST_INSTRUCTION);
  markCode(cpu, host, available);
  const buffer = cpu + VCPU_FETCH_BUFFER;
  memory.fill(buffer, 0, 24);
  memory.copy(buffer, host, available);
  if (next && available < <u32>LONGEST_INSTRUCTION) {
    const rest = LONGEST_INSTRUCTION - available;
    markCode(cpu, next, rest);
    memory.copy(buffer + available, next, rest);
    available = LONGEST_INSTRUCTION;
  }
  decodeInstruction(buffer, op, offset);
  if (decodedLength > available) return 0;
  return decodedLength | (decodedCount << 8) | (decodedEnds ? DECODED_ENDS : 0);
}

/** Host pointer of the code at `va` in the current mode, 0 = it cannot be fetched. For use between runs. */
export function codePointer(cpu: usize, va: u64): usize {
  serveFlush(cpu);
  return translateExecute(cpu, va);
}

/** Marks bytes of one page as code, before they are compared with those that a region was made from. */
export function markRegionCode(cpu: usize, host: usize, bytes: u32): void {
  markCode(cpu, host, bytes);
}

// ---- entering -------------------------------------------------------------------------------------------------------

// @ts-ignore: decorator
@inline
function mappingsOf(cpu: usize): u32 {
  return load<u32>(<usize>load<u32>(cpu, VCPU_TLB), BANK_MAPPINGS);
}

// @ts-ignore: decorator
@inline
function wayAt(cpu: usize, rip: u64): usize {
  return cpu + VCPU_WAYS + ((<usize>(rip ^ (rip >> 12))) & (WAY_ENTRIES - 1)) * WAY_BYTES;
}

/**
 * The way into the region at `rip` (WAY_*) if it is known, else 0. What entering a region costs is memory that has left the caches
 * since the last time: translation, jump cache, operation and the region's data lie in four places, a way in one. It holds as
 * long as no code of the bank has moved (BANK_MAPPINGS, which no two banks share) and no region has died.
 */
// @ts-ignore: decorator
@inline
export function wayTo(cpu: usize, rip: u64): usize {
  const way = wayAt(cpu, rip);
  if (load<u64>(way, WAY_RIP) != rip || load<u32>(way, WAY_MAPPINGS) != mappingsOf(cpu)) return 0;
  return load<u32>(way, WAY_EPOCH) == load<u32>(cpu, VCPU_CODE_EPOCH) ? way : 0;
}

/** Finds the way into the region that `op` at `rip` enters; 0 = its pages do not lie where they did. VCPU_PAGE is that of `rip`. */
export function findWay(cpu: usize, rip: u64, op: usize): usize {
  const data = <usize>load<u32>(op, OP_REGION_DATA);
  const page = load<u64>(cpu, VCPU_PAGE) - <u64>(<i64>load<i32>(op, OP_REGION_POSITION));
  if (!sameCodePages(cpu, page, data)) return 0;
  const way = wayAt(cpu, rip);
  store<u64>(way, rip, WAY_RIP);
  store<u64>(way, page, WAY_PAGE);
  store<u32>(way, mappingsOf(cpu), WAY_MAPPINGS);
  store<u32>(way, load<u32>(cpu, VCPU_CODE_EPOCH), WAY_EPOCH);
  store<u32>(way, load<u32>(op, OP_LINK) | ((<u32>load<u8>(op, OP_AUX)) << REGION_ENTRY_SHIFT), WAY_FUNCTION);
  store<u32>(way, <u32>data, WAY_DATA);
  return way;
}

/** Whether the pages of the region with these data are where they were, the first at `page`. */
function sameCodePages(cpu: usize, page: u64, data: usize): bool {
  if (load<u64>(data, REGION_DATA_AT) == page && load<u32>(data, REGION_DATA_MAPPINGS) == mappingsOf(cpu)) return true;
  const count = <usize>load<u32>(data, REGION_DATA_COUNT);
  for (let n: usize = 0; n < count; n++) {
    const at = data + REGION_DATA_PAGES + n * REGION_DATA_PAGE_BYTES;
    const position = <u64>(<i64>load<i32>(at, REGION_DATA_POSITION));
    if (translateExecute(cpu, page + position) != <usize>load<u32>(at, REGION_DATA_HOST)) return false;
  }
  store<u64>(data, page, REGION_DATA_AT);
  store<u32>(data, mappingsOf(cpu), REGION_DATA_MAPPINGS);
  return true;
}

// ---- what regions call ----------------------------------------------------------------------------------------------

/** Host pointer for reads of bytes of one page that missed the TLB; 0 = fault, or they cross into another page. */
export function readableForRegion(cpu: usize, va: u64, bytes: u32): usize {
  return ((va ^ (va + <u64>(bytes - 1))) & PAGE_MASK) != 0 ? 0 : fillTlb(cpu, va, ACCESS_READ);
}

/** Host pointer for a plain store that missed the TLB; 0 = fault, or a store that needs the slow path: the instruction is redone. */
export function writableForRegion(cpu: usize, va: u64, bytes: u32): usize {
  if (((va ^ (va + <u64>(bytes - 1))) & PAGE_MASK) != 0) return 0;
  const host = fillTlb(cpu, va, ACCESS_WRITE);
  if (!host || load<u64>(tlbEntry(cpu, va), TLB_WRITE) != (va & PAGE_MASK)) return 0;
  return host;
}

/** Executes an operation by its row's handler. Unless it returns NEXT, VCPU_RIP is right for the status: NEXT, JUMP, FAULT, EXIT or REDO. */
export function callHandler(cpu: usize, op: usize): i32 {
  store<u64>(cpu, load<u64>(cpu, VCPU_INSTRUCTIONS_HANDLED) + 1, VCPU_INSTRUCTIONS_HANDLED);
  const status = call_indirect<i32>(<u32>load<u16>(op) - HOT_HANDLERS, cpu, op);
  if (status == NEXT || status == JUMP) return status;
  if (status == FAULT || status == RETRY || status == TRAP) {
    store<u64>(cpu, load<u64>(cpu, VCPU_PAGE) + <u64>load<u16>(op, OP_OFFSET), VCPU_RIP);
    if (status != FAULT) return REDO;
    settleFault(cpu, op);
  }
  return status;
}

/** What callFloatHandler is asked for: kinds of facts, as the translator's vectors.ts numbers them, plus one. */
const CLEAN_LOW_64: u32 = 1;
const CLEAN_ALL_64: u32 = 2;
const CLEAN_LOW_32: u32 = 3;

/** Whether the lanes that a fact is about hold a denormal. */
function hasDenormal(register: usize, kind: u32): bool {
  if (!kind) return false;
  const bits = v128.load(register);
  if (kind <= CLEAN_ALL_64) {
    const lanes = i64x2.lt_s(i64x2.add(i64x2.shl(bits, 1), i64x2.splat(i64.MAX_VALUE)), i64x2.splat(0x801fffffffffffff));
    return kind == CLEAN_LOW_64 ? i64x2.extract_lane(lanes, 0) != 0 : v128.any_true(lanes);
  }
  const lanes = i32x4.lt_s(i32x4.add(i32x4.shl(bits, 1), i32x4.splat(i32.MAX_VALUE)), i32x4.splat(0x80ffffff));
  return kind == CLEAN_LOW_32 ? i32x4.extract_lane(lanes, 0) != 0 : v128.any_true(lanes);
}

/**
 * As callHandler, for an SSE instruction after which code counts on its destination (bits 0-2 of `clean`) and its source register
 * (bits 3-5) to be free of denormals, or on DE to be up. Where neither is so, JUMP to the next instruction: the region is left.
 */
export function callFloatHandler(cpu: usize, op: usize, clean: u32): i32 {
  const status = callHandler(cpu, op);
  if (status != NEXT || !clean) return status;
  const mxcsr = load<u32>(cpu, VCPU_MXCSR);
  // In another mode facts are not made use of.
  if ((mxcsr & 0xffc0) != 0x1f80 || mxcsr & DENORMAL) return NEXT;
  if (!hasDenormal(xmmReg(cpu, op), clean & 7) && !hasDenormal(xmmRmReg(cpu, op), clean >> 3)) return NEXT;
  store<u64>(cpu, load<u64>(cpu, VCPU_PAGE) + <u64>load<u16>(op, OP_OFFSET) + <u64>load<u8>(op, OP_LENGTH), VCPU_RIP);
  return JUMP;
}

/** Replaces CF and OF, as rotates do. */
export function replaceCarryOverflow(cpu: usize, bits: u32): void {
  setFlags(cpu, (getFlags(cpu) & ~(<u32>0x801)) | bits);
}

/** Replaces ZF alone, as CMPXCHG16B does. */
export function replaceZero(cpu: usize, equal: u32): void {
  setFlags(cpu, (getFlags(cpu) & ~(<u32>0x40)) | (equal << 6));
}
