/** Read-modify-write of the rm operand: in a register, in memory, or locked in memory, with one statement of each operation. */
import { effectiveAddress } from '../address';
import { CC_ADC, CC_ADD, CC_DEC, CC_INC, CC_SBB, CC_SUB, FAULT, NEXT, OPF_LOCK, OP_FLAGS, OP_RM } from '../layout';
import { getCarry, setCc, setLogic } from '../flags';
import { compareExchange, isSplit } from '../locked';
import { beginUpdate, endStore, storesInPlace } from '../memory';
import { holdOthers, releaseOthers } from '../rendezvous';
import { extend, loadExtended, rmIsMemory, storeValue, writeRegister, zeroExtend } from './operands';

export const UPDATE_ADD: u32 = 0;
export const UPDATE_OR: u32 = 1;
export const UPDATE_ADC: u32 = 2;
export const UPDATE_SBB: u32 = 3;
export const UPDATE_AND: u32 = 4;
export const UPDATE_SUB: u32 = 5;
export const UPDATE_XOR: u32 = 6;
export const UPDATE_CMP: u32 = 7;
export const UPDATE_INC: u32 = 8;
export const UPDATE_DEC: u32 = 9;
export const UPDATE_NOT: u32 = 10;
export const UPDATE_NEG: u32 = 11;
/** Bit operations: b is the mask; flags are the caller's (CF only). */
export const UPDATE_SET_BITS: u32 = 12;
export const UPDATE_RESET_BITS: u32 = 13;
export const UPDATE_FLIP_BITS: u32 = 14;
export const UPDATE_EXCHANGE: u32 = 15;

/** Value of the operand before the last update, sign-extended. */
export let updateOld: i64 = 0;

function combine(kind: u32, a: i64, b: i64, carry: i64): i64 {
  switch (kind) {
    case UPDATE_ADD:
      return a + b;
    case UPDATE_OR:
      return a | b;
    case UPDATE_ADC:
      return a + b + carry;
    case UPDATE_SBB:
      return a - b - carry;
    case UPDATE_AND:
      return a & b;
    case UPDATE_SUB:
      return a - b;
    case UPDATE_CMP:
      return a - b;
    case UPDATE_XOR:
      return a ^ b;
    case UPDATE_INC:
      return a + 1;
    case UPDATE_DEC:
      return a - 1;
    case UPDATE_NOT:
      return ~a;
    case UPDATE_NEG:
      return -a;
    case UPDATE_SET_BITS:
      return a | b;
    case UPDATE_RESET_BITS:
      return a & ~b;
    case UPDATE_FLIP_BITS:
      return a ^ b;
    default:
      return b;
  }
}

/** Sets the arithmetic flags of `kind`; a, b, r sign-extended, r already cut to the operand size. */
export function setUpdateFlags(cpu: usize, kind: u32, a: i64, b: i64, r: i64): void {
  switch (kind) {
    case UPDATE_ADD:
      setCc(cpu, CC_ADD, a, b, r);
      break;
    case UPDATE_SUB:
    case UPDATE_CMP:
      setCc(cpu, CC_SUB, a, b, r);
      break;
    case UPDATE_OR:
    case UPDATE_AND:
    case UPDATE_XOR:
      setLogic(cpu, r);
      break;
    case UPDATE_NEG:
      setCc(cpu, CC_SUB, 0, a, r);
      break;
    case UPDATE_INC:
      setCc(cpu, CC_INC, a, <i64>getCarry(cpu), r);
      break;
    case UPDATE_DEC:
      setCc(cpu, CC_DEC, a, <i64>getCarry(cpu), r);
      break;
    case UPDATE_ADC:
      setCc(cpu, CC_ADC, a, b, r);
      break;
    case UPDATE_SBB:
      setCc(cpu, CC_SBB, a, b, r);
      break;
  }
}

/** Updates the rm operand of `bytes` with `kind` and `b`; sets flags where the kind has them. updateOld is what was there. */
export function updateRm(cpu: usize, op: usize, bytes: u32, kind: u32, b: i64): i32 {
  const carry = kind == UPDATE_ADC || kind == UPDATE_SBB ? <i64>getCarry(cpu) : 0;
  if (!rmIsMemory(op)) {
    const p = cpu + load<u8>(op, OP_RM);
    const a = loadExtended(p, bytes);
    const r = extend(combine(kind, a, b, carry), bytes);
    if (kind != UPDATE_CMP) writeRegister(p, bytes, r);
    updateOld = a;
    setUpdateFlags(cpu, kind, a, b, r);
    return NEXT;
  }
  const locked = (load<u8>(op, OP_FLAGS) & OPF_LOCK) != 0 || kind == UPDATE_EXCHANGE;
  return updateMemory(cpu, effectiveAddress(cpu, op), bytes, kind, b, carry, locked);
}

/** The same at a linear address. */
export function updateMemory(cpu: usize, va: u64, bytes: u32, kind: u32, b: i64, carry: i64, locked: bool): i32 {
  if (locked && isSplit(va, bytes)) {
    holdOthers(cpu);
    const status = updateHere(cpu, va, bytes, kind, b, carry, false);
    releaseOthers();
    return status;
  }
  return updateHere(cpu, va, bytes, kind, b, carry, locked);
}

function updateHere(cpu: usize, va: u64, bytes: u32, kind: u32, b: i64, carry: i64, locked: bool): i32 {
  const p = beginUpdate(cpu, va, bytes);
  if (!p) return FAULT;
  let a = loadExtended(p, bytes);
  let r = extend(combine(kind, a, b, carry), bytes);
  // What is written to a bounce buffer is nobody else's; endStore makes a page-table store one compare-exchange.
  if (locked && storesInPlace(cpu)) {
    while (true) {
      const old = zeroExtend(a, bytes);
      const seen = compareExchange(p, bytes, old, zeroExtend(r, bytes));
      if (seen == old) break;
      a = extend(<i64>seen, bytes);
      r = extend(combine(kind, a, b, carry), bytes);
    }
  } else storeValue(p, bytes, r);
  const status = endStore(cpu);
  if (status != NEXT) return status;
  updateOld = a;
  setUpdateFlags(cpu, kind, a, b, r);
  return NEXT;
}
