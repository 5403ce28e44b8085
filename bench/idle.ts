/**
 * What a machine costs that has nothing to do: host processor time of all the browser's processes, and how often its threads woke,
 * with no guest and with a guest idle at its login.
 */
import type { MeasuredBrowser, Site } from './browser.ts';
import { type Idle, shown, table } from './report.ts';
import { busiest, useDuring, useOf, WORKER_THREADS } from './use.ts';
import { openPage } from './webxen.ts';

const BOOT_MS = 600_000;
const VCPUS = [0, 1, 2, 32];
/** Until what a boot leaves to do is done: deferred work of the guest's kernel, the browser's compiler and collector. */
const SETTLE_MS = 30_000;
const WATCH_MS = 30_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function idle(browser: MeasuredBrowser, site: Site, commandLine: string, vcpus: number): Promise<Idle> {
  const machine = await openPage(browser, site, commandLine);
  try {
    if (vcpus > 0) {
      await machine.configure('idle', { vcpus, memory: vcpus > 8 ? 512 : 256 });
      await machine.run('xm create idle');
      await machine.waitFor('idle', 'login: ', BOOT_MS);
    }
    await pause(SETTLE_MS);
    const instructions = async (): Promise<number> =>
      vcpus === 0
        ? 0
        : (await machine.counters('idle')).reduce((sum, one) => sum + one.instructionsInterpreted + one.instructionsTranslated, 0);
    const before = await instructions();
    const use = await useDuring(browser, () => pause(WATCH_MS));
    const workers = useOf(use, WORKER_THREADS);
    return {
      vcpus,
      seconds: use.elapsed,
      hostCpu: use.total.seconds,
      workers: workers.seconds,
      wakes: use.total.sleeps,
      workerWakes: workers.sleeps,
      instructions: (await instructions()) - before,
      others: use.others,
      threads: busiest(use, 6),
    };
  } finally {
    await machine.page.close();
  }
}

export async function measureIdle(
  browser: MeasuredBrowser,
  site: Site,
  commandLine: string,
  onProgress: (what: string) => void,
): Promise<Idle[]> {
  const found: Idle[] = [];
  for (const vcpus of VCPUS) {
    onProgress(vcpus === 0 ? 'idle: no guest' : `idle: a guest with ${vcpus} vCPUs at its login`);
    found.push(await idle(browser, site, commandLine, vcpus));
  }
  return found;
}

export function idleTable(rows: readonly Idle[]): string {
  const rate = (value: number, { seconds }: Idle): string => shown(value / seconds, 1);
  return [
    table([
      [
        'idle at the login',
        'ms of CPU a second',
        'of workers',
        'wakes a second',
        'of workers',
        'guest instructions a second',
        'others',
      ],
      ...rows.map((row) => [
        row.vcpus === 0 ? 'no guest' : `${row.vcpus} vCPU${row.vcpus > 1 ? 's' : ''}`,
        rate(row.hostCpu * 1000, row),
        rate(row.workers * 1000, row),
        rate(row.wakes, row),
        rate(row.workerWakes, row),
        rate(row.instructions, row),
        `${(row.others * 100).toFixed(0)} %`,
      ]),
    ]),
    ...rows.map(({ vcpus, threads }) => `threads with ${vcpus} vCPUs: ${threads}`),
  ].join('\n');
}
