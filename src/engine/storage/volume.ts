/**
 * A volume as a disk: reads go to what was written and not committed yet, then to the committed chunks; writes change copies
 * of chunks in memory, which the pool commits behind them or when asked to flush. Chunks without a number read as zeros.
 */
import { CHUNK_BYTES, StorageError } from './chunk-store.ts';
import { lengthOf, SECTOR_BYTES, type DiskImage } from './disk-image.ts';
import { PIECE_CHUNKS, ReadAhead } from './read-ahead.ts';

const ZEROS = new Uint8Array(CHUNK_BYTES);
const CHUNK_SECTORS = CHUNK_BYTES / SECTOR_BYTES;

/** A chunk that waits to be committed; undefined = given back, reads as zeros. */
export type DirtyChunks = Map<number, Uint8Array | undefined>;

interface BegunChunk {
  readonly bytes: Uint8Array;
  /** Bytes that were written. */
  end: number;
}

/** What a volume needs of its pool. */
export interface VolumeHost {
  /** Number of the committed chunk at `index`, 0 = none. StorageError EIO when the map there is damaged. */
  committed(volume: Volume, index: number): number;
  /** From the cache. */
  cached(number: number): Uint8Array | undefined;
  /** Brings the committed chunks at these places into the cache; the first must come, the others may fail. EIO. */
  fetch(volume: Volume, indexes: readonly number[]): Promise<void>;
  /** Whether so many dirty chunks can be added. */
  hasRoom(volume: Volume, chunks: number): boolean;
  /** Something that was dirty has been committed; rejects when that cannot be. */
  makeRoom(): Promise<void>;
  /** A chunk's buffer with anything in it, and one that is not used any more. */
  buffer(): Uint8Array;
  release(bytes: Uint8Array): void;
  /** A writer in order has gone to the end of so many chunks. */
  passed(volume: Volume, chunks: number): void;
  /** The number of dirty chunks changed. */
  dirtied(volume: Volume, change: number): void;
  flush(volume: Volume): Promise<void>;
  resize(volume: Volume, sizeBytes: number): Promise<void>;
}

export class Volume implements DiskImage {
  readonly sectorBytes = 512;
  readonly discardGranularity = CHUNK_SECTORS;
  private readonly resizeListeners = new Set<() => void>();
  private dirty: DirtyChunks = new Map();
  /**
   * Chunks written from their start to some byte, without what is stored behind it: a writer in order will overwrite that as well,
   * and else it is fetched. They are in neither of the other two, and no commit takes them.
   */
  private readonly begun = new Map<number, BegunChunk>();
  /** Being committed; may still be read, not changed. */
  private frozen: DirtyChunks = new Map();
  private readonly readAhead = new ReadAhead();
  /** Where the last write ended. */
  private writtenTo = -1;
  private invalid: string | undefined;

  constructor(
    private readonly host: VolumeHost,
    readonly name: string,
    private size: number,
    readonly readOnly: boolean,
  ) {}

  get sizeBytes(): number {
    return this.size;
  }

  get sectors(): number {
    return this.size / SECTOR_BYTES;
  }

  /** From now on every access is an error that says why. */
  invalidate(reason: string): void {
    this.invalid = reason;
  }

  /** Something has been written that is not durable yet. */
  get isDirty(): boolean {
    return this.dirty.size > 0 || this.frozen.size > 0 || this.begun.size > 0;
  }

  /** Chunks that wait to be committed, and whether each will have contents. */
  uncommitted(): ReadonlyMap<number, boolean> {
    const found = new Map<number, boolean>();
    for (const chunks of [this.frozen, this.dirty]) for (const [index, bytes] of chunks) found.set(index, bytes !== undefined);
    for (const index of this.begun.keys()) found.set(index, true);
    return found;
  }

  /** The first byte from `offset` on that is not in a hole; the size when there is none. */
  nextData(offset: number): number {
    const chunks = Math.ceil(this.size / CHUNK_BYTES);
    for (let index = Math.floor(offset / CHUNK_BYTES); index < chunks; index += 1) {
      const waiting = this.dirty.has(index) ? this.dirty : this.frozen.has(index) ? this.frozen : undefined;
      const present = waiting === undefined ? this.host.committed(this, index) !== 0 : waiting.get(index) !== undefined;
      if (present) return Math.max(offset, index * CHUNK_BYTES);
    }
    return Math.max(offset, this.size);
  }

