/**
 * Locked read-modify-write. An operand inside one aligned 8-byte word is a Wasm compare-exchange of it or of that word. One that spans
 * two words (lines and pages included), and the 16 bytes of cmpxchg16b, have no such operation: there the caller keeps the domain's
 * other vCPUs outside guest code (rendezvous.ts) and translates the address afterwards, because a flush may have come between.
 *
 * What the hypervisor itself writes to guest memory (event bits, time records, rings of domain 0) is not held; it is whole words.
 */
import { CONTROL, CONTROL_VCPU_COUNT } from './layout';

/** Whether a locked operand at linear address `va` needs the others held: it spans two aligned words and there are others. */
// @ts-ignore: decorator
@inline
export function isSplit(va: u64, bytes: u32): bool {
  return ((<u32>va) & 7) + bytes > 8 && load<u32>(CONTROL, CONTROL_VCPU_COUNT) > 1;
}

/**
 * Stores `wanted` at `p` if `old` is there; returns what was there. Values zero-extended, `bytes` 1, 2, 4 or 8, inside one aligned
 * word (or the only vCPU's). A full barrier whatever the outcome.
 */
export function compareExchange(p: usize, bytes: u32, old: u64, wanted: u64): u64 {
  if (!(p & (bytes - 1))) {
    if (bytes == 8) return atomic.cmpxchg<u64>(p, old, wanted);
    if (bytes == 4) return atomic.cmpxchg<u32>(p, <u32>old, <u32>wanted);
    if (bytes == 2) return atomic.cmpxchg<u16>(p, <u16>old, <u16>wanted);
    return atomic.cmpxchg<u8>(p, <u8>old, <u8>wanted);
  }
  if (((<u32>p) & 7) + bytes > 8) return exchangeAlone(p, bytes, old, wanted);
  const word = p & ~(<usize>7);
  const shift = ((<u64>p) & 7) << 3;
  const mask = (((<u64>1) << ((<u64>bytes) << 3)) - 1) << shift;
  let seen = atomic.load<u64>(word);
  while (true) {
    const there = (seen & mask) >> shift;
    // A word that does not match is written back as it is, as hardware does: the barrier.
    const now = atomic.cmpxchg<u64>(word, seen, there == old ? (seen & ~mask) | (wanted << shift) : seen);
    if (now == seen) return there;
    seen = now;
  }
}

/** Of the only vCPU, or with all others held. */
function exchangeAlone(p: usize, bytes: u32, old: u64, wanted: u64): u64 {
  const there = loadSized(p, bytes);
  if (there == old) storeSized(p, bytes, wanted);
  return there;
}

function loadSized(p: usize, bytes: u32): u64 {
  if (bytes == 8) return load<u64>(p);
  if (bytes == 4) return load<u32>(p);
  return load<u16>(p);
}

function storeSized(p: usize, bytes: u32, value: u64): void {
  if (bytes == 8) store<u64>(p, value);
  else if (bytes == 4) store<u32>(p, <u32>value);
  else store<u16>(p, <u16>value);
}
