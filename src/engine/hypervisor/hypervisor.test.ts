/** The machine with kernels of a few instructions, their vCPUs taking turns on the test's thread. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { elfFile, joined, note, u64 } from '../builder/testing/elf-file.ts';
import { DOMAIN_CRASH_CODE, CRASH_NO_HANDLER, PV_RUNNING } from '../pv/layout.ts';
import { HypervisorError, type DomainSpecification, type Domid, type ShutdownReason } from './control.ts';
import { CooperativeLauncher } from './cooperative.ts';
import { vcpuBlockOf } from './domain-memory.ts';
import { Hypervisor } from './hypervisor.ts';
import type { VcpuLauncher, VcpuStart } from './platform.ts';
import { coreModule } from '../cpu/testing/fixture.ts';

const BASE = 0x100000n;
const PT_NOTE = 4;

/** movabs to a register by its low three bits (rax 0 .. rdi 7). */
const load = (register: number, value: bigint): Uint8Array => joined(Uint8Array.of(0x48, 0xb8 + register), u64(value));
const RAX = 0;
const RSP = 4;
const RSI = 6;
const RDI = 7;
const SYSCALL = Uint8Array.of(0x0f, 0x05);
const SPIN = Uint8Array.of(0xeb, 0xfe);
/** Where the kernels keep their argument words, behind their code. */
const WORDS = BASE + 0x800n;
const hypercall = (number: number, first: bigint, second: bigint): Uint8Array =>
  joined(load(RAX, BigInt(number)), load(RDI, first), load(RSI, second), SYSCALL);
const SCHED_OP = 29;
const shutdown = (): Uint8Array => hypercall(SCHED_OP, 2n, WORDS);
const notifyPort2 = (): Uint8Array => hypercall(32, 4n, WORDS + 8n);
const block = (): Uint8Array => hypercall(SCHED_OP, 1n, 0n);

/** An ELF kernel that runs `code`; its first word is the argument of a shutdown, the third that of a send. */
function kernel(code: Uint8Array, reason = 0): Uint8Array {
  const bytes = new Uint8Array(0x1000);
  bytes.set(code);
  bytes.set([reason], 0x800);
  bytes.set([2], 0x808);
  const notes = joined(note(6, 'test'), note(8, 'generic'), note(5, 'xen-3.0'), note(1, BASE), note(9, 'yes'));
  return elfFile({
    entry: BASE,
    segments: [
      { paddr: BASE, vaddr: BASE, bytes },
      { type: PT_NOTE, paddr: BASE + 0x1000n, vaddr: BASE + 0x1000n, bytes: notes },
    ],
  });
}

const specification = (over: Partial<DomainSpecification> = {}): DomainSpecification => ({
  maxPages: 2048,
  maxVcpus: 1,
  handle: new Uint8Array(16),
  ...over,
});
const image = (code: Uint8Array, reason = 0) => ({
  kernel: kernel(code, reason),
  ramdisk: undefined,
  commandLine: '',
  pages: 2048,
  features: '',
});

const DOM0_PAGES = 64;
let machine: Hypervisor;
let log: string;
let started: VcpuStart[];
const released: number[] = [];
let stops: [Domid, ShutdownReason][];
const start = performance.now();

/** After that long a waiter looks again by itself; Infinity: it has to be told. */
let waitMs = 20;
const changed = async (words: Int32Array, index: number, value: number): Promise<void> => {
  const result = Atomics.waitAsync(words, index, value, waitMs);
  if (result.async) await result.value;
};

