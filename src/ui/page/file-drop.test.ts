import { describe, expect, it } from 'vitest';
import { safeName } from './file-drop.ts';

describe('safeName', () => {
  it.each([
    ['vmlinuz', 'vmlinuz'],
    ['my file.img', 'my file.img'],
    ['../../etc/passwd', 'passwd'],
    ['C:\\disks\\root.img', 'root.img'],
    ['', 'file'],
    ['..', 'file'],
    ['a/', 'file'],
    ['x\n\u001b[2Jy', 'x__[2Jy'],
    ['é'.repeat(200), 'é'.repeat(127)],
  ])('%j becomes %j', (name, safe) => {
    expect(safeName(name)).toBe(safe);
  });
});
