/**
 * Moves between XMM registers, memory and general registers. A load of a scalar clears the rest of the register, a move
 * between registers keeps it. Non-temporal forms are plain stores: caches cannot be seen.
 * @sdm Vol. 2 MOVAPS, MOVUPS, MOVSS, MOVSD, MOVLPS, MOVHPS, MOVD/MOVQ, MASKMOVDQU, MOVMSKPS, PMOVMSKB, MOVNTI
 */
import { inMemory, setGpr32, setXmm, store128, store32, store64, xmmOff, xmmReg, xmmRm, xmmRmReg, xmmRmUnaligned } from '../access';
import { FAULT, NEXT, OPF_ADDRESS32, OP_FLAGS, OP_REG, OP_RM, OP_SEGMENT, VCPU_RDI } from '../layout';
import { effectiveAddress } from '../address';
import { beginUpdate, endStore, readable } from '../memory';

// ---- whole registers ------------------------------------------------------------------------------------------------

/** MOVAPS, MOVAPD, MOVDQA, MOVNTDQA: load. */
export function loadAligned(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 16);
  return source ? setXmm(cpu, op, v128.load(source)) : FAULT;
}

/** MOVUPS, MOVUPD, MOVDQU, LDDQU: load. */
export function loadUnaligned(cpu: usize, op: usize): i32 {
  const source = xmmRmUnaligned(cpu, op, 16);
  return source ? setXmm(cpu, op, v128.load(source)) : FAULT;
}

/** MOVAPS, MOVAPD, MOVDQA, MOVNTPS, MOVNTPD, MOVNTDQ: store. */
export function storeAligned(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  const value = v128.load(xmmReg(cpu, op));
  if (inMemory(op)) return store128(cpu, op, value, 16);
  v128.store(xmmRmReg(cpu, op), value);
  return NEXT;
}

/** MOVUPS, MOVUPD, MOVDQU: store. */
export function storeUnaligned(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  const value = v128.load(xmmReg(cpu, op));
  if (inMemory(op)) return store128(cpu, op, value, 1);
  v128.store(xmmRmReg(cpu, op), value);
  return NEXT;
}

// ---- scalars and halves ---------------------------------------------------------------------------------------------

export function movssLoad(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 4);
  if (!source) return FAULT;
  if (inMemory(op)) return setXmm(cpu, op, v128.load32_zero(source));
  store<u32>(xmmReg(cpu, op), load<u32>(source));
  return NEXT;
}

export function movssStore(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  const value = load<u32>(xmmReg(cpu, op));
  if (inMemory(op)) return store32(cpu, op, value);
  store<u32>(xmmRmReg(cpu, op), value);
  return NEXT;
}

export function movsdLoad(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 8);
  if (!source) return FAULT;
  if (inMemory(op)) return setXmm(cpu, op, v128.load64_zero(source));
  store<u64>(xmmReg(cpu, op), load<u64>(source));
  return NEXT;
}

export function movsdStore(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  const value = load<u64>(xmmReg(cpu, op));
  if (inMemory(op)) return store64(cpu, op, value);
  store<u64>(xmmRmReg(cpu, op), value);
  return NEXT;
}

/** MOVQ xmm, xmm/m64: clears the upper half in either form. */
export function movqLoad(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 8);
  return source ? setXmm(cpu, op, v128.load64_zero(source)) : FAULT;
}

/** MOVQ xmm/m64, xmm. */
export function movqStore(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  const value = v128.load64_zero(xmmReg(cpu, op));
  if (inMemory(op)) return store64(cpu, op, i64x2.extract_lane(value, 0));
  v128.store(xmmRmReg(cpu, op), value);
  return NEXT;
}

/** MOVLPS, MOVLPD xmm, m64. */
export function loadLow(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 8);
  if (!source) return FAULT;
  store<u64>(xmmReg(cpu, op), load<u64>(source));
  return NEXT;
}

