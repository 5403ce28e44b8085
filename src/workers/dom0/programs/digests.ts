/** MD5 (RFC 1321) and SHA-256 (FIPS 180-4), fed in pieces. */

export interface Digest {
  add(bytes: Uint8Array): void;
  hex(): string;
}

const BLOCK_BYTES = 64;

abstract class BlockDigest implements Digest {
  private readonly block = new Uint8Array(BLOCK_BYTES);
  private filled = 0;
  private length = 0;
  protected readonly words = new Uint32Array(16);

  protected constructor(
    protected readonly state: Uint32Array,
    private readonly littleEndian: boolean,
  ) {}

  protected abstract mix(): void;

  add(bytes: Uint8Array): void {
    this.length += bytes.length;
    for (let at = 0; at < bytes.length;) {
      if (this.filled === 0 && bytes.length - at >= BLOCK_BYTES) {
        this.take(bytes, at);
        at += BLOCK_BYTES;
        continue;
      }
      const part = bytes.subarray(at, at + BLOCK_BYTES - this.filled);
      this.block.set(part, this.filled);
      this.filled += part.length;
      at += part.length;
      if (this.filled < BLOCK_BYTES) break;
      this.filled = 0;
      this.take(this.block, 0);
    }
  }

  /** The end: no more bytes may be added. */
  hex(): string {
    const bits = BigInt(this.length) * 8n;
    const padding = new Uint8Array((this.filled < 56 ? 56 : 120) - this.filled + 8);
    padding[0] = 0x80;
    new DataView(padding.buffer).setBigUint64(padding.length - 8, bits, this.littleEndian);
    this.add(padding);
    const out = new DataView(new ArrayBuffer(this.state.length * 4));
    this.state.forEach((word, index) => {
      out.setUint32(index * 4, word, this.littleEndian);
    });
    return [...new Uint8Array(out.buffer)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  }

  private take(bytes: Uint8Array, at: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, BLOCK_BYTES);
    for (let n = 0; n < 16; n += 1) this.words[n] = view.getUint32(n * 4, this.littleEndian);
    this.mix();
  }
}

const MD5_SINES = Uint32Array.from({ length: 64 }, (_, n) => Math.floor(Math.abs(Math.sin(n + 1)) * 2 ** 32));
const MD5_SHIFTS = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
] as const;

export class Md5 extends BlockDigest {
  constructor() {
    super(Uint32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476), true);
  }

  protected mix(): void {
    const { state, words } = this;
    let [a = 0, b = 0, c = 0, d = 0] = state;
    for (let n = 0; n < 64; n += 1) {
      const round = n >> 4;
      const f = round === 0 ? (b & c) | (~b & d) : round === 1 ? (d & b) | (~d & c) : round === 2 ? b ^ c ^ d : c ^ (b | ~d);
      const word = round === 0 ? n : round === 1 ? (5 * n + 1) & 15 : round === 2 ? (3 * n + 5) & 15 : (7 * n) & 15;
      const sum = (a + f + (MD5_SINES[n] ?? 0) + (words[word] ?? 0)) | 0;
      const shift = MD5_SHIFTS[round]?.[n & 3] ?? 0;
      a = d;
      d = c;
      c = b;
      b = (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0;
    }
    for (const [n, word] of [a, b, c, d].entries()) state[n] = ((state[n] ?? 0) + word) | 0;
  }
}

const PRIMES = [...Array(312).keys()].slice(2).filter((n) => ![...Array(n).keys()].slice(2).some((d) => n % d === 0));
const fraction = (root: number): number => Math.floor((root - Math.floor(root)) * 2 ** 32);
const SHA_CONSTANTS = Uint32Array.from(PRIMES.slice(0, 64), (prime) => fraction(Math.cbrt(prime)));
const SHA_START = PRIMES.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));
const rotate = (word: number, by: number): number => (word >>> by) | (word << (32 - by));

export class Sha256 extends BlockDigest {
  private readonly schedule = new Int32Array(64);

  constructor() {
    super(Uint32Array.from(SHA_START), false);
  }

  protected mix(): void {
    const { state, schedule: w } = this;
    w.set(this.words);
    for (let n = 16; n < 64; n += 1) {
      const [x = 0, y = 0] = [w[n - 15], w[n - 2]];
      const s0 = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3);
      const s1 = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10);
      w[n] = (w[n - 16] ?? 0) + s0 + (w[n - 7] ?? 0) + s1;
    }
    let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
    for (let n = 0; n < 64; n += 1) {
      const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
      const first = (h + s1 + ((e & f) ^ (~e & g)) + (SHA_CONSTANTS[n] ?? 0) + (w[n] ?? 0)) | 0;
      const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
      const second = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + first) | 0;
      d = c;
      c = b;
      b = a;
      a = (first + second) | 0;
    }
    for (const [n, word] of [a, b, c, d, e, f, g, h].entries()) state[n] = ((state[n] ?? 0) + word) | 0;
  }
}
