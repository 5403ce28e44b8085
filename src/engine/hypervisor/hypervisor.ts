/** The machine: its memory, its domains, its log. Implements what xend may ask (control.ts). */
import { EINVAL, ESRCH } from '../abi/errno.ts';
import { parseKernel, type PlatformDecoders } from '../builder/kernel-image.ts';
import {
  HypervisorError,
  type BuiltDomain,
  type DomainImage,
  type DomainInformation,
  type DomainSpecification,
  type Domid,
  type HypervisorControl,
  type PhysicalInformation,
  type SharedRing,
  type ShutdownReason,
  type VcpuInformation,
} from './control.ts';
import { Domain, type DomainSurroundings } from './domain.ts';
import { framesOf } from './domain-memory.ts';
import { MachineFrames, type FrameRange } from './machine-frames.ts';
import { XEN_VERSION } from './version.ts';

export interface MachineOptions extends DomainSurroundings {
  /** Pages of the machine's memory. */
  readonly totalPages: number;
  /** Of them, those that are domain 0's (dom0_mem). */
  readonly dom0Pages: number;
  readonly pcpus: number;
  readonly cpuKhz: number;
  readonly commandLine: string;
  readonly decoders: PlatformDecoders;
}

const DOMID_LIMIT = 0x7ff0;

interface Entry {
  readonly domain: Domain;
  readonly frames: FrameRange;
}

export class Hypervisor implements HypervisorControl {
  private readonly domains = new Map<number, Entry>();
  private readonly frames: MachineFrames;
  private readonly listeners = new Set<(domid: Domid, reason: ShutdownReason) => void>();
  private nextDomid = 1;
  /** Time domain 0 has spent on its domains: building them and serving their channels. */
  private dom0Ns = 0;

  constructor(private readonly options: MachineOptions) {
    this.frames = new MachineFrames(options.totalPages - options.dom0Pages);
  }

  private entry(domid: Domid): Entry {
    const entry = this.domains.get(domid);
    if (entry === undefined) throw new HypervisorError(ESRCH, `there is no domain ${domid}`);
    return entry;
  }

  /** Identifiers go up and are used again only after all others were. */
  private freshDomid(): Domid {
    for (let tries = 0; tries < DOMID_LIMIT; tries += 1) {
      const domid = this.nextDomid;
      this.nextDomid = domid + 1 < DOMID_LIMIT ? domid + 1 : 1;
      if (!this.domains.has(domid)) return domid as Domid;
    }
    throw new HypervisorError(EINVAL, 'every domain identifier is in use');
  }

  createDomain(specification: DomainSpecification): Promise<Domid> {
    return Promise.resolve().then(() => {
      if (specification.handle.length !== 16) throw new HypervisorError(EINVAL, 'a domain handle has 16 bytes');
      const frames = this.frames.allocate(framesOf(specification.maxPages));
      try {
        const domid = this.freshDomid();
        const domain = this.asDom0(
          () =>
            new Domain(domid, specification, frames.first, this.surroundings(), (reason) => {
              this.domainStopped(domid, reason);
            }),
        );
        this.domains.set(domid, { domain, frames });
        void domain.listen();
        return domid;
      } catch (error) {
        this.frames.release(frames);
        throw error;
      }
    });
  }

  private domainStopped(domid: Domid, reason: ShutdownReason): void {
    if (reason !== 'suspend') this.options.log.write(`(XEN) Domain ${domid} shutdown: ${reason}\n`);
    for (const listener of this.listeners) listener(domid, reason);
  }

  async buildDomain(domid: Domid, image: DomainImage): Promise<BuiltDomain> {
    const { domain } = this.entry(domid);
    const kernel = await parseKernel(image.kernel, this.options.decoders);
    if (this.entry(domid).domain !== domain) throw new HypervisorError(ESRCH, `domain ${domid} was destroyed while it was built`);
    return this.asDom0(() => domain.build(kernel, image.ramdisk, image.commandLine, image.pages, image.features));
  }

