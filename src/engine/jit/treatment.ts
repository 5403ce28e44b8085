/** How the translator treats an instruction: which have an emitter, and for which of their forms. */
import { OPF_ADDRESS32, OPF_LOCK, OPF_MEMORY, OPF_REP, OPF_REPNE, VCPU_ZERO } from '../cpu/layout.ts';
import { vectorEmitters } from './emit-sse.ts';
import { isVectorRow, needsAllRegisters } from './handlers.ts';
import type { Row } from '../cpu/table/row.ts';
import type { Fields, Treatment } from './instruction.ts';

const memory = (i: Fields): boolean => (i.flags & OPF_MEMORY) !== 0;
const locked = (i: Fields): boolean => (i.flags & OPF_LOCK) !== 0;
const repeated = (i: Fields): boolean => (i.flags & (OPF_REP | OPF_REPNE)) !== 0;
const throughCarry = (i: Fields): boolean => i.aux === 2 || i.aux === 3;
/** WebAssembly has no atomic that adds with a carry. */
const atomicAlu = (i: Fields): boolean => !locked(i) || (i.aux !== 2 && i.aux !== 3);
const plainString = (i: Fields): boolean => i.segment === VCPU_ZERO && (i.flags & OPF_ADDRESS32) === 0;
const NEG = 11;

/** Handlers with an emitter, and when it applies. */
const native: Readonly<Record<string, (i: Fields) => boolean>> = {
  nop: () => true,
  movEG: () => true,
  movGE: () => true,
  movEI: () => true,
  movzx: () => true,
  movsx: () => true,
  lea: () => true,
  aluEG: atomicAlu,
  aluGE: () => true,
  aluEI: atomicAlu,
  unaryE: (i) => !locked(i) || i.aux !== NEG,
  testEG: () => true,
  testEI: () => true,
  xchg: () => true,
  xadd: () => true,
  cmpxchg: () => true,
  cmpxchgPair: (i) => i.size === 8 && !locked(i),
  bswap: (i) => i.size >= 4,
  convertAccumulator: () => true,
  extendAccumulator: () => true,
  setcc: () => true,
  cmovcc: (i) => i.size >= 4,
  multiplyRegister: (i) => i.size >= 4,
  multiplyAccumulator: (i) => i.size >= 4,
  shiftImmediate: (i) => !throughCarry(i) || (i.low & (i.size === 8 ? 63 : 31)) === 1,
  shiftByCl: (i) => !throughCarry(i),
  shiftDoubleImmediate: (i) => i.size >= 4,
  shiftDoubleByCl: (i) => i.size >= 4,
  divideAccumulator: (i) => i.size >= 4,
  bitTestRegister: (i) => i.size >= 4,
  bitTestImmediate: (i) => i.size >= 4,
  movs: plainString,
  stos: plainString,
  lods: (i) => plainString(i) && !repeated(i),
  prefetch: () => true,
  fence: () => true,
  movnti32: () => true,
  movnti64: () => true,
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

/** What an instruction of the row is if no emitter takes it. */
function otherwise(row: Row): Treatment {
  if (row.ends === true) return 'stop';
  return isVectorRow(row) && !needsAllRegisters(row) ? 'vector' : 'handler';
}

/** By row: the emitter's condition, if there is an emitter, and the treatment else. */
const known = new Map<Row, readonly [condition: ((i: Fields) => boolean) | undefined, otherwise: Treatment]>();

export function treatmentOf(i: Fields): Treatment {
  let row = known.get(i.row);
  if (row === undefined) {
    row = [vectorEmitters[i.handler] === undefined ? native[i.handler] : (): boolean => true, otherwise(i.row)];
    known.set(i.row, row);
  }
  const [condition, rest] = row;
  return condition?.(i) === true ? 'native' : rest;
}
