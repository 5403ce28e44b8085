/**
 * Far transfers, which load CS: to other 64-bit code of privilege level 3, the only kind a paravirtual guest runs. Operands of 2, 4
 * or 8 bytes by prefix and REX.W (which AMD's CPUs ignore for CALL and JMP). @sdm Vol.2 CALL, JMP, RET
 */
import { effectiveAddress, nextInstructionAddress } from '../address';
import { FAULT, JUMP, NEXT, OP_IMMEDIATE, VCPU_RIP, VCPU_RSP, VCPU_SELECTORS, VECTOR_GP } from '../layout';
import { generalProtection, raise } from '../fault';
import { beginStore, endStore, readable } from '../memory';
import { isCanonical } from '../tlb';
import { checkCodeSegment } from './code-segment';
import { stackFault } from './control';
import { loadExtended, operandSize, storeValue, zeroExtend } from './operands';

function enterSegment(cpu: usize, selector: u32, rip: u64): i32 {
  // RPL is the privilege level the code runs at.
  store<u16>(cpu + VCPU_SELECTORS + 2, <u16>(selector | 3));
  store<u64>(cpu, rip, VCPU_RIP);
  return JUMP;
}

/** retf and retf imm16: RIP and CS popped. */
export function retFar(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const rsp = load<u64>(cpu, VCPU_RSP);
  const p = readable(cpu, rsp, size * 2);
  if (!p) return stackFault(cpu);
  const rip = zeroExtend(loadExtended(p, size), size);
  const selector = <u32>load<u16>(p + size);
  // To an outer level only, and there is none outside level 3.
  if ((selector & 0xfffc) != 0 && (selector & 3) != 3) return raise(cpu, VECTOR_GP, selector & 0xfffc);
  const status = checkCodeSegment(cpu, selector);
  if (status != NEXT) return status;
  if (!isCanonical(rip)) return generalProtection(cpu);
  store<u64>(cpu, rsp + size * 2 + <u64>load<u16>(op, OP_IMMEDIATE), VCPU_RSP);
  return enterSegment(cpu, selector, rip);
}

/** jmp m16:16, m16:32, m16:64 */
export function jmpFar(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const p = readable(cpu, effectiveAddress(cpu, op), size + 2);
  if (!p) return FAULT;
  const rip = zeroExtend(loadExtended(p, size), size);
  const selector = <u32>load<u16>(p + size);
  const status = checkCodeSegment(cpu, selector);
  if (status != NEXT) return status;
  if (!isCanonical(rip)) return generalProtection(cpu);
  return enterSegment(cpu, selector, rip);
}

/** call m16:16, m16:32, m16:64: CS and the return address pushed. */
export function callFar(cpu: usize, op: usize): i32 {
  const size = operandSize(op);
  const p = readable(cpu, effectiveAddress(cpu, op), size + 2);
  if (!p) return FAULT;
  const rip = zeroExtend(loadExtended(p, size), size);
  const selector = <u32>load<u16>(p + size);
  let status = checkCodeSegment(cpu, selector);
  if (status != NEXT) return status;
  if (!isCanonical(rip)) return generalProtection(cpu);
  const rsp = load<u64>(cpu, VCPU_RSP) - size * 2;
  const frame = beginStore(cpu, rsp, size * 2);
  if (!frame) return stackFault(cpu);
  storeValue(frame, size, <i64>nextInstructionAddress(cpu, op));
  storeValue(frame + size, size, <i64>load<u16>(cpu + VCPU_SELECTORS + 2));
  status = endStore(cpu);
  if (status != NEXT) return status;
  store<u64>(cpu, rsp, VCPU_RSP);
  return enterSegment(cpu, selector, rip);
}
