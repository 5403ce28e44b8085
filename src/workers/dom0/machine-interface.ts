/** What the dom0 worker needs of the machine under it; machine.ts makes one. */
import type { BlockGuest } from '../../engine/devices/block/block-connection.ts';
import type { Domid, HypervisorControl, SharedRing } from '../../engine/hypervisor/control.ts';
import type { Entropy } from '../../engine/toolstack/services.ts';
import type { ProfilePart, VcpuCounters } from '../protocol.ts';

export interface Machine {
  readonly control: HypervisorControl;
  /** A ring page and channel of a domain, for a daemon. Not to be used once the domain is being destroyed. */
  mapRing(domid: Domid, mfn: number, port: number): SharedRing;
  /** What back ends need of a domain; undefined when it is gone. */
  guest(domid: Domid): BlockGuest | undefined;
  /** One entry a vCPU; throws when there is no such domain. */
  counters(domid: Domid): VcpuCounters[];
  /** What profiles of its code gathered since the last call. */
  profile(domid: Domid): ProfilePart;
  /** Calls back with everything the hypervisor says from now on; the function returned ends that. */
  onMessage(listener: (text: string) => void): () => void;
  /** A line in the hypervisor's log, for daemons. */
  log(line: string): void;
  readonly entropy: Entropy;
}

/** Powers the machine on with the hypervisor's command line. Rejects with a sentence when this browser cannot run it. */
export type CreateMachine = (commandLine: string) => Promise<Machine>;