beforeEach(() => {
  log = '';
  waitMs = 20;
  started = [];
  stops = [];
  const clock = { nowNs: () => (performance.now() - start) * 1e6, wallNs: () => 1_700_000_000_000_000_000n };
  const entropy = {
    fill: (bytes: Uint8Array) => {
      bytes.fill(7);
    },
  };
  const cooperative = new CooperativeLauncher({
    clock,
    turns: { nextTurn: () => new Promise((resolve) => setImmediate(resolve)), sleep: changed },
    host: () => ({ nowNs: clock.nowNs, entropy: () => 4, consoleWrite: () => undefined }),
    sliceInstructions: 1000,
  });
  const launcher: VcpuLauncher = {
    start: (request) => {
      started.push(request);
      return cooperative.start(request);
    },
  };
  machine = new Hypervisor({
    module: coreModule(),
    clock,
    entropy,
    waiter: { changed },
    launcher,
    released: (bytes) => released.push(bytes),
    log: {
      write: (text) => {
        log += text;
      },
      read: () => log,
    },
    totalPages: 10_000 + DOM0_PAGES,
    dom0Pages: DOM0_PAGES,
    pcpus: 1,
    cpuKhz: 1_000_000,
    commandLine: 'test',
    decoders: {
      gunzip: () => Promise.reject(new Error('not needed')),
      unlz4: () => Promise.reject(new Error('not needed')),
      unxz: () => Promise.reject(new Error('not needed')),
      unzstd: () => Promise.reject(new Error('not needed')),
    },
  });
  machine.onDomainException((domid, reason) => stops.push([domid, reason]));
});

afterEach(async () => {
  for (const { domid } of machine.listDomains()) await machine.destroyDomain(domid);
});

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error('the condition did not come true in time');
}

async function boot(code: Uint8Array, reason = 0, over: Partial<DomainSpecification> = {}): Promise<Domid> {
  const domid = await machine.createDomain(specification(over));
  await machine.buildDomain(domid, image(code, reason));
  return domid;
}

describe('domain 0', () => {
  test('has its share of the memory and the time spent on its domains', async () => {
    expect(machine.domain(0 as Domid)).toMatchObject({
      domid: 0,
      running: true,
      onlineVcpus: 1,
      totalPages: DOM0_PAGES,
      cpuTimeNs: 0,
    });
    expect(machine.physical().freePages).toBeLessThanOrEqual(machine.physical().totalPages - DOM0_PAGES);
    await boot(SPIN);
    expect(machine.domain(0 as Domid)?.cpuTimeNs).toBeGreaterThan(0);
    expect(machine.vcpus(0 as Domid)).toMatchObject([{ vcpu: 0, online: true, running: true }]);
    expect(machine.listDomains().map(({ domid }) => domid)).not.toContain(0);
  });
});

describe('lifecycle', () => {
  test('a domain is made paused, runs when it is told to, and reports its end', async () => {
    const domid = await boot(joined(shutdown(), SPIN));
    expect(machine.domain(domid)).toMatchObject({
      paused: true,
      shutdown: undefined,
      totalPages: 2048,
      maxPages: 2048,
      onlineVcpus: 1,
      cpuTimeNs: 0,
    });
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(started).toEqual([]);
    await machine.unpauseDomain(domid);
    await until(() => stops.length > 0);
    expect(stops).toEqual([[domid, 'poweroff']]);
    expect(machine.domain(domid)?.shutdown).toBe('poweroff');
    expect(log).toContain(`Domain ${domid} shutdown: poweroff`);
  });

  test.each([
    [1, 'reboot'],
    [2, 'suspend'],
    [3, 'crash'],
    [5, 'soft_reset'],
  ] as const)('shutdown reason %i is %s', async (number, reason) => {
    const domid = await boot(joined(shutdown(), SPIN), number);
    await machine.unpauseDomain(domid);
    await until(() => stops.length > 0);
    expect(stops).toEqual([[domid, reason]]);
  });

  test('a crash is reported with the registers', async () => {
    const domid = await boot(Uint8Array.of(0x0f, 0x0b));
    await machine.unpauseDomain(domid);
    await until(() => stops.length > 0);
    expect(stops).toEqual([[domid, 'crash']]);
    expect(log).toContain(`d${domid}v0 Unhandled exception vector 6`);
    expect(log).toContain('RIP:    e033:[<0000000000100000>]');
    expect(new DataView(machine.domainOf(domid).memory.buffer).getUint32(DOMAIN_CRASH_CODE, true)).toBe(CRASH_NO_HANDLER);
  });

  test('a domain that loops can be paused, goes on, and can be destroyed', async () => {
    const domid = await boot(Uint8Array.of(0x48, 0xff, 0xc0, 0xeb, 0xfb)); // inc rax; jmp
    await machine.unpauseDomain(domid);
    await until(() => (machine.domain(domid)?.cpuTimeNs ?? 0) > 1e6);
    expect(machine.domain(domid)).toMatchObject({ running: true, blocked: false, paused: false });
    await machine.pauseDomain(domid);
    const view = new DataView(machine.domainOf(domid).memory.buffer);
    const count = view.getBigUint64(0x200000, true);
    expect(count).toBeGreaterThan(0n);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(view.getBigUint64(0x200000, true)).toBe(count);
    expect(machine.domain(domid)).toMatchObject({ running: false, paused: true });
    await machine.unpauseDomain(domid);
    await until(() => view.getBigUint64(0x200000, true) > count);
    await machine.destroyDomain(domid);
    expect(machine.domain(domid)).toBeUndefined();
    const last = view.getBigUint64(0x200000, true);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(view.getBigUint64(0x200000, true) - last).toBeLessThan(10_000n);
  });

  test('a domain without work is blocked', async () => {
    const domid = await boot(joined(block(), SPIN));
    await machine.unpauseDomain(domid);
    await until(() => machine.domain(domid)?.blocked === true);
    expect(machine.vcpus(domid)).toMatchObject([{ vcpu: 0, online: true, blocked: true, running: false, affinity: undefined }]);
  });

  test('vCPUs that nobody has brought up are offline', async () => {
    const domid = await boot(joined(block(), SPIN), 0, { maxVcpus: 3 });
    expect(machine.domain(domid)).toMatchObject({ onlineVcpus: 1, maxVcpus: 3 });
    await machine.unpauseDomain(domid);
    await until(() => machine.domain(domid)?.blocked === true);
    expect(started.map(({ vcpu }) => vcpu)).toEqual([0]);
  });
});

