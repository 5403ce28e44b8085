/** Thread of one vCPU of `boot-node.ts --threads`: what workers/vcpu/worker.ts is in a browser. */
import { randomFillSync } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { instantiateCore } from '../src/engine/hypervisor/core.ts';
import type { VcpuStart } from '../src/engine/hypervisor/platform.ts';
import { vcpuBlockOf } from '../src/engine/hypervisor/domain-memory.ts';
import { DEFAULT_OPTIONS, EAGER_OPTIONS, createTranslator } from '../src/engine/jit/index.ts';
import { VcpuRunner } from '../src/engine/hypervisor/vcpu-runner.ts';

const { start, powerOnMs, translator } = workerData as { start: VcpuStart; powerOnMs: number; translator: string };
const clock = { nowNs: () => (performance.timeOrigin + performance.now() - powerOnMs) * 1e6 };
const core = instantiateCore(start.module, start.memory, {
  nowNs: () => clock.nowNs(),
  entropy: () => randomFillSync(new Uint32Array(1))[0] ?? 0,
  consoleWrite: (bytes) => parentPort?.postMessage(new TextDecoder().decode(bytes)),
});
const failed = (error: unknown): void => {
  parentPort?.postMessage(`core failure: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
};
const options = translator === 'eager' ? EAGER_OPTIONS : DEFAULT_OPTIONS;
const hot = translator === 'off' ? null : createTranslator(core, start.memory, vcpuBlockOf(start.vcpu), options);
const runner = new VcpuRunner(core, start.memory, start.vcpu, clock, failed, hot);
const words = new Int32Array(start.memory.buffer);
for (;;) {
  const step = runner.step();
  if (step.kind === 'ran') continue;
  const timeoutMs = (step.deadlineNs - clock.nowNs()) / 1e6;
  if (timeoutMs > 0) Atomics.wait(words, step.index, step.value, timeoutMs);
}
