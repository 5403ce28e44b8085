/**
 * String instructions. A repeated one moves whole runs inside the pages at hand as bulk copies and fills, and leaves after a
 * page's worth with RIP still on it, so that events and flushes are served between; RCX, RSI and RDI always tell what is done.
 * @sdm Vol.1 7.3.9, Vol.2 MOVS CMPS STOS LODS SCAS REP
 */
import { instructionAddress } from '../address';
import {
  CC_SUB,
  FAULT,
  JUMP,
  NEXT,
  OPF_ADDRESS32,
  OPF_REP,
  OPF_REPNE,
  OP_FLAGS,
  OP_SEGMENT,
  PAGE_BYTES,
  VCPU_RAX,
  VCPU_RBX,
  VCPU_RCX,
  VCPU_RDI,
  VCPU_RFLAGS,
  VCPU_RIP,
  VCPU_RSI,
  VCPU_STEPPING,
} from '../layout';
import { DF, setCc } from '../flags';
import { beginStore, endStore, readable } from '../memory';
import { extend, loadExtended, operandSize, storeValue, writeRegister } from './operands';

/** Elements done before a repeated instruction lets others have their turn; one while each iteration is to trap. */
const TURN: u64 = 4096;

// @ts-ignore: decorator
@inline
export function turnOf(cpu: usize): u64 {
  return load<u32>(cpu, VCPU_STEPPING) ? 1 : TURN;
}

// @ts-ignore: decorator
@inline
function step(cpu: usize, size: u32): i64 {
  return load<u32>(cpu, VCPU_RFLAGS) & DF ? -(<i64>size) : <i64>size;
}

/** Value of a count or index register under the address size. */
function indexed(cpu: usize, op: usize, register: usize): u64 {
  const value = load<u64>(cpu + register);
  return load<u8>(op, OP_FLAGS) & OPF_ADDRESS32 ? value & 0xffffffff : value;
}

function setIndexed(cpu: usize, op: usize, register: usize, value: u64): void {
  store<u64>(cpu + register, load<u8>(op, OP_FLAGS) & OPF_ADDRESS32 ? value & 0xffffffff : value);
}

function isRepeated(op: usize): bool {
  return (load<u8>(op, OP_FLAGS) & (OPF_REP | OPF_REPNE)) != 0;
}

/** What a repeated instruction returns after a turn: on to the next one when the count is used up, else itself again. */
function afterTurn(cpu: usize, op: usize): i32 {
  if (indexed(cpu, op, VCPU_RCX) == 0) return NEXT;
  store<u64>(cpu, instructionAddress(cpu, op), VCPU_RIP);
  return JUMP;
}

/** Elements of `size` that lie in the page of `va` going up, at most `count`. */
export function runInPage(va: u64, size: u32, count: u64): u64 {
  return min<u64>(count, <u64>((PAGE_BYTES - ((<u32>va) & (PAGE_BYTES - 1))) / size));
}

export function movs(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const segment = load<u64>(cpu + load<u8>(op, OP_SEGMENT));
  if (!isRepeated(op)) return moveElement(cpu, op, size, segment, 1);
  let turn = turnOf(cpu);
  while (turn > 0) {
    const count = indexed(cpu, op, VCPU_RCX);
    if (count == 0) return NEXT;
    const from = indexed(cpu, op, VCPU_RSI);
    const to = indexed(cpu, op, VCPU_RDI);
    let run: u64 = 0;
    if (!(load<u32>(cpu, VCPU_RFLAGS) & DF)) run = runInPage(segment + from, size, runInPage(to, size, min<u64>(count, turn)));
    if (run > 1) {
      const bytes = <u32>run * size;
      const source = readable(cpu, segment + from, bytes);
      if (!source) return FAULT;
      const target = beginStore(cpu, to, bytes);
      if (!target) return FAULT;
      copyForward(target, source, bytes, size);
      const status = endStore(cpu);
      if (status != NEXT) return status;
      setIndexed(cpu, op, VCPU_RSI, from + bytes);
      setIndexed(cpu, op, VCPU_RDI, to + bytes);
      setIndexed(cpu, op, VCPU_RCX, count - run);
    } else {
      run = 1;
      const status = moveElement(cpu, op, size, segment, 1);
      if (status != NEXT) return status;
      setIndexed(cpu, op, VCPU_RCX, count - 1);
    }
    turn = run >= turn ? 0 : turn - run;
  }
  return afterTurn(cpu, op);
}

/** Copies element by element in order where the target overlaps the source from behind (which repeats a pattern), else at once. */
export function copyForward(target: usize, source: usize, bytes: u32, size: u32): void {
  if (target - source >= bytes) {
    memory.copy(target, source, bytes);
    return;
  }
  for (let n: u32 = 0; n < bytes; n += size) {
    if (size == 8) store<u64>(target + n, load<u64>(source + n));
    else if (size == 4) store<u32>(target + n, load<u32>(source + n));
    else if (size == 2) store<u16>(target + n, load<u16>(source + n));
    else store<u8>(target + n, load<u8>(source + n));
  }
}

function moveElement(cpu: usize, op: usize, size: u32, segment: u64, direction: i64): i32 {
  const from = indexed(cpu, op, VCPU_RSI);
  const to = indexed(cpu, op, VCPU_RDI);
  const source = readable(cpu, segment + from, size);
  if (!source) return FAULT;
  const value = loadExtended(source, size);
  const target = beginStore(cpu, to, size);
  if (!target) return FAULT;
  storeValue(target, size, value);
  const status = endStore(cpu);
  if (status != NEXT) return status;
  setIndexed(cpu, op, VCPU_RSI, from + <u64>step(cpu, size));
  setIndexed(cpu, op, VCPU_RDI, to + <u64>step(cpu, size));
  return NEXT;
}