describe('a domain that is gone', () => {
  /** Makes it, lets it do something, takes it away; what is left is only a weak reference to its memory. */
  const gone = async (use: (domid: Domid) => Promise<void>): Promise<WeakRef<object>> => {
    const domid = await boot(SPIN);
    const memory = new WeakRef(machine.domainOf(domid).memory.buffer);
    await use(domid);
    await machine.destroyDomain(domid);
    started = [];
    return memory;
  };
  const collected = async (memory: WeakRef<object>): Promise<void> => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    for (let tries = 0; tries < 20 && memory.deref() !== undefined; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      collect();
    }
    expect(memory.deref()).toBeUndefined();
  };

  test('has its memory collected: nothing here refers to it', async () => {
    await collected(await gone(() => Promise.resolve()));
    await collected(
      await gone(async (domid) => {
        await machine.unpauseDomain(domid);
        await until(() => machine.domain(domid)!.cpuTimeNs > 0);
      }),
    );
  });

  test('while it was waited for to stand still, too', async () => {
    waitMs = Infinity;
    const memory = await gone(async (domid) => {
      // As of a thread that ended in the middle of its work.
      const { memory: words } = machine.domainOf(domid);
      Atomics.store(new Int32Array(words.buffer), (vcpuBlockOf(0) + PV_RUNNING) / 4, 1);
      await machine.unpauseDomain(domid);
      void machine.pauseDomain(domid);
    });
    await collected(memory);
  });

  test('tells the platform how much memory came free', async () => {
    const before = released.length;
    await gone(() => Promise.resolve());
    expect(released.length).toBe(before + 1);
    expect(released.at(-1)).toBeGreaterThan(2048 * 4096);
  });
});

describe('32-bit code', () => {
  test('is refused, and the log says once why the guest sees a fault', async () => {
    // An iret hypercall with such a selector, and no failsafe callback that could be told.
    const frame = [0n, 0n, 0n, 0n, BASE, 0xe020n, 0x200n, 0n, 0xe02bn].map(u64).reduceRight((rest, word) => joined(word, rest));
    const code = joined(load(RSP, WORDS + 0x100n), load(RAX, 23n), SYSCALL);
    const bytes = new Uint8Array(0x1000);
    bytes.set(code);
    bytes.set(frame, 0x900);
    const domid = await boot(bytes);
    await machine.unpauseDomain(domid);
    await until(() => stops.length > 0);
    expect(log.match(/32-bit code/g)).toHaveLength(1);
    expect(log).toContain(`(XEN) d${domid}: 32-bit code (selector 0xe023) is not supported: it gets a general protection fault\n`);
  });
});

