/**
 * Raw deflate data of a known size, at once: for the many small streams of disk images, whose ends are not stated. What stands
 * behind the last block is not looked at.
 * @see RFC 1951
 */
import { DecodeError } from './decode-error.ts';

const BITS_MAX = 15;
/** Codes of up to so many bits are found by one look-up. */
const DIRECT_BITS = 10;
const SYMBOLS = 288;
const END_OF_BLOCK = 256;
const LENGTHS = 257;

/** Extra bits of the length codes 257 to 285 and of the distance codes 0 to 29; the bases follow from them. */
const LENGTH_EXTRA = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_EXTRA = [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];
const basesOf = (extra: readonly number[], first: number): number[] => {
  let base = first;
  return extra.map((bits) => {
    const own = base;
    base += 2 ** bits;
    return own;
  });
};
const LENGTH_BASE = basesOf(LENGTH_EXTRA, 3).map((base, code) => (code === 28 ? 258 : base));
const DISTANCE_BASE = basesOf(DISTANCE_EXTRA, 1);
const LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

const damaged = (what: string): DecodeError => new DecodeError('deflate', `the deflate stream is damaged: ${what}`);

/** A canonical Huffman code: short codes by a table, longer ones by counting. */
class Code {
  /** By the next DIRECT_BITS bits: symbol * 16 + length, 0 = a longer code. */
  private readonly direct = new Uint16Array(1 << DIRECT_BITS);
  private readonly counts = new Uint16Array(BITS_MAX + 1);
  private readonly symbols = new Uint16Array(SYMBOLS + 32);

  constructor(lengths: Uint8Array) {
    for (const length of lengths) this.counts[length] = (this.counts[length] ?? 0) + 1;
    this.counts[0] = 0;
    let left = 1;
    const offsets = new Uint16Array(BITS_MAX + 2);
    const next = new Uint16Array(BITS_MAX + 2);
    for (let bits = 1; bits <= BITS_MAX; bits += 1) {
      const count = this.counts[bits] ?? 0;
      left = left * 2 - count;
      if (left < 0) throw damaged('a code has too many symbols');
      offsets[bits + 1] = (offsets[bits] ?? 0) + count;
      next[bits + 1] = ((next[bits] ?? 0) + count) << 1;
    }
    // An incomplete code may only be one that has a single symbol of one bit, or none.
    const used = lengths.reduce((sum, length) => sum + Number(length > 0), 0);
    if (left > 0 && (used > 1 || (used === 1 && this.counts[1] !== 1))) throw damaged('a code is incomplete');
    lengths.forEach((length, symbol) => {
      if (length === 0) return;
      const at = offsets[length] ?? 0;
      offsets[length] = at + 1;
      this.symbols[at] = symbol;
      const code = next[length] ?? 0;
      next[length] = code + 1;
      if (length > DIRECT_BITS) return;
      let reversed = 0;
      for (let bit = 0; bit < length; bit += 1) if (code & (1 << bit)) reversed |= 1 << (length - 1 - bit);
      for (let entry = reversed; entry < this.direct.length; entry += 1 << length) this.direct[entry] = symbol * 16 + length;
    });
  }

  read(bits: BitReader): number {
    const entry = this.direct[bits.look(DIRECT_BITS)] ?? 0;
    if (entry !== 0) {
      bits.skip(entry & 15);
      return entry >> 4;
    }
    let code = 0;
    let first = 0;
    let index = 0;
    for (let length = 1; length <= BITS_MAX; length += 1) {
      code |= bits.take(1);
      const count = this.counts[length] ?? 0;
      if (code - count < first) return this.symbols[index + (code - first)] ?? 0;
      index += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    throw damaged('a code stands for nothing');
  }
}

class BitReader {
  private at = 0;
  private held = 0;
  private count = 0;

  constructor(private readonly input: Uint8Array) {}

  /** The next bits, zeros behind the end; at most 16. */
  look(bits: number): number {
    while (this.count < bits) {
      this.held |= (this.input[this.at] ?? 0) << this.count;
      this.at += 1;
      this.count += 8;
    }
    return this.held & ((1 << bits) - 1);
  }

  skip(bits: number): void {
    this.held >>>= bits;
    this.count -= bits;
    if (this.at - (this.count >> 3) > this.input.length) throw damaged('it is cut off');
  }

  take(bits: number): number {
    const value = this.look(bits);
    this.skip(bits);
    return value;
  }

