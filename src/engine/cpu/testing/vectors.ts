/**
 * Instruction vectors as they stand in vectors/*.bin (brotli): what the host's CPU made of an input that the seed regenerates.
 *
 * A file holds forms (see forms.ts), a form holds encodings (instruction bytes at an address), an encoding holds cases. Only
 * what differs is stored: the overrides of the seeded input, and the registers, flags and bytes of memory that the instruction
 * changed. Numbers are LEB128, register values 8 bytes little-endian.
 */
import { FLAVOURS, type Flavour } from './values.ts';

const MAGIC = 0x564f5857; // "WXOV"
const VERSION = 1;

/** Bytes put in place before the test: at an address in the data pages, or below FX_BYTES into the FXSAVE image. */
export interface Patch {
  readonly address: number;
  readonly length: number;
  /** The bytes themselves, or the kind of values to make of the case's seed. */
  readonly content: Uint8Array | Flavour;
}

/** Register number of an override that sets RFLAGS. */
export const OVERRIDE_RFLAGS = 16;

export interface RegisterValue {
  readonly register: number;
  readonly value: bigint;
}

export interface MemoryChange {
  readonly address: number;
  readonly bytes: Uint8Array;
}

export interface MemoryRange {
  readonly address: number;
  readonly length: number;
}

export interface Outcome {
  /** Exception that the test ended with; null = it reached the HLT behind or at a branch target. */
  readonly fault: { readonly vector: number; readonly error: number; readonly address: bigint } | null;
  /** RIP relative to the end of the code; for RIPs outside the code region the low 64 bits of the difference. */
  readonly ripDelta: bigint;
  readonly rflags: number;
  readonly registers: readonly RegisterValue[];
  /** Changed bytes of the FXSAVE image: address = offset in it. */
  readonly fx: readonly MemoryChange[];
  readonly memory: readonly MemoryChange[];
}

export interface Case {
  readonly seed: number;
  readonly flavour: Flavour;
  readonly overrides: readonly RegisterValue[];
  readonly patches: readonly Patch[];
  /** Arithmetic flags that the manual leaves undefined for these operands. */
  readonly undefinedFlags: number;
  /** The same for the x87 status word. */
  readonly undefinedStatus: number;
  /** Stored bytes that differ between CPUs: reserved fields and the x87 pointers. */
  readonly ignored: readonly MemoryRange[];
  readonly outcome: Outcome;
}

export interface Encoding {
  /** Address of the first byte. */
  readonly address: number;
  readonly code: Uint8Array;
  readonly cases: readonly Case[];
}

export interface FormVectors {
  readonly key: string;
  readonly encodings: readonly Encoding[];
}

export interface VectorFile {
  /** FNV-1a over all seeded inputs: differs when input.ts or values.ts no longer make what the vectors were made with. */
  readonly inputDigest: number;
  readonly forms: readonly FormVectors[];
}

class ByteWriter {
  private bytes = new Uint8Array(1 << 16);
  private length = 0;

