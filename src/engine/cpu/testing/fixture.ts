/**
 * A bare CPU for tests: one memory, one vCPU, page tables in the memory's own frames, the compiled core without hypervisor
 * hooks. Exceptions make `run` return, with the fault described in the vCPU block.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  CONTROL,
  CONTROL_ARENA_BYTES,
  CONTROL_CPUID,
  CONTROL_CPUID_COUNT,
  CONTROL_FIRST_MFN,
  CONTROL_FRAMES_BASE,
  CONTROL_FRAME_COUNT,
  CONTROL_FRAME_RECORDS,
  CONTROL_VCPU_COUNT,
  CPUID_LEAF_BYTES,
  FRAME_BYTES,
  PAGE_BYTES,
  VCPU_BLOCKS,
  VCPU_BLOCK_BYTES,
  VCPU_CR0,
  VCPU_CR3_KERNEL,
  VCPU_CR3_USER,
  VCPU_CR4,
  VCPU_DR,
  VCPU_EFER,
  VCPU_FAULT_ADDRESS,
  VCPU_FAULT_ERROR,
  VCPU_FAULT_VECTOR,
  VCPU_FCW,
  VCPU_FSW,
  VCPU_FS_BASE,
  VCPU_FTW,
  VCPU_GS_BASE,
  VCPU_ID,
  VCPU_MXCSR,
  VCPU_RIP,
  VCPU_SELECTORS,
  VCPU_STEPPING,
  VCPU_X87,
  VCPU_XMM,
} from '../layout.ts';
import { FS_BASE, GS_BASE } from './address-map.ts';
import {
  FX_FCW,
  FX_FSW,
  FX_FTW,
  FX_MXCSR,
  FX_ST,
  FX_XMM,
  FX_XMM_END,
  type Fault,
  type MachineState,
  newState,
  readU16,
  readU32,
  writeU16,
  writeU32,
} from './machine-state.ts';

const ARENA_BYTES = 0x200000;
const FIRST_MFN = 0x4200;

const PTE_PRESENT = 1n;
const PTE_WRITE = 2n;
const PTE_USER = 4n;
const PTE_NX = 1n << 63n;

/** CR0: PE MP ET NE WP AM PG; the x87 reports errors by #MF. */
export const CR0_INITIAL = 0x80050033n;
/** CR4: PAE, OSFXSR, OSXMMEXCPT. */
export const CR4_INITIAL = 0x620n;
/** EFER: SCE LME LMA NXE. */
const EFER_INITIAL = 0xd01n;
/** ES CS SS DS FS GS of a 64-bit user program. */
const SELECTORS = [0, 0x33, 0x2b, 0, 0, 0];

export interface CoreExports {
  attach(): void;
  resetVcpu(cpu: number, arena: number): void;
  run(cpu: number, budget: number, period?: number): number;
  setMode(cpu: number, user: number): void;
  getRflags(cpu: number): bigint;
  setRflags(cpu: number, value: bigint): void;
  flushTlb(cpu: number): void;
  flushPage(cpu: number, address: bigint): void;
  storeMarked(cpu: number, host: number, bytes: number): void;
  /** Installs the hypervisor's hooks: scenarios use its descriptor tables. */
  pvAttach(): void;
}

export interface PageRights {
  readonly write?: boolean;
  readonly execute?: boolean;
  readonly user?: boolean;
}

/** Clock and entropy of the bare CPU; tests set what the core reads next. */
export interface HostInputs {
  nowNs: number;
  entropy: number;
}

/** The core as it is, or with guest accesses kept in order by fences. WEBXEN_MEMORY_ORDER=strict runs all tests with the latter. */
export type CoreVariant = 'core' | 'core-ordered';
const VARIANT: CoreVariant = process.env['WEBXEN_MEMORY_ORDER'] === 'strict' ? 'core-ordered' : 'core';
const compiled = new Map<CoreVariant, WebAssembly.Module>();

