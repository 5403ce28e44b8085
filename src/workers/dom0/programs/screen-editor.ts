/**
 * edit: a small screen editor for dom0's files. The two rows at the foot say what the keys do; text is typed as it is meant.
 */
import { FileSystemError } from '../../../engine/storage/file-system-error.ts';
import type { FileSystem } from '../../../engine/storage/file-system.ts';
import { resolvePath } from '../../../engine/storage/path.ts';
import { decodeUtf8, encodeUtf8 } from '../../../engine/storage/utf8.ts';
import type { Command, CommandTerminal } from '../../../engine/toolstack/command.ts';
import type { Key } from '../../shell/keys.ts';
import { KeyReader, strokeOf } from '../../shell/key-reader.ts';
import { columnsOf } from '../../shell/keys.ts';
import { EditBuffer } from './edit-buffer.ts';
import { visible } from './pager.ts';

const MAX_FILE_BYTES = 1024 * 1024;
const TAB_COLUMNS = 8;
const KEYS_HELP = ['^O save  ^X leave  ^K cut line  ^U paste', '^W search  ^_ go to line  ^A/^E line begin/end  ^C position'];

export function screenEditor(files: FileSystem, name: string): Command {
  return {
    name,
    description: 'edit a file on the screen',
    async run(words, io) {
      const [file, ...others] = words.filter((word) => !word.startsWith('-') && !word.startsWith('+'));
      if (io.terminal === undefined) {
        io.error(`${name}: an editor needs a terminal\n`);
        return 1;
      }
      if (others.length > 0) {
        io.error(`${name}: one file at a time\n`);
        return 1;
      }
      const path = file === undefined ? undefined : resolvePath(io.directory, file);
      const loaded = await load(files, path);
      if (typeof loaded === 'string') {
        io.error(`${name}: ${file ?? ''}: ${loaded}\n`);
        return 1;
      }
      await new Editor(files, io.terminal, io.directory, path, loaded.buffer, loaded.note).run();
      return 0;
    },
  };
}

/** The text of a file, or why it cannot be edited. */
async function load(files: FileSystem, path: string | undefined): Promise<{ buffer: EditBuffer; note: string } | string> {
  if (path === undefined || !(await files.exists(path)))
    return { buffer: new EditBuffer(''), note: path === undefined ? '' : 'New file' };
  try {
    const status = await files.stat(path);
    if (status.kind === 'directory') return 'Is a directory';
    if (status.sizeBytes > MAX_FILE_BYTES) return 'larger than 1 MiB';
    const bytes = await files.readFile(path);
    if (bytes.includes(0)) return 'holds binary data';
    const buffer = new EditBuffer(decodeUtf8(bytes));
    return { buffer, note: `Read ${buffer.lines.length} lines` };
  } catch (error) {
    if (error instanceof FileSystemError) return error.sentence;
    throw error;
  }
}

class Editor {
  private readonly _files: FileSystem;
  private readonly _terminal: CommandTerminal;
  private readonly _directory: string;
  private readonly _buffer: EditBuffer;
  private _path: string | undefined;
  private _note: string;
  private _top = 0;
  private _left = 0;
  private _sought = '';
  private _leaving = false;
  private readonly _keys: KeyReader;

  constructor(
    files: FileSystem,
    terminal: CommandTerminal,
    directory: string,
    path: string | undefined,
    buffer: EditBuffer,
    note: string,
  ) {
    this._files = files;
    this._terminal = terminal;
    this._keys = new KeyReader(terminal);
    this._directory = directory;
    this._path = path;
    this._buffer = buffer;
    this._note = note;
  }

  async run(): Promise<void> {
    const stop = this._terminal.onResize(() => this._draw());
    this._terminal.write('\x1b[?1049h');
    try {
      while (!this._leaving) {
        if (this._keys.idle) this._draw();
        await this._press(await this._keys.next());
      }
    } finally {
      stop();
      this._terminal.write('\x1b[?1049l');
    }
  }

  private async _press(key: Key | undefined): Promise<void> {
    const buffer = this._buffer;
    this._note = '';
    if (key?.kind === 'text') {
      buffer.insert(key.text);
      return;
    }
    const page = Math.max(1, this._textRows() - 1);
    switch (strokeOf(key)) {
      case '^M':
      case '^J':
        return buffer.newLine();
      case '^I':
        return buffer.insert('\t');
      case '^H':
        return buffer.backspace();
      case 'delete':
      case '^D':
        return buffer.deleteCharacter();
      case 'left':
      case '^B':
        return buffer.left();
      case 'right':
      case '^F':
        return buffer.right();
      case 'up':
      case '^P':
        return buffer.vertical(-1);
      case 'down':
      case '^N':
        return buffer.vertical(1);
      case 'page-up':
      case '^Y':
        return buffer.vertical(-page);
      case 'page-down':
      case '^V':
        return buffer.vertical(page);
      case 'word-left':
        return buffer.wordLeft();
      case 'word-right':
        return buffer.wordRight();
      case 'home':
      case '^A':
        return buffer.home();
      case 'end':
      case '^E':
        return buffer.end();
      case '^K':
        return buffer.cutLine();
      case '^U':
        return buffer.paste();
      case '^O':
      case '^S':
        await this._save();
        return;
      case '^X':
        return this._leave();
      case '^W':
        return this._search();
      case '^_':
        return this._goTo();
      case '^C':
        this._note = `line ${buffer.row + 1} of ${buffer.lines.length}, column ${buffer.column + 1}`;
        return;
      case 'closed':
        this._leaving = true;
    }
  }

