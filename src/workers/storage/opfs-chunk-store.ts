/**
 * Chunks in the origin's private files: one file of slots for chunks, and a journal that says which chunk is in which slot and
 * holds the records.
 *
 * Order of a commit: chunks into free slots, flush; one journal entry, flush. An entry that is whole is a commit that happened.
 * Chunks that need not be durable yet are written only; the next entry names them too.
 * A slot is free for others only after the entry that let it go has been flushed. A journal that has grown far beyond what it
 * says is written anew into the other of two files, which counts as soon as its first entry is whole.
 *
 * Free slots at the end of the file of chunks are given back to the browser. When many are free before chunks in use, those
 * chunks are moved down between other operations, each few by a commit that places them anew.
 */
import { CHUNK_BYTES, StorageError, type ChunkBatch, type ChunkStore } from '../../engine/storage/chunk-store.ts';
import { encodeEntry, readJournal, type JournalEntry } from './journal.ts';
import type { StoreFile, StoreFiles } from './opfs-files.ts';
import { SlotTable } from './slot-table.ts';

/** A journal is written anew when it has more bytes than this and than so many times its contents. */
const REWRITE_BYTES = 1024 * 1024;
const REWRITE_FACTOR = 4;
/** The file of chunks is cut when so many slots at its end are free, 16 MiB: fewer are soon taken again. */
const TRIM_SLOTS = 64;
/** Chunks are moved down when one of so many slots is free, and this many at a time: a few milliseconds. */
const SPARSE_SHARE = 4;
const MOVED_CHUNKS = 16;

export interface OpfsChunkStoreOptions {
  readonly rewriteBytes?: number;
  readonly trimSlots?: number;
  /** Resolves when other operations have had their turn. */
  readonly turn?: () => Promise<void>;
}

export class OpfsChunkStore implements ChunkStore {
  private readonly slots = new SlotTable();
  private readonly named = new Map<string, Uint8Array>();
  /** With so many free slots it is worth a look whether some of them are the file's end. */
  private trimFrom: number;
  private current = 0;
  private generation = 0;
  private journalBytes = 0;
  /** Written, and in no entry yet. */
  private readonly deferred = new Map<number, number>();
  /** Slots of commits that failed at their end: the entry that names them may be on disk until the next one is. */
  private quarantined: number[] = [];
  private lost: string | undefined;
  private chunks: StoreFile;
  private compacting = false;
  /** Slots cut off the file of chunks since it was opened, and its opening that is under way. */
  private cutSlots = 0;
  private reopening: Promise<void> | undefined;
  private readonly rewriteBytes: number;
  private readonly trimSlots: number;
  private readonly turn: () => Promise<void>;

  constructor(
    private readonly files: StoreFiles,
    { rewriteBytes = REWRITE_BYTES, trimSlots = TRIM_SLOTS, turn = nextTask }: OpfsChunkStoreOptions = {},
  ) {
    this.chunks = files.chunks;
    this.rewriteBytes = rewriteBytes;
    this.trimSlots = trimSlots;
    this.turn = turn;
    this.trimFrom = trimSlots;
    this.recover();
  }

  readChunks(numbers: readonly number[], buffers: readonly Uint8Array[] = []): Promise<(Uint8Array | undefined)[]> {
    return this.inTurn(() =>
      numbers.map((number, n) => {
        const slot = this.slots.get(number);
        return slot === undefined ? undefined : this.readSlot(slot, buffers[n]);
      }),
    );
  }

  chunkNumbers(): Promise<readonly number[]> {
    return this.inTurn(() => this.slots.numbers());
  }

  records(): Promise<ReadonlyMap<string, Uint8Array>> {
    return this.inTurn(() => new Map([...this.named].map(([key, bytes]) => [key, bytes.slice()])));
  }

  commit(batch: ChunkBatch): Promise<void> {
    return this.inTurn(() => {
      if (batch.durable === false) {
        this.defer(batch.chunks ?? []);
        return;
      }
      this.commitNow(batch);
      this.rewriteIfLong();
      if (this.slots.freeCount >= this.trimFrom) this.trim();
    });
  }

  async close(): Promise<void> {
    while (this.reopening !== undefined) await this.reopening;
    if (this.lost === undefined) for (const file of [this.chunks, ...this.files.journals]) file.close();
    this.lost ??= 'the storage was closed';
  }

