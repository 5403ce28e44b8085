/**
 * What keeps guest accesses in the order that x86 promises on a host that does not promise it (ARCHITECTURE.md, "Memory order"). The
 * build has it or not: ORDERED is a constant that scripts/build-core.ts gives to the compiler.
 */
import { VCPU_FENCE } from './layout';

/** Whether this core keeps the order by itself. */
export function ordersAccesses(): i32 {
  // @ts-ignore: a constant of the build
  return ORDERED;
}

/** In front of each access: keeps it behind all accesses before. */
// @ts-ignore: decorator
@inline
export function orderAccess(cpu: usize): void {
  // @ts-ignore: a constant of the build
  if (ORDERED) fence(cpu);
}

/**
 * A sequentially consistent store and load of a word of our own keep everything before apart from everything after: on x86 the
 * store is a locked exchange, on ARM no access passes a store-release and load-acquire pair. (The compiler cannot emit atomic.fence.)
 */
// @ts-ignore: decorator
@inline
export function fence(cpu: usize): void {
  atomic.store<u32>(cpu, 0, VCPU_FENCE);
  atomic.load<u32>(cpu, VCPU_FENCE);
}
