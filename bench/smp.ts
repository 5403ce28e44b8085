/**
 * How much faster two vCPUs are than one: the same work of two processes in a guest with one and in a guest with two, in turns, for
 * long enough that the translator's work does not count; beside it the same on this machine's own processors, which may be two
 * threads of one core, or busy with other things. The ratio of the busiest threads' processor times is what the ratio of the elapsed times
 * would be if nothing waited for a processor of the host.
 */
import { spawnSync } from 'node:child_process';
import type { MeasuredBrowser } from './browser.ts';
import { type Built, expectedChecksum, GUEST_PATH, onHost } from './build-programs.ts';
import type { Runner } from './guest.ts';
import { median, type Scaling, shown, table } from './report.ts';
import { parseResult, type Program } from './set.ts';
import { busiest, useDuring, useOf, WORKER_THREADS } from './use.ts';

const PROGRAM: Program = { name: 'parallel2', size: 10_000, what: 'integer work of two processes', guest: 'two' };
/** For the translator to have seen all of it. */
const WARM_UP: Program = { ...PROGRAM, size: 1500 };
const PROGRAM_MS = 600_000;
const KINDS = ['one', 'two'] as const;

/** On this machine's own processors: one alone, and as many as there are; undefined where programs cannot be kept to one. */
function native(built: Built): { one: number; two: number } | undefined {
  const bound = spawnSync('taskset', ['-c', '0', built.path, PROGRAM.name, String(PROGRAM.size)], { encoding: 'utf8' });
  if (bound.status !== 0) return undefined;
  return { one: parseResult(bound.stdout).elapsedUs / 1e6, two: parseResult(onHost(built, PROGRAM)).elapsedUs / 1e6 };
}

async function inGuest(
  browser: MeasuredBrowser,
  runner: Runner,
  built: Built,
  kind: 'one' | 'two',
  program: Program,
): Promise<Scaling['one'][number]> {
  const guest = await runner.guest(kind);
  let output = '';
  const use = await useDuring(browser, async () => {
    ({ output } = await guest.run(`${GUEST_PATH} ${program.name} ${program.size}`, PROGRAM_MS));
  });
  const { checksum, elapsedUs } = parseResult(output);
  const expected = expectedChecksum(built, program);
  if (checksum !== expected) throw new Error(`${program.name} computed ${checksum} instead of ${expected}`);
  const { seconds, waited, most } = useOf(use, WORKER_THREADS);
  return {
    elapsed: elapsedUs / 1e6,
    hostCpu: use.total.seconds,
    workers: seconds,
    busiestWorker: most,
    waited,
    others: use.others,
    threads: busiest(use, 4),
  };
}

export async function measureScaling(
  browser: MeasuredBrowser,
  runner: Runner,
  built: Built,
  rounds: number,
  onProgress: (what: string) => void,
): Promise<Scaling> {
  const found = {
    one: [] as Scaling['one'][number][],
    two: [] as Scaling['two'][number][],
    native: [] as Scaling['native'][number][],
  };
  for (const kind of KINDS) {
    onProgress(`smp: warming up a guest with ${kind === 'one' ? 'one vCPU' : 'two vCPUs'}`);
    await inGuest(browser, runner, built, kind, WARM_UP);
  }
  for (let round = 0; round < rounds; round++) {
    const own = native(built);
    if (own !== undefined) found.native.push(own);
    for (const kind of round % 2 === 0 ? KINDS : [...KINDS].reverse()) {
      onProgress(`smp: round ${round + 1} of ${rounds}, ${kind} of two processors`);
      found[kind].push(await inGuest(browser, runner, built, kind, PROGRAM));
    }
  }
  return found;
}

export function scalingTable({ one, two, native: own }: Scaling): string {
  const rows = one.map((single, n) => {
    const both = two[n];
    if (both === undefined) return [];
    // With processors enough, the busiest thread is what takes the time.
    const alone = single.busiestWorker / both.busiestWorker;
    const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;
    return [
      `round ${n + 1}`,
      shown(single.elapsed),
      shown(both.elapsed),
      shown(single.elapsed / both.elapsed),
      shown(alone),
      shown(single.hostCpu),
      shown(both.hostCpu),
      `${shown(single.waited)} / ${shown(both.waited)}`,
      `${percent(single.others)} / ${percent(both.others)}`,
    ];
  });
  const medians = (samples: Scaling['one'], figure: (sample: Scaling['one'][number]) => number): number =>
    median(samples.map(figure));
  const lines = [
    table([
      [
        'two processes, s',
        'one vCPU',
        'two vCPUs',
        'ratio',
        'of CPU time',
        'host CPU, one',
        'two',
        'queued, s',
        'others on the host',
      ],
      ...rows,
    ]),
    `medians: two vCPUs ${shown(medians(one, ({ elapsed }) => elapsed) / medians(two, ({ elapsed }) => elapsed))} times one, ` +
      `of the busiest threads’ CPU time ${shown(medians(one, ({ busiestWorker }) => busiestWorker) / medians(two, ({ busiestWorker }) => busiestWorker))}; ` +
      `host CPU ${shown(medians(two, ({ hostCpu }) => hostCpu) / medians(one, ({ hostCpu }) => hostCpu))} times; ` +
      (own.length === 0
        ? 'not measured on this machine’s own processors'
        : `this machine’s own processors ${shown(median(own.map((pair) => pair.one)) / median(own.map((pair) => pair.two)))} times one`),
    ...(one[0] === undefined ? [] : [`threads with one vCPU: ${one[0].threads}`]),
    ...(two[0] === undefined ? [] : [`threads with two vCPUs: ${two[0].threads}`]),
  ];
  return lines.join('\n');
}
