/** From the loaded page to a machine that may start: what the browser lacks, whose machine it is, what to boot. */
import { becomeIsolated } from '../machine/isolation.ts';
import { keptStorage } from '../machine/machine-storage.ts';
import { takeOver, takeOwnership } from '../machine/ownership.ts';
import { missingRequirements, type MissingRequirement } from '../machine/requirements.ts';
import { button, element } from '../page/dom.ts';
import type { MachineStorage } from '../../workers/protocol.ts';
import { chooseBootEntry } from './boot-menu.ts';

/** Why there will be no machine on this page. */
export class NoMachine extends Error {}

/** How long a machine that another tab has is waited for before that is said, and when the user says to try again. */
const PATIENCE_MS = 400;
/** The document that this one replaces has it until all its threads have ended. */
const RELOAD_PATIENCE_MS = 5000;
const AGAIN_PATIENCE_MS = 5000;
/** Until the user is told that something is waited for. */
const NOTE_MS = 500;

const TRY_AGAIN = 'Try again';

const ENTRIES: readonly { readonly title: string; readonly explanation: string; readonly stored: boolean }[] = [
  { title: 'webxen', explanation: 'The machine of this browser: its files survive a reload.', stored: true },
  {
    title: 'webxen, without storage',
    explanation: 'A fresh machine whose files are gone when the tab is closed. The stored ones are not touched.',
    stored: false,
  },
];

/**
 * Resolves with where the machine shall keep its files; rejects with NoMachine after saying on the page what is in the way.
 * `?boot=stored` and `?boot=memory` skip the menu. `onTaken` is called when another tab has taken the stored machine over.
 */
export async function powerOn(place: HTMLElement, parameters: URLSearchParams, onTaken: () => void): Promise<MachineStorage> {
  if (await becomeIsolated()) return new Promise(() => undefined);
  const missing = missingRequirements();
  if (missing.length > 0) {
    showMissing(place, missing);
    throw new NoMachine(missing.map((one) => one.what).join(' '));
  }
  const boot = parameters.get('boot');
  const storage = keptStorage(parameters, localStorage);
  const stored = boot !== 'memory' && (boot === 'stored' || (await choosesStored(place)));
  if (!stored) return { machine: storage.machine, kind: 'memory' };
  const owned = await takesOwnership(place, storage.machine, onTaken);
  const chosen = owned ? storage : await runsElsewhere(place, storage, onTaken);
  if (chosen.kind !== 'memory') askToKeep();
  return chosen;
}

async function takesOwnership(place: HTMLElement, machine: string, onTaken: () => void): Promise<boolean> {
  const note = element(
    'div',
    { class: 'no-machine', role: 'status' },
    element('p', {}, 'The machine is still in use. Waiting a moment for it…'),
  );
  const noting = setTimeout(() => {
    place.append(note);
  }, NOTE_MS);
  try {
    return (await takeOwnership(machine, isReload() ? RELOAD_PATIENCE_MS : PATIENCE_MS, onTaken)) === 'owned';
  } finally {
    clearTimeout(noting);
    note.remove();
  }
}

function isReload(): boolean {
  const [navigation] = performance.getEntriesByType('navigation');
  return navigation instanceof PerformanceNavigationTiming && navigation.type === 'reload';
}

async function choosesStored(place: HTMLElement): Promise<boolean> {
  const index = await chooseBootEntry(place, ENTRIES);
  return ENTRIES[index]?.stored ?? true;
}

/** Asks the browser not to clear the machine when it runs out of room for other sites. It may refuse; `storage` shows that. */
function askToKeep(): void {
  if (!('storage' in navigator)) return;
  navigator.storage.persist().catch(() => undefined);
}

function showMissing(place: HTMLElement, missing: readonly MissingRequirement[]): void {
  place.replaceChildren(
    element(
      'div',
      { class: 'no-machine' },
      element('h2', {}, 'The machine cannot be switched on here'),
      element('ul', {}, ...missing.map((one) => element('li', {}, element('strong', {}, one.what), one.whatToDo))),
      element(
        'div',
        { class: 'actions' },
        button(TRY_AGAIN, () => {
          location.reload();
        }),
      ),
    ),
  );
}

function runsElsewhere(place: HTMLElement, storage: MachineStorage, onTaken: () => void): Promise<MachineStorage> {
  const { machine } = storage;
  return new Promise((resolve, reject) => {
    const tryAgain = button(
      TRY_AGAIN,
      () => {
        tryAgain.disabled = true;
        tryAgain.textContent = 'Trying…';
        takeOwnership(machine, AGAIN_PATIENCE_MS, onTaken).then((ownership) => {
          tryAgain.disabled = false;
          tryAgain.textContent = TRY_AGAIN;
          tryAgain.focus();
          if (ownership === 'owned') finish(storage);
        }, reject);
      },
      { class: 'primary' },
    );
    const name = element('input', { type: 'text', 'aria-label': 'Name of another machine', pattern: '[A-Za-z0-9_\\-]{1,32}' });
    const screen = element(
      'div',
      { class: 'no-machine' },
      element('h2', {}, 'The machine is running in another tab'),
      element(
        'p',
        {},
        `The files and disks of “${machine}” can be open in one tab only. Close the other one and try again, take the machine over ` +
          '(there it ends as when the power fails), or start another one here: of another name, or without storage.',
      ),
      element(
        'div',
        { class: 'actions' },
        tryAgain,
        button('Take it over', () => {
          takeOver(machine, onTaken).then(() => {
            finish(storage);
          }, reject);
        }),
        button('Use a machine without storage', () => {
          finish({ machine, kind: 'memory' });
        }),
      ),
      element(
        'div',
        { class: 'actions' },
        name,
        button('Start another machine', () => {
          if (name.value === '' || !name.checkValidity()) {
            name.focus();
            return;
          }
          const address = new URL(location.href);
          address.searchParams.set('machine', name.value);
          location.assign(address);
        }),
      ),
    );
    const finish = (chosen: MachineStorage): void => {
      screen.remove();
      resolve(chosen);
    };
    place.replaceChildren(screen);
    tryAgain.focus();
  });
}

/** Shows that the machine could not start, or died. */
export function showFailure(place: HTMLElement, reason: string): void {
  place.replaceChildren(
    element(
      'div',
      { class: 'no-machine', role: 'alert' },
      element('h2', {}, 'Domain 0 stopped'),
      element('p', {}, reason),
      element(
        'div',
        { class: 'actions' },
        button(
          'Start the machine again',
          () => {
            location.reload();
          },
          { class: 'primary' },
        ),
      ),
    ),
  );
}
