/**
 * Finds hot code of one vCPU by sampling and has it run as WebAssembly. Works between runs of the core, on the vCPU's own thread;
 * making the code may be another's (region-compiler.ts), and the guest goes on meanwhile.
 *
 * The core returns whenever so many instructions have been interpreted: the block it was in is a sample of what the interpreter's
 * time goes to. A stretch of code sampled often enough (sampled-places.ts) becomes a region (region.ts), its function a slot of the
 * core's table, and the blocks at its entries are entered by it from then on (cpu/regions.ts). A region that is often left to the same place grows: it is made anew with
 * that place as a further entry. Regions are first made so that they take little to compile; one in which much is executed at a time,
 * or that is often left for TLB misses, is made anew thoroughly. A region whose frames were written dies in the core; sampled again,
 * it comes back if its bytes are the same.
 */
import {
  REGION_DATA_AT,
  REGION_DATA_HOST,
  REGION_DATA_PAGES,
  REGION_DATA_PAGE_BYTES,
  REGION_ENTRY_SHIFT,
  REGION_TABLE_INDEX,
  VCPU_INSTRUCTIONS,
  VCPU_REGION_GENERATION,
  VCPU_RIP,
  VCPU_SAMPLE_RIP,
} from '../cpu/layout.ts';
import { CodeRecorder } from './code-trace.ts';
import type { TranslatorCore } from './core.ts';
import { pageOf as pageOfPosition } from './instruction.ts';
import { HotThreshold, type ThresholdBounds } from './hot-threshold.ts';
import { DEFAULT_LIMITS, type Region, RegionBuilder, type RegionLimits } from './region.ts';
import { ImmediateCompiler, type RegionCompiler } from './region-compiler.ts';
import { SampledPlaces } from './sampled-places.ts';
import { type Translation, type TranslationOrigin, originOf } from './translation.ts';
import { TransitionSamples } from './transition-samples.ts';
import { regionImports } from './wasm-module.ts';

export interface TranslatorOptions extends ThresholdBounds {
  /** Instructions interpreted between samples. */
  readonly sampleInstructions: number;
  /** Follow code that was never executed too. */
  readonly everything: boolean;
  /**
   * Instructions of a region without a loop at least: the way into it and out takes as long as interpreting a dozen. Kernels have
   * all functions return through a thunk of one instruction.
   */
  readonly minimumInstructions: number;
  /** Regions at most; then all are forgotten. */
  readonly maximumRegions: number;
  /** Told of each region made, with the virtual address of its entry's page. */
  readonly onRegion?: (page: bigint, region: Region) => void;
  /** Told of each module before the engine compiles it, and when its region can be entered. */
  readonly onModule?: (bytes: Uint8Array) => void;
  readonly onInstalled?: () => void;
  /** Sampled transitions from a region to one place that make it grow by that place. */
  readonly growthThreshold: number;
  /** Regions are made thoroughly from the start. */
  readonly thorough: boolean;
  /** Otherwise, after so many sampled ways out that gave an instruction back, or so many samples of long runs. */
  readonly redoThreshold: number;
  readonly longRunThreshold: number;
}

export const DEFAULT_OPTIONS: TranslatorOptions = {
  sampleInstructions: 20_000,
  threshold: 48,
  lowThreshold: 8,
  everything: false,
  minimumInstructions: 8,
  maximumRegions: 4000,
  growthThreshold: 500,
  thorough: false,
  redoThreshold: 32,
  longRunThreshold: 4,
};

/**
 * Translates everything at once: for tests. Each sample of code that has no region yet makes one, which takes milliseconds, and what
 * stock programs execute fills thousands: sampled more often, or forgotten sooner, they would hardly do anything else.
 */
export const EAGER_OPTIONS: TranslatorOptions = {
  sampleInstructions: 4000,
  threshold: 1,
  lowThreshold: 1,
  everything: true,
  minimumInstructions: 1,
  maximumRegions: 8000,
  growthThreshold: 500,
  thorough: true,
  redoThreshold: 32,
  longRunThreshold: 4,
};

const pageStart = (host: number): number => (host & ~PAGE_MASK) >>> 0;
const pageOf = (rip: bigint): bigint => rip & ~BigInt(PAGE_MASK);
const offsetOf = (rip: bigint): number => Number(rip & BigInt(PAGE_MASK));

