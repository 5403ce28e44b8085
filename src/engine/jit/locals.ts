/** Parameters and locals of a region's function. */
import { GROUP_LOCALS } from './access-groups.ts';
import { I32, I64 } from './wasm-writer.ts';

export const local = {
  cpu: 0,
  /** Where the region's data are (translation.ts). */
  data: 1,
  /** Number of the target to go to. */
  target: 2,
  /** Address of the region's first page. */
  page: 3,
  /** General register n is at `registers + n`. */
  registers: 4,
  ccA: 20,
  ccB: 21,
  ccR: 22,
  rotated: 23,
  rip: 24,
  address: 25,
  t0: 26,
  t1: 27,
  t2: 28,
  t3: 29,
  t4: 30,
  /** The way out: EXIT_* of cpu/region-exit-state.ts, and in the upper half a position, relative to `page`. */
  exit: 31,
  kind: 32,
  host: 33,
  tlb: 34,
  budget: 35,
  status: 36,
  entry: 37,
  rotateBits: 38,
  epoch: 39,
  /** Host addresses of groups of accesses. */
  groups: 40,
} as const;
const PARAMETERS = 4;
const I64_LOCALS = 28;
const I32_LOCALS = 8 + GROUP_LOCALS;

export const LOCAL_DECLARATIONS: readonly (readonly [count: number, type: number])[] = [
  [I64_LOCALS, I64],
  [I32_LOCALS, I32],
];

/** First local that is free for vector registers. */
export const VECTOR_LOCALS = PARAMETERS + I64_LOCALS + I32_LOCALS;
