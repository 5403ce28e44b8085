/** One line about the machine, from what `xm info` prints. */

/** "Xen 4.17 · 2 CPUs · 3584 of 4096 MiB free"; parts that are not in the text are left out. */
export function summarise(info: string): string {
  const value = (key: string): string | undefined => new RegExp(`^${key}\\s*:\\s*(.*?)\\s*$`, 'm').exec(info)?.[1];
  const version = value('xen_version') ?? join(value('xen_major'), value('xen_minor'));
  const cpus = value('nr_cpus');
  const free = value('free_memory');
  const total = value('total_memory');
  const parts = [
    version === undefined ? undefined : `Xen ${version}`,
    cpus === undefined ? undefined : `${cpus} ${cpus === '1' ? 'CPU' : 'CPUs'}`,
    free === undefined || total === undefined ? undefined : `${free} of ${total} MiB free`,
  ];
  return parts.filter((part) => part !== undefined).join(' · ');
}

function join(major: string | undefined, minor: string | undefined): string | undefined {
  return major === undefined || minor === undefined ? undefined : `${major}.${minor}`;
}
