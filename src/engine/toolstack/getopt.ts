/**
 * Options of a command line, GNU style: options and operands in any order, short ones joined (-lv), values joined or in the
 * next word (-f FILE, -fFILE, --path=DIR), "--" ends the options.
 */
import { XendError } from './xend-error.ts';

export interface OptionSpecification {
  /** Canonical name: the one under which it is found afterwards. */
  readonly name: string;
  /** As written: '-q', '--quiet'. */
  readonly spellings: readonly string[];
  readonly takesValue?: boolean;
}

export class UsageError extends XendError {}

export interface ParsedOptions {
  readonly operands: readonly string[];
  has(name: string): boolean;
  /** The last value given. */
  value(name: string): string | undefined;
}

/** Throws UsageError for an unknown option or a missing value. */
export function parseOptions(words: readonly string[], specifications: readonly OptionSpecification[]): ParsedOptions {
  const found = new Map<string, string>();
  const operands: string[] = [];
  const queue = [...words];
  const spellings = new Set(specifications.flatMap((specification) => specification.spellings));
  // Numbers below zero are operands, but for programs that have an option of that digit.
  const isNegativeNumber = (word: string): boolean => /^-\d/.test(word) && !spellings.has(word.slice(0, 2));
  const lookUp = (spelling: string): OptionSpecification => {
    const specification = specifications.find((candidate) => candidate.spellings.includes(spelling));
    if (specification === undefined) throw new UsageError(`option ${spelling} not recognized`);
    return specification;
  };
  const valueFor = (spelling: string): string => {
    const value = queue.shift();
    if (value === undefined) throw new UsageError(`option ${spelling} requires argument`);
    return value;
  };
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    if (word === '--') {
      operands.push(...queue);
      break;
    }
    if (word.startsWith('--')) {
      const at = word.indexOf('=');
      const spelling = at < 0 ? word : word.slice(0, at);
      const specification = lookUp(spelling);
      if (specification.takesValue === true) found.set(specification.name, at < 0 ? valueFor(spelling) : word.slice(at + 1));
      else if (at >= 0) throw new UsageError(`option ${spelling} must not have an argument`);
      else found.set(specification.name, '');
    } else if (word.startsWith('-') && word.length > 1 && !isNegativeNumber(word)) {
      for (let at = 1; at < word.length; at++) {
        const spelling = `-${word[at] ?? ''}`;
        const specification = lookUp(spelling);
        if (specification.takesValue !== true) {
          found.set(specification.name, '');
          continue;
        }
        found.set(specification.name, at + 1 < word.length ? word.slice(at + 1) : valueFor(spelling));
        break;
      }
    } else operands.push(word);
  }
  return { operands, has: (name) => found.has(name), value: (name) => found.get(name) };
}
