/**
 * The hashes that order the entries of indexed directories: a legacy one, half of MD4, and TEA; each over signed or unsigned
 * characters, as the machine that made the file system had them.
 * @see Linux Documentation/filesystems/ext4/directory.rst, "Hash Tree Directories"
 */

export const HASH_LEGACY = 0;
export const HASH_HALF_MD4 = 1;
export const HASH_TEA = 2;

/** Seed of MD4, used where the superblock has none. */
const MD4_SEED = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476] as const;
/** No hash has it: it marks the end of a directory to its readers. */
const END_OF_DIRECTORY = 0xfffffffe;

/** `version` 0, 1 or 2; undefined for another. The lowest bit of a hash is 0. */
export function nameHash(name: Uint8Array, version: number, unsigned: boolean, seed: Uint32Array): number | undefined {
  let hash: number;
  if (version === HASH_LEGACY) hash = legacy(name, unsigned);
  else if (version === HASH_HALF_MD4 || version === HASH_TEA) {
    const state = Int32Array.from(seed.some((word) => word !== 0) ? seed : MD4_SEED);
    const piece = version === HASH_TEA ? 16 : 32;
    for (let at = 0; at < name.length; at += piece) {
      const words = toWords(name, at, piece / 4, unsigned);
      if (version === HASH_TEA) tea(state, words);
      else halfMd4(state, words);
    }
    hash = (version === HASH_TEA ? state[0] : state[1]) ?? 0;
  } else return undefined;
  hash = (hash & ~1) >>> 0;
  return hash === END_OF_DIRECTORY ? END_OF_DIRECTORY - 2 : hash;
}

function character(name: Uint8Array, at: number, unsigned: boolean): number {
  const byte = name[at] ?? 0;
  return unsigned || byte < 128 ? byte : byte - 256;
}

function legacy(name: Uint8Array, unsigned: boolean): number {
  let hash = 0x12a3fe2d;
  let before = 0x37abe8f9;
  for (let at = 0; at < name.length; at += 1) {
    let next = (before + (hash ^ Math.imul(character(name, at, unsigned), 7152373))) >>> 0;
    if (next & 0x80000000) next = (next - 0x7fffffff) >>> 0;
    before = hash;
    hash = next;
  }
  return hash << 1;
}

/** `count` words of the name from `at`, filled up with its length. */
function toWords(name: Uint8Array, at: number, count: number, unsigned: boolean): Int32Array {
  const rest = name.length - at;
  const padding = Math.imul(rest & 0xff, 0x01010101) | ((rest >>> 8) * 0x01010100);
  const words = new Int32Array(count).fill(padding);
  const length = Math.min(rest, count * 4);
  let value = padding;
  for (let n = 0; n < length; n += 1) {
    value = (character(name, at + n, unsigned) + (value << 8)) | 0;
    if (n % 4 === 3) {
      words[n >>> 2] = value;
      value = padding;
    }
  }
  if (length % 4 !== 0) words[length >>> 2] = value;
  return words;
}

function tea(state: Int32Array, words: Int32Array): void {
  const [a = 0, b = 0, c = 0, d = 0] = words;
  let [left = 0, right = 0] = state;
  let sum = 0;
  for (let round = 0; round < 16; round += 1) {
    sum = (sum + 0x9e3779b9) | 0;
    left = (left + (((right << 4) + a) ^ (right + sum) ^ ((right >>> 5) + b))) | 0;
    right = (right + (((left << 4) + c) ^ (left + sum) ^ ((left >>> 5) + d))) | 0;
  }
  state[0] = ((state[0] ?? 0) + left) | 0;
  state[1] = ((state[1] ?? 0) + right) | 0;
}

/** Of each round: order of the words, rotations, constant. */
const ROUNDS = [
  { order: [0, 1, 2, 3, 4, 5, 6, 7], turns: [3, 7, 11, 19], constant: 0 },
  { order: [1, 3, 5, 7, 0, 2, 4, 6], turns: [3, 5, 9, 13], constant: 0x5a827999 },
  { order: [3, 7, 2, 6, 1, 5, 0, 4], turns: [3, 9, 11, 15], constant: 0x6ed9eba1 },
] as const;

function halfMd4(state: Int32Array, words: Int32Array): void {
  let [a = 0, b = 0, c = 0, d = 0] = state;
  ROUNDS.forEach(({ order, turns, constant }, round) => {
    for (let step = 0; step < 8; step += 1) {
      const mixed = round === 0 ? d ^ (b & (c ^ d)) : round === 1 ? (b & c) + ((b ^ c) & d) : b ^ c ^ d;
      const sum = (a + mixed + (words[order[step] ?? 0] ?? 0) + constant) | 0;
      const turn = turns[step & 3] ?? 0;
      const turned = (sum << turn) | (sum >>> (32 - turn));
      [a, b, c, d] = [d, turned, b, c];
    }
  });
  state[0] = ((state[0] ?? 0) + a) | 0;
  state[1] = ((state[1] ?? 0) + b) | 0;
  state[2] = ((state[2] ?? 0) + c) | 0;
  state[3] = ((state[3] ?? 0) + d) | 0;
}
