/**
 * An interactive shell of dom0 on one terminal: reads lines, runs dom0's programs itself when they stand alone (so that they
 * stream their output and can own the terminal), hands everything else to the shell language in its thread. ^C ends either.
 */
import type { FileSystem } from '../../engine/storage/file-system.ts';
import { decodeUtf8, encodeUtf8 } from '../../engine/storage/utf8.ts';
import type { CommandIo } from '../../engine/toolstack/command.ts';
import { CancellationSource, Interrupted } from '../../engine/toolstack/services.ts';
import { messageOf } from '../../engine/toolstack/xend-error.ts';
import type { CompletionSources } from './completion.ts';
import { makeCompleter } from './completion.ts';
import { History } from './history.ts';
import { LineEditor } from './line-editor.ts';
import type { Pipeline, Word } from './line-syntax.ts';
import { lastStage, needsMore, simpleWords, splitList } from './line-syntax.ts';
import { LocalShellHost } from './local-host.ts';
import type { Programs } from './local-host.ts';
import type { ShellHost, ShellProcess, ShellState } from './shell-host.ts';
import { ShellEnded, initialState } from './shell-host.ts';
import type { Terminal } from './terminal.ts';
import { LentTerminal } from './terminal.ts';

const HISTORY_FILE = '/root/.bash_history';
const MESSAGE_OF_THE_DAY = '/etc/motd';
const INTERRUPTED_STATUS = 130;
/** Programs that show what is piped into them page by page. */
const PAGERS = new Set(['more', 'less']);
const FUNCTION = /^\s*(?:function\s+([\w-]+)\s*(?:\(\s*\))?|([\w-]+)\s*\(\s*\))\s*\{[\s\S]*\}\s*$/;

export interface SessionServices {
  readonly files: FileSystem;
  readonly programs: Programs;
  readonly completion: Omit<CompletionSources, 'files' | 'directory' | 'programs'>;
  hostName(): string;
  /** Makes a thread with the shell language. */
  spawnShell(host: ShellHost, programs: readonly string[]): ShellProcess;
}

export class ShellSession {
  private readonly _services: SessionServices;
  private readonly _terminal: Terminal;
  private readonly _host: LocalShellHost;
  private readonly _history: History;
  private readonly _editor: LineEditor;
  private _process: ShellProcess | undefined;
  private _state: ShellState;
  private _status = 0;
  private readonly _functions = new Map<string, string>();
  private _leaving = false;
  private _progressShown = false;

  constructor(services: SessionServices, terminal: Terminal, history: History) {
    this._services = services;
    this._terminal = terminal;
    this._history = history;
    this._state = initialState(services.hostName());
    this._host = new LocalShellHost(services.files, services.programs, new CancellationSource());
    const complete = makeCompleter({
      ...services.completion,
      files: services.files,
      directory: () => this._state.directory,
      programs: () => [...services.programs.keys()],
    });
    this._editor = new LineEditor(terminal, this._history, complete);
  }

  /** Resolves when the shell is left (exit, ^D) or the terminal closes. */
  async run(): Promise<void> {
    try {
      await this._commands();
    } finally {
      this._process?.terminate();
    }
  }

  private async _commands(): Promise<void> {
    if (await this._services.files.exists(MESSAGE_OF_THE_DAY))
      this._terminal.print(decodeUtf8(await this._services.files.readFile(MESSAGE_OF_THE_DAY)));
    while (!this._leaving) {
      const line = await this._readCommand();
      if (line === 'end') {
        if (this._terminal.closed) return;
        this._terminal.print('logout\n');
        return;
      }
      if (line !== undefined) await this._execute(line);
    }
  }

  /** A whole command, over as many lines as it takes. undefined: nothing to run. */
  private async _readCommand(): Promise<string | undefined> {
    let text = '';
    for (;;) {
      const result = await this._editor.readLine(text === '' ? this._prompt() : '> ');
      if (result.kind === 'interrupt') {
        this._status = INTERRUPTED_STATUS;
        return undefined;
      }
      if (result.kind === 'end') {
        if (text === '' || result.closed) return 'end';
        this._terminal.print('bash: syntax error: unexpected end of file\n');
        return undefined;
      }
      let typed = result.text;
      if (text === '') {
        const expanded = this._history.expand(typed);
        if (expanded === undefined) {
          this._terminal.print(`bash: ${typed.split(/\s/)[0] ?? ''}: event not found\n`);
          return undefined;
        }
        if (expanded !== typed) this._terminal.print(`${expanded}\n`);
        typed = expanded;
      }
      text = text === '' ? typed : `${text}\n${typed}`;
      if (needsMore(text)) continue;
      this._history.add(text);
      return text.trim() === '' ? undefined : text;
    }
  }

  private _prompt(): string {
    const { directory } = this._state;
    const shown = directory === '/root' ? '~' : directory.startsWith('/root/') ? `~${directory.slice('/root'.length)}` : directory;
    return `root@${this._services.hostName()}:${shown}# `;
  }

  private async _execute(line: string): Promise<void> {
    const pipelines = splitList(line);
    if (pipelines?.some((pipeline) => this._ownProgram(pipeline) !== undefined) !== true) {
      await this._runScript(line, '', true);
      this._rememberFunction(line);
      return;
    }
    for (const pipeline of pipelines) {
      if ((pipeline.when === '&&' && this._status !== 0) || (pipeline.when === '||' && this._status === 0)) continue;
      await this._runPipeline(pipeline);
      if (this._leaving || this._terminal.closed || this._status === INTERRUPTED_STATUS) return;
    }
  }

