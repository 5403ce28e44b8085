/** Puts the page together around a dom0: script API, terminals, domains, keyboard. */
import type { BootOptions, Dom0 } from '../workers/protocol.ts';
import { showBanner } from './boot/banner.ts';
import { powerOn, showFailure } from './boot/power-on.ts';
import { MachinePanel } from './domains/machine-panel.ts';
import './machine/script-api.ts';
import { createScriptMachine } from './machine/script-machine.ts';
import { summarise } from './machine/summary.ts';
import { appearance, nextAppearance } from './page/appearance.ts';
import { showHelp } from './page/dialogs.ts';
import { button, byId, element } from './page/dom.ts';
import { plainFiles } from './page/dropped-files.ts';
import { acceptDrops, takeFiles } from './page/file-drop.ts';
import { showMachineDialog } from './page/machine-dialog.ts';
import { notifyError } from './page/notices.ts';
import { clearProgress, showProgress } from './page/progress.ts';
import { cycleRegions } from './page/regions.ts';
import { saveBlob } from './page/save-file.ts';
import { ConsoleTabs } from './terminal/console-tabs.ts';
import { SearchBar } from './terminal/search-bar.ts';
import { Tabs } from './terminal/tabs.ts';
import { TerminalView, type TerminalViewOptions } from './terminal/terminal-view.ts';

export interface StartedDom0 {
  readonly dom0: Dom0;
  /** Ends domain 0 and every thread of its machine at once. */
  readonly terminate: () => void;
}

/**
 * `?hypervisor=` in the page's address is the hypervisor's command line.
 * @param startDom0 makes the connection; called once the browser is known to be able to run it. Its argument is to be called when
 * domain 0 cannot run or has died.
 */
export function startPage(startDom0: (onFailure: (reason: string) => void) => StartedDom0): void {
  const parameters = new URLSearchParams(location.search);
  const place = byId('power-on');
  let give: (dom0: Dom0) => void = () => undefined;
  let refuse: (reason: unknown) => void = () => undefined;
  globalThis.xen = createScriptMachine(
    new Promise<Dom0>((resolve, reject) => {
      give = resolve;
      refuse = reject;
    }),
  );

  const run = async (): Promise<void> => {
    let end: () => void = () => undefined;
    const fail = (reason: string): void => {
      clearProgress();
      showFailure(place, reason);
      refuse(new Error(reason));
    };
    const storage = await powerOn(place, parameters, () => {
      end();
      fail('Another tab has taken the machine over.');
    });
    const { dom0, terminate } = startDom0(fail);
    end = terminate;
    await runMachine(dom0, { storage, commandLine: parameters.get('hypervisor') ?? '' }, sizeFrom(parameters), () => {
      give(dom0);
    });
  };
  run().catch((error: unknown) => {
    refuse(error);
    if (place.childElementCount === 0) showFailure(place, error instanceof Error ? error.message : String(error));
  });
}

async function runMachine(
  dom0: Dom0,
  bootOptions: BootOptions,
  fixedSize: TerminalViewOptions['fixedSize'],
  onReady: () => void,
): Promise<void> {
  const search = new SearchBar(() => tabs.current);
  const tabs = new Tabs(byId('tabs'), byId('panels'), (view) => {
    view.focus();
  });
  const consoles = new ConsoleTabs(dom0, tabs, fixedSize);
  const panel = new MachinePanel(dom0, consoles);
  byId('terminals').append(search.element);
  pageButtons(dom0, bootOptions.storage.machine, tabs, search);
  cycleRegions([
    { element: byId('panels'), focus: () => tabs.current?.focus() },
    {
      element: byId('tabs'),
      focus: () => {
        tabs.focusStrip();
      },
    },
    {
      element: byId('machine'),
      focus: () => {
        panel.focus();
      },
    },
    { element: byId('bar-actions'), focus: () => byId('bar-actions').querySelector('button')?.focus() },
  ]);

  const shell = new ShellTerminal(dom0, fixedSize);
  tabs.add('dom0', 'Domain-0', shell.view);
  tabs.select('dom0');
  await showBanner(shell.view);
  await dom0.boot(bootOptions, (progress) => {
    showProgress(progress);
  });
  await shell.view.write((await dom0.consoleText('xen')).replaceAll(/\r?\n/g, '\r\n'));
  consoles.openHypervisor();
  await shell.open();
  acceptDrops(dom0);
  onReady();
  await panel.start();
  const summary = async (): Promise<void> => {
    byId('machine-summary').textContent = summarise((await dom0.exec('xm info')).stdout);
  };
  await dom0.onDomainsChanged(() => {
    summary().catch((error: unknown) => {
      notifyError('xm info', error);
    });
  });
  await summary();
}

/** Domain 0's terminal: a shell, and a new one when it was left. */
class ShellTerminal {
  readonly view: TerminalView;
  private shell: number | undefined;

  constructor(
    private readonly dom0: Dom0,
    fixedSize: TerminalViewOptions['fixedSize'],
  ) {
    this.view = new TerminalView({
      label: 'Shell of domain 0',
      fixedSize,
      onInput: (bytes) => {
        if (this.shell !== undefined) void this.dom0.shellInput(this.shell, bytes);
      },
      onResize: (columns, rows) => {
        if (this.shell !== undefined) void this.dom0.shellResize(this.shell, columns, rows);
      },
    });
  }

  async open(): Promise<void> {
    this.shell = await this.dom0.openShell(
      {
        write: (bytes) => this.view.write(bytes),
        ended: () => {
          this.shell = undefined;
          this.open().catch((error: unknown) => {
            notifyError('The shell cannot be started', error);
          });
        },
      },
      this.view.columns,
      this.view.rows,
    );
  }
}

function pageButtons(dom0: Dom0, machine: string, tabs: Tabs, search: SearchBar): void {
  const files = element('input', { type: 'file', multiple: true, hidden: true });
  files.addEventListener('change', () => {
    void takeFiles(plainFiles(files.files ?? []), dom0).finally(() => {
      files.value = '';
    });
  });
  const look = button('', () => {
    nextAppearance();
    label();
  });
  const label = (): void => {
    look.textContent = `Appearance: ${appearance()}`;
  };
  label();
  byId('bar-actions').append(
    files,
    button('Add files', () => {
      files.click();
    }),
    button('Machine', () => {
      showMachineDialog(dom0, machine);
    }),
    look,
    button('Help', showHelp),
  );
  byId('terminal-tools').append(
    button(
      'Search',
      () => {
        search.open();
      },
      { 'aria-keyshortcuts': 'Control+Shift+F' },
    ),
    button(
      'Save',
      () => {
        save(tabs.current);
      },
      { title: 'Save what the terminal shows as an HTML file' },
    ),
  );
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey && event.shiftKey && event.code === 'KeyF') {
      event.preventDefault();
      search.open();
    }
  });
}

function save(view: TerminalView | undefined): void {
  if (view === undefined) return;
  saveBlob(new Blob([view.asHtml()], { type: 'text/html' }), 'terminal.html');
}

/** `?columns=80&rows=25` fixes the terminals' size. */
function sizeFrom(parameters: URLSearchParams): TerminalViewOptions['fixedSize'] {
  const columns = Number(parameters.get('columns'));
  const rows = Number(parameters.get('rows'));
  const valid = (value: number): boolean => Number.isInteger(value) && value >= 2 && value <= 500;
  return valid(columns) && valid(rows) ? { columns, rows } : undefined;
}
