/** A hypervisor of bookkeeping only, for tests of the toolstack: domains have memory and states, but no guest runs in them. */
import { BuildError } from '../../builder/build-error.ts';
import type {
  BuiltDomain,
  DomainImage,
  DomainInformation,
  DomainSpecification,
  Domid,
  HypervisorControl,
  PhysicalInformation,
  ShutdownReason,
  VcpuInformation,
} from '../../hypervisor/control.ts';
import { HypervisorError } from '../../hypervisor/control.ts';

const ENOMEM = 12;
const ESRCH = 3;

interface SimulatedDomain {
  specification: DomainSpecification;
  image: DomainImage | undefined;
  information: { -readonly [Key in keyof DomainInformation]: DomainInformation[Key] };
  affinity: Map<number, readonly number[] | undefined>;
}

export class SimulatedHypervisor implements HypervisorControl {
  readonly totalPages: number;
  readonly triggers: string[] = [];
  messages = '(XEN) Xen version 4.17.7\n(XEN) Brought up 2 CPUs\n';
  private readonly _domains = new Map<Domid, SimulatedDomain>();
  private readonly _listeners: ((domid: Domid, reason: ShutdownReason) => void)[] = [];
  private _nextDomid = 1;

  constructor(totalMiB = 1024) {
    this.totalPages = totalMiB * 256;
  }

  createDomain(specification: DomainSpecification): Promise<Domid> {
    if (specification.maxPages > this._freePages()) return Promise.reject(new HypervisorError(ENOMEM, 'not enough memory'));
    const domid = this._nextDomid++ as Domid;
    this._domains.set(domid, {
      specification,
      image: undefined,
      affinity: new Map(),
      information: {
        domid,
        paused: true,
        blocked: false,
        running: false,
        dying: false,
        shutdown: undefined,
        totalPages: 0,
        maxPages: specification.maxPages,
        onlineVcpus: 1,
        maxVcpus: specification.maxVcpus,
        cpuTimeNs: 0,
        handle: specification.handle,
      },
    });
    return Promise.resolve(domid);
  }

  buildDomain(domid: Domid, image: DomainImage): Promise<BuiltDomain> {
    const domain = this._domain(domid);
    const text = String.fromCharCode(...image.kernel.subarray(0, 16));
    if (!text.startsWith('KERNEL'))
      return Promise.reject(new BuildError('The kernel is not a Xen kernel: it carries no Xen notes.'));
    if ((image.ramdisk?.length ?? 0) > image.pages * 4096)
      return Promise.reject(new BuildError(`The ramdisk is too large for ${image.pages / 256} MiB of memory.`));
    domain.image = image;
    domain.information.totalPages = image.pages;
    return Promise.resolve({ storeMfn: 1000 + domid, storePort: 1, consoleMfn: 2000 + domid, consolePort: 2, guestOs: 'linux' });
  }

  pauseDomain(domid: Domid): Promise<void> {
    Object.assign(this._domain(domid).information, { paused: true });
    return Promise.resolve();
  }

  unpauseDomain(domid: Domid): Promise<void> {
    Object.assign(this._domain(domid).information, { paused: false, blocked: true });
    return Promise.resolve();
  }

  async destroyDomain(domid: Domid): Promise<void> {
    const domain = this._domain(domid);
    domain.information.dying = true;
    await Promise.resolve();
    this._domains.delete(domid);
  }

  setMaximumPages(domid: Domid, pages: number): Promise<void> {
    this._domain(domid).information.maxPages = pages;
    return Promise.resolve();
  }

  listDomains(): readonly DomainInformation[] {
    return [...this._domains.values()].map((domain) => domain.information);
  }

  domain(domid: Domid): DomainInformation | undefined {
    return this._domains.get(domid)?.information;
  }

  vcpus(domid: Domid): readonly VcpuInformation[] {
    const domain = this._domains.get(domid);
    if (domain === undefined) return [];
    return Array.from({ length: domain.specification.maxVcpus }, (_, vcpu) => ({
      vcpu,
      online: vcpu < domain.information.onlineVcpus,
      blocked: domain.information.blocked,
      running: false,
      cpuTimeNs: 1_500_000_000,
      pcpu: vcpu % 2,
      affinity: domain.affinity.get(vcpu),
    }));
  }

  setAffinity(domid: Domid, vcpu: number, pcpus: readonly number[] | undefined): void {
    this._domain(domid).affinity.set(vcpu, pcpus);
  }

  physical(): PhysicalInformation {
    return {
      pcpus: 2,
      cpuKhz: 1_000_000,
      totalPages: this.totalPages,
      freePages: this._freePages(),
      versionMajor: 4,
      versionMinor: 17,
      extraVersion: '.7',
      capabilities: 'xen-3.0-x86_64',
      commandLine: '',
      compiler: 'asc',
      compileBy: 'root',
      compileDate: 'Sun Nov 22 12:00:00 UTC 2026',
      changeset: '',
    };
  }

  consoleRing(clear: boolean): string {
    const text = this.messages;
    if (clear) this.messages = '';
    return text;
  }

  onDomainException(listener: (domid: Domid, reason: ShutdownReason) => void): void {
    this._listeners.push(listener);
  }

  sendTrigger(domid: Domid, trigger: 'nmi', vcpu: number): void {
    this.triggers.push(`${domid} ${trigger} ${vcpu}`);
  }

  /** The guest stops by itself. */
  stop(domid: number, reason: ShutdownReason): void {
    Object.assign(this._domain(domid as Domid).information, { shutdown: reason, blocked: false });
    for (const listener of this._listeners) listener(domid as Domid, reason);
  }

  image(domid: number): DomainImage | undefined {
    return this._domains.get(domid as Domid)?.image;
  }

  change(domid: number, change: Partial<DomainInformation>): void {
    Object.assign(this._domain(domid as Domid).information, change);
  }

  private _domain(domid: Domid): SimulatedDomain {
    const domain = this._domains.get(domid);
    if (domain === undefined) throw new HypervisorError(ESRCH, `no domain ${domid}`);
    return domain;
  }

  private _freePages(): number {
    return this.totalPages - [...this._domains.values()].reduce((sum, domain) => sum + domain.specification.maxPages, 0);
  }
}
