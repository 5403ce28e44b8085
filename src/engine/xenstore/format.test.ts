import { describe, expect, it } from 'vitest';
import { formatTree, printableValue } from './format.ts';
import { XenstoreServer } from './server.ts';
import { ManualScheduler } from './testing/guest-store.ts';
import { parseRecordedTree, plantRecordedTree, readRecording } from './testing/recorded-tree.ts';
import { bytesFromByteString } from './text.ts';

function emptyStore() {
  return new XenstoreServer({ schedule: new ManualScheduler().schedule, log: () => undefined }).connect();
}

describe('formatTree', () => {
  it.each(['tree-running.txt', 'tree-restored.txt'])('prints %s as it was recorded', (name) => {
    const store = emptyStore();
    plantRecordedTree(store, parseRecordedTree(readRecording(name)));
    expect(formatTree(store, '/', { fullPaths: true, permissions: true })).toBe(readRecording(name));
  });

  it('shows depth by blanks, relative to the path asked for', () => {
    const store = emptyStore();
    store.write('/local/domain/0/name', 'Domain-0');
    store.write('/local/domain/0/memory/target', '257024');
    expect(formatTree(store, '/')).toBe(
      'tool = ""\n xenstored = ""\nlocal = ""\n domain = ""\n  0 = ""\n   name = "Domain-0"\n   memory = ""\n    target = "257024"\n',
    );
    expect(formatTree(store, '/local/domain/0')).toBe('name = "Domain-0"\nmemory = ""\n target = "257024"\n');
    expect(formatTree(store, '/local/domain/0', { permissions: true })).toContain(' target = "257024"   (n0)\n');
    expect(formatTree(store, '/local/domain/0/name')).toBe('');
    expect(formatTree(store, '/nowhere')).toBeUndefined();
  });

  it('cuts values to the width of the terminal', () => {
    const store = emptyStore();
    store.write('/a/image', 'x'.repeat(100));
    const [line = ''] = formatTree(store, '/a', { columns: 40 })!.split('\n');
    expect(line).toBe(`image = "${'x'.repeat(24)}\\..."`);
    expect(line).toHaveLength(38);
    expect(formatTree(store, '/a', { columns: 40, fullPaths: true })).toContain('x'.repeat(100));
  });
});

describe('printableValue', () => {
  it.each([
    ['plain "quoted"', 'plain "quoted"'],
    ['tab\there', 'tab\\there'],
    ['a\nb\rc\\d', 'a\\nb\\rc\\\\d'],
    ['\0', '\\0'],
    ['\x01x', '\\1x'],
    ['\x017', '\\0017'],
    ['\x7f\xff', '\\177\\377'],
  ])('%j prints as %s', (value, text) => {
    expect(printableValue(bytesFromByteString(value))).toBe(text);
  });
});