  async pauseDomain(domid: Domid): Promise<void> {
    await this.entry(domid).domain.pause();
  }

  unpauseDomain(domid: Domid): Promise<void> {
    return Promise.resolve().then(() => {
      this.entry(domid).domain.unpause();
    });
  }

  destroyDomain(domid: Domid): Promise<void> {
    return Promise.resolve().then(() => {
      const { domain, frames } = this.entry(domid);
      domain.destroy();
      this.domains.delete(domid);
      this.frames.release(frames);
    });
  }

  setMaximumPages(domid: Domid, pages: number): Promise<void> {
    return Promise.resolve().then(() => {
      this.entry(domid).domain.setMaximumPages(pages);
    });
  }

  listDomains(): readonly DomainInformation[] {
    return [...this.domains.values()].map(({ domain }) => domain.information());
  }

  /** Runs something as domain 0's work, whose time counts as its own. */
  private asDom0<T>(work: () => T): T {
    const started = this.options.clock.nowNs();
    try {
      return work();
    } finally {
      this.dom0Ns += this.options.clock.nowNs() - started;
    }
  }

  /** What a domain has around it; its daemons' work is domain 0's. */
  private surroundings(): DomainSurroundings {
    return {
      ...this.options,
      serve: (work) => {
        this.asDom0(work);
      },
    };
  }

  /** Domain 0 is the thread that this runs on: one vCPU, always running while anyone looks. */
  private domain0(): DomainInformation {
    return {
      domid: 0 as Domid,
      paused: false,
      blocked: false,
      running: true,
      dying: false,
      shutdown: undefined,
      totalPages: this.options.dom0Pages,
      maxPages: this.options.dom0Pages,
      onlineVcpus: 1,
      maxVcpus: 1,
      cpuTimeNs: this.dom0Ns,
      handle: new Uint8Array(16),
    };
  }

  domain(domid: Domid): DomainInformation | undefined {
    return domid === 0 ? this.domain0() : this.domains.get(domid)?.domain.information();
  }

  vcpus(domid: Domid): readonly VcpuInformation[] {
    if (domid === 0) {
      return [{ vcpu: 0, online: true, blocked: false, running: true, cpuTimeNs: this.dom0Ns, pcpu: 0, affinity: undefined }];
    }
    return this.entry(domid).domain.vcpus();
  }

  setAffinity(domid: Domid, vcpu: number, pcpus: readonly number[] | undefined): void {
    this.entry(domid).domain.setAffinity(vcpu, pcpus);
  }

  physical(): PhysicalInformation {
    const { options } = this;
    return {
      pcpus: options.pcpus,
      cpuKhz: options.cpuKhz,
      totalPages: options.totalPages,
      freePages: this.frames.free,
      versionMajor: XEN_VERSION.major,
      versionMinor: XEN_VERSION.minor,
      extraVersion: XEN_VERSION.extraVersion,
      capabilities: XEN_VERSION.capabilities,
      commandLine: options.commandLine,
      compiler: XEN_VERSION.compiler,
      compileBy: XEN_VERSION.compileBy,
      compileDate: XEN_VERSION.compileDate,
      changeset: XEN_VERSION.changeset,
    };
  }

  consoleRing(clear: boolean): string {
    return this.options.log.read(clear);
  }

  onDomainException(listener: (domid: Domid, reason: ShutdownReason) => void): void {
    this.listeners.add(listener);
  }

  sendTrigger(domid: Domid, trigger: 'nmi', vcpu: number): void {
    if (trigger !== 'nmi') throw new HypervisorError(EINVAL, `there is no trigger ${String(trigger)}`);
    this.entry(domid).domain.sendNmi(vcpu);
  }

  /** A ring page and channel of a domain for a daemon. */
  mapRing(domid: Domid, mfn: number, port: number): SharedRing {
    return this.entry(domid).domain.mapRing(mfn, port);
  }

  /** The domain itself, for the parts of the machine that work on its memory. */
  domainOf(domid: Domid): Domain {
    return this.entry(domid).domain;
  }
}
