/**
 * vCPUs of a machine without threads of its own: they take turns on one thread, each a slice. For tests, for Node, and where
 * shared memory cannot be had.
 */
import { instantiateCore, type CoreExports, type CoreHost } from './core.ts';
import type { Clock, VcpuLauncher, VcpuStart, VcpuThread } from './platform.ts';
import { type CodeTranslator, VcpuRunner, SLICE_INSTRUCTIONS } from './vcpu-runner.ts';

export interface TurnTaking {
  /** Lets other tasks of the thread run; resolves soon. */
  nextTurn(): Promise<void>;
  /** Resolves when the word is not `value` any more, or after `timeoutNs` (may be Infinity), or early. */
  sleep(words: Int32Array, index: number, value: number, timeoutNs: number): Promise<void>;
}

export interface CooperativeOptions {
  readonly clock: Clock;
  readonly turns: TurnTaking;
  /** Host functions of a vCPU's core. */
  host(request: VcpuStart): CoreHost;
  readonly onFailure?: (request: VcpuStart, error: unknown) => void;
  readonly sliceInstructions?: number;
  /** Translator of a vCPU's hot code; absent, all code is interpreted. */
  readonly translator?: ((request: VcpuStart, core: CoreExports) => CodeTranslator | null) | undefined;
}

export class CooperativeLauncher implements VcpuLauncher {
  constructor(private readonly options: CooperativeOptions) {}

  start(request: VcpuStart): VcpuThread {
    const { options } = this;
    const core = instantiateCore(request.module, request.memory, options.host(request));
    const runner = new VcpuRunner(
      core,
      request.memory,
      request.vcpu,
      options.clock,
      (error) => options.onFailure?.(request, error),
      options.translator?.(request, core) ?? null,
    );
    const life = { stopped: false };
    void this.live(runner, new Int32Array(request.memory.buffer), life);
    return {
      stop: () => {
        life.stopped = true;
      },
    };
  }

  private async live(runner: VcpuRunner, words: Int32Array, life: { stopped: boolean }): Promise<void> {
    const { clock, turns, sliceInstructions = SLICE_INSTRUCTIONS } = this.options;
    while (!life.stopped) {
      const step = runner.step(sliceInstructions);
      if (step.kind === 'ran') {
        await turns.nextTurn();
        continue;
      }
      const timeoutNs = step.deadlineNs - clock.nowNs();
      if (timeoutNs > 0) await turns.sleep(words, step.index, step.value, timeoutNs);
    }
  }
}
