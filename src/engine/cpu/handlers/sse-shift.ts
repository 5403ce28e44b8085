/**
 * Shifts of XMM lanes and of whole registers. The count is the low quadword of the second operand or an immediate; the
 * immediate forms shift the rm register (groups 12, 13 and 14).
 * @sdm Vol. 2B PSLLW/PSLLD/PSLLQ, PSRLW/PSRLD/PSRLQ, PSRAW/PSRAD, PSLLDQ, PSRLDQ
 */
import { immediate8, setXmm, xmm, xmmOff, xmmRm, xmmRmReg } from '../access';
import { FAULT, NEXT } from '../layout';
import {
  shiftBytesLeft,
  shiftBytesRight,
  shiftLeftDoublewords,
  shiftLeftQuadwords,
  shiftLeftWords,
  shiftRightDoublewords,
  shiftRightQuadwords,
  shiftRightSignedDoublewords,
  shiftRightSignedWords,
  shiftRightWords,
} from '../simd/lanes';

export function psllw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, shiftLeftWords(xmm(cpu, op), load<u64>(source))) : FAULT;
}

export function psllwImmediate(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  const target = xmmRmReg(cpu, op);
  v128.store(target, shiftLeftWords(v128.load(target), immediate8(op)));
  return NEXT;
}

export function pslld(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, shiftLeftDoublewords(xmm(cpu, op), load<u64>(source))) : FAULT;
}

export function pslldImmediate(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  const target = xmmRmReg(cpu, op);
  v128.store(target, shiftLeftDoublewords(v128.load(target), immediate8(op)));
  return NEXT;
}

export function psllq(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, shiftLeftQuadwords(xmm(cpu, op), load<u64>(source))) : FAULT;
}

export function psllqImmediate(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  const target = xmmRmReg(cpu, op);
  v128.store(target, shiftLeftQuadwords(v128.load(target), immediate8(op)));
  return NEXT;
}

export function psrlw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, shiftRightWords(xmm(cpu, op), load<u64>(source))) : FAULT;
}

export function psrlwImmediate(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  const target = xmmRmReg(cpu, op);
  v128.store(target, shiftRightWords(v128.load(target), immediate8(op)));
  return NEXT;
}

export function psrld(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, shiftRightDoublewords(xmm(cpu, op), load<u64>(source))) : FAULT;
}

export function psrldImmediate(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  const target = xmmRmReg(cpu, op);
  v128.store(target, shiftRightDoublewords(v128.load(target), immediate8(op)));
  return NEXT;
}

export function psrlq(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, shiftRightQuadwords(xmm(cpu, op), load<u64>(source))) : FAULT;
}

export function psrlqImmediate(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  const target = xmmRmReg(cpu, op);
  v128.store(target, shiftRightQuadwords(v128.load(target), immediate8(op)));
  return NEXT;
}

export function psraw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, shiftRightSignedWords(xmm(cpu, op), load<u64>(source))) : FAULT;
}

export function psrawImmediate(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  const target = xmmRmReg(cpu, op);
  v128.store(target, shiftRightSignedWords(v128.load(target), immediate8(op)));
  return NEXT;
}

export function psrad(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, shiftRightSignedDoublewords(xmm(cpu, op), load<u64>(source))) : FAULT;
}

export function psradImmediate(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  const target = xmmRmReg(cpu, op);
  v128.store(target, shiftRightSignedDoublewords(v128.load(target), immediate8(op)));
  return NEXT;
}

export function pslldq(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  const target = xmmRmReg(cpu, op);
  v128.store(target, shiftBytesLeft(v128.load(target), immediate8(op)));
  return NEXT;
}

export function psrldq(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  const target = xmmRmReg(cpu, op);
  v128.store(target, shiftBytesRight(v128.load(target), immediate8(op)));
  return NEXT;
}
