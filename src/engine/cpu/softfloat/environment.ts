/**
 * The floating-point environment that the soft-float functions take as `mode`, and the exception flags that they report.
 *
 * Flags accumulate at VCPU_SOFTFLOAT_FLAGS of the vCPU block, in the order that MXCSR bits 0-5 and the x87 status word share
 * (@sdm Vol.1 8.1.3, 10.2.3). The caller clears that word before an instruction and merges it into MXCSR or FSW afterwards.
 */
import { VCPU_SOFTFLOAT_FLAGS } from '../layout';

export const INVALID: u32 = 1;
export const DENORMAL: u32 = 2;
export const ZERO_DIVIDE: u32 = 4;
export const OVERFLOW: u32 = 8;
export const UNDERFLOW: u32 = 16;
export const INEXACT: u32 = 32;

/** Bits 0-1 of `mode`: the rounding direction, encoded as MXCSR.RC and FCW.RC. */
export const MODE_ROUNDING: u32 = 3;
export const ROUND_NEAREST: u32 = 0;
export const ROUND_DOWN: u32 = 1;
export const ROUND_UP: u32 = 2;
export const ROUND_TO_ZERO: u32 = 3;
/** Denormal operands count as zeros of their sign, without the DENORMAL flag (MXCSR.DAZ). */
export const MODE_DENORMALS_ARE_ZERO: u32 = 4;
/** A tiny result becomes a zero of its sign with UNDERFLOW and INEXACT (MXCSR.FTZ with underflow masked). */
export const MODE_FLUSH_TO_ZERO: u32 = 8;
/**
 * Underflow is unmasked: a tiny result raises UNDERFLOW even when it is exact, and INEXACT only where rounding with an unbounded
 * exponent is inexact. The result is of use to an x87 register only, where its exponent is wrapped.
 */
export const MODE_UNDERFLOW_UNMASKED: u32 = 16;
/** Overflow is unmasked: INEXACT and the result as for an unmasked underflow. */
export const MODE_OVERFLOW_UNMASKED: u32 = 32;

/** Bits 8-15: bits of significand that x87 arithmetic keeps: 24, 53 or 64 (FCW.PC). */
export const MODE_PRECISION_SHIFT: u32 = 8;

/** The `mode` that an x87 control word asks for. The reserved precision 01 counts as 64 bits. */
export function modeOfControlWord(controlWord: u32): u32 {
  const control = (controlWord >> 8) & 3;
  const precision: u32 = control == 0 ? 24 : control == 2 ? 53 : 64;
  let mode = ((controlWord >> 10) & MODE_ROUNDING) | (precision << MODE_PRECISION_SHIFT);
  if (!(controlWord & OVERFLOW)) mode |= MODE_OVERFLOW_UNMASKED;
  if (!(controlWord & UNDERFLOW)) mode |= MODE_UNDERFLOW_UNMASKED;
  return mode;
}

/** The `mode` that an MXCSR value asks for. */
export function modeOfMxcsr(mxcsr: u32): u32 {
  let mode = (mxcsr >> 13) & MODE_ROUNDING;
  if (mxcsr & 0x40) mode |= MODE_DENORMALS_ARE_ZERO;
  if (!(mxcsr & 0x400)) mode |= MODE_OVERFLOW_UNMASKED;
  if (!(mxcsr & 0x800)) mode |= MODE_UNDERFLOW_UNMASKED;
  else if (mxcsr & 0x8000) mode |= MODE_FLUSH_TO_ZERO;
  return mode;
}

export function raiseFlags(cpu: usize, flags: u32): void {
  store<u32>(cpu, load<u32>(cpu, VCPU_SOFTFLOAT_FLAGS) | flags, VCPU_SOFTFLOAT_FLAGS);
}
