/**
 * The string instructions of SSE4.2. Two vectors of bytes or words, each valid up to its length, are compared all with all; the
 * outcome is kept as one bit an element of the second operand (IntRes2 in the manual) and given out as index or mask.
 * @sdm Vol. 1 12.2, Vol. 2B 4.1 (imm8 control byte), PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM
 */
import { immediate8, xmmReg, xmmRmUnaligned } from '../access';
import { CF, OF, SF, ZF, setFlags } from '../flags';
import { FAULT, NEXT, OPF_REXW, OP_FLAGS, VCPU_RAX, VCPU_RCX, VCPU_RDX, VCPU_XMM } from '../layout';
import { wordMask } from '../simd/lanes';

/** Control byte: elements are words; they are signed; bits 3:2 are the aggregation, bits 5:4 the polarity, bit 6 the output. */
const WORDS: u32 = 1;
const SIGNED: u32 = 2;
const EQUAL_ANY: u32 = 0;
const RANGES: u32 = 1;
const EQUAL_EACH: u32 = 2;
const NEGATIVE: u32 = 1;
const MASKED_NEGATIVE: u32 = 3;
/** Output: the highest index instead of the lowest; a mask of whole elements instead of bits. */
const HIGHEST_OR_ELEMENTS: u32 = 0x40;

/** Elements in front of the first zero. */
function implicitLength(vector: v128, control: u32): u32 {
  const none = i64x2.splat(0);
  if (control & WORDS) return ctz((<u32>i16x8.bitmask(i16x8.eq(vector, none))) | 0x100);
  return ctz((<u32>i8x16.bitmask(i8x16.eq(vector, none))) | 0x10000);
}

/** Magnitude of a signed length in a general register, at most the number of elements. */
function explicitLength(cpu: usize, op: usize, register: usize, count: u32): u32 {
  const length = load<u8>(op, OP_FLAGS) & OPF_REXW ? load<i64>(cpu + register) : <i64>load<i32>(cpu + register);
  return <u32>min<u64>(<u64>(length < 0 ? 0 - length : length), count);
}

/** A bit for each byte of `b` that equals `byte`. */
// @ts-ignore: decorator
@inline
function equalBytes(b: v128, byte: u8): u32 {
  return i8x16.bitmask(i8x16.eq(b, i8x16.splat(byte)));
}

// @ts-ignore: decorator
@inline
function equalWords(b: v128, word: u16): u32 {
  return i16x8.bitmask(i16x8.eq(b, i16x8.splat(word)));
}

/** A bit for each byte of `b` between two bounds. */
function bytesInRange(b: v128, low: v128, high: v128, control: u32): u32 {
  if (control & SIGNED) return i8x16.bitmask(v128.and(i8x16.ge_s(b, low), i8x16.le_s(b, high)));
  return i8x16.bitmask(v128.and(i8x16.ge_u(b, low), i8x16.le_u(b, high)));
}

function wordsInRange(b: v128, low: v128, high: v128, control: u32): u32 {
  if (control & SIGNED) return i16x8.bitmask(v128.and(i16x8.ge_s(b, low), i16x8.le_s(b, high)));
  return i16x8.bitmask(v128.and(i16x8.ge_u(b, low), i16x8.le_u(b, high)));
}

/** The aggregated comparisons (IntRes1) of the elements at `a` with those of `b`. */
function aggregate(a: usize, aLength: u32, b: v128, bLength: u32, control: u32): u32 {
  const words = (control & WORDS) != 0;
  const all: u32 = words ? 0xff : 0xffff;
  const aValid = ((<u32>1) << aLength) - 1;
  const bValid = ((<u32>1) << bLength) - 1;
  const aggregation = (control >> 2) & 3;
  let result: u32 = 0;
  if (aggregation == EQUAL_ANY) {
    for (let i: u32 = 0; i < aLength; i++) {
      result |= words ? equalWords(b, load<u16>(a + (i << 1))) : equalBytes(b, load<u8>(a + i));
    }
    return result & bValid;
  }
  if (aggregation == RANGES) {
    for (let i: u32 = 0; i + 1 < aLength; i += 2) {
      if (words) result |= wordsInRange(b, v128.load16_splat(a + (i << 1)), v128.load16_splat(a + (i << 1) + 2), control);
      else result |= bytesInRange(b, v128.load8_splat(a + i), v128.load8_splat(a + i + 1), control);
    }
    return result & bValid;
  }
  if (aggregation == EQUAL_EACH) {
    const first = v128.load(a);
    result = words ? i16x8.bitmask(i16x8.eq(first, b)) : i8x16.bitmask(i8x16.eq(first, b));
    // Two elements behind the ends count as equal, one alone as unequal.
    return (result & aValid & bValid) | (all & ~(aValid | bValid));
  }
  // Equal ordered: `a` is a prefix of `b` from here on, as far as `b` reaches in this vector.
  result = all;
  for (let i: u32 = 0; i < aLength; i++) {
    const equal = words ? equalWords(b, load<u16>(a + (i << 1))) : equalBytes(b, load<u8>(a + i));
    result &= ((equal & bValid) >> i) | (all & ~(all >> i));
  }
  return result;
}

