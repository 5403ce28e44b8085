/** What the shell's thread offers to the dom0 worker. */
import type { Remote } from 'comlink';
import { BashRuntime } from './bash-runtime.ts';
import type { ShellHost, ShellOutcome, ShellRequest, ShellState } from './shell-host.ts';

export class ShellWorkerService {
  private _runtime: BashRuntime | undefined;

  start(host: Remote<ShellHost> | ShellHost, programs: readonly string[]): void {
    // A remote host has the same methods; comlink's types only add what is already a promise here.
    this._runtime = new BashRuntime(host as ShellHost, programs);
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
