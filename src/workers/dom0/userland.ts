/**
 * The userland of the site in domain 0: its files in the root, and disks with it for guests, made when first used. `base.img` is for
 * copying, which takes no time and no room (`cp /var/lib/xen/images/base.img mine.img`); `demo.img` is /etc/xen/demo's.
 */
import type { Gunzip } from '../../engine/codec/gunzip.ts';
import type { BootFiles } from '../../engine/storage/boot-files.ts';
import type { DiskImage } from '../../engine/storage/disk-image.ts';
import { makeGuestRoot } from '../../engine/storage/guest-root.ts';
import type { NativeFileSystem } from '../../engine/storage/native/native-file-system.ts';
import { showSiteTree, type ShownDisk } from '../../engine/storage/site-tree.ts';
import { versionFour } from '../../engine/toolstack/uuid.ts';
import type { Clock } from '../../engine/toolstack/services.ts';
import { siteTree, type SiteUserland } from './site-userland.ts';
import { IMAGE_DIRECTORY } from './image-directory.ts';

/** As entries of a tree name it. */
const IMAGES = IMAGE_DIRECTORY.slice(1);
/** Sparse: it takes what is written. */
const IMAGE_BYTES = 512 * 1024 * 1024;
const NS_PER_MS = 1_000_000n;

export interface UserlandOptions {
  readonly images: BootFiles;
  readonly gunzip: Gunzip;
  readonly userland: SiteUserland;
  readonly root: NativeFileSystem;
  readonly clock: Clock;
  random(bytes: Uint8Array): void;
  /** Tells people what is under way. */
  whileMaking(path: string, work: Promise<void>): Promise<void>;
}

export function showUserland(options: UserlandOptions): void {
  const { clock, root } = options;
  const tree = siteTree(options.userland, options.images, options.gunzip);
  const make = async (disk: DiskImage, path: string): Promise<void> => {
    const archive = await tree.archive(() => undefined);
    const bytes = new Uint8Array(16);
    options.random(bytes);
    const now = (): bigint => BigInt(Math.floor(clock.nowMs())) * NS_PER_MS;
    await options.whileMaking(path, makeGuestRoot(disk, { archive, uuid: versionFour(bytes), now }));
  };
  const directories = ['var/lib/xen', IMAGES].map((path) => ({ kind: 'directory' as const, path, mode: 0o755 }));
  const disks = ['base.img', 'demo.img'].map((name): ShownDisk => {
    const path = `${IMAGES}/${name}`;
    return { kind: 'disk', path, mode: 0o644, disk: { sizeBytes: IMAGE_BYTES, make: (disk) => make(disk, `/${path}`) } };
  });
  showSiteTree(root, tree, [...directories, ...disks]);
}
