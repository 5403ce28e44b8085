import { expect, test } from 'vitest';
import { HotThreshold } from './hot-threshold.ts';

const INTERPRETED = 20_000;

/** Thresholds at samples between which so many times as much was executed as interpreted. */
function thresholds(threshold: HotThreshold, times: number, samples: number, from = 0): number[] {
  return Array.from({ length: samples }, (_, n) => threshold.next(from + (n + 1) * times * INTERPRETED));
}

const create = (): HotThreshold => new HotThreshold(INTERPRETED, { threshold: 48, lowThreshold: 8 });

test('it is the higher one while most is interpreted', () => {
  expect(new Set(thresholds(create(), 1, 500))).toEqual(new Set([48]));
  expect(new Set(thresholds(create(), 4, 1000))).toEqual(new Set([48]));
});

test('it is the lower one when next to nothing is, which a few samples do not say yet', () => {
  const [first = 0, ...others] = thresholds(create(), 100, 1000);
  expect(first).toBe(48);
  expect(others.at(-1)).toBe(8);
  expect(others.slice(0, 100).every((each) => each === 48)).toBe(true);
});

test('it is between them when a part is, and follows the part', () => {
  const threshold = create();
  expect(thresholds(threshold, 8, 1000).at(-1)).toBeCloseTo(24, 0);
  expect(thresholds(threshold, 1, 500, 1000 * 8 * INTERPRETED).at(-1)).toBe(48);
});

test('where one sample is enough it is always one', () => {
  const threshold = new HotThreshold(4000, { threshold: 1, lowThreshold: 1 });
  expect(
    thresholds(threshold, 1000, 50)
      .concat(thresholds(threshold, 1, 50))
      .every((each) => each === 1),
  ).toBe(true);
});
