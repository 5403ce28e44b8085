/**
 * Files and folders dropped on the page (or chosen with the button) land in domain 0's home directory; what looks like a disk image is
 * offered to become a volume instead.
 */
import type { Dom0 } from '../../workers/protocol.ts';
import { called, observerOf } from '../machine/transfers.ts';
import { askAboutImage } from './dialogs.ts';
import { looksLikeDiskImage, SEEN_BYTES, volumeNameOf } from './disk-image.ts';
import { byId } from './dom.ts';
import { collectDropped, type Dropped, type DroppedFile } from './dropped-files.ts';
import { notify, notifyError } from './notices.ts';
import { describeBytes, withProgress } from './transfer-progress.ts';

const HOME = '/root';

export type FileTarget = Pick<Dom0, 'storeFile' | 'makeDirectory' | 'importDisk'>;

/** Takes each file in turn: as a volume when it looks like a disk image and the user wants that, else as a file. */
export async function takeFiles({ files, folders }: Dropped, dom0: FileTarget): Promise<void> {
  const [outer] = folders;
  try {
    for (const folder of folders) await dom0.makeDirectory(`${HOME}/${folder}`);
  } catch (error) {
    notifyError(`${outer ?? ''} could not be stored`, error);
    return;
  }
  let copied = 0;
  for (const dropped of files) {
    const inFolder = dropped.path.includes('/');
    const choice =
      !inFolder && (await isImage(dropped.file)) ? await askAboutImage(dropped.file.name, volumeNameOf(dropped.path)) : 'copy';
    if (choice === undefined) continue;
    const stored =
      choice === 'copy' ? await storeFile(dropped, dom0, !inFolder) : await importImage(dropped.file, choice.volume, dom0);
    if (stored && inFolder) copied += 1;
  }
  const tops = folders.filter((folder) => !folder.includes('/'));
  for (const top of tops)
    notify(`${HOME}/${top} is there${tops.length === 1 ? `, ${copied} ${copied === 1 ? 'file' : 'files'}` : ''}.`);
}

async function isImage(file: File): Promise<boolean> {
  try {
    return looksLikeDiskImage(file.name, file.size, new Uint8Array(await file.slice(0, SEEN_BYTES).arrayBuffer()));
  } catch {
    // The copy says why it cannot be read.
    return false;
  }
}

/** True when it is there. */
async function storeFile({ file, path }: DroppedFile, dom0: FileTarget, tell: boolean): Promise<boolean> {
  const target = `${HOME}/${path}`;
  return withProgress(`Copying ${file.name}`, `${file.name} could not be stored`, async (options) => {
    await called(options.signal, () => dom0.storeFile(target, file, observerOf(options)));
    if (tell) notify(`${target} is there, ${describeBytes(file.size)}.`);
  });
}

async function importImage(file: File, volume: string, dom0: FileTarget): Promise<boolean> {
  return withProgress(`Importing ${file.name}`, `${file.name} could not be imported`, async (options) => {
    const { device, sizeBytes } = await called(options.signal, () => dom0.importDisk(volume, file, undefined, observerOf(options)));
    notify(`${device} is there, ${describeBytes(sizeBytes)}.`);
  });
}

/** Lets the whole page take files. */
export function acceptDrops(dom0: FileTarget): void {
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
    if (!carriesFiles(event) || event.dataTransfer === null) return;
    event.preventDefault();
    depth = 0;
    hint.hidden = true;
    collectDropped(event.dataTransfer)
      .then((dropped) => takeFiles(dropped, dom0))
      .catch((error: unknown) => {
        notifyError('What was dropped could not be read', error);
      });
  });
}
