/**
 * The ramdisk of the browser tests: bash, coreutils, openssl, python3 and perl of Debian with a list of checks whose output any
 * x86-64 machine agrees on, and that output as this machine's own CPU gives it.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PackageError, type PackageSource, unpack } from './debian-packages.ts';
import { type ImageRecord, imageRecord, type PackageRecord, packageRecord, writeManifest } from './manifest.ts';
import { addGuestSystem, Tree } from './ramdisk.ts';

const PACKAGES = ['bash', 'coreutils', 'openssl', 'python3', 'perl-base'];

/** Depended on for installing, or by parts of Python that are left out below; no program of the checks opens them. */
const LEFT_OUT = new Set(
  'base-files dpkg debianutils tar mawk gcc-12-base media-types readline-common libtirpc-common libtirpc3 libnsl2 libdb5.3 libsqlite3-0 libkrb5-3 libkrb5support0 libk5crypto3 libkeyutils1 libgssapi-krb5-2 libcom-err2 libmd0'.split(
    ' ',
  ),
);

/** Paths that no check reads. */
const STRIPPED = [
  /^usr\/share\/(doc|man|info|locale|lintian|bash-completion|menu|pixmaps|applications|bug|binfmts|python3)(\/|$)/,
  /^usr\/lib\/[^/]+-linux-gnu\/(gconv|audit|engines-3|libdb|perl-base\/unicore\/.*\.pl$)/,
  /^usr\/lib\/python3\.\d+\/(test|idlelib|lib2to3|ensurepip|distutils|pydoc_data|unittest|xmlrpc|wsgiref|sqlite3|dbm|tkinter|venv|config-[^/]*)(\/|$)/,
  /^usr\/lib\/python3\.\d+\/lib-dynload\/_(sqlite3|dbm|codecs_[a-z]+)\./,
  /^usr\/lib\/python3\.\d+\/lib-dynload\/nis\./,
  /^usr\/lib\/(valgrind|debug)(\/|$)/,
  /^(etc|var|lib\/systemd|usr\/sbin)(\/|$)/,
  /^\.control$/,
];

/** What the guest's CPU does not show; the C library on this machine must not choose code for it either. */
const GUEST_CPU = 'glibc.cpu.hwcaps=-AVX,-AVX2,-AVX512F,-AVX512VL,-AVX512BW,-FMA,-FMA4,-BMI1,-BMI2,-LZCNT,-MOVBE,-XSAVE,-XSAVEC';

/** Puts Debian's programs and the project's own system into a tree. */
export async function addDebianPrograms(tree: Tree, source: PackageSource): Promise<PackageRecord[]> {
  const names = (await source.closure(PACKAGES)).filter((name) => !LEFT_OUT.has(name));
  console.log(`images: Debian's programs for a ramdisk are ${names.length} packages`);
  const packages: PackageRecord[] = [];
  for (const name of [...names, 'busybox-static']) {
    const unpacked = unpack(await source.fetch(name));
    packages.push(packageRecord(unpacked));
    if (name === 'busybox-static') {
      addGuestSystem(tree, readFileSync(join(unpacked.directory, 'bin/busybox')));
    } else {
      tree.unpacked(unpacked.directory, (path) => !STRIPPED.some((pattern) => pattern.test(path)));
    }
  }
  return packages;
}

export async function makeTestImages(source: PackageSource, directory: string, recipe: string): Promise<void> {
  const tree = new Tree();
  tree.skeleton();
  const packages = await addDebianPrograms(tree, source);
  tree.folder('images/checks', 'checks');

  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const root = 'build/checks-root';
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root);
  tree.writeTo(root);
  const expected = runChecks(root);
  // Python has compiled the modules the checks import: the guest need not do it again.
  tree.unpacked(root, (path) => /^usr(\/lib(\/python3\.\d+(\/.*)?)?)?$/.test(path));
  rmSync(root, { recursive: true, force: true });

  const images: ImageRecord[] = [];
  const write = (file: string, kind: ImageRecord['kind'], description: string, content: Uint8Array): void => {
    writeFileSync(join(directory, file), content);
    images.push(imageRecord({ file, kind, aliases: [], description, packages: kind === 'ramdisk' ? packages : [] }, content));
    console.log(`images: ${file}, ${(content.length / 1e6).toFixed(1)} MB`);
  };
  write('initrd.img-checks', 'ramdisk', 'bash, coreutils, openssl, python3 and perl with /checks/run-checks', tree.pack());
  write('checks-expected.txt', 'text', 'what /checks/run-checks prints', expected);
  writeManifest(directory, { version: 1, recipe, images });
}

/** Runs the checks in the tree on this machine's CPU. */
function runChecks(root: string): Uint8Array {
  const output = runInTree(root, ['/bin/bash', '/checks/run-checks']);
  if (!output.toString('utf8').endsWith('## end\n')) throw new PackageError(`The checks in ${root} did not come to their end.`);
  if (!existsSync(join(root, 'tmp'))) throw new PackageError(`${root} is not the tree the checks ran in.`);
  return output;
}

/**
 * Runs a program of a guest's tree on this machine's CPU, with that tree as its root; its output. The words must not need quoting.
 * @throws PackageError when it cannot be run or fails
 */
export function runInTree(root: string, inside: readonly string[]): Buffer {
  const options = { env: { PATH: process.env['PATH'], GLIBC_TUNABLES: GUEST_CPU }, maxBuffer: 1 << 26, timeout: 300_000 };
  const result =
    process.getuid?.() === 0
      ? spawnSync('chroot', [root, ...inside], options)
      : spawnSync(
          'unshare',
          [
            '--map-root-user',
            '--mount',
            'sh',
            '-c',
            `mount --bind /dev/null ${root}/dev/null && exec chroot ${root} ${inside.join(' ')}`,
          ],
          options,
        );
  if (result.status !== 0) {
    throw new PackageError(
      `${inside.join(' ')} cannot be run in ${root} (this takes root, or user namespaces, on an x86-64 Linux): ${result.error?.message ?? result.stderr?.toString('utf8') ?? ''}`,
    );
  }
  return result.stdout;
}
