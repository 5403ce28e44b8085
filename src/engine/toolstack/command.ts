/**
 * A program of domain 0 as the toolstack sees it: words in, text out, an exit status. The shell, the script API and tests call
 * programs in the same way; only a shell on a terminal can lend its terminal.
 */
import type { Cancellation } from './services.ts';

/** A terminal lent to one program: keys arrive one by one, nothing is echoed. */
export interface CommandTerminal {
  readonly columns: number;
  readonly rows: number;
  write(output: string | Uint8Array): void;
  /** The next keystrokes, at least one byte; undefined when the terminal is closed. */
  read(): Promise<Uint8Array | undefined>;
  /** The result takes the listener away. */
  onResize(listener: () => void): () => void;
}

export interface CommandIo {
  out(text: string): void;
  error(text: string): void;
  /** What was piped or redirected into the program; undefined when it reads a terminal or nothing. */
  readonly stdin: string | undefined;
  /** The same as bytes, for programs that take any; absent like stdin. */
  readonly stdinBytes?: Uint8Array | undefined;
  /** Prints bytes that need not be text; absent where nothing takes them. */
  outBytes?(bytes: Uint8Array): void;
  readonly directory: string;
  readonly cancellation: Cancellation;
  readonly terminal: CommandTerminal | undefined;
  /** A line that says how far something is, shown only on terminals, and wiped by whatever is printed next. */
  progress(text: string): void;
}

export interface Command {
  readonly name: string;
  /** One line for `help`. */
  readonly description: string;
  /** Resolves to the exit status. Throws Interrupted when cancelled. */
  run(words: readonly string[], io: CommandIo): Promise<number>;
}
