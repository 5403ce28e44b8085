/**
 * A minimal PV guest on the compiled core: one memory, page tables of its own, code pages to run single instructions or
 * hypercalls from, and readers for what the hypervisor did. Kernel mode, vCPU 0 unless said otherwise.
 *
 *   CODE    executable page; test code is written to it
 *   DATA    four writable pages
 *   STACK   one page, RSP at its end
 *   TABLES  the page tables themselves, read-only, in the order L4, L3, L2, L1
 *   FREE    eight frames of RAM that nothing maps: pfn FREE_PFN and up
 */
import { coreModule } from '../../cpu/testing/fixture.ts';
import {
  FRAME_BYTES,
  FRAME_REFERENCES,
  FRAME_TYPE,
  PAGE_BYTES,
  VCPU_CR3_USER,
  VCPU_INACTIVE_GS_BASE,
  VCPU_R10,
  VCPU_R11,
  VCPU_R8,
  VCPU_RAX,
  VCPU_RCX,
  VCPU_RDI,
  VCPU_RDX,
  VCPU_RFLAGS,
  VCPU_RIP,
  VCPU_RSI,
  VCPU_RSP,
  VCPU_SELECTORS,
  VCPU_USER_MODE,
} from '../../cpu/layout.ts';
import { DOMAIN_CONTEXT, PV_ONLINE, PV_VCPU_INFO, REFERENCES_COUNT, TYPE_COUNT, TYPE_L4, TYPE_SHIFT } from '../../pv/layout.ts';
import {
  FLAT_KERNEL_CS,
  FLAT_KERNEL_SS,
  GUEST_CONTEXT_BYTES,
  GUEST_CONTEXT_ctrlreg,
  GUEST_CONTEXT_flags,
  GUEST_CONTEXT_kernel_sp,
  GUEST_CONTEXT_kernel_ss,
  GUEST_CONTEXT_user_regs,
  TRAP_INFO_BYTES,
  USER_REGS_cs,
  USER_REGS_rflags,
  USER_REGS_rip,
  USER_REGS_rsp,
  USER_REGS_ss,
  VGCF_in_kernel,
} from '../../abi/guest-context.ts';
import { __HYPERVISOR_set_trap_table } from '../../abi/hypercall.ts';
import { SHARED_INFO_evtchn_mask, SHARED_INFO_evtchn_pending, VCPU_INFO_evtchn_upcall_mask } from '../../abi/shared-info.ts';
import { cpuidPolicy } from '../../builder/cpuid-policy.ts';
import { instantiateCore, type CoreExports } from '../core.ts';
import {
  createMemory,
  initialiseDomainMemory,
  planDomainMemory,
  populateInitialPages,
  vcpuBlockOf,
  XEN_FRAMES,
  type DomainMemoryPlan,
} from '../domain-memory.ts';
import { XEN_VERSION } from '../version.ts';

export const DOMID = 7;
export const FIRST_MFN = 0x12345;
export const PAGES = 64;
export const MAX_PAGES = 80;

const BASE = 0x400000n;
export const CODE = BASE;
export const DATA = BASE + 0x1000n;
export const STACK = BASE + 0x5000n;
export const STACK_TOP = BASE + 0x6000n;
export const TABLES = BASE + 0x8000n;
export const USER_CODE = BASE + 0xc000n;
export const USER_STACK_TOP = BASE + 0xe000n;

export const L4_PFN = 8;
export const L3_PFN = 9;
export const L2_PFN = 10;
export const L1_PFN = 11;
const USER_L4_PFN = 12;
const USER_CODE_PFN = 13;
const USER_STACK_PFN = 14;
export const FREE_PFN = 16;

export const P = 1n;
export const RW = 2n;
export const US = 4n;
export const NX = 1n << 63n;

/** Machine frame of a pfn as the guest starts with them. */
export const mfnOf = (pfn: number): number => FIRST_MFN + XEN_FRAMES + pfn;
export const maddrOf = (pfn: number): bigint => BigInt(mfnOf(pfn)) << 12n;

