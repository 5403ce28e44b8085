/**
 * Integer arithmetic, comparison and logic on XMM registers (SSE2, SSSE3, SSE4): xmm, xmm/m128, the memory operand aligned.
 * @sdm Vol. 2 chapters 3 to 5, one entry an instruction
 */
import { setXmm, xmm, xmmRm } from '../access';
import { FAULT } from '../layout';
import {
  multiplyAddBytes,
  multiplyEvenSigned,
  multiplyEvenUnsigned,
  multiplyHighRounded,
  multiplyHighSigned,
  multiplyHighUnsigned,
  signBytes,
  signDoublewords,
  signWords,
  sumOfDifferences,
} from '../simd/lanes';

// ---- Addition and subtraction, wrapping and saturating --------------------------------------------------------------

export function paddb(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i8x16.add(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function paddw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i16x8.add(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function paddd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i32x4.add(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function paddq(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i64x2.add(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function psubb(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i8x16.sub(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function psubw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i16x8.sub(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function psubd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i32x4.sub(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function psubq(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i64x2.sub(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function paddsb(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i8x16.add_sat_s(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function paddsw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i16x8.add_sat_s(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function paddusb(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i8x16.add_sat_u(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function paddusw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i16x8.add_sat_u(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function psubsb(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i8x16.sub_sat_s(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function psubsw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i16x8.sub_sat_s(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function psubusb(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i8x16.sub_sat_u(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function psubusw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i16x8.sub_sat_u(xmm(cpu, op), v128.load(source))) : FAULT;
}

// ---- Multiplication -------------------------------------------------------------------------------------------------

export function pmullw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i16x8.mul(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pmulhw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, multiplyHighSigned(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pmulhuw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, multiplyHighUnsigned(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pmuludq(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, multiplyEvenUnsigned(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pmaddwd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i32x4.dot_i16x8_s(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pmaddubsw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, multiplyAddBytes(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pmulhrsw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, multiplyHighRounded(xmm(cpu, op), v128.load(source))) : FAULT;
}

// ---- Comparison, minimum, maximum, average, absolute value ----------------------------------------------------------

export function pcmpeqb(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i8x16.eq(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pcmpeqw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i16x8.eq(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pcmpeqd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i32x4.eq(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pcmpgtb(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i8x16.gt_s(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pcmpgtw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i16x8.gt_s(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pcmpgtd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i32x4.gt_s(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pminub(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i8x16.min_u(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pmaxub(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i8x16.max_u(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pminsw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i16x8.min_s(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pmaxsw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i16x8.max_s(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pavgb(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i8x16.avgr_u(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pavgw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i16x8.avgr_u(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function psadbw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, sumOfDifferences(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pabsb(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i8x16.abs(v128.load(source))) : FAULT;
}

export function pabsw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i16x8.abs(v128.load(source))) : FAULT;
}

export function pabsd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i32x4.abs(v128.load(source))) : FAULT;
}

export function psignb(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, signBytes(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function psignw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, signWords(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function psignd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, signDoublewords(xmm(cpu, op), v128.load(source))) : FAULT;
}

// ---- Logic ----------------------------------------------------------------------------------------------------------

export function pand(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, v128.and(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pandn(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, v128.andnot(v128.load(source), xmm(cpu, op))) : FAULT;
}

export function por(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, v128.or(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pxor(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, v128.xor(xmm(cpu, op), v128.load(source))) : FAULT;
}

// ---- SSE4 -----------------------------------------------------------------------------------------------------------

export function pmulld(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i32x4.mul(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pmuldq(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, multiplyEvenSigned(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pcmpeqq(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i64x2.eq(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pcmpgtq(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i64x2.gt_s(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pminsb(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i8x16.min_s(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pmaxsb(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i8x16.max_s(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pminuw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i16x8.min_u(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pmaxuw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i16x8.max_u(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pminsd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i32x4.min_s(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pmaxsd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i32x4.max_s(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pminud(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i32x4.min_u(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function pmaxud(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i32x4.max_u(xmm(cpu, op), v128.load(source))) : FAULT;
}
