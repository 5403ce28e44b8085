/**
 * How long guests stand still for the translator, by one vCPU's clock: while a guest boots, and while each program of the set runs for
 * the first time. Choosing and emitting code is the translator's own work, compiling the engine's (its first tier).
 */
import type { ProfilePause } from '../src/engine/jit/code-profile.ts';
import type { MeasuredBrowser, Site } from './browser.ts';
import { type Built, GUEST_PATH } from './build-programs.ts';
import { ramdisks64 } from './ramdisks.ts';
import { type Pauses, shown, table } from './report.ts';
import type { Program } from './set.ts';
import { startWebxen } from './webxen.ts';

const LIMIT_MS = 600_000;
/** A virtual CPU tells what it gathered a few times a second. */
const SETTLE_MS = 400;

export async function measurePauses(
  browser: MeasuredBrowser,
  site: Site,
  built: Built,
  commandLine: string,
  programs: readonly Program[],
  onProgress: (what: string) => void,
): Promise<Pauses[]> {
  const runner = await startWebxen(browser, site, ramdisks64(built, false), `${commandLine} profile`.trim());
  try {
    const found: Pauses[] = [];
    const gather = async (name: string, kind: string): Promise<void> => {
      await runner.machine.page.waitForTimeout(SETTLE_MS);
      const { pauses } = await runner.machine.page.evaluate((domain) => xen.profile(domain), `bench-${kind}`);
      found.push({ name, pauses });
    };
    onProgress('pauses: boot');
    const guest = await runner.guest('one');
    await gather('boot', 'one');
    for (const program of programs.filter((one) => one.guest === 'one')) {
      onProgress(`pauses: ${program.name}`);
      await guest.run(`${GUEST_PATH} ${program.name} ${program.size}`, LIMIT_MS);
      await gather(program.name, 'one');
    }
    return found;
  } finally {
    await runner.close();
  }
}

function percentile(sorted: readonly number[], share: number): number | undefined {
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)];
}

export function pausesTable(rows: readonly Pauses[]): string {
  const line = (name: string, pauses: readonly ProfilePause[]): string[] => {
    const ms = pauses.map(([ns]) => ns / 1e6).sort((a, b) => a - b);
    const sum = (part: (pause: ProfilePause) => number): number => pauses.reduce((all, pause) => all + part(pause), 0);
    const all = sum(([ns]) => ns);
    const share = (part: number): string => (all === 0 ? '-' : `${((part / all) * 100).toFixed(0)} %`);
    const choosing = sum(([, ns]) => ns);
    const emitting = sum(([, , ns]) => ns);
    return [
      name,
      String(pauses.length),
      ...[0.5, 0.9, 0.99, 1].map((part) => shown(percentile(ms, part))),
      ms.length === 0 ? '-' : `${((ms.filter((one) => one < 5).length / ms.length) * 100).toFixed(1)} %`,
      shown(all / 1e9, 3),
      share(choosing),
      share(emitting),
      share(all - choosing - emitting),
    ];
  };
  return table([
    [
      'pauses for the translator',
      'number',
      'median, ms',
      '90 %',
      '99 %',
      'longest',
      'under 5 ms',
      'all, s',
      'choosing',
      'emitting',
      'compiling',
    ],
    ...rows.map(({ name, pauses }) => line(name, pauses)),
    line(
      'all',
      rows.flatMap(({ pauses }) => pauses),
    ),
  ]);
}
