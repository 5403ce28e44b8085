/**
 * Lazy arithmetic flags. The last flag-setting operation leaves its operands and result sign-extended to 64 bits (VCPU_CC_*);
 * since sign extension keeps the unsigned order of equally wide numbers, every flag but CF of shifts can be read off without
 * knowing the operand size. Operations that fit none of the kinds compute their flags at once (CC_EXPLICIT).
 */
import {
  CC_ADC,
  CC_ADD,
  CC_EXPLICIT,
  CC_IMUL,
  CC_INC,
  CC_DEC,
  CC_LOGIC,
  CC_MUL,
  CC_SBB,
  CC_SHL,
  CC_SUB,
  VCPU_CC_A,
  VCPU_CC_B,
  VCPU_CC_OP,
  VCPU_CC_R,
  VCPU_DR,
  VCPU_RFLAGS,
  VCPU_STEPPING,
} from './layout';
import { signedHigh } from './product';

export const CF: u32 = 0x1;
export const PF: u32 = 0x4;
export const AF: u32 = 0x10;
export const ZF: u32 = 0x40;
export const SF: u32 = 0x80;
export const TF: u32 = 0x100;
export const IF: u32 = 0x200;
export const DF: u32 = 0x400;
export const OF: u32 = 0x800;
/** CF PF AF ZF SF OF */
export const ARITHMETIC: u32 = 0x8d5;

// @ts-ignore: decorator
@inline
export function setCc(cpu: usize, kind: u32, a: i64, b: i64, r: i64): void {
  store<u32>(cpu, kind, VCPU_CC_OP);
  store<i64>(cpu, a, VCPU_CC_A);
  store<i64>(cpu, b, VCPU_CC_B);
  store<i64>(cpu, r, VCPU_CC_R);
}

// @ts-ignore: decorator
@inline
export function setLogic(cpu: usize, r: i64): void {
  store<u32>(cpu, CC_LOGIC, VCPU_CC_OP);
  store<i64>(cpu, r, VCPU_CC_R);
}

export function getCarry(cpu: usize): u32 {
  const kind = load<u32>(cpu, VCPU_CC_OP);
  if (kind == CC_SUB) return u32(load<u64>(cpu, VCPU_CC_A) < load<u64>(cpu, VCPU_CC_B));
  if (kind == CC_LOGIC) return 0;
  if (kind == CC_ADD) return u32(load<u64>(cpu, VCPU_CC_R) < load<u64>(cpu, VCPU_CC_A));
  if (kind == CC_EXPLICIT) return load<u32>(cpu, VCPU_CC_R) & CF;
  if (kind != CC_ADC && kind != CC_SBB && kind != CC_IMUL) return load<u32>(cpu, VCPU_CC_B) & CF;
  const a = load<u64>(cpu, VCPU_CC_A);
  const b = load<u64>(cpu, VCPU_CC_B);
  const r = load<u64>(cpu, VCPU_CC_R);
  if (kind == CC_ADC) return (r - a - b) & 1 ? u32(r <= a) : u32(r < a);
  if (kind == CC_SBB) return (a - b - r) & 1 ? u32(a <= b) : u32(a < b);
  return productOverflows(<i64>a, <i64>b, <i64>r);
}

/** Whether the product of two sign-extended numbers is more than its low part `r`. */
function productOverflows(a: i64, b: i64, r: i64): u32 {
  return u32(a * b != r || signedHigh(a, b) != r >> 63);
}

function getOverflow(cpu: usize): u32 {
  const kind = load<u32>(cpu, VCPU_CC_OP);
  const a = load<i64>(cpu, VCPU_CC_A);
  const r = load<i64>(cpu, VCPU_CC_R);
  if (kind == CC_SUB) return u32(((a ^ load<i64>(cpu, VCPU_CC_B)) & (a ^ r)) < 0);
  if (kind == CC_LOGIC) return 0;
  if (kind == CC_ADD) return u32(((a ^ r) & (load<i64>(cpu, VCPU_CC_B) ^ r)) < 0);
  if (kind == CC_EXPLICIT) return ((<u32>r) & OF) >> 11;
  if (kind == CC_INC) return u32((~a & r) < 0);
  if (kind == CC_DEC) return u32((a & ~r) < 0);
  if (kind == CC_ADC) return u32(((a ^ r) & (load<i64>(cpu, VCPU_CC_B) ^ r)) < 0);
  if (kind == CC_SBB) return u32(((a ^ load<i64>(cpu, VCPU_CC_B)) & (a ^ r)) < 0);
  if (kind == CC_SHL) return (load<u32>(cpu, VCPU_CC_B) & 1) ^ u32(r < 0);
  return getCarry(cpu);
}

