/**
 * The boot menu: a few entries, a countdown that any key stops. Arrow keys choose, Enter boots; the mouse works too.
 */
import { element } from '../page/dom.ts';

export interface BootEntry {
  readonly title: string;
  /** What choosing it means, shown below the list. */
  readonly explanation: string;
}

const SECONDS = 5;

/** Shows the menu inside `place`; resolves with the index of the entry to boot and takes the menu away. */
export function chooseBootEntry(place: HTMLElement, entries: readonly BootEntry[]): Promise<number> {
  return new Promise((resolve) => {
    let selected = 0;
    let remaining = SECONDS;
    const options = entries.map((entry, index) => element('li', { role: 'option', id: `boot-entry-${index}` }, entry.title));
    const list = element(
      'ul',
      { role: 'listbox', tabindex: '0', 'aria-label': 'Boot menu', 'aria-describedby': 'boot-explanation' },
      ...options,
    );
    const explanation = element('p', { id: 'boot-explanation', class: 'explanation' });
    const countdown = element('p', { class: 'countdown', 'aria-live': 'off' });
    const menu = element(
      'div',
      { class: 'boot-menu' },
      element('h2', {}, 'webxen boot loader'),
      list,
      explanation,
      element('p', { class: 'keys' }, 'Use ↑ and ↓ to choose, Enter to boot.'),
      countdown,
    );

    const show = (): void => {
      options.forEach((option, index) => {
        option.setAttribute('aria-selected', String(index === selected));
      });
      list.setAttribute('aria-activedescendant', `boot-entry-${selected}`);
      explanation.textContent = entries[selected]?.explanation ?? '';
      countdown.textContent = remaining > 0 ? `The highlighted entry will be booted in ${remaining} s.` : '';
    };
    const boot = (index: number): void => {
      clearInterval(ticking);
      menu.remove();
      resolve(index);
    };
    const stopCountdown = (): void => {
      clearInterval(ticking);
      remaining = 0;
    };
    const ticking = setInterval(() => {
      remaining -= 1;
      if (remaining === 0) boot(selected);
      else show();
    }, 1000);

    list.addEventListener('keydown', (event) => {
      const step = { ArrowDown: 1, ArrowUp: entries.length - 1, Home: -selected, End: entries.length - 1 - selected }[event.key];
      if (event.key === 'Enter') {
        event.preventDefault();
        boot(selected);
        return;
      }
      stopCountdown();
      if (step !== undefined) {
        event.preventDefault();
        selected = (selected + step) % entries.length;
      }
      show();
    });
    options.forEach((option, index) => {
      option.addEventListener('click', () => {
        boot(index);
      });
    });
    show();
    place.append(menu);
    list.focus();
  });
}
