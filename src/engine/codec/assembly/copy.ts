/** Copies by whole vectors, for decoders whose output has SLACK_BYTES behind it: later bytes or the slack take what is too much. */

export const VECTOR_BYTES: usize = 16;

/** For each distance below 16 the lanes that repeat the first bytes of a vector at that distance. */
const REPEATING_LANES = memory.data(256, 16);
let lanesMade = false;

/** Before the first repeatVectors. */
export function makeLanes(): void {
  if (lanesMade) return;
  lanesMade = true;
  for (let distance: usize = 1; distance < VECTOR_BYTES; distance += 1)
    for (let lane: usize = 0; lane < VECTOR_BYTES; lane += 1)
      store<u8>(REPEATING_LANES + distance * VECTOR_BYTES + lane, <u8>(lane % distance));
}

/** Copies whole vectors, at least one. */
@inline
export function copyVectors(to: usize, from: usize, bytes: usize): void {
  const end = to + bytes;
  do {
    v128.store(to, v128.load(from));
    to += VECTOR_BYTES;
    from += VECTOR_BYTES;
  } while (to < end);
}

/** Copies a match whose source, nearer than a vector, reaches into what it makes. */
@inline
export function repeatVectors(to: usize, distance: usize, bytes: usize): void {
  const end = to + bytes;
  const pattern = v128.swizzle(v128.load(to - distance), v128.load(REPEATING_LANES + distance * VECTOR_BYTES));
  // The next vector begins where the pattern does.
  const step = VECTOR_BYTES - (VECTOR_BYTES % distance);
  do {
    v128.store(to, pattern);
    to += step;
  } while (to < end);
}
