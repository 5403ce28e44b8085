/**
 * Runs each configuration script in a thread of its own that is ended afterwards, or when its time is up: the files are
 * anybody's code and may loop for ever.
 */
import type { ScriptEvaluator, ScriptOutcome, ScriptRequest } from '../../engine/toolstack/configuration/script.ts';
import type { Clock } from '../../engine/toolstack/services.ts';
import type { ScriptWorker } from './messages.ts';

export const SCRIPT_LIMIT_MS = 5_000;
const LOAD_LIMIT_MS = 60_000;

export interface DisposableEvaluatorOptions {
  spawn(): ScriptWorker;
  readonly wasmUrl: string | undefined;
  readonly clock: Clock;
  readonly limitMs?: number;
  /** Keep a thread ready for the next script, made at once and so long after each script ended; without, it is made when it is wanted. */
  readonly spareAfterMs?: number;
}

/** A thread that has the interpreter loaded, or is loading it. */
interface Interpreter {
  readonly worker: ScriptWorker;
  readonly loaded: Promise<void>;
}

export class DisposableEvaluator implements ScriptEvaluator {
  private spare: Interpreter | undefined;

  constructor(private readonly options: DisposableEvaluatorOptions) {
    if (options.spareAfterMs !== undefined) this.prepare();
  }

  async evaluate(request: ScriptRequest): Promise<ScriptOutcome> {
    const interpreter = this.spare ?? this.load();
    this.spare = undefined;
    try {
      await interpreter.loaded;
      return await this.run(interpreter.worker, request);
    } finally {
      interpreter.worker.terminate();
      this.prepareLater();
    }
  }

  private prepareLater(): void {
    const { spareAfterMs, clock } = this.options;
    if (spareAfterMs === undefined) return;
    clock.after(spareAfterMs, () => {
      this.prepare();
    });
  }

  private prepare(): void {
    if (this.spare !== undefined) return;
    const made = this.load();
    this.spare = made;
    // Whoever needs one then makes it, and hears why it cannot be had.
    made.loaded.catch(() => {
      made.worker.terminate();
      if (this.spare === made) this.spare = undefined;
    });
  }

  private load(): Interpreter {
    const { clock, wasmUrl } = this.options;
    const worker = this.options.spawn();
    const loaded = new Promise<void>((resolve, reject) => {
      const fail = (message: string): void => reject(new Error(`The Python interpreter could not be started: ${message}`));
      const stopTimer = clock.after(LOAD_LIMIT_MS, () => fail('it did not load in time'));
      worker.onError((message) => {
        stopTimer();
        fail(message);
      });
      worker.onMessage((message) => {
        stopTimer();
        if (message.kind === 'ready') resolve();
        else if (message.kind === 'failed') fail(message.message);
      });
      worker.post({ kind: 'load', wasmUrl });
    });
    return { worker, loaded };
  }

  private run(worker: ScriptWorker, request: ScriptRequest): Promise<ScriptOutcome> {
    const { clock } = this.options;
    const limitMs = this.options.limitMs ?? SCRIPT_LIMIT_MS;
    return new Promise<ScriptOutcome>((resolve, reject) => {
      const stopTimer = clock.after(limitMs, () => resolve({ kind: 'timeout', limitMs, output: '' }));
      const fail = (message: string): void => {
        stopTimer();
        reject(new Error(`The Python interpreter failed: ${message}`));
      };
      worker.onError(fail);
      worker.onMessage((message) => {
        stopTimer();
        if (message.kind === 'done') resolve(message.outcome);
        else if (message.kind === 'failed') fail(message.message);
      });
      worker.post({ kind: 'run', request });
    });
  }
}
