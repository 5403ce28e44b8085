/** x87 control instructions. @sdm Vol.2A FINIT, FCLEX, FLDCW, FSTCW, FSTSW, FINCSTP, FDECSTP, FNOP, WAIT; Vol.1 8.1 */
import { effectiveAddress } from '../address';
import { FAULT, NEXT, VCPU_FCW, VCPU_FSW, VCPU_RAX } from '../layout';
import { beginStore, endStore, readable } from '../memory';
import {
  FSW_C1,
  initialise,
  note,
  setControlWord,
  setTop,
  topOf,
  updateSummary,
  waitRefused,
  x87Off,
  x87Refused,
} from '../x87/state';

export function fwait(cpu: usize, op: usize): i32 {
  return waitRefused(cpu) ? FAULT : NEXT;
}

export function fnop(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  note(cpu, op);
  return NEXT;
}

/** FENI, FDISI and FSETPM of the first coprocessors do nothing. */
export function fnopObsolete(cpu: usize, op: usize): i32 {
  return x87Off(cpu) ? FAULT : NEXT;
}

export function fninit(cpu: usize, op: usize): i32 {
  if (x87Off(cpu)) return FAULT;
  initialise(cpu);
  return NEXT;
}

export function fnclex(cpu: usize, op: usize): i32 {
  if (x87Off(cpu)) return FAULT;
  store<u16>(cpu, load<u16>(cpu, VCPU_FSW) & 0x7f00, VCPU_FSW);
  return NEXT;
}

export function fldcw(cpu: usize, op: usize): i32 {
  if (x87Refused(cpu)) return FAULT;
  const from = readable(cpu, effectiveAddress(cpu, op), 2);
  if (!from) return FAULT;
  setControlWord(cpu, load<u16>(from));
  updateSummary(cpu);
  return NEXT;
}

function storeWord(cpu: usize, op: usize, value: u32): i32 {
  const to = beginStore(cpu, effectiveAddress(cpu, op), 2);
  if (!to) return FAULT;
  store<u16>(to, value);
  return endStore(cpu);
}

export function fnstcw(cpu: usize, op: usize): i32 {
  return x87Off(cpu) ? FAULT : storeWord(cpu, op, load<u16>(cpu, VCPU_FCW));
}

export function fnstsw(cpu: usize, op: usize): i32 {
  return x87Off(cpu) ? FAULT : storeWord(cpu, op, load<u16>(cpu, VCPU_FSW));
}

export function fnstswAx(cpu: usize, op: usize): i32 {
  if (x87Off(cpu)) return FAULT;
  store<u16>(cpu, load<u16>(cpu, VCPU_FSW), VCPU_RAX);
  return NEXT;
}

function turn(cpu: usize, op: usize, by: u32): i32 {
  if (x87Refused(cpu)) return FAULT;
  note(cpu, op);
  store<u16>(cpu, load<u16>(cpu, VCPU_FSW) & ~FSW_C1, VCPU_FSW);
  setTop(cpu, topOf(cpu) + by);
  return NEXT;
}

export function fincstp(cpu: usize, op: usize): i32 {
  return turn(cpu, op, 1);
}

export function fdecstp(cpu: usize, op: usize): i32 {
  return turn(cpu, op, 7);
}
