/**
 * The vector handlers compiled alone: guest memory is replaced by a few lines, so that neither decoder nor page tables are needed.
 */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import asc from 'assemblyscript/asc';
import { OP_FLAGS, OP_IMMEDIATE, OP_REG, OP_RM, OPF_OPSIZE, OPF_REXW, OP_BYTES } from '../../layout.ts';
import type { Row } from '../../table/row.ts';

const CPU = join(import.meta.dirname, '../..');
const FILES = [
  'mmx-integer',
  'mmx-move',
  'mmx-shift',
  'mmx-shuffle',
  'sse-compare',
  'sse-control',
  'sse-convert',
  'sse-crc32',
  'sse-dot',
  'sse-element',
  'sse-float',
  'sse-integer',
  'sse-move',
  'sse-shift',
  'sse-shuffle',
  'sse-string',
];

/** Refuses every access, without recording a fault of its own. */
const NO_MEMORY = `
export function readable(cpu: usize, va: u64, bytes: u32): usize { return 0; }
export function beginStore(cpu: usize, va: u64, bytes: u32): usize { return 0; }
export function beginUpdate(cpu: usize, va: u64, bytes: u32): usize { return 0; }
export function endStore(cpu: usize): i32 { return 0; }
`;

/** Addresses are host pointers; where and how much the last access wanted is left in VCPU_STORE_ADDRESS and VCPU_STORE_BYTES. */
const FLAT_MEMORY = `
import { VCPU_STORE_ADDRESS, VCPU_STORE_BYTES } from './layout';
function note(cpu: usize, va: u64, bytes: u32): usize {
  store<u64>(cpu, va, VCPU_STORE_ADDRESS);
  store<u32>(cpu, bytes, VCPU_STORE_BYTES);
  return <usize>va;
}
export function readable(cpu: usize, va: u64, bytes: u32): usize { return note(cpu, va, bytes); }
export function beginStore(cpu: usize, va: u64, bytes: u32): usize { return note(cpu, va, bytes); }
export function beginUpdate(cpu: usize, va: u64, bytes: u32): usize { return note(cpu, va, bytes); }
export function endStore(cpu: usize): i32 { return 0; }
`;

export type Handler = (cpu: number, op: number) => number;

export interface Handlers {
  readonly memory: WebAssembly.Memory;
  readonly exports: Record<string, Handler>;
}

/** Compiles the handlers onto memory that refuses every access (`none`) or takes addresses as host pointers (`flat`). */
export async function compileHandlers(memoryKind: 'none' | 'flat' = 'none'): Promise<Handlers> {
  const entry = FILES.map((file) => `export * from './handlers/${file}';`).join('\n');
  let binary: Uint8Array | undefined;
  let messages = '';
  const { error } = await asc.main(
    [
      'entry.ts',
      '--outFile', 'out.wasm', '-O1', '--runtime', 'stub', '--importMemory', '--sharedMemory', '--maximumMemory', '64',
      '--initialMemory', '64', '--memoryBase', '1024', '--disableWarning',
      '--enable', 'threads', '--enable', 'simd', '--enable', 'bulk-memory',
      '--enable', 'sign-extension', '--enable', 'nontrapping-f2i', '--enable', 'mutable-globals',
    ],
    {
      readFile(name) {
        if (basename(name) === 'entry.ts') return entry;
        if (name.endsWith('memory.ts') && !name.includes('~lib')) return memoryKind === 'flat' ? FLAT_MEMORY : NO_MEMORY;
        try {
          return readFileSync(join(CPU, name), 'utf8');
        } catch {
          return null;
        }
      },
      writeFile(_name, contents) {
        if (typeof contents !== 'string') binary = contents;
      },
      listFiles: () => [],
      stderr: {
        write(chunk) {
          messages += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
        },
      },
    },
  ); // prettier-ignore
  if (error || binary === undefined) throw new Error(`asc: ${messages}`);
  const memory = new WebAssembly.Memory({ initial: 64, maximum: 64, shared: true });
  const module = await WebAssembly.compile(new Uint8Array(binary));
  const instance = await WebAssembly.instantiate(module, { env: { memory } });
  return { memory, exports: instance.exports as Record<string, Handler> };
}

/** Writes the operation that the decoder would make of a register form with ModRM.reg `reg` and ModRM.rm `rm`. */
export function writeOperation(
  view: DataView,
  op: number,
  row: Row,
  operands: { reg: number; rm: number; immediate: number; size16: boolean },
): void {
  for (let at = 0; at < OP_BYTES; at += 4) view.setUint32(op + at, 0, true);
  // General registers are named by byte offset, vector registers by number.
  const general = (letter: string): boolean => row.operands.split(',').some((operand) => letter.includes(operand.charAt(0)));
  view.setUint8(op + OP_REG, operands.reg * (general('G') ? 8 : 1));
  view.setUint8(op + OP_RM, operands.rm * (general('ER') ? 8 : 1));
  view.setUint8(op + OP_FLAGS, (row.rexw === 1 ? OPF_REXW : 0) | (operands.size16 ? OPF_OPSIZE : 0));
  view.setBigInt64(op + OP_IMMEDIATE, BigInt.asIntN(8, BigInt(operands.immediate)), true);
}
