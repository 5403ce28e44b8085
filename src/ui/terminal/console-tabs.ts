/** The tabs of guests' consoles and of the hypervisor's: opened on demand, attached again when a domain comes back under its name. */
import type { Dom0, DomainRow } from '../../workers/protocol.ts';
import { notifyError } from '../page/notices.ts';
import type { Tab, Tabs } from './tabs.ts';
import { TerminalView, type TerminalViewOptions } from './terminal-view.ts';

interface OpenConsole {
  readonly name: string;
  domid: number;
  ended: boolean;
  /**
   * Known when the scrollback has been shown. Until then nothing is sent: the terminal would answer, as if typed, what programs
   * asked it long ago (where its cursor is, for one).
   */
  handle: number | undefined;
  readonly tab: Tab;
  readonly view: TerminalView;
}

export class ConsoleTabs {
  private readonly open = new Map<string, OpenConsole>();

  constructor(
    private readonly dom0: Dom0,
    private readonly tabs: Tabs,
    private readonly fixedSize: TerminalViewOptions['fixedSize'],
  ) {}

  /** The hypervisor's console: always there, cannot be closed. */
  openHypervisor(): void {
    const view = new TerminalView({
      label: 'Console of the hypervisor',
      convertEol: true,
      fixedSize: this.fixedSize,
      onInput: (bytes) => {
        this.dom0.consoleInput('xen', bytes).catch((error: unknown) => {
          notifyError('The hypervisor’s console does not take input', error);
        });
      },
    });
    this.tabs.add('xen', 'Xen', view);
    this.dom0.openConsole('xen', { write: (bytes) => view.write(bytes), ended: () => undefined }).catch((error: unknown) => {
      notifyError('The hypervisor’s console cannot be opened', error);
    });
  }

  /** Shows a guest's console, opening it when it is not open yet. */
  show(domain: DomainRow): void {
    const id = `console-${domain.name}`;
    const present = this.open.get(domain.name);
    if (present === undefined) {
      this.add(id, domain);
    } else if (present.ended && present.domid !== domain.domid) {
      this.attach(present, domain.domid);
    }
    this.tabs.select(id);
    this.open.get(domain.name)?.view.focus();
  }

  /** A domain that restarts has a new id: its open console follows the name. */
  follow(domains: readonly DomainRow[]): void {
    for (const console of this.open.values()) {
      const successor = domains.find((domain) => domain.name === console.name && domain.domid > console.domid);
      if (console.ended && successor !== undefined) this.attach(console, successor.domid);
    }
  }

  private add(id: string, domain: DomainRow): void {
    const view = new TerminalView({
      label: `Console of ${domain.name}`,
      fixedSize: this.fixedSize,
      onInput: (bytes) => {
        const console = this.open.get(domain.name);
        if (console?.handle === undefined || console.ended) return;
        this.dom0.consoleInput(console.domid, bytes).catch((error: unknown) => {
          notifyError(`The console of ${domain.name} does not take input`, error);
        });
      },
    });
    const tab = this.tabs.add(id, domain.name, view, () => {
      const console = this.open.get(domain.name);
      this.open.delete(domain.name);
      if (console?.handle !== undefined) void this.dom0.closeTerminal(console.handle);
    });
    const console: OpenConsole = { name: domain.name, domid: domain.domid, ended: true, handle: undefined, tab, view };
    this.open.set(domain.name, console);
    // A kernel may be silent for its first seconds: an empty terminal would look broken.
    void view.write(`\x1b[2m[console of ${domain.name}, domain ${domain.domid}]\x1b[0m\r\n`);
    this.attach(console, domain.domid);
  }

  private attach(console: OpenConsole, domid: number): void {
    if (console.domid !== domid) void console.view.write(`\r\n\x1b[2m[${console.name} is back as domain ${domid}]\x1b[0m\r\n`);
    console.domid = domid;
    console.ended = false;
    console.handle = undefined;
    console.tab.setTitle(console.name);
    const sink = {
      write: (bytes: Uint8Array) => console.view.write(bytes),
      ended: (reason: string) => {
        if (console.domid !== domid) return;
        console.ended = true;
        console.tab.setTitle(`${console.name} (ended)`, true);
        void console.view.write(`\r\n\x1b[2m[${reason}]\x1b[0m\r\n`);
      },
    };
    this.dom0.openConsole(domid, sink).then(
      (handle) => {
        console.handle = handle;
        if (!this.open.has(console.name)) void this.dom0.closeTerminal(handle);
      },
      (error: unknown) => {
        console.ended = true;
        notifyError(`The console of ${console.name} cannot be opened`, error);
      },
    );
  }
}
