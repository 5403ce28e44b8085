/** The disk of a guest's root: a file system with a system of the site in it, as one makes it by hand with mkfs and cp. */
import type { DiskImage } from './disk-image.ts';
import { ExtFileSystem } from './ext/ext-file-system.ts';
import { makeFileSystem } from './ext/make-file-system.ts';
import { unpackInto } from './site-tree.ts';

export interface GuestRootOptions {
  /** A tar archive of the whole root. */
  readonly archive: Uint8Array;
  /** 16 bytes. */
  readonly uuid: Uint8Array;
  /** Nanoseconds since 1970. */
  readonly now: () => bigint;
}

/** Fills a disk of zeros. TarError, PosixError, StorageError. */
export async function makeGuestRoot(disk: DiskImage, { archive, now, uuid }: GuestRootOptions): Promise<void> {
  await makeFileSystem(disk, { type: 'ext4', uuid, now });
  const fileSystem = await ExtFileSystem.open(disk, { readOnly: false, now });
  await unpackInto(fileSystem, archive);
  await fileSystem.unmount();
}
