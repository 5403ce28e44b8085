/**
 * .xz files by the decoder in assembly/, a small Wasm module of its own: an instance for each file, with memory for the file
 * and what it makes.
 */
import { DecodeError } from './decode-error.ts';
import {
  XZ_BAD_CHECK,
  XZ_BAD_DATA,
  XZ_BAD_HEADER,
  XZ_BAD_INDEX,
  XZ_CUT_OFF,
  XZ_NOT_XZ,
  XZ_OK,
  XZ_SLACK_BYTES,
  XZ_TOO_LONG,
  XZ_TOO_SHORT,
  XZ_UNSUPPORTED_CHECK,
  XZ_UNSUPPORTED_FILTER,
} from './assembly/status.ts';

const FORMAT = 'xz';
const WASM_PAGE_BYTES = 65536;

export const XZ_REASONS: Readonly<Record<number, string>> = {
  [XZ_CUT_OFF]: 'the xz file is cut off',
  [XZ_NOT_XZ]: 'this is not an xz file, or something follows it that is not',
  [XZ_BAD_HEADER]: 'the xz file is damaged: a header contradicts itself',
  [XZ_UNSUPPORTED_FILTER]: 'the xz file uses a filter other than LZMA2 and x86: repack it with these',
  [XZ_UNSUPPORTED_CHECK]: 'the xz file uses an unknown check: repack it with CRC32 or CRC64',
  [XZ_BAD_DATA]: 'the xz file is damaged: its data makes no sense',
  [XZ_BAD_CHECK]: 'the xz file is damaged: what it makes has another checksum',
  [XZ_TOO_LONG]: 'the xz file makes more bytes than it should',
  [XZ_TOO_SHORT]: 'the xz file makes fewer bytes than it should',
  [XZ_BAD_INDEX]: 'the xz file is damaged: its index does not fit its blocks',
};

/** Expands an .xz file that makes exactly `sizeBytes`. */
export type Unxz = (input: Uint8Array, sizeBytes: number) => Promise<Uint8Array>;

interface CodecExports {
  readonly memory: WebAssembly.Memory;
  readonly freeFrom: () => number;
  readonly decodeXz: (input: number, inputBytes: number, output: number, outputBytes: number) => number;
}

const aligned = (value: number) => Math.ceil(value / XZ_SLACK_BYTES) * XZ_SLACK_BYTES;

/** A trap would be a mistake of the decoder's, but it must not be more than a failed file. */
function run(codec: CodecExports, inputAt: number, inputBytes: number, outputAt: number, sizeBytes: number): number {
  try {
    return codec.decodeXz(inputAt, inputBytes, outputAt, sizeBytes);
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) throw new DecodeError(FORMAT, `the xz decoder has stopped (${error.message})`);
    throw error;
  }
}

/**
 * @param module codec.wasm, compiled
 * @returns a decoder; what it makes lies in a memory that lives as long as the result
 */
export function createUnxz(module: WebAssembly.Module): Unxz {
  return async (input, sizeBytes) => {
    const instance = await WebAssembly.instantiate(module, {
      env: {
        abort: () => {
          throw new DecodeError(FORMAT, 'the xz decoder has stopped');
        },
      },
    });
    const codec = instance.exports as unknown as CodecExports;
    const inputAt = codec.freeFrom();
    const outputAt = aligned(inputAt + input.length + XZ_SLACK_BYTES);
    const end = aligned(outputAt + sizeBytes + XZ_SLACK_BYTES);
    const missing = Math.ceil((end - codec.memory.buffer.byteLength) / WASM_PAGE_BYTES);
    try {
      if (missing > 0) codec.memory.grow(missing);
    } catch {
      throw new DecodeError(FORMAT, `there is no memory for the ${sizeBytes} bytes the xz file makes`);
    }
    new Uint8Array(codec.memory.buffer, inputAt, input.length).set(input);
    const status = run(codec, inputAt, input.length, outputAt, sizeBytes);
    if (status !== XZ_OK) throw new DecodeError(FORMAT, XZ_REASONS[status] ?? `the xz decoder has failed with status ${status}`);
    return new Uint8Array(codec.memory.buffer, outputAt, sizeBytes);
  };
}
