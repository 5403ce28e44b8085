import { describe, expect, it } from 'vitest';
import { baseName, canonicalPath, childPath, isWithin, parentPath } from './path.ts';

const rules = { base: '/local/domain/5', special: false, maxLength: 2048 };

describe('canonicalPath', () => {
  it.each([
    ['/', '/'],
    ['/a/b-c_D@9', '/a/b-c_D@9'],
    ['a', '/local/domain/5/a'],
    ['a/b', '/local/domain/5/a/b'],
  ])('%s becomes %s', (path, absolute) => {
    expect(canonicalPath(path, rules)).toBe(absolute);
  });

  it.each(['', 'a/', '/a/', '//', 'a//b', '/a//b', 'a b', 'a\n', '/a\0', 'a:b', '@special'])('%j is refused', (path) => {
    expect(() => canonicalPath(path, rules)).toThrow('EINVAL');
  });

  it('takes names of special watches where they are allowed', () => {
    expect(canonicalPath('@releaseDomain', { ...rules, special: true })).toBe('@releaseDomain');
  });

  it('does not count the domain prefix as length, but never exceeds the protocol', () => {
    const name = 'n'.repeat(2048);
    expect(canonicalPath(name, rules)).toHaveLength('/local/domain/5/'.length + 2048);
    expect(() => canonicalPath(`${name}n`, rules)).toThrow('2048');
    expect(() => canonicalPath(`/${name}`, rules)).toThrow('2048');
    expect(canonicalPath(`/${'n'.repeat(3071)}`, { ...rules, maxLength: undefined })).toHaveLength(3072);
    expect(() => canonicalPath(`/${'n'.repeat(3072)}`, { ...rules, maxLength: undefined })).toThrow('3072');
  });
});

describe('parts of paths', () => {
  it.each([
    ['/a', '/', 'a'],
    ['/a/b', '/a', 'b'],
    ['/a/b/c', '/a/b', 'c'],
  ])('%s is in %s under the name %s', (path, parent, name) => {
    expect(parentPath(path)).toBe(parent);
    expect(baseName(path)).toBe(name);
    expect(childPath(parent, name)).toBe(path);
  });

  it('gives the root as parent of itself and of special names', () => {
    expect(parentPath('/')).toBe('/');
    expect(parentPath('@releaseDomain')).toBe('/');
  });

  it.each([
    ['/a', '/a', true],
    ['/a/b', '/a', true],
    ['/ab', '/a', false],
    ['/a', '/a/b', false],
    ['/a', '/', true],
    ['/', '/', true],
  ])('%s within %s: %s', (path, ancestor, expected) => {
    expect(isWithin(path, ancestor)).toBe(expected);
  });
});
