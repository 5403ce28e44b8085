/** Random programs of many blocks, loops and calls over several pages: translated as interpreted, to the last flag. */
import { describe, expect, it } from 'vitest';
import { VCPU_INSTRUCTIONS_TRANSLATED } from '../cpu/layout.ts';
import { ProgramMachine, outcomeDifferences } from './testing/program-machine.ts';
import { randomProgram } from './testing/random-program.ts';

const SEEDS = 80;
const SEEDS_A_TEST = 10;
const groups = Array.from({ length: SEEDS / SEEDS_A_TEST }, (_, n) => n * SEEDS_A_TEST + 1);

describe.each([
  ['all paths', { everything: true, thorough: false }],
  ['all paths, made thoroughly', { everything: true, thorough: true }],
  ['the paths taken so far', { everything: false, thorough: false }],
])('random programs with regions of %s', (_, options) => {
  it.each(groups)('end as interpreted: seeds from %i', (first) => {
    const failures: string[] = [];
    for (let seed = first; seed < first + SEEDS_A_TEST; seed++) {
      const program = randomProgram(seed);
      const expected = new ProgramMachine(program).interpret();
      const machine = new ProgramMachine(program);
      const lines = outcomeDifferences(expected, machine.translate(seed, options));
      if (lines.length > 0) failures.push(`seed ${seed}: ${lines.slice(0, 4).join('; ')}`);
    }
    expect(failures).toEqual([]);
  });
});

describe('the comparison', () => {
  it('runs translated code', () => {
    let translated = 0n;
    for (let seed = 1; seed <= 8; seed++) {
      const machine = new ProgramMachine(randomProgram(seed));
      machine.translate(seed, { everything: true });
      translated += machine.fixture.getU64(machine.fixture.cpu + VCPU_INSTRUCTIONS_TRANSLATED);
    }
    expect(translated).toBeGreaterThan(1000n);
  });

  it('notices a difference', () => {
    const outcome = new ProgramMachine(randomProgram(3)).interpret();
    const memory = outcome.memory.slice();
    memory[5] = (memory[5] ?? 0) ^ 1;
    expect(outcomeDifferences(outcome, { ...outcome, memory })).toHaveLength(1);
    expect(outcomeDifferences(outcome, { ...outcome, state: { ...outcome.state, rflags: outcome.state.rflags ^ 1 } })).toHaveLength(
      1,
    );
  });
});
