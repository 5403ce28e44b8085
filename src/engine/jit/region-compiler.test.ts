/** Regions compiled where the vCPU is not: the same code, put to use only while it is the code that is there. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { TranslatorCore } from './core.ts';
import { type CompiledRegion, ImmediateCompiler, JobCompiler, type RegionCompiler, type RegionJob } from './region-compiler.ts';
import type { Region } from './region.ts';
import { ProgramMachine } from './testing/program-machine.ts';
import { randomProgram } from './testing/random-program.ts';
import { CODE, MOV_EAX, RegionMachine, SECOND } from './testing/region-machine.ts';

/** Another thread's, as the vCPU sees it: jobs go there as messages, and are answered when the test says so. */
class DeferredCompiler implements RegionCompiler {
  readonly jobs: RegionJob[] = [];
  readonly ready: CompiledRegion[] = [];
  private readonly compiler = new JobCompiler();

  compile(job: RegionJob): void {
    this.jobs.push(structuredClone(job));
  }

  finished(): CompiledRegion | undefined {
    return this.ready.shift();
  }

  work(): void {
    for (const job of this.jobs.splice(0)) this.ready.push(this.compiler.compile(job));
  }
}

/** Compiles each region both ways. */
class ComparingCompiler implements RegionCompiler {
  compared = 0;
  private readonly here = new ImmediateCompiler();
  private readonly there = new JobCompiler();

  compile(job: RegionJob, region: Region): void {
    this.here.compile(job, region);
    this.last = this.there.compile(structuredClone(job));
  }

  private last: CompiledRegion | undefined;

  finished(): CompiledRegion | undefined {
    const made = this.here.finished();
    if (made === undefined) return undefined;
    expect(this.last).toEqual(made);
    this.compared++;
    return made;
  }
}

describe('a trace', () => {
  it.each([3, 14, 77, 2653])('makes the region that the vCPU chose, in random program %i', (seed) => {
    const compiler = new ComparingCompiler();
    const program = new ProgramMachine(randomProgram(seed));
    const outcome = program.translate(seed, { everything: true }, compiler);
    expect(outcome.state).toEqual(new ProgramMachine(randomProgram(seed)).interpret().state);
    expect(compiler.compared).toBeGreaterThan(0);
  });

  it('of another region is an error', () => {
    const compiler = new DeferredCompiler();
    const machine = new RegionMachine(compiler);
    machine.place(machine.first, ...MOV_EAX(7));
    machine.translator.translateAt(CODE);
    const [job] = compiler.jobs;
    if (job === undefined) throw new Error('nothing was asked for');
    const cut = { ...job, trace: job.trace.slice(0, 5) };
    expect(() => new JobCompiler().compile(cut)).toThrow('ends before the region');
    expect(() => new JobCompiler().compile({ ...job, trace: new Uint32Array(1) })).toThrow('makes no region');
  });
});

describe('a region that is compiled elsewhere', () => {
  let compiler: DeferredCompiler;
  let machine: RegionMachine;
  beforeEach(() => {
    compiler = new DeferredCompiler();
    machine = new RegionMachine(compiler);
    machine.place(machine.first, ...MOV_EAX(7), 0xff, 0xc0);
  });
  /** Instructions translated in a run that ends with this in RAX. */
  const run = (rax: bigint): bigint => machine.translated(() => expect(machine.result()).toBe(rax));
  const sampleAtCode = (): void => {
    machine.start();
    machine.translator.sample();
  };

  it('is interpreted until it is ready', () => {
    expect(machine.translator.translateAt(CODE)).toBe(true);
    expect(run(8n)).toBe(0n);
    compiler.work();
    sampleAtCode();
    expect(run(8n)).toBe(2n);
  });

  it('is asked for once', () => {
    machine.translator.translateAt(CODE);
    for (let n = 0; n < 3; n++) sampleAtCode();
    expect(compiler.jobs).toHaveLength(1);
  });

  it('is not used when its code was written meanwhile, and made anew', () => {
    machine.translator.translateAt(CODE);
    machine.patch(machine.first, ...MOV_EAX(20));
    compiler.work();
    sampleAtCode();
    expect(machine.translator.counters.regions).toBe(0);
    expect(run(21n)).toBe(0n);
    machine.translator.translateAt(CODE);
    compiler.work();
    sampleAtCode();
    expect(run(21n)).toBe(2n);
  });

  it('dies of a write after it was put to use', () => {
    machine.translator.translateAt(CODE);
    compiler.work();
    sampleAtCode();
    machine.patch(machine.first, ...MOV_EAX(20));
    expect(run(21n)).toBe(0n);
  });

  it('is nobody\u2019s after all regions were forgotten', () => {
    machine.translator.translateAt(CODE);
    compiler.work();
    (machine.fixture.exports as unknown as TranslatorCore).dropAllRegions(machine.fixture.cpu);
    sampleAtCode();
    expect(machine.translator.counters.regions).toBe(0);
    // It can be had again.
    machine.translator.translateAt(CODE);
    compiler.work();
    for (let n = 0; n < 2; n++) sampleAtCode();
    expect(run(8n)).toBe(2n);
  });

  it('that cannot be had is not asked for again', () => {
    machine.translator.translateAt(CODE);
    const [job] = compiler.jobs.splice(0);
    compiler.ready.push({ number: job?.number ?? 0, data: new Uint8Array(0), module: new Uint8Array(0) });
    sampleAtCode();
    expect(machine.translator.translateAt(CODE)).toBe(false);
    expect(compiler.jobs).toHaveLength(0);
    expect(run(8n)).toBe(0n);
  });

  it('waits its turn behind others: one is put to use a sample', () => {
    machine.place(machine.second, ...MOV_EAX(9));
    machine.translator.translateAt(CODE);
    machine.translator.translateAt(SECOND);
    compiler.work();
    sampleAtCode();
    expect(machine.translator.counters.regions).toBe(1);
    sampleAtCode();
    expect(machine.translator.counters.regions).toBe(2);
  });
});
