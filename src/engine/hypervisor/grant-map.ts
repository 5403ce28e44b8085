/**
 * Grants of one guest as domain 0 uses them: a page the guest has permitted is mapped, read or written, and given back. What is
 * mapped, how often and with what right is kept here, outside the guest's memory; of the guest's table only the entry itself is
 * believed, once, at the moment of the mapping.
 *
 * Entry, version 1: u16 flags [GST, reading and writing by us], u16 domid [GST], u32 frame [GST]. Flags and domid are read as
 * one word and the use is noted in it by compare-exchange, so a guest that takes the permission back at the same time either
 * comes first, or finds the entry in use. The frame may not change while it is.
 * @see xen/include/public/grant_table.h
 */
import { PAGE_BYTES } from '../cpu/layout.ts';
import { DOMAIN_GRANT_FRAMES } from '../pv/layout.ts';
import {
  GNTST_okay,
  GRANT_ENTRIES_PER_FRAME,
  GRANT_ENTRY_V1_BYTES,
  GTF_permit_access,
  GTF_reading,
  GTF_readonly,
  GTF_type_mask,
  GTF_writing,
} from '../abi/grant-table.ts';
import type { CoreExports } from './core.ts';
import { GRANT_FRAMES_MAX, XEN_FRAMES, type DomainMemoryPlan } from './domain-memory.ts';

/** A page of a guest in use by domain 0. Live and shared with the hostile guest. */
export interface GrantedPage {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  /** To be called after storing to the page: code decoded from it is dropped, and the store is seen by whoever copies the guest. */
  written(offset: number, bytes: number): void;
  /** Ends the use; the page must not be touched afterwards. A second call has no effect. */
  unmap(): void;
}

export interface GrantMapper {
  /** The page behind a grant reference (guest-controlled), or undefined when the guest has not permitted that. */
  map(gref: number, writable: boolean): GrantedPage | undefined;
}

/** First frame of the domain's frames that the grant table takes: the one behind shared_info. */
const TABLE_FIRST_FRAME = 1;
/** The domain that maps: the one this code runs for. */
const DOM0 = 0;
/** Of one reference in one way. */
const USES_MAX = 0xffff;
/** Place of a page whose use has ended. */
const NOT_MAPPED = -1;
/** Tries against a guest that changes the entry all the time. */
const ATTEMPTS = 8;

export class GrantMap implements GrantMapper {
  private readonly words: Int32Array;
  private readonly table: number;
  /** Uses of each reference. */
  private readonly readers = new Uint16Array(GRANT_FRAMES_MAX * GRANT_ENTRIES_PER_FRAME);
  private readonly writers = new Uint16Array(GRANT_FRAMES_MAX * GRANT_ENTRIES_PER_FRAME);
  /** In no order: each knows its place. */
  private readonly live: MappedPage[] = [];
  private abandoned = false;

  constructor(
    private readonly core: Pick<CoreExports, 'pvTakeGranted' | 'pvDropGranted' | 'pvFrameWritten'>,
    private readonly memory: WebAssembly.Memory,
    private readonly plan: DomainMemoryPlan,
  ) {
    this.words = new Int32Array(memory.buffer);
    this.table = (plan.framesBase + TABLE_FIRST_FRAME * PAGE_BYTES) / 4;
  }

  /** Pages mapped now. */
  get mapped(): number {
    return this.live.length;
  }

  map(gref: number, writable: boolean): GrantedPage | undefined {
    if (this.abandoned) return undefined;
    const frames = Math.min(Atomics.load(this.words, DOMAIN_GRANT_FRAMES / 4) >>> 0, GRANT_FRAMES_MAX);
    if (!Number.isInteger(gref) || gref < 0 || gref >= frames * GRANT_ENTRIES_PER_FRAME) return undefined;
    const uses = writable ? this.writers : this.readers;
    const used = uses[gref] ?? USES_MAX;
    const at = this.entryOf(gref);
    if (used === USES_MAX || !this.noteUse(at, writable)) return undefined;
    const mfn = Atomics.load(this.words, at + 1) >>> 0;
    const frame = mfn - this.plan.firstMfn;
    const isRam = frame >= XEN_FRAMES && frame < this.plan.frameCount;
    if (!isRam || this.core.pvTakeGranted(mfn, Number(writable)) !== GNTST_okay) {
      this.dropUse(gref);
      return undefined;
    }
    uses[gref] = used + 1;
    const bytes = new Uint8Array(this.memory.buffer, this.plan.framesBase + frame * PAGE_BYTES, PAGE_BYTES);
    const page = new MappedPage(this, bytes, gref, mfn, writable, this.live.length);
    this.live.push(page);
    return page;
  }

  /** Ends every use. */
  unmapAll(): void {
    for (const page of [...this.live]) this.unmap(page);
  }

  /**
   * The domain is being destroyed: nothing is mapped or given back any more. Its threads may have ended while they held the
   * domain's locks, so from now on no lock of it may be waited for.
   */
  abandon(): void {
    this.abandoned = true;
    for (const page of this.live.splice(0)) page.place = NOT_MAPPED;
  }

  /** For the page. */
  written(page: MappedPage, offset: number, bytes: number): void {
    if (bytes > 0 && page.place !== NOT_MAPPED) this.core.pvFrameWritten(page.mfn, offset, bytes);
  }

  /** For the page. */
  unmap(page: MappedPage): void {
    const { gref, mfn, place, writable } = page;
    if (place === NOT_MAPPED) return;
    const last = this.live.pop();
    if (last !== undefined && last !== page) {
      this.live[place] = last;
      last.place = place;
    }
    page.place = NOT_MAPPED;
    // The guest may make it a page table as soon as the entry is free: the frame is let go first.
    this.core.pvDropGranted(mfn, Number(writable));
    const uses = writable ? this.writers : this.readers;
    uses[gref] = (uses[gref] ?? 0) - 1;
    this.dropUse(gref);
  }

  /** Sets reading (and writing) in an entry that permits it. */
  private noteUse(at: number, writable: boolean): boolean {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const word = Atomics.load(this.words, at);
      if ((word & GTF_type_mask) !== GTF_permit_access || word >>> 16 !== DOM0) return false;
      if (writable && (word & GTF_readonly) !== 0) return false;
      const used = word | GTF_reading | (writable ? GTF_writing : 0);
      if (Atomics.compareExchange(this.words, at, word, used) === word) return true;
    }
    return false;
  }

  /** Clears in the entry what no use that is left needs. */
  private dropUse(gref: number): void {
    if (this.writers[gref] !== 0) return;
    Atomics.and(this.words, this.entryOf(gref), ~(GTF_writing | (this.readers[gref] === 0 ? GTF_reading : 0)));
  }

  private entryOf(gref: number): number {
    return this.table + (gref * GRANT_ENTRY_V1_BYTES) / 4;
  }
}

/** There are as many of these as pages in use at a time, made anew for each use: small, and without functions of its own. */
class MappedPage implements GrantedPage {
  constructor(
    private readonly map: GrantMap,
    readonly bytes: Uint8Array,
    readonly gref: number,
    readonly mfn: number,
    readonly writable: boolean,
    /** Among the mapped pages. */
    public place: number,
  ) {}

  get words(): Int32Array {
    return new Int32Array(this.bytes.buffer, this.bytes.byteOffset, PAGE_BYTES / 4);
  }

  written(offset: number, bytes: number): void {
    this.map.written(this, offset, bytes);
  }

  unmap(): void {
    this.map.unmap(this);
  }
}
