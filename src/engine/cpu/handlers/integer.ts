/** Arithmetic, logic and data movement on general-purpose registers and memory. @sdm Vol.2 */
import { effectiveAddress, effectiveOffset } from '../address';
import {
  CC_IMUL,
  CC_MUL,
  CC_SUB,
  FAULT,
  NEXT,
  OPF_LOCK,
  OP_AUX,
  OP_FLAGS,
  OP_IMMEDIATE,
  OP_RM,
  OP_SEGMENT,
  VCPU_RAX,
  VCPU_RBX,
  VCPU_RCX,
  VCPU_RDX,
  VECTOR_DE,
} from '../layout';
import { CF, OF, ZF, condition, getCarry, getFlags, setCc, setFlags, setLogic } from '../flags';
import { compareExchange, isSplit } from '../locked';
import { beginUpdate, dropStore, endStore, readable, storesInPlace } from '../memory';
import { holdOthers, releaseOthers } from '../rendezvous';
import { randomBits } from '../host';
import { raise } from '../fault';
import {
  extend,
  loadExtended,
  operandSize,
  regPointer,
  rmIsMemory,
  rmReadable,
  storeValue,
  writeMemory,
  writeRegister,
  writeRm,
  zeroExtend,
} from './operands';
import { UPDATE_ADD, UPDATE_CMP, UPDATE_EXCHANGE, setUpdateFlags, updateOld, updateRm } from './update';
import { signedHigh, unsignedHigh } from '../product';

/** op rm, reg */
export function aluEG(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const kind = <u32>load<u8>(op, OP_AUX);
  const b = loadExtended(regPointer(cpu, op), size);
  if (kind == UPDATE_CMP) return compareRm(cpu, op, size, b);
  return updateRm(cpu, op, size, kind, b);
}

/** op rm, imm */
export function aluEI(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const kind = <u32>load<u8>(op, OP_AUX);
  const b = load<i64>(op, OP_IMMEDIATE);
  if (kind == UPDATE_CMP) return compareRm(cpu, op, size, b);
  return updateRm(cpu, op, size, kind, b);
}

function compareRm(cpu: usize, op: usize, size: u32, b: i64): i32 {
  const p = rmReadable(cpu, op, size);
  if (!p) return FAULT;
  const a = loadExtended(p, size);
  setCc(cpu, CC_SUB, a, b, extend(a - b, size));
  return NEXT;
}

/** op reg, rm */
export function aluGE(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const kind = <u32>load<u8>(op, OP_AUX);
  const p = rmReadable(cpu, op, size);
  if (!p) return FAULT;
  const b = loadExtended(p, size);
  const register = regPointer(cpu, op);
  const a = loadExtended(register, size);
  let r: i64;
  let carry: i64 = 0;
  switch (kind) {
    case 0:
      r = a + b;
      break;
    case 1:
      r = a | b;
      break;
    case 2:
      carry = <i64>getCarry(cpu);
      r = a + b + carry;
      break;
    case 3:
      carry = <i64>getCarry(cpu);
      r = a - b - carry;
      break;
    case 4:
      r = a & b;
      break;
    case 6:
      r = a ^ b;
      break;
    default:
      r = a - b;
      break;
  }
  r = extend(r, size);
  if (kind != UPDATE_CMP) writeRegister(register, size, r);
  setUpdateFlags(cpu, kind, a, b, r);
  return NEXT;
}

/** inc, dec, not, neg */
export function unaryE(cpu: usize, op: usize): i32 {
  return updateRm(cpu, op, operandSize(op), <u32>load<u8>(op, OP_AUX), 0);
}

export function testEG(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const p = rmReadable(cpu, op, size);
  if (!p) return FAULT;
  setLogic(cpu, loadExtended(p, size) & loadExtended(regPointer(cpu, op), size));
  return NEXT;
}

export function testEI(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const p = rmReadable(cpu, op, size);
  if (!p) return FAULT;
  setLogic(cpu, loadExtended(p, size) & load<i64>(op, OP_IMMEDIATE));
  return NEXT;
}

export function movEG(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  return writeRm(cpu, op, size, loadExtended(regPointer(cpu, op), size));
}

export function movGE(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const p = rmReadable(cpu, op, size);
  if (!p) return FAULT;
  writeRegister(regPointer(cpu, op), size, loadExtended(p, size));
  return NEXT;
}

