/**
 * A bare CPU for scenarios: a few mapped pages and a way to run given bytes from given registers. For what the host's CPU cannot
 * be asked in user mode.
 */
import { EXIT_EXCEPTION } from '../layout.ts';
import { FLAGS_BASE, type Fault, type MachineState, newState } from './machine-state.ts';
import { CoreFixture } from './fixture.ts';

/** Code page: readable and executable. */
export const CODE = 0x400000n;
/** The same frame mapped writable and executable. */
export const CODE_ALIAS = 0x500000n;
/** Two data pages, readable and writable; the page behind is not mapped. */
export const DATA = 0x600000n;
export const DATA_END = 0x602000n;
/** Stack, one page; the pointer starts in its middle. */
export const STACK = 0x700800n;
/** A page of the upper half, as kernels live in. */
export const HIGH = 0xffffffff81000000n;

export interface Start {
  /** General registers by number. */
  readonly gpr?: Readonly<Record<number, bigint>>;
  readonly rflags?: number;
  /** User mode; kernel mode is what the hypervisor calls so (CPL is 3 in both). */
  readonly user?: boolean;
  readonly budget?: number;
  /** Address of the first byte; absent = a fresh place in the code page. */
  readonly at?: bigint;
}

export interface Ending {
  /** EXIT_* reason. */
  readonly exit: number;
  /** The exception, when that was the reason. */
  readonly fault: Fault | null;
  readonly state: MachineState;
  /** RIP relative to the first byte of the code. */
  readonly offset: number;
}

const HLT_BYTE = 0xf4;

export class Bench {
  readonly fixture = new CoreFixture(64);
  private readonly codeOffset: number;
  private readonly dataOffset: number;
  private readonly stackOffset: number;
  private nextCode = 0;

  constructor() {
    const { fixture } = this;
    const codeFrame = fixture.takeFrame();
    this.codeOffset = fixture.map(CODE, { write: false, execute: true }, codeFrame);
    fixture.map(CODE_ALIAS, { execute: true }, codeFrame);
    fixture.bytes.fill(HLT_BYTE, this.codeOffset, this.codeOffset + 4096);
    const first = fixture.takeFrame();
    this.dataOffset = fixture.map(DATA, {}, first);
    fixture.map(DATA + 0x1000n, {}, fixture.takeFrame());
    this.stackOffset = fixture.map(STACK & ~0xfffn);
  }

  /** Writes bytes at an address of the first data page, the code page or the stack, past the CPU's own checks. */
  poke(address: bigint, bytes: readonly number[] | Uint8Array): void {
    this.fixture.bytes.set(bytes, this.hostOf(address));
  }

  poke64(address: bigint, ...values: bigint[]): void {
    values.forEach((value, index) => this.fixture.setU64(this.hostOf(address) + 8 * index, BigInt.asUintN(64, value)));
  }

  peek64(address: bigint): bigint {
    return this.fixture.getU64(this.hostOf(address));
  }

  peek(address: bigint, length: number): number[] {
    const at = this.hostOf(address);
    return Array.from(this.fixture.bytes.subarray(at, at + length));
  }

  private hostOf(address: bigint): number {
    const page = address & ~0xfffn;
    const offset = Number(address & 0xfffn);
    if (page === CODE) return this.codeOffset + offset;
    if (page === DATA) return this.dataOffset + offset;
    if (page === (STACK & ~0xfffn)) return this.stackOffset + offset;
    throw new RangeError(`no page of the bench at ${address.toString(16)}`);
  }

  /** Puts code at a fresh place, HLT behind it; returns its address. */
  place(hex: string): bigint {
    const bytes = hexBytes(hex);
    const address = CODE + BigInt(this.nextCode);
    this.nextCode = (this.nextCode + bytes.length + 64) & ~63;
    if (this.nextCode > 4096) throw new RangeError('the code page of the bench is full');
    this.poke(address, bytes);
    return address;
  }

  /** Runs the bytes until an exception, the budget's end or another exit. */
  run(hex: string, start: Start = {}): Ending {
    const address = start.at ?? this.place(hex);
    if (start.at !== undefined && hex !== '') this.poke(start.at, hexBytes(hex));
    return this.runAt(address, start);
  }

  runAt(address: bigint, start: Start = {}): Ending {
    const { fixture } = this;
    const state = newState();
    state.gpr[4] = STACK;
    for (const [register, value] of Object.entries(start.gpr ?? {})) state.gpr[Number(register)] = BigInt.asUintN(64, value);
    state.rip = address;
    state.rflags = start.rflags ?? FLAGS_BASE;
    state.fx[0] = 0x7f;
    state.fx[1] = 0x03;
    state.fx[24] = 0x80;
    state.fx[25] = 0x1f;
    fixture.setUserMode(start.user ?? true);
    fixture.setState(state);
    const exit = fixture.run(start.budget);
    const ended = fixture.getState();
    return {
      exit,
      fault: exit === EXIT_EXCEPTION ? fixture.fault() : null,
      state: ended,
      offset: Number(BigInt.asIntN(64, ended.rip - address)),
    };
  }
}

export function hexBytes(hex: string): number[] {
  return hex
    .trim()
    .split(/\s+/)
    .map((byte) => parseInt(byte, 16));
}

/** A named behaviour of the CPU. */
export interface Scenario {
  readonly name: string;
  /** Rows (as rowName says them) or single forms (their keys) whose behaviour this shows. */
  readonly covers: readonly string[];
  /** Asserts by vitest's expect. */
  run(bench: Bench): void;
}
