import { beforeEach, describe, expect, it } from 'vitest';
import { mountBootFiles } from './boot-files.ts';
import { FileSystemError } from './file-system-error.ts';
import { FileSystem } from './file-system.ts';
import type { FileStore } from './file-store.ts';
import { MemoryFileStore } from './file-store.ts';
import { decodeUtf8, encodeUtf8, utf8Length } from './utf8.ts';

let time = 1000;
const options = (store: FileStore, capacityBytes?: number) => ({
  store,
  now: () => time,
  defer: (callback: () => void) => queueMicrotask(callback),
  ...(capacityBytes === undefined ? {} : { capacityBytes }),
});

const open = async (store: FileStore = new MemoryFileStore(), capacityBytes?: number): Promise<FileSystem> =>
  (await FileSystem.open(options(store, capacityBytes))).fileSystem;

const text = async (fileSystem: FileSystem, path: string): Promise<string> => decodeUtf8(await fileSystem.readFile(path));
const names = (fileSystem: FileSystem, path: string): string[] => fileSystem.readDirectory(path).map((entry) => entry.name);

describe('FileSystem', () => {
  let fs: FileSystem;
  beforeEach(async () => {
    time = 1000;
    fs = await open();
    fs.makeDirectory('/etc/xen', { recursive: true });
    fs.makeDirectory('/root');
    fs.writeFile('/etc/xen/demo', encodeUtf8('memory = 64\n'));
    fs.symlink('/etc/xen', '/root/configs');
    fs.symlink('../etc/xen/demo', '/root/link');
    fs.symlink('loop', '/root/loop');
  });

  it('reads through symbolic links and ".."', async () => {
    for (const path of [
      '/etc/xen/demo',
      '/root/configs/demo',
      '/root/link',
      '/root/../etc/./xen//demo',
      '/root/configs/../xen/demo',
    ])
      expect(await text(fs, path)).toBe('memory = 64\n');
    expect(fs.realPath('/root/configs/demo')).toBe('/etc/xen/demo');
    expect(fs.lstat('/root/link').kind).toBe('symlink');
    expect(fs.stat('/root/link').kind).toBe('file');
  });

  const failures: [what: string, run: (fs: FileSystem) => unknown, message: string][] = [
    ['reading what is missing', (f) => f.stat('/nofile'), "ENOENT: no such file or directory, stat '/nofile'"],
    ['a missing parent', (f) => f.writeFile('/no/x', new Uint8Array()), "ENOENT: no such file or directory, open '/no/x'"],
    ['a file as directory', (f) => f.stat('/etc/xen/demo/x'), "ENOTDIR: not a directory, stat '/etc/xen/demo/x'"],
    ['listing a file', (f) => f.readDirectory('/etc/xen/demo'), "ENOTDIR: not a directory, scandir '/etc/xen/demo'"],
    ['writing a directory', (f) => f.writeFile('/etc', new Uint8Array()), "EISDIR: illegal operation on a directory, open '/etc'"],
    ['mkdir twice', (f) => f.makeDirectory('/etc'), "EEXIST: file already exists, mkdir '/etc'"],
    ['rm of a full directory', (f) => f.remove('/etc'), "ENOTEMPTY: directory not empty, rm '/etc'"],
    ['rm of nothing', (f) => f.remove('/x'), "ENOENT: no such file or directory, rm '/x'"],
    ['rm of the root', (f) => f.remove('/', { recursive: true }), "EBUSY: resource busy or locked, rm '/'"],
    ['a loop of links', (f) => f.stat('/root/loop'), "ELOOP: too many symbolic links encountered, stat '/root/loop'"],
    ['a directory into itself', (f) => f.move('/etc', '/etc/xen/etc'), "EINVAL: invalid argument, mv '/etc'"],
    ['readlink of a file', (f) => f.readLink('/etc/xen/demo'), "EINVAL: invalid argument, readlink '/etc/xen/demo'"],
    ['hard link to a directory', (f) => f.link('/etc', '/e'), "EPERM: operation not permitted, link '/etc'"],
    ['a NUL in a path', (f) => f.stat('/a\0b'), "EINVAL: invalid argument, stat '/a\0b'"],
  ];
  it.each(failures)('refuses %s', (_what, run, message) => {
    expect(() => run(fs)).toThrow(FileSystemError);
    expect(() => run(fs)).toThrow(message);
  });

  it('refuses long names by their bytes', () => {
    expect(() => fs.writeFile(`/${'a'.repeat(256)}`, new Uint8Array())).toThrow('ENAMETOOLONG');
    expect(() => fs.writeFile(`/${'é'.repeat(128)}`, new Uint8Array())).toThrow('ENAMETOOLONG');
    fs.writeFile(`/${'é'.repeat(127)}`, new Uint8Array());
  });

  it('moves files and directories as rename does', async () => {
    fs.writeFile('/root/a', encodeUtf8('a'));
    fs.move('/root/a', '/etc/xen/demo');
    expect(await text(fs, '/etc/xen/demo')).toBe('a');
    fs.move('/etc/xen', '/root/xen');
    expect(names(fs, '/root')).toEqual(['configs', 'link', 'loop', 'xen']);
    expect(names(fs, '/etc')).toEqual([]);
    expect(() => fs.move('/root/xen', '/root/link')).toThrow('ENOTDIR');
  });

  it('copies trees, keeping links as links', async () => {
    fs.symlink('demo', '/etc/xen/other');
    await fs.copy('/etc', '/backup', { recursive: true });
    expect(await text(fs, '/backup/xen/other')).toBe('memory = 64\n');
    expect(fs.lstat('/backup/xen/other').kind).toBe('symlink');
    await expect(fs.copy('/etc', '/etc/xen/again', { recursive: true })).rejects.toThrow('EINVAL');
    await expect(fs.copy('/etc', '/e2')).rejects.toThrow('EISDIR');
  });

  it('shares the bytes of hard links and frees them with the last name', async () => {
    const before = fs.usedBytes;
    fs.link('/etc/xen/demo', '/root/hard');
    fs.writeFile('/root/hard', encodeUtf8('12345'));
    expect(await text(fs, '/etc/xen/demo')).toBe('12345');
    expect(fs.stat('/root/hard').links).toBe(2);
    fs.remove('/etc/xen/demo');
    expect(fs.usedBytes).toBe(5);
    fs.remove('/root/hard');
    expect(fs.usedBytes).toBe(before - 'memory = 64\n'.length);
  });

  it('says when it is full, and frees what is removed', async () => {
    const small = await open(new MemoryFileStore(), 10);
    small.writeFile('/a', new Uint8Array(8));
    expect(() => small.writeFile('/b', new Uint8Array(3))).toThrow('ENOSPC');
    expect(() => small.appendFile('/a', new Uint8Array(3))).toThrow('ENOSPC');
    small.remove('/a');
    small.writeFile('/b', new Uint8Array(10));
    expect(small.usedBytes).toBe(10);
  });

  it('appends, and dates what changes', async () => {
    time = 2000;
    fs.appendFile('/etc/xen/demo', encodeUtf8('vcpus = 2\n'));
    expect(await text(fs, '/etc/xen/demo')).toBe('memory = 64\nvcpus = 2\n');
    expect(fs.stat('/etc/xen/demo').mtimeMs).toBe(2000);
    expect(fs.stat('/root').mtimeMs).toBe(1000);
  });

  it('discards what is written to a generated file that takes it', async () => {
    fs.mountGenerated('/dev/null', { read: () => new Uint8Array(), write: () => undefined });
    fs.mountGenerated('/proc/version', { read: () => encodeUtf8('v') });
    fs.writeFile('/dev/null', new Uint8Array(100));
    fs.appendFile('/dev/null', new Uint8Array(100));
    expect(await fs.readFile('/dev/null')).toHaveLength(0);
    expect(() => fs.writeFile('/proc/version', new Uint8Array(1))).toThrow('EPERM');
  });
});

