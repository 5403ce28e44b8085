import { expect, test } from 'vitest';
import { SampledPlaces } from './sampled-places.ts';

/** Start of a stretch. */
const STRETCH = 0x12_3400 & ~511;

test('samples of one stretch count together, and its places are told when it is hot', () => {
  const places = new SampledPlaces(10);
  for (let n = 0; n < 40; n += 1) expect(places.add(STRETCH + (n % 4) * 16, 48)).toBeUndefined();
  for (let n = 0; n < 2; n += 1) expect(places.add(STRETCH + 0x100, 48)).toBeUndefined();
  for (let n = 0; n < 5; n += 1) expect(places.add(STRETCH + 0x1f0, 48)).toBeUndefined();
  // What was sampled twice is not worth an entry.
  expect(places.add(STRETCH + 0x80, 48)).toEqual([0x80, 0, 0x10, 0x20, 0x30, 0x1f0].map((offset) => STRETCH + offset));
  expect(places.add(STRETCH, 48)).toBeUndefined();
});

test('stretches count apart', () => {
  const places = new SampledPlaces(10);
  expect(places.add(STRETCH + 511, 2)).toBeUndefined();
  expect(places.add(STRETCH + 512, 2)).toBeUndefined();
  expect(places.add(STRETCH, 2)).toEqual([STRETCH]);
});

test('one sample is enough where all is translated at once', () => {
  expect(new SampledPlaces(10).add(STRETCH, 1)).toEqual([STRETCH]);
});

test('all are forgotten when there are too many', () => {
  const places = new SampledPlaces(2);
  for (let n = 0; n < 3; n += 1) places.add(STRETCH + n * 512, 2);
  expect(places.add(STRETCH, 2)).toBeUndefined();
});

test('a stretch is as hot as the threshold of the moment says, and is not entered where it was sampled once', () => {
  const places = new SampledPlaces(10);
  for (let n = 0; n < 6; n += 1) expect(places.add(STRETCH, 48)).toBeUndefined();
  for (const offset of [0x10, 0x20, 0x20]) expect(places.add(STRETCH + offset, 48)).toBeUndefined();
  expect(places.add(STRETCH, 8)).toEqual([STRETCH, STRETCH + 0x20]);
});

test('samples count half after a while', () => {
  const places = new SampledPlaces(10_000);
  for (let n = 0; n < 40; n += 1) places.add(STRETCH, 48);
  for (let n = 41; n < 4096; n += 1) places.add(STRETCH + n * 512, 48);
  // Halved with this one: 20, and it.
  for (let n = 0; n < 27; n += 1) expect(places.add(STRETCH, 48)).toBeUndefined();
  expect(places.add(STRETCH, 48)).toEqual([STRETCH]);
});
