import { createHash } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { beforeEach, describe, expect, it } from 'vitest';
import { type BaseImage, encodeBaseIndex } from '../../engine/storage/base-image.ts';
import { CHUNK_BYTES } from '../../engine/storage/chunk-store.ts';
import { crc32 } from '../../engine/storage/crc32.ts';
import { parseDiskManifest, siteBaseImages } from './site-base-images.ts';

const SIZE_BYTES = 100 * CHUNK_BYTES;
const hash = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** Chunks that deflate to very different lengths: repeated, and as good as random. */
const CONTENTS = [3, 4, 50].map((index) =>
  new Uint8Array(CHUNK_BYTES).map((_, n) => (index === 4 ? Math.imul(n + 1, 2654435761) >>> 13 : index)),
);

let files: Map<string, Uint8Array>;
let ranges: string[];
let ignoresRanges: boolean;

beforeEach(() => {
  const deflated = CONTENTS.map((bytes) => deflateRawSync(bytes));
  let offset = 0;
  const chunks = [3, 4, 50].map((index, n) => {
    const bytes = CONTENTS[n] ?? new Uint8Array(0);
    const length = deflated[n]?.length ?? 0;
    const chunk = { index, sum: crc32(bytes), offset, length, sha256: hash(bytes) };
    // The last lies far from the others.
    offset += length + (n === 1 ? 100_000 : 0);
    return chunk;
  });
  const data = new Uint8Array(offset);
  chunks.forEach((chunk, n) => {
    data.set(deflated[n] ?? [], chunk.offset);
  });
  const index = encodeBaseIndex({ sizeBytes: SIZE_BYTES, chunks });
  const manifest = {
    version: 1,
    disks: [{ name: 'small', index: 's.index', indexSha256: hash(index).toString('hex'), data: 's.data', sizeBytes: SIZE_BYTES }],
  };
  files = new Map([
    ['manifest.json', new TextEncoder().encode(JSON.stringify(manifest))],
    ['s.index', index],
    ['s.data', data],
  ]);
  ranges = [];
  ignoresRanges = false;
});

function answer(url: URL, init?: RequestInit): Promise<Response> {
  const bytes = files.get(url.pathname.slice('/disks/'.length));
  if (bytes === undefined) return Promise.resolve(new Response(null, { status: 404 }));
  const range = new Headers(init?.headers).get('Range');
  if (range === null || ignoresRanges) return Promise.resolve(new Response(new Uint8Array(bytes)));
  ranges.push(range);
  const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
  return Promise.resolve(new Response(bytes.slice(Number(start), Number(end) + 1), { status: 206 }));
}

const images = (): Promise<BaseImage[]> => siteBaseImages({ base: new URL('http://site.test/disks/'), fetch: answer });

async function image(): Promise<BaseImage> {
  const [only] = await images();
  if (only === undefined) throw new Error('no image');
  return only;
}

describe('disk images of the site', () => {
  it('are read by ranges, neighbours in one', async () => {
    const small = await image();
    expect(small).toMatchObject({ name: 'small', sizeBytes: SIZE_BYTES });
    expect(await small.read([1, 0])).toEqual([CONTENTS[1], CONTENTS[0]]);
    expect(ranges).toHaveLength(1);
    expect(await small.read([0, 2, 0])).toEqual([CONTENTS[0], CONTENTS[2], CONTENTS[0]]);
    expect(ranges).toHaveLength(3);
    await expect(small.read([3])).rejects.toThrow('the disk image small has no chunk 3');
  });

  it('may be none', async () => {
    files.clear();
    expect(await images()).toEqual([]);
  });

  it.each<[string, () => void, string]>([
    ['index missing', () => files.delete('s.index'), 'the site answered 404 for s.index'],
    [
      'index changed',
      () => (files.get('s.index') ?? new Uint8Array(0)).fill(1, 30, 31),
      "s.index as delivered is not what the site's list announces (its SHA-256 differs)",
    ],
    ['data missing', () => files.delete('s.data'), 'the site answered 404 for a part of s.data'],
    ['data cut off', () => files.set('s.data', (files.get('s.data') ?? new Uint8Array(0)).slice(0, 20)), 'of s.data'],
    [
      'data of another chunk',
      () => (files.get('s.data') ?? new Uint8Array(0)).set(deflateRawSync(new Uint8Array(CHUNK_BYTES).fill(9))),
      'chunk 3 of the disk image small as delivered does not match its SHA-256',
    ],
    [
      'data that is no deflated chunk',
      () => (files.get('s.data') ?? new Uint8Array(0)).fill(0xff),
      'chunk 3 of the disk image small as delivered does not match its SHA-256',
    ],
    ['no ranges', () => (ignoresRanges = true), 'it has to answer requests for ranges'],
  ])('%s: refused with a sentence', async (_, spoil, message) => {
    const small = await image();
    spoil();
    await expect(small.read([0])).rejects.toThrow(message);
  });

  it('takes no more of a stream than a chunk', async () => {
    const small = await image();
    const bomb = deflateRawSync(new Uint8Array(4 * CHUNK_BYTES).fill(3));
    (files.get('s.data') ?? new Uint8Array(0)).set(bomb);
    await expect(small.read([0])).rejects.toThrow('does not match its SHA-256');
  });

  it.each([
    ['no object', 7],
    ['no list', { disks: 7 }],
    ['a path for a name', { disks: [{ name: '../x', index: 'a', indexSha256: '', data: 'b', sizeBytes: 512 }] }],
    ['a size that is none', { disks: [{ name: 'x', index: 'a', indexSha256: '', data: 'b', sizeBytes: -1 }] }],
  ])('a manifest with %s is refused', (_, manifest) => {
    expect(() => parseDiskManifest(manifest)).toThrow('disks/manifest.json');
  });
});
