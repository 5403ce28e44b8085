/** lvcreate, lvextend, lvreduce, lvremove, lvs, lvdisplay. */
import type { Volume } from '../../../storage/volume.ts';
import type { Command } from '../../command.ts';
import { UsageError, type OptionSpecification, type ParsedOptions } from '../../getopt.ts';
import { confirmed, FORCE, LvmError, printDetails, printTable, tool, type Run } from './lvm-command.ts';
import { EXTENT_BYTES, extentsSizeOf, shortSize, shown, sizeOf, wholeExtents } from './sizes.ts';
import { extentsOf, groupOf, shortName, type VolumeGroups } from './volume-groups.ts';

const SIZE: OptionSpecification = { name: 'size', spellings: ['-L', '--size'], takesValue: true };
const EXTENTS: OptionSpecification = { name: 'extents', spellings: ['-l', '--extents'], takesValue: true };
const NAME: OptionSpecification = { name: 'name', spellings: ['-n', '--name'], takesValue: true };
const SNAPSHOT: OptionSpecification = { name: 'snapshot', spellings: ['-s', '--snapshot'] };
const READ_ONLY: OptionSpecification = { name: 'permission', spellings: ['-p', '--permission'], takesValue: true };

/** "vg/name" of "/dev/vg/name", "vg/name" or "/dev/mapper/vg-name". */
const volumeName = (designation: string): string => {
  const [, group, name] = /^\/dev\/mapper\/((?:[^-]|--)+)-((?:[^-]|--)+)$/.exec(designation) ?? [];
  if (group !== undefined && name !== undefined) return `${group.replaceAll('--', '-')}/${name.replaceAll('--', '-')}`;
  return designation.replace(/^\/dev\/(mapper\/)?/, '').replace(/\/$/, '');
};

export interface LogicalServices {
  readonly groups: VolumeGroups;
  /** Whether a domain, or domain 0, uses the volume: such a one is neither removed nor made smaller. */
  readonly isAttached: (volume: Volume) => boolean;
}

