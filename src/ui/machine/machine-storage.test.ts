import { describe, expect, it } from 'vitest';
import { keptStorage, machineName } from './machine-storage.ts';

function memory(): Pick<Storage, 'getItem' | 'setItem'> {
  const values = new Map<string, string>();
  return {
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => {
      values.set(key, value);
    },
  };
}

describe('the machine of an address', () => {
  it.each([
    ['', 'webxen'],
    ['machine=lab-2', 'lab-2'],
    ['machine=../x', 'webxen'],
    [`machine=${'a'.repeat(33)}`, 'webxen'],
  ])('%s is %s', (address, name) => {
    expect(machineName(new URLSearchParams(address))).toBe(name);
  });

  it('keeps its disks where it was told once', () => {
    const remembered = memory();
    const kind = (address: string): string => keptStorage(new URLSearchParams(address), remembered).kind;
    expect(kind('')).toBe('indexeddb');
    expect(kind('machine=a&storage=opfs')).toBe('opfs');
    expect(kind('machine=a')).toBe('opfs');
    expect(kind('machine=b')).toBe('indexeddb');
    expect(kind('machine=a&storage=floppy')).toBe('opfs');
    expect(kind('machine=a&storage=indexeddb')).toBe('indexeddb');
  });
});
