/**
 * Runs one vCPU, a slice at a time, and says what to wait for between slices. The thread that owns the runner does the waiting:
 * a worker blocks on the doorbell, a test or a single-threaded machine takes turns.
 *
 * Everything that may end a wait (an event, a timer moved, pause and unpause, a vCPU brought up) rings the vCPU's doorbell; the
 * runner samples it before it looks at the reasons to sleep, and the sleeper sleeps on that sample, so nothing is missed.
 */
import {
  CONTROL,
  CONTROL_QUEUED_VCPUS,
  EXIT_ANSWER,
  EXIT_BUDGET,
  EXIT_CRASH,
  EXIT_EXCEPTION,
  EXIT_OFFLINE,
  EXIT_SHUTDOWN,
  EXIT_YIELD,
  VCPU_BUDGET,
  VCPU_DOORBELL,
  VCPU_SAMPLE_LEFT,
} from '../cpu/layout.ts';
import { RUNSTATE_blocked, RUNSTATE_offline, RUNSTATE_runnable, RUNSTATE_running, SHUTDOWN_crash } from '../abi/sched.ts';
import {
  CRASH_CORE_FAILURE,
  DOMAIN_CRASH_CODE,
  DOMAIN_CRASH_VCPU,
  DOMAIN_DOORBELL,
  DOMAIN_PAUSED,
  DOMAIN_SHUTDOWN,
  PV_PROCESSOR,
  PV_RUNNING,
  PV_RUNSTATE,
} from '../pv/layout.ts';
import type { CoreExports } from './core.ts';
import { vcpuBlockOf } from './domain-memory.ts';

/** Guest instructions a slice: about a millisecond. */
export const SLICE_INSTRUCTIONS = 250_000;

/** How long a vCPU keeps its processor when others queue for one, and when one of them has an event to take. */
const QUANTUM_NS = 2_000_000;
const URGENT_QUANTUM_NS = 500_000;

/** A guest that yields waits for somebody else (another vCPU, a daemon): that long, unless an event comes. */
const YIELD_NS = 50_000;
/** A guest that has notified domain 0 waits so long for an answer at most (pv/answers.ts). */
const ANSWER_NS = 200_000;

export type Step =
  /** A slice was run. */
  | { readonly kind: 'ran' }
  /** Wait while the word at `index` (of the memory as int32) is `value`, until `deadlineNs` of the machine clock. */
  | { readonly kind: 'wait'; readonly index: number; readonly value: number; readonly deadlineNs: number };

export interface RunnerClock {
  nowNs(): number;
}

/** Makes hot code fast: asked between runs, with the vCPU outside guest code. */
export interface CodeTranslator {
  /** Instructions to interpret between samples. */
  readonly sampleInstructions: number;
  /** So many have been interpreted, up to the present RIP. */
  sample(): void;
}

export class VcpuRunner {
  private readonly words: Int32Array;
  private readonly cpu: number;
  private readonly doorbell: number;
  private readonly processorWord: number;
  /** When the vCPU got its processor; -1 = it has none. */
  private onProcessorSince = -1;
  private wasBlocked = false;
  private awaitsAnswer = false;

  constructor(
    private readonly core: CoreExports,
    memory: WebAssembly.Memory,
    readonly vcpu: number,
    private readonly clock: RunnerClock,
    /** Told when the core itself failed: a defect of ours, not of the guest. */
    private readonly onFailure: (error: unknown) => void = () => undefined,
    private readonly translator: CodeTranslator | null = null,
  ) {
    this.words = new Int32Array(memory.buffer);
    this.cpu = vcpuBlockOf(vcpu);
    this.doorbell = (this.cpu + VCPU_DOORBELL) / 4;
    this.processorWord = (this.cpu + PV_PROCESSOR) / 4;
    this.core.pvWriteTime(this.cpu);
  }

  private word(offset: number): number {
    return Atomics.load(this.words, offset / 4);
  }

  step(budget = SLICE_INSTRUCTIONS): Step {
    const sample = Atomics.load(this.words, this.doorbell);
    // Running is said before pausing is looked at: who pauses writes the one and then reads the other.
    Atomics.store(this.words, (this.cpu + PV_RUNNING) / 4, 1);
    const step = this.advance(sample, budget);
    if (step.kind === 'wait') this.rest(step.index !== this.processorWord);
    return step;
  }

  /** Tells whoever waits for the vCPU to stand still that it does. Its processor, or its place in the queue, goes to others. */
  private rest(withoutProcessor: boolean): void {
    if (withoutProcessor) this.core.pvLeaveProcessor(this.cpu);
    this.onProcessorSince = -1;
    Atomics.store(this.words, (this.cpu + PV_RUNNING) / 4, 0);
    Atomics.notify(this.words, (this.cpu + PV_RUNNING) / 4);
  }