export function movEI(cpu: usize, op: usize): i32 {
  return writeRm(cpu, op, operandSize(op), load<i64>(op, OP_IMMEDIATE));
}

/** mov between the accumulator and a 64-bit offset; aux 0 load, 1 store. */
export function movOffset(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const va = load<u64>(op, OP_IMMEDIATE) + load<u64>(cpu + load<u8>(op, OP_SEGMENT));
  if (load<u8>(op, OP_AUX)) return writeMemory(cpu, va, size, loadExtended(cpu + VCPU_RAX, size));
  const p = readable(cpu, va, size);
  if (!p) return FAULT;
  writeRegister(cpu + VCPU_RAX, size, loadExtended(p, size));
  return NEXT;
}

export function lea(cpu: usize, op: usize): i32 {
  writeRegister(regPointer(cpu, op), operandSize(op), effectiveOffset(cpu, op));
  return NEXT;
}

/** movzx; aux = bytes of the source. */
export function movzx(cpu: usize, op: usize): i32 {
  const bytes = <u32>load<u8>(op, OP_AUX);
  const p = rmReadable(cpu, op, bytes);
  if (!p) return FAULT;
  writeRegister(regPointer(cpu, op), operandSize(op), bytes == 1 ? <i64>load<u8>(p) : <i64>load<u16>(p));
  return NEXT;
}

/** movsx, movsxd; aux = bytes of the source. */
export function movsx(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const bytes = min<u32>(<u32>load<u8>(op, OP_AUX), size);
  const p = rmReadable(cpu, op, bytes);
  if (!p) return FAULT;
  writeRegister(regPointer(cpu, op), size, loadExtended(p, bytes));
  return NEXT;
}

export function xchg(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const register = regPointer(cpu, op);
  const status = updateRm(cpu, op, size, UPDATE_EXCHANGE, loadExtended(register, size));
  if (status != NEXT) return status;
  writeRegister(register, size, updateOld);
  return NEXT;
}

export function xadd(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const register = regPointer(cpu, op);
  const b = loadExtended(register, size);
  if (!rmIsMemory(op)) {
    // Both operands may be the same register: the sum is written last.
    const a = loadExtended(cpu + load<u8>(op, OP_RM), size);
    const r = extend(a + b, size);
    writeRegister(register, size, a);
    writeRegister(cpu + load<u8>(op, OP_RM), size, r);
    setUpdateFlags(cpu, UPDATE_ADD, a, b, r);
    return NEXT;
  }
  const status = updateRm(cpu, op, size, UPDATE_ADD, b);
  if (status != NEXT) return status;
  writeRegister(register, size, updateOld);
  return NEXT;
}

export function cmpxchg(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const accumulator = loadExtended(cpu + VCPU_RAX, size);
  const source = loadExtended(regPointer(cpu, op), size);
  if (rmIsMemory(op)) {
    const locked = (load<u8>(op, OP_FLAGS) & OPF_LOCK) != 0;
    const status = exchangeIfEqual(cpu, effectiveAddress(cpu, op), size, accumulator, source, locked);
    if (status != NEXT) return status;
  } else {
    const p = cpu + load<u8>(op, OP_RM);
    seenValue = loadExtended(p, size);
    if (seenValue == accumulator) writeRegister(p, size, source);
  }
  const seen = seenValue;
  if (seen != accumulator) writeRegister(cpu + VCPU_RAX, size, seen);
  setCc(cpu, CC_SUB, accumulator, seen, extend(accumulator - seen, size));
  return NEXT;
}

/** What exchangeIfEqual found in memory, sign-extended. */
let seenValue: i64 = 0;

/** Stores `wanted` at `va` if `expected` is there. NEXT with seenValue set, or the status of the failed store. */
function exchangeIfEqual(cpu: usize, va: u64, bytes: u32, expected: i64, wanted: i64, locked: bool): i32 {
  if (!locked || !isSplit(va, bytes)) return exchangeIfEqualHere(cpu, va, bytes, expected, wanted, locked);
  holdOthers(cpu);
  const status = exchangeIfEqualHere(cpu, va, bytes, expected, wanted, false);
  releaseOthers();
  return status;
}

