/** What the browser's threads and the rest of the host do during a measurement. */
import type { MeasuredBrowser } from './browser.ts';
import { addUse, hostUse, type NamedUse, NO_USE, usedBetween } from './process-time.ts';

export interface Use {
  /** s */
  readonly elapsed: number;
  /** Of the browser, by name of thread. */
  readonly threads: readonly (readonly [name: string, use: NamedUse])[];
  readonly total: NamedUse;
  /** Share of the host's processors that other programs used. */
  readonly others: number;
}

/** Workers of the page, as Chromium calls their threads: of each vCPU one, domain 0's and the shell's. */
export const WORKER_THREADS = 'DedicatedWorker';

export async function useDuring(browser: MeasuredBrowser, work: () => Promise<void>): Promise<Use> {
  const began = performance.now();
  const host = hostUse();
  const before = browser.threads();
  await work();
  const threads = [...usedBetween(before, browser.threads())].sort(([, a], [, b]) => b.seconds - a.seconds);
  const { busy, idle } = hostUse();
  const total = threads.reduce((sum, [, use]) => addUse(sum, use), NO_USE);
  const all = busy - host.busy + idle - host.idle;
  return {
    elapsed: (performance.now() - began) / 1000,
    threads,
    total,
    others: Math.max(0, (busy - host.busy - total.seconds) / Math.max(all, 0.01)),
  };
}

/** Of the threads named so. */
export function useOf({ threads }: Use, name: string): NamedUse {
  return threads.find(([one]) => one === name)?.[1] ?? NO_USE;
}

/** The threads that used most, as "name 1.234 s" each. */
export function busiest({ threads }: Use, count: number): string {
  return threads
    .slice(0, count)
    .map(([name, { seconds }]) => `${name} ${seconds.toFixed(3)} s`)
    .join(', ');
}
