/** The shell language on the test's own thread: quick to start, but an endless script cannot be ended. */
import { BashRuntime } from '../bash-runtime.ts';
import type { ShellHost, ShellOutcome, ShellProcess, ShellRequest, ShellState } from '../shell-host.ts';
import { ShellEnded } from '../shell-host.ts';

export class InlineShell implements ShellProcess {
  private readonly _runtime: BashRuntime;
  private _end: () => void = () => undefined;
  private readonly _ended: Promise<never>;

  constructor(host: ShellHost, programs: readonly string[]) {
    this._runtime = new BashRuntime(host, programs);
    this._ended = new Promise((_resolve, reject) => {
      this._end = () => reject(new ShellEnded());
    });
    this._ended.catch(() => undefined);
  }

  run(request: ShellRequest): Promise<ShellOutcome> {
    return Promise.race([this._runtime.run(request), this._ended]);
  }

  expand(text: string, state: ShellState): Promise<string[]> {
    return Promise.race([this._runtime.expand(text, state), this._ended]);
  }

  terminate(): void {
    this._end();
  }
}
