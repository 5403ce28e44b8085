/**
 * xend: the daemon of domain 0 that makes domains and looks after them. It owns their names, configurations and nodes in the
 * store; the hypervisor owns their memory and vCPUs. Restarting and cleaning up after a guest has stopped is in lifecycle.ts.
 *
 * Every method that a command calls throws XendError with the sentence for the user.
 */
import type { DomainInformation, Domid, PhysicalInformation, VcpuInformation } from '../../hypervisor/control.ts';
import type { DomainConfiguration } from '../configuration/domain-configuration.ts';
import { checkName } from '../configuration/domain-configuration.ts';
import type { BlockDeviceSummary } from '../devices/block-devices.ts';
import { attachDisk, detachDisk, listDisks } from '../devices/block-devices.ts';
import type { BlockSpecification } from '../devices/block-specification.ts';
import { Interrupted } from '../services.ts';
import { randomUuid } from '../uuid.ts';
import { XendError, messageOf } from '../xend-error.ts';
import type { BuildServices, CreateOptions } from './build-domain.ts';
import { PAGES_PER_MIB, buildDomain, pinVcpu } from './build-domain.ts';
import type { DomainSummary } from './domain-state.ts';
import { stateLetters } from './domain-state.ts';
import { domainPath, removeDomainTree, vmPath, writeHostTree } from './domain-tree.ts';
import { Lifecycle } from './lifecycle.ts';
import type { ManagedDomain, ShutdownRequest } from './managed-domain.ts';
import { XendLog } from './xend-log.ts';

const DOMAIN_0 = 0 as Domid;
const DOMAIN_0_UUID = '00000000-0000-0000-0000-000000000000';
const DOMAIN_0_NAME = 'Domain-0';
/** Domain 0 is a thread of its own, which the hypervisor does not schedule. */
const DOMAIN_0_VCPU: VcpuInformation = {
  vcpu: 0,
  online: true,
  blocked: false,
  running: true,
  cpuTimeNs: 0,
  pcpu: 0,
  affinity: undefined,
};

export type XendOptions = BuildServices;

export class Xend {
  readonly log: XendLog;
  private readonly _options: XendOptions;
  private readonly _domains = new Map<Domid, ManagedDomain>();
  /** Names of domains that are being made. */
  private readonly _reserved = new Set<string>();
  private readonly _listeners = new Set<() => void>();
  private readonly _lifecycle: Lifecycle;
  private readonly _bootTimeMs: number;

  constructor(options: XendOptions) {
    this._options = options;
    this.log = new XendLog(options.files, options.clock);
    this._bootTimeMs = options.clock.nowMs();
    this._lifecycle = new Lifecycle(this, options.clock, this.log);
    options.store.transaction((store) => writeHostTree(store, (this._hypervisorView(DOMAIN_0)?.totalPages ?? 0) * 4));
    options.control.onDomainException((domid, reason) => {
      const domain = this._domains.get(domid);
      if (domain === undefined || domain.dying) return;
      options.daemons.shutDown(domid);
      void this._lifecycle.stopped(domain, reason).finally(() => this.changed());
      this.changed();
    });
    this.log.write('INFO', 'Xend Daemon started', 'SrvDaemon');
  }

  /** Called whenever a domain comes, goes or changes. */
  onChange(listener: () => void): () => void {
    this._listeners.add(listener);
    return () => this._listeners.delete(listener);
  }

  changed(): void {
    for (const listener of [...this._listeners]) listener();
  }

  get physical(): PhysicalInformation {
    return this._options.control.physical();
  }

  get bootTimeMs(): number {
    return this._bootTimeMs;
  }

  /** By domain id, domain 0 first. */
  domains(): DomainSummary[] {
    const summaries = [this._domain0()];
    for (const domain of this._domains.values()) {
      const information = this._hypervisorView(domain.domid);
      if (information !== undefined) summaries.push(this._summary(domain, information));
    }
    return summaries.sort((a, b) => a.domid - b.domid);
  }

  /** By name first, then by id. */
  find(designation: string): DomainSummary {
    const domains = this.domains();
    const found =
      domains.find((domain) => domain.name === designation) ?? domains.find((domain) => String(domain.domid) === designation);
    if (found === undefined) throw new XendError(`Domain '${designation}' does not exist.`);
    return found;
  }

  exists(domid: Domid): boolean {
    return domid === DOMAIN_0 || this._domains.has(domid);
  }

