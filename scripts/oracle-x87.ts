/**
 * Makes src/engine/cpu/testing/vectors/x87-operations.bin: what this host's CPU (x86-64, gcc needed) does in the cases of
 * x87-cases.ts. Kept is what changed, compressed.
 *
 * tsx scripts/oracle-x87.ts [seed scale file]
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';
import { RECORD_BYTES, packOutcomes, x87Cases } from '../src/engine/cpu/testing/x87-cases.ts';

const [
  seed = '1',
  scale = '1',
  file = fileURLToPath(new URL('../src/engine/cpu/testing/vectors/x87-operations.bin', import.meta.url)),
] = process.argv.slice(2);
const cases = [...x87Cases(Number(seed), Number(scale))];
const folder = mkdtempSync(join(tmpdir(), 'oracle-x87-'));
try {
  const program = join(folder, 'oracle-x87');
  execFileSync('gcc', ['-O1', '-o', program, fileURLToPath(new URL('oracle-x87.c', import.meta.url))]);
  const output = execFileSync(program, [], { input: Buffer.concat(cases.map(({ record }) => record)), maxBuffer: 1 << 30 });
  if (output.length !== cases.length * RECORD_BYTES)
    throw new Error(`expected ${cases.length} records, got ${output.length} bytes`);
  const after = cases.map((_, row) => output.subarray(row * RECORD_BYTES, (row + 1) * RECORD_BYTES));
  const packed = brotliCompressSync(packOutcomes(cases, after));
  writeFileSync(file, packed);
  process.stdout.write(`${cases.length} cases, ${packed.length} bytes in ${file}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
