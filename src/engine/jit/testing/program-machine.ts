/** A bare CPU that runs random programs, interpreted or translated. */
import { EXIT_BUDGET, EXIT_EXCEPTION, VCPU_RIP } from '../../cpu/layout.ts';
import { CoreFixture, type CoreVariant } from '../../cpu/testing/fixture.ts';
import { type MachineState, newState } from '../../cpu/testing/machine-state.ts';
import type { TranslatorCore } from '../core.ts';
import type { RegionCompiler } from '../region-compiler.ts';
import { DEFAULT_OPTIONS, Translator, type TranslatorOptions } from '../translator.ts';
import {
  PROGRAM_CODE,
  PROGRAM_DATA,
  PROGRAM_DATA_PAGES,
  PROGRAM_PAGES,
  PROGRAM_STACK,
  type RandomProgram,
  chooser,
} from './random-program.ts';

export interface ProgramOutcome {
  readonly state: MachineState;
  readonly memory: Uint8Array;
}

export class ProgramMachine {
  readonly fixture: CoreFixture;
  private readonly data: number[];

  constructor(program: RandomProgram, variant?: CoreVariant) {
    const fixture = new CoreFixture(64, 1, variant);
    this.fixture = fixture;
    for (let page = 0; page < PROGRAM_PAGES; page++) {
      const at = fixture.map(PROGRAM_CODE + BigInt(page * 4096), { write: false, execute: true });
      fixture.bytes.set(program.pages[page] ?? [], at);
    }
    this.data = Array.from({ length: PROGRAM_DATA_PAGES }, (_, page) => fixture.map(PROGRAM_DATA + BigInt(page * 4096)));
    this.data.forEach((at, page) => {
      fixture.bytes.set(program.data.subarray(page * 4096, (page + 1) * 4096), at);
    });
    this.data.push(fixture.map(PROGRAM_STACK));
    const state = newState();
    program.registers.forEach((value, n) => {
      state.gpr[n] = value;
    });
    state.fx.set(program.fx);
    state.rip = program.start;
    fixture.setState(state);
  }

  translator(options: Partial<TranslatorOptions> = {}, compiler?: RegionCompiler): Translator {
    const { fixture } = this;
    const all = { ...DEFAULT_OPTIONS, ...options };
    return new Translator(fixture.exports as unknown as TranslatorCore, fixture.memory, fixture.cpu, all, compiler);
  }

  get rip(): bigint {
    return this.fixture.getU64(this.fixture.cpu + VCPU_RIP);
  }

  private outcome(): ProgramOutcome {
    const memory = new Uint8Array(this.data.length * 4096);
    this.data.forEach((at, n) => {
      memory.set(this.fixture.bytes.subarray(at, at + 4096), n * 4096);
    });
    return { state: this.fixture.getState(), memory };
  }

  interpret(): ProgramOutcome {
    const reason = this.fixture.run(100_000_000);
    if (reason !== EXIT_EXCEPTION) throw new Error(`the program ended with exit ${reason}`);
    return this.outcome();
  }

  /** Runs in short slices, with the code at the end of each translated, or taken into a region made before. */
  translate(seed: number, options: Partial<TranslatorOptions>, compiler?: RegionCompiler): ProgramOutcome {
    const translator = this.translator(options, compiler);
    const choose = chooser(seed);
    const entries: bigint[] = [];
    if (choose(2) === 0) translator.translateAt(this.rip);
    for (;;) {
      const reason = this.fixture.run(1 + choose(200));
      if (reason === EXIT_EXCEPTION) return this.outcome();
      if (reason !== EXIT_BUDGET) throw new Error(`the program ended with exit ${reason}`);
      const { rip } = this;
      const entry = choose(3) === 0 ? entries[choose(entries.length)] : undefined;
      if (entry !== undefined) translator.extend(entry, rip);
      else if (translator.translateAt(rip)) entries.push(rip);
    }
  }
}

/** Lines that tell how two outcomes differ. */
export function outcomeDifferences(a: ProgramOutcome, b: ProgramOutcome): string[] {
  const lines: string[] = [];
  if (a.state.rip !== b.state.rip) lines.push(`rip ${a.state.rip.toString(16)} ${b.state.rip.toString(16)}`);
  if (a.state.rflags !== b.state.rflags) lines.push(`rflags ${a.state.rflags.toString(16)} ${b.state.rflags.toString(16)}`);
  for (let n = 0; n < 16; n++) {
    const [x = 0n, y = 0n] = [a.state.gpr[n], b.state.gpr[n]];
    if (x !== y) lines.push(`register ${n} ${x.toString(16)} ${y.toString(16)}`);
  }
  a.state.fx.forEach((byte, n) => {
    if (byte !== b.state.fx[n] && lines.length < 20) lines.push(`vector state ${n}`);
  });
  a.memory.forEach((byte, n) => {
    if (byte !== b.memory[n] && lines.length < 20)
      lines.push(`memory ${n.toString(16)}: ${byte.toString(16)} ${(b.memory[n] ?? 0).toString(16)}`);
  });
  return lines;
}
