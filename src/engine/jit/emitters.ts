/** Which emitter an instruction has. Those of transfers of control are the translator's own matter (translate.ts). */
import { VCPU_FENCE } from '../cpu/layout.ts';
import { bitEmitters } from './emit-bits.ts';
import { divideAccumulator } from './emit-divide.ts';
import { type EmitInstruction, integerEmitters, storeRm } from './emit-integer.ts';
import { exchangeEmitters, lockedEmitters } from './emit-lock.ts';
import { doubleShiftEmitters, rotateThroughCarry } from './emit-shift-double.ts';
import { shiftEmitters } from './emit-shift.ts';
import { vectorEmitters } from './emit-sse.ts';
import { stringEmitters } from './emit-string.ts';
import { local } from './locals.ts';
import { isThroughCarry } from './flags.ts';
import { type Instruction, inMemory, isLocked } from './instruction.ts';

/** MOVNTI is a plain store: caches cannot be seen. */
const storeRegister: EmitInstruction = (e, i) => {
  storeRm(e, i, e.registerValue(i.reg, i.size, local.t0));
};

const plain: Readonly<Record<string, EmitInstruction>> = {
  ...vectorEmitters,
  ...integerEmitters,
  ...shiftEmitters,
  ...doubleShiftEmitters,
  ...bitEmitters,
  ...exchangeEmitters,
  ...stringEmitters,
  divideAccumulator,
  prefetch: () => undefined,
  fence: (e) => {
    e.order.fence();
    // A store that is ordered behind all others, in a field that nobody reads.
    e.w.get(local.cpu);
    e.w.i32(0);
    e.w.atomicStore32(VCPU_FENCE);
  },
  movnti32: storeRegister,
  movnti64: storeRegister,
};

export function emitterOf(i: Instruction): EmitInstruction | undefined {
  // XCHG with memory is locked whatever its prefix.
  if (isLocked(i) || (i.handler === 'xchg' && inMemory(i))) return lockedEmitters[i.handler] ?? plain[i.handler];
  if (i.handler === 'shiftImmediate' && isThroughCarry(i)) return rotateThroughCarry;
  return plain[i.handler];
}