export function stos(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  if (!isRepeated(op)) return storeElement(cpu, op, size);
  let turn = turnOf(cpu);
  while (turn > 0) {
    const count = indexed(cpu, op, VCPU_RCX);
    if (count == 0) return NEXT;
    const to = indexed(cpu, op, VCPU_RDI);
    let run: u64 = 0;
    if (!(load<u32>(cpu, VCPU_RFLAGS) & DF)) run = runInPage(to, size, min<u64>(count, turn));
    if (run > 1) {
      const bytes = <u32>run * size;
      const target = beginStore(cpu, to, bytes);
      if (!target) return FAULT;
      fillElements(target, bytes, size, load<u64>(cpu, VCPU_RAX));
      const status = endStore(cpu);
      if (status != NEXT) return status;
      setIndexed(cpu, op, VCPU_RDI, to + bytes);
      setIndexed(cpu, op, VCPU_RCX, count - run);
    } else {
      run = 1;
      const status = storeElement(cpu, op, size);
      if (status != NEXT) return status;
      setIndexed(cpu, op, VCPU_RCX, count - 1);
    }
    turn = run >= turn ? 0 : turn - run;
  }
  return afterTurn(cpu, op);
}

export function fillElements(target: usize, bytes: u32, size: u32, value: u64): void {
  const byte = value & 0xff;
  const repeated = byte * 0x0101010101010101;
  const mask = size == 8 ? ~(<u64>0) : ((<u64>1) << ((<u64>size) << 3)) - 1;
  if (((value ^ repeated) & mask) == 0) {
    memory.fill(target, <u8>byte, bytes);
    return;
  }
  for (let n: u32 = 0; n < bytes; n += size) storeValue(target + n, size, <i64>value);
}

function storeElement(cpu: usize, op: usize, size: u32): i32 {
  const to = indexed(cpu, op, VCPU_RDI);
  const target = beginStore(cpu, to, size);
  if (!target) return FAULT;
  storeValue(target, size, load<i64>(cpu, VCPU_RAX));
  const status = endStore(cpu);
  if (status != NEXT) return status;
  setIndexed(cpu, op, VCPU_RDI, to + <u64>step(cpu, size));
  return NEXT;
}

export function lods(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const segment = load<u64>(cpu + load<u8>(op, OP_SEGMENT));
  const repeated = isRepeated(op);
  for (let turn = turnOf(cpu); turn > 0; turn--) {
    const count = indexed(cpu, op, VCPU_RCX);
    if (repeated && count == 0) return NEXT;
    const from = indexed(cpu, op, VCPU_RSI);
    const source = readable(cpu, segment + from, size);
    if (!source) return FAULT;
    writeRegister(cpu + VCPU_RAX, size, loadExtended(source, size));
    setIndexed(cpu, op, VCPU_RSI, from + <u64>step(cpu, size));
    if (!repeated) return NEXT;
    setIndexed(cpu, op, VCPU_RCX, count - 1);
  }
  return afterTurn(cpu, op);
}

/** Whether REPE / REPNE stops after a comparison. */
function stops(op: usize, equal: bool): bool {
  return (load<u8>(op, OP_FLAGS) & OPF_REPNE) != 0 ? equal : !equal;
}

export function scas(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const repeated = isRepeated(op);
  const a = loadExtended(cpu + VCPU_RAX, size);
  for (let turn = turnOf(cpu); turn > 0; turn--) {
    const count = indexed(cpu, op, VCPU_RCX);
    if (repeated && count == 0) return NEXT;
    const to = indexed(cpu, op, VCPU_RDI);
    const p = readable(cpu, to, size);
    if (!p) return FAULT;
    const b = loadExtended(p, size);
    setCc(cpu, CC_SUB, a, b, extend(a - b, size));
    setIndexed(cpu, op, VCPU_RDI, to + <u64>step(cpu, size));
    if (!repeated) return NEXT;
    setIndexed(cpu, op, VCPU_RCX, count - 1);
    if (stops(op, a == b)) return NEXT;
  }
  return afterTurn(cpu, op);
}

export function cmps(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const segment = load<u64>(cpu + load<u8>(op, OP_SEGMENT));
  const repeated = isRepeated(op);
  for (let turn = turnOf(cpu); turn > 0; turn--) {
    const count = indexed(cpu, op, VCPU_RCX);
    if (repeated && count == 0) return NEXT;
    const from = indexed(cpu, op, VCPU_RSI);
    const to = indexed(cpu, op, VCPU_RDI);
    const source = readable(cpu, segment + from, size);
    if (!source) return FAULT;
    const a = loadExtended(source, size);
    const target = readable(cpu, to, size);
    if (!target) return FAULT;
    const b = loadExtended(target, size);
    setCc(cpu, CC_SUB, a, b, extend(a - b, size));
    setIndexed(cpu, op, VCPU_RSI, from + <u64>step(cpu, size));
    setIndexed(cpu, op, VCPU_RDI, to + <u64>step(cpu, size));
    if (!repeated) return NEXT;
    setIndexed(cpu, op, VCPU_RCX, count - 1);
    if (stops(op, a == b)) return NEXT;
  }
  return afterTurn(cpu, op);
}

export function xlat(cpu: usize, op: usize): i32 {
  const base = load<u64>(cpu, VCPU_RBX) + <u64>load<u8>(cpu, VCPU_RAX);
  const va = (load<u8>(op, OP_FLAGS) & OPF_ADDRESS32 ? base & 0xffffffff : base) + load<u64>(cpu + load<u8>(op, OP_SEGMENT));
  const p = readable(cpu, va, 1);
  if (!p) return FAULT;
  store<u8>(cpu, load<u8>(p), VCPU_RAX);
  return NEXT;
}
