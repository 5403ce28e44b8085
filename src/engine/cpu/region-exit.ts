/** The way out of translated code: what a region kept in locals of its own goes back to the vCPU block. */
import {
  VCPU_BUDGET,
  VCPU_CC_A,
  VCPU_CC_B,
  VCPU_CC_OP,
  VCPU_CC_R,
  VCPU_LEFT_A,
  VCPU_LEFT_B,
  VCPU_LEFT_KIND,
  VCPU_LEFT_R,
  VCPU_LEFT_ROTATED,
} from './layout';
import { replaceCarryOverflow } from './regions';
import {
  DYNAMIC,
  EXIT_RETIRED_MASK,
  EXIT_RETIRED_SHIFT,
  EXIT_STATUS_MASK,
  EXIT_STATUS_SHIFT,
  KIND_MASK,
  NARROW,
  RESULT_IS_DIFFERENCE,
  RESULT_IS_SUM,
  ROTATED,
  ROTATED_NARROW,
  ROTATED_RIGHT,
  SPECIAL,
} from './region-exit-state';

/** Of the special states only DYNAMIC has this bit; in others it is part of the kind. */
const DYNAMIC_BIT = DYNAMIC & ~SPECIAL;

/**
 * Takes apart what a region returned, low half of what region-exit-state.ts has, after it has stored RIP, and VCPU_LEFT_* as far
 * as the state needs them: lowers the budget, writes the flags; returns the status.
 */
// @ts-ignore: decorator
@inline
export function leaveRegion(cpu: usize, bits: u32): i32 {
  store<i32>(cpu, load<i32>(cpu, VCPU_BUDGET) - <i32>((bits >> EXIT_RETIRED_SHIFT) & EXIT_RETIRED_MASK), VCPU_BUDGET);
  if ((bits & (SPECIAL | DYNAMIC_BIT)) != SPECIAL) {
    let a = load<i64>(cpu, VCPU_LEFT_A);
    let b = load<i64>(cpu, VCPU_LEFT_B);
    let r = load<i64>(cpu, VCPU_LEFT_R);
    const state = bits & SPECIAL ? load<u32>(cpu, VCPU_LEFT_KIND) : bits;
    if (state & RESULT_IS_DIFFERENCE) r = a - b;
    else if (state & RESULT_IS_SUM) r = a + b;
    if (state & NARROW) {
      a = <i64>(<i32>a);
      b = <i64>(<i32>b);
      r = <i64>(<i32>r);
    }
    store<u32>(cpu, state & KIND_MASK, VCPU_CC_OP);
    store<i64>(cpu, a, VCPU_CC_A);
    store<i64>(cpu, b, VCPU_CC_B);
    store<i64>(cpu, r, VCPU_CC_R);
  }
  if (bits & ROTATED) replaceCarryOverflow(cpu, flagsOfRotate(bits, load<u64>(cpu, VCPU_LEFT_ROTATED)));
  return <i32>((bits >> EXIT_STATUS_SHIFT) & EXIT_STATUS_MASK);
}

/** CF and OF, at their places, of a rotate by one that had the result. */
function flagsOfRotate(state: u32, result: u64): u32 {
  const size: u64 = state & ROTATED_NARROW ? 32 : 64;
  const right = (state & ROTATED_RIGHT) != 0;
  const carry = (<u32>(result >> (right ? size - 1 : 0))) & 1;
  const other = (<u32>(result >> (right ? size - 2 : size - 1))) & 1;
  return carry | ((carry ^ other) << 11);
}
