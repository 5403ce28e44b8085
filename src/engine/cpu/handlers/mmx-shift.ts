/**
 * Shifts of MMX lanes by a count in a register, in memory or in the instruction.
 * @sdm Vol. 2B PSLLW/PSLLD/PSLLQ, PSRLW/PSRLD/PSRLQ, PSRAW/PSRAD
 */
import { immediate8, mmx, mmxOff, mmxRm, mmxRmReg, setMmx, writeMmx } from '../access';
import { FAULT, NEXT } from '../layout';
import {
  shiftLeftDoublewords,
  shiftLeftQuadwords,
  shiftLeftWords,
  shiftRightDoublewords,
  shiftRightQuadwords,
  shiftRightSignedDoublewords,
  shiftRightSignedWords,
  shiftRightWords,
} from '../simd/lanes';

export function mmxPsllw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, shiftLeftWords(mmx(cpu, op), load<u64>(source))) : FAULT;
}

export function mmxPsllwImmediate(cpu: usize, op: usize): i32 {
  if (mmxOff(cpu)) return FAULT;
  const target = mmxRmReg(cpu, op);
  writeMmx(cpu, target, i64x2.extract_lane(shiftLeftWords(v128.load64_zero(target), immediate8(op)), 0));
  return NEXT;
}

export function mmxPslld(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, shiftLeftDoublewords(mmx(cpu, op), load<u64>(source))) : FAULT;
}

export function mmxPslldImmediate(cpu: usize, op: usize): i32 {
  if (mmxOff(cpu)) return FAULT;
  const target = mmxRmReg(cpu, op);
  writeMmx(cpu, target, i64x2.extract_lane(shiftLeftDoublewords(v128.load64_zero(target), immediate8(op)), 0));
  return NEXT;
}

export function mmxPsllq(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, shiftLeftQuadwords(mmx(cpu, op), load<u64>(source))) : FAULT;
}

export function mmxPsllqImmediate(cpu: usize, op: usize): i32 {
  if (mmxOff(cpu)) return FAULT;
  const target = mmxRmReg(cpu, op);
  writeMmx(cpu, target, i64x2.extract_lane(shiftLeftQuadwords(v128.load64_zero(target), immediate8(op)), 0));
  return NEXT;
}

export function mmxPsrlw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, shiftRightWords(mmx(cpu, op), load<u64>(source))) : FAULT;
}

export function mmxPsrlwImmediate(cpu: usize, op: usize): i32 {
  if (mmxOff(cpu)) return FAULT;
  const target = mmxRmReg(cpu, op);
  writeMmx(cpu, target, i64x2.extract_lane(shiftRightWords(v128.load64_zero(target), immediate8(op)), 0));
  return NEXT;
}

export function mmxPsrld(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, shiftRightDoublewords(mmx(cpu, op), load<u64>(source))) : FAULT;
}

export function mmxPsrldImmediate(cpu: usize, op: usize): i32 {
  if (mmxOff(cpu)) return FAULT;
  const target = mmxRmReg(cpu, op);
  writeMmx(cpu, target, i64x2.extract_lane(shiftRightDoublewords(v128.load64_zero(target), immediate8(op)), 0));
  return NEXT;
}

export function mmxPsrlq(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, shiftRightQuadwords(mmx(cpu, op), load<u64>(source))) : FAULT;
}

export function mmxPsrlqImmediate(cpu: usize, op: usize): i32 {
  if (mmxOff(cpu)) return FAULT;
  const target = mmxRmReg(cpu, op);
  writeMmx(cpu, target, i64x2.extract_lane(shiftRightQuadwords(v128.load64_zero(target), immediate8(op)), 0));
  return NEXT;
}

export function mmxPsraw(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, shiftRightSignedWords(mmx(cpu, op), load<u64>(source))) : FAULT;
}

export function mmxPsrawImmediate(cpu: usize, op: usize): i32 {
  if (mmxOff(cpu)) return FAULT;
  const target = mmxRmReg(cpu, op);
  writeMmx(cpu, target, i64x2.extract_lane(shiftRightSignedWords(v128.load64_zero(target), immediate8(op)), 0));
  return NEXT;
}

export function mmxPsrad(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  return source ? setMmx(cpu, op, shiftRightSignedDoublewords(mmx(cpu, op), load<u64>(source))) : FAULT;
}

export function mmxPsradImmediate(cpu: usize, op: usize): i32 {
  if (mmxOff(cpu)) return FAULT;
  const target = mmxRmReg(cpu, op);
  writeMmx(cpu, target, i64x2.extract_lane(shiftRightSignedDoublewords(v128.load64_zero(target), immediate8(op)), 0));
  return NEXT;
}
