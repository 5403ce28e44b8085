/** fdisk -l, and sfdisk: a disk's partition table shown, dumped, or written from lines "start, size, type, bootable". */
import { StorageError } from '../../storage/chunk-store.ts';
import { SECTOR_BYTES } from '../../storage/disk-image.ts';
import {
  PartitionTableError,
  placePartitions,
  writePartitionTable,
  type Partition,
  type PartitionWish,
} from '../../storage/partitions/partition-table.ts';
import type { Command } from '../command.ts';
import type { HardDisk, HardDisks } from './hard-disks.ts';

const TYPES = new Map([
  [0x05, 'Extended'],
  [0x07, 'HPFS/NTFS/exFAT'],
  [0x0b, 'W95 FAT32'],
  [0x0f, "W95 Ext'd (LBA)"],
  [0x82, 'Linux swap / Solaris'],
  [0x83, 'Linux'],
  [0x8e, 'Linux LVM'],
  [0xee, 'GPT'],
]);
const SHORTCUTS = new Map([
  ['', 0x83],
  ['L', 0x83],
  ['S', 0x82],
  ['E', 0x05],
  ['X', 0x05],
  ['V', 0x8e],
]);
const UNITS = new Map([
  ['', 1],
  ['K', 1024 / SECTOR_BYTES],
  ['M', 1024 ** 2 / SECTOR_BYTES],
  ['G', 1024 ** 3 / SECTOR_BYTES],
  ['T', 1024 ** 4 / SECTOR_BYTES],
]);

export interface PartitionToolServices {
  readonly disks: HardDisks;
  /** A partition of the disk, or the disk itself, is used by a domain, by domain 0 or by LVM. */
  readonly isInUse: (disk: string) => boolean;
  readonly random: (bytes: number) => Uint8Array;
}

const size = (sectors: number): string => {
  const mebibytes = (sectors * SECTOR_BYTES) / 2 ** 20;
  if (mebibytes < 1024) return `${Number(mebibytes.toFixed(1))}M`;
  return `${Number((mebibytes / 1024).toFixed(1))}G`;
};

function listing({ name, table, volume }: HardDisk): string {
  const lines = [
    `Disk /dev/${name}: ${Number((volume.sizeBytes / 2 ** 30).toFixed(1))} GiB, ${volume.sizeBytes} bytes, ${volume.sectors} sectors`,
    'Units: sectors of 1 * 512 = 512 bytes',
    'Sector size (logical/physical): 512 bytes / 4096 bytes',
  ];
  if (table === undefined) return `${[...lines, ''].join('\n')}\n`;
  lines.push(`Disklabel type: ${table.kind}`, `Disk identifier: ${table.identifier}`, '');
  const gpt = table.kind === 'gpt';
  const rows = table.partitions.map((one) => [
    `/dev/${name}${one.number}`,
    ...(gpt ? [] : [one.bootable ? '*' : '']),
    ...[one.start, one.start + one.sectors - 1, one.sectors].map(String),
    size(one.sectors),
    ...(gpt ? [one.name ?? ''] : [one.type.toString(16), TYPES.get(one.type) ?? 'Unknown']),
  ]);
  const head = ['Device', ...(gpt ? [] : ['Boot']), 'Start', 'End', 'Sectors', 'Size', ...(gpt ? ['Name'] : ['Id', 'Type'])];
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const last = head.length - 1;
  for (const row of all) {
    const cells = row.map((cell, n) => (n === 0 || n === last ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0)));
    lines.push(cells.join(' ').trimEnd());
  }
  return `${lines.join('\n')}\n`;
}

