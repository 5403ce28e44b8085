/** Files dropped on the page (or chosen with the button) land in domain 0's home directory. */
import { byId } from './dom.ts';
import { notify, notifyError } from './notices.ts';
import { showProgress } from './progress.ts';

const HOME = '/root';
/** Longest name ext3 and most others take. */
const NAME_BYTES_MAX = 255;

export type WriteFile = (path: string, bytes: Uint8Array) => Promise<void>;

/** The last part of a name, without what a path or a terminal would take amiss. Exported for tests. */
export function safeName(name: string): string {
  const last = name.slice(Math.max(name.lastIndexOf('/'), name.lastIndexOf('\\')) + 1);
  let safe = last.replace(/[\u0000-\u001f\u007f]/g, '_');
  while (new TextEncoder().encode(safe).length > NAME_BYTES_MAX) safe = safe.slice(0, -1);
  return safe === '' || safe === '.' || safe === '..' ? 'file' : safe;
}

export async function storeFiles(files: Iterable<File>, writeFile: WriteFile): Promise<void> {
  for (const file of files) {
    const path = `${HOME}/${safeName(file.name)}`;
    const task = `Copying ${file.name}`;
    showProgress({ task, fraction: undefined });
    try {
      await writeFile(path, new Uint8Array(await file.arrayBuffer()));
      notify(`${path} is there, ${describeBytes(file.size)}.`);
    } catch (error) {
      notifyError(`${file.name} could not be stored`, error);
    } finally {
      showProgress({ task, fraction: 1 });
    }
  }
}

function describeBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

/** Lets the whole page take files. */
export function acceptDrops(writeFile: WriteFile): void {
  const hint = byId('drop-hint');
  let depth = 0;
  const carriesFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;
  document.addEventListener('dragenter', (event) => {
    if (!carriesFiles(event)) return;
    depth += 1;
    hint.hidden = false;
  });
  document.addEventListener('dragleave', (event) => {
    if (!carriesFiles(event)) return;
    depth = Math.max(0, depth - 1);
    hint.hidden = depth === 0;
  });
  document.addEventListener('dragover', (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    if (event.dataTransfer !== null) event.dataTransfer.dropEffect = 'copy';
  });
  document.addEventListener('drop', (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    depth = 0;
    hint.hidden = true;
    void storeFiles(event.dataTransfer?.files ?? [], writeFile);
  });
}
