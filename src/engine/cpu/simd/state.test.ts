/**
 * What user mode cannot bring about on a host, and so has no native vectors: CR0.EM and CR0.TS; and the byte-masked stores, whose
 * address no operand names.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import {
  FAULT,
  NEXT,
  OPF_ADDRESS32,
  OPF_MEMORY,
  OP_BASE,
  OP_FLAGS,
  OP_INDEX,
  OP_SEGMENT,
  VCPU_BLOCK_BYTES,
  VCPU_CR0,
  VCPU_FAULT_VECTOR,
  VCPU_FS_BASE,
  VCPU_FSW,
  VCPU_FTW,
  VCPU_MXCSR,
  VCPU_RDI,
  VCPU_STORE_ADDRESS,
  VCPU_STORE_BYTES,
  VCPU_X87,
  VCPU_XMM,
  VCPU_ZERO,
  VECTOR_MF,
  VECTOR_NM,
  VECTOR_UD,
} from '../layout.ts';
import { mmxRows } from '../table/mmx.ts';
import type { Row } from '../table/row.ts';
import { sseRows } from '../table/sse.ts';
import { sse4Rows } from '../table/sse4.ts';
import { rowName } from '../testing/forms.ts';
import { type Handlers, compileHandlers, writeOperation } from './testing/handlers.ts';

const CPU = 0x80000;
const OP = 0x20000;
const MEMORY = 0x30000;
const CR0_EM = 4n;
const CR0_TS = 8n;
const FSW_ES = 0x80;
const TOP_5 = 5 << 11;

const rows = [...mmxRows, ...sseRows, ...sse4Rows];
/** These touch neither vector nor x87 state. */
const INDEPENDENT = /^(movnti|[lms]fence|clflush|prefetch|nop|crc32)/;
/** CVTPI2xx from memory leaves the x87 state alone. */
const usesMmx = (row: Row, memory: boolean): boolean =>
  row.mnemonic === 'emms' || (/[PNQ]/.test(row.operands) && !(memory && row.mnemonic.startsWith('cvtpi2')));

let handlers: Handlers;
let flat: Handlers;

interface Outcome {
  readonly returned: number;
  readonly vector: number;
  readonly changed: boolean;
}

function prepare(machine: Handlers, row: Row, flags: number, set: (view: DataView) => void): DataView {
  const bytes = new Uint8Array(machine.memory.buffer);
  const view = new DataView(machine.memory.buffer);
  bytes.fill(0, CPU, CPU + 0x1000);
  for (let at = 0; at < 0x100; at++) bytes[CPU + VCPU_XMM + at] = (at * 37) & 0xff;
  for (let at = 0; at < 0x80; at++) bytes[CPU + VCPU_X87 + at] = (at * 41) & 0xff;
  view.setUint32(CPU + VCPU_MXCSR, 0x1f80, true);
  view.setUint16(CPU + VCPU_FSW, TOP_5, true);
  writeOperation(view, OP, row, { reg: 1, rm: 2, immediate: 0, size16: false });
  view.setUint8(OP + OP_FLAGS, view.getUint8(OP + OP_FLAGS) | flags);
  for (const part of [OP_BASE, OP_INDEX, OP_SEGMENT]) view.setUint8(OP + part, VCPU_ZERO);
  set(view);
  return view;
}

function attempt(row: Row, memory: boolean, set: (view: DataView) => void): Outcome {
  const view = prepare(handlers, row, memory ? OPF_MEMORY : 0, set);
  const bytes = new Uint8Array(handlers.memory.buffer);
  const before = bytes.slice(CPU, CPU + 0x1000);
  const returned = handlers.exports[row.handler]!(CPU, OP);
  const vector = view.getUint32(CPU + VCPU_FAULT_VECTOR, true);
  view.setUint32(CPU + VCPU_FAULT_VECTOR, 0, true);
  return { returned, vector, changed: Buffer.compare(before, bytes.slice(CPU, CPU + 0x1000)) !== 0 };
}

const forms = rows
  .filter(({ mnemonic }) => !INDEPENDENT.test(mnemonic))
  .flatMap((row) =>
    (row.mod === undefined && row.operands !== '' ? [false, true] : [row.mod === 'memory']).map((memory) => ({ row, memory })),
  )
  .map((form) => [`${rowName(form.row)} ${form.memory ? 'memory' : 'register'}`, form] as const);

beforeAll(async () => {
  handlers = await compileHandlers();
  flat = await compileHandlers('flat');
});

