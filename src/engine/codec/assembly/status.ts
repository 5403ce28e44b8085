/**
 * What the decoders return, as seen from both sides: the file is in the common subset of AssemblyScript and TypeScript.
 */
export const XZ_OK = 0;
/** The input ends before the stream does. */
export const XZ_CUT_OFF = 1;
export const XZ_NOT_XZ = 2;
/** A header, index or footer contradicts itself or its CRC. */
export const XZ_BAD_HEADER = 3;
/** A check type, filter or option this decoder does not have. */
export const XZ_UNSUPPORTED_FILTER = 4;
export const XZ_UNSUPPORTED_CHECK = 5;
/** The compressed data makes no sense. */
export const XZ_BAD_DATA = 6;
/** The bytes made do not have the checksum stated. */
export const XZ_BAD_CHECK = 7;
export const XZ_TOO_LONG = 8;
export const XZ_TOO_SHORT = 9;
/** The index does not list the blocks that came. */
export const XZ_BAD_INDEX = 10;

export const LZ4_OK = 0;
export const LZ4_NOT_LZ4 = 1;
/** The input ends inside the length of a block, or inside a block. */
export const LZ4_CUT_BLOCK_LENGTH = 2;
export const LZ4_CUT_BLOCK = 3;
/** A block ends inside a sequence: before its token, in a length, in the literals, or before its match. */
export const LZ4_CUT_SEQUENCE = 4;
export const LZ4_CUT_LITERAL_LENGTH = 5;
export const LZ4_CUT_LITERALS = 6;
export const LZ4_CUT_MATCH = 7;
export const LZ4_CUT_MATCH_LENGTH = 8;
/** A match points before its block. */
export const LZ4_BAD_DISTANCE = 9;
export const LZ4_TOO_LONG = 10;
export const LZ4_TOO_SHORT = 11;

/** The input given is used up; what there is of it in the middle of something is to be given again, with more behind it. */
export const INFLATE_NEEDS_INPUT = 0;
/** The bytes made are to be taken away. */
export const INFLATE_NEEDS_ROOM = 1;
export const INFLATE_ENDED = 2;
export const INFLATE_BAD_DATA = 3;

/** Bytes after input and output that a decoder may read or write beyond their ends. */
export const SLACK_BYTES = 64;
