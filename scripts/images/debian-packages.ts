/**
 * Fetches Debian packages by name and unpacks them, through the machine's own apt and dpkg-deb. Where there is no apt (or
 * it serves another architecture) the environment variable WEBXEN_DEBIAN_MIRROR names a mirror whose package index is read instead.
 * Packages stay in build/packages, so that a second run works without a network.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { readAr } from './ar.ts';

export interface UnpackedPackage {
  readonly name: string;
  readonly version: string;
  /** Source package and its version. */
  readonly source: string;
  readonly sourceVersion: string;
  /** Source packages whose code is in it besides its own, as "name (= version)". */
  readonly builtUsing: string;
  /** Of the .deb file. */
  readonly sha256: string;
  /** Where its files are. */
  readonly directory: string;
}

/** A failure whose message tells the user what to do; printed without a stack. */
export class PackageError extends Error {}

const cacheDirectory = resolve('build/packages');

function has(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
}

function run(program: string, args: readonly string[], options: { cwd?: string; quiet?: boolean } = {}): string {
  const result = spawnSync(program, args, {
    cwd: options.cwd,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, LC_ALL: 'C' },
  });
  if (result.error !== undefined) throw new PackageError(`${program} cannot be run: ${result.error.message}`);
  if (result.status !== 0) {
    throw new PackageError(`${program} ${args.join(' ')} failed:\n${result.stderr.trim() || result.stdout.trim()}`);
  }
  return result.stdout;
}

/** Where packages come from: apt on Debian and its relatives, else a mirror. */
export interface PackageSource {
  /** Package names this one depends on, first alternatives, in order. */
  dependencies(name: string): Promise<string[]>;
  /** Path of the .deb, fetched when it is not in the cache yet. */
  fetch(name: string): Promise<string>;
  /** The names and all they need, as for an empty system. */
  closure(names: readonly string[]): Promise<string[]>;
}

export type Architecture = 'amd64' | 'i386';

/** @param architecture i386 is fetched with package lists of its own, below build/packages: this machine's settings stay as they are */
export function packageSource(architecture: Architecture = 'amd64'): PackageSource {
  const mirror = process.env['WEBXEN_DEBIAN_MIRROR'];
  if (mirror !== undefined && mirror !== '') return new MirrorSource(mirror.replace(/\/$/, ''), architecture);
  if (has('apt-get')) return new AptSource(architecture);
  throw new PackageError(
    'The guest images are made from Debian packages, and this machine has no apt-get. Set WEBXEN_DEBIAN_MIRROR to the address of a ' +
      'Debian mirror (the directory that holds dists/ and pool/) and run again.',
  );
}

class AptSource implements PackageSource {
  private listsPresent = false;
  /** What sends every apt command to the lists of the architecture. */
  private readonly scope: readonly string[];

  constructor(private readonly architecture: Architecture) {
    const lists = join(cacheDirectory, `lists-${architecture}`);
    const own = ['Architecture', 'Architectures'].flatMap((name) => ['-o', `APT::${name}=${architecture}`]);
    this.scope =
      architecture === 'amd64'
        ? []
        : [...own, '-o', `Dir::State::lists=${lists}`, '-o', 'Dir::Cache::pkgcache=', '-o', 'Dir::Cache::srcpkgcache='];
    if (architecture !== 'amd64') mkdirSync(join(lists, 'partial'), { recursive: true });
  }

  private ensureLists(): void {
    if (this.listsPresent) return;
    const present = (): boolean =>
      spawnSync('apt-cache', [...this.scope, 'show', 'busybox-static'], { stdio: 'ignore' }).status === 0;
    if (!present()) {
      if (this.architecture === 'amd64' && process.getuid?.() !== 0) {
        throw new PackageError("apt's package lists are empty. Run `sudo apt-get update` once, then run this again.");
      }
      // One list of several may fail; what matters is whether the packages are known then.
      const { stderr } = spawnSync('apt-get', [...this.scope, ...sandboxOption(), 'update', '-q'], { encoding: 'utf8' });
      if (!present()) throw new PackageError(`apt-get update brought no package lists for ${this.architecture}:\n${stderr.trim()}`);
    }
    this.listsPresent = true;
  }

