/**
 * Reads one line from the terminal, with the keys of GNU readline's emacs mode that people use without thinking: moving,
 * deleting, the kill buffer, history with search, completion.
 */
import type { History } from './history.ts';
import type { Key, KeyName } from './keys.ts';
import { columnsOf, nextKey } from './keys.ts';
import type { Terminal } from './terminal.ts';
import { textOfKeys } from './terminal.ts';
import { encodeUtf8 } from '../../engine/storage/utf8.ts';

export type LineResult =
  | { readonly kind: 'line'; readonly text: string }
  | { readonly kind: 'interrupt' }
  /** ^D on an empty line, or the terminal closed. */
  | { readonly kind: 'end'; readonly closed: boolean };

export interface Completion {
  /** Where in the line the word to be completed begins. */
  readonly begin: number;
  /** Whole words that could stand there, as they would be inserted, each with what follows it (a blank, a slash, nothing). */
  readonly candidates: readonly { readonly insert: string; readonly show: string }[];
}

export type Completer = (line: string, cursor: number) => Promise<Completion>;

const MAX_LISTED = 200;

export class LineEditor {
  private readonly _terminal: Terminal;
  private readonly _history: History;
  private readonly _complete: Completer;
  private _prompt = '';
  private _text = '';
  private _cursor = 0;
  /** Row of the cursor below the row in which the prompt begins. */
  private _cursorRow = 0;
  private _historyIndex = 0;
  /** The line as it was before going through the history. */
  private _draft = '';
  private _killed = '';
  private _lastKey: 'tab' | 'kill' | 'other' = 'other';
  private _drawDue = false;
  private _search: { text: string; index: number; saved: string } | undefined;

  constructor(terminal: Terminal, history: History, complete: Completer) {
    this._terminal = terminal;
    this._history = history;
    this._complete = complete;
  }

  async readLine(prompt: string): Promise<LineResult> {
    this._prompt = prompt;
    this._text = '';
    this._cursor = 0;
    this._cursorRow = 0;
    this._historyIndex = this._history.lines.length;
    this._search = undefined;
    this._lastKey = 'other';
    this._terminal.onInterrupt = undefined;
    const redraw = (): void => {
      this._redraw();
      this._draw();
    };
    const stopListening = this._terminal.onResize(redraw);
    redraw();
    try {
      for (;;) {
        const keys = await this._terminal.read();
        if (keys === undefined) return { kind: 'end', closed: true };
        let text = textOfKeys(keys);
        while (text !== '') {
          const { key, length } = nextKey(text);
          text = text.slice(length);
          const again = this._lastWasTab();
          const result = key === undefined ? undefined : this._press(key);
          if (this._lastWasTab()) await this._tab(again);
          if (result === undefined) continue;
          this._terminal.unread(encodeUtf8(text));
          return result;
        }
        this._draw();
      }
    } finally {
      stopListening();
    }
  }

  private _lastWasTab(): boolean {
    return this._lastKey === 'tab';
  }

  private _press(key: Key): LineResult | undefined {
    const before = this._lastKey;
    this._lastKey = 'other';
    if (this._search !== undefined && this._pressInSearch(key)) return undefined;
    switch (key.kind) {
      case 'text':
        this._insert(key.text);
        return undefined;
      case 'special':
        this._pressSpecial(key.name);
        return undefined;
      case 'control':
        return this._pressControl(key.letter, before);
    }
  }

  private _pressControl(letter: string, before: 'tab' | 'kill' | 'other'): LineResult | undefined {
    switch (letter) {
      case 'M':
      case 'J':
        return this._finish({ kind: 'line', text: this._text });
      case 'C':
        this._moveTo(this._text.length);
        this._draw();
        this._terminal.write('^C\r\n');
        return { kind: 'interrupt' };
      case 'D':
        if (this._text !== '') this._deleteRange(this._cursor, this._next());
        else {
          this._terminal.write('\r\n');
          return { kind: 'end', closed: false };
        }
        return undefined;
      case 'H':
        this._deleteRange(this._previous(), this._cursor);
        return undefined;
      case 'I':
        // Done by the reader, which waits for what there is to complete.
        this._lastKey = 'tab';
        return undefined;
      case 'A':
        this._moveTo(0);
        return undefined;
      case 'E':
        this._moveTo(this._text.length);
        return undefined;
      case 'B':
        this._moveTo(this._previous());
        return undefined;
      case 'F':
        this._moveTo(this._next());
        return undefined;
      case 'P':
        this._recall(this._historyIndex - 1);
        return undefined;
      case 'N':
        this._recall(this._historyIndex + 1);
        return undefined;
      case 'K':
        this._kill(this._cursor, this._text.length, before === 'kill', false);
        return undefined;
      case 'U':
        this._kill(0, this._cursor, before === 'kill', true);
        return undefined;
      case 'W':
        this._kill(this._blankBefore(), this._cursor, before === 'kill', true);
        return undefined;
      case 'Y':
        this._insert(this._killed);
        return undefined;
      case 'T':
        this._transpose();
        return undefined;
      case 'L':
        this._terminal.write('\x1b[H\x1b[2J');
        this._cursorRow = 0;
        this._redraw();
        return undefined;
      case 'R':
        this._search = { text: '', index: this._history.lines.length, saved: this._text };
        this._redraw();
        return undefined;
      default:
        return undefined;
    }
  }

