import { describe, expect, it } from 'vitest';
import { TextWatch } from './text-watch.ts';

function firstMatch(pattern: string | RegExp, pieces: readonly string[]): [number, string] | undefined {
  const watch = new TextWatch(pattern, '');
  for (const [i, piece] of pieces.entries()) {
    watch.add(piece);
    const found = watch.search();
    if (found !== undefined) return [i, found];
  }
  return undefined;
}

describe('TextWatch', () => {
  it.each<[string | RegExp, string[], [number, string] | undefined]>([
    ['login:', ['debian lo', 'gin', ': '], [2, 'login:']],
    ['aab', ['a', 'a', 'a', 'b'], [3, 'aab']],
    [/up (\d+) ms/, ['up 1', '2 m', 's'], [2, 'up 12 ms']],
    [/^done$/m, ['not done\nnearly do', 'ne\ndo', 'ne\n'], [2, 'done']],
    ['never', ['nev', 'ver', 'neve'], undefined],
    ['', ['anything'], [0, '']],
  ])('finds %s in %j: %j', (pattern, pieces, expected) => {
    expect(firstMatch(pattern, pieces)).toEqual(expected);
  });

  it('sees what was there before it started', () => {
    expect(new TextWatch('ready', 'system ready\n').search()).toBe('ready');
  });

  it('is not misled by the state of a global or sticky expression', () => {
    const pattern = /x/gy;
    pattern.lastIndex = 50;
    expect(new TextWatch(pattern, 'a x').search()).toBe('x');
    expect(pattern.lastIndex).toBe(50);
  });

  it('finds a match across pieces late in a long stream', () => {
    const line = `${'.'.repeat(70)}\n`;
    for (const pattern of ['needle in hay', /needle\s+in hay/]) {
      const watch = new TextWatch(pattern, '');
      for (let i = 0; i < 3000; i++) {
        watch.add(line);
        expect(watch.search()).toBeUndefined();
      }
      watch.add('need');
      expect(watch.search()).toBeUndefined();
      watch.add('le in hay');
      expect(watch.search()).toBe('needle in hay');
    }
  });
});
