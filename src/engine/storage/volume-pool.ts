/**
 * The volumes of a ChunkStore, and how changes become durable.
 *
 * Order of a commit. First the chunks, in batches, under numbers that nothing refers to; then one batch with the map pages, the
 * volumes' records and the removal of chunks that lost their last user. A crash before the last batch leaves chunks without a
 * user, which the next opening removes; a crash after it leaves the new state. Nothing in use is ever overwritten, so a volume
 * is at any moment what its last completed commit made it. Several volumes, and records of others, may change in one commit.
 *
 * A clone copies the list of map pages, one number for each 128 MiB; pages and chunks are then shared.
 */
import { BASE_KEY, BaseChunks } from './base-chunks.ts';
import type { BaseImage } from './base-image.ts';
import { CHUNK_BYTES, StorageError, type ChunkStore } from './chunk-store.ts';
import { ChunkCache } from './chunk-cache.ts';
import { ChunkLoader } from './chunk-loader.ts';
import { crc32, type Crc32 } from './crc32.ts';
import { SECTOR_BYTES } from './disk-image.ts';
import { AHEAD_CHUNKS_MAX, PIECE_CHUNKS } from './read-ahead.ts';
import { Volume, type VolumeHost } from './volume.ts';
import { MapChange, VolumeMaps } from './volume-maps.ts';
import {
  decodeVolumeRecord,
  encodeVolumeRecord,
  isInternalName,
  isVolumeName,
  isVolumeSize,
  MAP_KEY,
  pagesOfSize,
  VOLUME_KEY,
} from './volume-record.ts';

/** Chunks in one batch of a commit: 4 MiB. */
const BATCH_CHUNKS = 16;
const CACHE_BYTES = 64 * 1024 * 1024;
/** What is fetched ahead must fit, and what a front end has under way, or it would be gone before it is looked at. */
const CACHE_BYTES_MIN = (AHEAD_CHUNKS_MAX + 3 * PIECE_CHUNKS) * CHUNK_BYTES;
const DIRTY_LIMIT_BYTES = 64 * 1024 * 1024;

export interface VolumePoolOptions {
  readonly cacheBytes?: number;
  /**
   * Written and not committed: half of it starts a commit, all of it makes writers wait. A batch full of chunks that a writer in
   * order has done with starts one as well: they will not change again soon, while those that are written here and there may.
   */
  readonly dirtyLimitBytes?: number;
  /** Images that volumes are, or were, made from. */
  readonly baseImages?: readonly BaseImage[];
  /** The sum of a chunk, by something faster than tables. */
  readonly crc32?: Crc32;
  /** Lines for the log: damage found, commits that failed behind a writer's back. */
  readonly log?: (line: string) => void;
}

/** What writers see when the store has no room: an error, or nothing until there is some again. */
export type WhenFull = 'error' | 'pause';

export interface PoolUse {
  /** Chunks in the store. */
  readonly chunks: number;
  /** Of those, chunks that more than one map entry names. */
  readonly sharedChunks: number;
  readonly dirtyBytes: number;
}

/** Changes that become durable together or not at all. */
export interface PoolChange {
  /** Volumes whose written contents are part of it. */
  readonly flushed?: readonly Volume[];
  /** Volumes that are gone with it; accesses to them fail from then on. */
  readonly removed?: readonly Volume[];
  /** Records of the caller's own, under keys that begin neither with "volume:" nor with "map:" or "base:". */
  readonly records?: readonly (readonly [key: string, bytes: Uint8Array])[];
  readonly removedRecords?: readonly string[];
}

/** What a store held at one moment. */
export interface PoolSnapshot {
  readonly records: ReadonlyMap<string, Uint8Array>;
  /** Sums of the chunks that its maps name, by their numbers. */
  readonly chunks: ReadonlyMap<number, number>;
  /** StorageError EIO when one is damaged or cannot be fetched. */
  read(numbers: readonly number[]): Promise<Uint8Array[]>;
  release(): void;
}

interface Entry {
  readonly volume: Volume;
  pages: number[];
  /** A commit that is waiting for its turn, and one that has it, or waits for room in the store. */
  queued: Promise<void> | undefined;
  storing: Promise<void> | undefined;
  /** The stored record does not say what the volume is: it has none yet, or the size has changed. */
  recordDue: boolean;
  waitsForRoom: boolean;
  /** Chunks that a writer in order went to the end of since the last commit began. */
  passed: number;
}

