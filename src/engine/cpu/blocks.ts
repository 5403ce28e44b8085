/**
 * Decoded blocks of one vCPU: an arena of operations, found by the host address of their first byte. A block is straight-line
 * code that goes on behind a conditional branch not taken; it ends at other transfers of control, at its largest size, or before
 * an instruction that crosses into the next page (which becomes a block of its own, known to both frames, never linked to).
 *
 * Dropping a block overwrites its operations with LOOKUP_AGAIN, so that whoever still points at them (the run loop in the middle
 * of it, a branch of the same page, a jump cache) finds its way again by RIP. The first who does leaves a link to the block that is
 * there now for the others: branches to a loop's start would look it up in each round. Arena space comes back when the arena is full.
 */
import {
  BLOCK_HASH_ENTRIES,
  FRAME_HASH_ENTRIES,
  JUMP_ENTRIES,
  JUMP_ENTRY_BYTES,
  OP_BYTES,
  OP_HANDLER,
  OP_LINK,
  PAGE_BYTES,
  VCPU_ARENA,
  VCPU_ARENA_END,
  VCPU_ARENA_NEXT,
  VCPU_BLOCKS_DECODED,
  VCPU_BLOCK_LOOKUPS,
  VCPU_BLOCK_HASH,
  VCPU_CODE_DROPS,
  VCPU_CODE_EPOCH,
  VCPU_FRAME_HASH,
  VCPU_JUMPS,
  VCPU_PAGE,
} from './layout';
import { frameIndexOf } from './frames';
import { cachedCode } from './banks';
import { flushesServed } from './rendezvous';
import { translateExecute } from './tlb';
import { decodeBlock, decodedOperations, decodeFailed, LARGEST_BLOCK_BYTES } from './decode-block';
import { adoptRegion, dropFrameRegions } from './regions';
import { HOT_LOOKUP_AGAIN } from './generated/hot';

/** Block header, before its first operation. */
const BLOCK_KEY = 0; // u32 host address of the first byte
const BLOCK_NEXT = 4; // u32 next block in the hash bucket
const BLOCK_OPERATIONS = 8; // u32 number of operations
const BLOCK_SECOND = 12; // u32 host pointer of the second page's start, 0 = none
const BLOCK_NODE = 16; // two frame-list nodes of 16 bytes: u32 next, u32 frame, u32 block
export const BLOCK_HEADER_BYTES = 48;

/** Empties the arena and every table of blocks of this vCPU. */
export function dropAllBlocks(cpu: usize): void {
  const arena = load<u32>(cpu, VCPU_ARENA);
  store<u32>(cpu, arena, VCPU_ARENA_NEXT);
  memory.fill(cpu + VCPU_BLOCK_HASH, 0, BLOCK_HASH_ENTRIES * 4);
  memory.fill(cpu + VCPU_FRAME_HASH, 0, FRAME_HASH_ENTRIES * 4);
  memory.fill(cpu + VCPU_JUMPS, 0, JUMP_ENTRIES * JUMP_ENTRY_BYTES);
  store<u32>(cpu, load<u32>(cpu, VCPU_CODE_EPOCH) + 1, VCPU_CODE_EPOCH);
}

// @ts-ignore: decorator
@inline
function hashBucket(cpu: usize, host: u32): usize {
  return cpu + VCPU_BLOCK_HASH + (((host * 0x9e3779b1) >> 17) & (BLOCK_HASH_ENTRIES - 1)) * 4;
}

// @ts-ignore: decorator
@inline
function frameBucket(cpu: usize, frame: u32): usize {
  return cpu + VCPU_FRAME_HASH + (frame & (FRAME_HASH_ENTRIES - 1)) * 4;
}

// @ts-ignore: decorator
@inline
export function jumpEntry(cpu: usize, host: u32): usize {
  return cpu + VCPU_JUMPS + <usize>((host ^ (host >> 12)) & (JUMP_ENTRIES - 1)) * JUMP_ENTRY_BYTES;
}

