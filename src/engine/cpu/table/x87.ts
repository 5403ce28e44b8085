/**
 * The x87 instructions, opcodes D8 to DF, with FWAIT, FXSAVE and FXRSTOR. Register forms name every alias that processors
 * accept (DC D0+i and the like). @sdm Vol.2D A.5.2 "Escape opcode instructions"
 */
import type { Row } from './row.ts';

/** Arithmetic by ModRM.reg; 2 and 3 are the comparisons. */
const operations = ['add', 'mul', 'com', 'comp', 'sub', 'subr', 'div', 'divr'] as const;
/** aux of arithmetic: the operation, plus 8 to pop. Of comparisons: number of pops, plus 4 for "unordered". */
const ARITHMETIC_POP = 8;
const UNORDERED = 4;
/** aux of FSTP to a register: popping is 1; an empty ST(0) raises nothing. */
const UNCHECKED = 2;

function memoryArithmetic(opcode: string, operand: string, prefix: string, arithmetic: string, compare: string): Row[] {
  return operations.map((name, extension) => {
    const comparison = extension === 2 || extension === 3;
    return {
      opcode,
      extension,
      mod: 'memory',
      mnemonic: prefix + name,
      operands: operand,
      handler: comparison ? compare : arithmetic,
      aux: comparison ? extension - 2 : extension,
    };
  });
}

/** A register form: ST(i) is ModRM.rm. */
function register(opcode: string, extension: number, mnemonic: string, handler: string, aux = 0): Row {
  return { opcode, extension, mod: 'register', mnemonic, operands: 'Tt', handler, aux };
}

/** A form whose ModRM byte is fixed altogether. */
function fixed(opcode: string, extension: number, rm: number, mnemonic: string, handler: string, aux = 0): Row {
  return { opcode, extension, mod: 'register', rm, mnemonic, operands: '', handler, aux };
}

function inMemory(opcode: string, extension: number, mnemonic: string, operands: string, handler: string, aux = 0): Row {
  return { opcode, extension, mod: 'memory', mnemonic, operands, handler, aux };
}

const constants = ['fld1', 'fldl2t', 'fldl2e', 'fldpi', 'fldlg2', 'fldln2', 'fldz'];
const conditions = ['b', 'e', 'be', 'u'];

/** The reversed forms are swapped in the assembler's names of DC and DE: reg 4 there is FSUBR. */
const reversed = ['add', 'mul', '', '', 'subr', 'sub', 'divr', 'div'] as const;
const arithmeticExtensions = [0, 1, 4, 5, 6, 7] as const;

