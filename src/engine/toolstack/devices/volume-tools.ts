/**
 * lvcreate, lvs, lvextend, lvreduce, lvremove: logical volumes as the LVM tools present them, on the machine's volume pool. The
 * group is the part of a volume's name before the slash; there are no physical volumes underneath, so a group exists as soon
 * as it has a volume, and a snapshot needs no space set aside.
 */
import { StorageError } from '../../storage/chunk-store.ts';
import type { Volume } from '../../storage/volume.ts';
import type { VolumePool } from '../../storage/volume-pool.ts';
import type { Command, CommandIo } from '../command.ts';
import { parseOptions, UsageError, type OptionSpecification, type ParsedOptions } from '../getopt.ts';

const MEBIBYTE = 1024 * 1024;
/** Sizes are rounded up to whole extents. */
const EXTENT_BYTES = 4 * MEBIBYTE;
const UNITS = new Map([
  ['b', 1],
  ['s', 512],
  ['k', 1024],
  ['m', MEBIBYTE],
  ['g', 1024 * MEBIBYTE],
  ['t', 1024 * 1024 * MEBIBYTE],
]);

const SIZE: OptionSpecification = { name: 'size', spellings: ['-L', '--size'], takesValue: true };
const NAME: OptionSpecification = { name: 'name', spellings: ['-n', '--name'], takesValue: true };
const SNAPSHOT: OptionSpecification = { name: 'snapshot', spellings: ['-s', '--snapshot'] };
const READ_ONLY: OptionSpecification = { name: 'permission', spellings: ['-p', '--permission'], takesValue: true };
const FORCE: OptionSpecification = { name: 'force', spellings: ['-f', '--force', '-y', '--yes'] };

/** Something that the user got wrong, or that the storage refused: one line and status 5, as of LVM's tools. */
class VolumeToolError extends Error {}

type Run = (options: ParsedOptions, io: CommandIo) => Promise<void> | void;

function tool(name: string, description: string, specifications: readonly OptionSpecification[], run: Run): Command {
  return {
    name,
    description,
    async run(words, io) {
      try {
        await run(parseOptions(words, specifications), io);
        return 0;
      } catch (error) {
        const known =
          error instanceof VolumeToolError ||
          error instanceof UsageError ||
          error instanceof StorageError ||
          error instanceof RangeError;
        if (!known) throw error;
        io.error(`  ${error.message}\n`);
        return error instanceof UsageError ? 3 : 5;
      }
    },
  };
}