describe('control of the vector unit', () => {
  it('lies within the vCPU block that the test compares', () => {
    expect(VCPU_BLOCK_BYTES).toBeGreaterThan(0x1000);
    expect(forms.length).toBeGreaterThan(600);
  });

  it.each([
    ['TS', CR0_TS, VECTOR_NM],
    ['EM', CR0_EM, VECTOR_UD],
    ['EM and TS', CR0_EM | CR0_TS, VECTOR_UD],
  ])('CR0.%s faults before anything else happens, in every form', (_bits, cr0, vector) => {
    for (const [name, { row, memory }] of forms) {
      const outcome = attempt(row, memory, (view) => {
        view.setBigUint64(CPU + VCPU_CR0, cr0, true);
        view.setUint16(CPU + VCPU_FSW, TOP_5 | FSW_ES, true);
      });
      expect(outcome, name).toEqual({ returned: FAULT, vector, changed: false });
    }
  });

  it('lets a pending x87 exception be reported before MMX instructions, and only those', () => {
    for (const [name, { row, memory }] of forms) {
      const outcome = attempt(row, memory, (view) => {
        view.setUint16(CPU + VCPU_FSW, TOP_5 | FSW_ES, true);
      });
      if (usesMmx(row, memory)) expect(outcome, name).toEqual({ returned: FAULT, vector: VECTOR_MF, changed: false });
      else expect(outcome.vector, name).not.toBe(VECTOR_MF);
    }
  });

  it('does not concern instructions without vector state', () => {
    for (const row of rows.filter(({ mnemonic }) => INDEPENDENT.test(mnemonic))) {
      const outcome = attempt(row, row.mod === 'memory', (view) => {
        view.setBigUint64(CPU + VCPU_CR0, CR0_EM | CR0_TS, true);
      });
      expect(outcome.vector, rowName(row)).toBe(0);
    }
  });

  it.each(['prefetchnta', 'prefetcht0', 'prefetcht1', 'prefetcht2'])('%s touches no memory, CLFLUSH does', (mnemonic) => {
    const row = rows.find((candidate) => candidate.mnemonic === mnemonic)!;
    expect(attempt(row, true, () => undefined)).toEqual({ returned: NEXT, vector: 0, changed: false });
    expect(
      attempt(
        rows.find((candidate) => candidate.mnemonic === 'clflush')!,
        true,
        () => undefined,
      ).returned,
    ).toBe(FAULT);
  });
});

describe('byte-masked stores', () => {
  const row = (mnemonic: string): Row => rows.find((candidate) => candidate.mnemonic === mnemonic)!;

  /** Stores 0x11 * (n + 1) in byte n where `mask` has a bit; returns what memory of 0x5b has become and what was asked for. */
  function store(mnemonic: 'maskmovdqu' | 'maskmovq', mask: number, flags: number, rdi: bigint, segment: bigint) {
    const wide = mnemonic === 'maskmovdqu';
    const view = prepare(flat, row(mnemonic), flags, () => undefined);
    const register = wide ? VCPU_XMM : VCPU_X87;
    for (let n = 0; n < (wide ? 16 : 8); n++) {
      view.setUint8(CPU + register + 16 + n, (0x11 * (n + 1)) & 0xff);
      view.setUint8(CPU + register + 32 + n, mask & (1 << n) ? 0x80 | n : 0x7f);
    }
    view.setBigUint64(CPU + VCPU_RDI, rdi, true);
    view.setBigUint64(CPU + VCPU_FS_BASE, segment, true);
    view.setUint8(OP + OP_SEGMENT, segment ? VCPU_FS_BASE : VCPU_ZERO);
    const memory = new Uint8Array(flat.memory.buffer);
    memory.fill(0x5b, MEMORY, MEMORY + 32);
    const returned = flat.exports[mnemonic]!(CPU, OP);
    return {
      returned,
      written: Array.from(memory.slice(MEMORY, MEMORY + 32).entries()).filter(([, byte]) => byte !== 0x5b),
      address: Number(view.getBigUint64(CPU + VCPU_STORE_ADDRESS, true)),
      bytes: view.getUint32(CPU + VCPU_STORE_BYTES, true),
      top: (view.getUint16(CPU + VCPU_FSW, true) >> 11) & 7,
      tags: view.getUint8(CPU + VCPU_FTW),
    };
  }

  it.each([
    ['maskmovdqu', 0x8001, 0, 16],
    ['maskmovdqu', 0x0010, 4, 1],
    ['maskmovdqu', 0x5550, 4, 11],
    ['maskmovdqu', 0xffff, 0, 16],
    ['maskmovq', 0x81, 0, 8],
    ['maskmovq', 0x18, 3, 2],
  ] as const)('%s with mask %i touches only the span of its bytes', (mnemonic, mask, first, bytes) => {
    const outcome = store(mnemonic, mask, 0, BigInt(MEMORY), 0n);
    const expected = Array.from({ length: 16 }, (_, n) => n)
      .filter((n) => mask & (1 << n))
      .map((n) => [n, (0x11 * (n + 1)) & 0xff]);
    expect(outcome).toMatchObject({ returned: NEXT, written: expected, address: MEMORY + first, bytes });
  });

  it.each(['maskmovdqu', 'maskmovq'] as const)('%s with an empty mask makes no access', (mnemonic) => {
    expect(store(mnemonic, 0, 0, 0xdead0000_00000000n, 0n)).toMatchObject({ returned: NEXT, written: [], address: 0, bytes: 0 });
  });

  it('takes segment bases and 32-bit addresses', () => {
    expect(store('maskmovdqu', 1, 0, BigInt(MEMORY - 0x100), 0x100n).address).toBe(MEMORY);
    expect(store('maskmovdqu', 1, OPF_ADDRESS32, 0xffffffff_00000000n + BigInt(MEMORY - 0x100), 0x100n).address).toBe(MEMORY);
    expect(store('maskmovq', 1, OPF_ADDRESS32, 0xffffffff_00000000n + BigInt(MEMORY), 0n).address).toBe(MEMORY);
  });

  it('enters the MMX state only with MASKMOVQ', () => {
    expect(store('maskmovq', 0, 0, 0n, 0n)).toMatchObject({ top: 0, tags: 0xff });
    expect(store('maskmovdqu', 1, 0, BigInt(MEMORY), 0n)).toMatchObject({ top: 5, tags: 0 });
  });
});
