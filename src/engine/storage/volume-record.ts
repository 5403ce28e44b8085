/**
 * Names and encoding of the records that describe volumes: "volume:NAME" holds JSON with the numbers of its map pages,
 * "map:NUMBER" a map page.
 */
import { PAGE_SPAN_BYTES } from './map-page.ts';
import { SECTOR_BYTES } from './disk-image.ts';

export const VOLUME_KEY = 'volume:';
export const MAP_KEY = 'map:';
const VERSION = 1;
/** 1 PiB: well inside exact numbers, and a record of its map still fits in memory. */
export const VOLUME_BYTES_MAX = 2 ** 50;
const NAME_LENGTH_MAX = 255;

export interface VolumeRecord {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  /** Map page of each stretch of PAGE_SPAN_BYTES, 0 = nothing was ever written there. */
  readonly pages: readonly number[];
}

export const pagesOfSize = (sizeBytes: number): number => Math.ceil(sizeBytes / PAGE_SPAN_BYTES);

export const isVolumeName = (name: string): boolean =>
  name.length <= NAME_LENGTH_MAX &&
  name.split('/').every((part) => /^[A-Za-z0-9_.+-]+$/.test(part) && part !== '.' && part !== '..');

/** Volumes that hold other parts' contents and are shown in no list. */
export const isInternalName = (name: string): boolean => name.startsWith('.');

export const isVolumeSize = (sizeBytes: number): boolean =>
  Number.isInteger(sizeBytes) && sizeBytes > 0 && sizeBytes % SECTOR_BYTES === 0 && sizeBytes <= VOLUME_BYTES_MAX;

export function encodeVolumeRecord({ sizeBytes, readOnly, pages }: VolumeRecord): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ version: VERSION, sizeBytes, readOnly, pages }));
}

/** undefined when the record is not one that encodeVolumeRecord wrote. */
export function decodeVolumeRecord(bytes: Uint8Array): VolumeRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { version, sizeBytes, readOnly, pages } = value as Record<string, unknown>;
  if (version !== VERSION || typeof readOnly !== 'boolean' || typeof sizeBytes !== 'number' || !isVolumeSize(sizeBytes)) {
    return undefined;
  }
  if (!Array.isArray(pages) || pages.length !== pagesOfSize(sizeBytes)) return undefined;
  const numbers = pages.filter((page): page is number => Number.isSafeInteger(page) && (page as number) >= 0);
  return numbers.length === pages.length ? { sizeBytes, readOnly, pages: numbers } : undefined;
}
