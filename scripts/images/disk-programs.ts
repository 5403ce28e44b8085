/**
 * Programs of Debian for the soak of disks: an archive that goes behind the usual ramdisk of a kernel. The kernel unpacks one
 * after the other, so the guest starts as usual and finds them in their places.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type PackageSource, unpack } from './debian-packages.ts';
import { imageRecord, packageRecord, type PackageRecord, writeManifest } from './manifest.ts';
import { Tree } from './ramdisk.ts';

const PACKAGES = ['coreutils', 'e2fsprogs', 'gzip', 'python3', 'sqlite3', 'tar'];

/** Depended on for installing only. */
const LEFT_OUT = new Set([
  'base-files',
  'dpkg',
  'debianutils',
  'mawk',
  'gcc-12-base',
  'media-types',
  'bash',
  'perl-base',
  'tzdata',
]);

/** Paths that nothing reads. */
const STRIPPED = [
  /^usr\/share\/(doc|man|info|locale|lintian|bash-completion|menu|pixmaps|applications|bug|binfmts)(\/|$)/,
  /^usr\/lib\/python3\.\d+\/(test|idlelib|lib2to3|ensurepip|distutils|pydoc_data|tkinter|config-[^/]*)(\/|$)/,
  /^(lib\/systemd|var)(\/|$)/,
  // All but the defaults of mke2fs: the guest's own are there.
  /^etc\/(?!mke2fs\.conf$)/,
  /^\.control$/,
];

export async function makeDiskPrograms(source: PackageSource, directory: string, recipe: string): Promise<void> {
  const tree = new Tree();
  const packages: PackageRecord[] = [];
  for (const name of (await source.closure(PACKAGES)).filter((name) => !LEFT_OUT.has(name))) {
    const unpacked = unpack(await source.fetch(name));
    packages.push(packageRecord(unpacked));
    tree.unpacked(unpacked.directory, (path) => !STRIPPED.some((pattern) => pattern.test(path)));
  }
  tree.folder('images/disks', 'disks');

  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const file = 'disk-programs.cpio.gz';
  const content = tree.pack();
  writeFileSync(join(directory, file), content);
  console.log(`images: ${file}, ${(content.length / 1e6).toFixed(1)} MB`);
  const description = 'e2fsprogs, tar, sqlite3 and python3, and the programs of the soak of disks in /disks';
  writeManifest(directory, {
    version: 1,
    recipe,
    images: [imageRecord({ file, kind: 'ramdisk', aliases: [], description, packages }, content)],
  });
}
