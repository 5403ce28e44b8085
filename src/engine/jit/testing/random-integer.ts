/** Random forms of the less common general-purpose instructions: narrow shifts, double shifts, bit tests, locked updates, strings. */
import type { Chooser } from './random-program.ts';
import type { VectorWriter } from './random-vector.ts';

const SHIFTS = [0, 1, 4, 5, 7];
const SPACE = 600;

/** One instruction, or a few that belong together, that falls through; `place` gives displacements of data. */
export function rareInstruction(w: VectorWriter, choose: Chooser, place: () => number): void {
  const a = w.register();
  const b = w.register();
  const wide = choose(2) === 0;
  const lock = choose(2) === 0 ? [0xf0] : [];
  const aligned = (bytes: number): number => (choose(6) === 0 ? place() : place() & -bytes);
  const either = (opcode: readonly number[], reg: number, prefix: readonly number[] = []): void => {
    if (choose(2) === 0) w.memory(wide, opcode, reg, place(), prefix);
    else {
      w.put(...prefix);
      w.registers(wide, opcode, reg, a, true);
    }
  };
  switch (choose(16)) {
    case 0:
      either([0xc0], w.pick(SHIFTS));
      w.put(choose(40));
      break;
    case 1:
      if (choose(2) === 0) w.put(0x66);
      w.registers(false, [0xc1], w.pick(SHIFTS), a);
      w.put(choose(40));
      break;
    case 2:
      either([w.pick([0xd2, 0xd3])], w.pick(SHIFTS));
      break;
    case 3:
      either([w.pick([0xd0, 0xd1])], w.pick([2, 3]));
      break;
    case 4:
      either([0x0f, w.pick([0xa4, 0xac])], b);
      w.put(choose(70));
      break;
    case 5:
      either([0x0f, w.pick([0xa5, 0xad])], b);
      break;
    case 6:
      either([0x0f, 0xba], 4 + choose(4));
      w.put(choose(70));
      break;
    case 7:
      w.memory(wide, [0x0f, 0xba], 5 + choose(3), aligned(8), lock);
      w.put(choose(70));
      break;
    case 8: {
      // The number kept small, or the address might be anywhere.
      w.registers(true, [0x83], 4, b);
      w.put(0x7f);
      const opcode = w.pick([0xa3, 0xab, 0xb3, 0xbb]);
      w.memory(wide, [0x0f, opcode], b, aligned(8) % SPACE, opcode === 0xa3 ? [] : lock);
      break;
    }
    case 9:
      w.memory(wide, [0x0f, w.pick([0xc0, 0xc1, 0xb0, 0xb1])], b, aligned(8), lock);
      break;
    case 10:
      w.registers(wide, [0x0f, w.pick([0xc1, 0xb1])], b, a);
      break;
    case 11:
      if (choose(2) === 0) w.memory(wide, [0xff], choose(2), aligned(8), lock);
      else w.memory(wide, [0xf7], w.pick([2, 3]), aligned(8), lock);
      break;
    case 12:
      w.memory(wide, [w.pick([0x00, 0x01, 0x09, 0x11, 0x19, 0x21, 0x29, 0x31])], b, aligned(8), lock);
      break;
    case 13:
      // Division of a zero- or sign-extended accumulator by an odd number.
      w.registers(true, [0x83], 1, a);
      w.put(1);
      if (choose(2) === 0) {
        w.registers(false, [0x31], 2, 2);
        w.registers(wide, [0xf7], 6, a);
      } else {
        if (wide) w.put(0x48);
        w.put(0x99);
        w.registers(wide, [0xf7], 7, a);
      }
      break;
    case 14:
      w.memory(true, [0x0f, 0xc7], 1, choose(60) === 0 ? place() : place() & ~15);
      break;
    default: {
      // lea rdi, lea rsi, mov ecx; the two may overlap.
      const at = choose(SPACE);
      w.memory(true, [0x8d], 7, at);
      w.memory(true, [0x8d], 6, choose(3) === 0 ? at - choose(9) + 4 : choose(SPACE));
      const repeat = choose(3) > 0;
      if (repeat) {
        w.put(0xb9, choose(120), 0, 0, 0);
        w.put(0xf3);
      }
      const opcode = w.pick(repeat ? [0xa4, 0xa5, 0xaa, 0xab] : [0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xad]);
      if (wide) w.put(0x48);
      w.put(opcode);
    }
  }
}
