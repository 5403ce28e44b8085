/**
 * The volumes of a ChunkStore: their maps, who shares what, and how changes become durable.
 *
 * Order of a commit. First the chunks, in batches, under numbers that nothing refers to; then one batch with the map pages, the
 * volume's record and the removal of chunks that lost their last user. A crash before the last batch leaves chunks without a
 * user, which the next opening removes; a crash after it leaves the new state. Nothing in use is ever overwritten, so a volume
 * is at any moment what its last completed commit made it.
 *
 * A clone copies the list of map pages, one number for each 128 MiB; pages and chunks are then shared. How many users each has
 * is counted at opening and kept in memory only, so the counts cannot disagree with the maps.
 */
import { CHUNK_BYTES, StorageError, type ChunkBatch, type ChunkStore } from './chunk-store.ts';
import { ChunkCache } from './chunk-cache.ts';
import { crc32 } from './crc32.ts';
import { SECTOR_BYTES } from './disk-image.ts';
import { copyMapPage, decodeMapPage, emptyMapPage, encodeMapPage, PAGE_ENTRIES, type MapPage } from './map-page.ts';
import { READ_AHEAD_CHUNKS, Volume, type VolumeHost } from './volume.ts';
import {
  decodeVolumeRecord,
  encodeVolumeRecord,
  isVolumeName,
  isVolumeSize,
  MAP_KEY,
  pagesOfSize,
  VOLUME_KEY,
} from './volume-record.ts';

/** Chunks in one batch of a commit: 4 MiB. */
const BATCH_CHUNKS = 16;
const CACHE_BYTES = 64 * 1024 * 1024;
const DIRTY_LIMIT_BYTES = 32 * 1024 * 1024;

export interface VolumePoolOptions {
  readonly cacheBytes?: number;
  /** Written and not committed: half of it starts a commit, all of it makes writers wait. */
  readonly dirtyLimitBytes?: number;
  /** Lines for the log: damage found, commits that failed behind a writer's back. */
  readonly log?: (line: string) => void;
}

export interface PoolUse {
  /** Chunks in the store. */
  readonly chunks: number;
  /** Of those, chunks that more than one map entry names. */
  readonly sharedChunks: number;
  readonly dirtyBytes: number;
}

/** A page that several volumes may use. */
interface CountedPage {
  page: MapPage;
  users: number;
}

interface Entry {
  readonly volume: Volume;
  pages: number[];
  /** A commit that is waiting for its turn. */
  queued: Promise<void> | undefined;
}

/** A change of one volume's map, worked out before anything is stored. */
interface Staged {
  readonly pages: number[];
  readonly changed: Map<number, MapPage>;
  readonly removedPages: Set<number>;
  /** Users that pages and chunks gain or lose. */
  readonly pageUsers: Map<number, number>;
  readonly chunkUsers: Map<number, number>;
}

export class VolumePool {
  private readonly entries = new Map<string, Entry>();
  private readonly ofVolume = new Map<Volume, Entry>();
  private readonly pages = new Map<number, CountedPage>();
  private readonly chunkUsers = new Map<number, number>();
  private readonly loading = new Map<number, Promise<void>>();
  private readonly cache: ChunkCache;
  private readonly dirtyLimit: number;
  private readonly host: VolumeHost;
  /** Chunks stored by commits that did not come to their end. */
  private abandoned: number[] = [];
  private nextNumber = 1;
  private dirtyChunks = 0;
  private tail: Promise<unknown> = Promise.resolve();
  private closed = false;

