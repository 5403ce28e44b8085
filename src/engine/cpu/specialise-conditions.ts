/** Conditional operations by what is known, at their place in the block, of the flags: a CC_* kind or FLAGS_*. */
import { CC_LOGIC, CC_SUB, OP_IMMEDIATE } from './layout';
import { FLAGS_UNKNOWN } from './specialise-kinds';
import * as hot from './generated/hot';

/** SETcc of a register by what is known of the flags. */
export function setForm(code: u32, flagsKind: u32): i32 {
  switch (branchForm(code, flagsKind)) {
    case hot.HOT_JZ:
      return hot.HOT_SETZ;
    case hot.HOT_JNZ:
      return hot.HOT_SETNZ;
    case hot.HOT_JB_SUB:
      return hot.HOT_SETB_SUB;
    case hot.HOT_JAE_SUB:
      return hot.HOT_SETAE_SUB;
    case hot.HOT_JC:
      return hot.HOT_SETC;
    default:
      return -1;
  }
}

/** CMOVcc between registers. The case clears the upper half of a 32-bit register by a mask in the immediate. */
export function moveForm(op: usize, size: u32, code: u32, flagsKind: u32): i32 {
  if (size < 4) return -1;
  store<u64>(op, size == 8 ? u64.MAX_VALUE : <u64>u32.MAX_VALUE, OP_IMMEDIATE);
  switch (branchForm(code, flagsKind)) {
    case hot.HOT_JZ:
      return hot.HOT_CMOVZ;
    case hot.HOT_JNZ:
      return hot.HOT_CMOVNZ;
    case hot.HOT_JS:
      return hot.HOT_CMOVS;
    case hot.HOT_JB_SUB:
      return hot.HOT_CMOVB_SUB;
    case hot.HOT_JAE_SUB:
      return hot.HOT_CMOVAE_SUB;
    default:
      return -1;
  }
}

/** A conditional branch on flags of which no more is known. */
function unknownForm(code: u32): i32 {
  return code == 2 ? hot.HOT_JC : code == 3 ? hot.HOT_JNC : hot.HOT_JCC;
}

/** Jcc. */
export function branchForm(code: u32, flagsKind: u32): i32 {
  if (flagsKind == FLAGS_UNKNOWN) return unknownForm(code);
  switch (code) {
    case 4:
      return hot.HOT_JZ;
    case 5:
      return hot.HOT_JNZ;
    case 8:
      return hot.HOT_JS;
    case 9:
      return hot.HOT_JNS;
  }
  if (flagsKind == CC_SUB) {
    switch (code) {
      case 2:
        return hot.HOT_JB_SUB;
      case 3:
        return hot.HOT_JAE_SUB;
      case 6:
        return hot.HOT_JBE_SUB;
      case 7:
        return hot.HOT_JA_SUB;
      case 12:
        return hot.HOT_JL_SUB;
      case 13:
        return hot.HOT_JGE_SUB;
      case 14:
        return hot.HOT_JLE_SUB;
      case 15:
        return hot.HOT_JG_SUB;
    }
  } else if (flagsKind == CC_LOGIC) {
    switch (code) {
      case 6:
        return hot.HOT_JZ;
      case 7:
        return hot.HOT_JNZ;
      case 12:
        return hot.HOT_JS;
      case 13:
        return hot.HOT_JNS;
      case 14:
        return hot.HOT_JLE0;
      case 15:
        return hot.HOT_JG0;
    }
  }
  return unknownForm(code);
}
