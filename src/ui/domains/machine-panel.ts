/** The side of the page: the machine's domains, kept up to date, and a form to create one from a file in /etc/xen. */
import type { Dom0, DomainRow } from '../../workers/protocol.ts';
import { confirmDangerous } from '../page/dialogs.ts';
import { button, byId, element } from '../page/dom.ts';
import { notify, notifyError } from '../page/notices.ts';
import { showProgress } from '../page/progress.ts';
import type { ConsoleTabs } from '../terminal/console-tabs.ts';
import { type DomainCommand, DomainList } from './domain-list.ts';

/** vCPU times go on without any event, so they are asked for. */
const REFRESH_MS = 2000;

export class MachinePanel {
  private readonly list = new DomainList((command, domain) => {
    void this.run(command, domain);
  });
  private readonly choice = element('select', { id: 'configuration' });
  private readonly create = button(
    'Create',
    () => {
      void this.createDomain();
    },
    { class: 'primary' },
  );
  private refreshing = false;
  private again = false;

  constructor(
    private readonly dom0: Dom0,
    private readonly consoles: ConsoleTabs,
  ) {}

  /** Call when domain 0 is up. */
  async start(): Promise<void> {
    byId('domain-list').replaceChildren(this.list.element);
    byId('create').append(
      element(
        'div',
        { class: 'create' },
        element('label', { for: 'configuration' }, 'New domain from /etc/xen'),
        element('div', { class: 'row' }, this.choice, this.create),
      ),
    );
    // The files may have changed since: look when the list is about to be used.
    this.choice.addEventListener('focus', () => {
      void this.listConfigurations();
    });
    await this.dom0.onDomainsChanged(() => {
      void this.refresh();
    });
    setInterval(() => {
      if (!document.hidden) void this.refresh();
    }, REFRESH_MS);
    await Promise.all([this.refresh(), this.listConfigurations()]);
  }

  focus(): void {
    const first = byId('machine').querySelector<HTMLElement>('button:not(:disabled):not([hidden] *), select');
    first?.focus();
  }

  private async refresh(): Promise<void> {
    // Calls that come while one is under way are served by one more after it.
    if (this.refreshing) {
      this.again = true;
      return;
    }
    this.refreshing = true;
    try {
      const domains = await this.dom0.domains();
      this.list.update(domains);
      this.consoles.follow(domains);
    } catch (error) {
      notifyError('The domains cannot be listed', error);
    } finally {
      this.refreshing = false;
      if (this.again) {
        this.again = false;
        void this.refresh();
      }
    }
  }

  private async listConfigurations(): Promise<void> {
    const { stdout } = await this.dom0.exec('ls /etc/xen');
    const files = stdout.split('\n').filter((name) => name !== '' && !name.endsWith('.sxp'));
    const shown = Array.from(this.choice.options, (option) => option.value);
    if (files.join('\n') === shown.join('\n')) return;
    const chosen = this.choice.value;
    this.choice.replaceChildren(...files.map((name) => element('option', { value: name }, name)));
    if (files.includes(chosen)) this.choice.value = chosen;
    else if (files.includes('demo')) this.choice.value = 'demo';
  }

  private async createDomain(): Promise<void> {
    const name = this.choice.value;
    if (name === '') return;
    this.create.disabled = true;
    // Fetching shows its own progress; unpacking a kernel and building its memory take their time, too.
    const task = `Creating a domain from /etc/xen/${name}`;
    showProgress({ task, fraction: undefined });
    try {
      const before = new Set((await this.dom0.domains()).map((domain) => domain.domid));
      const result = await this.dom0.exec(`xm create '/etc/xen/${name.replaceAll("'", "'\\''")}'`);
      if (result.exitCode !== 0) {
        notify(`xm create ${name}: ${result.stderr.trim() || result.stdout.trim()}`, 'error');
        return;
      }
      const created = (await this.dom0.domains()).find((domain) => !before.has(domain.domid));
      if (created !== undefined) this.consoles.show(created);
    } catch (error) {
      notifyError(`xm create ${name}`, error);
    } finally {
      showProgress({ task, fraction: 1 });
      this.create.disabled = false;
      void this.refresh();
    }
  }

  private async run(command: DomainCommand, domain: DomainRow): Promise<void> {
    if (command === 'console') {
      this.consoles.show(domain);
      return;
    }
    if (
      command === 'destroy' &&
      !(await confirmDangerous(
        `Destroy ${domain.name}?`,
        'It loses its power at once: what it has not written to its disks is gone.',
        'Destroy',
      ))
    ) {
      return;
    }
    try {
      const result = await this.dom0.exec(`xm ${command} ${domain.domid}`);
      if (result.exitCode !== 0) notify(`xm ${command} ${domain.name}: ${result.stderr.trim() || result.stdout.trim()}`, 'error');
    } catch (error) {
      notifyError(`xm ${command} ${domain.name}`, error);
    } finally {
      void this.refresh();
    }
  }
}
