/**
 * The SSE floating-point environment. An instruction first tries the host's own arithmetic, which rounds to nearest and reports
 * nothing; it may be used when MXCSR asks for no more and the operands and result are ordinary (ordinary.ts). Otherwise it runs
 * between `beginFloat` and `endFloat` on soft-float functions, which collect the exception flags.
 * @sdm Vol. 1 10.2.3 (MXCSR), 11.5 (SIMD floating-point exceptions)
 */
import { raise } from '../fault';
import { NEXT, VCPU_MXCSR, VCPU_SOFTFLOAT_FLAGS, VECTOR_XM } from '../layout';
import { DENORMAL, INEXACT, INVALID, ZERO_DIVIDE, modeOfMxcsr } from '../softfloat/environment';

/** The bits of MXCSR that exist, as FXSAVE reports them. */
export const MXCSR_MASK: u32 = 0xffff;

/** The exceptions that are found before the operation is carried out. */
const BEFORE_OPERATION: u32 = INVALID | DENORMAL | ZERO_DIVIDE;

/** Round to nearest, every exception masked, no DAZ, no FTZ: what Wasm computes is right, flags apart. */
// @ts-ignore: decorator
@inline
export function isDefault(cpu: usize): bool {
  return (load<u32>(cpu, VCPU_MXCSR) & 0xffc0) == 0x1f80;
}

/** The same, and the inexact flag is already up, so that nobody needs to know whether a result was rounded. */
// @ts-ignore: decorator
@inline
export function isDefaultInexact(cpu: usize): bool {
  return (load<u32>(cpu, VCPU_MXCSR) & 0xffe0) == 0x1fa0;
}

/** No DAZ and inexact masked: what a conversion with a rounding of its own needs. */
// @ts-ignore: decorator
@inline
export function isInexactMasked(cpu: usize): bool {
  return (load<u32>(cpu, VCPU_MXCSR) & 0x1040) == 0x1000;
}

/** Raises the inexact flag, which is masked, when `inexact`. */
// @ts-ignore: decorator
@inline
export function noteInexact(cpu: usize, inexact: bool): void {
  if (inexact) store<u32>(cpu, load<u32>(cpu, VCPU_MXCSR) | INEXACT, VCPU_MXCSR);
}

/** Clears the collected flags; returns the soft-float mode of MXCSR. */
export function beginFloat(cpu: usize): u32 {
  store<u32>(cpu, 0, VCPU_SOFTFLOAT_FLAGS);
  return modeOfMxcsr(load<u32>(cpu, VCPU_MXCSR));
}

/**
 * Adds the collected flags to MXCSR: NEXT, or FAULT with #XM when one of them is unmasked; the result must then be thrown away.
 * An unmasked exception found before the operation keeps the later ones from being found.
 */
export function endFloat(cpu: usize): i32 {
  const mxcsr = load<u32>(cpu, VCPU_MXCSR);
  let flags = load<u32>(cpu, VCPU_SOFTFLOAT_FLAGS);
  const unmasked = flags & ~(mxcsr >> 7);
  if (unmasked & BEFORE_OPERATION) flags &= BEFORE_OPERATION;
  store<u32>(cpu, mxcsr | flags, VCPU_MXCSR);
  return unmasked ? raise(cpu, VECTOR_XM, 0) : NEXT;
}
