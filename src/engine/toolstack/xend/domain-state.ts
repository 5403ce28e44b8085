/** How a domain looks to the outside: the six letters of xm list and the numbers beside them. */
import type { DomainInformation, Domid, ShutdownReason } from '../../hypervisor/control.ts';
import type { DomainConfiguration } from '../configuration/domain-configuration.ts';

/** A domain as xm shows it. */
export interface DomainSummary {
  readonly domid: Domid;
  readonly name: string;
  readonly uuid: string;
  /** Target of the balloon. */
  readonly memoryMiB: number;
  readonly maxMemoryMiB: number;
  readonly onlineVcpus: number;
  readonly maxVcpus: number;
  /** "rbpscd", a dash for what does not hold. */
  readonly state: string;
  readonly cpuTimeNs: number;
  readonly shutdown: ShutdownReason | undefined;
  readonly startTimeMs: number;
  /** undefined for domain 0. */
  readonly configuration: DomainConfiguration | undefined;
  readonly storeMfn: number | undefined;
  readonly consoleMfn: number | undefined;
}

export function stateLetters(information: DomainInformation): string {
  const stopped = information.shutdown !== undefined;
  const active = !stopped && !information.dying && !information.paused;
  const flags: readonly [letter: string, set: boolean][] = [
    ['r', active && information.running],
    ['b', active && information.blocked && !information.running],
    ['p', information.paused],
    ['s', stopped],
    ['c', information.shutdown === 'crash' || information.shutdown === 'watchdog'],
    ['d', information.dying],
  ];
  return flags.map(([letter, set]) => (set ? letter : '-')).join('');
}