describe('lazy files', () => {
  it('are fetched once, shown with their size, and tried again after a failure', async () => {
    const fs = await open();
    let calls = 0;
    mountBootFiles(fs, '/boot', {
      files: [{ name: 'vmlinuz-6.1', sizeBytes: 3, aliases: ['vmlinuz'] }],
      fetch: (_name, onProgress) => {
        calls++;
        if (calls === 1) return Promise.reject(new Error('the site answered 503'));
        onProgress(3, 3);
        return Promise.resolve(new Uint8Array([1, 2, 3]));
      },
    });
    expect(fs.stat('/boot/vmlinuz').sizeBytes).toBe(3);
    await expect(fs.readFile('/boot/vmlinuz')).rejects.toThrow('the site answered 503');
    const seen: number[] = [];
    expect(await fs.readFileWithProgress('/boot/vmlinuz', (loaded) => seen.push(loaded))).toEqual(new Uint8Array([1, 2, 3]));
    await fs.readFile('/boot/vmlinuz-6.1');
    expect([calls, seen]).toEqual([2, [3]]);
  });

  it('are not stored, and aliases follow the version of the day', async () => {
    const store = new MemoryFileStore();
    const first = await open(store);
    const file = (name: string) => ({
      files: [{ name, sizeBytes: 1, aliases: ['vmlinuz'] }],
      fetch: () => Promise.resolve(new Uint8Array([7])),
    });
    mountBootFiles(first, '/boot', file('vmlinuz-1'));
    first.writeFile('/boot/mine', new Uint8Array(2));
    await first.flush();
    const second = await open(store);
    expect(names(second, '/boot')).toEqual(['mine', 'vmlinuz']);
    mountBootFiles(second, '/boot', file('vmlinuz-2'));
    expect(names(second, '/boot')).toEqual(['mine', 'vmlinuz', 'vmlinuz-2']);
    expect(second.readLink('/boot/vmlinuz')).toBe('vmlinuz-2');
    second.writeFile('/boot/vmlinuz', encodeUtf8('own'));
    await second.flush();
    expect(await text(await open(store), '/boot/vmlinuz-2')).toBe('own');
  });
});

