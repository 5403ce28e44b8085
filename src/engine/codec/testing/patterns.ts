/** Bytes to compress in tests, the same on every run. */

/** xorshift32 */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>>= 0);
  };
}

/** Like code, only worse: mostly opcodes and sign bytes of calls and jumps, overlapping each other. */
export function branches(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const random = randomNumbers(seed);
  const common = [0xe8, 0xe9, 0x00, 0xff, 0xe8, 0x00];
  return Uint8Array.from({ length }, () => common[random() % 7] ?? random() & 0xff);
}

/** Repetitions near and far, long and short, between stretches of a few fresh bytes. */
export function repetitions(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const random = randomNumbers(seed);
  const bytes = new Uint8Array(length);
  const reaches = [1, 2, 3, 8, 15, 16, 17, 300, 5000, 100_000];
  for (let at = 0; at < length;) {
    const reach = reaches[random() % reaches.length] ?? 1;
    if (at >= reach && random() % 8 !== 0) {
      const distance = reach > 17 ? 1 + (random() % reach) : reach;
      for (let left = 2 + (random() % 600); left > 0 && at < length; left -= 1, at += 1) bytes[at] = bytes[at - distance] ?? 0;
    } else {
      for (let left = 1 + (random() % 6); left > 0 && at < length; left -= 1, at += 1) bytes[at] = random() & 0xff;
    }
  }
  return bytes;
}

/** Nothing to gain from. */
export function noise(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const random = randomNumbers(seed);
  return Uint8Array.from({ length }, () => random() & 0xff);
}
