import { describe, expect, it } from 'vitest';
import { parseOptions, UsageError } from './getopt.ts';

const FLAG = { name: 'quiet', spellings: ['-q', '--quiet'] };
const DIGIT = { name: 'one', spellings: ['-1'] };

describe('words that begin with a dash and a digit', () => {
  it('are operands where no option is a digit', () => {
    expect(parseOptions(['demo', '-5', '-q'], [FLAG])).toMatchObject({ operands: ['demo', '-5'] });
  });

  it('are options where one is', () => {
    const parsed = parseOptions(['-1', 'words'], [FLAG, DIGIT]);
    expect(parsed.has('one')).toBe(true);
    expect(parsed.operands).toEqual(['words']);
    expect(() => parseOptions(['-x'], [DIGIT])).toThrow(UsageError);
  });
});
