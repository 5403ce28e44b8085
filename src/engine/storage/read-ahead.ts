/**
 * Where a reader in order is on a volume, and what it is to be got before it asks. Told of reads in the order in which they come:
 * a front end has many under way, so that they are served in any order, and chunks behind the furthest are read again.
 *
 * What is fetched ahead is asked for in pieces, the size at which the stores are fast, and several of them at once, since a store
 * that waits for the next piece to be asked for does nothing. How many grows with the way the reader has come: who reads a little
 * in order is not got much more.
 */

/** Chunks of a piece, 4 MiB. */
export const PIECE_CHUNKS = 16;
/** Chunks ahead of a reader that goes on and on, 12 MiB. */
export const AHEAD_CHUNKS_MAX = 3 * PIECE_CHUNKS;
/** Chunks behind the furthest one that a reader in order still reads, 16 MiB: more than front ends have under way. */
const BEHIND_CHUNKS = 64;

export class ReadAhead {
  /** The chunks that the reader began and has come to; before the first read it stands before the start. */
  private began = -1;
  private reached = -1;
  /** The first chunk that was not asked for, for this reader. */
  private asked = 0;

  /** A read of these chunks has come: the first chunks of pieces that are to be fetched now. */
  read(first: number, last: number): number[] {
    if (first > this.reached + 1 || first < this.reached - BEHIND_CHUNKS) {
      this.began = first;
      this.reached = last;
      this.asked = last + 1;
      return [];
    }
    if (last <= this.reached) return [];
    this.reached = last;
    const ahead = Math.min(AHEAD_CHUNKS_MAX, PIECE_CHUNKS + 2 * (last - this.began));
    const pieces: number[] = [];
    for (; this.asked + PIECE_CHUNKS <= last + 1 + ahead; this.asked += PIECE_CHUNKS) pieces.push(this.asked);
    return pieces;
  }
}
