/**
 * What a superblock says, in the lines of tune2fs -l and dumpe2fs -h, and the few settings in it that may be changed without touching
 * anything else.
 * @see tune2fs(8), dumpe2fs(8)
 */
import { PosixError } from '../mountable.ts';
import { SECTOR_BYTES, type DiskImage } from '../disk-image.ts';
import { civilDate } from '../civil-date.ts';
import { readSuperblockBytes, type Clock } from './ext-volume.ts';
import { COMPAT, featureNames, INCOMPAT, STATE_ERROR, STATE_VALID, SUPERBLOCK_OFFSET } from './layout.ts';
import { decodeName, encodeName } from './names.ts';
import { Superblock } from './superblock.ts';

const ERROR_BEHAVIOURS = ['Continue', 'Remount read-only', 'Panic'];
const SYSTEMS = ['Linux', 'Hurd', 'Masix', 'FreeBSD', 'Lites'];
const HASHES = ['legacy', 'half_md4', 'tea'];
const FLAGS: readonly (readonly [bit: number, name: string])[] = [
  [1, 'signed_directory_hash'],
  [2, 'unsigned_directory_hash'],
  [4, 'test_filesystem'],
];
const MOUNT_OPTIONS: readonly (readonly [bit: number, name: string])[] = [
  [0x1, 'debug'],
  [0x2, 'bsdgroups'],
  [0x4, 'user_xattr'],
  [0x8, 'acl'],
  [0x10, 'uid16'],
  [0x100, 'nobarrier'],
  [0x200, 'block_validity'],
  [0x400, 'discard'],
  [0x800, 'nodelalloc'],
];
/** Two bits that are one choice. */
const JOURNAL_MODES = ['', 'journal_data', 'journal_data_ordered', 'journal_data_writeback'];

const EMPTY_UUID = '00000000-0000-0000-0000-000000000000';
const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
const DAY_SECONDS = 86_400;

/** The superblock of a disk. PosixError EINVAL. */
export async function readSuperblock(disk: DiskImage): Promise<Superblock> {
  return Superblock.parse(await readSuperblockBytes(disk), disk.sectors * SECTOR_BYTES);
}

/** ext2, ext3 or ext4, by the features. */
export function extTypeOf(s: Superblock): 'ext2' | 'ext3' | 'ext4' {
  const { incompat, roCompat } = s.features;
  if ((incompat & ~0x16) !== 0 || (roCompat & ~7) !== 0) return 'ext4';
  return s.hasCompat(COMPAT.HAS_JOURNAL) ? 'ext3' : 'ext2';
}

export const labelOf = (s: Superblock): string => textOf(s.label);

