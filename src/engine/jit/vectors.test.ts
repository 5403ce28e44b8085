/** Exception flags of SSE arithmetic in regions where facts about earlier instructions are made use of. */
import { describe, expect, it } from 'vitest';
import { FX_MXCSR, FX_XMM, newState } from '../cpu/testing/machine-state.ts';
import { HLT } from '../cpu/testing/address-map.ts';
import { ProgramMachine, outcomeDifferences } from './testing/program-machine.ts';
import { PROGRAM_CODE, PROGRAM_DATA_PAGES, PROGRAM_PAGES, PROGRAM_STACK, type RandomProgram } from './testing/random-program.ts';

const DENORMAL = 0x0000000000000001n;
const SMALL = 0x0010000000000000n;
const SMALL_NEXT = 0x0010000000000001n;
const NAN = 0x7ff8000000000000n;
const ONE = 0x3ff0000000000000n;
const ONE_AND_HALF = 0x3ff8000000000000n;
const SINGLE_ONE = 0x3f800000n;
const SINGLE_SMALL = 0x00800000n;
const SINGLE_SMALL_NEXT = 0x00800001n;

/** Default mode with only the inexact flag up. */
const INEXACT = 0x1fa0;
/** MXCSR.DE */
const DENORMAL_FLAG = 2;

const sd = (opcode: number, reg: number, rm: number): number[] => [0xf2, 0x0f, opcode, 0xc0 | (reg << 3) | rm];
const ss = (opcode: number, reg: number, rm: number): number[] => [0xf3, 0x0f, opcode, 0xc0 | (reg << 3) | rm];
const pd = (opcode: number, reg: number, rm: number): number[] => [0x66, 0x0f, opcode, 0xc0 | (reg << 3) | rm];
const ps = (opcode: number, reg: number, rm: number): number[] => [0x0f, opcode, 0xc0 | (reg << 3) | rm];
const ADD = 0x58;
const MULTIPLY = 0x59;
const SUBTRACT = 0x5c;
const MINIMUM = 0x5d;

function program(code: readonly number[], xmm: readonly bigint[], mxcsr: number): RandomProgram {
  const pages = Array.from({ length: PROGRAM_PAGES }, () => new Uint8Array(4096).fill(HLT));
  pages[0]?.set(code);
  const { fx } = newState();
  const view = new DataView(fx.buffer);
  view.setUint32(FX_MXCSR, mxcsr, true);
  // The same in both halves.
  xmm.forEach((bits, n) => {
    view.setBigUint64(FX_XMM + n * 16, bits, true);
    view.setBigUint64(FX_XMM + n * 16 + 8, bits, true);
  });
  const registers = Array.from({ length: 16 }, () => 0n);
  registers[4] = PROGRAM_STACK + 2048n;
  return { pages, registers, start: PROGRAM_CODE, fx, data: new Uint8Array(PROGRAM_DATA_PAGES * 4096) };
}

/** What it is, code, XMM registers, whether DE is up at the end. */
const CASES: readonly (readonly [string, readonly number[][], readonly bigint[], boolean])[] = [
  ['a denormal result is no operand yet', [sd(SUBTRACT, 0, 1)], [SMALL_NEXT, SMALL], false],
  ['a denormal result used', [sd(SUBTRACT, 0, 1), sd(ADD, 0, 2)], [SMALL_NEXT, SMALL, ONE], true],
  ['a denormal result used as the source', [sd(SUBTRACT, 0, 1), sd(ADD, 2, 0)], [SMALL_NEXT, SMALL, ONE], true],
  ['a denormal beside a NaN, then by itself', [sd(ADD, 0, 1), sd(ADD, 2, 1)], [NAN, DENORMAL, ONE], true],
  ['a denormal beside a NaN alone', [sd(ADD, 0, 1)], [NAN, DENORMAL], false],
  ['a copy of a denormal result', [sd(SUBTRACT, 0, 1), sd(0x10, 3, 0), sd(MULTIPLY, 2, 3)], [SMALL_NEXT, SMALL, ONE], true],
  ['the minimum of a denormal result', [sd(SUBTRACT, 0, 1), sd(MINIMUM, 0, 2)], [SMALL_NEXT, SMALL, ONE], true],
  ['packed: a denormal result used', [pd(SUBTRACT, 0, 1), pd(ADD, 2, 0)], [SMALL_NEXT, SMALL, ONE], true],
  ['packed: beside a NaN', [pd(ADD, 0, 1), pd(ADD, 2, 1)], [NAN, DENORMAL, ONE], true],
  ['single: a denormal result used', [ss(SUBTRACT, 0, 1), ss(ADD, 2, 0)], [SINGLE_SMALL_NEXT, SINGLE_SMALL, SINGLE_ONE], true],
  ['packed single: the same', [ps(SUBTRACT, 0, 1), ps(ADD, 2, 0)], [SINGLE_SMALL_NEXT, SINGLE_SMALL, SINGLE_ONE], true],
  ['packed results read as scalar ones', [pd(SUBTRACT, 0, 1), sd(ADD, 2, 0)], [SMALL_NEXT, SMALL, ONE], true],
  ['the same bits read as another format', [sd(ADD, 0, 1), ss(ADD, 2, 0)], [ONE_AND_HALF, ONE + 4n, SINGLE_ONE], true],
];

describe('the denormal flag in regions', () => {
  it.each(CASES)('%s', (_, code, xmm, expected) => {
    for (const mxcsr of [INEXACT, 0x1f80, INEXACT | DENORMAL_FLAG, 0x9fe0]) {
      const test = program(code.flat(), xmm, mxcsr);
      const interpreted = new ProgramMachine(test).interpret();
      const machine = new ProgramMachine(test);
      machine.translator({ everything: true }).translateAt(machine.rip);
      const translated = machine.interpret();
      expect(outcomeDifferences(interpreted, translated)).toEqual([]);
      if (mxcsr !== INEXACT) continue;
      const flags = new DataView(translated.state.fx.buffer).getUint32(FX_MXCSR, true);
      expect((flags & DENORMAL_FLAG) !== 0).toBe(expected);
    }
  });
});