  /** Every operation takes a turn, as with other stores, and fails once the store is closed. No file is being opened while `body` runs. */
  private async inTurn<Result>(body: () => Result): Promise<Result> {
    while (this.reopening !== undefined) await this.reopening;
    if (this.lost !== undefined) throw new StorageError('EIO', `${this.lost}; reload the page`);
    return body();
  }

  private get journal(): StoreFile {
    return this.files.journals[this.current === 0 ? 0 : 1];
  }

  private recover(): void {
    const found = this.files.journals.map((file) => this.guarded(() => readJournal(file)));
    const generations = found.map(({ entries }) => entries[0]?.generation ?? -1);
    this.current = (generations[1] ?? -1) > (generations[0] ?? -1) ? 1 : 0;
    const { endBytes = 0, entries = [] } = found[this.current] ?? {};
    if (entries.length === 0) {
      this.rewrite();
      return;
    }
    this.generation = generations[this.current] ?? 0;
    for (const entry of entries) this.apply(entry);
    this.journalBytes = endBytes;
    this.slots.settle();
    this.guarded(() => {
      // Behind the last whole entry: what a crash left of the next one.
      this.journal.truncate(endBytes);
      this.chunks.truncate(this.slots.count * CHUNK_BYTES);
    });
  }

  private readSlot(slot: number, bytes: Uint8Array = new Uint8Array(CHUNK_BYTES)): Uint8Array {
    const read = this.guarded(() => this.chunks.read(bytes, { at: slot * CHUNK_BYTES }));
    // What a file has lost reads as zeros here, and does not match its checksum above.
    return bytes.fill(0, read);
  }

  /** Slots for chunks. They are free again when `write` throws, but not before the next entry is on disk. */
  private place(
    chunks: readonly (readonly [number: number, bytes: Uint8Array])[],
    write: (placed: readonly (readonly [number: number, slot: number])[]) => void,
  ): void {
    const placed = chunks.map(([number]) => [number, this.slots.take()] as const);
    this.trimFrom = Math.min(this.trimFrom, this.slots.freeCount + this.trimSlots);
    try {
      chunks.forEach(([, bytes], n) => {
        writeWhole(this.chunks, bytes, (placed[n]?.[1] ?? 0) * CHUNK_BYTES);
      });
      write(placed);
    } catch (cause) {
      this.quarantined.push(...placed.map(([, slot]) => slot));
      throw storageError(cause);
    }
  }

  private defer(chunks: readonly (readonly [number: number, bytes: Uint8Array])[]): void {
    this.place(chunks, (placed) => {
      for (const [number, slot] of placed) {
        this.deferred.set(number, slot);
        this.slots.place(number, slot);
      }
    });
  }

  private commitNow({ chunks = [], removedChunks = [], records = [], removedRecords = [] }: ChunkBatch): void {
    this.place(chunks, (placed) => {
      const removed = new Set(removedChunks);
      const entry: JournalEntry = {
        placed: [...[...this.deferred].filter(([number]) => !removed.has(number)), ...placed],
        removedChunks: removedChunks.filter((number) => this.slots.get(number) !== undefined),
        records: records.map(([key, bytes]) => [key, bytes.slice()]),
        removedRecords,
      };
      if (entry.placed.length > 0) this.chunks.flush();
      this.append(encodeEntry(entry));
      this.deferred.clear();
      this.slots.release(this.quarantined.splice(0));
      this.apply(entry);
    });
  }

  private append(bytes: Uint8Array): void {
    try {
      writeWhole(this.journal, bytes, this.journalBytes);
      this.journal.flush();
    } catch (error) {
      // Nothing may stand behind the last entry that counts.
      this.emptyFrom(this.journal, this.journalBytes);
      throw error;
    }
    this.journalBytes += bytes.length;
  }

  private apply({ placed, records, removedChunks, removedRecords }: JournalEntry): void {
    for (const number of removedChunks) this.slots.remove(number);
    for (const [number, slot] of placed) this.slots.place(number, slot);
    for (const key of removedRecords) this.named.delete(key);
    for (const [key, bytes] of records) this.named.set(key, bytes);
  }

