/**
 * Disk images of the site: disks/manifest.json says which; of each the index is fetched when a volume is made from it, and the
 * chunks, by ranges of the data file, when they are read. Everything is checked against the sums of the index, the index against
 * the manifest's.
 */
import { type BaseChunk, type BaseImage, type BaseIndex, decodeBaseIndex } from '../../engine/storage/base-image.ts';
import { CHUNK_BYTES } from '../../engine/storage/chunk-store.ts';

export interface SiteBaseImagesOptions {
  /** Directory of the disk images, with a slash at its end. */
  readonly base: URL;
  fetch(url: URL, init?: RequestInit): Promise<Response>;
}

interface Listed {
  readonly name: string;
  readonly index: string;
  readonly indexSha256: string;
  readonly data: string;
  readonly sizeBytes: number;
}

/** A site without disk images has none; one whose list cannot be read rejects with a sentence. */
export async function siteBaseImages(options: SiteBaseImagesOptions): Promise<BaseImage[]> {
  const url = new URL('manifest.json', options.base);
  const response = await options.fetch(url);
  if (response.status === 404) return [];
  if (!response.ok)
    throw new Error(`The list of disk images cannot be fetched: the site answered ${response.status} for ${url.pathname}.`);
  return parseDiskManifest(await response.json()).map((listed) => new SiteBaseImage(listed, options));
}

/** Exported for tests. */
export function parseDiskManifest(manifest: unknown): Listed[] {
  const entries = isRecord(manifest) && Array.isArray(manifest['disks']) ? (manifest['disks'] as unknown[]) : undefined;
  if (entries === undefined) throw new Error("The site's list of disk images (disks/manifest.json) is no list of disks.");
  return entries.map((entry) => {
    const { data, index, indexSha256, name, sizeBytes } = isRecord(entry) ? entry : {};
    const size = typeof sizeBytes === 'number' && Number.isSafeInteger(sizeBytes) && sizeBytes > 0 ? sizeBytes : undefined;
    if (!isName(name) || !isName(index) || !isName(data) || size === undefined || typeof indexSha256 !== 'string')
      throw new Error("The site's list of disk images (disks/manifest.json) has an entry without name, index, data, size or sum.");
    return { name, index, indexSha256: indexSha256.toLowerCase(), data, sizeBytes: size };
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && /^[\w][\w.+~-]{0,200}$/.test(value);
}

/** Gaps so small are fetched with what is around them, rather than by another request. */
const GAP_BYTES = 16 * 1024;

class SiteBaseImage implements BaseImage {
  readonly name: string;
  readonly identity: string;
  readonly sizeBytes: number;
  private fetching: Promise<BaseIndex> | undefined;

  constructor(
    private readonly listed: Listed,
    private readonly options: SiteBaseImagesOptions,
  ) {
    this.name = listed.name;
    this.identity = listed.indexSha256;
    this.sizeBytes = listed.sizeBytes;
  }

  index(): Promise<BaseIndex> {
    this.fetching ??= this.fetchIndex().catch((error: unknown) => {
      this.fetching = undefined;
      throw error;
    });
    return this.fetching;
  }

  async read(ordinals: readonly number[]): Promise<Uint8Array[]> {
    const { chunks } = await this.index();
    const found = ordinals.map((ordinal) => {
      const chunk = chunks[ordinal];
      if (chunk === undefined) throw new Error(`the disk image ${this.name} has no chunk ${ordinal}`);
      return chunk;
    });
    const contents = new Map<BaseChunk, Uint8Array>();
    await Promise.all(rangesOf(found).map((range) => this.readRange(range, contents)));
    return found.map((chunk) => contents.get(chunk) ?? new Uint8Array(CHUNK_BYTES));
  }

  private async fetchIndex(): Promise<BaseIndex> {
    const { index, indexSha256, name, sizeBytes } = this.listed;
    const response = await this.options.fetch(this.url(index));
    if (!response.ok) throw new Error(`the site answered ${response.status} for ${index}`);
    const bytes = new Uint8Array(await response.arrayBuffer());
    if ((await sha256(bytes)) !== indexSha256)
      throw new Error(`${index} as delivered is not what the site's list announces (its SHA-256 differs)`);
    const decoded = decodeBaseIndex(bytes, name);
    if (decoded.sizeBytes !== sizeBytes) throw new Error(`${index} is of a disk of another size than the site's list announces`);
    return decoded;
  }

  private async readRange(chunks: readonly BaseChunk[], contents: Map<BaseChunk, Uint8Array>): Promise<void> {
    const { data } = this.listed;
    const start = chunks[0]?.offset ?? 0;
    const end = Math.max(...chunks.map(({ length, offset }) => offset + length));
    const response = await this.options.fetch(this.url(data), { headers: { Range: `bytes=${start}-${end - 1}` } });
    if (response.status === 200) {
      // All of it would follow.
      await response.body?.cancel();
      throw new Error(`the site does not deliver parts of ${data} (it has to answer requests for ranges)`);
    }
    if (response.status !== 206) throw new Error(`the site answered ${response.status} for a part of ${data}`);
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (bytes.length !== end - start) throw new Error(`the site delivered ${bytes.length} of ${end - start} bytes of ${data}`);
    await Promise.all(
      chunks.map(async (chunk) => {
        const content = await inflate(bytes.subarray(chunk.offset - start, chunk.offset - start + chunk.length));
        if (content === undefined || (await sha256(content)) !== hex(chunk.sha256))
          throw new Error(`chunk ${chunk.index} of the disk image ${this.name} as delivered does not match its SHA-256`);
        contents.set(chunk, content);
      }),
    );
  }

  private url(file: string): URL {
    return new URL(encodeURIComponent(file), this.options.base);
  }
}

/** Chunks that are fetched together, each once. */
function rangesOf(chunks: readonly BaseChunk[]): BaseChunk[][] {
  const ranges: BaseChunk[][] = [];
  let end = -1;
  for (const chunk of [...new Set(chunks)].sort((a, b) => a.offset - b.offset)) {
    const last = ranges.at(-1);
    if (last === undefined || chunk.offset - end > GAP_BYTES) ranges.push([chunk]);
    else last.push(chunk);
    end = Math.max(end, chunk.offset + chunk.length);
  }
  return ranges;
}

/** A chunk out of its deflated bytes; undefined when they are none. No more than a chunk is ever taken. */
async function inflate(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const content = new Uint8Array(CHUNK_BYTES);
  let at = 0;
  try {
    const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw')).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return at === CHUNK_BYTES ? content : undefined;
      if (at + value.length > CHUNK_BYTES) {
        await reader.cancel();
        return undefined;
      }
      content.set(value, at);
      at += value.length;
    }
  } catch {
    return undefined;
  }
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return hex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)));
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
