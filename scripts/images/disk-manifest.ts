/** public/disks/manifest.json: the disk images that the site has, none at first. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BaseFiles } from './base-image.ts';

export interface DiskRecord extends BaseFiles {
  /** In domain 0: /etc/xen/NAME and /var/lib/xen/images/NAME.img. */
  readonly name: string;
  readonly description: string;
  readonly packages: readonly { readonly package: string; readonly version: string; readonly source: string }[];
}

export interface DiskManifest {
  readonly version: 1;
  readonly disks: readonly DiskRecord[];
}

const fileOf = (directory: string): string => join(directory, 'manifest.json');

export function readDiskManifest(directory: string): DiskManifest {
  if (!existsSync(fileOf(directory))) return { version: 1, disks: [] };
  return JSON.parse(readFileSync(fileOf(directory), 'utf8')) as DiskManifest;
}

export function writeDiskManifest(directory: string, manifest: DiskManifest): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(fileOf(directory), `${JSON.stringify(manifest, undefined, 2)}\n`);
}
