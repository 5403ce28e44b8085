/** Keystrokes of a VT-style terminal, parted into keys: characters, control characters, and the escape sequences of special keys. */

export type KeyName =
  | 'up'
  | 'down'
  | 'left'
  | 'right'
  | 'word-left'
  | 'word-right'
  | 'home'
  | 'end'
  | 'insert'
  | 'delete'
  | 'page-up'
  | 'page-down'
  | 'escape'
  | 'delete-word'
  | 'delete-word-right';

export type Key =
  | { readonly kind: 'text'; readonly text: string }
  /** A control character by its letter: 'C' for ^C, 'M' for Enter, 'I' for Tab, 'H' for backspace. */
  | { readonly kind: 'control'; readonly letter: string }
  | { readonly kind: 'special'; readonly name: KeyName };

const SEQUENCES: readonly (readonly [sequence: string, name: KeyName])[] = [
  ['[A', 'up'],
  ['[B', 'down'],
  ['[C', 'right'],
  ['[D', 'left'],
  ['OA', 'up'],
  ['OB', 'down'],
  ['OC', 'right'],
  ['OD', 'left'],
  ['[H', 'home'],
  ['[F', 'end'],
  ['OH', 'home'],
  ['OF', 'end'],
  ['[1~', 'home'],
  ['[7~', 'home'],
  ['[4~', 'end'],
  ['[8~', 'end'],
  ['[2~', 'insert'],
  ['[3~', 'delete'],
  ['[5~', 'page-up'],
  ['[6~', 'page-down'],
  ['[1;5C', 'word-right'],
  ['[1;5D', 'word-left'],
  ['[1;3C', 'word-right'],
  ['[1;3D', 'word-left'],
  ['b', 'word-left'],
  ['f', 'word-right'],
  ['d', 'delete-word-right'],
  ['\x7f', 'delete-word'],
];

/** Any other sequence that a terminal may send; dropped as a whole. */
const UNKNOWN_SEQUENCE = /^(\[[0-9;?<]*[ -/]*[@-~]|O[ -~])/;

/** One key and how many characters of the text it took. */
export function nextKey(text: string): { readonly key: Key | undefined; readonly length: number } {
  const first = text.codePointAt(0) ?? 0;
  if (first === 0x1b) {
    const rest = text.slice(1);
    const known = SEQUENCES.find(([sequence]) => rest.startsWith(sequence));
    if (known !== undefined) return { key: { kind: 'special', name: known[1] }, length: known[0].length + 1 };
    const unknown = UNKNOWN_SEQUENCE.exec(rest);
    if (unknown !== null) return { key: undefined, length: unknown[0].length + 1 };
    return { key: { kind: 'special', name: 'escape' }, length: 1 };
  }
  if (first === 0x7f) return { key: { kind: 'control', letter: 'H' }, length: 1 };
  if (first < 0x20) return { key: { kind: 'control', letter: String.fromCharCode(first + 0x40) }, length: 1 };
  const character = String.fromCodePoint(first);
  return { key: { kind: 'text', text: character }, length: character.length };
}

/** Columns a character takes on the screen: 0 for combining marks, 2 for wide ones. */
export function columnsOf(character: string): number {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return 0;
  if ((code >= 0x300 && code < 0x370) || (code >= 0x200b && code <= 0x200f) || (code >= 0xfe00 && code <= 0xfe0f)) return 0;
  const wide =
    (code >= 0x1100 && code <= 0x115f) ||
    (code >= 0x2e80 && code <= 0xa4cf) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0x1f300 && code <= 0x1faff) ||
    (code >= 0x20000 && code <= 0x3fffd);
  return wide ? 2 : 1;
}
