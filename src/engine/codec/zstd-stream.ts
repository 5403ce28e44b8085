/**
 * Zstandard frames decoded as they come, by the exports of a build of the reference decoder: the window is in its memory, which is
 * bounded by the decoder's own limit of 128 MiB.
 * @see RFC 8878
 */
import { DecodeError } from './decode-error.ts';

/** The part of the decoder's module that is used; pointers and sizes are u32, given as i32. */
export interface ZstdExports {
  readonly memory: WebAssembly.Memory;
  malloc(bytes: number): number;
  free(pointer: number): void;
  ZSTD_createDCtx(): number;
  ZSTD_freeDCtx(context: number): number;
  /** 0 = a frame has ended; an error, or a guess at the next size of input. */
  ZSTD_decompressStream(context: number, output: number, input: number): number;
}

/** zstddec's decoder, as far as it tells of its module. */
export interface ZstdStreamLibrary {
  init(): Promise<void>;
  _init(result: { readonly instance: { readonly exports: unknown } }): void;
}

/** The exports of the library's module; to be asked for once, as the library makes one instance. */
export async function zstdExportsOf(library: ZstdStreamLibrary): Promise<ZstdExports> {
  let found: unknown;
  const initialise = library._init.bind(library);
  library._init = (result) => {
    found = result.instance.exports;
    initialise(result);
  };
  await library.init();
  if (found === undefined) throw new DecodeError('zstd', 'the zstd decoder cannot be started');
  return found as ZstdExports;
}

const INPUT_BYTES = 128 * 1024;
const OUTPUT_BYTES = 256 * 1024;
/** ZSTD_inBuffer and ZSTD_outBuffer: pointer, size, position. */
const BUFFER_BYTES = 12;
const ERROR_CODES = 120;
const isError = (result: number): boolean => result >>> 0 > 2 ** 32 - ERROR_CODES;
const damaged = (what: string): DecodeError => new DecodeError('zstd', `the zstd stream is ${what}`);

class Context {
  private readonly context: number;
  private readonly block: number;
  private readonly at: { readonly output: number; readonly input: number; readonly from: number; readonly to: number };

  constructor(private readonly library: ZstdExports) {
    this.context = library.ZSTD_createDCtx();
    this.block = library.malloc(2 * BUFFER_BYTES + INPUT_BYTES + OUTPUT_BYTES);
    if (this.context === 0 || this.block === 0) throw new DecodeError('zstd', 'there is no memory for the zstd decoder');
    const { block } = this;
    const from = block + 2 * BUFFER_BYTES;
    this.at = { output: block, input: block + BUFFER_BYTES, from, to: from + INPUT_BYTES };
  }

  close(): void {
    this.library.free(this.block);
    this.library.ZSTD_freeDCtx(this.context);
  }

  /** Copies input into the decoder; at most INPUT_BYTES. */
  load(input: Uint8Array): void {
    new Uint8Array(this.library.memory.buffer, this.at.from, input.length).set(input);
    this.buffer(this.at.input, this.at.from, input.length);
  }

  /** One step: what it made, whether all input is used up, whether it ended a frame. */
  step(outputBytes: number): { readonly made: Uint8Array; readonly used: boolean; readonly ended: boolean } {
    const { at, library } = this;
    this.buffer(at.output, at.to, outputBytes);
    const before = this.position(at.input);
    const result = library.ZSTD_decompressStream(this.context, at.output, at.input);
    const made = this.position(at.output);
    const after = this.position(at.input);
    const used = after >= new DataView(library.memory.buffer).getUint32(at.input + 4, true);
    if (isError(result) || (made === 0 && after === before && !used)) throw damaged('damaged');
    return { made: new Uint8Array(library.memory.buffer, at.to, made).slice(), used, ended: result === 0 };
  }

  private buffer(at: number, pointer: number, size: number): void {
    const view = new DataView(this.library.memory.buffer);
    view.setUint32(at, pointer, true);
    view.setUint32(at + 4, size, true);
    view.setUint32(at + 8, 0, true);
  }

  private position(at: number): number {
    return new DataView(this.library.memory.buffer).getUint32(at + 8, true);
  }
}

/** What a file of one frame or more makes, in pieces of at most 256 KiB. Rejects with DecodeError. */
export async function* unzstdStream(
  library: ZstdExports,
  input: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const context = new Context(library);
  try {
    let ended = false;
    for await (const piece of input) {
      for (let start = 0; start < piece.length; start += INPUT_BYTES) {
        context.load(piece.subarray(start, start + INPUT_BYTES));
        for (;;) {
          const step = context.step(OUTPUT_BYTES);
          ended = step.ended;
          if (step.made.length > 0) yield step.made;
          // A full buffer may mean that more waits inside.
          if (step.used && (step.made.length < OUTPUT_BYTES || step.ended)) break;
        }
      }
    }
    if (!ended) throw damaged('cut off');
  } finally {
    context.close();
  }
}

/** One frame that makes exactly `sizeBytes`, at most 2 MiB of them; what stands behind it is not looked at. DecodeError. */
export function unzstdFrame(library: ZstdExports, input: Uint8Array, sizeBytes: number): Uint8Array {
  const context = new Context(library);
  try {
    const output = new Uint8Array(sizeBytes);
    let at = 0;
    for (let start = 0; start < input.length; start += INPUT_BYTES) {
      context.load(input.subarray(start, start + INPUT_BYTES));
      for (;;) {
        const step = context.step(OUTPUT_BYTES);
        if (at + step.made.length > sizeBytes) throw damaged('longer than it should be');
        output.set(step.made, at);
        at += step.made.length;
        if (step.ended) {
          if (at !== sizeBytes) throw damaged('shorter than it should be');
          return output;
        }
        if (step.used && step.made.length < OUTPUT_BYTES) break;
      }
    }
    throw damaged('cut off');
  } finally {
    context.close();
  }
}
