/**
 * Instruction bytes of a form (SDM Vol. 2A, chapter 2): legacy prefixes, REX, opcode, ModRM, SIB, displacement, immediates.
 */
import { type Form, hasModRm, letterIn, operandsOf, regOperand, rmOperand } from '../../src/engine/cpu/testing/forms.ts';

export type Segment = 'es' | 'cs' | 'ss' | 'ds' | 'fs' | 'gs';

export interface Address {
  /** Register number, 'rip' (then `displacement` is the absolute target) or null for none. */
  readonly base: number | 'rip' | null;
  readonly index: number | null;
  /** log2 of the factor. */
  readonly scale: 0 | 1 | 2 | 3;
  readonly displacement: number;
  /** Bytes of the displacement field; some bases force a longer one. */
  readonly displacementBytes: 0 | 1 | 4;
}

/** First of the numbers that stand for AH, CH, DH, BH among byte registers. */
export const HIGH_BYTE = 16;

export interface Choice {
  /** ModRM.reg operand; HIGH_BYTE + n for the second byte of register n. Ignored when the row has an opcode extension. */
  readonly reg: number;
  /** ModRM.rm operand, by the form's kind. */
  readonly rm: number | Address;
  /** Register in the low bits of a "+r" opcode. */
  readonly opcodeRegister: number;
  /** Immediates in their order; relative branches are the displacement, memory offsets the address. */
  readonly immediates: readonly bigint[];
  readonly segment: Segment | null;
  readonly address32: boolean;
  /** A REX prefix although none is needed (with it, byte registers 4-7 are SPL BPL SIL DIL). */
  readonly forceRex: boolean;
}

export const NO_ADDRESS: Address = { base: null, index: null, scale: 0, displacement: 0, displacementBytes: 4 };
export const DEFAULT_CHOICE: Choice = {
  reg: 0,
  rm: 0,
  opcodeRegister: 0,
  immediates: [],
  segment: null,
  address32: false,
  forceRex: false,
};

const SEGMENT_PREFIX: Record<Segment, number> = { es: 0x26, cs: 0x2e, ss: 0x36, ds: 0x3e, fs: 0x64, gs: 0x65 };

function littleEndian(value: bigint, bytes: number): number[] {
  const result: number[] = [];
  for (let at = 0; at < bytes; at++) result.push(Number((value >> BigInt(8 * at)) & 0xffn));
  return result;
}

interface MemoryBytes {
  readonly mod: number;
  readonly rm: number;
  readonly sib: number | null;
  readonly displacement: number[];
  readonly ripTarget: number | null;
}

function memoryBytes(address: Address): MemoryBytes {
  if (address.base === 'rip') return { mod: 0, rm: 5, sib: null, displacement: [0, 0, 0, 0], ripTarget: address.displacement };
  const displacement = BigInt(address.displacement);
  if (address.index === 4) throw new RangeError('RSP cannot be an index');
  if (address.base === null) {
    // mod 0 with SIB base 5: index and a 32-bit displacement only
    const index = address.index === null ? 4 : address.index & 7;
    return {
      mod: 0,
      rm: 4,
      sib: (address.scale << 6) | (index << 3) | 5,
      displacement: littleEndian(displacement, 4),
      ripTarget: null,
    };
  }
  let bytes = address.displacementBytes;
  if (bytes === 0 && (address.base & 7) === 5) bytes = 1; // mod 0 would mean no base
  const mod = bytes === 0 ? 0 : bytes === 1 ? 1 : 2;
  const needsSib = address.index !== null || (address.base & 7) === 4;
  const sib = needsSib ? (address.scale << 6) | ((address.index === null ? 4 : address.index & 7) << 3) | (address.base & 7) : null;
  return { mod, rm: needsSib ? 4 : address.base & 7, sib, displacement: littleEndian(displacement, bytes), ripTarget: null };
}

/** The displacement that the encoding of `address` really has: the 8- or 32-bit field, sign-extended. */
export function encodedDisplacement(address: Address): number {
  if (address.base === 'rip' || address.base === null) return address.displacement | 0;
  if (address.displacementBytes === 0) return (address.base & 7) === 5 ? (address.displacement << 24) >> 24 : 0;
  return address.displacementBytes === 1 ? (address.displacement << 24) >> 24 : address.displacement | 0;
}

function immediateBytes(type: string, size: number): number {
  switch (type) {
    case 'b':
      return 1;
    case 'w':
      return 2;
    case 'd':
      return 4;
    case 'q':
      return 8;
    case 'z':
      return size === 2 ? 2 : 4;
    case 'v':
      return size;
    default:
      throw new RangeError(`no immediate of type ${type}`);
  }
}

