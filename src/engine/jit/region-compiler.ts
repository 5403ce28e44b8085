/** Makes modules of regions: on the vCPU's own thread, or for vCPUs of other threads, from what they saw of their code. */
import { CodeReplay } from './code-trace.ts';
import { type Region, RegionBuilder, type RegionLimits } from './region.ts';
import { RegionTranslator } from './translate.ts';
import { regionModule } from './wasm-module.ts';

/** A region that was chosen, by what it was chosen from. Can be sent to another thread. */
export interface RegionJob {
  readonly number: number;
  readonly entries: readonly number[];
  readonly limits: RegionLimits;
  readonly trace: Uint32Array<ArrayBuffer>;
  /** With fences between guest accesses. */
  readonly ordered: boolean;
  /** Code for a region in which much is executed, or that often misses the TLB; else code that takes little to compile. */
  readonly thorough: boolean;
}

export interface CompiledRegion {
  /** The job's. */
  readonly number: number;
  readonly data: Uint8Array;
  /** The bytes of a module that exports the region as "0"; none: it cannot be had. */
  readonly module: Uint8Array<ArrayBuffer>;
}

/** Where a vCPU's regions become modules. */
export interface RegionCompiler {
  /** The region is what the job says, for those who have both. */
  compile(job: RegionJob, region: Region): void;
  /** The next that is ready, in the order of the jobs; undefined: there is none yet. */
  finished(): CompiledRegion | undefined;
}

class ModuleMaker {
  private readonly plain = new RegionTranslator(false);
  private readonly ordered = new RegionTranslator(true);

  make({ number, ordered, thorough }: RegionJob, region: Region): CompiledRegion {
    const { body, data } = (ordered ? this.ordered : this.plain).translate(region, thorough);
    return { number, data, module: regionModule([body]) };
  }
}

/** Compiles at once. */
export class ImmediateCompiler implements RegionCompiler {
  private readonly maker = new ModuleMaker();
  private readonly ready: CompiledRegion[] = [];

  compile(job: RegionJob, region: Region): void {
    this.ready.push(this.maker.make(job, region));
  }

  finished(): CompiledRegion | undefined {
    return this.ready.shift();
  }
}

/** Compiles what vCPUs of other threads have chosen. */
export class JobCompiler {
  private readonly maker = new ModuleMaker();

  /** @throws RangeError when the job's parts do not belong together */
  compile(job: RegionJob): CompiledRegion {
    const replay = new CodeReplay(job.trace);
    // The address of the page only matters to who asks a real core for pages.
    const region = new RegionBuilder(replay, replay.view, 0, 0n, job.limits).build(job.entries);
    if (region === null) throw new RangeError('the trace is of code that makes no region');
    return this.maker.make(job, region);
  }
}
