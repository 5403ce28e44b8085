/**
 * Whether operands and results raise no flag but perhaps the inexact one. An ordinary operand is normal, infinite or zero: no
 * denormal, no NaN. A result must be finite, which also says that no operand was infinite where that matters and none a NaN;
 * a product, quotient or narrowed number must be clear of underflow as well. Its smallest normal magnitude itself counts as
 * unclear, since a tiny result may have been rounded up to it.
 *
 * The vector forms give all ones in the lanes that are in order.
 */

export const MIN_NORMAL_32: f32 = reinterpret<f32>(0x00800000);
export const MIN_NORMAL_64: f64 = reinterpret<f64>(0x0010000000000000);

// @ts-ignore: decorator
@inline
export function isOrdinary64(a: f64): bool {
  return abs(a) >= MIN_NORMAL_64 || a == 0;
}

// @ts-ignore: decorator
@inline
export function isOrdinary32(a: f32): bool {
  return abs(a) >= MIN_NORMAL_32 || a == 0;
}

// @ts-ignore: decorator
@inline
export function isFinite64(a: f64): bool {
  return abs(a) < Infinity;
}

// @ts-ignore: decorator
@inline
export function isFinite32(a: f32): bool {
  return abs(a) < <f32>Infinity;
}

/** Finite and clear of underflow. */
// @ts-ignore: decorator
@inline
export function isClear64(a: f64): bool {
  return abs(a) > MIN_NORMAL_64 && isFinite64(a);
}

// @ts-ignore: decorator
@inline
export function isClear32(a: f32): bool {
  return abs(a) > MIN_NORMAL_32 && isFinite32(a);
}

// @ts-ignore: decorator
@inline
export function ordinaryLanes64(a: v128): v128 {
  return v128.or(f64x2.ge(f64x2.abs(a), f64x2.splat(MIN_NORMAL_64)), f64x2.eq(a, f64x2.splat(0)));
}

// @ts-ignore: decorator
@inline
export function ordinaryLanes32(a: v128): v128 {
  return v128.or(f32x4.ge(f32x4.abs(a), f32x4.splat(MIN_NORMAL_32)), f32x4.eq(a, f32x4.splat(0)));
}

// @ts-ignore: decorator
@inline
export function finiteLanes64(a: v128): v128 {
  return f64x2.lt(f64x2.abs(a), f64x2.splat(Infinity));
}

// @ts-ignore: decorator
@inline
export function finiteLanes32(a: v128): v128 {
  return f32x4.lt(f32x4.abs(a), f32x4.splat(<f32>Infinity));
}

/** Finite, and clear of underflow or made of a zero operand (`fromZero`: the lanes that are). */
// @ts-ignore: decorator
@inline
export function clearOrZeroLanes64(a: v128, fromZero: v128): v128 {
  return v128.and(v128.or(f64x2.gt(f64x2.abs(a), f64x2.splat(MIN_NORMAL_64)), fromZero), finiteLanes64(a));
}

// @ts-ignore: decorator
@inline
export function clearOrZeroLanes32(a: v128, fromZero: v128): v128 {
  return v128.and(v128.or(f32x4.gt(f32x4.abs(a), f32x4.splat(MIN_NORMAL_32)), fromZero), finiteLanes32(a));
}

// @ts-ignore: decorator
@inline
export function zeroLanes64(a: v128): v128 {
  return f64x2.eq(a, f64x2.splat(0));
}

// @ts-ignore: decorator
@inline
export function zeroLanes32(a: v128): v128 {
  return f32x4.eq(a, f32x4.splat(0));
}
