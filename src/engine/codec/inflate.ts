/**
 * Raw deflate data by the decoder in assembly/: as it comes, with what stands behind its end left to the caller, or at once where the
 * size is known.
 * @see RFC 1951
 */
import { aligned, WASM_PAGE_BYTES } from './codec-instance.ts';
import { DecodeError } from './decode-error.ts';
import { INFLATE_BAD_DATA, INFLATE_ENDED, SLACK_BYTES } from './assembly/status.ts';

/** As much input as is handed over at a time; no header of a block is longer. */
const INPUT_BYTES = 64 * 1024;
const WINDOW_BYTES = 32 * 1024;
/** Made at a time. */
const OUTPUT_BYTES = 256 * 1024;

interface InflateExports {
  readonly memory: WebAssembly.Memory;
  readonly freeFrom: () => number;
  readonly startInflate: () => void;
  readonly inflateMore: (input: number, inputEnd: number, bit: number, windowAt: number, to: number, outputEnd: number) => number;
  readonly inflateBit: { readonly value: number };
  readonly inflateOutputEnd: { readonly value: number };
  readonly moreCrc32: (before: number, from: number, bytes: number) => number;
}

const damaged = (what: string): DecodeError => new DecodeError('deflate', `the deflate stream is damaged: ${what}`);

/** Streams one after the other, in memory of their own. */
export class Inflater {
  /** All of the stream was made. */
  ended = false;
  /** Of what the stream has made so far. */
  crc32 = 0;
  madeBytes = 0;
  private readonly memory: Uint8Array;
  private readonly inputAt: number;
  private inputEnd: number;
  private bit = 0;
  private readonly windowAt: number;
  private to: number;

  private constructor(private readonly codec: InflateExports) {
    this.inputAt = codec.freeFrom();
    this.inputEnd = this.inputAt;
    this.windowAt = aligned(this.inputAt + INPUT_BYTES + SLACK_BYTES);
    this.to = this.windowAt;
    const missing = Math.ceil((this.outputEnd + SLACK_BYTES - codec.memory.buffer.byteLength) / WASM_PAGE_BYTES);
    if (missing > 0) codec.memory.grow(missing);
    this.memory = new Uint8Array(codec.memory.buffer);
  }

  /** @param module codec.wasm, compiled */
  static async create(module: WebAssembly.Module): Promise<Inflater> {
    const abort = (): never => {
      throw damaged('its data makes no sense');
    };
    const instance = await WebAssembly.instantiate(module, { env: { abort } });
    return new Inflater(instance.exports as unknown as InflateExports);
  }

  private get outputEnd(): number {
    return this.windowAt + WINDOW_BYTES + OUTPUT_BYTES;
  }

  /** Begins a stream; what was given for another is forgotten. */
  start(): void {
    this.codec.startInflate();
    this.inputEnd = this.inputAt;
    this.bit = 0;
    this.to = this.windowAt;
    this.ended = false;
    this.crc32 = 0;
    this.madeBytes = 0;
  }

  /** Gives the stream more, once `make` has nothing left; how many of the bytes it took. */
  give(bytes: Uint8Array): number {
    const taken = this.bit >> 3;
    this.memory.copyWithin(this.inputAt, this.inputAt + taken, this.inputEnd);
    this.inputEnd -= taken;
    this.bit &= 7;
    const part = bytes.subarray(0, this.inputAt + INPUT_BYTES - this.inputEnd);
    this.memory.set(part, this.inputEnd);
    this.inputEnd += part.length;
    return part.length;
  }

  /** Some of what can be made of the input given, valid until the next call; undefined when that was all. DecodeError. */
  make(): Uint8Array | undefined {
    const { codec, inputAt, memory, windowAt } = this;
    const kept = this.to - windowAt > WINDOW_BYTES ? WINDOW_BYTES : this.to - windowAt;
    memory.copyWithin(windowAt, this.to - kept, this.to);
    const from = windowAt + kept;
    const status = codec.inflateMore(inputAt, this.inputEnd, this.bit, windowAt, from, this.outputEnd);
    this.bit = codec.inflateBit.value;
    this.to = codec.inflateOutputEnd.value;
    if (status === INFLATE_ENDED) this.ended = true;
    const made = this.to - from;
    if (made === 0) {
      if (status === INFLATE_BAD_DATA) throw damaged('its data makes no sense');
      return undefined;
    }
    // What is damaged is met again, and reported, when all before it has been taken.
    this.crc32 = codec.moreCrc32(this.crc32, from, made) >>> 0;
    this.madeBytes += made;
    return memory.subarray(from, this.to);
  }

  /** How many bytes of those given last stand behind the end of the stream. */
  get unreadBytes(): number {
    return this.inputEnd - this.inputAt - Math.ceil(this.bit / 8);
  }

  /** The CRC of bytes behind those that have the CRC given. Only between streams. */
  moreCrc32(before: number, bytes: Uint8Array): number {
    let crc = before;
    for (let at = 0; at < bytes.length; at += INPUT_BYTES) {
      const part = bytes.subarray(at, at + INPUT_BYTES);
      this.memory.set(part, this.inputAt);
      crc = this.codec.moreCrc32(crc, this.inputAt, part.length) >>> 0;
    }
    return crc;
  }
}

/** Expands raw deflate data that makes exactly `sizeBytes`, whatever stands behind it; throws DecodeError. */
export type Inflate = (input: Uint8Array, sizeBytes: number) => Uint8Array;

/** @param module codec.wasm, compiled */
export async function createInflate(module: WebAssembly.Module): Promise<Inflate> {
  const inflater = await Inflater.create(module);
  return (input, sizeBytes) => {
    const output = new Uint8Array(sizeBytes);
    inflater.start();
    let to = 0;
    for (let at = 0; !inflater.ended;) {
      const made = inflater.make();
      if (made === undefined) {
        if (inflater.ended) break;
        const taken = inflater.give(input.subarray(at));
        if (taken === 0) throw damaged('it is cut off');
        at += taken;
        continue;
      }
      if (to + made.length > sizeBytes) throw damaged('it is longer than it should be');
      output.set(made, to);
      to += made.length;
    }
    if (to !== sizeBytes) throw damaged('it is shorter than it should be');
    return output;
  };
}
