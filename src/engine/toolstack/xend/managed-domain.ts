/** A domain under xend's care. */
import type { BuiltDomain, Domid } from '../../hypervisor/control.ts';
import type { DomainConfiguration } from '../configuration/domain-configuration.ts';

/** Words for control/shutdown. */
export type ShutdownRequest = 'poweroff' | 'halt' | 'reboot' | 'suspend';

export interface ManagedDomain {
  readonly domid: Domid;
  name: string;
  uuid: string;
  readonly configuration: DomainConfiguration;
  readonly startTimeMs: number;
  readonly built: BuiltDomain;
  /** Target of the balloon. */
  memoryMiB: number;
  maxMemoryMiB: number;
  /** The last request for shutdown, until the guest has stopped. */
  requested: ShutdownRequest | undefined;
  /** Calls off the limit on the time the guest may take. */
  cancelShutdownLimit: () => void;
  /** Being destroyed: nobody may use it any more. */
  dying: boolean;
}
