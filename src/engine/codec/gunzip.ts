/**
 * gzip by the platform's DecompressionStream, which enters as an interface. The stream checks CRC and length of the member;
 * the limit on its output is kept here.
 * @see RFC 1952; Compression Streams, "gzip"
 */
import { DecodeError } from './decode-error.ts';

const FORMAT = 'gzip';
/** The output is collected in pieces while this much input is handed over at a time. */
const INPUT_PIECE_BYTES = 1024 * 1024;

/** The part of a DecompressionStream that is used. */
export interface ByteTransform {
  readonly readable: {
    getReader(): {
      read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
      cancel(): Promise<void>;
    };
  };
  readonly writable: {
    getWriter(): {
      write(piece: Uint8Array<ArrayBuffer>): Promise<void>;
      close(): Promise<void>;
      abort(): Promise<void>;
    };
  };
}

/** Expands a gzip file of one member; rejects with DecodeError when it is damaged or makes more than `limitBytes`. */
export type Gunzip = (input: Uint8Array, limitBytes: number) => Promise<Uint8Array>;

/** @param transform makes a new stream each time: `() => new DecompressionStream('gzip')` */
export function createGunzip(transform: () => ByteTransform): Gunzip {
  return async (input, limitBytes) => {
    const stream = transform();
    const writer = stream.writable.getWriter();
    const reader = stream.readable.getReader();
    const feed = async () => {
      for (let at = 0; at < input.length; at += INPUT_PIECE_BYTES) await writer.write(input.slice(at, at + INPUT_PIECE_BYTES));
      await writer.close();
    };
    // A damaged stream fails at both ends: the reader's failure is the one reported.
    const fed = feed().catch(() => undefined);
    const pieces: Uint8Array[] = [];
    let total = 0;
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        if (value === undefined) continue;
        total += value.length;
        if (total > limitBytes) break;
        pieces.push(value);
      }
    } catch (error) {
      throw new DecodeError(
        FORMAT,
        `the gzip stream is damaged or cut off (${error instanceof Error ? error.message : String(error)})`,
      );
    }
    if (total > limitBytes) {
      await Promise.allSettled([reader.cancel(), writer.abort(), fed]);
      throw new DecodeError(FORMAT, `the gzip stream makes more than the ${limitBytes} bytes allowed`);
    }
    await fed;
    const output = new Uint8Array(total);
    let at = 0;
    for (const piece of pieces) {
      output.set(piece, at);
      at += piece.length;
    }
    return output;
  };
}

/**
 * What a gzip file of one member makes, as it comes. Rejects with DecodeError.
 * @param transform makes a new stream: `() => new DecompressionStream('gzip')`
 */
export async function* gunzipStream(
  transform: () => ByteTransform,
  input: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const stream = transform();
  const writer = stream.writable.getWriter();
  const reader = stream.readable.getReader();
  let sourceFailed = false;
  let sourceError: unknown;
  const pieces = input[Symbol.asyncIterator]();
  const feed = async (): Promise<void> => {
    for (;;) {
      const next = await pieces.next().catch(async (error: unknown) => {
        sourceFailed = true;
        sourceError = error;
        await writer.abort();
        return { done: true, value: undefined } as const;
      });
      if (sourceFailed) return;
      if (next.done === true) break;
      for (let at = 0; at < next.value.length; at += INPUT_PIECE_BYTES)
        await writer.write(next.value.slice(at, at + INPUT_PIECE_BYTES));
    }
    await writer.close();
  };
  // A damaged stream fails at both ends: the reader's failure is the one reported.
  const fed = feed().catch(() => undefined);
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        if (sourceFailed) throw sourceError;
        const reason = error instanceof Error ? error.message : String(error);
        throw new DecodeError(FORMAT, `the gzip stream is damaged or cut off (${reason})`);
      });
      if (done) break;
      if (value !== undefined) yield value;
    }
    await fed;
  } finally {
    await Promise.allSettled([reader.cancel(), writer.abort()]);
    await pieces.return?.();
  }
}
