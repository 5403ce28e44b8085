/** Jobs come by one ring and go back by another, in order, none lost. */
import { describe, expect, it } from 'vitest';
import type { CompiledRegion, RegionJob } from '../../engine/jit/index.ts';
import { RecordRing, createRing } from './record-ring.ts';
import { jobOf, jobRecord, regionOf, regionRecord } from './records.ts';
import { RemoteCompiler } from './remote-compiler.ts';
import { TranslationService } from './service.ts';

const filled = (length: number, value: number): Uint8Array<ArrayBuffer> => new Uint8Array(length).fill(value);
const record = (number: number, length: number): Uint8Array => filled(length, number & 255);

/** Compared as a whole: element by element takes the matcher a millisecond. */
const same = (a: Uint8Array | undefined, b: Uint8Array): boolean => a !== undefined && Buffer.from(a).equals(b);

describe('a ring', () => {
  it('gives what was put, in order, many times around', () => {
    const buffer = createRing();
    const [putter, taker] = [new RecordRing(buffer), new RecordRing(buffer)];
    expect(taker.take()).toBeUndefined();
    const lengthOf = (number: number): number => (number * 137) % 35_000;
    let next = 0;
    let wanted = 0;
    for (let round = 0; round < 200; round++) {
      while (putter.put(record(next, lengthOf(next)))) next++;
      for (let n = 0; n < 1 + (round % 3); n++) {
        expect(same(taker.take(), record(wanted, lengthOf(wanted)))).toBe(true);
        wanted++;
      }
    }
    expect(wanted).toBeGreaterThan(300);
    for (; wanted < next; wanted++) expect(same(taker.take(), record(wanted, lengthOf(wanted)))).toBe(true);
    expect(taker.take()).toBeUndefined();
  });

  it('joins the parts of a record', () => {
    const buffer = createRing();
    expect(new RecordRing(buffer).put(Uint8Array.of(1, 2), new Uint8Array(0), Uint8Array.of(3, 4, 5))).toBe(true);
    expect(new RecordRing(buffer).take()).toEqual(Uint8Array.of(1, 2, 3, 4, 5));
  });

  it('has room for the same again after its counters wrapped', () => {
    const buffer = createRing();
    // As after 4 GiB.
    new Int32Array(buffer, 0, 2).fill(-16);
    const [putter, taker] = [new RecordRing(buffer), new RecordRing(buffer)];
    for (let n = 0; n < 3; n++) {
      expect(putter.put(record(n, 21_000))).toBe(true);
      expect(same(taker.take(), record(n, 21_000))).toBe(true);
    }
  });

  it('knows what it can never hold', () => {
    expect(RecordRing.holds((1 << 17) - 4)).toBe(true);
    expect(RecordRing.holds((1 << 17) - 3)).toBe(false);
    expect(new RecordRing(createRing()).put(record(1, (1 << 17) - 3))).toBe(false);
  });

  it('tells who waits that it was called, also when that was before the waiting began', async () => {
    const buffer = createRing();
    const [putter, taker] = [new RecordRing(buffer), new RecordRing(buffer)];
    const waits: [number, number][] = [];
    const changed = (words: Int32Array, index: number, value: number): Promise<void> => {
      waits.push([Atomics.load(words, index), value]);
      return Promise.resolve();
    };
    const calls = taker.calls;
    putter.call();
    await taker.called(calls, changed);
    expect(waits).toEqual([[calls + 1, calls]]);
  });
});

describe('a record', () => {
  it('is the job it was made of', () => {
    const job: RegionJob = {
      number: 7,
      entries: [0x123, -0x6fff_f000, 0x6fff_f000],
      limits: { instructions: 600, pages: 12, callDepth: 1, everything: false },
      trace: Uint32Array.of(1, 0xffff_ffff, 3),
      ordered: true,
      thorough: true,
    };
    const buffer = createRing();
    expect(new RecordRing(buffer).put(...jobRecord(job))).toBe(true);
    expect(jobOf(new RecordRing(buffer).take() ?? new Uint8Array(0))).toEqual(job);
    expect(() => jobOf(new Uint8Array(Int32Array.of(1, 0, 1, 1, 1, 3).buffer))).toThrow(RangeError);
  });

  it('is the region it was made of', () => {
    const region: CompiledRegion = { number: 9, data: filled(5, 1), module: filled(11, 2) };
    const buffer = createRing();
    expect(new RecordRing(buffer).put(...regionRecord(region))).toBe(true);
    expect(regionOf(new RecordRing(buffer).take() ?? new Uint8Array(0))).toEqual(region);
  });
});

