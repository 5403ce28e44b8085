/** From the start of a guest to its login, each time in a machine of its own. */
import { performance } from 'node:perf_hooks';
import type { Machine } from '../e2e/support/machine.ts';
import type { MeasuredBrowser, Site } from './browser.ts';
import { instructionsOf, type RunnerName } from './guest.ts';
import { QemuMachine } from './qemu.ts';
import type { System32 } from './ramdisks.ts';
import type { Column, Row, Sample } from './report.ts';
import { powerOnV86, v86Line } from './v86.ts';
import { MEMORY_MIB, openPage } from './webxen.ts';

const BOOT_MS = 600_000;
const LOGIN = /login: /;

async function timed(cpuSeconds: () => number, boot: () => Promise<void>): Promise<Sample> {
  const cpu = cpuSeconds();
  const began = performance.now();
  await boot();
  const elapsed = (performance.now() - began) / 1000;
  const hostCpu = cpuSeconds() - cpu;
  return { elapsed, cpu: hostCpu, hostCpu };
}

/** The domain of the site's own kernel and ramdisk. */
export const BOOT_DOMAIN = 'boot';

/** A page that has that domain configured, and its files fetched, as QEMU has its own on disk. */
export async function pageToBoot(browser: MeasuredBrowser, site: Site, commandLine: string): Promise<Machine> {
  const machine = await openPage(browser, site, commandLine);
  await machine.configure(BOOT_DOMAIN, { memory: MEMORY_MIB.small });
  await machine.page.evaluate(() =>
    Promise.all([xen.readFile('/boot/vmlinuz-cloud'), xen.readFile('/boot/initrd.img-cloud')]).then(() => undefined),
  );
  return machine;
}

export async function bootWebxen(browser: MeasuredBrowser, site: Site, commandLine: string): Promise<Sample> {
  const machine = await pageToBoot(browser, site, commandLine);
  const sample = await timed(
    () => browser.cpuSeconds(),
    async () => {
      await machine.run(`xm create ${BOOT_DOMAIN}`);
      await machine.waitFor(BOOT_DOMAIN, 'login: ', BOOT_MS);
    },
  );
  const { retired, translated, handled } = instructionsOf(await machine.counters(BOOT_DOMAIN));
  await machine.page.close();
  return { ...sample, instructions: retired, translated, handled };
}

export async function bootQemu(kernel: string, ramdisk: string): Promise<Sample> {
  let machine: QemuMachine | undefined;
  const sample = await timed(
    () => machine?.cpuSeconds() ?? 0,
    async () => {
      machine = new QemuMachine({ kernel, ramdisk, memoryMiB: MEMORY_MIB.small, vcpus: 1 });
      await machine.waitFor(LOGIN, 0, BOOT_MS);
    },
  );
  await machine?.close();
  return sample;
}

export async function bootV86(browser: MeasuredBrowser, site: Site, system: System32): Promise<Sample> {
  let close: () => Promise<void> = () => Promise.resolve();
  const sample = await timed(
    () => browser.cpuSeconds(),
    async () => {
      const page = await powerOnV86(browser, site, { kernel: system.kernel, ramdisk: system.small });
      close = () => page.close();
      await v86Line(page).waitFor(LOGIN, 0, BOOT_MS);
    },
  );
  await close();
  return sample;
}

export type Boots = Partial<Record<RunnerName, () => Promise<Sample>>>;

export async function runBoots(
  boots: Boots,
  rounds: number,
  onProgress: (what: string) => void,
): Promise<{ rows: Row[]; notes: string[] }> {
  const notes: string[] = [];
  const samples: Partial<Record<Column, Sample[]>> = {};
  for (let round = 0; round < rounds; round++) {
    for (const [name, boot] of Object.entries(boots)) {
      onProgress(`round ${round + 1} of ${rounds}: boot in ${name}`);
      try {
        (samples[name as RunnerName] ??= []).push(await boot());
      } catch (error) {
        notes.push(`boot in ${name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
  return { rows: [{ name: 'boot', what: 'start of the guest to its login', samples }], notes };
}
