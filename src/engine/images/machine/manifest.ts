/** What an archive of a machine says at its start about everything that follows, checked when it is read. */
import { decodeMapPage } from '../../storage/map-page.ts';
import { decodeVolumeRecord, MAP_KEY, VOLUME_KEY } from '../../storage/volume-record.ts';
import { ImageError } from '../image-error.ts';

export const MANIFEST_NAME = 'machine.json';
const FORMAT = 'webxen-machine';
const VERSION = 1;
const KEY_LENGTH_MAX = 1024;
const RECORD_BYTES_MAX = 256 * 1024 * 1024;

export interface ManifestRecord {
  readonly key: string;
  readonly bytes: number;
  readonly sum: number;
}

export interface Manifest {
  /** Name of the machine that was exported. */
  readonly machine: string;
  readonly records: readonly ManifestRecord[];
  /** Sums of the chunks by their numbers, in the order in which they follow. */
  readonly chunks: ReadonlyMap<number, number>;
}

export function encodeManifest({ chunks, machine, records }: Manifest): Uint8Array {
  const rows = records.map(({ bytes, key, sum }) => [key, bytes, sum]);
  return new TextEncoder().encode(
    JSON.stringify({ format: FORMAT, version: VERSION, machine, records: rows, chunks: [...chunks] }),
  );
}

const damaged = (what: string): ImageError => new ImageError(`the archive is damaged: ${what}`);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isSum = (value: unknown): value is number => isCount(value) && value < 2 ** 32;

/** ImageError when it is no manifest. */
export function decodeManifest(bytes: Uint8Array): Manifest {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as Record<string, unknown>;
  } catch {
    throw damaged('its list of contents cannot be read');
  }
  const { format, machine, version } = value;
  if (format !== FORMAT || typeof machine !== 'string') throw new ImageError('it is no archive of a machine');
  if (version !== VERSION) throw new ImageError(`archives of version ${String(version)} are not known here`);
  const rows = (name: string): unknown[][] => {
    const list = value[name];
    if (!Array.isArray(list) || !list.every((row) => Array.isArray(row))) throw damaged(`it lists no ${name}`);
    return list as unknown[][];
  };
  const keys = new Set<string>();
  const records = rows('records').map(([key, size, sum]) => {
    const right =
      typeof key === 'string' && key.length <= KEY_LENGTH_MAX && isCount(size) && size <= RECORD_BYTES_MAX && isSum(sum);
    if (!right || keys.has(key)) throw damaged('it lists a record that cannot be');
    keys.add(key);
    return { key, bytes: size, sum };
  });
  const chunks = new Map<number, number>();
  for (const [number, sum] of rows('chunks')) {
    if (!isCount(number) || number === 0 || chunks.has(number) || !isSum(sum)) throw damaged('it lists a chunk that cannot be');
    chunks.set(number, sum);
  }
  return { machine, records, chunks };
}

/** Volumes may name only map pages and chunks that are there: what is missing would read as an error for ever. ImageError. */
export function checkRecords(records: ReadonlyMap<string, Uint8Array>, chunks: ReadonlyMap<number, number>): void {
  for (const [key, bytes] of records) {
    if (key.startsWith(VOLUME_KEY)) {
      const volume = decodeVolumeRecord(bytes);
      if (volume?.pages.every((page) => page === 0 || records.has(MAP_KEY + String(page))) !== true)
        throw damaged(`volume ${key.slice(VOLUME_KEY.length)} cannot be understood`);
    } else if (key.startsWith(MAP_KEY)) {
      const page = decodeMapPage(bytes);
      if (page?.chunks.every((number, n) => number === 0 || chunks.get(number) === page.sums[n]) !== true)
        throw damaged(`map page ${key.slice(MAP_KEY.length)} cannot be understood`);
    }
  }
}
