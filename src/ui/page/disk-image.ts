/** Which files are offered to become volumes. */

/** As much of a file as `looksLikeDiskImage` wants to see. */
export const SEEN_BYTES = 2048;

const ENDINGS = /\.(img|raw|qcow2?|iso|dd|hdd)(\.(gz|xz|zst|zstd))?$/i;
/** No image of a disk with a partition table is smaller. */
const PARTITIONED_BYTES_MIN = 1024 * 1024;

const has = (head: Uint8Array, at: number, bytes: readonly number[]): boolean => bytes.every((byte, n) => head[at + n] === byte);

/** By its name, or as qcow2, an ext file system or a partition table begins. */
export function looksLikeDiskImage(name: string, sizeBytes: number, head: Uint8Array): boolean {
  if (ENDINGS.test(name) || has(head, 0, [0x51, 0x46, 0x49, 0xfb])) return true;
  const isExt = has(head, 1024 + 56, [0x53, 0xef]);
  // A kernel has the mark of a boot sector too, and its own behind it.
  const isKernel = has(head, 0x202, [0x48, 0x64, 0x72, 0x53]);
  return isExt || (sizeBytes >= PARTITIONED_BYTES_MIN && has(head, 510, [0x55, 0xaa]) && !isKernel);
}

/** "debian-12" of "debian-12.qcow2.xz": what volumes may be called. */
export function volumeNameOf(fileName: string): string {
  const plain = fileName.replace(/\.(gz|xz|zst|zstd)$/i, '').replace(/\.[A-Za-z0-9]{1,5}$/, '');
  const name = plain
    .replace(/[^A-Za-z0-9_.+-]+/g, '-')
    .replace(/^[.-]+|-+$/g, '')
    .slice(0, 100);
  return name === '' ? 'disk' : name;
}