export class VolumePool {
  private readonly entries = new Map<string, Entry>();
  private readonly ofVolume = new Map<Volume, Entry>();
  private readonly maps = new VolumeMaps();
  private readonly cache: ChunkCache;
  private readonly bases: BaseChunks;
  private readonly loader: ChunkLoader;
  private readonly dirtyLimit: number;
  private readonly crc32: Crc32;
  private readonly host: VolumeHost;
  private readonly commitListeners = new Set<(volumes: readonly Volume[]) => void>();
  private foreign = new Map<string, Uint8Array>();
  whenFull: WhenFull = 'error';
  /** Commits that wait for room. */
  private waiting: (() => void)[] = [];
  /** Chunks stored by commits that did not come to their end. */
  private abandoned: number[] = [];
  /** As long as there are any, no chunk is removed. */
  private snapshots = 0;
  private nextNumber = 1;
  private dirtyChunks = 0;
  private tail: Promise<unknown> = Promise.resolve();
  private closed = false;

  private constructor(
    private readonly store: ChunkStore,
    private readonly options: VolumePoolOptions,
  ) {
    this.dirtyLimit = Math.max(2, Math.floor((options.dirtyLimitBytes ?? DIRTY_LIMIT_BYTES) / CHUNK_BYTES));
    // One commit may let go of as many buffers as there may be dirty chunks, which the next need.
    this.cache = new ChunkCache(Math.max(options.cacheBytes ?? CACHE_BYTES, CACHE_BYTES_MIN), this.dirtyLimit);
    this.bases = new BaseChunks(options.baseImages ?? []);
    this.crc32 = options.crc32 ?? crc32;
    this.loader = new ChunkLoader(store, this.cache, this.bases, this.crc32);
    this.host = {
      committed: (volume, index) => this.maps.entry(this.entry(volume).pages, index, volume.name).number,
      cached: (number) => this.cache.get(number),
      fetch: (volume, indexes) =>
        this.loader.fetch(volume.name, indexes, (index) => {
          const entry = this.ofVolume.get(volume);
          return entry === undefined ? undefined : this.maps.entry(entry.pages, index, volume.name);
        }),
      hasRoom: (volume, chunks) => this.hasRoom(volume, chunks),
      makeRoom: () => this.makeRoom(),
      buffer: () => this.cache.buffer(),
      release: (bytes) => {
        this.cache.release(bytes);
      },
      dirtied: (_volume, change) => {
        this.dirtyChunks += change;
      },
      passed: (volume, chunks) => {
        const entry = this.entry(volume);
        entry.passed += chunks;
        if (entry.passed >= BATCH_CHUNKS) this.writeBehind(entry);
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

  /** Volumes that have names for users. */
  names(): string[] {
    return [...this.entries.keys()].filter((name) => !isInternalName(name)).sort();
  }

  /** Volumes that other parts keep their contents in: their names begin with a dot, and no list for users shows them. */
  internalNames(): string[] {
    return [...this.entries.keys()].filter(isInternalName).sort();
  }

  volume(name: string): Volume | undefined {
    return this.entries.get(name)?.volume;
  }

  /** The records that others had stored with `commit` when the pool was opened. Gives them once. */
  takeRecords(prefix: string): Map<string, Uint8Array> {
    const taken = new Map([...this.foreign].filter(([key]) => key.startsWith(prefix)));
    for (const key of taken.keys()) this.foreign.delete(key);
    return taken;
  }

  use(): PoolUse {
    return {
      chunks: this.maps.chunkUsers.size,
      sharedChunks: this.maps.sharedChunks(),
      dirtyBytes: this.dirtyChunks * CHUNK_BYTES,
    };
  }

  /** Bytes of chunks that the volume has, its own and shared ones, and what was written and not committed yet. */
  allocatedBytes(volume: Volume): number {
    const { pages } = this.entry(volume);
    let chunks = this.maps.chunksOf(pages);
    for (const [index, given] of volume.uncommitted())
      chunks += Number(given) - Number(this.maps.entry(pages, index, volume.name).number !== 0);
    return chunks * CHUNK_BYTES;
  }

  /** Chunks in which two volumes differ as they are stored now. */
  differingChunks(one: Volume, other: Volume): number {
    return this.maps.differing(this.entry(one).pages, this.entry(other).pages);
  }

  /** Called after each commit with the volumes whose contents were part of it. */
  onCommitted(listener: (volumes: readonly Volume[]) => void): void {
    this.commitListeners.add(listener);
  }

  /** A new volume of zeros. EEXIST, EINVAL, ENOSPC. */
  create(name: string, sizeBytes: number): Promise<Volume> {
    return this.exclusive(() => {
      requireSize(sizeBytes);
      return this.add(name, sizeBytes, false, new Array<number>(pagesOfSize(sizeBytes)).fill(0));
    });
  }

  /**
   * A volume that begins as an image of the site; what is read of it is fetched then. EEXIST, EINVAL, EIO.
   * @param sizeBytes the image's or more
   */
  async createFromBase(name: string, image: BaseImage, sizeBytes = image.sizeBytes): Promise<Volume> {
    const { chunks } = await image.index();
    return this.exclusive(async () => {
      requireSize(sizeBytes);
      this.requireFreeName(name);
      if (sizeBytes < image.sizeBytes) throw new StorageError('EINVAL', `volume ${name} would be smaller than ${image.name}`);
      const first = this.nextNumber;
      this.nextNumber += chunks.length;
      const maps = new MapChange(this.maps, () => this.newNumber());
      const pages = new Array<number>(pagesOfSize(sizeBytes)).fill(0);
      chunks.forEach(({ index, sum }, n) => {
        maps.set(pages, index, first + n, sum, name);
      });
      const base = this.bases.add(image, first, Math.max(1, chunks.length));
      const record = encodeVolumeRecord({ sizeBytes, readOnly: false, pages });
      try {
        await this.store.commit({ records: [...maps.records(), base, [VOLUME_KEY + name, record]] });
      } catch (error) {
        this.bases.drop(first);
        throw error;
      }
      maps.settle(() => undefined);
      return this.enter(name, sizeBytes, false, pages);
    });
  }

  /**
   * A new volume of zeros that is not in the store before it is flushed, or is part of a `commit`. EEXIST, EINVAL.
   * @param waitsForRoom false: without room its writers see ENOSPC at once, whatever others do
   */
  createUnstored(name: string, sizeBytes: number, { waitsForRoom = true } = {}): Volume {
    requireSize(sizeBytes);
    this.requireFreeName(name);
    const volume = this.enter(name, sizeBytes, false, new Array<number>(pagesOfSize(sizeBytes)).fill(0), true);
    this.entry(volume).waitsForRoom = waitsForRoom;
    return volume;
  }

  /** Makes a volume larger at once; the store learns it with the volume's next flush, or as part of a `commit`. EINVAL. */
  growUnstored(volume: Volume, sizeBytes: number): void {
    requireSize(sizeBytes);
    const entry = this.entry(volume);
    if (sizeBytes < volume.sizeBytes) throw new StorageError('EINVAL', `volume ${volume.name} would become smaller`);
    while (entry.pages.length < pagesOfSize(sizeBytes)) entry.pages.push(0);
    entry.recordDue = true;
    volume.resized(sizeBytes);
  }

  /** A volume that begins as the source is now, what was written and not flushed included. Neither sees the other's later writes. */
  clone(source: Volume, name: string, { readOnly = false } = {}): Promise<Volume> {
    return this.exclusive(async () => {
      const entry = this.entry(source);
      await source.complete();
      await this.storeChange([entry]);
      return this.add(name, source.sizeBytes, readOnly, [...entry.pages]);
    });
  }

  /** The volume is gone when this resolves; accesses to it fail from the call on. */
  remove(volume: Volume): Promise<void> {
    return this.commit({ removed: [volume] });
  }

  /** One commit of several volumes and records. ENOENT for a volume that is gone already. */
  commit(change: PoolChange): Promise<void> {
    return this.exclusive(async () => {
      const flushed = [...new Set(change.flushed)].map((volume) => this.entry(volume));
      for (const { volume } of flushed) if (change.removed?.includes(volume) !== true) await volume.complete();
      await this.storeChange(flushed, { ...change, removed: [...new Set(change.removed)].map((volume) => this.entry(volume)) });
    });
  }

  /**
   * All that is stored at this moment. Chunks that go out of use stay until it is released; what a crash leaves of them, the next
   * opening removes.
   */
  snapshot(): Promise<PoolSnapshot> {
    return this.exclusive(async () => {
      const records = await this.store.records();
      const chunks = this.maps.sums();
      let held = true;
      this.snapshots += 1;
      return {
        records,
        chunks,
        read: (numbers) => this.loader.readStored(numbers, chunks),
        release: () => {
          if (held) this.snapshots -= 1;
          held = false;
        },
      };
    });
  }

  /** Commits every volume; resolves when all is durable. */
  async flush(): Promise<void> {
    await Promise.all([...this.entries.values()].map(({ volume }) => this.flushVolume(volume)));
  }

  /** Writers wait for room in the store. */
  get isPaused(): boolean {
    return this.waiting.length > 0;
  }

  /** Tries again what waits for room. */
  retry(): void {
    for (const resume of this.waiting.splice(0)) resume();
  }

  async close(): Promise<void> {
    this.whenFull = 'error';
    this.retry();
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

  private requireFreeName(name: string): void {
    if (!isVolumeName(name)) throw new StorageError('EINVAL', `"${name}" cannot be the name of a volume`);
    if (this.entries.has(name)) throw new StorageError('EEXIST', `there is a volume ${name} already`);
  }

  private async add(name: string, sizeBytes: number, readOnly: boolean, pages: number[]): Promise<Volume> {
    this.requireFreeName(name);
    await this.store.commit({ records: [[VOLUME_KEY + name, encodeVolumeRecord({ sizeBytes, readOnly, pages })]] });
    this.maps.share(pages);
    return this.enter(name, sizeBytes, readOnly, pages);
  }

  private enter(name: string, sizeBytes: number, readOnly: boolean, pages: number[], recordDue = false): Volume {
    const volume = new Volume(this.host, name, sizeBytes, readOnly);
    const entry: Entry = { volume, pages, queued: undefined, storing: undefined, recordDue, waitsForRoom: true, passed: 0 };
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
    this.nextNumber = Math.max(this.nextNumber, this.bases.end());
    if (damaged) {
      this.options.log?.('volumes: some maps are damaged; chunks without a user are kept');
      return;
    }
    const removedChunks = present.filter((number) => !this.maps.chunkUsers.has(number));
    const removedRecords = [...records.keys()].filter(
      (key) => key.startsWith(MAP_KEY) && !this.maps.pages.has(Number(key.slice(MAP_KEY.length))),
    );
    removedRecords.push(...this.bases.takeUnused((number) => this.maps.chunkUsers.has(number)));
    if (removedChunks.length + removedRecords.length > 0) await this.store.commit({ removedChunks, removedRecords });
  }

  /** True when a record could not be understood. */
  private loadRecords(records: ReadonlyMap<string, Uint8Array>): boolean {
    let damaged = false;
    for (const [key, bytes] of records) {
      if (!key.startsWith(VOLUME_KEY)) {
        if (key.startsWith(BASE_KEY)) damaged = !this.bases.load(key, bytes) || damaged;
        else if (!key.startsWith(MAP_KEY)) this.foreign.set(key, bytes);
        continue;
      }
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
        if (this.maps.addUser(number, () => records.get(MAP_KEY + String(number)))) continue;
        damaged = true;
        this.options.log?.(`volumes: map page ${number} of volume ${name} is damaged`);
      }
    }
    for (const chunk of this.maps.chunkUsers.keys()) this.nextNumber = Math.max(this.nextNumber, chunk + 1);
    return damaged;
  }

  // Writing

  /** From half of the limit on, writing behind begins. */
  private hasRoom(volume: Volume, chunks: number): boolean {
    const after = this.dirtyChunks + chunks;
    if (after <= this.dirtyLimit / 2) return true;
    // What is too much by itself has to go in alone.
    if (after > this.dirtyLimit) return this.dirtyChunks === 0;
    this.writeBehind(this.entry(volume));
    return true;
  }

  private writeBehind({ queued, volume }: Entry): void {
    if (queued !== undefined || !volume.isDirty || this.isPaused) return;
    this.commitVolume(volume).catch((error: unknown) => {
      this.options.log?.(`volumes: ${volume.name} cannot be written behind: ${String(error)}`);
    });
  }

  private async flushVolume(volume: Volume): Promise<void> {
    if (!volume.isIncomplete) return this.commitVolume(volume);
    // What lacks something that cannot be had waits; the rest is stored all the same.
    const completed = volume.complete();
    await completed.catch(() => undefined);
    if (!this.ofVolume.has(volume)) return;
    await this.commitVolume(volume);
    return completed;
  }

  /** Commits what the volume has that is complete. */
  private commitVolume(volume: Volume): Promise<void> {
    const entry = this.entry(volume);
    if (entry.queued !== undefined) return entry.queued;
    if (!volume.isDirty && !entry.recordDue) return Promise.resolve();
    const queued = this.storeWithRoom(entry, () => {
      entry.queued = undefined;
      entry.storing = queued;
    }).finally(() => {
      if (entry.storing === queued) entry.storing = undefined;
    });
    entry.queued = queued;
    return queued;
  }

  /** Resolves when a commit that is under way, or else one of all there is, has come to its end. */
  private async makeRoom(): Promise<void> {
    for (const { storing } of this.entries.values()) if (storing !== undefined) return storing;
    await this.flush();
  }

  /** Commits a volume in its turn; when there is no room, again and again, if writers shall wait for it. */
  private async storeWithRoom(entry: Entry, onTurn: () => void): Promise<void> {
    for (;;) {
      try {
        await this.exclusive(() => {
          onTurn();
          // It may have been removed while this waited.
          return this.ofVolume.has(entry.volume) ? this.storeChange([entry]) : Promise.resolve();
        });
        return;
      } catch (error) {
        const waits = entry.waitsForRoom && this.whenFull === 'pause' && !this.closed;
        if (!waits || !(error instanceof StorageError && error.code === 'ENOSPC')) throw error;
        if (!this.isPaused) this.options.log?.(`volumes: ${error.message}; writers wait until there is`);
        await new Promise<void>((resume) => this.waiting.push(resume));
      }
    }
  }

  private resizeVolume(volume: Volume, sizeBytes: number): Promise<void> {
    return this.exclusive(async () => {
      requireSize(sizeBytes);
      const entry = this.entry(volume);
      if (sizeBytes < volume.sizeBytes) await this.clearTail(entry, sizeBytes);
      await this.storeChange([entry], {}, sizeBytes);
    });
  }

  /** Zeros behind the new end within its chunk, so that growing again shows none of what was there. */
  private async clearTail({ volume }: Entry, sizeBytes: number): Promise<void> {
    const end = Math.min(Math.ceil(sizeBytes / CHUNK_BYTES) * CHUNK_BYTES, volume.sizeBytes);
    if (end > sizeBytes) await volume.change(sizeBytes / SECTOR_BYTES, new Uint8Array(end - sizeBytes));
  }

  /**
   * Makes everything written to these volumes so far durable, with the rest of a change. Only under `exclusive`.
   * @param sizeBytes the size that the volumes have from then on, if it changes
   */
  private async storeChange(entries: readonly Entry[], change: StoredChange = {}, sizeBytes?: number): Promise<void> {
    if (this.closed) throw new StorageError('EIO', 'the storage is closed');
    const { records = [], removed = [], removedRecords = [] } = change;
    const kept = entries.filter((entry) => !removed.includes(entry));
    const frozen = kept.map((entry) => [entry, entry.volume.freeze()] as const);
    const due = kept.some(({ recordDue }) => recordDue) || sizeBytes !== undefined;
    const idle = frozen.every(([, chunks]) => chunks.size === 0) && !due;
    if (idle && records.length + removed.length + removedRecords.length === 0) return;
    const fresh: (readonly [number, Uint8Array])[] = [];
    const maps = new MapChange(this.maps, () => this.newNumber());
    const lists = new Map<Entry, number[]>(kept.map((entry) => [entry, [...entry.pages]]));
    let unused: number[] = [];
    let held = false;
    // A volume may grow while this is being stored: that is for the next commit.
    const sizes = new Map(kept.map((entry) => [entry, sizeBytes ?? entry.volume.sizeBytes]));
    for (const entry of kept) entry.passed = 0;
    // Under way while the sums of the next are worked out.
    let batch: Promise<void> = Promise.resolve();
    let stored = 0;
    try {
      for (const [entry, chunks] of frozen) {
        const pages = lists.get(entry) ?? [];
        const size = sizes.get(entry) ?? 0;
        if (sizeBytes !== undefined) maps.resize(pages, size);
        for (const [index, bytes] of chunks) {
          if (index * CHUNK_BYTES >= size) continue;
          if (fresh.length - stored === BATCH_CHUNKS) {
            await batch;
            batch = this.store.commit({ chunks: fresh.slice(stored), durable: false });
            stored = fresh.length;
          }
          const holds = bytes !== undefined && !isZero(bytes);
          const number = holds ? this.newNumber() : 0;
          if (holds) fresh.push([number, bytes]);
          maps.set(pages, index, number, holds ? this.crc32(bytes) : 0, entry.volume.name);
        }
        maps.dropEmptyPages(pages);
      }
      for (const { pages } of removed) for (const number of pages) maps.release(number);
      await batch;
      unused = [...maps.removedChunks(), ...this.abandoned];
      held = this.snapshots > 0;
      await this.store.commit({
        chunks: fresh.slice(stored),
        removedChunks: held ? [] : unused,
        records: [...maps.records(), ...volumeRecords(lists, sizes, sizeBytes !== undefined), ...records],
        removedRecords: [...maps.removedRecords(), ...removed.map(({ volume }) => VOLUME_KEY + volume.name), ...removedRecords],
      });
    } catch (cause) {
      await batch.catch(() => undefined);
      this.abandoned.push(...fresh.map(([number]) => number));
      for (const { volume } of kept) volume.thaw(false);
      if (cause instanceof StorageError) throw cause;
      const names = kept.map(({ volume }) => volume.name).join(', ');
      throw new StorageError('EIO', `volume ${names} cannot be written: ${String(cause)}`, { cause });
    }
    this.abandoned = held ? unused : [];
    maps.settle((chunk) => {
      this.cache.remove(chunk);
    });
    for (const [entry, pages] of lists) {
      entry.recordDue = sizeBytes === undefined && entry.volume.sizeBytes !== sizes.get(entry);
      while (pages.length < entry.pages.length) pages.push(0);
      entry.pages = pages;
    }
    for (const entry of removed) this.forget(entry);
    if (removed.length > 0) this.retry();
    for (const [number, bytes] of fresh) this.cache.put(number, bytes);
    for (const { volume } of kept) {
      volume.thaw(true);
      if (sizeBytes !== undefined) volume.resized(sizeBytes);
    }
    if (kept.length > 0) for (const listener of this.commitListeners) listener(kept.map(({ volume }) => volume));
  }

  private forget({ volume }: Entry): void {
    this.entries.delete(volume.name);
    this.ofVolume.delete(volume);
    volume.resized(0);
  }

  private newNumber(): number {
    const number = this.nextNumber;
    this.nextNumber += 1;
    return number;
  }
}

type StoredChange = Omit<PoolChange, 'flushed' | 'removed'> & { readonly removed?: readonly Entry[] };

/** Records of the volumes whose list of pages or size is not what is stored. */
function volumeRecords(
  lists: ReadonlyMap<Entry, number[]>,
  sizes: ReadonlyMap<Entry, number>,
  resized: boolean,
): (readonly [string, Uint8Array])[] {
  return [...lists].flatMap(([entry, pages]) => {
    const { pages: before, recordDue, volume } = entry;
    if (!resized && !recordDue && pages.every((number, slot) => number === before[slot])) return [];
    const record = { sizeBytes: sizes.get(entry) ?? volume.sizeBytes, readOnly: volume.readOnly, pages };
    return [[VOLUME_KEY + volume.name, encodeVolumeRecord(record)] as const];
  });
}

function requireSize(sizeBytes: number): void {
  if (!isVolumeSize(sizeBytes))
    throw new StorageError('EINVAL', `a volume cannot have ${sizeBytes} bytes: whole sectors of 512 bytes, up to 1 PiB`);
}

function isZero(bytes: Uint8Array): boolean {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  for (let n = 0; n < words.length; n += 1) if (words[n] !== 0) return false;
  return true;
}