/**
 * First operation for the code at `rip`, with VCPU_PAGE set; 0 = fault of the fetch recorded. The jump cache goes by host address,
 * so that it serves all modes and address spaces, and no flush touches it: what a flush drops is the way from `rip` to there.
 */
// @ts-ignore: decorator
@inline
export function operationAt(cpu: usize, rip: u64): usize {
  const host = <u32>cachedCode(cpu, rip);
  const jump = load<u64>(jumpEntry(cpu, host));
  if (host != 0 && <u32>jump == host) {
    store<u64>(cpu, rip & ~(<u64>(PAGE_BYTES - 1)), VCPU_PAGE);
    return <usize>(jump >> 32);
  }
  return findOperation(cpu, rip);
}

/** As operationAt, by the hash of blocks; fills the jump cache. */
export function findOperation(cpu: usize, rip: u64): usize {
  store<u64>(cpu, load<u64>(cpu, VCPU_BLOCK_LOOKUPS) + 1, VCPU_BLOCK_LOOKUPS);
  store<u64>(cpu, rip & ~(<u64>(PAGE_BYTES - 1)), VCPU_PAGE);
  while (true) {
    const flushes = flushesServed(cpu);
    const first = findTranslated(cpu, rip);
    // Marking code may wait for others and flush for them: then `rip` may be elsewhere by now.
    if (flushes == flushesServed(cpu)) return first;
  }
}

function findTranslated(cpu: usize, rip: u64): usize {
  const host = translateExecute(cpu, rip);
  if (!host) return 0;
  let block = <usize>load<u32>(hashBucket(cpu, <u32>host));
  while (block) {
    if (load<u32>(block, BLOCK_KEY) == <u32>host) {
      const second = load<u32>(block, BLOCK_SECOND);
      if (!second) break;
      const now = translateExecute(cpu, (rip & ~(<u64>(PAGE_BYTES - 1))) + PAGE_BYTES);
      if (!now) return 0;
      if (<u32>now == second) break;
    }
    block = load<u32>(block, BLOCK_NEXT);
  }
  if (!block) {
    const flushes = flushesServed(cpu);
    block = makeBlock(cpu, rip, host);
    if (!block || flushes != flushesServed(cpu)) return 0;
  }
  const first = block + BLOCK_HEADER_BYTES;
  // A block of two pages depends on where the second one is mapped: it is looked up each time.
  if (!load<u32>(block, BLOCK_SECOND)) store<u64>(jumpEntry(cpu, <u32>host), ((<u64>first) << 32) | (<u64>host));
  return first;
}

function makeBlock(cpu: usize, rip: u64, host: usize): usize {
  if (load<u32>(cpu, VCPU_ARENA_NEXT) + BLOCK_HEADER_BYTES + LARGEST_BLOCK_BYTES > load<u32>(cpu, VCPU_ARENA_END))
    dropAllBlocks(cpu);
  const block = <usize>load<u32>(cpu, VCPU_ARENA_NEXT);
  const second = decodeBlock(cpu, block + BLOCK_HEADER_BYTES, rip, host);
  if (decodeFailed()) return 0;
  const count = decodedOperations();
  store<u32>(cpu, <u32>(block + BLOCK_HEADER_BYTES + count * OP_BYTES), VCPU_ARENA_NEXT);
  store<u64>(cpu, load<u64>(cpu, VCPU_BLOCKS_DECODED) + 1, VCPU_BLOCKS_DECODED);
  store<u32>(block, <u32>host, BLOCK_KEY);
  store<u32>(block, count, BLOCK_OPERATIONS);
  store<u32>(block, <u32>second, BLOCK_SECOND);
  const bucket = hashBucket(cpu, <u32>host);
  store<u32>(block, load<u32>(bucket), BLOCK_NEXT);
  store<u32>(bucket, <u32>block);
  addNode(cpu, block, block + BLOCK_NODE, frameIndexOf(host));
  if (second) addNode(cpu, block, block + BLOCK_NODE + 16, frameIndexOf(second));
  else adoptRegion(cpu, <u32>host, block + BLOCK_HEADER_BYTES);
  return block;
}