  private constructor(
    private readonly store: ChunkStore,
    private readonly options: VolumePoolOptions,
  ) {
    // A fetch must fit, or what it brought would be gone before it is looked at.
    this.cache = new ChunkCache(Math.max(options.cacheBytes ?? CACHE_BYTES, READ_AHEAD_CHUNKS * CHUNK_BYTES));
    this.dirtyLimit = Math.max(2, Math.floor((options.dirtyLimitBytes ?? DIRTY_LIMIT_BYTES) / CHUNK_BYTES));
    this.host = {
      committed: (volume, index) => this.committed(volume, index).number,
      cached: (number) => this.cache.get(number),
      fetch: (volume, indexes) => this.fetch(volume, indexes),
      admit: (volume, chunks) => this.admit(volume, chunks),
      dirtied: (_volume, change) => {
        this.dirtyChunks += change;
      },
      flush: (volume) => this.flushVolume(volume),
      resize: (volume, sizeBytes) => this.resizeVolume(volume, sizeBytes),
    };
  }

  /** Reads the maps and removes what a crash left behind. */
  static async open(store: ChunkStore, options: VolumePoolOptions = {}): Promise<VolumePool> {
    const pool = new VolumePool(store, options);
    await pool.load();
    return pool;
  }

  names(): string[] {
    return [...this.entries.keys()].sort();
  }

  volume(name: string): Volume | undefined {
    return this.entries.get(name)?.volume;
  }

  use(): PoolUse {
    const shared = new Set<number>();
    for (const [number, users] of this.chunkUsers) if (users > 1) shared.add(number);
    for (const { page, users } of this.pages.values()) {
      if (users > 1) for (const number of page.chunks) if (number !== 0) shared.add(number);
    }
    return { chunks: this.chunkUsers.size, sharedChunks: shared.size, dirtyBytes: this.dirtyChunks * CHUNK_BYTES };
  }

  /** Bytes of chunks that the volume has, its own and shared ones. */
  allocatedBytes(volume: Volume): number {
    let chunks = 0;
    for (const number of this.entry(volume).pages)
      for (const chunk of this.pages.get(number)?.page.chunks ?? []) if (chunk) chunks += 1;
    return chunks * CHUNK_BYTES;
  }

  /** A new volume of zeros. EEXIST, EINVAL, ENOSPC. */
  create(name: string, sizeBytes: number): Promise<Volume> {
    return this.exclusive(() => {
      requireSize(sizeBytes);
      return this.add(name, sizeBytes, false, new Array<number>(pagesOfSize(sizeBytes)).fill(0));
    });
  }

  /** A volume that begins as the source is now, what was written and not flushed included. Neither sees the other's later writes. */
  clone(source: Volume, name: string, { readOnly = false } = {}): Promise<Volume> {
    return this.exclusive(async () => {
      const entry = this.entry(source);
      await this.commit(entry);
      return this.add(name, source.sizeBytes, readOnly, [...entry.pages]);
    });
  }

  /** The volume is gone when this resolves; accesses to it fail from the call on. */
  remove(volume: Volume): Promise<void> {
    return this.exclusive(async () => {
      const entry = this.entry(volume);
      const staged = this.stage(entry.pages.map(() => 0));
      for (const number of entry.pages) this.releasePage(staged, number);
      await this.store.commit({ ...this.removals(staged), removedRecords: [VOLUME_KEY + volume.name, ...removedKeys(staged)] });
      this.settle(staged);
      this.entries.delete(volume.name);
      this.ofVolume.delete(volume);
      volume.resized(0);
    });
  }

  /** Commits every volume; resolves when all is durable. */
  async flush(): Promise<void> {
    await Promise.all([...this.entries.values()].map(({ volume }) => this.flushVolume(volume)));
  }

  async close(): Promise<void> {
    await this.flush();
    this.closed = true;
    await this.exclusive(() => this.store.close());
  }

  /** One at a time: everything that changes maps. */
  private exclusive<Result>(body: () => Promise<Result>): Promise<Result> {
    const result = this.tail.then(body);
    this.tail = result.catch(() => undefined);
    return result;
  }

  private entry(volume: Volume): Entry {
    const entry = this.ofVolume.get(volume);
    if (entry === undefined) throw new StorageError('ENOENT', `volume ${volume.name} was removed`);
    return entry;
  }