  /** undefined when xend does not know the domain. */
  nameOf(domid: Domid): string | undefined {
    return domid === DOMAIN_0 ? DOMAIN_0_NAME : this._domains.get(domid)?.name;
  }

  vcpus(domid: Domid): readonly VcpuInformation[] {
    const known = this._hypervisorView(domid) !== undefined;
    if (!known && domid === DOMAIN_0) return [DOMAIN_0_VCPU];
    return known ? this._options.control.vcpus(domid) : [];
  }

  hypervisorMessages(clear: boolean): string {
    return this._options.control.consoleRing(clear);
  }

  /** Makes a domain and leaves it paused. On failure nothing of it is left. */
  async create(configuration: DomainConfiguration, options: CreateOptions = {}): Promise<Domid> {
    this._requireFreeName(configuration.name);
    this._requireFreeUuid(configuration.uuid);
    this._reserved.add(configuration.name);
    try {
      const domid = await this._build(configuration, configuration.uuid ?? randomUuid(this._options.entropy), options);
      this.log.write('INFO', `Domain ${configuration.name} (${domid}) created.`);
      return domid;
    } catch (error) {
      if (!(error instanceof Interrupted))
        this.log.write('ERROR', `Domain ${configuration.name} was not created: ${messageOf(error)}`);
      throw error instanceof XendError || error instanceof Interrupted ? error : new XendError(messageOf(error));
    } finally {
      this._reserved.delete(configuration.name);
      this.changed();
    }
  }

  async unpause(domid: Domid): Promise<void> {
    this._refuseDomain0(domid, 'Cannot unpause privileged domain 0');
    await this._options.control.unpauseDomain(domid);
    this.log.write('INFO', `Domain ${this._name(domid)} (${domid}) unpaused.`, 'XendDomain');
    this.changed();
  }

  async pause(domid: Domid): Promise<void> {
    this._refuseDomain0(domid, 'Cannot pause privileged domain 0');
    await this._options.control.pauseDomain(domid);
    this.log.write('INFO', `Domain ${this._name(domid)} (${domid}) paused.`, 'XendDomain');
    this.changed();
  }

  /** Ends the domain at once, whatever on_poweroff says. */
  async destroy(domid: Domid): Promise<void> {
    this._refuseDomain0(domid, 'Cannot destroy privileged domain 0');
    const domain = this._managed(domid);
    await this.remove(domain, true);
    this.log.write('INFO', `Domain ${domain.name} (${domid}) destroyed.`, 'XendDomain');
  }

  /** Asks the guest; what follows depends on on_poweroff and on_reboot. Returns before the guest has done anything. */
  requestShutdown(domid: Domid, request: ShutdownRequest): void {
    this._refuseDomain0(domid, 'Domain 0 cannot be shutdown');
    const domain = this._managed(domid);
    this._options.store.write(`${domainPath(domid)}/control/shutdown`, request);
    this._lifecycle.requested(domain, request);
    this.log.write('INFO', `Domain ${domain.name} (${domid}) asked for ${request}.`);
  }

  setMemoryTarget(domid: Domid, memoryMiB: number): Promise<void> {
    this._refuseDomain0(domid, 'Cannot change the memory of domain 0');
    const domain = this._managed(domid);
    if (memoryMiB > domain.maxMemoryMiB)
      throw new XendError(
        `Cannot set the memory of domain '${domain.name}' to ${memoryMiB} MiB: its ceiling (maxmem) is ${domain.maxMemoryMiB} MiB.`,
      );
    domain.memoryMiB = memoryMiB;
    this._options.store.write(`${domainPath(domid)}/memory/target`, String(memoryMiB * 1024));
    this.log.write('INFO', `Memory target of ${domain.name} (${domid}) set to ${memoryMiB} MiB.`);
    this.changed();
    return Promise.resolve();
  }

  async setMemoryMaximum(domid: Domid, memoryMiB: number): Promise<void> {
    this._refuseDomain0(domid, 'Cannot change the memory of domain 0');
    const domain = this._managed(domid);
    const built = domain.configuration.maxMemoryMiB;
    if (memoryMiB > built)
      throw new XendError(
        `Cannot raise the memory ceiling of domain '${domain.name}' to ${memoryMiB} MiB: it was created with maxmem = ${built}.`,
      );
    await this._options.control.setMaximumPages(domid, memoryMiB * PAGES_PER_MIB);
    domain.maxMemoryMiB = memoryMiB;
    this.changed();
  }

