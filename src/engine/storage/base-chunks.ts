/**
 * Chunks of base images in the pool. A volume made from an image is given a number for each of its chunks at once, though the
 * store has none of them yet: the maps, clones and discards know no difference. A record "base:FIRST" says which numbers those are;
 * a chunk that is asked for and not in the store is fetched from the image, and put there for the next time.
 */
import type { BaseImage } from './base-image.ts';
import { StorageError } from './chunk-store.ts';

export const BASE_KEY = 'base:';
const VERSION = 1;

interface BaseRange {
  readonly first: number;
  readonly count: number;
  readonly name: string;
  readonly identity: string;
}

export class BaseChunks {
  private readonly ranges: BaseRange[] = [];

  constructor(private readonly images: readonly BaseImage[]) {}

  /** False when the record says nothing. */
  load(key: string, record: Uint8Array): boolean {
    const first = Number(key.slice(BASE_KEY.length));
    const range = decode(first, record);
    if (range === undefined) return false;
    this.ranges.push(range);
    return true;
  }

  /** The number behind the last one in use. */
  end(): number {
    return this.ranges.reduce((end, { count, first }) => Math.max(end, first + count), 0);
  }

  /** Forgets images of which no chunk is used; the keys of their records. */
  takeUnused(isUsed: (number: number) => boolean): string[] {
    const unused = this.ranges.filter(({ count, first }) => {
      for (let number = first; number < first + count; number += 1) if (isUsed(number)) return false;
      return true;
    });
    for (const range of unused) this.ranges.splice(this.ranges.indexOf(range), 1);
    return unused.map(({ first }) => BASE_KEY + String(first));
  }

  /** The record to be stored with the maps that name the numbers from `first` on. */
  add(image: BaseImage, first: number, count: number): readonly [string, Uint8Array] {
    const { identity, name } = image;
    this.ranges.push({ first, count, name, identity });
    return [BASE_KEY + String(first), new TextEncoder().encode(JSON.stringify({ version: VERSION, count, name, identity }))];
  }

  /** The store did not take it. */
  drop(first: number): void {
    const at = this.ranges.findIndex((range) => range.first === first);
    if (at >= 0) this.ranges.splice(at, 1);
  }

  isBase(number: number): boolean {
    return this.rangeOf(number) !== undefined;
  }

  /** Contents of chunks by their numbers; those that are no base's are left out. Rejects with StorageError EIO. */
  async fetch(numbers: readonly number[]): Promise<Map<number, Uint8Array>> {
    const fetched = new Map<number, Uint8Array>();
    const wanted = new Map<BaseRange, number[]>();
    for (const number of numbers) {
      const range = this.rangeOf(number);
      if (range === undefined) continue;
      const list = wanted.get(range);
      if (list === undefined) wanted.set(range, [number]);
      else list.push(number);
    }
    for (const [range, list] of wanted) {
      const image = this.images.find(({ identity }) => identity === range.identity);
      if (image === undefined)
        throw new StorageError(
          'EIO',
          `it is part of the disk image ${range.name} in a version that the site does not offer any more`,
        );
      let chunks: Uint8Array[];
      try {
        chunks = await image.read(list.map((number) => number - range.first));
      } catch (cause) {
        throw new StorageError('EIO', cause instanceof Error ? cause.message : String(cause), { cause });
      }
      list.forEach((number, n) => {
        const bytes = chunks[n];
        if (bytes !== undefined) fetched.set(number, bytes);
      });
    }
    return fetched;
  }

  private rangeOf(number: number): BaseRange | undefined {
    return this.ranges.find(({ count, first }) => number >= first && number < first + count);
  }
}

function decode(first: number, record: Uint8Array): BaseRange | undefined {
  try {
    const value = JSON.parse(new TextDecoder().decode(record)) as Record<string, unknown>;
    const { count, identity, name, version } = value;
    const whole = [first, count].every((number) => Number.isSafeInteger(number) && (number as number) > 0);
    if (version !== VERSION || !whole || typeof name !== 'string' || typeof identity !== 'string') return undefined;
    return { first, count: count as number, name, identity };
  } catch {
    return undefined;
  }
}
