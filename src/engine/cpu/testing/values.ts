/**
 * Random operands of each kind, with the values at which instructions change their behaviour drawn often: zero, all ones, the
 * ends of each integer range, denormals, infinities, NaNs of both kinds, halves, powers of two and their neighbours.
 */
import { writeU16, writeU32, writeU64 } from './machine-state.ts';
import type { Random } from './random.ts';

/** What the bytes of a vector register or memory operand stand for. */
export const FLAVOURS = ['int8', 'int16', 'int32', 'int64', 'f32', 'f64', 'f80', 'text', 'bcd'] as const;
export type Flavour = (typeof FLAVOURS)[number];

const EDGES_64: readonly bigint[] = [
  0n,
  1n,
  2n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0x8000n,
  0xffffn,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x100000000n,
  0x7fffffffffffffffn,
  0x8000000000000000n,
  0xffffffffffffffffn,
  0xffffffffffffff80n,
  0xffffffffffff8000n,
  0xffffffff80000000n,
  0xaaaaaaaaaaaaaaaan,
  0x5555555555555555n,
];

/** A 64-bit general-register value. */
export function integer64(random: Random): bigint {
  switch (random.below(6)) {
    case 0:
      return random.pick(EDGES_64);
    case 1: // a narrow value, so that carries and zeros of 8- and 16-bit forms happen
      return random.u64() >> BigInt(random.below(64));
    case 2: // edges in each 32-bit half
      return ((random.pick(EDGES_64) & 0xffffffffn) << 32n) | (random.pick(EDGES_64) & 0xffffffffn);
    default:
      return random.u64();
  }
}

function lane(random: Random, bits: number): number {
  const top = 2 ** (bits - 1);
  switch (random.below(8)) {
    case 0:
      return random.pick([0, 1, top - 1, top, top + 1, 2 * top - 1]);
    case 1:
      return random.below(16);
    default:
      return random.u32() >>> (32 - bits);
  }
}

const F32_EDGES: readonly number[] = [
  0x00000000, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7f800001, 0xffa12345,
  0x7fc54321, 0x00000001, 0x80000001, 0x007fffff, 0x00800000, 0x00800001, 0x7f7fffff, 0xff7fffff, 0x3f000000, 0xbf000000,
  0x3fc00000, 0x40200000, 0x4effffff, 0x4f000000, 0xcf000000, 0x4f7fffff, 0x4f800000, 0x5f000000, 0xdf000000, 0x34000000,
  0x33800000, 0x4b000000, 0x4b7fffff,
];

export function float32Bits(random: Random): number {
  switch (random.below(6)) {
    case 0:
    case 1:
      return random.pick(F32_EDGES);
    case 2: // any bit pattern
      return random.u32();
    case 3: // a small integer or half
      return floatBits(Math.fround((random.below(4001) - 2000) / 2));
    default: // exponents near to each other, so that sums and products stay in range
      return ((random.u32() & 0x807fffff) | ((120 + random.below(16)) << 23)) >>> 0;
  }
}

const scratch = new DataView(new ArrayBuffer(8));

function floatBits(value: number): number {
  scratch.setFloat32(0, value);
  return scratch.getUint32(0);
}

const F64_EDGES: readonly bigint[] = [
  0x0000000000000000n,
  0x8000000000000000n,
  0x3ff0000000000000n,
  0xbff0000000000000n,
  0x7ff0000000000000n,
  0xfff0000000000000n,
  0x7ff8000000000000n,
  0xfff8000000000000n,
  0x7ff0000000000001n,
  0xfff4123456789abcn,
  0x7ff8765432100000n,
  0x0000000000000001n,
  0x8000000000000001n,
  0x000fffffffffffffn,
  0x0010000000000000n,
  0x7fefffffffffffffn,
  0xffefffffffffffffn,
  0x3fe0000000000000n,
  0xbfe0000000000000n,
  0x3ff8000000000000n,
  0x4004000000000000n,
  0x41dfffffffc00000n,
  0x41e0000000000000n,
  0xc1e0000000000000n,
  0xc1e0000000200000n,
  0x41dfffffffe00000n,
  0x41efffffffe00000n,
  0x43e0000000000000n,
  0xc3e0000000000000n,
  0x43dfffffffffffffn,
  0x47efffffe0000000n,
  0x47effffff0000000n,
  0x36a0000000000000n,
  0x380fffffffffffffn,
  0x3ca0000000000000n,
  0x4330000000000000n,
];

export function float64Bits(random: Random): bigint {
  switch (random.below(6)) {
    case 0:
    case 1:
      return random.pick(F64_EDGES);
    case 2:
      return random.u64();
    case 3:
      scratch.setFloat64(0, (random.below(4001) - 2000) / 2);
      return scratch.getBigUint64(0);
    default:
      return (random.u64() & 0x800fffffffffffffn) | (BigInt(1016 + random.below(16)) << 52n);
  }
}

