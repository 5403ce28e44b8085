/**
 * Powers the machine on in the dom0 worker: compiles the core, makes the hypervisor with workers for its vCPUs, and reads out
 * what counters the vCPUs keep.
 */
import coreUrl from '../../../build/core.wasm?url';
import orderedCoreUrl from '../../../build/core-ordered.wasm?url';
import codecUrl from '../../../build/codec.wasm?url';
import {
  VCPU_BLOCKS_DECODED,
  VCPU_BLOCK_LOOKUPS,
  VCPU_CODE_DROPS,
  VCPU_EVENTS,
  VCPU_FAULTS,
  VCPU_FLUSHES,
  VCPU_HYPERCALLS,
  VCPU_INSTRUCTIONS,
  VCPU_INSTRUCTIONS_HANDLED,
  VCPU_INSTRUCTIONS_TRANSLATED,
  VCPU_TLB_MISSES,
} from '../../engine/cpu/layout.ts';
import { PV_PAGE_TABLE_WRITES } from '../../engine/pv/layout.ts';
import { Hypervisor } from '../../engine/hypervisor/hypervisor.ts';
import type { Domid } from '../../engine/hypervisor/control.ts';
import { vcpuBlockOf } from '../../engine/hypervisor/domain-memory.ts';
import type { HypervisorLog } from '../../engine/hypervisor/platform.ts';
import { TSC_KHZ } from '../../engine/hypervisor/domain.ts';
import { addProfiles, type ProfilePart } from '../../engine/jit/index.ts';
import { platformDecoders } from '../decoders.ts';
import { nextTurn } from '../event-loop.ts';
import { machineClock, monotonicMs } from '../machine-clock.ts';
import type { VcpuCounters } from '../protocol.ts';
import { WorkerLauncher } from '../vcpu/launcher.ts';
import { profileWanted, translatorSetting } from '../vcpu/messages.ts';
import { DoorbellWaiter } from './doorbell-waiter.ts';
import { needsFences } from './memory-order.ts';

const MEBIBYTE_PAGES = 256;
/** Machine memory shown and shared out when the browser does not say how much the device has. */
const USUAL_MEBIBYTES = 4096;
/** Characters of an unfinished line of a guest's emergency console that are kept. */
const CONSOLE_LINE_MAX = 4096;
/** dom0_mem: what domain 0 is shown to have of it. */
const DOM0_MEBIBYTES = 256;
/** getRandomValues fills at most this much at a time. */
const RANDOM_BYTES_MAX = 65536;
/**
 * After that long a domain's threads have ended, and nothing refers to its memory any more; on a busy machine later. A collection
 * that one call has begun is brought to its end by the next.
 */
const RELEASE_MS = [1000, 3000, 10_000, 30_000];

export interface MachineSettings {
  readonly log: HypervisorLog;
  readonly commandLine: string;
}

export interface PoweredMachine {
  readonly hypervisor: Hypervisor;
  /** Workers of vCPUs alive. */
  workers(): number;
  counters(domid: Domid): VcpuCounters[];
  /** What the profiles of its vCPUs gathered since the last call; empty unless the command line asked for profiles. */
  profile(domid: Domid): ProfilePart;
}

const NO_PROFILE: ProfilePart = { samples: [], regions: [], exits: [], pauses: [] };

