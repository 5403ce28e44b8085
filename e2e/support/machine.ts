/** What every scenario starts from: a page with a machine that has no storage and takes commands, driven by the script API. */
import { test as base, expect, type Page } from '@playwright/test';
import type { ExecResult, VcpuCounters } from '../../src/workers/protocol.ts';
import type { ExecOptions } from '../../src/ui/machine/script-api.ts';

/**
 * Opens the page without its boot menu and waits until domain 0 takes commands. WEBXEN_TRANSLATOR sets what its hypervisor does about
 * hot code (on, off, eager) where the parameters do not.
 */
export async function openMachine(page: Page, parameters = 'boot=memory'): Promise<Machine> {
  const mode = process.env['WEBXEN_TRANSLATOR'];
  await page.goto(
    `./?${parameters}${mode === undefined || parameters.includes('hypervisor=') ? '' : `&hypervisor=translator=${mode}`}`,
  );
  await page.evaluate(() => xen.ready);
  return new Machine(page);
}

/** How long a guest that works may take for something that takes a second or two on an idle machine: with little or all code translated longer. */
export const GUEST_MS = 180_000 * (['off', 'eager'].includes(process.env['WEBXEN_TRANSLATOR'] ?? 'on') ? 4 : 1);

/** Settings of a domain, as its configuration file has them. */
export type Settings = Readonly<Record<string, string | number>>;

/** What a domain may not leave behind when it is gone. */
export interface Holdings {
  readonly domains: readonly string[];
  readonly store: string;
  readonly freeMemoryMiB: number;
  /** By kind, which is the folder of src/workers. */
  readonly workers: Readonly<Record<string, number>>;
}

/**
 * Workers that a machine keeps: one of each kind for the next who needs it (workers/vcpu/launcher.ts, python/disposable-evaluator.ts), and
 * shells (dom0/executor.ts, and that of the console). They come and go by themselves, and the browser tells of it later.
 */
const KEPT_WORKERS: Readonly<Record<string, number>> = { dom0: 1, storage: 1, translator: 1, vcpu: 1, python: 1, shell: 3 };

/** What a kernel says, in the midst of what programs print, when its processor was away while it read a clock: a busy host. */
export const BUSY_HOST = /hrtimer: interrupt took|clocksource: |tsc: Marking TSC unstable due to clocksource watchdog/;
const BUSY_HOST_LINES = new RegExp(`\\[ *\\d+\\.\\d+\\] (${BUSY_HOST.source}).*\\n`, 'g');

/** What a guest's console shows, ends of lines as "\n", without that. */
export const withoutBusyHost = (console: string): string => console.replaceAll('\r', '').replaceAll(BUSY_HOST_LINES, '');

/** The larger of two counts of each kind. */
function atLeast(counts: Readonly<Record<string, number>>, least: Readonly<Record<string, number>>): Record<string, number> {
  const kinds = new Set([...Object.keys(counts), ...Object.keys(least)]);
  return Object.fromEntries([...kinds].sort().map((kind) => [kind, Math.max(counts[kind] ?? 0, least[kind] ?? 0)]));
}

/** Instructions a virtual CPU has retired. */
export function retired(counters: VcpuCounters | undefined): number {
  return counters === undefined ? 0 : counters.instructionsInterpreted + counters.instructionsTranslated;
}

/** The script API of a page, from the test's side. */
export class Machine {
  constructor(readonly page: Page) {}

  exec(command: string, options?: ExecOptions): Promise<ExecResult> {
    return this.page.evaluate(([line, how]) => xen.exec(line, how), [command, options] as const);
  }

  /** Runs a command that must succeed; its output. */
  async run(command: string): Promise<string> {
    const result = await this.exec(command);
    if (result.exitCode !== 0) throw new Error(`${command}: status ${result.exitCode}\n${result.stdout}${result.stderr}`);
    return result.stdout;
  }

