/** The block ring: operations, results and where fields lie. @see xen/include/public/io/blkif.h */

export const BLKIF_OP_READ = 0;
export const BLKIF_OP_WRITE = 1;
export const BLKIF_OP_WRITE_BARRIER = 2;
export const BLKIF_OP_FLUSH_DISKCACHE = 3;
export const BLKIF_OP_DISCARD = 5;
export const BLKIF_OP_INDIRECT = 6;

export const BLKIF_RSP_OKAY = 0;
export const BLKIF_RSP_ERROR = -1;
export const BLKIF_RSP_EOPNOTSUPP = -2;

export const BLKIF_MAX_SEGMENTS_PER_REQUEST = 11;
export const BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST = 8;

export const VDISK_CDROM = 1;
export const VDISK_REMOVABLE = 2;
export const VDISK_READONLY = 4;

/** A segment: u32 gref, u8 first_sect, u8 last_sect, u16 pad; the same in a request and in an indirect page. */
export const BLKIF_SEGMENT_BYTES = 8;
export const BLKIF_SEGMENTS_PER_INDIRECT_PAGE = 512;

/**
 * Offsets that depend on how the guest's compiler aligns u64: 8 bytes in 64-bit guests, 4 in 32-bit ones. Common to both:
 * u8 operation at 0; u8 nr_segments, discard's u8 flag or indirect's u8 operation at 1; indirect's u16 nr_segments at 2.
 */
export interface BlkifLayout {
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly id: number;
  readonly sector: number;
  readonly segments: number;
  readonly discardCount: number;
  readonly indirectGrefs: number;
  /** In a response: u64 id at 0, then u8 operation, s16 status. */
  readonly responseOperation: number;
  readonly responseStatus: number;
}

export const BLKIF_X86_64: BlkifLayout = {
  requestBytes: 112,
  responseBytes: 16,
  id: 8,
  sector: 16,
  segments: 24,
  discardCount: 24,
  indirectGrefs: 28,
  responseOperation: 8,
  responseStatus: 10,
};

export const BLKIF_X86_32: BlkifLayout = {
  requestBytes: 108,
  responseBytes: 12,
  id: 4,
  sector: 12,
  segments: 20,
  discardCount: 20,
  indirectGrefs: 24,
  responseOperation: 8,
  responseStatus: 10,
};
