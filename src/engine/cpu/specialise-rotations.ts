/** Rotations whose flags need not be worked out. */
import { OPF_MEMORY, OP_AUX, OP_FLAGS, OP_HANDLER, OP_IMMEDIATE, OP_SIZE } from './layout';
import { aluEG, aluEI, aluGE, bswap, lea, movEG, movEI, movGE, movsx, movzx, testEG, testEI } from './handlers/integer';
import { shiftImmediate } from './handlers/shift';
import { ALU_ADC, ALU_SBB } from './specialise-kinds';
import * as hot from './generated/hot';

/** A rotation of a register by a constant whose flags nobody has seen yet, 0 = there is none. */
let rotation: usize = 0;

/** To be called at the start of each block. */
export function startRotations(): void {
  rotation = 0;
}

const ROTATE_LEFT: u32 = 0;
const ROTATE_RIGHT: u32 = 1;

/**
 * A rotation changes two of the flags; what the others were would have to be worked out. Not where an operation behind it replaces
 * them all (or is a rotation, which replaces the two) before anything reads them, and nothing between can fault or branch.
 */
export function settleRotation(op: usize, handler: i32, aux: u32, size: u32, registers: bool): void {
  const rotates =
    handler == shiftImmediate.index && aux <= ROTATE_RIGHT && size >= 4 && !isMemory(op) && rotationCount(op, size) != 0;
  if (rotation != 0) {
    if (rotates || (registers && replacesFlags(handler, aux))) {
      const wide = load<u8>(rotation, OP_SIZE) == 8;
      const count = rotationCount(rotation, load<u8>(rotation, OP_SIZE));
      const left = load<u8>(rotation, OP_AUX) == ROTATE_LEFT ? count : (wide ? 64 : 32) - count;
      store<u64>(rotation, <u64>left, OP_IMMEDIATE);
      store<u16>(rotation, wide ? hot.HOT_ROL64_I : hot.HOT_ROL32_I, OP_HANDLER);
      rotation = 0;
    } else if (!movesRegisters(handler, registers)) rotation = 0;
  }
  if (rotates) rotation = op;
}

function isMemory(op: usize): bool {
  return (load<u8>(op, OP_FLAGS) & OPF_MEMORY) != 0;
}

function rotationCount(op: usize, size: u32): u32 {
  return (<u32>load<u8>(op, OP_IMMEDIATE)) & (size == 8 ? 63 : 31);
}

function replacesFlags(handler: i32, aux: u32): bool {
  if (handler == testEG.index || handler == testEI.index) return true;
  const alu = handler == aluEG.index || handler == aluGE.index || handler == aluEI.index;
  return alu && aux != ALU_ADC && aux != ALU_SBB;
}

function movesRegisters(handler: i32, registers: bool): bool {
  if (handler == lea.index) return true;
  const moves =
    handler == movEG.index ||
    handler == movGE.index ||
    handler == movEI.index ||
    handler == movzx.index ||
    handler == movsx.index ||
    handler == bswap.index;
  return moves && registers;
}
