/**
 * Kernels and ramdisks that the site offers, as dom0 sees them under /boot: listed at once, fetched when first read.
 */
import type { FetchProgress, FileSystem } from './file-system.ts';
import { FileSystemError } from './file-system-error.ts';

export interface BootFile {
  /** Plain name below /boot, for example "vmlinuz-6.1.0-18-cloud-amd64". */
  readonly name: string;
  readonly sizeBytes: number;
  /** Further names under which it can be reached; symbolic links. */
  readonly aliases: readonly string[];
}

export interface BootFiles {
  readonly files: readonly BootFile[];
  /** Rejects with a sentence when the site does not deliver it, or delivers something else than it announced. */
  fetch(name: string, onProgress: FetchProgress): Promise<Uint8Array>;
}

/** Shows the site's files below `directory`. What the user has stored there under the same name stays. */
export async function mountBootFiles(fileSystem: FileSystem, directory: string, bootFiles: BootFiles): Promise<void> {
  await fileSystem.makeDirectory(directory, { recursive: true });
  for (const file of bootFiles.files) {
    await fileSystem.mountLazy(`${directory}/${file.name}`, {
      sizeBytes: file.sizeBytes,
      fetch: (onProgress) => bootFiles.fetch(file.name, onProgress),
    });
    for (const alias of file.aliases) await pointAlias(fileSystem, `${directory}/${alias}`, file.name);
  }
}

/** An alias of an earlier visit is pointed anew, because the site's versions change; anything else of that name stays. */
async function pointAlias(fileSystem: FileSystem, path: string, target: string): Promise<void> {
  try {
    if ((await fileSystem.lstat(path)).kind !== 'symlink') return;
    if ((await fileSystem.readLink(path)) === target) return;
    if (await fileSystem.exists(path)) return;
    await fileSystem.remove(path);
  } catch (error) {
    if (!(error instanceof FileSystemError) || error.code !== 'ENOENT') throw error;
  }
  await fileSystem.symlink(target, path);
}
