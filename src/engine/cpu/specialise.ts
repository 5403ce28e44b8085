/**
 * Replaces the handler of a decoded operation by a case of the run loop's switch where there is one. Conditional branches profit
 * from knowing which kind of operation set the flags: a block is only entered at its start, so the kind is static inside it.
 */
import {
  CC_LOGIC,
  CC_SUB,
  HANDLER_TABLE,
  OPF_LOCK,
  OPF_MEMORY,
  OP_AUX,
  OP_BYTES,
  OP_FLAGS,
  OP_HANDLER,
  OP_IMMEDIATE,
  OP_REG,
  OP_RM,
  OP_ROW,
  OP_SIZE,
} from './layout';
import {
  aluEG,
  aluEI,
  aluGE,
  bswap,
  cmovcc,
  cmpxchg,
  convertAccumulator,
  extendAccumulator,
  lea,
  movEG,
  movEI,
  movGE,
  movsx,
  movzx,
  multiplyRegister,
  nop,
  setcc,
  testEG,
  testEI,
  unaryE,
} from './handlers/integer';
import {
  callIndirect,
  callRelative,
  jcc,
  jmpIndirect,
  jmpRelative,
  leave,
  popRm,
  pushImmediate,
  pushRm,
  ret,
} from './handlers/control';
import { shiftByCl, shiftImmediate } from './handlers/shift';
import { prefetch } from './handlers/sse-control';
import { branchForm, moveForm, setForm } from './specialise-conditions';
import {
  ALU_ADC,
  ALU_ADD,
  ALU_AND,
  ALU_CMP,
  ALU_OR,
  ALU_SBB,
  ALU_SUB,
  ALU_XOR,
  FLAGS_OTHER,
  FLAGS_UNKNOWN,
} from './specialise-kinds';
import { settleRotation, startRotations } from './specialise-rotations';
import * as hot from './generated/hot';

/** Kind of the flags at this point of the block: CC_*, FLAGS_UNKNOWN or FLAGS_OTHER. */
let flagsKind: u32 = FLAGS_UNKNOWN;

/** The operation before, if it is one that may do the next one too; 0 = none. */
let previous: usize = 0;

/** To be called at the start of each block. */
export function startSpecialising(): void {
  flagsKind = FLAGS_UNKNOWN;
  previous = 0;
  startRotations();
}

/**
 * Has the operation before `op` do that of `op` too, by a case for the two, if there is one. `op` stays as it is: it counts as
 * executed, and what belongs to a branch (its link, its target) is found in it.
 */
function fuseWithPrevious(op: usize): void {
  const second = <i32>load<u16>(op, OP_HANDLER);
  if (previous != 0 && previous + OP_BYTES == op && second < hot.HOT_HANDLERS) {
    const both = hot.fusedCase(<i32>load<u16>(previous, OP_HANDLER), second);
    if (both >= 0) {
      store<u16>(previous, <u16>both, OP_HANDLER);
      previous = 0;
      return;
    }
  }
  previous = second < hot.HOT_HANDLERS ? op : 0;
}

/** Kind of flags that ALU operation `kind` leaves. */
function aluFlags(kind: u32): u32 {
  if (kind == ALU_SUB || kind == ALU_CMP) return CC_SUB;
  if (kind == ALU_OR || kind == ALU_AND || kind == ALU_XOR) return CC_LOGIC;
  return FLAGS_OTHER;
}

