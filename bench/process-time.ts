/** Processor time of processes and threads of this machine, from /proc. */
import { readdirSync, readFileSync } from 'node:fs';

/** Of the units in which /proc tells times; the same on every Linux. */
const TICKS_A_SECOND = 100;

/** Fields of /proc/PID/stat behind the name, which may hold spaces. */
function statOf(pid: number): string[] | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
  } catch {
    return undefined;
  }
}

/** A process and all that descend from it. */
function processTree(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const stat = statOf(pid);
    if (stat !== undefined) parents.set(pid, Number(stat[1]));
  }
  const belongs = (pid: number | undefined): boolean => pid === root || (pid !== undefined && pid > 1 && belongs(parents.get(pid)));
  return [...parents.keys()].filter(belongs);
}

/** Of all of a tree's processes: their processor time in user and kernel mode, s. Children that ended and were waited for included. */
export function processTreeSeconds(root: number): number {
  let ticks = 0;
  for (const pid of processTree(root)) {
    const stat = statOf(pid);
    if (stat !== undefined) ticks += Number(stat[11]) + Number(stat[12]) + Number(stat[13]) + Number(stat[14]);
  }
  return ticks / TICKS_A_SECOND;
}

export interface ThreadUse {
  /** On a processor, and ready to run but in the queue for one; s. */
  readonly seconds: number;
  readonly waited: number;
  /** Times that it slept and was woken. */
  readonly sleeps: number;
}

const NO_USE: ThreadUse = { seconds: 0, waited: 0, sleeps: 0 };

export const addUse = (a: ThreadUse, b: ThreadUse): ThreadUse => ({
  seconds: a.seconds + b.seconds,
  waited: a.waited + b.waited,
  sleeps: a.sleeps + b.sleeps,
});

/** What the living threads of a tree have used since they began, by their names. */
export function processTreeThreads(root: number): Map<string, ThreadUse> {
  const uses = new Map<string, ThreadUse>();
  for (const pid of processTree(root)) {
    for (const tid of existingNames(`/proc/${pid}/task`)) {
      try {
        const read = (file: string): string => readFileSync(`/proc/${pid}/task/${tid}/${file}`, 'utf8');
        const name = read('comm').trim();
        const [ran = 0, waited = 0] = read('schedstat').split(' ').map(Number);
        const sleeps = Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(read('status'))?.[1] ?? 0);
        uses.set(name, addUse(uses.get(name) ?? NO_USE, { seconds: ran / 1e9, waited: waited / 1e9, sleeps }));
      } catch {
        // It has ended meanwhile.
      }
    }
  }
  return uses;
}

function existingNames(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** What threads have used between two looks; those that used nothing left out. */
export function usedBetween(before: ReadonlyMap<string, ThreadUse>, after: ReadonlyMap<string, ThreadUse>): Map<string, ThreadUse> {
  const used = new Map<string, ThreadUse>();
  for (const [name, now] of after) {
    const then = before.get(name) ?? NO_USE;
    // A thread of that name may have ended.
    const least = (figure: keyof ThreadUse): number => Math.max(0, now[figure] - then[figure]);
    const use = { seconds: least('seconds'), waited: least('waited'), sleeps: least('sleeps') };
    if (use.seconds > 0) used.set(name, use);
  }
  return used;
}

/** What this machine's processors have been at since its start, all together, s. */
export interface HostUse {
  readonly busy: number;
  readonly idle: number;
}

export function hostUse(): HostUse {
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  const [user = 0, nice = 0, system = 0, idle = 0, waiting = 0, interrupts = 0, soft = 0, stolen = 0] = line
    .split(/ +/)
    .slice(1)
    .map(Number);
  return {
    busy: (user + nice + system + interrupts + soft + stolen) / TICKS_A_SECOND,
    idle: (idle + waiting) / TICKS_A_SECOND,
  };
}
