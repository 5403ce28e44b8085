/**
 * The tree as text, the way xenstore-ls prints it: one line a node, depth shown by leading blanks or by the full path,
 * optionally followed by the permissions.
 */
import type { StoreAccess } from './client.ts';
import { childPath } from './path.ts';
import { formatPermissions } from './permissions.ts';

export interface ListingOptions {
  /** Whole paths in place of indentation. */
  readonly fullPaths?: boolean;
  readonly permissions?: boolean;
  /** Columns of the terminal: values that do not fit are cut. No limit when left out; none applies to full paths. */
  readonly columns?: number;
}

const LINE_MARGIN = 2;
const CUT_MARK = '\\...';
const ESCAPES = new Map([
  [0x09, '\\t'],
  [0x0a, '\\n'],
  [0x0d, '\\r'],
  [0x5c, '\\\\'],
]);

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39;

/** A value in printable ASCII: other bytes as \t, \n, \r, \\ or in octal, with as many digits as are needed to tell it from what follows. */
export function printableValue(value: Uint8Array): string {
  let text = '';
  value.forEach((byte, i) => {
    const escape = ESCAPES.get(byte);
    if (escape !== undefined) text += escape;
    else if (byte >= 0x20 && byte <= 0x7e) text += String.fromCharCode(byte);
    else text += `\\${byte.toString(8).padStart(isDigit(value[i + 1]) ? 3 : 1, '0')}`;
  });
  return text;
}

/** Lines, each with its newline, of everything below `path`. undefined when there is no such node. */
export function formatTree(access: StoreAccess, path: string, options: ListingOptions = {}): string | undefined {
  if (!access.exists(path)) return undefined;
  const lines: string[] = [];
  const walk = (parent: string, depth: number): void => {
    for (const name of access.list(parent) ?? []) {
      const at = childPath(parent, name);
      lines.push(`${formatNode(access, at, name, depth, options)}\n`);
      walk(at, depth + 1);
    }
  };
  walk(path, 0);
  return lines.join('');
}

function formatNode(access: StoreAccess, path: string, name: string, depth: number, options: ListingOptions): string {
  const label = options.fullPaths === true ? path : ' '.repeat(depth) + name;
  const value = printableValue(access.readBytes(path) ?? new Uint8Array(0));
  let line = `${label} = "${value}"`;
  if (options.columns !== undefined && options.fullPaths !== true && line.length > options.columns - LINE_MARGIN) {
    const room = options.columns - LINE_MARGIN - label.length - ` = "${CUT_MARK}"`.length;
    line = `${label} = "${value.slice(0, Math.max(0, room))}${CUT_MARK}"`;
  }
  const permissions = options.permissions === true ? access.getPermissions(path) : undefined;
  return permissions === undefined ? line : `${line}   (${formatPermissions(permissions)})`;
}
