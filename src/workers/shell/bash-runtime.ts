/** The shell language itself, on dom0's files and programs. A tight loop occupies its thread, so it has one of its own. */
import { Bash, defineCommand, getCommandNames } from 'just-bash/browser';
import { RemoteFileSystem } from './remote-file-system.ts';
import type { ShellHost, ShellOutcome, ShellRequest, ShellState } from './shell-host.ts';

/** Loops end by ^C or a time limit, which end the thread; the library's own limits would stop honest scripts. */
const NO_LIMIT = 1e12;

/** Name of the command that catches the words it was given; no user types it. */
const CATCH_WORDS = '__webxen_words';

export class BashRuntime {
  private readonly _bash: Bash;
  /** Options that the library remembers, set as in an interactive shell. */
  private readonly _prepared: Promise<unknown>;
  private _caught: string[] = [];

  constructor(host: ShellHost, programs: readonly string[]) {
    const names = new Set<string>([...getCommandNames(), ...programs, CATCH_WORDS]);
    const commands = programs.map((name) =>
      defineCommand(name, async (words, context) => {
        const stdin = bytesOfString(context.stdin as unknown as string);
        const { binary, ...result } = await host.runProgram(name, words, stdin, context.cwd);
        return { ...result, stdoutKind: binary === true ? 'bytes' : 'text' };
      }),
    );
    const catcher = defineCommand(CATCH_WORDS, (words) => {
      this._caught = words;
      return Promise.resolve({ stdout: '', stderr: '', exitCode: 0 });
    });
    this._bash = new Bash({
      fs: new RemoteFileSystem(host, (name) => names.has(name)),
      customCommands: [...commands, catcher],
      processInfo: { pid: 2, ppid: 1, uid: 0, gid: 0 },
      executionLimits: {
        maxCommandCount: NO_LIMIT,
        maxLoopIterations: NO_LIMIT,
        maxAwkIterations: NO_LIMIT,
        maxSedIterations: NO_LIMIT,
        maxWorkUnits: NO_LIMIT,
        maxExecutionTimeMs: 24 * 3600 * 1000,
      },
    });
    this._prepared = this._bash.exec('shopt -s expand_aliases');
  }

  async run({ script, stdin, state }: ShellRequest): Promise<ShellOutcome> {
    await this._prepared;
    const result = await this._bash.exec(script, {
      cwd: state.directory,
      env: { ...state.environment },
      replaceEnv: true,
      rawScript: true,
      stdin,
    });
    return {
      stdout: result.stdout,
      stderr: result.stderr,
      exitCode: result.exitCode,
      state: { directory: result.env['PWD'] ?? state.directory, environment: lasting(result.env) },
    };
  }

  async expand(text: string, state: ShellState): Promise<string[]> {
    this._caught = [];
    const { stderr, exitCode } = await this.run({ script: `${CATCH_WORDS} ${text}`, stdin: '', state });
    if (exitCode !== 0) throw new Error(stderr.trim() === '' ? 'cannot expand the words' : stderr.trim());
    return this._caught;
  }
}

/** Variables worth keeping: not those that the shell sets for each run. */
function lasting(environment: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && name !== 'OPTIND'),
  );
}

/** The library hands bytes over as text with one character a byte. */
function bytesOfString(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0) & 0xff);
}
