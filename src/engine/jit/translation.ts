/**
 * A region as code, with what tells where it may run. Nothing of it depends on a vCPU, a domain or the frames its pages lie in: those
 * are in the region's data, which each vCPU has a copy of. So one translation serves every place where the same bytes lie at
 * pages in the same order.
 *
 * The data are: where its pages are (REGION_DATA_*), of which host addresses are filled in when the region is installed; then the
 * operations that handlers are called with, and the table of targets (target-lookup.ts).
 */
import { PAGE_BYTES, REGION_DATA_COUNT, REGION_DATA_PAGES, REGION_DATA_PAGE_BYTES, REGION_DATA_POSITION } from '../cpu/layout.ts';
import type { Region } from './region.ts';
import type { FunctionBody } from './wasm-module.ts';

export interface TranslatedCode {
  readonly body: FunctionBody;
  readonly data: Uint8Array;
}

/** Bytes of instructions that follow each other in one page, by position. */
export interface Source {
  readonly position: number;
  readonly bytes: Uint8Array;
}

export interface TranslationOrigin {
  /** Positions of the entries, from the start of the first one's page. */
  readonly entries: readonly number[];
  /** Positions of the pages, the first entry's first. */
  readonly pages: readonly number[];
  readonly sources: readonly Source[];
  readonly instructions: number;
}

export interface Translation extends TranslationOrigin {
  /** With nothing yet where the pages' host addresses go. A multiple of 16 bytes. */
  readonly data: Uint8Array;
}

const DATA_ALIGNMENT = 16;

/** What a region's data begin with. */
export function dataOfPages(pages: Region['pages']): Uint8Array {
  const bytes = REGION_DATA_PAGES + pages.length * REGION_DATA_PAGE_BYTES;
  const view = new DataView(new ArrayBuffer(Math.ceil(bytes / DATA_ALIGNMENT) * DATA_ALIGNMENT));
  view.setUint32(REGION_DATA_COUNT, pages.length, true);
  pages.forEach(({ position }, n) => {
    view.setInt32(REGION_DATA_PAGES + n * REGION_DATA_PAGE_BYTES + REGION_DATA_POSITION, position, true);
  });
  return new Uint8Array(view.buffer);
}

/** What the region was made from. */
export function originOf(region: Region): TranslationOrigin {
  return {
    entries: region.targets.slice(0, region.entries).map(({ start }) => start),
    pages: region.pages.map(({ position }) => position),
    sources: sourcesOf(region.code),
    instructions: region.instructions,
  };
}

/** The bytes of the region's instructions, as runs that each lie in one page. */
function sourcesOf(code: Region['code']): Source[] {
  const sources: Source[] = [];
  let run: number[] = [];
  let from = 0;
  const finish = (): void => {
    if (run.length > 0) sources.push({ position: from, bytes: Uint8Array.from(run) });
    run = [];
  };
  for (const [position, bytes] of [...code].sort(([a], [b]) => a - b)) {
    // One that overlaps another (a jump into its middle) was decoded at another time: it has a run of its own.
    if (position !== from + run.length) {
      finish();
      from = position;
    }
    for (const byte of bytes) {
      const at = from + run.length;
      if (at % PAGE_BYTES === 0) {
        finish();
        from = at;
      }
      run.push(byte);
    }
  }
  finish();
  return sources;
}