export function specialise(op: usize): void {
  const handler = <i32>load<u16>(HANDLER_TABLE + <usize>load<u16>(op, OP_ROW) * 2);
  const size = <u32>load<u8>(op, OP_SIZE);
  const flags = <u32>load<u8>(op, OP_FLAGS);
  const aux = <u32>load<u8>(op, OP_AUX);
  const memory = (flags & OPF_MEMORY) != 0;
  let to: i32 = -1;
  if (handler == movEG.index) to = movStore(op, size, memory);
  else if (handler == movGE.index) to = movLoad(op, size, memory);
  else if (handler == movEI.index) to = movImmediate(op, size, memory);
  else if (handler == lea.index) to = size == 8 ? hot.HOT_LEA64 : size == 4 ? hot.HOT_LEA32 : -1;
  else if (handler == movzx.index) to = movzxForm(size, aux, memory);
  else if (handler == movsx.index) to = movsxForm(size, aux, memory);
  else if (handler == aluEG.index) {
    to = aluFormEG(op, size, aux, memory, flags);
    flagsKind = aluFlags(aux);
  } else if (handler == aluGE.index) {
    to = aluFormGE(op, size, aux, memory);
    flagsKind = aluFlags(aux);
  } else if (handler == aluEI.index) {
    to = aluFormEI(size, aux, memory, flags);
    flagsKind = aluFlags(aux);
  } else if (handler == testEG.index) {
    flagsKind = CC_LOGIC;
    if (!memory) to = size == 8 ? hot.HOT_TEST64_RR : size == 4 ? hot.HOT_TEST32_RR : size == 1 ? hot.HOT_TEST8_RR : -1;
  } else if (handler == testEI.index) {
    flagsKind = CC_LOGIC;
    if (memory) to = size == 8 ? hot.HOT_TEST64_MI : size == 4 ? hot.HOT_TEST32_MI : size == 1 ? hot.HOT_TEST8_MI : -1;
    else to = size == 8 ? hot.HOT_TEST64_RI : size == 4 ? hot.HOT_TEST32_RI : size == 1 ? hot.HOT_TEST8_RI : -1;
  } else if (handler == unaryE.index) {
    to = unaryForm(size, aux, memory, flags);
    if (aux == 11) flagsKind = CC_SUB;
    else if (aux != 10) flagsKind = FLAGS_OTHER;
  } else if (handler == shiftImmediate.index) {
    to = shiftForm(op, size, aux, memory);
    flagsKind = to >= 0 && aux >= 4 ? FLAGS_OTHER : FLAGS_UNKNOWN;
  } else if (handler == shiftByCl.index) {
    if (!memory && size == 8) to = aux == 5 ? hot.HOT_SHR64_CL : aux == 4 || aux == 6 ? hot.HOT_SHL64_CL : -1;
    else if (!memory && size == 4) to = aux == 5 ? hot.HOT_SHR32_CL : aux == 4 || aux == 6 ? hot.HOT_SHL32_CL : -1;
    // None of them when CL is zero.
    flagsKind = FLAGS_UNKNOWN;
  } else if (handler == cmpxchg.index) {
    if (memory) to = size == 8 ? hot.HOT_CMPXCHG64_M : size == 4 ? hot.HOT_CMPXCHG32_M : -1;
    flagsKind = CC_SUB;
  } else if (handler == multiplyRegister.index) {
    flagsKind = FLAGS_UNKNOWN;
    if (!memory && size == 8) to = aux ? hot.HOT_IMUL64_RRI : hot.HOT_IMUL64_RR;
    else if (!memory && size == 4) to = aux ? hot.HOT_IMUL32_RRI : hot.HOT_IMUL32_RR;
  } else if (handler == pushRm.index) {
    if (!memory && size == 8) to = hot.HOT_PUSH64;
  } else if (handler == pushImmediate.index) {
    if (size == 8) to = hot.HOT_PUSH_I;
  } else if (handler == popRm.index) {
    if (!memory && size == 8) to = hot.HOT_POP64;
  } else if (handler == leave.index) {
    if (size == 8) to = hot.HOT_LEAVE;
  } else if (handler == jcc.index) to = branchForm(aux, flagsKind);
  else if (handler == jmpRelative.index) to = hot.HOT_JMP;
  else if (handler == callRelative.index) to = hot.HOT_CALL;
  else if (handler == ret.index) to = hot.HOT_RET;
  else if (handler == jmpIndirect.index) to = memory ? hot.HOT_JMP_M : hot.HOT_JMP_R;
  else if (handler == callIndirect.index) to = memory ? hot.HOT_CALL_M : hot.HOT_CALL_R;
  else if (handler == setcc.index) to = memory ? -1 : setForm(aux, flagsKind);
  else if (handler == cmovcc.index) to = memory ? -1 : moveForm(op, size, aux, flagsKind);
  else if (handler == bswap.index) to = size == 8 ? hot.HOT_BSWAP64 : size == 4 ? hot.HOT_BSWAP32 : -1;
  else if (handler == prefetch.index) to = hot.HOT_NOP;
  else if (handler == convertAccumulator.index) to = size == 8 ? hot.HOT_CDQE : -1;
  else if (handler == extendAccumulator.index) to = size == 8 ? hot.HOT_CQO : size == 4 ? hot.HOT_CDQ : -1;
  else if (handler == nop.index) to = hot.HOT_NOP;
  else flagsKind = FLAGS_UNKNOWN;
  if (to >= 0) store<u16>(op, <u16>to, OP_HANDLER);
  settleRotation(op, handler, aux, size, to >= 0 && !memory);
  fuseWithPrevious(op);
}

function movStore(op: usize, size: u32, memory: bool): i32 {
  if (memory) return size == 8 ? hot.HOT_STORE64 : size == 4 ? hot.HOT_STORE32 : size == 2 ? hot.HOT_STORE16 : hot.HOT_STORE8;
  return size == 8 ? hot.HOT_MOV_R64_R64 : size == 4 ? hot.HOT_MOV_R32_R32 : size == 1 ? hot.HOT_MOV_R8_R8 : -1;
}