  private async add(name: string, sizeBytes: number, readOnly: boolean, pages: number[]): Promise<Volume> {
    if (!isVolumeName(name)) throw new StorageError('EINVAL', `"${name}" cannot be the name of a volume`);
    if (this.entries.has(name)) throw new StorageError('EEXIST', `there is a volume ${name} already`);
    await this.store.commit({ records: [[VOLUME_KEY + name, encodeVolumeRecord({ sizeBytes, readOnly, pages })]] });
    for (const number of pages) {
      const counted = this.pages.get(number);
      if (counted !== undefined) counted.users += 1;
    }
    return this.enter(name, sizeBytes, readOnly, pages);
  }

  private enter(name: string, sizeBytes: number, readOnly: boolean, pages: number[]): Volume {
    const volume = new Volume(this.host, name, sizeBytes, readOnly);
    const entry: Entry = { volume, pages, queued: undefined };
    this.entries.set(name, entry);
    this.ofVolume.set(volume, entry);
    return volume;
  }

  // Opening

  private async load(): Promise<void> {
    const records = await this.store.records();
    const damaged = this.loadRecords(records);
    const present = await this.store.chunkNumbers();
    for (const number of present) this.nextNumber = Math.max(this.nextNumber, number + 1);
    if (damaged) {
      this.options.log?.('volumes: some maps are damaged; chunks without a user are kept');
      return;
    }
    const removedChunks = present.filter((number) => !this.chunkUsers.has(number));
    const removedRecords = [...records.keys()].filter(
      (key) => key.startsWith(MAP_KEY) && !this.pages.has(Number(key.slice(MAP_KEY.length))),
    );
    if (removedChunks.length + removedRecords.length > 0) await this.store.commit({ removedChunks, removedRecords });
  }

  /** True when a record could not be understood. */
  private loadRecords(records: ReadonlyMap<string, Uint8Array>): boolean {
    let damaged = false;
    for (const [key, bytes] of records) {
      if (!key.startsWith(VOLUME_KEY)) continue;
      const name = key.slice(VOLUME_KEY.length);
      const record = decodeVolumeRecord(bytes);
      if (record === undefined) {
        damaged = true;
        this.options.log?.(`volumes: the record of volume ${name} is damaged; the volume is not available`);
        continue;
      }
      this.enter(name, record.sizeBytes, record.readOnly, [...record.pages]);
      for (const number of record.pages) {
        if (number === 0) continue;
        this.nextNumber = Math.max(this.nextNumber, number + 1);
        const counted = this.pages.get(number);
        if (counted !== undefined) {
          counted.users += 1;
          continue;
        }
        const page = decodeMapPage(records.get(MAP_KEY + String(number)) ?? new Uint8Array(0));
        if (page === undefined) {
          damaged = true;
          this.options.log?.(`volumes: map page ${number} of volume ${name} is damaged`);
          continue;
        }
        this.pages.set(number, { page, users: 1 });
        for (const chunk of page.chunks) if (chunk !== 0) this.chunkUsers.set(chunk, (this.chunkUsers.get(chunk) ?? 0) + 1);
      }
    }
    for (const chunk of this.chunkUsers.keys()) this.nextNumber = Math.max(this.nextNumber, chunk + 1);
    return damaged;
  }

  // Reading

  private committed(volume: Volume, index: number): { number: number; sum: number } {
    const number = this.entry(volume).pages[Math.floor(index / PAGE_ENTRIES)] ?? 0;
    if (number === 0) return { number: 0, sum: 0 };
    const counted = this.pages.get(number);
    if (counted === undefined) throw new StorageError('EIO', `the map of volume ${volume.name} is damaged at chunk ${index}`);
    const slot = index % PAGE_ENTRIES;
    return { number: counted.page.chunks[slot] ?? 0, sum: counted.page.sums[slot] ?? 0 };
  }

