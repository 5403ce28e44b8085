import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { codecModule } from '../../../engine/codec/testing/codec-module.ts';
import { GZIP_FILES } from '../../../engine/codec/testing/gzip-files.ts';
import type { FileSystem } from '../../../engine/storage/file-system.ts';
import { NativeFileSystem } from '../../../engine/storage/native/native-file-system.ts';
import { memoryFiles } from '../../../engine/storage/testing/memory-files.ts';
import { headerBlocks } from '../../../engine/storage/tar/tar-writer.ts';
import { decodeUtf8, encodeUtf8 } from '../../../engine/storage/utf8.ts';
import type { Command } from '../../../engine/toolstack/command.ts';
import { CancellationSource, Interrupted } from '../../../engine/toolstack/services.ts';
import { imageCodecs } from '../../decoders.ts';
import { gzipPrograms } from './gzip.ts';
import { tarProgram } from './tar.ts';

const NOW = Date.UTC(2026, 10, 23, 12, 0, 0);
const clock = { nowMs: () => NOW, after: () => () => undefined };
const codecs = imageCodecs(codecModule);
let files: FileSystem;
let programs: Command[];
let host: string;

beforeEach(async () => {
  ({ files } = await memoryFiles({ now: () => NOW }));
  await files.makeDirectory('/root');
  programs = [...gzipPrograms({ files, clock, codecs }), tarProgram({ files, clock, codecs })];
  host = mkdtempSync(join(tmpdir(), 'webxen-archives-'));
});
afterEach(() => rmSync(host, { recursive: true }));

async function run(line: string, stdin?: Uint8Array): Promise<{ out: string; error: string; bytes: Uint8Array; status: number }> {
  const [name = '', ...words] = line.split(' ');
  let [out, error] = ['', ''];
  const pieces: Uint8Array[] = [];
  const status = await programs
    .find((program) => program.name === name)!
    .run(words, {
      out: (text) => (out += text),
      error: (text) => (error += text),
      outBytes: (part) => pieces.push(part.slice()),
      stdin: stdin === undefined ? undefined : decodeUtf8(stdin),
      stdinBytes: stdin,
      directory: '/root',
      cancellation: new CancellationSource(),
      terminal: undefined,
      progress: () => undefined,
    });
  return { out, error, bytes: Buffer.concat(pieces), status };
}

async function ok(line: string, stdin?: Uint8Array): Promise<string> {
  const { out, error, status } = await run(line, stdin);
  expect(status, `${line}: ${error}`).toBe(0);
  return out;
}

const text = async (path: string): Promise<string> => decodeUtf8(await files.readFile(path));
const noise = (length: number): Uint8Array => Uint8Array.from({ length }, (_, at) => (at * at * 7919 + (at >> 3)) & 0xff);

async function plantTree(): Promise<void> {
  await files.makeDirectory('/root/tree/empty', { recursive: true, mode: 0o1777 });
  await files.writeFile('/root/tree/script', encodeUtf8('#!/bin/sh\n'), 0o755);
  await files.changeOwner('/root/tree/script', 3, 4);
  await files.changeTimes('/root/tree/script', Date.UTC(2020, 1, 2, 3, 4, 5));
  await files.writeFile('/root/tree/large', noise(3_000_001));
  await files.link('/root/tree/script', '/root/tree/second');
  await files.symlink('../elsewhere', '/root/tree/link');
  await files.makeNode('/root/tree/null', 'character-device', 0o666, { major: 1, minor: 3 });
  await files.makeNode('/root/tree/pipe', 'fifo', 0o600, { major: 0, minor: 0 });
  await files.writeFile(`/root/tree/${'n'.repeat(200)}`, encodeUtf8('long'));
}

