/**
 * What xend does when a guest has stopped: on_poweroff, on_reboot and on_crash, with the limits that keep a guest that dies at
 * once from being restarted for ever, and one that does not react to a request from staying for ever.
 */
import type { Domid, ShutdownReason } from '../../hypervisor/control.ts';
import type { DomainConfiguration, RestartEvent } from '../configuration/domain-configuration.ts';
import type { Clock } from '../services.ts';
import { messageOf } from '../xend-error.ts';
import type { ManagedDomain, ShutdownRequest } from './managed-domain.ts';
import type { XendLog } from './xend-log.ts';

/** A virtual machine restarted twice within this time is restarting too fast. */
export const MINIMUM_RESTART_INTERVAL_MS = 20_000;
/** A guest that was asked to stop and has not by then is destroyed. */
export const SHUTDOWN_LIMIT_MS = 30_000;

/** What the lifecycle does to domains; xend. */
export interface LifecycleHost {
  exists(domid: Domid): boolean;
  nameInUse(name: string): boolean;
  newUuid(): string;
  setName(domain: ManagedDomain, name: string, uuid: string): void;
  remove(domain: ManagedDomain, forgetMachine: boolean): Promise<void>;
  rebuild(configuration: DomainConfiguration, uuid: string, makeRoom: () => Promise<void>): Promise<Domid>;
  unpause(domid: Domid): Promise<void>;
  destroy(domid: Domid): Promise<void>;
}

export class Lifecycle {
  private readonly _xend: LifecycleHost;
  private readonly _clock: Clock;
  private readonly _log: XendLog;
  /** Time of the last restart, by UUID. */
  private readonly _restarts = new Map<string, number>();

  constructor(xend: LifecycleHost, clock: Clock, log: XendLog) {
    this._xend = xend;
    this._clock = clock;
    this._log = log;
  }

  /** The guest was asked to stop; asking again does not give it more time. */
  requested(domain: ManagedDomain, request: ShutdownRequest): void {
    const limited = domain.requested !== undefined;
    domain.requested = request;
    if (limited || request === 'suspend') return;
    domain.cancelShutdownLimit = this._clock.after(SHUTDOWN_LIMIT_MS, () => {
      this._log.write('INFO', `Domain shutdown timeout expired: name=${domain.name} id=${domain.domid}`);
      void this._attempt(domain, () => this._xend.remove(domain, true));
    });
  }

  /** The guest stopped for this reason. Resolves when what follows has been done; never rejects. */
  stopped(domain: ManagedDomain, reason: ShutdownReason): Promise<void> {
    domain.cancelShutdownLimit();
    const halted = domain.requested === 'halt' && reason === 'poweroff';
    domain.requested = undefined;
    const level = reason === 'crash' || reason === 'watchdog' ? 'WARNING' : 'INFO';
    this._log.write(
      level,
      `Domain has ${verb(reason)}: name=${domain.name} id=${domain.domid}${level === 'INFO' ? ` reason=${reason}` : ''}.`,
    );
    const event = halted ? 'destroy' : eventFor(domain, reason);
    return this._attempt(domain, () => this._follow(domain, event));
  }

  private async _attempt(domain: ManagedDomain, action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this._log.write('ERROR', `Cleaning up after domain ${domain.name} (${domain.domid}) failed: ${messageOf(error)}`);
    }
  }

  private async _follow(domain: ManagedDomain, event: RestartEvent): Promise<void> {
    switch (event) {
      case 'preserve':
        return;
      case 'destroy':
        this._restarts.delete(domain.uuid);
        await this._xend.remove(domain, true);
        return;
      case 'restart':
      case 'rename-restart':
        await this._restart(domain, event === 'rename-restart');
    }
  }

  private async _restart(domain: ManagedDomain, keepOld: boolean): Promise<void> {
    const { name, uuid, configuration, domid } = domain;
    const last = this._restarts.get(uuid);
    const now = this._clock.nowMs();
    if (last !== undefined && now - last < MINIMUM_RESTART_INTERVAL_MS) {
      this._log.write(
        'ERROR',
        `VM ${name} restarting too fast (${((now - last) / 1000).toFixed(6)} seconds since the last restart).  Refusing to restart to avoid loops.`,
      );
      this._restarts.delete(uuid);
      await this._xend.remove(domain, true);
      return;
    }
    this._restarts.set(uuid, now);
    const makeRoom = async (): Promise<void> => {
      if (keepOld) this._xend.setName(domain, this._freeName(name), this._xend.newUuid());
      else await this._xend.remove(domain, false);
    };
    let restarted: Domid | undefined;
    try {
      // The name at the moment counts: the domain may have been renamed since it was made.
      restarted = await this._xend.rebuild({ ...configuration, name }, uuid, makeRoom);
      await this._xend.unpause(restarted);
      this._log.write('INFO', `Domain ${name} (${domid}) restarted as domain ${restarted}.`);
    } catch (error) {
      this._log.write('ERROR', `Failed to restart domain ${name} (${domid}): ${messageOf(error)}`);
      if (restarted !== undefined && this._xend.exists(restarted)) await this._xend.destroy(restarted);
    }
  }

  /** NAME-1, or the next number that is free. */
  private _freeName(name: string): string {
    let number = 1;
    while (this._xend.nameInUse(`${name}-${number}`)) number++;
    return `${name}-${number}`;
  }
}

function verb(reason: ShutdownReason): string {
  return reason === 'crash' || reason === 'watchdog' ? 'crashed' : 'shutdown';
}

function eventFor(domain: ManagedDomain, reason: ShutdownReason): RestartEvent {
  const { configuration } = domain;
  switch (reason) {
    case 'poweroff':
      return configuration.onPoweroff;
    case 'reboot':
    case 'soft_reset':
      return configuration.onReboot;
    case 'crash':
    case 'watchdog':
      return configuration.onCrash;
    case 'suspend':
      // Whoever asked for the suspension (save, migrate) takes the domain from here; without such it stays for the user.
      return 'preserve';
  }
}