  dependencies(name: string): Promise<string[]> {
    return Promise.resolve(dependencyNames(this.field(name, 'Depends')));
  }

  /** A field of the version apt would install; empty when the package has no such field. */
  private field(name: string, field: string): string {
    this.ensureLists();
    return controlFields(run('apt-cache', [...this.scope, 'show', '--no-all-versions', name])).get(field) ?? '';
  }

  fetch(name: string): Promise<string> {
    const version = this.field(name, 'Version');
    const cached = cachedPackage(name, version, this.architecture);
    if (cached !== undefined) return Promise.resolve(cached);
    mkdirSync(cacheDirectory, { recursive: true });
    run('apt-get', [...this.scope, 'download', '-q', ...sandboxOption(), name], { cwd: cacheDirectory });
    const fetched = cachedPackage(name, version, this.architecture);
    if (fetched === undefined) throw new PackageError(`apt-get download ${name} left no package behind.`);
    return Promise.resolve(fetched);
  }

  closure(names: readonly string[]): Promise<string[]> {
    this.ensureLists();
    const status = join(cacheDirectory, 'empty-status');
    mkdirSync(cacheDirectory, { recursive: true });
    writeFileSync(status, '');
    const simulated = run('apt-get', [
      ...this.scope,
      ...['-s', '-q', '-y', '--no-install-recommends', '-o', `Dir::State::status=${status}`, '-o', 'Debug::NoLocking=1'],
      ...['install', ...names],
    ]);
    return Promise.resolve([...simulated.matchAll(/^Inst (\S+)/gm)].map((match) => match[1] ?? ''));
  }
}

/** apt drops root for downloads and then cannot write into a directory only root may enter. */
function sandboxOption(): string[] {
  return process.getuid?.() === 0 ? ['-o', 'APT::Sandbox::User=root'] : [];
}

class MirrorSource implements PackageSource {
  private index: Map<string, Map<string, string>> | undefined;

  constructor(
    private readonly mirror: string,
    private readonly architecture: Architecture,
  ) {}

  private async packages(): Promise<Map<string, Map<string, string>>> {
    if (this.index !== undefined) return this.index;
    const suite = process.env['WEBXEN_DEBIAN_SUITE'] ?? 'stable';
    const bytes = await download(`${this.mirror}/dists/${suite}/main/binary-${this.architecture}/Packages.gz`);
    const index = new Map<string, Map<string, string>>();
    for (const paragraph of gunzipSync(bytes).toString('utf8').split('\n\n')) {
      const fields = controlFields(paragraph);
      const name = fields.get('Package');
      if (name !== undefined) index.set(name, fields);
    }
    this.index = index;
    return index;
  }

  private async find(name: string): Promise<Map<string, string>> {
    const fields = (await this.packages()).get(name);
    if (fields === undefined) throw new PackageError(`The mirror has no package ${name} for ${this.architecture}.`);
    return fields;
  }

  async dependencies(name: string): Promise<string[]> {
    return dependencyNames((await this.find(name)).get('Depends') ?? '');
  }

  async fetch(name: string): Promise<string> {
    const fields = await this.find(name);
    const version = fields.get('Version') ?? '';
    const cached = cachedPackage(name, version, this.architecture);
    if (cached !== undefined) return cached;
    const bytes = await download(`${this.mirror}/${fields.get('Filename') ?? ''}`);
    const digest = createHash('sha256').update(bytes).digest('hex');
    if (digest !== fields.get('SHA256'))
      throw new PackageError(`The package ${name} from the mirror does not have the checksum its index gives.`);
    mkdirSync(cacheDirectory, { recursive: true });
    const path = join(cacheDirectory, `${name}_${fileVersion(version)}_${fields.get('Architecture') ?? this.architecture}.deb`);
    writeFileSync(path, bytes);
    return path;
  }

