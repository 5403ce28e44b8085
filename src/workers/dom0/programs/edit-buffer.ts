/** The text of the screen editor: lines, a cursor, what was cut. No terminal in here. */

export class EditBuffer {
  lines: string[];
  row = 0;
  /** In UTF-16 units, never inside a character. */
  column = 0;
  changed = false;
  private _cut: string[] = [];
  private _cutting = false;
  /** Column the cursor tries to keep when it moves up and down. */
  private _wanted = 0;

  constructor(text: string) {
    this.lines = text.replaceAll('\r\n', '\n').split('\n');
    if (this.lines.length > 1 && this.lines.at(-1) === '') this.lines.pop();
  }

  /** With a line end after the last line; an empty buffer is an empty file. */
  get text(): string {
    return this.lines.length === 1 && this.lines[0] === '' ? '' : `${this.lines.join('\n')}\n`;
  }

  get line(): string {
    return this.lines[this.row] ?? '';
  }

  insert(text: string): void {
    this._cutting = false;
    const parts = text.replaceAll('\r\n', '\n').replaceAll('\r', '\n').split('\n');
    const before = this.line.slice(0, this.column);
    const after = this.line.slice(this.column);
    const [first = ''] = parts;
    if (parts.length === 1) {
      this.lines[this.row] = before + first + after;
      this.column += first.length;
    } else {
      const last = parts.at(-1) ?? '';
      this.lines.splice(this.row, 1, before + first, ...parts.slice(1, -1), last + after);
      this.row += parts.length - 1;
      this.column = last.length;
    }
    this._touched();
  }

  /** Enter: the new line begins with the blanks of the one before. */
  newLine(): void {
    const indent = /^[ \t]*/.exec(this.line.slice(0, this.column))?.[0] ?? '';
    this.insert(`\n${indent}`);
  }

  backspace(): void {
    if (this.column === 0 && this.row === 0) return;
    this.left();
    this.deleteCharacter();
  }

  deleteCharacter(): void {
    const { line } = this;
    if (this.column < line.length) this.lines[this.row] = line.slice(0, this.column) + line.slice(this._after(line, this.column));
    else if (this.row + 1 < this.lines.length) this.lines.splice(this.row, 2, line + (this.lines[this.row + 1] ?? ''));
    else return;
    this._touched();
  }

  /** Takes the line out; lines cut one after another are pasted together. */
  cutLine(): void {
    if (!this._cutting) this._cut = [];
    this._cut.push(this.line);
    if (this.lines.length === 1) this.lines = [''];
    else this.lines.splice(this.row, 1);
    this.row = Math.min(this.row, this.lines.length - 1);
    this.column = 0;
    this._touched();
    this._cutting = true;
  }

  paste(): void {
    if (this._cut.length === 0) return;
    this.lines.splice(this.row, 0, ...this._cut);
    this.row += this._cut.length;
    this.column = 0;
    if (this.row >= this.lines.length) this.lines.push('');
    this._touched();
  }

  left(): void {
    if (this.column > 0) this.column = this._before(this.line, this.column);
    else if (this.row > 0) {
      this.row--;
      this.column = this.line.length;
    }
    this._moved();
  }

  right(): void {
    if (this.column < this.line.length) this.column = this._after(this.line, this.column);
    else if (this.row + 1 < this.lines.length) {
      this.row++;
      this.column = 0;
    }
    this._moved();
  }

  wordLeft(): void {
    if (this.column === 0) return this.left();
    this.column -= /[\p{L}\p{N}_]*[^\p{L}\p{N}_]*$/u.exec(this.line.slice(0, this.column))?.[0].length ?? 0;
    this._moved();
  }

  wordRight(): void {
    if (this.column === this.line.length) return this.right();
    this.column += /^[^\p{L}\p{N}_]*[\p{L}\p{N}_]*/u.exec(this.line.slice(this.column))?.[0].length ?? 0;
    this._moved();
  }

  home(): void {
    this.column = 0;
    this._moved();
  }

  end(): void {
    this.column = this.line.length;
    this._moved();
  }

  vertical(rows: number): void {
    const wanted = this._wanted;
    this.row = Math.max(0, Math.min(this.lines.length - 1, this.row + rows));
    this.column = this._boundary(this.line, Math.min(wanted, this.line.length));
    this._cutting = false;
    this._wanted = wanted;
  }

  /** `line` counts from 1. */
  goTo(line: number): void {
    this.row = Math.max(0, Math.min(this.lines.length, line) - 1);
    this.home();
  }

  /** Next place of the text after the cursor, going round; false when there is none. */
  find(text: string): boolean {
    const wanted = text.toLowerCase();
    for (let offset = 0; offset <= this.lines.length; offset++) {
      const row = (this.row + offset) % this.lines.length;
      const from = offset === 0 ? this.column + 1 : 0;
      const at = (this.lines[row] ?? '').toLowerCase().indexOf(wanted, from);
      if (at < 0) continue;
      this.row = row;
      this.column = at;
      this._moved();
      return true;
    }
    return false;
  }

  private _touched(): void {
    this.changed = true;
    this._moved();
  }

  private _moved(): void {
    this._wanted = this.column;
    this._cutting = false;
  }

  private _before(line: string, at: number): number {
    const code = line.charCodeAt(at - 1);
    return at - (code >= 0xdc00 && code < 0xe000 && at > 1 ? 2 : 1);
  }

  private _after(line: string, at: number): number {
    return at + String.fromCodePoint(line.codePointAt(at) ?? 0x20).length;
  }

  private _boundary(line: string, at: number): number {
    const code = line.charCodeAt(at);
    return code >= 0xdc00 && code < 0xe000 ? at - 1 : at;
  }
}
