/** Copying a disk's contents in pieces, watched and called off from outside. */
import { isZero, type DiskTarget, type SparseDisk } from './byte-source.ts';

/** The size of a piece: a few of them are all that a transfer keeps in memory. */
export const PIECE_BYTES = 1024 * 1024;

export type ByteStream = AsyncIterable<Uint8Array>;

/**
 * Called after each piece with how far it is; awaited. Throws to end the transfer.
 * @param total undefined while it is not known
 */
export type OnProgress = (doneBytes: number, totalBytes: number | undefined) => Promise<void> | void;

/** Zeros and holes are left out. */
export async function copyDisk(from: SparseDisk, to: DiskTarget, onProgress: OnProgress): Promise<void> {
  const { sizeBytes } = from;
  for (let at = 0; at < sizeBytes;) {
    const data = await from.nextData(at);
    if (data >= sizeBytes) break;
    // Pieces begin at multiples of their size: what is written covers whole chunks.
    at = Math.floor(data / PIECE_BYTES) * PIECE_BYTES;
    const piece = new Uint8Array(Math.min(PIECE_BYTES, sizeBytes - at));
    await from.read(at, piece);
    await writePiece(to, at, piece);
    at += piece.length;
    await onProgress(at, sizeBytes);
  }
  await onProgress(sizeBytes, sizeBytes);
}

const GRAIN_BYTES = 64 * 1024;

/** Writes what is not zero of a piece, in grains of 64 KiB put together. */
async function writePiece(to: DiskTarget, at: number, piece: Uint8Array): Promise<void> {
  let start: number | undefined;
  for (let grain = 0; grain <= piece.length; grain += GRAIN_BYTES) {
    const holds = grain < piece.length && !isZero(piece.subarray(grain, grain + GRAIN_BYTES));
    if (holds) start ??= grain;
    else if (start !== undefined) {
      await to.write(at + start, piece.subarray(start, Math.min(grain, piece.length)));
      start = undefined;
    }
  }
  if (start !== undefined) await to.write(at + start, piece.subarray(start));
}
