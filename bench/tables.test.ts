import { describe, expect, it } from 'vitest';
import { UsageError, readOptions } from './options.ts';
import { geometricMean, median, type Result } from './report.ts';
import { chosenPrograms, parseResult } from './set.ts';
import { changes, tables } from './tables.ts';

function resultOf(webxen: readonly number[]): Result {
  const sample = (elapsed: number): { elapsed: number; cpu: number; hostCpu: number } => ({
    elapsed,
    cpu: elapsed,
    hostCpu: elapsed * 2,
  });
  return {
    date: '2026-01-02T03:04:05.678Z',
    machine: { processor: 'some', processors: 2, node: '20' },
    versions: { browser: '1' },
    settings: { rounds: webxen.length, translator: 'on' },
    notes: ['no v86'],
    boot: [],
    programs: [
      { name: 'sieve', what: '', samples: { webxen: webxen.map(sample), qemu: [sample(2)] } },
      { name: 'pipe', what: '', samples: { qemu: [sample(1)] } },
    ],
    whole: [],
    feel: [],
  };
}

describe('figures', () => {
  it('medians and geometric means', () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5]);
    expect(geometricMean([2, 8, undefined])).toBeCloseTo(4);
    expect(geometricMean([])).toBeUndefined();
  });

  it('shows medians and ratios, and leaves out what was not measured', () => {
    const text = tables(resultOf([5, 1, 3]));
    expect(text).toMatch(/^sieve +3\.000 +2\.000 +1\.50$/m);
    expect(text).toMatch(/^pipe +- +1\.000 +-$/m);
    expect(text).toContain('note: no v86');
  });

  it('compares with an earlier result', () => {
    expect(changes(resultOf([1]), resultOf([2]))).toMatch(/^sieve +2\.000 +1\.000 +0\.50 +0\.50$/m);
  });
});

describe('lines of programs', () => {
  it('are read among other output', () => {
    expect(parseResult('noise\r\nsieve 00000000000000ff user 12 system 3 elapsed 20\r\n')).toEqual({
      name: 'sieve',
      checksum: '00000000000000ff',
      userUs: 12,
      systemUs: 3,
      elapsedUs: 20,
    });
    expect(() => parseResult('Segmentation fault')).toThrow('not a result of a program: Segmentation fault');
  });

  it('come from programs that there are', () => {
    expect(chosenPrograms('pipe,sieve').map(({ name }) => name)).toEqual(['pipe', 'sieve']);
    expect(() => chosenPrograms('sieve,nonesuch')).toThrow('There is no program nonesuch');
  });
});

describe('options', () => {
  it('choose everything, or parts', () => {
    expect([...(readOptions([])?.parts ?? [])]).toEqual(['programs', 'boot', 'whole', 'feel', 'smp', 'idle', 'pauses']);
    expect([...(readOptions(['--only', 'sieve'])?.parts ?? [])]).toEqual(['programs']);
    expect(readOptions(['--quick'])?.rounds).toBe(1);
    expect(readOptions(['--help'])).toBeUndefined();
  });

  it.each([
    [['--rounds', '0']],
    [['--without', 'bochs']],
    [['--translator', 'maybe']],
    [['--memory-order', 'weak']],
    [['--nonsense']],
  ])('refuse %j', (words) => {
    expect(() => readOptions(words)).toThrow(UsageError);
  });
});
