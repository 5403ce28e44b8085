/**
 * Integer arithmetic, comparison and logic on MMX registers, with what SSE, SSE2 and SSSE3 added: mm, mm/m64. The 64 bits are
 * the low half of a vector whose upper half is zero, so that the lane operations of the XMM forms serve here too.
 * @sdm Vol. 2 chapters 3 to 5, one entry an instruction
 */
import { mmx, mmxRm, setMmx } from '../access';
import { FAULT } from '../layout';
import {
  multiplyAddBytes,
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

export function mmxPaddb(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i8x16.add(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPaddw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i16x8.add(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPaddd(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i32x4.add(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPaddq(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i64x2.add(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPsubb(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i8x16.sub(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPsubw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i16x8.sub(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPsubd(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i32x4.sub(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPsubq(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i64x2.sub(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPaddsb(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i8x16.add_sat_s(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPaddsw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i16x8.add_sat_s(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPaddusb(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i8x16.add_sat_u(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPaddusw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i16x8.add_sat_u(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPsubsb(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i8x16.sub_sat_s(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPsubsw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i16x8.sub_sat_s(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPsubusb(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i8x16.sub_sat_u(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPsubusw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i16x8.sub_sat_u(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

// ---- Multiplication -------------------------------------------------------------------------------------------------

export function mmxPmullw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i16x8.mul(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPmulhw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, multiplyHighSigned(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPmulhuw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, multiplyHighUnsigned(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPmuludq(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, multiplyEvenUnsigned(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPmaddwd(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i32x4.dot_i16x8_s(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPmaddubsw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, multiplyAddBytes(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPmulhrsw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, multiplyHighRounded(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

// ---- Comparison, minimum, maximum, average, absolute value ----------------------------------------------------------

export function mmxPcmpeqb(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i8x16.eq(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPcmpeqw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i16x8.eq(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPcmpeqd(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i32x4.eq(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPcmpgtb(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i8x16.gt_s(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPcmpgtw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i16x8.gt_s(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPcmpgtd(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i32x4.gt_s(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPminub(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i8x16.min_u(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPmaxub(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i8x16.max_u(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPminsw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i16x8.min_s(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPmaxsw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i16x8.max_s(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPavgb(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i8x16.avgr_u(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPavgw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i16x8.avgr_u(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPsadbw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, sumOfDifferences(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPabsb(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i8x16.abs(v128.load64_zero(source))) : FAULT;
}

export function mmxPabsw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i16x8.abs(v128.load64_zero(source))) : FAULT;
}

export function mmxPabsd(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i32x4.abs(v128.load64_zero(source))) : FAULT;
}

export function mmxPsignb(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, signBytes(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPsignw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, signWords(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPsignd(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, signDoublewords(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

// ---- Logic ----------------------------------------------------------------------------------------------------------

export function mmxPand(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, v128.and(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPandn(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, v128.andnot(v128.load64_zero(source), mmx(cpu, op))) : FAULT;
}

export function mmxPor(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, v128.or(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}

export function mmxPxor(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, v128.xor(mmx(cpu, op), v128.load64_zero(source))) : FAULT;
}
