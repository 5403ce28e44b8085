/**
 * Makes src/engine/cpu/simd/testing/vectors.bin: what this host's CPU (x86-64 with SSE4.2, gcc needed) does in the cases of
 * simd/testing/cases.ts. Kept are the records after the instruction, exclusive-or the records before it, compressed.
 *
 * tsx scripts/oracle-sse.ts [seed scale file]
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';
import { vectorCases } from '../src/engine/cpu/simd/testing/cases.ts';
import { RECORD_BYTES } from '../src/engine/cpu/simd/testing/record.ts';

const [seed = '1', scale = '1', file = fileURLToPath(new URL('../src/engine/cpu/simd/testing/vectors.bin', import.meta.url))] =
  process.argv.slice(2);
const records = Array.from(vectorCases(Number(seed), Number(scale)), ({ before }) => before);
const folder = mkdtempSync(join(tmpdir(), 'oracle-sse-'));
try {
  const program = join(folder, 'oracle-sse');
  execFileSync('gcc', ['-O1', '-mno-red-zone', '-o', program, fileURLToPath(new URL('oracle-sse.c', import.meta.url))]);
  const output = execFileSync(program, [], { input: Buffer.concat(records), maxBuffer: 1 << 30 });
  if (output.length !== records.length * RECORD_BYTES)
    throw new Error(`expected ${records.length} records, got ${output.length} bytes`);
  // By columns: bytes of the same place lie together and pack better.
  const columns = Buffer.alloc(output.length);
  records.forEach((before, row) => {
    for (let at = 0; at < RECORD_BYTES; at++) {
      columns[at * records.length + row] = (output[row * RECORD_BYTES + at] ?? 0) ^ (before[at] ?? 0);
    }
  });
  const packed = brotliCompressSync(columns);
  writeFileSync(file, packed);
  process.stdout.write(`${records.length} cases, ${packed.length} bytes in ${file}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
