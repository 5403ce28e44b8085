/** The commands for disks and volumes: LVM's, dmsetup, fdisk and sfdisk, on the machine's volume pool and hard disks. */
import type { Volume } from '../../storage/volume.ts';
import type { Command } from '../command.ts';
import type { HardDisks } from './hard-disks.ts';
import { dmsetup } from './lvm/dmsetup.ts';
import { logicalTools } from './lvm/logical-tools.ts';
import { physicalTools } from './lvm/physical-tools.ts';
import type { VolumeGroups } from './lvm/volume-groups.ts';
import { partitionTools } from './partition-tools.ts';

export interface VolumeToolServices {
  readonly groups: VolumeGroups;
  readonly disks: HardDisks;
  /** Whether a domain, or domain 0, uses the volume. */
  isAttached(volume: Volume): boolean;
  /** The same of a device, "/dev/sda10". */
  isInUse(device: string): boolean;
  random(bytes: number): Uint8Array;
}

export function volumeTools(services: VolumeToolServices): Command[] {
  const { disks, groups } = services;
  const random = (bytes: number): Uint8Array => services.random(bytes);
  return [
    ...physicalTools({
      groups,
      deviceBytes: (device) => {
        const sectors = disks.find(device)?.image.sectors;
        return sectors === undefined ? undefined : sectors * 512;
      },
      isInUse: (device) => services.isInUse(device),
      random,
    }),
    ...logicalTools({ groups, isAttached: (volume) => services.isAttached(volume) }),
    dmsetup(groups),
    ...partitionTools({
      disks,
      isInUse: (name) => {
        const devices = disks.entries().flatMap((one) => (one.name.startsWith(name) ? [`/dev/${one.name}`] : []));
        return devices.some((device) => services.isInUse(device) || groups.physical.some((physical) => physical.device === device));
      },
      random,
    }),
  ];
}
