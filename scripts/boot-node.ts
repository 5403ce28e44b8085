/**
 * Boots a kernel as a PV domain in Node, its vCPUs taking turns on one thread (or a thread each), and prints its console:
 * `tsx scripts/boot-node.ts --kernel FILE [--ramdisk FILE] [--memory MIB] [--maxmem MIB] [--vcpus N] [--online N]
 * [--append "ARGUMENTS"] [--disk SOURCE,VDEV,MODE]... [--seconds N] [--threads] [--translator off|on|eager] [--tune '{"threshold":8}'] [--counters] [--counters-at TEXT] [--type "WHAT=>TEXT\\n"]...
 * [--bench NAME,NAME|all] [--rounds N] [--pauses] [--until TEXT]`: --pauses tells what the guest waited for the
 * translator, in processor time; with --until the run ends when the console has shown the text.
 */
import { readFileSync } from 'node:fs';
import { randomFillSync } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { platformDecoders } from '../src/workers/decoders.ts';
import { CooperativeLauncher } from '../src/engine/hypervisor/cooperative.ts';
import { Hypervisor } from '../src/engine/hypervisor/hypervisor.ts';
import type { Clock, HypervisorLog, VcpuLauncher } from '../src/engine/hypervisor/platform.ts';
import { ConsoleBackend } from '../src/engine/devices/console/console-backend.ts';
import {
  CodeProfile,
  DEFAULT_OPTIONS,
  EAGER_OPTIONS,
  type ProfilePause,
  type Translator,
  createTranslator,
} from '../src/engine/jit/index.ts';
import { XenstoreServer } from '../src/engine/xenstore/server.ts';
import { writeDomainTree } from '../src/engine/toolstack/xend/domain-tree.ts';
import { pausesTable } from '../bench/pauses.ts';
import { benchInGuest, benchRamdisk, processCpu } from './boot-node-bench.ts';
import { attachDisks } from './boot-node-disks.ts';
import { registerLines } from '../src/engine/hypervisor/crash-report.ts';
import { vcpuBlockOf } from '../src/engine/hypervisor/domain-memory.ts';
import { PV_EXCEPTION_COUNTS, PV_HYPERCALL_COUNTS, PV_PAGE_TABLE_WRITES } from '../src/engine/pv/layout.ts';
import {
  VCPU_BLOCKS_DECODED,
  VCPU_BLOCK_LOOKUPS,
  VCPU_CODE_DROPS,
  VCPU_EVENTS,
  VCPU_FAULTS,
  VCPU_FLUSHES,
  VCPU_INSTRUCTIONS,
  VCPU_INSTRUCTIONS_HANDLED,
  VCPU_INSTRUCTIONS_TRANSLATED,
  VCPU_REGION_ENTRIES,
  VCPU_REGION_REDOS,
  VCPU_TLB_MISSES,
} from '../src/engine/cpu/layout.ts';

const COUNTERS = [
  ['instructions', VCPU_INSTRUCTIONS],
  ['translated', VCPU_INSTRUCTIONS_TRANSLATED],
  ['of these by handlers', VCPU_INSTRUCTIONS_HANDLED],
  ['region entries', VCPU_REGION_ENTRIES],
  ['given back by regions', VCPU_REGION_REDOS],
  ['TLB misses', VCPU_TLB_MISSES],
  ['blocks decoded', VCPU_BLOCKS_DECODED],
  ['block look-ups', VCPU_BLOCK_LOOKUPS],
  ['code drops', VCPU_CODE_DROPS],
  ['flushes', VCPU_FLUSHES],
  ['faults', VCPU_FAULTS],
  ['events', VCPU_EVENTS],
  ['page-table stores', PV_PAGE_TABLE_WRITES],
] as const;

