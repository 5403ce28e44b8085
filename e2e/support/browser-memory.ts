/** What the browser of a test takes of the host's memory: all processes below the one that runs the test. Linux only. */
import { readdirSync, readFileSync } from 'node:fs';

interface Process {
  readonly pid: number;
  readonly parent: number;
}

function processes(): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        // The name, in brackets, may itself hold brackets and blanks.
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
        const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return [{ pid: Number(name), parent: Number(parent) }];
      } catch {
        // It has ended meanwhile.
        return [];
      }
    });
}

function below(pid: number, all: readonly Process[]): number[] {
  return all.filter(({ parent }) => parent === pid).flatMap((child) => [child.pid, ...below(child.pid, all)]);
}

/** Resident memory of the processes of the browser, bytes. What several of them share is counted once, in parts. */
export function browserMemoryBytes(): number {
  const browser = below(process.pid, processes()).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('chrom');
    } catch {
      return false;
    }
  });
  if (browser.length === 0) throw new Error('there is no browser among the processes below this one');
  return browser.reduce((sum, pid) => {
    try {
      return sum + Number(/^Pss: +(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1] ?? 0) * 1024;
    } catch {
      return sum;
    }
  }, 0);
}