// @ts-ignore: decorator
@inline
export function parityOf(r: u32): u32 {
  return (popcnt<u32>(r & 0xff) & 1) ^ 1;
}

/** CF PF AF ZF SF OF at their places in RFLAGS. */
export function getFlags(cpu: usize): u32 {
  const kind = load<u32>(cpu, VCPU_CC_OP);
  const r = load<i64>(cpu, VCPU_CC_R);
  if (kind == CC_EXPLICIT) return <u32>r;
  let flags = getCarry(cpu) | (getOverflow(cpu) << 11) | (parityOf(<u32>r) << 2);
  if (r == 0) flags |= ZF;
  if (r < 0) flags |= SF;
  if (kind == CC_ADD || kind == CC_SUB || kind == CC_ADC || kind == CC_SBB)
    flags |= (<u32>(load<i64>(cpu, VCPU_CC_A) ^ load<i64>(cpu, VCPU_CC_B) ^ r)) & AF;
  else if (kind == CC_INC) flags |= ((<u32>r) & 15) == 0 ? AF : 0;
  else if (kind == CC_DEC) flags |= ((<u32>r) & 15) == 15 ? AF : 0;
  return flags;
}

export function setFlags(cpu: usize, bits: u32): void {
  store<u32>(cpu, CC_EXPLICIT, VCPU_CC_OP);
  store<u64>(cpu, <u64>(bits & ARITHMETIC), VCPU_CC_R);
}

/** Whether condition `code` (low four bits of Jcc, SETcc, CMOVcc) holds. */
export function condition(cpu: usize, code: u32): bool {
  const kind = load<u32>(cpu, VCPU_CC_OP);
  const r = load<i64>(cpu, VCPU_CC_R);
  let holds: bool;
  if (kind == CC_EXPLICIT) {
    const f = <u32>r;
    switch (code >> 1) {
      case 0:
        holds = (f & OF) != 0;
        break;
      case 1:
        holds = (f & CF) != 0;
        break;
      case 2:
        holds = (f & ZF) != 0;
        break;
      case 3:
        holds = (f & (CF | ZF)) != 0;
        break;
      case 4:
        holds = (f & SF) != 0;
        break;
      case 5:
        holds = (f & PF) != 0;
        break;
      case 6:
        holds = ((f >> 7) & 1) != ((f >> 11) & 1);
        break;
      default:
        holds = (f & ZF) != 0 || ((f >> 7) & 1) != ((f >> 11) & 1);
        break;
    }
  } else {
    switch (code >> 1) {
      case 0:
        holds = getOverflow(cpu) != 0;
        break;
      case 1:
        holds = getCarry(cpu) != 0;
        break;
      case 2:
        holds = r == 0;
        break;
      case 3:
        holds = r == 0 || getCarry(cpu) != 0;
        break;
      case 4:
        holds = r < 0;
        break;
      case 5:
        holds = parityOf(<u32>r) != 0;
        break;
      case 6:
        holds = u32(r < 0) != getOverflow(cpu);
        break;
      default:
        holds = r == 0 || u32(r < 0) != getOverflow(cpu);
        break;
    }
  }
  return holds != ((code & 1) != 0);
}

/** Complete RFLAGS, arithmetic flags included. */
export function getRflags(cpu: usize): u64 {
  return (load<u64>(cpu, VCPU_RFLAGS) & ~(<u64>ARITHMETIC)) | (<u64>getFlags(cpu)) | 2;
}

/** Sets all of RFLAGS as given (who may change what is the caller's matter); TF takes effect on the next instruction. */
export function setRflags(cpu: usize, value: u64): void {
  setFlags(cpu, <u32>value);
  store<u64>(cpu, (value & ~(<u64>ARITHMETIC)) | 2, VCPU_RFLAGS);
  updateStepping(cpu);
}

/** One instruction at a time while TF is set or DR7 enables a breakpoint. */
export function updateStepping(cpu: usize): void {
  const stepping = (load<u32>(cpu, VCPU_RFLAGS) & TF) != 0 || (load<u32>(cpu + VCPU_DR + 7 * 8) & 0xff) != 0;
  store<u32>(cpu, u32(stepping), VCPU_STEPPING);
}
