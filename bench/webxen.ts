/** webxen's guests: domains of one page. */
import { readFileSync } from 'node:fs';
import type { Guest, GuestKind, Runner, RunnerName } from './guest.ts';
import { GUEST_VCPUS, instructionsOf } from './guest.ts';
import type { Ramdisks } from './ramdisks.ts';
import type { Machine } from '../e2e/support/machine.ts';
import { openMachine } from '../e2e/support/machine.ts';
import type { MeasuredBrowser, Site } from './browser.ts';

const BOOT_MS = 600_000;
/** Guests' memory by their ramdisk; QEMU's have the same. */
export const MEMORY_MIB = { small: 320, debian: 640 } as const;
class DomainGuest implements Guest {
  constructor(
    private readonly machine: Machine,
    private readonly domain: string,
    private readonly browser: MeasuredBrowser,
  ) {}

  run(command: string, timeoutMs: number): ReturnType<Machine['guest']> {
    return this.machine.guest(this.domain, command, timeoutMs);
  }

  cpuSeconds(): Promise<number> {
    return Promise.resolve(this.browser.cpuSeconds());
  }

  async instructions(): ReturnType<Guest['instructions']> {
    return instructionsOf(await this.machine.counters(this.domain));
  }
}

/** Opens a page at the site with the hypervisor's command line given. */
export async function openPage({ browser }: MeasuredBrowser, site: Site, commandLine: string): Promise<Machine> {
  const page = await browser.newPage({ baseURL: site.url, viewport: { width: 1280, height: 800 } });
  // tsx has functions keep their names by a function of its own, which those that run in the page want too.
  await page.addInitScript('globalThis.__name = (named) => named');
  page.on('pageerror', (error) => {
    console.error(`error on the page: ${error.message}`);
  });
  return openMachine(page, `boot=memory&hypervisor=${encodeURIComponent(commandLine)}`);
}

/** The domain of a kind of guest. */
export const domainOf = (kind: GuestKind): string => `bench-${kind}`;

export async function startWebxen(
  browser: MeasuredBrowser,
  site: Site,
  ramdisks: Ramdisks,
  commandLine: string,
  name: RunnerName = 'webxen',
): Promise<Runner & { readonly machine: Machine }> {
  const machine = await openPage(browser, site, commandLine);
  const guests = new Map<GuestKind, Promise<Guest>>();
  const sent = new Set<string>();
  const boot = async (kind: GuestKind): Promise<Guest> => {
    const domain = domainOf(kind);
    const size = kind === 'debian' ? 'debian' : 'small';
    const ramdisk = `/root/initrd-${size}`;
    if (!sent.has(ramdisk)) await machine.write(ramdisk, readFileSync(ramdisks[size]));
    sent.add(ramdisk);
    await machine.configure(domain, { kernel: '/boot/vmlinuz-cloud', ramdisk, vcpus: GUEST_VCPUS[kind], memory: MEMORY_MIB[size] });
    await machine.run(`xm create ${domain}`);
    await machine.login(domain, BOOT_MS);
    return new DomainGuest(machine, domain, browser);
  };
  return {
    name,
    machine,
    guest: (kind) => {
      const guest = guests.get(kind) ?? boot(kind);
      guests.set(kind, guest);
      return guest;
    },
    close: () => machine.page.close(),
  };
}
