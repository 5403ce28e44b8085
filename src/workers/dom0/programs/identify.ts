/** blkid, tune2fs, dumpe2fs -h and e2label: what is on a device, and settings of ext file systems. */
import type { DiskImage } from '../../../engine/storage/disk-image.ts';
import {
  describeSuperblock,
  extTypeOf,
  labelOf,
  readSuperblock,
  tuneFileSystem,
  uuidText,
  type Tuning,
} from '../../../engine/storage/ext/describe.ts';
import { decodeName } from '../../../engine/storage/ext/names.ts';
import { PosixError } from '../../../engine/storage/mountable.ts';
import { readPartitionTable } from '../../../engine/storage/partitions/partition-table.ts';
import { resolvePath } from '../../../engine/storage/path.ts';
import type { Command, CommandIo } from '../../../engine/toolstack/command.ts';
import type { ParsedOptions } from '../../../engine/toolstack/getopt.ts';
import { parseUuid, versionFour } from '../../../engine/toolstack/uuid.ts';
import { deviceOf, withDisk } from './exclusive-disk.ts';
import { fileProgram, flag, ProgramError, valued } from './file-program.ts';
import type { MakeTools } from './make-file-system.ts';

/** blkid's status when nothing is found. */
const NOTHING = 2;
const SWAP_MAGIC_AT = 4086;
const ISO_MAGIC_AT = 32769;
const FORMATS = new Set(['full', 'value', 'device', 'export']);
const ERRORS = ['continue', 'remount-ro', 'panic'];
const UNIT_SECONDS: Readonly<Record<string, number>> = { '': 86_400, d: 86_400, w: 604_800, m: 2_592_000, s: 1 };

type Tags = readonly (readonly [name: string, value: string])[];

export function identifyPrograms(tools: MakeTools): Command[] {
  const describe = (name: string, only: string): Command =>
    fileProgram({
      name,
      description: 'show the superblock of an ext file system',
      options: [flag('header', '-h')],
      run: async (options, io) => {
        if (!options.has('header')) throw new ProgramError(`${only} is supported: groups of blocks are not listed`);
        io.out(await lines(tools, deviceOf(options, name), io));
        return 0;
      },
    });
  return [
    fileProgram({
      name: 'blkid',
      description: 'show what is on block devices',
      usageStatus: 4,
      options: [
        valued('tag', '-s', '--match-tag'),
        valued('format', '-o', '--output'),
        valued('label', '-L', '--label'),
        valued('uuid', '-U', '--uuid'),
        valued('token', '-t', '--match-token'),
        flag('probe', '-p', '--probe'),
      ],
      run: (options, io) => blkid(tools, options, io),
    }),
    describe('dumpe2fs', '-h'),
    fileProgram({
      name: 'tune2fs',
      description: 'show and change settings of an ext file system',
      options: [
        flag('list', '-l'),
        valued('label', '-L'),
        valued('uuid', '-U'),
        valued('mounts', '-c'),
        valued('interval', '-i'),
        valued('percent', '-m'),
        valued('blocks', '-r'),
        valued('errors', '-e'),
      ],
      run: async (options, io) => {
        const target = deviceOf(options, 'tune2fs');
        const tuning = tuningOf(options, tools);
        if (Object.keys(tuning).length > 0) await tune(tools, target, tuning, io);
        else if (!options.has('list')) throw new ProgramError('nothing to do: -l lists, -L -U -c -i -m -r -e change');
        if (options.has('list')) io.out(await lines(tools, target, io));
        return 0;
      },
    }),
    fileProgram({
      name: 'e2label',
      description: 'show or change the label of an ext file system',
      options: [],
      run: async (options, io) => {
        const [, label] = options.operands;
        if (label === undefined) io.out(`${labelOf(await onDisk(tools, deviceOf(options, 'e2label'), io, readSuperblock))}\n`);
        else await tune(tools, deviceOf(options, 'e2label'), { label }, io);
        return 0;
      },
    }),
  ];
}

const lines = async (tools: MakeTools, target: string, io: CommandIo): Promise<string> =>
  describeSuperblock(await onDisk(tools, target, io, readSuperblock));