export class PvGuest {
  readonly plan: DomainMemoryPlan;
  readonly memory: WebAssembly.Memory;
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly core: CoreExports;
  readonly cpu = vcpuBlockOf(0);
  readonly console: string[] = [];
  nowNs = 1_000_000;

  constructor(maxVcpus = 2) {
    this.plan = planDomainMemory(MAX_PAGES, maxVcpus, FIRST_MFN);
    this.memory = createMemory(this.plan);
    this.view = new DataView(this.memory.buffer);
    this.bytes = new Uint8Array(this.memory.buffer);
    initialiseDomainMemory(this.memory, this.plan, {
      domid: DOMID,
      handle: Uint8Array.from({ length: 16 }, (_, index) => index + 1),
      version: XEN_VERSION,
      cpuid: cpuidPolicy({ vcpus: maxVcpus, tscKhz: 1_000_000 }),
      wallClockBaseNs: 1_700_000_000_123_456_789n,
      verbose: true,
    });
    populateInitialPages(this.memory, this.plan, PAGES);
    this.core = instantiateCore(coreModule(), this.memory, {
      nowNs: () => this.nowNs,
      entropy: () => 4,
      consoleWrite: (text) => {
        this.console.push(new TextDecoder().decode(text));
      },
    });
    for (let vcpu = 0; vcpu < maxVcpus; vcpu += 1) {
      this.core.resetVcpu(vcpuBlockOf(vcpu), this.plan.arenas + vcpu * this.plan.arenaBytes);
      this.core.pvResetVcpu(vcpuBlockOf(vcpu), vcpu);
    }
    this.makeTables();
    const pinned = this.core.pvPinTable(mfnOf(L4_PFN), TYPE_L4);
    if (pinned !== 0) throw new Error(`the fixture's tables do not validate: ${pinned}`);
    this.start();
  }

  /** Host offset of a byte of a pfn's page. */
  ram(pfn: number, offset = 0): number {
    return this.plan.ram + pfn * PAGE_BYTES + offset;
  }

  private entry(tablePfn: number, slot: number, value: bigint): void {
    this.view.setBigUint64(this.ram(tablePfn, slot * 8), value, true);
  }

  /** pfn 0 code, 1-4 data, 5 stack, 8-11 tables (kernel), 12 a user L4 that shares the L3. */
  private makeTables(): void {
    for (const l4 of [L4_PFN, USER_L4_PFN]) this.entry(l4, 0, maddrOf(L3_PFN) | P | RW | US);
    this.entry(L3_PFN, 0, maddrOf(L2_PFN) | P | RW | US);
    this.entry(L2_PFN, 2, maddrOf(L1_PFN) | P | RW | US);
    const slots: [number, bigint][] = [[0, maddrOf(0) | P]];
    for (let n = 1; n <= 5; n += 1) slots.push([n, maddrOf(n) | P | RW | NX]);
    for (let n = 0; n < 4; n += 1) slots.push([8 + n, maddrOf(L4_PFN + n) | P | NX]);
    slots.push([12, maddrOf(USER_CODE_PFN) | P | US], [13, maddrOf(USER_STACK_PFN) | P | RW | US | NX]);
    for (const [slot, value] of slots) this.entry(L1_PFN, slot, value);
  }

