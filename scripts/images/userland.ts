/**
 * The userland of domain 0: a small Linux system, busybox with a link for each of its commands, that stands in domain 0's root for
 * guests to be given (`cp -ax /{root,dev,var,etc,usr,bin,sbin,lib} /mnt`), as a gzip-compressed tar archive and the list of what is
 * in it.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { TarEntry } from '../../src/engine/storage/tar/tar-header.ts';
import { endBlocks, headerBlocks, paddingOf } from '../../src/engine/storage/tar/tar-writer.ts';
import type { CpioEntry } from './cpio.ts';
import { PackageError, type UnpackedPackage } from './debian-packages.ts';
import type { KernelModule } from './kernel-modules.ts';
import { addGuestSystem, Tree } from './ramdisk.ts';

export interface Kernel {
  readonly release: string;
  readonly modules: readonly KernelModule[];
  readonly builtin: Uint8Array;
  readonly package: UnpackedPackage;
}

const DIRECTORIES = [
  'home',
  'mnt',
  'tmp',
  'run',
  'proc',
  'sys',
  'var/lib',
  'var/log',
  'var/run',
  'var/spool',
  'var/tmp',
  'dev/pts',
  'dev/shm',
];

/** Nodes that a guest finds before its kernel fills /dev; Linux's numbers (Documentation/admin-guide/devices.txt). */
const DEVICES: readonly (readonly [name: string, mode: number, major: number, minor: number])[] = [
  ['zero', 0o666, 1, 5],
  ['full', 0o666, 1, 7],
  ['random', 0o666, 1, 8],
  ['urandom', 0o666, 1, 9],
  ['kmsg', 0o600, 1, 11],
  ['tty', 0o666, 5, 0],
  ['ptmx', 0o666, 5, 2],
  ['tty1', 0o600, 4, 1],
  ['hvc0', 0o600, 229, 0],
  ['xvc0', 0o600, 204, 191],
];

/** Nobody runs these from a disk: the first belongs to a ramdisk, the second to mounting another root over it. */
const LEFT_OUT = new Set(['init', 'newroot']);

export function userlandTree(busybox: UnpackedPackage, kernels: readonly Kernel[]): CpioEntry[] {
  const tree = new Tree();
  tree.skeleton();
  for (const path of DIRECTORIES) tree.directory(path);
  addGuestSystem(tree, readFileSync(join(busybox.directory, 'bin/busybox')));
  for (const path of commandsOf(busybox)) if (!tree.has(path)) tree.symlink(path, linkToBusybox(path));
  for (const [name, mode, major, minor] of DEVICES) tree.characterDevice(`dev/${name}`, mode, major, minor);
  for (const { release, modules, builtin } of kernels) tree.modules(release, modules, builtin);
  for (const { name, directory } of [busybox, ...kernels.map((kernel) => kernel.package)])
    tree.file(`usr/share/doc/${name}/copyright`, readFileSync(join(directory, 'usr/share/doc', name, 'copyright')));
  tree.file('etc/hostname', 'guest\n');
  return tree.list().filter(({ path }) => !LEFT_OUT.has(path));
}

/** Where busybox wants its commands: "usr/bin/awk". It is run for that. */
function commandsOf(busybox: UnpackedPackage): string[] {
  const { status, stdout, error } = spawnSync(join(busybox.directory, 'bin/busybox'), ['--list-full'], { encoding: 'utf8' });
  if (status !== 0)
    throw new PackageError(`busybox cannot be run to tell its commands, which takes an x86-64 Linux: ${error?.message ?? ''}`);
  return stdout.split('\n').filter((path) => /^(usr\/)?s?bin\/[^/]+$/.test(path));
}

function linkToBusybox(path: string): string {
  const [directory] = /^.*(?=\/)/.exec(path) ?? [''];
  return directory === 'bin' ? 'busybox' : `${'../'.repeat(directory.split('/').length)}bin/busybox`;
}

/** Of all files: the day the program was built. */
export const timeOf = (busybox: UnpackedPackage): number =>
  Math.floor(statSync(join(busybox.directory, 'bin/busybox')).mtimeMs / 1000);

export function packTar(entries: readonly CpioEntry[], mtime: number): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (const entry of entries) {
    const content = entry.kind === 'file' ? entry.content : new Uint8Array(0);
    const header: TarEntry = {
      path: entry.path,
      kind: entry.kind,
      mode: modeOf(entry),
      uid: 0,
      gid: 0,
      sizeBytes: content.length,
      mtime,
      target: entry.kind === 'symlink' ? entry.target : '',
      device: entry.kind === 'character-device' ? { major: entry.major, minor: entry.minor } : { major: 0, minor: 0 },
    };
    blocks.push(...headerBlocks(header), content, paddingOf(content.length));
  }
  const archive = Buffer.concat(blocks);
  return gzipSync(Buffer.concat([archive, endBlocks(archive.length)]), { level: 9 });
}

/** One line for each entry: mode with type in octal digits; bytes, target or device numbers; path. */
export function contentsOf(entries: readonly CpioEntry[]): string[] {
  const TYPES = { directory: 0o040000, file: 0o100000, symlink: 0o120000, 'character-device': 0o020000 } as const;
  return entries.map((entry) => {
    const mode = (TYPES[entry.kind] | modeOf(entry)).toString(8).padStart(7, '0');
    switch (entry.kind) {
      case 'directory':
        return `${mode} 0 ${entry.path}`;
      case 'file':
        return `${mode} ${entry.content.length} ${entry.path}`;
      case 'symlink':
        return `${mode} ${entry.target} ${entry.path}`;
      case 'character-device':
        return `${mode} ${entry.major}:${entry.minor} ${entry.path}`;
    }
  });
}

const modeOf = (entry: CpioEntry): number => (entry.kind === 'symlink' ? 0o777 : entry.mode);
