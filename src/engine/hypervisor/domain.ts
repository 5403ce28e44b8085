/**
 * A domain as domain 0 holds it: its memory, an instance of the core to work on it, its threads and channels. Everything read
 * back from the memory is the guest's word and is bounded before use.
 */
import { PAGE_BYTES, REQUEST_LEAVE, VCPU_DOORBELL, VCPU_REQUEST } from '../cpu/layout.ts';
import {
  DOMAIN_CONTEXT,
  DOMAIN_DOORBELL,
  DOMAIN_FREE_PROCESSORS,
  DOMAIN_GRANT_FIRST_FRAME,
  DOMAIN_MAX_PAGES,
  DOMAIN_PAUSED,
  DOMAIN_PROCESSORS,
  DOMAIN_REFUSED_CODE,
  DOMAIN_SHUTDOWN,
  DOMAIN_TOTAL_PAGES,
  DOMAIN_VCPUS_WANTED,
  PV_ONLINE,
  PV_PCPU,
  PV_RUNNING,
  PV_RUNSTATE,
  PV_WAITING,
  TYPE_L4,
} from '../pv/layout.ts';
import {
  FLAT_KERNEL_CS,
  FLAT_KERNEL_SS,
  GUEST_CONTEXT_BYTES,
  GUEST_CONTEXT_ctrlreg,
  GUEST_CONTEXT_flags,
  GUEST_CONTEXT_kernel_sp,
  GUEST_CONTEXT_kernel_ss,
  GUEST_CONTEXT_user_regs,
  USER_REGS_cs,
  USER_REGS_rflags,
  USER_REGS_rip,
  USER_REGS_rsi,
  USER_REGS_rsp,
  USER_REGS_ss,
  VGCF_in_kernel,
  VGCF_online,
} from '../abi/guest-context.ts';
import { GNTTAB_RESERVED_CONSOLE, GNTTAB_RESERVED_XENSTORE, GRANT_ENTRY_V1_BYTES, GTF_permit_access } from '../abi/grant-table.ts';
import {
  RUNSTATE_blocked,
  RUNSTATE_offline,
  RUNSTATE_running,
  RUNSTATE_state_entry_time,
  RUNSTATE_time,
  SHUTDOWN_crash,
} from '../abi/sched.ts';
import { EINVAL } from '../abi/errno.ts';
import { buildPvDomain } from '../builder/pv-domain.ts';
import { cpuidPolicy } from '../builder/cpuid-policy.ts';
import type { KernelImage } from '../builder/kernel-image.ts';
import {
  HypervisorError,
  type BuiltDomain,
  type DomainInformation,
  type DomainSpecification,
  type Domid,
  type SharedRing,
  type ShutdownReason,
  type VcpuInformation,
} from './control.ts';
import { DomainChannels } from './channels.ts';
import { crashReport } from './crash-report.ts';
import { GrantMap } from './grant-map.ts';
import { instantiateCore, type CoreExports } from './core.ts';
import {
  createMemory,
  initialiseDomainMemory,
  planDomainMemory,
  populateInitialPages,
  vcpuBlockOf,
  type DomainMemoryPlan,
} from './domain-memory.ts';
import type { AsyncWaiter, Clock, Entropy, HypervisorLog, VcpuLauncher, VcpuThread } from './platform.ts';
import { XEN_VERSION } from './version.ts';

/** The guest's time-stamp counter: one tick a nanosecond. */
export const TSC_KHZ = 1_000_000;

const SHUTDOWN_REASONS: readonly ShutdownReason[] = ['poweroff', 'reboot', 'suspend', 'crash', 'watchdog', 'soft_reset'];

export interface DomainSurroundings {
  readonly module: WebAssembly.Module;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly waiter: AsyncWaiter;
  readonly launcher: VcpuLauncher;
  readonly log: HypervisorLog;
  /** Runs the daemons' work for a domain; may measure it. */
  readonly serve?: (work: () => void) => void;
  /** A domain's memory, so many bytes, has been let go of: its platform may see to it that it is given back soon. */
  readonly released?: (bytes: number) => void;
  /** Guests may write to the hypervisor's log. */
  readonly verbose?: boolean;
}