async function compile(url: string, name: string): Promise<WebAssembly.Module> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${name} could not be loaded: ${response.status} ${response.statusText}`);
  return WebAssembly.compile(await response.arrayBuffer());
}

let codec: Promise<WebAssembly.Module> | undefined;

/** The decoders of gzip, LZ4 and xz, loaded once; after a failure the next call tries again. */
export function loadCodec(): Promise<WebAssembly.Module> {
  codec ??= compile(codecUrl, 'The decoder of gzip, LZ4 and xz').catch((error: unknown) => {
    codec = undefined;
    throw error;
  });
  return codec;
}

function machineMebibytes(): number {
  const device = (navigator as { deviceMemory?: number }).deviceMemory;
  return device === undefined ? USUAL_MEBIBYTES : Math.max(1024, Math.min(device * 1024, 8192));
}

/**
 * The garbage collector takes a shared memory for an object of a few bytes and may leave it lying for minutes. A plain buffer
 * counts with its size, though pages that nobody touches cost nothing: making one, and dropping it, has the collector look now.
 */
function collectSoon(bytes: number): void {
  const press = (): void => {
    try {
      void new ArrayBuffer(bytes);
    } catch {
      // There is no room for it: then the collector has looked already.
    }
  };
  for (const delay of RELEASE_MS) setTimeout(press, delay);
}

function fillRandom(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += RANDOM_BYTES_MAX) {
    const part = new Uint8Array(Math.min(RANDOM_BYTES_MAX, bytes.length - at));
    crypto.getRandomValues(part);
    bytes.set(part, at);
  }
}

export async function powerOn({ log, commandLine }: MachineSettings): Promise<PoweredMachine> {
  const powerOnMs = monotonicMs();
  const ordered = needsFences(commandLine);
  // The first kernel need not wait for it then. Should it fail, whoever needs it asks again and hears why.
  loadCodec().catch(() => undefined);
  const module = await compile(ordered ? orderedCoreUrl : coreUrl, 'The processor core');
  if (ordered) log.write('(XEN) Fences keep the memory accesses of guests in order\n');
  const consoleLines = lineAssembler();
  const profiles = new Map<number, ProfilePart>();
  const launcher = new WorkerLauncher({
    powerOnMs,
    translator: translatorSetting(commandLine),
    onProfile: profileWanted(commandLine)
      ? (domid, part) => profiles.set(domid, addProfiles([profiles.get(domid) ?? NO_PROFILE, part]))
      : undefined,
    onConsole: (domid, bytes) => {
      for (const line of consoleLines(domid, bytes)) log.write(`(d${domid}) ${line}\n`);
    },
    onFailure: (domid, vcpu, reason) => {
      log.write(`(XEN) d${domid}v${vcpu}: the core failed: ${reason}\n`);
    },
    onTranslatorFailure: (reason) => {
      log.write(`(XEN) translator: ${reason}\n`);
    },
  });
  const hypervisor = new Hypervisor({
    module,
    clock: machineClock(powerOnMs),
    entropy: { fill: fillRandom },
    waiter: new DoorbellWaiter({ nextTurn }),
    launcher,
    released: collectSoon,
    log,
    totalPages: machineMebibytes() * MEBIBYTE_PAGES,
    dom0Pages: DOM0_MEBIBYTES * MEBIBYTE_PAGES,
    pcpus: Math.max(1, navigator.hardwareConcurrency),
    cpuKhz: TSC_KHZ,
    commandLine,
    decoders: platformDecoders(loadCodec),
  });
  return {
    hypervisor,
    workers: () => launcher.workers,
    counters: (domid) => readCounters(hypervisor, domid),
    profile: (domid) => {
      const part = profiles.get(domid) ?? NO_PROFILE;
      profiles.delete(domid);
      return part;
    },
  };
}

/** Puts the pieces that guests write to their emergency consoles together to lines, each guest's on its own. */
function lineAssembler(): (domid: number, bytes: Uint8Array) => string[] {
  const streams = new Map<number, { decoder: TextDecoder; partial: string }>();
  return (domid, bytes) => {
    const stream = streams.get(domid) ?? { decoder: new TextDecoder(), partial: '' };
    streams.set(domid, stream);
    const lines = (stream.partial + stream.decoder.decode(bytes, { stream: true })).split('\n');
    stream.partial = (lines.pop() ?? '').slice(-CONSOLE_LINE_MAX);
    return lines;
  };
}

function readCounters(hypervisor: Hypervisor, domid: Domid): VcpuCounters[] {
  const view = new DataView(hypervisor.domainOf(domid).memory.buffer);
  return hypervisor.vcpus(domid).map(({ vcpu, cpuTimeNs }) => {
    const count = (offset: number): number => Number(view.getBigUint64(vcpuBlockOf(vcpu) + offset, true));
    const translated = count(VCPU_INSTRUCTIONS_TRANSLATED);
    return {
      vcpu,
      instructionsInterpreted: count(VCPU_INSTRUCTIONS) - translated,
      instructionsTranslated: translated,
      instructionsHandled: count(VCPU_INSTRUCTIONS_HANDLED),
      exits: {
        fault: count(VCPU_FAULTS),
        hypercall: count(VCPU_HYPERCALLS),
        event: count(VCPU_EVENTS),
        'block decoded': count(VCPU_BLOCKS_DECODED),
        'code dropped': count(VCPU_CODE_DROPS),
        'block looked up': count(VCPU_BLOCK_LOOKUPS),
        'page-table store': count(PV_PAGE_TABLE_WRITES),
        'translations flushed': count(VCPU_FLUSHES),
      },
      tlbMisses: count(VCPU_TLB_MISSES),
      runningNs: cpuTimeNs,
    };
  });
}