  private async fetch(volume: Volume, indexes: readonly number[]): Promise<void> {
    const [first] = indexes;
    const wanted = new Map<number, { index: number; sum: number }>();
    for (const index of indexes) {
      const { number, sum } = this.committed(volume, index);
      if (number !== 0 && this.cache.get(number) === undefined && !this.loading.has(number)) wanted.set(number, { index, sum });
    }
    if (wanted.size > 0) {
      const failures = new Map<number, StorageError>();
      const load = this.readInto(volume, wanted, failures);
      for (const number of wanted.keys()) {
        const mine = load.then(() => {
          const failure = failures.get(number);
          if (failure !== undefined) throw failure;
        });
        mine.catch(() => undefined);
        this.loading.set(number, mine);
      }
      void load
        .finally(() => {
          for (const number of wanted.keys()) this.loading.delete(number);
        })
        .catch(() => undefined);
    }
    if (first === undefined) return;
    const { number } = this.committed(volume, first);
    try {
      await this.loading.get(number);
    } catch (error) {
      // Replaced and removed while it was being read: the caller looks again.
      if (this.ofVolume.has(volume) && this.committed(volume, first).number !== number) return;
      throw error;
    }
  }

  private async readInto(
    volume: Volume,
    wanted: ReadonlyMap<number, { index: number; sum: number }>,
    failures: Map<number, StorageError>,
  ): Promise<void> {
    const numbers = [...wanted.keys()];
    let chunks: (Uint8Array | undefined)[];
    try {
      chunks = await this.store.readChunks(numbers);
    } catch (cause) {
      for (const number of numbers) {
        failures.set(number, new StorageError('EIO', `volume ${volume.name} cannot be read: ${String(cause)}`, { cause }));
      }
      return;
    }
    numbers.forEach((number, n) => {
      const bytes = chunks[n];
      const { index, sum } = wanted.get(number) ?? { index: 0, sum: 0 };
      if (bytes?.length === CHUNK_BYTES && crc32(bytes) === sum) {
        this.cache.put(number, bytes);
        return;
      }
      const what = bytes === undefined ? 'is missing' : 'does not match its checksum';
      failures.set(number, new StorageError('EIO', `chunk ${index} of volume ${volume.name} (number ${number}) ${what}`));
    });
  }

  // Writing

  private admit(volume: Volume, chunks: number): Promise<void> | undefined {
    const after = this.dirtyChunks + chunks;
    if (after <= this.dirtyLimit / 2) return undefined;
    if (after <= this.dirtyLimit) {
      if (this.entry(volume).queued === undefined && volume.isDirty) {
        this.flushVolume(volume).catch((error: unknown) => {
          this.options.log?.(`volumes: ${volume.name} cannot be written behind: ${String(error)}`);
        });
      }
      return undefined;
    }
    return this.flush();
  }

  private flushVolume(volume: Volume): Promise<void> {
    const entry = this.entry(volume);
    if (entry.queued !== undefined) return entry.queued;
    if (!volume.isDirty) return Promise.resolve();
    const queued = this.exclusive(() => {
      entry.queued = undefined;
      return this.commit(entry);
    });
    entry.queued = queued;
    return queued;
  }

  private resizeVolume(volume: Volume, sizeBytes: number): Promise<void> {
    return this.exclusive(async () => {
      requireSize(sizeBytes);
      const entry = this.entry(volume);
      if (sizeBytes < volume.sizeBytes) await this.clearTail(entry, sizeBytes);
      await this.commit(entry, sizeBytes);
    });
  }

  /** Zeros behind the new end within its chunk, so that growing again shows none of what was there. */
  private async clearTail({ volume }: Entry, sizeBytes: number): Promise<void> {
    const end = Math.min(Math.ceil(sizeBytes / CHUNK_BYTES) * CHUNK_BYTES, volume.sizeBytes);
    if (end > sizeBytes) await volume.change(sizeBytes / SECTOR_BYTES, new Uint8Array(end - sizeBytes));
  }