export class Domain {
  readonly plan: DomainMemoryPlan;
  readonly memory: WebAssembly.Memory;
  readonly channels: DomainChannels;
  /** Pages of the guest that domain 0's back ends use. */
  readonly grants: GrantMap;
  private readonly core: CoreExports;
  private readonly words: Int32Array;
  private readonly view: DataView;
  private readonly threads = new Map<number, VcpuThread>();
  private readonly affinities = new Map<number, readonly number[]>();
  private reportedShutdown = false;
  private reportedRefusedCode = false;
  private dying = false;

  /** @param firstMfn start of the domain's range of machine frames */
  constructor(
    readonly domid: Domid,
    readonly specification: DomainSpecification,
    firstMfn: number,
    private readonly surroundings: DomainSurroundings,
    private readonly onShutdown: (reason: ShutdownReason) => void,
  ) {
    const { clock, module } = surroundings;
    this.plan = planDomainMemory(specification.maxPages, specification.maxVcpus, firstMfn);
    this.memory = createMemory(this.plan);
    initialiseDomainMemory(this.memory, this.plan, {
      domid,
      handle: specification.handle,
      version: XEN_VERSION,
      cpuid: cpuidPolicy({ vcpus: specification.maxVcpus, tscKhz: TSC_KHZ }),
      wallClockBaseNs: clock.wallNs() - BigInt(Math.floor(clock.nowNs())),
      verbose: surroundings.verbose ?? false,
    });
    this.words = new Int32Array(this.memory.buffer);
    this.view = new DataView(this.memory.buffer);
    this.core = instantiateCore(module, this.memory, {
      nowNs: () => clock.nowNs(),
      entropy: () => this.random32(),
      consoleWrite: () => undefined,
    });
    for (let vcpu = 0; vcpu < specification.maxVcpus; vcpu += 1) {
      const cpu = vcpuBlockOf(vcpu);
      this.core.resetVcpu(cpu, this.plan.arenas + vcpu * this.plan.arenaBytes);
      this.core.pvResetVcpu(cpu, vcpu);
      this.view.setUint32(cpu + PV_RUNSTATE, RUNSTATE_offline, true);
    }
    this.limitProcessors(surroundings.launcher.processors);
    this.setWord(DOMAIN_PAUSED, 1);
    this.channels = new DomainChannels(this.core, this.memory, domid);
    this.grants = new GrantMap(this.core, this.memory, this.plan);
  }

  /** With fewer processors than vCPUs, vCPUs queue for them (pv/processors.ts). */
  private limitProcessors(processors: number | undefined): void {
    if (processors === undefined || processors >= this.specification.maxVcpus) return;
    this.setWord(DOMAIN_PROCESSORS, processors);
    this.setWord(DOMAIN_FREE_PROCESSORS, 2 ** processors - 1);
  }

  private random32(): number {
    const bytes = new Uint8Array(4);
    this.surroundings.entropy.fill(bytes);
    return new DataView(bytes.buffer).getUint32(0, true);
  }

  private word(offset: number): number {
    return Atomics.load(this.words, offset / 4) >>> 0;
  }

  private setWord(offset: number, value: number): void {
    Atomics.store(this.words, offset / 4, value);
  }

  /** Guest RAM as the builder fills it: pfn n at n * 4096. */
  private ram(): Uint8Array {
    return new Uint8Array(this.memory.buffer, this.plan.ram, this.plan.maxPages * PAGE_BYTES);
  }