describe('rings', () => {
  test('the guest’s notification reaches the daemon, and the daemon’s the guest', async () => {
    const domid = await machine.createDomain(specification());
    // Notifies its console port, sleeps, and powers off when it is woken.
    const built = await machine.buildDomain(domid, image(joined(notifyPort2(), block(), shutdown(), SPIN)));
    expect([built.storePort, built.consolePort, built.guestOs]).toEqual([1, 2, 'test']);
    const ring = machine.mapRing(domid, built.consoleMfn, built.consolePort);
    let heard = 0;
    ring.onNotify(() => {
      heard += 1;
    });
    ring.bytes[0] = 0x5a;
    expect(ring.words[0]).toBe(0x5a);
    await machine.unpauseDomain(domid);
    await until(() => heard > 0 && machine.domain(domid)?.blocked === true);
    expect(stops).toEqual([]);
    ring.notify();
    // Without an event callback the wake-up is a crash: what counts is that the guest was woken.
    await until(() => stops.length > 0);
  });

  test('only frames of the domain’s RAM can be mapped', async () => {
    const domid = await machine.createDomain(specification());
    const built = await machine.buildDomain(domid, image(SPIN));
    for (const mfn of [0, built.consoleMfn - 3000, built.consoleMfn + 3000, 1.5, NaN]) {
      expect(() => machine.mapRing(domid, mfn, built.consolePort)).toThrow(HypervisorError);
    }
    expect(() => machine.mapRing(domid, built.consoleMfn, 77)).toThrow(/does not wait/);
  });
});

describe('refusals', () => {
  test('more memory than the machine has; nothing is left over', async () => {
    await expect(machine.createDomain(specification({ maxPages: 20_000 }))).rejects.toMatchObject({ errno: 12 });
    expect(machine.physical().freePages).toBe(10_000);
    const domid = await machine.createDomain(specification());
    expect(machine.physical().freePages).toBe(10_000 - 2048 - 65);
    await expect(machine.createDomain(specification({ maxPages: 8000 }))).rejects.toThrow(/free frames/);
    await machine.destroyDomain(domid);
    expect(machine.physical().freePages).toBe(10_000);
  });

  test.each([
    [{ maxVcpus: 0 }, 22],
    [{ maxVcpus: 33 }, 22],
    [{ maxPages: 0 }, 22],
    [{ handle: new Uint8Array(3) }, 22],
  ])('bad specification %j', async (over, errno) => {
    await expect(machine.createDomain(specification(over))).rejects.toMatchObject({ errno });
    expect(machine.physical().freePages).toBe(10_000);
  });

  test('a domain that is not there', async () => {
    const nobody = 99 as Domid;
    await expect(machine.pauseDomain(nobody)).rejects.toMatchObject({ errno: 3 });
    await expect(machine.destroyDomain(nobody)).rejects.toMatchObject({ errno: 3 });
    await expect(machine.buildDomain(nobody, image(SPIN))).rejects.toMatchObject({ errno: 3 });
    expect(machine.domain(nobody)).toBeUndefined();
    expect(() => machine.vcpus(nobody)).toThrow(HypervisorError);
  });

  test('a kernel that is none leaves the domain empty', async () => {
    const domid = await machine.createDomain(specification());
    await expect(machine.buildDomain(domid, { ...image(SPIN), kernel: new Uint8Array(100) })).rejects.toThrow();
    await expect(machine.buildDomain(domid, { ...image(SPIN), pages: 4096 })).rejects.toMatchObject({ errno: 22 });
    expect(machine.domain(domid)).toMatchObject({ totalPages: 0, onlineVcpus: 0 });
  });

  test('a maximum above that of the memory', async () => {
    const domid = await machine.createDomain(specification());
    await machine.setMaximumPages(domid, 1000);
    expect(machine.domain(domid)?.maxPages).toBe(1000);
    await expect(machine.setMaximumPages(domid, 2049)).rejects.toMatchObject({ errno: 22 });
  });

  test('identifiers go up and are not used again at once', async () => {
    const first = await machine.createDomain(specification());
    await machine.destroyDomain(first);
    const second = await machine.createDomain(specification());
    expect([first, second]).toEqual([1, 2]);
    expect(machine.listDomains().map(({ domid }) => domid)).toEqual([2]);
  });
});