export function coreModule(variant: CoreVariant = VARIANT): WebAssembly.Module {
  const known = compiled.get(variant);
  if (known !== undefined) return known;
  const path = fileURLToPath(new URL(`../../../../build/${variant}.wasm`, import.meta.url));
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new Error(`build/${variant}.wasm is missing: run \`npm run build:core\` first`, { cause: error });
  }
  const module = new WebAssembly.Module(new Uint8Array(bytes));
  compiled.set(variant, module);
  return module;
}

/** Pages of the maximum that the core's memory import declares; a memory that is handed in may not have more. */
const MEMORY_MAXIMUM_PAGES = 65536;

function unexpectedCall(name: string): () => never {
  return () => {
    throw new Error(`the bare CPU called ${name}`);
  };
}

/** Imports of an instance of the core on `memory`, for a CPU without a hypervisor. */
export function coreImports(module: WebAssembly.Module, memory: WebAssembly.Memory, inputs: HostInputs): WebAssembly.Imports {
  const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    // A bare CPU has a clock and entropy; what a hypervisor in the same module asks for is not there.
    if (kind === 'function') (imports[from] ??= {})[name] = unexpectedCall(`${from}.${name}`);
  }
  (imports['env'] ??= {})['memory'] = memory;
  const host = (imports['host'] ??= {});
  host['nowNs'] = (): number => inputs.nowNs;
  host['entropy'] = (): number => inputs.entropy;
  return imports;
}

export class CoreFixture {
  readonly memory: WebAssembly.Memory;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly cpu = VCPU_BLOCKS;
  readonly exports: CoreExports;
  readonly inputs: HostInputs = { nowNs: 1_000_000, entropy: 0x12345678 };
  private readonly frameRecords: number;
  private readonly framesBase: number;
  private nextFrame = 0;
  private stepped = false;
  private readonly l4: number;

  /** `frames`: pages of guest memory, page tables included. */
  constructor(frames: number, vcpus = 1, variant?: CoreVariant) {
    const recordBytes = (frames * FRAME_BYTES + PAGE_BYTES - 1) & -PAGE_BYTES;
    const arenas = this.blockOf(vcpus);
    this.frameRecords = arenas + vcpus * ARENA_BYTES;
    this.framesBase = this.frameRecords + recordBytes;
    const total = this.framesBase + frames * PAGE_BYTES;
    this.memory = new WebAssembly.Memory({ initial: Math.ceil(total / 65536), maximum: MEMORY_MAXIMUM_PAGES, shared: true });
    this.bytes = new Uint8Array(this.memory.buffer);
    this.view = new DataView(this.memory.buffer);
    const control: readonly (readonly [number, number])[] = [
      [CONTROL_FRAMES_BASE, this.framesBase],
      [CONTROL_FRAME_COUNT, frames],
      [CONTROL_FIRST_MFN, FIRST_MFN],
      [CONTROL_FRAME_RECORDS, this.frameRecords],
      [CONTROL_VCPU_COUNT, vcpus],
      [CONTROL_ARENA_BYTES, ARENA_BYTES],
    ];
    for (const [offset, value] of control) this.setU32(CONTROL + offset, value);
    this.l4 = this.takeFrame();

    const module = coreModule(variant);
    this.exports = new WebAssembly.Instance(module, coreImports(module, this.memory, this.inputs))
      .exports as unknown as CoreExports;
    this.exports.attach();
    for (let vcpu = 0; vcpu < vcpus; vcpu++) this.powerOn(vcpu, arenas + vcpu * ARENA_BYTES);
  }

  /** Start of a vCPU's block. */
  blockOf(vcpu: number): number {
    return VCPU_BLOCKS + vcpu * VCPU_BLOCK_BYTES;
  }

