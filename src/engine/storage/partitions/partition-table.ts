/**
 * Partition tables: a DOS table (MBR) with its chain of extended ones, read and written, and a GUID table (GPT), read. What is read
 * comes from a guest: every number is checked against the disk, and chains are bounded.
 * @see UEFI Specification 2.10, 5.2 "LBA 0 Format" and 5.3 "GUID Partition Table (GPT) Disk Layout"
 */
import { crc32 } from '../crc32.ts';
import { SECTOR_BYTES, type DiskImage } from '../disk-image.ts';

export interface Partition {
  /** 1 to 4 primary, 5 and up logical; with a GUID table the entry's number. */
  readonly number: number;
  readonly start: number;
  readonly sectors: number;
  /** Type byte of a DOS table; 0xee for entries of a GUID table. */
  readonly type: number;
  readonly bootable: boolean;
  /** Name and unique identifier of an entry of a GUID table. */
  readonly name?: string;
  readonly guid?: string;
}

export interface PartitionTable {
  readonly kind: 'dos' | 'gpt';
  /** As fdisk shows it. */
  readonly identifier: string;
  readonly partitions: readonly Partition[];
}

export class PartitionTableError extends Error {}

export const EXTENDED_TYPES: readonly number[] = [0x05, 0x0f, 0x85];
const PRIMARY = 4;
const LOGICAL_MAX = 60;
const TABLE_AT = 446;
const ENTRY_BYTES = 16;
const SIGNATURE_AT = 510;
const SIGNATURE = 0xaa55;
const IDENTIFIER_AT = 440;
const PROTECTIVE = 0xee;
const GPT_HEADER = 'EFI PART';
const GPT_ENTRIES_MAX = 128;
/** Where partitions begin unless told otherwise, and their alignment: 1 MiB. */
export const ALIGNMENT_SECTORS = 2048;

interface Entry {
  readonly type: number;
  readonly start: number;
  readonly sectors: number;
  readonly bootable: boolean;
}

async function sectorOf(disk: DiskImage, sector: number, count = 1): Promise<DataView> {
  const bytes = new Uint8Array(count * SECTOR_BYTES);
  await disk.read(sector, bytes);
  return new DataView(bytes.buffer);
}

function entryOf(sector: DataView, n: number): Entry {
  const at = TABLE_AT + n * ENTRY_BYTES;
  return {
    bootable: sector.getUint8(at) === 0x80,
    type: sector.getUint8(at + 4),
    start: sector.getUint32(at + 8, true),
    sectors: sector.getUint32(at + 12, true),
  };
}

const within = (disk: DiskImage, { sectors, start }: { start: number; sectors: number }): boolean =>
  start > 0 && sectors > 0 && start + sectors <= disk.sectors;

/** undefined when there is no table. StorageError when the disk cannot be read. */
export async function readPartitionTable(disk: DiskImage): Promise<PartitionTable | undefined> {
  if (disk.sectors < 2) return undefined;
  const first = await sectorOf(disk, 0);
  if (first.getUint16(SIGNATURE_AT, true) !== SIGNATURE) return undefined;
  const primary = [0, 1, 2, 3].map((n) => entryOf(first, n));
  if (primary.some(({ type }) => type === PROTECTIVE)) {
    const table = await readGpt(disk);
    if (table !== undefined) return table;
  }
  const partitions: Partition[] = [];
  for (const [n, entry] of primary.entries()) {
    if (entry.type !== 0 && within(disk, entry)) partitions.push({ number: n + 1, ...entry });
  }
  const extended = partitions.find(({ type }) => EXTENDED_TYPES.includes(type));
  if (extended !== undefined) partitions.push(...(await readLogical(disk, extended)));
  const identifier = `0x${first.getUint32(IDENTIFIER_AT, true).toString(16).padStart(8, '0')}`;
  return { kind: 'dos', identifier, partitions };
}