  /** Loads a kernel and makes vCPU 0 ready to run. Throws BuildError with nothing started. */
  build(kernel: KernelImage, ramdisk: Uint8Array | undefined, commandLine: string, pages: number, features: string): BuiltDomain {
    const { plan } = this;
    if (pages > plan.maxPages) throw new HypervisorError(EINVAL, `${pages} pages are more than the maximum of ${plan.maxPages}`);
    const storePort = this.channels.allocateUnbound();
    const consolePort = this.channels.allocateUnbound();
    const built = buildPvDomain(
      { pages, firstMfn: plan.firstRamMfn, ram: this.ram(), sharedInfoMfn: plan.sharedInfoMfn, storePort, consolePort },
      { kernel, ramdisk, commandLine, features },
    );
    populateInitialPages(this.memory, plan, pages);
    const rootMfn = plan.firstRamMfn + built.pageTableRootPfn;
    const pinned = this.core.pvPinTable(rootMfn, TYPE_L4);
    if (pinned !== 0) throw new HypervisorError(-pinned, `the page tables built for domain ${this.domid} do not validate`);
    this.startVcpu0(built.entry, built.stackPointer, built.startInfoVaddr, rootMfn);
    const storeMfn = plan.firstRamMfn + built.storePfn;
    const consoleMfn = plan.firstRamMfn + built.consolePfn;
    this.grantToDom0(GNTTAB_RESERVED_CONSOLE, consoleMfn);
    this.grantToDom0(GNTTAB_RESERVED_XENSTORE, storeMfn);
    return { storeMfn, storePort, consoleMfn, consolePort, guestOs: built.guestOs };
  }

  private startVcpu0(entry: bigint, stack: bigint, startInfo: bigint, rootMfn: number): void {
    const { view } = this;
    new Uint8Array(this.memory.buffer, DOMAIN_CONTEXT, GUEST_CONTEXT_BYTES).fill(0);
    const regs = DOMAIN_CONTEXT + GUEST_CONTEXT_user_regs;
    view.setBigUint64(DOMAIN_CONTEXT + GUEST_CONTEXT_flags, BigInt(VGCF_in_kernel | VGCF_online), true);
    view.setBigUint64(regs + USER_REGS_rip, entry, true);
    view.setBigUint64(regs + USER_REGS_rsp, stack, true);
    view.setBigUint64(regs + USER_REGS_rsi, startInfo, true);
    view.setBigUint64(regs + USER_REGS_rflags, 0x200n, true);
    view.setUint16(regs + USER_REGS_cs, FLAT_KERNEL_CS, true);
    view.setUint16(regs + USER_REGS_ss, FLAT_KERNEL_SS, true);
    view.setBigUint64(DOMAIN_CONTEXT + GUEST_CONTEXT_kernel_sp, stack, true);
    view.setBigUint64(DOMAIN_CONTEXT + GUEST_CONTEXT_kernel_ss, BigInt(FLAT_KERNEL_SS), true);
    view.setBigUint64(DOMAIN_CONTEXT + GUEST_CONTEXT_ctrlreg + 3 * 8, BigInt(rootMfn) << 12n, true);
    const outcome = this.core.pvSetContext(vcpuBlockOf(0), DOMAIN_CONTEXT);
    if (outcome !== 0) throw new HypervisorError(-outcome, `domain ${this.domid} cannot start at 0x${entry.toString(16)}`);
    this.setWord(vcpuBlockOf(0) + PV_ONLINE, 1);
    Atomics.or(this.words, DOMAIN_VCPUS_WANTED / 4, 1);
  }

  /** An entry of the guest's grant table that the toolstack makes before the guest runs. */
  private grantToDom0(gref: number, mfn: number): void {
    const table = this.plan.framesBase + this.word(DOMAIN_GRANT_FIRST_FRAME) * PAGE_BYTES;
    const at = table + gref * GRANT_ENTRY_V1_BYTES;
    this.view.setUint16(at + 2, 0, true);
    this.view.setUint32(at + 4, mfn, true);
    this.view.setUint16(at, GTF_permit_access, true);
  }

