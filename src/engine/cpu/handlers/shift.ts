/** Shifts, rotates and bit instructions. @sdm Vol.2 SAL/SAR/SHL/SHR, RCL/RCR/ROL/ROR, SHLD, SHRD, BT*, BSF, BSR */
import { effectiveAddress } from '../address';
import {
  CC_DEC,
  CC_EXPLICIT,
  CC_INC,
  CC_SHL,
  FAULT,
  NEXT,
  OPF_LOCK,
  OP_AUX,
  OP_FLAGS,
  OP_IMMEDIATE,
  OP_RM,
  VCPU_CC_OP,
  VCPU_CC_R,
  VCPU_RCX,
} from '../layout';
import { CF, OF, PF, SF, ZF, getFlags, parityOf, setCc, setFlags, setLogic } from '../flags';
import { beginUpdate, endStore, readable } from '../memory';
import {
  extend,
  loadExtended,
  operandSize,
  regPointer,
  rmIsMemory,
  rmReadable,
  storeValue,
  writeRegister,
  zeroExtend,
} from './operands';
import { UPDATE_FLIP_BITS, UPDATE_RESET_BITS, UPDATE_SET_BITS, updateMemory, updateOld } from './update';

/** Flags of the last shiftValue: of a shift a CC_* kind and its operands, of a rotate CC_EXPLICIT and all flags. */
let shiftKind: u32 = 0;
let shiftA: i64 = 0;
let shiftCarry: u32 = 0;
let shiftR: i64 = 0;

function setShiftFlags(cpu: usize): void {
  if (shiftKind == CC_EXPLICIT) setFlags(cpu, <u32>shiftR);
  else setCc(cpu, shiftKind, shiftA, <i64>shiftCarry, shiftR);
}

/** Result of operation `kind` (ModRM.reg: rol ror rcl rcr shl shr shl sar) by a masked, non-zero count; flags by setShiftFlags. */
function shiftValue(cpu: usize, kind: u32, size: u32, value: i64, count: u32): i64 {
  const bits = size << 3;
  const unsignedValue = zeroExtend(value, size);
  let r: u64;
  let carry: u32;
  if (kind < 4) {
    const flags = getFlags(cpu);
    let n = kind < 2 ? count % bits : count % (bits + 1);
    if (kind == 0) {
      r = n ? (unsignedValue << n) | (unsignedValue >> (bits - n)) : unsignedValue;
      carry = (<u32>r) & 1;
    } else if (kind == 1) {
      r = n ? (unsignedValue >> n) | (unsignedValue << (bits - n)) : unsignedValue;
      carry = (<u32>(r >> (bits - 1))) & 1;
    } else {
      r = unsignedValue;
      carry = flags & CF;
      for (; n; n--) {
        if (kind == 2) {
          const out = (<u32>(r >> (bits - 1))) & 1;
          r = (r << 1) | carry;
          carry = out;
        } else {
          const out = (<u32>r) & 1;
          r = (zeroExtend(<i64>r, size) >> 1) | ((<u64>carry) << (bits - 1));
          carry = out;
        }
      }
    }
    const top = (<u32>(r >> (bits - 1))) & 1;
    // OF is defined for single-bit rotates; for others it is left as the same formula gives.
    const overflow = kind == 0 || kind == 2 ? top ^ carry : top ^ ((<u32>(r >> (bits - 2))) & 1);
    shiftKind = CC_EXPLICIT;
    shiftR = <i64>((flags & ~(CF | OF)) | carry | (overflow ? OF : 0));
    return extend(<i64>r, size);
  }
  let result: i64;
  shiftA = value;
  if (kind == 4 || kind == 6) {
    carry = count <= bits ? (<u32>(unsignedValue >> (bits - count))) & 1 : 0;
    result = count >= bits ? 0 : extend(value << count, size);
    shiftKind = CC_SHL;
  } else if (kind == 5) {
    carry = count <= bits ? (<u32>(unsignedValue >> (count - 1))) & 1 : 0;
    result = count >= bits ? 0 : extend(<i64>(unsignedValue >> count), size);
    shiftKind = CC_DEC;
  } else {
    const n = count >= bits ? 63 : count;
    carry = (<u32>(value >> (n == 63 && count >= bits ? 63 : n - 1))) & 1;
    result = value >> n;
    shiftKind = CC_INC;
    shiftA = result;
  }
  shiftCarry = carry;
  shiftR = result;
  return result;
}

function resultFlags(r: i64): u32 {
  return (r == 0 ? ZF : 0) | (r < 0 ? SF : 0) | (parityOf(<u32>r) ? PF : 0);
}

function shift(cpu: usize, op: usize, count: u32): i32 {
  const size = operandSize(op);
  count &= size == 8 ? 63 : 31;
  const kind = <u32>load<u8>(op, OP_AUX);
  if (!rmIsMemory(op)) {
    const p = cpu + load<u8>(op, OP_RM);
    if (count == 0) {
      writeRegister(p, size, loadExtended(p, size));
      return NEXT;
    }
    writeRegister(p, size, shiftValue(cpu, kind, size, loadExtended(p, size), count));
    setShiftFlags(cpu);
    return NEXT;
  }
  const p = beginUpdate(cpu, effectiveAddress(cpu, op), size);
  if (!p) return FAULT;
  if (count != 0) storeValue(p, size, shiftValue(cpu, kind, size, loadExtended(p, size), count));
  const status = endStore(cpu);
  if (status == NEXT && count != 0) setShiftFlags(cpu);
  return status;
}

