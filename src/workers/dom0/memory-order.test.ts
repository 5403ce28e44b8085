import { arch } from 'node:process';
import { expect, test } from 'vitest';
import { isX86, needsFences } from './memory-order.ts';

test('the processor shows what it is', () => {
  expect(isX86()).toBe(arch === 'x64' || arch === 'ia32');
});

test('fences are for processors that want them, or for who asks', () => {
  expect(needsFences('', true)).toBe(false);
  expect(needsFences('', false)).toBe(true);
  expect(needsFences('translator=on memory-order=strict', true)).toBe(true);
  expect(needsFences('memory-order=host', false)).toBe(false);
  expect(needsFences('memory-order=strictly', true)).toBe(false);
});