  private powerOn(vcpu: number, arena: number): void {
    const { l4 } = this;
    const cpu = this.blockOf(vcpu);
    this.exports.resetVcpu(cpu, arena);
    this.setU32(cpu + VCPU_ID, vcpu);
    this.setU64(cpu + VCPU_CR3_KERNEL, this.machineAddress(l4));
    this.setU64(cpu + VCPU_CR3_USER, this.machineAddress(l4));
    this.setU64(cpu + VCPU_CR0, CR0_INITIAL);
    this.setU64(cpu + VCPU_CR4, CR4_INITIAL);
    this.setU64(cpu + VCPU_EFER, EFER_INITIAL);
    this.setU64(cpu + VCPU_FS_BASE, FS_BASE);
    this.setU64(cpu + VCPU_GS_BASE, GS_BASE);
    SELECTORS.forEach((selector, index) => this.view.setUint16(cpu + VCPU_SELECTORS + 2 * index, selector, true));
    this.exports.setMode(cpu, 1);
  }

  setU32(at: number, value: number): void {
    this.view.setUint32(at, value, true);
  }

  getU32(at: number): number {
    return this.view.getUint32(at, true);
  }

  setU64(at: number, value: bigint): void {
    this.view.setBigUint64(at, value, true);
  }

  getU64(at: number): bigint {
    return this.view.getBigUint64(at, true);
  }

  /** Index of a fresh zeroed frame. */
  takeFrame(): number {
    const frame = this.nextFrame++;
    if (this.hostOf(frame) + PAGE_BYTES > this.bytes.length) throw new RangeError('the fixture has no frame left');
    return frame;
  }

  /** Offset of a frame in the memory. */
  hostOf(frame: number): number {
    return this.framesBase + frame * PAGE_BYTES;
  }

  machineAddress(frame: number): bigint {
    return BigInt(FIRST_MFN + frame) << 12n;
  }

  /** Index of the frame that `address` is mapped to. */
  frameOf(address: bigint): number {
    return Number((this.getU64(this.pageTableEntry(address)) >> 12n) & 0xffffffffffn) - FIRST_MFN;
  }

  /**
   * Where the entry of `address` is in the memory, at the level whose entries map 2^`shift` bytes (12, 21, 30 or 39); the
   * tables above it are made as needed.
   */
  pageTableEntry(address: bigint, shift = 12n): number {
    let table = this.l4;
    let level = 39n;
    for (; level > shift; level -= 9n) table = this.tableEntry(table, Number((address >> level) & 511n));
    return this.hostOf(table) + Number((address >> level) & 511n) * 8;
  }

  private tableEntry(table: number, index: number): number {
    const at = this.hostOf(table) + index * 8;
    const entry = this.getU64(at);
    if (entry & PTE_PRESENT) return Number((entry >> 12n) & 0xffffffffffn) - FIRST_MFN;
    const next = this.takeFrame();
    this.setU64(at, this.machineAddress(next) | PTE_PRESENT | PTE_WRITE | PTE_USER);
    return next;
  }

  /** Maps a frame (a fresh one if none is given) at `address`; returns its offset in the memory. */
  map(address: bigint, rights: PageRights = {}, frame = this.takeFrame()): number {
    const { write = true, execute = false, user = true } = rights;
    const bits = PTE_PRESENT | (write ? PTE_WRITE : 0n) | (user ? PTE_USER : 0n) | (execute ? 0n : PTE_NX);
    this.setU64(this.pageTableEntry(address), this.machineAddress(frame) | bits);
    return this.hostOf(frame);
  }

  setUserMode(user: boolean): void {
    this.exports.setMode(this.cpu, user ? 1 : 0);
  }

  /** Sets the CPUID leaves: leaf, subleaf (0xffffffff = any), eax, ebx, ecx, edx. */
  setCpuid(leaves: readonly (readonly [number, number, number, number, number, number])[]): void {
    this.setU32(CONTROL + CONTROL_CPUID_COUNT, leaves.length);
    leaves.forEach((leaf, index) => {
      leaf.forEach((word, at) => this.setU32(CONTROL + CONTROL_CPUID + index * CPUID_LEAF_BYTES + 4 * at, word));
    });
  }

  get rflags(): number {
    return Number(BigInt.asUintN(32, this.exports.getRflags(this.cpu)));
  }

