/**
 * One header block of a tar archive: ustar, with GNU's numbers in base 256 where octal digits do not reach.
 *
 * | offset | bytes | field | | offset | bytes | field |
 * |---|---|---|---|---|---|---|
 * | 0 | 100 | name | | 157 | 100 | target of a link |
 * | 100 | 8 | mode | | 257 | 8 | magic "ustar", NUL, "00" (GNU: "ustar  ") |
 * | 108, 116 | 8 | uid, gid | | 265, 297 | 32 | names of user and group |
 * | 124 | 12 | size | | 329, 337 | 8 | major, minor |
 * | 136 | 12 | mtime, seconds | | 345 | 155 | prefix of the name |
 * | 148 | 8 | sum of all bytes, itself as blanks | | | | |
 * | 156 | 1 | type | | | | |
 * @see POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format"
 */
import { decodeName, encodeName } from '../ext/names.ts';

export const BLOCK_BYTES = 512;
const NAME_BYTES = 100;
const PREFIX_BYTES = 155;
const CHECKSUM = { at: 148, bytes: 8 };

export type TarKind = 'file' | 'hard-link' | 'symlink' | 'character-device' | 'block-device' | 'directory' | 'fifo';

/** Of an entry; the content of a file follows it. */
export interface TarEntry {
  /** As it stands in the archive; a directory's without the slash at its end. */
  readonly path: string;
  readonly kind: TarKind;
  /** 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** Of a link: a hard link's is a path in the archive. */
  readonly target: string;
  readonly device: { readonly major: number; readonly minor: number };
}

/** Not an archive, or a damaged one. The message is a sentence. */
export class TarError extends Error {
  override readonly name = 'TarError';
}

export const TYPE_OF: Readonly<Record<TarKind, string>> = {
  file: '0',
  'hard-link': '1',
  symlink: '2',
  'character-device': '3',
  'block-device': '4',
  directory: '5',
  fifo: '6',
};

/** What a block says, before long names of other blocks are put in. */
export interface RawHeader {
  readonly type: string;
  readonly entry: Omit<TarEntry, 'kind'>;
}

export function encodeHeader(type: string, entry: Omit<TarEntry, 'kind'>): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES);
  const name = encodeName(type === TYPE_OF.directory ? `${entry.path}/` : entry.path);
  const target = encodeName(entry.target);
  const cut = name.length > NAME_BYTES ? prefixEnd(name) : 0;
  if (cut === undefined || target.length > NAME_BYTES) throw new TarError(`the name ${entry.path} does not fit into a header`);
  block.set(name.subarray(cut === 0 ? 0 : cut + 1), 0);
  block.set(name.subarray(0, cut), 345);
  putNumber(block, 100, 8, entry.mode);
  putNumber(block, 108, 8, entry.uid);
  putNumber(block, 116, 8, entry.gid);
  putNumber(block, 124, 12, entry.sizeBytes);
  putNumber(block, 136, 12, entry.mtime);
  block[156] = type.charCodeAt(0);
  block.set(target, 157);
  block.set(encodeName('ustar\x0000'), 257);
  block.set(encodeName(entry.uid === 0 ? 'root' : ''), 265);
  block.set(encodeName(entry.gid === 0 ? 'root' : ''), 297);
  putNumber(block, 329, 8, entry.device.major);
  putNumber(block, 337, 8, entry.device.minor);
  block.set(encodeName(`${checksum(block).toString(8).padStart(6, '0')}\0 `), CHECKSUM.at);
  return block;
}

/** Whether name and target fit, without further blocks. */
export function fits(type: string, path: string, target: string): boolean {
  const name = encodeName(type === TYPE_OF.directory ? `${path}/` : path);
  return (name.length <= NAME_BYTES || prefixEnd(name) !== undefined) && encodeName(target).length <= NAME_BYTES;
}

/** The slash at which a long name is parted into prefix and name. */
function prefixEnd(name: Uint8Array): number | undefined {
  for (let at = Math.min(PREFIX_BYTES, name.length - 2); at > 0; at -= 1)
    if (name[at] === 0x2f) return name.length - at - 1 <= NAME_BYTES ? at : undefined;
  return undefined;
}

/** undefined for a block of zeros, which ends an archive. TarError. */
export function decodeHeader(block: Uint8Array): RawHeader | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  const stored = getNumber(block, CHECKSUM.at, CHECKSUM.bytes);
  if (stored !== checksum(block)) throw new TarError('This does not look like a tar archive');
  const type = String.fromCharCode(block[156] ?? 0);
  const ustar = text(block, 257, 5) === 'ustar';
  // GNU keeps other things where ustar has the prefix.
  const prefix = ustar && block[262] === 0 ? text(block, 345, PREFIX_BYTES) : '';
  const name = text(block, 0, NAME_BYTES);
  return {
    type: type === '\0' || type === '7' ? TYPE_OF.file : type,
    entry: {
      path: prefix === '' ? name : `${prefix}/${name}`,
      mode: getNumber(block, 100, 8) & 0o7777,
      uid: getNumber(block, 108, 8),
      gid: getNumber(block, 116, 8),
      sizeBytes: getNumber(block, 124, 12),
      mtime: getNumber(block, 136, 12),
      target: text(block, 157, NAME_BYTES),
      device: ustar ? { major: getNumber(block, 329, 8), minor: getNumber(block, 337, 8) } : { major: 0, minor: 0 },
    },
  };
}

function checksum(block: Uint8Array): number {
  let sum = 0;
  for (const [at, byte] of block.entries()) sum += at >= CHECKSUM.at && at < CHECKSUM.at + CHECKSUM.bytes ? 0x20 : byte;
  return sum;
}

function text(block: Uint8Array, at: number, bytes: number): string {
  const field = block.subarray(at, at + bytes);
  const end = field.indexOf(0);
  return decodeName(end < 0 ? field : field.subarray(0, end));
}

function putNumber(block: Uint8Array, at: number, bytes: number, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) throw new TarError(`${value} does not fit into a header`);
  const digits = value.toString(8);
  if (digits.length < bytes) {
    block.set(encodeName(`${digits.padStart(bytes - 1, '0')}\0`), at);
    return;
  }
  for (let rest = value, place = at + bytes - 1; place > at; place -= 1, rest = Math.floor(rest / 256)) block[place] = rest % 256;
  block[at] = 0x80;
}

/** Octal digits, or base 256 behind a first byte with its highest bit set. Absent: 0. TarError for what is no number of ours. */
function getNumber(block: Uint8Array, at: number, bytes: number): number {
  const first = block[at] ?? 0;
  if (first >= 0x80) {
    // Negative numbers are only found in times before 1970.
    if (first === 0xff) return 0;
    let value = first & 0x7f;
    for (let place = at + 1; place < at + bytes; place += 1) value = value * 256 + (block[place] ?? 0);
    if (!Number.isSafeInteger(value)) throw new TarError('a number in the archive is too large');
    return value;
  }
  const digits = text(block, at, bytes).trim();
  if (!/^[0-7]*$/.test(digits)) throw new TarError('This does not look like a tar archive');
  return digits === '' ? 0 : parseInt(digits, 8);
}