  private _pressSpecial(name: KeyName): void {
    switch (name) {
      case 'up':
        return this._recall(this._historyIndex - 1);
      case 'down':
        return this._recall(this._historyIndex + 1);
      case 'left':
        return this._moveTo(this._previous());
      case 'right':
        return this._moveTo(this._next());
      case 'word-left':
        return this._moveTo(this._wordBefore());
      case 'word-right':
        return this._moveTo(this._wordAfter());
      case 'home':
        return this._moveTo(0);
      case 'end':
        return this._moveTo(this._text.length);
      case 'delete':
        return this._deleteRange(this._cursor, this._next());
      case 'delete-word':
        return this._kill(this._wordBefore(), this._cursor, false, true);
      case 'delete-word-right':
        return this._kill(this._cursor, this._wordAfter(), false, false);
      case 'insert':
      case 'page-up':
      case 'page-down':
      case 'escape':
        return;
    }
  }

  /** True when the key belonged to the search; otherwise the search is over and the key acts on the line found. */
  private _pressInSearch(key: Key): boolean {
    const search = this._search;
    if (search === undefined) return false;
    if (key.kind === 'text') {
      search.text += key.text;
      this._searchFrom(this._history.lines.length - 1);
      return true;
    }
    if (key.kind === 'control' && key.letter === 'R') {
      if (search.text !== '') this._searchFrom(search.index - 1);
      return true;
    }
    if (key.kind === 'control' && key.letter === 'H') {
      search.text = search.text.slice(0, -1);
      if (search.text === '') this._redraw();
      else this._searchFrom(this._history.lines.length - 1);
      return true;
    }
    if (key.kind === 'control' && key.letter === 'G') {
      this._search = undefined;
      this._replace(search.saved);
      return true;
    }
    this._search = undefined;
    this._redraw();
    return false;
  }

  private _searchFrom(index: number): void {
    if (this._search === undefined) return;
    const found = this._history.searchBack(this._search.text, index);
    if (found === undefined) this._terminal.write('\x07');
    else {
      this._search.index = found;
      this._historyIndex = found;
      this._text = this._history.lines[found] ?? '';
      this._cursor = this._text.length;
    }
    this._redraw();
  }

  private _finish(result: LineResult): LineResult {
    this._moveTo(this._text.length);
    this._draw();
    this._terminal.write('\r\n');
    return result;
  }

  private _insert(text: string): void {
    this._text = this._text.slice(0, this._cursor) + text + this._text.slice(this._cursor);
    this._cursor += text.length;
    this._redraw();
  }

  private _replace(text: string): void {
    this._text = text;
    this._cursor = text.length;
    this._redraw();
  }

  private _deleteRange(from: number, to: number): void {
    if (from === to) return;
    this._text = this._text.slice(0, from) + this._text.slice(to);
    this._cursor = from;
    this._redraw();
  }

  private _kill(from: number, to: number, again: boolean, inFront: boolean): void {
    const text = this._text.slice(from, to);
    this._lastKey = 'kill';
    if (text === '') return;
    this._killed = !again ? text : inFront ? text + this._killed : this._killed + text;
    this._deleteRange(from, to);
  }

  private _transpose(): void {
    const at = this._cursor === this._text.length ? this._cursor - 1 : this._cursor;
    if (at < 1) return;
    const [left = '', right = ''] = [this._text[at - 1], this._text[at]];
    this._text = this._text.slice(0, at - 1) + right + left + this._text.slice(at + 1);
    this._cursor = at + 1;
    this._redraw();
  }

  private _moveTo(cursor: number): void {
    if (cursor === this._cursor) return;
    this._cursor = cursor;
    this._redraw();
  }

