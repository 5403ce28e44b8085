/** The dom0 worker's end of a thread with the shell language in it. */
import { proxy, releaseProxy, wrap } from 'comlink';
import type { Endpoint, Remote } from 'comlink';
import type { ShellHost, ShellOutcome, ShellProcess, ShellRequest, ShellState } from './shell-host.ts';
import { ShellEnded } from './shell-host.ts';
import type { ShellWorkerService } from './shell-worker-service.ts';

/** A platform's thread, spoken to by messages. */
export interface ShellThread {
  readonly endpoint: Endpoint;
  onError(listener: (message: string) => void): void;
  terminate(): void;
}

export class ThreadShellProcess implements ShellProcess {
  private readonly _thread: ShellThread;
  private readonly _service: Remote<ShellWorkerService>;
  private readonly _started: Promise<void>;
  private readonly _failures = new Set<(error: Error) => void>();
  private _ended: Error | undefined;

  constructor(thread: ShellThread, host: ShellHost, programs: readonly string[]) {
    this._thread = thread;
    this._service = wrap<ShellWorkerService>(thread.endpoint);
    thread.onError((message) => this._fail(new Error(`the shell could not be run: ${message}`)));
    this._started = this._unlessEnded(this._service.start(proxy(host), programs));
    this._started.catch(() => undefined);
  }

  async run(request: ShellRequest): Promise<ShellOutcome> {
    await this._started;
    return this._unlessEnded(this._service.run(request));
  }

  async expand(text: string, state: ShellState): Promise<string[]> {
    await this._started;
    return this._unlessEnded(this._service.expand(text, state));
  }

  terminate(): void {
    this._fail(new ShellEnded());
  }

  private _fail(error: Error): void {
    if (this._ended !== undefined) return;
    this._ended = error;
    this._service[releaseProxy]();
    this._thread.terminate();
    for (const fail of [...this._failures]) fail(error);
  }

  /** A thread that is gone answers nothing: its end settles what waits for it. */
  private _unlessEnded<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this._ended !== undefined) {
        reject(this._ended);
        return;
      }
      this._failures.add(reject);
      answer.then(resolve, reject).finally(() => this._failures.delete(reject));
    });
  }
}
