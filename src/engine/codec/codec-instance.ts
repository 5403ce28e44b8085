/**
 * Whole files by the decoders in assembly/, a small Wasm module of its own: an instance for each file, with memory for the file
 * and what it makes.
 */
import { DecodeError } from './decode-error.ts';
import { SLACK_BYTES } from './assembly/status.ts';

export const WASM_PAGE_BYTES = 65536;

export interface CodecExports {
  readonly memory: WebAssembly.Memory;
  readonly freeFrom: () => number;
  readonly decodeXz: DecodeFile;
  readonly decodeLz4: DecodeFile;
  readonly lz4OutputEnd: { readonly value: number };
}

/** The return is a status. */
type DecodeFile = (input: number, inputBytes: number, output: number, outputBytes: number) => number;

export const aligned = (value: number): number => Math.ceil(value / SLACK_BYTES) * SLACK_BYTES;

/**
 * @param module codec.wasm, compiled
 * @param decode does it, by one of the exports; throws DecodeError when that fails
 * @returns what the file makes, `sizeBytes`, in a memory that lives as long as the result
 */
export async function decodeFile(
  module: WebAssembly.Module,
  format: string,
  input: Uint8Array,
  sizeBytes: number,
  decode: (codec: CodecExports, ...places: Parameters<DecodeFile>) => void,
): Promise<Uint8Array> {
  // A trap would be a mistake of the decoder's, but it must not be more than a failed file.
  const stopped = (why: string) => new DecodeError(format, `the ${format} decoder has stopped (${why})`);
  const abort = (): never => {
    throw stopped('abort');
  };
  const instance = await WebAssembly.instantiate(module, { env: { abort } });
  const codec = instance.exports as unknown as CodecExports;
  const inputAt = codec.freeFrom();
  const outputAt = aligned(inputAt + input.length + SLACK_BYTES);
  const end = aligned(outputAt + sizeBytes + SLACK_BYTES);
  const missing = Math.ceil((end - codec.memory.buffer.byteLength) / WASM_PAGE_BYTES);
  try {
    if (missing > 0) codec.memory.grow(missing);
  } catch {
    throw new DecodeError(format, `there is no memory for the ${sizeBytes} bytes the ${format} file makes`);
  }
  new Uint8Array(codec.memory.buffer, inputAt, input.length).set(input);
  try {
    decode(codec, inputAt, input.length, outputAt, sizeBytes);
  } catch (error) {
    throw error instanceof WebAssembly.RuntimeError ? stopped(error.message) : error;
  }
  return new Uint8Array(codec.memory.buffer, outputAt, sizeBytes);
}