  /** Makes everything written to the volume so far durable. Only under `exclusive`. */
  private async commit(entry: Entry, sizeBytes = entry.volume.sizeBytes): Promise<void> {
    const { volume } = entry;
    if (this.closed) throw new StorageError('EIO', 'the storage is closed');
    const resizing = sizeBytes !== volume.sizeBytes;
    const frozen = volume.freeze();
    if (frozen.size === 0 && !resizing) return;
    const fresh: (readonly [number, Uint8Array])[] = [];
    try {
      const staged = this.stage(entry.pages);
      if (resizing) this.stageSize(staged, sizeBytes);
      for (const [index, bytes] of frozen) {
        if (index * CHUNK_BYTES >= sizeBytes) continue;
        const kept = bytes !== undefined && !isZero(bytes);
        const number = kept ? this.newNumber() : 0;
        if (kept) fresh.push([number, bytes]);
        this.stageChunk(staged, volume, index, number, kept ? crc32(bytes) : 0);
      }
      this.dropEmptyPages(staged);
      const whole = Math.floor(Math.max(0, fresh.length - 1) / BATCH_CHUNKS) * BATCH_CHUNKS;
      for (let n = 0; n < whole; n += BATCH_CHUNKS) await this.store.commit({ chunks: fresh.slice(n, n + BATCH_CHUNKS) });
      const removals = this.removals(staged);
      const record = encodeVolumeRecord({ sizeBytes, readOnly: volume.readOnly, pages: staged.pages });
      const sameRecord = !resizing && staged.pages.every((number, slot) => number === entry.pages[slot]);
      await this.store.commit({
        ...removals,
        removedChunks: [...(removals.removedChunks ?? []), ...this.abandoned],
        chunks: fresh.slice(whole),
        records: [
          ...[...staged.changed].map(([number, page]) => [MAP_KEY + String(number), encodeMapPage(page)] as const),
          ...(sameRecord ? [] : [[VOLUME_KEY + volume.name, record] as const]),
        ],
        removedRecords: removedKeys(staged),
      });
      this.abandoned = [];
      this.settle(staged);
      entry.pages = staged.pages;
    } catch (cause) {
      this.abandoned.push(...fresh.map(([number]) => number));
      volume.thaw(false);
      if (cause instanceof StorageError) throw cause;
      throw new StorageError('EIO', `volume ${volume.name} cannot be written: ${String(cause)}`, { cause });
    }
    for (const [number, bytes] of fresh) this.cache.put(number, bytes);
    volume.thaw(true);
    if (resizing) volume.resized(sizeBytes);
  }

  private newNumber(): number {
    const number = this.nextNumber;
    this.nextNumber += 1;
    return number;
  }

  // Changing a map

  private stage(pages: readonly number[]): Staged {
    return { pages: [...pages], changed: new Map(), removedPages: new Set(), pageUsers: new Map(), chunkUsers: new Map() };
  }

  private stageSize(staged: Staged, sizeBytes: number): void {
    const slots = pagesOfSize(sizeBytes);
    for (const number of staged.pages.splice(slots)) this.releasePage(staged, number);
    while (staged.pages.length < slots) staged.pages.push(0);
    const last = staged.pages[slots - 1] ?? 0;
    const chunks = Math.ceil(sizeBytes / CHUNK_BYTES);
    const page = this.pages.get(last)?.page;
    if (page === undefined) return;
    for (let entry = chunks - (slots - 1) * PAGE_ENTRIES; entry < PAGE_ENTRIES; entry += 1) {
      if ((page.chunks[entry] ?? 0) !== 0) this.setEntry(staged, slots - 1, entry, 0, 0);
    }
  }

  private stageChunk(staged: Staged, volume: Volume, index: number, number: number, sum: number): void {
    const slot = Math.floor(index / PAGE_ENTRIES);
    const old = staged.pages[slot] ?? 0;
    if (old !== 0 && !staged.changed.has(old) && !this.pages.has(old)) {
      throw new StorageError('EIO', `the map of volume ${volume.name} is damaged at chunk ${index}`);
    }
    if (old === 0 && number === 0) return;
    this.setEntry(staged, slot, index % PAGE_ENTRIES, number, sum);
  }

