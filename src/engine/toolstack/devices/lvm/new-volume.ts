/** Names of volumes that images become: GROUP/NAME, or NAME alone for the group of images, which needs no physical volume. */
import { isInternalName, isVolumeName } from '../../../storage/volume-record.ts';
import { XendError } from '../../xend-error.ts';
import { extentsOf, groupOf, type VolumeGroups } from './volume-groups.ts';

/** Its volumes take no extents. */
export const IMAGES_GROUP = 'images';

/** "images/debian" of "debian", "vg/root" of "/dev/vg/root". XendError for what cannot be a new volume's name. */
export function newVolumeName(groups: VolumeGroups, designation: string): string {
  const given = designation.replace(/^\/dev\//, '');
  const name = given.includes('/') ? given : `${IMAGES_GROUP}/${given}`;
  if (!isVolumeName(name) || isInternalName(name) || name.split('/').length !== 2)
    throw new XendError(
      `"${designation}" cannot be the name of a volume: letters, digits, and _ . + - behind the group and a slash`,
    );
  const group = groupOf(name);
  if (group !== IMAGES_GROUP && !groups.groups().some((one) => one.name === group))
    throw new XendError(`Volume group "${group}" not found`);
  if (groups.pool.volume(name) !== undefined) throw new XendError(`there is a volume ${name} already`);
  return name;
}

/** XendError when the volume's group has no room for it. */
export function requireExtents(groups: VolumeGroups, name: string, sizeBytes: number): void {
  const [wanted, free] = [extentsOf(sizeBytes), groups.freeExtents(groupOf(name))];
  if (wanted > free)
    throw new XendError(`Volume group "${groupOf(name)}" has insufficient free space (${free} extents): ${wanted} required.`);
}
