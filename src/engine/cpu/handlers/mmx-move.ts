/**
 * Moves between MMX registers, memory, general and XMM registers, and EMMS. The ones that only read an MMX register enter the
 * MMX state too (TOP = 0, all registers in use).
 * @sdm Vol. 1 9.5, Vol. 2 MOVD/MOVQ, MOVNTQ, MASKMOVQ, MOVQ2DQ, MOVDQ2Q, PINSRW, PEXTRW, PMOVMSKB, EMMS
 */
import {
  enterMmx,
  immediate8,
  inMemory,
  mmxOff,
  mmxReg,
  mmxRm,
  mmxRmReg,
  setGpr32,
  setXmm,
  store32,
  store64,
  writeMmx,
  xmmRmReg,
} from '../access';
import { effectiveAddress } from '../address';
import { FAULT, NEXT, OPF_ADDRESS32, OP_FLAGS, OP_RM, OP_SEGMENT, VCPU_FTW, VCPU_RDI } from '../layout';
import { beginUpdate, endStore, readable } from '../memory';

/** MOVQ mm, mm/m64. */
export function mmxMovqLoad(cpu: usize, op: usize): i32 {
  const source = mmxRm(cpu, op, 8);
  if (!source) return FAULT;
  writeMmx(cpu, mmxReg(cpu, op), load<u64>(source));
  return NEXT;
}

/** MOVQ mm/m64, mm and MOVNTQ. */
export function mmxMovqStore(cpu: usize, op: usize): i32 {
  if (mmxOff(cpu)) return FAULT;
  const value = load<u64>(mmxReg(cpu, op));
  if (inMemory(op)) return entering(cpu, store64(cpu, op, value));
  writeMmx(cpu, mmxRmReg(cpu, op), value);
  return NEXT;
}

/** Passes on what a store returned, entering the MMX state when the store was done. */
function entering(cpu: usize, outcome: i32): i32 {
  if (outcome == NEXT) enterMmx(cpu);
  return outcome;
}

/** MOVD mm, r/m32. */
export function mmxMovdLoad(cpu: usize, op: usize): i32 {
  if (mmxOff(cpu)) return FAULT;
  const source = inMemory(op) ? readable(cpu, effectiveAddress(cpu, op), 4) : cpu + load<u8>(op, OP_RM);
  if (!source) return FAULT;
  writeMmx(cpu, mmxReg(cpu, op), load<u32>(source));
  return NEXT;
}

/** MOVQ mm, r/m64. */
export function mmxMovqToMmx(cpu: usize, op: usize): i32 {
  if (mmxOff(cpu)) return FAULT;
  const source = inMemory(op) ? readable(cpu, effectiveAddress(cpu, op), 8) : cpu + load<u8>(op, OP_RM);
  if (!source) return FAULT;
  writeMmx(cpu, mmxReg(cpu, op), load<u64>(source));
  return NEXT;
}

/** MOVD r/m32, mm. */
export function mmxMovdStore(cpu: usize, op: usize): i32 {
  if (mmxOff(cpu)) return FAULT;
  const value = load<u32>(mmxReg(cpu, op));
  if (inMemory(op)) return entering(cpu, store32(cpu, op, value));
  store<u64>(cpu + load<u8>(op, OP_RM), value);
  enterMmx(cpu);
  return NEXT;
}

/** MOVQ r/m64, mm. */
export function mmxMovqFromMmx(cpu: usize, op: usize): i32 {
  if (mmxOff(cpu)) return FAULT;
  const value = load<u64>(mmxReg(cpu, op));
  if (inMemory(op)) return entering(cpu, store64(cpu, op, value));
  store<u64>(cpu + load<u8>(op, OP_RM), value);
  enterMmx(cpu);
  return NEXT;
}

export function movq2dq(cpu: usize, op: usize): i32 {
  if (mmxOff(cpu)) return FAULT;
  enterMmx(cpu);
  return setXmm(cpu, op, v128.load64_zero(mmxRmReg(cpu, op)));
}

export function movdq2q(cpu: usize, op: usize): i32 {
  if (mmxOff(cpu)) return FAULT;
  writeMmx(cpu, mmxReg(cpu, op), load<u64>(xmmRmReg(cpu, op)));
  return NEXT;
}

export function mmxPmovmskb(cpu: usize, op: usize): i32 {
  if (mmxOff(cpu)) return FAULT;
  enterMmx(cpu);
  return setGpr32(cpu, op, i8x16.bitmask(v128.load64_zero(mmxRmReg(cpu, op))));
}

export function mmxPinsrw(cpu: usize, op: usize): i32 {
  if (mmxOff(cpu)) return FAULT;
  const source = inMemory(op) ? readable(cpu, effectiveAddress(cpu, op), 2) : cpu + load<u8>(op, OP_RM);
  if (!source) return FAULT;
  const target = mmxReg(cpu, op);
  store<u16>(target + ((immediate8(op) & 3) << 1), load<u16>(source));
  writeMmx(cpu, target, load<u64>(target));
  return NEXT;
}

export function mmxPextrw(cpu: usize, op: usize): i32 {
  if (mmxOff(cpu)) return FAULT;
  enterMmx(cpu);
  return setGpr32(cpu, op, load<u16>(mmxRmReg(cpu, op) + ((immediate8(op) & 3) << 1)));
}

/** As MASKMOVDQU, for the eight bytes of MMX registers. */
export function maskmovq(cpu: usize, op: usize): i32 {
  if (mmxOff(cpu)) return FAULT;
  const mask = <u32>i8x16.bitmask(v128.load64_zero(mmxRmReg(cpu, op)));
  if (mask) {
    const first = ctz(mask);
    let address = load<u64>(cpu, VCPU_RDI);
    if (load<u8>(op, OP_FLAGS) & OPF_ADDRESS32) address &= 0xffffffff;
    address += load<u64>(cpu + load<u8>(op, OP_SEGMENT)) + first;
    const target = beginUpdate(cpu, address, 32 - clz(mask) - first);
    if (!target) return FAULT;
    const source = mmxReg(cpu, op) + first;
    for (let rest = mask >> first, i: usize = 0; rest; rest >>= 1, i++) {
      if (rest & 1) store<u8>(target + i, load<u8>(source + i));
    }
    return entering(cpu, endStore(cpu));
  }
  enterMmx(cpu);
  return NEXT;
}

/** Marks all x87 registers empty. */
export function emms(cpu: usize, op: usize): i32 {
  if (mmxOff(cpu)) return FAULT;
  enterMmx(cpu);
  store<u8>(cpu, 0, VCPU_FTW);
  return NEXT;
}