/** MOVHPS, MOVHPD xmm, m64; and MOVLHPS, whose source is the low half of a register. */
export function loadHigh(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 8);
  if (!source) return FAULT;
  store<u64>(xmmReg(cpu, op), load<u64>(source), 8);
  return NEXT;
}

/** MOVLPS, MOVLPD m64, xmm. */
export function storeLow(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  return store64(cpu, op, load<u64>(xmmReg(cpu, op)));
}

/** MOVHPS, MOVHPD m64, xmm. */
export function storeHigh(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  return store64(cpu, op, load<u64>(xmmReg(cpu, op), 8));
}

export function movhlps(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  store<u64>(xmmReg(cpu, op), load<u64>(xmmRmReg(cpu, op), 8));
  return NEXT;
}

// ---- general registers ----------------------------------------------------------------------------------------------

/** MOVD xmm, r/m32. */
export function movdToXmm(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  const source = inMemory(op) ? readable(cpu, effectiveAddress(cpu, op), 4) : cpu + load<u8>(op, OP_RM);
  return source ? setXmm(cpu, op, v128.load32_zero(source)) : FAULT;
}

/** MOVQ xmm, r/m64. */
export function movqToXmm(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  const source = inMemory(op) ? readable(cpu, effectiveAddress(cpu, op), 8) : cpu + load<u8>(op, OP_RM);
  return source ? setXmm(cpu, op, v128.load64_zero(source)) : FAULT;
}

/** MOVD r/m32, xmm. */
export function movdFromXmm(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  const value = load<u32>(xmmReg(cpu, op));
  if (inMemory(op)) return store32(cpu, op, value);
  store<u64>(cpu + load<u8>(op, OP_RM), value);
  return NEXT;
}

/** MOVQ r/m64, xmm. */
export function movqFromXmm(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  const value = load<u64>(xmmReg(cpu, op));
  if (inMemory(op)) return store64(cpu, op, value);
  store<u64>(cpu + load<u8>(op, OP_RM), value);
  return NEXT;
}

export function movmskps(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  return setGpr32(cpu, op, i32x4.bitmask(v128.load(xmmRmReg(cpu, op))));
}

export function movmskpd(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  return setGpr32(cpu, op, i64x2.bitmask(v128.load(xmmRmReg(cpu, op))));
}

export function pmovmskb(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  return setGpr32(cpu, op, i8x16.bitmask(v128.load(xmmRmReg(cpu, op))));
}

/** Touches no vector register, so CR0 does not matter. */
export function movnti32(cpu: usize, op: usize): i32 {
  return store32(cpu, op, load<u32>(cpu + load<u8>(op, OP_REG)));
}

export function movnti64(cpu: usize, op: usize): i32 {
  return store64(cpu, op, load<u64>(cpu + load<u8>(op, OP_REG)));
}

// ---- byte-masked store ------------------------------------------------------------------------------------------------

/**
 * Stores the bytes of the first register whose byte in the second has its top bit set, at segment:RDI. Only the span from the
 * first to the last such byte is touched, so an empty mask faults nowhere, which the manual leaves to the processor.
 */
export function maskmovdqu(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  const mask = <u32>i8x16.bitmask(v128.load(xmmRmReg(cpu, op)));
  if (!mask) return NEXT;
  const first = ctz(mask);
  let address = load<u64>(cpu, VCPU_RDI);
  if (load<u8>(op, OP_FLAGS) & OPF_ADDRESS32) address &= 0xffffffff;
  address += load<u64>(cpu + load<u8>(op, OP_SEGMENT)) + first;
  const target = beginUpdate(cpu, address, 32 - clz(mask) - first);
  if (!target) return FAULT;
  const source = xmmReg(cpu, op) + first;
  for (let rest = mask >> first, i: usize = 0; rest; rest >>= 1, i++) {
    if (rest & 1) store<u8>(target + i, load<u8>(source + i));
  }
  return endStore(cpu);
}
