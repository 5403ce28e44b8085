/**
 * The x87 handlers and the soft-float functions as a module of their own, with guest memory replaced by the module's memory:
 * an address is an offset, nothing faults but what `refuse` names. For tests that need no more of the CPU than that.
 */
import { readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const cpuFolder = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const ENTRY = 'x87-module-entry.ts';

/** Guest memory in place of memory.ts: pages at and above `limit` fault. */
const flatMemory = `
import { raisePageFault } from './fault';
let limit: u64 = 0x80000000;
export function setLimit(value: u64): void { limit = value; }
export function readable(cpu: usize, va: u64, bytes: u32): usize {
  if (va + bytes <= limit) return <usize>va;
  raisePageFault(cpu, max<u64>(va, limit), 0);
  return 0;
}
export function beginStore(cpu: usize, va: u64, bytes: u32): usize {
  if (va + bytes <= limit) return <usize>va;
  raisePageFault(cpu, max<u64>(va, limit), 2);
  return 0;
}
export function endStore(cpu: usize): i32 { return 0; }
`;

const entry = [
  ...['load', 'arithmetic', 'compare', 'transcendental', 'control', 'save'].map((name) => `./handlers/x87-${name}`),
  './softfloat/binary32',
  './softfloat/binary64',
  './softfloat/constants',
]
  .map((path) => `export * from '${path}';`)
  .concat("export { modeOfMxcsr } from './softfloat/environment';", "export { setLimit } from './memory';")
  .join('\n');

export interface X87Module {
  readonly memory: WebAssembly.Memory;
  readonly view: DataView;
  readonly bytes: Uint8Array;
  /** A handler or soft-float function by name. */
  call(name: string, ...parameters: readonly (number | bigint)[]): number | bigint;
  /** Address of a constant table, value of a constant. */
  global(name: string): number | bigint;
}

export async function loadX87Module(): Promise<X87Module> {
  const output = new Map<string, Uint8Array>();
  let messages = '';
  const { error } = await asc.main(
    [
      ENTRY,
      ...['--runtime', 'stub', '--importMemory', '--sharedMemory', '--initialMemory', '64', '--maximumMemory', '64', '-O1'],
      ...['--enable', 'threads', '--enable', 'simd', '--outFile', 'x87.wasm'],
    ],
    {
      readFile(name, base) {
        const path = relative(cpuFolder, resolve(cpuFolder, base, name));
        if (path === ENTRY) return entry;
        if (path === 'memory.ts') return flatMemory;
        try {
          return readFileSync(resolve(cpuFolder, path), 'utf8');
        } catch {
          return null;
        }
      },
      writeFile(name, contents) {
        if (contents instanceof Uint8Array) output.set(name, contents);
      },
      listFiles: () => [],
      stderr: {
        write(chunk) {
          messages += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
        },
      },
    },
  );
  const binary = output.get('x87.wasm');
  if (error || !binary) throw new Error(`asc: ${error?.message ?? 'no output'}\n${messages}`);
  const memory = new WebAssembly.Memory({ initial: 64, maximum: 64, shared: true });
  const { exports } = await WebAssembly.instantiate(new WebAssembly.Module(Buffer.from(binary)), {
    env: {
      memory,
      abort(): never {
        throw new Error('the module called abort');
      },
    },
  });
  return {
    memory,
    view: new DataView(memory.buffer),
    bytes: new Uint8Array(memory.buffer),
    call(name, ...parameters) {
      const callee = exports[name];
      if (typeof callee !== 'function') throw new Error(`no function ${name}`);
      return (callee as (...parameters: readonly (number | bigint)[]) => number | bigint)(...parameters);
    },
    global(name) {
      const value = exports[name];
      if (!(value instanceof WebAssembly.Global)) throw new Error(`no constant ${name}`);
      return value.value as number | bigint;
    },
  };
}
