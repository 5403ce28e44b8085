/**
 * Names and link targets: bytes on the disk, strings here. UTF-8 where it is that; other bytes stand as U+DC80..U+DCFF, as
 * mountable.ts says, so that each name goes back as the bytes it came from.
 */
import { PosixError } from '../mountable.ts';
import { MAX_NAME_BYTES } from './layout.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

export function decodeName(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes.slice());
  } catch {
    return decodeEscaping(bytes);
  }
}

/** Longest valid pieces as UTF-8, the bytes between escaped. */
function decodeEscaping(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const first = bytes[at] ?? 0;
    const length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    try {
      text += utf8.decode(bytes.slice(at, at + length));
      at += length;
    } catch {
      text += String.fromCharCode(0xdc00 + first);
      at += 1;
    }
  }
  return text;
}

export function encodeName(name: string): Uint8Array {
  if (!/[\udc80-\udcff]/.test(name)) return encoder.encode(name);
  const pieces: number[] = [];
  for (const character of name) {
    const code = character.codePointAt(0) ?? 0;
    if (code >= 0xdc80 && code <= 0xdcff) pieces.push(code - 0xdc00);
    else pieces.push(...encoder.encode(character));
  }
  return Uint8Array.from(pieces);
}

/** The bytes of a name of one entry; ENAMETOOLONG, EINVAL. */
export function checkedName(name: string): Uint8Array {
  const bytes = encodeName(name);
  if (bytes.length === 0 || name.includes('/') || name.includes('\0'))
    throw new PosixError('EINVAL', `'${name}' is no name of a file`);
  if (bytes.length > MAX_NAME_BYTES)
    throw new PosixError('ENAMETOOLONG', `the name '${name}' is longer than ${MAX_NAME_BYTES} bytes`);
  return bytes;
}