  private setEntry(staged: Staged, slot: number, entry: number, number: number, sum: number): void {
    const page = this.changeablePage(staged, slot);
    const before = page.chunks[entry] ?? 0;
    if (before !== 0) change(staged.chunkUsers, before, -1);
    if (number !== 0) change(staged.chunkUsers, number, 1);
    page.chunks[entry] = number;
    page.sums[entry] = sum;
  }

  /** A copy of the page at `slot` that may be changed: under its own number if no other volume uses it. */
  private changeablePage(staged: Staged, slot: number): MapPage {
    const number = staged.pages[slot] ?? 0;
    const already = staged.changed.get(number);
    if (already !== undefined) return already;
    const counted = this.pages.get(number);
    if (counted?.users === 1) {
      const page = copyMapPage(counted.page);
      staged.changed.set(number, page);
      return page;
    }
    const page = counted === undefined ? emptyMapPage() : copyMapPage(counted.page);
    for (const chunk of page.chunks) if (chunk !== 0) change(staged.chunkUsers, chunk, 1);
    if (counted !== undefined) change(staged.pageUsers, number, -1);
    const own = this.newNumber();
    staged.pages[slot] = own;
    staged.changed.set(own, page);
    return page;
  }

  /** One user of a page less; the last one lets its chunks go. */
  private releasePage(staged: Staged, number: number): void {
    const counted = this.pages.get(number);
    if (counted === undefined) return;
    if (counted.users > 1) {
      change(staged.pageUsers, number, -1);
      return;
    }
    staged.removedPages.add(number);
    for (const chunk of counted.page.chunks) if (chunk !== 0) change(staged.chunkUsers, chunk, -1);
  }

  private dropEmptyPages(staged: Staged): void {
    staged.pages.forEach((number, slot) => {
      const page = staged.changed.get(number);
      if (page === undefined || page.chunks.some((chunk) => chunk !== 0)) return;
      staged.changed.delete(number);
      staged.removedPages.add(number);
      staged.pages[slot] = 0;
    });
  }

  /** Chunks that have no user after the change. */
  private removals({ chunkUsers }: Staged): ChunkBatch {
    const removedChunks: number[] = [];
    for (const [number, delta] of chunkUsers) if ((this.chunkUsers.get(number) ?? 0) + delta <= 0) removedChunks.push(number);
    return { removedChunks };
  }

  /** The change is durable: from now on it is what the maps say. */
  private settle(staged: Staged): void {
    for (const [number, delta] of staged.pageUsers) {
      const counted = this.pages.get(number);
      if (counted !== undefined) counted.users += delta;
    }
    for (const number of staged.removedPages) this.pages.delete(number);
    for (const [number, page] of staged.changed) this.pages.set(number, { page, users: 1 });
    for (const [number, delta] of staged.chunkUsers) {
      const users = (this.chunkUsers.get(number) ?? 0) + delta;
      if (users > 0) this.chunkUsers.set(number, users);
      else {
        this.chunkUsers.delete(number);
        this.cache.remove(number);
      }
    }
  }
}

function change(counts: Map<number, number>, key: number, delta: number): void {
  counts.set(key, (counts.get(key) ?? 0) + delta);
}

function removedKeys({ removedPages }: Staged): string[] {
  return [...removedPages].map((number) => MAP_KEY + String(number));
}

function requireSize(sizeBytes: number): void {
  if (!isVolumeSize(sizeBytes))
    throw new StorageError('EINVAL', `a volume cannot have ${sizeBytes} bytes: whole sectors of 512 bytes, up to 1 PiB`);
}

function isZero(bytes: Uint8Array): boolean {
  const words = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8);
  // -0 has bits set; Object.is tells it from 0.
  return words.every((word) => Object.is(word, 0));
}
