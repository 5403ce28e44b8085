/** Runs a case of x87-cases.ts in the handlers and returns the record as scripts/oracle-x87.c would. */
import {
  OPF_MEMORY,
  OPF_OPSIZE,
  OP_AUX,
  OP_BASE,
  OP_FLAGS,
  OP_INDEX,
  OP_LENGTH,
  OP_RM,
  OP_SEGMENT,
  VCPU_BLOCKS,
  VCPU_CC_OP,
  VCPU_CC_R,
  VCPU_FCW,
  VCPU_FOP,
  VCPU_FSW,
  VCPU_FTW,
  VCPU_MXCSR,
  VCPU_PAGE,
  VCPU_RAX,
  VCPU_RSI,
  VCPU_X87,
  VCPU_ZERO,
} from '../layout.ts';
import {
  MEMORY_BYTES,
  RECORD_AX,
  RECORD_BYTES,
  RECORD_CODE,
  RECORD_FCW,
  RECORD_FLAGS,
  RECORD_FOP,
  RECORD_FSW,
  RECORD_FTW,
  RECORD_MEMORY,
  RECORD_MXCSR,
  RECORD_ST,
  type X87Case,
} from './x87-cases.ts';
import type { X87Module } from './x87-module.ts';

export const CPU = VCPU_BLOCKS;
export const OP = 0x300000;
export const CODE = 0x310000;
export const OPERAND = 0x320000;

export function runCase(module: X87Module, { row, rm, opsize, record }: X87Case): Uint8Array {
  const { view, bytes } = module;
  bytes.fill(0, CPU, CPU + 0x600);
  bytes.fill(0, OP, OP + 32);
  const length = record[0] ?? 0;
  bytes.set(record.subarray(RECORD_CODE, RECORD_CODE + length), CODE);
  bytes.set(record.subarray(RECORD_MEMORY, RECORD_MEMORY + MEMORY_BYTES), OPERAND);
  const input = new DataView(record.buffer, record.byteOffset, RECORD_BYTES);
  const u16 = (at: number): number => input.getUint16(at, true);

  view.setBigUint64(CPU + VCPU_PAGE, BigInt(CODE), true);
  view.setBigUint64(CPU + VCPU_RSI, BigInt(OPERAND), true);
  view.setUint16(CPU + VCPU_FCW, u16(RECORD_FCW), true);
  view.setUint16(CPU + VCPU_FSW, u16(RECORD_FSW), true);
  view.setUint8(CPU + VCPU_FTW, record[RECORD_FTW] ?? 0);
  view.setUint32(CPU + VCPU_MXCSR, input.getUint32(RECORD_MXCSR, true), true);
  view.setUint32(CPU + VCPU_CC_OP, 0, true);
  view.setUint32(CPU + VCPU_CC_R, input.getUint32(RECORD_FLAGS, true), true);
  for (let i = 0; i < 8; i++) bytes.set(record.subarray(RECORD_ST + 10 * i, RECORD_ST + 10 * i + 10), stackAt(module, i));

  view.setUint8(OP + OP_RM, rm);
  view.setUint8(OP + OP_BASE, VCPU_RSI);
  view.setUint8(OP + OP_INDEX, VCPU_ZERO);
  view.setUint8(OP + OP_SEGMENT, VCPU_ZERO);
  view.setUint8(OP + OP_LENGTH, length);
  view.setUint8(OP + OP_FLAGS, (row.mod === 'memory' ? OPF_MEMORY : 0) | (opsize ? OPF_OPSIZE : 0));
  view.setUint8(OP + OP_AUX, row.aux ?? 0);

  const output = record.slice();
  const outcome = module.call(row.handler, CPU, OP);
  if (outcome !== 0) {
    output.fill(0);
    output[0] = 0xff;
    return output;
  }
  const result = new DataView(output.buffer);
  result.setUint16(RECORD_AX, view.getUint16(CPU + VCPU_RAX, true), true);
  result.setUint16(RECORD_FCW, view.getUint16(CPU + VCPU_FCW, true), true);
  const status = view.getUint16(CPU + VCPU_FSW, true);
  result.setUint16(RECORD_FSW, status, true);
  output[RECORD_FTW] = view.getUint8(CPU + VCPU_FTW);
  result.setUint16(RECORD_FOP, status & 0x80 ? view.getUint16(CPU + VCPU_FOP, true) : 0, true);
  result.setUint32(RECORD_FLAGS, view.getUint32(CPU + VCPU_CC_R, true), true);
  for (let i = 0; i < 8; i++) output.set(bytes.slice(stackAt(module, i), stackAt(module, i) + 10), RECORD_ST + 10 * i);
  output.set(bytes.slice(OPERAND, OPERAND + MEMORY_BYTES), RECORD_MEMORY);
  return output;
}

/** Offset of ST(i). */
function stackAt({ view }: X87Module, i: number): number {
  const top = (view.getUint16(CPU + VCPU_FSW, true) >> 11) & 7;
  return CPU + VCPU_X87 + 16 * ((top + i) & 7);
}
