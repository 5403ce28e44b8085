/** What a block back end serves, whatever keeps the bytes. */

/** Sectors of the block protocol; larger ones of a device are multiples. */
export const SECTOR_BYTES = 512;

/**
 * A disk. Sectors are checked by the caller: an access beyond `sectors` is a RangeError. Accesses that overlap while both are
 * under way may take effect in either order. Rejections are StorageErrors; a rejected write may have taken effect in part.
 */
export interface DiskImage {
  /** Current size in sectors of 512 bytes. */
  readonly sectors: number;
  readonly readOnly: boolean;
  /** 512, or 4096 when the device takes whole sectors of 4096 bytes only. */
  readonly sectorBytes: 512 | 4096;
  /** Sectors that discard gives back as one; 0 = discard has no effect. */
  readonly discardGranularity: number;
  /** Fills `into`, a whole number of sectors; it may lie in shared memory. */
  read(sector: number, into: Uint8Array): Promise<void>;
  /** `from` is a whole number of sectors, is left alone by the caller until this resolves, and may lie in shared memory. */
  write(sector: number, from: Uint8Array): Promise<void>;
  /**
   * What lies in memory, without waiting: fills the pieces one behind the other, each a whole number of sectors, and returns true;
   * or does nothing and returns false. RangeError as of `read`.
   */
  readNow?(sector: number, pieces: readonly Uint8Array[]): boolean;
  /**
   * Waits until `readNow` of so many bytes finds them in memory, or there is room for `writeNow` of as many; both may still say no.
   * RangeError and rejections as of `read` and `write`.
   */
  ready?(sector: number, bytes: number, forWriting: boolean): Promise<void>;
  /** As `write`, of the pieces one behind the other, if that needs no waiting; else false, and nothing is done. */
  writeNow?(sector: number, pieces: readonly Uint8Array[]): boolean;
  /** Resolves when every write that had resolved before the call is durable. */
  flush(): Promise<void>;
  /** The contents are not needed any more: what lies in whole granules reads as zeros afterwards, the rest is unchanged. */
  discard(sector: number, count: number): Promise<void>;
  /** Called after the size changed; the function returned ends that. */
  onResize(listener: () => void): () => void;
}

/** Bytes of pieces that are one access. */
export function lengthOf(pieces: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const piece of pieces) bytes += piece.length;
  return bytes;
}
