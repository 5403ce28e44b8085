/**
 * The terminals' tabs, after the ARIA tabs pattern: one tab stop, arrow keys move, Home and End jump, Delete closes.
 * @see ARIA Authoring Practices Guide, "Tabs"
 */
import { element } from '../page/dom.ts';
import type { TerminalView } from './terminal-view.ts';

export interface Tab {
  readonly id: string;
  readonly view: TerminalView;
  setTitle(title: string, ended?: boolean): void;
}

interface OpenTab extends Tab {
  readonly head: HTMLElement;
  readonly handle: HTMLButtonElement;
  readonly panel: HTMLElement;
  readonly onClose: (() => void) | undefined;
}

export class Tabs {
  private readonly tabs: OpenTab[] = [];
  private selected: OpenTab | undefined;

  constructor(
    private readonly strip: HTMLElement,
    private readonly panels: HTMLElement,
    private readonly onSelect: (view: TerminalView) => void,
  ) {
    strip.setAttribute('role', 'tablist');
    strip.setAttribute('aria-label', 'Terminals');
    strip.addEventListener('keydown', (event) => {
      this.key(event);
    });
  }

  /** Adds a tab at the end, not selected. With onClose it can be closed by the user. */
  add(id: string, title: string, view: TerminalView, onClose?: () => void): Tab {
    const handle = element(
      'button',
      { type: 'button', role: 'tab', id: `tab-${id}`, 'aria-controls': `panel-${id}`, 'aria-selected': 'false', tabindex: '-1' },
      title,
    );
    const head = element('div', { class: 'tab', role: 'presentation' }, handle);
    const panel = element(
      'div',
      { class: 'panel', role: 'tabpanel', id: `panel-${id}`, 'aria-labelledby': `tab-${id}`, hidden: true },
      view.element,
    );
    const tab: OpenTab = {
      id,
      view,
      head,
      handle,
      panel,
      onClose,
      setTitle: (text, ended = false) => {
        handle.textContent = text;
        head.classList.toggle('ended', ended);
      },
    };
    handle.addEventListener('click', () => {
      this.select(id);
      view.focus();
    });
    if (onClose !== undefined) {
      // Not in the order of keys, which would break the pattern: Delete on the tab does the same.
      const close = element(
        'button',
        { type: 'button', class: 'close', tabindex: '-1', 'aria-hidden': 'true', title: 'Close (Delete)' },
        '×',
      );
      close.addEventListener('click', () => {
        this.close(tab);
      });
      handle.setAttribute('aria-keyshortcuts', 'Delete');
      head.append(close);
    }
    this.strip.append(head);
    this.panels.append(panel);
    this.tabs.push(tab);
    return tab;
  }

  has(id: string): boolean {
    return this.tabs.some((tab) => tab.id === id);
  }

  select(id: string): void {
    const tab = this.tabs.find((one) => one.id === id);
    if (tab === undefined) return;
    for (const other of this.tabs) {
      const on = other === tab;
      other.handle.setAttribute('aria-selected', String(on));
      other.handle.tabIndex = on ? 0 : -1;
      other.head.classList.toggle('selected', on);
      other.panel.hidden = !on;
    }
    this.selected = tab;
    tab.view.show();
    this.onSelect(tab.view);
  }

  get current(): TerminalView | undefined {
    return this.selected?.view;
  }

  /** Puts the keyboard on the selected tab. */
  focusStrip(): void {
    this.selected?.handle.focus();
  }

  private close(tab: OpenTab): void {
    if (tab.onClose === undefined) return;
    const index = this.tabs.indexOf(tab);
    this.tabs.splice(index, 1);
    tab.head.remove();
    tab.panel.remove();
    tab.onClose();
    tab.view.dispose();
    if (this.selected === tab) {
      const next = this.tabs[Math.min(index, this.tabs.length - 1)];
      if (next !== undefined) {
        this.select(next.id);
        next.handle.focus();
      }
    }
  }

  private key(event: KeyboardEvent): void {
    const tab = this.selected;
    if (tab === undefined) return;
    const index = this.tabs.indexOf(tab);
    const count = this.tabs.length;
    let target: OpenTab | undefined;
    switch (event.key) {
      case 'ArrowRight':
        target = this.tabs[(index + 1) % count];
        break;
      case 'ArrowLeft':
        target = this.tabs[(index + count - 1) % count];
        break;
      case 'Home':
        target = this.tabs[0];
        break;
      case 'End':
        target = this.tabs[count - 1];
        break;
      case 'Delete':
        this.close(tab);
        event.preventDefault();
        return;
      default:
        return;
    }
    event.preventDefault();
    if (target === undefined) return;
    this.select(target.id);
    target.handle.focus();
  }
}
