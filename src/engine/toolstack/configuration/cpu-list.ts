/** Sets of physical CPUs as xm writes them: "0", "0-3", "0-3,5,^1" (read left to right, so "0-3,^1,1" has CPU 1), "all". */
import { XendError } from '../xend-error.ts';

const MAX_CPU = 4095;

/** undefined = any. Throws XendError when it is no list of CPUs. */
export function parseCpuList(text: string): number[] | undefined {
  const trimmed = text.trim();
  if (trimmed === '' || trimmed === 'all' || trimmed === 'any' || trimmed === '-1') return undefined;
  const chosen = new Set<number>();
  for (const part of trimmed.split(',')) {
    const match = /^(\^?)(\d{1,4})(?:-(\d{1,4}))?$/.exec(part.trim());
    const first = Number(match?.[2]);
    const last = Number(match?.[3] ?? match?.[2]);
    if (match === null || last < first || last > MAX_CPU) throw new XendError(`Invalid list of CPUs: ${text}`);
    for (let cpu = first; cpu <= last; cpu++) {
      if (match[1] === '^') chosen.delete(cpu);
      else chosen.add(cpu);
    }
  }
  if (chosen.size === 0) throw new XendError(`Invalid list of CPUs: ${text}`);
  return [...chosen].sort((a, b) => a - b);
}

/** "any cpu", "no cpus", or ranges such as "0-2,5". */
export function formatCpuList(cpus: readonly number[] | undefined): string {
  if (cpus === undefined) return 'any cpu';
  if (cpus.length === 0) return 'no cpus';
  const sorted = [...cpus].sort((a, b) => a - b);
  const ranges: string[] = [];
  let first = sorted[0] ?? 0;
  let last = first;
  const close = (): void => {
    ranges.push(first === last ? String(first) : `${first}-${last}`);
  };
  for (const cpu of sorted.slice(1)) {
    if (cpu === last + 1) {
      last = cpu;
      continue;
    }
    close();
    first = last = cpu;
  }
  close();
  return ranges.join(',');
}
