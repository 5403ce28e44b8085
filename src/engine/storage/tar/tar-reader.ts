/**
 * Reads a tar archive from its beginning to its end, a piece at a time: ustar, GNU (long names in entries of their own, types L and
 * K) and pax (records of an x entry before the one they are about). Archives are anybody's: each number is checked.
 */
import { decodeName } from '../ext/names.ts';
import { BLOCK_BYTES, decodeHeader, TarError, TYPE_OF, type TarEntry, type TarKind } from './tar-header.ts';

/** Longest content of an entry that only describes the next one. */
const DESCRIPTION_BYTES_MAX = 1024 * 1024;
const SKIP_BYTES = 64 * 1024;
const KINDS = new Map(Object.entries(TYPE_OF).map(([kind, type]) => [type, kind as TarKind]));

/** Fills an array from its beginning; fewer bytes only at the end. */
export type TarSource = (into: Uint8Array) => Promise<number>;

/** Fields of the next entry, from entries before it. */
interface Described {
  path?: string;
  target?: string;
  sizeBytes?: number;
  mtime?: number;
}

export class TarReader {
  /** Bytes of the present entry's content, and what pads it to a whole block, that were not read yet. */
  private content = 0;
  private padding = 0;

  constructor(private readonly source: TarSource) {}

  /** The next entry; what was left of the content of the last one is passed over. undefined at the end. TarError. */
  async next(): Promise<TarEntry | undefined> {
    const described: Described = {};
    for (;;) {
      await this.pass();
      const block = new Uint8Array(BLOCK_BYTES);
      const count = await this.source(block);
      if (count === 0) return undefined;
      if (count < BLOCK_BYTES) throw new TarError('Unexpected EOF in archive');
      const header = decodeHeader(block);
      if (header === undefined) return undefined;
      const { type, entry } = header;
      const kind = KINDS.get(type);
      const sizeBytes = described.sizeBytes ?? entry.sizeBytes;
      // Some give a link or a directory a size, with nothing behind it.
      const follows = kind === undefined || kind === 'file' ? sizeBytes : 0;
      this.content = follows;
      this.padding = -follows & (BLOCK_BYTES - 1);
      if (kind !== undefined) {
        const path = (described.path ?? entry.path).replace(/(?<=.)\/+$/, '');
        return {
          ...entry,
          // Before ustar a directory was known by its slash.
          kind: kind === 'file' && (described.path ?? entry.path).endsWith('/') ? 'directory' : kind,
          path,
          target: described.target ?? entry.target,
          sizeBytes: kind === 'file' ? sizeBytes : 0,
          mtime: described.mtime ?? entry.mtime,
        };
      }
      if (type === 'L') described.path = await this.longName();
      else if (type === 'K') described.target = await this.longName();
      else if (type === 'x') Object.assign(described, paxFields(await this.description()));
      // A pax header for all of the archive tells nothing that is needed here.
      else if (type !== 'g') throw new TarError(`${entry.path}: entries of type '${type}' are not supported`);
    }
  }

  /** The next bytes of the present entry's content; 0 at its end. TarError when the archive ends within it. */
  async read(into: Uint8Array): Promise<number> {
    const wanted = Math.min(into.length, this.content);
    if (wanted === 0) return 0;
    const count = await this.source(into.subarray(0, wanted));
    if (count < wanted) throw new TarError('Unexpected EOF in archive');
    this.content -= count;
    return count;
  }

  private async pass(): Promise<void> {
    this.content += this.padding;
    this.padding = 0;
    const scratch = new Uint8Array(Math.min(SKIP_BYTES, this.content));
    while (this.content > 0) await this.read(scratch);
  }

  private async description(): Promise<Uint8Array> {
    if (this.content > DESCRIPTION_BYTES_MAX) throw new TarError('a name in the archive is too long');
    const bytes = new Uint8Array(this.content);
    await this.read(bytes);
    return bytes;
  }

  private async longName(): Promise<string> {
    const bytes = await this.description();
    const end = bytes.indexOf(0);
    return decodeName(end < 0 ? bytes : bytes.subarray(0, end));
  }
}

/** Records "LENGTH KEY=VALUE\n", the length counting all of the record. */
function paxFields(bytes: Uint8Array): Described {
  const fields: Described = {};
  for (let at = 0; at < bytes.length;) {
    const digits = /^(\d{1,7}) /.exec(decodeName(bytes.subarray(at, at + 8)))?.[1] ?? '';
    const length = Number(digits);
    const record = decodeName(bytes.subarray(at + digits.length + 1, at + length - 1));
    const equals = record.indexOf('=');
    if (digits === '' || length <= digits.length + 2 || at + length > bytes.length || equals < 1)
      throw new TarError('Malformed extended header');
    const value = record.slice(equals + 1);
    const number = Math.floor(Number(value));
    switch (record.slice(0, equals)) {
      case 'path':
        fields.path = value;
        break;
      case 'linkpath':
        fields.target = value;
        break;
      case 'size':
        if (!Number.isSafeInteger(number) || number < 0) throw new TarError('Malformed extended header');
        fields.sizeBytes = number;
        break;
      case 'mtime':
        if (Number.isSafeInteger(number)) fields.mtime = Math.max(0, number);
        break;
    }
    at += length;
  }
  return fields;
}

/** A source of bytes that are all there. */
export function tarSource(bytes: Uint8Array): TarSource {
  let at = 0;
  return (into) => {
    const part = bytes.subarray(at, at + into.length);
    into.set(part);
    at += part.length;
    return Promise.resolve(part.length);
  };
}
