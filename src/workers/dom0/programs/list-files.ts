/**
 * ls: names of files, in columns on a terminal, one a line otherwise; -l with owner, size, date and the targets of links, -s with
 * the room that they take.
 */
import { FileSystemError } from '../../../engine/storage/file-system-error.ts';
import type { FileStatus, FileSystem } from '../../../engine/storage/file-system.ts';
import type { FileKind } from '../../../engine/storage/mountable.ts';
import { resolvePath } from '../../../engine/storage/path.ts';
import type { Command, CommandIo } from '../../../engine/toolstack/command.ts';
import type { OptionSpecification, ParsedOptions } from '../../../engine/toolstack/getopt.ts';
import { UsageError, parseOptions } from '../../../engine/toolstack/getopt.ts';
import { Interrupted, type Clock } from '../../../engine/toolstack/services.ts';
import { civilDate } from '../../../engine/storage/civil-date.ts';
import { columnsOf } from '../../shell/keys.ts';
import { NO_OWNERS, readOwners, type Owners } from './owners.ts';

const OPTIONS: readonly OptionSpecification[] = [
  ...['a', 'A', 'C', 'd', 'F', 'h', 'i', 'l', 'n', 'k', 'r', 'R', 's', 'S', 't', 'U', '1'].map((letter) => ({
    name: letter,
    spellings: [`-${letter}`],
  })),
  { name: 'a', spellings: ['--all'] },
  { name: 'A', spellings: ['--almost-all'] },
  { name: 'h', spellings: ['--human-readable'] },
  { name: 's', spellings: ['--size'] },
  { name: 'color', spellings: ['--color'] },
];

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
/** Older files are shown with their year in place of the time of day. */
const RECENT_MS = 182 * 24 * 3600 * 1000;
const TYPE_LETTERS: Readonly<Record<FileKind, string>> = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  'character-device': 'c',
  'block-device': 'b',
  fifo: 'p',
  socket: 's',
};

interface Item {
  readonly name: string;
  readonly path: string;
  readonly status: FileStatus;
}

export function listFiles(files: FileSystem, clock: Clock): Command {
  return {
    name: 'ls',
    description: 'list files',
    run: (words, io) => new Listing(files, clock, io).run(words),
  };
}

class Listing {
  private readonly _files: FileSystem;
  private readonly _clock: Clock;
  private readonly _io: CommandIo;
  private _options: ParsedOptions = parseOptions([], OPTIONS);
  private _status = 0;
  private _printed = false;
  private _owners: Owners = NO_OWNERS;

  constructor(files: FileSystem, clock: Clock, io: CommandIo) {
    this._files = files;
    this._clock = clock;
    this._io = io;
  }

  async run(words: readonly string[]): Promise<number> {
    try {
      this._options = parseOptions(words, OPTIONS);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      this._io.error(`ls: ${error.message}\n`);
      return 2;
    }
    const operands = this._options.operands.length > 0 ? this._options.operands : ['.'];
    this._owners = await readOwners(this._files);
    const items = await this._items(
      operands.map((name) => [name, resolvePath(this._io.directory, name)]),
      true,
    );
    const isListed = (item: Item): boolean => item.status.kind === 'directory' && !this._options.has('d');
    const single = this._sorted(items.filter((item) => !isListed(item)));
    if (single.length > 0) await this._print(single);
    const directories = this._sorted(items.filter(isListed));
    for (const directory of directories) await this._directory(directory, operands.length > 1 || this._options.has('R'));
    return this._status;
  }

