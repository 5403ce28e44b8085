/** A test while it is made: what the tuners look at and change. */
import { dataOffset } from '../../src/engine/cpu/testing/address-map.ts';
import type { Form } from '../../src/engine/cpu/testing/forms.ts';
import type { MachineState } from '../../src/engine/cpu/testing/machine-state.ts';
import type { Random } from '../../src/engine/cpu/testing/random.ts';
import type { Flavour } from '../../src/engine/cpu/testing/values.ts';
import type { MemoryRange, Patch } from '../../src/engine/cpu/testing/vectors.ts';
import type { Choice } from './encode.ts';
import type { Place } from './operands.ts';

export interface Draft {
  readonly form: Form;
  readonly random: Random;
  choice: Choice;
  readonly address: number;
  readonly place: Place;
  /** Linear address of the memory operand, where there is one. */
  target: bigint | null;
  /** Seeded state with the overrides made so far. */
  readonly state: MachineState;
  readonly overrides: Map<number, bigint>;
  readonly patches: Patch[];
  readonly ignored: MemoryRange[];
  readonly seed: number;
  readonly flavour: Flavour;
}

export function setRegister(draft: Draft, register: number, value: bigint): void {
  const wrapped = BigInt.asUintN(64, value);
  draft.overrides.set(register, wrapped);
  if (register < 16) draft.state.gpr[register] = wrapped;
}

/** Puts bytes (or seeded values) where they fall on writable pages; what falls outside is left out. */
export function patch(draft: Draft, address: bigint, length: number, content: Uint8Array | Flavour): void {
  let start = Number(BigInt.asUintN(64, address));
  if (address < 0n || address > 0x7fffffffn) return;
  let end = start + length;
  const mapped = (at: number): boolean => {
    const offset = dataOffset(at);
    return offset >= 0 && offset < 3 * 4096;
  };
  while (start < end && !mapped(start)) start++;
  while (end > start && !mapped(end - 1)) end--;
  if (start >= end) return;
  const skipped = start - Number(address);
  const part = typeof content === 'string' ? content : content.slice(skipped, skipped + end - start);
  draft.patches.push({ address: start, length: end - start, content: part });
}
