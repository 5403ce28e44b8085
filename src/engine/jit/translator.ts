/**
 * Finds hot code of one vCPU by sampling and has it run as WebAssembly. Works between runs of the core, on the vCPU's own thread.
 *
 * Where a run ends for want of budget is a sample of where time goes. Code sampled often enough becomes a region (region.ts),
 * its function a slot of the core's table, and the block at its entry is entered by it from then on (cpu/regions.ts). A region
 * whose frames were written dies in the core; sampled again, it comes back without being translated anew if its bytes are the same.
 */
import { REGION_TABLE_INDEX, VCPU_REGION_GENERATION, VCPU_RIP } from '../cpu/layout.ts';
import type { TranslatorCore } from './core.ts';
import { DEFAULT_LIMITS, type Region, RegionBuilder, type RegionLimits } from './region.ts';
import { ArenaFull, RegionTranslator } from './translate.ts';
import { regionImports, regionModule } from './wasm-module.ts';

export interface TranslatorOptions {
  /** Guest instructions between samples. */
  readonly sampleInstructions: number;
  /** Samples that make code hot. */
  readonly threshold: number;
  /** Follow code that was never executed too. */
  readonly everything: boolean;
  /** Regions at most; then all are forgotten. */
  readonly maximumRegions: number;
  /** Told of each region made, with the virtual address of its entry's page. */
  readonly onRegion?: (page: bigint, region: Region) => void;
}

export const DEFAULT_OPTIONS: TranslatorOptions = {
  sampleInstructions: 20_000,
  threshold: 16,
  everything: false,
  maximumRegions: 4000,
};

/** Translates everything at once: for tests. */
export const EAGER_OPTIONS: TranslatorOptions = { sampleInstructions: 500, threshold: 1, everything: true, maximumRegions: 4000 };

/** Bytes that a region was made from. */
interface Source {
  readonly host: number;
  readonly bytes: Uint8Array;
}

interface Installed {
  record: number;
  readonly tableIndex: number;
  readonly sources: readonly Source[];
  /** Host addresses of the pages besides the entry's. */
  readonly otherPages: readonly number[];
}

export interface TranslatorCounters {
  regions: number;
  instructions: number;
  wasmBytes: number;
  revived: number;
  resets: number;
}

/** Samples kept at most before all are forgotten: rarely sampled places never become hot. */
const SAMPLES_MAXIMUM = 8192;
const TABLE_STEP = 256;

export class Translator {
  readonly sampleInstructions: number;
  readonly counters: TranslatorCounters = { regions: 0, instructions: 0, wasmBytes: 0, revived: 0, resets: 0 };
  private readonly view: DataView;
  private readonly bytes: Uint8Array;
  private readonly imports: WebAssembly.Imports;
  private readonly regions = new Map<number, Installed>();
  private readonly samples = new Map<number, number>();
  private readonly refused = new Set<number>();
  private readonly freeSlots: number[] = [];
  private readonly compiler: RegionTranslator;
  private generation: number;
  private readonly limits: RegionLimits;

  constructor(
    private readonly core: TranslatorCore,
    private readonly memory: WebAssembly.Memory,
    private readonly cpu: number,
    private readonly options: TranslatorOptions = DEFAULT_OPTIONS,
  ) {
    this.sampleInstructions = options.sampleInstructions;
    this.view = new DataView(memory.buffer);
    this.bytes = new Uint8Array(memory.buffer);
    this.imports = regionImports(core, memory);
    this.limits = { ...DEFAULT_LIMITS, everything: options.everything };
    this.compiler = new RegionTranslator((record) => {
      const at = core.allocateRegionBytes(cpu, record.length) >>> 0;
      if (at !== 0) this.bytes.set(record, at);
      return at;
    });
    this.generation = this.currentGeneration();
  }

  private currentGeneration(): number {
    return this.view.getUint32(this.cpu + VCPU_REGION_GENERATION, true);
  }

  /** Takes the present RIP as a sample; translates what is there once it is hot. */
  sample(): void {
    const rip = this.view.getBigUint64(this.cpu + VCPU_RIP, true);
    const host = this.core.codePointer(this.cpu, BigInt.asIntN(64, rip)) >>> 0;
    if (host === 0 || this.isAlive(host)) return;
    const count = (this.samples.get(host) ?? 0) + 1;
    if (count < this.options.threshold) {
      if (this.samples.size >= SAMPLES_MAXIMUM) this.samples.clear();
      this.samples.set(host, count);
      return;
    }
    this.samples.delete(host);
    this.translate(rip, host);
  }