describe('tar', () => {
  it.each(['', 'z'])('packs and unpacks a tree with its owners, modes, times and links (-%s)', async (zip) => {
    await plantTree();
    expect(await ok(`tar c${zip}f a.tar tree`)).toBe('');
    expect((await ok('tar tvf a.tar --numeric-owner')).split('\n').filter((line) => !line.includes('nnnn'))).toEqual([
      'drwxr-xr-x 0/0               0 2026-11-23 12:00 tree/',
      'drwxrwxrwt 0/0               0 2026-11-23 12:00 tree/empty/',
      '-rw-r--r-- 0/0         3000001 2026-11-23 12:00 tree/large',
      'lrwxrwxrwx 0/0               0 2026-11-23 12:00 tree/link -> ../elsewhere',
      'crw-rw-rw- 0/0             1,3 2026-11-23 12:00 tree/null',
      'prw------- 0/0               0 2026-11-23 12:00 tree/pipe',
      '-rwxr-xr-x 3/4              10 2020-02-02 03:04 tree/script',
      'hrwxr-xr-x 3/4               0 2020-02-02 03:04 tree/second link to tree/script',
      '',
    ]);
    await files.makeDirectory('/root/new');
    await ok('tar -x -f a.tar -C new');
    for (const name of ['', '/empty', '/script', '/large', '/null', '/pipe', `/${'n'.repeat(200)}`]) {
      const [{ kind, mode, uid, gid, sizeBytes, device, mtimeMs }, there] = await Promise.all([
        files.lstat(`/root/tree${name}`),
        files.lstat(`/root/new/tree${name}`),
      ]);
      expect(there, name).toMatchObject({ kind, mode, uid, gid, sizeBytes, device, mtimeMs });
    }
    expect(Buffer.compare(await files.readFile('/root/new/tree/large'), noise(3_000_001))).toBe(0);
    expect((await files.stat('/root/new/tree/second')).inode).toBe((await files.stat('/root/new/tree/script')).inode);
    expect(await files.readLink('/root/new/tree/link')).toBe('../elsewhere');
  });

  it('exchanges archives with the tar of the host, with one that is piped, too', async () => {
    await plantTree();
    writeFileSync(join(host, 'a.tgz'), (await run('tar czf - tree/script tree/large')).bytes);
    execFileSync('tar', ['-xzf', 'a.tgz'], { cwd: host });
    expect(Buffer.compare(readFileSync(join(host, 'tree/large')), noise(3_000_001))).toBe(0);
    execFileSync('tar', ['--format=pax', '-czf', 'b.tgz', 'tree'], { cwd: host });
    expect(await ok('tar tf -', readFileSync(join(host, 'b.tgz')))).toBe(
      'tree/\ntree/script\ntree/large\n'.split('\n').sort().join('\n').trim() + '\n',
    );
    await files.writeFile('/root/b.tgz', readFileSync(join(host, 'b.tgz')));
    expect(await ok('tar xvf b.tgz --strip-components=1 tree/script')).toBe('tree/script\n');
    expect(await text('/root/script')).toBe('#!/bin/sh\n');
  });

  it.each(['', 'z'])('says when the disk is full, and leaves no program waiting (-%s)', async (zip) => {
    ({ files } = await memoryFiles({ now: () => NOW, memoryBytesMax: 2_000_000 }));
    programs = [tarProgram({ files, clock, codecs })];
    await files.makeDirectory('/root');
    await files.makeDirectory('/small');
    const { fileSystem } = await NativeFileSystem.open({ type: 'tmpfs', now: () => NOW, memoryBytesMax: 500_000 });
    await files.mount(fileSystem, '/small', { source: 'tmpfs' });
    let seed = 1;
    const random = Uint8Array.from({ length: 3_000_000 }, () => (seed = (seed * 48271) % 0x7fffffff) >> 8);
    await files.writeFile('/root/random', random.subarray(0, 1_900_000));
    const { error, status } = await run(`tar c${zip}f /small/a.tar random`);
    expect([status, error]).toEqual([2, expect.stringContaining('have no more room')]);
  });

  it('is called off while it packs', async () => {
    await files.writeFile('/root/data', noise(3_000_000));
    const cancellation = new CancellationSource();
    const io = {
      out: () => undefined,
      error: () => undefined,
      stdin: undefined,
      directory: '/root',
      cancellation,
      terminal: undefined,
      progress: () => undefined,
    };
    cancellation.cancel();
    await expect(programs.at(-1).run(['czf', 'a.tgz', 'data'], io)).rejects.toBeInstanceOf(Interrupted);
  });

  it('writes holes for zeros, leaves itself out, and takes what is absolute as relative', async () => {
    await files.truncate('/root/zeros', 5_000_000);
    expect(await run('tar cf all.tar /root')).toMatchObject({
      status: 0,
      error: "tar: Removing leading `/' from member names\ntar: root/all.tar: file is the archive; not dumped\n",
    });
    await files.makeDirectory('/to');
    await ok('tar xf all.tar -C /to');
    expect(await files.stat('/to/root/zeros')).toMatchObject({ sizeBytes: 5_000_000, blocks: 0 });
  });

  it('lets no archive write outside', async () => {
    const entry = { mode: 0o644, uid: 0, gid: 0, sizeBytes: 0, mtime: 0, target: '', device: { major: 0, minor: 0 } };
    await files.makeDirectory('/etc');
    await files.writeFile(
      '/root/bad.tar',
      Buffer.concat([
        ...headerBlocks({ ...entry, kind: 'file', path: '../up' }),
        ...headerBlocks({ ...entry, kind: 'symlink', path: 'out', target: '/etc' }),
        ...headerBlocks({ ...entry, kind: 'file', path: 'out/passwd' }),
        ...headerBlocks({ ...entry, kind: 'hard-link', path: 'hard', target: '../../etc/x' }),
        ...headerBlocks({ ...entry, kind: 'symlink', path: 'fine', target: '/etc' }),
      ]),
    );
    const { error, status } = await run('tar xf bad.tar');
    expect(status).toBe(2);
    expect(error).toContain("tar: ../up: Member name contains '..'\n");
    expect(error).toContain("tar: out: Cannot create symlink to '/etc': File exists\n");
    expect(await files.readDirectory('/etc')).toEqual([]);
    expect(await files.exists('/up')).toBe(false);
    expect(await files.readLink('/root/fine')).toBe('/etc');
    expect(await files.exists('/root/out/passwd')).toBe(true);
  });

  it.each([
    ['tar xf', 'option -f requires argument'],
    ['tar f x', "You must specify one of the options '-ctx'"],
    ['tar cf x', 'Cowardly refusing to create an empty archive'],
    ['tar tf nofile', 'nofile: No such file or directory'],
    ['tar cf x nofile', 'nofile: Cannot stat: No such file or directory'],
    ['tar tf text', 'does not look like a tar archive'],
    ['tar tzf text', 'text: not in gzip format'],
    ['tar tf packed.xz', 'archives compressed by xz are not supported; gzip is'],
    ['tar cjf x text', 'option -j not recognized'],
  ])('%s: %s', async (line, message) => {
    await files.writeFile('/root/text', encodeUtf8('text'.repeat(500)));
    await files.writeFile('/root/packed.xz', Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 0, 0));
    const { error, status } = await run(line);
    expect(error).toContain(message);
    expect(status).toBe(2);
  });
});

