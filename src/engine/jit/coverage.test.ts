/** The list of what is translated is that of the code. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { rows } from '../cpu/table/index.ts';
import { coverageDocument } from './coverage.ts';

describe('docs/translator-coverage.md', () => {
  it('is what `npm run coverage` writes', () => {
    expect(readFileSync('docs/translator-coverage.md', 'utf8')).toBe(coverageDocument());
  });

  it('has a line for every row', () => {
    expect(
      coverageDocument()
        .split('\n')
        .filter((line) => line.startsWith('| ')).length,
    ).toBe(rows.length + 2);
  });

  it.each([
    ['| 01 | add |', 'native'],
    ['| 66 0F FE | paddd |', 'native'],
    ['| 66 0F 3A 63 | pcmpistri |', 'handler, all registers'],
    ['| 0F 05 | syscall |', 'interpreter'],
    ['| 11 | adc |', 'native but: 16 bits memory locked'],
  ])('tells of %s', (start, treatment) => {
    const line = coverageDocument()
      .split('\n')
      .find((text) => text.startsWith(start));
    expect(line?.split('|')[4]?.trim()).toMatch(new RegExp(`^${treatment}`));
  });
});
