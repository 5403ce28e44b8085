/**
 * The front end's pages while requests use them. With persistent grants a page stays mapped from its first use to the end of
 * the connection, at most so many of them; without, it is given back with the request.
 */
import type { GrantedPage, GrantMapper } from '../../hypervisor/grant-map.ts';
import { BlkifViolation } from './block-request.ts';

interface Kept {
  readonly page: GrantedPage;
  readonly writable: boolean;
  users: number;
}

export class GrantedPages {
  /** In order of use, the oldest first. */
  private readonly kept = new Map<number, Kept>();
  private readonly ofPage = new Map<GrantedPage, Kept>();

  constructor(
    private readonly grants: GrantMapper,
    /** Pages that stay mapped; 0 = persistent grants are not in use. */
    private readonly keep: number,
  ) {}

  /** A page for a request, until it is given back. BlkifViolation when the front end has not granted that. */
  borrow(gref: number, writable: boolean): GrantedPage {
    return this.keep > 0 ? this.borrowKept(gref, writable) : this.map(gref, writable);
  }

  /** Once for each `borrow`. */
  giveBack(page: GrantedPage): void {
    const kept = this.ofPage.get(page);
    if (kept === undefined) page.unmap();
    else kept.users -= 1;
  }

  close(): void {
    for (const { page } of this.kept.values()) page.unmap();
    this.kept.clear();
    this.ofPage.clear();
  }

  private borrowKept(gref: number, writable: boolean): GrantedPage {
    const known = this.kept.get(gref);
    if (known !== undefined && (known.writable || !writable)) {
      this.kept.delete(gref);
      this.kept.set(gref, known);
      known.users += 1;
      return known.page;
    }
    if (known !== undefined || (this.kept.size >= this.keep && !this.dropOldest())) return this.map(gref, writable);
    // The same page serves reads and writes in turn: take the greater right where it is given.
    const both = this.grants.map(gref, true);
    const kept: Kept = { page: both ?? this.map(gref, writable), writable: both !== undefined, users: 1 };
    this.kept.set(gref, kept);
    this.ofPage.set(kept.page, kept);
    return kept.page;
  }

  private dropOldest(): boolean {
    for (const [gref, { page, users }] of this.kept) {
      if (users > 0) continue;
      page.unmap();
      this.kept.delete(gref);
      this.ofPage.delete(page);
      return true;
    }
    return false;
  }

  private map(gref: number, writable: boolean): GrantedPage {
    const page = this.grants.map(gref, writable);
    if (page === undefined) throw new BlkifViolation(`grant ${gref} does not permit ${writable ? 'writing' : 'reading'}`);
    return page;
  }
}
