/** What a native test changed, in the form in which vectors keep it. */
import { CODE_ADDRESS, CODE_PAGES } from '../../src/engine/cpu/testing/address-map.ts';
import { FX_FTW, FX_MXCSR, FX_ST, FX_XMM } from '../../src/engine/cpu/testing/machine-state.ts';
import type { MemoryChange, Outcome, RegisterValue } from '../../src/engine/cpu/testing/vectors.ts';
import type { NativeResult, NativeTest } from './native.ts';

const VECTOR_GP = 13;

/** Parts of the FXSAVE image that belong to the instructions: not the x87 pointers, which vendors keep differently. */
const FX_PARTS: readonly (readonly [start: number, length: number])[] = [
  [0, 2], // FCW
  [2, 2], // FSW
  [FX_FTW, 1],
  [FX_MXCSR, 4],
  ...Array.from({ length: 8 }, (_, register) => [FX_ST + 16 * register, 10] as const),
  ...Array.from({ length: 16 }, (_, register) => [FX_XMM + 16 * register, 16] as const),
];

export function outcomeOf(test: NativeTest, result: NativeResult, hlt: number): Outcome {
  const before = test.input.state;
  const after = result.state;
  const registers: RegisterValue[] = [];
  for (let register = 0; register < 16; register++) {
    const value = after.gpr[register] ?? 0n;
    if (value !== before.gpr[register]) registers.push({ register, value });
  }
  const fx: MemoryChange[] = [];
  for (const [start, length] of FX_PARTS) {
    const bytes = after.fx.slice(start, start + length);
    if (bytes.some((byte, at) => byte !== before.fx[start + at])) fx.push({ address: start, bytes });
  }
  const end = BigInt(test.address + test.code.length);
  const offset = Number(after.rip) - test.address;
  const inCode = after.rip >= BigInt(CODE_ADDRESS) && after.rip < BigInt(CODE_ADDRESS + CODE_PAGES * 4096);
  const byteAtRip = offset >= 0 && offset < test.code.length ? test.code[offset] : hlt;
  const finished = result.vector === VECTOR_GP && result.error === 0 && inCode && byteAtRip === hlt;
  return {
    fault: finished ? null : { vector: result.vector, error: result.error, address: result.faultAddress },
    ripDelta: after.rip - end,
    rflags: after.rflags,
    registers,
    fx,
    memory: result.memory,
  };
}