  /** A page of the guest shared with a daemon, and the channel that goes with it. Throws EINVAL on a frame that is not RAM. */
  mapRing(mfn: number, port: number): SharedRing {
    const frame = mfn - this.plan.firstRamMfn;
    if (!Number.isInteger(frame) || frame < 0 || frame >= this.plan.maxPages) {
      throw new HypervisorError(EINVAL, `frame 0x${mfn.toString(16)} is not memory of domain ${this.domid}`);
    }
    const offset = this.plan.ram + frame * PAGE_BYTES;
    const channel = this.channels.bind(port);
    return {
      bytes: new Uint8Array(this.memory.buffer, offset, PAGE_BYTES),
      words: new Int32Array(this.memory.buffer, offset, PAGE_BYTES / 4),
      notify: () => {
        channel.notify();
      },
      onNotify: (listener) => {
        channel.onNotify(listener);
      },
    };
  }

  /** Waits for news from the guest until the domain is destroyed. */
  async listen(): Promise<void> {
    const { waiter, serve } = this.surroundings;
    while (!this.dying) {
      const value = Atomics.load(this.words, DOMAIN_DOORBELL / 4);
      if (serve === undefined) this.channels.dispatch();
      else serve(() => this.channels.dispatch());
      if (this.word(DOMAIN_SHUTDOWN) !== 0 && !this.reportedShutdown) {
        this.reportedShutdown = true;
        await this.standStill();
        if (!this.dying) this.reportShutdown();
      }
      this.reportRefusedCode();
      this.startWantedVcpus();
      await waiter.changed(this.words, DOMAIN_DOORBELL / 4, value);
    }
  }

  private reportShutdown(): void {
    const reason = this.shutdownReason();
    if (reason === undefined) return;
    if (reason === 'crash') for (const line of crashReport(this.memory, this.domid)) this.surroundings.log.write(`(XEN) ${line}\n`);
    this.onShutdown(reason);
  }

  /** Says once why 32-bit programs do not run: what the guest makes of it, a segmentation fault, tells nobody. */
  private reportRefusedCode(): void {
    const selector = this.word(DOMAIN_REFUSED_CODE);
    if (selector === 0 || this.reportedRefusedCode) return;
    this.reportedRefusedCode = true;
    this.surroundings.log.write(
      `(XEN) d${this.domid}: 32-bit code (selector 0x${(selector & 0xffff).toString(16)}) is not supported: it gets a general protection fault\n`,
    );
  }

  shutdownReason(): ShutdownReason | undefined {
    const word = this.word(DOMAIN_SHUTDOWN);
    return word === 0 ? undefined : (SHUTDOWN_REASONS[word - 1] ?? SHUTDOWN_REASONS[SHUTDOWN_crash]);
  }

  private startWantedVcpus(): void {
    if (this.dying || this.word(DOMAIN_PAUSED) !== 0) return;
    const wanted = this.word(DOMAIN_VCPUS_WANTED);
    for (let vcpu = 0; vcpu < this.plan.maxVcpus; vcpu += 1) {
      if (((wanted >>> vcpu) & 1) === 0 || this.threads.has(vcpu)) continue;
      const { module, launcher } = this.surroundings;
      this.threads.set(vcpu, launcher.start({ domid: this.domid, vcpu, memory: this.memory, module }));
    }
  }

  private ringVcpus(): void {
    for (let vcpu = 0; vcpu < this.plan.maxVcpus; vcpu += 1) {
      const doorbell = (vcpuBlockOf(vcpu) + VCPU_DOORBELL) / 4;
      Atomics.add(this.words, doorbell, 1);
      Atomics.notify(this.words, doorbell);
    }
  }

  /** Resolves when no vCPU runs any more; something must keep them from running (pause, shutdown). */
  private async standStill(): Promise<void> {
    for (let vcpu = 0; vcpu < this.plan.maxVcpus; vcpu += 1) {
      Atomics.or(this.words, (vcpuBlockOf(vcpu) + VCPU_REQUEST) / 4, REQUEST_LEAVE);
    }
    this.ringVcpus();
    for (const vcpu of this.threads.keys()) {
      const index = (vcpuBlockOf(vcpu) + PV_RUNNING) / 4;
      while (Atomics.load(this.words, index) !== 0 && !this.dying) await this.surroundings.waiter.changed(this.words, index, 1);
    }
  }

  /** Resolves when the domain stands still. */
  async pause(): Promise<void> {
    this.setWord(DOMAIN_PAUSED, 1);
    await this.standStill();
  }

