/** Lines typed before; kept in a file of dom0. */
const MAX_LINES = 1000;

export class History {
  private readonly _lines: string[];
  private readonly _save: (lines: readonly string[]) => void;

  constructor(lines: readonly string[], save: (lines: readonly string[]) => void) {
    this._lines = lines.slice(-MAX_LINES);
    this._save = save;
  }

  get lines(): readonly string[] {
    return this._lines;
  }

  /** Blank lines, those that begin with a blank, and repetitions of the last are not kept. */
  add(line: string): void {
    if (line.trim() === '' || line.startsWith(' ') || line === this._lines.at(-1)) return;
    this._lines.push(line);
    if (this._lines.length > MAX_LINES) this._lines.shift();
    this._save(this._lines);
  }

  /** Index of the last line at or before `from` that holds the text. */
  searchBack(text: string, from: number): number | undefined {
    for (let index = Math.min(from, this._lines.length - 1); index >= 0; index--)
      if (this._lines[index]?.includes(text) === true) return index;
    return undefined;
  }

  /** "!!", "!-2", "!12", "!xm" as a whole line; undefined when there is no such line, the text itself when it is none of these. */
  expand(line: string): string | undefined {
    if (!/^![^\s=(]/.test(line)) return line;
    const [event = '', ...rest] = line.slice(1).split(/(?=\s)/);
    const number = Number(event);
    let found: string | undefined;
    if (event === '!') found = this._lines.at(-1);
    else if (/^-\d+$/.test(event)) found = this._lines.at(number);
    else if (/^\d+$/.test(event)) found = this._lines[number - 1];
    else found = this._lines.findLast((candidate) => candidate.startsWith(event));
    return found === undefined ? undefined : found + rest.join('');
  }
}