  /** vCPUs 0 .. count-1 are to be online; the guest takes the others down. Less than 1 changes nothing. */
  setVcpuCount(domid: Domid, count: number): void {
    this._refuseDomain0(domid, 'Cannot change the virtual CPUs of domain 0');
    const domain = this._managed(domid);
    const { maxVcpus } = domain.configuration;
    if (count > maxVcpus)
      throw new XendError(
        `Cannot give domain '${domain.name}' ${count} virtual CPUs: it was created with ${maxVcpus} (vcpus, maxvcpus).`,
      );
    if (count < 1) return;
    this._options.store.transaction((store) => {
      for (let vcpu = 0; vcpu < maxVcpus; vcpu++) {
        const path = `${domainPath(domid)}/cpu/${vcpu}/availability`;
        const wanted = vcpu < count ? 'online' : 'offline';
        if (store.read(path) !== wanted) store.write(path, wanted);
      }
    });
    this.changed();
  }

  /** `cpus` undefined: any. */
  pinVcpu(domid: Domid, vcpu: number, cpus: readonly number[] | undefined): void {
    this._refuseDomain0(domid, 'Cannot pin the virtual CPU of domain 0');
    pinVcpu(this._options.control, domid, this._name(domid), vcpu, cpus);
    this.changed();
  }

  rename(domid: Domid, name: string): void {
    this._refuseDomain0(domid, 'Cannot rename domain 0');
    const domain = this._managed(domid);
    if (domain.name === name) return;
    this._requireFreeName(name);
    this.setName(domain, name, domain.uuid);
    this.log.write('INFO', `Domain ${domid} is now called ${name}.`);
    this.changed();
  }

  sendSysrq(domid: Domid, letter: string): void {
    this._refuseDomain0(domid, 'Cannot send a SysRq key to domain 0');
    this._options.store.write(`${domainPath(domid)}/control/sysrq`, letter);
  }

  sendTrigger(domid: Domid, trigger: string, vcpu: number): void {
    this._refuseDomain0(domid, 'Cannot send a trigger to domain 0');
    if (trigger !== 'nmi')
      throw new XendError(`Trigger '${trigger}' is not supported for a paravirtualised domain; only 'nmi' is.`);
    this._options.control.sendTrigger(domid, 'nmi', vcpu);
  }

  /** Resolves when the back end has the disk; the guest finds it by itself. */
  async attachDisk(domid: Domid, disk: BlockSpecification): Promise<void> {
    this._refuseDomain0(domid, 'Cannot attach a disk to domain 0');
    const domain = this._managed(domid);
    await attachDisk(this._options, domain, disk);
    this.log.write('INFO', `Disk ${disk.device} (${disk.id}) given to ${domain.name} (${domid}).`);
    this.changed();
  }

  /** `designation`: number or name of the virtual device. */
  async detachDisk(domid: Domid, designation: string, force: boolean): Promise<void> {
    this._refuseDomain0(domid, 'Domain 0 has no virtual disks');
    const domain = this._managed(domid);
    await detachDisk(this._options, domid, designation, force);
    this.log.write('INFO', `Disk ${designation} taken from ${domain.name} (${domid}).`);
    this.changed();
  }

  disks(domid: Domid): BlockDeviceSummary[] {
    return domid === DOMAIN_0 ? [] : listDisks(this._options.store, domid);
  }

  // What follows is for the lifecycle.

  /** The same virtual machine as a new domain, paused. Its name is kept for it while `makeRoom` takes the old one out of the way. */
  async rebuild(configuration: DomainConfiguration, uuid: string, makeRoom: () => Promise<void>): Promise<Domid> {
    this._reserved.add(configuration.name);
    try {
      await makeRoom();
      return await this._build(configuration, uuid, {});
    } catch (error) {
      this._options.store.remove(vmPath(uuid));
      throw error;
    } finally {
      this._reserved.delete(configuration.name);
      this.changed();
    }
  }

  nameInUse(name: string): boolean {
    return this._reserved.has(name) || [...this._domains.values()].some((domain) => domain.name === name);
  }

  newUuid(): string {
    return randomUuid(this._options.entropy);
  }

