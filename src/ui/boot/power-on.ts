/** From the loaded page to a machine that may start: what the browser lacks, whose machine it is, what to boot. */
import { becomeIsolated } from '../machine/isolation.ts';
import { takeOwnership } from '../machine/ownership.ts';
import { missingRequirements, type MissingRequirement } from '../machine/requirements.ts';
import { button, element } from '../page/dom.ts';
import { chooseBootEntry } from './boot-menu.ts';

export type MachineStorage = 'indexeddb' | 'memory';

/** Why there will be no machine on this page. */
export class NoMachine extends Error {}

const ENTRIES: readonly { readonly title: string; readonly explanation: string; readonly storage: MachineStorage }[] = [
  { title: 'webxen', explanation: 'The machine of this browser: its files survive a reload.', storage: 'indexeddb' },
  {
    title: 'webxen, without storage',
    explanation: 'A fresh machine whose files are gone when the tab is closed. The stored ones are not touched.',
    storage: 'memory',
  },
];

/**
 * Resolves with where the machine shall keep its files; rejects with NoMachine after saying on the page what is in the way.
 * `?boot=stored` and `?boot=memory` skip the menu.
 */
export async function powerOn(place: HTMLElement, parameters: URLSearchParams): Promise<MachineStorage> {
  if (await becomeIsolated()) return new Promise(() => undefined);
  const missing = missingRequirements();
  if (missing.length > 0) {
    showMissing(place, missing);
    throw new NoMachine(missing.map((one) => one.what).join(' '));
  }
  const boot = parameters.get('boot');
  const storage = boot === 'memory' ? 'memory' : boot === 'stored' ? 'indexeddb' : await chooseStorage(place);
  if (storage === 'memory' || (await takeOwnership()) === 'owned') return storage;
  return runsElsewhere(place);
}

async function chooseStorage(place: HTMLElement): Promise<MachineStorage> {
  const index = await chooseBootEntry(place, ENTRIES);
  return ENTRIES[index]?.storage ?? 'indexeddb';
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
        button('Try again', () => {
          location.reload();
        }),
      ),
    ),
  );
}

function runsElsewhere(place: HTMLElement): Promise<MachineStorage> {
  return new Promise((resolve) => {
    const tryAgain = button(
      'Try again',
      () => {
        void takeOwnership().then((ownership) => {
          if (ownership === 'owned') finish('indexeddb');
        });
      },
      { class: 'primary' },
    );
    const screen = element(
      'div',
      { class: 'no-machine' },
      element('h2', {}, 'The machine is running in another tab'),
      element(
        'p',
        {},
        'Its files can be open in one tab only. Close the other one and try again, or use a machine without storage here.',
      ),
      element(
        'div',
        { class: 'actions' },
        tryAgain,
        button('Use a machine without storage', () => {
          finish('memory');
        }),
      ),
    );
    const finish = (storage: MachineStorage): void => {
      screen.remove();
      resolve(storage);
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