  set rflags(value: number) {
    this.exports.setRflags(this.cpu, BigInt(value));
    if (this.stepped) this.setU32(this.cpu + VCPU_STEPPING, 1);
  }

  /**
   * With `on` every instruction goes through the step path, which executes by the rows' own handlers; without, hot instructions
   * are executed by the run loop. (DR7 enables a breakpoint at an address that no test reaches.)
   */
  setStepped(on: boolean): void {
    this.stepped = on;
    this.setU64(this.cpu + VCPU_DR, 0x7fff_0000_0000n);
    this.setU64(this.cpu + VCPU_DR + 7 * 8, on ? 1n : 0n);
    this.setU32(this.cpu + VCPU_STEPPING, on ? 1 : 0);
  }

  setState(state: MachineState, cpu: number = this.cpu): void {
    const { view } = this;
    for (let register = 0; register < 16; register++) view.setBigUint64(cpu + 8 * register, state.gpr[register] ?? 0n, true);
    this.setU64(cpu + VCPU_RIP, state.rip);
    if (cpu === this.cpu) this.rflags = state.rflags;
    else this.exports.setRflags(cpu, BigInt(state.rflags));
    const { fx } = state;
    view.setUint16(cpu + VCPU_FCW, readU16(fx, FX_FCW), true);
    const status = readU16(fx, FX_FSW);
    view.setUint16(cpu + VCPU_FSW, status, true);
    view.setUint8(cpu + VCPU_FTW, fx[FX_FTW] ?? 0);
    this.setU32(cpu + VCPU_MXCSR, readU32(fx, FX_MXCSR));
    const top = (status >> 11) & 7;
    // The image has registers in stack order, the CPU by physical number.
    for (let st = 0; st < 8; st++) {
      const at = cpu + VCPU_X87 + 16 * ((top + st) & 7);
      this.bytes.set(fx.subarray(FX_ST + 16 * st, FX_ST + 16 * st + 10), at);
    }
    this.bytes.set(fx.subarray(FX_XMM, FX_XMM_END), cpu + VCPU_XMM);
  }

  getState(): MachineState {
    const { cpu, view, bytes } = this;
    const state = newState();
    for (let register = 0; register < 16; register++) state.gpr[register] = view.getBigUint64(cpu + 8 * register, true);
    state.rip = this.getU64(cpu + VCPU_RIP);
    state.rflags = this.rflags;
    const { fx } = state;
    writeU16(fx, FX_FCW, view.getUint16(cpu + VCPU_FCW, true));
    const status = view.getUint16(cpu + VCPU_FSW, true);
    writeU16(fx, FX_FSW, status);
    fx[FX_FTW] = view.getUint8(cpu + VCPU_FTW);
    writeU32(fx, FX_MXCSR, this.getU32(cpu + VCPU_MXCSR));
    const top = (status >> 11) & 7;
    for (let st = 0; st < 8; st++) {
      const at = cpu + VCPU_X87 + 16 * ((top + st) & 7);
      fx.set(bytes.subarray(at, at + 10), FX_ST + 16 * st);
    }
    fx.set(bytes.subarray(cpu + VCPU_XMM, cpu + VCPU_XMM + 256), FX_XMM);
    return state;
  }

  /** Runs until something makes the core return; EXIT_* reason. With a period also for samples. */
  run(budget = 10_000, period = 0): number {
    return this.exports.run(this.cpu, budget, period);
  }

  /** The exception of the last run that returned EXIT_EXCEPTION. */
  fault(): Fault {
    const { cpu } = this;
    const vector = this.getU32(cpu + VCPU_FAULT_VECTOR);
    return {
      vector,
      error: VECTORS_WITH_ERROR.has(vector) ? this.getU32(cpu + VCPU_FAULT_ERROR) : 0,
      address: vector === 14 ? this.getU64(cpu + VCPU_FAULT_ADDRESS) : 0n,
    };
  }
}

const VECTORS_WITH_ERROR = new Set([8, 10, 11, 12, 13, 14, 17]);
