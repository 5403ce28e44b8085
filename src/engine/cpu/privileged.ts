/** Numbers by which the host's `privileged` hook knows the instruction (OP_AUX of the row). */
export const PRIVILEGED_RDMSR = 1;
export const PRIVILEGED_WRMSR = 2;
export const PRIVILEGED_CLI = 3;
export const PRIVILEGED_STI = 4;
export const PRIVILEGED_IN = 5;
export const PRIVILEGED_OUT = 6;
export const PRIVILEGED_INS = 7;
export const PRIVILEGED_OUTS = 8;
/** OP_REG = number of the control register, OP_RM = offset of the GPR. */
export const PRIVILEGED_MOV_FROM_CR = 9;
export const PRIVILEGED_MOV_TO_CR = 10;
export const PRIVILEGED_MOV_FROM_DR = 11;
export const PRIVILEGED_MOV_TO_DR = 12;
export const PRIVILEGED_CLTS = 13;
export const PRIVILEGED_WBINVD = 14;
export const PRIVILEGED_INVD = 15;
export const PRIVILEGED_HLT = 16;
export const PRIVILEGED_LGDT = 17;
export const PRIVILEGED_LIDT = 18;
export const PRIVILEGED_LLDT = 19;
export const PRIVILEGED_LTR = 20;
export const PRIVILEGED_INVLPG = 21;
export const PRIVILEGED_SWAPGS = 22;
export const PRIVILEGED_SYSRET = 23;
export const PRIVILEGED_SYSEXIT = 24;
export const PRIVILEGED_LMSW = 25;
export const PRIVILEGED_RDPMC = 26;
/** IRET with a 16- or 32-bit frame. */
export const PRIVILEGED_IRET = 27;
export const PRIVILEGED_SYSENTER = 28;
/** IN, OUT: with the port in DX (the rows with an immediate port have the plain numbers). */
export const PRIVILEGED_IN_DX = 29;
export const PRIVILEGED_OUT_DX = 30;
