/**
 * Single elements in and out of XMM registers, and widening loads.
 * @sdm Vol. 2B PEXTRB/PEXTRD/PEXTRQ, PEXTRW, PINSRB/PINSRD/PINSRQ, PINSRW, PMOVSX, PMOVZX; Vol. 2A EXTRACTPS, INSERTPS
 */
import { immediate8, inMemory, setGpr32, setXmm, store32, store64, xmmOff, xmmReg, xmmRm, xmmRmReg } from '../access';
import { effectiveAddress } from '../address';
import { FAULT, NEXT, OP_RM } from '../layout';
import { beginStore, endStore, readable } from '../memory';
import { doublewordMask } from '../simd/lanes';

/** Pointer to the source of PINSRx: a general register, whose low bytes count, or memory; 0 = fault. */
function elementSource(cpu: usize, op: usize, bytes: u32): usize {
  if (xmmOff(cpu)) return 0;
  if (inMemory(op)) return readable(cpu, effectiveAddress(cpu, op), bytes);
  return cpu + load<u8>(op, OP_RM);
}

export function pinsrb(cpu: usize, op: usize): i32 {
  const source = elementSource(cpu, op, 1);
  if (!source) return FAULT;
  store<u8>(xmmReg(cpu, op) + (immediate8(op) & 15), load<u8>(source));
  return NEXT;
}

export function pinsrw(cpu: usize, op: usize): i32 {
  const source = elementSource(cpu, op, 2);
  if (!source) return FAULT;
  store<u16>(xmmReg(cpu, op) + ((immediate8(op) & 7) << 1), load<u16>(source));
  return NEXT;
}

export function pinsrd(cpu: usize, op: usize): i32 {
  const source = elementSource(cpu, op, 4);
  if (!source) return FAULT;
  store<u32>(xmmReg(cpu, op) + ((immediate8(op) & 3) << 2), load<u32>(source));
  return NEXT;
}

export function pinsrq(cpu: usize, op: usize): i32 {
  const source = elementSource(cpu, op, 8);
  if (!source) return FAULT;
  store<u64>(xmmReg(cpu, op) + ((immediate8(op) & 1) << 3), load<u64>(source));
  return NEXT;
}

/** Bits 7:6 pick the element of a register source, 5:4 the place, 3:0 the elements to clear. */
export function insertps(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 4);
  if (!source) return FAULT;
  const control = immediate8(op);
  const element = load<u32>(inMemory(op) ? source : source + ((control >> 6) << 2));
  const target = xmmReg(cpu, op);
  store<u32>(target + (((control >> 4) & 3) << 2), element);
  v128.store(target, v128.andnot(v128.load(target), doublewordMask(control)));
  return NEXT;
}

export function pextrb(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  const element = load<u8>(xmmReg(cpu, op) + (immediate8(op) & 15));
  if (!inMemory(op)) {
    store<u64>(cpu + load<u8>(op, OP_RM), element);
    return NEXT;
  }
  const target = beginStore(cpu, effectiveAddress(cpu, op), 1);
  if (!target) return FAULT;
  store<u8>(target, element);
  return endStore(cpu);
}

/** The SSE4.1 form, whose destination is the rm operand. */
export function pextrwStore(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  const element = load<u16>(xmmReg(cpu, op) + ((immediate8(op) & 7) << 1));
  if (!inMemory(op)) {
    store<u64>(cpu + load<u8>(op, OP_RM), element);
    return NEXT;
  }
  const target = beginStore(cpu, effectiveAddress(cpu, op), 2);
  if (!target) return FAULT;
  store<u16>(target, element);
  return endStore(cpu);
}

/** The SSE2 form: general register in reg, XMM register in rm. */
export function pextrw(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  return setGpr32(cpu, op, load<u16>(xmmRmReg(cpu, op) + ((immediate8(op) & 7) << 1)));
}

/** PEXTRD and EXTRACTPS. */
export function pextrd(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  const element = load<u32>(xmmReg(cpu, op) + ((immediate8(op) & 3) << 2));
  if (inMemory(op)) return store32(cpu, op, element);
  store<u64>(cpu + load<u8>(op, OP_RM), element);
  return NEXT;
}

export function pextrq(cpu: usize, op: usize): i32 {
  if (xmmOff(cpu)) return FAULT;
  const element = load<u64>(xmmReg(cpu, op) + ((immediate8(op) & 1) << 3));
  if (inMemory(op)) return store64(cpu, op, element);
  store<u64>(cpu + load<u8>(op, OP_RM), element);
  return NEXT;
}

// ---- sign and zero extension ------------------------------------------------------------------------------------------

export function pmovsxbw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 8);
  return source ? setXmm(cpu, op, i16x8.extend_low_i8x16_s(v128.load64_zero(source))) : FAULT;
}

export function pmovsxbd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 4);
  return source ? setXmm(cpu, op, i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(v128.load32_zero(source)))) : FAULT;
}

export function pmovsxbq(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 2);
  if (!source) return FAULT;
  return setXmm(
    cpu,
    op,
    i64x2.extend_low_i32x4_s(i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(i16x8.splat(load<i16>(source))))),
  );
}

export function pmovsxwd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 8);
  return source ? setXmm(cpu, op, i32x4.extend_low_i16x8_s(v128.load64_zero(source))) : FAULT;
}

export function pmovsxwq(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 4);
  return source ? setXmm(cpu, op, i64x2.extend_low_i32x4_s(i32x4.extend_low_i16x8_s(v128.load32_zero(source)))) : FAULT;
}

export function pmovsxdq(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 8);
  return source ? setXmm(cpu, op, i64x2.extend_low_i32x4_s(v128.load64_zero(source))) : FAULT;
}

export function pmovzxbw(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 8);
  return source ? setXmm(cpu, op, i16x8.extend_low_i8x16_u(v128.load64_zero(source))) : FAULT;
}

export function pmovzxbd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 4);
  return source ? setXmm(cpu, op, i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(source)))) : FAULT;
}

export function pmovzxbq(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 2);
  if (!source) return FAULT;
  return setXmm(
    cpu,
    op,
    i64x2.extend_low_i32x4_u(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(i16x8.splat(load<i16>(source))))),
  );
}

export function pmovzxwd(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 8);
  return source ? setXmm(cpu, op, i32x4.extend_low_i16x8_u(v128.load64_zero(source))) : FAULT;
}

export function pmovzxwq(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 4);
  return source ? setXmm(cpu, op, i64x2.extend_low_i32x4_u(i32x4.extend_low_i16x8_u(v128.load32_zero(source)))) : FAULT;
}

export function pmovzxdq(cpu: usize, op: usize): i32 {
  const source = xmmRm(cpu, op, 8);
  return source ? setXmm(cpu, op, i64x2.extend_low_i32x4_u(v128.load64_zero(source))) : FAULT;
}