/** Exchanges the reg and rm operands, so that one case serves both directions of a register form. */
function exchangeOperands(op: usize): void {
  const reg = load<u8>(op, OP_REG);
  store<u8>(op, load<u8>(op, OP_RM), OP_REG);
  store<u8>(op, reg, OP_RM);
}

function movLoad(op: usize, size: u32, memory: bool): i32 {
  if (memory) return size == 8 ? hot.HOT_LOAD64 : size == 4 ? hot.HOT_LOAD32 : size == 2 ? hot.HOT_LOAD16 : hot.HOT_LOAD8;
  const to = movStore(op, size, false);
  if (to >= 0) exchangeOperands(op);
  return to;
}

function movImmediate(op: usize, size: u32, memory: bool): i32 {
  if (memory)
    return size == 8 ? hot.HOT_STORE64_I : size == 4 ? hot.HOT_STORE32_I : size == 2 ? hot.HOT_STORE16_I : hot.HOT_STORE8_I;
  if (size == 4) store<u64>(op, <u64>load<u32>(op, OP_IMMEDIATE), OP_IMMEDIATE);
  return size >= 4 ? hot.HOT_MOV_R_I : -1;
}

function movzxForm(size: u32, bytes: u32, memory: bool): i32 {
  if (size == 2) return -1;
  if (memory) return bytes == 1 ? hot.HOT_LOAD_ZX8 : hot.HOT_LOAD_ZX16;
  return bytes == 1 ? hot.HOT_ZX8 : hot.HOT_ZX16;
}

function movsxForm(size: u32, bytes: u32, memory: bool): i32 {
  if (size == 8) {
    if (bytes == 4) return memory ? hot.HOT_LOAD64_SX32 : hot.HOT_SX32_64;
    if (bytes == 2) return memory ? hot.HOT_LOAD64_SX16 : hot.HOT_SX16_64;
    return memory ? hot.HOT_LOAD64_SX8 : hot.HOT_SX8_64;
  }
  if (size == 4 && bytes == 2) return memory ? hot.HOT_LOAD32_SX16 : hot.HOT_SX16_32;
  if (size == 4 && bytes == 1) return memory ? hot.HOT_LOAD32_SX8 : hot.HOT_SX8_32;
  return -1;
}

function aluFormEG(op: usize, size: u32, kind: u32, memory: bool, flags: u32): i32 {
  if (flags & OPF_LOCK) return -1;
  if (memory) {
    if (kind == ALU_CMP) return size == 8 ? hot.HOT_CMP64_MR : size == 4 ? hot.HOT_CMP32_MR : size == 1 ? hot.HOT_CMP8_MR : -1;
    if (kind == ALU_ADD) return size == 8 ? hot.HOT_ADD64_MR : size == 4 ? hot.HOT_ADD32_MR : -1;
    if (kind == ALU_OR) return size == 8 ? hot.HOT_OR64_MR : size == 4 ? hot.HOT_OR32_MR : -1;
    if (kind == ALU_AND) return size == 8 ? hot.HOT_AND64_MR : -1;
    return -1;
  }
  if (size == 1)
    return kind == ALU_CMP ? hot.HOT_CMP8_RR : kind == ALU_OR ? hot.HOT_OR8_RR : kind == ALU_ADD ? hot.HOT_ADD8_RR : -1;
  if (size == 2) return kind == ALU_CMP ? hot.HOT_CMP16_RR : -1;
  const wide = size == 8;
  switch (kind) {
    case ALU_ADD:
      return wide ? hot.HOT_ADD64_RR : hot.HOT_ADD32_RR;
    case ALU_OR:
      return wide ? hot.HOT_OR64_RR : hot.HOT_OR32_RR;
    case ALU_AND:
      return wide ? hot.HOT_AND64_RR : hot.HOT_AND32_RR;
    case ALU_SUB:
      return wide ? hot.HOT_SUB64_RR : hot.HOT_SUB32_RR;
    case ALU_ADC:
      return wide ? hot.HOT_ADC64_RR : -1;
    case ALU_SBB:
      return wide ? hot.HOT_SBB64_RR : hot.HOT_SBB32_RR;
    case ALU_XOR:
      if (load<u8>(op, OP_REG) == load<u8>(op, OP_RM)) return hot.HOT_ZERO;
      return wide ? hot.HOT_XOR64_RR : hot.HOT_XOR32_RR;
    case ALU_CMP:
      return wide ? hot.HOT_CMP64_RR : hot.HOT_CMP32_RR;
    default:
      return -1;
  }
}

