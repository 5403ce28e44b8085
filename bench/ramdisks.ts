/**
 * The ramdisks of the guests: small ones with the programs of the bench, and one with Debian's programs too; for x86-64 from what
 * the site and the browser tests have, for v86 made here from the same packages for i386.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { extended } from '../e2e/support/guest-programs.ts';
import { siteImage } from '../e2e/support/site-images.ts';
import { PackageError, packageSource, unpack } from '../scripts/images/debian-packages.ts';
import { recipeOf } from '../scripts/images/manifest.ts';
import { addGuestSystem, Tree } from '../scripts/images/ramdisk.ts';
import { addDebianPrograms } from '../scripts/images/test-ramdisk.ts';
import type { Absent, Built } from './build-programs.ts';
import { GUEST_PATH } from './build-programs.ts';

const FOLDER = 'build/bench';
const CHECKS = 'build/test-images/initrd.img-checks';
/** In the guest. */
export const PYTHON_PATH = '/bench.py';
const PYTHON_SOURCE = 'bench/programs/pure.py';

/** Paths of ramdisks by kind of guest. */
export interface Ramdisks {
  readonly small: string;
  readonly debian: string;
}

/** A ramdisk with the programs of the bench. */
export function withPrograms(ramdisk: Uint8Array, { path }: Built): Uint8Array {
  return extended(ramdisk, [
    { kind: 'file', path: GUEST_PATH.slice(1), mode: 0o755, content: readFileSync(path) },
    { kind: 'file', path: PYTHON_PATH.slice(1), mode: 0o644, content: readFileSync(PYTHON_SOURCE) },
  ]);
}

function place(name: string, ramdisk: Uint8Array, built: Built): string {
  mkdirSync(FOLDER, { recursive: true });
  const path = join(FOLDER, name);
  writeFileSync(path, withPrograms(ramdisk, built));
  return path;
}

export function ramdisks64(built: Built, debian: boolean): Ramdisks {
  return {
    small: place('initrd-64', readFileSync(siteImage('initrd.img-cloud')), built),
    debian: debian ? place('initrd-64-debian', readFileSync(CHECKS), built) : '',
  };
}

export interface System32 extends Ramdisks {
  readonly kernel: string;
}

/** Debian's kernel for i386 and ramdisks for it, as webxen's are; fetched and made when they are not there. */
export async function system32(built: Built, debian: boolean): Promise<System32 | Absent> {
  const recipe = recipeOf(['images/rootfs', 'scripts/images']).slice(0, 16);
  const base = join(FOLDER, `i386-${recipe}`);
  const file = (name: string): string => join(base, name);
  try {
    mkdirSync(base, { recursive: true });
    const source = packageSource('i386');
    if (!existsSync(file('kernel'))) {
      const name = (await source.dependencies('linux-image-686')).find((one) => one.startsWith('linux-image-'));
      if (name === undefined) throw new PackageError('linux-image-686 depends on no kernel package.');
      const { directory } = unpack(await source.fetch(name));
      const image = readdirSync(join(directory, 'boot')).find((one) => one.startsWith('vmlinuz-'));
      if (image === undefined) throw new PackageError(`${name} holds no kernel in /boot.`);
      writeFileSync(file('kernel'), readFileSync(join(directory, 'boot', image)));
    }
    const busybox = async (): Promise<Uint8Array> =>
      readFileSync(join(unpack(await source.fetch('busybox-static')).directory, 'bin/busybox'));
    if (!existsSync(file('small'))) {
      const tree = new Tree();
      tree.skeleton();
      addGuestSystem(tree, await busybox());
      writeFileSync(file('small'), tree.pack());
    }
    if (debian && !existsSync(file('debian'))) {
      const tree = new Tree();
      tree.skeleton();
      await addDebianPrograms(tree, source);
      writeFileSync(file('debian'), tree.pack());
    }
    return {
      kernel: file('kernel'),
      small: place('initrd-32', readFileSync(file('small')), built),
      debian: debian ? place('initrd-32-debian', readFileSync(file('debian')), built) : '',
    };
  } catch (error) {
    if (!(error instanceof PackageError)) throw error;
    return { absent: `Debian's kernel for i386 cannot be had: ${error.message}` };
  }
}