  private rewriteIfLong(): void {
    let contents = this.slots.chunkCount * 16;
    for (const bytes of this.named.values()) contents += bytes.length;
    if (this.journalBytes <= Math.max(this.rewriteBytes, contents * REWRITE_FACTOR)) return;
    try {
      this.rewrite();
    } catch {
      // The journal in use holds as before, as long as the other does not look newer.
      this.emptyFrom(this.files.journals[this.current === 0 ? 1 : 0], 0);
    }
  }

  /** Gives free slots at the file's end back to the browser, and has the lowest of the others taken first. */
  private trim(): void {
    const before = this.slots.count;
    if (this.slots.cut(this.trimSlots)) {
      this.cutSlots += before - this.slots.count;
      try {
        this.chunks.truncate(this.slots.count * CHUNK_BYTES);
      } catch {
        // Then the file stays as long as it is: what stands behind the end is nobody's.
      }
    }
    this.slots.sort();
    this.trimFrom = this.slots.freeCount + this.trimSlots;
    const { freeCount, count } = this.slots;
    if (this.compacting) return;
    if (freeCount >= this.trimSlots && freeCount * SPARSE_SHARE > count) void this.compact();
    else this.giveBack();
  }

  /** Moves the last chunks of the file into free slots before them until the file has no more slots than chunks, or nearly. */
  private async compact(): Promise<void> {
    this.compacting = true;
    try {
      do await this.turn();
      while (await this.inTurn(() => this.moveDown()));
    } catch {
      // They stay where they are; it is tried again when more slots are free.
    }
    this.compacting = false;
    this.giveBack();
  }

  /** False when there is nothing more to move. */
  private moveDown(): boolean {
    const moved = this.slots.movable(MOVED_CHUNKS);
    if (moved.length === 0) return false;
    this.commitNow({ chunks: moved.map(([number, slot]) => [number, this.readSlot(slot)]) });
    this.rewriteIfLong();
    this.trim();
    return true;
  }

  /** What was cut off the file is the browser's again when the file has been opened anew. */
  private giveBack(): void {
    if (this.cutSlots === 0 || this.lost !== undefined) return;
    this.cutSlots = 0;
    this.reopening = this.files
      .reopenChunks()
      .then((file) => {
        this.chunks = file;
      })
      .catch((error: unknown) => {
        this.lost = `the browser's files failed: ${String(error)}`;
      })
      .finally(() => {
        this.reopening = undefined;
      });
  }

  /** Cuts off what may not count. A file that cannot even be cut ends the store: what it says later would be in doubt. */
  private emptyFrom(file: StoreFile, sizeBytes: number): void {
    try {
      file.truncate(sizeBytes);
      file.flush();
    } catch (error) {
      this.lost = `the browser's files failed: ${String(error)}`;
    }
  }

  /** All there is as the first entry of the other journal; the one before is emptied only when that is durable. */
  private rewrite(): void {
    const other = this.current === 0 ? 1 : 0;
    const file = this.files.journals[other];
    const entry = encodeEntry({
      generation: this.generation + 1,
      placed: this.slots.entries(),
      removedChunks: [],
      records: [...this.named],
      removedRecords: [],
    });
    this.guarded(() => {
      file.truncate(0);
      writeWhole(file, entry, 0);
      file.flush();
    });
    const before = this.journal;
    this.current = other;
    this.generation += 1;
    this.journalBytes = entry.length;
    before.truncate(0);
  }

  private guarded<Result>(body: () => Result): Result {
    try {
      return body();
    } catch (cause) {
      throw storageError(cause);
    }
  }
}

const nextTask = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

function writeWhole(file: StoreFile, bytes: Uint8Array, at: number): void {
  const written = file.write(bytes, { at });
  if (written !== bytes.length)
    throw new StorageError('ENOSPC', `only ${written} of ${bytes.length} bytes could be stored: there is no room left`);
}

function storageError(cause: unknown): StorageError {
  if (cause instanceof StorageError) return cause;
  if (cause instanceof DOMException && cause.name === 'QuotaExceededError') {
    return new StorageError('ENOSPC', 'the browser has no more room for this site; remove volumes or allow it more storage', {
      cause,
    });
  }
  return new StorageError('EIO', `the browser's files failed: ${cause instanceof Error ? cause.message : String(cause)}`, {
    cause,
  });
}
