/** Blocks of a tar archive to be written: ustar, and GNU's entries of types L and K before one whose names are too long for it. */
import { encodeName } from '../ext/names.ts';
import { BLOCK_BYTES, encodeHeader, fits, TYPE_OF, type TarEntry } from './tar-header.ts';

const LONG_LINK = '././@LongLink';
const SHORT_BYTES = 100;

/** The blocks before an entry's content. */
export function headerBlocks(entry: TarEntry): Uint8Array[] {
  const type = TYPE_OF[entry.kind];
  if (fits(type, entry.path, entry.target)) return [encodeHeader(type, entry)];
  const name = encodeName(entry.kind === 'directory' ? `${entry.path}/` : entry.path);
  const target = encodeName(entry.target);
  return [
    ...(name.length > SHORT_BYTES ? longName('L', name) : []),
    ...(target.length > SHORT_BYTES ? longName('K', target) : []),
    // Who does not know types L and K sees names cut off.
    encodeHeader(type, { ...entry, path: cut(entry.path), target: cut(entry.target) }),
  ];
}

/** Zeros behind a content, up to a whole block. */
export const paddingOf = (sizeBytes: number): Uint8Array => new Uint8Array(-sizeBytes & (BLOCK_BYTES - 1));

/** What ends an archive of so many bytes: two blocks of zeros, and more up to whole records of 20 blocks. */
export function endBlocks(archiveBytes: number): Uint8Array {
  const record = 20 * BLOCK_BYTES;
  const end = Math.ceil((archiveBytes + 2 * BLOCK_BYTES) / record) * record;
  return new Uint8Array(end - archiveBytes);
}

function longName(type: string, name: Uint8Array): Uint8Array[] {
  const content = new Uint8Array(Math.ceil((name.length + 1) / BLOCK_BYTES) * BLOCK_BYTES);
  content.set(name);
  const fields = { mode: 0o644, uid: 0, gid: 0, mtime: 0, target: '', device: { major: 0, minor: 0 } };
  return [encodeHeader(type, { ...fields, path: LONG_LINK, sizeBytes: name.length + 1 }), content];
}

/** No more than 99 bytes whatever its characters. */
const cut = (name: string): string => name.slice(0, 24);