describe('persistence', () => {
  it('brings everything back: contents, links, modes, times', async () => {
    const store = new MemoryFileStore();
    const fs = await open(store);
    fs.makeDirectory('/a/b', { recursive: true });
    fs.writeFile('/a/b/file', encodeUtf8('x'), 0o755);
    fs.link('/a/b/file', '/a/hard');
    fs.symlink('b/file', '/a/soft');
    fs.writeFile('/gone', encodeUtf8('y'));
    await fs.flush();
    fs.remove('/gone');
    fs.changeTimes('/a/b/file', 77);
    await fs.flush();
    const opened = await FileSystem.open(options(store));
    const again = opened.fileSystem;
    expect(opened.fresh).toBe(false);
    expect(names(again, '/')).toEqual(['a']);
    expect(await text(again, '/a/soft')).toBe('x');
    expect(again.stat('/a/hard')).toMatchObject({ mode: 0o755, mtimeMs: 77, links: 2, sizeBytes: 1 });
    expect(again.stat('/a/hard').inode).toBe(again.stat('/a/b/file').inode);
    again.writeFile('/new', encodeUtf8('z'));
    await again.flush();
    expect((await store.load()).length).toBe(6);
  });

  it('keeps changes due when a commit fails, and drops inodes that no directory names', async () => {
    const memory = new MemoryFileStore();
    let failing = true;
    const errors: unknown[] = [];
    const store: FileStore = {
      load: () => memory.load(),
      commit: (changed, removed) => (failing ? Promise.reject(new Error('quota')) : memory.commit(changed, removed)),
    };
    const fs = (await FileSystem.open({ ...options(store), onStoreError: (error) => errors.push(error) })).fileSystem;
    fs.writeFile('/kept', encodeUtf8('1'));
    await expect(fs.flush()).rejects.toThrow('quota');
    failing = false;
    await fs.flush();
    await memory.commit([{ number: 99, mode: 0o644, mtimeMs: 0, kind: 'file', bytes: new Uint8Array(5) }], []);
    const again = await open(memory);
    expect(await text(again, '/kept')).toBe('1');
    await again.flush();
    expect((await memory.load()).map((inode) => inode.number)).not.toContain(99);
    expect(errors.length).toBeGreaterThan(0);
  });
});

describe('utf8', () => {
  const rows: [string, number[]][] = [
    ['az', [0x61, 0x7a]],
    ['é', [0xc3, 0xa9]],
    ['€', [0xe2, 0x82, 0xac]],
    ['😀', [0xf0, 0x9f, 0x98, 0x80]],
  ];
  it.each(rows)('%s', (character, bytes) => {
    expect([...encodeUtf8(character)]).toEqual(bytes);
    expect(decodeUtf8(new Uint8Array(bytes))).toBe(character);
    expect(utf8Length(character)).toBe(bytes.length);
  });
  it.each([[[0xff]], [[0xc0, 0x80]], [[0xe2, 0x82]], [[0xed, 0xa0, 0x80]], [[0xf4, 0x90, 0x80, 0x80]], [[0x80]]])(
    'replaces %j as the platform does not fail either',
    (bytes) => expect(decodeUtf8(new Uint8Array([...bytes, 0x41]))).toMatch(/^�+A$/),
  );
});
