/**
 * Seeded pseudo-random numbers for instruction tests: the same seed gives the same operands on every host, so that a vector
 * need not store its input. The generator is Marsaglia's xorshift128 seeded through a multiplicative mixer.
 */

/** Mixes a 32-bit number so that neighbouring seeds give unrelated streams. */
function mix(value: number): number {
  let word = (value + 0x9e3779b9) | 0;
  word = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
  word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
  return (word ^ (word >>> 15)) >>> 0;
}

export class Random {
  private a: number;
  private b: number;
  private c: number;
  private d: number;

  constructor(seed: number) {
    this.a = mix(seed);
    this.b = mix(this.a ^ seed);
    this.c = mix(this.b + 1);
    this.d = mix(this.c ^ 0x5bd1e995) | 1;
  }

  /** 32 random bits, unsigned. */
  u32(): number {
    const shifted = this.d ^ (this.d << 11);
    this.d = this.c;
    this.c = this.b;
    this.b = this.a;
    this.a = (this.a ^ (this.a >>> 19) ^ shifted ^ (shifted >>> 8)) >>> 0;
    return this.a;
  }

  /** 64 random bits, unsigned. */
  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }

  /** Integer from 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor((this.u32() / 0x100000000) * limit);
  }

  /** True once in `n` on average. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(choices: readonly T[]): T {
    const choice = choices[this.below(choices.length)];
    if (choice === undefined) throw new RangeError('nothing to pick from');
    return choice;
  }

  fill(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at++) bytes[at] = this.u32() >>> 24;
  }
}
