/** Runs vectors against the compiled core. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync } from 'node:zlib';
import { EXIT_EXCEPTION } from '../layout.ts';
import { CODE_ADDRESS, CODE_PAGES, DATA_PAGES, HLT, dataOffset } from './address-map.ts';
import { type CoreOutcome, differences } from './compare.ts';
import { CoreFixture } from './fixture.ts';
import { mnemonicOf } from './forms.ts';
import { DIGEST_START, type PreparedInput, basePages, digestInput, prepareInput } from './input.ts';
import type { Fault } from './machine-state.ts';
import { type Case, type Encoding, type VectorFile, decodeVectors } from './vectors.ts';

const VECTOR_GP = 13;
/** More instructions than any test program executes. */
const RUN_BUDGET = 1_000_000;
const PAGE_BYTES = 4096;

function vectorPath(name: string): string {
  return fileURLToPath(new URL(`vectors/${name}.bin`, import.meta.url));
}

export function hasVectors(name: string): boolean {
  return existsSync(vectorPath(name));
}

export function loadVectors(name: string): VectorFile {
  return decodeVectors(new Uint8Array(brotliDecompressSync(readFileSync(vectorPath(name)))));
}

/** A CPU with the address map of the tests and all code of some encodings in place. */
export class VectorMachine {
  readonly fixture: CoreFixture;
  private readonly base = basePages();
  private readonly expected = basePages();
  private readonly pageOffsets: number[];
  private readonly codeOffsets: number[];

  constructor() {
    this.fixture = new CoreFixture(CODE_PAGES + DATA_PAGES.length + 16);
    const { fixture } = this;
    this.codeOffsets = Array.from({ length: CODE_PAGES }, (_, page) => {
      const offset = fixture.map(BigInt(CODE_ADDRESS + page * PAGE_BYTES), { write: false, execute: true });
      fixture.bytes.fill(HLT, offset, offset + PAGE_BYTES);
      return offset;
    });
    this.pageOffsets = DATA_PAGES.map(({ address, writable }, index) => {
      const offset = fixture.map(BigInt(address), { write: writable });
      fixture.bytes.set(this.base.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES), offset);
      return offset;
    });
  }

  /** Puts code in place. Each address may be used once: the core is not told of these stores. */
  load(encoding: Pick<Encoding, 'address' | 'code'>): void {
    for (const [at, byte] of encoding.code.entries()) {
      const offset = encoding.address + at - CODE_ADDRESS;
      const page = this.codeOffsets[offset >>> 12];
      if (page === undefined) throw new RangeError('vector code lies outside the code region');
      this.fixture.bytes[page + (offset & 4095)] = byte;
    }
  }

  /** Lines that tell how the core differs from the vector; none = it does not. */
  check(mnemonic: string, encoding: Encoding, test: Case, input: PreparedInput): string[] {
    const { fixture, base, expected } = this;
    const pages = new Uint8Array(base.length);
    for (const change of input.memory) this.writeData(change.address, change.bytes);
    fixture.setState(input.state);
    const reason = fixture.run(RUN_BUDGET);
    if (reason !== EXIT_EXCEPTION) return [`run returned ${reason} at rip ${fixture.getState().rip.toString(16)}`];
    this.pageOffsets.forEach((offset, index) => {
      pages.set(fixture.bytes.subarray(offset, offset + PAGE_BYTES), index * PAGE_BYTES);
      fixture.bytes.set(base.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES), offset);
    });
    const state = fixture.getState();
    const outcome: CoreOutcome = { state, fault: this.faultBesidesHlt(fixture.fault(), state.rip, encoding), pages };
    expected.set(base);
    for (const change of [...input.memory, ...test.outcome.memory]) expected.set(change.bytes, dataOffset(change.address));
    return differences(mnemonic, input, test, encoding.address + encoding.code.length, outcome, expected);
  }

  private writeData(address: number, bytes: Uint8Array): void {
    for (const [at, byte] of bytes.entries()) {
      const position = dataOffset(address + at);
      const page = this.pageOffsets[position >>> 12];
      if (position < 0 || page === undefined) throw new RangeError('a patch lies outside the data pages');
      this.fixture.bytes[page + (position & 4095)] = byte;
    }
  }

  /** Null when the fault is the #GP of a HLT that the test ends with. */
  private faultBesidesHlt(fault: Fault, rip: bigint, encoding: Encoding): Fault | null {
    if (fault.vector !== VECTOR_GP || fault.error !== 0) return fault;
    const offset = rip - BigInt(encoding.address);
    if (offset >= 0n && offset < BigInt(encoding.code.length)) return encoding.code[Number(offset)] === HLT ? null : fault;
    const inCode = rip - BigInt(CODE_ADDRESS);
    return inCode >= 0n && inCode < BigInt(CODE_PAGES * PAGE_BYTES) ? null : fault;
  }
}

export interface Failure {
  readonly key: string;
  readonly code: string;
  readonly seed: number;
  readonly lines: readonly string[];
}

export interface VectorReport {
  readonly cases: number;
  readonly failures: readonly Failure[];
  /** False when today's inputs are not those that the vectors were made of. */
  readonly sameInputs: boolean;
}

/** How the core executes: by the run loop with its hot operations, or one instruction at a time by the rows' handlers. */
export const PATHS = ['run loop', 'stepped'] as const;
export type Path = (typeof PATHS)[number];

/** `accept` chooses forms by key. */
export function runVectors(file: VectorFile, path: Path, accept: (key: string) => boolean = () => true): VectorReport {
  const machine = new VectorMachine();
  machine.fixture.setStepped(path === 'stepped');
  for (const form of file.forms) for (const encoding of form.encodings) machine.load(encoding);
  const failures: Failure[] = [];
  let cases = 0;
  let digest = DIGEST_START;
  for (const form of file.forms) {
    const chosen = accept(form.key);
    const mnemonic = mnemonicOf(form.key);
    for (const encoding of form.encodings) {
      for (const test of encoding.cases) {
        const input = prepareInput(test, encoding.address);
        digest = digestInput(digest, input);
        if (!chosen) continue;
        cases++;
        const lines = machine.check(mnemonic, encoding, test, input);
        if (lines.length > 0) {
          const code = Array.from(encoding.code, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
          failures.push({ key: form.key, code, seed: test.seed, lines });
        }
      }
    }
  }
  return { cases, failures, sameInputs: digest === file.inputDigest };
}