/** Whether control can come to an instruction of the region twice without leaving it. */
const hasLoop = ({ blocks }: Region): boolean =>
  blocks.some(({ start, next, taken }) =>
    [next, taken].some((target) => target !== null && target.block !== null && target.block.start <= start),
  );

interface Installed {
  readonly tableIndex: number;
  readonly translation: Translation;
  /** Virtual address of the page of the first entry when it was installed. */
  readonly page: bigint;
  /** Host addresses of its pages, of its entries, and of its data. */
  readonly pages: readonly number[];
  readonly hosts: readonly number[];
  readonly data: number;
  /** The core's records of those entries that this region still has, by their host address. */
  readonly records: Map<number, number>;
  /** It cannot grow any more. */
  full: boolean;
  /** It was made thoroughly, or is being made anew so. */
  thorough: boolean;
}

/** A region that is being compiled. */
interface Awaited {
  readonly origin: TranslationOrigin;
  readonly page: bigint;
  /** Host addresses of its pages, of its first entry, and of all that lie in the first page, when it was chosen. */
  readonly pages: readonly number[];
  readonly host: number;
  readonly hosts: readonly number[];
  readonly thorough: boolean;
}

export interface TranslatorCounters {
  regions: number;
  instructions: number;
  wasmBytes: number;
  /** Regions made anew with a further entry, and thoroughly. */
  grown: number;
  thorough: number;
  revived: number;
  resets: number;
}

/** Places known at most, as sampled or as refused, before all of them are forgotten. */
const SAMPLES_MAXIMUM = 8192;
const TABLE_STEP = 256;
/** Regions being compiled at most; what is hot meanwhile is sampled again. */
const AWAITED_MAXIMUM = 32;
/** Bounds of a region that grew. */
const GROWN_INSTRUCTIONS_MAXIMUM = 600;
const GROWN_ENTRIES_MAXIMUM = 24;
/** Instructions that a region may take up with a place it grows by. */
const GROWTH_INSTRUCTIONS = 200;
const GROWN_PAGES_MAXIMUM = 12;
/** A region's positions are 32 bits. */
const REACH = 0x7000_0000;
const PAGE_MASK = 0xfff;
/** No address of a page. */
const NOWHERE = -1n;

export class Translator {
  readonly sampleInstructions: number;
  readonly counters: TranslatorCounters = {
    regions: 0,
    instructions: 0,
    wasmBytes: 0,
    grown: 0,
    thorough: 0,
    revived: 0,
    resets: 0,
  };
  private readonly view: DataView;
  private readonly bytes: Uint8Array;
  private readonly imports: WebAssembly.Imports;
  /** By the host address of each entry. */
  private readonly regions = new Map<number, Installed>();
  private readonly byTableIndex = new Map<number, Installed>();
  private readonly transitions: TransitionSamples;
  private readonly samples = new SampledPlaces(SAMPLES_MAXIMUM);
  private readonly threshold: HotThreshold;
  private readonly refused = new Set<number>();
  private readonly freeSlots: number[] = [];
  /** By their jobs' numbers, and the hosts of their entries. */
  private readonly awaited = new Map<number, Awaited>();
  private readonly awaitedHosts = new Set<number>();
  private jobs = 0;
  private readonly recorder: CodeRecorder;
  private readonly ordered: boolean;
  private generation: number;
  private readonly limits: RegionLimits;

  constructor(
    private readonly core: TranslatorCore,
    memory: WebAssembly.Memory,
    private readonly cpu: number,
    private readonly options: TranslatorOptions = DEFAULT_OPTIONS,
    private readonly compiler: RegionCompiler = new ImmediateCompiler(),
  ) {
    this.sampleInstructions = options.sampleInstructions;
    this.view = new DataView(memory.buffer);
    this.bytes = new Uint8Array(memory.buffer);
    this.imports = regionImports(core, memory);
    this.limits = { ...DEFAULT_LIMITS, everything: options.everything };
    this.recorder = new CodeRecorder(core, this.view);
    this.ordered = core.ordersAccesses() !== 0;
    this.transitions = new TransitionSamples(new Uint32Array(memory.buffer), cpu, {
      jump: options.growthThreshold,
      redo: options.redoThreshold,
      longRun: options.longRunThreshold,
    });
    this.threshold = new HotThreshold(options.sampleInstructions, options);
    this.generation = this.currentGeneration();
  }