  /** What of a pipeline this session runs itself: all of it, or its last command, a pager. */
  private _ownProgram(pipeline: Pipeline): { readonly words: readonly Word[]; readonly left: string | undefined } | undefined {
    const words = simpleWords(pipeline.tokens);
    const name = words?.[0]?.text ?? '';
    if (words !== undefined && (this._services.programs.has(name) || ['exit', 'logout', 'history'].includes(name)))
      return { words, left: undefined };
    const stage = lastStage(pipeline);
    return stage !== undefined && PAGERS.has(stage.last[0]?.text ?? '') ? { words: stage.last, left: stage.left } : undefined;
  }

  private async _runPipeline(pipeline: Pipeline): Promise<void> {
    const own = this._ownProgram(pipeline);
    if (own === undefined) {
      await this._runScript(pipeline.text, '', true);
      return;
    }
    const stdin = own.left === undefined ? undefined : await this._runScript(own.left, '', false);
    if (own.left !== undefined && this._status === INTERRUPTED_STATUS) return;
    const [name, ...words] = await this._expand(own.words);
    if (name !== undefined) await this._runProgram(name, words, stdin);
  }

  private async _expand(words: readonly Word[]): Promise<string[]> {
    if (words.every((word) => word.plain)) return words.map((word) => word.text);
    try {
      return await this._shellProcess().expand(words.map((word) => word.text).join(' '), this._state);
    } catch (error) {
      this._terminal.print(`bash: ${messageOf(error)}\n`);
      this._status = 1;
      return [];
    }
  }

  private async _runProgram(name: string, words: readonly string[], stdin: string | undefined): Promise<void> {
    if (name === 'exit' || name === 'logout') {
      this._leaving = true;
      this._terminal.print('logout\n');
      return;
    }
    if (name === 'history') {
      this._history.lines.forEach((line, index) => this._terminal.print(`${String(index + 1).padStart(5)}  ${line}\n`));
      this._status = 0;
      return;
    }
    const program = this._services.programs.get(name);
    if (program === undefined) {
      await this._runScript([name, ...words].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' '), stdin ?? '', true);
      return;
    }
    const cancellation = new CancellationSource();
    const lent = new LentTerminal(this._terminal, () => this._endProgress());
    this._terminal.onInterrupt = () => cancellation.cancel();
    try {
      this._status = await program.run(words, this._programIo(lent, stdin, cancellation));
    } catch (error) {
      this._endProgress();
      this._status = error instanceof Interrupted ? INTERRUPTED_STATUS : 1;
      if (!(error instanceof Interrupted)) this._terminal.print(`${name}: ${messageOf(error)}\n`);
    } finally {
      lent.end();
      this._terminal.onInterrupt = undefined;
      this._endProgress();
    }
  }

  private _programIo(terminal: LentTerminal, stdin: string | undefined, cancellation: CancellationSource): CommandIo {
    const print = (text: string): void => {
      this._endProgress();
      this._terminal.print(text);
    };
    return {
      out: print,
      error: print,
      stdin,
      directory: this._state.directory,
      cancellation,
      terminal,
      progress: (text) => {
        this._progressShown = true;
        this._terminal.write(`\r${text.slice(0, this._terminal.columns - 1)}\x1b[K`);
      },
    };
  }

  private _endProgress(): void {
    if (this._progressShown) this._terminal.write('\r\x1b[K');
    this._progressShown = false;
  }

  /** Runs text of the shell language. Its output is shown, or with `show` false returned; errors are always shown. */
  private async _runScript(script: string, stdin: string, show: boolean): Promise<string> {
    const cancellation = new CancellationSource();
    const process = this._shellProcess();
    this._host.cancellation = cancellation;
    this._terminal.onInterrupt = () => {
      cancellation.cancel();
      process.terminate();
      this._process = undefined;
    };
    const status = script.includes('$?') ? `(exit ${this._status}); ` : '';
    const preamble = [...this._functions.values()].map((definition) => `${definition}\n`).join('');
    try {
      const outcome = await process.run({ script: preamble + status + script, stdin, state: this._state });
      this._state = outcome.state;
      this._status = outcome.exitCode;
      if (show) this._terminal.print(outcome.stdout);
      this._terminal.print(outcome.stderr);
      return outcome.stdout;
    } catch (error) {
      this._process = undefined;
      if (error instanceof ShellEnded) this._status = INTERRUPTED_STATUS;
      else {
        process.terminate();
        this._status = 1;
        this._terminal.print(`bash: ${messageOf(error)}\n`);
      }
      return '';
    } finally {
      this._terminal.onInterrupt = undefined;
    }
  }

  /** The shell language forgets functions from one line to the next. */
  private _rememberFunction(line: string): void {
    const match = FUNCTION.exec(line);
    const name = match?.[1] ?? match?.[2];
    if (name !== undefined && this._status === 0) this._functions.set(name, line);
    const forgotten = /^\s*unset\s+-f\s+([\w-]+)\s*$/.exec(line)?.[1];
    if (forgotten !== undefined) this._functions.delete(forgotten);
  }

  private _shellProcess(): ShellProcess {
    this._process ??= this._services.spawnShell(this._host, [...this._services.programs.keys()]);
    return this._process;
  }
}

/** The history of all sessions, in dom0's home directory; a line end inside an entry stands there as a NUL. */
export async function openHistory(files: FileSystem): Promise<History> {
  const text = (await files.exists(HISTORY_FILE)) ? decodeUtf8(await files.readFile(HISTORY_FILE)) : '';
  const lines = text.split('\n').filter((line) => line !== '');
  return new History(
    lines.map((line) => line.replaceAll('\0', '\n')),
    (entries) => {
      const stored = `${entries.map((entry) => entry.replaceAll('\n', '\0')).join('\n')}\n`;
      // A full file system costs the history, not the shell.
      files.writeFile(HISTORY_FILE, encodeUtf8(stored), 0o600).catch(() => undefined);
    },
  );
}
