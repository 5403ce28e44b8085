/**
 * Names of virtual disks and their numbers: the device number that Linux gave a disk of that name, which is also the name of
 * the device's directory in the store.
 */

const SD_MAJORS = [8, 65, 66, 67, 68, 69, 70, 71, 128, 129, 130, 131, 132, 133, 134, 135];
const HD_MAJORS = [3, 22, 33, 34, 56, 57, 88, 89, 90, 91];
const XVD_MAJOR = 202;
const DISKS_PER_MAJOR = 16;
const SD_PARTITIONS = 15;
const HD_PARTITIONS = 63;
/** Disks behind xvdp, in the numbering that leaves 8 bits for partitions. */
const XVD_EXTENDED = 1 << 28;
const XVD_EXTENDED_DISKS = 1 << 20;

/** Number of a disk by name ("sda1", "/dev/xvda") or by hexadecimal number ("0x801"); undefined when there is no such disk. */
export function virtualDeviceNumber(device: string): number | undefined {
  if (/^0x[0-9a-f]{1,8}$/i.test(device)) return Number(device);
  const match = /^(?:\/dev\/)?(xvd|sd|hd)([a-z]{1,3})([1-9][0-9]{0,2})?$/.exec(device);
  const [, bus, letters = '', digits] = match ?? [];
  const disk = [...letters].reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 96, 0) - 1;
  const partition = digits === undefined ? 0 : Number(digits);
  switch (bus) {
    case 'sd':
      return numberOf(SD_MAJORS[Math.floor(disk / DISKS_PER_MAJOR)], 16 * (disk % DISKS_PER_MAJOR), partition, SD_PARTITIONS);
    case 'hd':
      return numberOf(HD_MAJORS[Math.floor(disk / 2)], 64 * (disk % 2), partition, HD_PARTITIONS);
    case 'xvd':
      if (disk < DISKS_PER_MAJOR) return numberOf(XVD_MAJOR, 16 * disk, partition, SD_PARTITIONS);
      return disk < XVD_EXTENDED_DISKS && partition < 256 ? XVD_EXTENDED + disk * 256 + partition : undefined;
    default:
      return undefined;
  }
}

function numberOf(major: number | undefined, minor: number, partition: number, partitions: number): number | undefined {
  return major === undefined || partition > partitions ? undefined : major * 256 + minor + partition;
}
