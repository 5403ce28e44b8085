/**
 * Which target of a region an address is: a table in the region's data, of { u32 number of the target, i32 position } each,
 * that is looked up by some bits of the position. The bits are chosen so that no two targets fall together.
 */
import type { Emitter } from './emitter.ts';
import { local } from './locals.ts';
import type { Block } from './region.ts';
import { op } from './wasm-writer.ts';

const SLOT_BYTES = 8;
const SLOTS_MINIMUM = 4;
const SLOTS_MAXIMUM = 1024;
const SHIFTS = 12;

export interface TargetLookup {
  /** Offset of the table in the region's data. */
  readonly at: number;
  /** Pushes the address of the slot for RIP (in its local), less the table's offset. */
  pushSlot(e: Emitter): void;
}

/** `place` makes bytes, a multiple of 16, part of the data. null = there are no bits that keep the targets apart. */
export function placeLookup(targets: readonly Block[], place: (bytes: Uint8Array) => number): TargetLookup | null {
  const positions = targets.map((block) => block.start);
  const bits = distinguishingBits(positions);
  if (bits === null) return null;
  const { shift, slots } = bits;
  const table = new Int32Array((slots * SLOT_BYTES) / 4);
  // A slot nobody has says the truth about the first target.
  for (let slot = 0; slot < slots; slot++) table.set([0, positions[0] ?? 0], slot * 2);
  positions.forEach((position, number) => {
    table.set([number, position], ((position >> shift) & (slots - 1)) * 2);
  });
  const at = place(new Uint8Array(table.buffer));
  return {
    at,
    pushSlot: (e) => {
      const { w } = e;
      w.get(local.rip);
      w.get(local.page);
      w.emit(op.i64Sub, op.i32WrapI64);
      w.i32(shift);
      w.emit(op.i32ShrS);
      w.i32(slots - 1);
      w.emit(op.i32And);
      w.i32(3);
      w.emit(op.i32Shl);
      w.get(local.data);
      w.emit(op.i32Add);
    },
  };
}

function distinguishingBits(positions: readonly number[]): { shift: number; slots: number } | null {
  let slots = SLOTS_MINIMUM;
  while (slots < positions.length) slots *= 2;
  for (; slots <= SLOTS_MAXIMUM; slots *= 2) {
    for (let shift = 0; shift < SHIFTS; shift++) {
      const seen = new Set(positions.map((position) => (position >> shift) & (slots - 1)));
      if (seen.size === positions.length) return { shift, slots };
    }
  }
  return null;
}
