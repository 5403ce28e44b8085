/** What goes through the rings between a vCPU and the translator's thread: jobs there, compiled regions back. */
import type { CompiledRegion, RegionJob } from '../../engine/jit/index.ts';

const bytesOf = (words: Uint32Array | Int32Array): Uint8Array => new Uint8Array(words.buffer, words.byteOffset, words.byteLength);

/** Words of a job before its entries: number, flags, three limits, entries. */
const JOB_WORDS = 6;
const FLAG_ORDERED = 1;
const FLAG_EVERYTHING = 2;
const FLAG_THOROUGH = 4;

export function jobRecord({ number, entries, limits, trace, ordered, thorough }: RegionJob): Uint8Array[] {
  const { instructions, pages, callDepth, everything } = limits;
  const flags = (ordered ? FLAG_ORDERED : 0) | (everything ? FLAG_EVERYTHING : 0) | (thorough ? FLAG_THOROUGH : 0);
  return [bytesOf(Int32Array.of(number, flags, instructions, pages, callDepth, entries.length, ...entries)), bytesOf(trace)];
}

export const jobRecordBytes = ({ entries, trace }: RegionJob): number => (JOB_WORDS + entries.length + trace.length) * 4;

/** @throws RangeError when it is none */
export function jobOf(record: Uint8Array<ArrayBuffer>): RegionJob {
  const words = new Int32Array(record.buffer, 0, record.byteLength >> 2);
  const [number = 0, flags = 0, instructions = 0, pages = 0, callDepth = 0, entries = 0] = words;
  const traceAt = JOB_WORDS + entries;
  if (traceAt > words.length) throw new RangeError('the record of a job ends before its entries');
  return {
    number,
    entries: [...words.subarray(JOB_WORDS, traceAt)],
    limits: { instructions, pages, callDepth, everything: (flags & FLAG_EVERYTHING) !== 0 },
    trace: new Uint32Array(record.buffer, traceAt * 4),
    ordered: (flags & FLAG_ORDERED) !== 0,
    thorough: (flags & FLAG_THOROUGH) !== 0,
  };
}

const REGION_WORDS = 2;

export function regionRecord({ number, data, module }: CompiledRegion): Uint8Array[] {
  return [bytesOf(Uint32Array.of(number, data.length)), data, module];
}

export const regionRecordBytes = ({ data, module }: CompiledRegion): number => REGION_WORDS * 4 + data.length + module.length;

export function regionOf(record: Uint8Array<ArrayBuffer>): CompiledRegion {
  const [number = 0, dataBytes = 0] = new Uint32Array(record.buffer, 0, REGION_WORDS);
  const moduleAt = REGION_WORDS * 4 + dataBytes;
  // The data stays as long as the region does, the module does not.
  return { number, data: record.slice(REGION_WORDS * 4, moduleAt), module: record.subarray(moduleAt) };
}

/** Answers a job that cannot be done. */
export const noRegion = (number: number): CompiledRegion => ({ number, data: new Uint8Array(0), module: new Uint8Array(0) });
