import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { collectModules, modinfo, moduleName, modulesAlias, modulesDep } from './kernel-modules.ts';

/** The smallest ELF file that has a .modinfo section: header, names, content, three section headers. */
function module(entries: readonly string[]): Uint8Array {
  const names = Buffer.from('\0.shstrtab\0.modinfo\0', 'latin1');
  const content = Buffer.from(entries.map((entry) => `${entry}\0`).join(''), 'latin1');
  const sections = 64 + names.length + content.length;
  const file = Buffer.alloc(sections + 3 * 64);
  file.writeUInt32BE(0x7f454c46, 0);
  file.writeUInt8(2, 4);
  file.writeBigUInt64LE(BigInt(sections), 0x28);
  file.writeUInt16LE(64, 0x3a);
  file.writeUInt16LE(3, 0x3c);
  file.writeUInt16LE(1, 0x3e);
  names.copy(file, 64);
  content.copy(file, 64 + names.length);
  const section = (index: number, name: number, offset: number, bytes: number): void => {
    file.writeUInt32LE(name, sections + index * 64);
    file.writeBigUInt64LE(BigInt(offset), sections + index * 64 + 0x18);
    file.writeBigUInt64LE(BigInt(bytes), sections + index * 64 + 0x20);
  };
  section(1, 1, 64, names.length);
  section(2, 11, 64 + names.length, content.length);
  return file;
}

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'modules-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

function put(path: string, content: Uint8Array | string): void {
  mkdirSync(dirname(join(directory, path)), { recursive: true });
  writeFileSync(join(directory, path), content);
}

describe('modinfo', () => {
  it('gives all values of a key', () => {
    const file = module(['alias=xen:vif', 'alias=xennet', 'depends=a,b', 'license=GPL']);
    expect(modinfo(file, 'alias')).toEqual(['xen:vif', 'xennet']);
    expect(modinfo(file, 'depends')).toEqual(['a,b']);
    expect(modinfo(file, 'softdep')).toEqual([]);
  });

  it('refuses what is not a module', () => {
    expect(() => modinfo(Buffer.from('hello'), 'alias')).toThrow('not a 64-bit ELF file');
  });
});

describe('collectModules', () => {
  it('follows dependencies, dependencies first, and leaves out what is built in', () => {
    put('modules.builtin', 'kernel/lib/crc16.ko\n');
    put('kernel/fs/ext4/ext4.ko', module(['depends=jbd2,mbcache,crc16', 'alias=ext3']));
    put('kernel/fs/jbd2/jbd2.ko', module(['depends=']));
    put('kernel/fs/mbcache.ko', module(['depends=jbd2']));
    put('kernel/drivers/net/xen-netfront.ko', module(['depends=', 'alias=xen:vif']));
    const modules = collectModules(directory, ['xen-netfront', 'ext4']);
    expect(modules.map((one) => one.name)).toEqual(['xen_netfront', 'jbd2', 'mbcache', 'ext4']);
    expect(modulesDep(modules)).toBe(
      'kernel/drivers/net/xen-netfront.ko:\n' +
        'kernel/fs/jbd2/jbd2.ko:\n' +
        'kernel/fs/mbcache.ko: kernel/fs/jbd2/jbd2.ko\n' +
        'kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko kernel/fs/mbcache.ko\n',
    );
    expect(modulesAlias(modules)).toBe('alias xen:vif xen_netfront\nalias ext3 ext4\n');
  });

  it('says which module is missing and who needs it', () => {
    put('kernel/a.ko', module(['depends=b']));
    expect(() => collectModules(directory, ['a'])).toThrow('module b, needed by a, is not in the kernel package');
  });

  it.each([
    ['kernel/fs/ext4/ext4.ko', 'ext4'],
    ['crc32c-intel', 'crc32c_intel'],
    ['kernel/drivers/block/xen-blkfront.ko', 'xen_blkfront'],
  ])('names %s %s', (path, name) => {
    expect(moduleName(path)).toBe(name);
  });
});
