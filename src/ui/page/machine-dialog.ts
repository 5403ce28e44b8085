/** The machine as a file: saved to the visitor's disk, and opened from it under another name. */
import type { Dom0 } from '../../workers/protocol.ts';
import { importMachine } from '../machine/import-machine.ts';
import { isMachineName } from '../machine/machine-storage.ts';
import { streamFrom } from '../machine/transfers.ts';
import { button, element } from './dom.ts';
import { notify } from './notices.ts';
import { saveBlob } from './save-file.ts';
import { describeBytes, withProgress } from './transfer-progress.ts';

/** A part of the file, after which the browser may put it away to disk. */
const PART_BYTES = 8 * 1024 * 1024;

export function showMachineDialog(dom0: Pick<Dom0, 'exportMachine' | 'importMachine'>, machine: string): void {
  const dialog = element('dialog', { 'aria-labelledby': 'machine-question' });
  const close = (): void => {
    dialog.close();
  };
  const archive = element('input', { type: 'file', required: true, accept: '.gz,.tar,.tgz' });
  const name = element('input', { type: 'text', required: true, pattern: '[A-Za-z0-9_\\-]{1,32}', spellcheck: 'false' });
  const form = element(
    'form',
    {},
    element('h3', {}, 'Open a machine'),
    element('label', {}, 'File', archive),
    element('label', {}, 'Name here: letters, digits, - and _', name),
    element('div', { class: 'actions' }, button('Close', close), element('button', { type: 'submit', class: 'primary' }, 'Open')),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const [file] = archive.files ?? [];
    if (file === undefined || !isMachineName(name.value)) return;
    close();
    void openMachine(dom0, file, name.value);
  });
  dialog.append(
    element('h2', { id: 'machine-question' }, 'The machine as a file'),
    element(
      'p',
      {},
      'One file with the disks and the files of domain 0, which any browser can open. What guests have in memory is not in it.',
    ),
    element(
      'div',
      { class: 'actions' },
      button('Save this machine', () => {
        close();
        void saveMachine(dom0, machine);
      }),
    ),
    form,
  );
  dialog.addEventListener('close', () => {
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
}

async function saveMachine(dom0: Pick<Dom0, 'exportMachine'>, machine: string): Promise<void> {
  await withProgress(`Saving machine ${machine}`, 'The machine could not be saved', async (options) => {
    const stream = await streamFrom((sink, observer) => dom0.exportMachine(sink, observer), options);
    const parts: Blob[] = [];
    let pieces: Uint8Array<ArrayBuffer>[] = [];
    let waiting = 0;
    for await (const piece of stream) {
      pieces.push(piece as Uint8Array<ArrayBuffer>);
      waiting += piece.length;
      if (waiting < PART_BYTES) continue;
      parts.push(new Blob(pieces));
      pieces = [];
      waiting = 0;
    }
    const file = new Blob([...parts, ...pieces], { type: 'application/gzip' });
    saveBlob(file, `${machine}.webxen.tar.gz`);
    notify(`${machine}.webxen.tar.gz has ${describeBytes(file.size)}.`);
  });
}

async function openMachine(dom0: Pick<Dom0, 'importMachine'>, file: File, name: string): Promise<void> {
  await withProgress(`Opening ${file.name}`, `${file.name} could not be opened`, async (options) => {
    const { address, machine } = await importMachine(dom0, name, file, options);
    notify(`The machine ${machine} is there.`, 'note', element('a', { href: address, target: '_blank' }, `Start ${machine}`));
  });
}
