/** A terminal's screen as far as the shell's programs use one: text, cursor moves, erasing, the alternate screen. */
import type { TerminalSink } from '../../protocol.ts';
import { columnsOf } from '../keys.ts';

export class Screen implements TerminalSink {
  readonly columns: number;
  readonly rows: number;
  /** Everything that was written. */
  raw = '';
  bells = 0;
  private _cells: string[][];
  private _row = 0;
  private _column = 0;
  private _wrapDue = false;
  private _saved: { cells: string[][]; row: number; column: number } | undefined;
  private readonly _decoder = new TextDecoder();

  constructor(columns = 80, rows = 24) {
    this.columns = columns;
    this.rows = rows;
    this._cells = this._blank();
  }

  ended(): void {
    return;
  }

  write(bytes: Uint8Array): void {
    const text = this._decoder.decode(bytes, { stream: true });
    this.raw += text;
    for (let rest = text; rest !== '';) rest = rest.slice(this._take(rest));
  }

  /** Rows without blanks at their ends, and without empty rows at the foot. */
  get lines(): string[] {
    const lines = this._cells.map((row) => row.join('').trimEnd());
    while (lines.length > 0 && lines.at(-1) === '') lines.pop();
    return lines;
  }

  get text(): string {
    return this.lines.join('\n');
  }

  /** Row and column, from 0. */
  get cursor(): [row: number, column: number] {
    return [this._row, this._column];
  }

  private _blank(): string[][] {
    return Array.from({ length: this.rows }, () => Array.from({ length: this.columns }, () => ' '));
  }

  private _take(text: string): number {
    const sequence = /^\x1b\[(\??)([0-9;]*)([@-~])/.exec(text);
    if (sequence !== null) {
      this._control(sequence[1] === '?', (sequence[2] ?? '').split(';').map(Number), sequence[3] ?? '');
      return sequence[0].length;
    }
    const character = String.fromCodePoint(text.codePointAt(0) ?? 0);
    if (character === '\x1b') throw new Error(`unknown sequence ${JSON.stringify(text.slice(0, 8))}`);
    if (character === '\r') {
      this._column = 0;
      this._wrapDue = false;
    } else if (character === '\n') this._lineFeed();
    else if (character === '\x07') this.bells++;
    else if (character >= ' ') this._put(character);
    return character.length;
  }

  private _put(character: string): void {
    const width = columnsOf(character);
    if (this._wrapDue || this._column + width > this.columns) {
      this._column = 0;
      this._lineFeed();
    }
    const row = this._cells[this._row] ?? [];
    row[this._column] = character;
    if (width === 2) row[this._column + 1] = '';
    this._column += width;
    this._wrapDue = this._column >= this.columns;
    if (this._wrapDue) this._column = this.columns - 1;
  }

  private _lineFeed(): void {
    this._wrapDue = false;
    if (this._row + 1 < this.rows) this._row++;
    else {
      this._cells.shift();
      this._cells.push(Array.from({ length: this.columns }, () => ' '));
    }
  }

  private _control(priv: boolean, numbers: number[], final: string): void {
    const count = Math.max(1, numbers[0] ?? 1);
    this._wrapDue = false;
    if (priv) {
      if (numbers[0] === 1049 && final === 'h') {
        this._saved = { cells: this._cells, row: this._row, column: this._column };
        this._cells = this._blank();
      } else if (numbers[0] === 1049 && this._saved !== undefined) {
        this._cells = this._saved.cells;
        this._row = this._saved.row;
        this._column = this._saved.column;
      }
      return;
    }
    const row = this._cells[this._row] ?? [];
    switch (final) {
      case 'A':
        this._row = Math.max(0, this._row - count);
        return;
      case 'C':
        this._column = Math.min(this.columns - 1, this._column + count);
        return;
      case 'H':
        this._row = Math.min(this.rows, Math.max(1, numbers[0] ?? 1)) - 1;
        this._column = Math.min(this.columns, Math.max(1, numbers[1] ?? 1)) - 1;
        return;
      case 'K':
        row.fill(' ', this._column);
        return;
      case 'J':
        if (numbers[0] === 2) this._cells = this._blank();
        else {
          row.fill(' ', this._column);
          for (const below of this._cells.slice(this._row + 1)) below.fill(' ');
        }
        return;
      case 'm':
        return;
      default:
        throw new Error(`unknown control sequence ${final}`);
    }
  }
}