function exchangeIfEqualHere(cpu: usize, va: u64, bytes: u32, expected: i64, wanted: i64, locked: bool): i32 {
  // Hardware writes the old value back when the comparison fails: the page must be writable, nothing else is seen.
  const p = beginUpdate(cpu, va, bytes);
  if (!p) return FAULT;
  if (locked && storesInPlace(cpu)) {
    seenValue = extend(<i64>compareExchange(p, bytes, zeroExtend(expected, bytes), zeroExtend(wanted, bytes)), bytes);
  } else {
    seenValue = loadExtended(p, bytes);
    if (seenValue == expected) storeValue(p, bytes, wanted);
  }
  return seenValue == expected ? endStore(cpu) : dropStore(cpu);
}

/** cmpxchg8b, cmpxchg16b */
export function cmpxchgPair(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const va = effectiveAddress(cpu, op);
  if (size == 8 && va & 15) return raise(cpu, 13, 0);
  const locked = (load<u8>(op, OP_FLAGS) & OPF_LOCK) != 0;
  if (size == 8) return cmpxchg16b(cpu, va, locked);
  const expected = (load<u64>(cpu, VCPU_RDX) << 32) | (<u64>load<u32>(cpu, VCPU_RAX));
  const wanted = (load<u64>(cpu, VCPU_RCX) << 32) | (<u64>load<u32>(cpu, VCPU_RBX));
  const status = exchangeIfEqual(cpu, va, 8, expected, wanted, locked);
  if (status != NEXT) return status;
  const seen = <u64>seenValue;
  if (seen != expected) {
    store<u64>(cpu, seen & 0xffffffff, VCPU_RAX);
    store<u64>(cpu, seen >> 32, VCPU_RDX);
  }
  setFlags(cpu, (getFlags(cpu) & ~ZF) | (seen == expected ? ZF : 0));
  return NEXT;
}

/** Aligned, so it never crosses a page; both words must change as one for every observer. */
function cmpxchg16b(cpu: usize, va: u64, locked: bool): i32 {
  const held = locked && isSplit(va, 16);
  if (held) holdOthers(cpu);
  const status = cmpxchg16bHere(cpu, va);
  if (held) releaseOthers();
  return status;
}

function cmpxchg16bHere(cpu: usize, va: u64): i32 {
  const p = beginUpdate(cpu, va, 16);
  if (!p) return FAULT;
  const low = load<u64>(p);
  const high = load<u64>(p, 8);
  const equal = low == load<u64>(cpu, VCPU_RAX) && high == load<u64>(cpu, VCPU_RDX);
  let status: i32;
  if (equal) {
    store<u64>(p, load<u64>(cpu, VCPU_RBX));
    store<u64>(p, load<u64>(cpu, VCPU_RCX), 8);
    status = endStore(cpu);
  } else {
    status = dropStore(cpu);
    store<u64>(cpu, low, VCPU_RAX);
    store<u64>(cpu, high, VCPU_RDX);
  }
  if (status != NEXT) return status;
  setFlags(cpu, (getFlags(cpu) & ~ZF) | (equal ? ZF : 0));
  return NEXT;
}

export function bswap(cpu: usize, op: usize): i32 {
  const p = cpu + load<u8>(op, OP_RM);
  if (operandSize(op) == 8) store<u64>(p, bswap64(load<u64>(p)));
  else if (operandSize(op) == 4) store<u64>(p, <u64>bswap32(load<u32>(p)));
  else store<u16>(p, 0); // 16-bit is undefined; processors give zero
  return NEXT;
}

// @ts-ignore: decorator
@inline
export function bswap32(x: u32): u32 {
  return (rotl<u32>(x, 8) & 0x00ff00ff) | (rotl<u32>(x, 24) & 0xff00ff00);
}

// @ts-ignore: decorator
@inline
export function bswap64(x: u64): u64 {
  return ((<u64>bswap32(<u32>x)) << 32) | (<u64>bswap32(<u32>(x >> 32)));
}

export function setcc(cpu: usize, op: usize): i32 {
  return writeRm(cpu, op, 1, condition(cpu, load<u8>(op, OP_AUX)) ? 1 : 0);
}

export function cmovcc(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const p = rmReadable(cpu, op, size);
  if (!p) return FAULT;
  const register = regPointer(cpu, op);
  // A 32-bit form clears the upper half even when nothing is moved.
  const value = condition(cpu, load<u8>(op, OP_AUX)) ? loadExtended(p, size) : loadExtended(register, size);
  writeRegister(register, size, value);
  return NEXT;
}