  private async _directory(directory: Item, titled: boolean): Promise<void> {
    if (titled) this._io.out(`${this._printed ? '\n' : ''}${directory.name}:\n`);
    const hidden = this._options.has('a') || this._options.has('A');
    const names = (await this._files.readDirectory(directory.path))
      .map((entry) => entry.name)
      .filter((name) => hidden || !name.startsWith('.'));
    if (this._options.has('a')) names.unshift('.', '..');
    const items = await this._items(
      names.map((name) => [name, resolvePath(directory.path, name)]),
      false,
    );
    const sorted = this._sorted(items);
    if (this._options.has('l') || this._options.has('s'))
      this._io.out(`total ${this._blocks(sorted.reduce((sum, item) => sum + item.status.blocks, 0))}\n`);
    await this._print(sorted);
    this._printed = true;
    if (!this._options.has('R')) return;
    for (const item of sorted) {
      if (item.status.kind === 'directory' && item.name !== '.' && item.name !== '..')
        await this._directory({ ...item, name: `${directory.name === '/' ? '' : directory.name}/${item.name}` }, true);
    }
  }

  /** `follow`: a link named on the command line stands for its target, unless -l or -d ask for the link itself. */
  private async _item(name: string, path: string, follow: boolean): Promise<Item | undefined> {
    try {
      const asLink = !follow || this._options.has('l') || this._options.has('d');
      const itself = asLink || !(await this._files.exists(path));
      return { name, path, status: await (itself ? this._files.lstat(path) : this._files.stat(path)) };
    } catch (error) {
      if (!(error instanceof FileSystemError)) throw error;
      this._io.error(`ls: cannot access '${name}': ${error.sentence}\n`);
      this._status = 2;
      return undefined;
    }
  }

  private async _items(names: readonly (readonly [name: string, path: string])[], follow: boolean): Promise<Item[]> {
    const items: Item[] = [];
    for (const [name, path] of names) {
      if (this._io.cancellation.cancelled) throw new Interrupted();
      const item = await this._item(name, path, follow);
      if (item !== undefined) items.push(item);
    }
    return items;
  }

  private _sorted(items: readonly Item[]): Item[] {
    const byName = (a: Item, b: Item): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
    const order = this._options.has('S')
      ? (a: Item, b: Item): number => b.status.sizeBytes - a.status.sizeBytes || byName(a, b)
      : this._options.has('t')
        ? (a: Item, b: Item): number => b.status.mtimeMs - a.status.mtimeMs || byName(a, b)
        : byName;
    const sorted = this._options.has('U') ? [...items] : [...items].sort(order);
    return this._options.has('r') ? sorted.reverse() : sorted;
  }

  private async _print(items: readonly Item[]): Promise<void> {
    this._printed = true;
    if (this._options.has('l') || this._options.has('n')) await this._printLong(items);
    else {
      const room = Math.max(0, ...items.map((item) => this._room(item).length));
      const names = items.map((item) => this._number(item) + this._room(item).padStart(room) + this._shownName(item));
      const columns = this._io.terminal?.columns ?? (this._options.has('C') ? 80 : undefined);
      if (columns === undefined || this._options.has('1')) for (const name of names) this._io.out(`${name}\n`);
      else this._io.out(inColumns(names, columns));
    }
  }

  private async _printLong(items: readonly Item[]): Promise<void> {
    const owned = items.map(({ status }) => this._owner(status));
    const userWidth = Math.max(0, ...owned.map(({ user }) => user.length));
    const groupWidth = Math.max(0, ...owned.map(({ group }) => group.length));
    const room = Math.max(0, ...items.map((item) => this._room(item).length));
    const links = Math.max(1, ...items.map((item) => String(item.status.links).length));
    const sizes = items.map(({ status }) =>
      status.kind.endsWith('device') ? `${status.device.major}, ${status.device.minor}` : this._size(status.sizeBytes),
    );
    const width = Math.max(1, ...sizes.map((size) => size.length));
    for (const [index, item] of items.entries()) {
      const { status } = item;
      const target = status.kind === 'symlink' ? ` -> ${await this._files.readLink(item.path)}` : '';
      const { user = '', group = '' } = owned[index] ?? {};
      this._io.out(
        `${this._number(item)}${this._room(item).padStart(room)}${TYPE_LETTERS[status.kind]}${modeLetters(status.mode)} ` +
          `${String(status.links).padStart(links)} ${user.padEnd(userWidth)} ${group.padEnd(groupWidth)} ` +
          `${(sizes[index] ?? '').padStart(width)} ${formatDate(status.mtimeMs, this._clock.nowMs())} ${this._shownName(item)}${target}\n`,
      );
    }
  }