export const x87Rows: readonly Row[] = [
  { opcode: '9B', mnemonic: 'fwait', operands: '', handler: 'fwait' },

  ...memoryArithmetic('D8', 'Md', 'f', 'arithmeticF32', 'fcomF32'),
  ...arithmeticExtensions.map((extension) => register('D8', extension, `f${operations[extension]}`, 'arithmeticTop', extension)),
  register('D8', 2, 'fcom', 'fcomRegister', 0),
  register('D8', 3, 'fcomp', 'fcomRegister', 1),

  inMemory('D9', 0, 'fld', 'Md', 'fld32'),
  inMemory('D9', 2, 'fst', 'Md', 'fst32', 0),
  inMemory('D9', 3, 'fstp', 'Md', 'fst32', 1),
  inMemory('D9', 4, 'fldenv', 'Mn', 'fldenv'),
  inMemory('D9', 5, 'fldcw', 'Mw', 'fldcw'),
  inMemory('D9', 6, 'fnstenv', 'Mn', 'fnstenv'),
  inMemory('D9', 7, 'fnstcw', 'Mw', 'fnstcw'),
  register('D9', 0, 'fld', 'fldRegister'),
  register('D9', 1, 'fxch', 'fxch'),
  fixed('D9', 2, 0, 'fnop', 'fnop'),
  register('D9', 3, 'fstp1', 'fstRegister', 1 + UNCHECKED),
  fixed('D9', 4, 0, 'fchs', 'fchs'),
  fixed('D9', 4, 1, 'fabs', 'fabs'),
  fixed('D9', 4, 4, 'ftst', 'ftst'),
  fixed('D9', 4, 5, 'fxam', 'fxam'),
  ...constants.map((name, rm) => fixed('D9', 5, rm, name, 'fldConstant', rm)),
  fixed('D9', 6, 0, 'f2xm1', 'f2xm1'),
  fixed('D9', 6, 1, 'fyl2x', 'fyl2x'),
  fixed('D9', 6, 2, 'fptan', 'fptan'),
  fixed('D9', 6, 3, 'fpatan', 'fpatan'),
  fixed('D9', 6, 4, 'fxtract', 'fxtract'),
  fixed('D9', 6, 5, 'fprem1', 'fprem1'),
  fixed('D9', 6, 6, 'fdecstp', 'fdecstp'),
  fixed('D9', 6, 7, 'fincstp', 'fincstp'),
  fixed('D9', 7, 0, 'fprem', 'fprem'),
  fixed('D9', 7, 1, 'fyl2xp1', 'fyl2xp1'),
  fixed('D9', 7, 2, 'fsqrt', 'fsqrt'),
  fixed('D9', 7, 3, 'fsincos', 'fsincos'),
  fixed('D9', 7, 4, 'frndint', 'frndint'),
  fixed('D9', 7, 5, 'fscale', 'fscale'),
  fixed('D9', 7, 6, 'fsin', 'fsin'),
  fixed('D9', 7, 7, 'fcos', 'fcos'),

  ...memoryArithmetic('DA', 'Md', 'fi', 'arithmeticI32', 'ficom32'),
  ...conditions.map((name, extension) => register('DA', extension, `fcmov${name}`, 'fcmov', extension)),
  { ...register('DA', 5, 'fucompp', 'fcomRegister', 2 + UNORDERED), rm: 1 },

  inMemory('DB', 0, 'fild', 'Md', 'fild32'),
  inMemory('DB', 1, 'fisttp', 'Md', 'fisttp32', 1),
  inMemory('DB', 2, 'fist', 'Md', 'fist32', 0),
  inMemory('DB', 3, 'fistp', 'Md', 'fist32', 1),
  inMemory('DB', 5, 'fld', 'Mt', 'fld80'),
  inMemory('DB', 7, 'fstp', 'Mt', 'fst80', 1),
  ...conditions.map((name, extension) => register('DB', extension, `fcmovn${name}`, 'fcmov', extension + 4)),
  fixed('DB', 4, 0, 'fneni', 'fnopObsolete'),
  fixed('DB', 4, 1, 'fndisi', 'fnopObsolete'),
  fixed('DB', 4, 2, 'fnclex', 'fnclex'),
  fixed('DB', 4, 3, 'fninit', 'fninit'),
  fixed('DB', 4, 4, 'fnsetpm', 'fnopObsolete'),
  register('DB', 5, 'fucomi', 'fcomi', UNORDERED),
  register('DB', 6, 'fcomi', 'fcomi', 0),

  ...memoryArithmetic('DC', 'Mq', 'f', 'arithmeticF64', 'fcomF64'),
  ...arithmeticExtensions.map((extension) => register('DC', extension, `f${reversed[extension]}`, 'arithmeticRegister', extension)),
  register('DC', 2, 'fcom2', 'fcomRegister', 0),
  register('DC', 3, 'fcomp3', 'fcomRegister', 1),

  inMemory('DD', 0, 'fld', 'Mq', 'fld64'),
  inMemory('DD', 1, 'fisttp', 'Mq', 'fisttp64', 1),
  inMemory('DD', 2, 'fst', 'Mq', 'fst64', 0),
  inMemory('DD', 3, 'fstp', 'Mq', 'fst64', 1),
  inMemory('DD', 4, 'frstor', 'Mn', 'frstor'),
  inMemory('DD', 6, 'fnsave', 'Mn', 'fnsave'),
  inMemory('DD', 7, 'fnstsw', 'Mw', 'fnstsw'),
  register('DD', 0, 'ffree', 'ffree', 0),
  register('DD', 1, 'fxch4', 'fxch'),
  register('DD', 2, 'fst', 'fstRegister', 0),
  register('DD', 3, 'fstp', 'fstRegister', 1),
  register('DD', 4, 'fucom', 'fcomRegister', 0 + UNORDERED),
  register('DD', 5, 'fucomp', 'fcomRegister', 1 + UNORDERED),

  ...memoryArithmetic('DE', 'Mw', 'fi', 'arithmeticI16', 'ficom16'),
  ...arithmeticExtensions.map((extension) =>
    register('DE', extension, `f${reversed[extension]}p`, 'arithmeticRegister', extension + ARITHMETIC_POP),
  ),
  register('DE', 2, 'fcomp5', 'fcomRegister', 1),
  { ...register('DE', 3, 'fcompp', 'fcomRegister', 2), rm: 1 },

  inMemory('DF', 0, 'fild', 'Mw', 'fild16'),
  inMemory('DF', 1, 'fisttp', 'Mw', 'fisttp16', 1),
  inMemory('DF', 2, 'fist', 'Mw', 'fist16', 0),
  inMemory('DF', 3, 'fistp', 'Mw', 'fist16', 1),
  inMemory('DF', 4, 'fbld', 'Mt', 'fbld'),
  inMemory('DF', 5, 'fild', 'Mq', 'fild64'),
  inMemory('DF', 6, 'fbstp', 'Mt', 'fbstp', 1),
  inMemory('DF', 7, 'fistp', 'Mq', 'fist64', 1),
  register('DF', 0, 'ffreep', 'ffree', 1),
  register('DF', 1, 'fxch7', 'fxch'),
  register('DF', 2, 'fstp8', 'fstRegister', 1),
  register('DF', 3, 'fstp9', 'fstRegister', 1),
  fixed('DF', 4, 0, 'fnstsw', 'fnstswAx'),
  register('DF', 5, 'fucomip', 'fcomi', 1 + UNORDERED),
  register('DF', 6, 'fcomip', 'fcomi', 1),

  { opcode: '0F AE', prefix: 'np', extension: 0, mod: 'memory', rexw: 0, mnemonic: 'fxsave', operands: 'Mn', handler: 'fxsave' },
  { opcode: '0F AE', prefix: 'np', extension: 0, mod: 'memory', rexw: 1, mnemonic: 'fxsave64', operands: 'Mn', handler: 'fxsave' },
  { opcode: '0F AE', prefix: 'np', extension: 1, mod: 'memory', rexw: 0, mnemonic: 'fxrstor', operands: 'Mn', handler: 'fxrstor' },
  {
    opcode: '0F AE',
    prefix: 'np',
    extension: 1,
    mod: 'memory',
    rexw: 1,
    mnemonic: 'fxrstor64',
    operands: 'Mn',
    handler: 'fxrstor',
  },
];
