/**
 * What the store on the origin's private files needs of a file: FileSystemSyncAccessHandle's part of it, as an interface, so that
 * tests can stand in for a disk that loses what was not flushed.
 * @see File System Standard, "FileSystemSyncAccessHandle"
 */

export interface StoreFile {
  /** Bytes read, fewer at the end of the file. */
  read(into: Uint8Array, options: { at: number }): number;
  /** Bytes written; a QuotaExceededError when there is no room. */
  write(from: Uint8Array, options: { at: number }): number;
  truncate(sizeBytes: number): void;
  getSize(): number;
  /** Everything written before is durable afterwards. */
  flush(): void;
  close(): void;
}

export interface StoreFiles {
  readonly chunks: StoreFile;
  /** Closes the file of chunks and opens it again: browsers count the most a file ever had as used for as long as it is open. */
  reopenChunks(): Promise<StoreFile>;
  /** Used in turn: one is written anew while the other still holds. */
  readonly journals: readonly [StoreFile, StoreFile];
}

/** FileSystemFileHandle's method for dedicated workers, which the compiler's library does not have. */
interface SynchronousFile {
  createSyncAccessHandle(): Promise<StoreFile>;
}

/** A thread that was ended lets go of its files a little later. */
const ATTEMPTS = 40;
const BETWEEN_MS = 250;

async function whenFree<Result>(open: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await open();
    } catch (error) {
      const taken = error instanceof DOMException && error.name === 'NoModificationAllowedError';
      if (!taken || attempt === ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, BETWEEN_MS));
    }
  }
}

/** Opens (or makes) the files in a directory of that name. Rejects when another thread has them open for long. */
export async function openPrivateFiles(name: string): Promise<StoreFiles> {
  const root = await navigator.storage.getDirectory();
  const directory = await root.getDirectoryHandle(name, { create: true });
  const open = async (file: string): Promise<StoreFile> => {
    const handle = (await directory.getFileHandle(file, { create: true })) as unknown as SynchronousFile;
    return whenFree(() => handle.createSyncAccessHandle());
  };
  const opened: StoreFile[] = [];
  const next = async (file: string): Promise<StoreFile> => {
    const handle = await open(file);
    opened.push(handle);
    return handle;
  };
  try {
    let chunks = await next('chunks');
    return {
      chunks,
      reopenChunks: async () => {
        chunks.close();
        chunks = await open('chunks');
        return chunks;
      },
      journals: [await next('journal-0'), await next('journal-1')],
    };
  } catch (error) {
    for (const file of opened) file.close();
    throw error;
  }
}

/** Removes the directory with its files; nobody has them open. */
export async function removePrivateFiles(name: string): Promise<void> {
  const root = await navigator.storage.getDirectory();
  await root.removeEntry(name, { recursive: true });
}
