/**
 * The ramdisk of a guest: busybox, the tree images/rootfs and a kernel's modules, as a gzip-compressed cpio archive.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type CpioEntry, writeCpio } from './cpio.ts';
import { type KernelModule, modulesAlias, modulesDep } from './kernel-modules.ts';

/** Directories that programs and mounts expect; made before anything else. */
const SKELETON = [
  'bin',
  'dev',
  'etc',
  'lib',
  'newroot',
  'proc',
  'root',
  'run',
  'sbin',
  'sys',
  'tmp',
  'usr',
  'usr/bin',
  'usr/sbin',
  'var',
  'var/log',
];

/** Files git cannot hold the mode of (it knows only "executable"). */
const MODES: Readonly<Record<string, number>> = { tmp: 0o1777, root: 0o700, proc: 0o555, sys: 0o555, 'etc/shadow': 0o600 };

/** Collects entries; makes missing parent directories by itself. */
export class Tree {
  private readonly entries = new Map<string, CpioEntry>();

  directory(path: string): void {
    if (path === '' || this.entries.has(path)) return;
    this.parents(path);
    this.entries.set(path, { kind: 'directory', path, mode: MODES[path] ?? 0o755 });
  }

  /** A file given twice is the later one's: the project's tree goes over a package's. */
  file(path: string, content: Uint8Array | string, executable = false): void {
    this.parents(path);
    const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : content;
    this.entries.set(path, { kind: 'file', path, mode: MODES[path] ?? (executable ? 0o755 : 0o644), content: bytes });
  }

  symlink(path: string, target: string): void {
    this.parents(path);
    this.entries.set(path, { kind: 'symlink', path, target });
  }

  /** The console the kernel opens for the first program, before devtmpfs is there. */
  consoleDevice(): void {
    this.characterDevice('dev/console', 0o600, 5, 1);
    this.characterDevice('dev/null', 0o666, 1, 3);
  }

  characterDevice(path: string, mode: number, major: number, minor: number): void {
    this.parents(path);
    this.entries.set(path, { kind: 'character-device', path, mode, major, minor });
  }

  has(path: string): boolean {
    return this.entries.has(path);
  }

  /** A directory comes before what is in it. */
  list(): CpioEntry[] {
    return [...this.entries.values()];
  }

  /** Everything below a folder of this repository, in a stable order. */
  folder(source: string, prefix = ''): void {
    for (const name of readdirSync(source).sort()) {
      const from = join(source, name);
      const path = prefix === '' ? name : `${prefix}/${name}`;
      const status = statSync(from);
      if (status.isDirectory()) {
        this.directory(path);
        this.folder(from, path);
      } else {
        this.file(path, readFileSync(from), (status.mode & 0o100) !== 0);
      }
    }
  }

  /** @param builtin the kernel's list of what it needs no module for, so that modprobe says yes to it */
  modules(release: string, modules: readonly KernelModule[], builtin: Uint8Array): void {
    const base = `lib/modules/${release}`;
    this.file(`${base}/modules.builtin`, builtin);
    this.file(`${base}/modules.dep`, modulesDep(modules));
    this.file(`${base}/modules.alias`, modulesAlias(modules));
    for (const module of modules) this.file(`${base}/${module.path}`, module.content);
  }

  skeleton(): void {
    for (const path of SKELETON) this.directory(path);
  }

  /** Everything a package brings below a directory, links as links; `keep` is asked with paths relative to the root. */
  unpacked(source: string, keep: (path: string) => boolean, prefix = ''): void {
    for (const entry of readdirSync(join(source, prefix), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
      const from = join(source, path);
      if (!keep(path)) continue;
      if (entry.isDirectory()) {
        this.directory(path);
        this.unpacked(source, keep, path);
      } else if (entry.isSymbolicLink()) {
        this.symlink(path, readlinkSync(from));
      } else if (entry.isFile()) {
        this.file(path, readFileSync(from), (statSync(from).mode & 0o100) !== 0);
      }
    }
  }

  /** Makes the tree in a directory of the host. */
  writeTo(directory: string): void {
    plant(this.list(), directory);
  }

  /** Gzip-compressed cpio; the same tree always gives the same bytes. */
  pack(): Uint8Array {
    return gzipSync(writeCpio(this.list()), { level: 9 });
  }

  private parents(path: string): void {
    const cut = path.lastIndexOf('/');
    if (cut > 0) this.directory(path.slice(0, cut));
  }
}

/** Busybox and the project's own files: what every ramdisk has. Goes over what the tree holds already. */
export function addGuestSystem(tree: Tree, busybox: Uint8Array): void {
  tree.consoleDevice();
  tree.file('bin/busybox', busybox, true);
  tree.symlink('bin/sh', 'busybox');
  tree.folder('images/rootfs');
}

/** Makes the files of an archive in a directory of the host, with all times 0. Without root an empty file takes a device's place. */
export function plant(entries: readonly CpioEntry[], directory: string): void {
  for (const entry of entries) {
    const path = join(directory, entry.path);
    switch (entry.kind) {
      case 'directory':
        mkdirSync(path, { mode: entry.mode });
        break;
      case 'file':
        writeFileSync(path, entry.content, { mode: entry.mode });
        utimesSync(path, 0, 0);
        break;
      case 'symlink':
        symlinkSync(entry.target, path);
        break;
      case 'character-device':
        if (process.getuid?.() === 0) {
          execFileSync('mknod', ['-m', entry.mode.toString(8), path, 'c', String(entry.major), String(entry.minor)]);
        } else {
          writeFileSync(path, '');
        }
        break;
    }
  }
}
