/** What was dropped on the page, as files with their paths: folders are gone through. */

export interface DroppedFile {
  /** Below the place they are copied to, with names that a file system takes: "folder/sub/file". */
  readonly path: string;
  readonly file: File;
}

export interface Dropped {
  readonly files: DroppedFile[];
  /** Every folder, those without files too; outer ones first. */
  readonly folders: string[];
}

/** Longest name ext3 and most others take. */
const NAME_BYTES_MAX = 255;
/** So that a folder within itself (by a link) comes to an end. */
const DEPTH_MAX = 64;

/** The last part of a name, without what a path or a terminal would take amiss. */
export function safeName(name: string): string {
  const last = name.slice(Math.max(name.lastIndexOf('/'), name.lastIndexOf('\\')) + 1);
  let safe = last.replace(/[\u0000-\u001f\u007f]/g, '_');
  while (new TextEncoder().encode(safe).length > NAME_BYTES_MAX) safe = safe.slice(0, -1);
  return safe === '' || safe === '.' || safe === '..' ? 'file' : safe;
}

export const plainFiles = (files: Iterable<File>): Dropped => ({
  files: [...files].map((file) => ({ path: safeName(file.name), file })),
  folders: [],
});

/** To be called while the event is being handled: what was dropped is gone afterwards. */
export function collectDropped(transfer: DataTransfer): Promise<Dropped> {
  const items = [...transfer.items].filter(({ kind }) => kind === 'file');
  const found = items.map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  return (async () => {
    const dropped: Dropped = { files: [], folders: [] };
    for (const { entry, file } of found) {
      if (entry?.isDirectory === true) await addFolder(entry as FileSystemDirectoryEntry, safeName(entry.name), dropped, 0);
      else if (file !== null) dropped.files.push({ path: safeName(file.name), file });
    }
    return dropped;
  })();
}

async function addFolder(folder: FileSystemDirectoryEntry, path: string, dropped: Dropped, depth: number): Promise<void> {
  if (depth >= DEPTH_MAX) throw new Error(`${path}: folders are nested too deeply`);
  dropped.folders.push(path);
  const reader = folder.createReader();
  for (;;) {
    // Entries come in batches; an empty one is the end.
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) => {
      reader.readEntries(resolve, reject);
    });
    if (batch.length === 0) return;
    for (const entry of batch) {
      const below = `${path}/${safeName(entry.name)}`;
      if (entry.isDirectory) await addFolder(entry as FileSystemDirectoryEntry, below, dropped, depth + 1);
      else
        dropped.files.push({
          path: below,
          file: await new Promise<File>((resolve, reject) => {
            (entry as FileSystemFileEntry).file(resolve, reject);
          }),
        });
    }
  }
}
