import { describe, expect, test } from 'vitest';
import { LOWEST_MFN, MachineFrames } from './machine-frames.ts';

describe('machine frames', () => {
  test('ranges do not overlap, start aligned, and come back', () => {
    const frames = new MachineFrames(10_000);
    const a = frames.allocate(1000);
    const b = frames.allocate(700);
    const c = frames.allocate(100);
    expect([a.first, b.first, c.first]).toEqual([LOWEST_MFN, LOWEST_MFN + 1024, LOWEST_MFN + 2048]);
    expect(frames.free).toBe(8200);
    frames.release(b);
    expect(frames.allocate(1500).first).toBe(LOWEST_MFN + 2560);
    expect(frames.allocate(512).first).toBe(LOWEST_MFN + 1024);
  });

  test('a gap that is just too small is not taken', () => {
    const frames = new MachineFrames(10_000);
    frames.allocate(1);
    const b = frames.allocate(512);
    frames.allocate(1);
    frames.release(b);
    expect(frames.allocate(513).first).toBe(LOWEST_MFN + 1024 + 512);
    expect(frames.allocate(512).first).toBe(LOWEST_MFN + 512);
  });

  test('a domain that comes back gets its old range or an error', () => {
    const frames = new MachineFrames(10_000);
    const a = frames.allocate(100);
    expect(() => frames.allocate(100, a.first)).toThrow(/in use/);
    expect(() => frames.allocate(100, a.first + 99)).toThrow(/in use/);
    frames.release(a);
    expect(frames.allocate(100, a.first)).toEqual({ first: a.first, count: 100 });
    expect(frames.allocate(10, a.first + 512).first).toBe(a.first + 512);
  });

  test('more than there is is refused with both numbers', () => {
    const frames = new MachineFrames(100);
    frames.allocate(60);
    expect(() => frames.allocate(41)).toThrow('the machine has 40 free frames of memory, 41 are needed');
    expect(frames.free).toBe(40);
  });

  test('releasing twice changes nothing', () => {
    const frames = new MachineFrames(100);
    const a = frames.allocate(60);
    frames.release(a);
    frames.release(a);
    expect(frames.free).toBe(100);
  });
});
