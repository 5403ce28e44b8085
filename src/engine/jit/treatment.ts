/** How the translator treats an instruction: which have an emitter, and for which of their forms. */
import { OPF_LOCK, OPF_MEMORY } from '../cpu/layout.ts';
import type { Row } from '../cpu/table/row.ts';
import { vectorEmitters } from './emit-sse.ts';
import { isVectorRow, needsAllRegisters } from './handlers.ts';
import type { Fields, Treatment } from './instruction.ts';

/** Handlers with an emitter, and when it applies. */
const native: Readonly<Record<string, (i: Fields) => boolean>> = {
  nop: () => true,
  movEG: () => true,
  movGE: () => true,
  movEI: () => true,
  movzx: () => true,
  movsx: () => true,
  lea: () => true,
  aluEG: (i) => !locked(i),
  aluGE: () => true,
  aluEI: (i) => !locked(i),
  unaryE: (i) => !locked(i),
  testEG: () => true,
  testEI: () => true,
  xchg: (i) => !memory(i),
  bswap: (i) => i.size >= 4,
  convertAccumulator: () => true,
  extendAccumulator: () => true,
  setcc: () => true,
  cmovcc: (i) => i.size >= 4,
  multiplyRegister: (i) => i.size >= 4,
  multiplyAccumulator: (i) => i.size >= 4,
  shiftImmediate: (i) => i.size >= 4 && i.aux !== 2 && i.aux !== 3,
  shiftByCl: (i) => i.size >= 4 && i.aux >= 4 && !memory(i),
  bitTestRegister: (i) => i.size >= 4 && !memory(i),
  bitTestImmediate: (i) => i.size >= 4 && (!memory(i) || i.aux === 0),
  bitScan: (i) => i.size >= 4,
  populationCount: (i) => i.size >= 4,
  pushRm: (i) => i.size === 8,
  pushImmediate: (i) => i.size === 8,
  popRm: (i) => i.size === 8 && !memory(i),
  leave: (i) => i.size === 8,
  jcc: () => true,
  jmpRelative: () => true,
  callRelative: () => true,
  jmpIndirect: () => true,
  callIndirect: () => true,
  ret: () => true,
};

const memory = (i: Fields): boolean => (i.flags & OPF_MEMORY) !== 0;
const locked = (i: Fields): boolean => (i.flags & OPF_LOCK) !== 0;

export function treatmentOf(i: Fields): Treatment {
  if (native[i.handler]?.(i) === true || vectorEmitters[i.handler] !== undefined) return 'native';
  if (i.row.ends === true) return 'stop';
  if (isVectorRow(i.row) && !needsAllRegisters(i.row)) return 'vector';
  return 'handler';
}

/** Rows with an emitter for at least some of their forms. */
export const isNative = (row: Row): boolean => native[row.handler] !== undefined || vectorEmitters[row.handler] !== undefined;
