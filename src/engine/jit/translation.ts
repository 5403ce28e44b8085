/**
 * A region as code, with what tells where it may run. Nothing of it depends on a vCPU, a domain or the frames its pages lie in: those
 * are in the region's data, which each vCPU has a copy of. So one translation serves every place where the same bytes lie at
 * pages in the same order.
 *
 * The data are: the host address of each page, one word each, filled in when the region is installed; then the operations that
 * handlers are called with, and the table of targets (target-lookup.ts).
 */
import { PAGE_BYTES } from '../cpu/layout.ts';
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
  /** With nothing yet where the pages' addresses go. A multiple of 16 bytes. */
  readonly data: Uint8Array;
}

export const PAGE_WORD_BYTES = 4;
const DATA_ALIGNMENT = 16;

/** Bytes that the pages' addresses take up in the data. */
export function pageWordsBytes(pages: number): number {
  return Math.ceil((pages * PAGE_WORD_BYTES) / DATA_ALIGNMENT) * DATA_ALIGNMENT;
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