  async closure(names: readonly string[]): Promise<string[]> {
    const index = await this.packages();
    const seen = new Set<string>();
    const visit = (name: string): void => {
      const fields = index.get(name);
      if (fields === undefined || seen.has(name)) return;
      seen.add(name);
      for (const field of ['Pre-Depends', 'Depends']) dependencyNames(fields.get(field) ?? '').forEach(visit);
    };
    for (const name of names) {
      await this.find(name);
      visit(name);
    }
    return [...seen];
  }
}

async function download(address: string): Promise<Buffer> {
  const response = await fetch(address);
  if (!response.ok) throw new PackageError(`${address}: the mirror answered ${response.status} ${response.statusText}`);
  return Buffer.from(await response.arrayBuffer());
}

/** "a (>= 1) | b, c:any" gives a and c: the first of each group of alternatives, without version and architecture. */
export function dependencyNames(field: string): string[] {
  return field
    .split(',')
    .map((group) => (group.split('|')[0] ?? '').trim().replace(/[\s(:].*$/s, ''))
    .filter((name) => name !== '');
}

/** The fields of one paragraph of a Debian control file; continuation lines are kept with their newlines. */
export function controlFields(paragraph: string): Map<string, string> {
  const fields = new Map<string, string>();
  let last = '';
  for (const line of paragraph.split('\n')) {
    const match = /^([A-Za-z0-9-]+):\s?(.*)$/.exec(line);
    if (match !== null) {
      last = match[1] ?? '';
      fields.set(last, match[2] ?? '');
    } else if (/^\s/.test(line) && last !== '') {
      fields.set(last, `${fields.get(last) ?? ''}\n${line.trim()}`);
    }
  }
  return fields;
}

/** apt writes the colon of an epoch as %3a in file names. */
function fileVersion(version: string): string {
  return version.replaceAll(':', '%3a');
}

function cachedPackage(name: string, version: string, architecture: Architecture): string | undefined {
  if (!existsSync(cacheDirectory)) return undefined;
  const names = [architecture, 'all'].map((kind) => `${name}_${fileVersion(version)}_${kind}.deb`);
  const file = readdirSync(cacheDirectory).find((entry) => names.includes(entry));
  return file === undefined ? undefined : join(cacheDirectory, file);
}

/** Unpacks a package below build/packages/unpacked and reads what it says about itself. */
export function unpack(deb: string): UnpackedPackage {
  const bytes = readFileSync(deb);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const directory = join(cacheDirectory, 'unpacked', sha256.slice(0, 16));
  const controlFile = join(directory, '.control');
  if (!existsSync(controlFile)) {
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true });
    const control = has('dpkg-deb') ? unpackWithDpkg(deb, directory) : unpackWithTar(bytes, directory);
    writeFileSync(controlFile, control);
  }
  const fields = controlFields(readFileSync(controlFile, 'utf8'));
  const name = fields.get('Package') ?? '';
  const version = fields.get('Version') ?? '';
  const source = /^(\S+)(?: \((.*)\))?$/.exec(fields.get('Source') ?? name);
  const builtUsing = fields.get('Built-Using') ?? '';
  return { name, version, source: source?.[1] ?? name, sourceVersion: source?.[2] ?? version, builtUsing, sha256, directory };
}

function unpackWithDpkg(deb: string, directory: string): string {
  run('dpkg-deb', ['-x', deb, directory]);
  return run('dpkg-deb', ['-f', deb]);
}

function unpackWithTar(deb: Uint8Array, directory: string): string {
  const members = readAr(deb);
  const tar = (prefix: string, args: readonly string[]): Buffer => {
    const member = members.find((one) => one.name.startsWith(prefix));
    if (member === undefined) throw new PackageError(`not a Debian package: no ${prefix} in it`);
    const file = join(directory, `.${member.name}`);
    writeFileSync(file, member.content);
    const result = spawnSync('tar', ['-xf', file, ...args], { cwd: directory, maxBuffer: 1 << 28 });
    rmSync(file);
    if (result.status !== 0)
      throw new PackageError(`tar cannot unpack ${member.name} (is xz installed?): ${String(result.stderr)}`);
    return result.stdout;
  };
  tar('data.tar', []);
  return tar('control.tar', ['-O', './control']).toString('utf8');
}