function dump({ name, table }: HardDisk): string {
  const lines = [
    `label: ${table?.kind ?? 'dos'}`,
    `label-id: ${table?.identifier ?? '0x00000000'}`,
    `device: /dev/${name}`,
    'unit: sectors',
    '',
  ];
  for (const { bootable, number, sectors, start, type } of table?.partitions ?? []) {
    const boot = bootable ? ', bootable' : '';
    lines.push(
      `/dev/${name}${number} : start=${String(start).padStart(12)}, size=${String(sectors).padStart(12)}, type=${type.toString(16)}${boot}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

/** Sectors of "2048", "100M", "+100M"; undefined for nothing or "-", which mean the default. */
function sectorsOf(text: string): number | undefined {
  if (text === '' || text === '-' || text === '+') return undefined;
  const [, digits, unit = ''] = /^\+?(\d+)\s*([KMGT]?)(?:iB)?$/i.exec(text) ?? [];
  if (digits === undefined) throw new PartitionTableError(`"${text}" is no number of sectors and no size`);
  return Number(digits) * (UNITS.get(unit.toUpperCase()) ?? 1);
}

function typeOf(text: string): number {
  const shortcut = SHORTCUTS.get(text.toUpperCase());
  if (shortcut !== undefined) return shortcut;
  const value = /^(0x)?[0-9a-f]{1,2}$/i.test(text) ? Number.parseInt(text, 16) : 0;
  if (value === 0) throw new PartitionTableError(`"${text}" is no type of partition`);
  return value;
}

/** Lines of sfdisk: "start, size, type, *" or "name : start= , size= , type= , bootable". PartitionTableError. */
export function parseScript(script: string): PartitionWish[] {
  const wishes: PartitionWish[] = [];
  for (const line of script.split('\n').map((text) => text.replace(/#.*/, '').trim())) {
    if (line === '' || /^[a-z-]+:/.test(line)) continue;
    const fields = line
      .replace(/^\S+\s*:\s*/, '')
      .split(/[,;]/)
      .map((field) => field.trim());
    const named = (name: string): string =>
      fields
        .find((field) => field.startsWith(`${name}=`))
        ?.slice(name.length + 1)
        .trim() ?? '';
    const isNamed = fields.some((field) => field.includes('='));
    const [start = '', length = '', type = '', boot = ''] = isNamed ? [named('start'), named('size'), named('type')] : fields;
    const [from, sectors] = [sectorsOf(start), sectorsOf(length)];
    wishes.push({
      ...(from === undefined ? {} : { start: from }),
      ...(sectors === undefined ? {} : { sectors }),
      type: typeOf(type),
      bootable: boot === '*' || fields.includes('bootable'),
    });
  }
  return wishes;
}

export function partitionTools({ disks, isInUse, random }: PartitionToolServices): Command[] {
  const chosen = (names: readonly string[]): HardDisk[] | string => {
    if (names.length === 0) return disks.list();
    const found: HardDisk[] = [];
    for (const given of names) {
      const disk = disks.list().find(({ name }) => name === given.replace(/^\/dev\//, ''));
      if (disk === undefined) return `cannot open ${given}: No such file or directory`;
      found.push(disk);
    }
    return found;
  };
  const write = async (disk: HardDisk, script: string, force: boolean): Promise<Partition[]> => {
    if (!force && isInUse(disk.name))
      throw new PartitionTableError('This disk is currently in use - repartitioning is probably a bad idea.');
    const placed = placePartitions(parseScript(script), disk.volume.sectors);
    const identifier = random(4).reduce((value, byte) => value * 256 + byte, 0);
    await writePartitionTable(disk.volume, placed, identifier);
    await disks.reread(disk.name);
    return placed;
  };
  const show = (command: 'fdisk' | 'sfdisk', format: (disk: HardDisk) => string, names: readonly string[]): [string, string] => {
    const found = chosen(names);
    return typeof found === 'string' ? ['', `${command}: ${found}\n`] : [found.map(format).join('\n'), ''];
  };
  return [
    {
      name: 'fdisk',
      description: 'show the partition tables of disks',
      run: (words, io) => {
        if (words[0] !== '-l') {
          io.error('fdisk: only "fdisk -l [DISK...]" is supported; sfdisk writes partition tables\n');
          return Promise.resolve(1);
        }
        const [text, problem] = show('fdisk', listing, words.slice(1));
        io.out(text);
        io.error(problem);
        return Promise.resolve(problem === '' ? 0 : 1);
      },
    },
    {
      name: 'sfdisk',
      description: "write a disk's partition table from lines of standard input, show it (-l) or dump it (-d)",
      async run(words, io) {
        const options = words.filter((word) => word.startsWith('-'));
        const names = words.filter((word) => !word.startsWith('-'));
        const unknown = options.find((option) => !['-l', '-d', '--dump', '--force', '-f'].includes(option));
        if (unknown !== undefined) {
          io.error(`sfdisk: unrecognized option '${unknown}'\n`);
          return 1;
        }
        const reads = options.some((option) => ['-l', '-d', '--dump'].includes(option));
        if (reads) {
          const [text, problem] = show('sfdisk', options.includes('-l') ? listing : dump, names);
          io.out(text);
          io.error(problem);
          return problem === '' ? 0 : 1;
        }
        const found = chosen(names);
        const [disk] = typeof found === 'string' ? [] : found;
        if (disk === undefined || names.length !== 1 || io.stdin === undefined) {
          io.error(typeof found === 'string' ? `sfdisk: ${found}\n` : 'Usage: sfdisk DISK < LINES, sfdisk -l|-d [DISK...]\n');
          return 1;
        }
        try {
          const placed = await write(disk, io.stdin, options.includes('--force') || options.includes('-f'));
          io.out(`Created a new DOS disklabel on /dev/${disk.name} with ${placed.length} partitions.\n`);
          io.out('The partition table has been altered.\n');
          return 0;
        } catch (error) {
          if (!(error instanceof PartitionTableError || error instanceof StorageError)) throw error;
          io.error(`sfdisk: /dev/${disk.name}: ${error.message}\n`);
          return 1;
        }
      },
    },
  ];
}
