/** The way out of translated code: what a region kept in locals of its own goes back to the vCPU block. */
import { VCPU_BUDGET, VCPU_CC_A, VCPU_CC_B, VCPU_CC_OP, VCPU_CC_R, VCPU_RIP } from './layout';
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
 * Writes RIP, budget and flags back; returns the status. `exit` as region-exit-state.ts has it, its position relative to `base`;
 * `a`, `b`, `r` are the operands and the result of the last flag-setting instruction, `kind` what they are in the DYNAMIC state,
 * `rotated` the result of a rotate in the ROTATED ones. What the state does not need may hold anything.
 */
export function leaveRegion(cpu: usize, a: i64, b: i64, r: i64, rotated: u64, kind: u32, budget: i32, base: u64, exit: i64): u32 {
  const bits = <u32>exit;
  store<u64>(cpu, base + <u64>(exit >> 32), VCPU_RIP);
  store<i32>(cpu, budget - <i32>((bits >> EXIT_RETIRED_SHIFT) & EXIT_RETIRED_MASK), VCPU_BUDGET);
  if ((bits & (SPECIAL | DYNAMIC_BIT)) != SPECIAL) {
    const state = bits & SPECIAL ? kind : bits;
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
  if (bits & ROTATED) replaceCarryOverflow(cpu, flagsOfRotate(bits, rotated));
  return (bits >> EXIT_STATUS_SHIFT) & EXIT_STATUS_MASK;
}

/** CF and OF, at their places, of a rotate by one that had the result. */
function flagsOfRotate(state: u32, result: u64): u32 {
  const size: u64 = state & ROTATED_NARROW ? 32 : 64;
  const right = (state & ROTATED_RIGHT) != 0;
  const carry = (<u32>(result >> (right ? size - 1 : 0))) & 1;
  const other = (<u32>(result >> (right ? size - 2 : size - 1))) & 1;
  return carry | ((carry ^ other) << 11);
}