export function logicalTools({ groups, isAttached }: LogicalServices): Command[] {
  const { pool } = groups;
  const existing = (designation: string): Volume => {
    const name = volumeName(designation);
    const volume = name.startsWith('.') ? undefined : pool.volume(name);
    if (volume === undefined) throw new LvmError(`Failed to find logical volume "${name}"`);
    return volume;
  };
  const requestedSize = (options: ParsedOptions, text: string | undefined, group: string, before: number): number => {
    const extents = options.value('extents');
    const free = groups.freeExtents(group);
    if (text === undefined && extents === undefined) throw new LvmError('Please specify either size or extents');
    return wholeExtents(
      extents === undefined ? sizeOf(text, before) : extentsSizeOf(extents, before, { total: groups.totalExtents(group), free }),
    );
  };
  const requireFree = (group: string, extents: number): void => {
    const free = groups.freeExtents(group);
    if (extents > free)
      throw new LvmError(
        `Volume group "${group}" has insufficient free space (${Math.max(0, free)} extents): ${extents} required.`,
      );
  };

  const create: Run = async (options, io) => {
    const name = options.value('name');
    const [place = ''] = options.operands;
    if (name === undefined || place === '')
      throw new UsageError('Usage: lvcreate -L SIZE -n NAME GROUP, or lvcreate -s [-L SIZE] -n NAME ORIGIN');
    const readOnly = options.value('permission') === 'r';
    const group = options.has('snapshot') ? groupOf(existing(place).name) : volumeName(place);
    if (!groups.groups().some((one) => one.name === group)) throw new LvmError(`Volume group "${group}" not found`);
    const full = `${group}/${shortName(name)}`;
    if (pool.volume(full) !== undefined)
      throw new LvmError(`Logical volume "${shortName(name)}" already exists in volume group "${group}"`);
    if (options.has('snapshot')) {
      const origin = existing(place);
      const sized = options.value('size') !== undefined || options.value('extents') !== undefined;
      if (sized && groups.snapshot(origin.name) !== undefined) throw new LvmError('Snapshots of snapshots are not supported yet.');
      if (groups.snapshot(origin.name)?.invalid === true) throw new LvmError(`Snapshot ${origin.name} is invalid`);
      const cowBytes = sized ? requestedSize(options, options.value('size'), group, 0) : undefined;
      requireFree(group, extentsOf(cowBytes ?? origin.sizeBytes));
      await groups.createSnapshot(origin, full, cowBytes, readOnly);
    } else {
      const size = requestedSize(options, options.value('size'), group, 0);
      requireFree(group, extentsOf(size));
      await pool.create(full, size);
    }
    io.out(`  Logical volume "${shortName(name)}" created\n`);
  };

  const resize =
    (direction: 'extend' | 'reduce'): Run =>
    async (options, io) => {
      const volume = existing(options.operands.find((word) => !/^[+-]/.test(word)) ?? '');
      const name = shortName(volume.name);
      const group = groupOf(volume.name);
      const snapshot = groups.snapshot(volume.name);
      const before = snapshot?.cowBytes ?? volume.sizeBytes;
      // The manual writes "lvextend +100M NAME".
      const given = options.value('size') ?? options.operands.find((word) => /^[+-]/.test(word));
      const size = requestedSize(options, given, group, before);
      if (direction === 'extend' ? size <= before : size >= before) {
        throw new LvmError(
          `New size given (${extentsOf(size)} extents) not ${direction === 'extend' ? 'larger' : 'less'} than existing size (${extentsOf(before)} extents)`,
        );
      }
      if (snapshot === undefined && groups.snapshotsOf(volume.name).length > 0)
        throw new LvmError('Snapshot origin volumes cannot be resized yet.');
      if (direction === 'extend') requireFree(group, extentsOf(size) - extentsOf(before));
      else if (snapshot === undefined) {
        if (isAttached(volume)) throw new LvmError(`Logical volume ${volume.name} is used by a domain`);
        io.error(`  WARNING: Reducing active logical volume to ${shown(size)}\n  THIS MAY DESTROY YOUR DATA (filesystem etc.)\n`);
        if (!options.has('force') && !(await confirmed(io, `Do you really want to reduce ${name}?`)))
          throw new LvmError(`Logical volume ${name} NOT reduced`);
      }
      io.out(`  ${direction === 'extend' ? 'Extending' : 'Reducing'} logical volume ${name} to ${shown(size)}\n`);
      if (snapshot === undefined) await volume.resize(size);
      else await groups.resizeSnapshot(volume.name, size);
      io.out(`  Logical volume ${name} successfully resized\n`);
    };

  const attributes = (volume: Volume): string => {
    const snapshot = groups.snapshot(volume.name);
    const type = snapshot !== undefined ? (snapshot.invalid ? 'S' : 's') : groups.snapshotsOf(volume.name).length > 0 ? 'o' : '-';
    return `${type}${volume.readOnly ? 'r' : 'w'}i-${snapshot?.invalid === true ? 'I' : 'a'}${isAttached(volume) ? 'o' : '-'}`;
  };
  const percent = (volume: Volume): string => {
    const snapshot = groups.snapshot(volume.name);
    if (snapshot === undefined) return '';
    return snapshot.invalid ? '100.00' : ((groups.usedBytes(volume.name) / snapshot.cowBytes) * 100).toFixed(2);
  };

  return [
    tool(
      'lvcreate',
      'make a logical volume, or a copy-on-write snapshot of one',
      [SIZE, EXTENTS, NAME, SNAPSHOT, READ_ONLY],
      create,
    ),
    tool('lvextend', 'make a logical volume, or the space of a snapshot, larger', [SIZE, EXTENTS], resize('extend')),
    tool('lvreduce', 'make a logical volume smaller', [SIZE, EXTENTS, FORCE], resize('reduce')),
    tool('lvremove', 'remove logical volumes', [FORCE], async (options, io) => {
      if (options.operands.length === 0) throw new UsageError('Please enter one or more logical volume paths');
      for (const designation of options.operands) {
        const volume = existing(designation);
        // A snapshot is nothing without its origin.
        const all = [...groups.snapshotsOf(volume.name).flatMap((name) => pool.volume(name) ?? []), volume];
        for (const one of all) {
          if (isAttached(one)) throw new LvmError(`Can't remove open logical volume "${shortName(one.name)}"`);
          const question = `Do you really want to remove active logical volume "${shortName(one.name)}"?`;
          if (!options.has('force') && !(await confirmed(io, question)))
            throw new LvmError(`Logical volume "${shortName(one.name)}" not removed`);
        }
        await groups.remove(all);
        for (const one of all) io.out(`  Logical volume "${shortName(one.name)}" successfully removed\n`);
      }
    }),
    tool('lvs', 'list logical volumes', [], (_options, io) => {
      printTable(io, [
        ['LV', 'VG', 'Attr', 'LSize', 'Origin', 'Snap%', 'Move', 'Log', 'Copy%'],
        ...pool
          .names()
          .flatMap((name) => pool.volume(name) ?? [])
          .map((volume) => {
            const origin = groups.snapshot(volume.name)?.origin ?? '';
            const size = shortSize(groups.snapshot(volume.name)?.cowBytes ?? volume.sizeBytes);
            return [
              shortName(volume.name),
              groupOf(volume.name),
              attributes(volume),
              size,
              shortName(origin),
              percent(volume),
              '',
              '',
              '',
            ];
          }),
      ]);
    }),
    tool('lvdisplay', 'show logical volumes in detail', [], (options, io) => {
      const named = options.operands.map(existing);
      for (const volume of named.length > 0 ? named : pool.names().flatMap((name) => pool.volume(name) ?? [])) {
        const snapshot = groups.snapshot(volume.name);
        const snapshots = groups.snapshotsOf(volume.name);
        printDetails(io, 'Logical volume', [
          ['LV Name', `/dev/${volume.name}`],
          ['VG Name', groupOf(volume.name)],
          ['LV Write Access', volume.readOnly ? 'read only' : 'read/write'],
          ...(snapshots.length > 0
            ? [['LV snapshot status', `source of ${snapshots.map((name) => `/dev/${name}`).join(', ')}`] as const]
            : []),
          ...(snapshot === undefined
            ? []
            : [
                [
                  'LV snapshot status',
                  `${snapshot.invalid ? 'INACTIVE' : 'active'} destination for /dev/${snapshot.origin}`,
                ] as const,
              ]),
          ['LV Status', 'available'],
          ['# open', isAttached(volume) ? '1' : '0'],
          ['LV Size', shown(volume.sizeBytes)],
          ['Current LE', String(extentsOf(volume.sizeBytes))],
          ...(snapshot === undefined
            ? []
            : ([
                ['COW-table size', shown(snapshot.cowBytes)],
                ['COW-table LE', String(extentsOf(snapshot.cowBytes))],
                ['Allocated to snapshot', `${percent(volume)}%`],
                ['Snapshot chunk size', '256.00 KB'],
              ] as const)),
          ['Stored', shown(pool.allocatedBytes(volume))],
          ['Allocation', `extents of ${shown(EXTENT_BYTES)}`],
        ]);
      }
    }),
  ];
}
