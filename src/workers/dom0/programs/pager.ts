/** more: a file, or what is piped in, one screen at a time. Without a terminal it copies. */
import { decodeUtf8 } from '../../../engine/storage/utf8.ts';
import { FileSystemError } from '../../../engine/storage/file-system-error.ts';
import type { FileSystem } from '../../../engine/storage/file-system.ts';
import { resolvePath } from '../../../engine/storage/path.ts';
import type { Command, CommandIo, CommandTerminal } from '../../../engine/toolstack/command.ts';
import { KeyReader, strokeOf } from '../../shell/key-reader.ts';
import { columnsOf } from '../../shell/keys.ts';

const HELP = 'Space: next screen  Enter: next line  b: back  g/G: top/end  /text: search  n: again  q: leave';

export function pager(files: FileSystem, name: string): Command {
  return {
    name,
    description: 'show text one screen at a time',
    async run(words, io) {
      const names = words.filter((word) => !word.startsWith('-'));
      if (names.length === 0 && io.stdin === undefined) {
        io.error(`${name}: a file name is missing\n`);
        return 1;
      }
      let status = 0;
      const texts: string[] = [];
      for (const file of names) {
        try {
          texts.push(decodeUtf8(await files.readFile(resolvePath(io.directory, file))));
        } catch (error) {
          if (!(error instanceof FileSystemError)) throw error;
          io.error(`${name}: cannot open ${file}: ${error.sentence}\n`);
          status = 1;
        }
      }
      if (names.length === 0) texts.push(io.stdin ?? '');
      const text = texts.join('');
      if (io.terminal === undefined) io.out(text);
      else if (text !== '') await page(text, io.terminal, io);
      return status;
    },
  };
}

async function page(text: string, terminal: CommandTerminal, io: CommandIo): Promise<void> {
  const rows = wrap(text, terminal.columns);
  if (rows.length < terminal.rows) {
    io.out(text.endsWith('\n') ? text : `${text}\n`);
    return;
  }
  const keys = new KeyReader(terminal);
  let top = 0;
  let note = '';
  let pattern = '';
  const height = (): number => Math.max(1, terminal.rows - 1);
  const last = (): number => Math.max(0, rows.length - height());
  const draw = (): void => {
    top = Math.max(0, Math.min(top, last()));
    const shown = rows.slice(top, top + height());
    const percent = Math.floor((Math.min(rows.length, top + height()) / rows.length) * 100);
    const label = note === '' ? `--More--(${percent}%)` : note;
    note = '';
    terminal.write(`\x1b[H\x1b[2J${shown.join('\r\n')}\r\n\x1b[7m${label.slice(0, terminal.columns - 1)}\x1b[0m`);
  };
  const find = (from: number): void => {
    const at = rows.findIndex((row, index) => index >= from && row.toLowerCase().includes(pattern.toLowerCase()));
    if (at < 0) note = 'Pattern not found';
    else top = at;
  };
  const stop = terminal.onResize(draw);
  terminal.write('\x1b[?1049h');
  draw();
  try {
    for (;;) {
      const stroke = await keys.stroke();
      if (['q', 'Q', '^C', 'escape', 'closed'].includes(stroke)) return;
      if ([' ', '^F', 'page-down', 'f'].includes(stroke)) {
        if (top >= last()) return;
        top += height();
      } else if (['^M', '^J', 'down', 'j'].includes(stroke)) top += 1;
      else if (['b', '^B', 'page-up'].includes(stroke)) top -= height();
      else if (['up', 'k'].includes(stroke)) top -= 1;
      else if (['g', 'home'].includes(stroke)) top = 0;
      else if (['G', 'end'].includes(stroke)) top = last();
      else if (stroke === 'n' && pattern !== '') find(top + 1);
      else if (stroke === '/') {
        pattern = await ask(terminal, keys, '/');
        if (pattern !== '') find(top);
      } else note = HELP;
      draw();
    }
  } finally {
    stop();
    terminal.write('\x1b[?1049l');
  }
}

/** A line typed at the foot of the screen; '' when called off. */
async function ask(terminal: CommandTerminal, keys: KeyReader, prompt: string): Promise<string> {
  let text = '';
  for (;;) {
    if (keys.idle) terminal.write(`\r\x1b[K${prompt}${text}`);
    const key = await keys.next();
    const stroke = strokeOf(key);
    if (stroke === '^M' || stroke === '^J') return text;
    if (['^C', '^G', 'escape', 'closed'].includes(stroke)) return '';
    if (stroke === '^H') text = text.slice(0, -1);
    else if (key?.kind === 'text') text += key.text;
  }
}

/** Rows of the screen: lines broken at the margin, tabs as blanks, control characters made visible. */
export function wrap(text: string, columns: number): string[] {
  const rows: string[] = [];
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  for (const line of lines) {
    let row = '';
    let width = 0;
    for (const character of line) {
      const piece = character === '\t' ? ' '.repeat(8 - (width % 8)) : visible(character);
      const pieceWidth = [...piece].reduce((sum, part) => sum + columnsOf(part), 0);
      if (width + pieceWidth > columns) {
        rows.push(row);
        row = '';
        width = 0;
      }
      row += piece;
      width += pieceWidth;
    }
    rows.push(row);
  }
  return rows;
}

export function visible(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code === 0x0d) return '';
  if (code < 0x20) return `^${String.fromCharCode(code + 0x40)}`;
  return code === 0x7f ? '^?' : character;
}