/** Looks at a device or an image, also one that is mounted. */
async function onDisk<Result>(
  { files }: MakeTools,
  target: string,
  io: CommandIo,
  look: (disk: DiskImage) => Promise<Result>,
): Promise<Result> {
  const file = await files.open(resolvePath(io.directory, target));
  try {
    const disk = file.disk(true);
    if (disk === undefined) throw new ProgramError(`${target} is not a disk`);
    return await look(disk);
  } finally {
    await file.close();
  }
}

function tuningOf(options: ParsedOptions, tools: MakeTools): Tuning {
  const [label, uuid] = [options.value('label'), options.value('uuid')];
  const number = (option: string, lowest: number, highest: number): number | undefined => {
    const text = options.value(option);
    if (text === undefined) return undefined;
    const value = /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
    if (!(value >= lowest && value <= highest)) throw new ProgramError(`bad value - ${text} (${lowest} to ${highest})`);
    return value;
  };
  const [maxMounts, reservedPercent, reservedBlocks] = [
    number('mounts', -1, 16_000),
    number('percent', 0, 50),
    number('blocks', 0, Number.MAX_SAFE_INTEGER),
  ];
  const errors = options.value('errors');
  if (errors !== undefined && !ERRORS.includes(errors)) throw new ProgramError(`bad error behavior - ${errors}`);
  const interval = options.value('interval');
  return {
    ...(label === undefined ? {} : { label }),
    ...(uuid === undefined ? {} : { uuid: uuidOf(uuid, tools) }),
    ...(maxMounts === undefined ? {} : { maxMounts }),
    ...(interval === undefined ? {} : { checkIntervalSeconds: secondsOf(interval) }),
    ...(reservedPercent === undefined ? {} : { reservedPercent }),
    ...(reservedBlocks === undefined ? {} : { reservedBlocks }),
    ...(errors === undefined ? {} : { errors: ERRORS.indexOf(errors) + 1 }),
  };
}

function uuidOf(text: string, tools: MakeTools): Uint8Array {
  if (text === 'clear') return new Uint8Array(16);
  if (text === 'random' || text === 'time') {
    const bytes = new Uint8Array(16);
    tools.random(bytes);
    return versionFour(bytes);
  }
  const uuid = parseUuid(text);
  if (uuid === undefined) throw new ProgramError(`Invalid UUID format: ${text}`);
  return uuid;
}

/** "180", "180d", "26w", "6m", of days, weeks, months. */
function secondsOf(text: string): number {
  const [, digits, unit = ''] = /^(\d{1,6})([dwms]?)$/.exec(text) ?? [];
  const seconds = digits === undefined ? NaN : Number(digits) * (UNIT_SECONDS[unit] ?? NaN);
  if (!(seconds < 2 ** 32)) throw new ProgramError(`bad interval - ${text}`);
  return seconds;
}

function tune(tools: MakeTools, target: string, tuning: Tuning, io: CommandIo): Promise<void> {
  return withDisk(tools, target, io, {}, (disk) =>
    tuneFileSystem(disk, tuning, () => BigInt(Math.floor(tools.clock.nowMs())) * 1_000_000n),
  );
}

async function blkid(tools: MakeTools, options: ParsedOptions, io: CommandIo): Promise<number> {
  const format = options.value('format') ?? 'full';
  if (!FORMATS.has(format)) throw new ProgramError(`unsupported output format ${format}`, 4);
  const wanted = wantedTag(options);
  const shown = options.value('tag')?.toUpperCase();
  const { operands } = options;
  const devices = operands.length > 0 ? operands : tools.files.devices.entries().map(({ name }) => `/dev/${name}`);
  let found = false;
  for (const device of devices) {
    const tags = await probe(tools, device, io, operands.length > 0);
    if (wanted !== undefined && !tags.some(([name, value]) => name === wanted[0] && value === wanted[1])) continue;
    const some = tags.filter(([name]) => shown === undefined || name === shown);
    if (some.length === 0) continue;
    found = true;
    const byDesignation = options.value('label') !== undefined || options.value('uuid') !== undefined;
    io.out(byDesignation ? `${device}\n` : formatted(format, device, some));
    if (byDesignation) break;
  }
  return found ? 0 : NOTHING;
}

