/** Reads the arithmetic flags that a vCPU block describes lazily, by the definition of the CC_* kinds in layout.ts. */
import { CC_ADD, CC_DEC, CC_EXPLICIT, CC_INC, CC_LOGIC, CC_SUB, VCPU_CC_A, VCPU_CC_B, VCPU_CC_OP, VCPU_CC_R } from '../layout.ts';
import { ARITHMETIC_FLAGS, FLAG_AF, FLAG_CF, FLAG_OF, FLAG_PF, FLAG_SF, FLAG_ZF } from './machine-state.ts';

function evenParity(byte: number): boolean {
  let ones = 0;
  for (let bit = 0; bit < 8; bit++) ones += (byte >> bit) & 1;
  return ones % 2 === 0;
}

export function arithmeticFlags(view: DataView, cpu: number): number {
  const kind = view.getUint32(cpu + VCPU_CC_OP, true);
  const r = view.getBigInt64(cpu + VCPU_CC_R, true);
  if (kind === CC_EXPLICIT) return Number(BigInt.asUintN(32, r)) & ARITHMETIC_FLAGS;
  const a = view.getBigInt64(cpu + VCPU_CC_A, true);
  const b = view.getBigInt64(cpu + VCPU_CC_B, true);
  const unsigned = (value: bigint): bigint => BigInt.asUintN(64, value);
  let carry: boolean;
  let overflow: boolean;
  let auxiliary: boolean;
  switch (kind) {
    case CC_ADD:
      carry = unsigned(r) < unsigned(a);
      overflow = ((a ^ r) & (b ^ r)) < 0n;
      auxiliary = ((a ^ b ^ r) & 0x10n) !== 0n;
      break;
    case CC_SUB:
      carry = unsigned(a) < unsigned(b);
      overflow = ((a ^ b) & (a ^ r)) < 0n;
      auxiliary = ((a ^ b ^ r) & 0x10n) !== 0n;
      break;
    case CC_LOGIC:
      carry = false;
      overflow = false;
      auxiliary = false;
      break;
    case CC_INC:
    case CC_DEC:
      carry = (b & 1n) !== 0n;
      overflow = kind === CC_INC ? (~a & r) < 0n : (a & ~r) < 0n;
      auxiliary = (r & 15n) === (kind === CC_INC ? 0n : 15n);
      break;
    default:
      throw new RangeError(`the vCPU block has an unknown kind of flags: ${kind}`);
  }
  return (
    (carry ? FLAG_CF : 0) |
    (evenParity(Number(r & 0xffn)) ? FLAG_PF : 0) |
    (auxiliary ? FLAG_AF : 0) |
    (r === 0n ? FLAG_ZF : 0) |
    (r < 0n ? FLAG_SF : 0) |
    (overflow ? FLAG_OF : 0)
  );
}
