/**
 * What is implemented is tested: every form of every row of the instruction table has vectors made on a real CPU or, where a CPU
 * in user mode cannot speak for it, a named scenario.
 */
import { describe, expect, it } from 'vitest';
import { rows } from './table/index.ts';
import { formsOf, rowName } from './testing/forms.ts';
import { GROUPS } from './testing/groups.ts';
import { hasVectors, loadVectors } from './testing/run-vectors.ts';
import { scenarioGroups } from './testing/scenarios.ts';

const vectorKeys = new Set(
  GROUPS.filter(hasVectors).flatMap((group) =>
    loadVectors(group)
      .forms.filter((form) => form.encodings.some((encoding) => encoding.cases.length > 0))
      .map((form) => form.key),
  ),
);
const scenarioCovers = scenarioGroups.flatMap(({ scenarios }) => scenarios.flatMap(({ covers }) => covers));
const covered = new Set(scenarioCovers);
const forms = rows.flatMap(formsOf);

describe('coverage of the instruction table', () => {
  it('every form has vectors or a named scenario', () => {
    const missing = forms.filter((form) => !vectorKeys.has(form.key) && !covered.has(form.key) && !covered.has(rowName(form.row)));
    expect(missing.map((form) => form.key)).toEqual([]);
  });

  it('scenarios name rows and forms that exist', () => {
    const known = new Set([...forms.map((form) => form.key), ...rows.map(rowName)]);
    expect(scenarioCovers.filter((name) => !known.has(name))).toEqual([]);
  });

  it('vectors are of forms that exist', () => {
    const known = new Set(forms.map((form) => form.key));
    const stale = [...vectorKeys].filter((key) => !known.has(key) && !/^(special|program)\b/.test(key));
    expect(stale, 'make the vectors again with `npm run oracle`').toEqual([]);
  });

  it('no two rows have the same form', () => {
    const keys = forms.map((form) => form.key);
    expect(keys.filter((key, index) => keys.indexOf(key) !== index)).toEqual([]);
  });
});