/** Compares, sets the flags and returns IntRes2. */
function compareStrings(cpu: usize, a: usize, aLength: u32, b: v128, bLength: u32, control: u32): u32 {
  const count: u32 = control & WORDS ? 8 : 16;
  const polarity = (control >> 4) & 3;
  let result = aggregate(a, aLength, b, bLength, control);
  if (polarity == NEGATIVE) result ^= ((<u32>1) << count) - 1;
  else if (polarity == MASKED_NEGATIVE) result ^= ((<u32>1) << bLength) - 1;
  let flags: u32 = result ? CF : 0;
  if (bLength < count) flags |= ZF;
  if (aLength < count) flags |= SF;
  if (result & 1) flags |= OF;
  setFlags(cpu, flags);
  return result;
}

function giveIndex(cpu: usize, result: u32, control: u32): i32 {
  let index: u32 = control & WORDS ? 8 : 16;
  if (result) index = control & HIGHEST_OR_ELEMENTS ? 31 - clz(result) : ctz(result);
  store<u64>(cpu, index, VCPU_RCX);
  return NEXT;
}

function giveMask(cpu: usize, result: u32, control: u32): i32 {
  let mask: v128;
  if (!(control & HIGHEST_OR_ELEMENTS)) mask = i64x2.replace_lane(i64x2.splat(0), 0, result);
  else if (control & WORDS) mask = wordMask(result);
  else mask = byteMask(result);
  v128.store(cpu, mask, VCPU_XMM);
  return NEXT;
}

/** All ones in the bytes whose bit of `mask` is set. */
function byteMask(mask: u32): v128 {
  const bits = i64x2.splat(0x8040201008040201);
  const spread = i64x2.replace_lane(i8x16.splat(<i8>(mask >> 8)), 0, <u64>(mask & 0xff) * 0x0101010101010101);
  return i8x16.eq(v128.and(spread, bits), bits);
}

function compareExplicit(cpu: usize, op: usize, source: usize): u32 {
  const control = immediate8(op);
  const count: u32 = control & WORDS ? 8 : 16;
  const aLength = explicitLength(cpu, op, VCPU_RAX, count);
  const bLength = explicitLength(cpu, op, VCPU_RDX, count);
  return compareStrings(cpu, xmmReg(cpu, op), aLength, v128.load(source), bLength, control);
}

function compareImplicit(cpu: usize, op: usize, source: usize): u32 {
  const control = immediate8(op);
  const a = xmmReg(cpu, op);
  const b = v128.load(source);
  return compareStrings(cpu, a, implicitLength(v128.load(a), control), b, implicitLength(b, control), control);
}

export function pcmpestri(cpu: usize, op: usize): i32 {
  const source = xmmRmUnaligned(cpu, op, 16);
  return source ? giveIndex(cpu, compareExplicit(cpu, op, source), immediate8(op)) : FAULT;
}

export function pcmpestrm(cpu: usize, op: usize): i32 {
  const source = xmmRmUnaligned(cpu, op, 16);
  return source ? giveMask(cpu, compareExplicit(cpu, op, source), immediate8(op)) : FAULT;
}

export function pcmpistri(cpu: usize, op: usize): i32 {
  const source = xmmRmUnaligned(cpu, op, 16);
  return source ? giveIndex(cpu, compareImplicit(cpu, op, source), immediate8(op)) : FAULT;
}

export function pcmpistrm(cpu: usize, op: usize): i32 {
  const source = xmmRmUnaligned(cpu, op, 16);
  return source ? giveMask(cpu, compareImplicit(cpu, op, source), immediate8(op)) : FAULT;
}
