/** pvcreate, pvremove, pvs, pvdisplay and vgcreate, vgextend, vgremove, vgs, vgdisplay. */
import type { Command } from '../../command.ts';
import { UsageError } from '../../getopt.ts';
import { confirmed, FORCE, LvmError, printDetails, printTable, tool } from './lvm-command.ts';
import { EXTENT_BYTES, shortSize, shown } from './sizes.ts';
import { extentsOfPhysical, type PhysicalVolume, type VolumeGroups } from './volume-groups.ts';

export interface PhysicalServices {
  readonly groups: VolumeGroups;
  /** Size of a disk or partition, undefined when there is none of that name ("/dev/sda10"). */
  deviceBytes(device: string): number | undefined;
  /** A domain uses the device, or domain 0 has mounted it. */
  isInUse(device: string): boolean;
  random(bytes: number): Uint8Array;
}

const deviceName = (given: string): string => (given.startsWith('/dev/') ? given : `/dev/${given}`);

/** LVM's form of an identifier: 32 letters and digits in groups. */
function newUuid(random: (bytes: number) => Uint8Array): string {
  const letters = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
  const text = [...random(32)].map((byte) => letters[byte % letters.length]).join('');
  return text.replace(/^(.{6})(.{4})(.{4})(.{4})(.{4})(.{4})(.{6})$/, '$1-$2-$3-$4-$5-$6-$7');
}

