/** The two ends of a transfer between page and worker: sources, sinks, and the observer, which is asked now and then. */
import type { ByteSource } from '../../engine/images/byte-source.ts';
import { ImageError } from '../../engine/images/image-error.ts';
import { PIECE_BYTES, type ByteStream, type OnProgress } from '../../engine/images/transfer.ts';
import { Interrupted, type Clock } from '../../engine/toolstack/services.ts';
import type { PieceSink, PieceSource, TransferObserver } from '../protocol.ts';

/** How often an observer is told. */
const OBSERVED_EVERY_MS = 100;

/** Tells the observer, and ends the transfer with Interrupted when it says so. */
export function observed(observer: TransferObserver, clock: Clock): OnProgress {
  let told = -Infinity;
  return async (done, total) => {
    const now = clock.nowMs();
    if (now - told < OBSERVED_EVERY_MS && now >= told) return;
    told = now;
    if (!(await observer.progress(done, total))) throw new Interrupted();
  };
}

/** A file of the page's, read where it lies. */
export function sourceOfBlob(blob: Blob): ByteSource {
  return {
    sizeBytes: blob.size,
    read: async (offset, into) => {
      let bytes: Uint8Array;
      try {
        bytes = new Uint8Array(await blob.slice(offset, offset + into.length).arrayBuffer());
      } catch (cause) {
        throw new ImageError(`the file cannot be read any more (${cause instanceof Error ? cause.message : String(cause)})`);
      }
      into.set(bytes);
    },
  };
}

export async function* streamOfPieces(source: PieceSource): AsyncGenerator<Uint8Array, void, undefined> {
  for (let piece = await source.next(); piece !== undefined; piece = await source.next()) if (piece.length > 0) yield piece;
}

/** Hands a stream to the other side piece by piece. Interrupted when that wants no more. */
export async function drain(stream: ByteStream, sink: PieceSink): Promise<void> {
  for await (const piece of stream) {
    for (let at = 0; at < piece.length; at += PIECE_BYTES)
      if (!(await sink.write(piece.slice(at, at + PIECE_BYTES)))) throw new Interrupted();
  }
}
