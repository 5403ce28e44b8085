/**
 * What the toolstack (xend) may ask of the hypervisor: the counterpart of Xen's domctl and sysctl, as an interface, so that
 * xend, its tests and the machine know each other only through this file. Errors are thrown as HypervisorError with Xen's errno.
 */

export type Domid = number & { readonly __domid: unique symbol };

export class HypervisorError extends Error {
  constructor(
    /** Positive errno as Xen would negate it (ENOMEM 12, EINVAL 22, ESRCH 3 ...). */
    readonly errno: number,
    message: string,
  ) {
    super(message);
    this.name = 'HypervisorError';
  }
}

export interface DomainSpecification {
  /** Ceiling of the reservation in 4 KiB pages; the memory is made with it and never grows. */
  readonly maxPages: number;
  readonly maxVcpus: number;
  /** 16-byte UUID. */
  readonly handle: Uint8Array;
}

export type ShutdownReason = 'poweroff' | 'reboot' | 'suspend' | 'crash' | 'watchdog' | 'soft_reset';

export interface DomainInformation {
  readonly domid: Domid;
  readonly paused: boolean;
  readonly blocked: boolean;
  readonly running: boolean;
  readonly dying: boolean;
  /** Set once the domain has shut down (or crashed). */
  readonly shutdown: ShutdownReason | undefined;
  readonly totalPages: number;
  readonly maxPages: number;
  readonly onlineVcpus: number;
  readonly maxVcpus: number;
  /** Sum over vCPUs, nanoseconds of running. */
  readonly cpuTimeNs: number;
  readonly handle: Uint8Array;
}

export interface VcpuInformation {
  readonly vcpu: number;
  readonly online: boolean;
  readonly blocked: boolean;
  readonly running: boolean;
  readonly cpuTimeNs: number;
  /** Physical CPU it last ran on. */
  readonly pcpu: number;
  /** Physical CPUs it may run on; undefined = any. */
  readonly affinity: readonly number[] | undefined;
}

export interface PhysicalInformation {
  readonly pcpus: number;
  readonly cpuKhz: number;
  readonly totalPages: number;
  readonly freePages: number;
  readonly versionMajor: number;
  readonly versionMinor: number;
  readonly extraVersion: string;
  readonly capabilities: string;
  readonly commandLine: string;
  readonly compiler: string;
  readonly compileBy: string;
  readonly compileDate: string;
  readonly changeset: string;
}

/** What the domain builder is given; all of it checked by the builder. */
export interface DomainImage {
  readonly kernel: Uint8Array;
  readonly ramdisk: Uint8Array | undefined;
  readonly commandLine: string;
  /** Pages to populate at start; at most the domain's maxPages. */
  readonly pages: number;
  /** vCPUs the guest may bring up (its maximum stands in the specification). */
  readonly features: string;
}

/** Pages and channels the builder set up for the daemons. */
export interface BuiltDomain {
  readonly storeMfn: number;
  readonly storePort: number;
  readonly consoleMfn: number;
  readonly consolePort: number;
  /** "linux", from the kernel's notes. */
  readonly guestOs: string;
}

export interface HypervisorControl {
  /** Made paused, without memory contents. Rejects with ENOMEM when the machine has not so much left, EINVAL on bad sizes. */
  createDomain(specification: DomainSpecification): Promise<Domid>;
  /** Loads a kernel and makes vCPU 0 ready. Throws BuildError (builder/) with a sentence for the user. */
  buildDomain(domid: Domid, image: DomainImage): Promise<BuiltDomain>;
  pauseDomain(domid: Domid): Promise<void>;
  unpauseDomain(domid: Domid): Promise<void>;
  /** Gives back everything; resolves when nothing of the domain is left. */
  destroyDomain(domid: Domid): Promise<void>;
  setMaximumPages(domid: Domid, pages: number): Promise<void>;
  listDomains(): readonly DomainInformation[];
  domain(domid: Domid): DomainInformation | undefined;
  vcpus(domid: Domid): readonly VcpuInformation[];
  setAffinity(domid: Domid, vcpu: number, pcpus: readonly number[] | undefined): void;
  physical(): PhysicalInformation;
  /** The hypervisor's message ring (xm dmesg). */
  consoleRing(clear: boolean): string;
  /** Called when a domain has shut down or crashed (VIRQ_DOM_EXC). */
  onDomainException(listener: (domid: Domid, reason: ShutdownReason) => void): void;
  sendTrigger(domid: Domid, trigger: 'nmi', vcpu: number): void;
}

/** A page of a guest that a daemon in dom0 has mapped (store and console rings) and the event channel that goes with it. */
export interface SharedRing {
  /** The 4096 bytes, live and shared with the hostile guest: read each value once, use Atomics on the int32 view for indices. */
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  /** Tell the guest. */
  notify(): void;
  /** Called (coalesced, asynchronously) whenever the guest notified the channel. */
  onNotify(listener: () => void): void;
}
