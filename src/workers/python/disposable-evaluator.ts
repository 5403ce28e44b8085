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
}

export class DisposableEvaluator implements ScriptEvaluator {
  private readonly _options: DisposableEvaluatorOptions;

  constructor(options: DisposableEvaluatorOptions) {
    this._options = options;
  }

  evaluate(request: ScriptRequest): Promise<ScriptOutcome> {
    const { clock, wasmUrl } = this._options;
    const limitMs = this._options.limitMs ?? SCRIPT_LIMIT_MS;
    const worker = this._options.spawn();
    let stopTimer: () => void = () => undefined;
    const finished = new Promise<ScriptOutcome>((resolve, reject) => {
      const fail = (message: string): void => reject(new Error(`The Python interpreter could not be started: ${message}`));
      stopTimer = clock.after(LOAD_LIMIT_MS, () => fail('it did not load in time'));
      worker.onError(fail);
      worker.onMessage((message) => {
        stopTimer();
        if (message.kind === 'failed') fail(message.message);
        else if (message.kind === 'done') resolve(message.outcome);
        else {
          stopTimer = clock.after(limitMs, () => resolve({ kind: 'timeout', limitMs, output: '' }));
          worker.post({ kind: 'run', request });
        }
      });
      worker.post({ kind: 'load', wasmUrl });
    });
    return finished.finally(() => {
      stopTimer();
      worker.terminate();
    });
  }
}
