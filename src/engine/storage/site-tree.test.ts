import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CHUNK_BYTES } from './chunk-store.ts';
import { ExtFileSystem } from './ext/ext-file-system.ts';
import { makeGuestRoot } from './guest-root.ts';
import { MemoryChunkStore } from './memory-chunk-store.ts';
import { showSiteTree, type ShownDisk, type SiteTree, type SiteTreeEntry } from './site-tree.ts';
import { memoryFiles, type MemoryFiles } from './testing/memory-files.ts';
import type { TarEntry } from './tar/tar-header.ts';
import { endBlocks, headerBlocks, paddingOf } from './tar/tar-writer.ts';
import { decodeUtf8, encodeUtf8 } from './utf8.ts';

const MTIME = 1_700_000_000;
const PROGRAM = 'program '.repeat(20_000);
const TREE: readonly (SiteTreeEntry & { readonly content?: string })[] = [
  { kind: 'directory', path: 'bin', mode: 0o755 },
  { kind: 'directory', path: 'dev', mode: 0o755 },
  { kind: 'directory', path: 'tmp', mode: 0o1777 },
  { kind: 'directory', path: 'usr', mode: 0o755 },
  { kind: 'directory', path: 'usr/bin', mode: 0o755 },
  { kind: 'file', path: 'bin/program', mode: 0o755, sizeBytes: PROGRAM.length, content: PROGRAM },
  { kind: 'file', path: 'usr/text', mode: 0o640, sizeBytes: 5, content: 'text\n' },
  { kind: 'symlink', path: 'usr/bin/[', mode: 0o777, target: '../../bin/program' },
  { kind: 'character-device', path: 'dev/console', mode: 0o600, device: { major: 5, minor: 1 } },
];

function archiveOf(entries: typeof TREE): Uint8Array {
  const blocks = entries.flatMap((entry) => {
    const bytes = encodeUtf8(entry.content ?? '');
    const header: TarEntry = {
      path: entry.path,
      kind: entry.kind,
      mode: entry.mode,
      uid: 0,
      gid: 0,
      sizeBytes: bytes.length,
      mtime: MTIME,
      target: entry.kind === 'symlink' ? entry.target : '',
      device: entry.kind === 'character-device' ? entry.device : { major: 0, minor: 0 },
    };
    return [...headerBlocks(header), bytes, paddingOf(bytes.length)];
  });
  return Buffer.concat([...blocks, endBlocks(blocks.reduce((sum, block) => sum + block.length, 0))]);
}

/** A tree whose archive counts how often it is asked for. */
function tree(archive: () => Promise<Uint8Array> = () => Promise.resolve(archiveOf(TREE))): SiteTree & { asked: number } {
  const made = {
    entries: TREE,
    mtime: MTIME,
    asked: 0,
    archive: () => {
      made.asked += 1;
      return archive();
    },
  };
  return made;
}

const text = async ({ files }: MemoryFiles, path: string): Promise<string> => decodeUtf8(await files.readFile(path));