  private _owner({ uid, gid }: FileStatus): { user: string; group: string } {
    if (this._options.has('n')) return { user: String(uid), group: String(gid) };
    return { user: this._owners.user(uid), group: this._owners.group(gid) };
  }

  /** Kibibytes that the file takes, with -s. */
  private _room(item: Item): string {
    return this._options.has('s') ? `${this._blocks(item.status.blocks)} ` : '';
  }

  private _blocks(blocks: number): string {
    return this._options.has('h') ? this._size(blocks * 512) : String(Math.ceil(blocks / 2));
  }

  private _number(item: Item): string {
    return this._options.has('i') ? `${item.status.inode} ` : '';
  }

  private _shownName({ name, status }: Item): string {
    if (!this._options.has('F')) return name;
    if (status.kind === 'directory') return `${name}/`;
    if (status.kind === 'symlink') return this._options.has('l') ? name : `${name}@`;
    return (status.mode & 0o111) === 0 ? name : `${name}*`;
  }

  private _size(bytes: number): string {
    if (!this._options.has('h') || bytes < 1024) return String(bytes);
    let amount = bytes;
    let unit = '';
    for (const next of ['K', 'M', 'G']) {
      if (amount < 1024) break;
      amount /= 1024;
      unit = next;
    }
    return (amount < 9.95 ? (Math.ceil(amount * 10) / 10).toFixed(1) : String(Math.ceil(amount))) + unit;
  }
}

/** First letter of a long listing. */
export const typeLetter = (kind: FileKind): string => TYPE_LETTERS[kind];

/** "rwxr-xr-x", with s and t for the special bits. */
export function modeLetters(mode: number): string {
  const letters = [...'rwxrwxrwx'].map((letter, index) => ((mode & (0o400 >> index)) === 0 ? '-' : letter));
  for (const [bit, at, letter] of [
    [0o4000, 2, 's'],
    [0o2000, 5, 's'],
    [0o1000, 8, 't'],
  ] as const)
    if ((mode & bit) !== 0) letters[at] = letters[at] === 'x' ? letter : letter.toUpperCase();
  return letters.join('');
}

/** "Nov 23 02:36", or "Nov 23  2025" when it was long ago or is to come. */
export function formatDate(timeMs: number, nowMs: number): string {
  const minutes = Math.floor(timeMs / 60_000);
  const { year, month, day } = civilDate(Math.floor(minutes / 1440));
  const recent = timeMs <= nowMs && nowMs - timeMs < RECENT_MS;
  const two = (value: number): string => String(value).padStart(2, '0');
  const clock = recent ? `${two(Math.floor(minutes / 60) % 24)}:${two(minutes % 60)}` : ` ${year}`;
  return `${MONTHS[month - 1] ?? ''} ${String(day).padStart(2)} ${clock}`;
}

/** As few rows as fit, filled column by column. */
export function inColumns(names: readonly string[], columns: number): string {
  if (names.length === 0) return '';
  const widthOf = (name: string): number => [...name].reduce((sum, character) => sum + columnsOf(character), 0);
  for (let rows = 1; ; rows++) {
    const perColumn: number[] = [];
    for (let at = 0; at < names.length; at += rows) perColumn.push(Math.max(...names.slice(at, at + rows).map(widthOf)));
    const total = perColumn.reduce((sum, width) => sum + width + 2, -2);
    if (total >= columns && rows < names.length) continue;
    let out = '';
    for (let row = 0; row < rows; row++) {
      let line = '';
      perColumn.forEach((width, column) => {
        const name = names[column * rows + row] ?? '';
        line += name + ' '.repeat(Math.max(0, width + 2 - widthOf(name)));
      });
      out += `${line.trimEnd()}\n`;
    }
    return out;
  }
}
