/** A line to search the terminal in view; Ctrl+Shift+F opens it, Enter and Shift+Enter go on, Escape closes. */
import { button, element } from '../page/dom.ts';
import type { TerminalView } from './terminal-view.ts';

export class SearchBar {
  readonly element: HTMLElement;
  private readonly field = element('input', {
    type: 'search',
    'aria-label': 'Search in the terminal',
    placeholder: 'Search',
    spellcheck: 'false',
  });
  private readonly outcome = element('span', { class: 'outcome', role: 'status' });

  constructor(private readonly current: () => TerminalView | undefined) {
    this.element = element(
      'div',
      { class: 'search', role: 'search', hidden: true },
      this.field,
      button('Previous', () => {
        this.find('previous');
      }),
      button('Next', () => {
        this.find('next');
      }),
      this.outcome,
      button('Close', () => {
        this.close();
      }),
    );
    this.element.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') {
        this.close();
        event.preventDefault();
      } else if (event.key === 'Enter' && event.target === this.field) {
        this.find(event.shiftKey ? 'previous' : 'next');
        event.preventDefault();
      }
    });
  }

  open(): void {
    this.element.hidden = false;
    this.field.select();
    this.field.focus();
  }

  private close(): void {
    this.element.hidden = true;
    this.outcome.textContent = '';
    this.current()?.clearSearch();
    this.current()?.focus();
  }

  private find(direction: 'next' | 'previous'): void {
    const view = this.current();
    const text = this.field.value;
    if (view === undefined || text === '') return;
    const found = direction === 'next' ? view.findNext(text) : view.findPrevious(text);
    this.outcome.textContent = found ? '' : 'Not found';
  }
}