/** Bytes of the form at `address`. Throws RangeError when the choice cannot be encoded. */
export function encode(form: Form, choice: Choice, address: number): Uint8Array {
  const { row } = form;
  const bytes: number[] = [];
  if (choice.segment !== null) bytes.push(SEGMENT_PREFIX[choice.segment]);
  if (choice.address32) bytes.push(0x67);
  const operands = operandsOf(row);
  const types = operands.map((operand) => operand.type);
  const sized = types.some((type) => type === 'v' || type === 'z');
  if (form.size === 2) bytes.push(0x66);
  if (form.lock) bytes.push(0xf0);
  if (form.repeat !== 'none') bytes.push(parseInt(form.repeat, 16));
  if (row.prefix !== undefined && row.prefix !== 'np') bytes.push(parseInt(row.prefix, 16));

  let rex = choice.forceRex ? 0x40 : 0;
  const wide =
    row.rexw === 1 || (form.size === 8 && row.rexw === undefined && row.default64 !== true && (sized || types.includes('y')));
  if (wide) rex |= 0x48;
  let highByte = false;
  /** Low three bits of a register operand; its fourth bit goes to REX as `extend`. */
  const register = (number: number, byteSized: boolean, extend: number): number => {
    if (number >= HIGH_BYTE) {
      highByte = true;
      return (number - HIGH_BYTE + 4) & 7;
    }
    if (number >= 8) rex |= 0x40 | extend;
    else if (byteSized && number >= 4) rex |= 0x40;
    return number & 7;
  };

  const rmNotation = rmOperand(row);
  const regNotation = regOperand(row);
  let modRm: number | null = null;
  let memory: MemoryBytes | null = null;
  if (hasModRm(row)) {
    // Hint NOPs without an operand there take any value.
    let reg = row.extension ?? (regNotation === undefined ? choice.reg & 7 : 0);
    if (row.extension === undefined && regNotation !== undefined) {
      const eight = letterIn(regNotation, 'PSD') ? choice.reg & 7 : choice.reg;
      reg = register(eight, regNotation.letter === 'G' && regNotation.type === 'b', 4);
    }
    if (form.rm === 'memory') {
      const operand = typeof choice.rm === 'number' ? NO_ADDRESS : choice.rm;
      memory = memoryBytes(operand);
      if (typeof operand.base === 'number' && operand.base >= 8) rex |= 0x41;
      if (operand.index !== null && operand.index >= 8) rex |= 0x42;
      modRm = (memory.mod << 6) | (reg << 3) | memory.rm;
    } else {
      let rm = row.rm ?? 0;
      if (row.rm === undefined && rmNotation !== undefined) {
        if (typeof choice.rm !== 'number') throw new RangeError(`${form.key}: a register is wanted`);
        const number = letterIn(rmNotation, 'QNT') ? choice.rm & 7 : choice.rm;
        rm = register(number, (rmNotation.letter === 'E' || rmNotation.letter === 'R') && rmNotation.type === 'b', 1);
      }
      modRm = 0xc0 | (reg << 3) | rm;
    }
  }

  const opcodeText = row.opcode.replace('+r', '').trim();
  const opcode = opcodeText.split(/\s+/).map((byte) => parseInt(byte, 16));
  if (row.opcode.endsWith('+r')) {
    const byteSized = operands.some((operand) => operand.letter === 'Z' && operand.type === 'b');
    const low = register(choice.opcodeRegister, byteSized, 1);
    opcode[opcode.length - 1] = (opcode[opcode.length - 1] ?? 0) + low;
  }
  if (highByte && rex !== 0) throw new RangeError(`${form.key}: AH, CH, DH and BH cannot be named with REX`);
  if (rex !== 0) bytes.push(rex);
  bytes.push(...opcode);
  let displacementAt = -1;
  if (modRm !== null) bytes.push(modRm);
  if (memory !== null) {
    if (memory.sib !== null) bytes.push(memory.sib);
    displacementAt = bytes.length;
    bytes.push(...memory.displacement);
  }
  let immediate = 0;
  for (const operand of operands) {
    let length = 0;
    if (operand.letter === 'I') length = immediateBytes(operand.type, form.size);
    else if (operand.letter === 'J') length = operand.type === 'b' ? 1 : 4;
    else if (operand.letter === 'O') length = choice.address32 ? 4 : 8;
    else continue;
    bytes.push(...littleEndian(choice.immediates[immediate++] ?? 0n, length));
  }
  if (memory !== null && memory.ripTarget !== null) {
    const displacement = memory.ripTarget - (address + bytes.length);
    bytes.splice(displacementAt, 4, ...littleEndian(BigInt(displacement), 4));
  }
  if (bytes.length > 15) throw new RangeError(`${form.key}: ${bytes.length} bytes are more than an instruction may have`);
  return Uint8Array.from(bytes);
}
