/**
 * XMM instructions that move lanes about: pack, unpack, shuffle, align, horizontal integer sums, blend.
 * Controls in an immediate are only known at run time, so lanes are picked by loads out of the source instead of constant
 * shuffles; the source of a register form lies in the vCPU block like that of a memory form in its page.
 * @sdm Vol. 2 chapters 3 to 5, one entry an instruction
 */
import { immediate8, setXmm, xmm, xmmReg, xmmRm } from '../access';
import { FAULT, VCPU_XMM } from '../layout';
import {
  alignRight,
  doublewordMask,
  horizontalAddDoublewords,
  horizontalAddWords,
  horizontalAddWordsSaturating,
  horizontalSubtractDoublewords,
  horizontalSubtractWords,
  horizontalSubtractWordsSaturating,
  quadwordMask,
  wordMask,
} from '../simd/lanes';

// ---- pack and unpack; UNPCKxPS and UNPCKxPD are PUNPCKxDQ and PUNPCKxQDQ ----------------------------------------

export function packsswb(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i8x16.narrow_i16x8_s(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function packuswb(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i8x16.narrow_i16x8_u(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function packssdw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i16x8.narrow_i32x4_s(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function packusdw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i16x8.narrow_i32x4_u(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function punpcklbw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source
    ? setXmm(cpu, op, i8x16.shuffle(xmm(cpu, op), v128.load(source), 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23))
    : FAULT;
}

export function punpckhbw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source
    ? setXmm(cpu, op, i8x16.shuffle(xmm(cpu, op), v128.load(source), 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31))
    : FAULT;
}

export function punpcklwd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i16x8.shuffle(xmm(cpu, op), v128.load(source), 0, 8, 1, 9, 2, 10, 3, 11)) : FAULT;
}

export function punpckhwd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i16x8.shuffle(xmm(cpu, op), v128.load(source), 4, 12, 5, 13, 6, 14, 7, 15)) : FAULT;
}

export function punpckldq(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i32x4.shuffle(xmm(cpu, op), v128.load(source), 0, 4, 1, 5)) : FAULT;
}

export function punpckhdq(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i32x4.shuffle(xmm(cpu, op), v128.load(source), 2, 6, 3, 7)) : FAULT;
}

export function punpcklqdq(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i64x2.shuffle(xmm(cpu, op), v128.load(source), 0, 2)) : FAULT;
}

export function punpckhqdq(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i64x2.shuffle(xmm(cpu, op), v128.load(source), 1, 3)) : FAULT;
}

// ---- Horizontal addition and subtraction (SSSE3) --------------------------------------------------------------------

export function phaddw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, horizontalAddWords(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function phaddd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, horizontalAddDoublewords(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function phaddsw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, horizontalAddWordsSaturating(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function phsubw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, horizontalSubtractWords(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function phsubd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, horizontalSubtractDoublewords(xmm(cpu, op), v128.load(source))) : FAULT;
}

export function phsubsw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, horizontalSubtractWordsSaturating(xmm(cpu, op), v128.load(source))) : FAULT;
}

// ---- shuffle --------------------------------------------------------------------------------------------------------

/** Bit 7 of a control byte selects zero, bits 4 to 6 are ignored; an index from 16 on selects zero in Wasm. */
export function pshufb(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i8x16.swizzle(xmm(cpu, op), v128.and(v128.load(source), i8x16.splat(-0x71)))) : FAULT;
}

/** Doubleword of `lanes` that bits shift + 1 : shift of `control` name. */
// @ts-ignore: decorator
@inline
function pickDoubleword(lanes: usize, control: u32, shift: u32): i32 {
  return load<i32>(lanes + (((control >> shift) & 3) << 2));
}

// @ts-ignore: decorator
@inline
function pickWord(lanes: usize, control: u32, shift: u32): i16 {
  return load<i16>(lanes + (((control >> shift) & 3) << 1));
}

/** Four doublewords, the lower two picked from `a`, the upper two from `b`. */
// @ts-ignore: decorator
@inline
function pickDoublewords(a: usize, b: usize, control: u32): v128 {
  const first = i32x4.splat(pickDoubleword(a, control, 0));
  const second = i32x4.replace_lane(first, 1, pickDoubleword(a, control, 2));
  const third = i32x4.replace_lane(second, 2, pickDoubleword(b, control, 4));
  return i32x4.replace_lane(third, 3, pickDoubleword(b, control, 6));
}

export function pshufd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, pickDoublewords(source, source, immediate8(op))) : FAULT;
}

export function shufps(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, pickDoublewords(xmmReg(cpu, op), source, immediate8(op))) : FAULT;
}

export function shufpd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const control = immediate8(op);
  const low = load<i64>(xmmReg(cpu, op) + ((control & 1) << 3));
  const high = load<i64>(source + ((control & 2) << 2));
  return setXmm(cpu, op, i64x2.replace_lane(i64x2.splat(low), 1, high));
}

export function pshuflw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const control = immediate8(op);
  let result = v128.load(source);
  result = i16x8.replace_lane(result, 0, pickWord(source, control, 0));
  result = i16x8.replace_lane(result, 1, pickWord(source, control, 2));
  result = i16x8.replace_lane(result, 2, pickWord(source, control, 4));
  result = i16x8.replace_lane(result, 3, pickWord(source, control, 6));
  return setXmm(cpu, op, result);
}

export function pshufhw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  const control = immediate8(op);
  let result = v128.load(source);
  result = i16x8.replace_lane(result, 4, pickWord(source + 8, control, 0));
  result = i16x8.replace_lane(result, 5, pickWord(source + 8, control, 2));
  result = i16x8.replace_lane(result, 6, pickWord(source + 8, control, 4));
  result = i16x8.replace_lane(result, 7, pickWord(source + 8, control, 6));
  return setXmm(cpu, op, result);
}

export function palignr(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, alignRight(xmm(cpu, op), v128.load(source), immediate8(op))) : FAULT;
}

export function movsldup(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i32x4.shuffle(v128.load(source), v128.load(source), 0, 0, 2, 2)) : FAULT;
}

export function movshdup(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, i32x4.shuffle(v128.load(source), v128.load(source), 1, 1, 3, 3)) : FAULT;
}

export function movddup(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 8);
  return source ? setXmm(cpu, op, v128.load64_splat(source)) : FAULT;
}

// ---- blend (SSE4.1); the variable ones take the sign bits of XMM0 -----------------------------------------------------------

export function pblendvb(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  return setXmm(cpu, op, v128.bitselect(v128.load(source), xmm(cpu, op), i8x16.shr_s(v128.load(cpu, VCPU_XMM), 7)));
}

export function blendvps(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  return setXmm(cpu, op, v128.bitselect(v128.load(source), xmm(cpu, op), i32x4.shr_s(v128.load(cpu, VCPU_XMM), 31)));
}

export function blendvpd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  if (!source) return FAULT;
  return setXmm(cpu, op, v128.bitselect(v128.load(source), xmm(cpu, op), i64x2.shr_s(v128.load(cpu, VCPU_XMM), 63)));
}

export function blendps(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, v128.bitselect(v128.load(source), xmm(cpu, op), doublewordMask(immediate8(op)))) : FAULT;
}

export function blendpd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, v128.bitselect(v128.load(source), xmm(cpu, op), quadwordMask(immediate8(op)))) : FAULT;
}

export function pblendw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, v128.bitselect(v128.load(source), xmm(cpu, op), wordMask(immediate8(op)))) : FAULT;
}
