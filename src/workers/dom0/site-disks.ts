/**
 * Disk images of the site in domain 0. NAME.img in /var/lib/xen/images is for copying, which takes no time and no room; /etc/xen/NAME
 * is a guest with a disk of its own of it, NAME-disk.img. Of both only what is read is fetched.
 */
import type { BaseImage } from '../../engine/storage/base-image.ts';
import type { NativeFileSystem } from '../../engine/storage/native/native-file-system.ts';
import { showInRoot, type Shown } from '../../engine/storage/site-tree.ts';
import { encodeUtf8 } from '../../engine/storage/utf8.ts';
import { IMAGE_DIRECTORY } from './image-directory.ts';

/** As entries of a tree name it. */
const IMAGES = IMAGE_DIRECTORY.slice(1);
const DIRECTORIES = ['var', 'var/lib', 'var/lib/xen', IMAGES, 'etc', 'etc/xen'];

export function showSiteDisks(root: NativeFileSystem, images: readonly BaseImage[], nowMs: number): void {
  if (images.length === 0) return;
  const directories = DIRECTORIES.map((path): Shown => ({ kind: 'directory', path, mode: 0o755 }));
  const shown = images.flatMap((base): Shown[] => {
    const { name, sizeBytes } = base;
    const configuration = encodeUtf8(configurationOf(name));
    return [
      ...[name, `${name}-disk`].map((file): Shown => ({
        kind: 'disk',
        path: `${IMAGES}/${file}.img`,
        mode: 0o644,
        disk: { sizeBytes, base },
      })),
      {
        kind: 'lazy',
        path: `etc/xen/${name}`,
        mode: 0o644,
        file: { sizeBytes: configuration.length, fetch: () => Promise.resolve(configuration) },
      },
    ];
  });
  showInRoot(root, [...directories, ...shown], Math.floor(nowMs / 1000));
}

const configurationOf = (
  name: string,
): string => `# A guest with the system of the disk image "${name}". Of the image only what the guest reads is fetched, and kept for the next time.
#
#   xm create -c ${name}       start it and look at its console; log in as root with the password xen, Ctrl-] leaves the console
#
# What it writes goes to a disk of its own. Another such disk, at once:  cp /${IMAGES}/${name}.img /root/other.img

kernel  = "/boot/vmlinuz-cloud"
ramdisk = "/boot/initrd.img-cloud"
memory  = 512
vcpus   = 2
name    = "${name}"
disk    = [ "file:/${IMAGES}/${name}-disk.img,xvda,w" ]
root    = "/dev/xvda ro"
extra   = "console=hvc0 earlyprintk=xen"
`;