const { values: options } = parseArgs({
  options: {
    kernel: { type: 'string' },
    core: { type: 'string', default: 'build/core.wasm' },
    ramdisk: { type: 'string' },
    memory: { type: 'string', default: '256' },
    maxmem: { type: 'string' },
    vcpus: { type: 'string', default: '1' },
    online: { type: 'string' },
    disk: { type: 'string', multiple: true, default: [] },
    type: { type: 'string', multiple: true },
    append: { type: 'string', default: 'console=hvc0 earlyprintk=xen noreplace-smp' },
    seconds: { type: 'string', default: '60' },
    slice: { type: 'string', default: '250000' },
    counters: { type: 'boolean', default: false },
    'counters-at': { type: 'string' },
    threads: { type: 'boolean', default: false },
    translator: { type: 'string', default: 'off' },
    tune: { type: 'string', default: '{}' },
    bench: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    until: { type: 'string' },
    pauses: { type: 'boolean', default: false },
  },
});
if (options.kernel === undefined) throw new Error('--kernel FILE is needed');

const powerOnMs = performance.timeOrigin + performance.now();
const clock: Clock = {
  nowNs: () => (performance.timeOrigin + performance.now() - powerOnMs) * 1e6,
  wallNs: () => BigInt(Date.now()) * 1_000_000n,
};
const log: HypervisorLog = {
  write: (text) => {
    process.stderr.write(text);
  },
  read: () => '',
};
const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
const changed = async (words: Int32Array, index: number, value: number, timeoutMs = 1000): Promise<void> => {
  const result = Atomics.waitAsync(words, index, value, timeoutMs);
  if (result.async) await result.value;
};
const entropy = {
  fill: (bytes: Uint8Array): void => {
    randomFillSync(bytes);
  },
};
const translators: Translator[] = [];
const pauses: ProfilePause[] = [];
const cooperative = new CooperativeLauncher({
  clock,
  turns: {
    nextTurn: () => new Promise((resolve) => setImmediate(resolve)),
    sleep: (words, index, value, timeoutNs) => changed(words, index, value, Math.min(Math.max(timeoutNs / 1e6, 0), 1000)),
  },
  host: ({ domid }) => ({
    nowNs: () => clock.nowNs(),
    entropy: () => randomFillSync(new Uint32Array(1))[0] ?? 0,
    consoleWrite: (bytes) => {
      log.write(`(d${domid}) ${new TextDecoder().decode(bytes)}`);
    },
  }),
  onFailure: ({ domid, vcpu }, error) => {
    log.write(`(XEN) d${domid}v${vcpu} core failure: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  },
  sliceInstructions: Number(options.slice),
  translator: (request, core) => {
    if (options.translator === 'off') return null;
    const cpu = vcpuBlockOf(request.vcpu);
    const profile = new CodeProfile(request.memory, cpu, () => processCpu().thread * 1e9);
    const translator = createTranslator(core, request.memory, cpu, {
      ...(options.translator === 'eager' ? EAGER_OPTIONS : DEFAULT_OPTIONS),
      ...(JSON.parse(options.tune) as object),
      ...(options.pauses ? { onRegion: profile.regionMade, onModule: profile.moduleMade, onInstalled: profile.installed } : {}),
    });
    translators.push(translator);
    if (!options.pauses) return translator;
    const timed = profile.timed(translator);
    return {
      sampleInstructions: timed.sampleInstructions,
      sample: () => {
        timed.sample();
        pauses.push(...(profile.take()?.pauses ?? []));
      },
    };
  },
});
const THREAD = `
const { workerData } = require('node:worker_threads');
import('tsx/esm/api').then(({ register }) => { register(); return import(workerData.entry); });
`;
const threaded: VcpuLauncher = {
  processors: availableParallelism(),
  start: (start) => {
    const entry = new URL('./boot-node-vcpu.ts', import.meta.url).href;
    const thread = new Worker(THREAD, { eval: true, workerData: { entry, start, powerOnMs, translator: options.translator } });
    thread.on('message', (text: string) => {
      log.write(`(d${start.domid}) ${text}`);
    });
    thread.on('error', (error) => {
      log.write(`(XEN) d${start.domid}v${start.vcpu}: ${error.message}\n`);
    });
    return {
      stop: () => {
        void thread.terminate();
      },
    };
  },
};
const launcher = options.threads ? threaded : cooperative;
const decoders = platformDecoders(() => WebAssembly.compile(new Uint8Array(readFileSync('build/codec.wasm'))));
const machine = new Hypervisor({
  module: await WebAssembly.compile(new Uint8Array(readFileSync(options.core))),
  clock,
  entropy,
  waiter: { changed },
  launcher,
  log,
  totalPages: 1 << 20,
  dom0Pages: 0,
  pcpus: 1,
  cpuKhz: 1_000_000,
  commandLine: '',
  decoders,
});

const pages = Number(options.memory) * 256;
const maxPages = Number(options.maxmem ?? options.memory) * 256;
const domid = await machine.createDomain({ maxPages, maxVcpus: Number(options.vcpus), handle: randomFillSync(new Uint8Array(16)) });
const started = clock.nowNs();
const ramdisk = options.ramdisk === undefined ? undefined : new Uint8Array(readFileSync(options.ramdisk));
const built = await machine.buildDomain(domid, {
  kernel: new Uint8Array(readFileSync(options.kernel)),
  ramdisk: options.bench === undefined || ramdisk === undefined ? ramdisk : benchRamdisk(ramdisk),
  commandLine: options.append,
  pages,
  features: '',
});
log.write(`(XEN) built in ${((clock.nowNs() - started) / 1e6).toFixed(0)} ms: ${JSON.stringify(built)}\n`);
const domain = machine.domainOf(domid);
const xenstored = new XenstoreServer({
  schedule: (task) => {
    setImmediate(task);
  },
  log: (line) => {
    log.write(`${line}\n`);
  },
});
const store = xenstored.connect();
store.transaction((access) => {
  writeDomainTree(access, {
    domid,
    name: 'guest',
    uuid: '00000000-0000-0000-0000-000000000001',
    memoryKiB: pages * 4,
    maxMemoryKiB: maxPages * 4,
    vcpus: Number(options.online ?? options.vcpus),
    maxVcpus: Number(options.vcpus),
    kernel: options.kernel ?? '',
    ramdisk: options.ramdisk ?? '',
    commandLine: options.append,
    startTime: Date.now() / 1000,
    built,
  });
});
attachDisks(options.disk, {
  store,
  domid,
  guest: { grants: domain.grants, bindChannel: (port) => domain.channels.bind(port) },
  log: (line) => {
    log.write(`${line}\n`);
  },
});
xenstored.introduce(domid, machine.mapRing(domid, built.storeMfn, built.storePort));
const guestConsole = new ConsoleBackend(machine.mapRing(domid, built.consoleMfn, built.consolePort), {
  timers: {
    after: (delayMs, task) => {
      const timer = setTimeout(task, delayMs);
      return () => {
        clearTimeout(timer);
      };
    },
  },
  log: (line) => {
    log.write(`${line}\n`);
  },
  name: `domain ${domid}`,
});
guestConsole.subscribe((bytes) => {
  process.stdout.write(bytes);
});
/** What the vCPUs counted up to now, by name. */
const readCounters = (): Map<string, number> => {
  const view = new DataView(domain.memory.buffer);
  const counters = new Map<string, number>();
  for (let vcpu = 0; vcpu < Number(options.vcpus); vcpu += 1) {
    const add = (name: string, offset: number): void => {
      const value = Number(view.getBigUint64(vcpuBlockOf(vcpu) + offset, true));
      if (value > 0) counters.set(`v${vcpu} ${name}`, value);
    };
    for (const [name, offset] of COUNTERS) add(name, offset);
    for (let n = 0; n < 48; n += 1) add(`hypercall ${n}`, PV_HYPERCALL_COUNTS + n * 8);
    for (let n = 0; n < 32; n += 1) add(`exception ${n}`, PV_EXCEPTION_COUNTS + n * 8);
    for (const [name, value] of Object.entries<number>({ ...translators[vcpu]?.counters }))
      counters.set(`v${vcpu} translator ${name}`, value);
  }
  return counters;
};
let lastCounters = new Map<string, number>();
const reportCounters = (title: string, since = new Map<string, number>()): void => {
  const facts = [...readCounters()].map(([name, value]) => [name, value - (since.get(name) ?? 0)] as const);
  const text = facts.filter(([, value]) => value > 0).map(([name, value]) => `${name} ${value}`);
  log.write(`(XEN) counters of ${title}, ${((clock.nowNs() - running) / 1e9).toFixed(1)} s: ${text.join(', ')}\n`);
};
/** With --counters-at: reports what was counted since the last line that had the text. */
const running = clock.nowNs();
let line = '';
guestConsole.subscribe((bytes) => {
  const lines = (line + new TextDecoder('latin1').decode(bytes)).split('\n');
  line = lines.pop() ?? '';
  for (const full of lines) {
    if (options['counters-at'] === undefined || !full.includes(options['counters-at'])) continue;
    reportCounters(full.trim(), lastCounters);
    lastCounters = readCounters();
  }
});
/** "WHAT=>TEXT": after the console has shown WHAT, types TEXT; "WHAT=>@PATH=VALUE" writes a node of the domain in XenStore. */
const script = async (): Promise<void> => {
  for (const line of options.type ?? []) {
    const [what = '', text = ''] = line.split('=>');
    await guestConsole.waitFor(what);
    const [path, value] = text.startsWith('@') ? text.slice(1).split('=') : [];
    if (path !== undefined && value !== undefined) {
      store.write(`/local/domain/${domid}/${path}`, value);
      continue;
    }
    guestConsole.push(new TextEncoder().encode(text.replaceAll('\\n', '\n')));
  }
};
script().catch((error: unknown) => {
  log.write(`${String(error)}\n`);
});
const allCounters = (): { instructions: number; translated: number } => {
  const view = new DataView(domain.memory.buffer);
  const sum = (offset: number): number =>
    Array.from({ length: Number(options.vcpus) }, (_, vcpu) => Number(view.getBigUint64(vcpuBlockOf(vcpu) + offset, true))).reduce(
      (total, one) => total + one,
    );
  return { instructions: sum(VCPU_INSTRUCTIONS), translated: sum(VCPU_INSTRUCTIONS_TRANSLATED) };
};
let over = false;
if (options.bench !== undefined) {
  const guest = {
    type: (text: string) => {
      guestConsole.push(new TextEncoder().encode(text));
    },
    waitFor: (pattern: string | RegExp) => guestConsole.waitFor(pattern),
    counters: allCounters,
  };
  benchInGuest(guest, options.bench, Number(options.rounds), (line) => {
    log.write(`${line}\n`);
  })
    .catch((error: unknown) => {
      log.write(`${String(error)}\n`);
    })
    .finally(() => {
      over = true;
    });
}
if (options.until !== undefined)
  guestConsole.waitFor(options.until).then(
    () => {
      over = true;
    },
    (error: unknown) => {
      log.write(`${String(error)}\n`);
    },
  );
machine.onDomainException(() => {
  over = true;
});
await machine.unpauseDomain(domid);
while (!over && clock.nowNs() - running < Number(options.seconds) * 1e9) await sleep(100);
if (!over) {
  await machine.pauseDomain(domid);
  for (let vcpu = 0; vcpu < Number(options.vcpus); vcpu += 1)
    for (const line of registerLines(domain.memory, domid, vcpu)) log.write(`(XEN) ${line}\n`);
}
if (options.counters) reportCounters('all');
if (options.pauses) log.write(`${pausesTable([{ name: 'in Node', pauses }])}\n`);
process.exit(0);
