/**
 * Writes and reads cpio archives in the "newc" form, the one the Linux kernel unpacks as its initial root file system.
 * Mechanism: a header of 110 ASCII characters (magic 070701 and thirteen 8-digit hexadecimal fields), the name with its NUL,
 * the content; name and content each padded to 4 bytes. The entry TRAILER!!! ends the archive.
 * @see Documentation/driver-api/early-userspace/buffer-format.rst
 * Owner, times and inode numbers are fixed, so that the same tree always gives the same bytes.
 */

export type CpioEntry =
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly content: Uint8Array }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string }
  | {
      readonly kind: 'character-device';
      readonly path: string;
      readonly mode: number;
      readonly major: number;
      readonly minor: number;
    };

const TYPE_BITS = { directory: 0o040000, file: 0o100000, symlink: 0o120000, 'character-device': 0o020000 } as const;

const TRAILER = 'TRAILER!!!';
const HEADER_BYTES = 110;
/** Fields of the header that are read, by their number. */
const MODE = 1;
const CONTENT_BYTES = 6;
const DEVICE_MAJOR = 9;
const DEVICE_MINOR = 10;
const NAME_BYTES = 11;

/** The archive of the entries in the order given: a directory must come before what is in it. Paths are relative, without "./". */
export function writeCpio(entries: readonly CpioEntry[]): Uint8Array {
  const chunks: Uint8Array[] = [];
  const known = new Set<string>();
  let inode = 0;
  for (const entry of entries) {
    checkPath(entry.path, known);
    known.add(entry.kind === 'directory' ? entry.path : `${entry.path}\0`);
    inode += 1;
    const content = contentOf(entry);
    const permissions = entry.kind === 'symlink' ? 0o777 : entry.mode;
    const device = entry.kind === 'character-device' ? entry : { major: 0, minor: 0 };
    chunks.push(
      header(entry.path, {
        inode,
        mode: TYPE_BITS[entry.kind] | permissions,
        links: entry.kind === 'directory' ? 2 : 1,
        bytes: content.length,
        major: device.major,
        minor: device.minor,
      }),
    );
    chunks.push(padded(content));
  }
  chunks.push(header(TRAILER, { inode: 0, mode: 0, links: 1, bytes: 0, major: 0, minor: 0 }));
  return Buffer.concat(chunks);
}

/** What is in an archive, in its order. Throws when it is no archive of this form, is cut off, or holds what has no kind here. */
export function readCpio(archive: Uint8Array): CpioEntry[] {
  const entries: CpioEntry[] = [];
  const bytes = Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength);
  let at = 0;
  for (;;) {
    const text = bytes.toString('latin1', at, at + HEADER_BYTES);
    if (!/^070701[0-9a-fA-F]{104}$/.test(text)) throw new Error(`cpio: no header at byte ${at}`);
    const field = (index: number): number => parseInt(text.slice(6 + index * 8, 14 + index * 8), 16);
    const nameEnd = at + HEADER_BYTES + field(NAME_BYTES);
    const path = bytes.toString('utf8', at + HEADER_BYTES, nameEnd - 1);
    const start = nameEnd + (-nameEnd & 3);
    const end = start + field(CONTENT_BYTES);
    if (end > bytes.length) throw new Error(`cpio: ${path} is cut off`);
    if (path === TRAILER) return entries;
    entries.push(entryOf(path, field(MODE), bytes.subarray(start, end), field(DEVICE_MAJOR), field(DEVICE_MINOR)));
    at = end + (-end & 3);
  }
}

function entryOf(path: string, fullMode: number, content: Buffer, major: number, minor: number): CpioEntry {
  const mode = fullMode & 0o7777;
  switch (fullMode & 0o170000) {
    case TYPE_BITS.directory:
      return { kind: 'directory', path, mode };
    case TYPE_BITS.file:
      return { kind: 'file', path, mode, content };
    case TYPE_BITS.symlink:
      return { kind: 'symlink', path, target: content.toString('utf8') };
    case TYPE_BITS['character-device']:
      return { kind: 'character-device', path, mode, major, minor };
    default:
      throw new Error(`cpio: ${path} is of type ${(fullMode >> 12).toString(8)}`);
  }
}

function contentOf(entry: CpioEntry): Uint8Array {
  switch (entry.kind) {
    case 'file':
      return entry.content;
    case 'symlink':
      return Buffer.from(entry.target, 'utf8');
    case 'directory':
    case 'character-device':
      return new Uint8Array(0);
  }
}

/** The kernel ignores an entry whose parent is missing, silently; so it is an error here. */
function checkPath(path: string, known: ReadonlySet<string>): void {
  const parts = path.split('/');
  if (path === '' || parts.includes('') || parts.includes('.') || parts.includes('..')) {
    throw new Error(`cpio: "${path}" is not a plain relative path`);
  }
  if (known.has(path) || known.has(`${path}\0`)) throw new Error(`cpio: ${path} is given twice`);
  const parent = parts.slice(0, -1).join('/');
  if (parent !== '' && !known.has(parent)) throw new Error(`cpio: the directory ${parent} must come before ${path}`);
}

interface HeaderFields {
  readonly inode: number;
  readonly mode: number;
  readonly links: number;
  readonly bytes: number;
  readonly major: number;
  readonly minor: number;
}

function header(path: string, fields: HeaderFields): Uint8Array {
  const name = Buffer.from(`${path}\0`, 'utf8');
  const numbers = [
    fields.inode,
    fields.mode,
    0, // user
    0, // group
    fields.links,
    0, // modification time
    fields.bytes,
    0, // major and minor of the file system it came from
    0,
    fields.major,
    fields.minor,
    name.length,
    0, // checksum, used by another form only
  ];
  const text = `070701${numbers.map((number) => number.toString(16).padStart(8, '0')).join('')}`;
  return padded(Buffer.concat([Buffer.from(text, 'latin1'), name]));
}

function padded(bytes: Uint8Array): Uint8Array {
  const rest = bytes.length % 4;
  return rest === 0 ? bytes : Buffer.concat([bytes, new Uint8Array(4 - rest)]);
}
