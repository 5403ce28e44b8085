/**
 * Bytes that programs read from beginning to end and write so, a piece at a time: files, what is piped in and out, and the platform's
 * compression of either. Nothing is held whole but what a pipe of the shell holds anyway.
 */
import { GzipError, type GzipPadding } from '../../../engine/codec/gunzip.ts';
import type { FileSystem, OpenFile } from '../../../engine/storage/file-system.ts';
import type { CommandIo } from '../../../engine/toolstack/command.ts';
import type { ImageCodecs } from '../../decoders.ts';
import { ProgramError, type FileTools } from './file-program.ts';

/** Fills an array from its beginning; fewer bytes only at the end. */
export interface ByteInput {
  read(into: Uint8Array): Promise<number>;
  close(): Promise<void>;
}

export interface ByteOutput {
  write(bytes: Uint8Array): Promise<void>;
  /** All is written. */
  end(): Promise<void>;
  /** Without an end: something went wrong. */
  drop(): Promise<void>;
}

/** What programs for compressed files work with. */
export interface ArchiveTools extends FileTools {
  readonly codecs: Pick<ImageCodecs, 'gunzipStream'>;
}

const PIECE_BYTES = 256 * 1024;

export function inputOf(file: OpenFile): ByteInput {
  let at = 0;
  return {
    read: async (into) => {
      const count = await file.read(at, into);
      at += count;
      return count;
    },
    close: () => file.close(),
  };
}

/** A file, or with "-" what is piped in. */
export async function openInput(files: FileSystem, path: string, io: CommandIo): Promise<ByteInput> {
  if (path !== '-') return inputOf(await files.open(path));
  if (io.stdinBytes === undefined) throw new ProgramError('nothing is piped in; name a file');
  let rest = io.stdinBytes;
  return {
    read: (into) => {
      const part = rest.subarray(0, into.length);
      into.set(part);
      rest = rest.subarray(part.length);
      return Promise.resolve(part.length);
    },
    close: () => Promise.resolve(),
  };
}

/** A file that is made or cut to nothing, or with "-" what reads this program's output. */
export async function openOutput(files: FileSystem, path: string, io: CommandIo): Promise<ByteOutput> {
  if (path === '-') {
    if (io.outBytes === undefined || io.terminal !== undefined)
      throw new ProgramError('bytes are not written to a terminal; name a file, or send them there with >');
    return {
      write: (bytes) => {
        io.outBytes?.(bytes);
        return Promise.resolve();
      },
      end: () => Promise.resolve(),
      drop: () => Promise.resolve(),
    };
  }
  const file = await files.open(path, { create: 0o644 });
  await file.truncate(0);
  let at = 0;
  return {
    write: async (bytes) => {
      await file.write(at, bytes);
      at += bytes.length;
    },
    end: () => file.close(),
    drop: () => file.close(),
  };
}

/** Reads from pieces that come one by one, undefined behind the last. */
function filling(next: () => Promise<Uint8Array | undefined>): ByteInput['read'] {
  let rest: Uint8Array = new Uint8Array(0);
  return async (into) => {
    let filled = 0;
    while (filled < into.length) {
      if (rest.length === 0) {
        const piece = await next();
        if (piece === undefined) break;
        rest = piece;
      }
      const part = rest.subarray(0, into.length - filled);
      into.set(part, filled);
      filled += part.length;
      rest = rest.subarray(part.length);
    }
    return filled;
  };
}

/** What comes out of a transformation of all of the input. Errors of either side reach the reader. */
function through(input: ByteInput, transform: GenericTransformStream): ByteInput {
  const writer = (transform.writable as WritableStream<Uint8Array>).getWriter();
  const reader = (transform.readable as ReadableStream<Uint8Array>).getReader();
  let unread: Error | undefined;
  const pump = async (): Promise<void> => {
    for (;;) {
      const piece = new Uint8Array(PIECE_BYTES);
      const count = await input.read(piece).catch((error: unknown) => {
        unread = error instanceof Error ? error : new Error(String(error));
        throw unread;
      });
      if (count > 0) await writer.write(piece.subarray(0, count));
      if (count < piece.length) break;
    }
    await writer.close();
  };
  // The reader hears of it.
  const pumped = pump().catch((error: unknown) => writer.abort(error).catch(() => undefined));
  return {
    read: filling(async () => {
      const { value } = await reader.read().catch((error: unknown) => {
        throw unread ?? error;
      });
      return value;
    }),
    close: async () => {
      await reader.cancel().catch(() => undefined);
      await pumped;
      await input.close();
    },
  };
}

export const PADDING_WARNINGS: Readonly<Record<GzipPadding, string>> = {
  zeros: 'decompression OK, trailing zero bytes ignored',
  garbage: 'decompression OK, trailing garbage ignored',
};

/**
 * What a gzip file makes. Rejects with ProgramError.
 * @param what begins messages
 */
export async function* unzippedPieces(
  { codecs }: ArchiveTools,
  input: ByteInput,
  what: string,
  onPadding: (padding: GzipPadding) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* codecs.gunzipStream(piecesOf(input), onPadding);
  } catch (error) {
    throw error instanceof GzipError ? new ProgramError(`${what}: ${error.reason}`) : error;
  }
}

/** The same, read; closing it closes the input. */
export function unzipped(...parameters: Parameters<typeof unzippedPieces>): ByteInput {
  const [, input] = parameters;
  const pieces = unzippedPieces(...parameters);
  return {
    read: filling(async () => (await pieces.next()).value ?? undefined),
    close: async () => {
      await pieces.return();
      await input.close();
    },
  };
}

export const zipped = (input: ByteInput): ByteInput => through(input, new CompressionStream('gzip'));

export async function* piecesOf(input: ByteInput): AsyncGenerator<Uint8Array, void, undefined> {
  for (;;) {
    const buffer = new Uint8Array(PIECE_BYTES);
    const count = await input.read(buffer);
    if (count > 0) yield buffer.subarray(0, count);
    if (count < buffer.length) return;
  }
}

/** Copies to the end; `onBytes` hears of each piece. */
export async function pour(input: ByteInput, output: ByteOutput, onBytes: (bytes: number) => void): Promise<void> {
  const buffer = new Uint8Array(PIECE_BYTES);
  for (;;) {
    const count = await input.read(buffer);
    if (count > 0) await output.write(buffer.slice(0, count));
    onBytes(count);
    if (count < buffer.length) return;
  }
}

/** An input of what is written to the output, as far as that is not read yet: one side waits for the other. */
export function pipe(): { readonly input: ByteInput; readonly output: ByteOutput } {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const reader = readable.getReader();
  return {
    input: {
      read: filling(async () => (await reader.read()).value),
      // Cancelling what was dropped fails as the reads did.
      close: () => reader.cancel().catch(() => undefined),
    },
    output: {
      write: (bytes) => writer.write(bytes),
      end: () => writer.close(),
      drop: () => writer.abort(new ProgramError('the archive was not completed')),
    },
  };
}
