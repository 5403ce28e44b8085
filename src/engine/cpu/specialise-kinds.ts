/** Names of what the decoder's tables number. */

/** Operations of ModRM.reg, and of opcodes 00 to 3F. @sdm Vol.2 A.4.2 table A-6, group 1 */
export const ALU_ADD = 0;
export const ALU_OR = 1;
export const ALU_ADC = 2;
export const ALU_SBB = 3;
export const ALU_AND = 4;
export const ALU_SUB = 5;
export const ALU_XOR = 6;
export const ALU_CMP = 7;

/** Kinds of flags besides CC_*: nothing is known of them; lazy ones whose ZF and SF are read off the result. */
export const FLAGS_UNKNOWN: u32 = 100;
export const FLAGS_OTHER: u32 = 101;
