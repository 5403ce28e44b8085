/**
 * Commands of the script API: run without a terminal, each as in a fresh shell. A program of dom0 that stands alone is called
 * at once; everything else goes through a thread with the shell language, of which a few are kept ready.
 */
import type { FileSystem } from '../../engine/storage/file-system.ts';
import type { Clock } from '../../engine/toolstack/services.ts';
import { CancellationSource } from '../../engine/toolstack/services.ts';
import { messageOf } from '../../engine/toolstack/xend-error.ts';
import type { ExecResult } from '../protocol.ts';
import { simpleWords, splitList } from '../shell/line-syntax.ts';
import { LocalShellHost, runWithoutTerminal } from '../shell/local-host.ts';
import type { Programs } from '../shell/local-host.ts';
import type { ShellHost, ShellProcess } from '../shell/shell-host.ts';
import { INITIAL_DIRECTORY, initialState } from '../shell/shell-host.ts';

const KEPT_IDLE = 2;
const TIMED_OUT_STATUS = 124;

export interface ExecutorOptions {
  readonly files: FileSystem;
  readonly programs: Programs;
  readonly clock: Clock;
  hostName(): string;
  spawnShell(host: ShellHost, programs: readonly string[]): ShellProcess;
}

interface Shell {
  readonly process: ShellProcess;
  readonly host: LocalShellHost;
}

export class Executor {
  private readonly _options: ExecutorOptions;
  private readonly _idle: Shell[] = [];

  constructor(options: ExecutorOptions) {
    this._options = options;
  }

  /** Never rejects: what goes wrong is in stderr and the exit code, 124 when the time was up. */
  async exec(command: string, options: { readonly stdin?: string; readonly timeoutMs?: number } = {}): Promise<ExecResult> {
    const cancellation = new CancellationSource();
    let timedOut = false;
    const stopTimer =
      options.timeoutMs === undefined
        ? (): void => undefined
        : this._options.clock.after(options.timeoutMs, () => {
            timedOut = true;
            cancellation.cancel();
          });
    try {
      const result = await this._run(command, options.stdin, cancellation);
      if (!timedOut) return result;
      const note = `the command did not end within ${options.timeoutMs ?? 0} ms and was stopped\n`;
      return { stdout: result.stdout, stderr: result.stderr + note, exitCode: TIMED_OUT_STATUS };
    } finally {
      stopTimer();
    }
  }

  private async _run(command: string, stdin: string | undefined, cancellation: CancellationSource): Promise<ExecResult> {
    const words = plainWords(command);
    const [name, ...rest] = words ?? [];
    if (name !== undefined && this._options.programs.has(name))
      return {
        ...(await runWithoutTerminal(this._options.programs, name, rest, { stdin, directory: INITIAL_DIRECTORY, cancellation })),
      };
    const shell = this._idle.pop() ?? this._spawn();
    shell.host.cancellation = cancellation;
    const forget = cancellation.onCancel(() => shell.process.terminate());
    try {
      const state = initialState(this._options.hostName());
      const { stdout, stderr, exitCode } = await shell.process.run({ script: command, stdin: stdin ?? '', state });
      if (!cancellation.cancelled && this._idle.length < KEPT_IDLE) this._idle.push(shell);
      else shell.process.terminate();
      return { stdout, stderr, exitCode };
    } catch (error) {
      shell.process.terminate();
      return { stdout: '', stderr: cancellation.cancelled ? '' : `bash: ${messageOf(error)}\n`, exitCode: 1 };
    } finally {
      forget();
    }
  }

  private _spawn(): Shell {
    const host = new LocalShellHost(this._options.files, this._options.programs, new CancellationSource());
    return { host, process: this._options.spawnShell(host, [...this._options.programs.keys()]) };
  }
}

/** The words of a line that is one command with nothing for the shell to expand. */
function plainWords(command: string): string[] | undefined {
  const pipelines = splitList(command);
  const [only] = pipelines ?? [];
  if (only === undefined || pipelines?.length !== 1) return undefined;
  const words = simpleWords(only.tokens);
  return words?.every((word) => word.plain) === true ? words.map((word) => word.text) : undefined;
}
