/**
 * The core against the host's CPU: every vector of every group, made by scripts/oracle on an x86-64 host. Masks of what the
 * manual leaves undefined are part of the vectors.
 */
import { describe, expect, it } from 'vitest';
import { GROUPS } from './testing/groups.ts';
import { prepareInput } from './testing/input.ts';
import { PATHS, VectorMachine, hasVectors, loadVectors, runVectors } from './testing/run-vectors.ts';
import type { Case, Encoding } from './testing/vectors.ts';

describe.each(GROUPS.filter(hasVectors))('instruction vectors: %s', (group) => {
  const file = loadVectors(group);

  it.each(PATHS)('hold for every case: %s', (path) => {
    const report = runVectors(file, path);
    expect(report.sameInputs, 'the input generator changed: make the vectors again with `npm run oracle`').toBe(true);
    expect(report.cases).toBeGreaterThan(0);
    const shown = report.failures
      .slice(0, 20)
      .map(({ key, code, seed, lines }) => `${key} [${code}] seed ${seed}: ${lines.join('; ')}`);
    expect(shown, `${report.failures.length} of ${report.cases} cases differ`).toEqual([]);
  });
});

describe('the comparison itself', () => {
  const file = loadVectors('general');
  const found = file.forms
    .flatMap((form) => form.encodings)
    .find((encoding) => encoding.cases.some((test) => test.outcome.memory.length > 0));
  const encoding = found as Encoding;
  const test = encoding.cases.find((candidate) => candidate.outcome.memory.length > 0) as Case;
  const linesFor = (changed: Case): string[] => {
    const machine = new VectorMachine();
    machine.load(encoding);
    return machine.check('', encoding, changed, prepareInput(changed, encoding.address));
  };

  it('accepts the vector as it stands', () => {
    expect(linesFor(test)).toEqual([]);
  });

  it.each<[string, Partial<Case['outcome']>]>([
    ['a register', { registers: [...test.outcome.registers, { register: 9, value: 0x123456789n }] }],
    ['a flag', { rflags: test.outcome.rflags ^ 1 }],
    ['the place where it ends', { ripDelta: test.outcome.ripDelta + 1n }],
    ['memory', { memory: [] }],
    ['a byte of memory more', { memory: [...test.outcome.memory, { address: 0x20001010, bytes: Uint8Array.of(1, 2, 3, 4) }] }],
    ['an XMM register', { fx: [{ address: 160 + 48, bytes: Uint8Array.of(1, 2, 3, 4) }] }],
    ['the x87 status', { fx: [{ address: 2, bytes: Uint8Array.of(0xff, 0xff) }] }],
    ['the fault', { fault: { vector: 6, error: 0, address: 0n } }],
  ])('notices a difference in %s', (_, outcome) => {
    expect(linesFor({ ...test, undefinedFlags: 0, outcome: { ...test.outcome, ...outcome } })).not.toEqual([]);
  });
});