  private start(): void {
    const { view } = this;
    this.bytes.fill(0, DOMAIN_CONTEXT, DOMAIN_CONTEXT + GUEST_CONTEXT_BYTES);
    const regs = DOMAIN_CONTEXT + GUEST_CONTEXT_user_regs;
    view.setBigUint64(DOMAIN_CONTEXT + GUEST_CONTEXT_flags, BigInt(VGCF_in_kernel), true);
    view.setBigUint64(regs + USER_REGS_rip, CODE, true);
    view.setBigUint64(regs + USER_REGS_rsp, STACK_TOP, true);
    view.setBigUint64(regs + USER_REGS_rflags, 0x200n, true);
    view.setUint16(regs + USER_REGS_cs, FLAT_KERNEL_CS, true);
    view.setUint16(regs + USER_REGS_ss, FLAT_KERNEL_SS, true);
    view.setBigUint64(DOMAIN_CONTEXT + GUEST_CONTEXT_kernel_sp, STACK_TOP, true);
    view.setBigUint64(DOMAIN_CONTEXT + GUEST_CONTEXT_kernel_ss, BigInt(FLAT_KERNEL_SS), true);
    view.setBigUint64(DOMAIN_CONTEXT + GUEST_CONTEXT_ctrlreg + 3 * 8, maddrOf(L4_PFN), true);
    const outcome = this.core.pvSetContext(this.cpu, DOMAIN_CONTEXT);
    if (outcome !== 0) throw new Error(`the fixture's context is refused: ${outcome}`);
    view.setUint32(this.cpu + PV_ONLINE, 1, true);
  }

  get(offset: number): bigint {
    return this.view.getBigUint64(this.cpu + offset, true);
  }

  set(offset: number, value: bigint | number): void {
    this.view.setBigUint64(this.cpu + offset, BigInt.asUintN(64, BigInt(value)), true);
  }

  selector(index: number): number {
    return this.view.getUint16(this.cpu + VCPU_SELECTORS + index * 2, true);
  }

  get userMode(): boolean {
    return this.view.getUint32(this.cpu + VCPU_USER_MODE, true) !== 0;
  }

  /** Puts code at CODE (or in the user's page) without the CPU's knowledge, so say before it is run for the first time. */
  code(instructions: readonly number[], offset = 0): void {
    this.bytes.set(instructions, this.ram(0, offset));
    this.core.pvFrameWritten(mfnOf(0), offset, instructions.length);
  }

  userCode(instructions: readonly number[]): void {
    this.bytes.set(instructions, this.ram(USER_CODE_PFN));
    this.core.pvFrameWritten(mfnOf(USER_CODE_PFN), 0, instructions.length);
  }

  /** Runs the instructions from CODE, then a jump to itself, on which the run ends; the EXIT_* reason. */
  execute(instructions: readonly number[], count = 1): number {
    this.code([...instructions, 0xeb, 0xfe]);
    this.set(VCPU_RIP, CODE);
    return this.core.run(this.cpu, count);
  }

  /** SYSCALL with the registers of a hypercall; RAX as a signed number. */
  hypercall(number: number, ...args: readonly (bigint | number)[]): number {
    [VCPU_RDI, VCPU_RSI, VCPU_RDX, VCPU_R10, VCPU_R8].forEach((register, index) => {
      this.set(register, args[index] ?? 0);
    });
    this.set(VCPU_RAX, number);
    this.execute([0x0f, 0x05]);
    return Number(BigInt.asIntN(64, this.get(VCPU_RAX)));
  }

  /** Host offset of a byte of DATA. */
  data(offset = 0): number {
    return this.ram(1, offset);
  }

  /** Writes 32-bit words at DATA + offset and returns their guest address. */
  words(offset: number, ...values: readonly number[]): bigint {
    values.forEach((value, index) => {
      this.view.setUint32(this.data(offset + index * 4), value >>> 0, true);
    });
    return DATA + BigInt(offset);
  }

  /** Writes 64-bit words. */
  quads(offset: number, ...values: readonly (bigint | number)[]): bigint {
    values.forEach((value, index) => {
      this.view.setBigUint64(this.data(offset + index * 8), BigInt.asUintN(64, BigInt(value)), true);
    });
    return DATA + BigInt(offset);
  }

  word(offset: number): number {
    return this.view.getUint32(this.data(offset), true);
  }

  quad(offset: number): bigint {
    return this.view.getBigUint64(this.data(offset), true);
  }

  /** The 64-bit words from a guest stack address up (within STACK). */
  stackWords(address: bigint, count: number): bigint[] {
    const at = this.ram(5, Number(address - STACK));
    return Array.from({ length: count }, (_, index) => this.view.getBigUint64(at + index * 8, true));
  }

