import { expect, test } from 'vitest';
import * as layout from './layout.ts';

/** Not places but sizes and ends. */
const NO_FIELDS = new Set(['VCPU_BLOCKS', 'VCPU_BLOCK_BYTES', 'VCPU_REGION_ARENA_END']);

test('no two fields of a vCPU block are at one place', () => {
  const fields = Object.entries(layout as Record<string, number>).filter(
    ([name]) => name.startsWith('VCPU_') && !NO_FIELDS.has(name),
  );
  expect(fields.length).toBeGreaterThan(80);
  const names = new Map<number, string[]>();
  for (const [name, offset] of fields) names.set(offset, [...(names.get(offset) ?? []), name]);
  expect([...names.values()].filter((sharing) => sharing.length > 1)).toEqual([]);
});
