/** Processor time of processes of this machine, from /proc. */
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

/** A process and all that descend from it: their processor time in user and kernel mode, s. Children that ended and were waited for included. */
export function processTreeSeconds(root: number): number {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const stat = statOf(pid);
    if (stat !== undefined) parents.set(pid, Number(stat[1]));
  }
  const belongs = (pid: number | undefined): boolean => pid === root || (pid !== undefined && pid > 1 && belongs(parents.get(pid)));
  let ticks = 0;
  for (const pid of parents.keys()) {
    if (!belongs(pid)) continue;
    const stat = statOf(pid);
    if (stat !== undefined) ticks += Number(stat[11]) + Number(stat[12]) + Number(stat[13]) + Number(stat[14]);
  }
  return ticks / TICKS_A_SECOND;
}
