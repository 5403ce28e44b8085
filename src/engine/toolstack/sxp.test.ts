import { describe, expect, it } from 'vitest';
import { formatAtom, formatSxp, parseSxp, prettySxp, textOf } from './sxp.ts';

describe('atoms', () => {
  const rows: [string, string][] = [
    ['VM1', 'VM1'],
    ['/dev/hda1', '/dev/hda1'],
    ['-b----', '-b----'],
    ['00:16:3E:00:00:11', '00:16:3E:00:00:11'],
    ['', ''],
    ['w!', "'w!'"],
    ['/dev/sda1 ro', "'/dev/sda1 ro'"],
    ["it's", '"it\'s"'],
    ['a"b', "'a\"b'"],
    ['a\'"b', "'a\\'\"b'"],
    ['a\\b\n', "'a\\\\b\\n'"],
  ];
  it.each(rows)('%j', (text, printed) => {
    expect(formatAtom(text)).toBe(printed);
    if (text !== '') expect(parseSxp(printed)).toEqual([text]);
  });
});

describe('layout', () => {
  it('breaks what does not fit, and only that', () => {
    const text = [
      '(domain',
      '    (domid 1)',
      '    (uuid b1ae4a2c-5c1b-7a3e-9d0e-6f2d4c8e1a77)',
      '    (image',
      "        (linux (kernel /boot/vmlinuz-2.6-xenU) (root '/dev/sda1 ro') (args 4))",
      '    )',
      '    (device',
      '        (vif',
      '            (backend 0)',
      '            (script vif-bridge)',
      '            (bridge xenbr0)',
      '            (mac 00:16:3e:12:34:56)',
      '        )',
      '    )',
      '    (device (vbd (backend 0) (dev sda1) (uname phy:hda3) (mode w)))',
      ')',
    ].join('\n');
    expect(prettySxp(parseSxp(text)[0] ?? '')).toBe(text);
  });

  it('keeps a list of lists at its head', () => {
    const text = ['(0', '    ((backend-id 0)', ...[1, 2, 3].map((n) => `        (name${n} ${'x'.repeat(20)})`), '    )', ')'].join(
      '\n',
    );
    expect(prettySxp(parseSxp(text)[0] ?? '')).toBe(text);
  });
});

describe('reading', () => {
  it('skips comments and takes several forms', () => {
    expect(parseSxp("# head\n(vm (name 'a b') () )\n(x)#end")).toEqual([['vm', ['name', 'a b'], []], ['x']]);
    expect(formatSxp(parseSxp('(fda )')[0] ?? '')).toBe('(fda)');
    expect(textOf(['vm', ['fda']], 'fda')).toBe('');
    expect(textOf(['vm', ['a', 'b']], 'c')).toBeUndefined();
  });

  const faults: [string, string][] = [
    ['(a\n(b', 'line 2: a list does not end'],
    [')', 'line 1: unexpected )'],
    ["('a", 'line 1: a quoted text does not end'],
    ['('.repeat(100), 'line 1: nested too deeply'],
  ];
  it.each(faults)('refuses %j', (text, message) => {
    expect(() => parseSxp(text)).toThrow(message);
  });
});
