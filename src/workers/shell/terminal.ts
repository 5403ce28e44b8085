/**
 * One terminal of dom0: keystrokes in, output out. Input waits until somebody reads it. While a program runs that does not
 * read, ^C calls it off.
 */
import { decodeUtf8, encodeUtf8 } from '../../engine/storage/utf8.ts';
import type { CommandTerminal } from '../../engine/toolstack/command.ts';
import type { TerminalSink } from '../protocol.ts';
import { SinkWriter } from './sink-writer.ts';

const MAX_TYPEAHEAD_BYTES = 64 * 1024;
const INTERRUPT = 0x03;

export class Terminal {
  columns: number;
  rows: number;
  private readonly _output: SinkWriter;
  private _typed: Uint8Array[] = [];
  private _typedBytes = 0;
  private _reader: ((keys: Uint8Array | undefined) => void) | undefined;
  private _closed = false;
  private _interrupt: (() => void) | undefined;
  private readonly _resizeListeners = new Set<() => void>();

  constructor(sink: TerminalSink, columns: number, rows: number) {
    this._output = new SinkWriter(sink, () => this.close());
    this.columns = sane(columns, 80);
    this.rows = sane(rows, 24);
  }

  get closed(): boolean {
    return this._closed;
  }

  /** As it is. */
  write(output: string | Uint8Array): void {
    this._output.write(typeof output === 'string' ? encodeUtf8(output) : output.slice());
  }

  /** Text with plain line ends, as programs print it. */
  print(text: string): void {
    this.write(text.replaceAll(/\r?\n/g, '\r\n'));
  }

  input(bytes: Uint8Array): void {
    if (this._closed || bytes.length === 0) return;
    const reader = this._reader;
    if (reader !== undefined) {
      this._reader = undefined;
      reader(bytes.slice());
      return;
    }
    if (this._interrupt !== undefined && bytes.includes(INTERRUPT)) {
      this._typed = [];
      this._typedBytes = 0;
      this.write('^C\r\n');
      this._interrupt();
      return;
    }
    if (this._typedBytes + bytes.length > MAX_TYPEAHEAD_BYTES) return;
    this._typed.push(bytes.slice());
    this._typedBytes += bytes.length;
  }

  /** Whatever has been typed, or the next that is; undefined when the terminal closes. */
  read(): Promise<Uint8Array | undefined> {
    const next = this._typed.shift();
    if (next !== undefined) {
      this._typedBytes -= next.length;
      return Promise.resolve(next);
    }
    if (this._closed) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this._reader?.(undefined);
      this._reader = resolve;
    });
  }

  /** Puts back what was read too much. */
  unread(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this._typed.unshift(bytes);
    this._typedBytes += bytes.length;
  }

  /** While `listener` is set and nobody reads, ^C calls it. */
  set onInterrupt(listener: (() => void) | undefined) {
    this._interrupt = listener;
  }

  /** A reader that has gone away must not swallow the next key. */
  cancelRead(): void {
    const reader = this._reader;
    this._reader = undefined;
    reader?.(undefined);
  }

  resize(columns: number, rows: number): void {
    this.columns = sane(columns, this.columns);
    this.rows = sane(rows, this.rows);
    for (const listener of [...this._resizeListeners]) listener();
  }

  onResize(listener: () => void): () => void {
    this._resizeListeners.add(listener);
    return () => this._resizeListeners.delete(listener);
  }

  /** No more input or output; with a reason the page is told, after the last output. */
  close(reason?: string): void {
    if (reason === undefined) this._output.close();
    else this._output.end(reason);
    this._closed = true;
    this._interrupt?.();
    this.cancelRead();
  }
}

/** A terminal lent to one program. From its first read on the program gets every key; after the loan it gets none. */
export class LentTerminal implements CommandTerminal {
  private readonly _terminal: Terminal;
  private readonly _beforeOutput: () => void;
  private _over = false;
  private _raw = false;

  /** @param beforeOutput called before everything the program writes by itself */
  constructor(terminal: Terminal, beforeOutput: () => void) {
    this._terminal = terminal;
    this._beforeOutput = beforeOutput;
  }

  get columns(): number {
    return this._terminal.columns;
  }

  get rows(): number {
    return this._terminal.rows;
  }

  write(output: string | Uint8Array): void {
    if (this._over) return;
    this._beforeOutput();
    this._terminal.write(output);
  }

  read(): Promise<Uint8Array | undefined> {
    if (this._over) return Promise.resolve(undefined);
    if (!this._raw) {
      this._raw = true;
      this._terminal.onInterrupt = undefined;
    }
    return this._terminal.read();
  }

  onResize(listener: () => void): () => void {
    return this._terminal.onResize(listener);
  }

  end(): void {
    this._over = true;
    this._terminal.cancelRead();
  }
}

/** Keystrokes as text; bytes that are no UTF-8 become U+FFFD. */
export function textOfKeys(keys: Uint8Array): string {
  return decodeUtf8(keys);
}

function sane(value: number, otherwise: number): number {
  return Number.isInteger(value) && value >= 1 && value <= 1000 ? value : otherwise;
}