/** cbw cwde cdqe */
export function convertAccumulator(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  writeRegister(cpu + VCPU_RAX, size, loadExtended(cpu + VCPU_RAX, size >> 1));
  return NEXT;
}

/** cwd cdq cqo */
export function extendAccumulator(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  writeRegister(cpu + VCPU_RDX, size, loadExtended(cpu + VCPU_RAX, size) >> 63);
  return NEXT;
}

export function lahf(cpu: usize, op: usize): i32 {
  store<u8>(cpu + VCPU_RAX + 1, <u8>((getFlags(cpu) & 0xd5) | 2));
  return NEXT;
}

export function sahf(cpu: usize, op: usize): i32 {
  setFlags(cpu, (getFlags(cpu) & OF) | ((<u32>load<u8>(cpu + VCPU_RAX + 1)) & 0xd5));
  return NEXT;
}

/** clc stc cmc by aux 0 1 2 */
export function carryOperation(cpu: usize, op: usize): i32 {
  const flags = getFlags(cpu);
  const kind = load<u8>(op, OP_AUX);
  setFlags(cpu, kind == 0 ? flags & ~CF : kind == 1 ? flags | CF : flags ^ CF);
  return NEXT;
}

/** mul (aux 0) and imul (aux 1) of the accumulator by rm. */
export function multiplyAccumulator(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const p = rmReadable(cpu, op, size);
  if (!p) return FAULT;
  const signed = load<u8>(op, OP_AUX) != 0;
  const b = loadExtended(p, size);
  const a = loadExtended(cpu + VCPU_RAX, size);
  let low: i64;
  let high: i64;
  if (size == 8) {
    low = a * b;
    high = signed ? signedHigh(a, b) : <i64>unsignedHigh(a, b);
    store<i64>(cpu, low, VCPU_RAX);
    store<i64>(cpu, high, VCPU_RDX);
  } else {
    const product = signed ? a * b : <i64>(zeroExtend(a, size) * zeroExtend(b, size));
    low = extend(product, size);
    high = extend(product >> ((<i64>size) << 3), size);
    if (size == 1) store<u16>(cpu, <u16>product, VCPU_RAX);
    else {
      writeRegister(cpu + VCPU_RAX, size, low);
      writeRegister(cpu + VCPU_RDX, size, high);
    }
  }
  const overflow = signed ? high != low >> 63 : high != 0;
  // SF, ZF, AF and PF are undefined after a multiplication; they are left as the low half would set them.
  setCc(cpu, CC_MUL, 0, overflow ? 1 : 0, low);
  return NEXT;
}

/** imul reg, rm and imul reg, rm, imm (aux 1) */
export function multiplyRegister(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const p = rmReadable(cpu, op, size);
  if (!p) return FAULT;
  const register = regPointer(cpu, op);
  const a = loadExtended(p, size);
  const b = load<u8>(op, OP_AUX) ? load<i64>(op, OP_IMMEDIATE) : loadExtended(register, size);
  const product = a * b;
  const low = extend(product, size);
  writeRegister(register, size, low);
  setCc(cpu, CC_IMUL, a, b, low);
  return NEXT;
}

/** div (aux 0) and idiv (aux 1) of the accumulator pair by rm; the flags are undefined and left alone. */
export function divideAccumulator(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const p = rmReadable(cpu, op, size);
  if (!p) return FAULT;
  const signed = load<u8>(op, OP_AUX) != 0;
  const divisor = loadExtended(p, size);
  if (divisor == 0) return raise(cpu, VECTOR_DE, 0);
  if (size == 8) {
    const low = load<u64>(cpu, VCPU_RAX);
    const high = load<u64>(cpu, VCPU_RDX);
    return signed ? divideSigned128(cpu, <i64>high, low, divisor) : divideUnsigned128(cpu, high, low, <u64>divisor);
  }
  const bits = (<u64>size) << 3;
  let dividend: u64;
  if (size == 1) dividend = <u64>load<u16>(cpu, VCPU_RAX);
  else dividend = (zeroExtend(load<i64>(cpu, VCPU_RDX), size) << bits) | zeroExtend(load<i64>(cpu, VCPU_RAX), size);
  let quotient: i64;
  let remainder: i64;
  if (signed) {
    const value = size == 1 ? <i64>(<i16>dividend) : size == 2 ? <i64>(<i32>dividend) : <i64>dividend;
    if (value == i64.MIN_VALUE && divisor == -1) return raise(cpu, VECTOR_DE, 0);
    quotient = value / divisor;
    remainder = value % divisor;
    if (quotient != extend(quotient, size)) return raise(cpu, VECTOR_DE, 0);
  } else {
    const d = zeroExtend(divisor, size);
    const q = dividend / d;
    if (q != zeroExtend(<i64>q, size)) return raise(cpu, VECTOR_DE, 0);
    quotient = <i64>q;
    remainder = <i64>(dividend % d);
  }
  if (size == 1) {
    store<u8>(cpu, <u8>quotient, VCPU_RAX);
    store<u8>(cpu + VCPU_RAX + 1, <u8>remainder);
  } else {
    writeRegister(cpu + VCPU_RAX, size, quotient);
    writeRegister(cpu + VCPU_RDX, size, remainder);
  }
  return NEXT;
}