describe('gzip and gunzip', () => {
  it('replace files, keep their attributes, and are what the host unpacks', async () => {
    await files.writeFile('/root/data', noise(2_000_000), 0o640);
    await files.changeOwner('/root/data', 7, 8);
    await files.changeTimes('/root/data', 1_500_000_000_000);
    await ok('gzip data');
    expect(await files.exists('/root/data')).toBe(false);
    expect(await files.stat('/root/data.gz')).toMatchObject({ mode: 0o640, uid: 7, gid: 8, mtimeMs: 1_500_000_000_000 });
    expect(Buffer.compare(gunzipSync(await files.readFile('/root/data.gz')), noise(2_000_000))).toBe(0);
    expect((await run('gzip -tv data.gz')).error).toBe('data.gz:\t OK\n');
    expect((await run('gunzip -v data')).error).toMatch(/^data:\t +-?\d+\.\d% -- replaced with \/root\/data\n$/);
    expect(Buffer.compare(await files.readFile('/root/data'), noise(2_000_000))).toBe(0);
    await ok('gzip -k data');
    expect(await run('gzip data')).toMatchObject({ status: 2, error: 'gzip: /root/data.gz already exists; not overwritten\n' });
    await ok('gunzip -f data.gz');
  });

  it('go through pipes', async () => {
    const { bytes } = await run('gzip -c', encodeUtf8('hello\n'));
    expect(gunzipSync(bytes).toString()).toBe('hello\n');
    await files.writeFile('/root/x.gz', gzipSync('from a file\n'));
    expect(decodeUtf8((await run('zcat x')).bytes)).toBe('from a file\n');
    expect(decodeUtf8((await run('gunzip', bytes)).bytes)).toBe('hello\n');
  });

  it.each(GZIP_FILES)('unpack and test %s as the gzip of the host does', async (_, file) => {
    await files.writeFile('/root/x.gz', new Uint8Array(file));
    writeFileSync(join(host, 'x.gz'), file);
    for (const options of ['-dc', '-dcv', '-t']) {
      const theirs = spawnSync('gzip', [options, 'x.gz'], { cwd: host });
      const own = await run(`gzip ${options} x.gz`);
      expect([own.status, Buffer.from(own.bytes)], options).toEqual([theirs.status, theirs.stdout]);
      // With -v gzip tells more, in the same line; what "is encrypted" stands behind the name without a colon.
      const lines = theirs.stderr
        .toString()
        .replace(/x\.gz (is|has)/, 'x.gz: $1')
        .split('\n');
      const said = lines.filter((line) => (options === '-dcv' ? /OK, trailing/.test(line) : line !== ''));
      expect(own.error, options).toContain(said.join('\n'));
      if (options !== '-dcv') expect(own.error.trim(), options).toBe(said.join('\n'));
    }
    const theirs = spawnSync('gzip', ['-d', 'x.gz'], { cwd: host });
    const own = await run('gunzip x.gz');
    expect(own.status).toBe(theirs.status);
    const here = async (name: string): Promise<Buffer | undefined> =>
      (await files.exists(`/root/${name}`)) ? Buffer.from(await files.readFile(`/root/${name}`)) : undefined;
    // After an error everything is as it was. (gzip itself replaces a file whose second member is of another method.)
    const there = theirs.status === 1 ? [undefined, file] : [readFileSync(join(host, 'x')), undefined];
    expect([await here('x'), await here('x.gz')]).toEqual(there);
  });

  it.each([
    ['gunzip cut.gz', 1, 'cut.gz: unexpected end of file'],
    ['gunzip text', 2, 'text: unknown suffix -- ignored'],
    ['gunzip -c text.gz', 1, 'text.gz: not in gzip format'],
    ['gzip text.gz', 2, 'text.gz already has .gz suffix -- unchanged'],
    ['gzip /root', 2, '/root is a directory -- ignored'],
    ['gzip nofile', 1, 'nofile: No such file or directory'],
    ['gzip -9 text', 1, 'the level of compression cannot be chosen'],
  ])('%s ends with %i', async (line, expected, message) => {
    for (const path of ['/root/text', '/root/text.gz']) await files.writeFile(path, encodeUtf8('text'));
    await files.writeFile('/root/cut.gz', gzipSync(noise(100_000)).subarray(0, -20));
    const { error, status } = await run(line);
    expect([status, error]).toEqual([expected, expect.stringContaining(message)]);
    expect(await files.exists('/root/cut')).toBe(false);
    expect(await text('/root/text')).toBe('text');
  });
});