/** The chain: each table has a logical partition, relative to itself, and the next table, relative to the extended partition. */
async function readLogical(disk: DiskImage, extended: Partition): Promise<Partition[]> {
  const found: Partition[] = [];
  const seen = new Set<number>();
  let at = extended.start;
  while (found.length < LOGICAL_MAX && !seen.has(at)) {
    seen.add(at);
    const sector = await sectorOf(disk, at);
    if (sector.getUint16(SIGNATURE_AT, true) !== SIGNATURE) break;
    const own = entryOf(sector, 0);
    const placed = { ...own, start: at + own.start };
    if (own.type !== 0 && within(disk, placed)) found.push({ number: PRIMARY + 1 + found.length, ...placed });
    const next = entryOf(sector, 1);
    if (!EXTENDED_TYPES.includes(next.type)) break;
    at = extended.start + next.start;
    if (at >= extended.start + extended.sectors || at >= disk.sectors) break;
  }
  return found;
}

async function readGpt(disk: DiskImage): Promise<PartitionTable | undefined> {
  for (const at of [1, disk.sectors - 1]) {
    const table = await readGptAt(disk, at);
    if (table !== undefined) return table;
  }
  return undefined;
}

async function readGptAt(disk: DiskImage, at: number): Promise<PartitionTable | undefined> {
  const header = await sectorOf(disk, at);
  const bytes = new Uint8Array(header.buffer);
  if (new TextDecoder('latin1').decode(bytes.subarray(0, 8)) !== GPT_HEADER) return undefined;
  const headerBytes = header.getUint32(12, true);
  if (headerBytes < 92 || headerBytes > SECTOR_BYTES) return undefined;
  const sum = header.getUint32(16, true);
  const checked = bytes.slice(0, headerBytes);
  new DataView(checked.buffer).setUint32(16, 0, true);
  const entriesAt = Number(header.getBigUint64(72, true));
  const count = Math.min(header.getUint32(80, true), GPT_ENTRIES_MAX);
  const entryBytes = header.getUint32(84, true);
  const entrySectors = Math.ceil((count * entryBytes) / SECTOR_BYTES);
  if (crc32(checked) !== sum || entryBytes < 128 || entryBytes > SECTOR_BYTES || entrySectors === 0) return undefined;
  if (!(entriesAt >= 1 && entriesAt + entrySectors <= disk.sectors)) return undefined;
  const entries = await sectorOf(disk, entriesAt, entrySectors);
  const partitions: Partition[] = [];
  for (let n = 0; n < count; n += 1) {
    const from = n * entryBytes;
    if (entries.getBigUint64(from, true) === 0n && entries.getBigUint64(from + 8, true) === 0n) continue;
    const start = Number(entries.getBigUint64(from + 32, true));
    const sectors = Number(entries.getBigUint64(from + 40, true)) - start + 1;
    if (!within(disk, { start, sectors })) continue;
    const name = new TextDecoder('utf-16le').decode(new Uint8Array(entries.buffer, from + 56, 72)).replace(/\0.*$/s, '');
    const unique = guid(new Uint8Array(entries.buffer, from + 16, 16));
    partitions.push({ number: n + 1, start, sectors, type: PROTECTIVE, bootable: false, name, guid: unique });
  }
  return { kind: 'gpt', identifier: guid(bytes.subarray(56, 72)), partitions };
}

/** Three little-endian parts, then bytes as they are. */
function guid(bytes: Uint8Array): string {
  const hex = (indexes: readonly number[]): string => indexes.map((n) => (bytes[n] ?? 0).toString(16).padStart(2, '0')).join('');
  return [
    [3, 2, 1, 0],
    [5, 4],
    [7, 6],
    [8, 9],
    [10, 11, 12, 13, 14, 15],
  ]
    .map(hex)
    .join('-')
    .toUpperCase();
}

/** What a partition shall be: sizes in sectors; without a start behind the one before, without a size what is left. */
export interface PartitionWish {
  readonly start?: number;
  readonly sectors?: number;
  readonly type: number;
  readonly bootable: boolean;
}

