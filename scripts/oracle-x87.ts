/**
 * Makes src/engine/cpu/testing/vectors/x87-operations.bin: what this host's CPU (x86-64, gcc needed) does in the cases of
 * x87-cases.ts. Kept are the records after the instruction, exclusive-or the records before it, compressed.
 *
 * tsx scripts/oracle-x87.ts [seed scale file]
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';
import { RECORD_BYTES, x87Cases } from '../src/engine/cpu/testing/x87-cases.ts';

const [seed = '1', scale = '1', file = fileURLToPath(new URL('../src/engine/cpu/testing/vectors/x87-operations.bin', import.meta.url))] =
  process.argv.slice(2);
const records = Array.from(x87Cases(Number(seed), Number(scale)), ({ record }) => record);
const folder = mkdtempSync(join(tmpdir(), 'oracle-x87-'));
try {
  const program = join(folder, 'oracle-x87');
  execFileSync('gcc', ['-O1', '-o', program, fileURLToPath(new URL('oracle-x87.c', import.meta.url))]);
  const output = execFileSync(program, [], { input: Buffer.concat(records), maxBuffer: 1 << 30 });
  if (output.length !== records.length * RECORD_BYTES) throw new Error(`expected ${records.length} records, got ${output.length} bytes`);
  // By columns: bytes of the same place lie together and pack better.
  const columns = Buffer.alloc(output.length);
  records.forEach((record, row) => {
    for (let at = 0; at < RECORD_BYTES; at++) {
      columns[at * records.length + row] = (output[row * RECORD_BYTES + at] ?? 0) ^ (record[at] ?? 0);
    }
  });
  const packed = brotliCompressSync(columns);
  writeFileSync(file, packed);
  process.stdout.write(`${records.length} cases, ${packed.length} bytes in ${file}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
