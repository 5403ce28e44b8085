/** Kernels, ramdisks and the userland of the site: its manifest.json says which; each is fetched when first read, and checked. */
import type { BootFile, BootFiles } from '../../engine/storage/boot-files.ts';
import type { FetchProgress } from '../../engine/storage/file-system.ts';
import { parseUserland, type SiteUserland } from './site-userland.ts';

export interface SiteImages extends BootFiles {
  /** Its archive is fetched by name, as the others. */
  readonly userland?: SiteUserland;
}

interface Image extends BootFile {
  readonly sha256: string;
}

export interface SiteBootFilesOptions {
  /** Directory of the images, with a slash at its end. */
  readonly base: URL;
  fetch(url: URL): Promise<Response>;
}

/** A site without images has an empty /boot; one whose list cannot be read rejects with a sentence. */
export async function siteBootFiles(options: SiteBootFilesOptions): Promise<SiteImages> {
  const url = new URL('manifest.json', options.base);
  const response = await options.fetch(url);
  if (response.status === 404) return { files: [], fetch: (name) => Promise.reject(new Error(`the site has no ${name}`)) };
  if (!response.ok)
    throw new Error(`The list of kernels cannot be fetched: the site answered ${response.status} for ${url.pathname}.`);
  const manifest: unknown = await response.json();
  const images = parseManifest(manifest);
  const userland = parseUserland(manifest);
  return {
    files: images.filter(({ name }) => name !== userland?.archive),
    ...(userland === undefined ? {} : { userland }),
    fetch: (name, onProgress) => {
      const image = images.find((candidate) => candidate.name === name);
      return image === undefined ? Promise.reject(new Error(`the site has no ${name}`)) : fetchImage(options, image, onProgress);
    },
  };
}

/** Exported for tests. */
export function parseManifest(manifest: unknown): Image[] {
  const entries = isRecord(manifest) && Array.isArray(manifest['images']) ? (manifest['images'] as unknown[]) : undefined;
  if (entries === undefined) throw new Error("The site's list of kernels (images/manifest.json) is no list of images.");
  return entries.map((entry) => {
    const { file, bytes, sha256, aliases } = isRecord(entry) ? entry : {};
    const names = Array.isArray(aliases) ? (aliases as unknown[]) : [];
    if (!isName(file) || typeof bytes !== 'number' || !Number.isSafeInteger(bytes) || bytes < 0 || typeof sha256 !== 'string')
      throw new Error("The site's list of kernels (images/manifest.json) has an entry without file, bytes or sha256.");
    return { name: file, sizeBytes: bytes, sha256: sha256.toLowerCase(), aliases: names.filter(isName) };
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && /^[\w][\w.+~-]{0,200}$/.test(value);
}

async function fetchImage(options: SiteBootFilesOptions, image: Image, onProgress: FetchProgress): Promise<Uint8Array> {
  const response = await options.fetch(new URL(encodeURIComponent(image.name), options.base));
  if (!response.ok || response.body === null) throw new Error(`the site answered ${response.status} for ${image.name}`);
  const bytes = new Uint8Array(image.sizeBytes);
  let at = 0;
  onProgress(0, image.sizeBytes);
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (at + value.length > bytes.length)
      throw new Error(`the site delivers more than the ${image.sizeBytes} bytes announced for ${image.name}`);
    bytes.set(value, at);
    at += value.length;
    onProgress(at, image.sizeBytes);
  }
  if (at !== bytes.length) throw new Error(`the site delivered ${at} of the ${image.sizeBytes} bytes announced for ${image.name}`);
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  const hex = [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  if (hex !== image.sha256)
    throw new Error(`${image.name} as delivered is not what the site's list announces (its SHA-256 differs)`);
  return bytes;
}
