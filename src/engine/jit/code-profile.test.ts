import { describe, expect, it } from 'vitest';
import { EXIT_BLOCK, EXIT_BUDGET, VCPU_BUDGET, VCPU_INSTRUCTIONS, VCPU_INSTRUCTIONS_TRANSLATED, VCPU_RIP } from '../cpu/layout.ts';
import { CodeProfile, addProfiles } from './code-profile.ts';

/** A core that runs at addresses in turn, half of it translated, and blocks when told to. */
function scripted(addresses: readonly bigint[], blocksAfter: number): { profile: CodeProfile; run: (budget: number) => number } {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const view = new DataView(memory.buffer);
  let ns = 0;
  let turns = 0;
  const profile = new CodeProfile(memory, 0, () => ns);
  const core = profile.around({
    run(cpu: number, budget: number): number {
      const add = (offset: number, count: number): void =>
        view.setBigUint64(cpu + offset, view.getBigUint64(cpu + offset, true) + BigInt(count), true);
      add(VCPU_INSTRUCTIONS, budget);
      add(VCPU_INSTRUCTIONS_TRANSLATED, Math.floor(budget / 2));
      view.setBigUint64(cpu + VCPU_RIP, addresses[turns % addresses.length]!, true);
      // As the core does: nothing of the budget is left.
      view.setInt32(cpu + VCPU_BUDGET, 0, true);
      ns += budget;
      turns += 1;
      return turns === blocksAfter ? EXIT_BLOCK : EXIT_BUDGET;
    },
  });
  return { profile, run: (budget) => core.run(0, budget) };
}

describe('CodeProfile', () => {
  it('puts time and instructions down to where runs end, and runs as far as it was asked to', () => {
    const { profile, run } = scripted([0xffff_ffff_8100_0000n, 0x401000n], Infinity);
    expect(run(20_000)).toBe(EXIT_BUDGET);
    const part = profile.take()!;
    expect(part.samples.map(([address]) => address)).toEqual([0xffff_8100_0000, 0x401000]);
    const sum = (field: 1 | 2 | 3 | 4): number => part.samples.reduce((all, sample) => all + sample[field], 0);
    expect([sum(2), sum(3) + sum(4)]).toEqual([20_000, 20_000]);
    expect(part.exits).toEqual([[EXIT_BUDGET, 1]]);
    expect(profile.take()).toBeUndefined();
  });

  it('hands on why a run ended early', () => {
    const { profile, run } = scripted([0x401000n], 2);
    expect(run(20_000)).toBe(EXIT_BLOCK);
    expect(profile.take()!.samples[0]![1]).toBe(2);
  });

  it('knows regions by the addresses of the entry and of the instructions', () => {
    const { profile } = scripted([0n], Infinity);
    const at = (...places: [position: number, length: number][]): never =>
      places.map(([position, length]) => ({ position, length })) as never;
    const block = { start: 16, context: null, instructions: at([16, 2], [18, 5], [-4, 1]), next: null, taken: null };
    const copy = { ...block, instructions: at([18, 5], [23, 3]) };
    profile.regionMade(0x402000n, { blocks: [block, copy], instructions: 5 });
    expect(profile.take()!.regions).toEqual([[0x402010, 5, 0x401ffc, 0x401ffd, 0x402010, 0x40201a]]);
  });
});

describe('pauses', () => {
  it('are timed where regions were made, and by their parts', () => {
    let ns = 0;
    const profile = new CodeProfile(new WebAssembly.Memory({ initial: 1 }), 0, () => ns);
    const made = {
      blocks: [{ start: 0, context: null, instructions: [{ position: 0, length: 1 }] as never, next: null, taken: null }],
    };
    let busy = false;
    const translator = profile.timed({
      sampleInstructions: 5,
      sample: () => {
        ns += 1;
        if (!busy) return;
        profile.regionMade(0n, { ...made, instructions: 9 });
        ns += 20;
        profile.moduleMade();
        ns += 300;
      },
    });
    expect(translator.sampleInstructions).toBe(5);
    translator.sample();
    busy = true;
    translator.sample();
    expect(profile.take()?.pauses).toEqual([[321, 1, 20, 9]]);
  });
});

describe('addProfiles', () => {
  it('adds up by address and by reason', () => {
    const part = {
      samples: [[16, 1, 2, 3, 4]] as [number, number, number, number, number][],
      regions: [],
      exits: [[0, 5]] as const,
      pauses: [[4, 3, 1, 7]] as [number, number, number, number][],
    };
    expect(addProfiles([part, part])).toEqual({
      samples: [[16, 2, 4, 6, 8]],
      regions: [],
      exits: [[0, 10]],
      pauses: [...part.pauses, ...part.pauses],
    });
  });
});