/** Sign and exponent, significand. */
const F80_EDGES: readonly (readonly [number, bigint])[] = [
  [0x0000, 0n],
  [0x8000, 0n],
  [0x3fff, 0x8000000000000000n],
  [0xbfff, 0x8000000000000000n],
  [0x7fff, 0x8000000000000000n],
  [0xffff, 0x8000000000000000n],
  [0x7fff, 0xc000000000000000n],
  [0xffff, 0xc000000000000000n],
  [0x7fff, 0x8000000000000001n],
  [0xffff, 0xa000000000000000n],
  [0x7fff, 0xc123456789abcdefn],
  [0x0000, 1n],
  [0x8000, 0x7fffffffffffffffn],
  [0x0000, 0x8000000000000000n], // pseudo-denormal
  [0x0001, 0x8000000000000000n],
  [0x7ffe, 0xffffffffffffffffn],
  [0xfffe, 0xffffffffffffffffn],
  [0x3ffe, 0x8000000000000000n],
  [0x3fff, 0xc000000000000000n],
  [0x401e, 0x8000000000000000n],
  [0xc01e, 0x8000000000000000n],
  [0x403e, 0x8000000000000000n],
  [0xc03e, 0x8000000000000000n],
  [0x403d, 0xffffffffffffffffn],
  [0x400e, 0xfffe000000000000n],
  [0xc00e, 0x8000000000000000n],
  [0x43fe, 0xfffffffffffff800n],
  [0x43fe, 0xfffffffffffffc00n],
  [0x407e, 0xffffff0000000000n],
  [0x3c00, 0x8000000000000000n],
  [0x3bcd, 0x8000000000000000n],
  [0x3f6a, 0xffffffffffffffffn],
  [0x4000, 0xc90fdaa22168c235n], // pi
  [0x3fff, 0xb504f333f9de6484n], // sqrt 2
];
/** Encodings that the x87 refuses: unnormals, pseudo-infinity, pseudo-NaN. */
const F80_UNSUPPORTED: readonly (readonly [number, bigint])[] = [
  [0x3fff, 0x4000000000000000n],
  [0x7fff, 0n],
  [0x7fff, 0x4000000000000000n],
  [0xc000, 0x0000000000000001n],
];

export function writeFloat80(random: Random, bytes: Uint8Array, at: number): void {
  let exponent: number;
  let significand: bigint;
  switch (random.below(8)) {
    case 0:
    case 1:
      [exponent, significand] = random.pick(F80_EDGES);
      break;
    case 2:
      if (random.oneIn(3)) {
        [exponent, significand] = random.pick(F80_UNSUPPORTED);
      } else {
        exponent = random.u32() & 0xffff;
        significand = random.u64() | 0x8000000000000000n;
        if ((exponent & 0x7fff) === 0) significand &= 0x7fffffffffffffffn;
      }
      break;
    case 3: {
      // a small integer or half
      const halves = BigInt(1 + random.below(4000));
      const length = halves.toString(2).length;
      significand = halves << BigInt(64 - length);
      exponent = (random.oneIn(2) ? 0x8000 : 0) | (0x3ffe + length - 1);
      break;
    }
    case 4: // a value of double or single precision
      significand = (random.u64() | 0x8000000000000000n) & (random.oneIn(2) ? 0xfffffffffffff800n : 0xffffff0000000000n);
      exponent = (random.u32() & 0x8000) | (0x3fff - 64 + random.below(128));
      break;
    default:
      significand = random.u64() | 0x8000000000000000n;
      exponent = (random.u32() & 0x8000) | (0x3fff - 8 + random.below(16));
  }
  writeU64(bytes, at, significand);
  writeU16(bytes, at + 8, exponent);
}

/** Fills `bytes` with values of one kind, from its start. */
export function fillValues(random: Random, flavour: Flavour, bytes: Uint8Array): void {
  const length = bytes.length;
  switch (flavour) {
    case 'int8':
      for (let at = 0; at < length; at++) bytes[at] = lane(random, 8);
      break;
    case 'int16':
      for (let at = 0; at + 2 <= length; at += 2) writeU16(bytes, at, lane(random, 16));
      break;
    case 'int32':
      for (let at = 0; at + 4 <= length; at += 4) writeU32(bytes, at, lane(random, 32));
      break;
    case 'int64':
      for (let at = 0; at + 8 <= length; at += 8) writeU64(bytes, at, integer64(random));
      break;
    case 'f32':
      for (let at = 0; at + 4 <= length; at += 4) writeU32(bytes, at, float32Bits(random));
      break;
    case 'f64':
      for (let at = 0; at + 8 <= length; at += 8) writeU64(bytes, at, float64Bits(random));
      break;
    case 'f80':
      for (let at = 0; at + 10 <= length; at += 16) writeFloat80(random, bytes, at);
      break;
    case 'text': {
      // few letters, so that strings match in places, and an end in the middle
      const end = random.oneIn(3) ? length : random.below(length + 1);
      for (let at = 0; at < length; at++)
        bytes[at] = at === end || random.oneIn(12) ? 0 : random.pick([0x61, 0x62, 0x63, 0x7a, 0xe1, 0x00]);
      break;
    }
    case 'bcd':
      for (let at = 0; at < length; at++) bytes[at] = random.below(10) | (random.below(10) << 4);
      for (let at = 9; at < length; at += 10) bytes[at] = random.oneIn(2) ? 0x80 : 0;
      break;
  }
}