  private waitFor(sample: number, deadlineNs = Infinity): Step {
    return { kind: 'wait', index: this.doorbell, value: sample, deadlineNs };
  }

  private enter(state: number): void {
    if (this.word(this.cpu + PV_RUNSTATE) !== state) this.core.pvSetRunState(this.cpu, state);
  }

  private advance(sample: number, budget: number): Step {
    if (this.word(DOMAIN_SHUTDOWN) !== 0 || this.word(DOMAIN_PAUSED) !== 0) {
      this.enter(RUNSTATE_runnable);
      return this.waitFor(sample);
    }
    if (this.core.pvIsOnline(this.cpu) === 0) {
      this.enter(RUNSTATE_offline);
      return this.waitFor(sample);
    }
    const now = this.clock.nowNs();
    const deadline = this.core.pvFireTimers(this.cpu, now);
    if (this.awaitsAnswer) {
      this.awaitsAnswer = false;
      this.core.pvAnswerAwaited(this.cpu);
    }
    if (this.core.pvReady(this.cpu, now) === 0) {
      this.enter(RUNSTATE_blocked);
      this.wasBlocked = true;
      return this.waitFor(sample, deadline);
    }
    if (!this.hasProcessor(now)) return this.waitForProcessor();
    this.enter(RUNSTATE_running);
    return this.slice(sample, budget);
  }

  /** Whether the vCPU may run now: it has a processor, and not for so long that it is another's turn. */
  private hasProcessor(now: number): boolean {
    const { core, cpu } = this;
    if (this.onProcessorSince < 0) {
      if (core.pvTakeProcessor(cpu, this.wasBlocked ? 1 : 0) === 0) return false;
      this.onProcessorSince = now;
      this.wasBlocked = false;
      return true;
    }
    if (this.word(CONTROL + CONTROL_QUEUED_VCPUS) === 0) return true;
    const quantum = core.pvUrgentQueued() === 0 ? QUANTUM_NS : URGENT_QUANTUM_NS;
    return now - this.onProcessorSince < quantum || core.pvPassProcessor(cpu) !== 0;
  }

  /** The vCPU is queued; it sleeps on the word that says which processor it was given. */
  private waitForProcessor(): Step {
    this.enter(RUNSTATE_runnable);
    return { kind: 'wait', index: this.processorWord, value: 0, deadlineNs: Infinity };
  }

  private slice(sample: number, budget: number): Step {
    let reason: number;
    try {
      reason = this.run(budget);
    } catch (error) {
      this.fail();
      this.onFailure(error);
      reason = EXIT_CRASH;
    }
    if (reason === EXIT_SHUTDOWN || reason === EXIT_CRASH || reason === EXIT_EXCEPTION) this.ringDom0();
    if (reason === EXIT_OFFLINE) this.enter(RUNSTATE_offline);
    if (reason === EXIT_ANSWER) {
      this.awaitsAnswer = true;
      // With the answer it goes before those whose turn was over, as one that slept.
      this.wasBlocked = true;
      this.enter(RUNSTATE_runnable);
      return this.waitFor(sample, this.clock.nowNs() + ANSWER_NS);
    }
    if (reason === EXIT_YIELD) {
      if (this.core.pvPassProcessor(this.cpu) === 0) return this.waitForProcessor();
      this.enter(RUNSTATE_runnable);
      return this.waitFor(sample, this.clock.nowNs() + YIELD_NS);
    }
    return { kind: 'ran' };
  }

  private run(budget: number): number {
    const { core, cpu, translator } = this;
    if (translator === null) return core.run(cpu, budget);
    for (let left = budget; ;) {
      const reason = core.run(cpu, left, translator.sampleInstructions);
      if (reason !== EXIT_BUDGET) return reason;
      if (this.word(cpu + VCPU_SAMPLE_LEFT) <= 0) translator.sample();
      left = this.word(cpu + VCPU_BUDGET);
      if (left <= 0) return reason;
    }
  }

  /** The core trapped: the domain is over. */
  private fail(): void {
    if (Atomics.compareExchange(this.words, DOMAIN_SHUTDOWN / 4, 0, 1 + SHUTDOWN_crash) === 0) {
      Atomics.store(this.words, DOMAIN_CRASH_CODE / 4, CRASH_CORE_FAILURE);
      Atomics.store(this.words, DOMAIN_CRASH_VCPU / 4, this.vcpu);
    }
  }

  private ringDom0(): void {
    Atomics.add(this.words, DOMAIN_DOORBELL / 4, 1);
    Atomics.notify(this.words, DOMAIN_DOORBELL / 4);
  }
}
