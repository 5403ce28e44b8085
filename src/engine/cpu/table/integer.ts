/** Rows of the general-purpose instructions. @sdm Vol.2D A.3 */
import type { Row } from './row.ts';

const rows: Row[] = [];

const ALU = ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp'] as const;
const CONDITIONS = ['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'] as const;
const SHIFTS = ['rol', 'ror', 'rcl', 'rcr', 'shl', 'shr', 'shl', 'sar'] as const;

const hex = (value: number): string => value.toString(16).toUpperCase().padStart(2, '0');

ALU.forEach((mnemonic, aux) => {
  const at = (n: number): string => hex(aux * 8 + n);
  const lock = mnemonic === 'cmp' ? {} : ({ lock: true } as const);
  const undefinedFlags = mnemonic === 'and' || mnemonic === 'or' || mnemonic === 'xor' ? { undefinedFlags: 'A' } : {};
  const common = { mnemonic, aux, ...undefinedFlags };
  rows.push(
    { opcode: at(0), operands: 'Eb,Gb', handler: 'aluEG', ...common, ...lock },
    { opcode: at(1), operands: 'Ev,Gv', handler: 'aluEG', ...common, ...lock },
    { opcode: at(2), operands: 'Gb,Eb', handler: 'aluGE', ...common },
    { opcode: at(3), operands: 'Gv,Ev', handler: 'aluGE', ...common },
    { opcode: at(4), operands: 'Ab,Ib', handler: 'aluEI', ...common },
    { opcode: at(5), operands: 'Av,Iz', handler: 'aluEI', ...common },
    { opcode: '80', extension: aux, operands: 'Eb,Ib', handler: 'aluEI', ...common, ...lock },
    { opcode: '81', extension: aux, operands: 'Ev,Iz', handler: 'aluEI', ...common, ...lock },
    { opcode: '83', extension: aux, operands: 'Ev,Ib', handler: 'aluEI', ...common, ...lock },
  );
});

SHIFTS.forEach((mnemonic, extension) => {
  const common = { mnemonic, extension, aux: extension, ...(extension >= 4 ? { undefinedFlags: 'A' } : {}) };
  for (const [opcode, e] of [
    ['C0', 'Eb'],
    ['C1', 'Ev'],
  ] as const)
    rows.push({ opcode, operands: `${e},Ib`, handler: 'shiftImmediate', ...common });
  for (const [opcode, e] of [
    ['D0', 'Eb'],
    ['D1', 'Ev'],
  ] as const)
    rows.push({ opcode, operands: `${e},1`, handler: 'shiftImmediate', ...common });
  for (const [opcode, e] of [
    ['D2', 'Eb'],
    ['D3', 'Ev'],
  ] as const)
    rows.push({ opcode, operands: `${e},CL`, handler: 'shiftByCl', ...common });
});

CONDITIONS.forEach((condition, aux) => {
  rows.push(
    { opcode: hex(0x70 + aux), mnemonic: `j${condition}`, operands: 'Jb', handler: 'jcc', aux },
    { opcode: `0F ${hex(0x80 + aux)}`, mnemonic: `j${condition}`, operands: 'Jz', handler: 'jcc', aux },
    { opcode: `0F ${hex(0x90 + aux)}`, mnemonic: `set${condition}`, operands: 'Eb', handler: 'setcc', aux },
    { opcode: `0F ${hex(0x40 + aux)}`, mnemonic: `cmov${condition}`, operands: 'Gv,Ev', handler: 'cmovcc', aux },
  );
});

const BIT_TESTS = ['bt', 'bts', 'btr', 'btc'] as const;
BIT_TESTS.forEach((mnemonic, aux) => {
  const common = { mnemonic, aux, undefinedFlags: 'OSAP', ...(aux ? ({ lock: true } as const) : {}) };
  rows.push(
    { opcode: `0F ${['A3', 'AB', 'B3', 'BB'][aux] ?? ''}`, operands: 'Ev,Gv', handler: 'bitTestRegister', ...common },
    { opcode: '0F BA', extension: 4 + aux, operands: 'Ev,Ib', handler: 'bitTestImmediate', ...common },
  );
});

