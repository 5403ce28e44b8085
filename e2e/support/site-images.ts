/** Files of public/images/, as the site's manifest names them, and what is made of them. */
import { readFileSync } from 'node:fs';

interface Manifest {
  readonly images: readonly { readonly file: string; readonly aliases: readonly string[] }[];
}

/** @param alias such as "vmlinuz-cloud" */
export function siteImage(alias: string): string {
  const { images } = JSON.parse(readFileSync('public/images/manifest.json', 'utf8')) as Manifest;
  const image = images.find(({ aliases }) => aliases.includes(alias));
  if (image === undefined) throw new Error(`public/images has no ${alias}`);
  return `public/images/${image.file}`;
}

/** The cloud kernel's ramdisk with Debian's disk programs behind it (scripts/images/disk-programs.ts), for guests of the soak. */
export function diskProgramsRamdisk(): Uint8Array {
  const usual = readFileSync(siteImage('initrd.img-cloud'));
  return Buffer.concat([usual, new Uint8Array(-usual.length & 3), readFileSync('build/soak-images/disk-programs.cpio.gz')]);
}