/** A job nobody can do: its trace ends at once. */
const brokenJob = (number: number): RegionJob => ({
  number,
  entries: [0],
  limits: { instructions: 10, pages: 1, callDepth: 0, everything: true },
  trace: new Uint32Array(0),
  ordered: false,
  thorough: false,
});

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

describe('the service', () => {
  const start = () => {
    const tasks: (() => void)[] = [];
    const log: string[] = [];
    const service = new TranslationService({ after: (_, task) => tasks.push(task), turn }, (text) => log.push(text));
    return { service, tasks, log };
  };
  const connect = (service: TranslationService, client: number) => {
    const link = { jobs: createRing(), regions: createRing() };
    service.connect(client, link);
    return { compiler: new RemoteCompiler(link), link };
  };
  const answers = async (compiler: RemoteCompiler, count: number): Promise<number[]> => {
    const found: number[] = [];
    while (found.length < count) {
      await turn();
      for (let made = compiler.finished(); made !== undefined; made = compiler.finished()) found.push(made.number);
    }
    return found;
  };
  /** Fills the ring of regions. */
  const large = filled((1 << 17) - 4, 9);

  it('answers what it cannot do, so that nobody waits for ever, and says why', async () => {
    const { service, log } = start();
    const { compiler } = connect(service, 1);
    compiler.compile(brokenJob(5));
    expect(await answers(compiler, 1)).toEqual([5]);
    expect(log.join()).toContain('could not be translated: RangeError');
    service.disconnect(1);
  });

  it('takes jobs again after it had nothing to do', async () => {
    const { service } = start();
    const { compiler } = connect(service, 1);
    for (let number = 0; number < 5; number++) {
      compiler.compile(brokenJob(number));
      expect(await answers(compiler, 1)).toEqual([number]);
    }
    service.disconnect(1);
  });

  it('takes turns between vCPUs', async () => {
    const { service, log } = start();
    const one = connect(service, 1).compiler;
    const other = connect(service, 2).compiler;
    await turn();
    for (let number = 0; number < 3; number++) one.compile(brokenJob(number));
    other.compile(brokenJob(0));
    while (log.length < 2) await turn();
    expect(log).toHaveLength(2);
    expect(one.finished()?.number).toBe(0);
    expect(other.finished()?.number).toBe(0);
    service.disconnect(1);
    service.disconnect(2);
  });

  it('gets all of more jobs than the ring has room for, and none of those that are larger than it', async () => {
    const { service } = start();
    const { compiler } = connect(service, 1);
    const job = (number: number, words: number): RegionJob => ({ ...brokenJob(number), trace: new Uint32Array(words) });
    for (let number = 0; number < 8; number++) compiler.compile(job(number, 10_000));
    compiler.compile(job(8, 1 << 15));
    expect((await answers(compiler, 9)).toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    service.disconnect(1);
  });

  it('keeps answers that the ring has no room for, and their order', async () => {
    const { service, tasks } = start();
    const { compiler, link } = connect(service, 1);
    expect(new RecordRing(link.regions).put(large)).toBe(true);
    compiler.compile(brokenJob(1));
    compiler.compile(brokenJob(2));
    while (tasks.length === 0) await turn();
    expect(same(new RecordRing(link.regions).take(), large)).toBe(true);
    await turn();
    expect(compiler.finished()).toBeUndefined();
    tasks.shift()?.();
    expect(await answers(compiler, 2)).toEqual([1, 2]);
    expect(tasks).toEqual([]);
    service.disconnect(1);
  });

  it('forgets a client whose thread has ended', async () => {
    const { service, tasks, log } = start();
    const { compiler, link } = connect(service, 1);
    new RecordRing(link.regions).put(large);
    compiler.compile(brokenJob(1));
    while (tasks.length === 0) await turn();
    service.disconnect(1);
    tasks.shift()?.();
    expect(tasks).toEqual([]);
    compiler.compile(brokenJob(2));
    for (let n = 0; n < 5; n++) await turn();
    expect(log).toHaveLength(1);
  });
});
