/**
 * public/images/manifest.json: what each image is, which packages it was made of, under which licences, and where their source
 * is. dom0 shows the files it names in /boot, and those in a userland in its root, and fetches them when they are first used.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { UnpackedPackage } from './debian-packages.ts';

export interface PackageRecord {
  readonly package: string;
  readonly version: string;
  /** Of the .deb file. */
  readonly sha256: string;
  readonly licence: string;
  readonly source: string;
}

export interface ImageRecord {
  /** Name in public/images/ and, of kernels and ramdisks, in dom0's /boot. */
  readonly file: string;
  readonly kind: 'kernel' | 'ramdisk' | 'userland' | 'text';
  readonly bytes: number;
  readonly sha256: string;
  /** Other names it has in /boot. */
  readonly aliases: readonly string[];
  readonly description: string;
  readonly packages: readonly PackageRecord[];
  /** Of a userland: when its files were last changed, seconds since 1970. */
  readonly time?: number;
  /** Of a userland: what is in the archive, as `contentsOf` words it. Shown in dom0's root before the archive is fetched. */
  readonly contents?: readonly string[];
}

export interface Manifest {
  readonly version: 1;
  /** Checksum of the scripts and trees the images were made with. */
  readonly recipe: string;
  readonly images: readonly ImageRecord[];
}

export function packageRecord(unpacked: UnpackedPackage): PackageRecord {
  return {
    package: unpacked.name,
    version: unpacked.version,
    sha256: unpacked.sha256,
    licence: licenceOf(unpacked),
    source: sourceOf(unpacked),
  };
}

function sourceOf({ source, sourceVersion, builtUsing }: UnpackedPackage): string {
  const own = `Debian source package ${source} (= ${sourceVersion}), to be had with apt-get source ${source}=${sourceVersion}`;
  return builtUsing === '' ? own : `${own}; built using ${builtUsing}`;
}

/** The licences the package's own copyright file names; the file says which part has which. */
function licenceOf(unpacked: UnpackedPackage): string {
  const documents = join(unpacked.directory, 'usr/share/doc');
  const copyright = join(documents, unpacked.name, 'copyright');
  if (!existsSync(copyright)) return `see the copyright file of ${unpacked.source}`;
  const names = new Set<string>();
  for (const match of readFileSync(copyright, 'utf8').matchAll(/^License:[ \t]*(\S.*)$/gm)) names.add((match[1] ?? '').trim());
  return names.size === 0 ? `see usr/share/doc/${unpacked.name}/copyright in the package` : [...names].sort().join(', ');
}

export function imageRecord(fields: Omit<ImageRecord, 'bytes' | 'sha256'>, content: Uint8Array): ImageRecord {
  const { packages, contents, ...rest } = fields;
  const sha256 = createHash('sha256').update(content).digest('hex');
  return { ...rest, bytes: content.length, sha256, packages, ...(contents === undefined ? {} : { contents }) };
}

/** One checksum over all files below the given paths: changes when any name or content does. */
export function recipeOf(paths: readonly string[]): string {
  const hash = createHash('sha256');
  const visit = (path: string): void => {
    if (statSync(path).isDirectory()) {
      for (const name of readdirSync(path).sort()) visit(join(path, name));
    } else if (!path.endsWith('.test.ts')) {
      hash.update(`${path}\0${statSync(path).mode & 0o100}\0`).update(readFileSync(path));
    }
  };
  for (const path of paths) visit(path);
  return hash.digest('hex');
}

export function writeManifest(directory: string, manifest: Manifest): void {
  writeFileSync(join(directory, 'manifest.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
}

/** True when the images named in a manifest of this recipe are all there. */
export function upToDate(directory: string, recipe: string): boolean {
  const path = join(directory, 'manifest.json');
  if (!existsSync(path)) return false;
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as Manifest;
  return (
    manifest.recipe === recipe &&
    manifest.images.every((image) => {
      const file = join(directory, image.file);
      return existsSync(file) && statSync(file).size === image.bytes;
    })
  );
}
