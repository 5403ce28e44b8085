/** Random SSE instructions for random programs: arithmetic over ordinary and special numbers, comparisons, conversions, moves. */
import type { Chooser } from './random-program.ts';

/** What it needs of a writer of code. */
export interface VectorWriter {
  put(...bytes: number[]): void;
  registers(wide: boolean, opcode: readonly number[], reg: number, rm: number, force?: boolean): void;
  memory(wide: boolean, opcode: readonly number[], reg: number, displacement: number, prefix?: readonly number[]): void;
  pick<T>(list: readonly T[]): T;
  register(): number;
}

const ARITHMETIC = [0x51, 0x58, 0x58, 0x59, 0x59, 0x5c, 0x5d, 0x5e, 0x5f];
/** Prefixes of ps, pd, ss, sd; none is 0. */
const PREFIXES = [0, 0x66, 0xf3, 0xf2];
/** Integer arithmetic and logic, unpacking, at 66 0F. */
const LANES = [0x60, 0x62, 0x6c, 0x6d, 0x74, 0x66, 0xd4, 0xd5, 0xdb, 0xdf, 0xeb, 0xef, 0xf4, 0xf6, 0xf8, 0xfe, 0xe4, 0x63, 0x67];
const XMM = 8;
/** The default mode more often than others; the last one has exceptions unmasked. */
const MXCSR = [0x1fa0, 0x1fa0, 0x1fa0, 0x1fa0, 0x1f80, 0x1f80, 0x1fbf, 0x1fa2, 0x1fa2, 0x9fe0, 0x5fa0, 0x3fa0, 0x1d20];
/** Bits of numbers that matter to flags: zeros, denormals, the smallest normal ones, infinities, NaNs, and plain ones. */
const SPECIAL = [
  0x0000000000000000n,
  0x8000000000000000n,
  0x0000000000000001n,
  0x000fffffffffffffn,
  0x0010000000000000n,
  0x0010000000000001n,
  0x7fefffffffffffffn,
  0x7ff0000000000000n,
  0x7ff8000000001234n,
  0x7ff0000000001234n,
  0x0000000100000001n,
  0x007fffff00800000n,
  0x7f80000000800001n,
  0x7fc012347f801234n,
];
const PLAIN = [1, 1.5, -3, 0.1, 12345.678, -1e-3, 1e9, 1 / 3];

function randomQuadword(choose: Chooser): bigint {
  if (choose(4) === 0) return SPECIAL[choose(SPECIAL.length)] ?? 0n;
  const view = new DataView(new ArrayBuffer(8));
  const number = (): number => PLAIN[choose(PLAIN.length)] ?? 1;
  if (choose(3) > 0) view.setFloat64(0, number());
  else {
    view.setFloat32(0, number());
    view.setFloat32(4, number());
  }
  return view.getBigUint64(0);
}

/** MXCSR and XMM registers to start with, in the layout of FXSAVE. */
export function randomVectorState(choose: Chooser, fx: Uint8Array): void {
  const view = new DataView(fx.buffer, fx.byteOffset);
  view.setUint32(24, MXCSR[choose(MXCSR.length)] ?? 0x1f80, true);
  for (let n = 0; n < XMM * 2; n++) view.setBigUint64(160 + n * 8, randomQuadword(choose), true);
}

/** Numbers for the data that programs work on. */
export function randomVectorData(choose: Chooser, data: Uint8Array): void {
  const view = new DataView(data.buffer, data.byteOffset);
  for (let at = 0; at + 8 <= data.length; at += 8) if (choose(2) === 0) view.setBigUint64(at, randomQuadword(choose), true);
}

/** One SSE instruction that falls through; `place` gives displacements of data. */
export function vectorInstruction(w: VectorWriter, choose: Chooser, place: () => number): void {
  const reg = choose(XMM);
  const rm = choose(XMM);
  const prefix = w.pick(PREFIXES);
  const operands = (opcode: readonly number[], bytes: number, before: number = prefix): void => {
    if (choose(3) === 0) {
      w.memory(false, opcode, reg, bytes === 16 ? place() & ~15 : place(), before === 0 ? [] : [before]);
      return;
    }
    if (before !== 0) w.put(before);
    w.registers(false, opcode, reg, rm);
  };
  switch (choose(16)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
      operands([0x0f, w.pick(ARITHMETIC)], prefix < 0x80 ? 16 : 8);
      break;
    case 6:
      operands([0x0f, 0x2e + choose(2)], 8, w.pick([0, 0x66]));
      break;
    case 7: {
      // Packed ones, or scalar ones between registers.
      const opcode = [0x0f, 0xc2];
      operands(opcode, 16);
      w.put(choose(8));
      break;
    }
    case 8:
      // Conversions between the formats, and of doublewords.
      operands([0x0f, 0x5a], prefix < 0x80 ? 16 : 8);
      break;
    case 9:
      w.put(w.pick([0xf2, 0xf3]));
      w.registers(choose(2) === 0, [0x0f, 0x2a], reg, w.register());
      break;
    case 10:
      w.put(w.pick([0xf2, 0xf3]));
      w.registers(choose(2) === 0, [0x0f, w.pick([0x2c, 0x2d])], w.pick([0, 1, 2, 3]), rm);
      break;
    case 11:
      operands([0x0f, w.pick([0x10, 0x28, 0x6f])], 16, 0x66);
      break;
    case 12:
      w.memory(false, [0x0f, 0x11], reg, place(), prefix === 0 ? [] : [prefix]);
      break;
    case 13:
      w.put(w.pick([0xf2, 0xf3]));
      w.registers(false, [0x0f, w.pick([0x10, 0x11])], reg, rm);
      break;
    case 14:
      operands([0x0f, w.pick(LANES)], 16, 0x66);
      break;
    default:
      operands([0x0f, w.pick([0x14, 0x15, 0x54, 0x57, 0x5b])], 16, w.pick([0, 0x66]));
  }
}