rows.push(
  { opcode: '84', mnemonic: 'test', operands: 'Eb,Gb', handler: 'testEG', undefinedFlags: 'A' },
  { opcode: '85', mnemonic: 'test', operands: 'Ev,Gv', handler: 'testEG', undefinedFlags: 'A' },
  { opcode: 'A8', mnemonic: 'test', operands: 'Ab,Ib', handler: 'testEI', undefinedFlags: 'A' },
  { opcode: 'A9', mnemonic: 'test', operands: 'Av,Iz', handler: 'testEI', undefinedFlags: 'A' },
  ...[0, 1].flatMap((extension): Row[] => [
    { opcode: 'F6', extension, mnemonic: 'test', operands: 'Eb,Ib', handler: 'testEI', undefinedFlags: 'A' },
    { opcode: 'F7', extension, mnemonic: 'test', operands: 'Ev,Iz', handler: 'testEI', undefinedFlags: 'A' },
  ]),
  ...(['Eb', 'Ev'] as const).flatMap((e, wide): Row[] => {
    const opcode = wide ? 'F7' : 'F6';
    const opcode2 = wide ? 'FF' : 'FE';
    return [
      { opcode, extension: 2, mnemonic: 'not', operands: e, handler: 'unaryE', aux: 10, lock: true },
      { opcode, extension: 3, mnemonic: 'neg', operands: e, handler: 'unaryE', aux: 11, lock: true },
      { opcode, extension: 4, mnemonic: 'mul', operands: e, handler: 'multiplyAccumulator', aux: 0, undefinedFlags: 'SZAP' },
      { opcode, extension: 5, mnemonic: 'imul', operands: e, handler: 'multiplyAccumulator', aux: 1, undefinedFlags: 'SZAP' },
      { opcode, extension: 6, mnemonic: 'div', operands: e, handler: 'divideAccumulator', aux: 0, undefinedFlags: 'OSZAPC' },
      { opcode, extension: 7, mnemonic: 'idiv', operands: e, handler: 'divideAccumulator', aux: 1, undefinedFlags: 'OSZAPC' },
      { opcode: opcode2, extension: 0, mnemonic: 'inc', operands: e, handler: 'unaryE', aux: 8, lock: true },
      { opcode: opcode2, extension: 1, mnemonic: 'dec', operands: e, handler: 'unaryE', aux: 9, lock: true },
    ];
  }),
  { opcode: '0F AF', mnemonic: 'imul', operands: 'Gv,Ev', handler: 'multiplyRegister', undefinedFlags: 'SZAP' },
  { opcode: '69', mnemonic: 'imul', operands: 'Gv,Ev,Iz', handler: 'multiplyRegister', aux: 1, undefinedFlags: 'SZAP' },
  { opcode: '6B', mnemonic: 'imul', operands: 'Gv,Ev,Ib', handler: 'multiplyRegister', aux: 1, undefinedFlags: 'SZAP' },
  { opcode: '88', mnemonic: 'mov', operands: 'Eb,Gb', handler: 'movEG' },
  { opcode: '89', mnemonic: 'mov', operands: 'Ev,Gv', handler: 'movEG' },
  { opcode: '8A', mnemonic: 'mov', operands: 'Gb,Eb', handler: 'movGE' },
  { opcode: '8B', mnemonic: 'mov', operands: 'Gv,Ev', handler: 'movGE' },
  { opcode: 'A0', mnemonic: 'mov', operands: 'Ab,Ob', handler: 'movOffset', aux: 0 },
  { opcode: 'A1', mnemonic: 'mov', operands: 'Av,Ov', handler: 'movOffset', aux: 0 },
  { opcode: 'A2', mnemonic: 'mov', operands: 'Ab,Ob', handler: 'movOffset', aux: 1 },
  { opcode: 'A3', mnemonic: 'mov', operands: 'Av,Ov', handler: 'movOffset', aux: 1 },
  { opcode: 'B0+r', mnemonic: 'mov', operands: 'Zb,Ib', handler: 'movEI' },
  { opcode: 'B8+r', mnemonic: 'mov', operands: 'Zv,Iv', handler: 'movEI' },
  { opcode: 'C6', extension: 0, mnemonic: 'mov', operands: 'Eb,Ib', handler: 'movEI' },
  { opcode: 'C7', extension: 0, mnemonic: 'mov', operands: 'Ev,Iz', handler: 'movEI' },
  { opcode: '8D', mod: 'memory', mnemonic: 'lea', operands: 'Gv,Mn', handler: 'lea' },
  { opcode: '0F B6', mnemonic: 'movzx', operands: 'Gv,Eb', handler: 'movzx', aux: 1 },
  { opcode: '0F B7', mnemonic: 'movzx', operands: 'Gv,Ew', handler: 'movzx', aux: 2 },
  { opcode: '0F BE', mnemonic: 'movsx', operands: 'Gv,Eb', handler: 'movsx', aux: 1 },
  { opcode: '0F BF', mnemonic: 'movsx', operands: 'Gv,Ew', handler: 'movsx', aux: 2 },
  { opcode: '63', mnemonic: 'movsxd', operands: 'Gv,Ed', handler: 'movsx', aux: 4 },
  { opcode: '86', mnemonic: 'xchg', operands: 'Eb,Gb', handler: 'xchg', lock: true },
  { opcode: '87', mnemonic: 'xchg', operands: 'Ev,Gv', handler: 'xchg', lock: true },
  { opcode: '90+r', mnemonic: 'xchg', operands: 'Zv,Av', handler: 'xchg' },
  { opcode: '0F C0', mnemonic: 'xadd', operands: 'Eb,Gb', handler: 'xadd', lock: true },
  { opcode: '0F C1', mnemonic: 'xadd', operands: 'Ev,Gv', handler: 'xadd', lock: true },
  { opcode: '0F B0', mnemonic: 'cmpxchg', operands: 'Eb,Gb', handler: 'cmpxchg', lock: true },
  { opcode: '0F B1', mnemonic: 'cmpxchg', operands: 'Ev,Gv', handler: 'cmpxchg', lock: true },
  { opcode: '0F C7', extension: 1, mod: 'memory', mnemonic: 'cmpxchg8b', operands: 'My', handler: 'cmpxchgPair', lock: true },
  // With F2 or F3 these encodings are other instructions, which are hidden.
  ...(['np', '66'] as const).flatMap((prefix): Row[] => [
    { opcode: '0F C7', prefix, extension: 6, mod: 'register', mnemonic: 'rdrand', operands: 'Rv', handler: 'randomRegister' },
    { opcode: '0F C7', prefix, extension: 7, mod: 'register', mnemonic: 'rdseed', operands: 'Rv', handler: 'randomRegister' },
  ]),
  { opcode: '0F C8+r', mnemonic: 'bswap', operands: 'Zv', handler: 'bswap' },
  { opcode: '98', mnemonic: 'cbw', operands: 'Av', handler: 'convertAccumulator' },
  { opcode: '99', mnemonic: 'cwd', operands: 'Av', handler: 'extendAccumulator' },
  { opcode: '9E', mnemonic: 'sahf', operands: '', handler: 'sahf' },
  { opcode: '9F', mnemonic: 'lahf', operands: '', handler: 'lahf' },
  { opcode: 'F8', mnemonic: 'clc', operands: '', handler: 'carryOperation', aux: 0 },
  { opcode: 'F9', mnemonic: 'stc', operands: '', handler: 'carryOperation', aux: 1 },
  { opcode: 'F5', mnemonic: 'cmc', operands: '', handler: 'carryOperation', aux: 2 },
  { opcode: 'FC', mnemonic: 'cld', operands: '', handler: 'directionFlag', aux: 0 },
  { opcode: 'FD', mnemonic: 'std', operands: '', handler: 'directionFlag', aux: 1 },
  { opcode: '0F A4', mnemonic: 'shld', operands: 'Ev,Gv,Ib', handler: 'shiftDoubleImmediate', aux: 0, undefinedFlags: 'A' },
  { opcode: '0F A5', mnemonic: 'shld', operands: 'Ev,Gv,CL', handler: 'shiftDoubleByCl', aux: 0, undefinedFlags: 'A' },
  { opcode: '0F AC', mnemonic: 'shrd', operands: 'Ev,Gv,Ib', handler: 'shiftDoubleImmediate', aux: 1, undefinedFlags: 'A' },
  { opcode: '0F AD', mnemonic: 'shrd', operands: 'Ev,Gv,CL', handler: 'shiftDoubleByCl', aux: 1, undefinedFlags: 'A' },
  // The F3 forms are TZCNT and LZCNT on processors that show them; here, as on older ones, the prefix is ignored.
  { opcode: '0F BC', mnemonic: 'bsf', operands: 'Gv,Ev', handler: 'bitScan', aux: 0, undefinedFlags: 'OSAPC' },
  { opcode: '0F BD', mnemonic: 'bsr', operands: 'Gv,Ev', handler: 'bitScan', aux: 1, undefinedFlags: 'OSAPC' },
  { opcode: '0F B8', prefix: 'F3', mnemonic: 'popcnt', operands: 'Gv,Ev', handler: 'populationCount' },
  { opcode: 'A4', mnemonic: 'movsb', operands: 'b', handler: 'movs' },
  { opcode: 'A5', mnemonic: 'movs', operands: 'v', handler: 'movs' },
  { opcode: 'A6', mnemonic: 'cmpsb', operands: 'b', handler: 'cmps' },
  { opcode: 'A7', mnemonic: 'cmps', operands: 'v', handler: 'cmps' },
  { opcode: 'AA', mnemonic: 'stosb', operands: 'b', handler: 'stos' },
  { opcode: 'AB', mnemonic: 'stos', operands: 'v', handler: 'stos' },
  { opcode: 'AC', mnemonic: 'lodsb', operands: 'b', handler: 'lods' },
  { opcode: 'AD', mnemonic: 'lods', operands: 'v', handler: 'lods' },
  { opcode: 'AE', mnemonic: 'scasb', operands: 'b', handler: 'scas' },
  { opcode: 'AF', mnemonic: 'scas', operands: 'v', handler: 'scas' },
  { opcode: 'D7', mnemonic: 'xlat', operands: '', handler: 'xlat' },
  { opcode: '50+r', mnemonic: 'push', operands: 'Zv', handler: 'pushRm', default64: true },
  { opcode: '58+r', mnemonic: 'pop', operands: 'Zv', handler: 'popRm', default64: true },
  { opcode: 'FF', extension: 6, mnemonic: 'push', operands: 'Ev', handler: 'pushRm', default64: true },
  { opcode: '8F', extension: 0, mnemonic: 'pop', operands: 'Ev', handler: 'popRm', default64: true },
  { opcode: '68', mnemonic: 'push', operands: 'v,Iz', handler: 'pushImmediate', default64: true },
  { opcode: '6A', mnemonic: 'push', operands: 'v,Ib', handler: 'pushImmediate', default64: true },
  { opcode: '9C', mnemonic: 'pushf', operands: 'v', handler: 'pushFlags', default64: true },
  { opcode: '9D', mnemonic: 'popf', operands: 'v', handler: 'popFlags', default64: true, ends: true },
  { opcode: 'C9', mnemonic: 'leave', operands: 'v', handler: 'leave', default64: true },
  { opcode: 'C8', mnemonic: 'enter', operands: 'v,Iw,Ib', handler: 'enter', default64: true },
  { opcode: 'E8', mnemonic: 'call', operands: 'Jz', handler: 'callRelative', ends: true },
  { opcode: 'E9', mnemonic: 'jmp', operands: 'Jz', handler: 'jmpRelative', ends: true },
  { opcode: 'EB', mnemonic: 'jmp', operands: 'Jb', handler: 'jmpRelative', ends: true },
  { opcode: 'FF', extension: 2, mnemonic: 'call', operands: 'Eq', handler: 'callIndirect', ends: true },
  { opcode: 'FF', extension: 3, mod: 'memory', mnemonic: 'callf', operands: 'Mp', handler: 'callFar', ends: true },
  { opcode: 'FF', extension: 5, mod: 'memory', mnemonic: 'jmpf', operands: 'Mp', handler: 'jmpFar', ends: true },
  { opcode: 'CB', mnemonic: 'retf', operands: 'v', handler: 'retFar', ends: true },
  { opcode: 'CA', mnemonic: 'retf', operands: 'v,Iw', handler: 'retFar', ends: true },
  { opcode: 'FF', extension: 4, mnemonic: 'jmp', operands: 'Eq', handler: 'jmpIndirect', ends: true },
  { opcode: 'C3', mnemonic: 'ret', operands: '', handler: 'ret', ends: true },
  { opcode: 'C2', mnemonic: 'ret', operands: 'Iw', handler: 'ret', ends: true },
  ...(['loopne', 'loope', 'loop', 'jrcxz'] as const).map((mnemonic, aux): Row => ({
    opcode: hex(0xe0 + aux),
    mnemonic,
    operands: 'Jb',
    handler: 'loopCount',
    aux,
  })),
  // Without REX.B, 90 exchanges nothing, whatever the prefixes.
  { opcode: '90', rexb: 0, mnemonic: 'nop', operands: '', handler: 'nop' },
  { opcode: '90', prefix: 'F3', rexb: 0, mnemonic: 'pause', operands: '', handler: 'pause' },
  ...['19', '1A', '1B', '1C', '1D', '1E', '1F'].map((opcode): Row => ({
    opcode: `0F ${opcode}`,
    mnemonic: 'nop',
    operands: 'Ev',
    handler: 'nop',
  })),
  { opcode: '0F 0D', mnemonic: 'prefetchw', operands: 'Eb', handler: 'nop' },
);

export const integerRows: readonly Row[] = rows;