describe('a tree of the site', () => {
  it('is there at once, with sizes, modes and times, and fetched once when first read', async () => {
    const dom0 = await memoryFiles();
    const site = tree();
    showSiteTree(dom0.root, site);
    expect((await dom0.files.readDirectory('/')).map(({ name }) => name)).toEqual(['bin', 'dev', 'tmp', 'usr']);
    expect(await dom0.files.stat('/usr/bin/[')).toMatchObject({
      mode: 0o755,
      sizeBytes: PROGRAM.length,
      mtimeMs: MTIME * 1000,
      blocks: 0,
    });
    expect(await dom0.files.stat('/tmp')).toMatchObject({ mode: 0o1777, mtimeMs: MTIME * 1000 });
    expect(await dom0.files.readDirectory('/dev')).toEqual([]);
    expect(site.asked).toBe(0);
    const [program, small] = await Promise.all([text(dom0, '/usr/bin/['), text(dom0, '/usr/text')]);
    expect([program === PROGRAM, small, site.asked]).toEqual([true, 'text\n', 1]);
  });

  it('leaves alone what the user has made of it, over a restart', async () => {
    let chunks = new MemoryChunkStore();
    let dom0 = await memoryFiles({ chunks });
    await dom0.files.writeFile('/usr', encodeUtf8('no directory'));
    showSiteTree(dom0.root, tree());
    expect(await text(dom0, '/usr')).toBe('no directory');
    expect(await text(dom0, '/bin/program')).toBe(PROGRAM);

    chunks = new MemoryChunkStore();
    dom0 = await memoryFiles({ chunks });
    showSiteTree(dom0.root, tree());
    await dom0.files.appendFile('/usr/text', encodeUtf8('more\n'));
    await dom0.files.remove('/usr/bin', { recursive: true });
    await dom0.files.writeFile('/tmp/mine', encodeUtf8('mine'));
    await dom0.files.move('/bin/program', '/bin/renamed');
    await dom0.files.flush();
    dom0 = await memoryFiles({ chunks });
    showSiteTree(dom0.root, tree());
    expect(await text(dom0, '/usr/text')).toBe('text\nmore\n');
    expect(await text(dom0, '/tmp/mine')).toBe('mine');
    expect(await dom0.files.exists('/usr/bin')).toBe(false);
    expect((await dom0.files.readDirectory('/bin')).map(({ name }) => name)).toEqual(['renamed']);
    expect((await dom0.files.stat('/bin/renamed')).sizeBytes).toBe(PROGRAM.length);
    expect((await dom0.files.stat('/tmp')).mode).toBe(0o1777);

    // What was stored before is removed, a directory is made anew, and one goes elsewhere with what is in it.
    await dom0.files.remove('/usr/text');
    await dom0.files.remove('/bin', { recursive: true });
    await dom0.files.makeDirectory('/bin');
    await dom0.files.move('/usr', '/away');
    await dom0.files.flush();
    dom0 = await memoryFiles({ chunks });
    showSiteTree(dom0.root, tree());
    expect((await dom0.files.readDirectory('/')).map(({ name }) => name)).toEqual(['away', 'bin', 'dev', 'tmp']);
    expect(await dom0.files.readDirectory('/away')).toEqual([]);
    expect(await dom0.files.readDirectory('/bin')).toEqual([]);
  });

  it('goes elsewhere with its files', async () => {
    const chunks = new MemoryChunkStore();
    let dom0 = await memoryFiles({ chunks });
    showSiteTree(dom0.root, tree());
    await dom0.files.move('/usr', '/tmp/away');
    await dom0.files.move('/bin', '/moved');
    await dom0.files.move('/moved', '/bin');
    await dom0.files.flush();
    dom0 = await memoryFiles({ chunks });
    showSiteTree(
      dom0.root,
      tree(() => Promise.reject(new Error('fetched again'))),
    );
    expect(await text(dom0, '/tmp/away/text')).toBe('text\n');
    expect(await dom0.files.readLink('/tmp/away/bin/[')).toBe('../../bin/program');
    expect(await text(dom0, '/bin/program')).toBe(PROGRAM);
    expect(await dom0.files.exists('/usr')).toBe(false);
  });

  it('that cannot be fetched, or is another than announced, is said, and tried again', async () => {
    const dom0 = await memoryFiles();
    const answers: (() => Promise<Uint8Array>)[] = [
      () => Promise.reject(new Error('the site answered 500')),
      () => Promise.resolve(archiveOf(TREE.filter(({ path }) => path !== 'usr/text'))),
    ];
    showSiteTree(
      dom0.root,
      tree(() => (answers.shift() ?? (() => Promise.resolve(archiveOf(TREE))))()),
    );
    await expect(dom0.files.readFile('/usr/text')).rejects.toThrow('the site answered 500');
    await expect(dom0.files.readFile('/usr/text')).rejects.toThrow("usr/text is not in the site's archive");
    expect(await text(dom0, '/bin/program')).toBe(PROGRAM);
  });
});

