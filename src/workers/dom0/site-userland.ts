/**
 * The userland of the site: what its manifest says is in the archive, and the archive unpacked. A line of the list is the mode
 * with the type in octal digits, then bytes, target or device numbers, then the path.
 */
import type { Gunzip } from '../../engine/codec/gunzip.ts';
import type { BootFiles } from '../../engine/storage/boot-files.ts';
import type { SiteTree, SiteTreeEntry } from '../../engine/storage/site-tree.ts';
import { BLOCK_BYTES } from '../../engine/storage/tar/tar-header.ts';

export interface SiteUserland {
  /** Name of the archive among the images. */
  readonly archive: string;
  /** Seconds since 1970. */
  readonly mtime: number;
  readonly entries: readonly SiteTreeEntry[];
}

const LINE = /^(\d{7}) (\S+) ([^/\0][^\0]*)$/;

/** undefined when the manifest has none. Throws when it has one that cannot be read. */
export function parseUserland(manifest: unknown): SiteUserland | undefined {
  const images = isRecord(manifest) && Array.isArray(manifest['images']) ? (manifest['images'] as unknown[]) : [];
  const image = images.find((candidate) => isRecord(candidate) && candidate['kind'] === 'userland');
  if (!isRecord(image)) return undefined;
  const { contents, file, time } = image;
  if (typeof file !== 'string' || !Array.isArray(contents) || typeof time !== 'number' || !Number.isSafeInteger(time) || time < 0)
    throw new Error("The site's list of kernels (images/manifest.json) has a userland without file, time or contents.");
  return { archive: file, mtime: time, entries: contents.map(parseLine) };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function parseLine(line: unknown): SiteTreeEntry {
  const [, digits = '', what = '', path = ''] = (typeof line === 'string' ? LINE.exec(line) : null) ?? [];
  const mode = parseInt(digits, 8) & 0o7777;
  const named = path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
  const device = /^(\d+):(\d+)$/.exec(what);
  switch (named ? parseInt(digits, 8) & 0o170000 : 0) {
    case 0o040000:
      return { kind: 'directory', path, mode };
    case 0o120000:
      return { kind: 'symlink', path, mode, target: what };
    case 0o100000:
      if (/^\d{1,10}$/.test(what)) return { kind: 'file', path, mode, sizeBytes: Number(what) };
      break;
    case 0o020000:
      if (device !== null)
        return { kind: 'character-device', path, mode, device: { major: Number(device[1]), minor: Number(device[2]) } };
      break;
  }
  throw new Error(
    `The site's list of kernels (images/manifest.json) has a line in its userland that says nothing: ${String(line)}`,
  );
}

/** Of a compressed archive that was to hold these entries, the largest that may come out. */
function bytesMax(entries: readonly SiteTreeEntry[]): number {
  const contents = entries.reduce((sum, entry) => sum + (entry.kind === 'file' ? entry.sizeBytes + BLOCK_BYTES : 0), 0);
  // A header each, at most two more for long names, and the end.
  return contents + (entries.length * 5 + 40) * BLOCK_BYTES;
}

export function siteTree({ archive, entries, mtime }: SiteUserland, images: BootFiles, gunzip: Gunzip): SiteTree {
  return {
    entries,
    mtime,
    archive: async (onProgress) => gunzip(await images.fetch(archive, onProgress), bytesMax(entries)),
  };
}