export function shiftImmediate(cpu: usize, op: usize): i32 {
  return shift(cpu, op, <u32>load<u8>(op, OP_IMMEDIATE));
}

export function shiftByCl(cpu: usize, op: usize): i32 {
  return shift(cpu, op, <u32>load<u8>(cpu + VCPU_RCX));
}

/** shld (aux 0), shrd (aux 1) */
function shiftDouble(cpu: usize, op: usize, count: u32): i32 {
  const size = operandSize(op);
  const bits = size << 3;
  count &= size == 8 ? 63 : 31;
  const right = load<u8>(op, OP_AUX) != 0;
  const memory = rmIsMemory(op);
  const p = memory ? beginUpdate(cpu, effectiveAddress(cpu, op), size) : cpu + load<u8>(op, OP_RM);
  if (!p) return FAULT;
  const value = zeroExtend(loadExtended(p, size), size);
  const source = zeroExtend(loadExtended(regPointer(cpu, op), size), size);
  let flags: u32 = 0;
  let result = value;
  if (count != 0) {
    let carry: u32;
    // A count above 16 on 16-bit operands is undefined; this takes the bits as if the pair were repeated.
    const n = <u64>(count > bits ? count - bits : count);
    const from = count > bits ? source : value;
    const fill = count > bits ? value : source;
    if (right) {
      result = n == bits ? fill : (from >> n) | (fill << (bits - n));
      carry = (<u32>(from >> (n - 1))) & 1;
    } else {
      result = n == bits ? fill : (from << n) | (fill >> (bits - n));
      carry = (<u32>(from >> (bits - n))) & 1;
    }
    const extended = extend(<i64>result, size);
    const signChanged = (extended < 0 != ((value >> (bits - 1)) & 1)) != 0;
    flags = resultFlags(extended) | carry | (signChanged ? OF : 0);
  }
  if (memory) {
    storeValue(p, size, <i64>result);
    const status = endStore(cpu);
    if (status != NEXT) return status;
  } else {
    writeRegister(p, size, <i64>result);
  }
  if (count != 0) setFlags(cpu, flags);
  return NEXT;
}

export function shiftDoubleImmediate(cpu: usize, op: usize): i32 {
  return shiftDouble(cpu, op, <u32>load<u8>(op, OP_IMMEDIATE));
}

export function shiftDoubleByCl(cpu: usize, op: usize): i32 {
  return shiftDouble(cpu, op, <u32>load<u8>(cpu + VCPU_RCX));
}

/** bt bts btr btc (aux 0 1 2 3) with the bit number in a register: in memory it reaches beyond the operand. */
export function bitTestRegister(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  return bitTest(cpu, op, size, loadExtended(regPointer(cpu, op), size), true);
}

export function bitTestImmediate(cpu: usize, op: usize): i32 {
  return bitTest(cpu, op, operandSize(op), <i64>load<u8>(op, OP_IMMEDIATE), false);
}

function bitTest(cpu: usize, op: usize, size: u32, number: i64, reaches: bool): i32 {
  const kind = <u32>load<u8>(op, OP_AUX);
  const bit = (<u64>number) & (<u64>(size << 3) - 1);
  const mask = <i64>((<u64>1) << bit);
  if (!rmIsMemory(op)) {
    const p = cpu + load<u8>(op, OP_RM);
    const value = loadExtended(p, size);
    if (kind == 1) writeRegister(p, size, value | mask);
    else if (kind == 2) writeRegister(p, size, value & ~mask);
    else if (kind == 3) writeRegister(p, size, value ^ mask);
    setBitCarry(cpu, (<u32>(value >> bit)) & 1);
    return NEXT;
  }
  let va = effectiveAddress(cpu, op);
  if (reaches) va += <u64>((number >> (size == 8 ? 6 : size == 4 ? 5 : 4)) * <i64>size);
  if (kind == 0) {
    const p = readable(cpu, va, size);
    if (!p) return FAULT;
    setBitCarry(cpu, (<u32>(loadExtended(p, size) >> bit)) & 1);
    return NEXT;
  }
  const update = kind == 1 ? UPDATE_SET_BITS : kind == 2 ? UPDATE_RESET_BITS : UPDATE_FLIP_BITS;
  const status = updateMemory(cpu, va, size, update, mask, 0, (load<u8>(op, OP_FLAGS) & OPF_LOCK) != 0);
  if (status != NEXT) return status;
  setBitCarry(cpu, (<u32>(updateOld >> bit)) & 1);
  return NEXT;
}

/** CF is the bit; ZF stays, the others are undefined. */
function setBitCarry(cpu: usize, carry: u32): void {
  let r = load<i64>(cpu, VCPU_CC_R);
  if (load<u32>(cpu, VCPU_CC_OP) == CC_EXPLICIT) r = ((r >> 6) & 1) ^ 1;
  setCc(cpu, CC_INC, r, <i64>carry, r);
}

/** bsf (aux 0), bsr (aux 1); a zero source leaves the destination, as every processor does. */
export function bitScan(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const p = rmReadable(cpu, op, size);
  if (!p) return FAULT;
  const value = zeroExtend(loadExtended(p, size), size);
  // ZF tells that there is none; the other flags are undefined.
  setLogic(cpu, extend(<i64>value, size));
  if (value == 0) return NEXT;
  const index = load<u8>(op, OP_AUX) ? 63 - clz<u64>(value) : ctz<u64>(value);
  writeRegister(regPointer(cpu, op), size, <i64>index);
  return NEXT;
}