  async read(sector: number, into: Uint8Array): Promise<void> {
    this.checkRange(sector, into.length);
    this.noteRead(sector, into.length);
    for (let done = 0; done < into.length;) {
      const at = sector * SECTOR_BYTES + done;
      const index = Math.floor(at / CHUNK_BYTES);
      const start = at % CHUNK_BYTES;
      const length = Math.min(into.length - done, CHUNK_BYTES - start);
      let bytes = this.present(index);
      while (bytes === undefined) {
        await this.load(index, at + into.length - done - start);
        bytes = this.present(index);
      }
      into.set(bytes.subarray(start, start + length), done);
      done += length;
    }
  }

  async write(sector: number, from: Uint8Array): Promise<void> {
    this.checkRange(sector, from.length);
    this.checkWritable();
    while (!this.host.hasRoom(this, chunksOf(from.length))) await this.host.makeRoom();
    await this.change(sector, from);
    this.noteWrite(sector * SECTOR_BYTES, from.length);
  }

  readNow(sector: number, pieces: readonly Uint8Array[]): boolean {
    const bytes = lengthOf(pieces);
    this.checkRange(sector, bytes);
    const first = sector * SECTOR_BYTES;
    const firstChunk = Math.floor(first / CHUNK_BYTES);
    const last = Math.floor((first + bytes - 1) / CHUNK_BYTES);
    for (let index = firstChunk; index <= last; index += 1) if (this.present(index) === undefined) return false;
    this.noteRead(sector, bytes);
    let at = first;
    let index = firstChunk;
    let chunk = this.present(index) ?? ZEROS;
    for (const piece of pieces) {
      for (let done = 0; done < piece.length;) {
        if (at >= (index + 1) * CHUNK_BYTES) {
          index += 1;
          chunk = this.present(index) ?? ZEROS;
        }
        const start = at - index * CHUNK_BYTES;
        const length = Math.min(piece.length - done, CHUNK_BYTES - start);
        piece.set(chunk.subarray(start, start + length), done);
        done += length;
        at += length;
      }
    }
    return true;
  }

  writeNow(sector: number, pieces: readonly Uint8Array[]): boolean {
    const bytes = lengthOf(pieces);
    this.checkRange(sector, bytes);
    this.checkWritable();
    if (!this.host.hasRoom(this, chunksOf(bytes))) return false;
    const first = sector * SECTOR_BYTES;
    const end = first + bytes;
    // A chunk that is overwritten in part has to be in memory, or is begun.
    for (let index = Math.floor(first / CHUNK_BYTES); index * CHUNK_BYTES < end; index += 1) {
      const whole = index * CHUNK_BYTES >= first && (index + 1) * CHUNK_BYTES <= end;
      const lies = whole || first - index * CHUNK_BYTES <= (this.begun.get(index)?.end ?? 0) || this.present(index) !== undefined;
      if (!lies) return false;
    }
    let at = first;
    for (const piece of pieces) {
      for (let done = 0; done < piece.length;) {
        const start = at % CHUNK_BYTES;
        const length = Math.min(piece.length - done, CHUNK_BYTES - start);
        const index = Math.floor(at / CHUNK_BYTES);
        const whole = index * CHUNK_BYTES >= first && (index + 1) * CHUNK_BYTES <= end;
        const chunk = this.changeable(index, whole) ?? this.begin(index, start, length);
        if (chunk === undefined) throw new Error(`chunk ${index} of volume ${this.name} has gone from memory`);
        chunk.set(length === piece.length ? piece : piece.subarray(done, done + length), start);
        done += length;
        at += length;
      }
    }
    this.noteWrite(first, bytes);
    return true;
  }

  async ready(sector: number, bytes: number, forWriting: boolean): Promise<void> {
    this.checkRange(sector, bytes);
    if (forWriting) {
      this.checkWritable();
      while (!this.host.hasRoom(this, chunksOf(bytes))) await this.host.makeRoom();
      // Who waits for room before this one may yet write what it lacks.
      return;
    }
    this.noteRead(sector, bytes);
    const first = sector * SECTOR_BYTES;
    const end = first + bytes;
    for (let index = Math.floor(first / CHUNK_BYTES); index * CHUNK_BYTES < end; index += 1)
      if (this.present(index) === undefined) await this.load(index, end);
  }

  private noteWrite(first: number, bytes: number): void {
    const inOrder = first === this.writtenTo;
    this.writtenTo = first + bytes;
    const passed = Math.floor(this.writtenTo / CHUNK_BYTES) - Math.floor(first / CHUNK_BYTES);
    if (inOrder && passed > 0) this.host.passed(this, passed);
  }