  private async _save(): Promise<boolean> {
    const name = await this._ask('File to write: ', this._path ?? '');
    if (name === undefined || name.trim() === '') {
      this._note = 'Not saved';
      return false;
    }
    const path = resolvePath(this._directory, name.trim());
    try {
      await this._files.writeFile(path, encodeUtf8(this._buffer.text));
    } catch (error) {
      if (!(error instanceof FileSystemError)) throw error;
      this._note = `Cannot write ${path}: ${error.sentence}`;
      return false;
    }
    this._path = path;
    this._buffer.changed = false;
    this._note = `Wrote ${this._buffer.text === '' ? 0 : this._buffer.lines.length} lines`;
    return true;
  }

  private async _leave(): Promise<void> {
    if (!this._buffer.changed) {
      this._leaving = true;
      return;
    }
    this._draw('Save the changes? (y: yes, n: no, ^C: stay)');
    for (;;) {
      const stroke = (await this._keys.stroke()).toLowerCase();
      if (stroke === 'y') {
        this._leaving = await this._save();
        return;
      }
      if (stroke === 'n' || stroke === 'closed') {
        this._leaving = true;
        return;
      }
      if (stroke === '^c' || stroke === 'escape') return;
    }
  }

  private async _search(): Promise<void> {
    const text = await this._ask('Search: ', this._sought);
    if (text === undefined || text === '') return;
    this._sought = text;
    if (!this._buffer.find(text)) this._note = `"${text}" not found`;
  }

  private async _goTo(): Promise<void> {
    const text = await this._ask('Line: ', '');
    if (text !== undefined && /^\d{1,9}$/.test(text)) this._buffer.goTo(Number(text));
  }

  /** A line typed at the foot; undefined when called off. */
  private async _ask(prompt: string, preset: string): Promise<string | undefined> {
    let text = preset;
    for (;;) {
      if (this._keys.idle) this._draw(prompt + text);
      const key = await this._keys.next();
      if (key?.kind === 'text') text += key.text;
      const stroke = strokeOf(key);
      if (stroke === '^M' || stroke === '^J') return text;
      if (['^C', '^G', 'escape', 'closed'].includes(stroke)) {
        this._leaving ||= stroke === 'closed';
        return undefined;
      }
      if (stroke === '^H') text = text.slice(0, -1);
      if (stroke === '^U') text = '';
    }
  }

  private _textRows(): number {
    return Math.max(1, this._terminal.rows - 2 - KEYS_HELP.length);
  }

  /** `question`: shown in place of the note, with the cursor behind it. */
  private _draw(question?: string): void {
    const { columns } = this._terminal;
    const height = this._textRows();
    const buffer = this._buffer;
    if (buffer.row < this._top) this._top = buffer.row;
    if (buffer.row >= this._top + height) this._top = buffer.row - height + 1;
    const at = screenColumn(buffer.line, buffer.column);
    if (at < this._left) this._left = at;
    if (at >= this._left + columns) this._left = at - columns + 1;
    const title = `  edit  ${this._path ?? 'New file'}${buffer.changed ? '  (changed)' : ''}`;
    const rows = [`\x1b[7m${fit(title, columns)}\x1b[0m`];
    for (let row = this._top; row < this._top + height; row++) rows.push(slice(buffer.lines[row] ?? '', this._left, columns));
    rows.push(question === undefined ? fit(this._note, columns).trimEnd() : `\x1b[7m${question.slice(0, columns - 1)}\x1b[0m`);
    rows.push(...KEYS_HELP.map((help) => fit(help, columns).trimEnd()));
    const screen = rows.slice(0, this._terminal.rows).map((row, index) => `\x1b[${index + 1};1H${row}\x1b[K`);
    const cursor =
      question === undefined
        ? [buffer.row - this._top + 2, at - this._left + 1]
        : [height + 2, Math.min(columns, question.length + 1)];
    this._terminal.write(`\x1b[?25l${screen.join('')}\x1b[${cursor[0] ?? 1};${cursor[1] ?? 1}H\x1b[?25h`);
  }
}

function fit(text: string, columns: number): string {
  return text.slice(0, columns).padEnd(columns);
}

/** Column of the screen at which the character of that index stands. */
export function screenColumn(line: string, index: number): number {
  return [...expand(line.slice(0, index))].reduce((sum, character) => sum + columnsOf(character), 0);
}

function slice(line: string, from: number, columns: number): string {
  let out = '';
  let column = 0;
  for (const character of expand(line)) {
    const width = columnsOf(character);
    if (column >= from && column + width <= from + columns) out += character;
    column += width;
  }
  return out;
}

/** Tabs as blanks, control characters made visible. */
function expand(line: string): string {
  let out = '';
  let column = 0;
  for (const character of line) {
    const piece = character === '\t' ? ' '.repeat(TAB_COLUMNS - (column % TAB_COLUMNS)) : visible(character);
    out += piece;
    column += [...piece].reduce((sum, part) => sum + columnsOf(part), 0);
  }
  return out;
}
