/**
 * Thread of one vCPU: runs slices, and sleeps on the vCPU's doorbell between them. It gets no message but the first; dom0 ends it by
 * terminating the worker.
 */
import { instantiateCore } from '../../engine/hypervisor/core.ts';
import { CodeProfile, DEFAULT_OPTIONS, EAGER_OPTIONS, createTranslator } from '../../engine/jit/index.ts';
import { vcpuBlockOf } from '../../engine/hypervisor/domain-memory.ts';
import { VcpuRunner } from '../../engine/hypervisor/vcpu-runner.ts';
import { inNextTurn } from '../event-loop.ts';
import { machineClock } from '../machine-clock.ts';
import { RemoteCompiler } from '../translator/remote-compiler.ts';
import type { StartVcpu, VcpuNews } from './messages.ts';

/**
 * Between two returns to the event loop. Nothing waits for it there but the engine: it frees the last of what a WebAssembly module was in
 * tasks, and a thread that never came by kept some 130 bytes of each.
 */
const TURN_NS = 1_000_000_000;
/** Between two messages of a profile. */
const PROFILE_NS = 100_000_000;

function tell(news: VcpuNews): void {
  postMessage(news);
}

/** 32-bit random numbers, fetched a batch at a time: getRandomValues refuses shared memory and costs a call each time. */
function randomWords(): () => number {
  const batch = new Uint32Array(256);
  let next = batch.length;
  return () => {
    if (next === batch.length) {
      crypto.getRandomValues(batch);
      next = 0;
    }
    return batch[next++] ?? 0;
  };
}

function live({ memory, module, vcpu, powerOnMs, translator, link, profile }: StartVcpu): void {
  const clock = machineClock(powerOnMs);
  const core = instantiateCore(module, memory, {
    nowNs: () => clock.nowNs(),
    entropy: randomWords(),
    consoleWrite: (bytes) => {
      tell({ kind: 'console', bytes });
    },
  });
  const failed = (error: unknown): void => {
    tell({ kind: 'failure', text: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  };
  const profiled = profile ? new CodeProfile(memory, vcpuBlockOf(vcpu), () => clock.nowNs()) : undefined;
  const options = {
    ...(translator === 'eager' ? EAGER_OPTIONS : DEFAULT_OPTIONS),
    ...(profiled === undefined
      ? {}
      : { onRegion: profiled.regionMade, onModule: profiled.moduleMade, onInstalled: profiled.installed }),
  };
  const compiler = link === undefined ? undefined : new RemoteCompiler(link);
  const hot = translator === 'off' ? null : createTranslator(core, memory, vcpuBlockOf(vcpu), options, compiler);
  const translating = hot === null || profiled === undefined ? hot : profiled.timed(hot);
  const runner = new VcpuRunner(profiled?.around(core) ?? core, memory, vcpu, clock, failed, translating);
  const words = new Int32Array(memory.buffer);
  let nextReportNs = 0;
  const run = (): void => {
    const end = clock.nowNs() + TURN_NS;
    while (clock.nowNs() < end) {
      const step = runner.step();
      if (profiled !== undefined && clock.nowNs() >= nextReportNs) {
        const part = profiled.take();
        if (part !== undefined) tell({ kind: 'profile', part });
        nextReportNs = clock.nowNs() + PROFILE_NS;
      }
      if (step.kind === 'ran') continue;
      const timeoutMs = (step.deadlineNs - clock.nowNs()) / 1e6;
      if (timeoutMs > 0) Atomics.wait(words, step.index, step.value, timeoutMs);
    }
    inNextTurn(run);
  };
  run();
}

addEventListener('message', (event: MessageEvent<StartVcpu>) => {
  live(event.data);
});
