/**
 * Writes the body of a WebAssembly function straight into a growing byte array, with labels instead of relative depths.
 * @see WebAssembly Core Specification 3.0, 5.4 "Instructions"
 */
import { simd } from './wasm-simd.ts';

export const I32 = 0x7f;
export const I64 = 0x7e;
export const F32 = 0x7d;
export const F64 = 0x7c;
export const V128 = 0x7b;

/** Opcodes that have no operand but those on the stack. */
export const op = {
  unreachable: 0x00,
  else: 0x05,
  end: 0x0b,
  return: 0x0f,
  drop: 0x1a,
  select: 0x1b,
  i32Eqz: 0x45,
  i32Eq: 0x46,
  i32Ne: 0x47,
  i32LtS: 0x48,
  i32LtU: 0x49,
  i32GtS: 0x4a,
  i32GtU: 0x4b,
  i32LeS: 0x4c,
  i32LeU: 0x4d,
  i32GeS: 0x4e,
  i32GeU: 0x4f,
  i64Eqz: 0x50,
  i64Eq: 0x51,
  i64Ne: 0x52,
  i64LtS: 0x53,
  i64LtU: 0x54,
  i64GtS: 0x55,
  i64GtU: 0x56,
  i64LeS: 0x57,
  i64LeU: 0x58,
  i64GeS: 0x59,
  i64GeU: 0x5a,
  f32Eq: 0x5b,
  f32Lt: 0x5d,
  f32Gt: 0x5e,
  f32Le: 0x5f,
  f32Ge: 0x60,
  f64Eq: 0x61,
  f64Lt: 0x63,
  f64Gt: 0x64,
  f64Le: 0x65,
  f64Ge: 0x66,
  i32Popcnt: 0x69,
  i32Add: 0x6a,
  i32Sub: 0x6b,
  i32Mul: 0x6c,
  i32DivS: 0x6d,
  i32DivU: 0x6e,
  i32RemU: 0x70,
  i32And: 0x71,
  i32Or: 0x72,
  i32Xor: 0x73,
  i32Shl: 0x74,
  i32ShrS: 0x75,
  i32ShrU: 0x76,
  i32Rotl: 0x77,
  i32Rotr: 0x78,
  i64Clz: 0x79,
  i64Ctz: 0x7a,
  i64Popcnt: 0x7b,
  i64Add: 0x7c,
  i64Sub: 0x7d,
  i64Mul: 0x7e,
  i64DivS: 0x7f,
  i64DivU: 0x80,
  i64RemU: 0x82,
  i64And: 0x83,
  i64Or: 0x84,
  i64Xor: 0x85,
  i64Shl: 0x86,
  i64ShrS: 0x87,
  i64ShrU: 0x88,
  i64Rotl: 0x89,
  i64Rotr: 0x8a,
  f32Abs: 0x8b,
  f32Ceil: 0x8d,
  f32Floor: 0x8e,
  f32Trunc: 0x8f,
  f32Nearest: 0x90,
  f32Sqrt: 0x91,
  f32Add: 0x92,
  f32Sub: 0x93,
  f32Mul: 0x94,
  f32Div: 0x95,
  f64Abs: 0x99,
  f64Ceil: 0x9b,
  f64Floor: 0x9c,
  f64Trunc: 0x9d,
  f64Nearest: 0x9e,
  f64Sqrt: 0x9f,
  f64Add: 0xa0,
  f64Sub: 0xa1,
  f64Mul: 0xa2,
  f64Div: 0xa3,
  i32WrapI64: 0xa7,
  i64ExtendI32S: 0xac,
  i64ExtendI32U: 0xad,
  f32ConvertI32S: 0xb2,
  f32ConvertI64S: 0xb4,
  f32DemoteF64: 0xb6,
  f64ConvertI32S: 0xb7,
  f64ConvertI64S: 0xb9,
  f64PromoteF32: 0xbb,
  i32ReinterpretF32: 0xbc,
  i64ReinterpretF64: 0xbd,
  i64Extend8S: 0xc2,
  i64Extend16S: 0xc3,
  i64Extend32S: 0xc4,
} as const;

/** Opcodes with an alignment and an offset. */
export const memoryOp = {
  i32Load: 0x28,
  i64Load: 0x29,
  i64Load8U: 0x31,
  i64Load16U: 0x33,
  i32Load8U: 0x2d,
  i64Load32U: 0x35,
  i32Store: 0x36,
  i64Store: 0x37,
  i64Store8: 0x3c,
  i64Store16: 0x3d,
  i64Store32: 0x3e,
  f32Load: 0x2a,
  f64Load: 0x2b,
} as const;

/** Atomic read-modify-writes, behind the prefix 0xfe: the 32-bit form of each; those of 64-bit values follow. */
export const atomic = { add: 0x1e, sub: 0x25, and: 0x2c, or: 0x33, xor: 0x3a, xchg: 0x41, cmpxchg: 0x48 } as const;

/** Opcodes behind the prefix 0xfc. */
export const extended = { truncateF64ToI32: 2, truncateF64ToI64: 6, memoryCopy: 10, memoryFill: 11 } as const;

/** A block, loop or if that is open: its absolute nesting depth. */
export type Label = number;

export class ByteWriter {
  bytes = new Uint8Array(256);
  length = 0;

