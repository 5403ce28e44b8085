/** Bits of segment descriptors. @sdm Vol.3A 3.4.5 */
export const DESCRIPTOR_PRESENT: u64 = 0x0000800000000000;
/** DPL, both bits: level 3. */
export const DESCRIPTOR_DPL3: u64 = 0x0000600000000000;
/** S: code or data, no system descriptor. */
export const DESCRIPTOR_CODE_OR_DATA: u64 = 0x0000100000000000;
export const DESCRIPTOR_CODE: u64 = 0x0000080000000000;
export const DESCRIPTOR_CONFORMING: u64 = 0x0000040000000000;
export const DESCRIPTOR_WRITABLE: u64 = 0x0000020000000000;
/** L: the code is 64-bit code. */
export const DESCRIPTOR_LONG: u64 = 0x0020000000000000;
/** D: operands of 32 bits by default; not with L. */
export const DESCRIPTOR_D: u64 = 0x0040000000000000;
