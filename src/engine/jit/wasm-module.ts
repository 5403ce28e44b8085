/** A WebAssembly module of regions: its imports are the memory and the core's services, its exports the functions "0", "1" ... */
import type { TranslatorCore } from './core.ts';
import { ByteWriter, I32, I64 } from './wasm-writer.ts';

/** Core functions that regions call, by their import's index. */
export const SERVICES = [
  'readableSlow',
  'writableForRegion',
  'callHandler',
  'condition',
  'getCarry',
  'replaceCarryOverflow',
  'signedHigh',
  'callFloatHandler',
  'replaceZero',
  'repeatMove',
  'repeatStore',
  'readableForRegion',
] as const satisfies readonly (keyof TranslatorCore)[];
export type Service = (typeof SERVICES)[number];

export const service = Object.fromEntries(SERVICES.map((name, index) => [name, index])) as Readonly<Record<Service, number>>;

const TYPES: readonly (readonly [parameters: readonly number[], results: readonly number[]])[] = [
  [[I32, I32], [I32]],
  [[I32, I64, I32], [I32]],
  [[I32], [I32]],
  [[I32, I32], []],
  [[I64, I64], [I64]],
  [[I32, I32, I32], [I32]],
  [[I32, I64, I64, I64, I32], [I64]],
  [[I32, I32, I32, I64], [I32]],
];
/** A region: (cpu, data, target, page) -> how it was left, for leaveRegion of cpu/region-exit.ts. */
const REGION_TYPE = 7;
const SERVICE_TYPES: Readonly<Record<Service, number>> = {
  readableSlow: 1,
  writableForRegion: 1,
  callHandler: 0,
  condition: 0,
  getCarry: 2,
  replaceCarryOverflow: 3,
  signedHigh: 4,
  callFloatHandler: 5,
  replaceZero: 3,
  repeatMove: 6,
  repeatStore: 6,
  readableForRegion: 1,
};

/** Pages that the memory import allows at most; a domain's memory has no more. */
const MEMORY_MAXIMUM_PAGES = 65536;

export interface FunctionBody {
  /** Locals and code, as the specification's `func`. */
  readonly bytes: Uint8Array;
  /** Offsets of `if`s that are hardly ever taken, ascending. */
  readonly unlikely: readonly number[];
}

const BRANCH_HINTS = 'metadata.code.branch_hint';
const UNLIKELY = 0;

/** Hints by function. @see https://webassembly.github.io/branch-hinting, custom section "metadata.code.branch_hint" */
function writeBranchHints(to: ByteWriter, bodies: readonly FunctionBody[]): void {
  to.name(BRANCH_HINTS);
  to.u32(bodies.length);
  bodies.forEach(({ unlikely }, n) => {
    to.u32(SERVICES.length + n);
    to.u32(unlikely.length);
    for (const at of unlikely) {
      to.u32(at);
      to.u32(1);
      to.u8(UNLIKELY);
    }
  });
}

/** The module's bytes. */
export function regionModule(bodies: readonly FunctionBody[]): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter();
  for (const byte of [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]) out.u8(byte);
  const section = (id: number, write: (to: ByteWriter) => void): void => {
    const content = new ByteWriter();
    write(content);
    out.u8(id);
    out.u32(content.length);
    out.raw(content.bytes.subarray(0, content.length));
  };
  section(1, (to) => {
    to.u32(TYPES.length);
    for (const [parameters, results] of TYPES) {
      to.u8(0x60);
      for (const list of [parameters, results]) {
        to.u32(list.length);
        for (const type of list) to.u8(type);
      }
    }
  });
  section(2, (to) => {
    to.u32(SERVICES.length + 1);
    for (const name of SERVICES) {
      to.name('c');
      to.name(name);
      to.u8(0);
      to.u32(SERVICE_TYPES[name]);
    }
    to.name('c');
    to.name('memory');
    to.u8(2);
    to.u8(3); // shared, with a maximum
    to.u32(1);
    to.u32(MEMORY_MAXIMUM_PAGES);
  });
  section(3, (to) => {
    to.u32(bodies.length);
    for (let n = 0; n < bodies.length; n++) to.u32(REGION_TYPE);
  });
  section(7, (to) => {
    to.u32(bodies.length);
    for (let n = 0; n < bodies.length; n++) {
      to.name(String(n));
      to.u8(0);
      to.u32(SERVICES.length + n);
    }
  });
  section(0, (to) => {
    writeBranchHints(to, bodies);
  });
  section(10, (to) => {
    to.u32(bodies.length);
    for (const { bytes } of bodies) {
      to.u32(bytes.length);
      to.raw(bytes);
    }
  });
  return out.result();
}

/** Imports of every module of regions on one memory. */
export function regionImports(core: TranslatorCore, memory: WebAssembly.Memory): WebAssembly.Imports {
  const imports: Record<string, WebAssembly.ImportValue> = { memory };
  for (const name of SERVICES) imports[name] = core[name] as WebAssembly.ImportValue;
  return { c: imports };
}