function divideUnsigned128(cpu: usize, high: u64, low: u64, divisor: u64): i32 {
  if (high >= divisor) return raise(cpu, VECTOR_DE, 0);
  if (high == 0) {
    store<u64>(cpu, low / divisor, VCPU_RAX);
    store<u64>(cpu, low % divisor, VCPU_RDX);
    return NEXT;
  }
  longDivide(high, low, divisor);
  store<u64>(cpu, longQuotient, VCPU_RAX);
  store<u64>(cpu, longRemainder, VCPU_RDX);
  return NEXT;
}

let longQuotient: u64 = 0;
let longRemainder: u64 = 0;

/** 128 by 64 bits, quotient of 64 bits (high < divisor): two steps of 32-bit digits on the normalised divisor. Knuth 4.3.1 D. */
function longDivide(high: u64, low: u64, divisor: u64): void {
  const shift = clz<u64>(divisor);
  const d = divisor << shift;
  const dh = d >> 32;
  const dl = d & 0xffffffff;
  let n = shift ? (high << shift) | (low >> (64 - shift)) : high;
  const l = low << shift;
  let quotient: u64 = 0;
  for (let step: u64 = 0; step < 2; step++) {
    const digit = step == 0 ? l >> 32 : l & 0xffffffff;
    let q = n / dh;
    let rest = n % dh;
    while (q >> 32 || q * dl > ((rest << 32) | digit)) {
      q--;
      rest += dh;
      if (rest >> 32) break;
    }
    n = (n << 32) + digit - q * d;
    quotient = (quotient << 32) | q;
  }
  longQuotient = quotient;
  longRemainder = n >> shift;
}

function divideSigned128(cpu: usize, high: i64, low: u64, divisor: i64): i32 {
  const negative = high < 0;
  let h = <u64>high;
  let l = low;
  if (negative) {
    l = -l;
    h = ~h + (l == 0 ? 1 : 0);
  }
  const d = divisor < 0 ? <u64>-divisor : <u64>divisor;
  if (h >= d) return raise(cpu, VECTOR_DE, 0);
  if (h == 0) {
    longQuotient = l / d;
    longRemainder = l % d;
  } else {
    longDivide(h, l, d);
  }
  const quotientNegative = negative != divisor < 0;
  const limit: u64 = quotientNegative ? 0x8000000000000000 : 0x7fffffffffffffff;
  if (longQuotient > limit) return raise(cpu, VECTOR_DE, 0);
  store<u64>(cpu, quotientNegative ? -longQuotient : longQuotient, VCPU_RAX);
  store<u64>(cpu, negative ? -longRemainder : longRemainder, VCPU_RDX);
  return NEXT;
}

/** rdrand, rdseed: always succeed. */
export function randomRegister(cpu: usize, op: usize): i32 {
  writeRegister(cpu + load<u8>(op, OP_RM), operandSize(op), <i64>randomBits());
  setFlags(cpu, CF);
  return NEXT;
}

/** movbe is hidden; popcnt */
export function populationCount(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const p = rmReadable(cpu, op, size);
  if (!p) return FAULT;
  const count = popcnt<u64>(zeroExtend(loadExtended(p, size), size));
  writeRegister(regPointer(cpu, op), size, <i64>count);
  setFlags(cpu, count == 0 ? ZF : 0);
  return NEXT;
}

export function nop(cpu: usize, op: usize): i32 {
  return NEXT;
}