export function uuidText(bytes: Uint8Array): string {
  const hex = [...bytes.subarray(0, 16)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

export function describeSuperblock(s: Superblock): string {
  const lines: string[] = [];
  const add = (name: string, value: string | number): void => void lines.push(`${`${name}:`.padEnd(25)} ${value}`);
  const addIf = (name: string, value: number): void => {
    if (value !== 0) add(name, value);
  };
  const seconds = (low: number, high: number): number => s.u32(low) + (s.bytes[high] ?? 0) * 2 ** 32;
  const dynamic = s.revision > 0;
  add('Filesystem volume name', labelOf(s) || '<none>');
  add('Last mounted on', textOf(s.bytes.subarray(0x88, 0xc8)) || '<not available>');
  add('Filesystem UUID', uuidText(s.uuid));
  add('Filesystem magic number', '0xEF53');
  add('Filesystem revision #', `${s.revision} (${dynamic ? 'dynamic' : 'original'})`);
  add('Filesystem features', featureNames(s.features).join(' ') || '(none)');
  const flags = named(FLAGS, s.u32(0x160));
  if (flags.length > 0) add('Filesystem flags', `${flags.join(' ')} `);
  const options = s.u32(0x100);
  const mode = JOURNAL_MODES[(options >> 5) & 3] ?? '';
  add('Default mount options', [mode, ...named(MOUNT_OPTIONS, options)].filter((word) => word !== '').join(' ') || '(none)');
  add(
    'Filesystem state',
    `${(s.state & STATE_VALID) === 0 ? 'not clean' : 'clean'}${(s.state & STATE_ERROR) === 0 ? '' : ' with errors'}`,
  );
  add('Errors behavior', ERROR_BEHAVIOURS[s.u16(0x3c) - 1] ?? 'Unknown (continue)');
  add('Filesystem OS type', SYSTEMS[s.u32(0x48)] ?? '(unknown os)');
  add('Inode count', s.inodes);
  add('Block count', s.blocks);
  add('Reserved block count', s.reservedBlocks);
  addIf('Overhead clusters', s.u32(0x248));
  add('Free blocks', s.freeBlocks);
  add('Free inodes', s.freeInodes);
  add('First block', s.firstDataBlock);
  add('Block size', s.blockBytes);
  add('Fragment size', 1024 << s.u32(0x1c));
  if (s.has64) add('Group descriptor size', s.descriptorBytes);
  addIf('Reserved GDT blocks', s.u16(0xce));
  add('Blocks per group', s.blocksPerGroup);
  add('Fragments per group', s.u32(0x24));
  add('Inodes per group', s.inodesPerGroup);
  add('Inode blocks per group', s.inodeTableBlocks);
  addIf('First meta block group', s.hasIncompat(INCOMPAT.META_BG) ? s.firstMetaGroup : 0);
  addIf('RAID stride', s.u16(0x164));
  addIf('RAID stripe width', s.u32(0x170));
  if (s.groupsPerFlex > 1) add('Flex block group size', s.groupsPerFlex);
  if (s.u32(0x108) !== 0) add('Filesystem created', dateText(seconds(0x108, 0x276)));
  add('Last mount time', s.u32(0x2c) === 0 ? 'n/a' : dateText(seconds(0x2c, 0x275)));
  add('Last write time', dateText(seconds(0x30, 0x274)));
  add('Mount count', s.u16(0x34));
  add('Maximum mount count', s.view.getInt16(0x36, true));
  add('Last checked', dateText(seconds(0x40, 0x277)));
  const interval = s.u32(0x44);
  add('Check interval', `${interval} (${intervalText(interval)})`);
  if (interval !== 0) add('Next check after', dateText(seconds(0x40, 0x277) + interval));
  const kibibytes = s.u32(0x178) + s.u32(0x17c) * 2 ** 32;
  if (kibibytes !== 0) add('Lifetime writes', writesText(kibibytes));
  for (const [name, word, offset] of [
    ['Reserved blocks uid', 'user', 0x50],
    ['Reserved blocks gid', 'group', 0x52],
  ] as const)
    add(name, `${s.u16(offset)} (${word} ${s.u16(offset) === 0 ? 'root' : 'unknown'})`);
  if (dynamic) {
    add('First inode', s.firstInode);
    // As the tools print it, with a tabulator.
    lines.push(`Inode size:\t          ${s.inodeBytes}`);
    addIf('Required extra isize', s.u16(0x15c));
    addIf('Desired extra isize', s.u16(0x15e));
  }
  const journalUuid = uuidText(s.bytes.subarray(0xd0, 0xe0));
  if (journalUuid !== EMPTY_UUID) add('Journal UUID', journalUuid);
  addIf('Journal inode', s.journalInode);
  addIf('First orphan inode', s.lastOrphan);
  if (s.hasCompat(COMPAT.DIR_INDEX) || s.defaultHashVersion !== 0)
    add('Default directory hash', HASHES[s.defaultHashVersion] ?? `unknown (${s.defaultHashVersion})`);
  const seed = uuidText(s.bytes.subarray(0xec, 0xfc));
  if (seed !== EMPTY_UUID) add('Directory Hash Seed', seed);
  if (s.bytes[0xfd] === 1) add('Journal backup', 'inode blocks');
  if (s.hasMetadataChecksums) {
    add('Checksum type', 'crc32c');
    add('Checksum', `0x${s.u32(0x3fc).toString(16).padStart(8, '0')}`);
  }
  return lines.map((line) => `${line}\n`).join('');
}

/** Settings of a file system; absent ones stay. */
export interface Tuning {
  readonly label?: string;
  readonly uuid?: Uint8Array;
  /** -1: never by their number. */
  readonly maxMounts?: number;
  readonly checkIntervalSeconds?: number;
  /** In percent of all blocks, 0 to 50. */
  readonly reservedPercent?: number;
  readonly reservedBlocks?: number;
  /** Number of ERROR_BEHAVIOURS, from 1. */
  readonly errors?: number;
}

/** Writes the settings into the superblock. The file system must not be mounted. PosixError EINVAL, and what the disk says. */
export async function tuneFileSystem(disk: DiskImage, tuning: Tuning, now: Clock): Promise<void> {
  const s = await readSuperblock(disk);
  const wrong = s.unsupported(true);
  if (wrong.length > 0) throw new PosixError('ENOTSUP', `the file system has unsupported features: ${wrong.join(' ')}`);
  if (tuning.label !== undefined) {
    const label = encodeName(tuning.label);
    if (label.length > 16) throw new PosixError('EINVAL', `the label '${tuning.label}' is longer than 16 bytes`);
    s.label.fill(0);
    s.bytes.set(label, 0x78);
  }
  if (tuning.uuid !== undefined) {
    if (s.hasGroupChecksums && !s.hasIncompat(INCOMPAT.CSUM_SEED))
      throw new PosixError('ENOTSUP', 'the UUID is part of all checksums of this file system and cannot be changed here');
    s.bytes.set(tuning.uuid.subarray(0, 16), 0x68);
  }
  if (tuning.maxMounts !== undefined) s.set16(0x36, tuning.maxMounts & 0xffff);
  if (tuning.checkIntervalSeconds !== undefined) s.set32(0x44, tuning.checkIntervalSeconds);
  if (tuning.reservedPercent !== undefined) s.reservedBlocks = Math.floor((s.blocks * tuning.reservedPercent) / 100);
  if (tuning.reservedBlocks !== undefined) {
    if (tuning.reservedBlocks > s.blocks / 2) throw new PosixError('EINVAL', 'the reserved blocks would be more than half of all');
    s.reservedBlocks = tuning.reservedBlocks;
  }
  if (tuning.errors !== undefined) s.set16(0x3c, tuning.errors);
  const time = Number(now() / 1_000_000_000n);
  s.set32(0x30, time % 2 ** 32);
  s.bytes[0x274] = Math.floor(time / 2 ** 32);
  s.seal();
  const start = new Uint8Array(4096);
  await disk.read(0, start);
  start.set(s.bytes, SUPERBLOCK_OFFSET);
  await disk.write(0, start);
  await disk.flush();
}

function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return decodeName(end < 0 ? bytes : bytes.subarray(0, end));
}

const named = (names: readonly (readonly [number, string])[], bits: number): string[] =>
  names.filter(([bit]) => (bits & bit) !== 0).map(([, name]) => name);

/** "Thu Nov 26 10:54:47 2026", UTC. */
function dateText(seconds: number): string {
  const days = Math.floor(seconds / DAY_SECONDS);
  const { year, month, day } = civilDate(days);
  const within = seconds - days * DAY_SECONDS;
  return `${WEEKDAYS[(days + 4) % 7] ?? ''} ${MONTHS[month - 1] ?? ''} ${String(day).padStart(2)} ${clockText(within)} ${year}`;
}

const clockText = (seconds: number): string =>
  [seconds / 3600, (seconds / 60) % 60, seconds % 60].map((part) => String(Math.floor(part)).padStart(2, '0')).join(':');

/** "6 months", "1 week, 2 days, 03:00:00". */
function intervalText(seconds: number): string {
  if (seconds === 0) return '<none>';
  const parts: string[] = [];
  let rest = seconds;
  for (const [unit, length] of [
    ['month', 30 * DAY_SECONDS],
    ['week', 7 * DAY_SECONDS],
    ['day', DAY_SECONDS],
  ] as const) {
    const count = Math.floor(rest / length);
    rest -= count * length;
    if (count > 0) parts.push(`${count} ${unit}${count > 1 ? 's' : ''}`);
  }
  if (rest > 0) parts.push(clockText(rest));
  return parts.join(', ');
}

function writesText(kibibytes: number): string {
  let amount = kibibytes;
  let unit = 'kB';
  for (const next of ['MB', 'GB', 'TB']) {
    if (amount < 2 ** 13) break;
    amount = Math.floor((amount + 512) / 1024);
    unit = next;
  }
  return `${amount} ${unit}`;
}
