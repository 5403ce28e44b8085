import { describe, expect, it } from 'vitest';
import { CONSOLE_RING_BYTES, ConsoleRing } from './console-ring.ts';

describe('ConsoleRing', () => {
  it('shows what was written, until cleared', () => {
    const ring = new ConsoleRing();
    ring.write('(XEN) Xen version 4.17\n');
    expect(ring.read()).toBe('(XEN) Xen version 4.17\n');
    expect(ring.read(true)).toBe('(XEN) Xen version 4.17\n');
    expect(ring.read()).toBe('');
    ring.write('(XEN) later\n');
    expect(ring.read(true)).toBe('(XEN) later\n');
    expect(ring.read(true)).toBe('');
  });

  it('keeps the last 16 KiB, whole characters only', () => {
    const ring = new ConsoleRing();
    for (let i = 0; i < 3000; i++) ring.write(`(XEN) line ${i} é\n`);
    const text = ring.read();
    expect(new TextEncoder().encode(text).length).toBeLessThanOrEqual(CONSOLE_RING_BYTES);
    expect(text.endsWith('(XEN) line 2999 é\n')).toBe(true);
    const small = new ConsoleRing(4);
    small.write('éé');
    small.write('x');
    expect(small.read()).toBe('éx');
  });

  it('does not show again what was cleared before it went round', () => {
    const ring = new ConsoleRing(8);
    ring.write('1234');
    ring.read(true);
    ring.write('56789');
    expect(ring.read()).toBe('56789');
    ring.write('abcdefgh');
    expect(ring.read()).toBe('abcdefgh');
  });

  it('tells listeners as it goes', () => {
    const ring = new ConsoleRing();
    const seen: string[] = [];
    const stop = ring.subscribe((text) => seen.push(text));
    ring.write('a');
    stop();
    ring.write('b');
    expect(seen).toEqual(['a']);
  });
});
