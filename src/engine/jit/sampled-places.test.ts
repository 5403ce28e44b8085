import { expect, test } from 'vitest';
import { SampledPlaces } from './sampled-places.ts';

/** Start of a stretch. */
const STRETCH = 0x12_3400 & ~511;

test('samples of one stretch count together, and its places are told when it is hot', () => {
  const places = new SampledPlaces(48, 10);
  for (let n = 0; n < 40; n += 1) expect(places.add(STRETCH + (n % 4) * 16)).toBeUndefined();
  for (let n = 0; n < 2; n += 1) expect(places.add(STRETCH + 0x100)).toBeUndefined();
  for (let n = 0; n < 5; n += 1) expect(places.add(STRETCH + 0x1f0)).toBeUndefined();
  // What was sampled twice is not worth an entry.
  expect(places.add(STRETCH + 0x80)).toEqual([0x80, 0, 0x10, 0x20, 0x30, 0x1f0].map((offset) => STRETCH + offset));
  expect(places.add(STRETCH)).toBeUndefined();
});

test('stretches count apart', () => {
  const places = new SampledPlaces(2, 10);
  expect(places.add(STRETCH + 511)).toBeUndefined();
  expect(places.add(STRETCH + 512)).toBeUndefined();
  expect(places.add(STRETCH)).toEqual([STRETCH, STRETCH + 511]);
});

test('one sample is enough where all is translated at once', () => {
  expect(new SampledPlaces(1, 10).add(STRETCH)).toEqual([STRETCH]);
});

test('all are forgotten when there are too many', () => {
  const places = new SampledPlaces(2, 2);
  for (let n = 0; n < 3; n += 1) places.add(STRETCH + n * 512);
  expect(places.add(STRETCH)).toBeUndefined();
});
