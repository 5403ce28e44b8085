/**
 * S-expressions, the language in which xm and xend describe domains: (vm (name VM1) (memory 64)).
 * Printing follows the layout of the 3.0 tools: a list stands on one line when it fits into 80 columns, else every element
 * after the first has a line of its own, four columns in.
 */

export type Sxp = string | readonly Sxp[];

const WIDTH = 80;
const INDENT = 4;
const BARE = /^[A-Za-z0-9.\-_:/~]+$/;
const MAX_DEPTH = 64;

export class SxpError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SxpError';
  }
}

/** An atom as it is printed: bare, or quoted as Python does; the empty string prints as nothing. */
export function formatAtom(text: string): string {
  if (text === '' || BARE.test(text)) return text;
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let out = quote;
  for (const character of text) {
    if (character === quote || character === '\\') out += `\\${character}`;
    else if (character === '\n') out += '\\n';
    else if (character === '\r') out += '\\r';
    else if (character === '\t') out += '\\t';
    else out += character;
  }
  return out + quote;
}

/** On one line. */
export function formatSxp(sxp: Sxp): string {
  return typeof sxp === 'string' ? formatAtom(sxp) : `(${sxp.map((element) => formatSxp(element)).join(' ')})`;
}

/** Laid out for people, without a line end. */
export function prettySxp(sxp: Sxp, column = 0): string {
  const line = formatSxp(sxp);
  if (typeof sxp === 'string' || column + line.length <= WIDTH || sxp.length < 2) return line;
  const [first = '', ...rest] = sxp;
  let out = `(${prettySxp(first, column + 1)}`;
  for (const element of rest) out += `\n${' '.repeat(column + INDENT)}${prettySxp(element, column + INDENT)}`;
  return `${out}\n${' '.repeat(column)})`;
}

/** Reads every form of a text; "#" begins a comment. Throws SxpError with the line of the fault. */
export function parseSxp(text: string): Sxp[] {
  let at = 0;
  let line = 1;
  const fail = (what: string): SxpError => new SxpError(`line ${line}: ${what}`);
  const skipBlanks = (): void => {
    for (; at < text.length; at++) {
      const character = text[at];
      if (character === '\n') line++;
      else if (character === '#') while (at + 1 < text.length && text[at + 1] !== '\n') at++;
      else if (character !== ' ' && character !== '\t' && character !== '\r') return;
    }
  };
  const quoted = (quote: string): string => {
    let out = '';
    for (at++; at < text.length; at++) {
      const character = text[at] ?? '';
      if (character === quote) {
        at++;
        return out;
      }
      if (character === '\n') line++;
      if (character !== '\\') {
        out += character;
        continue;
      }
      const escaped = text[++at] ?? '';
      out += escaped === 'n' ? '\n' : escaped === 'r' ? '\r' : escaped === 't' ? '\t' : escaped;
    }
    throw fail('a quoted text does not end');
  };
  const form = (depth: number): Sxp => {
    if (depth > MAX_DEPTH) throw fail('nested too deeply');
    const character = text[at] ?? '';
    if (character === ')') throw fail('unexpected )');
    if (character === "'" || character === '"') return quoted(character);
    if (character !== '(') {
      const begin = at;
      while (at < text.length && !/[\s()'"]/.test(text[at] ?? '')) at++;
      return text.slice(begin, at);
    }
    at++;
    const elements: Sxp[] = [];
    for (;;) {
      skipBlanks();
      if (at >= text.length) throw fail('a list does not end');
      if (text[at] === ')') {
        at++;
        return elements;
      }
      elements.push(form(depth + 1));
    }
  };
  const forms: Sxp[] = [];
  for (skipBlanks(); at < text.length; skipBlanks()) forms.push(form(0));
  return forms;
}

/** The lists in `sxp` that begin with `name`. */
export function childrenOf(sxp: Sxp, name: string): readonly (readonly Sxp[])[] {
  return typeof sxp === 'string'
    ? []
    : sxp.filter((element): element is readonly Sxp[] => typeof element !== 'string' && element[0] === name);
}

/** The text of (name text), undefined when there is no such list, '' for (name). */
export function textOf(sxp: Sxp, name: string): string | undefined {
  const child = childrenOf(sxp, name)[0];
  if (child === undefined) return undefined;
  const value = child[1] ?? '';
  return typeof value === 'string' ? value : formatSxp(value);
}
