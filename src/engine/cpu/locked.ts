/**
 * Locked read-modify-write. Wasm atomics trap on misaligned addresses: inside one aligned 8 bytes a compare-exchange of that word
 * serves, and what spans two words (or 16 bytes) holds all other vCPUs of the domain still for the operation.
 */
import {
  CONTROL,
  CONTROL_SPLIT_LOCK,
  CONTROL_VCPU_COUNT,
  REQUEST_HOLD,
  VCPU_BLOCKS,
  VCPU_BLOCK_BYTES,
  VCPU_ID,
  VCPU_IN_GUEST,
  VCPU_REQUEST,
} from './layout';
import { enterGuest, leaveGuest } from './memory';

/** Value of 1, 2, 4 or 8 bytes at `p`, zero-extended; one access. */
export function loadSized(p: usize, bytes: u32): u64 {
  if (bytes == 8) return load<u64>(p);
  if (bytes == 4) return load<u32>(p);
  if (bytes == 2) return load<u16>(p);
  return load<u8>(p);
}

export function storeSized(p: usize, bytes: u32, value: u64): void {
  if (bytes == 8) store<u64>(p, value);
  else if (bytes == 4) store<u32>(p, <u32>value);
  else if (bytes == 2) store<u16>(p, <u16>value);
  else store<u8>(p, <u8>value);
}

/** Stores `wanted` at `p` if `old` (zero-extended) is there; true = done. `bytes` 1, 2, 4 or 8, any alignment. */
export function compareExchange(cpu: usize, p: usize, bytes: u32, old: u64, wanted: u64): bool {
  if (!(p & (bytes - 1))) {
    if (bytes == 8) return atomic.cmpxchg<u64>(p, old, wanted) == old;
    if (bytes == 4) return atomic.cmpxchg<u32>(p, <u32>old, <u32>wanted) == <u32>old;
    if (bytes == 2) return atomic.cmpxchg<u16>(p, <u16>old, <u16>wanted) == <u16>old;
    return atomic.cmpxchg<u8>(p, <u8>old, <u8>wanted) == <u8>old;
  }
  const word = p & ~(<usize>7);
  if (((p + bytes - 1) & ~(<usize>7)) == word) {
    const shift = ((<u64>p) & 7) << 3;
    const mask = (((<u64>1) << ((<u64>bytes) << 3)) - 1) << shift;
    const seen = atomic.load<u64>(word);
    if ((seen & mask) >> shift != old) return false;
    return atomic.cmpxchg<u64>(word, seen, (seen & ~mask) | (wanted << shift)) == seen;
  }
  holdOthers(cpu);
  const equal = loadSized(p, bytes) == old;
  if (equal) storeSized(p, bytes, wanted);
  releaseOthers(cpu);
  return equal;
}

/** Stops the domain's other vCPUs outside guest code until releaseOthers. */
export function holdOthers(cpu: usize): void {
  const count = load<u32>(CONTROL, CONTROL_VCPU_COUNT);
  if (count <= 1) return;
  leaveGuest(cpu);
  while (atomic.cmpxchg<u32>(CONTROL + CONTROL_SPLIT_LOCK, 0, 1) != 0) atomic.wait<i32>(CONTROL + CONTROL_SPLIT_LOCK, 1, 1000000);
  const self = load<u32>(cpu, VCPU_ID);
  for (let n: u32 = 0; n < count; n++) {
    if (n != self) atomic.or<u32>(VCPU_BLOCKS + <usize>n * VCPU_BLOCK_BYTES, REQUEST_HOLD, VCPU_REQUEST);
  }
  for (let n: u32 = 0; n < count; n++) {
    if (n == self) continue;
    const target: usize = VCPU_BLOCKS + <usize>n * VCPU_BLOCK_BYTES;
    while (atomic.load<u32>(target, VCPU_IN_GUEST) != 0) atomic.wait<i32>(target + VCPU_IN_GUEST, 1, 100000);
  }
}

export function releaseOthers(cpu: usize): void {
  if (load<u32>(CONTROL, CONTROL_VCPU_COUNT) <= 1) return;
  atomic.store<u32>(CONTROL, 0, CONTROL_SPLIT_LOCK);
  atomic.notify(CONTROL + CONTROL_SPLIT_LOCK, -1);
  enterGuest(cpu);
}

/** What REQUEST_HOLD asks for: stay outside guest code while the split lock is held. */
export function waitWhileHeld(cpu: usize): void {
  atomic.and<u32>(cpu, ~REQUEST_HOLD, VCPU_REQUEST);
  while (atomic.load<u32>(CONTROL, CONTROL_SPLIT_LOCK) != 0) {
    leaveGuest(cpu);
    atomic.wait<i32>(CONTROL + CONTROL_SPLIT_LOCK, 1, 1000000);
  }
}
