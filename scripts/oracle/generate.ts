/**
 * Makes the instruction vectors: `npm run oracle` on an x86-64 Linux host with gcc. Every group of the instruction table becomes
 * one file under src/engine/cpu/testing/vectors/. Seeds are fixed, so that the same table on the same CPU gives the same files.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';
import { HLT } from '../../src/engine/cpu/testing/address-map.ts';
import { formsOf, mnemonicOf } from '../../src/engine/cpu/testing/forms.ts';
import { DIGEST_START, digestInput, prepareInput } from '../../src/engine/cpu/testing/input.ts';
import { FX_FCW, FX_FSW, readU16 } from '../../src/engine/cpu/testing/machine-state.ts';
import { Random } from '../../src/engine/cpu/testing/random.ts';
import { type FormVectors, type VectorFile, encodeVectors } from '../../src/engine/cpu/testing/vectors.ts';
import type { Row } from '../../src/engine/cpu/table/row.ts';
import { type EncodingDraft, SlotAllocator, draftForm } from './cases.ts';
import type { NativeMachine, NativeTest } from './native.ts';
import { outcomeOf } from './outcome.ts';
import { isNative } from './scope.ts';
import { undefinedFlagsAfter, undefinedStatusAfter } from './undefined.ts';

/** Seed of a form: its own key, so that a new row does not change the vectors of the others. */
function seedOf(key: string): number {
  let hash = 0x811c9dc5;
  for (const character of key) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193) >>> 0;
  return hash;
}

export interface KeyedDrafts {
  readonly key: string;
  readonly encodings: readonly EncodingDraft[];
}

/** Tests of every form of the rows. `salt` 0 makes the committed vectors; others make others of the same kind. */
export function draftRows(rows: readonly Row[], salt = 0): KeyedDrafts[] {
  const slots = new SlotAllocator();
  const drafts: KeyedDrafts[] = [];
  const seen = new Set<string>();
  for (const row of rows) {
    for (const form of formsOf(row)) {
      if (!isNative(form)) continue;
      if (seen.has(form.key)) throw new Error(`two rows have the form ${form.key}`);
      seen.add(form.key);
      const encodings = draftForm(form, new Random((seedOf(form.key) + salt) >>> 0), slots);
      if (encodings.length === 0) throw new Error(`no test could be made for ${form.key}`);
      drafts.push({ key: form.key, encodings });
    }
  }
  return drafts;
}

export function runDrafts(machine: NativeMachine, drafts: readonly KeyedDrafts[]): VectorFile {
  const tests: NativeTest[] = [];
  let inputDigest = DIGEST_START;
  for (const { encodings } of drafts) {
    for (const { address, code, cases } of encodings) {
      for (const test of cases) {
        const input = prepareInput(test, address);
        inputDigest = digestInput(inputDigest, input);
        tests.push({ address, code, input });
      }
    }
  }
  const results = machine.run(tests);
  let next = 0;
  const forms: FormVectors[] = drafts.map(({ key, encodings }) => ({
    key,
    encodings: encodings.map(({ address, code, cases }) => ({
      address,
      code,
      cases: cases.map((test) => {
        const native = tests[next];
        const result = results[next];
        next++;
        if (native === undefined || result === undefined) throw new Error('fewer results than tests');
        const control = readU16(result.state.fx, FX_FCW);
        const status = readU16(result.state.fx, FX_FSW);
        const mnemonic = mnemonicOf(key);
        return {
          ...test,
          undefinedFlags: test.undefinedFlags | undefinedFlagsAfter(mnemonic, control, status),
          undefinedStatus: test.undefinedStatus | undefinedStatusAfter(mnemonic, control, status),
          outcome: outcomeOf(native, result, HLT),
        };
      }),
    })),
  }));
  return { inputDigest, forms };
}

export function writeVectors(name: string, file: VectorFile): void {
  const folder = fileURLToPath(new URL('../../src/engine/cpu/testing/vectors/', import.meta.url));
  mkdirSync(folder, { recursive: true });
  const plain = encodeVectors(file);
  const packed = brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_LGWIN]: 22 } });
  writeFileSync(`${folder}${name}.bin`, packed);
  const cases = file.forms.reduce(
    (sum, form) => sum + form.encodings.reduce((inner, encoding) => inner + encoding.cases.length, 0),
    0,
  );
  process.stdout.write(`${name}: ${file.forms.length} forms, ${cases} cases, ${plain.length} bytes, ${packed.length} packed\n`);
}
