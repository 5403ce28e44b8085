/**
 * gzip files, of one member or several: the members' headers and trailers here, the deflate data in the Wasm module. The platform's
 * DecompressionStream takes single members only and does not tell where one ends. What is an error and what is not, and the words
 * for it, are GNU gzip's.
 * @see RFC 1952; gzip(1)
 */
import { ByteFeed } from './byte-feed.ts';
import { DecodeError } from './decode-error.ts';
import { Inflater } from './inflate.ts';

const FORMAT = 'gzip';
const MAGIC = [0x1f, 0x8b] as const;
const DEFLATED = 8;
const HEADER_CRC = 0x02;
const EXTRA_FIELD = 0x04;
const ORIGINAL_NAME = 0x08;
const COMMENT = 0x10;
/** Means encryption in files of old gzips, and nothing today. */
const ENCRYPTED = 0x20;
const RESERVED = 0xc0;
/** Of a header: time, extra flags and operating system. */
const UNUSED_BYTES = 6;

export class GzipError extends DecodeError {
  constructor(
    /** In gzip's words. */
    readonly reason: string,
  ) {
    super(FORMAT, `the gzip stream is damaged or cut off (${reason})`);
  }
}

/** Bytes behind the last member that are none: a tape's padding, or anything else. */
export type GzipPadding = 'zeros' | 'garbage';

/**
 * What a gzip file makes, as it comes. Rejects with GzipError, after all that comes before the damage.
 * @param module codec.wasm, compiled
 * @param onPadding hears of bytes behind the last member, which are left out
 */
export async function* gunzipStream(
  module: WebAssembly.Module,
  input: AsyncIterable<Uint8Array>,
  onPadding: (padding: GzipPadding) => void = () => undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const feed = new ByteFeed(input);
  try {
    const reader = new MemberReader(feed, await Inflater.create(module));
    for (let isFirst = true; isFirst || (await feed.peek(1)).length > 0; isFirst = false) {
      const padding = await reader.header();
      if (padding !== undefined) {
        if (isFirst) throw new GzipError('not in gzip format');
        onPadding(padding);
        return;
      }
      yield* reader.contents();
    }
  } finally {
    await feed.close();
  }
}

class MemberReader {
  private headerCrc = 0;

  constructor(
    private readonly feed: ByteFeed,
    private readonly inflater: Inflater,
  ) {}

  /** Reads a member's header; returns what is in its place when there is none. */
  async header(): Promise<GzipPadding | undefined> {
    this.headerCrc = 0;
    const first = await this.byte();
    if (first === 0) return this.zeros();
    // Nothing is one byte long, so that this is an end in the middle of something, whatever the byte is.
    const second = await this.byte();
    if (first !== MAGIC[0] || second !== MAGIC[1]) return 'garbage';
    const method = await this.byte();
    if (method !== DEFLATED) throw new GzipError(`unknown method ${method} -- not supported`);
    const flags = await this.byte();
    if ((flags & ENCRYPTED) !== 0) throw new GzipError('is encrypted -- not supported');
    if ((flags & RESERVED) !== 0) throw new GzipError(`has flags 0x${flags.toString(16)} -- not supported`);
    await this.bytes(UNUSED_BYTES);
    if ((flags & EXTRA_FIELD) !== 0) await this.bytes((await this.byte()) + 256 * (await this.byte()));
    if ((flags & ORIGINAL_NAME) !== 0) while ((await this.byte()) !== 0);
    if ((flags & COMMENT) !== 0) while ((await this.byte()) !== 0);
    if ((flags & HEADER_CRC) === 0) return undefined;
    const computed = this.headerCrc & 0xffff;
    const stored = (await this.byte()) + 256 * (await this.byte());
    if (stored !== computed) {
      const [named, own] = [stored, computed].map((sum) => `0x${sum.toString(16).padStart(4, '0')}`);
      throw new GzipError(`header checksum ${named} != computed checksum ${own}`);
    }
    return undefined;
  }

  /** What the member makes; reads its trailer. */
  async *contents(): AsyncGenerator<Uint8Array, void, undefined> {
    const { feed, inflater } = this;
    inflater.start();
    let piece: Uint8Array = new Uint8Array(0);
    let given = 0;
    for (;;) {
      const made = this.make();
      if (made !== undefined) {
        yield made.slice();
        continue;
      }
      if (inflater.ended) break;
      if (given === piece.length) {
        const next = await feed.some();
        if (next === undefined) throw new GzipError('unexpected end of file');
        piece = next;
        given = 0;
      }
      given += inflater.give(piece.subarray(given));
    }
    const { crc32, madeBytes, unreadBytes } = inflater;
    feed.putBack(piece.subarray(given - unreadBytes));
    const trailer = await this.bytes(8);
    const view = new DataView(trailer.buffer, trailer.byteOffset, trailer.length);
    if (view.getUint32(0, true) !== crc32) throw new GzipError('invalid compressed data--crc error');
    if (view.getUint32(4, true) !== madeBytes % 2 ** 32) throw new GzipError('invalid compressed data--length error');
  }

  private make(): Uint8Array | undefined {
    try {
      return this.inflater.make();
    } catch (error) {
      if (error instanceof DecodeError) throw new GzipError('invalid compressed data--format violated');
      throw error;
    }
  }

  /** To the end, unless there is something else. */
  private async zeros(): Promise<GzipPadding> {
    for (let bytes = await this.feed.some(); bytes !== undefined; bytes = await this.feed.some())
      if (bytes.some((byte) => byte !== 0)) return 'garbage';
    return 'zeros';
  }

  private async byte(): Promise<number> {
    return (await this.bytes(1))[0] ?? 0;
  }

  private async bytes(count: number): Promise<Uint8Array> {
    const bytes = await this.feed.take(count);
    if (bytes === undefined) throw new GzipError('unexpected end of file');
    this.headerCrc = this.inflater.moreCrc32(this.headerCrc, bytes);
    return bytes;
  }
}

/** Expands a gzip file; rejects with DecodeError when it is damaged or makes more than `limitBytes`. */
export type Gunzip = (input: Uint8Array, limitBytes: number) => Promise<Uint8Array>;

/** @param loadCodec gives codec.wasm, compiled */
export function createGunzip(loadCodec: () => Promise<WebAssembly.Module>): Gunzip {
  return async (input, limitBytes) => {
    const pieces: Uint8Array[] = [];
    let total = 0;
    for await (const piece of gunzipStream(await loadCodec(), once(input))) {
      total += piece.length;
      if (total > limitBytes) throw new DecodeError(FORMAT, `the gzip stream makes more than the ${limitBytes} bytes allowed`);
      pieces.push(piece);
    }
    const output = new Uint8Array(total);
    let at = 0;
    for (const piece of pieces) {
      output.set(piece, at);
      at += piece.length;
    }
    return output;
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield await Promise.resolve(bytes);
}
