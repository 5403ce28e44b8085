/**
 * Lane operations that x86 has and Wasm SIMD has not, on whole vectors. `a` is the first operand (the destination), `b` the
 * second. Those used for MMX too leave a zero upper half zero.
 */

/** Zero: of the vectors, the one with no bit set. */
// @ts-ignore: decorator
@inline
export function zero(): v128 {
  return i64x2.splat(0);
}

/** Upper 16 bits of each signed 16 x 16 bit product (PMULHW). */
export function multiplyHighSigned(a: v128, b: v128): v128 {
  return i16x8.shuffle(i32x4.extmul_low_i16x8_s(a, b), i32x4.extmul_high_i16x8_s(a, b), 1, 3, 5, 7, 9, 11, 13, 15);
}

/** Upper 16 bits of each unsigned 16 x 16 bit product (PMULHUW). */
export function multiplyHighUnsigned(a: v128, b: v128): v128 {
  return i16x8.shuffle(i32x4.extmul_low_i16x8_u(a, b), i32x4.extmul_high_i16x8_u(a, b), 1, 3, 5, 7, 9, 11, 13, 15);
}

/** Unsigned 64-bit products of the even doublewords (PMULUDQ). */
export function multiplyEvenUnsigned(a: v128, b: v128): v128 {
  return i64x2.extmul_low_i32x4_u(i32x4.shuffle(a, a, 0, 2, 1, 3), i32x4.shuffle(b, b, 0, 2, 1, 3));
}

/** Signed 64-bit products of the even doublewords (PMULDQ). */
export function multiplyEvenSigned(a: v128, b: v128): v128 {
  return i64x2.extmul_low_i32x4_s(i32x4.shuffle(a, a, 0, 2, 1, 3), i32x4.shuffle(b, b, 0, 2, 1, 3));
}

/** Sums, saturated, of adjacent products of an unsigned byte of `a` and a signed byte of `b` (PMADDUBSW); no product overflows. */
export function multiplyAddBytes(a: v128, b: v128): v128 {
  const even = i16x8.mul(v128.and(a, i16x8.splat(0xff)), i16x8.shr_s(i16x8.shl(b, 8), 8));
  const odd = i16x8.mul(i16x8.shr_u(a, 8), i16x8.shr_s(b, 8));
  return i16x8.add_sat_s(even, odd);
}

/** Rounded upper bits of 16 x 16 bit products (PMULHRSW). Wasm saturates -1 * -1, which x86 wraps. */
export function multiplyHighRounded(a: v128, b: v128): v128 {
  const lowest = i16x8.splat(-0x8000);
  return v128.xor(i16x8.q15mulr_sat_s(a, b), v128.and(i16x8.eq(a, lowest), i16x8.eq(b, lowest)));
}

/** Sum of the absolute differences of eight unsigned bytes, in each half (PSADBW). */
export function sumOfDifferences(a: v128, b: v128): v128 {
  const differences = v128.or(i8x16.sub_sat_u(a, b), i8x16.sub_sat_u(b, a));
  const sums = i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(differences));
  return i64x2.add(v128.and(sums, i64x2.splat(0xffffffff)), i64x2.shr_u(sums, 32));
}

/** `a` negated where `b` is negative, zero where `b` is zero (PSIGNB). */
export function signBytes(a: v128, b: v128): v128 {
  const negative = i8x16.shr_s(b, 7);
  return v128.andnot(i8x16.sub(v128.xor(a, negative), negative), i8x16.eq(b, zero()));
}

/** PSIGNW, as signBytes. */
export function signWords(a: v128, b: v128): v128 {
  const negative = i16x8.shr_s(b, 15);
  return v128.andnot(i16x8.sub(v128.xor(a, negative), negative), i16x8.eq(b, zero()));
}

/** PSIGND, as signBytes. */
export function signDoublewords(a: v128, b: v128): v128 {
  const negative = i32x4.shr_s(b, 31);
  return v128.andnot(i32x4.sub(v128.xor(a, negative), negative), i32x4.eq(b, zero()));
}

// ---- horizontal: the even and the odd lanes of a:b ----------------------------------------------------------------------

