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

export interface Thread extends ThreadUse {
  readonly name: string;
}

/** The living threads of a tree, by number, with what each has used since it began. */
export function processTreeThreads(root: number): Map<string, Thread> {
  const threads = new Map<string, Thread>();
  for (const pid of processTree(root)) {
    for (const tid of existingNames(`/proc/${pid}/task`)) {
      try {
        const read = (file: string): string => readFileSync(`/proc/${pid}/task/${tid}/${file}`, 'utf8');
        const name = read('comm').trim();
        const [ran = 0, waited = 0] = read('schedstat').split(' ').map(Number);
        const sleeps = Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(read('status'))?.[1] ?? 0);
        threads.set(tid, { name, seconds: ran / 1e9, waited: waited / 1e9, sleeps });
      } catch {
        // It has ended meanwhile.
      }
    }
  }
  return threads;
}

function existingNames(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** What all threads of a name have used. */
export interface NamedUse extends ThreadUse {
  /** Of the one that was busiest. */
  readonly most: number;
}

export const NO_USE: NamedUse = { seconds: 0, waited: 0, sleeps: 0, most: 0 };

export const addUse = (a: NamedUse, b: NamedUse): NamedUse => ({
  seconds: a.seconds + b.seconds,
  waited: a.waited + b.waited,
  sleeps: a.sleeps + b.sleeps,
  most: Math.max(a.most, b.most),
});

/** What threads have used between two looks, by name; those that used nothing left out. */
export function usedBetween(before: ReadonlyMap<string, Thread>, after: ReadonlyMap<string, Thread>): Map<string, NamedUse> {
  const used = new Map<string, NamedUse>();
  for (const [tid, now] of after) {
    const then = before.get(tid) ?? NO_USE;
    const seconds = now.seconds - then.seconds;
    if (seconds <= 0) continue;
    const use = { seconds, waited: now.waited - then.waited, sleeps: now.sleeps - then.sleeps, most: seconds };
    used.set(now.name, addUse(used.get(now.name) ?? NO_USE, use));
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
