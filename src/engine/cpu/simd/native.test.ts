/**
 * Vector instructions on registers against what a real CPU did with them (scripts/oracle-sse.ts): result, MXCSR, flags, #XM, and
 * the x87 state that MMX instructions share.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  CC_EXPLICIT,
  FAULT,
  NEXT,
  VCPU_CC_OP,
  VCPU_CC_R,
  VCPU_FAULT_VECTOR,
  VCPU_FSW,
  VCPU_FTW,
  VCPU_MXCSR,
  VCPU_RAX,
  VCPU_RCX,
  VCPU_RDX,
  VCPU_X87,
  VCPU_XMM,
} from '../layout.ts';
import { rowName } from '../testing/forms.ts';
import type { Row } from '../table/row.ts';
import { type Case, rowsCompared, vectorCases } from './testing/cases.ts';
import { type Handlers, compileHandlers, writeOperation } from './testing/handlers.ts';
import * as record from './testing/record.ts';

const CPU = 0x10000;
const OP = 0x20000;

let handlers: Handlers;
const casesOf = new Map<Row, { case: Case; after: Uint8Array }[]>();

/** The native outcomes: columns of bytes, exclusive-or the state before. */
function readOutcomes(): void {
  const file = process.env['SSE_VECTORS'] ?? join(import.meta.dirname, 'testing/vectors.bin');
  const columns = brotliDecompressSync(readFileSync(file));
  const count = columns.length / record.RECORD_BYTES;
  let row = 0;
  for (const entry of vectorCases(Number(process.env['SSE_SEED'] ?? 1), Number(process.env['SSE_SCALE'] ?? 1))) {
    const after = entry.before.map((byte, at) => byte ^ columns[at * count + row]!);
    casesOf.set(entry.row, [...(casesOf.get(entry.row) ?? []), { case: entry, after }]);
    row++;
  }
  if (row !== count) throw new Error(`${count} outcomes for ${row} cases: run scripts/oracle-sse.ts`);
}

/** Runs the case in the core's handler; returns the record behind it. */
function execute({ row, immediate, before }: Case): Uint8Array {
  const memory = new Uint8Array(handlers.memory.buffer);
  const view = new DataView(handlers.memory.buffer);
  const state = new DataView(before.buffer);
  memory.fill(0, CPU, CPU + 0x800);
  memory.set(before.subarray(record.RECORD_XMM, record.RECORD_XMM + 48), CPU + VCPU_XMM);
  for (const n of [0, 1]) {
    memory.set(before.subarray(record.RECORD_MM + 8 * n, record.RECORD_MM + 8 * n + 8), CPU + VCPU_X87 + 16 * n);
    view.setUint16(CPU + VCPU_X87 + 16 * n + 8, record.EXPONENT_BEFORE, true);
  }
  view.setUint16(CPU + VCPU_FSW, state.getUint8(record.RECORD_TOP) << 11, true);
  view.setUint8(CPU + VCPU_FTW, state.getUint8(record.RECORD_TAGS));
  view.setUint32(CPU + VCPU_MXCSR, state.getUint32(record.RECORD_MXCSR, true), true);
  view.setBigUint64(CPU + VCPU_RAX, state.getBigUint64(record.RECORD_RAX, true), true);
  view.setBigUint64(CPU + VCPU_RCX, state.getBigUint64(record.RECORD_RCX, true), true);
  view.setBigUint64(CPU + VCPU_RDX, state.getBigUint64(record.RECORD_RDX, true), true);
  view.setUint32(CPU + VCPU_CC_OP, CC_EXPLICIT, true);
  view.setUint32(CPU + VCPU_CC_R, state.getUint32(record.RECORD_FLAGS, true), true);
  const reg = row.mnemonic.includes('blendv') ? 2 : 0;
  writeOperation(view, OP, row, {
    reg,
    rm: 1,
    immediate,
    size16: state.getUint8(record.RECORD_CODE) === 0x66 && row.mnemonic === 'crc32',
  });
  const outcome = handlers.exports[row.handler]!(CPU, OP);
  if (outcome !== NEXT && outcome !== FAULT) throw new Error(`${row.handler} returned ${outcome}`);

  const after = before.slice();
  const result = new DataView(after.buffer);
  result.setUint8(record.RECORD_VECTOR, outcome === FAULT ? view.getUint32(CPU + VCPU_FAULT_VECTOR, true) : 0);
  after.set(memory.subarray(CPU + VCPU_XMM, CPU + VCPU_XMM + 48), record.RECORD_XMM);
  for (const n of [0, 1])
    after.set(memory.subarray(CPU + VCPU_X87 + 16 * n, CPU + VCPU_X87 + 16 * n + 8), record.RECORD_MM + 8 * n);
  result.setUint16(record.RECORD_EXPONENT, view.getUint16(CPU + VCPU_X87 + 8, true), true);
  result.setUint8(record.RECORD_TOP, (view.getUint16(CPU + VCPU_FSW, true) >> 11) & 7);
  result.setUint8(record.RECORD_TAGS, view.getUint8(CPU + VCPU_FTW));
  result.setUint32(record.RECORD_MXCSR, view.getUint32(CPU + VCPU_MXCSR, true), true);
  result.setBigUint64(record.RECORD_RAX, view.getBigUint64(CPU + VCPU_RAX, true), true);
  result.setBigUint64(record.RECORD_RCX, view.getBigUint64(CPU + VCPU_RCX, true), true);
  result.setBigUint64(record.RECORD_RDX, view.getBigUint64(CPU + VCPU_RDX, true), true);
  expect(view.getUint32(CPU + VCPU_CC_OP, true)).toBe(CC_EXPLICIT);
  result.setUint32(record.RECORD_FLAGS, view.getUint32(CPU + VCPU_CC_R, true), true);
  return after;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** The fields of a record, lanes with the highest first, as text. */
function show(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const reversed = (at: number, length: number): string => hex(bytes.slice(at, at + length).reverse());
  return [
    `xmm0=${reversed(record.RECORD_XMM, 16)} xmm1=${reversed(record.RECORD_XMM + 16, 16)} xmm2=${reversed(record.RECORD_XMM + 32, 16)}`,
    `mm0=${reversed(record.RECORD_MM, 8)} mm1=${reversed(record.RECORD_MM + 8, 8)} exponent=${reversed(record.RECORD_EXPONENT, 2)}`,
    `top=${view.getUint8(record.RECORD_TOP)} tags=${reversed(record.RECORD_TAGS, 1)} mxcsr=${reversed(record.RECORD_MXCSR, 4)}`,
    `rax=${reversed(record.RECORD_RAX, 8)} rcx=${reversed(record.RECORD_RCX, 8)} rdx=${reversed(record.RECORD_RDX, 8)}`,
    `flags=${reversed(record.RECORD_FLAGS, 4)} vector=${view.getUint8(record.RECORD_VECTOR)}`,
  ].join('\n');
}

beforeAll(async () => {
  readOutcomes();
  handlers = await compileHandlers();
});

describe('vector instructions as a real CPU executes them', () => {
  it.each(rowsCompared().map(({ row }) => [rowName(row), row] as const))('%s', (_name, row) => {
    const list = casesOf.get(row)!;
    expect(list.length).toBeGreaterThan(0);
    for (const { case: entry, after } of list) {
      const got = execute(entry);
      if (hex(got) === hex(after)) continue;
      const text = `${rowName(row)} imm ${entry.immediate.toString(16)}, code ${hex(entry.before.slice(1, 15))}\nbefore:\n${show(entry.before)}`;
      expect(show(got), text).toBe(show(after));
    }
  });
});
