/**
 * /var/lib/xen/images as a file system of its own: `cp -ax`, with which the manual copies domain 0's system onto a guest's disk, leaves
 * the disks of other guests behind. Files of the two are cloned as within one, since it is one below.
 */
import type { FileSystem } from '../../engine/storage/file-system.ts';

export const IMAGE_DIRECTORY = '/var/lib/xen/images';

/** Does nothing when there is no such directory, because somebody removed it or the site has no images. */
export async function mountImageDirectory(files: FileSystem): Promise<void> {
  if (!(await files.exists(IMAGE_DIRECTORY)) || (await files.stat(IMAGE_DIRECTORY)).kind !== 'directory') return;
  await files.bind(IMAGE_DIRECTORY, IMAGE_DIRECTORY);
}
