/**
 * The domains of the machine with what they use and buttons for the usual commands. Rows are kept from one update to the next, so
 * that the keyboard stays where it is.
 */
import type { DomainRow } from '../../workers/protocol.ts';
import { button, element } from '../page/dom.ts';
import { describeState, describeTime } from './domain-state.ts';

export type DomainCommand = 'console' | 'pause' | 'unpause' | 'shutdown' | 'reboot' | 'destroy';

interface Card {
  readonly root: HTMLElement;
  update(row: DomainRow): void;
}

export class DomainList {
  readonly element = element('ul', { class: 'domains' });
  private readonly cards = new Map<number, Card>();

  constructor(private readonly onCommand: (command: DomainCommand, domain: DomainRow) => void) {}

  update(rows: readonly DomainRow[]): void {
    const present = new Set(rows.map((row) => row.domid));
    for (const [domid, card] of this.cards) {
      if (present.has(domid)) continue;
      const hadFocus = card.root.contains(document.activeElement);
      card.root.remove();
      this.cards.delete(domid);
      if (hadFocus) this.element.querySelector('button')?.focus();
    }
    for (const row of rows) {
      let card = this.cards.get(row.domid);
      if (card === undefined) {
        card = this.card(row);
        this.cards.set(row.domid, card);
        this.element.append(card.root);
      }
      card.update(row);
    }
  }

  private card(first: DomainRow): Card {
    let domain = first;
    const name = element('h3', {});
    const badge = element('span', { class: 'state' });
    const figure = (label: string): { root: HTMLElement; value: HTMLElement } => {
      const value = element('dd');
      return { root: element('div', {}, element('dt', {}, label), value), value };
    };
    const id = figure('ID');
    const memory = figure('Memory');
    const vcpus = figure('vCPUs');
    const time = figure('vCPU time');
    const command = (label: string, run: () => DomainCommand): HTMLButtonElement =>
      button(label, () => {
        this.onCommand(run(), domain);
      });
    const console = command('Console', () => 'console');
    const pause = command('Pause', () => (describeState(domain.state).paused ? 'unpause' : 'pause'));
    const shutdown = command('Shut down', () => 'shutdown');
    const reboot = command('Reboot', () => 'reboot');
    const destroy = command('Destroy', () => 'destroy');
    destroy.classList.add('danger');
    const actions = element('div', { class: 'actions', role: 'group' }, console, pause, shutdown, reboot, destroy);
    // Domain 0 is the machine's own: nothing there to pause or to end.
    if (first.domid === 0) actions.hidden = true;
    const root = element(
      'li',
      { class: 'domain' },
      element('header', {}, name, badge),
      element('dl', {}, id.root, memory.root, vcpus.root, time.root),
      actions,
    );

    return {
      root,
      update: (row) => {
        domain = row;
        const state = describeState(row.state);
        setText(name, row.name);
        setText(badge, state.word);
        badge.dataset['state'] = state.word;
        badge.title = row.state;
        setText(id.value, String(row.domid));
        setText(
          memory.value,
          row.maxMemoryMiB > row.memoryMiB ? `${row.memoryMiB} of ${row.maxMemoryMiB} MiB` : `${row.memoryMiB} MiB`,
        );
        setText(vcpus.value, row.maxVcpus > row.vcpus ? `${row.vcpus} of ${row.maxVcpus}` : String(row.vcpus));
        setText(time.value, describeTime(row.cpuTimeSeconds));
        setText(pause, state.paused ? 'Resume' : 'Pause');
        actions.setAttribute('aria-label', `Commands for ${row.name}`);
        // The words alone do not say which domain is meant.
        for (const one of [console, pause, shutdown, reboot, destroy])
          one.setAttribute('aria-label', `${one.textContent} ${row.name}`);
        for (const one of [pause, shutdown, reboot]) one.disabled = state.over;
      },
    };
  }
}

/** Text that is the same is left alone: screen readers would read it again. */
function setText(target: HTMLElement, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}