  unpause(): void {
    this.setWord(DOMAIN_PAUSED, 0);
    this.startWantedVcpus();
    this.ringVcpus();
  }

  get paused(): boolean {
    return this.word(DOMAIN_PAUSED) !== 0;
  }

  setMaximumPages(pages: number): void {
    if (!Number.isInteger(pages) || pages < 0 || pages > this.plan.maxPages) {
      throw new HypervisorError(EINVAL, `domain ${this.domid} can have at most ${this.plan.maxPages} pages, not ${pages}`);
    }
    this.setWord(DOMAIN_MAX_PAGES, pages);
  }

  setAffinity(vcpu: number, pcpus: readonly number[] | undefined): void {
    if (pcpus === undefined) this.affinities.delete(vcpu);
    else this.affinities.set(vcpu, [...pcpus]);
  }

  sendNmi(vcpu: number): void {
    if (!Number.isInteger(vcpu) || vcpu < 0 || vcpu >= this.plan.maxVcpus) {
      throw new HypervisorError(EINVAL, `domain ${this.domid} has no vCPU ${vcpu}`);
    }
    this.core.pvSendNmi(vcpuBlockOf(vcpu));
  }

  /** Ends every thread; the memory goes when nothing refers to the domain any more. */
  destroy(): void {
    this.dying = true;
    this.grants.abandon();
    for (const thread of this.threads.values()) thread.stop();
    this.threads.clear();
    Atomics.add(this.words, DOMAIN_DOORBELL / 4, 1);
    Atomics.notify(this.words, DOMAIN_DOORBELL / 4);
    // Who waits for a thread to stand still waits in vain now, and would keep the memory for ever.
    for (let vcpu = 0; vcpu < this.plan.maxVcpus; vcpu += 1) Atomics.notify(this.words, (vcpuBlockOf(vcpu) + PV_RUNNING) / 4);
    this.surroundings.released?.(this.plan.totalBytes);
  }

  vcpus(): VcpuInformation[] {
    return Array.from({ length: this.plan.maxVcpus }, (_, vcpu) => this.vcpuInformation(vcpu));
  }

  private vcpuInformation(vcpu: number): VcpuInformation {
    const cpu = vcpuBlockOf(vcpu);
    const state = this.word(cpu + PV_RUNSTATE);
    let cpuTimeNs = Number(this.view.getBigInt64(cpu + PV_RUNSTATE + RUNSTATE_time + RUNSTATE_running * 8, true));
    if (state === RUNSTATE_running) {
      const entry = Number(this.view.getBigInt64(cpu + PV_RUNSTATE + RUNSTATE_state_entry_time, true));
      cpuTimeNs += Math.max(0, this.surroundings.clock.nowNs() - entry);
    }
    const online = this.word(cpu + PV_ONLINE) !== 0;
    const blocked = online && (state === RUNSTATE_blocked || this.word(cpu + PV_WAITING) !== 0);
    return {
      vcpu,
      online,
      blocked,
      running: online && !blocked && state === RUNSTATE_running && this.word(cpu + PV_RUNNING) !== 0,
      cpuTimeNs,
      pcpu: this.word(cpu + PV_PCPU),
      affinity: this.affinities.get(vcpu),
    };
  }

  information(): DomainInformation {
    const vcpus = this.vcpus();
    const online = vcpus.filter((vcpu) => vcpu.online);
    return {
      domid: this.domid,
      paused: this.paused,
      blocked: online.length > 0 && online.every((vcpu) => vcpu.blocked),
      running: online.some((vcpu) => vcpu.running),
      dying: this.dying,
      shutdown: this.shutdownReason(),
      totalPages: this.word(DOMAIN_TOTAL_PAGES),
      maxPages: this.word(DOMAIN_MAX_PAGES),
      onlineVcpus: online.length,
      maxVcpus: this.plan.maxVcpus,
      cpuTimeNs: vcpus.reduce((sum, vcpu) => sum + vcpu.cpuTimeNs, 0),
      handle: this.specification.handle,
    };
  }
}
