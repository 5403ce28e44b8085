import { describe, expect, it } from 'vitest';
import { describeState, describeTime } from './domain-state.ts';

describe('describeState', () => {
  it.each([
    ['r-----', 'running', false, false],
    ['-b----', 'idle', false, false],
    ['------', 'ready', false, false],
    ['--p---', 'paused', true, false],
    ['-bp---', 'paused', true, false],
    ['---s--', 'shut down', false, true],
    ['---sc-', 'crashed', false, true],
    ['--ps-d', 'dying', true, true],
  ])('%s is %s', (state, word, paused, over) => {
    expect(describeState(state)).toEqual({ word, paused, over });
  });
});

describe('describeTime', () => {
  it.each([
    [0, '0.0 s'],
    [59.94, '59.9 s'],
    [60, '1 min 00 s'],
    [605.7, '10 min 05 s'],
    [3600, '1 h 00 min'],
    [7 * 3600 + 61, '7 h 01 min'],
  ])('%d', (seconds, text) => {
    expect(describeTime(seconds)).toBe(text);
  });
});