  /** Whole bytes from the next byte on. */
  bytes(count: number): Uint8Array {
    const from = this.at - (this.count >> 3);
    if (from + count > this.input.length) throw damaged('it is cut off');
    this.held = 0;
    this.count = 0;
    this.at = from + count;
    return this.input.subarray(from, this.at);
  }
}

let fixed: { readonly literals: Code; readonly distances: Code } | undefined;

function fixedCodes(): { readonly literals: Code; readonly distances: Code } {
  fixed ??= {
    literals: new Code(
      Uint8Array.from({ length: SYMBOLS }, (_, symbol) => (symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8)),
    ),
    distances: new Code(new Uint8Array(32).fill(5)),
  };
  return fixed;
}

function dynamicCodes(bits: BitReader): { readonly literals: Code; readonly distances: Code } {
  const literals = bits.take(5) + 257;
  const distances = bits.take(5) + 1;
  const codes = bits.take(4) + 4;
  if (literals > 286 || distances > 30) throw damaged('a block has too many codes');
  const ofLengths = new Uint8Array(19);
  for (const place of LENGTH_ORDER.slice(0, codes)) ofLengths[place] = bits.take(3);
  const code = new Code(ofLengths);
  const lengths = new Uint8Array(literals + distances);
  for (let at = 0; at < lengths.length;) {
    const symbol = code.read(bits);
    if (symbol < 16) {
      lengths[at] = symbol;
      at += 1;
      continue;
    }
    if (symbol === 16 && at === 0) throw damaged('a length repeats nothing');
    const value = symbol === 16 ? (lengths[at - 1] ?? 0) : 0;
    const count = symbol === 16 ? 3 + bits.take(2) : symbol === 17 ? 3 + bits.take(3) : 11 + bits.take(7);
    if (at + count > lengths.length) throw damaged('lengths run over');
    lengths.fill(value, at, at + count);
    at += count;
  }
  if (lengths[END_OF_BLOCK] === 0) throw damaged('a block has no end');
  return { literals: new Code(lengths.subarray(0, literals)), distances: new Code(lengths.subarray(literals)) };
}

/** @throws DecodeError when the stream is damaged, cut off, or does not make exactly `sizeBytes` */
export function inflate(input: Uint8Array, sizeBytes: number): Uint8Array {
  const output = new Uint8Array(sizeBytes);
  const bits = new BitReader(input);
  let to = 0;
  for (let last = false; !last;) {
    last = bits.take(1) === 1;
    const kind = bits.take(2);
    if (kind === 0) {
      const stored = storedBlock(bits);
      if (to + stored.length > sizeBytes) throw damaged('it is longer than it should be');
      output.set(stored, to);
      to += stored.length;
    } else if (kind === 3) throw damaged('a block is of no known kind');
    else {
      const { distances, literals } = kind === 1 ? fixedCodes() : dynamicCodes(bits);
      to = block(bits, literals, distances, output, to);
    }
  }
  if (to !== sizeBytes) throw damaged('it is shorter than it should be');
  return output;
}

function storedBlock(bits: BitReader): Uint8Array {
  const header = bits.bytes(4);
  const length = (header[0] ?? 0) | ((header[1] ?? 0) << 8);
  const complement = (header[2] ?? 0) | ((header[3] ?? 0) << 8);
  if ((length ^ complement) !== 0xffff) throw damaged('the length of a stored block contradicts itself');
  return bits.bytes(length);
}

/** Decodes up to the block's end; returns where its bytes end. */
function block(bits: BitReader, literals: Code, distances: Code, output: Uint8Array, from: number): number {
  let to = from;
  for (;;) {
    const symbol = literals.read(bits);
    if (symbol < END_OF_BLOCK) {
      if (to >= output.length) throw damaged('it is longer than it should be');
      output[to] = symbol;
      to += 1;
      continue;
    }
    if (symbol === END_OF_BLOCK) return to;
    const lengthExtra = LENGTH_EXTRA[symbol - LENGTHS];
    if (lengthExtra === undefined) throw damaged('a length is of no known kind');
    const length = (LENGTH_BASE[symbol - LENGTHS] ?? 0) + bits.take(lengthExtra);
    const code = distances.read(bits);
    const distanceExtra = DISTANCE_EXTRA[code];
    if (distanceExtra === undefined) throw damaged('a distance is of no known kind');
    const distance = (DISTANCE_BASE[code] ?? 0) + bits.take(distanceExtra);
    if (distance > to) throw damaged('a distance reaches before the start');
    if (to + length > output.length) throw damaged('it is longer than it should be');
    if (distance >= length) output.copyWithin(to, to - distance, to - distance + length);
    else for (let n = 0; n < length; n += 1) output[to + n] = output[to + n - distance] ?? 0;
    to += length;
  }
}