  private currentGeneration(): number {
    return this.view.getUint32(this.cpu + VCPU_REGION_GENERATION, true);
  }

  /** Takes the block interpreted last as a sample; has what is there translated once it is hot. Puts a region to use that is ready. */
  sample(): void {
    this.installFinished();
    const threshold = this.threshold.next(Number(this.view.getBigUint64(this.cpu + VCPU_INSTRUCTIONS, true)));
    const rip = this.view.getBigInt64(this.cpu + VCPU_RIP, true);
    this.transitions.drain((tableIndex, target) => {
      const from = this.byTableIndex.get(tableIndex);
      // Of the other mode's addresses nothing can be known from here.
      if (from === undefined || from.page < 0n !== rip < 0n) return;
      if (target === null) this.makeThorough(from);
      else if (target < 0n === rip < 0n) this.grow(from, target);
    });
    const at = this.view.getBigInt64(this.cpu + VCPU_SAMPLE_RIP, true);
    // The last instruction may have changed the mode.
    if (at < 0n !== rip < 0n) return;
    const host = this.hostOf(at);
    if (host === 0 || this.refused.has(host) || this.isAlive(host)) return;
    const places = this.samples.add(host, threshold);
    if (places !== undefined) this.translate(at, host, places.slice(1));
  }

  /** Has the code at an address of the current mode translated; false = there is none that can be. */
  translateAt(rip: bigint): boolean {
    const host = this.hostOf(BigInt.asIntN(64, rip));
    return host !== 0 && (this.isAlive(host) || this.translate(rip, host));
  }

  private hostOf(rip: bigint): number {
    return this.core.codePointer(this.cpu, rip) >>> 0;
  }

  /** The core forgets all regions when it has to. */
  private noticeReset(): void {
    if (this.generation !== this.currentGeneration()) this.forget();
  }

  private isAlive(host: number): boolean {
    this.noticeReset();
    const record = this.regions.get(host)?.records.get(host);
    return record !== undefined && this.view.getUint32(record + REGION_TABLE_INDEX, true) !== 0;
  }

  /** Translates what is at `rip`, as a region with entries at other places of its page too if there can be one. */
  private translate(rip: bigint, host: number, others: readonly number[] = []): boolean {
    if (this.refused.has(host)) return false;
    if (this.awaitedHosts.has(host) || this.revive(host)) return true;
    if (this.regions.size >= this.options.maximumRegions) this.reset();
    const { limits, options } = this;
    const page = pageOf(rip);
    const entries = others.filter((other) => this.canBeEntry(other)).map((other) => other & PAGE_MASK);
    const made =
      (entries.length > 0 && this.make(page, [offsetOf(rip), ...entries], limits, options.thorough)) ||
      this.make(page, [offsetOf(rip)], limits, options.thorough);
    if (!made) this.refuse(host);
    return made;
  }

  /** Whether nothing is known of a place that was sampled. */
  private canBeEntry(host: number): boolean {
    return !this.isAlive(host) && !this.awaitedHosts.has(host) && !this.refused.has(host) && !this.revive(host);
  }

  private refuse(host: number): void {
    if (this.refused.size >= SAMPLES_MAXIMUM) this.refused.clear();
    this.refused.add(host);
  }

  /** Chooses the region entered at these positions and has it compiled; false = there is none. */
  private make(page: bigint, entries: readonly number[], limits: RegionLimits, thorough: boolean): boolean {
    if (this.awaited.size >= AWAITED_MAXIMUM) return true;
    const region = new RegionBuilder(this.recorder, this.view, this.cpu, page, limits).build(entries);
    const trace = this.recorder.take();
    if (region === null || (region.instructions < this.options.minimumInstructions && !hasLoop(region))) return false;
    this.options.onRegion?.(page, region);
    const number = this.jobs++;
    const pages = region.pages.map(({ host }) => host);
    const hosts = entries.filter((position) => pageOfPosition(position) === 0).map((position) => (pages[0] ?? 0) + position);
    const [host = 0] = hosts;
    this.awaited.set(number, { origin: originOf(region), page, pages, host, hosts, thorough });
    for (const each of hosts) this.awaitedHosts.add(each);
    this.compiler.compile({ number, entries, limits, trace, ordered: this.ordered, thorough }, region);
    this.installFinished();
    return true;
  }

