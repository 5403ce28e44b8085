/** Jobs come by a port and go back through a mailbox, in order, none lost. */
import { describe, expect, it } from 'vitest';
import type { CompiledRegion, RegionJob } from '../../engine/jit/index.ts';
import { Mailbox, createMailbox } from './mailbox.ts';
import { RemoteCompiler } from './remote-compiler.ts';
import { TranslationService } from './service.ts';

const filled = (length: number, value: number): Uint8Array<ArrayBuffer> => new Uint8Array(length).fill(value);
const region = (number: number, dataBytes: number, moduleBytes: number): CompiledRegion => ({
  number,
  data: filled(dataBytes, number & 255),
  module: filled(moduleBytes, 255 - (number & 255)),
});

/** Compared as a whole: element by element takes the matcher a millisecond. */
const same = (a: CompiledRegion | undefined, b: CompiledRegion): boolean =>
  a !== undefined && a.number === b.number && Buffer.from(a.data).equals(b.data) && Buffer.from(a.module).equals(b.module);

describe('a mailbox', () => {
  it('gives what was put, in order, many times around', () => {
    const buffer = createMailbox();
    const [service, vcpu] = [new Mailbox(buffer), new Mailbox(buffer)];
    expect(vcpu.take()).toBeUndefined();
    let next = 0;
    let wanted = 0;
    for (let round = 0; round < 200; round++) {
      while (service.put(region(next, (next * 37) % 5000, (next * 101) % 30_000))) next++;
      for (let n = 0; n < 1 + (round % 3); n++) {
        expect(same(vcpu.take(), region(wanted, (wanted * 37) % 5000, (wanted * 101) % 30_000))).toBe(true);
        wanted++;
      }
    }
    expect(wanted).toBeGreaterThan(300);
    for (; wanted < next; wanted++) expect(vcpu.take()?.number).toBe(wanted);
    expect(vcpu.take()).toBeUndefined();
  });

  it('has room for the same again after its counters wrapped', () => {
    const buffer = createMailbox();
    // As after 4 GiB.
    new Int32Array(buffer, 0, 2).fill(-16);
    const [service, vcpu] = [new Mailbox(buffer), new Mailbox(buffer)];
    for (let n = 0; n < 3; n++) {
      expect(service.put(region(n, 1000, 20_000))).toBe(true);
      expect(same(vcpu.take(), region(n, 1000, 20_000))).toBe(true);
    }
  });

  it('knows what it can never hold', () => {
    expect(Mailbox.holds(region(1, 0, 1 << 16))).toBe(true);
    expect(Mailbox.holds(region(1, 0, 1 << 17))).toBe(false);
    expect(new Mailbox(createMailbox()).put(region(1, 0, 1 << 17))).toBe(false);
  });
});

/** A job nobody can do: its trace ends at once. */
const brokenJob = (number: number): RegionJob => ({
  number,
  entries: [0],
  limits: { instructions: 10, pages: 1, callDepth: 0, everything: true },
  trace: new Uint32Array(0),
  ordered: false,
});

describe('the service', () => {
  const start = () => {
    const tasks: (() => void)[] = [];
    const log: string[] = [];
    const service = new TranslationService({ after: (_, task) => tasks.push(task) }, (text) => log.push(text));
    return { service, tasks, log };
  };
  const connect = (service: TranslationService, client: number) => {
    const { port1, port2 } = new MessageChannel();
    const mailbox = createMailbox();
    service.connect(client, { port: port1, mailbox });
    return { compiler: new RemoteCompiler({ port: port2, mailbox }), port: port2, mailbox };
  };
  const answers = async (compiler: RemoteCompiler, count: number): Promise<number[]> => {
    const found: number[] = [];
    while (found.length < count) {
      await new Promise((resolve) => setImmediate(resolve));
      for (let made = compiler.finished(); made !== undefined; made = compiler.finished()) found.push(made.number);
    }
    return found;
  };

  it('answers what it cannot do, so that nobody waits for ever, and says why', async () => {
    const { service, log } = start();
    const { compiler, port } = connect(service, 1);
    compiler.compile(brokenJob(5));
    expect(await answers(compiler, 1)).toEqual([5]);
    expect(log.join()).toContain('could not be translated: RangeError');
    service.disconnect(1);
    port.close();
  });

  it('keeps answers that the mailbox has no room for, and their order', async () => {
    const { service, tasks } = start();
    const { compiler, port, mailbox } = connect(service, 1);
    const filler = new Mailbox(mailbox);
    const large = region(999, 0, (1 << 17) - 12);
    expect(filler.put(large)).toBe(true);
    compiler.compile(brokenJob(1));
    compiler.compile(brokenJob(2));
    while (tasks.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(same(compiler.finished(), large)).toBe(true);
    await new Promise((resolve) => setImmediate(resolve));
    expect(compiler.finished()).toBeUndefined();
    tasks.shift()?.();
    expect(await answers(compiler, 2)).toEqual([1, 2]);
    expect(tasks).toEqual([]);
    service.disconnect(1);
    port.close();
  });

  it('forgets a client whose thread has ended', async () => {
    const { service, tasks } = start();
    const { compiler, port, mailbox } = connect(service, 1);
    new Mailbox(mailbox).put(region(999, 0, (1 << 17) - 12));
    compiler.compile(brokenJob(1));
    while (tasks.length === 0) await new Promise((resolve) => setImmediate(resolve));
    service.disconnect(1);
    tasks.shift()?.();
    expect(tasks).toEqual([]);
    port.close();
  });
});
