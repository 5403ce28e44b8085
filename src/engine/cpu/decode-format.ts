/** Layout of the decoder's generated tables, shared by the build that writes them and the decoder that reads them. */

/** A row in the table: 16 bytes. */
export const ROW_BYTES = 16;
/** u8: 0 any, 1 none of 66 F2 F3, 2 66, 3 F3, 4 F2. */
export const ROW_PREFIX = 0;
/** u8 ModRM.reg, 0xff any. */
export const ROW_EXTENSION = 1;
/** u8: 0 any, 1 memory, 2 register. */
export const ROW_MOD = 2;
/** u8 ModRM.rm, 0xff any. */
export const ROW_RM = 3;
/** u8 REX.W, 0xff any. */
export const ROW_REXW = 4;
/** u8 ROWF_*. */
export const ROW_FLAGS = 5;
/** u8: SIZE_*, or the size itself. */
export const ROW_SIZE = 6;
export const ROW_REG_KIND = 7;
export const ROW_RM_KIND = 8;
export const ROW_IMMEDIATE_KIND = 9;
export const ROW_AUX = 10;
/** u8 REX.B, 0xff any. */
export const ROW_REXB = 11;

export const ROWF_MODRM = 1;
export const ROWF_LOCK = 2;
export const ROWF_DEFAULT64 = 4;
export const ROWF_ENDS = 8;
/** The rm field names a register whatever ModRM.mod says. */
export const ROWF_FORCE_REGISTER = 16;

export const SIZE_V = 32; // 2, 4 or 8 by prefixes
export const SIZE_Y = 33; // 4, or 8 with REX.W
export const SIZE_Z = 34; // 2 or 4

export const REG_NONE = 0;
export const REG_GPR = 1;
export const REG_GPR_BYTE = 2;
/** Number with REX.R. */
export const REG_NUMBER = 3;
/** Number without REX (MMX, segments). */
export const REG_NUMBER_LOW = 4;
export const REG_ACCUMULATOR = 5;

export const RM_NONE = 0;
export const RM_GPR = 1;
export const RM_GPR_BYTE = 2;
export const RM_NUMBER = 3;
export const RM_NUMBER_LOW = 4;
export const RM_ACCUMULATOR = 5;
export const RM_OPCODE = 6;
export const RM_OPCODE_BYTE = 7;

export const IMMEDIATE_NONE = 0;
export const IMMEDIATE_B = 1;
export const IMMEDIATE_W = 2;
export const IMMEDIATE_Z = 3;
export const IMMEDIATE_V = 4;
export const IMMEDIATE_REL8 = 5;
export const IMMEDIATE_REL32 = 6;
export const IMMEDIATE_OFFSET = 7;
export const IMMEDIATE_W_B = 8;
export const IMMEDIATE_ONE = 9;