  /** Gives a domain another name, and with another UUID a path of its own below /vm. */
  setName(domain: ManagedDomain, name: string, uuid: string): void {
    const { domid } = domain;
    this._options.store.transaction((store) => {
      const from = vmPath(domain.uuid);
      const to = vmPath(uuid);
      if (from !== to) {
        store.write(to, '');
        store.write(`${to}/uuid`, uuid);
        store.write(`${domainPath(domid)}/vm`, to);
      }
      store.write(`${to}/name`, name);
      store.write(`${domainPath(domid)}/name`, name);
    });
    domain.name = name;
    domain.uuid = uuid;
  }

  /** Takes a domain away altogether. `forgetMachine`: its nodes below /vm go too. */
  async remove(domain: ManagedDomain, forgetMachine: boolean): Promise<void> {
    if (domain.dying) return;
    domain.dying = true;
    domain.cancelShutdownLimit();
    this.changed();
    const { control, daemons, store } = this._options;
    daemons.disconnect(domain.domid);
    try {
      await control.destroyDomain(domain.domid);
    } finally {
      this._domains.delete(domain.domid);
      store.transaction((access) => removeDomainTree(access, domain.domid, forgetMachine ? domain.uuid : undefined));
      this.changed();
    }
  }

  private async _build(configuration: DomainConfiguration, uuid: string, options: CreateOptions): Promise<Domid> {
    const domain = await buildDomain(this._options, configuration, uuid, options);
    this._domains.set(domain.domid, domain);
    return domain.domid;
  }

  private _requireFreeName(name: string): void {
    checkName(name);
    const owner = this.domains().find((domain) => domain.name === name);
    if (owner !== undefined) throw new XendError(`VM name '${name}' already exists as domain ${owner.domid}`);
    if (this._reserved.has(name)) throw new XendError(`VM name '${name}' is being used for a domain that is just being created`);
  }

  private _requireFreeUuid(uuid: string | undefined): void {
    const owner = [...this._domains.values()].find((domain) => domain.uuid === uuid);
    if (owner !== undefined) throw new XendError(`VM uuid '${owner.uuid}' already exists as domain ${owner.domid}`);
  }

  private _refuseDomain0(domid: Domid, message: string): void {
    if (domid === DOMAIN_0) throw new XendError(message);
  }

  private _managed(domid: Domid): ManagedDomain {
    const domain = this._domains.get(domid);
    if (domain === undefined) throw new XendError(`Domain '${domid}' does not exist.`);
    return domain;
  }

  private _name(domid: Domid): string {
    return this.nameOf(domid) ?? String(domid);
  }

  private _hypervisorView(domid: Domid): DomainInformation | undefined {
    return this._options.control.domain(domid);
  }

  private _summary(domain: ManagedDomain, information: DomainInformation): DomainSummary {
    const dying = domain.dying || information.dying;
    return {
      domid: domain.domid,
      name: dying ? `Zombie-${domain.name}` : domain.name,
      uuid: domain.uuid,
      memoryMiB: domain.memoryMiB,
      maxMemoryMiB: domain.maxMemoryMiB,
      onlineVcpus: information.onlineVcpus,
      maxVcpus: information.maxVcpus,
      state: stateLetters({ ...information, dying }),
      cpuTimeNs: information.cpuTimeNs,
      shutdown: information.shutdown,
      startTimeMs: domain.startTimeMs,
      configuration: domain.configuration,
      storeMfn: domain.built.storeMfn,
      consoleMfn: domain.built.consoleMfn,
    };
  }

  /** The dom0 worker itself. A hypervisor that does not count it as a domain has it running on one CPU. */
  private _domain0(): DomainSummary {
    const information = this._hypervisorView(DOMAIN_0);
    const memoryMiB = Math.floor((information?.totalPages ?? 0) / PAGES_PER_MIB);
    return {
      domid: DOMAIN_0,
      name: DOMAIN_0_NAME,
      uuid: DOMAIN_0_UUID,
      memoryMiB,
      maxMemoryMiB: memoryMiB,
      onlineVcpus: information?.onlineVcpus ?? 1,
      maxVcpus: information?.maxVcpus ?? 1,
      state: information === undefined ? 'r-----' : stateLetters(information),
      cpuTimeNs: information?.cpuTimeNs ?? 0,
      shutdown: undefined,
      startTimeMs: this._bootTimeMs,
      configuration: undefined,
      storeMfn: undefined,
      consoleMfn: undefined,
    };
  }
}
