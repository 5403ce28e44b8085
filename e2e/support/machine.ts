/** What every scenario starts from: a page with a machine that has no storage and takes commands, driven by the script API. */
import { test as base, expect, type Page } from '@playwright/test';
import type { ExecResult } from '../../src/workers/protocol.ts';
import type { ExecOptions } from '../../src/ui/machine/script-api.ts';

/** Opens the page without its boot menu and waits until domain 0 takes commands. */
export async function openMachine(page: Page, parameters = 'boot=memory'): Promise<Machine> {
  await page.goto(`./?${parameters}`);
  await page.evaluate(() => xen.ready);
  return new Machine(page);
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
    expect(result, command).toMatchObject({ exitCode: 0 });
    return result.stdout;
  }

  /** Waits for text (or an expression) on a console; what matched. */
  waitFor(domain: string | number, pattern: string | RegExp, timeoutMs: number): Promise<string> {
    const form = typeof pattern === 'string' ? { text: pattern } : { source: pattern.source, flags: pattern.flags };
    return this.page.evaluate(
      ([name, wanted, limit]) =>
        xen.console(name).waitFor('text' in wanted ? wanted.text : new RegExp(wanted.source, wanted.flags), limit),
      [domain, form, timeoutMs] as const,
    );
  }

  send(domain: string | number, text: string): Promise<void> {
    return this.page.evaluate(([name, typed]) => xen.console(name).send(typed), [domain, text] as const);
  }

  text(domain: string | number): Promise<string> {
    return this.page.evaluate((name) => xen.console(name).text(), domain);
  }

  /** Runs a command on a guest's logged-in shell; resolves with what it printed and its exit status. */
  async guest(domain: string | number, command: string, timeoutMs = 60_000): Promise<{ output: string; exitCode: number }> {
    this.marks += 1;
    // The marks are typed with quotes inside, so that the terminal's echo of them does not look like them.
    await this.send(domain, `echo begin-""${this.marks}; ${command}; echo end-""${this.marks}-$?\r`);
    const end = await this.waitFor(domain, new RegExp(`end-${this.marks}-\\d+`), timeoutMs);
    const text = (await this.text(domain)).replaceAll('\r', '');
    const begin = `begin-${this.marks}\n`;
    const output = text.slice(text.lastIndexOf(begin) + begin.length, text.lastIndexOf(end));
    return { output, exitCode: Number(end.slice(end.lastIndexOf('-') + 1)) };
  }

  private marks = 0;

  /** Logs in as root on a guest that shows the ramdisk's login. */
  async login(domain: string | number, timeoutMs = 120_000): Promise<void> {
    await this.waitFor(domain, 'login: ', timeoutMs);
    await this.send(domain, 'root\r');
    await this.waitFor(domain, 'Password: ', 30_000);
    await this.send(domain, 'xen\r');
    await this.waitFor(domain, /root@\S+:~# /, 30_000);
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

export { expect };