/** Block of one page that starts at `host`, 0 = none. */
export function blockAt(cpu: usize, host: u32): usize {
  let block = <usize>load<u32>(hashBucket(cpu, host));
  while (block && (load<u32>(block, BLOCK_KEY) != host || load<u32>(block, BLOCK_SECOND) != 0))
    block = load<u32>(block, BLOCK_NEXT);
  return block;
}

/** Whether a block has been decoded at `host`, of one page or two: control has come there. */
export function hasBlock(cpu: usize, host: u32): bool {
  let block = <usize>load<u32>(hashBucket(cpu, host));
  while (block && load<u32>(block, BLOCK_KEY) != host) block = load<u32>(block, BLOCK_NEXT);
  return block != 0;
}

export function firstOperationOf(block: usize): usize {
  return block + BLOCK_HEADER_BYTES;
}

/** Forgets the block of one page that starts at `host`. */
export function dropBlocksAt(cpu: usize, host: u32): void {
  const block = blockAt(cpu, host);
  if (!block) return;
  killBlock(cpu, block);
  store<u32>(cpu, load<u32>(cpu, VCPU_CODE_EPOCH) + 1, VCPU_CODE_EPOCH);
}

function addNode(cpu: usize, block: usize, node: usize, frame: u32): void {
  const bucket = frameBucket(cpu, frame);
  store<u32>(node, load<u32>(bucket));
  store<u32>(node, frame, 4);
  store<u32>(node, <u32>block, 8);
  store<u32>(bucket, <u32>node);
}

/** Forgets every block of this vCPU that has bytes of the frame. */
export function dropFrameBlocks(cpu: usize, frame: u32): void {
  dropFrameRegions(cpu, frame);
  let link = frameBucket(cpu, frame);
  let dropped = false;
  while (true) {
    const node = <usize>load<u32>(link);
    if (!node) break;
    if (load<u32>(node, 4) != frame) {
      link = node;
      continue;
    }
    store<u32>(link, load<u32>(node));
    killBlock(cpu, <usize>load<u32>(node, 8));
    dropped = true;
  }
  if (!dropped) return;
  store<u64>(cpu, load<u64>(cpu, VCPU_CODE_DROPS) + 1, VCPU_CODE_DROPS);
  store<u32>(cpu, load<u32>(cpu, VCPU_CODE_EPOCH) + 1, VCPU_CODE_EPOCH);
}

/** Takes a block out of the hash and turns its operations into look-ups; a block of two frames stays in the other's list, dead. */
function killBlock(cpu: usize, block: usize): void {
  let link = hashBucket(cpu, load<u32>(block, BLOCK_KEY));
  while (true) {
    const at = <usize>load<u32>(link);
    if (!at) break;
    if (at == block) {
      store<u32>(link, load<u32>(block, BLOCK_NEXT));
      break;
    }
    link = at + BLOCK_NEXT;
  }
  const first = block + BLOCK_HEADER_BYTES;
  const end = first + <usize>load<u32>(block, BLOCK_OPERATIONS) * OP_BYTES;
  // An instruction may be under way whose own block this is: it still needs all but these.
  for (let op = first; op < end; op += OP_BYTES) {
    store<u16>(op, HOT_LOOKUP_AGAIN, OP_HANDLER);
    store<u32>(op, 0, OP_LINK);
  }
}

/**
 * What there is at `rip` now, where the operation `dead` of a dropped block was found; 0 = fault of the fetch recorded. From the first
 * operation of a block (`entered`) others come this way too; they are of the same frame, which `rip` need not be in any more.
 */
export function findInstead(cpu: usize, dead: usize, entered: bool, rip: u64): usize {
  const host = entered ? load<u32>(dead - BLOCK_HEADER_BYTES, BLOCK_KEY) : 0;
  const found = findOperation(cpu, rip);
  if (!found || !host) return found;
  const block = found - BLOCK_HEADER_BYTES;
  // Not when finding it took the arena anew, either: then there is no dead block any more.
  const linked = load<u32>(block, BLOCK_KEY) == host && !load<u32>(block, BLOCK_SECOND) && block > dead;
  if (linked) store<u32>(dead, <u32>found, OP_LINK);
  return found;
}
