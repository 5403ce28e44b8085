/**
 * .xz files decoded as they come: the container here, LZMA2 chunk by chunk in the Wasm module, whose memory holds the dictionary and
 * what the last chunks made. Supported are LZMA2 alone and the checks CRC32, CRC64 and none; a SHA-256 check is passed over unverified.
 * @see The .xz File Format, version 1.1.0
 */
import { ByteFeed } from './byte-feed.ts';
import { aligned, WASM_PAGE_BYTES } from './codec-instance.ts';
import { DecodeError } from './decode-error.ts';
import { XZ_REASONS } from './xz.ts';
import {
  XZ_BAD_CHECK,
  XZ_BAD_DATA,
  XZ_BAD_HEADER,
  XZ_BAD_INDEX,
  XZ_CUT_OFF,
  XZ_NOT_XZ,
  XZ_OK,
  SLACK_BYTES,
  XZ_UNSUPPORTED_CHECK,
} from './assembly/status.ts';

const STREAM_HEADER_BYTES = 12;
const MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];
const CHECK_BYTES: ReadonlyMap<number, number> = new Map([
  [0, 0],
  [1, 4],
  [4, 8],
  [10, 32],
]);
const CHECK_CRC32 = 1;
const CHECK_CRC64 = 4;
const FILTER_LZMA2 = 0x21;
/** A chunk: six bytes of header and at most 64 KiB packed, at most 2 MiB unpacked. */
const CHUNK_INPUT_BYTES = 6 + 65536;
const CHUNK_OUTPUT_BYTES = 2 * 1024 * 1024;
/** What `xz -9` uses; a larger dictionary would take as much memory. */
const DICTIONARY_BYTES_MAX = 64 * 1024 * 1024;
/** More blocks than a sane file has, each of them at least 12 bytes of it. */
const BLOCKS_MAX = 4 * 1024 * 1024;

interface CodecExports {
  readonly memory: WebAssembly.Memory;
  readonly freeFrom: () => number;
  readonly startLzma2: () => void;
  readonly slideLzma2: (bytes: number, start: number) => void;
  readonly decodeLzma2Chunk: (from: number, inputEnd: number, to: number, outputEnd: number) => number;
  readonly lzma2OutputEnd: { readonly value: number };
  readonly moreCrc32: (before: number, from: number, bytes: number) => number;
  readonly moreCrc64: (before: bigint, from: number, bytes: number) => bigint;
}

const failed = (status: number): DecodeError =>
  new DecodeError('xz', XZ_REASONS[status] ?? `the xz decoder has failed (${status})`);

/**
 * What an .xz file of one stream or more makes, in pieces of at most 2 MiB. Rejects with DecodeError.
 * @param module codec.wasm, compiled
 */
export async function* unxzStream(
  module: WebAssembly.Module,
  input: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const abort = (): never => {
    throw failed(XZ_BAD_DATA);
  };
  const instance = await WebAssembly.instantiate(module, { env: { abort } });
  const reader = new XzReader(instance.exports as unknown as CodecExports, new ByteFeed(input));
  try {
    yield* reader.streams();
  } finally {
    await reader.close();
  }
}

class XzReader {
  private readonly inputAt: number;
  /** First byte of the window; the bytes made lie from there to `to`. */
  private readonly windowAt: number;
  private windowEnd: number;
  private to: number;
  private read = 0;

  constructor(
    private readonly codec: CodecExports,
    private readonly feed: ByteFeed,
  ) {
    this.inputAt = codec.freeFrom();
    this.windowAt = aligned(this.inputAt + CHUNK_INPUT_BYTES + SLACK_BYTES);
    this.windowEnd = this.windowAt;
    this.to = this.windowAt;
  }

  close(): Promise<void> {
    return this.feed.close();
  }

  async *streams(): AsyncGenerator<Uint8Array, void, undefined> {
    do {
      const header = await this.bytes(STREAM_HEADER_BYTES);
      if (MAGIC.some((byte, n) => header[n] !== byte)) throw failed(XZ_NOT_XZ);
      const view = viewOf(header);
      if (view.getUint32(8, true) !== this.crc32(header.subarray(6, 8)) || header[6] !== 0) throw failed(XZ_BAD_HEADER);
      const check = header[7] ?? 0;
      const checkBytes = CHECK_BYTES.get(check);
      if (checkBytes === undefined) throw failed(XZ_UNSUPPORTED_CHECK);
      const blocks: number[] = [];
      for (;;) {
        const [size = 0] = await this.peek(1);
        if (size === 0) break;
        if (blocks.length >= 2 * BLOCKS_MAX) throw failed(XZ_BAD_INDEX);
        const from = this.read;
        const unpacked = yield* this.block((size + 1) * 4, check);
        // The padding between data and check counts as neither.
        const packed = this.read - from;
        await this.zeros((4 - (packed % 4)) % 4);
        await this.compareCheck(check, checkBytes);
        blocks.push(packed + checkBytes, unpacked);
      }
      await this.index(blocks, check);
      // Padding comes in fours.
      for (;;) {
        const next = await this.feed.peek(4);
        if (next.length < 4 || next.some((byte) => byte !== 0)) break;
        await this.bytes(4);
      }
    } while ((await this.feed.peek(1)).length > 0);
  }