  /** Runs a command that must fail as commands of xm do: status 1, one line "Error: ..." on stderr. That line. */
  async refused(command: string): Promise<string> {
    const result = await this.exec(command);
    expect(result, command).toMatchObject({ exitCode: 1 });
    const errors = result.stderr.split('\n').filter((line) => line.startsWith('Error: '));
    expect(errors, `${command}: ${result.stderr}`).toHaveLength(1);
    return errors[0]!;
  }

  write(path: string, data: string | Uint8Array): Promise<void> {
    return typeof data === 'string'
      ? this.page.evaluate(([name, text]) => xen.writeFile(name, text), [path, data] as const)
      : this.page.evaluate(
          ([name, encoded]) =>
            xen.writeFile(
              name,
              Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0)),
            ),
          [path, Buffer.from(data).toString('base64')] as const,
        );
  }

  /** Puts a file of build/test-images/ among domain 0's. */
  async fetchTestImage(name: string, path: string): Promise<void> {
    await this.page.evaluate(
      async ([file, target]) => {
        const response = await fetch(`/test-images/${file}`);
        if (!response.ok) throw new Error(`${file}: ${response.status}`);
        await xen.writeFile(target, new Uint8Array(await response.arrayBuffer()));
      },
      [name, path] as const,
    );
  }

  /** Writes /etc/xen/NAME. Without a kernel it is the cloud one with its ramdisk; messages go to the console. */
  async configure(name: string, settings: Settings = {}): Promise<void> {
    const stock = settings['kernel'] === undefined ? { kernel: '/boot/vmlinuz-cloud', ramdisk: '/boot/initrd.img-cloud' } : {};
    const all = { name, memory: 256, extra: 'console=hvc0 earlyprintk=xen', ...stock, ...settings };
    const lines = Object.entries(all).map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`);
    await this.write(`/etc/xen/${name}`, lines.join(''));
  }

  counters(domain: string | number): Promise<VcpuCounters[]> {
    return this.page.evaluate((name) => xen.counters(name), domain);
  }

  /** Names and states of the domains besides domain 0. */
  async domains(): Promise<{ name: string; domid: number; memoryMiB: number; vcpus: number; state: string }[]> {
    const [, domain0, ...rows] = (await this.run('xm list')).trim().split('\n');
    expect(domain0).toMatch(/^Domain-0 /);
    return rows.map((row) => {
      const [name = '', domid, memory, vcpus, state = ''] = row.split(/ +/);
      return { name, domid: Number(domid), memoryMiB: Number(memory), vcpus: Number(vcpus), state };
    });
  }

  async state(name: string): Promise<string | undefined> {
    return (await this.domains()).find((domain) => domain.name === name)?.state;
  }

  async holdings(): Promise<Holdings> {
    const domains = (await this.domains()).map((domain) => domain.name);
    // Folders that stay once they were needed hold nothing themselves.
    const store = (await this.run('xenstore-ls -f /')).replaceAll(/^\/(vm|local\/domain\/0\/backend(\/console)?) = ""\n/gm, '');
    const freeMemoryMiB = Number(/^free_memory\s*: (\d+)/m.exec(await this.run('xm info'))?.[1]);
    return { domains, store, freeMemoryMiB, workers: atLeast(this.workers(), KEPT_WORKERS) };
  }

  /** As the browser counts them, those that workers started included. */
  private workers(): Record<string, number> {
    const count: Record<string, number> = {};
    for (const worker of this.page.workers()) {
      const [, kind = 'other'] = /\/assets\/([a-z0-9]+)-[^/]*$/.exec(worker.url()) ?? [];
      count[kind] = (count[kind] ?? 0) + 1;
    }
    return count;
  }

  /** As `holdings`, when they have not changed for two seconds: threads kept ready for the next domain are made anew after each. */
  async settledHoldings(): Promise<Holdings> {
    for (let before = await this.holdings(); ;) {
      await this.page.waitForTimeout(2000);
      const after = await this.holdings();
      if (JSON.stringify(after) === JSON.stringify(before)) return after;
      before = after;
    }
  }

  /** Waits until there is no more than there was besides domain 0. Workers take a moment to die: then there may have been one too many. */
  async expectNothingLeft(before: Holdings): Promise<void> {
    const left = async (): Promise<Holdings> => {
      const now = await this.holdings();
      return { ...now, workers: atLeast(now.workers, before.workers) };
    };
    await expect.poll(left, { message: 'left over' }).toEqual(before);
  }

  /** Waits for text (or an expression) on a console; what matched. */
  waitFor(domain: string | number, pattern: string | RegExp, timeoutMs = GUEST_MS): Promise<string> {
    const form = typeof pattern === 'string' ? { text: pattern } : { source: pattern.source, flags: pattern.flags };
    return this.page.evaluate(
      ([name, wanted, limit]) =>
        xen.console(name).waitFor('text' in wanted ? wanted.text : new RegExp(wanted.source, wanted.flags), limit),
      [domain, form, timeoutMs] as const,
    );
  }

  /** The same for as long as the guest goes on printing: on a busy machine it boots slowly, a stuck one is silent. */
  async waitWhilePrinting(domain: string | number, pattern: string | RegExp, silenceMs = GUEST_MS): Promise<string> {
    for (let before = -1; ;) {
      try {
        return await this.waitFor(domain, pattern, silenceMs);
      } catch (error) {
        const printed = (await this.text(domain)).length;
        if (printed === before) throw error;
        before = printed;
      }
    }
  }

  send(domain: string | number, text: string): Promise<void> {
    return this.page.evaluate(([name, typed]) => xen.console(name).send(typed), [domain, text] as const);
  }

  text(domain: string | number): Promise<string> {
    return this.page.evaluate((name) => xen.console(name).text(), domain);
  }

  /** The lines that the terminal in front shows. */
  screen(): Promise<string> {
    return this.page.evaluate(() =>
      [...document.querySelectorAll('[role=tabpanel]:not([hidden]) .xterm-rows > div')]
        .map((row) => row.textContent.trimEnd())
        .join('\n'),
    );
  }

  /** Runs a command on a guest's logged-in shell; resolves with what it printed and its exit status. */
  async guest(domain: string | number, command: string, timeoutMs = GUEST_MS): Promise<{ output: string; exitCode: number }> {
    this.marks += 1;
    // The marks are typed with quotes inside, so that the terminal's echo of them does not look like them.
    await this.send(domain, `echo begin-""${this.marks}; ${command}; echo end-""${this.marks}-$?\r`);
    const end = await this.waitFor(domain, new RegExp(`end-${this.marks}-\\d+`), timeoutMs);
    const text = (await this.text(domain)).replaceAll('\r', '');
    const begin = `begin-${this.marks}\n`;
    const output = text.slice(text.lastIndexOf(begin) + begin.length, text.lastIndexOf(end));
    return { output: withoutBusyHost(output), exitCode: Number(end.slice(end.lastIndexOf('-') + 1)) };
  }

  private marks = 0;

  /** Waits until a guest with the usual ramdisk has booted and logs in as root. */
  async login(domain: string | number, silenceMs = GUEST_MS): Promise<void> {
    await this.waitWhilePrinting(domain, 'login: ', silenceMs);
    await this.send(domain, 'root\r');
    await this.waitFor(domain, 'Password: ');
    await this.send(domain, 'xen\r');
    await this.waitFor(domain, /root@\S+:~# /);
  }
}

/** A test with a machine; fails when the page reported an error nobody expected. */
export const test = base.extend<{ machine: Machine }>({
  machine: async ({ page }, use) => {
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));
    await use(await openMachine(page));
    expect(problems, 'errors on the page').toEqual([]);
  },
});

/** A test that shares its machine with the others of its file, so it has to leave it as it was. */
export const sharedTest = base.extend<object, { machine: Machine }>({
  machine: [
    async ({ browser }, use) => {
      const page = await browser.newPage();
      await use(await openMachine(page));
      await page.close();
    },
    { scope: 'worker' },
  ],
});

export { expect };
