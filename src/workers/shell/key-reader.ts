/** Keys of a lent terminal, one at a time. */
import type { CommandTerminal } from '../../engine/toolstack/command.ts';
import type { Key } from './keys.ts';
import { nextKey } from './keys.ts';
import { textOfKeys } from './terminal.ts';

export class KeyReader {
  private readonly _terminal: CommandTerminal;
  private readonly _queue: Key[] = [];

  constructor(terminal: CommandTerminal) {
    this._terminal = terminal;
  }

  /** Nothing typed is waiting: now is the time to draw. */
  get idle(): boolean {
    return this._queue.length === 0;
  }

  /** undefined when the terminal has closed. */
  async next(): Promise<Key | undefined> {
    while (this._queue.length === 0) {
      const bytes = await this._terminal.read();
      if (bytes === undefined) return undefined;
      for (let text = textOfKeys(bytes); text !== '';) {
        const { key, length } = nextKey(text);
        if (key !== undefined) this._queue.push(key);
        text = text.slice(length);
      }
    }
    return this._queue.shift();
  }

  /** The character, "^X", the name of a special key, or "closed". */
  async stroke(): Promise<string> {
    return strokeOf(await this.next());
  }
}

export function strokeOf(key: Key | undefined): string {
  if (key === undefined) return 'closed';
  if (key.kind === 'text') return key.text;
  return key.kind === 'special' ? key.name : `^${key.letter}`;
}
