/** The machine as domain 0 wants it: the hypervisor that machine.ts powers on, its message ring, and what it says at the start. */
import { ConsoleRing } from '../../engine/devices/console/console-ring.ts';
import type { PhysicalInformation } from '../../engine/hypervisor/control.ts';
import type { Machine } from './machine-interface.ts';
import { powerOn } from './machine.ts';

const KIB_PER_PAGE = 4;

export async function createMachine(commandLine: string): Promise<Machine> {
  const ring = new ConsoleRing();
  const machine = await powerOn({ log: ring, commandLine });
  const { hypervisor } = machine;
  ring.write(greeting(hypervisor.physical()));
  return {
    control: hypervisor,
    mapRing: (domid, mfn, port) => hypervisor.mapRing(domid, mfn, port),
    guest: (domid) => {
      if (hypervisor.domain(domid) === undefined) return undefined;
      const domain = hypervisor.domainOf(domid);
      return { grants: domain.grants, bindChannel: (port) => domain.channels.bind(port) };
    },
    counters: (domid) => machine.counters(domid),
    profile: (domid) => machine.profile(domid),
    onMessage: (listener) => ring.subscribe(listener),
    log: (line) => ring.write(`${line}\n`),
    entropy: { bytes: (count) => crypto.getRandomValues(new Uint8Array(count)) },
  };
}

/** First lines of the ring, as Xen words them. */
export function greeting(machine: PhysicalInformation): string {
  const { versionMajor, versionMinor, extraVersion, compileBy, compiler, compileDate } = machine;
  const kib = machine.totalPages * KIB_PER_PAGE;
  return [
    `Xen version ${versionMajor}.${versionMinor}${extraVersion} (${compileBy}) (${compiler}) ${compileDate}`,
    `System RAM: ${Math.floor(kib / 1024)}MB (${kib}kB)`,
    `Detected ${(machine.cpuKhz / 1000).toFixed(3)} MHz processor.`,
    `Brought up ${machine.pcpus} CPUs`,
  ]
    .map((line) => `(XEN) ${line}\n`)
    .join('');
}
