/** One terminal on the page: xterm.js with its add-ons, following the page's size and colours. */
import { FitAddon } from '@xterm/addon-fit';
import { SearchAddon } from '@xterm/addon-search';
import { SerializeAddon } from '@xterm/addon-serialize';
import { Unicode11Addon } from '@xterm/addon-unicode11';
import { WebLinksAddon } from '@xterm/addon-web-links';
import { Terminal } from '@xterm/xterm';
import { onAppearanceChange, terminalTheme } from '../page/appearance.ts';
import { element } from '../page/dom.ts';

/** Lines kept above the screen. */
const SCROLLBACK_LINES = 20_000;
const FONT = 'ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace';

export interface TerminalViewOptions {
  /** What a screen reader calls it. */
  readonly label: string;
  /** Bytes typed or pasted. */
  readonly onInput: (bytes: Uint8Array) => void;
  readonly onResize?: (columns: number, rows: number) => void;
  /** Ends lines at a line feed alone, for sources that are no terminal's. */
  readonly convertEol?: boolean;
  /** Keeps this size whatever the page's: for tests and demonstrations. */
  readonly fixedSize?: { readonly columns: number; readonly rows: number } | undefined;
}

export class TerminalView {
  readonly element = element('div', { class: 'terminal' });
  private readonly terminal: Terminal;
  private readonly fit = new FitAddon();
  private readonly search = new SearchAddon();
  private readonly serializer = new SerializeAddon();
  private opened = false;

  constructor(private readonly options: TerminalViewOptions) {
    this.terminal = new Terminal({
      allowProposedApi: true,
      convertEol: options.convertEol ?? false,
      // A blinking one is an animation, for which browsers draw 60 frames a second though nothing changes.
      cursorBlink: false,
      fontFamily: FONT,
      fontSize: 14,
      lineHeight: 1.15,
      scrollback: SCROLLBACK_LINES,
      theme: terminalTheme(),
      minimumContrastRatio: 4.5,
      ...(options.fixedSize === undefined ? {} : { cols: options.fixedSize.columns, rows: options.fixedSize.rows }),
    });
    this.terminal.loadAddon(this.fit);
    this.terminal.loadAddon(this.search);
    this.terminal.loadAddon(this.serializer);
    this.terminal.loadAddon(new WebLinksAddon());
    this.terminal.loadAddon(new Unicode11Addon());
    this.terminal.unicode.activeVersion = '11';
    const encoder = new TextEncoder();
    this.terminal.onData((text) => {
      options.onInput(encoder.encode(text));
    });
    // Some mouse reports are not text.
    this.terminal.onBinary((text) => {
      options.onInput(Uint8Array.from(text, (character) => character.charCodeAt(0)));
    });
    this.terminal.onResize(({ cols, rows }) => options.onResize?.(cols, rows));
    this.terminal.attachCustomKeyEventHandler((event) => this.pageKey(event));
    onAppearanceChange(() => {
      this.terminal.options.theme = terminalTheme();
    });
  }

  get columns(): number {
    return this.terminal.cols;
  }

  get rows(): number {
    return this.terminal.rows;
  }

  /** Call when the view has come on screen: xterm measures its font only where it is visible. */
  show(): void {
    if (!this.opened) {
      this.opened = true;
      this.terminal.open(this.element);
      this.terminal.textarea?.setAttribute('aria-label', `${this.options.label}. Press F6 to leave the terminal.`);
      new ResizeObserver(() => {
        this.resize();
      }).observe(this.element);
    }
    this.resize();
  }

  private resize(): void {
    if (this.options.fixedSize === undefined && this.element.clientHeight > 0) this.fit.fit();
  }

  focus(): void {
    this.terminal.focus();
  }

  /** Resolves when the terminal has taken the bytes: whoever writes waits for it, so that output cannot pile up. */
  write(data: Uint8Array | string): Promise<void> {
    return new Promise((resolve) => {
      this.terminal.write(data, resolve);
    });
  }

  findNext(text: string): boolean {
    return this.search.findNext(text, { incremental: false });
  }

  findPrevious(text: string): boolean {
    return this.search.findPrevious(text);
  }

  clearSearch(): void {
    this.search.clearDecorations();
  }

  /** Everything in it, colours included, as an HTML document. */
  asHtml(): string {
    return this.serializer.serializeAsHTML({ includeGlobalBackground: true });
  }

  dispose(): void {
    this.terminal.dispose();
    this.element.remove();
  }

  /** Keys the page keeps for itself; false = the terminal must not take it. */
  private pageKey(event: KeyboardEvent): boolean {
    if (event.key === 'F6') return false;
    if (!event.ctrlKey || !event.shiftKey) return true;
    switch (event.code) {
      case 'KeyC': {
        const selection = this.terminal.getSelection();
        if (event.type === 'keydown' && selection !== '') void navigator.clipboard.writeText(selection);
        event.preventDefault();
        return false;
      }
      // The browser pastes as plain text by itself on Ctrl+Shift+V.
      case 'KeyV':
      case 'KeyF':
        return false;
      default:
        return true;
    }
  }
}
