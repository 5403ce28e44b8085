/**
 * Brings chunks from the store into the cache, each once however many ask for it, and checks them against their sums. Those of
 * base images that the store does not have come from the image.
 */
import type { BaseChunks } from './base-chunks.ts';
import { CHUNK_BYTES, StorageError, type ChunkStore } from './chunk-store.ts';
import type { ChunkCache } from './chunk-cache.ts';
import type { Crc32 } from './crc32.ts';
import type { ChunkEntry } from './volume-maps.ts';

/** What the map of the volume says at an index now; undefined when the volume is gone. StorageError. */
type Lookup = (index: number) => ChunkEntry | undefined;

export class ChunkLoader {
  private readonly loading = new Map<number, Promise<void>>();
  /** Chunks of base images on their way into the store. */
  private readonly storing = new Set<number>();

  constructor(
    private readonly store: ChunkStore,
    private readonly cache: ChunkCache,
    private readonly bases: BaseChunks,
    private readonly crc32: Crc32,
  ) {}

  /** The first index must come, the others may fail. StorageError EIO that names the chunk. */
  async fetch(volumeName: string, indexes: readonly number[], lookup: Lookup): Promise<void> {
    const wanted = new Map<number, { index: number; sum: number }>();
    for (const index of indexes) {
      const { number, sum } = required(lookup(index), volumeName);
      if (number !== 0 && this.cache.get(number) === undefined && !this.loading.has(number)) wanted.set(number, { index, sum });
    }
    if (wanted.size > 0) this.begin(volumeName, wanted);
    const [first] = indexes;
    if (first === undefined) return;
    const { number } = required(lookup(first), volumeName);
    try {
      await this.loading.get(number);
    } catch (error) {
      // Replaced and removed while it was being read: the caller looks again.
      const now = lookup(first);
      if (now !== undefined && now.number !== number) return;
      throw error;
    }
  }

  /** Chunks whatever volume they are of, past the cache. StorageError EIO. */
  async readStored(numbers: readonly number[], sums: ReadonlyMap<number, number>): Promise<Uint8Array[]> {
    const chunks = await this.store.readChunks(numbers);
    const fetched = await this.bases.fetch(numbers.filter((_, n) => chunks[n] === undefined));
    return numbers.map((number, n) => {
      const bytes = chunks[n] ?? fetched.get(number);
      if (bytes?.length === CHUNK_BYTES && this.crc32(bytes) === sums.get(number)) return bytes;
      const what = bytes === undefined ? 'is missing' : 'does not match its checksum';
      throw new StorageError('EIO', `chunk ${number} ${what}`);
    });
  }

  private begin(volumeName: string, wanted: ReadonlyMap<number, { index: number; sum: number }>): void {
    const load = this.read(volumeName, wanted);
    for (const number of wanted.keys()) {
      const mine = load.then((failures) => {
        this.loading.delete(number);
        const failure = failures.get(number);
        if (failure !== undefined) throw failure;
      });
      mine.catch(() => undefined);
      this.loading.set(number, mine);
    }
  }

  /** Failures by number of the chunk. */
  private async read(
    volumeName: string,
    wanted: ReadonlyMap<number, { index: number; sum: number }>,
  ): Promise<Map<number, StorageError>> {
    const failures = new Map<number, StorageError>();
    const numbers = [...wanted.keys()];
    let chunks: (Uint8Array | undefined)[];
    const buffers = numbers.map(() => this.cache.buffer());
    try {
      chunks = await this.store.readChunks(numbers, buffers);
    } catch (cause) {
      const failure = new StorageError('EIO', `volume ${volumeName} cannot be read: ${String(cause)}`, { cause });
      for (const number of numbers) failures.set(number, failure);
      return failures;
    }
    buffers.forEach((buffer, n) => {
      if (chunks[n] !== buffer) this.cache.release(buffer);
    });
    const absent = numbers.filter((number, n) => chunks[n] === undefined && this.bases.isBase(number));
    const fetched = absent.length > 0 ? await this.fetchBases(volumeName, absent, wanted, failures) : undefined;
    numbers.forEach((number, n) => {
      const bytes = chunks[n] ?? fetched?.get(number);
      if (failures.has(number)) return;
      const { index, sum } = wanted.get(number) ?? { index: 0, sum: 0 };
      if (bytes?.length === CHUNK_BYTES && this.crc32(bytes) === sum) {
        this.cache.put(number, bytes);
        return;
      }
      const what = bytes === undefined ? 'is missing' : 'does not match its checksum';
      failures.set(number, new StorageError('EIO', `chunk ${index} of volume ${volumeName} (number ${number}) ${what}`));
    });
    return failures;
  }

  private async fetchBases(
    volumeName: string,
    numbers: readonly number[],
    wanted: ReadonlyMap<number, { index: number; sum: number }>,
    failures: Map<number, StorageError>,
  ): Promise<Map<number, Uint8Array>> {
    try {
      const fetched = await this.bases.fetch(numbers);
      this.keep([...fetched].filter(([number, bytes]) => this.crc32(bytes) === wanted.get(number)?.sum));
      return fetched;
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      for (const number of numbers)
        failures.set(
          number,
          new StorageError('EIO', `chunk ${wanted.get(number)?.index ?? 0} of volume ${volumeName} cannot be fetched: ${why}`, {
            cause,
          }),
        );
      return new Map();
    }
  }

  /**
   * Puts fetched chunks into the store for the next time; without room they are fetched again then. A volume removed meanwhile
   * leaves chunks that the next opening removes.
   */
  private keep(chunks: readonly (readonly [number, Uint8Array])[]): void {
    const kept = chunks.filter(([number]) => !this.storing.has(number));
    if (kept.length === 0) return;
    for (const [number] of kept) this.storing.add(number);
    this.store
      .commit({ chunks: kept })
      .catch(() => undefined)
      .finally(() => {
        for (const [number] of kept) this.storing.delete(number);
      });
  }
}

function required(entry: ChunkEntry | undefined, volumeName: string): ChunkEntry {
  if (entry === undefined) throw new StorageError('ENOENT', `volume ${volumeName} was removed`);
  return entry;
}
