import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../xenstore/testing/random.ts';
import { Scrollback } from './scrollback.ts';

describe('Scrollback', () => {
  it('keeps the last bytes whatever the pieces were', () => {
    const random = new SeededRandom(3);
    for (const limit of [1, 7, 100, 5000, 70_000]) {
      const scrollback = new Scrollback(limit);
      let model = new Uint8Array(0);
      for (let step = 0; step < 200; step++) {
        const piece = random.bytes(random.below(Math.min(limit * 2, 3000) + 1));
        scrollback.append(piece);
        const joined = new Uint8Array(model.length + piece.length);
        joined.set(model);
        joined.set(piece, model.length);
        model = joined.slice(-limit);
        expect(scrollback.end - scrollback.start).toBeGreaterThanOrEqual(model.length);
        const seen = scrollback.since(scrollback.end - model.length);
        expect(seen.every((byte, i) => byte === model[i])).toBe(true);
        expect(seen).toHaveLength(model.length);
      }
    }
  });

  it('counts positions from the beginning of the stream', () => {
    const scrollback = new Scrollback(4);
    scrollback.append(Uint8Array.of(1, 2, 3));
    expect([scrollback.start, scrollback.end]).toEqual([0, 3]);
    scrollback.append(Uint8Array.of(4, 5, 6));
    expect([scrollback.start, scrollback.end]).toEqual([2, 6]);
    expect([...scrollback.since(0)]).toEqual([3, 4, 5, 6]);
    expect([...scrollback.since(5)]).toEqual([6]);
    expect([...scrollback.since(6)]).toEqual([]);
    expect([...scrollback.since(60)]).toEqual([]);
    scrollback.append(new Uint8Array(0));
    expect(scrollback.end).toBe(6);
  });
});
