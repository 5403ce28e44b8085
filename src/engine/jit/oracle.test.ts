/** The translator against the host's CPU: the vectors of the core's tests, with the code of each translated before it runs. */
import { describe, expect, it } from 'vitest';
import { VCPU_INSTRUCTIONS_TRANSLATED } from '../cpu/layout.ts';
import { mnemonicOf } from '../cpu/testing/forms.ts';
import { GROUPS } from '../cpu/testing/groups.ts';
import { prepareInput } from '../cpu/testing/input.ts';
import { VectorMachine, hasVectors, loadVectors } from '../cpu/testing/run-vectors.ts';
import type { TranslatorCore } from './core.ts';
import { EAGER_OPTIONS, Translator } from './translator.ts';

describe.each(GROUPS.filter(hasVectors))('instruction vectors, translated: %s', (group) => {
  it('hold for every case', { timeout: 120_000 }, () => {
    const file = loadVectors(group);
    const machine = new VectorMachine();
    const { fixture } = machine;
    for (const form of file.forms) for (const encoding of form.encodings) machine.load(encoding);
    const core = fixture.exports as unknown as TranslatorCore;
    const translator = new Translator(core, fixture.memory, fixture.cpu, { ...EAGER_OPTIONS, maximumRegions: 20_000 });
    const failures: string[] = [];
    let failed = 0;
    for (const form of file.forms) {
      for (const encoding of form.encodings) {
        translator.translateAt(BigInt(encoding.address));
        for (const test of encoding.cases) {
          const lines = machine.check(mnemonicOf(form.key), encoding, test, prepareInput(test, encoding.address));
          if (lines.length === 0) continue;
          failed++;
          if (failures.length < 20) failures.push(`${form.key} seed ${test.seed}: ${lines.join('; ')}`);
        }
      }
    }
    expect(failures, `${failed} cases differ`).toEqual([]);
    expect(translator.counters.regions).toBeGreaterThan(0);
    expect(fixture.getU64(fixture.cpu + VCPU_INSTRUCTIONS_TRANSLATED)).toBeGreaterThan(0n);
  });
});
