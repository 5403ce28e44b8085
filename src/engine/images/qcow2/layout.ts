/**
 * The qcow2 format's numbers. All of it is big-endian.
 * @see QEMU's docs/interop/qcow2.txt (rst), "Header", "Host cluster management", "Cluster mapping"
 */

/** "QFI\xfb" */
export const QCOW_MAGIC = 0x514649fb;
export const HEADER_V2_BYTES = 72;
export const HEADER_V3_BYTES = 104;
/** With the compression type and its padding. */
export const HEADER_WRITTEN_BYTES = 112;

// Offsets of the header's fields.
export const H_MAGIC = 0;
export const H_VERSION = 4;
export const H_BACKING_OFFSET = 8;
export const H_CLUSTER_BITS = 20;
export const H_SIZE = 24;
export const H_CRYPT_METHOD = 32;
export const H_L1_SIZE = 36;
export const H_L1_OFFSET = 40;
export const H_REFCOUNT_TABLE_OFFSET = 48;
export const H_REFCOUNT_TABLE_CLUSTERS = 56;
export const H_SNAPSHOTS = 60;
export const H_SNAPSHOTS_OFFSET = 64;
export const H_INCOMPATIBLE = 72;
export const H_COMPATIBLE = 80;
export const H_AUTOCLEAR = 88;
export const H_REFCOUNT_ORDER = 96;
export const H_HEADER_LENGTH = 100;
export const H_COMPRESSION_TYPE = 104;

export const CLUSTER_BITS_MIN = 9;
export const CLUSTER_BITS_MAX = 21;
/** 16-bit refcounts. */
export const REFCOUNT_ORDER_DEFAULT = 4;

// Incompatible features.
export const FEATURE_DIRTY = 1;
export const FEATURE_CORRUPT = 2;
export const FEATURE_EXTERNAL_DATA = 4;
export const FEATURE_COMPRESSION = 8;
export const FEATURE_EXTENDED_L2 = 16;
/** Compatible: refcounts may lag behind while the dirty bit is set. */
export const FEATURE_LAZY_REFCOUNTS = 1;

export const COMPRESSION_DEFLATE = 0;
export const COMPRESSION_ZSTD = 1;

// Entries of the tables, in their upper 32 bits.
export const COPIED = 0x80000000;
export const COMPRESSED = 0x40000000;
/** Lowest bit of a standard entry: reads as zeros, whatever the offset. */
export const ZERO_FLAG = 1;
export const ENTRY_BYTES = 8;
/** As the format's usual reader allows: 32 MiB of L1 table. */
export const L1_BYTES_MAX = 32 * 1024 * 1024;
