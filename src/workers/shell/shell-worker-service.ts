/** What the shell's thread offers to the dom0 worker. */
import { BashRuntime } from './bash-runtime.ts';
import type { ShellHost, ShellOutcome, ShellRequest, ShellState } from './shell-host.ts';

export class ShellWorkerService {
  private _runtime: BashRuntime | undefined;

  start(host: ShellHost, programs: readonly string[]): void {
    this._runtime = new BashRuntime(host, programs);
  }

  run(request: ShellRequest): Promise<ShellOutcome> {
    return this._started().run(request);
  }

  expand(text: string, state: ShellState): Promise<string[]> {
    return this._started().expand(text, state);
  }

  private _started(): BashRuntime {
    if (this._runtime === undefined) throw new Error('the shell has not been started');
    return this._runtime;
  }
}
