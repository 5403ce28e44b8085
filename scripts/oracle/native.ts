/** Compiles the native program and runs tests on this host's CPU. Record layouts as in harness.c. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CODE_ADDRESS, CODE_PAGES, DATA_PAGES, FS_BASE, GS_BASE } from '../../src/engine/cpu/testing/address-map.ts';
import { basePages, type PreparedInput } from '../../src/engine/cpu/testing/input.ts';
import { type MachineState, newState } from '../../src/engine/cpu/testing/machine-state.ts';
import type { MemoryChange } from '../../src/engine/cpu/testing/vectors.ts';

const INPUT_BYTES = 4096;
const OUTPUT_BYTES = 4096;
const CODE_MAX = 512;
const PATCH_AREA = 2560;
const BATCH = 2048;

export interface NativeTest {
  readonly address: number;
  readonly code: Uint8Array;
  readonly input: PreparedInput;
}

export interface NativeResult {
  readonly state: MachineState;
  readonly vector: number;
  readonly error: number;
  readonly faultAddress: bigint;
  readonly memory: readonly MemoryChange[];
}

/** RF, which a fault sets in the flags it saves. */
const RESUME_FLAG = 0x10000;

function header(count: number): Buffer {
  const bytes = Buffer.alloc(96);
  [count, CODE_ADDRESS, CODE_PAGES * 4096, DATA_PAGES.length].forEach((word, index) => bytes.writeUInt32LE(word, index * 4));
  DATA_PAGES.forEach((page, index) => {
    bytes.writeUInt32LE(page.address, 16 + index * 4);
    bytes.writeUInt32LE(page.writable ? 1 : 0, 48 + index * 4);
  });
  bytes.writeBigUInt64LE(FS_BASE, 80);
  bytes.writeBigUInt64LE(GS_BASE, 88);
  return bytes;
}

function inputRecord(test: NativeTest): Buffer {
  const record = Buffer.alloc(INPUT_BYTES);
  const { state, memory } = test.input;
  for (let number = 0; number < 16; number++) record.writeBigUInt64LE(state.gpr[number] ?? 0n, number * 8);
  record.writeBigUInt64LE(state.rip, 128);
  record.writeBigUInt64LE(BigInt(state.rflags), 136);
  record.writeUInt32LE(test.address, 144);
  if (test.code.length > CODE_MAX) throw new RangeError(`${test.code.length} bytes of code in one test`);
  record.writeUInt16LE(test.code.length, 148);
  record.set(state.fx, 512);
  record.set(test.code, 1024);
  let used = 0;
  for (const change of memory) {
    if (used + 6 + change.bytes.length > PATCH_AREA) throw new RangeError('too many bytes patched in one test');
    record.writeUInt32LE(change.address, 1536 + used);
    record.writeUInt16LE(change.bytes.length, 1536 + used + 4);
    record.set(change.bytes, 1536 + used + 6);
    used += 6 + change.bytes.length;
  }
  record.writeUInt16LE(used, 150);
  return record;
}

function outputRecord(record: Buffer): NativeResult {
  const state = newState();
  for (let number = 0; number < 16; number++) state.gpr[number] = record.readBigUInt64LE(number * 8);
  state.rip = record.readBigUInt64LE(128);
  state.rflags = Number(record.readBigUInt64LE(136)) & ~RESUME_FLAG;
  state.fx.set(record.subarray(512, 1024));
  const used = record.readUInt16LE(168);
  if (record.readUInt16LE(170) !== 0) throw new RangeError('a test changed more memory than fits its record');
  const memory: MemoryChange[] = [];
  for (let at = 0; at < used;) {
    const length = record.readUInt16LE(1024 + at + 4);
    memory.push({
      address: record.readUInt32LE(1024 + at),
      bytes: Uint8Array.from(record.subarray(1024 + at + 6, 1024 + at + 6 + length)),
    });
    at += 6 + length;
  }
  return {
    state,
    vector: Number(record.readBigUInt64LE(144)),
    error: Number(record.readBigUInt64LE(152)),
    faultAddress: record.readBigUInt64LE(160),
    memory,
  };
}

export class NativeMachine {
  private readonly folder = mkdtempSync(join(tmpdir(), 'oracle-'));
  private readonly program = join(this.folder, 'harness');

  constructor() {
    if (process.arch !== 'x64' || process.platform !== 'linux') throw new Error('vectors are made on x86-64 Linux only');
    const source = fileURLToPath(new URL('harness.c', import.meta.url));
    const flags = [
      '-O1',
      '-static',
      '-nostdlib',
      '-ffreestanding',
      '-fno-stack-protector',
      '-fcf-protection=none',
      '-mgeneral-regs-only',
    ];
    execFileSync('gcc', [...flags, '-fno-tree-loop-distribute-patterns', '-o', this.program, source], { stdio: 'inherit' });
  }

  run(tests: readonly NativeTest[]): NativeResult[] {
    const base = basePages();
    const results: NativeResult[] = [];
    for (let start = 0; start < tests.length; start += BATCH) {
      const batch = tests.slice(start, start + BATCH);
      const input = Buffer.concat([header(batch.length), base, ...batch.map(inputRecord)]);
      const output = execFileSync(this.program, { input, maxBuffer: BATCH * OUTPUT_BYTES, stdio: ['pipe', 'pipe', 'inherit'] });
      if (output.length !== batch.length * OUTPUT_BYTES)
        throw new Error(`the native program made ${output.length} bytes for ${batch.length} tests`);
      for (let index = 0; index < batch.length; index++) {
        results.push(outputRecord(output.subarray(index * OUTPUT_BYTES, (index + 1) * OUTPUT_BYTES)));
      }
    }
    return results;
  }

  close(): void {
    rmSync(this.folder, { recursive: true });
  }
}