function wantedTag(options: ParsedOptions): readonly [string, string] | undefined {
  const [label, uuid, token] = [options.value('label'), options.value('uuid'), options.value('token')];
  if (label !== undefined) return ['LABEL', label];
  if (uuid !== undefined) return ['UUID', uuid.toLowerCase()];
  if (token === undefined) return undefined;
  const [, name, value = ''] = /^([A-Z_]+)=(.*)$/.exec(token) ?? [];
  if (name === undefined) throw new ProgramError('-t needs NAME=value pair', 4);
  return [name, value.replace(/^"(.*)"$/, '$1')];
}

function formatted(format: string, device: string, tags: Tags): string {
  switch (format) {
    case 'value':
      return tags.map(([, value]) => `${value}\n`).join('');
    case 'device':
      return `${device}\n`;
    case 'export':
      return `DEVNAME=${device}\n${tags.map(([name, value]) => `${name}=${value}\n`).join('')}\n`;
    default:
      return `${device}: ${tags.map(([name, value]) => `${name}="${value}"`).join(' ')}\n`;
  }
}

/** Tags of what is on a device. One that cannot be read is an error only where somebody named it. */
async function probe(tools: MakeTools, device: string, io: CommandIo, required: boolean): Promise<Tags> {
  try {
    return [...(await onDisk(tools, device, io, tagsOf)), ...(await partitionTags(tools, device, io))];
  } catch (error) {
    if (required) throw error;
    return [];
  }
}

/** What the table of the disk says of a partition. */
async function partitionTags(tools: MakeTools, device: string, io: CommandIo): Promise<Tags> {
  const [, whole, number] = /^(\/dev\/[a-z]+)(\d+)$/.exec(resolvePath(io.directory, device)) ?? [];
  if (whole === undefined || !(await tools.files.exists(whole))) return [];
  const table = await onDisk(tools, whole, io, readPartitionTable);
  const partition = table?.partitions.find((candidate) => candidate.number === Number(number));
  if (table === undefined || partition === undefined) return [];
  const { guid, name = '' } = partition;
  const uuid = guid?.toLowerCase() ?? `${table.identifier.slice(2)}-${partition.number.toString(16).padStart(2, '0')}`;
  return [...(name === '' ? [] : [['PARTLABEL', name] as const]), ['PARTUUID', uuid]];
}

async function tagsOf(disk: DiskImage): Promise<Tags> {
  try {
    const superblock = await readSuperblock(disk);
    const type = extTypeOf(superblock);
    const label = labelOf(superblock);
    return [
      ...(label === '' ? [] : [['LABEL', label] as const]),
      ['UUID', uuidText(superblock.uuid)],
      ...(type === 'ext3' ? [['SEC_TYPE', 'ext2'] as const] : []),
      ['BLOCK_SIZE', String(superblock.blockBytes)],
      ['TYPE', type],
    ];
  } catch (error) {
    if (!(error instanceof PosixError)) throw error;
  }
  if (disk.sectors < 72) return [];
  const start = new Uint8Array(72 * 512);
  await disk.read(0, start);
  const text = (at: number, length: number): string => {
    const field = start.subarray(at, at + length);
    const end = field.indexOf(0);
    return decodeName(end < 0 ? field : field.subarray(0, end)).trimEnd();
  };
  if (text(SWAP_MAGIC_AT, 10) === 'SWAPSPACE2') {
    const label = text(0x41c, 16);
    return [
      ...(label === '' ? [] : [['LABEL', label] as const]),
      ['UUID', uuidText(start.subarray(0x40c, 0x41c))],
      ['TYPE', 'swap'],
    ];
  }
  if (text(ISO_MAGIC_AT, 5) === 'CD001') {
    const label = text(ISO_MAGIC_AT + 39, 32);
    return [['BLOCK_SIZE', '2048'], ...(label === '' ? [] : [['LABEL', label] as const]), ['TYPE', 'iso9660']];
  }
  const table = await readPartitionTable(disk);
  if (table === undefined || table.partitions.length === 0) return [];
  return [
    ['PTUUID', table.kind === 'dos' ? table.identifier.slice(2) : table.identifier.toLowerCase()],
    ['PTTYPE', table.kind],
  ];
}