function aluFormGE(op: usize, size: u32, kind: u32, memory: bool): i32 {
  if (!memory) {
    // These may be left to the row's handler, which wants its operands as they are.
    if (kind == ALU_ADC || kind == ALU_SBB) return -1;
    // reg is the destination here: the same as the other direction with the operands exchanged.
    exchangeOperands(op);
    const to = aluFormEG(op, size, kind, false, 0);
    if (to < 0) exchangeOperands(op);
    return to;
  }
  if (size == 1) return kind == ALU_CMP ? hot.HOT_CMP8_RM : -1;
  if (size == 2) return -1;
  const wide = size == 8;
  switch (kind) {
    case ALU_ADD:
      return wide ? hot.HOT_ADD64_RM : hot.HOT_ADD32_RM;
    case ALU_OR:
      return wide ? hot.HOT_OR64_RM : hot.HOT_OR32_RM;
    case ALU_AND:
      return wide ? hot.HOT_AND64_RM : hot.HOT_AND32_RM;
    case ALU_SUB:
      return wide ? hot.HOT_SUB64_RM : hot.HOT_SUB32_RM;
    case ALU_XOR:
      return wide ? hot.HOT_XOR64_RM : hot.HOT_XOR32_RM;
    case ALU_CMP:
      return wide ? hot.HOT_CMP64_RM : hot.HOT_CMP32_RM;
    default:
      return -1;
  }
}

function aluFormEI(size: u32, kind: u32, memory: bool, flags: u32): i32 {
  if (flags & OPF_LOCK) return -1;
  if (memory) {
    if (kind == ALU_CMP) {
      return size == 8 ? hot.HOT_CMP64_MI : size == 4 ? hot.HOT_CMP32_MI : size == 2 ? hot.HOT_CMP16_MI : hot.HOT_CMP8_MI;
    }
    if (kind == ALU_ADD) return size == 8 ? hot.HOT_ADD64_MI : size == 4 ? hot.HOT_ADD32_MI : -1;
    if (kind == ALU_SUB) return size == 8 ? hot.HOT_SUB64_MI : size == 4 ? hot.HOT_SUB32_MI : -1;
    if (kind == ALU_AND) return size == 4 ? hot.HOT_AND32_MI : -1;
    return -1;
  }
  if (size == 1) return kind == ALU_CMP ? hot.HOT_CMP8_RI : kind == ALU_AND ? hot.HOT_AND8_RI : -1;
  if (size == 2) return kind == ALU_CMP ? hot.HOT_CMP16_RI : -1;
  const wide = size == 8;
  switch (kind) {
    case ALU_ADD:
      return wide ? hot.HOT_ADD64_RI : hot.HOT_ADD32_RI;
    case ALU_OR:
      return wide ? hot.HOT_OR64_RI : hot.HOT_OR32_RI;
    case ALU_AND:
      return wide ? hot.HOT_AND64_RI : hot.HOT_AND32_RI;
    case ALU_ADC:
      return wide ? hot.HOT_ADC64_RI : hot.HOT_ADC32_RI;
    case ALU_SUB:
      return wide ? hot.HOT_SUB64_RI : hot.HOT_SUB32_RI;
    case ALU_XOR:
      return wide ? hot.HOT_XOR64_RI : hot.HOT_XOR32_RI;
    case ALU_CMP:
      return wide ? hot.HOT_CMP64_RI : hot.HOT_CMP32_RI;
    default:
      return -1;
  }
}

function unaryForm(size: u32, kind: u32, memory: bool, flags: u32): i32 {
  if (flags & OPF_LOCK || size < 4) return -1;
  const wide = size == 8;
  if (memory) {
    if (kind == 8) return wide ? hot.HOT_INC64_M : hot.HOT_INC32_M;
    if (kind == 9 && !wide) return hot.HOT_DEC32_M;
    return -1;
  }
  if (kind == 8) return wide ? hot.HOT_INC64 : hot.HOT_INC32;
  if (kind == 9) return wide ? hot.HOT_DEC64 : hot.HOT_DEC32;
  if (kind == 10) return wide ? hot.HOT_NOT64 : hot.HOT_NOT32;
  return wide ? hot.HOT_NEG64 : hot.HOT_NEG32;
}

/** Register shifts by a constant; the count is masked here. */
function shiftForm(op: usize, size: u32, kind: u32, memory: bool): i32 {
  if (memory || size < 4) return -1;
  const wide = size == 8;
  const count = (<u32>load<u8>(op, OP_IMMEDIATE)) & (wide ? 63 : 31);
  if (count == 0 || kind < 4) return -1;
  store<u64>(op, <u64>count, OP_IMMEDIATE);
  switch (kind) {
    case 4:
    case 6:
      return wide ? hot.HOT_SHL64_I : hot.HOT_SHL32_I;
    case 5:
      return wide ? hot.HOT_SHR64_I : hot.HOT_SHR32_I;
    case 7:
      return wide ? hot.HOT_SAR64_I : hot.HOT_SAR32_I;
    default:
      return -1;
  }
}