  /** For the pool: a write that does not ask for room. */
  async change(sector: number, from: Uint8Array): Promise<void> {
    for (let done = 0; done < from.length;) {
      const at = sector * SECTOR_BYTES + done;
      const index = Math.floor(at / CHUNK_BYTES);
      const start = at % CHUNK_BYTES;
      const length = Math.min(from.length - done, CHUNK_BYTES - start);
      let bytes = this.changeable(index, length === CHUNK_BYTES);
      while (bytes === undefined) {
        await this.load(index, 0);
        bytes = this.changeable(index, false);
      }
      bytes.set(from.subarray(done, done + length), start);
      done += length;
    }
  }

  async flush(): Promise<void> {
    await this.host.flush(this);
  }

  async discard(sector: number, count: number): Promise<void> {
    this.checkRange(sector, count * SECTOR_BYTES);
    this.checkWritable();
    const first = Math.ceil(sector / CHUNK_SECTORS);
    const end =
      sector + count === this.sectors ? Math.ceil(this.sectors / CHUNK_SECTORS) : Math.floor((sector + count) / CHUNK_SECTORS);
    for (let index = first; index < end; index += 1) {
      const begun = this.begun.get(index);
      if (begun !== undefined) this.finish(index, begun.bytes);
      if (!this.dirty.has(index)) {
        if (!this.frozen.has(index) && this.host.committed(this, index) === 0) continue;
        while (!this.host.hasRoom(this, 1)) await this.host.makeRoom();
      }
      const before = this.dirty.get(index);
      this.setDirty(index, undefined);
      if (before !== undefined) this.host.release(before);
    }
  }

  /** Grows with zeros or cuts off. Durable when it resolves. EINVAL for a size that is not a whole number of sectors. */
  async resize(sizeBytes: number): Promise<void> {
    this.checkWritable();
    await this.host.resize(this, sizeBytes);
    for (const listener of this.resizeListeners) listener();
  }

  onResize(listener: () => void): () => void {
    this.resizeListeners.add(listener);
    return () => {
      this.resizeListeners.delete(listener);
    };
  }

  /** For the pool: has the next commit take all that was written before the call. EIO when some of it could not be completed. */
  async complete(): Promise<void> {
    const indexes = [...this.begun.keys()];
    let failed: Promise<void> | undefined;
    for (const [n, index] of indexes.entries()) {
      if (n % PIECE_CHUNKS === 0) await this.host.fetch(this, indexes.slice(n, n + PIECE_CHUNKS)).catch(() => undefined);
      const completed = this.completeChunk(index);
      await completed.catch(() => (failed ??= completed));
    }
    await failed;
  }

  private async completeChunk(index: number): Promise<void> {
    while (this.begun.has(index)) await this.load(index, 0);
  }

  /** For the pool: `complete` has something to do. */
  get isIncomplete(): boolean {
    return this.begun.size > 0;
  }

  /** For the pool: takes what is to be committed now. Ends with `thawed`. */
  freeze(): ReadonlyMap<number, Uint8Array | undefined> {
    if (this.frozen.size > 0) throw new Error(`volume ${this.name} is being committed already`);
    this.frozen = this.dirty;
    this.dirty = new Map();
    return this.frozen;
  }

  /** For the pool: the commit is over. What was not committed waits for the next, below what was written since. */
  thaw(committed: boolean): void {
    const { frozen } = this;
    this.frozen = new Map();
    let settled = committed ? frozen.size : 0;
    if (!committed) {
      for (const [index, bytes] of frozen) {
        if (this.dirty.has(index)) {
          settled += 1;
          if (bytes !== undefined) this.host.release(bytes);
        } else this.dirty.set(index, bytes);
      }
    }
    this.host.dirtied(this, -settled);
  }

  /** For the pool, with nothing frozen: the size that the record now has. */
  resized(sizeBytes: number): void {
    this.size = sizeBytes;
    const chunks = Math.ceil(sizeBytes / CHUNK_BYTES);
    for (const waiting of [this.dirty, this.begun]) {
      for (const index of [...waiting.keys()]) {
        if (index < chunks) continue;
        waiting.delete(index);
        this.host.dirtied(this, -1);
      }
    }
  }

