import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseManifest, siteBootFiles } from './site-boot-files.ts';

const KERNEL = new Uint8Array(100_000).fill(7);
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const image = (change: object = {}): object => ({
  file: 'vmlinuz-6.1',
  kind: 'kernel',
  aliases: ['vmlinuz', '../etc/passwd', 5],
  bytes: KERNEL.length,
  sha256: sha256(KERNEL),
  ...change,
});

/** A site that answers by path. */
const site = (answers: Record<string, Response | (() => Response)>) => ({
  base: new URL('https://example.test/images/'),
  fetch: (url: URL): Promise<Response> => {
    const answer = answers[url.pathname];
    return Promise.resolve(
      answer === undefined ? new Response('', { status: 404 }) : typeof answer === 'function' ? answer() : answer,
    );
  },
});
const manifest = (...images: object[]): Response => new Response(JSON.stringify({ version: 1, images }));

describe('the list of images', () => {
  it('gives names, sizes and aliases, and no names that lead elsewhere', () => {
    expect(parseManifest({ images: [image()] })).toEqual([
      { name: 'vmlinuz-6.1', sizeBytes: KERNEL.length, sha256: sha256(KERNEL), aliases: ['vmlinuz'] },
    ]);
  });

  it.each([
    [null],
    [[]],
    [{}],
    [{ images: {} }],
    [{ images: [1] }],
    [{ images: [image({ file: '../x' })] }],
    [{ images: [image({ bytes: -1 })] }],
  ])('is refused when it is %j', (text) => expect(() => parseManifest(text)).toThrow(/images\/manifest\.json/));

  it('may be missing, but not broken', async () => {
    expect((await siteBootFiles(site({}))).files).toEqual([]);
    await expect(siteBootFiles(site({ '/images/manifest.json': new Response('', { status: 500 }) }))).rejects.toThrow(
      'answered 500',
    );
  });
});

describe('an image', () => {
  const fetchFrom = async (answer: () => Response, change: object = {}): Promise<[Uint8Array, number[]]> => {
    const files = await siteBootFiles(site({ '/images/manifest.json': manifest(image(change)), '/images/vmlinuz-6.1': answer }));
    const seen: number[] = [];
    const bytes = await files.fetch('vmlinuz-6.1', (loaded) => seen.push(loaded));
    return [bytes, seen];
  };

  it('is fetched with progress and checked', async () => {
    const [bytes, seen] = await fetchFrom(() => new Response(KERNEL));
    expect(bytes).toEqual(KERNEL);
    expect([seen[0], seen.at(-1)]).toEqual([0, KERNEL.length]);
  });

  const faults: [what: string, answer: () => Response, change: object, error: string][] = [
    ['is missing', () => new Response('', { status: 404 }), {}, 'the site answered 404 for vmlinuz-6.1'],
    ['is cut short', () => new Response(KERNEL.slice(0, 50)), {}, 'delivered 50 of the 100000 bytes announced'],
    ['is too long', () => new Response(KERNEL), { bytes: 10 }, 'delivers more than the 10 bytes announced'],
    ['is another', () => new Response(new Uint8Array(KERNEL.length)), {}, 'its SHA-256 differs'],
  ];
  it.each(faults)('that %s is refused', async (_what, answer, change, error) => {
    await expect(fetchFrom(answer, change)).rejects.toThrow(error);
  });

  it('that nobody announced is refused', async () => {
    await expect((await siteBootFiles(site({}))).fetch('x', () => undefined)).rejects.toThrow('the site has no x');
  });
});