describe('a disk made when first used', () => {
  const SIZE = 64 * 1024 * 1024;
  const disk = (make: () => Promise<Uint8Array> = () => Promise.resolve(archiveOf(TREE))): ShownDisk => ({
    kind: 'disk',
    path: 'disk.img',
    mode: 0o644,
    disk: {
      sizeBytes: SIZE,
      make: async (target) =>
        makeGuestRoot(target, { archive: await make(), uuid: new Uint8Array(16).fill(7), now: () => 1_800_000_000_000_000_000n }),
    },
  });

  it('takes no room before, holds the tree then, and is kept with what is written to it', async () => {
    const chunks = new MemoryChunkStore();
    let dom0 = await memoryFiles({ chunks });
    showSiteTree(dom0.root, tree(), [disk()]);
    expect(await dom0.files.stat('/disk.img')).toMatchObject({ sizeBytes: SIZE, blocks: 0 });
    await dom0.files.flush();
    expect(await chunks.chunkNumbers()).toEqual([]);

    // Copied before it is used: both are made, and share what they hold.
    await dom0.files.copy('/disk.img', '/copy.img');
    const before = dom0.pool.use();
    expect(before.sharedChunks).toBeGreaterThan(0);
    const file = await dom0.files.open('/disk.img');
    const image = file.disk(false)!;
    const fileSystem = await ExtFileSystem.open(image, { readOnly: false, now: () => 0n });
    const bin = (await fileSystem.lookup(fileSystem.root, 'bin'))!;
    const program = (await fileSystem.lookup(bin, 'program'))!;
    const bytes = new Uint8Array(PROGRAM.length);
    await fileSystem.read(program, 0, bytes);
    expect(decodeUtf8(bytes) === PROGRAM).toBe(true);
    expect(await fileSystem.stat(program)).toMatchObject({ mode: 0o755, mtimeNs: BigInt(MTIME) * 1_000_000_000n });
    expect(await fileSystem.stat(bin)).toMatchObject({ mtimeNs: BigInt(MTIME) * 1_000_000_000n });
    await fileSystem.create(bin, 'new', { kind: 'file', mode: 0o644, uid: 0, gid: 0 });
    await fileSystem.unmount();
    await image.flush();
    await file.close();

    dom0 = await memoryFiles({ chunks });
    showSiteTree(dom0.root, tree(), [disk(() => Promise.reject(new Error('made twice')))]);
    for (const [path, names] of [
      ['/disk.img', ['new', 'program']],
      ['/copy.img', ['program']],
    ] as const) {
      const again = await dom0.files.open(path);
      const found = await ExtFileSystem.open(again.disk(true)!, { readOnly: true, now: () => 0n });
      const entries = await found.readDirectory((await found.lookup(found.root, 'bin'))!);
      expect(
        entries
          .map(({ name }) => name)
          .filter((name) => !name.startsWith('.'))
          .sort(),
        path,
      ).toEqual(names);
      await again.close();
    }
    expect((await dom0.files.stat('/disk.img')).blocks * 512).toBeLessThan(64 * CHUNK_BYTES);
    await checkedByHost(await dom0.files.readFile('/copy.img'));
  });

  it('that cannot be made leaves nothing behind and is made later', async () => {
    const dom0 = await memoryFiles();
    const answers = [() => Promise.reject(new Error('the site answered 500'))];
    showSiteTree(dom0.root, tree(), [disk(() => (answers.shift() ?? (() => Promise.resolve(archiveOf(TREE))))())]);
    await expect(dom0.files.readFile('/disk.img')).rejects.toThrow('the site answered 500');
    await dom0.files.flush();
    expect(dom0.pool.internalNames()).toEqual([]);
    // Two at the same time wait for the same.
    const [one, other] = await Promise.all([dom0.files.readFile('/disk.img'), dom0.files.readFile('/disk.img')]);
    expect(Buffer.compare(one, other)).toBe(0);
    await checkedByHost(one);
  });
});

async function checkedByHost(image: Uint8Array): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'webxen-root-'));
  try {
    writeFileSync(join(directory, 'image'), image);
    execFileSync('e2fsck', ['-fn', join(directory, 'image')], { stdio: 'pipe' });
  } finally {
    rmSync(directory, { recursive: true });
  }
  return Promise.resolve();
}
