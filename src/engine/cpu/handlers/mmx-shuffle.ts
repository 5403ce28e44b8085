/**
 * MMX instructions that move lanes about: pack, unpack, shuffle, align, horizontal sums (MMX, SSE, SSSE3).
 * @sdm Vol. 2 PACKSSWB, PUNPCKLBW, PUNPCKHBW, PSHUFW, PSHUFB, PALIGNR, PHADDW, PHSUBW and their families
 */
import { immediate8, mmx, mmxReg, mmxRm, setMmx } from '../access';
import { FAULT } from '../layout';
import {
  horizontalAddDoublewords,
  horizontalAddWords,
  horizontalAddWordsSaturating,
  horizontalSubtractDoublewords,
  horizontalSubtractWords,
  horizontalSubtractWordsSaturating,
  shiftBytesRight,
  zero,
} from '../simd/lanes';

/** Both operands in one vector, the destination low: the XMM operations on it and zero give the MMX result in the low half. */
// @ts-ignore: decorator
@inline
function pair(cpu: usize, op: usize, source: usize): v128 {
  return i64x2.replace_lane(mmx(cpu, op), 1, load<i64>(source));
}

export function mmxPhaddw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, horizontalAddWords(pair(cpu, op, source), zero())) : FAULT;
}

export function mmxPhaddd(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, horizontalAddDoublewords(pair(cpu, op, source), zero())) : FAULT;
}

export function mmxPhaddsw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, horizontalAddWordsSaturating(pair(cpu, op, source), zero())) : FAULT;
}

export function mmxPhsubw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, horizontalSubtractWords(pair(cpu, op, source), zero())) : FAULT;
}

export function mmxPhsubd(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, horizontalSubtractDoublewords(pair(cpu, op, source), zero())) : FAULT;
}

export function mmxPhsubsw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, horizontalSubtractWordsSaturating(pair(cpu, op, source), zero())) : FAULT;
}

export function mmxPacksswb(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i8x16.narrow_i16x8_s(pair(cpu, op, source), zero())) : FAULT;
}

export function mmxPackuswb(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i8x16.narrow_i16x8_u(pair(cpu, op, source), zero())) : FAULT;
}

export function mmxPackssdw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i16x8.narrow_i32x4_s(pair(cpu, op, source), zero())) : FAULT;
}

export function mmxPunpckhbw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source
    ? setMmx(cpu, op, i8x16.shuffle(mmx(cpu, op), v128.load64_zero(source), 4, 20, 5, 21, 6, 22, 7, 23, 0, 0, 0, 0, 0, 0, 0, 0))
    : FAULT;
}

export function mmxPunpckhwd(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i16x8.shuffle(mmx(cpu, op), v128.load64_zero(source), 2, 10, 3, 11, 0, 0, 0, 0)) : FAULT;
}

export function mmxPunpckhdq(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, i32x4.shuffle(mmx(cpu, op), v128.load64_zero(source), 1, 5, 0, 0)) : FAULT;
}

export function mmxPshufb(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source
    ? setMmx(cpu, op, i8x16.swizzle(mmx(cpu, op), v128.or(v128.and(v128.load64_zero(source), i8x16.splat(-0x79)), i64x2(0, -1))))
    : FAULT;
}

export function mmxPunpcklbw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 4);
  return source
    ? setMmx(cpu, op, i8x16.shuffle(mmx(cpu, op), v128.load32_zero(source), 0, 16, 1, 17, 2, 18, 3, 19, 0, 0, 0, 0, 0, 0, 0, 0))
    : FAULT;
}

export function mmxPunpcklwd(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 4);
  return source ? setMmx(cpu, op, i16x8.shuffle(mmx(cpu, op), v128.load32_zero(source), 0, 8, 1, 9, 0, 0, 0, 0)) : FAULT;
}

export function mmxPunpckldq(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 4);
  return source ? setMmx(cpu, op, i32x4.shuffle(mmx(cpu, op), v128.load32_zero(source), 0, 4, 0, 0)) : FAULT;
}

export function mmxPshufw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  if (!source) return FAULT;
  const control = immediate8(op);
  const lanes = load<u64>(source);
  const first = (lanes >> ((control & 3) << 4)) & 0xffff;
  const second = (lanes >> (((control >> 2) & 3) << 4)) & 0xffff;
  const third = (lanes >> (((control >> 4) & 3) << 4)) & 0xffff;
  const fourth = (lanes >> ((control >> 6) << 4)) & 0xffff;
  return setMmx(cpu, op, i64x2.splat(first | (second << 16) | (third << 32) | (fourth << 48)));
}

/** Bytes count .. count + 7 of destination:source. */
export function mmxPalignr(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  if (!source) return FAULT;
  const both = i64x2.replace_lane(v128.load64_zero(source), 1, load<i64>(mmxReg(cpu, op)));
  return setMmx(cpu, op, shiftBytesRight(both, immediate8(op)));
}
