/**
 * The maps of all volumes and who shares what in them: how many volumes use a page, how many pages use a chunk. A change is worked
 * out on copies (MapChange), of any number of volumes together, and takes effect only when it has been stored.
 *
 * The counts are made at opening and kept in memory only, so they cannot disagree with the maps.
 */
import { CHUNK_BYTES, StorageError } from './chunk-store.ts';
import { copyMapPage, decodeMapPage, emptyMapPage, encodeMapPage, PAGE_ENTRIES, type MapPage } from './map-page.ts';
import { MAP_KEY, pagesOfSize } from './volume-record.ts';

/** A page that several volumes may use. */
interface CountedPage {
  readonly page: MapPage;
  users: number;
}

export interface ChunkEntry {
  /** 0 = none, reads as zeros. */
  readonly number: number;
  readonly sum: number;
}

const NO_CHUNK: ChunkEntry = { number: 0, sum: 0 };

export class VolumeMaps {
  readonly pages = new Map<number, CountedPage>();
  readonly chunkUsers = new Map<number, number>();

  /** One more volume that uses this page; its record is read the first time. False when that is damaged. */
  addUser(number: number, record: () => Uint8Array | undefined): boolean {
    const counted = this.pages.get(number);
    if (counted !== undefined) {
      counted.users += 1;
      return true;
    }
    const page = decodeMapPage(record() ?? new Uint8Array(0));
    if (page === undefined) return false;
    this.pages.set(number, { page, users: 1 });
    for (const chunk of page.chunks) if (chunk !== 0) this.chunkUsers.set(chunk, (this.chunkUsers.get(chunk) ?? 0) + 1);
    return true;
  }

  /** A clone uses the pages of this list as well. */
  share(pages: readonly number[]): void {
    for (const number of pages) {
      const counted = this.pages.get(number);
      if (counted !== undefined) counted.users += 1;
    }
  }

  /** StorageError EIO when the map is damaged there. */
  entry(pages: readonly number[], index: number, volumeName: string): ChunkEntry {
    const number = pages[Math.floor(index / PAGE_ENTRIES)] ?? 0;
    if (number === 0) return NO_CHUNK;
    const counted = this.pages.get(number);
    if (counted === undefined) throw damaged(volumeName, index);
    const slot = index % PAGE_ENTRIES;
    return { number: counted.page.chunks[slot] ?? 0, sum: counted.page.sums[slot] ?? 0 };
  }

  chunksOf(pages: readonly number[]): number {
    let chunks = 0;
    for (const number of pages) for (const chunk of this.pages.get(number)?.page.chunks ?? []) if (chunk) chunks += 1;
    return chunks;
  }

  /** Of all chunks in use, by their numbers. */
  sums(): Map<number, number> {
    const sums = new Map<number, number>();
    for (const { page } of this.pages.values()) {
      page.chunks.forEach((number, entry) => {
        if (number !== 0) sums.set(number, page.sums[entry] ?? 0);
      });
    }
    return sums;
  }

  /** Places at which two maps name different chunks. */
  differing(pages: readonly number[], others: readonly number[]): number {
    let differing = 0;
    for (let slot = 0; slot < Math.max(pages.length, others.length); slot += 1) {
      const [number, other] = [pages[slot] ?? 0, others[slot] ?? 0];
      if (number === other) continue;
      const [page, otherPage] = [this.pages.get(number)?.page, this.pages.get(other)?.page];
      for (let entry = 0; entry < PAGE_ENTRIES; entry += 1) {
        if ((page?.chunks[entry] ?? 0) !== (otherPage?.chunks[entry] ?? 0)) differing += 1;
      }
    }
    return differing;
  }

  sharedChunks(): number {
    const shared = new Set<number>();
    for (const [number, users] of this.chunkUsers) if (users > 1) shared.add(number);
    for (const { page, users } of this.pages.values()) {
      if (users > 1) for (const number of page.chunks) if (number !== 0) shared.add(number);
    }
    return shared.size;
  }
}

const damaged = (volumeName: string, index: number): StorageError =>
  new StorageError('EIO', `the map of volume ${volumeName} is damaged at chunk ${index}`);

/** A change of maps, worked out before anything is stored. The lists of pages given to it are the caller's copies. */
export class MapChange {
  private readonly changed = new Map<number, MapPage>();
  private readonly removedPages = new Set<number>();
  /** Users that pages and chunks gain or lose. */
  private readonly pageUsers = new Map<number, number>();
  private readonly chunkUsers = new Map<number, number>();

  constructor(
    private readonly maps: VolumeMaps,
    private readonly newNumber: () => number,
  ) {}