  /** The bytes made; returns how many they were. */
  private async *block(headerBytes: number, check: number): AsyncGenerator<Uint8Array, number, undefined> {
    const header = (await this.bytes(headerBytes)).slice();
    const view = viewOf(header);
    if (view.getUint32(headerBytes - 4, true) !== this.crc32(header.subarray(0, -4))) throw failed(XZ_BAD_HEADER);
    const { dictionaryBytes, packedBytes, unpackedBytes } = parseBlockHeader(header);
    this.makeWindow(dictionaryBytes);
    this.codec.startLzma2();
    this.sum32 = 0;
    this.sum64 = 0n;
    const from = this.read;
    let unpacked = 0;
    for (;;) {
      const [control = 0] = await this.peek(1);
      if (control === 0) break;
      const made = await this.chunk(control, dictionaryBytes);
      const at = this.to - made;
      if (check === CHECK_CRC32) this.sum32 = this.codec.moreCrc32(this.sum32, at, made);
      if (check === CHECK_CRC64) this.sum64 = this.codec.moreCrc64(this.sum64, at, made);
      unpacked += made;
      yield new Uint8Array(this.codec.memory.buffer, at, made).slice();
    }
    await this.bytes(1);
    if (packedBytes !== undefined && packedBytes !== this.read - from) throw failed(XZ_BAD_HEADER);
    if (unpackedBytes !== undefined && unpackedBytes !== unpacked) throw failed(XZ_BAD_HEADER);
    return unpacked;
  }

  private sum32 = 0;
  private sum64 = 0n;

  /** Decodes one chunk behind what the window holds; how many bytes it made. */
  private async chunk(control: number, dictionaryBytes: number): Promise<number> {
    const { codec } = this;
    const headerBytes = control < 0x80 ? 3 : control < 0xc0 ? 5 : 6;
    const header = await this.peek(headerBytes);
    const word = (at: number): number => ((header[at] ?? 0) << 8) | (header[at + 1] ?? 0);
    const bytes = headerBytes + (control < 0x80 ? word(1) : word(3)) + 1;
    const chunk = await this.bytes(bytes);
    if (this.windowEnd - this.to < CHUNK_OUTPUT_BYTES) this.slide(dictionaryBytes);
    const memory = new Uint8Array(codec.memory.buffer);
    memory.set(chunk, this.inputAt);
    const status = this.run(this.inputAt + bytes);
    if (status !== XZ_OK) throw failed(status);
    const made = codec.lzma2OutputEnd.value - this.to;
    this.to += made;
    return made;
  }

  /** A trap would be a mistake of the decoder's, but it must not be more than a failed file. */
  private run(inputEnd: number): number {
    try {
      return this.codec.decodeLzma2Chunk(this.inputAt, inputEnd, this.to, this.windowEnd);
    } catch (error) {
      if (error instanceof WebAssembly.RuntimeError) throw failed(XZ_BAD_DATA);
      throw error;
    }
  }

  private makeWindow(dictionaryBytes: number): void {
    this.to = this.windowAt;
    const wanted = aligned(dictionaryBytes) + SLACK_BYTES + 2 * CHUNK_OUTPUT_BYTES + Math.floor(dictionaryBytes / 4);
    const end = aligned(this.windowAt + wanted);
    if (end <= this.windowEnd) return;
    const missing = Math.ceil((end + SLACK_BYTES - this.codec.memory.buffer.byteLength) / WASM_PAGE_BYTES);
    try {
      if (missing > 0) this.codec.memory.grow(missing);
    } catch {
      throw new DecodeError('xz', `there is no memory for the xz file's dictionary of ${dictionaryBytes} bytes`);
    }
    this.windowEnd = end;
  }

  /** Keeps the dictionary, and as much more as the lowest bits of positions may need. */
  private slide(dictionaryBytes: number): void {
    const kept = aligned(dictionaryBytes) + SLACK_BYTES;
    const by = Math.floor(Math.max(0, this.to - this.windowAt - kept) / 16) * 16;
    new Uint8Array(this.codec.memory.buffer).copyWithin(this.windowAt, this.windowAt + by, this.to);
    this.codec.slideLzma2(by, this.windowAt);
    this.to -= by;
  }