/** @param isAttached whether a domain uses the volume: such a one is neither removed nor made smaller */
export function volumeTools(pool: VolumePool, isAttached: (volume: Volume) => boolean): Command[] {
  const refuseAttached = (volume: Volume): void => {
    if (isAttached(volume)) throw new VolumeToolError(`Logical volume ${volume.name} is used by a domain`);
  };
  const existing = (designation: string): Volume => {
    const volume = pool.volume(volumeName(designation));
    if (volume === undefined) throw new VolumeToolError(`Failed to find logical volume "${volumeName(designation)}"`);
    return volume;
  };

  const create: Run = async (options, io) => {
    const name = options.value('name');
    const [place = ''] = options.operands;
    if (name === undefined || place === '')
      throw new UsageError('Usage: lvcreate -L SIZE -n NAME GROUP, or lvcreate -s -n NAME ORIGIN');
    if (options.has('snapshot')) {
      const origin = existing(place);
      const full = `${origin.name.slice(0, origin.name.lastIndexOf('/') + 1)}${name}`;
      await pool.clone(origin, full, { readOnly: options.value('permission') === 'r' });
    } else {
      await pool.create(`${volumeName(place)}/${name}`, wholeExtents(sizeOf(options.value('size'), 0)));
    }
    io.out(`  Logical volume "${name}" created\n`);
  };

  const resize =
    (direction: 'extend' | 'reduce'): Run =>
    async (options, io) => {
      const volume = existing(options.operands.find((word) => !/^[+-]/.test(word)) ?? '');
      // The manual writes "lvextend +100M NAME".
      const given = options.value('size') ?? options.operands.find((word) => /^[+-]/.test(word));
      const size = wholeExtents(sizeOf(given, volume.sizeBytes));
      const name = volume.name.slice(volume.name.lastIndexOf('/') + 1);
      if (direction === 'extend' ? size <= volume.sizeBytes : size >= volume.sizeBytes) {
        throw new VolumeToolError(
          `New size given (${shown(size)}) is not ${direction === 'extend' ? 'larger' : 'smaller'} than the existing size (${shown(volume.sizeBytes)})`,
        );
      }
      if (direction === 'reduce' && !options.has('force')) {
        throw new VolumeToolError('Reducing a volume destroys what lies behind its new end: give -f to do so');
      }
      if (direction === 'reduce') refuseAttached(volume);
      await volume.resize(size);
      io.out(`  ${direction === 'extend' ? 'Extending' : 'Reducing'} logical volume ${name} to ${shown(size)}\n`);
      io.out(`  Logical volume ${name} successfully resized\n`);
    };

  return [
    tool('lvcreate', 'make a logical volume, or a copy-on-write snapshot of one', [SIZE, NAME, SNAPSHOT, READ_ONLY], create),
    tool('lvextend', 'make a logical volume larger', [SIZE], resize('extend')),
    tool('lvreduce', 'make a logical volume smaller', [SIZE, FORCE], resize('reduce')),
    tool('lvremove', 'remove logical volumes', [FORCE], async (options, io) => {
      if (options.operands.length === 0) throw new UsageError('Usage: lvremove -f VOLUME...');
      if (!options.has('force')) throw new VolumeToolError('Removing a volume destroys what is on it: give -f to do so');
      for (const designation of options.operands) {
        const volume = existing(designation);
        refuseAttached(volume);
        await pool.remove(volume);
        io.out(`  Logical volume "${volume.name.slice(volume.name.lastIndexOf('/') + 1)}" successfully removed\n`);
      }
    }),
    tool('lvs', 'list logical volumes', [], (_options, io) => {
      const volumes = pool.names().flatMap((name) => pool.volume(name) ?? []);
      if (volumes.length > 0) io.out('  LV               VG               Attr    LSize      Allocated\n');
      for (const volume of volumes) {
        const slash = volume.name.lastIndexOf('/');
        const cells = [volume.name.slice(slash + 1).padEnd(16), volume.name.slice(0, Math.max(slash, 0)).padEnd(16)];
        const attributes = volume.readOnly ? '-ri-a-' : '-wi-a-';
        io.out(`  ${cells.join(' ')} ${attributes}  ${shown(volume.sizeBytes).padEnd(10)} ${shown(pool.allocatedBytes(volume))}\n`);
      }
    }),
  ];
}

/** "vg/name" of "/dev/vg/name", "vg/name" or "/dev/mapper/vg/name". */
const volumeName = (designation: string): string => designation.replace(/^\/dev\/(mapper\/)?/, '').replace(/\/$/, '');

const wholeExtents = (bytes: number): number => Math.ceil(bytes / EXTENT_BYTES) * EXTENT_BYTES;

/** "4096M", "+100M", "1g"; megabytes without a unit. */
function sizeOf(text: string | undefined, before: number): number {
  const [, sign, digits = '', unit = 'm'] = /^([+-]?)(\d+(?:\.\d+)?)([bskmgt]?)(?:i?b)?$/i.exec(text ?? '') ?? [];
  const bytes = Number(digits) * (UNITS.get((unit === '' ? 'm' : unit).toLowerCase()) ?? NaN);
  const size = sign === '+' ? before + bytes : sign === '-' ? before - bytes : bytes;
  if (digits === '' || !(size > 0)) throw new VolumeToolError(`Invalid size: ${text ?? 'none given'}`);
  return Math.round(size);
}

/** "1.10 GB". */
function shown(bytes: number): string {
  for (const [unit, factor] of [
    ['TB', 2 ** 40],
    ['GB', 2 ** 30],
    ['MB', 2 ** 20],
  ] as const) {
    if (bytes >= factor) return `${(bytes / factor).toFixed(2)} ${unit}`;
  }
  return `${(bytes / 1024).toFixed(2)} KB`;
}