  /** The chunk at `index` of a volume from now on; 0 = none. */
  set(pages: number[], index: number, number: number, sum: number, volumeName: string): void {
    const slot = Math.floor(index / PAGE_ENTRIES);
    const old = pages[slot] ?? 0;
    if (old !== 0 && !this.changed.has(old) && !this.maps.pages.has(old)) throw damaged(volumeName, index);
    if (old === 0 && number === 0) return;
    this.setEntry(pages, slot, index % PAGE_ENTRIES, number, sum);
  }

  /** Cuts the map off at a size, or makes it long enough for it. */
  resize(pages: number[], sizeBytes: number): void {
    const slots = pagesOfSize(sizeBytes);
    for (const number of pages.splice(slots)) this.release(number);
    while (pages.length < slots) pages.push(0);
    const last = pages[slots - 1] ?? 0;
    const chunks = Math.ceil(sizeBytes / CHUNK_BYTES);
    const page = this.changed.get(last) ?? this.maps.pages.get(last)?.page;
    if (page === undefined) return;
    for (let entry = chunks - (slots - 1) * PAGE_ENTRIES; entry < PAGE_ENTRIES; entry += 1) {
      if ((page.chunks[entry] ?? 0) !== 0) this.setEntry(pages, slots - 1, entry, 0, 0);
    }
  }

  /** One user of a page less; the last one lets its chunks go. */
  release(number: number): void {
    const counted = this.maps.pages.get(number);
    const page = this.changed.get(number) ?? counted?.page;
    if (page === undefined) return;
    if (this.users(number, counted) > 1) {
      count(this.pageUsers, number, -1);
      return;
    }
    this.changed.delete(number);
    this.removedPages.add(number);
    for (const chunk of page.chunks) if (chunk !== 0) count(this.chunkUsers, chunk, -1);
  }

  /** Takes pages without a chunk out of a volume's list. */
  dropEmptyPages(pages: number[]): void {
    pages.forEach((number, slot) => {
      const page = this.changed.get(number);
      if (page === undefined || page.chunks.some((chunk) => chunk !== 0)) return;
      this.changed.delete(number);
      this.removedPages.add(number);
      pages[slot] = 0;
    });
  }

  /** Chunks that have no user after the change. */
  removedChunks(): number[] {
    const removed: number[] = [];
    for (const [number, delta] of this.chunkUsers) {
      if ((this.maps.chunkUsers.get(number) ?? 0) + delta <= 0) removed.push(number);
    }
    return removed;
  }

  records(): (readonly [string, Uint8Array])[] {
    return [...this.changed].map(([number, page]) => [MAP_KEY + String(number), encodeMapPage(page)] as const);
  }

  removedRecords(): string[] {
    return [...this.removedPages].map((number) => MAP_KEY + String(number));
  }

  /** The change is durable: from now on it is what the maps say. `onUnused` is told of chunks without a user. */
  settle(onUnused: (chunk: number) => void): void {
    const { chunkUsers, pages } = this.maps;
    for (const [number, delta] of this.pageUsers) {
      const counted = pages.get(number);
      if (counted !== undefined) counted.users += delta;
    }
    for (const number of this.removedPages) pages.delete(number);
    for (const [number, page] of this.changed) pages.set(number, { page, users: 1 });
    for (const [number, delta] of this.chunkUsers) {
      const users = (chunkUsers.get(number) ?? 0) + delta;
      if (users > 0) chunkUsers.set(number, users);
      else {
        chunkUsers.delete(number);
        onUnused(number);
      }
    }
  }

  private users(number: number, counted: CountedPage | undefined): number {
    return counted === undefined ? 1 : counted.users + (this.pageUsers.get(number) ?? 0);
  }

  private setEntry(pages: number[], slot: number, entry: number, number: number, sum: number): void {
    const page = this.changeablePage(pages, slot);
    const before = page.chunks[entry] ?? 0;
    if (before !== 0) count(this.chunkUsers, before, -1);
    if (number !== 0) count(this.chunkUsers, number, 1);
    page.chunks[entry] = number;
    page.sums[entry] = sum;
  }

  /** A copy of the page at `slot` that may be changed: under its own number if no other volume uses it. */
  private changeablePage(pages: number[], slot: number): MapPage {
    const number = pages[slot] ?? 0;
    const already = this.changed.get(number);
    if (already !== undefined) return already;
    const counted = this.maps.pages.get(number);
    if (counted !== undefined && this.users(number, counted) === 1) {
      const page = copyMapPage(counted.page);
      this.changed.set(number, page);
      return page;
    }
    const page = counted === undefined ? emptyMapPage() : copyMapPage(counted.page);
    for (const chunk of page.chunks) if (chunk !== 0) count(this.chunkUsers, chunk, 1);
    if (counted !== undefined) count(this.pageUsers, number, -1);
    const own = this.newNumber();
    pages[slot] = own;
    this.changed.set(own, page);
    return page;
  }
}

function count(counts: Map<number, number>, key: number, delta: number): void {
  counts.set(key, (counts.get(key) ?? 0) + delta);
}
