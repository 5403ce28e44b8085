/**
 * A machine state in front of or behind one vector instruction on registers, as the native program and the test exchange it.
 * All numbers are little-endian.
 */
export const RECORD_BYTES = 120;
/** u8, then that many bytes of code. */
export const RECORD_CODE_LENGTH = 0;
export const RECORD_CODE = 1;
/** u8: exception vector, 0 = none. */
export const RECORD_VECTOR = 15;
/** XMM0 to XMM2. */
export const RECORD_XMM = 16;
/** MM0, MM1. */
export const RECORD_MM = 64;
/** u16: sign and exponent of the x87 register under MM0 (0x3fff before). */
export const RECORD_EXPONENT = 80;
/** u8: top of the x87 stack; u8: abridged tag word. */
export const RECORD_TOP = 82;
export const RECORD_TAGS = 83;
export const RECORD_MXCSR = 84;
export const RECORD_RAX = 88;
export const RECORD_RCX = 96;
export const RECORD_RDX = 104;
/** u32: CF PF AF ZF SF OF. */
export const RECORD_FLAGS = 112;
/** What mm0's exponent is before the instruction. */
export const EXPONENT_BEFORE = 0x3fff;