  /** Translates the code at an address of the current mode; false = there is none that can be. */
  translateAt(rip: bigint): boolean {
    const host = this.core.codePointer(this.cpu, BigInt.asIntN(64, rip)) >>> 0;
    return host !== 0 && (this.isAlive(host) || this.translate(rip, host));
  }

  private isAlive(host: number): boolean {
    if (this.generation !== this.currentGeneration()) this.forget();
    const installed = this.regions.get(host);
    return installed !== undefined && this.view.getUint32(installed.record + REGION_TABLE_INDEX, true) !== 0;
  }

  private translate(rip: bigint, host: number): boolean {
    if (this.refused.has(host)) return false;
    if (this.revive(host)) return true;
    if (this.regions.size >= this.options.maximumRegions) this.reset();
    const page = rip & ~0xfffn;
    const region = new RegionBuilder(this.core, this.memory, this.cpu, page, this.limits).build(Number(rip & 0xfffn));
    if (region === null) {
      if (this.refused.size >= SAMPLES_MAXIMUM) this.refused.clear();
      this.refused.add(host);
      return false;
    }
    this.options.onRegion?.(page, region);
    try {
      this.install(region, host);
    } catch (error) {
      if (!(error instanceof ArenaFull)) throw error;
      this.reset();
    }
    return true;
  }

  private install(region: Region, host: number): void {
    const { body } = this.compiler.translate(region);
    const bytes = regionModule([body]);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), this.imports);
    const slot = this.takeSlot();
    this.core.table.set(slot, instance.exports['0']);
    const entryPage = host & ~0xfff;
    const installed: Installed = {
      record: 0,
      tableIndex: slot,
      sources: this.sourcesOf(region),
      otherPages: region.pages.map((page) => page.host).filter((page) => page !== entryPage >>> 0),
    };
    this.regions.set(host, installed);
    this.counters.regions++;
    this.counters.instructions += region.instructions;
    this.counters.wasmBytes += bytes.length;
    this.enter(installed, host);
  }

  private enter(installed: Installed, host: number): void {
    const { core, cpu } = this;
    installed.record = core.addRegion(cpu, host, installed.tableIndex) >>> 0;
    const complete =
      installed.record !== 0 && installed.otherPages.every((page) => core.addRegionFrame(cpu, installed.record, page) !== 0);
    if (!complete) throw new ArenaFull();
  }

  /** Puts a dead region back to use if its bytes are what they were. */
  private revive(host: number): boolean {
    const installed = this.regions.get(host);
    if (installed === undefined) return false;
    for (const { host: at, bytes } of installed.sources) this.core.markRegionCode(this.cpu, at, bytes.length);
    const same = installed.sources.every(({ host: at, bytes }) => bytes.every((byte, n) => this.bytes[at + n] === byte));
    if (!same) {
      this.regions.delete(host);
      this.freeSlots.push(installed.tableIndex);
      return false;
    }
    try {
      this.enter(installed, host);
    } catch (error) {
      if (!(error instanceof ArenaFull)) throw error;
      this.reset();
    }
    this.counters.revived++;
    return true;
  }

  /** The bytes of the region's instructions, as runs. */
  private sourcesOf(region: Region): Source[] {
    const sources: Source[] = [];
    const hosts = new Map(region.pages.map((page) => [page.position, page.host]));
    let run: number[] = [];
    let from = 0;
    const finish = (): void => {
      if (run.length === 0) return;
      const pageStart = Math.floor(from / 4096) * 4096;
      sources.push({ host: (hosts.get(pageStart) ?? 0) + (from - pageStart), bytes: Uint8Array.from(run) });
      run = [];
    };
    for (const [position, bytes] of [...region.code].sort(([a], [b]) => a - b)) {
      // One that overlaps another (a jump into its middle) was decoded at another time: it has a run of its own.
      if (position !== from + run.length || position % 4096 === 0) {
        finish();
        from = position;
      }
      run.push(...bytes);
    }
    finish();
    return sources;
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
    for (const { tableIndex } of this.regions.values()) {
      this.core.table.set(tableIndex, null);
      this.freeSlots.push(tableIndex);
    }
    this.regions.clear();
    this.samples.clear();
    this.refused.clear();
    this.counters.resets++;
  }
}
