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

/** A page lent to a request. */
export interface LentPage {
  readonly page: GrantedPage;
  giveBack(): void;
}

export class GrantedPages {
  /** In order of use, the oldest first. */
  private readonly kept = new Map<number, Kept>();

  constructor(
    private readonly grants: GrantMapper,
    /** Pages that stay mapped; 0 = persistent grants are not in use. */
    private readonly keep: number,
  ) {}

  /** BlkifViolation when the front end has not granted that. */
  borrow(gref: number, writable: boolean): LentPage {
    if (this.keep > 0) return this.borrowKept(gref, writable);
    const page = this.map(gref, writable);
    return {
      page,
      giveBack: () => {
        page.unmap();
      },
    };
  }

  close(): void {
    for (const { page } of this.kept.values()) page.unmap();
    this.kept.clear();
  }

  private borrowKept(gref: number, writable: boolean): LentPage {
    const known = this.kept.get(gref);
    if (known !== undefined && (known.writable || !writable)) {
      this.kept.delete(gref);
      this.kept.set(gref, known);
      return lend(known);
    }
    if (known !== undefined || (this.kept.size >= this.keep && !this.dropOldest())) {
      const page = this.map(gref, writable);
      return {
        page,
        giveBack: () => {
          page.unmap();
        },
      };
    }
    // The same page serves reads and writes in turn: take the greater right where it is given.
    const both = this.grants.map(gref, true);
    const kept: Kept = { page: both ?? this.map(gref, writable), writable: both !== undefined, users: 0 };
    this.kept.set(gref, kept);
    return lend(kept);
  }

  private dropOldest(): boolean {
    for (const [gref, { page, users }] of this.kept) {
      if (users > 0) continue;
      page.unmap();
      this.kept.delete(gref);
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

function lend(kept: Kept): LentPage {
  kept.users += 1;
  return {
    page: kept.page,
    giveBack: () => {
      kept.users -= 1;
    },
  };
}
