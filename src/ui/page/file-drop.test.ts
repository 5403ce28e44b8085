import { describe, expect, it } from 'vitest';
import { looksLikeDiskImage, volumeNameOf } from './disk-image.ts';
import { collectDropped, safeName, type Dropped } from './dropped-files.ts';

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

describe('what looks like a disk image', () => {
  const head = (at: number, ...bytes: number[]): Uint8Array => {
    const seen = new Uint8Array(2048);
    seen.set(bytes, at);
    return seen;
  };
  const boot = head(510, 0x55, 0xaa);
  const kernel = boot.slice();
  kernel.set([0x48, 0x64, 0x72, 0x53], 0x202);
  it.each<[string, number, Uint8Array, boolean]>([
    ['debian.qcow2', 10, new Uint8Array(10), true],
    ['Debian.IMG.xz', 10, new Uint8Array(10), true],
    ['disk', 4096, head(0, 0x51, 0x46, 0x49, 0xfb), true],
    ['rootfs', 4096, head(1080, 0x53, 0xef), true],
    ['disk', 2 ** 21, boot, true],
    ['boot-sector', 512, boot.subarray(0, 512), false],
    ['vmlinuz', 2 ** 23, kernel, false],
    ['notes.txt', 100, new Uint8Array(100), false],
    ['backup.tar.gz', 100, head(0, 0x1f, 0x8b), false],
  ])('%s of %i bytes', (name, size, seen, expected) => {
    expect(looksLikeDiskImage(name, size, seen)).toBe(expected);
  });

  it.each([
    ['debian-12.qcow2.xz', 'debian-12'],
    ['My disk (1).img', 'My-disk-1'],
    ['.img', 'disk'],
    ['диск.raw', 'disk'],
    ['rootfs', 'rootfs'],
  ])('%s becomes the volume %s', (file, volume) => {
    expect(volumeNameOf(file)).toBe(volume);
  });
});

describe('what was dropped', () => {
  /** As a browser gives it: entries of a folder come in batches. */
  const folder = (name: string, below: readonly unknown[]): unknown => ({
    name,
    isDirectory: true,
    createReader: () => {
      const batches = [below.slice(0, 1), below.slice(1)].filter((batch) => batch.length > 0);
      return { readEntries: (give: (entries: unknown) => void) => give(batches.shift() ?? []) };
    },
  });
  const file = (name: string): unknown => ({
    name,
    isDirectory: false,
    file: (give: (file: File) => void) => give(new File(['x'], name)),
  });
  const dropped = (...items: { entry: unknown; file: File | null }[]): Promise<Dropped> =>
    collectDropped({
      items: items.map((item) => ({ kind: 'file', webkitGetAsEntry: () => item.entry, getAsFile: () => item.file })),
    } as unknown as DataTransfer);

  it('is files with their paths, and folders, the outer ones first', async () => {
    const found = await dropped(
      { entry: folder('lab', [file('a'), folder('sub', []), folder('more', [file('b'), file('..')])]), file: null },
      { entry: null, file: new File(['y'], 'plain') },
    );
    expect(found.folders).toEqual(['lab', 'lab/sub', 'lab/more']);
    expect(found.files.map(({ path }) => path)).toEqual(['lab/a', 'lab/more/b', 'lab/more/file', 'plain']);
  });

  it('is refused when folders never end', async () => {
    const below: unknown[] = [];
    const endless = folder('x', below);
    below.push(endless);
    await expect(dropped({ entry: endless, file: null })).rejects.toThrow('nested too deeply');
  });
});
