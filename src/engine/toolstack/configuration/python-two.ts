/**
 * Rewrites the Python 2 forms that old configuration files use into Python 3: the print and exec statements, `raise E, "x"`,
 * `except E, e:`, 0644, 10L, <>, backquotes, ur"". Everything else, line ends included, stays where it was, so line numbers
 * in messages are those of the file. Text that is already Python 3 is not changed.
 */

type TokenKind = 'space' | 'comment' | 'string' | 'number' | 'name' | 'operator' | 'newline';

interface Token {
  kind: TokenKind;
  text: string;
}

const STRING_START = /^([rRuUbBfF]{0,2})("""|'''|"|')/;
const NUMBER = /^(0[xX][0-9a-fA-F]+[lL]?|0[bBoO][0-9]+[lL]?|(\d+\.\d*|\.\d+|\d+)([eE][+-]?\d+)?[jJlL]?)/;
const NAME = /^[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*/;
const OPERATOR = /^(<>|>>=|<<=|\*\*=|\/\/=|[-+*/%&|^!=<>]=|->|>>|<<|\*\*|\/\/|.)/s;

/** Line n of the result stands for line n of the source. */
export function modernisePython(source: string): string {
  const tokens = tokenise(source.replaceAll('\r\n', '\n'));
  const statements = splitStatements(tokens);
  return statements.map((statement) => rewrite(statement)).join('');
}

function tokenise(source: string): Token[] {
  const tokens: Token[] = [];
  let rest = source;
  let depth = 0;
  const take = (kind: TokenKind, length: number): void => {
    tokens.push({ kind, text: rest.slice(0, length) });
    rest = rest.slice(length);
  };
  while (rest !== '') {
    const first = rest[0] ?? '';
    const string = STRING_START.exec(rest);
    if (string !== null) {
      take('string', stringLength(rest, string[0].length, string[2] ?? '"'));
    } else if (first === '#') take('comment', lineLength(rest));
    else if (rest.startsWith('\\\n')) take('space', 2);
    else if (first === '\n') take(depth > 0 ? 'space' : 'newline', 1);
    else if (/\s/.test(first)) take('space', /^[^\S\n]+/.exec(rest)?.[0].length ?? 1);
    else {
      const number = NUMBER.exec(rest);
      const name = NAME.exec(rest);
      if (number !== null) take('number', number[0].length);
      else if (name !== null) take('name', name[0].length);
      else {
        if ('([{'.includes(first)) depth++;
        if (')]}'.includes(first)) depth = Math.max(0, depth - 1);
        take('operator', OPERATOR.exec(rest)?.[0].length ?? 1);
      }
    }
  }
  return tokens;
}

function lineLength(text: string): number {
  const end = text.indexOf('\n');
  return end < 0 ? text.length : end;
}

/** Length of a string literal whose opening is `opening` characters long; an unfinished one ends with its line or the text. */
function stringLength(text: string, opening: number, quote: string): number {
  for (let at = opening; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text.startsWith(quote, at)) return at + quote.length;
    else if (text[at] === '\n' && quote.length === 1) return at;
  }
  return text.length;
}

/** Statements end with a line, ';', or the ':' of a compound statement's head; the ending token is a statement of its own. */
function splitStatements(tokens: readonly Token[]): Token[][] {
  const statements: Token[][] = [];
  let current: Token[] = [];
  let depth = 0;
  for (const token of tokens) {
    if (token.kind === 'operator' && '([{'.includes(token.text)) depth++;
    if (token.kind === 'operator' && ')]}'.includes(token.text)) depth--;
    const ends =
      token.kind === 'newline' || (depth === 0 && token.kind === 'operator' && (token.text === ';' || token.text === ':'));
    if (!ends) {
      current.push(token);
      continue;
    }
    statements.push(current, [token]);
    current = [];
  }
  statements.push(current);
  return statements;
}

function rewrite(statement: Token[]): string {
  const tokens = statement.map((token) => rewriteToken(token));
  replaceBackquotes(tokens);
  const begin = tokens.findIndex((token) => token.kind !== 'space' && token.kind !== 'comment');
  const head = tokens[begin];
  if (head?.kind !== 'name') return textOf(tokens);
  let end = tokens.length;
  while (end > begin + 1 && ['space', 'comment'].includes(tokens[end - 1]?.kind ?? '')) end--;
  const before = textOf(tokens.slice(0, begin));
  const after = textOf(tokens.slice(end));
  const body = tokens.slice(begin + 1, end);
  const written = rewriteStatement(head.text, body);
  const lost = lineEnds(textOf(body)) - lineEnds(written);
  return before + written + '\\\n'.repeat(Math.max(0, lost)) + after;
}

function lineEnds(text: string): number {
  return text.split('\n').length - 1;
}

function rewriteToken({ kind, text }: Token): Token {
  if (kind === 'number') {
    const short = text.replace(/[lL]$/, '');
    return { kind, text: /^0[0-7]+$/.test(short) && !/^0+$/.test(short) ? `0o${short.slice(1)}` : short };
  }
  if (kind === 'operator' && text === '<>') return { kind, text: '!=' };
  if (kind === 'string') return { kind, text: text.replace(/^[uU]([rR])/, '$1').replace(/^[uU](?=["'])/, '') };
  return { kind, text };
}

function replaceBackquotes(tokens: Token[]): void {
  const marks = tokens.filter((token) => token.kind === 'operator' && token.text === '`');
  if (marks.length % 2 !== 0) return;
  marks.forEach((token, index) => {
    token.text = index % 2 === 0 ? 'repr(' : ')';
  });
}

function textOf(tokens: readonly Token[]): string {
  return tokens.map((token) => token.text).join('');
}

function rewriteStatement(head: string, body: Token[]): string {
  const rest = textOf(body);
  const meaningful = body.filter((token) => token.kind !== 'space');
  const first = meaningful[0];
  switch (head) {
    case 'print':
      return rewritePrint(rest, body, meaningful);
    case 'exec': {
      if (first === undefined || (first.kind === 'operator' && first.text !== '(')) break;
      const parts = splitAt(body, (token) => token.kind === 'name' && token.text === 'in');
      if (parts.length === 2) return `exec(${textOf(parts[0] ?? []).trim()}, ${textOf(parts[1] ?? []).trim()})`;
      if (first.text === '(' && isOneGroup(meaningful)) break;
      return `exec(${rest.trim()})`;
    }
    case 'raise': {
      const parts = splitAt(body, (token) => token.text === ',' && token.kind === 'operator');
      if (parts.length < 2) break;
      return `raise ${textOf(parts[0] ?? []).trim()}(${textOf(parts[1] ?? []).trim()})`;
    }
    case 'except': {
      const parts = splitAt(body, (token) => token.text === ',' && token.kind === 'operator');
      if (parts.length !== 2) break;
      return `except ${textOf(parts[0] ?? []).trim()} as ${textOf(parts[1] ?? []).trim()}`;
    }
  }
  return head + rest;
}

function rewritePrint(rest: string, body: Token[], meaningful: readonly Token[]): string {
  const [first, second] = meaningful;
  if (first === undefined) return 'print()';
  if (first.kind === 'operator' && first.text === '>>') {
    const parts = splitAt(body.slice(body.indexOf(first) + 1), (token) => token.kind === 'operator' && token.text === ',');
    const [file = [], ...values] = parts.map((part) => textOf(part).trim());
    return `print(${[...values, `file=${String(file)}`].filter((value) => value !== '').join(', ')})`;
  }
  // A call, or a name that is used as a variable or attribute: leave it.
  if (first.kind === 'operator' && !['(', '[', '{', '-', '+', '~', '`', 'repr('].includes(first.text)) return `print${rest}`;
  if (first.text === '(' && (isOneGroup(meaningful) || second?.text === ')')) return `print${rest}`;
  if (meaningful.at(-1)?.text === ',') return `print(${rest.trim()} end=' ')`;
  return `print(${rest.trim()})`;
}

/** Whether the first bracket closes with the last token: `(a, b)` but not `(a), (b)`. */
function isOneGroup(tokens: readonly Token[]): boolean {
  let depth = 0;
  for (const [index, token] of tokens.entries()) {
    if (token.kind !== 'operator') continue;
    if ('([{'.includes(token.text)) depth++;
    else if (')]}'.includes(token.text) && --depth === 0) return index === tokens.length - 1;
  }
  return false;
}

/** Parts between the separators that stand outside all brackets. */
function splitAt(tokens: readonly Token[], isSeparator: (token: Token) => boolean): Token[][] {
  const parts: Token[][] = [[]];
  let depth = 0;
  for (const token of tokens) {
    if (token.kind === 'operator' && ['(', '[', '{', 'repr('].includes(token.text)) depth++;
    if (token.kind === 'operator' && [')', ']', '}'].includes(token.text)) depth--;
    if (depth === 0 && isSeparator(token)) parts.push([]);
    else parts.at(-1)?.push(token);
  }
  return parts;
}
