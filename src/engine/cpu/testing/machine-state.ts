/**
 * The register state that a test instruction starts from and ends with. Vector and x87 state is kept as the FXSAVE64 image
 * (SDM Vol. 1, 10.5.1), which the host's kernel hands out as it is; the core's own layout is converted by the fixture.
 */

export const RAX = 0;
export const RCX = 1;
export const RDX = 2;
export const RBX = 3;
export const RSP = 4;
export const RBP = 5;
export const RSI = 6;
export const RDI = 7;
export const R12 = 12;
export const R13 = 13;

export const FLAG_CF = 1;
export const FLAG_PF = 4;
export const FLAG_AF = 0x10;
export const FLAG_ZF = 0x40;
export const FLAG_SF = 0x80;
export const FLAG_DF = 0x400;
export const FLAG_OF = 0x800;
export const ARITHMETIC_FLAGS = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF;
/** RFLAGS that a user program has anyway: bit 1 is fixed, interrupts are on. */
export const FLAGS_BASE = 0x202;

export const FX_BYTES = 512;
export const FX_FCW = 0;
export const FX_FSW = 2;
export const FX_FTW = 4;
export const FX_FOP = 6;
export const FX_FIP = 8;
export const FX_FDP = 16;
export const FX_MXCSR = 24;
/** ST(0)..ST(7), 16 bytes each, 10 used. */
export const FX_ST = 32;
export const FX_XMM = 160;
/** XMM0..15 end here; the rest of the image is reserved or free for software. */
export const FX_XMM_END = 416;

export interface MachineState {
  /** Sixteen general registers in the order of their numbers. */
  readonly gpr: BigUint64Array;
  rip: bigint;
  rflags: number;
  readonly fx: Uint8Array;
}

export interface Fault {
  /** Exception vector. */
  readonly vector: number;
  readonly error: number;
  /** CR2; 0 unless a page fault. */
  readonly address: bigint;
}

export function newState(): MachineState {
  return { gpr: new BigUint64Array(16), rip: 0n, rflags: FLAGS_BASE, fx: new Uint8Array(FX_BYTES) };
}

export function copyState(state: MachineState): MachineState {
  return { gpr: state.gpr.slice(), rip: state.rip, rflags: state.rflags, fx: state.fx.slice() };
}

export function readU16(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
}

export function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value & 0xff;
  bytes[at + 1] = (value >>> 8) & 0xff;
}

export function readU32(bytes: Uint8Array, at: number): number {
  return (readU16(bytes, at) | (readU16(bytes, at + 2) << 16)) >>> 0;
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  writeU16(bytes, at, value & 0xffff);
  writeU16(bytes, at + 2, value >>> 16);
}

export function readU64(bytes: Uint8Array, at: number): bigint {
  return BigInt(readU32(bytes, at)) | (BigInt(readU32(bytes, at + 4)) << 32n);
}

export function writeU64(bytes: Uint8Array, at: number, value: bigint): void {
  writeU32(bytes, at, Number(value & 0xffffffffn));
  writeU32(bytes, at + 4, Number((value >> 32n) & 0xffffffffn));
}