  /** Makes the region entered at `entry` anew with a further entry at `rip`, both of the current mode; false = it stays as it is. */
  extend(entry: bigint, rip: bigint): boolean {
    const from = this.regions.get(this.hostOf(BigInt.asIntN(64, entry)));
    return from !== undefined && this.grow(from, BigInt.asIntN(64, rip));
  }

  /** Takes the code at `rip` into the region, and what else the region there has. */
  private grow(from: Installed, rip: bigint): boolean {
    if (from.full || !this.canBeRemade(from)) return false;
    const position = Number(rip - from.page);
    if (Math.abs(position) > REACH) return false;
    const host = this.hostOf(rip);
    const other = this.regions.get(host);
    if (host === 0 || other === from) return false;
    const entries = new Set([...from.translation.entries, position]);
    const before = from.translation.instructions;
    let instructions = before + GROWTH_INSTRUCTIONS;
    if (other !== undefined && before + other.translation.instructions <= GROWN_INSTRUCTIONS_MAXIMUM) {
      const distance = Number(other.page - from.page);
      if (Math.abs(distance) <= REACH) for (const entry of other.translation.entries) entries.add(entry + distance);
      instructions = Math.max(instructions, before + other.translation.instructions);
    }
    from.full = true;
    if (entries.size > GROWN_ENTRIES_MAXIMUM) return false;
    const limits = { ...this.limits, instructions: Math.min(instructions, GROWN_INSTRUCTIONS_MAXIMUM), pages: GROWN_PAGES_MAXIMUM };
    const thorough = from.thorough || other?.thorough === true;
    if (!this.make(from.page, [...entries], limits, thorough)) return false;
    this.counters.grown++;
    return true;
  }

  private makeThorough(from: Installed): void {
    if (from.thorough || !this.canBeRemade(from)) return;
    from.thorough = true;
    const { translation, page } = from;
    // What grew keeps its size.
    const instructions = Math.max(this.limits.instructions, translation.instructions);
    const pages = Math.max(this.limits.pages, translation.pages.length);
    if (this.make(page, translation.entries, { ...this.limits, instructions, pages }, true)) this.counters.thorough++;
  }

  private canBeRemade(from: Installed): boolean {
    const [first = 0] = from.hosts;
    // The same frames may be mapped elsewhere by now.
    return this.awaited.size < AWAITED_MAXIMUM && this.isAlive(first) && this.hostOf(from.page) === from.pages[0];
  }

