import { beforeEach, describe, expect, it } from 'vitest';
import { mountBootFiles } from './boot-files.ts';
import { CHUNK_BYTES } from './chunk-store.ts';
import { FileSystemError } from './file-system-error.ts';
import type { FileSystem } from './file-system.ts';
import { MemoryChunkStore } from './memory-chunk-store.ts';
import { NativeFileSystem } from './native/native-file-system.ts';
import { memoryFiles } from './testing/memory-files.ts';
import { decodeUtf8, encodeUtf8, utf8Length } from './utf8.ts';

let time = 1000;
const open = async (chunks = new MemoryChunkStore()): Promise<FileSystem> => (await memoryFiles({ chunks, now: () => time })).files;
const text = async (files: FileSystem, path: string): Promise<string> => decodeUtf8(await files.readFile(path));
const names = async (files: FileSystem, path: string): Promise<string[]> =>
  (await files.readDirectory(path)).map((entry) => entry.name);

describe('FileSystem', () => {
  let fs: FileSystem;
  beforeEach(async () => {
    time = 1000;
    fs = await open();
    await fs.makeDirectory('/etc/xen', { recursive: true });
    await fs.makeDirectory('/root');
    await fs.writeFile('/etc/xen/demo', encodeUtf8('memory = 64\n'));
    await fs.symlink('/etc/xen', '/root/configs');
    await fs.symlink('../etc/xen/demo', '/root/link');
    await fs.symlink('loop', '/root/loop');
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
    expect(await fs.realPath('/root/configs/demo')).toBe('/etc/xen/demo');
    expect((await fs.lstat('/root/link')).kind).toBe('symlink');
    expect((await fs.stat('/root/link')).kind).toBe('file');
  });

  const failures: [what: string, run: (fs: FileSystem) => Promise<unknown>, message: string][] = [
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
  it.each(failures)('refuses %s', async (_what, run, message) => {
    await expect(run(fs)).rejects.toThrow(FileSystemError);
    await expect(run(fs)).rejects.toThrow(message);
  });

  it('refuses long names by their bytes', async () => {
    await expect(fs.writeFile(`/${'a'.repeat(256)}`, new Uint8Array())).rejects.toThrow('ENAMETOOLONG');
    await expect(fs.writeFile(`/${'é'.repeat(128)}`, new Uint8Array())).rejects.toThrow('ENAMETOOLONG');
    await fs.writeFile(`/${'é'.repeat(127)}`, new Uint8Array());
  });

  it('moves files and directories as rename does', async () => {
    await fs.writeFile('/root/a', encodeUtf8('a'));
    await fs.move('/root/a', '/etc/xen/demo');
    expect(await text(fs, '/etc/xen/demo')).toBe('a');
    await fs.move('/etc/xen', '/root/xen');
    expect(await names(fs, '/root')).toEqual(['configs', 'link', 'loop', 'xen']);
    expect(await names(fs, '/etc')).toEqual([]);
    await expect(fs.move('/root/xen', '/root/link')).rejects.toThrow('ENOTDIR');
  });

  it('copies trees, keeping links as links', async () => {
    await fs.symlink('demo', '/etc/xen/other');
    await fs.copy('/etc', '/backup', { recursive: true });
    expect(await text(fs, '/backup/xen/other')).toBe('memory = 64\n');
    expect((await fs.lstat('/backup/xen/other')).kind).toBe('symlink');
    await expect(fs.copy('/etc', '/etc/xen/again', { recursive: true })).rejects.toThrow('EINVAL');
    await expect(fs.copy('/etc', '/e2')).rejects.toThrow('EISDIR');
  });

  it('shares the bytes of hard links', async () => {
    await fs.link('/etc/xen/demo', '/root/hard');
    await fs.writeFile('/root/hard', encodeUtf8('12345'));
    expect(await text(fs, '/etc/xen/demo')).toBe('12345');
    expect((await fs.stat('/root/hard')).links).toBe(2);
    await fs.remove('/etc/xen/demo');
    expect(await text(fs, '/root/hard')).toBe('12345');
  });

  it('appends, and dates what changes', async () => {
    time = 2000;
    await fs.appendFile('/etc/xen/demo', encodeUtf8('vcpus = 2\n'));
    expect(await text(fs, '/etc/xen/demo')).toBe('memory = 64\nvcpus = 2\n');
    expect((await fs.stat('/etc/xen/demo')).mtimeMs).toBe(2000);
    expect((await fs.stat('/root')).mtimeMs).toBe(1000);
  });

  it('reads and writes character devices, and hands generated files what is written', async () => {
    for (const [name, minor] of [
      ['null', 3],
      ['zero', 5],
      ['full', 7],
      ['urandom', 9],
    ] as const)
      await fs.makeNode(`/${name}`, 'character-device', 0o666, { major: 1, minor });
    await fs.writeFile('/null', new Uint8Array(100));
    await fs.appendFile('/null', new Uint8Array(100));
    expect(await fs.readFile('/null')).toHaveLength(0);
    await expect(fs.writeFile('/full', new Uint8Array(1))).rejects.toThrow('ENOSPC');
    await expect(fs.readFile('/zero')).rejects.toThrow('EFBIG');
    const random = await fs.open('/urandom');
    const bytes = new Uint8Array(10);
    expect(await random.read(1000, bytes)).toBe(10);
    expect(bytes).toEqual(new Uint8Array(10).fill(0x5a));
    let taken = '';
    await fs.mountGenerated('/proc/told', { read: () => encodeUtf8(taken), write: (given) => (taken = decodeUtf8(given)) });
    await fs.mountGenerated('/proc/version', { read: () => encodeUtf8('v') });
    await fs.writeFile('/proc/told', encodeUtf8('yes'));
    expect(await text(fs, '/proc/told')).toBe('yes');
    await expect(fs.writeFile('/proc/version', new Uint8Array(1))).rejects.toThrow('EPERM');
    await expect(fs.remove('/proc/version').then(() => fs.open('/proc/version'))).rejects.toThrow('ENOENT');
  });

  it('crosses mount points both ways, and knows what is busy', async () => {
    const { fileSystem: other } = await NativeFileSystem.open({ type: 'tmpfs', now: () => time });
    await fs.makeDirectory('/mnt');
    await fs.writeFile('/mnt/covered', encodeUtf8('below'));
    const mount = await fs.mount(other, '/root/../mnt', { source: 'none' });
    expect(await fs.exists('/mnt/covered')).toBe(false);
    await fs.makeDirectory('/mnt/sub');
    await fs.writeFile('/mnt/sub/file', encodeUtf8('above'));
    await fs.symlink('../../root/link', '/mnt/sub/out');
    expect(await text(fs, '/mnt/sub/out')).toBe('memory = 64\n');
    expect(await text(fs, '/mnt/sub/../../mnt/sub/file')).toBe('above');
    expect(await fs.realPath('/mnt/sub/../..')).toBe('/');
    expect((await fs.stat('/mnt')).fileSystem).not.toBe((await fs.stat('/root')).fileSystem);
    await expect(fs.link('/mnt/sub/file', '/root/hard')).rejects.toThrow('EXDEV');
    await expect(fs.remove('/mnt', { recursive: true })).rejects.toThrow('EBUSY');
    await expect(fs.move('/mnt', '/elsewhere')).rejects.toThrow('EBUSY');
    await fs.move('/mnt/sub', '/root/moved');
    expect(await text(fs, '/root/moved/file')).toBe('above');
    expect(await fs.exists('/mnt/sub')).toBe(false);
    await fs.writeFile('/mnt/open', encodeUtf8('x'));
    const file = await fs.open('/mnt/open');
    await expect(fs.unmount(mount)).rejects.toThrow('EBUSY');
    await file.close();
    await fs.unmount(mount);
    expect(await names(fs, '/mnt')).toEqual(['covered']);
  });

  it('writes nothing to what is mounted read-only', async () => {
    const { fileSystem: other } = await NativeFileSystem.open({ type: 'tmpfs', now: () => time });
    await other.create(other.root, 'file', { kind: 'file', mode: 0o644, uid: 0, gid: 0 });
    await fs.mount(other, '/root', { source: 'none', readOnly: true });
    const refused: Promise<unknown>[] = [
      fs.writeFile('/root/file', new Uint8Array(1)),
      fs.writeFile('/root/new', new Uint8Array(1)),
      fs.appendFile('/root/file', new Uint8Array(1)),
      fs.truncate('/root/file', 5),
      fs.makeDirectory('/root/d'),
      fs.symlink('x', '/root/s'),
      fs.remove('/root/file'),
      fs.move('/root/file', '/root/g'),
      fs.changeMode('/root/file', 0),
      fs.link('/root/file', '/root/g'),
      fs.copy('/etc/xen/demo', '/root/g'),
    ];
    for (const each of refused) await expect(each).rejects.toThrow('EROFS');
  });
});

describe('lazy files', () => {
  const site = (name: string, bytes: Uint8Array) => ({
    files: [{ name, sizeBytes: bytes.length, aliases: ['vmlinuz'] }],
    fetch: () => Promise.resolve(bytes),
  });

  it('are fetched once, shown with their size, and tried again after a failure', async () => {
    const fs = await open();
    let calls = 0;
    await mountBootFiles(fs, '/boot', {
      files: [{ name: 'vmlinuz-6.1', sizeBytes: 3, aliases: ['vmlinuz'] }],
      fetch: (_name, onProgress) => {
        calls++;
        if (calls === 1) return Promise.reject(new Error('the site answered 503'));
        onProgress(3, 3);
        return Promise.resolve(new Uint8Array([1, 2, 3]));
      },
    });
    expect((await fs.stat('/boot/vmlinuz')).sizeBytes).toBe(3);
    await expect(fs.readFile('/boot/vmlinuz')).rejects.toThrow('the site answered 503');
    const seen: number[] = [];
    expect(await fs.readFileWithProgress('/boot/vmlinuz', (loaded) => seen.push(loaded))).toEqual(new Uint8Array([1, 2, 3]));
    await fs.readFile('/boot/vmlinuz-6.1');
    expect([calls, seen]).toEqual([2, [3]]);
  });

  it('are not stored, and aliases follow the version of the day', async () => {
    const chunks = new MemoryChunkStore();
    const first = await open(chunks);
    await mountBootFiles(first, '/boot', site('vmlinuz-1', new Uint8Array([7])));
    await first.writeFile('/boot/mine', new Uint8Array(2));
    await first.flush();
    const second = await open(chunks);
    expect(await names(second, '/boot')).toEqual(['mine', 'vmlinuz']);
    await mountBootFiles(second, '/boot', site('vmlinuz-2', new Uint8Array([7])));
    expect(await names(second, '/boot')).toEqual(['mine', 'vmlinuz', 'vmlinuz-2']);
    expect(await second.readLink('/boot/vmlinuz')).toBe('vmlinuz-2');
    await second.writeFile('/boot/vmlinuz', encodeUtf8('own'));
    await second.flush();
    expect(await text(await open(chunks), '/boot/vmlinuz-2')).toBe('own');
  });

  it('become ordinary ones when they are changed, linked, moved or written to, and stay away once removed', async () => {
    const chunks = new MemoryChunkStore();
    const boot = async (): Promise<FileSystem> => {
      const fs = await open(chunks);
      for (const name of ['mode', 'moved', 'linked', 'part', 'gone', 'left', 'disk'])
        await fs.mountLazy(`/lib/deep/${name}`, { sizeBytes: 1024, fetch: () => Promise.resolve(new Uint8Array(1024).fill(65)) });
      return fs;
    };
    const first = await boot();
    await first.changeMode('/lib/deep/mode', 0o600);
    await first.move('/lib/deep/moved', '/lib/other');
    await first.link('/lib/deep/linked', '/hard');
    const part = await first.open('/lib/deep/part');
    await part.write(1, new Uint8Array([66]));
    await part.close();
    await first.remove('/lib/deep/gone');
    const disk = await first.open('/lib/deep/disk');
    await disk.disk(false)!.write(1, new Uint8Array(512).fill(67));
    await first.flush();
    const again = await boot();
    expect(await names(again, '/lib/deep')).toEqual(['disk', 'left', 'linked', 'mode', 'part']);
    expect((await again.stat('/lib/deep/mode')).mode).toBe(0o600);
    expect((await text(again, '/lib/deep/part')).slice(0, 3)).toBe('ABA');
    expect((await text(again, '/lib/other')).length).toBe(1024);
    expect((await again.stat('/hard')).inode).toBe((await again.stat('/lib/deep/linked')).inode);
    expect((await text(again, '/lib/deep/disk')).slice(511, 513)).toBe('AC');
    expect((await again.lstat('/')).inode).toBe(1);
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

describe('a directory bound to a place', () => {
  it('is a file system of its own for those who stay on one, and the same for copies', async () => {
    const { files, pool } = await memoryFiles();
    await files.makeDirectory('/var/images', { recursive: true });
    await files.makeDirectory('/mnt');
    await files.truncate('/var/images/disk', 1024 ** 3);
    const file = await files.open('/var/images/disk');
    await file.write(0, new Uint8Array(3 * CHUNK_BYTES).fill(7));
    await file.close();
    const self = await files.bind('/var/images', '/var/images');
    const other = await files.bind('/var', '/mnt');
    expect((await files.stat('/var/images')).fileSystem).not.toBe((await files.stat('/var')).fileSystem);
    expect((await files.readDirectory('/var/images')).map(({ name }) => name)).toEqual(['disk']);
    // What is mounted below a bound directory is not bound with it: the same files are seen there.
    expect((await files.readDirectory('/mnt/images')).map(({ name }) => name)).toEqual(['disk']);
    expect(await files.realPath('/mnt/images/../..')).toBe('/');

    await files.copyContents('/var/images/disk', '/clone');
    expect(pool.use().sharedChunks).toBe(3);
    await files.move('/clone', '/var/images/moved');
    expect(await files.exists('/mnt/images/moved')).toBe(true);
    await expect(files.copyContents('/mnt/images/disk', '/var/images/disk')).rejects.toThrow('EINVAL');
    await expect(files.remove('/var/images', { recursive: true })).rejects.toThrow('EBUSY');
    await expect(files.link('/var/images/disk', '/var/link')).rejects.toThrow('EXDEV');
    await expect(files.bind('/var/images/disk', '/mnt')).rejects.toThrow('ENOTDIR');

    await files.unmount(self);
    await files.unmount(other);
    expect(await files.readDirectory('/mnt')).toEqual([]);
    expect((await files.stat('/var/images')).fileSystem).toBe((await files.stat('/var')).fileSystem);
  });

  it('keeps the file system it is of from being unmounted', async () => {
    const { files } = await memoryFiles();
    for (const path of ['/a', '/b']) await files.makeDirectory(path);
    const { fileSystem } = await NativeFileSystem.open({ type: 'tmpfs', now: () => 0 });
    const mount = await files.mount(fileSystem, '/a', { source: 'tmpfs' });
    await files.makeDirectory('/a/c');
    const bound = await files.bind('/a/c', '/b');
    await expect(files.unmount(mount)).rejects.toThrow('EBUSY');
    await files.unmount(bound);
    await files.unmount(mount);
  });
});