/**
 * Places the wishes in order on a disk: up to four primary partitions, of which one may be extended; those behind an extended one
 * lie in it. PartitionTableError.
 */
export function placePartitions(wishes: readonly PartitionWish[], diskSectors: number): Partition[] {
  const placed: Partition[] = [];
  let free = ALIGNMENT_SECTORS;
  let number = 1;
  let extended: Partition | undefined;
  for (const { bootable, sectors, start: asked, type } of wishes) {
    const isExtended = EXTENDED_TYPES.includes(type);
    if (isExtended && extended !== undefined) throw new PartitionTableError('only one extended partition is possible');
    const logical: boolean = extended !== undefined && number > PRIMARY;
    const end: number = logical && extended !== undefined ? extended.start + extended.sectors : diskSectors;
    // A logical partition has its own table in front of it.
    const least = logical ? free + ALIGNMENT_SECTORS : free;
    const start = asked ?? Math.ceil(least / ALIGNMENT_SECTORS) * ALIGNMENT_SECTORS;
    const size = sectors ?? end - start;
    if (start < least || size <= 0 || start + size > end) throw new PartitionTableError(`partition ${number} does not fit`);
    if (number > PRIMARY && !logical) throw new PartitionTableError('only four primary partitions are possible');
    if (number - PRIMARY > LOGICAL_MAX) throw new PartitionTableError('too many partitions');
    const partition = { number, start, sectors: size, type, bootable };
    placed.push(partition);
    free = isExtended ? start : start + size;
    if (isExtended) {
      extended = partition;
      number = PRIMARY;
    }
    number += 1;
  }
  return placed;
}

/** Writes a DOS table of partitions that `placePartitions` has placed. StorageError. */
export async function writePartitionTable(disk: DiskImage, partitions: readonly Partition[], identifier: number): Promise<void> {
  const put = (sector: DataView, n: number, { bootable, sectors, start, type }: Entry): void => {
    const at = TABLE_AT + n * ENTRY_BYTES;
    sector.setUint8(at, bootable ? 0x80 : 0);
    // Cylinders do not exist: the values that say so.
    for (const chs of [at + 1, at + 5]) [0xfe, 0xff, 0xff].forEach((byte, part) => sector.setUint8(chs + part, byte));
    sector.setUint8(at + 4, type);
    sector.setUint32(at + 8, start, true);
    sector.setUint32(at + 12, sectors, true);
  };
  // Boot code of whoever had the disk stays.
  const first = await sectorOf(disk, 0);
  new Uint8Array(first.buffer).fill(0, TABLE_AT, SIGNATURE_AT);
  first.setUint32(IDENTIFIER_AT, identifier, true);
  first.setUint16(SIGNATURE_AT, SIGNATURE, true);
  for (const partition of partitions) if (partition.number <= PRIMARY) put(first, partition.number - 1, partition);
  const extended = partitions.find(({ type }) => EXTENDED_TYPES.includes(type));
  const logical = partitions.filter(({ number }) => number > PRIMARY);
  if (extended !== undefined) {
    const tables = logical.map((partition, n) => (n === 0 ? extended.start : partition.start - ALIGNMENT_SECTORS));
    for (const [n, at] of (tables.length > 0 ? tables : [extended.start]).entries()) {
      const sector = new DataView(new ArrayBuffer(SECTOR_BYTES));
      sector.setUint16(SIGNATURE_AT, SIGNATURE, true);
      const own = logical[n];
      if (own !== undefined) put(sector, 0, { ...own, start: own.start - at });
      const [next, nextAt] = [logical[n + 1], tables[n + 1]];
      if (next !== undefined && nextAt !== undefined) {
        const sectors = next.start + next.sectors - nextAt;
        put(sector, 1, { type: 0x05, bootable: false, start: nextAt - extended.start, sectors });
      }
      await disk.write(at, new Uint8Array(sector.buffer));
    }
  }
  await disk.write(0, new Uint8Array(first.buffer));
  await disk.flush();
}