  private _recall(index: number): void {
    const { lines } = this._history;
    if (index < 0 || index > lines.length) {
      this._terminal.write('\x07');
      return;
    }
    if (this._historyIndex === lines.length) this._draft = this._text;
    this._historyIndex = index;
    this._replace(index === lines.length ? this._draft : (lines[index] ?? ''));
  }

  private async _tab(again: boolean): Promise<void> {
    const { begin, candidates } = await this._complete(this._text, this._cursor);
    const [first] = candidates;
    if (first === undefined) {
      this._terminal.write('\x07');
      return;
    }
    const common =
      candidates.length === 1 ? first.insert : commonBeginning(candidates.map((candidate) => candidate.insert.trimEnd()));
    if (common.length > this._cursor - begin || candidates.length === 1) {
      this._text = this._text.slice(0, begin) + common + this._text.slice(this._cursor);
      this._cursor = begin + common.length;
      this._redraw();
      return;
    }
    if (!again) {
      this._terminal.write('\x07');
      return;
    }
    const cursor = this._cursor;
    this._moveTo(this._text.length);
    this._draw();
    this._terminal.write(`\r\n${this._columns(candidates.slice(0, MAX_LISTED).map((candidate) => candidate.show))}`);
    this._cursor = cursor;
    this._cursorRow = 0;
    this._redraw();
  }

  private _columns(names: readonly string[]): string {
    const width = Math.max(...names.map((name) => name.length)) + 2;
    const perRow = Math.max(1, Math.floor(this._terminal.columns / width));
    const rows = Math.ceil(names.length / perRow);
    let out = '';
    for (let row = 0; row < rows; row++) {
      let line = '';
      for (let column = 0; column < perRow; column++) line += (names[column * rows + row] ?? '').padEnd(width);
      out += `${line.trimEnd()}\r\n`;
    }
    return out;
  }

  private _previous(): number {
    if (this._cursor === 0) return 0;
    const code = this._text.charCodeAt(this._cursor - 1);
    return this._cursor - (code >= 0xdc00 && code < 0xe000 ? 2 : 1);
  }

  private _next(): number {
    if (this._cursor >= this._text.length) return this._text.length;
    return this._cursor + String.fromCodePoint(this._text.codePointAt(this._cursor) ?? 0).length;
  }

  private _wordBefore(): number {
    return this._cursor - (/[\p{L}\p{N}_]*[^\p{L}\p{N}_]*$/u.exec(this._text.slice(0, this._cursor))?.[0].length ?? 0);
  }

  private _wordAfter(): number {
    return this._cursor + (/^[^\p{L}\p{N}_]*[\p{L}\p{N}_]*/u.exec(this._text.slice(this._cursor))?.[0].length ?? 0);
  }

  private _blankBefore(): number {
    return this._cursor - (/\S*\s*$/.exec(this._text.slice(0, this._cursor))?.[0].length ?? 0);
  }

  private _redraw(): void {
    this._drawDue = true;
  }

  /** Once for all the keys of one input, however many changed the line. */
  private _draw(): void {
    if (!this._drawDue) return;
    this._drawDue = false;
    const prompt = this._search === undefined ? this._prompt : `(reverse-i-search)\`${this._search.text}': `;
    const lead = `${this._cursorRow > 0 ? `\x1b[${this._cursorRow}A` : ''}\r\x1b[J`;
    const all = prompt + this._text;
    const end = this._place(all);
    const at = this._place(prompt + this._text.slice(0, this._cursor));
    let out = lead + all.replaceAll('\n', '\r\n');
    // A line that ends at the right margin leaves the cursor there: put it where the next character will go.
    if (end.column === 0 && end.row > 0 && !all.endsWith('\n')) out += '\r\n';
    if (end.row > at.row) out += `\x1b[${end.row - at.row}A`;
    out += `\r${at.column > 0 ? `\x1b[${at.column}C` : ''}`;
    this._cursorRow = at.row;
    this._terminal.write(out);
  }

  /** Where the cursor stands after the text, counted from the beginning of the prompt. */
  private _place(text: string): { row: number; column: number } {
    let row = 0;
    let column = 0;
    for (const character of text) {
      if (character === '\n') {
        row++;
        column = 0;
        continue;
      }
      const width = columnsOf(character);
      if (column + width > this._terminal.columns) {
        row++;
        column = 0;
      }
      column += width;
      if (column === this._terminal.columns) {
        row++;
        column = 0;
      }
    }
    return { row, column };
  }
}

export function commonBeginning(texts: readonly string[]): string {
  const [first = '', ...others] = texts;
  let length = first.length;
  for (const other of others) while (!other.startsWith(first.slice(0, length))) length--;
  return first.slice(0, length);
}