  protected reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.length + count));
    larger.set(this.bytes);
    this.bytes = larger;
  }

  u8(value: number): void {
    if (this.length === this.bytes.length) this.reserve(1);
    this.bytes[this.length++] = value;
  }

  /** Unsigned LEB128 of 32 bits. */
  u32(value: number): void {
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.u8((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.u8(rest);
  }

  /** Signed LEB128 of 32 bits; the same as of the 64 bits it extends to. */
  s32(value: number): void {
    let rest = value | 0;
    for (;;) {
      const byte = rest & 0x7f;
      rest >>= 7;
      if ((rest === 0 && (byte & 0x40) === 0) || (rest === -1 && (byte & 0x40) !== 0)) {
        this.u8(byte);
        return;
      }
      this.u8(byte | 0x80);
    }
  }

  /** Signed LEB128 of 64 bits given as two halves. */
  s64(low: number, high: number): void {
    let l = low | 0;
    let h = high | 0;
    for (;;) {
      if (h === l >> 31) {
        this.s32(l);
        return;
      }
      this.u8((l & 0x7f) | 0x80);
      l = (l >>> 7) | (h << 25);
      h >>= 7;
    }
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  name(text: string): void {
    this.u32(text.length);
    for (let n = 0; n < text.length; n++) this.u8(text.charCodeAt(n));
  }

  result(): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(0, this.length);
  }
}

export class FunctionWriter extends ByteWriter {
  private depth = 0;
  /** Places so far that control may come to in more than one way. */
  joins = 0;
  /** Where the `if`s stand that are hardly ever taken, ascending. */
  readonly unlikely: number[] = [];

  /** Forgets what was written. */
  restart(): void {
    this.length = 0;
    this.depth = 0;
    this.joins = 0;
    this.unlikely.length = 0;
  }

  get nesting(): number {
    return this.depth;
  }

  emit(...opcodes: number[]): void {
    for (const opcode of opcodes) this.u8(opcode);
  }

  private open(opcode: number, type = 0x40): Label {
    this.u8(opcode);
    this.u8(type);
    return this.depth++;
  }

  block(): Label {
    return this.open(0x02);
  }

  loop(): Label {
    this.joins++;
    return this.open(0x03);
  }

  if(type?: number): Label {
    return this.open(0x04, type);
  }

  /** An `if` whose body is hardly ever executed: engines that take branch hints keep it, and the spills it needs, out of the way. */
  ifUnlikely(): Label {
    this.unlikely.push(this.length);
    return this.if();
  }

  else(): void {
    this.joins++;
    this.u8(op.else);
  }

  end(): void {
    this.depth--;
    this.joins++;
    this.u8(op.end);
  }

  br(label: Label): void {
    this.u8(0x0c);
    this.u32(this.depth - 1 - label);
  }

  brIf(label: Label): void {
    this.u8(0x0d);
    this.u32(this.depth - 1 - label);
  }

  /** Pops an i32 and goes to the label of that number; to the last one if there is none. */
  brTable(labels: readonly Label[]): void {
    this.u8(0x0e);
    this.u32(labels.length - 1);
    for (const label of labels) this.u32(this.depth - 1 - label);
  }

  call(index: number): void {
    this.u8(0x10);
    this.u32(index);
  }

  get(local: number): void {
    this.u8(0x20);
    this.u32(local);
  }

  set(local: number): void {
    this.u8(0x21);
    this.u32(local);
  }

  tee(local: number): void {
    this.u8(0x22);
    this.u32(local);
  }

  i32(value: number): void {
    this.u8(0x41);
    this.s32(value);
  }

  /** A constant of 32 bits, sign-extended. */
  i64(value: number): void {
    this.u8(0x42);
    this.s32(value);
  }

  i64Halves(low: number, high: number): void {
    this.u8(0x42);
    this.s64(low, high);
  }

  memory(opcode: number, offset: number): void {
    this.u8(opcode);
    this.u8(0);
    this.u32(offset);
  }

  atomicStore32(offset: number): void {
    this.emit(0xfe, 0x17, 2);
    this.u32(offset);
  }

  fence(): void {
    this.emit(0xfe, 0x03, 0);
  }

  /** An atomic of `bytes` on a 64-bit value, zero-extended; the address must be aligned. */
  atomic64(operation: number, bytes: number): void {
    const [distance, alignment] = bytes === 8 ? [1, 3] : bytes === 4 ? [6, 2] : bytes === 2 ? [5, 1] : [4, 0];
    this.emit(0xfe, operation + distance, alignment, 0);
  }

  extended(opcode: number): void {
    this.u8(0xfc);
    this.u32(opcode);
  }

  f64(value: number): void {
    this.u8(0x44);
    const bytes = new Uint8Array(new Float64Array([value]).buffer);
    for (const byte of bytes) this.u8(byte);
  }

  f32(value: number): void {
    this.u8(0x43);
    const bytes = new Uint8Array(new Float32Array([value]).buffer);
    for (const byte of bytes) this.u8(byte);
  }

  // ---- vectors: opcodes of wasm-simd.ts --------------------------------------------------------------------------------

  vector(...opcodes: number[]): void {
    for (const opcode of opcodes) {
      this.u8(0xfd);
      this.u32(opcode);
    }
  }

  vectorLane(opcode: number, lane: number): void {
    this.vector(opcode);
    this.u8(lane);
  }

  vectorMemory(opcode: number, offset: number): void {
    this.vector(opcode);
    this.u8(0);
    this.u32(offset);
  }

  /** A store of one lane. */
  vectorMemoryLane(opcode: number, lane: number): void {
    this.vectorMemory(opcode, 0);
    this.u8(lane);
  }

  /** Sixteen bytes out of the two vectors on the stack, by number. */
  shuffle(bytes: readonly number[]): void {
    this.vector(simd.shuffle);
    for (const byte of bytes) this.u8(byte);
  }

  /** select of two vectors. */
  selectVector(): void {
    this.emit(0x1c, 1, V128);
  }

  vectorZero(): void {
    this.vector(simd.const);
    for (let n = 0; n < 16; n++) this.u8(0);
  }
}