  private checkRange(sector: number, bytes: number): void {
    if (this.invalid !== undefined) throw new StorageError('EIO', this.invalid);
    if (!Number.isSafeInteger(sector) || sector < 0 || bytes % SECTOR_BYTES !== 0 || sector * SECTOR_BYTES + bytes > this.size) {
      throw new RangeError(`${bytes} bytes at sector ${sector} are not within the ${this.sectors} sectors of volume ${this.name}`);
    }
  }

  private checkWritable(): void {
    if (this.readOnly) throw new StorageError('EROFS', `volume ${this.name} is read-only`);
  }

  /** The bytes of a chunk, not to be changed, if they are in memory. */
  private present(index: number): Uint8Array | undefined {
    if (this.begun.has(index)) return undefined;
    if (this.dirty.has(index)) return this.dirty.get(index) ?? ZEROS;
    if (this.frozen.has(index)) return this.frozen.get(index) ?? ZEROS;
    return this.stored(index);
  }

  /** What the last commit made of a chunk, if it is in memory. */
  private stored(index: number): Uint8Array | undefined {
    const number = this.host.committed(this, index);
    return number === 0 ? ZEROS : this.host.cached(number);
  }

  /** Fetches a chunk, and with it those behind it up to byte `end`. */
  private async load(index: number, end: number): Promise<void> {
    const to = Math.min(Math.ceil(end / CHUNK_BYTES), index + PIECE_CHUNKS);
    await this.host.fetch(this, [index, ...this.absent(index + 1, to)]);
    const begun = this.begun.get(index);
    const before = begun && this.stored(index);
    if (begun === undefined || before === undefined) return;
    begun.bytes.set(before.subarray(begun.end), begun.end);
    this.finish(index, begun.bytes);
  }

  private absent(from: number, to: number): number[] {
    const end = Math.min(to, Math.ceil(this.size / CHUNK_BYTES));
    const found: number[] = [];
    for (let index = from; index < end; index += 1) if (this.present(index) === undefined) found.push(index);
    return found;
  }

  /** A reader in order gets what follows before it asks for it. Who comes to a chunk that could not be had is told. */
  private noteRead(sector: number, bytes: number): void {
    if (bytes === 0) return;
    const first = sector * SECTOR_BYTES;
    const last = Math.floor((first + bytes - 1) / CHUNK_BYTES);
    for (const from of this.readAhead.read(Math.floor(first / CHUNK_BYTES), last)) void this.prefetch(from);
  }

  private async prefetch(from: number): Promise<void> {
    try {
      const wanted = this.absent(from, from + PIECE_CHUNKS);
      if (wanted.length > 0) await this.host.fetch(this, wanted);
    } catch {
      // Nobody asked for it yet.
    }
  }

  /** The bytes of a chunk, to be changed; undefined when they have to be loaded first. `whole`: all of it will be overwritten. */
  private changeable(index: number, whole: boolean): Uint8Array | undefined {
    const dirty = this.dirty.get(index);
    if (dirty !== undefined) return dirty;
    const begun = this.begun.get(index);
    if (whole && begun !== undefined) {
      this.finish(index, begun.bytes);
      return begun.bytes;
    }
    const before = whole ? ZEROS : this.present(index);
    if (before === undefined) return undefined;
    const bytes = this.host.buffer();
    if (!whole) bytes.set(before);
    this.setDirty(index, bytes);
    return bytes;
  }

  /** The bytes of a chunk of which these are written, up to the end of what was before or further. */
  private begin(index: number, start: number, length: number): Uint8Array | undefined {
    let begun = this.begun.get(index);
    if (start > (begun?.end ?? 0)) return undefined;
    if (begun === undefined) {
      begun = { bytes: this.host.buffer(), end: 0 };
      this.begun.set(index, begun);
      this.host.dirtied(this, 1);
    }
    begun.end = Math.max(begun.end, start + length);
    if (begun.end === CHUNK_BYTES) this.finish(index, begun.bytes);
    return begun.bytes;
  }

  /** All of a chunk that was begun is there. */
  private finish(index: number, bytes: Uint8Array): void {
    this.begun.delete(index);
    this.dirty.set(index, bytes);
  }

  private setDirty(index: number, bytes: Uint8Array | undefined): void {
    const added = this.dirty.has(index) ? 0 : 1;
    this.dirty.set(index, bytes);
    if (added > 0) this.host.dirtied(this, added);
  }
}

/** Chunks that so many bytes touch at most. */
const chunksOf = (bytes: number): number => Math.ceil(bytes / CHUNK_BYTES) + 1;
