/** Fences between guest accesses, where a core wants them. */
import { describe, expect, it } from 'vitest';
import { VCPU_INSTRUCTIONS_TRANSLATED } from '../cpu/layout.ts';
import { AccessOrder } from './access-order.ts';
import { ProgramMachine, outcomeDifferences } from './testing/program-machine.ts';
import { randomProgram } from './testing/random-program.ts';
import { FunctionWriter } from './wasm-writer.ts';

const FENCE = [0xfe, 0x03, 0x00];

/** Accesses in turn: l, s and a (locked) where there is a fence in front of each, . = a join of control flow, F = the guest's own fence. */
function fenced(accesses: string, enabled = true): string {
  const w = new FunctionWriter();
  const order = new AccessOrder(w, enabled);
  let text = '';
  for (const access of accesses) {
    const before = w.length;
    const join = (): void => {
      w.block();
      w.end();
    };
    if (access === 'l') order.beforeLoad();
    else if (access === 's') order.beforeStore();
    else if (access === 'a') order.beforeLocked();
    else if (access === 'F') order.fence();
    else if (access === '.') join();
    else order.across(join);
    if (access === '.' || access === ' ') continue;
    const written = [...w.bytes.subarray(before, w.length)];
    expect(written.length === 0 ? FENCE : written).toEqual(FENCE);
    text += (written.length > 0 ? '|' : '') + access;
  }
  return text;
}

describe('fences', () => {
  it.each([
    ['loads are kept apart', 'lll', '|l|l|l'],
    ['stores are kept apart', 'sss', '|s|s|s'],
    ['a store stays behind a load', 'ls', '|l|s'],
    ['a load may pass a store', 'sl', '|sl'],
    ['but no load before that', 'sll', '|sl|l'],
    ['nothing passes a locked operation', 'sal', '|s|a|l'],
    ['nothing passes a locked operation', 'las', '|l|a|s'],
    ['what the guest fences needs no second fence', 'lFls', '|l|Fl|s'],
    ['a look-up in between changes nothing', 's l', '|sl'],
    ['nothing is known behind a join', 's.l', '|s|l'],
  ])('%s: %s', (_, accesses, expected) => {
    expect(fenced(accesses)).toBe(expected);
  });

  it('are not there unless they are wanted', () => {
    expect(fenced('lslaF', false)).toBe('lslaF');
  });
});

/** Occurrences of the fence's bytes. */
function fencesIn(wasm: Uint8Array): number {
  return wasm.reduce((count, _, at) => count + (FENCE.every((byte, n) => wasm[at + n] === byte) ? 1 : 0), 0);
}

describe('translated programs', () => {
  it.each([
    ['core', 0, 0],
    ['core-ordered', 500, Infinity],
  ] as const)('end as interpreted, with the fences that the %s wants', (variant, least, most) => {
    const failures: string[] = [];
    let translated = 0n;
    let fences = 0;
    for (let seed = 101; seed <= 110; seed++) {
      const program = randomProgram(seed);
      const machine = new ProgramMachine(program, variant);
      const onModule = (wasm: Uint8Array): void => {
        fences += fencesIn(wasm);
      };
      const outcome = machine.translate(seed, { everything: true, onModule });
      const lines = outcomeDifferences(new ProgramMachine(program, 'core').interpret(), outcome);
      if (lines.length > 0) failures.push(`seed ${seed}: ${lines.slice(0, 4).join('; ')}`);
      translated += machine.fixture.getU64(machine.fixture.cpu + VCPU_INSTRUCTIONS_TRANSLATED);
    }
    expect(failures).toEqual([]);
    expect(translated).toBeGreaterThan(1000n);
    expect(fences).toBeGreaterThanOrEqual(least);
    expect(fences).toBeLessThanOrEqual(most);
  });
});