  /** Puts the next region to use that has been compiled, if there is one: one at a time, so that pauses stay short. */
  private installFinished(): void {
    this.noticeReset();
    const made = this.compiler.finished();
    const awaited = made && this.awaited.get(made.number);
    // What was asked for before all was forgotten is nobody's any more.
    if (made === undefined || awaited === undefined) return;
    this.awaited.delete(made.number);
    const { origin, page, pages, host, hosts, thorough } = awaited;
    for (const each of hosts) this.awaitedHosts.delete(each);
    if (made.module.length === 0) {
      this.refuse(host);
      return;
    }
    // Its frames may have been written since it was chosen, and nobody knew then that it was to die of that.
    if (!this.holds(origin, pages)) return;
    this.options.onModule?.(made.module);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(made.module), this.imports);
    this.counters.regions++;
    this.counters.instructions += origin.instructions;
    this.counters.wasmBytes += made.module.length;
    this.place({ ...origin, data: made.data }, page, pages, thorough, instance.exports['0']);
    this.options.onInstalled?.();
  }

  /** Puts a translation to use whose pages are at these host addresses. */
  private place(translation: Translation, page: bigint, pages: readonly number[], thorough: boolean, code: unknown): void {
    const { core, cpu, view } = this;
    const { data: bytes, entries, instructions } = translation;
    const data = core.allocateRegionBytes(cpu, bytes.length) >>> 0;
    if (data === 0) {
      this.reset();
      return;
    }
    this.bytes.set(bytes, data);
    pages.forEach((host, n) => {
      view.setUint32(data + REGION_DATA_PAGES + n * REGION_DATA_PAGE_BYTES + REGION_DATA_HOST, host, true);
    });
    const hostAt = (position: number): number => {
      const start = pageOfPosition(position);
      return (pages[translation.pages.indexOf(start)] ?? 0) + (position - start);
    };
    const tableIndex = this.takeSlot();
    core.table.set(tableIndex, code);
    const full = instructions >= GROWN_INSTRUCTIONS_MAXIMUM;
    const installed = {
      tableIndex,
      translation,
      page,
      pages,
      hosts: entries.map(hostAt),
      data,
      records: new Map(),
      full,
      thorough,
    };
    this.byTableIndex.set(tableIndex, installed);
    this.enter(installed);
  }

  /** Has the blocks at its entries entered by the region; without room all regions are given back. */
  private enter(installed: Installed): void {
    const { core, cpu } = this;
    const { data, pages, tableIndex, translation } = installed;
    this.view.setBigInt64(data + REGION_DATA_AT, NOWHERE, true);
    const entered = installed.hosts.every((host, number) => {
      this.release(host, installed);
      this.regions.set(host, installed);
      const entry = tableIndex | (number << REGION_ENTRY_SHIFT);
      const record = core.addRegion(cpu, host, entry, data, pageOfPosition(translation.entries[number] ?? 0)) >>> 0;
      installed.records.set(host, record);
      return record !== 0 && pages.every((page) => page === pageStart(host) || core.addRegionFrame(cpu, record, page) !== 0);
    });
    if (!entered) this.reset();
  }

  /** Takes an entry from the region that has it, unless that is the one to stay. A region without entries is given back. */
  private release(host: number, stay: Installed | null): void {
    const installed = this.regions.get(host);
    if (installed === undefined || installed === stay) return;
    installed.records.delete(host);
    this.regions.delete(host);
    if (installed.records.size > 0) return;
    this.core.table.set(installed.tableIndex, null);
    this.byTableIndex.delete(installed.tableIndex);
    this.freeSlots.push(installed.tableIndex);
  }

  /** Puts a dead region back to use if its bytes are what they were. */
  private revive(host: number): boolean {
    const installed = this.regions.get(host);
    if (installed === undefined) return false;
    const { pages, page, translation } = installed;
    if (!this.holds(translation, pages) || this.hostOf(page) !== pages[0]) {
      for (const entry of [...installed.records.keys()]) this.release(entry, null);
      return false;
    }
    this.enter(installed);
    this.counters.revived++;
    return true;
  }

  /** Whether pages at these host addresses hold the translation's bytes, which count as code from now on. */
  private holds({ pages, sources }: TranslationOrigin, hosts: readonly number[]): boolean {
    return sources.every(({ position, bytes }) => {
      const start = pageOfPosition(position);
      const at = (hosts[pages.indexOf(start)] ?? 0) + (position - start);
      this.core.markRegionCode(this.cpu, at, bytes.length);
      return bytes.every((byte, n) => this.bytes[at + n] === byte);
    });
  }

  private takeSlot(): number {
    const free = this.freeSlots.pop();
    if (free !== undefined) return free;
    const first = this.core.table.grow(TABLE_STEP);
    for (let n = TABLE_STEP - 1; n > 0; n--) this.freeSlots.push(first + n);
    return first;
  }

  /** Gives everything back and starts anew. */
  private reset(): void {
    this.core.dropAllRegions(this.cpu);
    this.forget();
  }

  private forget(): void {
    this.generation = this.currentGeneration();
    for (const tableIndex of this.byTableIndex.keys()) {
      this.core.table.set(tableIndex, null);
      this.freeSlots.push(tableIndex);
    }
    this.regions.clear();
    this.byTableIndex.clear();
    this.transitions.forget();
    this.samples.clear();
    this.refused.clear();
    this.awaited.clear();
    this.awaitedHosts.clear();
    this.counters.resets++;
  }
}
