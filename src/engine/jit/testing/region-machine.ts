/** A bare CPU with two pages of code that run into HLT, and a translator. */
import { expect } from 'vitest';
import { EXIT_EXCEPTION, VCPU_INSTRUCTIONS_TRANSLATED } from '../../cpu/layout.ts';
import { CoreFixture } from '../../cpu/testing/fixture.ts';
import { newState } from '../../cpu/testing/machine-state.ts';
import type { TranslatorCore } from '../core.ts';
import type { RegionCompiler } from '../region-compiler.ts';
import { EAGER_OPTIONS, Translator, type TranslatorOptions } from '../translator.ts';

export const CODE = 0x400000n;
export const SECOND = CODE + 0x1000n;
/** Where the first page is mapped as well, and a page of data. */
export const ALIAS = 0x500000n;
export const DATA = 0x600000n;
const HLT = 0xf4;
const RAX = 0;

export class RegionMachine {
  readonly fixture = new CoreFixture(64);
  readonly translator: Translator;
  readonly first: number;
  readonly second: number;

  constructor(compiler?: RegionCompiler, changed: Partial<TranslatorOptions> = {}) {
    const { fixture } = this;
    const frame = fixture.takeFrame();
    this.first = fixture.map(CODE, { write: false, execute: true }, frame);
    this.second = fixture.map(SECOND, { write: false, execute: true });
    fixture.map(ALIAS, {}, frame);
    fixture.map(DATA);
    fixture.bytes.fill(HLT, this.first, this.first + 4096);
    fixture.bytes.fill(HLT, this.second, this.second + 4096);
    const options = { ...EAGER_OPTIONS, growthThreshold: 2, ...changed };
    this.translator = new Translator(fixture.exports as unknown as TranslatorCore, fixture.memory, fixture.cpu, options, compiler);
  }

  /** Puts code in place before anything has been decoded there. */
  place(at: number, ...bytes: number[]): void {
    this.fixture.bytes.set(bytes, at);
  }

  /** Writes code as another agent does: the core is told. */
  patch(at: number, ...bytes: number[]): void {
    this.place(at, ...bytes);
    this.fixture.exports.storeMarked(this.fixture.cpu, at, bytes.length);
  }

  start(registers: Readonly<Record<number, bigint>> = {}): void {
    const state = newState();
    for (const [register, value] of Object.entries(registers)) state.gpr[Number(register)] = value;
    state.rip = CODE;
    this.fixture.setState(state);
  }

  /** Runs from the start of the code; RAX at the end. */
  result(registers: Readonly<Record<number, bigint>> = {}): bigint {
    this.start(registers);
    expect(this.fixture.run()).toBe(EXIT_EXCEPTION);
    return this.fixture.getState().gpr[RAX] ?? 0n;
  }

  count(offset: number): bigint {
    return this.fixture.getU64(this.fixture.cpu + offset);
  }

  /** How many instructions the work executed in regions. */
  translated(work: () => void): bigint {
    const before = this.count(VCPU_INSTRUCTIONS_TRANSLATED);
    work();
    return this.count(VCPU_INSTRUCTIONS_TRANSLATED) - before;
  }
}

/** mov eax, n */
export const MOV_EAX = (n: number): number[] => [0xb8, n, 0, 0, 0];