// @ts-ignore: decorator
@inline
function evenWords(a: v128, b: v128): v128 {
  return i16x8.shuffle(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
}

// @ts-ignore: decorator
@inline
function oddWords(a: v128, b: v128): v128 {
  return i16x8.shuffle(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
}

/** PHADDW */
export function horizontalAddWords(a: v128, b: v128): v128 {
  return i16x8.add(evenWords(a, b), oddWords(a, b));
}

/** PHADDSW */
export function horizontalAddWordsSaturating(a: v128, b: v128): v128 {
  return i16x8.add_sat_s(evenWords(a, b), oddWords(a, b));
}

/** PHSUBW */
export function horizontalSubtractWords(a: v128, b: v128): v128 {
  return i16x8.sub(evenWords(a, b), oddWords(a, b));
}

/** PHSUBSW */
export function horizontalSubtractWordsSaturating(a: v128, b: v128): v128 {
  return i16x8.sub_sat_s(evenWords(a, b), oddWords(a, b));
}

/** PHADDD */
export function horizontalAddDoublewords(a: v128, b: v128): v128 {
  return i32x4.add(i32x4.shuffle(a, b, 0, 2, 4, 6), i32x4.shuffle(a, b, 1, 3, 5, 7));
}

/** PHSUBD */
export function horizontalSubtractDoublewords(a: v128, b: v128): v128 {
  return i32x4.sub(i32x4.shuffle(a, b, 0, 2, 4, 6), i32x4.shuffle(a, b, 1, 3, 5, 7));
}

// ---- bytes and bits by a run-time count -----------------------------------------------------------------------------------

// @ts-ignore: decorator
@inline
function byteIndices(): v128 {
  return i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

/** All of the vector moved up by `count` bytes (PSLLDQ). An index that wraps below zero is out of range and selects zero. */
export function shiftBytesLeft(a: v128, count: u32): v128 {
  return i8x16.swizzle(a, i8x16.sub(byteIndices(), i8x16.splat(<i8>min<u32>(count, 16))));
}

/** All of the vector moved down by `count` bytes (PSRLDQ). */
export function shiftBytesRight(a: v128, count: u32): v128 {
  return i8x16.swizzle(a, i8x16.add(byteIndices(), i8x16.splat(<i8>min<u32>(count, 16))));
}

/** Bytes count .. count + 15 of high:low (PALIGNR). */
export function alignRight(high: v128, low: v128, count: u32): v128 {
  const indices = i8x16.add(byteIndices(), i8x16.splat(<i8>min<u32>(count, 32)));
  return v128.or(i8x16.swizzle(low, indices), i8x16.swizzle(high, i8x16.sub(indices, i8x16.splat(16))));
}

/** All ones in the doublewords whose bit of `mask` is set. */
export function doublewordMask(mask: u32): v128 {
  const bits = i32x4(1, 2, 4, 8);
  return i32x4.eq(v128.and(i32x4.splat(<i32>mask), bits), bits);
}

/** All ones in the quadwords whose bit of `mask` is set. */
export function quadwordMask(mask: u32): v128 {
  const bits = i64x2(1, 2);
  return i64x2.eq(v128.and(i64x2.splat(<i64>mask), bits), bits);
}

/** All ones in the words whose bit of `mask` is set. */
export function wordMask(mask: u32): v128 {
  const bits = i16x8(1, 2, 4, 8, 16, 32, 64, 128);
  return i16x8.eq(v128.and(i16x8.splat(<i16>mask), bits), bits);
}

// ---- shifts: Wasm takes the count modulo the lane width, x86 shifts everything out ----------------------------------

/** PSLLW */
// @ts-ignore: decorator
@inline
export function shiftLeftWords(a: v128, count: u64): v128 {
  return count < 16 ? i16x8.shl(a, <i32>count) : zero();
}

/** PSLLD */
// @ts-ignore: decorator
@inline
export function shiftLeftDoublewords(a: v128, count: u64): v128 {
  return count < 32 ? i32x4.shl(a, <i32>count) : zero();
}

/** PSLLQ */
// @ts-ignore: decorator
@inline
export function shiftLeftQuadwords(a: v128, count: u64): v128 {
  return count < 64 ? i64x2.shl(a, <i32>count) : zero();
}

/** PSRLW */
// @ts-ignore: decorator
@inline
export function shiftRightWords(a: v128, count: u64): v128 {
  return count < 16 ? i16x8.shr_u(a, <i32>count) : zero();
}

/** PSRLD */
// @ts-ignore: decorator
@inline
export function shiftRightDoublewords(a: v128, count: u64): v128 {
  return count < 32 ? i32x4.shr_u(a, <i32>count) : zero();
}

/** PSRLQ */
// @ts-ignore: decorator
@inline
export function shiftRightQuadwords(a: v128, count: u64): v128 {
  return count < 64 ? i64x2.shr_u(a, <i32>count) : zero();
}

/** PSRAW */
// @ts-ignore: decorator
@inline
export function shiftRightSignedWords(a: v128, count: u64): v128 {
  return i16x8.shr_s(a, <i32>min<u64>(count, 15));
}

/** PSRAD */
// @ts-ignore: decorator
@inline
export function shiftRightSignedDoublewords(a: v128, count: u64): v128 {
  return i32x4.shr_s(a, <i32>min<u64>(count, 31));
}
