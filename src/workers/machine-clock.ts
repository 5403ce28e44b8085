/**
 * The machine clock on one thread: nanoseconds since the machine was powered on. Each worker's performance.now has an origin of
 * its own; timeOrigin puts them on one scale.
 */
import type { Clock } from '../engine/hypervisor/platform.ts';

/** A worker's `performance` is looked up by a getter that takes six times as long as reading the clock. */
const { performance } = globalThis;

/** Milliseconds on this thread's own scale. */
export function nowMs(): number {
  return performance.now();
}

/** Milliseconds since 1970 on the monotonic clock: what power-on is remembered as. */
export function monotonicMs(): number {
  return performance.timeOrigin + performance.now();
}

/** @param powerOnMs monotonicMs() of the thread that powered the machine on, when it did */
export function machineClock(powerOnMs: number): Clock {
  const offsetMs = performance.timeOrigin - powerOnMs;
  return {
    nowNs: () => Math.max(0, (performance.now() + offsetMs) * 1e6),
    wallNs: () => BigInt(Date.now()) * 1_000_000n,
  };
}
