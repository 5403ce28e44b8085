import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { endBlocks, headerBlocks } from '../../engine/storage/tar/tar-writer.ts';
import { gunzip } from '../../engine/codec/testing/platform.ts';
import { parseUserland, siteTree } from './site-userland.ts';

const manifest = (change: object = {}): unknown => ({
  images: [
    { file: 'vmlinuz', kind: 'kernel' },
    {
      file: 'userland.img',
      kind: 'userland',
      time: 5,
      contents: ['0040755 0 bin', '0100755 9 bin/a b', '0120777 ../x bin/[', '0020600 5:1 bin/console'],
      ...change,
    },
  ],
});

describe('the userland in the list of images', () => {
  it('is read line by line', () => {
    expect(parseUserland(manifest())).toEqual({
      archive: 'userland.img',
      mtime: 5,
      entries: [
        { kind: 'directory', path: 'bin', mode: 0o755 },
        { kind: 'file', path: 'bin/a b', mode: 0o755, sizeBytes: 9 },
        { kind: 'symlink', path: 'bin/[', mode: 0o777, target: '../x' },
        { kind: 'character-device', path: 'bin/console', mode: 0o600, device: { major: 5, minor: 1 } },
      ],
    });
    expect(parseUserland({ images: [{ kind: 'kernel' }] })).toBeUndefined();
    expect(parseUserland(null)).toBeUndefined();
  });

  it.each([
    [{ contents: ['0100644 5 ../etc/passwd'] }],
    [{ contents: ['0100644 5 /etc/passwd'] }],
    [{ contents: ['0100644 5 a//b'] }],
    [{ contents: ['0100644 -5 a'] }],
    [{ contents: ['0020600 5 a'] }],
    [{ contents: ['0140600 5 a'] }],
    [{ contents: [5] }],
    [{ contents: 'bin' }],
    [{ time: -1 }],
  ])('is refused with %j', (change) => expect(() => parseUserland(manifest(change))).toThrow(/images\/manifest\.json/));
});

describe('the archive', () => {
  const header = {
    path: 'bin',
    kind: 'directory',
    mode: 0o755,
    uid: 0,
    gid: 0,
    sizeBytes: 0,
    mtime: 5,
    target: '',
    device: { major: 0, minor: 0 },
  } as const;
  const small = Buffer.concat([...headerBlocks(header), endBlocks(512)]);
  const fetch = (bytes: Uint8Array) =>
    siteTree(parseUserland(manifest())!, { files: [], fetch: () => Promise.resolve(bytes) }, gunzip).archive(() => undefined);

  it('is unpacked, and refused when it is far larger than its list or no archive', async () => {
    expect(await fetch(gzipSync(small))).toEqual(new Uint8Array(small));
    await expect(fetch(gzipSync(new Uint8Array(10_000_000)))).rejects.toThrow();
    await expect(fetch(small)).rejects.toThrow();
  });
});