  private async compareCheck(check: number, checkBytes: number): Promise<void> {
    const stored = viewOf(await this.bytes(checkBytes));
    if (check === CHECK_CRC32 && stored.getUint32(0, true) !== this.sum32 >>> 0) throw failed(XZ_BAD_CHECK);
    if (check === CHECK_CRC64 && stored.getBigUint64(0, true) !== BigInt.asUintN(64, this.sum64)) throw failed(XZ_BAD_CHECK);
  }

  /** The index must list the blocks that came; behind it stands the footer. */
  private async index(blocks: readonly number[], check: number): Promise<void> {
    const from = this.read;
    let sum = 0;
    const byte = async (): Promise<number> => {
      const bytes = await this.bytes(1);
      sum = this.crc32(bytes, sum);
      return bytes[0] ?? 0;
    };
    const number = async (): Promise<number> => {
      let value = 0;
      for (let shift = 0; shift < 63; shift += 7) {
        const next = await byte();
        value += (next & 0x7f) * 2 ** shift;
        if (next < 0x80) return value;
      }
      throw failed(XZ_BAD_INDEX);
    };
    await byte();
    if ((await number()) !== blocks.length / 2) throw failed(XZ_BAD_INDEX);
    for (const size of blocks) if ((await number()) !== size) throw failed(XZ_BAD_INDEX);
    while ((this.read - from) % 4 !== 0) if ((await byte()) !== 0) throw failed(XZ_BAD_INDEX);
    if (viewOf(await this.bytes(4)).getUint32(0, true) !== sum) throw failed(XZ_BAD_INDEX);
    const indexBytes = this.read - from;
    const footer = (await this.bytes(12)).slice();
    const view = viewOf(footer);
    const right =
      view.getUint32(0, true) === this.crc32(footer.subarray(4, 10)) &&
      (view.getUint32(4, true) + 1) * 4 === indexBytes &&
      footer[8] === 0 &&
      footer[9] === check &&
      footer[10] === 0x59 &&
      footer[11] === 0x5a;
    if (!right) throw failed(XZ_BAD_HEADER);
  }

  private async zeros(count: number): Promise<void> {
    if ((await this.bytes(count)).some((byte) => byte !== 0)) throw failed(XZ_BAD_HEADER);
  }

  private crc32(bytes: Uint8Array, before = 0): number {
    new Uint8Array(this.codec.memory.buffer).set(bytes, this.inputAt);
    return this.codec.moreCrc32(before, this.inputAt, bytes.length) >>> 0;
  }

  private async peek(count: number): Promise<Uint8Array> {
    const bytes = await this.feed.peek(count);
    if (bytes.length < count) throw failed(XZ_CUT_OFF);
    return bytes;
  }

  private async bytes(count: number): Promise<Uint8Array> {
    const bytes = await this.feed.take(count);
    if (bytes === undefined) throw failed(XZ_CUT_OFF);
    this.read += count;
    return bytes;
  }
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

interface BlockHeader {
  readonly dictionaryBytes: number;
  readonly packedBytes: number | undefined;
  readonly unpackedBytes: number | undefined;
}

function parseBlockHeader(header: Uint8Array): BlockHeader {
  const end = header.length - 4;
  const flags = header[1] ?? 0;
  let at = 2;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; shift < 63 && at < end; shift += 7) {
      const byte = header[at] ?? 0;
      at += 1;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw failed(XZ_BAD_HEADER);
  };
  if ((flags & 0x3c) !== 0) throw failed(XZ_BAD_HEADER);
  const packedBytes = (flags & 0x40) === 0 ? undefined : number();
  const unpackedBytes = (flags & 0x80) === 0 ? undefined : number();
  const filter = number();
  const propertyBytes = number();
  const property = header[at] ?? 0;
  if ((flags & 3) !== 0 || filter !== FILTER_LZMA2 || propertyBytes !== 1 || at >= end || property > 40)
    throw new DecodeError('xz', 'the xz file uses filters besides LZMA2, as for programs: repack it without them');
  at += 1;
  if (header.subarray(at, end).some((byte) => byte !== 0)) throw failed(XZ_BAD_HEADER);
  // 2^n or 3 * 2^(n-1), from 4 KiB on; 40 is 4 GiB less one byte.
  const dictionaryBytes = (2 | (property & 1)) * 2 ** (Math.floor(property / 2) + 11);
  if (dictionaryBytes > DICTIONARY_BYTES_MAX)
    throw new DecodeError('xz', `the xz file needs a dictionary of ${dictionaryBytes / 2 ** 20} MiB: repack it with xz -9 or less`);
  return { dictionaryBytes, packedBytes, unpackedBytes };
}