  private reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + more));
    grown.set(this.bytes);
    this.bytes = grown;
  }

  u8(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  u32(value: number): void {
    for (let shift = 0; shift < 32; shift += 8) this.u8((value >>> shift) & 0xff);
  }

  u64(value: bigint): void {
    this.u32(Number(value & 0xffffffffn));
    this.u32(Number((value >> 32n) & 0xffffffffn));
  }

  /** Unsigned LEB128, up to 2^53. */
  number(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.u8((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.u8(rest);
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  result(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }
}

class ByteReader {
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  u8(): number {
    const value = this.bytes[this.at++];
    if (value === undefined) throw new RangeError('vector file ends too early');
    return value;
  }

  u32(): number {
    return (this.u8() | (this.u8() << 8) | (this.u8() << 16) | (this.u8() << 24)) >>> 0;
  }

  u64(): bigint {
    return BigInt(this.u32()) | (BigInt(this.u32()) << 32n);
  }

  number(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
  }

  raw(length: number): Uint8Array {
    if (this.at + length > this.bytes.length) throw new RangeError('vector file ends too early');
    this.at += length;
    return this.bytes.slice(this.at - length, this.at);
  }

  list<T>(item: () => T): T[] {
    const count = this.number();
    const items: T[] = [];
    for (let index = 0; index < count; index++) items.push(item());
    return items;
  }
}

function writeChanges(writer: ByteWriter, changes: readonly MemoryChange[]): void {
  writer.number(changes.length);
  for (const change of changes) {
    writer.number(change.address);
    writer.number(change.bytes.length);
    writer.raw(change.bytes);
  }
}

function writeRegisters(writer: ByteWriter, values: readonly RegisterValue[]): void {
  writer.number(values.length);
  for (const { register, value } of values) {
    writer.u8(register);
    writer.u64(value);
  }
}

/** In place of a patch's kind of values: its bytes follow. */
const LITERAL = 0xff;
const OUTCOME_FAULT = 1;
const OUTCOME_RIP = 2;

function writeCase(writer: ByteWriter, test: Case): void {
  writer.u32(test.seed);
  writer.u8(FLAVOURS.indexOf(test.flavour));
  writeRegisters(writer, test.overrides);
  writer.number(test.patches.length);
  for (const patch of test.patches) {
    writer.number(patch.address);
    writer.number(patch.length);
    if (typeof patch.content === 'string') writer.u8(FLAVOURS.indexOf(patch.content));
    else {
      writer.u8(LITERAL);
      writer.raw(patch.content);
    }
  }
  writer.number(test.undefinedFlags);
  writer.number(test.undefinedStatus);
  writer.number(test.ignored.length);
  for (const range of test.ignored) {
    writer.number(range.address);
    writer.number(range.length);
  }
  const { outcome } = test;
  writer.u8((outcome.fault ? OUTCOME_FAULT : 0) | (outcome.ripDelta !== 0n ? OUTCOME_RIP : 0));
  if (outcome.fault) {
    writer.u8(outcome.fault.vector);
    writer.number(outcome.fault.error);
    writer.u64(outcome.fault.address);
  }
  if (outcome.ripDelta !== 0n) writer.u64(BigInt.asUintN(64, outcome.ripDelta));
  writer.number(outcome.rflags);
  writeRegisters(writer, outcome.registers);
  writeChanges(writer, outcome.fx);
  writeChanges(writer, outcome.memory);
}

export function encodeVectors(file: VectorFile): Uint8Array {
  const writer = new ByteWriter();
  writer.u32(MAGIC);
  writer.u8(VERSION);
  writer.u32(file.inputDigest);
  writer.number(file.forms.length);
  const text = new TextEncoder();
  for (const form of file.forms) {
    const key = text.encode(form.key);
    writer.number(key.length);
    writer.raw(key);
    writer.number(form.encodings.length);
    for (const encoding of form.encodings) {
      writer.u32(encoding.address);
      writer.number(encoding.code.length);
      writer.raw(encoding.code);
      writer.number(encoding.cases.length);
      for (const test of encoding.cases) writeCase(writer, test);
    }
  }
  return writer.result();
}

function readRegisters(reader: ByteReader): RegisterValue[] {
  return reader.list(() => ({ register: reader.u8(), value: reader.u64() }));
}

function readChanges(reader: ByteReader): MemoryChange[] {
  return reader.list(() => ({ address: reader.number(), bytes: reader.raw(reader.number()) }));
}

function readFlavour(index: number): Flavour {
  const flavour = FLAVOURS[index];
  if (flavour === undefined) throw new RangeError('vector file names an unknown kind of values');
  return flavour;
}

function readCase(reader: ByteReader): Case {
  const seed = reader.u32();
  const flavour = readFlavour(reader.u8());
  const overrides = readRegisters(reader);
  const patches = reader.list(() => {
    const address = reader.number();
    const length = reader.number();
    const kind = reader.u8();
    return { address, length, content: kind === LITERAL ? reader.raw(length) : readFlavour(kind) };
  });
  const undefinedFlags = reader.number();
  const undefinedStatus = reader.number();
  const ignored = reader.list(() => ({ address: reader.number(), length: reader.number() }));
  const bits = reader.u8();
  const fault = bits & OUTCOME_FAULT ? { vector: reader.u8(), error: reader.number(), address: reader.u64() } : null;
  const ripDelta = bits & OUTCOME_RIP ? BigInt.asIntN(64, reader.u64()) : 0n;
  const rflags = reader.number();
  const registers = readRegisters(reader);
  const fx = readChanges(reader);
  const memory = readChanges(reader);
  return {
    seed,
    flavour,
    overrides,
    patches,
    undefinedFlags,
    undefinedStatus,
    ignored,
    outcome: { fault, ripDelta, rflags, registers, fx, memory },
  };
}

/** Throws RangeError when the bytes are not a vector file of this version. */
export function decodeVectors(bytes: Uint8Array): VectorFile {
  const reader = new ByteReader(bytes);
  if (reader.u32() !== MAGIC) throw new RangeError('not a vector file');
  const version = reader.u8();
  if (version !== VERSION) throw new RangeError(`vector file has version ${version}, expected ${VERSION}: make the vectors again`);
  const inputDigest = reader.u32();
  const text = new TextDecoder();
  const forms = reader.list(() => {
    const key = text.decode(reader.raw(reader.number()));
    const encodings = reader.list(() => {
      const address = reader.u32();
      const code = reader.raw(reader.number());
      return { address, code, cases: reader.list(() => readCase(reader)) };
    });
    return { key, encodings };
  });
  return { inputDigest, forms };
}