  /** Page-table entry of TABLES' own tables. */
  tableEntry(tablePfn: number, slot: number): bigint {
    return this.view.getBigUint64(this.ram(tablePfn, slot * 8), true);
  }

  /** {type, uses, references} of a frame. */
  frame(pfn: number): { type: number; uses: number; references: number } {
    const record = this.plan.frameRecords + (XEN_FRAMES + pfn) * FRAME_BYTES;
    const type = this.view.getUint32(record + FRAME_TYPE, true);
    return {
      type: type >>> TYPE_SHIFT,
      uses: type & TYPE_COUNT,
      references: this.view.getUint32(record + FRAME_REFERENCES, true) & REFERENCES_COUNT,
    };
  }

  machineToPhysical(mfn: number): bigint {
    return this.view.getBigUint64(this.plan.m2p + (mfn - this.plan.m2pFirstMfn) * 8, true);
  }

  /** Offset of vcpu_info in the memory. */
  vcpuInfo(vcpu = 0): number {
    return this.view.getUint32(vcpuBlockOf(vcpu) + PV_VCPU_INFO, true);
  }

  setUpcallMask(mask: number): void {
    this.view.setUint8(this.vcpuInfo() + VCPU_INFO_evtchn_upcall_mask, mask);
  }

  upcallMask(): number {
    return this.view.getUint8(this.vcpuInfo() + VCPU_INFO_evtchn_upcall_mask);
  }

  portPending(port: number): boolean {
    return ((this.view.getUint8(this.plan.framesBase + SHARED_INFO_evtchn_pending + (port >> 3)) >> (port & 7)) & 1) !== 0;
  }

  setPortMask(port: number, masked: boolean): void {
    const at = this.plan.framesBase + SHARED_INFO_evtchn_mask + (port >> 3);
    const bit = 1 << (port & 7);
    this.view.setUint8(at, masked ? this.view.getUint8(at) | bit : this.view.getUint8(at) & ~bit);
  }

  clearPort(port: number): void {
    const at = this.plan.framesBase + SHARED_INFO_evtchn_pending + (port >> 3);
    this.view.setUint8(at, this.view.getUint8(at) & ~(1 << (port & 7)));
  }

  /** Installs handlers: vector, flags, address. Uses the end of the first data page. */
  setTraps(...traps: readonly (readonly [number, number, bigint])[]): void {
    const at = 0xe00;
    traps.forEach(([vector, flags, address], index) => {
      const info = this.data(at + index * TRAP_INFO_BYTES);
      this.view.setUint8(info, vector);
      this.view.setUint8(info + 1, flags);
      this.view.setUint16(info + 2, FLAT_KERNEL_CS, true);
      this.view.setBigUint64(info + 8, address, true);
    });
    this.view.setBigUint64(this.data(at + traps.length * TRAP_INFO_BYTES + 8), 0n, true);
    const outcome = this.hypercall(__HYPERVISOR_set_trap_table, DATA + BigInt(at));
    if (outcome !== 0) throw new Error(`set_trap_table: ${outcome}`);
  }

  readonly userRoot = mfnOf(USER_L4_PFN);

  /** Registers a test looks at. */
  state(): { rip: bigint; rsp: bigint; rax: bigint; rcx: bigint; r11: bigint; rflags: bigint; user: boolean } {
    return {
      rip: this.get(VCPU_RIP),
      rsp: this.get(VCPU_RSP),
      rax: this.get(VCPU_RAX),
      rcx: this.get(VCPU_RCX),
      r11: this.get(VCPU_R11),
      rflags: this.get(VCPU_RFLAGS),
      user: this.userMode,
    };
  }

  get userTable(): bigint {
    return this.get(VCPU_CR3_USER);
  }

  get inactiveGs(): bigint {
    return this.get(VCPU_INACTIVE_GS_BASE);
  }
}
