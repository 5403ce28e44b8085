import { describe, expect, it } from 'vitest';
import { readAr } from './ar.ts';
import { controlFields, dependencyNames } from './debian-packages.ts';

describe('dependencyNames', () => {
  it.each([
    ['', []],
    ['linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2)', ['linux-image-6.1.0-56-cloud-amd64']],
    ['kmod, linux-base (>= 4.3~) | other, initramfs-tools:any (>= 1), x', ['kmod', 'linux-base', 'initramfs-tools', 'x']],
  ])('%j', (field, names) => {
    expect(dependencyNames(field)).toEqual(names);
  });
});

describe('controlFields', () => {
  it('reads fields and keeps continuation lines with theirs', () => {
    const fields = controlFields('Package: busybox\nVersion: 1:1.35.0-4\nDescription: tiny\n more\n .\n end\nSource: bb (1:1.35)');
    expect(fields.get('Version')).toBe('1:1.35.0-4');
    expect(fields.get('Description')).toBe('tiny\nmore\n.\nend');
    expect(fields.get('Source')).toBe('bb (1:1.35)');
  });
});

describe('readAr', () => {
  const member = (name: string, content: string): string =>
    `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(content.length).padEnd(10)}\`\n${content}${content.length % 2 ? '\n' : ''}`;

  it('reads members of odd and even length', () => {
    const archive = Buffer.from(
      `!<arch>\n${member('debian-binary', '2.0\n')}${member('control.tar.xz/', 'abc')}${member('data.tar.xz', 'de')}`,
      'latin1',
    );
    expect(readAr(archive).map(({ name, content }) => [name, Buffer.from(content).toString()])).toEqual([
      ['debian-binary', '2.0\n'],
      ['control.tar.xz', 'abc'],
      ['data.tar.xz', 'de'],
    ]);
  });

  it.each([
    ['another format', 'PK\x03\x04', 'not an archive'],
    ['a member cut short', `!<arch>\n${member('a', 'hello').slice(0, 62)}`, 'bad header at byte 8'],
    ['a header without its end mark', `!<arch>\n${'x'.repeat(60)}`, 'bad header at byte 8'],
  ])('refuses %s', (_name, text, message) => {
    expect(() => readAr(Buffer.from(text, 'latin1'))).toThrow(message);
  });
});
