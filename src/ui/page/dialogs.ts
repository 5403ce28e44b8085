/** Questions and help in front of the page; the browser keeps the keyboard inside and gives it back. */
import { button, element } from './dom.ts';

/** Asks for a yes; resolves with false on Escape too. */
export function confirmDangerous(question: string, explanation: string, yes: string): Promise<boolean> {
  return new Promise((resolve) => {
    const dialog = element('dialog', { 'aria-labelledby': 'confirm-question' });
    dialog.append(
      element('h2', { id: 'confirm-question' }, question),
      element('p', {}, explanation),
      element(
        'div',
        { class: 'actions' },
        button('Cancel', () => {
          dialog.close();
        }),
        button(
          yes,
          () => {
            dialog.close('yes');
          },
          { class: 'danger' },
        ),
      ),
    );
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes');
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/**
 * Asks what a file that looks like a disk image shall become: a volume of the name typed, or a copy in /root.
 * undefined: neither.
 */
export function askAboutImage(fileName: string, suggestion: string): Promise<{ readonly volume: string } | 'copy' | undefined> {
  return new Promise((resolve) => {
    const dialog = element('dialog', { 'aria-labelledby': 'image-question' });
    const name = element('input', { type: 'text', value: suggestion, spellcheck: 'false', autocomplete: 'off', required: true });
    const form = element(
      'form',
      { method: 'dialog' },
      element('h2', { id: 'image-question' }, `${fileName} looks like a disk image`),
      element('p', {}, 'As a volume it is a disk for guests; raw and qcow2 images are taken, compressed ones too.'),
      element('label', {}, 'Name of the volume', name),
      element(
        'div',
        { class: 'actions' },
        button('Cancel', () => {
          dialog.close();
        }),
        button('Copy to /root', () => {
          dialog.close('copy');
        }),
        element('button', { type: 'submit', class: 'primary', value: 'volume' }, 'Import as volume'),
      ),
    );
    dialog.append(form);
    dialog.addEventListener('close', () => {
      dialog.remove();
      const { returnValue } = dialog;
      resolve(returnValue === 'volume' ? { volume: name.value.trim() } : returnValue === 'copy' ? 'copy' : undefined);
    });
    document.body.append(dialog);
    dialog.showModal();
    name.select();
  });
}

const KEYS: readonly (readonly [string, string])[] = [
  ['F6, Shift+F6', 'Go on to the next or previous part of the page; leaves a terminal'],
  ['← → Home End', 'On the tabs: choose a terminal; Delete closes a guest’s'],
  ['Ctrl+Shift+F', 'Search in the terminal'],
  ['Ctrl+Shift+C, Ctrl+Shift+V', 'Copy the selection, paste'],
  ['Ctrl+]', 'Leave a guest’s console that was entered with xm console'],
];

const COMMANDS: readonly (readonly [string, string])[] = [
  ['xm create demo', 'Starts the domain described in /etc/xen/demo; with -c its console follows'],
  ['xm list', 'The domains and what they use'],
  ['xm console demo', 'A guest’s console in this terminal'],
  ['xm shutdown demo', 'Asks the guest to power off'],
  ['xm help', 'All commands'],
];

export function showHelp(): void {
  const list = (rows: readonly (readonly [string, string])[], tag: 'kbd' | 'code'): HTMLElement =>
    element(
      'dl',
      {},
      ...rows.flatMap(([term, meaning]) => [element('dt', {}, element(tag, {}, term)), element('dd', {}, meaning)]),
    );
  const dialog = element('dialog', { 'aria-labelledby': 'help-heading' });
  dialog.append(
    element('h2', { id: 'help-heading' }, 'How to use this machine'),
    element(
      'p',
      {},
      'The first terminal is a root shell on domain 0. From there real kernels run as Xen domains, or with the buttons beside it. Files and folders dropped on the page land in /root, disk images become volumes if you like; what is written there survives a reload.',
    ),
    element('h3', {}, 'Commands to begin with'),
    list(COMMANDS, 'code'),
    element('h3', {}, 'Keyboard'),
    list(KEYS, 'kbd'),
    element(
      'div',
      { class: 'actions' },
      button('Close', () => {
        dialog.close();
      }),
    ),
  );
  dialog.addEventListener('close', () => {
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
}
