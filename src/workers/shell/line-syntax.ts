/**
 * As much of the shell's grammar as the terminal needs before the shell language itself takes over: whether a line is
 * finished, and whether it is a plain list of commands, some of which want the terminal for themselves.
 */

export interface Word {
  readonly kind: 'word';
  /** As written, quotes included. */
  readonly text: string;
  /** Nothing in it that the shell would expand or unquote. */
  readonly plain: boolean;
  readonly begin: number;
}

export interface Operator {
  readonly kind: 'operator';
  /** ; && || | & newline ( ) < > and the longer redirections. */
  readonly text: string;
  readonly begin: number;
}

export type Token = Word | Operator;

export interface Scan {
  readonly tokens: readonly Token[];
  /** What is still open at the end: a quote, a substitution, a here-document, a backslash. */
  readonly open: boolean;
}

const OPERATORS = [
  '&&',
  '||',
  ';;',
  '<<<',
  '<<-',
  '<<',
  '<&',
  '>&',
  '&>>',
  '&>',
  '>>',
  '>|',
  '<>',
  ';',
  '|',
  '&',
  '(',
  ')',
  '<',
  '>',
  '\n',
];
const PLAIN = /^[\w@%+=:,.\-/^]+$/;

export function scan(line: string): Scan {
  const tokens: Token[] = [];
  let at = 0;
  let open = false;
  const hereDocuments: string[] = [];
  while (at < line.length) {
    const rest = line.slice(at);
    const character = line[at] ?? '';
    if (character === ' ' || character === '\t') {
      at++;
      continue;
    }
    if (character === '#') {
      const end = line.indexOf('\n', at);
      at = end < 0 ? line.length : end;
      continue;
    }
    if (rest.startsWith('\\\n')) {
      at += 2;
      if (at >= line.length) open = true;
      continue;
    }
    const operator = OPERATORS.filter((candidate) => rest.startsWith(candidate)).sort((a, b) => b.length - a.length)[0];
    if (operator !== undefined) {
      tokens.push({ kind: 'operator', text: operator, begin: at });
      at += operator.length;
      if (operator === '\n' && hereDocuments.length > 0) {
        for (const delimiter of hereDocuments.splice(0)) {
          const end = endOfHereDocument(line, at, delimiter);
          if (end === undefined) open = true;
          at = end ?? line.length;
        }
      }
      continue;
    }
    const word = scanWord(line, at);
    const before = tokens.at(-1);
    if (before?.kind === 'operator' && (before.text === '<<' || before.text === '<<-'))
      hereDocuments.push(line.slice(at, word.end).replaceAll(/['"\\]/g, ''));
    const text = line.slice(at, word.end);
    tokens.push({ kind: 'word', text, plain: PLAIN.test(text), begin: at });
    open ||= word.open;
    at = word.end;
  }
  return { tokens, open: open || hereDocuments.length > 0 };
}

function endOfHereDocument(line: string, from: number, delimiter: string): number | undefined {
  for (let at = from; at < line.length;) {
    const end = line.indexOf('\n', at);
    const row = line.slice(at, end < 0 ? line.length : end);
    if (row.replace(/^\t+/, '') === delimiter) return end < 0 ? line.length : end;
    if (end < 0) return undefined;
    at = end + 1;
  }
  return undefined;
}

/** A word ends at a blank or an operator outside all quotes and substitutions. */
function scanWord(line: string, begin: number): { end: number; open: boolean } {
  let at = begin;
  while (at < line.length) {
    const character = line[at] ?? '';
    if (/[\s;|&()<>]/.test(character)) return { end: at, open: false };
    const end = skipQuoted(line, at);
    if (end === undefined) return { end: line.length, open: true };
    at = end;
  }
  return { end: at, open: false };
}

/** Index after the element at `at`: one character, or a whole quote or substitution; undefined when that does not end. */
function skipQuoted(line: string, at: number): number | undefined {
  const character = line[at];
  if (character === '\\') return at + 1 < line.length && line[at + 1] !== '\n' ? at + 2 : at + 2 < line.length ? at + 2 : undefined;
  if (character === "'") {
    const end = line.indexOf("'", at + 1);
    return end < 0 ? undefined : end + 1;
  }
  if (character === '"' || character === '`') {
    for (let inside = at + 1; inside < line.length;) {
      if (line[inside] === character) return inside + 1;
      const next = line[inside] === "'" ? inside + 1 : skipQuoted(line, inside);
      if (next === undefined) return undefined;
      inside = next;
    }
    return undefined;
  }
  if (character === '$' && (line[at + 1] === '(' || line[at + 1] === '{')) {
    const [opening, closing] = line[at + 1] === '(' ? ['(', ')'] : ['{', '}'];
    let depth = 0;
    for (let inside = at + 1; inside < line.length;) {
      if (line[inside] === opening) depth++;
      if (line[inside] === closing && --depth === 0) return inside + 1;
      const next = skipQuoted(line, inside);
      if (next === undefined) return undefined;
      inside = next;
    }
    return undefined;
  }
  return at + 1;
}

const OPENING: Readonly<Record<string, string>> = {
  if: 'fi',
  for: 'done',
  while: 'done',
  until: 'done',
  select: 'done',
  case: 'esac',
  '{': '}',
};
const CLOSING = new Set(['fi', 'done', 'esac', '}']);
/** After these a command begins as after an operator. */
const LEADING = new Set([
  'then',
  'do',
  'else',
  'elif',
  '!',
  'time',
  ...Object.keys(OPENING).filter((word) => word !== 'for' && word !== 'case' && word !== 'select'),
]);
const CONTINUING = new Set(['|', '&&', '||']);

/** Whether the shell would ask for another line. */
export function needsMore(line: string): boolean {
  const { tokens, open } = scan(line);
  if (open) return true;
  const waiting: string[] = [];
  let commandPosition = true;
  let brackets = 0;
  for (const token of tokens) {
    if (token.kind === 'operator') {
      if (token.text === '(') brackets++;
      if (token.text === ')' && waiting.at(-1) !== 'esac') brackets--;
      commandPosition = !['<', '>', '>>', '<<', '<<<', '<<-', '>&', '<&', '&>', '&>>', '>|', '<>'].includes(token.text);
      continue;
    }
    const closing = OPENING[token.text];
    if (commandPosition && closing !== undefined) waiting.push(closing);
    else if (commandPosition && CLOSING.has(token.text) && waiting.at(-1) === token.text) waiting.pop();
    commandPosition = commandPosition && LEADING.has(token.text);
  }
  const last = tokens.at(-1);
  return waiting.length > 0 || brackets > 0 || (last?.kind === 'operator' && CONTINUING.has(last.text));
}

/** One command of a list, as written. */
export interface Pipeline {
  /** How it hangs on the one before: run it always, on success, on failure. */
  readonly when: ';' | '&&' | '||';
  readonly text: string;
  readonly tokens: readonly Token[];
}

/** undefined when the line is more than a list of pipelines: a loop, a subshell, a background job, a function. */
export function splitList(line: string): Pipeline[] | undefined {
  const { tokens, open } = scan(line);
  if (open) return undefined;
  const pipelines: Pipeline[] = [];
  let current: Token[] = [];
  let when: Pipeline['when'] = ';';
  const close = (end: number): boolean => {
    const first = current[0];
    if (first === undefined) return false;
    pipelines.push({ when, text: line.slice(first.begin, end).trim(), tokens: current });
    current = [];
    return true;
  };
  for (const token of tokens) {
    if (token.kind === 'operator') {
      if (['&', '(', ')', ';;', '<<', '<<-'].includes(token.text)) return undefined;
      if (token.text === ';' || token.text === '&&' || token.text === '||' || token.text === '\n') {
        if (!close(token.begin) && token.text !== '\n') return undefined;
        when = token.text === '\n' ? ';' : token.text;
        continue;
      }
    } else if (
      current.length === 0 &&
      (token.text in OPENING || CLOSING.has(token.text) || ['!', 'function', 'time', '[['].includes(token.text))
    ) {
      return undefined;
    }
    current.push(token);
  }
  close(line.length);
  return pipelines;
}

/** The words of a pipeline that is one command without redirections; undefined otherwise. */
export function simpleWords(tokens: readonly Token[]): readonly Word[] | undefined {
  return tokens.every((token): token is Word => token.kind === 'word') ? tokens : undefined;
}

/** Parts `left | last` where the last command has no redirection; undefined without a pipe. */
export function lastStage(pipeline: Pipeline): { readonly left: string; readonly last: readonly Word[] } | undefined {
  const at = pipeline.tokens.findLastIndex((token) => token.kind === 'operator' && token.text === '|');
  const pipe = pipeline.tokens[at];
  const first = pipeline.tokens[0];
  if (pipe === undefined || first === undefined) return undefined;
  const last = simpleWords(pipeline.tokens.slice(at + 1));
  if (last === undefined || last.length === 0) return undefined;
  return { left: pipeline.text.slice(0, pipe.begin - first.begin).trim(), last };
}