export function physicalTools(services: PhysicalServices): Command[] {
  const { groups } = services;
  const physical = (given: string): PhysicalVolume | undefined =>
    groups.physical.find(({ device }) => device === deviceName(given));
  const freeExtents = (volume: PhysicalVolume): number => {
    if (volume.group === undefined) return extentsOfPhysical(volume);
    // Extents are given out from the first physical volume of the group on.
    let taken = groups.takenExtents(volume.group);
    for (const other of groups.physical) {
      if (other.group !== volume.group) continue;
      const here = Math.min(taken, extentsOfPhysical(other));
      if (other === volume) return extentsOfPhysical(other) - here;
      taken -= here;
    }
    return 0;
  };
  const needGroup = (name: string): { name: string; uuid: string; limited: boolean } => {
    const group = groups.groups().find((one) => one.name === name.replace(/^\/dev\//, ''));
    if (group === undefined) throw new LvmError(`Volume group "${name}" not found`);
    return group;
  };
  const usable = (given: string, group: string): PhysicalVolume => {
    const found = physical(given);
    if (found === undefined) {
      if (services.deviceBytes(deviceName(given)) === undefined)
        throw new LvmError(`Couldn't find device with uuid or name '${deviceName(given)}'.`);
      throw new LvmError(
        `No physical volume label read from ${deviceName(given)}\n${deviceName(given)} not identified as an existing physical volume\n` +
          `Unable to add physical volume '${deviceName(given)}' to volume group '${group}'.`,
      );
    }
    if (found.group !== undefined) {
      throw new LvmError(
        `Physical volume '${found.device}' is already in volume group '${found.group}'\n` +
          `Unable to add physical volume '${found.device}' to volume group '${group}'.`,
      );
    }
    return found;
  };

  return [
    tool('pvcreate', 'make disks or partitions physical volumes of LVM', [FORCE], async (options, io) => {
      if (options.operands.length === 0) throw new UsageError('Please enter a physical volume path');
      for (const given of options.operands) {
        const device = deviceName(given);
        const sizeBytes = services.deviceBytes(device);
        if (sizeBytes === undefined) throw new LvmError(`Device ${device} not found (or ignored by filtering).`);
        const before = physical(given);
        if (before?.group !== undefined)
          throw new LvmError(`Can't initialize physical volume "${device}" of volume group "${before.group}" without -ff`);
        if (services.isInUse(device)) throw new LvmError(`Can't open ${device} exclusively.  Mounted filesystem?`);
        const volume: PhysicalVolume = { device, sizeBytes, uuid: newUuid((bytes) => services.random(bytes)) };
        if (extentsOfPhysical(volume) < 1) throw new LvmError(`${device}: Size must exceed minimum of 5 MB`);
        await groups.addPhysical(volume);
        io.out(`  Physical volume "${device}" successfully created\n`);
      }
    }),
    tool('pvremove', 'take the label of physical volumes away', [FORCE], async (options, io) => {
      if (options.operands.length === 0) throw new UsageError('Please enter a physical volume path');
      for (const given of options.operands) {
        const found = physical(given);
        if (found === undefined) throw new LvmError(`No PV label found on ${deviceName(given)}.`);
        if (found.group !== undefined)
          throw new LvmError(`PV ${found.device} belongs to Volume Group ${found.group} so please use vgreduce first.`);
        await groups.removePhysical(found.device);
        io.out(`  Labels on physical volume "${found.device}" successfully wiped\n`);
      }
    }),
    tool('pvs', 'list physical volumes', [], (_options, io) => {
      printTable(io, [
        ['PV', 'VG', 'Fmt', 'Attr', 'PSize', 'PFree'],
        ...groups.physical.map((volume) => [
          volume.device,
          volume.group ?? '',
          'lvm2',
          volume.group === undefined ? '--' : 'a-',
          shortSize(volume.group === undefined ? volume.sizeBytes : extentsOfPhysical(volume) * EXTENT_BYTES),
          shortSize(volume.group === undefined ? volume.sizeBytes : freeExtents(volume) * EXTENT_BYTES),
        ]),
      ]);
    }),
    tool('pvdisplay', 'show physical volumes in detail', [], (_options, io) => {
      for (const volume of groups.physical) {
        printDetails(io, 'Physical volume', [
          ['PV Name', volume.device],
          ['VG Name', volume.group ?? ''],
          ['PV Size', shown(volume.sizeBytes)],
          ['Allocatable', volume.group === undefined ? 'NO' : 'yes'],
          ['PE Size', shown(EXTENT_BYTES)],
          ['Total PE', String(extentsOfPhysical(volume))],
          ['Free PE', String(freeExtents(volume))],
          ['Allocated PE', String(extentsOfPhysical(volume) - freeExtents(volume))],
          ['PV UUID', volume.uuid],
        ]);
      }
    }),
    tool('vgcreate', 'make a volume group of physical volumes', [FORCE], async (options, io) => {
      const [name = '', ...devices] = options.operands;
      if (name === '' || devices.length === 0) throw new UsageError('Please provide volume group name and physical volumes');
      if (!/^[A-Za-z0-9_+][A-Za-z0-9_.+-]*$/.test(name)) throw new LvmError(`New volume group name "${name}" is invalid`);
      if (groups.groups().some((group) => group.name === name))
        throw new LvmError(`A volume group called '${name}' already exists.`);
      const found = devices.map((device) => usable(device, name));
      await groups.createGroup(
        { name, uuid: newUuid((bytes) => services.random(bytes)) },
        found.map(({ device }) => device),
      );
      io.out(`  Volume group "${name}" successfully created\n`);
    }),
    tool('vgextend', 'add physical volumes to a volume group', [], async (options, io) => {
      const [name = '', ...devices] = options.operands;
      if (devices.length === 0) throw new UsageError('Please enter volume group name and physical volume(s)');
      const group = needGroup(name);
      for (const { device } of devices.map((given) => usable(given, group.name))) await groups.assign(device, group.name);
      io.out(`  Volume group "${group.name}" successfully extended\n`);
    }),
    tool('vgremove', 'remove volume groups', [FORCE], async (options, io) => {
      if (options.operands.length === 0) throw new UsageError('Please enter one or more volume group paths');
      for (const given of options.operands) {
        const { name } = needGroup(given);
        const volumes = groups.volumes(name);
        if (volumes.length > 0) {
          const question = `Do you really want to remove volume group "${name}" containing ${volumes.length} logical volumes?`;
          if (!options.has('force') && !(await confirmed(io, question))) throw new LvmError(`Volume group "${name}" not removed`);
          const used = volumes.find((volume) => services.isInUse(`/dev/${volume.name}`));
          if (used !== undefined) throw new LvmError(`Logical volume ${used.name} contains a filesystem in use.`);
          await groups.remove(volumes);
        }
        await groups.removeGroup(name);
        io.out(`  Volume group "${name}" successfully removed\n`);
      }
    }),
    tool('vgs', 'list volume groups', [], (_options, io) => {
      printTable(io, [
        ['VG', '#PV', '#LV', '#SN', 'Attr', 'VSize', 'VFree'],
        ...groups.groups().map(({ limited, name }) => {
          const volumes = groups.volumes(name);
          return [
            name,
            String(groups.physical.filter(({ group }) => group === name).length),
            String(volumes.length),
            String(volumes.filter((volume) => groups.snapshot(volume.name) !== undefined).length),
            'wz--n-',
            shortSize(limited ? groups.totalExtents(name) * EXTENT_BYTES : Infinity),
            shortSize(limited ? groups.freeExtents(name) * EXTENT_BYTES : Infinity),
          ];
        }),
      ]);
    }),
    tool('vgdisplay', 'show volume groups in detail', [], (options, io) => {
      const wanted = options.operands.map((given) => needGroup(given));
      for (const { name, uuid } of wanted.length > 0 ? wanted : groups.groups()) {
        const [total, taken] = [groups.totalExtents(name), groups.takenExtents(name)];
        printDetails(io, 'Volume group', [
          ['VG Name', name],
          ['Format', 'lvm2'],
          ['VG Access', 'read/write'],
          ['VG Status', 'resizable'],
          ['Cur LV', String(groups.volumes(name).length)],
          ['Cur PV', String(groups.physical.filter(({ group }) => group === name).length)],
          ['VG Size', shown(total * EXTENT_BYTES)],
          ['PE Size', shown(EXTENT_BYTES)],
          ['Total PE', String(total)],
          ['Alloc PE / Size', `${taken} / ${shown(taken * EXTENT_BYTES)}`],
          ['Free  PE / Size', `${Math.max(0, total - taken)} / ${shown(Math.max(0, total - taken) * EXTENT_BYTES)}`],
          ['VG UUID', uuid],
        ]);
      }
    }),
  ];
}
